"""One run's comparison: rows of the vendor's go in, portion by portion; counts and differences come out."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Sum

from generations import keys, ledger, lifecycle, lookup, polling
from generations.models import (
    Attempt,
    AttemptState,
    DifferenceKind,
    ProviderKey,
    Reconciliation,
    Task,
    TaskState,
    UsageEntry,
)
from generations.providers.base import FINAL, ProviderError, Receipt, Snapshot, Unit
from generations.reconciliation import outcomes
from generations.reconciliation.outcomes import Found
from generations.reconciliation.verdicts import NOT_MADE, Said, Verdict, facts_of, is_news, said_of, verdict

log = logging.getLogger("videoforge.reconciliation")

MARGIN = timedelta(minutes=10)  # clocks differ: rows just outside the window may be of tasks inside it
MOST_LOOKUPS = 300  # queries of a run for creates whose answer was lost
UNANSWERED = (AttemptState.SENT, AttemptState.UNKNOWN)


class Undecided(Exception):
    """Nobody can say yet whether a create of ours made this task."""


@dataclass
class Comparison:
    """Holds what a run has seen so far; ``counts`` has the columns of the run, ``seen`` the ids of our tasks."""

    run: Reconciliation
    counts: Counter[str] = field(default_factory=Counter)
    seen: set[str] = field(default_factory=set)
    _lookups: int = 0

    def __post_init__(self) -> None:
        near = (self.run.from_at - MARGIN, self.run.to_at + MARGIN)
        lost = Attempt.objects.filter(key=self.key, state__in=UNANSWERED, sent_at__range=near)
        self._lost = list(lost.select_related("task", "key"))
        named = ProviderKey.objects.exclude(vendor_key_id="").exclude(pk=self.key.pk)
        self._names = set(named.values_list("vendor_key_id", flat=True))

    @property
    def key(self) -> ProviderKey:
        return self.run.key

    def take(self, rows: Sequence[Snapshot]) -> None:
        """A portion of the vendor's list."""
        ours = _attempts(self.key, [row.remote_id for row in rows])
        self._learn_name(rows, ours)
        mine, foreign = [], []
        for row in rows:
            try:
                attempt = ours.get(row.remote_id) or self._maker(row)
            except Undecided:
                self.counts["unread"] += self._is_inside(row)
                continue
            if attempt is not None:
                mine.append((attempt, row))
            elif self._is_inside(row) and self._is_of_another_key(row):
                self.counts["elsewhere"] += 1
            elif self._is_inside(row):
                foreign.append(row)
        self.take_ours(mine)
        self._take_foreign(foreign)

    def take_ours(self, pairs: Sequence[tuple[Attempt, Snapshot]]) -> None:
        """Rows of tasks of ours, from a list or asked for one by one."""
        before = {attempt.pk: attempt.task.state for attempt, _ in pairs}
        self._mend(pairs)
        with transaction.atomic():
            outcomes.hold({attempt.key_id for attempt, _ in pairs}, [row.remote_id for _, row in pairs])
            self._take_back(pairs)
            tasks = Task.objects.in_bulk([attempt.task_id for attempt, _ in pairs])
            booked = booked_of(tasks.values())
            found: list[Found] = []
            for attempt, row in pairs:
                self.seen.add(row.remote_id)
                task = tasks[attempt.task_id]
                self.counts["listed"] += 1
                found += self._judge(attempt, task, booked.get(task.pk, Decimal(0)), row, before[attempt.pk])
            self._write(found, [row.remote_id for _, row in pairs])

    # -- ours

    def _mend(self, pairs: Iterable[tuple[Attempt, Snapshot]]) -> None:
        """Let news in by the usual door; what a list does not tell whole is asked for, between transactions."""
        for attempt, row in pairs:
            if not is_news(attempt.task, said_of(row, Unit(attempt.task.unit))):
                continue
            if row.complete and row.state in FINAL:
                lifecycle.observe(attempt.task, row)
            else:
                polling.ask(Task.objects.select_related("key", "attempt__key").get(pk=attempt.task_id))

    def _take_back(self, pairs: Iterable[tuple[Attempt, Snapshot]]) -> None:
        """What stands in the books as a stranger's beside one of ours would be counted twice."""
        for remote_id, amount in booked_externals(self.key, [row.remote_id for _, row in pairs]).items():
            if amount:
                ledger.take_back_external(self.key.provider, remote_id, "made here after all")

    def _judge(self, attempt: Attempt, task: Task, booked: Decimal, row: Snapshot, before: str) -> list[Found]:
        said = said_of(row, Unit(task.unit))
        facts, judged = facts_of(row, said), verdict(task, booked, said)
        if judged is Verdict.TELLS and said.amount is not None:
            lifecycle.correct_charge(task, said.amount, "said when compared")
            self.counts["confirmed"] += 1
            judged = verdict(task, said.amount, said)
        if judged is Verdict.AMOUNT or judged is Verdict.STATE:
            kind = DifferenceKind.AMOUNT if judged is Verdict.AMOUNT else DifferenceKind.STATE
            facts["here"] = task.state
            return [Found(kind, attempt.key, row.remote_id, booked, said.amount, task, facts)]
        self.counts["same"] += 1
        self.counts["unconfirmed"] += judged is Verdict.UNCONFIRMED
        if before in (*NOT_MADE, TaskState.LOST) and task.state not in (*NOT_MADE, TaskState.LOST):
            facts |= {"here": before, "late": True}
            return [Found(DifferenceKind.STATE, attempt.key, row.remote_id, booked, said.amount, task, facts, True)]
        return []

    # -- creates whose answer was lost

    def _maker(self, row: Snapshot) -> Attempt | None:
        """The attempt whose create this row is, told by our token, whose answer was lost until now.

        Raises Undecided where a create of ours could be it and nobody tells.
        """
        at = row.echo.created_at if row.echo else None
        near = [each for each in self._lost if each.sent_at and (at is None or abs(each.sent_at - at) <= MARGIN)]
        near = [each for each in near if lookup.looks_like(each, row)]
        if not near:
            return None
        if self._lookups >= MOST_LOOKUPS:
            raise Undecided
        self._lookups += 1
        try:
            attempt = lookup.maker_of(row, near)
        except ProviderError as error:
            log.warning("%s: %s cannot be asked about: %s", self.key.label, row.remote_id, error.failure.code)
            raise Undecided from None
        if attempt is None:
            return None
        self._lost.remove(attempt)
        lifecycle.accept(attempt, Receipt(row.remote_id, row.state, row.echo.quote if row.echo else None))
        found = _attempts(self.key, [row.remote_id]).get(row.remote_id)
        if found is None:
            raise Undecided
        return found

    # -- theirs

    def _is_inside(self, row: Snapshot) -> bool:
        at = row.echo.created_at if row.echo else None
        return at is None or self.run.from_at <= at <= self.run.to_at

    def _is_of_another_key(self, row: Snapshot) -> bool:
        """An account's keys may share one list; what another of them made is no matter of this key."""
        told, own = row.echo.key_id if row.echo else "", self.key.vendor_key_id
        return bool(told) and told != own and (bool(own) or told in self._names)

    def _take_foreign(self, rows: Sequence[Snapshot]) -> None:
        """Tasks that nobody made here: in the ledger already, or not."""
        with transaction.atomic():
            outcomes.hold([self.key.pk], [row.remote_id for row in rows])
            booked = booked_externals(self.key, [row.remote_id for row in rows])
            found = []
            for row in rows:
                self.counts["listed"] += 1
                said = said_of(row, self.key.translator.unit)
                ours = booked.get(row.remote_id)
                if ours is None:
                    found.append(self._found_foreign(DifferenceKind.THEIRS, row, said, None))
                elif not said.readable or (said.amount is not None and said.amount != ours):
                    found.append(self._found_foreign(DifferenceKind.AMOUNT, row, said, ours))
                else:
                    self.counts["same"] += 1
            self._write(found, [row.remote_id for row in rows])

    def _found_foreign(self, kind: DifferenceKind, row: Snapshot, said: Said, ours: Decimal | None) -> Found:
        return Found(kind, self.key, row.remote_id, ours, said.amount, facts=facts_of(row, said))

    def _learn_name(self, rows: Iterable[Snapshot], ours: Mapping[str, Attempt]) -> None:
        """The vendor's own name for the key stands beside the tasks that were made with it."""
        for row in rows:
            attempt = ours.get(row.remote_id)
            if attempt is not None and attempt.key_id == self.key.pk and row.echo and row.echo.key_id:
                keys.learn_vendor_id(self.key, row.echo.key_id)
                return

    def _write(self, found: Sequence[Found], compared: Iterable[str]) -> None:
        self.counts["found"] += outcomes.write(self.run, found, compared)


