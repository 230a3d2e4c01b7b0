"""The only writer of the usage ledger. Every function joins the caller's transaction; so do the sums of ``totals``."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypedDict
from uuid import uuid4

from django.db import IntegrityError, transaction
from django.db.models import Min, QuerySet, Sum
from django.utils import timezone

from generations import totals as sums
from generations.models import EntryKind, EntrySource, ProviderKey, Task, UsageEntry, User
from generations.providers.base import Money

SPENT = (EntryKind.SETTLE, EntryKind.REFUND, EntryKind.EXTERNAL, EntryKind.ADJUST)
HELD = (EntryKind.RESERVE, EntryKind.RELEASE)
MOST = Decimal(10) ** 10  # what a column of amounts holds, less one digit


class Absurd(ValueError):
    """An amount that no column holds, or that is not a number."""


def _write(
    task: Task,
    kind: EntryKind,
    amount: Decimal,
    source: EntrySource,
    note: str = "",
    unit: str = "",
    key_id: int | None = None,
    actor: User | None = None,
) -> UsageEntry:
    number = _entries(task, kind).count()
    entry = UsageEntry(
        at=timezone.now(),
        kind=kind,
        amount=_sane(amount),
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
        actor=actor,
        # Two that write the same line at once meet here: one of them is refused.
        once=f"{kind.value}:{task.pk}" + (f":{number}" if number else ""),
    )
    return _keep(entry)


def _keep(entry: UsageEntry) -> UsageEntry:
    with transaction.atomic():
        entry.save(force_insert=True)
        sums.add(entry)
    return entry


def _sane(amount: Decimal) -> Decimal:
    if not amount.is_finite() or abs(amount) >= MOST:
        raise Absurd(f"not an amount that can be booked: {amount}")
    return amount


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


def settle(
    task: Task,
    charge: Money,
    note: str = "",
    *,
    source: EntrySource = EntrySource.VENDOR,
    actor: User | None = None,
) -> UsageEntry | None:
    """Book what a task cost, once, and end the hold. A later and different word is adjusted, by a row of its own.

    Returns the row, None when the books say so already. A charge in another unit than the task's cannot be booked
    on it: ValueError, nothing is written.
    """
    if charge.unit != task.unit:
        raise ValueError(f"task {task.pk} is billed in {task.unit}, not {charge.unit}")
    entry = None
    if not _entries(task, EntryKind.SETTLE).exists():
        entry = _write(task, EntryKind.SETTLE, charge.amount, source, note, actor=actor)
    elif difference := charge.amount - booked(task):
        # A vendor that takes nothing any more has given the money back.
        kind = EntryKind.REFUND if charge.amount == 0 and source == EntrySource.VENDOR else EntryKind.ADJUST
        entry = _write(task, kind, difference, source, note or "the vendor changed its mind", actor=actor)
    release(task)
    return entry


def booked(task: Task) -> Decimal:
    """What the ledger says that a task cost, in the task's unit."""
    rows = _entries(task, *SPENT).filter(unit=task.unit)
    return rows.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)


def _entries(task: Task, *kinds: EntryKind) -> QuerySet[UsageEntry]:
    return UsageEntry.objects.filter(task=task, kind__in=kinds)


# --- Rows without a task of ours -----------------------------------------------------------------------------


