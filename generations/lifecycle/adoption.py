"""A task that somebody made at the vendor with our key, outside of this house, taken into the library."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from generations import ledger
from generations.lifecycle.moves import S, note
from generations.lifecycle.news import observe
from generations.models import Attempt, AttemptState, Batch, Prompt, ProviderKey, Task, User
from generations.providers.base import EXPERIMENTS, MODES, Mode, Snapshot

ADOPTED = uuid.UUID("5b1d0a4e-7e0c-4f7c-9c0e-2f5a6d1c8e77")  # the namespace of the request ids of adopted tasks
NAME = 60  # characters of a model's name


def adopt(key: ProviderKey, row: Snapshot, owner: User, actor: User) -> Task:
    """Make it a task of ``owner``'s, followed, copied and booked as any other; once, however often it is asked for.

    What was booked for it as a stranger's is taken back: its own charge takes the place. Raises IntegrityError where
    the vendor's id belongs to another task here.
    """
    request_id = uuid.uuid5(ADOPTED, f"{key.pk}:{row.remote_id}")
    with transaction.atomic():
        batch, fresh = Batch.objects.get_or_create(request_id=request_id, defaults={"owner": owner, "size": 1})
        if not fresh:
            return batch.tasks.get()
        task = Task.objects.create(owner=owner, batch=batch, position=0, **_order(key, row, owner))
        attempt = _attempt(key, row, task)
        Task.objects.filter(pk=task.pk).update(attempt=attempt)
        task.attempt = attempt
        note(task, "adopted", actor=actor, remote_id=row.remote_id)
        note(task, S.QUEUED.value, remote_id=row.remote_id)
        ledger.take_back_external(key.provider, row.remote_id, "taken into the library", actor)
        if row.complete:
            observe(task, row)
        return task


def _order(key: ProviderKey, row: Snapshot, owner: User) -> dict[str, Any]:
    """What the vendor's list repeats of the order."""
    echo = row.echo
    now, wire_model = timezone.now(), echo.model if echo else ""
    text = echo.prompt if echo else ""
    digest = Prompt.digest_of(text)
    prompt = Prompt.objects.get_or_create(author=owner, digest=digest, defaults={"text": text})[0] if text else None
    known = {offer.mode: offer.model for offer in key.translator.offers if wire_model in offer.wire_ids()}
    mode = Mode(echo.kind) if echo and echo.kind in {*MODES, *EXPERIMENTS} else Mode.TEXT
    return {
        "key": key,
        "provider": key.provider,
        "prompt": prompt,
        "prompt_text": text,
        "mode": mode.value,
        "model": (known.get(mode) or next(iter(known.values()), wire_model))[:NAME],
        "wire_model": wire_model[:80],
        "duration": min((echo.duration if echo else None) or 0, 32_767),
        "resolution": (echo.resolution if echo else "")[:10],
        "aspect_ratio": (echo.aspect_ratio if echo else "")[:10],
        "unit": key.translator.unit.value,
        "state": S.QUEUED,
        "submitted_at": _made_at(row),
        "next_poll_at": now,
    }


def _attempt(key: ProviderKey, row: Snapshot, task: Task) -> Attempt:
    return Attempt.objects.create(
        task=task, number=1, key=key, provider=key.provider, base_url=key.base_url, token=Attempt.make_token(),
        state=AttemptState.ACCEPTED, remote_id=row.remote_id, sent_at=_made_at(row), answered_at=timezone.now(),
    )  # fmt: skip


def _made_at(row: Snapshot) -> datetime:
    return (row.echo.created_at if row.echo else None) or timezone.now()
