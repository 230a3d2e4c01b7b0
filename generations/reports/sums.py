"""What the rows of a list come to, all its pages together: read from the sums, so that a million cost as little."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from generations.ledger import HELD, SPENT
from generations.models import EntryKind, LedgerTotal, TaskTotal
from generations.reports.figures import TASK_SUMS
from generations.reports.filters import UNCONFIRMED, Filters

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Sums:
    """Of one unit. ``count`` is how many rows there are; it and the seconds are None where no sum tells them."""

    unit: str
    count: int | None
    amounts: list[tuple[str, Decimal]]
    seconds: int | None = None


def sums_of(filters: Filters) -> list[Sums]:
    return _of_clips(filters) if filters.of_clips else _of_entries(filters)


def _of_entries(filters: Filters) -> list[Sums]:
    """Of the chosen kinds together; where none is chosen, what was spent, held and bought are three things."""
    rows = LedgerTotal.objects.filter(filters.span.sums(), filters.rows())
    if filters.kinds:
        rows = rows.filter(kind__in=filters.kinds)
    by_unit: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in _summed(rows, ("unit", "kind"), ("amount", "entries")):
        if row["sum_entries"]:
            by_unit.setdefault(row["unit"], {})[row["kind"]] = row
    return [
        Sums(unit, sum(row["sum_entries"] for row in kinds.values()), list(_amounts(kinds, bool(filters.kinds))))
        for unit, kinds in by_unit.items()
    ]


def _amounts(kinds: Mapping[str, Mapping[str, Any]], chosen: bool) -> Iterable[tuple[str, Decimal]]:
    parts = (
        (_("Spent"), SPENT),
        (_("Still held"), HELD),
        (_("Bought"), (EntryKind.TOP_UP,)),
    )
    for words, names in [(_("Together"), EntryKind.values)] if chosen else parts:
        found = [kinds[name]["sum_amount"] for name in names if name in kinds]
        if found:
            yield words, sum(found, ZERO)


def _of_clips(filters: Filters) -> list[Sums]:
    rows = TaskTotal.objects.filter(filters.span.sums(), filters.rows())
    if filters.states:
        rows = rows.filter(state__in=filters.states)
    found = (_of_clips_in(row["unit"], filters.charge, row) for row in _summed(rows, ("unit",), TASK_SUMS))
    return [each for each in found if each.count or (each.count is None and any(amount for _, amount in each.amounts))]


def _of_clips_in(unit: str, charge: str, row: Mapping[str, Any]) -> Sums:
    tasks, unconfirmed, paid = (row[f"sum_{name}"] for name in ("tasks", "unconfirmed", "paid"))
    if charge == "compared":
        estimated, charged = row["sum_estimated"], row["sum_compared"]
        told = [(_("Estimated"), estimated), (_("Charged"), charged), (_("Difference"), charged - estimated)]
        return Sums(unit, None, told)
    count = {"": tasks, UNCONFIRMED: unconfirmed, "some": paid, "none": tasks - paid - unconfirmed}
    charged = [] if charge in (UNCONFIRMED, "none") else [(_("Charged"), row["sum_charged"])]
    return Sums(unit, count.get(charge, tasks - unconfirmed), charged, row["sum_seconds"] if not charge else None)


def _summed(
    rows: QuerySet[LedgerTotal] | QuerySet[TaskTotal], names: tuple[str, ...], sums: tuple[str, ...]
) -> Iterable[dict[str, Any]]:
    found: Iterable[dict[str, Any]] = (
        rows.order_by("unit").values(*names).annotate(**{f"sum_{name}": Sum(name) for name in sums})
    )
    return found