def external(key: ProviderKey, remote_id: str, amount: Decimal, at: datetime, *, model: str, note: str) -> UsageEntry:
    """Book what the vendor says was spent on the key by somebody else, at the vendor's time; once per vendor task."""
    known = UsageEntry.objects.filter(once=_stranger(key, remote_id)).first()
    return known or _of_key(
        key, EntryKind.EXTERNAL, amount, EntrySource.VENDOR, at=at, model=model[:60], note=note,
        reference=remote_id, once=_stranger(key, remote_id),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stranger:
    """A task at the vendor that was not made here, and what it cost."""

    remote_id: str
    amount: Decimal
    at: datetime
    model: str
    note: str = ""


def externals(key: ProviderKey, strangers: Iterable[Stranger]) -> dict[str, UsageEntry]:
    """``external`` for many: one statement for the rows and one for each of their sums. By the vendor's id."""
    wanted = {_stranger(key, each.remote_id): each for each in strangers}
    with transaction.atomic():
        known = UsageEntry.objects.filter(once__in=list(wanted))
        found = {entry.reference: entry for entry in known}
        fresh = [
            UsageEntry(
                kind=EntryKind.EXTERNAL, amount=_sane(each.amount), unit=key.translator.unit, source=EntrySource.VENDOR,
                key=key, provider=key.provider, at=each.at, model=each.model[:60], note=each.note,
                reference=each.remote_id, once=once,
            )
            for once, each in wanted.items()
            if each.remote_id not in found
        ]  # fmt: skip
        for entry in UsageEntry.objects.bulk_create(fresh):
            found[entry.reference] = entry
        sums.add_all(fresh)
    return found


def take_back_external(provider: str, remote_id: str, reason: str, actor: User | None = None) -> None:
    """What was booked for a vendor's task as a stranger's is none of a stranger's: the task is ours."""
    if not remote_id:
        return
    rows = UsageEntry.objects.filter(task=None, reference=remote_id, provider=provider, kind__in=SPENT, reverses=None)
    for entry in rows.exclude(amount=0).order_by("pk"):
        reverse(entry, reason, actor)


def _stranger(key: ProviderKey, remote_id: str) -> str:
    """A vendor's task is one, however many keys of its account list it."""
    return f"external:{key.provider}:{remote_id}"


def top_up(key: ProviderKey, amount: Decimal, note: str, actor: User, token: str = "") -> UsageEntry:
    """Credits were bought: the balance grows, nothing is spent. The same token again is the same row."""
    return _of_key(
        key, EntryKind.TOP_UP, amount, EntrySource.ADMIN, note=note, actor=actor, once=_name("top-up", token)
    )


def adjust(
    key: ProviderKey, amount: Decimal, reason: str, actor: User, reference: str = "", token: str = ""
) -> UsageEntry:
    """An administrator corrects what was spent on a key. Raises ValueError without a reason."""
    if not reason.strip():
        raise ValueError("an adjustment needs a reason")
    return _of_key(
        key, EntryKind.ADJUST, amount, EntrySource.ADMIN, note=reason, actor=actor, reference=reference,
        once=_name("adjust", token),
    )  # fmt: skip


def reverse(entry: UsageEntry, reason: str, actor: User | None) -> UsageEntry:
    """Take a row back by its opposite, once. Holds are ended by ``release``, never here: ValueError."""
    if entry.kind in HELD or not reason.strip():
        raise ValueError("a hold ends with its task, and a reversal needs a reason")
    known = UsageEntry.objects.filter(reverses=entry).first()
    if known:
        return known
    names = ("unit", "price_list", "key_id", "provider", "person_id", "task_id", "model", "mode", "reference")
    kind = entry.kind if entry.kind in (EntryKind.EXTERNAL, EntryKind.TOP_UP) else EntryKind.ADJUST
    fields = {name: getattr(entry, name) for name in names}
    row = UsageEntry(
        kind=kind, amount=-entry.amount, source=EntrySource.ADMIN, note=reason, actor=actor, reverses=entry,
        once=f"reverse:{entry.pk}", **fields,
    )  # fmt: skip
    return _keep(row)


def _of_key(key: ProviderKey, kind: EntryKind, amount: Decimal, source: EntrySource, **fields: object) -> UsageEntry:
    unit = key.translator.unit
    entry = UsageEntry(
        kind=kind, amount=_sane(amount), unit=unit, source=source, key=key, provider=key.provider, **fields
    )
    try:
        return _keep(entry)
    except IntegrityError:  # somebody else booked it at this moment
        return UsageEntry.objects.get(once=entry.once)


def _name(kind: str, token: str) -> str:
    return f"{kind}:{token or uuid4().hex}"


# --- Reading -------------------------------------------------------------------------------------------------


class Totals(TypedDict):
    reserved: Decimal
    settled: Decimal


def totals(keys: Iterable[ProviderKey] | None = None) -> dict[str, dict[str, Totals]]:
    """What is held and what is spent, per key label and unit; units are never added together."""
    rows = sums.of_all_time().values_list("key__label", "unit", "kind").annotate(sum=Sum("amount")).order_by()
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