def _attempts(key: ProviderKey, ids: Iterable[str]) -> dict[str, Attempt]:
    """Ours among these ids of the vendor's: of this key, or of another one at the same address."""
    known = Attempt.objects.filter(provider=key.provider, remote_id__in=list(ids)).exclude(remote_id="")
    found: dict[str, Attempt] = {}
    for attempt in known.select_related("task__key", "key"):
        here = attempt.key_id == key.pk
        if here or (attempt.base_url == key.base_url and attempt.remote_id not in found):
            found[attempt.remote_id] = attempt
    return found


def booked_of(tasks: Iterable[Task]) -> dict[UUID, Decimal]:
    """What the ledger says that each of these cost, in its own unit."""
    units = {task.pk: task.unit for task in tasks}
    rows = UsageEntry.objects.filter(task__in=list(units), kind__in=ledger.SPENT).order_by()
    summed = rows.values_list("task_id", "unit").annotate(sum=Sum("amount"))
    return {pk: amount for pk, unit, amount in summed if pk is not None and unit == units[pk]}


def booked_externals(key: ProviderKey, ids: Iterable[str]) -> dict[str, Decimal]:
    """What the ledger has of tasks that were not made here, by the vendor's id; on whichever key of the vendor's."""
    rows = UsageEntry.objects.filter(task=None, reference__in=list(ids), kind__in=ledger.SPENT, provider=key.provider)
    return dict(rows.order_by().values_list("reference").annotate(sum=Sum("amount")))
