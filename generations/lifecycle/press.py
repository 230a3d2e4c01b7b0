"""What people do: press Generate, and think better of it."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from generations import budgets, ledger
from generations.lifecycle.answers import may_exist
from generations.lifecycle.moves import S, move, note
from generations.models import (
    Asset,
    Batch,
    Creation,
    EntrySource,
    Prompt,
    ProviderKey,
    Task,
    TaskInput,
    User,
    Visibility,
)
from generations.providers import catalog
from generations.providers.base import Failure
from generations.queue import enqueue

ASK_AGAIN_AFTER = timedelta(seconds=15)  # pressed again before the vendor answered, it is the same wish


CENT = Decimal("0.0001")  # what a column of the ledger holds


class RequestIdTaken(Exception):
    """Somebody else's press carries this request id."""


class AlreadySent(Exception):
    """The task that was to be replaced does not wait any more; nothing was changed and nothing made."""


def create(
    *,
    owner: User,
    key: ProviderKey,
    request_id: UUID,
    offer: catalog.Offer,
    prompt: str,
    duration: int,
    resolution: str,
    aspect_ratio: str = "",
    seed: int | None = None,
    audio: bool | None = None,
    off_peak: bool = False,
    options: Mapping[str, Any] | None = None,
    images: Sequence[Asset] = (),
    source: Creation | None = None,
    count: int = 1,
    visibility: str = Visibility.TEAM,
    team_id: int | None = None,
    remix_of: Task | None = None,
    replaces: Task | None = None,
    override: str = "",
) -> list[Task]:
    """One press of Generate: ``count`` waiting tasks with their reservations. Nothing is sent yet.

    The same request id again returns the tasks of the first press. Raises RequestIdTaken when that press was
    somebody else's. ``replaces`` is a task that waits: it is cancelled in the same transaction, or AlreadySent is
    raised and nothing is made. Raises OverBudget when a budget does not allow it; ``override`` is the reason why an
    administrator, the owner, lets it through all the same. With a fixed seed, variants get seed, seed + 1, ... so
    that they differ. ``team_id``: who sees it, of those who sign in; None is all of them.
    """
    order: dict[str, Any] = {
        "visibility": visibility,
        "team_id": team_id,
        "remix_of": remix_of,
        "prompt_text": prompt,
        "duration": duration,
        "resolution": resolution,
        "aspect_ratio": aspect_ratio,
        "audio": audio,
        "off_peak": off_peak,
        "options": dict(options or {}),
        "source": source,
    }
    try:
        with transaction.atomic():
            batch = Batch.objects.create(owner=owner, request_id=request_id, size=count)
            if replaces is not None:
                _take_back(replaces, owner)
            budgets_now = budgets.lock(owner, key)
            order |= {"owner": owner, "batch": batch, "prompt": _keep_prompt(owner, prompt, visibility)}
            order |= _vendor_fields(key, offer, order) | _estimate_fields(key, offer, order)
            seeds = [None if seed is None else seed + position for position in range(count)]
            tasks = [_create_one(order, position, each, images) for position, each in enumerate(seeds)]
            _keep_to(budgets_now, batch, tasks, override)
            enqueue("dispatch")
            return tasks
    except IntegrityError:
        return _first_press(request_id, owner)


def _keep_to(found: list[budgets.Standing], batch: Batch, tasks: list[Task], reason: str) -> None:
    """Refuse what does not fit, by undoing the whole press, or note why it was let through."""
    over = list(budgets.check(found, tasks))
    if over and not reason:
        raise over[0]
    budgets.override(over, batch, batch.owner, reason, budgets.cost_of(tasks))


def _take_back(task: Task, actor: User) -> None:
    if not _call_off(task, actor, "replaced before it was sent"):
        raise AlreadySent
    note(task, "replaced", actor=actor)


def _call_off(task: Task, actor: User, why: str) -> bool:
    """End what waits with us. Free, unless an earlier request of it, whose answer was lost, may have made one."""
    free = not may_exist(task)
    charge, now = Decimal(0) if free else None, timezone.now()
    if not move(task, S.CANCELLED, only_from=[S.WAITING], actor=actor, charge=charge, finished_at=now):
        return False
    if free:
        ledger.release(task, why)
    return True


