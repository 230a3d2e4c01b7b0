"""When a task is looked at again, and what keeps us from looking.

Two wishes of a vendor stand above every plan: its floor, so many seconds between two looks at one task, and "too
often", after which a key is left alone. Both are kept in the database, as leases, where the next poller, a copy that
wants a fresh link and a person who asks find them.
"""

import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from generations import callbacks, leases, pace
from generations.models import Lease, Pace, ProviderKey, Task, TaskState
from generations.providers import PROVIDERS
from generations.providers.base import Failure, FailureClass, Provider

RUNNING = (TaskState.QUEUED, TaskState.PROCESSING)
# What failed because we gave it up keeps a time for the next look; everything else that ended has none.
FOLLOWED = (*RUNNING, TaskState.FAILED)
OFF_PEAK_EVERY = timedelta(minutes=12)  # they may take 48 hours
OVERDUE_EVERY = timedelta(minutes=10)
GIVEN_UP_EVERY, GIVEN_UP_FOR = timedelta(hours=1), timedelta(days=7)
SILENT_ERRORS = 3  # in a row: from then on the card says that the vendor does not answer
ERROR_DELAY = timedelta(seconds=5)  # doubled with every error in a row, up to:
ERROR_DELAY_AT_MOST = timedelta(minutes=5)
RETRY_AFTER_AT_MOST = timedelta(hours=1)  # a vendor may ask for more: then it is asked too early, once an hour
CLAIM = timedelta(seconds=20)  # longer than a read may take
CALLED_EVERY, TRUSTED_FOR = 20.0, 15.0  # seconds: looks at tasks whose vendor calls back, and how long we believe it
BOOK_FOR = 30.0  # seconds that learned paces are kept in memory
ASKED, HUSHED = "asked-", "hushed-"  # names of leases, before the id of an attempt or a key


# --- What keeps us from looking -----------------------------------------------------------------------------


def claim(translator: Provider, tasks: Iterable[Task]) -> None:
    """Move the next look on before looking: a row that breaks this round cannot have the vendor asked every second."""
    later = timezone.now() + max(CLAIM, timedelta(seconds=translator.poll_floor))
    tasks = list(tasks)
    Task.objects.filter(pk__in=[task.pk for task in tasks], state__in=FOLLOWED).update(next_poll_at=later)
    for task in tasks:
        task.next_poll_at = later


def allowed(translator: Provider, tasks: list[Task]) -> list[Task]:
    """Those that may be asked about now. The others wait for their time, whoever wanted them looked at sooner."""
    if not tasks or not translator.poll_floor:
        return tasks
    free = []
    with transaction.atomic():
        for task in tasks:
            until = _too_soon_until(task)
            if until is None:
                free.append(task)
            else:
                early = Task.objects.filter(pk=task.pk, state__in=FOLLOWED, next_poll_at__lt=until)
                early.update(next_poll_at=until)
    return free


def held_until(task: Task) -> datetime | None:
    """Until when a query of this task has to wait. None means that it may be made, and counts as made."""
    name = f"{HUSHED}{task.attempt.key_id}" if task.attempt else ""
    hushed = Lease.objects.filter(key=name, until__gt=timezone.now()).values_list("until", flat=True).first()
    return hushed or _too_soon_until(task)


def _too_soon_until(task: Task) -> datetime | None:
    """The lease knows of looks that brought nothing, or whose answer nobody waited for."""
    floor, now = timedelta(seconds=PROVIDERS[task.provider].poll_floor), timezone.now()
    if not floor:
        return None
    known = [at + floor for at in (task.submitted_at, task.last_polled_at) if at and at + floor > now]
    if known:
        return max(known)
    name = f"{ASKED}{task.attempt_id}"
    if leases.seize(name, "look", floor.total_seconds()):
        return None
    return Lease.objects.filter(key=name).values_list("until", flat=True).first()


def hush(key: ProviderKey, failure: Failure) -> None:
    """A vendor that says "too often" is asked nothing more with this key for as long as it wants."""
    if failure.cls != FailureClass.THROTTLED:
        return
    wished = timedelta(seconds=failure.retry_after) if failure.retry_after else ERROR_DELAY
    until = timezone.now() + min(wished, RETRY_AFTER_AT_MOST)
    row, fresh = Lease.objects.get_or_create(key=f"{HUSHED}{key.pk}", defaults={"until": until})
    if not fresh:
        Lease.objects.filter(key=row.key, until__lt=until).update(until=until)


