"""Figures of a report: two questions to the sums of ``totals``, whatever is grouped by what.

Spent is what was booked in the time: settled, adjusted, external, less refunds. Of the clips that ended in the time
count their number, their seconds, and the estimate beside the charge where both are known in one unit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum

from generations import totals
from generations.ledger import SPENT
from generations.models import EntryKind, LedgerTotal, TaskState, TaskTotal
from generations.reports.filters import TIMES, Filters
from generations.reports.money import About, Rates

ZERO = Decimal(0)
FAILED = (TaskState.FAILED, TaskState.LOST)
KINDS_OF = {  # which rows of the ledger make up a figure
    "charged": (EntryKind.SETTLE, EntryKind.ADJUST),
    "refunded": (EntryKind.REFUND,),
    "external": (EntryKind.EXTERNAL,),
    "spent": SPENT,
}
COLUMNS = {"vendor": "key__provider", "key": "key_id", "person": "person_id", "day": "starts_on", "month": "starts_on"}
TASK_SUMS = ("tasks", "unconfirmed", "paid", "seconds", "charged", "estimated", "compared")


@dataclass(slots=True)
class Figures:
    """Of one unit. ``charged`` and ``compared`` differ: the latter is of clips with an estimate in the same unit."""

    tasks: int = 0
    ready: int = 0
    failed: int = 0  # lost results too: they ended without a clip
    seconds: int = 0  # of ready clips
    unconfirmed: int = 0
    paid: int = 0  # clips with a charge above zero
    failed_paid: int = 0
    failed_unconfirmed: int = 0
    task_charged: Decimal = ZERO  # what those clips cost by now
    estimated: Decimal = ZERO
    compared: Decimal = ZERO
    charged: Decimal = ZERO
    refunded: Decimal = ZERO
    external: Decimal = ZERO
    spent: Decimal = ZERO
    entries: int = 0
    spent_on: dict[tuple[date, int], Decimal] = field(default_factory=dict)  # by key, as far as rates differ by day

    @property
    def difference(self) -> Decimal:
        return self.compared - self.estimated

    @property
    def difference_percent(self) -> Decimal | None:
        return 100 * self.difference / self.estimated if self.estimated else None

    @property
    def free(self) -> int:
        """Clips of which the vendor said that they cost nothing."""
        return self.tasks - self.paid - self.unconfirmed

    @property
    def failed_free(self) -> int:
        return self.failed - self.failed_paid - self.failed_unconfirmed

    @property
    def per_second(self) -> Decimal | None:
        """What a second of ready video cost, with all that went wrong on the way to it."""
        return self.task_charged / self.seconds if self.seconds and self.task_charged else None

    def take(self, other: "Figures") -> None:
        for each in fields(self):
            if each.name != "spent_on":
                setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        for place, amount in other.spent_on.items():
            self.spent_on[place] = self.spent_on.get(place, ZERO) + amount

    def take_entries(self, kind: str, amount: Decimal, entries: int, place: tuple[date, int] | None) -> None:
        """A sum of ledger rows of one kind. A refund is a negative row; what was refunded is a figure above zero."""
        if kind not in SPENT:
            return
        self.spent += amount
        self.entries += entries
        if kind in KINDS_OF["charged"]:
            self.charged += amount
        elif kind == EntryKind.REFUND:
            self.refunded -= amount
        else:
            self.external += amount
        if place is not None:
            self.spent_on[place] = self.spent_on.get(place, ZERO) + amount

    def take_tasks(self, state: str, sums: Mapping[str, Any]) -> None:
        """A sum of clips that ended in one state."""
        self.tasks += sums["tasks"]
        self.unconfirmed += sums["unconfirmed"]
        self.paid += sums["paid"]
        for name in ("estimated", "compared"):
            setattr(self, name, getattr(self, name) + sums[name])
        self.task_charged += sums["charged"]
        if state == TaskState.SUCCEEDED:
            self.ready += sums["tasks"]
            self.seconds += sums["seconds"]
        elif state in FAILED:
            self.failed += sums["tasks"]
            self.failed_paid += sums["paid"]
            self.failed_unconfirmed += sums["unconfirmed"]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a report: the values that it is grouped by, their names, and its figures in one unit."""

    values: Mapping[str, Any]
    names: tuple[str, ...]
    unit: str
    figures: Figures
    query: str  # the end of an address: the rows under it
    about: About | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """``totals`` has a line without values for each unit: unlike units are never added."""

    filters: Filters
    groups: tuple[str, ...]
    lines: list[Line]
    totals: list[Line]
    has_rates: bool

    @property
    def of_tasks_alone(self) -> bool:
        return self.filters.of_tasks_alone