def _first_press(request_id: UUID, owner: User) -> list[Task]:
    """The tasks that this request id made before; the insert just failed, so there should be some."""
    batch = Batch.objects.get(request_id=request_id)
    if batch.owner_id != owner.pk:
        raise RequestIdTaken
    return list(batch.tasks.order_by("position"))


def _vendor_fields(key: ProviderKey, offer: catalog.Offer, order: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "key": key,
        "provider": key.provider,
        "mode": offer.mode.value,
        "model": offer.model,
        "wire_model": offer.wire_id(order["resolution"], order["duration"], order["off_peak"]),
        "unit": key.translator.unit,
    }


def _estimate_fields(key: ProviderKey, offer: catalog.Offer, order: Mapping[str, Any]) -> dict[str, Any]:
    """The estimate is frozen with its price list: a later change of prices changes no task."""
    estimate = catalog.estimate(
        offer,
        resolution=order["resolution"],
        duration=order["duration"],
        off_peak=order["off_peak"],
        audio=order["audio"],
        is_rec=bool(order["options"].get("is_rec")),
    )
    return {
        "estimate": estimate.amount.amount.quantize(CENT) if estimate else None,
        "estimate_unit": estimate.amount.unit if estimate else "",
        "price_list": estimate.price_list if estimate else "",
    }


def _keep_prompt(owner: User, text: str, visibility: str) -> Prompt | None:
    if not text:
        return None
    digest = Prompt.digest_of(text)
    return Prompt.objects.get_or_create(author=owner, digest=digest, defaults={"text": text, "visibility": visibility})[
        0
    ]


def _create_one(shared: Mapping[str, Any], position: int, seed: int | None, images: Sequence[Asset]) -> Task:
    task = Task.objects.create(**shared, position=position, seed=seed)
    TaskInput.objects.bulk_create(
        TaskInput(task=task, asset=asset, position=place) for place, asset in enumerate(images)
    )
    note(task, S.WAITING.value, actor=task.owner)
    _hold(task)
    return task


def _hold(task: Task) -> None:
    """By the price, or by experience where the vendor's prices are not known in the unit in which it charges."""
    usual = None if budgets.is_priced(task) else budgets.usual_charge(task)
    if usual is None:
        ledger.reserve(task, task.estimate, unit=task.estimate_unit)
    else:
        ledger.reserve(task, usual, EntrySource.HISTORY)


class Cancelled(StrEnum):
    """What came of the wish to cancel."""

    FREE = "free"  # it was still with us: nothing was sent, nothing is charged
    UNSURE = "unsure"  # with us again, after a request whose answer was lost: that one may be charged
    ASKED = "asked"  # the vendor is being asked; its answer arrives in the timeline
    TOO_LATE = "too late"
    CANNOT = "cannot"  # this vendor has no way to cancel: it goes on, and may be charged


def cancel(task: Task, actor: User) -> Cancelled:
    """Cancel what is still ours at once; pass the wish on to a vendor that can cancel."""
    with transaction.atomic():
        if _call_off(task, actor, "cancelled before it was sent"):
            return Cancelled.FREE if task.charge is not None else Cancelled.UNSURE
        if task.is_open and task.state != S.ARCHIVING and not task.key.translator.can_cancel:
            return Cancelled.CANNOT
        if task.state != S.QUEUED:
            return Cancelled.TOO_LATE
        lately = timezone.now() - ASK_AGAIN_AFTER
        if not task.events.filter(kind="cancel-asked", at__gt=lately).exists():
            note(task, "cancel-asked", actor=actor)
            enqueue("cancel", task.pk)
        return Cancelled.ASKED


def cancel_answered(task: Task, failure: Failure | None) -> None:
    """Show the vendor's own answer. Acceptance is not the end: the task ends when the vendor says so."""
    with transaction.atomic():
        if failure is None:
            note(task, "cancel-accepted")
        else:
            note(task, "cancel-refused", code=failure.code, text=failure.text)
        now = timezone.now()
        Task.objects.filter(pk=task.pk).update(changed_at=now)
        Task.objects.filter(pk=task.pk, next_poll_at__isnull=False).update(next_poll_at=now)
