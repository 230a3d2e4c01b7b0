"""What is due, in which requests, and when to ask again.

Where a vendor lists, one request serves a hundred tasks of a key, and a failed task costs one query more for its
reason; elsewhere each task is one query. A vendor's error never changes a task, only the time of the next look,
and no time limit of ours ever ends a task that the vendor may still finish.

Requests travel in the background (``transport.Courier``), a lane for each vendor; answers are taken in as they come,
so one that hangs delays its own tasks alone. When to ask again is planned by ``pace``.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from generations import callbacks, evidence, lifecycle, pace, transport
from generations.models import Pace, ProviderKey, Task, TaskState
from generations.providers.base import (
    Account,
    Answer,
    Call,
    CallKind,
    Failure,
    FailureClass,
    Provider,
    ProviderError,
    Refused,
    RemoteState,
    Snapshot,
)

log = logging.getLogger("videoforge.polling")

RUNNING = (TaskState.QUEUED, TaskState.PROCESSING)
# What failed because we gave it up keeps a time for the next look; everything else that ended has none.
FOLLOWED = (*RUNNING, TaskState.FAILED)
IDS_PER_LIST = 100
MOST_PAGES = 20
OFF_PEAK_EVERY = timedelta(minutes=12)  # they may take 48 hours
OVERDUE_EVERY = timedelta(minutes=10)
GIVEN_UP_EVERY = timedelta(hours=1)
SILENT_ERRORS = 3  # in a row: from then on the card says that the vendor does not answer
ERROR_DELAY = timedelta(seconds=5)  # doubled with every error in a row, up to:
ERROR_DELAY_AT_MOST = timedelta(minutes=5)
# Clocks differ; the window only bounds the list, the ids select.
WINDOW_MARGIN = timedelta(minutes=10)
MOST_TASKS_A_TICK = 2000
CLAIM = timedelta(seconds=20)  # longer than a read may take
ANSWERS_AT_ONCE = 32  # are written in one transaction
CALLED_EVERY, TRUSTED_FOR = 20.0, 15.0  # seconds: looks at tasks whose vendor calls back, and how long we believe it
BOOK_FOR = 30.0  # seconds that learned paces are kept in memory
ALONG = 0.5  # of the pace: so much before its time a task is asked for together with others of its key


@dataclass(frozen=True, slots=True)
class Lane:
    """A key at one address: what is asked with it goes together."""

    key: ProviderKey
    account: Account

    @property
    def translator(self) -> Provider:
        return self.key.translator


@dataclass(frozen=True, slots=True)
class Ask:
    """One read and the tasks that it will tell something about. ``page`` counts those of a list, from 1."""

    lane: Lane
    tasks: tuple[Task, ...]
    call: Call
    page: int = 0


Outcome = Answer | ProviderError


def poll_due() -> int:
    """Ask for every task whose time has come and take in all answers; returns how many tasks that were."""
    with Poller() as poller:
        asked = poller.ask_due()
        while poller.waiting:
            poller.take_in(transport.READ_DEADLINE)
    return asked


def remote_id(task: Task) -> str:
    return task.attempt.remote_id if task.attempt else ""


class Poller:
    """Asks and takes in for as long as one process holds the heartbeat."""

    def __init__(self) -> None:
        self._courier: transport.Courier[Ask] = transport.Courier()
        self._book, self._book_until = pace.Book(()), 0.0
        self._trusted: dict[int, tuple[bool, float]] = {}  # by key: whether its callbacks arrive, and until when
        self._silent_until: dict[int, float] = {}  # by key: a vendor told us to slow down
        self._counts: Counter[tuple[int, CallKind]] = Counter()
        self._good: set[int] = set()

    def __enter__(self) -> "Poller":
        return self

    def __exit__(self, *_: object) -> None:
        self._courier.close()

    @property
    def waiting(self) -> int:
        """How many reads are under way."""
        return sum(self._courier.in_air.values())

    def ask_due(self) -> int:
        """Send for what is due; returns for how many tasks."""
        self._renew_book()
        asked = 0
        for key in self._keys():
            due = self._due(key)
            _claim(due)
            for lane, tasks in _lanes(key, due):
                asked += len(tasks)
                self._ask(lane, tasks)
        self._write_counts()
        return asked

    def _keys(self) -> list[ProviderKey]:
        """Keys with something due, in no order: none shall always be the first to find room."""
        due = Task.objects.filter(state__in=FOLLOWED, next_poll_at__lte=timezone.now())
        keys = list(ProviderKey.objects.filter(pk__in=due.order_by().values_list("attempt__key", flat=True).distinct()))
        random.shuffle(keys)
        now = time.monotonic()
        return [key for key in keys if self._silent_until.get(key.pk, 0) <= now]

    def _due(self, key: ProviderKey) -> list[Task]:
        """Due tasks; where one list serves all of a key, also those that are due shortly."""
        translator = key.translator
        ahead = timedelta(seconds=translator.poll_every * ALONG if translator.can_list else 0)
        soon = timezone.now() + ahead
        due = Task.objects.filter(state__in=FOLLOWED, attempt__key=key, next_poll_at__lte=soon)
        room = MOST_TASKS_A_TICK if translator.can_list else self._room(translator)
        return list(due.select_related("attempt", "key").order_by("next_poll_at")[: max(0, room)])

    def _room(self, translator: Provider) -> int:
        """What a lane can take before its next turn; the rest is as well off in the database."""
        return translator.reads_at_once + int(translator.reads_per_second) - self._courier.in_air[translator.slug]

    def _ask(self, lane: Lane, tasks: Sequence[Task]) -> None:
        if not lane.translator.can_list:
            self._ask_each(lane, tasks)
            return
        for place in range(0, len(tasks), IDS_PER_LIST):
            self._ask_list(lane, tasks[place : place + IDS_PER_LIST], "", 1)

    def _ask_list(self, lane: Lane, tasks: Sequence[Task], page_token: str, page: int) -> None:
        with _apart(lane, tasks):
            created = [task.submitted_at or task.created_at for task in tasks]
            call = lane.translator.build_list(
                lane.account,
                ids=[remote_id(task) for task in tasks],
                created_from=min(created) - WINDOW_MARGIN,
                created_to=max(*created, timezone.now()) + WINDOW_MARGIN,
                page_token=page_token,
            )
            self._send(Ask(lane, tuple(tasks), call, page))

    def _ask_each(self, lane: Lane, tasks: Iterable[Task]) -> None:
        for task in tasks:
            with _apart(lane, [task]):
                call = lane.translator.build_query(lane.account, remote_id(task), task.wire_model)
                self._send(Ask(lane, (task,), call))

    def _send(self, ask: Ask) -> None:
        self._counts[ask.lane.key.pk, ask.call.kind] += 1
        vendor = ask.lane.translator
        self._courier.send(vendor.slug, transport.Limits(vendor.reads_at_once, vendor.reads_per_second), ask, ask.call)

    def take_in(self, seconds: float) -> int:
        """Take in what comes within this time, or until nothing is under way; returns how many answers."""
        end, taken = time.monotonic() + seconds, 0
        while (left := end - time.monotonic()) > 0 and self.waiting:
            batch = list(self._collect(left))
            taken += len(batch)
            self._take(batch)
        return taken

    def _collect(self, seconds: float) -> Iterator[tuple[Ask, Outcome]]:
        for number in range(ANSWERS_AT_ONCE):
            found = self._courier.collect(0 if number else seconds)
            if found is None:
                return
            yield found

    def _take(self, batch: Sequence[tuple[Ask, Outcome]]) -> None:
        """Lists carry many tasks and are written one by one, queries together."""
        for ask, outcome in batch:
            if ask.page:
                with _apart(ask.lane, ask.tasks), transaction.atomic():
                    self._take_list(ask, outcome)
        single = [(ask, outcome) for ask, outcome in batch if not ask.page]
        if single:
            with transaction.atomic():
                for ask, outcome in single:
                    with _apart(ask.lane, ask.tasks), transaction.atomic():
                        self._take_query(ask, outcome)
        self._write_counts()

    def _take_list(self, ask: Ask, outcome: Outcome) -> None:
        try:
            if isinstance(outcome, ProviderError):
                raise outcome
            page = ask.lane.translator.read_list(outcome)
        except ProviderError as error:
            self._went_wrong(ask, outcome, error.failure)
            return
        self._good.add(ask.lane.key.pk)
        rest, reasonless = self._take_rows(ask, page.rows)
        said = {row.remote_id: row.raw_state for row in page.rows}
        attempts = {
            task.attempt.pk: (said[remote_id(task)], "")
            for task in ask.tasks
            if task.attempt and remote_id(task) in said
        }
        evidence.record_list(ask.call, outcome, attempts)
        if rest and page.rows and page.next_token and ask.page < MOST_PAGES:
            self._ask_list(ask.lane, rest, page.next_token, ask.page + 1)
            rest = []
        self._ask_each(ask.lane, [*reasonless, *rest])

    def _take_rows(self, ask: Ask, rows: Iterable[Snapshot]) -> tuple[list[Task], list[Task]]:
        """Observe the rows of one page; returns the tasks not on it and those that failed without a reason."""
        found = {row.remote_id: row for row in rows}
        reasonless, seen, rest = [], [], []
        for task in ask.tasks:
            row = found.get(remote_id(task))
            if row is None:
                rest.append(task)
            elif row.state == RemoteState.FAILED and not row.complete:
                reasonless.append(task)
            else:
                with _apart(ask.lane, [task]), transaction.atomic():
                    lifecycle.observe(task, row)
                    seen.append(task)
        self._schedule(ask.lane, seen)
        return rest, reasonless

    def _take_query(self, ask: Ask, outcome: Outcome) -> None:
        (task,) = ask.tasks
        try:
            if isinstance(outcome, ProviderError):
                raise outcome
            snapshot = ask.lane.translator.read_snapshot(outcome)
        except ProviderError as error:
            self._went_wrong(ask, outcome, error.failure)
            return
        self._good.add(ask.lane.key.pk)
        lifecycle.observe(task, snapshot)
        if task.attempt is not None:
            evidence.record(task.attempt, ask.call, outcome, snapshot.raw_state)
        self._schedule(ask.lane, [task])

    def _went_wrong(self, ask: Ask, outcome: Outcome, failure: Failure) -> None:
        key = ask.lane.key
        log.warning("%s %s: %s %s", key.label, ask.call.kind, failure.cls, failure.code)
        # Not finding one task says nothing about the key.
        if failure.cls != FailureClass.NOT_FOUND:
            evidence.failed(key, failure)
        if failure.cls == FailureClass.THROTTLED:
            pause = min(failure.retry_after or ERROR_DELAY.total_seconds(), ERROR_DELAY_AT_MOST.total_seconds())
            self._silent_until[key.pk] = time.monotonic() + pause
        attempts = {task.attempt.pk: (failure.code, "") for task in ask.tasks if task.attempt}
        evidence.record_list(ask.call, outcome, attempts)
        _postpone(ask.tasks, failure)

    def _schedule(self, lane: Lane, tasks: Iterable[Task]) -> None:
        """After a good answer: when to look again, in one update for all tasks with the same pause."""
        now = timezone.now()
        paced: dict[float, list[Task]] = {}
        for task in tasks:
            if task.state in FOLLOWED and task.next_poll_at is not None:
                paced.setdefault(round(2 * self._pause(lane, task, now)) / 2, []).append(task)
        for seconds, group in paced.items():
            rows = Task.objects.filter(pk__in=[task.pk for task in group], state__in=FOLLOWED)
            # A callback that came meanwhile set an earlier time: it shall be asked about again.
            rows = rows.filter(next_poll_at__gte=min(task.next_poll_at for task in group if task.next_poll_at))
            rows.update(next_poll_at=now + timedelta(seconds=seconds), last_polled_at=now, poll_errors=0)
            if answering_again := [task.pk for task in group if task.poll_errors >= SILENT_ERRORS]:
                Task.objects.filter(pk__in=answering_again).update(changed_at=now)

    def _pause(self, lane: Lane, task: Task, now: datetime) -> float:
        elapsed = now - (task.submitted_at or task.created_at)
        if task.state == TaskState.FAILED:
            return GIVEN_UP_EVERY.total_seconds()
        if elapsed > (pace.OFF_PEAK_OVERDUE if task.off_peak else pace.OVERDUE):
            return OVERDUE_EVERY.total_seconds()
        if task.off_peak:
            return OFF_PEAK_EVERY.total_seconds()
        wait = pace.pause(lane.translator, self._book.of(task), elapsed.total_seconds())
        return max(wait, CALLED_EVERY) if self._is_called_back(lane.key, task) else wait

    def _is_called_back(self, key: ProviderKey, task: Task) -> bool:
        """Whether the vendor will tell us of this task by itself, as it did of nearly all before it."""
        if task.attempt is None or not task.attempt.callback_digest:
            return False
        known = self._trusted.get(key.pk)
        if known is None or known[1] < time.monotonic():
            known = self._trusted[key.pk] = (callbacks.trusted(key), time.monotonic() + TRUSTED_FOR)
        return known[0]

    def _renew_book(self) -> None:
        if time.monotonic() >= self._book_until:
            self._book, self._book_until = pace.Book(Pace.objects.all()), time.monotonic() + BOOK_FOR

    def _write_counts(self) -> None:
        """How many requests went out, and which keys were answered: once a batch, not once a request."""
        counts, good = self._counts, self._good
        self._counts, self._good = Counter(), set()
        keys = ProviderKey.objects.in_bulk({pk for pk, _ in counts} | good)
        for (pk, kind), number in counts.items():
            evidence.count(keys[pk], kind, number)
        for pk in good:
            evidence.worked(keys[pk])


def _claim(tasks: Iterable[Task]) -> None:
    """Move the next look on before looking: a row that breaks this round cannot have the vendor asked every second."""
    later = timezone.now() + CLAIM
    tasks = list(tasks)
    Task.objects.filter(pk__in=[task.pk for task in tasks], state__in=FOLLOWED).update(next_poll_at=later)
    for task in tasks:
        task.next_poll_at = later


def _lanes(key: ProviderKey, tasks: Iterable[Task]) -> Iterator[tuple[Lane, list[Task]]]:
    """By the address that is frozen with each attempt."""
    grouped: dict[str, list[Task]] = {}
    for task in tasks:
        if task.attempt is not None and task.attempt.remote_id:
            grouped.setdefault(task.attempt.base_url, []).append(task)
    for base_url, group in grouped.items():
        try:
            yield Lane(key, key.account(base_url)), group
        except Refused as error:
            evidence.failed(key, error.failure)
            _postpone(group, error.failure)


@contextmanager
def _apart(lane: Lane, tasks: Iterable[Task]) -> Iterator[None]:
    """Keep what nobody thought of to the tasks it concerns: those behind them are looked at all the same."""
    try:
        yield
    except Exception:
        log.exception("%s: looking at its tasks failed", lane.key.label)
        _postpone(tasks, Failure(FailureClass.PROVIDER_UNKNOWN, "look_failed"))


def _postpone(tasks: Iterable[Task], failure: Failure) -> None:
    now = timezone.now()
    for task in tasks:
        delay = min(ERROR_DELAY * 2 ** min(task.poll_errors, 10), ERROR_DELAY_AT_MOST)
        delay = max(delay, timedelta(seconds=task.key.translator.poll_floor))
        if failure.retry_after is not None:
            delay = max(delay, min(timedelta(seconds=failure.retry_after), ERROR_DELAY_AT_MOST))
        followed = Task.objects.filter(pk=task.pk, state__in=FOLLOWED, next_poll_at__isnull=False)
        followed.update(next_poll_at=now + delay, poll_errors=task.poll_errors + 1)
        if task.poll_errors + 1 == SILENT_ERRORS:
            followed.update(changed_at=now)


def fetch_snapshot(task: Task) -> Snapshot:
    """Ask the vendor about one task now. Raises ProviderError."""
    if task.attempt is None or not task.attempt.remote_id:
        raise Refused(Failure(FailureClass.NOT_FOUND, "no_remote_id", "The vendor never named this task."))
    key = task.attempt.key
    call = key.translator.build_query(key.account(task.attempt.base_url), task.attempt.remote_id, task.wire_model)
    evidence.count(key, call.kind)
    answer = transport.send(call)
    snapshot = key.translator.read_snapshot(answer)
    evidence.record(task.attempt, call, answer, snapshot.raw_state)
    return snapshot


def ask(task: Task) -> None:
    """Ask about one task, whatever became of it; a late success is taken in."""
    try:
        lifecycle.observe(task, fetch_snapshot(task))
    except ProviderError as error:
        log.info("task %s: asked, and %s", task.pk, error.failure.code)
