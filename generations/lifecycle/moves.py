"""Which moves are legal, and the one statement that makes them."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone

from generations import totals
from generations.models import Task, TaskEvent, TaskState, User
from generations.providers.base import Money

log = logging.getLogger("videoforge.lifecycle")
S = TaskState

MOVES: Mapping[TaskState, frozenset[TaskState]] = {
    # Queued: sent again by a person, and then the first answer came after all.
    S.WAITING: frozenset({S.SUBMITTING, S.QUEUED, S.FAILED, S.CANCELLED}),
    S.SUBMITTING: frozenset({S.QUEUED, S.WAITING, S.FAILED, S.UNCERTAIN}),
    # Back to waiting only by a late but definite "no" to the one POST; never by a guess.
    S.UNCERTAIN: frozenset({S.QUEUED, S.WAITING, S.FAILED}),
    S.QUEUED: frozenset({S.PROCESSING, S.ARCHIVING, S.FAILED, S.CANCELLED}),
    S.PROCESSING: frozenset({S.ARCHIVING, S.FAILED, S.CANCELLED}),
    S.ARCHIVING: frozenset({S.SUCCEEDED, S.LOST}),
    S.LOST: frozenset({S.ARCHIVING}),
    S.SUCCEEDED: frozenset(),
    # A late success: the vendor made it after all. QUEUED where the answer to its create had been lost.
    S.FAILED: frozenset({S.QUEUED, S.ARCHIVING}),
    S.CANCELLED: frozenset({S.QUEUED, S.ARCHIVING}),
}


NOT_CREATED = "not_created"  # the failure code of a create of which the vendor has no trace


def sources_of(to: TaskState) -> list[TaskState]:
    return [state for state, targets in MOVES.items() if to in targets]


def note(task: Task, kind: str, *, at: datetime | None = None, actor: User | None = None, **detail: Any) -> TaskEvent:
    """Write a line into the task's timeline."""
    return TaskEvent.objects.create(task=task, kind=kind, at=at or timezone.now(), actor=actor, detail=detail)


def move(
    task: Task,
    to: TaskState,
    *,
    only_from: Sequence[TaskState] = (),
    actor: User | None = None,
    detail: Mapping[str, Any] | None = None,
    **fields: Any,
) -> bool:
    """Move the task if its row still stands where this move may start; False when it does not.

    Call inside a transaction. ``task`` itself is brought up to date on success.
    """
    allowed = sources_of(to)
    illegal = [state for state in only_from if state not in allowed]
    if illegal:
        raise ValueError(f"no move from {illegal} to {to}")
    now, before = timezone.now(), _ended(task, only_from or allowed)
    fields |= {"state": to, "changed_at": now}
    if not Task.objects.filter(pk=task.pk, state__in=only_from or allowed).update(**fields):
        return False
    if before is not None or to in totals.ENDED:
        totals.count(before, Task.objects.get(pk=task.pk))
    for name, value in fields.items():
        setattr(task, name, value)
    note(task, to.value, at=now, actor=actor, **(detail or {}))
    return True


def _ended(task: Task, sources: Sequence[TaskState]) -> Task | None:
    """The row as the sums know it, where it counts already."""
    if totals.OPEN.issuperset(sources):
        return None
    return Task.objects.select_for_update().filter(pk=task.pk, state__in=totals.ENDED).first()


def in_unit(task: Task, money: Money | None) -> Decimal | None:
    """The amount, if it is in the unit the task is booked in; unlike units are never mixed."""
    if money is not None and money.unit != task.unit:
        log.error("task %s: vendor spoke of %s, the task is in %s", task.pk, money.unit, task.unit)
        return None
    return money.amount if money else None
