"""Taking a task that was made elsewhere into the library: asked for on a page, done by the worker, which may ask."""

import logging
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from generations import lifecycle
from generations.models import Difference, DifferenceKind, DifferenceState, Task, User
from generations.providers.base import ProviderError
from generations.queue import enqueue
from generations.reconciliation import listing
from generations.reconciliation.compare import MARGIN

PATIENCE = timedelta(minutes=2)  # until the buttons come back, whatever became of the worker
log = logging.getLogger("videoforge.reconciliation")


def is_under_way(difference: Difference) -> bool:
    """Asked for just now. A worker that died over it is not waited for."""
    asked_at = parse_datetime(str(difference.facts.get("adopting") or ""))
    return asked_at is not None and timezone.now() - asked_at < PATIENCE


def can_be_adopted(difference: Difference) -> bool:
    """Made elsewhere, not booked yet, and there is or will be a clip."""
    theirs = difference.kind == DifferenceKind.THEIRS and difference.state == DifferenceState.OPEN
    return theirs and difference.facts.get("state") != "failed"


def ask_to_adopt(difference: Difference, owner: User, actor: User) -> None:
    """Have the worker fetch what the vendor knows of it and make it a task of this person's."""
    with transaction.atomic():
        _note(difference, adopting=timezone.now().isoformat(), refused="")
        enqueue("adopt_stranger", difference.pk, owner.pk, actor.pk)


def adopt(difference_id: int, owner_id: int, actor_id: int) -> Task | None:
    """In the worker. None where the vendor does not show it any more; the page then says so."""
    difference = Difference.objects.select_related("key").get(pk=difference_id)
    if not can_be_adopted(difference):
        return None
    at = difference.happened_at or difference.found_at
    try:
        row = listing.row_of(difference.key, difference.remote_id, at - MARGIN, at + MARGIN)
    except (ProviderError, listing.Incomplete) as error:
        log.warning("difference %s cannot be adopted now: %s", difference.pk, error)
        row = None
    if row is None:
        _note(difference, adopting="", refused="not_listed")
        return None
    owner, actor = User.objects.get(pk=owner_id), User.objects.get(pk=actor_id)
    try:
        with transaction.atomic():
            # Booked as a stranger's or taken in: whoever holds the row first; the other one finds it closed.
            if Difference.objects.select_for_update().get(pk=difference.pk).state != DifferenceState.OPEN:
                return None
            task = lifecycle.adopt(difference.key, row, owner, actor)
            Difference.objects.filter(pk=difference.pk).update(
                state=DifferenceState.ADOPTED, task=task, closed_at=timezone.now(), closed_by=actor
            )
            return task
    except IntegrityError:
        _note(difference, adopting="", refused="known")
        return None


def _note(difference: Difference, **facts: str) -> None:
    difference.facts |= facts
    Difference.objects.filter(pk=difference.pk).update(facts=difference.facts)