def report(filters: Filters) -> Report:
    groups = filters.groups
    rates = Rates(filters.span.rated_on)
    cells: dict[tuple[Any, ...], Figures] = {}
    if not filters.of_tasks_alone:
        _add_entries(cells, filters, groups, rates)
    _add_tasks(cells, filters, groups)
    lines = [_line(cell, figures, filters, groups, rates) for cell, figures in cells.items() if _says(figures)]
    found = sorted(lines, key=lambda line: _order(line, groups))
    return Report(filters, groups, found, _totals(found, filters, rates), bool(rates))


def _add_entries(
    cells: dict[tuple[Any, ...], Figures], filters: Filters, groups: tuple[str, ...], rates: Rates
) -> None:
    """By key too where rates are known, and by day where another one begins within the time: each sum lies on one
    side of that day."""
    span = filters.span
    cuts = rates.begin_within(span.first, span.rated_on)
    columns = [*_columns(groups), "unit", "kind", *(["key_id"] if rates else []), *(["starts_on"] if cuts else [])]
    when = span.by_day() if "day" in groups else span.sums_cut_at(cuts)
    rows = LedgerTotal.objects.filter(when, filters.rows(), kind__in=SPENT)
    for row in _grouped(rows, columns, ("amount", "entries")):
        figures = cells.setdefault(_cell(row, groups), Figures())
        place = (row["starts_on"] if cuts else span.rated_on, row["key_id"]) if rates else None
        figures.take_entries(row["kind"], row["sum_amount"], row["sum_entries"], place)


def _add_tasks(cells: dict[tuple[Any, ...], Figures], filters: Filters, groups: tuple[str, ...]) -> None:
    when = filters.span.by_day() if "day" in groups else filters.span.sums()
    rows = TaskTotal.objects.filter(when, filters.rows())
    if filters.states:
        rows = rows.filter(state__in=filters.states)
    for row in _grouped(rows, [*_columns(groups), "unit", "state"], TASK_SUMS):
        sums = {name: row[f"sum_{name}"] for name in TASK_SUMS}
        cells.setdefault(_cell(row, groups), Figures()).take_tasks(row["state"], sums)


def _grouped(
    rows: QuerySet[LedgerTotal] | QuerySet[TaskTotal], columns: list[str], sums: tuple[str, ...]
) -> Iterable[dict[str, Any]]:
    names = dict.fromkeys(columns)  # a column that two groups share is asked for once
    found: Iterable[dict[str, Any]] = (
        rows.order_by().values(*names).annotate(**{f"sum_{name}": Sum(name) for name in sums})
    )
    return found


def _columns(groups: tuple[str, ...]) -> list[str]:
    return [COLUMNS.get(group, group) for group in groups]


def _cell(row: Mapping[str, Any], groups: tuple[str, ...]) -> tuple[Any, ...]:
    values = []
    for group in groups:
        value = row[COLUMNS.get(group, group)]
        values.append(totals.month_of(value) if group == "month" else value)
    return (*values, row["unit"])


def _line(cell: tuple[Any, ...], figures: Figures, filters: Filters, groups: tuple[str, ...], rates: Rates) -> Line:
    values, unit = dict(zip(groups, cell[:-1], strict=True)), cell[-1]
    names = tuple(filters.label(group, value) for group, value in values.items())
    return Line(values, names, unit, figures, filters.under(values, unit=unit), rates.about(unit, figures.spent_on))


def _says(figures: Figures) -> bool:
    """Sums that went back to nothing stay as rows of zeros; they are no line."""
    return bool(figures.tasks or figures.entries)


def _order(line: Line, groups: tuple[str, ...]) -> tuple[Any, ...]:
    """Time by its course, the latest last; everything else by name; the units of one group side by side."""
    parts = [
        line.values[group].isoformat() if group in TIMES else name.casefold()
        for group, name in zip(groups, line.names, strict=True)
    ]
    return (*parts, line.unit)


def _totals(lines: list[Line], filters: Filters, rates: Rates) -> list[Line]:
    found: dict[str, Figures] = {}
    for line in lines:
        found.setdefault(line.unit, Figures()).take(line.figures)
    units = sorted(found, key=lambda unit: (-found[unit].tasks, unit))
    return [
        Line({}, (), unit, found[unit], filters.under({}, unit=unit), rates.about(unit, found[unit].spent_on))
        for unit in units
    ]
