"""The only writer of sums per day and month, and the check that they are what their rows say.

Every function joins the caller's transaction: a row and its sums are written together or not at all.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Max, Min, QuerySet, Sum
from django.utils import timezone

from generations.models import Grain, LedgerTotal, Task, TaskState, TaskTotal, UsageEntry

log = logging.getLogger("videoforge.totals")

ENDED = (TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED, TaskState.LOST)
OPEN = frozenset(TaskState.open())
TASK_SUMS = ("tasks", "unconfirmed", "paid", "seconds", "charged", "estimated", "compared")
ENTRY_SUMS = ("amount", "entries")
Sums = dict[str, Any]
Cells = dict[tuple[Any, ...], Sums]  # (key, person, model, mode, unit, kind or state): sums


# --- The calendar of the books -------------------------------------------------------------------------------


def zone() -> ZoneInfo:
    """The named time zone in which the books have their days, whoever looks at them."""
    return ZoneInfo(settings.TIME_ZONE)


def day_of(at: datetime) -> date:
    return at.astimezone(zone()).date()


def today() -> date:
    return day_of(timezone.now())


def starts_at(day: date) -> datetime:
    """The moment at which a day of the books begins; where the clocks skip midnight, the first moment after it."""
    return datetime(day.year, day.month, day.day, tzinfo=zone())


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


# --- Writing -------------------------------------------------------------------------------------------------


def add(entry: UsageEntry) -> None:
    """Take a new row of the ledger into its sums."""
    cell = (entry.key_id, entry.person_id, entry.model, entry.mode, entry.unit, str(entry.kind))
    _grow(LedgerTotal, day_of(entry.at), cell, {"amount": entry.amount, "entries": 1})


def add_all(entries: Iterable[UsageEntry]) -> None:
    """The same for many rows: every sum is touched once."""
    grown: dict[tuple[date, tuple[Any, ...]], Sums] = {}
    for entry in entries:
        cell = (entry.key_id, entry.person_id, entry.model, entry.mode, entry.unit, str(entry.kind))
        sums = grown.setdefault((day_of(entry.at), cell), {"amount": Decimal(0), "entries": 0})
        sums["amount"] += entry.amount
        sums["entries"] += 1
    for (day, cell), sums in sorted(grown.items(), key=lambda each: str(each[0])):
        _grow(LedgerTotal, day, cell, sums)


def of_all_time() -> QuerySet[LedgerTotal]:
    """The sums of the ledger per month: few rows, however many lie under them."""
    return LedgerTotal.objects.filter(grain=Grain.MONTH)


def count(before: Task | None, after: Task | None) -> None:
    """A task's row changed: take out what it stood for, and in what it stands for now."""
    for task, sign in ((before, -1), (after, 1)):
        if task is not None and (day := ended_on(task)) is not None:
            _grow(TaskTotal, day, _task_cell(task), {name: sign * value for name, value in _task_sums(task).items()})


def ended_on(task: Task) -> date | None:
    """The day of the books on which a task counts: when its outcome was noticed. None while it is open."""
    at = task.made_at or task.finished_at
    return day_of(at) if task.state in ENDED and at is not None else None


def _task_cell(task: Task) -> tuple[Any, ...]:
    return (task.key_id, task.owner_id, task.model, task.mode, task.unit, str(task.state))


def _task_sums(task: Task) -> Sums:
    comparable = task.charge is not None and task.estimate is not None
    comparable = comparable and (task.estimate_unit or task.unit) == task.unit
    return {
        "tasks": 1,
        "unconfirmed": int(task.charge is None),
        "paid": int(bool(task.charge)),
        "seconds": task.duration,
        "charged": task.charge or Decimal(0),
        "estimated": task.estimate if comparable else Decimal(0),
        "compared": task.charge if comparable else Decimal(0),
    }


Model = type[LedgerTotal] | type[TaskTotal]


def _fields(model: Model, grain: Grain, starts_on: date, cell: tuple[Any, ...]) -> dict[str, Any]:
    key, person, name, mode, unit, last = cell
    fields = {"grain": grain, "starts_on": starts_on, "key_id": key, "person_id": person, "model": name, "mode": mode}
    return {**fields, "unit": unit, ("kind" if model is LedgerTotal else "state"): last}


def _name(grain: Grain, starts_on: date, cell: tuple[Any, ...]) -> str:
    return "|".join("-" if part is None else str(part) for part in (grain.value, starts_on, *cell))


def _grow(model: Model, day: date, cell: tuple[Any, ...], by: Mapping[str, Any]) -> None:
    for grain, starts_on in ((Grain.DAY, day), (Grain.MONTH, month_of(day))):
        _add(model, grain, starts_on, cell, by)


def _add(model: Model, grain: Grain, starts_on: date, cell: tuple[Any, ...], by: Mapping[str, Any]) -> None:
    name = _name(grain, starts_on, cell)
    rows = model._default_manager.filter(name=name)
    grown = {field: F(field) + value for field, value in by.items()}
    if rows.update(**grown):
        return
    try:
        with transaction.atomic():
            model._default_manager.create(name=name, **_fields(model, grain, starts_on, cell), **by)
    except IntegrityError:  # another worker made the row meanwhile
        rows.update(**grown)


# --- The check -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wrong:
    """A sum that was not what its rows say."""

    table: str
    name: str
    had: Sums
    should: Sums

    def __str__(self) -> str:
        pairs = ", ".join(f"{field} {self.had[field]} instead of {self.should[field]}" for field in self.should)
        return f"{self.table} {self.name}: {pairs}"


