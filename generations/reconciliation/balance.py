"""How far a balance moved beside what we booked: per UTC hour for the eye, over the whole span for the verdict.

A vendor takes its credits at the create or at the end, and we book when we notice: so only the span is judged, with
whatever was under way at its two ends for a tolerance. While a gap stands open its span begins where it began, and a
gap that was settled ends before the next span.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from django.db.models import QuerySet, Sum
from django.utils.dateparse import parse_datetime

from generations import ledger
from generations.models import (
    BalanceReading,
    Difference,
    DifferenceKind,
    DifferenceState,
    EntryKind,
    ProviderKey,
    Reconciliation,
    UsageEntry,
)
from generations.models.reconciliation import LEFT
from generations.reconciliation import accounts, outcomes
from generations.reconciliation.outcomes import DECIDED, Found

NAME = "balance"  # in the place of a vendor's id: a key has one such difference at a time


@dataclass(frozen=True, slots=True)
class Step:
    """From one reading to the next. ``gap``: what the balance fell by and we did not book."""

    from_at: datetime
    to_at: datetime
    balance: Decimal
    fell: Decimal
    booked: Decimal

    @property
    def gap(self) -> Decimal:
        return self.fell - self.booked


def steps(key: ProviderKey, from_at: datetime, to_at: datetime, keys: Sequence[ProviderKey] = ()) -> list[Step]:
    """One step for every hour that has a reading; booked is what ``keys`` spent together, this key unless told."""
    readings = list(BalanceReading.objects.filter(key=key, at__range=(from_at, to_at)).order_by("at"))
    if len(readings) < 2:
        return []
    rows = _rows(keys or [key], readings[0].at, readings[-1].at).order_by("at").values_list("at", "kind", "amount")
    moved = iter(rows.iterator())
    row, found = next(moved, None), []
    for before, after in pairwise(readings):
        booked = Decimal(0)
        while row is not None and row[0] <= after.at:
            booked += -row[2] if row[1] == EntryKind.TOP_UP else row[2]
            row = next(moved, None)
        found.append(Step(before.at, after.at, after.balance, before.balance - after.balance, booked))
    return found


def _rows(keys: Sequence[ProviderKey], after: datetime, until: datetime) -> QuerySet[UsageEntry]:
    """What moves a balance: spending, and what was bought."""
    unit = keys[0].translator.unit
    kinds = (*ledger.SPENT, EntryKind.TOP_UP)
    found = UsageEntry.objects.filter(key__in=list(keys), unit=unit, kind__in=kinds, at__gt=after, at__lte=until)
    return found.exclude(pk__in=_of_earlier_gaps(keys, after))


def _of_earlier_gaps(keys: Sequence[ProviderKey], before: datetime) -> list[int]:
    """Rows that settled a gap which had ended by then: booked later, they are no part of what moved since."""
    settled = Difference.objects.filter(key__in=list(keys), kind=DifferenceKind.BALANCE, entry__at__gt=before)
    return [row.entry_id for row in settled if row.entry_id and (end := _end_of(row)) and end <= before]


def _end_of(gap: Difference) -> datetime | None:
    """The last reading that was judged of it."""
    return parse_datetime(str(gap.facts.get("at") or "")) or gap.closed_at


def _begin_of(gap: Difference) -> datetime:
    return parse_datetime(str(gap.facts.get("from") or "")) or gap.found_at


def booked_now(gap: Difference) -> Decimal:
    """What the books have of its span by now, with what settled the same gap on another key of the account."""
    begin, end = parse_datetime(str(gap.facts.get("from") or "")), _end_of(gap)
    if begin is None or end is None:
        return gap.ours or Decimal(0)
    keys = list(ProviderKey.objects.filter(pk__in=gap.facts.get("keys") or [gap.key_id]))
    return _sum(_rows(keys, begin, end)) + _settled_beside(gap, keys, begin, end)


def _sum(rows: QuerySet[UsageEntry]) -> Decimal:
    """By how much these rows let a balance fall."""
    sums = rows.order_by().values_list("kind").annotate(sum=Sum("amount"))
    return sum((-amount if kind == EntryKind.TOP_UP else amount for kind, amount in sums), Decimal(0))


def _settled_beside(gap: Difference, keys: Sequence[ProviderKey], begin: datetime, end: datetime) -> Decimal:
    """The keys of an account see one gap, each on its own page: whoever books it twice has spent it twice."""
    others = Difference.objects.filter(key__in=list(keys), kind=DifferenceKind.BALANCE, entry__at__gt=end)
    same = [row for row in others.exclude(pk=gap.pk) if _begin_of(row) < end and (_end_of(row) or end) > begin]
    return _sum(UsageEntry.objects.filter(pk__in=[row.entry_id for row in same]))


def compare(run: Reconciliation) -> int:
    """Judge the span up to the run's end; returns how many differences stand open of it."""
    _tell_of_left(run)
    own = steps(run.key, _begins(run), run.to_at)
    if not own:
        return 0
    fell = sum((step.fell for step in own), Decimal(0))
    first, last = own[0].from_at, own[-1].to_at
    sharing, booked = [run.key], sum((step.booked for step in own), Decimal(0))
    if abs(fell - booked) > accounts.under_way(sharing, first, last):
        sharing = accounts.sharing(run.key, first, last)
        booked = sum((step.booked for step in steps(run.key, first, last, sharing)), Decimal(0))
    Reconciliation.objects.filter(pk=run.pk).update(balance_gap=fell - booked)
    facts = {"from": first.isoformat(), "at": last.isoformat(), "keys": [each.pk for each in sharing]}
    explained = abs(fell - booked) <= accounts.under_way(sharing, first, last)
    differs = [] if explained else [Found(DifferenceKind.BALANCE, run.key, NAME, booked, fell, facts=facts)]
    return outcomes.write(run, differs, [NAME])


def _tell_of_left(run: Reconciliation) -> None:
    """Gaps that were left as they are and reach into the window: it is explained but for them."""
    left = Difference.objects.filter(LEFT, key=run.key, kind=DifferenceKind.BALANCE, run__lt=run.pk)
    reaching = [gap.pk for gap in left if (end := _end_of(gap)) and end > run.from_at and _begin_of(gap) < run.to_at]
    Difference.objects.filter(pk__in=reaching).update(run=run)


def _begins(run: Reconciliation) -> datetime:
    """The reading from which on nothing is settled yet."""
    of_balance = Difference.objects.filter(key=run.key, kind=DifferenceKind.BALANCE)
    still_open = of_balance.filter(state=DifferenceState.OPEN).first()
    if still_open and (told := still_open.facts.get("from")):
        return datetime.fromisoformat(told)
    ends = [end for gap in of_balance.filter(state__in=DECIDED) if (end := _end_of(gap))]
    return max([run.from_at, *ends])