def hushed(keys: Iterable[ProviderKey]) -> set[int]:
    """Which of these are left alone now."""
    names = {f"{HUSHED}{key.pk}": key.pk for key in keys}
    held = Lease.objects.filter(key__in=list(names), until__gt=timezone.now())
    return {names[name] for name in held.values_list("key", flat=True)}


def tidy() -> None:
    """Forget the times of looks that hold nothing back any more."""
    Lease.objects.filter(key__startswith=ASKED, until__lt=timezone.now()).delete()


# --- When to look again -------------------------------------------------------------------------------------


class Plan:
    """The next looks, from what our own tasks have taught; held by one poller."""

    def __init__(self) -> None:
        self._book, self._book_until = pace.Book(()), 0.0
        self._trusted: dict[int, tuple[bool, float]] = {}  # by key: whether its callbacks arrive, and until when

    def renew(self) -> None:
        if time.monotonic() >= self._book_until:
            self._book, self._book_until = pace.Book(Pace.objects.all()), time.monotonic() + BOOK_FOR

    def answered(self, key: ProviderKey, tasks: Iterable[Task]) -> None:
        """After a good answer: when to look again, in one update for all tasks with the same pause."""
        now = timezone.now()
        paced: dict[float | None, list[Task]] = {}
        for task in tasks:
            if task.state in FOLLOWED and task.next_poll_at is not None:
                paced.setdefault(self.pause(key, task, now), []).append(task)
        for seconds, group in paced.items():
            rows = Task.objects.filter(pk__in=[task.pk for task in group], state__in=FOLLOWED)
            # A callback that came meanwhile set an earlier time: it shall be asked about again.
            rows = rows.filter(next_poll_at__gte=min(task.next_poll_at for task in group if task.next_poll_at))
            later = None if seconds is None else now + timedelta(seconds=seconds)
            rows.update(next_poll_at=later, last_polled_at=now, poll_errors=0)
            if answering_again := [task.pk for task in group if task.poll_errors >= SILENT_ERRORS]:
                Task.objects.filter(pk__in=answering_again).update(changed_at=now)

    def pause(self, key: ProviderKey, task: Task, now: datetime) -> float | None:
        """Seconds, in halves, so that many tasks share one; None where we have looked for long enough."""
        if task.state == TaskState.FAILED:
            return GIVEN_UP_EVERY.total_seconds() if _may_still_come(task, now) else None
        elapsed = now - (task.submitted_at or task.created_at)
        expected = self._book.of(task)
        if elapsed > (pace.OFF_PEAK_OVERDUE if task.off_peak else pace.overdue_after(expected)):
            return OVERDUE_EVERY.total_seconds()
        if task.off_peak:
            return OFF_PEAK_EVERY.total_seconds()
        wait = pace.pause(key.translator, expected, elapsed.total_seconds())
        return round(2 * (max(wait, CALLED_EVERY) if self._is_called_back(key, task) else wait)) / 2

    def _is_called_back(self, key: ProviderKey, task: Task) -> bool:
        """Whether the vendor will tell us of this task by itself, as it did of nearly all before it."""
        if task.attempt is None or not task.attempt.callback_digest:
            return False
        known = self._trusted.get(key.pk)
        if known is None or known[1] < time.monotonic():
            known = self._trusted[key.pk] = (callbacks.trusted(key), time.monotonic() + TRUSTED_FOR)
        return known[0]


def postpone(tasks: Iterable[Task], failure: Failure) -> None:
    """After an answer that says nothing of these tasks: later, and ever more rarely."""
    now = timezone.now()
    for task in tasks:
        later: datetime | None = now + _error_delay(task, failure)
        if task.state == TaskState.FAILED:
            later = now + GIVEN_UP_EVERY if _may_still_come(task, now) else None
        followed = Task.objects.filter(pk=task.pk, state__in=FOLLOWED, next_poll_at__isnull=False)
        followed.update(next_poll_at=later, poll_errors=task.poll_errors + 1)
        if task.poll_errors + 1 == SILENT_ERRORS:
            followed.update(changed_at=now)


def _error_delay(task: Task, failure: Failure) -> timedelta:
    doubled: timedelta = min(ERROR_DELAY * 2 ** min(task.poll_errors, 10), ERROR_DELAY_AT_MOST)
    wished = min(timedelta(seconds=failure.retry_after or 0), RETRY_AFTER_AT_MOST)
    return max(doubled, wished, timedelta(seconds=task.key.translator.poll_floor))


def _may_still_come(task: Task, now: datetime) -> bool:
    """Whether a vendor may yet come up with what we gave up."""
    return now < (task.finished_at or task.created_at) + GIVEN_UP_FOR