def check(first: date | None = None, last: date | None = None, *, repair: bool = True) -> list[Wrong]:
    """Compare the sums of these days and of the months they lie in with the rows; all days unless told.

    One short transaction a day, so that others go on. What is wrong is set right, and told.
    """
    known_first, known_last = _span()
    first, last = first or known_first, last or known_last
    wrong: list[Wrong] = []
    months: set[date] = set()
    day = first
    while day <= last:
        with _alone(LedgerTotal):
            wrong += _compare(LedgerTotal, Grain.DAY, day, _entry_cells(day), repair)
        with _alone(TaskTotal):
            wrong += _compare(TaskTotal, Grain.DAY, day, _task_cells(day), repair)
        months.add(month_of(day))
        day += timedelta(days=1)
    for month in sorted(months):
        for model in (LedgerTotal, TaskTotal):
            with _alone(model):
                wrong += _compare(model, Grain.MONTH, month, _sum_of_days(model, month), repair)
    for each in wrong:
        log.error("sum differed from its rows: %s", each)
    return wrong


@contextmanager
def _alone(model: Model) -> Iterator[None]:
    """Rows and sums as of one moment: nobody writes this table's sums meanwhile, and who had begun has ended.

    SQLite's transactions are such anyway. One table at a time, so that nobody waits for us while we wait for them.
    """
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute(f"LOCK TABLE {model._meta.db_table} IN SHARE ROW EXCLUSIVE MODE")
        yield


def _span() -> tuple[date, date]:
    """From the first day that has anything to the last."""
    moments: list[datetime] = []
    days: list[date] = []
    for ends in (
        UsageEntry.objects.aggregate(a=Min("at"), b=Max("at")),
        Task.objects.aggregate(a=Min("made_at"), b=Max("made_at")),
        Task.objects.aggregate(a=Min("finished_at"), b=Max("finished_at")),
    ):
        moments += [at for at in ends.values() if at is not None]
    for model in (LedgerTotal, TaskTotal):
        ends = model._default_manager.filter(grain=Grain.DAY).aggregate(a=Min("starts_on"), b=Max("starts_on"))
        days += [day for day in ends.values() if day is not None]
    days += [day_of(at) for at in moments]
    return (min(days), max(days)) if days else (today(), today() - timedelta(days=1))


def _entry_cells(day: date) -> Cells:
    rows = UsageEntry.objects.filter(at__gte=starts_at(day), at__lt=starts_at(day + timedelta(days=1)))
    cells: Cells = defaultdict(lambda: {"amount": Decimal(0), "entries": 0})
    names = ("key_id", "person_id", "model", "mode", "unit", "kind", "amount")
    for *cell, amount in rows.order_by().values_list(*names).iterator():
        sums = cells[tuple(cell)]
        sums["amount"] += amount
        sums["entries"] += 1
    return cells


def _task_cells(day: date) -> Cells:
    begin, end = starts_at(day), starts_at(day + timedelta(days=1))
    cells: Cells = {}
    made = Task.objects.filter(made_at__gte=begin, made_at__lt=end, state__in=ENDED)
    others = Task.objects.filter(made_at=None, finished_at__gte=begin, finished_at__lt=end, state__in=ENDED)
    for task in _both(made, others):
        sums = cells.setdefault(_task_cell(task), dict.fromkeys(TASK_SUMS, 0))
        for name, value in _task_sums(task).items():
            sums[name] += value
    return cells


def _both(*rows: Iterable[Task]) -> Iterator[Task]:
    for each in rows:
        yield from each


def _sums_of(model: Model) -> tuple[str, ...]:
    return ENTRY_SUMS if model is LedgerTotal else TASK_SUMS


def _cell_names(model: Model) -> tuple[str, ...]:
    return ("key_id", "person_id", "model", "mode", "unit", "kind" if model is LedgerTotal else "state")


def _sum_of_days(model: Model, month: date) -> Cells:
    names, sums = _cell_names(model), _sums_of(model)
    rows = model._default_manager.filter(grain=Grain.DAY, starts_on__gte=month, starts_on__lt=next_month(month))
    summed = rows.order_by().values_list(*names).annotate(**{f"sum_{name}": Sum(name) for name in sums})
    return {tuple(row[: len(names)]): dict(zip(sums, row[len(names) :], strict=True)) for row in summed}


def _compare(model: Model, grain: Grain, starts_on: date, should: Cells, repair: bool) -> list[Wrong]:
    sums = _sums_of(model)
    nothing = dict.fromkeys(sums, 0)
    rows = model._default_manager.filter(grain=grain, starts_on=starts_on)
    had = {tuple(row[: -len(sums)]): dict(zip(sums, row[-len(sums) :], strict=True))
           for row in rows.values_list(*_cell_names(model), *sums)}  # fmt: skip
    wrong = []
    for cell in sorted(had.keys() | should.keys(), key=str):
        ours, right = had.get(cell, nothing), should.get(cell, nothing)
        if ours == right:
            continue
        wrong.append(Wrong(model.__name__, _name(grain, starts_on, cell), ours, dict(right)))
        if repair:
            name, fields = _name(grain, starts_on, cell), _fields(model, grain, starts_on, cell)
            model._default_manager.filter(**fields).exclude(name=name).delete()
            model._default_manager.update_or_create(name=name, defaults={**fields, **right})
    return wrong
