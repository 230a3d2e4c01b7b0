"""What is due, in which requests, and what the answers say.

Where a vendor lists, one request serves a hundred tasks of a key, and a failed task costs one query more for its
reason; elsewhere each task is one query. A vendor's error never changes a task, only the time of the next look,
and no time limit of ours ever ends a task that the vendor may still finish.

Requests travel in the background (``transport.Courier``), a lane for each vendor; answers are taken in as they come,
so one that hangs delays its own tasks alone. When to ask again is for ``looks`` to say.
"""

import logging
import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from generations import evidence, lifecycle, looks, transport
from generations.looks import FOLLOWED
from generations.models import Attempt, ProviderKey, Task
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

IDS_PER_LIST = 100
MOST_PAGES = 20
# Clocks differ; the window only bounds the list, the ids select.
WINDOW_MARGIN = timedelta(minutes=10)
MOST_TASKS_A_TICK = 2000
ANSWERS_AT_ONCE = 32  # are written in one transaction
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
        self._plan = looks.Plan()
        self._under_way: set[UUID] = set()  # tasks: one that waits long for its answer is not asked for twice
        self._counts: Counter[tuple[int, CallKind]] = Counter()
        self._good: set[int] = set()

    def __enter__(self) -> "Poller":
        looks.tidy()
        return self

    def __exit__(self, *_: object) -> None:
        self._courier.close()

    @property
    def waiting(self) -> int:
        """How many reads are under way."""
        return sum(self._courier.in_air.values())

    def ask_due(self) -> int:
        """Send for what is due; returns for how many tasks."""
        self._plan.renew()
        asked = 0
        for key in self._keys():
            due = looks.allowed(key.translator, self._due(key))
            looks.claim(key.translator, due)
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
        hushed = looks.hushed(keys)
        return [key for key in keys if key.pk not in hushed]

    def _due(self, key: ProviderKey) -> list[Task]:
        """Due tasks; where one list serves all of a key, also those that are due shortly."""
        translator = key.translator
        ahead = timedelta(seconds=translator.poll_every * ALONG if translator.can_list else 0)
        soon = timezone.now() + ahead
        due = Task.objects.filter(state__in=FOLLOWED, attempt__key=key, next_poll_at__lte=soon)
        due = due.exclude(pk__in=list(self._under_way))
        room = MOST_TASKS_A_TICK if translator.can_list else self._room(translator)
        return list(due.select_related("attempt", "key").order_by("next_poll_at")[: max(0, room)])

    def _room(self, translator: Provider) -> int:
        """What a lane can take before its next turn; the rest is as well off in the database.

        Nothing queues where there is a floor: it counts from the moment of asking.
        """
        queue = 0 if translator.poll_floor else int(translator.reads_per_second)
        return translator.reads_at_once + queue - self._courier.in_air[translator.slug]

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
        self._under_way.update(task.pk for task in ask.tasks)
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
            self._under_way.difference_update(task.pk for task in found[0].tasks)
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
        self._plan.answered(ask.lane.key, seen)
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
        self._plan.answered(ask.lane.key, [task])

    def _went_wrong(self, ask: Ask, outcome: Outcome, failure: Failure) -> None:
        key = ask.lane.key
        log.warning("%s %s: %s %s", key.label, ask.call.kind, failure.cls, failure.code)
        # Not finding one task says nothing about the key.
        if failure.cls != FailureClass.NOT_FOUND:
            evidence.failed(key, failure)
        looks.hush(key, failure)
        attempts = {task.attempt.pk: (failure.code, "") for task in ask.tasks if task.attempt}
        evidence.record_list(ask.call, outcome, attempts)
        looks.postpone(ask.tasks, failure)

    def _write_counts(self) -> None:
        """How many requests went out, and which keys were answered: once a batch, not once a request."""
        counts, good = self._counts, self._good
        self._counts, self._good = Counter(), set()
        keys = ProviderKey.objects.in_bulk({pk for pk, _ in counts} | good)
        for (pk, kind), number in counts.items():
            evidence.count(keys[pk], kind, number)
        for pk in good:
            evidence.worked(keys[pk])


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
            looks.postpone(group, error.failure)


@contextmanager
def _apart(lane: Lane, tasks: Iterable[Task]) -> Iterator[None]:
    """Keep what nobody thought of to the tasks it concerns: those behind them are looked at all the same."""
    try:
        yield
    except Exception:
        log.exception("%s: looking at its tasks failed", lane.key.label)
        looks.postpone(tasks, Failure(FailureClass.PROVIDER_UNKNOWN, "look_failed"))


def fetch_snapshot(task: Task) -> Snapshot:
    """Ask the vendor about one task now. Raises ProviderError, also where it does not want to be asked yet."""
    if task.attempt is None or not task.attempt.remote_id:
        raise Refused(Failure(FailureClass.NOT_FOUND, "no_remote_id", "The vendor never named this task."))
    account = task.attempt.key.account(task.attempt.base_url)
    call = task.attempt.key.translator.build_query(account, task.attempt.remote_id, task.wire_model)
    held = looks.held_until(task)
    if held is not None:
        left = max(0.0, (held - timezone.now()).total_seconds())
        raise Refused(Failure(FailureClass.THROTTLED, "asked_just_now", retry_after=left))
    snapshot = _query(task.attempt, call)
    Task.objects.filter(pk=task.pk).update(last_polled_at=timezone.now())
    return snapshot


def _query(attempt: Attempt, call: Call) -> Snapshot:
    key, answer = attempt.key, None
    evidence.count(key, call.kind)
    try:
        answer = transport.send(call)
        snapshot = key.translator.read_snapshot(answer)
    except ProviderError as error:
        looks.hush(key, error.failure)
        evidence.record(attempt, call, answer or error, error.failure.code)
        raise
    evidence.record(attempt, call, answer, snapshot.raw_state)
    return snapshot


def ask(task: Task) -> None:
    """Ask about one task, whatever became of it; a late success is taken in."""
    try:
        lifecycle.observe(task, fetch_snapshot(task))
    except ProviderError as error:
        log.info("task %s: asked, and %s", task.pk, error.failure.code)
