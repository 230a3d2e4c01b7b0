"""How long the bars of a report are: numbers for templates that draw SVG by attributes. One chart for each unit."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from generations.reports.figures import Figures, Line, Report
from generations.reports.filters import ESTIMATES, FAILURES, TIMES
from generations.reports.labels import day_name, month_name
from generations.words import money

MOST_BARS = 12  # that lie; the table has the others
MOST_SERIES = 6  # colours that can be told apart
WIDTH = 760  # of all standing bars together, about
LONG, THICK = 440, 16  # of the space of a lying bar; a page stretches it to what it has
TALL, BASE = 150, 24  # of standing bars: their space, and the words under them
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Amount:
    """What a group has of one series, and the words for it."""

    series: int
    amount: Decimal
    told: str


@dataclass(frozen=True, slots=True)
class Group:
    """All that becomes one bar. ``query`` is the end of an address: the rows that add up to it."""

    name: str
    value: Any
    query: str
    amounts: list[Amount]

    def total(self) -> Decimal:
        return sum((each.amount for each in self.amounts), ZERO)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a bar, in the colour of its series."""

    series: int
    x: str
    y: str
    width: str
    height: str
    told: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A lying one has a value beside it; a standing one ``hit``, its whole column, where a pointer finds it."""

    name: str
    told: str
    query: str
    parts: list[Part]
    value: str = ""
    hit: Part | None = None
    name_x: str = ""
    name_y: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    unit: str
    title: str
    about: str
    width: int
    height: int
    bars: list[Bar]
    legend: list[str]
    stands: bool
    left_out: int = 0


Measure = tuple[str, Callable[[Figures], Decimal]]


def charts(report: Report) -> list[Chart]:
    """One for each unit; none where the report is a table of colours."""
    if heat_by(report):
        return []
    units = [line.unit for line in report.totals]
    found = (_chart(report, unit, [line for line in report.lines if line.unit == unit]) for unit in units)
    return [chart for chart in found if chart.bars]


def heat_by(report: Report) -> str:
    """ "day" or "month" where the report is one thing by time, "" otherwise."""
    groups = report.groups
    fits = len(groups) == 2 and groups[1] in TIMES and groups[0] not in TIMES and not report.filters.view
    return groups[1] if fits else ""


def amount_of(report: Report) -> Callable[[Figures], Decimal]:
    """What the bars of the plain view are about: what was spent, or where states count what the clips cost."""
    return (lambda each: each.task_charged) if report.of_tasks_alone else (lambda each: each.spent)


def _chart(report: Report, unit: str, lines: list[Line]) -> Chart:
    names, groups = _series(report, unit, lines)
    side_by_side = report.filters.view == ESTIMATES
    if report.groups[0] in TIMES and not side_by_side:
        return _standing(report, unit, names, _all_times(report, groups))
    groups.sort(key=lambda group: -group.total())
    return _lying(report, unit, names, groups, side_by_side=side_by_side)


def _series(report: Report, unit: str, lines: list[Line]) -> tuple[list[str], list[Group]]:
    """The colours, and for each first group what each of them has."""
    view = report.filters.view
    if view == FAILURES:
        return _by_measure(report, lines, _paid_by(), lambda amount: f"{amount}")
    measures: list[Measure] = [("", amount_of(report))]
    if view == ESTIMATES:
        measures = [(_("Estimated"), lambda each: each.estimated), (_("Charged"), lambda each: each.compared)]
    elif len(report.groups) > 1:
        return _by_second_group(report, unit, lines)
    return _by_measure(report, lines, measures, lambda amount: money(amount, unit))


def _paid_by() -> list[Measure]:
    return [
        (_("Not charged"), lambda each: Decimal(each.free)),
        (_("Charged"), lambda each: Decimal(each.paid)),
        (_("Not confirmed"), lambda each: Decimal(each.unconfirmed)),
    ]


def _by_measure(
    report: Report, lines: list[Line], measures: list[Measure], tell: Callable[[Decimal], str]
) -> tuple[list[str], list[Group]]:
    groups = []
    for name, value, under in _first_groups(report, lines):
        figures = Figures()
        for line in under:
            figures.take(line.figures)
        amounts = [
            Amount(number, measure(figures), f"{label} {tell(measure(figures))}".strip())
            for number, (label, measure) in enumerate(measures)
        ]
        groups.append(Group(name, value, _under(report, value, under), amounts))
    return [label for label, _measure in measures if label], groups


def _by_second_group(report: Report, unit: str, lines: list[Line]) -> tuple[list[str], list[Group]]:
    amount, second = amount_of(report), report.groups[1]
    sums: dict[Any, Decimal] = {}
    names = {line.values[second]: line.names[1] for line in lines}
    for line in lines:
        sums[line.values[second]] = sums.get(line.values[second], ZERO) + amount(line.figures)
    order = sorted(sums, key=lambda value: -sums[value])
    shown = [names[value] for value in order]
    if len(order) > MOST_SERIES:
        shown = [*shown[: MOST_SERIES - 1], _("Others")]
    places = {value: min(number, len(shown) - 1) for number, value in enumerate(order)}
    groups = []
    for name, value, under in _first_groups(report, lines):
        found: dict[int, Decimal] = {}
        for line in under:
            place = places[line.values[second]]
            found[place] = found.get(place, ZERO) + amount(line.figures)
        amounts = [Amount(place, each, f"{shown[place]} {money(each, unit)}") for place, each in sorted(found.items())]
        groups.append(Group(name, value, _under(report, value, under), amounts))
    return shown, groups


def _first_groups(report: Report, lines: list[Line]) -> Iterable[tuple[str, Any, list[Line]]]:
    """The lines with one first value; two people may share a name, so it is not the name that tells."""
    found: dict[Any, list[Line]] = {}
    for line in lines:
        found.setdefault(line.values[report.groups[0]], []).append(line)
    return [(under[0].names[0], value, under) for value, under in found.items()]


def _under(report: Report, value: Any, lines: list[Line]) -> str:
    return report.filters.under({report.groups[0]: value}, unit=lines[0].unit, **report.filters.in_bars)


def _all_times(report: Report, groups: list[Group]) -> list[Group]:
    """Days without anything have their place too."""
    known, span = {group.value: group for group in groups}, report.filters.span
    if report.groups[0] == "day":
        return [known.get(day) or Group(day_name(day), day, "", []) for day in span.list_days()]
    return [known.get(month) or Group(month_name(month), month, "", []) for month in span.list_months()]


# --- Geometry ------------------------------------------------------------------------------------------------


def _lying(report: Report, unit: str, names: list[str], groups: list[Group], *, side_by_side: bool) -> Chart:
    shown, most = groups[:MOST_BARS], _most(groups, side_by_side=side_by_side)
    bars = []
    for group in shown:
        parts = list(_lying_parts(group, most, side_by_side=side_by_side))
        bars.append(Bar(group.name, _told(group), group.query, parts, _value(report, unit, group)))
    title, about = _words(report, unit)
    return Chart(unit, title, about, LONG, THICK, bars, names, stands=False, left_out=len(groups) - len(shown))


def _lying_parts(group: Group, most: Decimal, *, side_by_side: bool) -> Iterable[Part]:
    """The pieces, one behind the other or one below the other."""
    thick = THICK // 2 if side_by_side else THICK
    start = ZERO
    for each in group.amounts:
        width = LONG * max(each.amount, ZERO) / most
        y = each.series * thick if side_by_side else 0
        yield Part(each.series, _n(start), _n(y), _n(width), _n(thick), each.told)
        start = start if side_by_side else start + width


def _standing(report: Report, unit: str, names: list[str], groups: list[Group]) -> Chart:
    slot = max(9, min(44, WIDTH // max(1, len(groups))))
    every = -(-44 // slot)  # as many words as have room
    most = _most(groups, side_by_side=False)
    bars = []
    for number, group in enumerate(groups):
        y, parts = Decimal(TALL), []
        for each in group.amounts:
            height = (TALL - 8) * max(each.amount, ZERO) / most
            y -= height
            parts.append(Part(each.series, _n(number * slot + 1), _n(y), _n(slot - 2), _n(height), each.told))
        word = _tick(report, group.value) if number % every == 0 else ""
        hit = Part(0, _n(number * slot), "0", _n(slot), _n(TALL + BASE), "")
        bars.append(Bar(word, _told(group), group.query, parts, "", hit, _n(number * slot + 1), _n(TALL + 16)))
    title, about = _words(report, unit)
    return Chart(unit, title, about, max(WIDTH // 2, len(groups) * slot + 40), TALL + BASE, bars, names, stands=True)


def _most(groups: list[Group], *, side_by_side: bool) -> Decimal:
    """What fills the space; never nothing, because it is divided by."""
    take = max if side_by_side else sum
    sums = [take([max(each.amount, ZERO) for each in group.amounts]) for group in groups if group.amounts]
    return Decimal(max(sums, default=ZERO)) or Decimal(1)


def _tick(report: Report, value: date) -> str:
    return str(value.day) if report.groups[0] == "day" else f"{value:%Y-%m}"


def _told(group: Group) -> str:
    return f"{group.name}: {' · '.join(each.told for each in group.amounts if each.amount) or '0'}"


def _value(report: Report, unit: str, group: Group) -> str:
    if report.filters.view == ESTIMATES:
        estimated, charged = group.amounts
        more = charged.amount - estimated.amount
        return f"{'+' if more > 0 else '−' if more < 0 else ''}{money(abs(more), unit)}"
    return str(group.total()) if report.filters.view == FAILURES else money(group.total(), unit)


def _words(report: Report, unit: str) -> tuple[str, str]:
    told = {"unit": money(ZERO, unit).removeprefix("0.00 ").removeprefix("0 ")}
    if report.filters.view == FAILURES:
        return _("Clips without a result") + f" ({told['unit']})", _("A bar for each line: who paid for them.")
    if report.filters.view == ESTIMATES:
        return _("Estimated and charged, %(unit)s") % told, _("Two bars for each line: the estimate above the charge.")
    if report.of_tasks_alone:
        return _("Charged, %(unit)s") % told, _("A bar for each line; the table below has the same numbers.")
    return _("Spent, %(unit)s") % told, _("A bar for each line; the table below has the same numbers.")


def _n(number: Decimal | int) -> str:
    """For an attribute: a point in every language."""
    return f"{number:.1f}".removesuffix(".0")
