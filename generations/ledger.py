"""The only writer of the usage ledger. Every function joins the caller's transaction."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import TypedDict

from django.db.models import Min, Q, QuerySet, Sum
from django.utils import timezone

from generations.models import EntryKind, EntrySource, ProviderKey, Task, TaskState, UsageEntry
from generations.providers.base import Money

SPENT = (EntryKind.SETTLE, EntryKind.REFUND, EntryKind.EXTERNAL, EntryKind.ADJUST)
HELD = (EntryKind.RESERVE, EntryKind.RELEASE)


def _write(
    task: Task,
    kind: EntryKind,
    amount: Decimal,
    source: EntrySource,
    note: str = "",
    unit: str = "",
    key_id: int | None = None,
) -> UsageEntry:
    number = _entries(task, kind).count()
    return UsageEntry.objects.create(
        kind=kind,
        amount=amount,
        unit=unit or task.unit,
        source=source,
        price_list=task.price_list,
        key_id=key_id or task.key_id,
        provider=task.provider,
        person_id=task.owner_id,
        task=task,
        model=task.model,
        mode=task.mode,
        reference=task.attempt.remote_id if task.attempt else "",
        note=note,
        # Two that write the same line at once meet here: one of them is refused.
        once=f"{kind.value}:{task.pk}" + (f":{number}" if number else ""),
    )


@dataclass(frozen=True, slots=True)
class Hold:
    """What stands reserved for a task on one key, in one unit."""

    key_id: int
    unit: str
    amount: Decimal
    source: EntrySource


def holds(task: Task) -> list[Hold]:
    """What is held for a task now."""
    rows = _entries(task, *HELD).order_by().values_list("key_id", "unit").annotate(sum=Sum("amount"), first=Min("pk"))
    sources = dict(_entries(task, *HELD).values_list("pk", "source"))
    return [Hold(key_id, unit, amount, EntrySource(sources[first])) for key_id, unit, amount, first in rows if amount]


def reserve(task: Task, amount: Decimal | None, source: EntrySource = EntrySource.PRICE_LIST, unit: str = "") -> None:
    """Hold what a task may cost, in the task's unit unless told another.

    Nothing is held where nobody knows a price, and nothing is held twice.
    """
    if amount is not None and not holds(task):
        _write(task, EntryKind.RESERVE, amount, source, unit=unit)


def release(task: Task, note: str = "") -> None:
    """End the hold of a task, if there is one that still stands."""
    for hold in holds(task):
        _write(task, EntryKind.RELEASE, -hold.amount, hold.source, note, hold.unit, hold.key_id)


def move_hold(task: Task, note: str) -> None:
    """The task has another key now: what is held for it goes there too."""
    for hold in holds(task):
        if hold.key_id != task.key_id:
            _write(task, EntryKind.RELEASE, -hold.amount, hold.source, note, hold.unit, hold.key_id)
            _write(task, EntryKind.RESERVE, hold.amount, hold.source, note, hold.unit)


def settle(task: Task, charge: Money, note: str = "") -> None:
    """Book what the vendor charged, once, and end the hold. A later and different word of the vendor's is adjusted.

    A charge in another unit than the task's cannot be booked on it: ValueError, nothing is written.
    """
    if charge.unit != task.unit:
        raise ValueError(f"task {task.pk} is billed in {task.unit}, not {charge.unit}")
    if not _entries(task, EntryKind.SETTLE).exists():
        _write(task, EntryKind.SETTLE, charge.amount, EntrySource.VENDOR, note)
    elif difference := charge.amount - booked(task):
        _write(task, EntryKind.ADJUST, difference, EntrySource.VENDOR, note or "the vendor changed its mind")
    release(task)


def booked(task: Task) -> Decimal:
    """What the ledger says that a task cost, in the task's unit."""
    rows = _entries(task, *SPENT).filter(unit=task.unit)
    return rows.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)


def _entries(task: Task, *kinds: EntryKind) -> QuerySet[UsageEntry]:
    return UsageEntry.objects.filter(task=task, kind__in=kinds)


def budget_left(key: ProviderKey) -> Decimal | None:
    """What this month's budget of a key still allows, in the vendor's unit; None without a budget.

    What is held for open tasks counts as used, also from before the month: it will be spent in it. A hold that a
    silent vendor left behind counts in its own month alone. Never below zero.
    """
    if key.monthly_budget is None:
        return None
    month = timezone.now().astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    counted = Q(kind__in=(*HELD, *SPENT), at__gte=month) | Q(kind__in=HELD, task__state__in=TaskState.open())
    rows = UsageEntry.objects.filter(counted, key=key, unit=key.translator.unit)
    used = rows.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
    return max(Decimal(0), key.monthly_budget - used)


class Totals(TypedDict):
    reserved: Decimal
    settled: Decimal


def totals(keys: Iterable[ProviderKey] | None = None) -> dict[str, dict[str, Totals]]:
    """What is held and what is spent, per key label and unit; units are never added together."""
    rows = UsageEntry.objects.values_list("key__label", "unit", "kind").annotate(sum=Sum("amount")).order_by()
    if keys is not None:
        rows = rows.filter(key__in=list(keys))
    found: dict[str, dict[str, Totals]] = {}
    for label, unit, kind, amount in rows:
        line = found.setdefault(label, {}).setdefault(unit, Totals(reserved=Decimal(0), settled=Decimal(0)))
        if kind in HELD:
            line["reserved"] += amount
        elif kind in SPENT:
            line["settled"] += amount
    return found
