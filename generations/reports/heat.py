"""A report as a table of colours: one line for each key and unit, one column for each day."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from generations.reports.charts import amount_of
from generations.reports.figures import Figures, Report
from generations.reports.labels import day_name, month_name

LEVELS = 5
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Cell:
    """``level`` is how deep its colour is, 0 for none."""

    amount: Decimal | None
    level: int
    query: str
    told: str


@dataclass(frozen=True, slots=True)
class HeatLine:
    name: str
    unit: str
    cells: list[Cell]
    total: Decimal
    query: str


@dataclass(frozen=True, slots=True)
class Column:
    short: str
    name: str


@dataclass(frozen=True, slots=True)
class Heat:
    columns: list[Column]
    lines: list[HeatLine]


def heat(report: Report, by: str) -> Heat:
    span = report.filters.span
    times = span.list_days() if by == "day" else span.list_months()
    tell: Callable[[date], str] = day_name if by == "day" else month_name
    columns = [Column(str(time.day) if by == "day" else f"{time:%Y-%m}", tell(time)) for time in times]
    amount = amount_of(report)
    found: dict[tuple[Any, str, str], dict[date, Figures]] = {}
    for line in report.lines:
        own = (line.values[report.groups[0]], line.names[0], line.unit)
        found.setdefault(own, {})[line.values[by]] = line.figures
    most = _most(found, amount)
    lines = [_line(report, by, own, {day: amount(each) for day, each in cells.items()}, columns, times, most[own[2]])
             for own, cells in found.items()]  # fmt: skip
    return Heat(columns, lines)


def _most(
    found: dict[tuple[Any, str, str], dict[date, Figures]], amount: Callable[[Figures], Decimal]
) -> dict[str, Decimal]:
    """The deepest colour of each unit."""
    most: dict[str, Decimal] = {}
    for (_value, _name, unit), cells in found.items():
        most[unit] = max(most.get(unit, ZERO), *(amount(each) for each in cells.values()))
    return most


def _line(
    report: Report,
    by: str,
    own: tuple[Any, str, str],
    amounts: dict[date, Decimal],
    columns: list[Column],
    times: list[date],
    most: Decimal,
) -> HeatLine:
    (value, name, unit), group, filters = own, report.groups[0], report.filters
    cells = []
    for time, column in zip(times, columns, strict=True):
        amount = amounts.get(time)
        query = filters.under({group: value, by: time}, unit=unit, **filters.in_bars) if amount is not None else ""
        cells.append(Cell(amount, _level(amount, most), query, column.name))
    query = filters.under({group: value}, unit=unit, **filters.in_bars)
    return HeatLine(name, unit, cells, sum(amounts.values(), ZERO), query)


def _level(amount: Decimal | None, most: Decimal) -> int:
    if not amount or amount <= 0 or most <= 0:
        return 0
    return min(LEVELS, int(LEVELS * amount / most) + 1)
