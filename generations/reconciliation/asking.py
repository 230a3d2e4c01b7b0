"""Tasks asked about one by one: where a vendor has no list, and where its list lacks one that should be in it."""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from generations import ledger, polling
from generations.models import Attempt, AttemptState, Difference, DifferenceKind, Task
from generations.providers.base import Failure, FailureClass, ProviderError, Snapshot
from generations.reconciliation import listing, outcomes
from generations.reconciliation.compare import Comparison, booked_of
from generations.reconciliation.outcomes import Found
from generations.reconciliation.verdicts import RUNNING

log = logging.getLogger("videoforge.reconciliation")

Keep = Callable[[], None]  # prolongs the run's lease, or stops the run
MOST_ASKED = 400  # tasks in a run; those that were asked the longest ago come first
MOST_MISSING = 100  # of a list: more are not asked about, and nothing is known of them
AT_ONCE = 20  # answers that are compared together
SHOULD_BE_LISTED = timedelta(hours=1)
FORGETS_AFTER = timedelta(days=1)  # a vendor without a list need not know a task for longer
TOO_SOON = "asked_just_now"  # our own word: this task may not be asked about yet
STOPS = (FailureClass.ACCOUNT_AUTH, FailureClass.ACCOUNT_CREDITS)


def ask_each(comparison: Comparison, keep: Keep) -> None:
    """Every task of the window, at the vendor's own pace. Raises ProviderError where it refuses the key."""
    run = comparison.run
    sent = Attempt.objects.filter(key=run.key, state=AttemptState.ACCEPTED, sent_at__range=(run.from_at, run.to_at))
    sent = sent.exclude(task__state__in=RUNNING).select_related("task__key", "task__attempt__key", "key")
    wanted = list(sent.order_by(F("task__last_polled_at").asc(nulls_first=True), "pk")[: MOST_ASKED + 1])
    if len(wanted) > MOST_ASKED:
        comparison.counts["unread"] += sent.count() - MOST_ASKED
    pairs = []
    for attempt, answer in _answers(wanted[:MOST_ASKED], keep):
        if isinstance(answer, Snapshot):
            pairs.append((attempt, answer))
        elif answer.cls == FailureClass.NOT_FOUND:
            _forgotten(comparison, attempt)
        else:
            comparison.counts["unread"] += 1
        if len(pairs) >= AT_ONCE:
            comparison.take_ours(pairs)
            pairs = []
    comparison.take_ours(pairs)


def _answers(attempts: Iterable[Attempt], keep: Keep) -> Iterator[tuple[Attempt, Snapshot | Failure]]:
    """What the vendor says of each; those that must wait, or brought nothing, are asked once more at the end."""
    later: list[tuple[Attempt, float]] = []
    for attempt in attempts:
        keep()
        answer = _ask(attempt)
        if isinstance(answer, Snapshot) or answer.cls == FailureClass.NOT_FOUND:
            yield attempt, answer
        else:
            later.append((attempt, time.monotonic() + listing.pause_after(answer)))
            if answer.cls == FailureClass.THROTTLED and answer.code != TOO_SOON:
                listing.wait(listing.pause_after(answer))
    for attempt, free_at in later:
        keep()
        listing.wait(max(0.0, free_at - time.monotonic()))
        yield attempt, _ask(attempt)


def _ask(attempt: Attempt) -> Snapshot | Failure:
    task = attempt.task
    task.attempt = attempt
    try:
        return polling.fetch_snapshot(task)
    except ProviderError as error:
        if error.failure.cls in STOPS:
            raise
        return error.failure


def _forgotten(comparison: Comparison, attempt: Attempt) -> None:
    """The vendor does not know it any more: no wonder after a while, but odd for what it was paid for today."""
    comparison.counts["forgotten"] += 1
    fresh = attempt.sent_at is not None and attempt.sent_at > timezone.now() - FORGETS_AFTER
    with transaction.atomic():
        outcomes.hold([attempt.key_id], [attempt.remote_id])
        booked = booked_of([attempt.task]).get(attempt.task_id, Decimal(0))
        found = [_missing(attempt, booked)] if booked and fresh else []
        comparison.counts["found"] += outcomes.write(comparison.run, found, [attempt.remote_id])


def look_for_missing(comparison: Comparison, keep: Keep) -> None:
    """Ours that a complete list lacks. One that the vendor knows when asked proves that the list was not complete.

    Only its word that it does not know a task makes that a difference; of what it says nothing about, nothing is known.
    """
    until = timezone.now() - SHOULD_BE_LISTED
    unseen = _unseen(comparison)
    lacking = [each for each in unseen if each.sent_at and each.sent_at <= until]
    comparison.counts["unlisted"] += _charged([each for each in unseen if each.sent_at and each.sent_at > until])
    comparison.counts["unread"] += len(lacking[MOST_MISSING:])
    known: list[tuple[Attempt, Snapshot]] = []
    unknown: list[Attempt] = []
    for attempt, answer in _answers(lacking[:MOST_MISSING], keep):
        if isinstance(answer, Snapshot):
            known.append((attempt, answer))
        elif answer.cls == FailureClass.NOT_FOUND:
            unknown.append(attempt)
        else:
            comparison.counts["unread"] += 1
    comparison.take_ours(known)
    _not_there(comparison, unknown)
    if known:
        raise listing.Incomplete("lacks_known")


def _unseen(comparison: Comparison) -> list[Attempt]:
    """Those first of which no run has said yet that they are missing, so that by and by all are asked about."""
    run = comparison.run
    sent = Attempt.objects.filter(key=run.key, state=AttemptState.ACCEPTED, sent_at__range=(run.from_at, run.to_at))
    found = sent.select_related("task__key", "task__attempt__key", "key").order_by("sent_at", "pk")
    unseen = [each for each in found if each.remote_id not in comparison.seen]
    told = set(Difference.objects.filter(key=run.key, kind=DifferenceKind.OURS).values_list("remote_id", flat=True))
    return sorted(unseen, key=lambda each: each.remote_id in told)


def _charged(attempts: Sequence[Attempt]) -> int:
    """How many of these tasks have an amount in the books."""
    return sum(1 for amount in booked_of([each.task for each in attempts]).values() if amount)


@transaction.atomic
def _not_there(comparison: Comparison, attempts: Sequence[Attempt]) -> None:
    """The vendor does not know them. Asking took a while: what is booked or held is read now."""
    outcomes.hold([comparison.key.pk], [each.remote_id for each in attempts])
    tasks = Task.objects.in_bulk([each.task_id for each in attempts])
    booked = booked_of(tasks.values())
    found = []
    for attempt in attempts:
        attempt.task = tasks[attempt.task_id]
        stake = booked.get(attempt.task_id) or _held(attempt.task)
        if stake or attempt.task.state in RUNNING:  # else it cost nothing and holds nothing
            found.append(_missing(attempt, stake))
    comparison.counts["found"] += outcomes.write(comparison.run, found, [each.remote_id for each in attempts])


def _held(task: Task) -> Decimal:
    return sum((hold.amount for hold in ledger.holds(task) if hold.unit == task.unit), Decimal(0))


def _missing(attempt: Attempt, ours: Decimal) -> Found:
    task = attempt.task
    at = attempt.sent_at or task.created_at
    facts: dict[str, Any] = {"here": task.state, "at": at.isoformat(), "model": task.model}
    return Found(DifferenceKind.OURS, attempt.key, attempt.remote_id, ours, None, task, facts)
