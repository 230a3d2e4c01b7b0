"""What is due, in which requests, and when to ask again.

Where a vendor lists, one request serves a hundred tasks of a key, and a failed task costs one query more for its
reason; elsewhere each task is one query. A vendor's error never changes a task, only the time of the next look,
and no time limit of ours ever ends a task that the vendor may still finish.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from generations import evidence, lifecycle, transport
from generations.models import ProviderKey, Task, TaskState
from generations.providers.base import (
    Account,
    Answer,
    Call,
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
IDS_PER_LIST = 100
MOST_PAGES = 20
OFF_PEAK_EVERY = timedelta(minutes=10)  # they may take 48 hours
SLOW_AFTER = timedelta(minutes=15)
SLOW_EVERY = timedelta(minutes=1)
ERROR_DELAY = timedelta(seconds=5)  # doubled with every error in a row, up to:
ERROR_DELAY_AT_MOST = timedelta(minutes=5)
# Clocks differ; the window only bounds the list, the ids select.
WINDOW_MARGIN = timedelta(minutes=10)
MOST_TASKS_A_TICK = 2000


@dataclass(frozen=True, slots=True)
class Lane:
    """Tasks that are asked for with the same key at the same address."""

    key: ProviderKey
    account: Account
    tasks: tuple[Task, ...]

    @property
    def translator(self) -> Provider:
        return self.key.translator


@dataclass(frozen=True, slots=True)
class Ask:
    """One read and the tasks that it will tell something about."""

    lane: Lane
    tasks: tuple[Task, ...]
    call: Call


def poll_due() -> int:
    """Ask for every task whose time has come; returns how many tasks that were."""
    lanes = list(_lanes(_due(timezone.now())))
    for lane in lanes:
        _claim(lane)
    listed = [lane for lane in lanes if lane.translator.can_list]
    single = [lane for lane in lanes if not lane.translator.can_list]
    unclear = _by_list(listed)
    _by_query([*unclear, *((lane, task) for lane in single for task in lane.tasks)])
    return sum(len(lane.tasks) for lane in lanes)


def _due(now: datetime) -> list[Task]:
    """Due tasks; where one list serves all of a key, also those that are due shortly."""
    followed = Task.objects.filter(state__in=RUNNING).select_related("attempt", "key")
    keys = followed.filter(next_poll_at__lte=now).order_by().values_list("key_id", flat=True).distinct()
    due = [
        task
        for key in ProviderKey.objects.filter(pk__in=list(keys))
        for task in followed.filter(key=key, next_poll_at__lte=now + _ahead(key.translator)).order_by("next_poll_at")[
            :MOST_TASKS_A_TICK
        ]
    ]
    return due


def _ahead(translator: Provider) -> timedelta:
    """How much before its time a task may be asked for together with others; alone it waits for its time."""
    return timedelta(seconds=translator.poll_every / 2 if translator.can_list else 0)


def _lanes(tasks: Iterable[Task]) -> Iterator[Lane]:
    grouped: dict[tuple[int, str], list[Task]] = {}
    for task in tasks:
        if task.attempt is not None and task.attempt.remote_id:
            grouped.setdefault((task.attempt.key_id, task.attempt.base_url), []).append(task)
    keys = ProviderKey.objects.in_bulk([key_id for key_id, _ in grouped])
    for (key_id, base_url), group in grouped.items():
        try:
            yield Lane(keys[key_id], keys[key_id].account(base_url), tuple(group))
        except Refused as error:
            evidence.failed(keys[key_id], error.failure)
            _postpone(group, error.failure)


def _claim(lane: Lane) -> None:
    """Move the next look on before looking: a row that breaks this round cannot have the vendor asked every second."""
    later = timezone.now() + max(timedelta(seconds=2 * lane.translator.poll_every), ERROR_DELAY)
    Task.objects.filter(pk__in=[task.pk for task in lane.tasks], state__in=RUNNING).update(next_poll_at=later)


def remote_id(task: Task) -> str:
    return task.attempt.remote_id if task.attempt else ""


# --- By list ------------------------------------------------------------------------------------------------


def _by_list(lanes: Sequence[Lane]) -> list[tuple[Lane, Task]]:
    """Ask by list; returns the tasks that need a query of their own: failed without a reason, or not listed."""
    unclear: list[tuple[Lane, Task]] = []
    asks = [ask for lane in lanes for ask in _list_asks(lane)]
    for _ in range(MOST_PAGES):
        following: list[Ask] = []
        for ask, answer in _fetch(asks):
            try:
                page = ask.lane.translator.read_list(answer)
            except ProviderError as error:
                _went_wrong(ask, error.failure)
                continue
            rest, reasonless = _take_rows(ask, page.rows)
            unclear += [(ask.lane, task) for task in reasonless]
            if rest and page.rows and page.next_token:
                following.append(_list_ask(ask.lane, rest, page.next_token))
            else:
                unclear += [(ask.lane, task) for task in rest]
        if not following:
            return unclear
        asks = following
    return unclear + [(ask.lane, task) for ask in asks for task in ask.tasks]


def _list_asks(lane: Lane) -> list[Ask]:
    starts = range(0, len(lane.tasks), IDS_PER_LIST)
    with _apart(lane, lane.tasks):
        return [_list_ask(lane, lane.tasks[start : start + IDS_PER_LIST], "") for start in starts]
    return []


def _list_ask(lane: Lane, tasks: Sequence[Task], page_token: str) -> Ask:
    created = [task.submitted_at or task.created_at for task in tasks]
    call = lane.translator.build_list(
        lane.account,
        ids=[remote_id(task) for task in tasks],
        created_from=min(created) - WINDOW_MARGIN,
        created_to=max(*created, timezone.now()) + WINDOW_MARGIN,
        page_token=page_token,
    )
    return Ask(lane, tuple(tasks), call)


def _take_rows(ask: Ask, rows: Iterable[Snapshot]) -> tuple[list[Task], list[Task]]:
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
            with _apart(ask.lane, [task]):
                lifecycle.observe(task, row)
                seen.append(task)
    evidence.worked(ask.lane.key)
    _schedule(ask.lane.translator, seen)
    return rest, reasonless


# --- By query -----------------------------------------------------------------------------------------------


def _by_query(wanted: Sequence[tuple[Lane, Task]]) -> None:
    asks: list[Ask] = []
    for lane, task in wanted:
        with _apart(lane, [task]):
            call = lane.translator.build_query(lane.account, remote_id(task), task.wire_model)
            asks.append(Ask(lane, (task,), call))
    for ask, answer in _fetch(asks):
        try:
            snapshot = ask.lane.translator.read_snapshot(answer)
        except ProviderError as error:
            _went_wrong(ask, error.failure)
            continue
        evidence.worked(ask.lane.key)
        with _apart(ask.lane, ask.tasks):
            lifecycle.observe(ask.tasks[0], snapshot)
            _schedule(ask.lane.translator, ask.tasks)


def fetch_snapshot(task: Task) -> Snapshot:
    """Ask the vendor about one task now. Raises ProviderError."""
    if task.attempt is None or not task.attempt.remote_id:
        raise Refused(Failure(FailureClass.NOT_FOUND, "no_remote_id", "The vendor never named this task."))
    key = task.attempt.key
    call = key.translator.build_query(key.account(task.attempt.base_url), task.attempt.remote_id, task.wire_model)
    evidence.count(key, call.kind)
    return key.translator.read_snapshot(transport.send(call))


# --- Around the requests ------------------------------------------------------------------------------------


def _fetch(asks: Sequence[Ask]) -> Iterator[tuple[Ask, Answer]]:
    """Make the requests together; yields those that got an answer, and postpones the tasks of the others."""
    for ask in asks:
        evidence.count(ask.lane.key, ask.call.kind)
    for ask, answer in zip(asks, transport.fetch_many([ask.call for ask in asks]), strict=True):
        if isinstance(answer, ProviderError):
            _went_wrong(ask, answer.failure)
        else:
            yield ask, answer


@contextmanager
def _apart(lane: Lane, tasks: Iterable[Task]) -> Iterator[None]:
    """Keep what nobody thought of to the tasks it concerns: those behind them are looked at all the same."""
    try:
        yield
    except Exception:
        log.exception("%s: looking at its tasks failed", lane.key.label)
        _postpone(tasks, Failure(FailureClass.PROVIDER_UNKNOWN, "look_failed"))


def _went_wrong(ask: Ask, failure: Failure) -> None:
    log.warning("%s %s: %s %s", ask.lane.key.label, ask.call.kind, failure.cls, failure.code)
    # Not finding one task says nothing about the key.
    if failure.cls != FailureClass.NOT_FOUND:
        evidence.failed(ask.lane.key, failure)
    _postpone(ask.tasks, failure)


def _postpone(tasks: Iterable[Task], failure: Failure) -> None:
    now = timezone.now()
    for task in tasks:
        delay = min(ERROR_DELAY * 2 ** min(task.poll_errors, 10), ERROR_DELAY_AT_MOST)
        delay = max(delay, timedelta(seconds=task.key.translator.poll_floor))
        if failure.retry_after is not None:
            delay = max(delay, min(timedelta(seconds=failure.retry_after), ERROR_DELAY_AT_MOST))
        Task.objects.filter(pk=task.pk, state__in=RUNNING).update(
            next_poll_at=now + delay, poll_errors=task.poll_errors + 1
        )


def _schedule(translator: Provider, tasks: Iterable[Task]) -> None:
    """After a good answer: when to look again, in one update for all tasks with the same pace."""
    now = timezone.now()
    paced: dict[timedelta, list[Task]] = {}
    for task in tasks:
        if task.state in RUNNING:
            paced.setdefault(_pace(translator, task, now), []).append(task)
    for pace, group in paced.items():
        Task.objects.filter(pk__in=[task.pk for task in group], state__in=RUNNING).update(
            next_poll_at=now + pace, last_polled_at=now, poll_errors=0
        )


def _pace(translator: Provider, task: Task, now: datetime) -> timedelta:
    if task.off_peak:
        return OFF_PEAK_EVERY
    if now - (task.submitted_at or task.created_at) > SLOW_AFTER:
        return SLOW_EVERY
    return timedelta(seconds=translator.poll_every)
