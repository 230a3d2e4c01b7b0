"""Which keys belong to one account: no vendor says so, but the keys of an account see one balance."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter

from django.db.models import Case, F, Q, Sum, When
from django.db.models.functions import Abs, Coalesce, NullIf

from generations import ledger
from generations.models import BalanceReading, EntryKind, ProviderKey, Task, UsageEntry

AROUND = timedelta(minutes=15)  # we notice an end so much later than the vendor books it, or never earlier
NEAR = timedelta(hours=2)  # the last reading of each hour is kept: one of another key is never farther away
MONEY = Task._meta.get_field("charge")


def sharing(key: ProviderKey, from_at: datetime, to_at: datetime) -> list[ProviderKey]:
    """The key, and the others at its address whose readings show the same account in that time."""
    own = _readings(key, from_at, to_at)
    others = ProviderKey.objects.filter(provider=key.provider, base_url=key.base_url).exclude(pk=key.pk)
    return [key, *(other for other in others.order_by("pk") if _is_same(key, own, other))]


def _readings(key: ProviderKey, from_at: datetime, to_at: datetime) -> list[BalanceReading]:
    return list(BalanceReading.objects.filter(key=key, at__range=(from_at, to_at)).order_by("at"))


def _is_same(key: ProviderKey, own: Sequence[BalanceReading], other: ProviderKey) -> bool:
    """Whether each reading lies where the other key's readings around it leave room, and at least one could be held
    against them. Two accounts may have the same left once; then money flows, and they part.
    """
    theirs = _readings(other, own[0].at - NEAR, own[-1].at + NEAR)
    near = [(each, around) for each in own if (around := _around(each, theirs))]
    return bool(near) and all(_fits(each, around, (key, other)) for each, around in near)


def _around(reading: BalanceReading, others: Sequence[BalanceReading]) -> list[BalanceReading]:
    """The last one before it and the first one after it, as far as they are near enough to tell anything."""
    until = bisect_right(others, reading.at, key=attrgetter("at"))
    after = bisect_left(others, reading.at, key=attrgetter("at"))
    found = [*others[:until][-1:], *others[after:][:1]]
    return [each for each in found if abs(each.at - reading.at) <= NEAR]


def _fits(reading: BalanceReading, around: Sequence[BalanceReading], keys: Sequence[ProviderKey]) -> bool:
    """Between two moments a balance runs from one to the other; but for what we know to have moved meanwhile."""
    least, most = min(each.balance for each in around), max(each.balance for each in around)
    beyond = max(least - reading.balance, reading.balance - most)
    if beyond <= 0:
        return True
    ends = [reading.at, *(each.at for each in around)]
    return beyond <= _moved(keys, min(ends), max(ends)) + under_way(keys, reading.at)


def _moved(keys: Sequence[ProviderKey], after: datetime, until: datetime) -> Decimal:
    """All that we booked between two moments, in whichever direction."""
    kinds = (*ledger.SPENT, EntryKind.TOP_UP)
    rows = UsageEntry.objects.filter(key__in=list(keys), kind__in=kinds, unit=keys[0].translator.unit)
    return rows.filter(at__gt=after, at__lte=until).aggregate(sum=Sum(Abs("amount")))["sum"] or Decimal(0)


def under_way(keys: Sequence[ProviderKey], *ends: datetime) -> Decimal:
    """What may have been taken on one side of these moments and booked on the other."""
    near = Q()
    for at in ends:
        over = Q(finished_at=None, made_at=None) | Q(made_at__gte=at - AROUND)
        over |= Q(made_at=None, finished_at__gte=at - AROUND)
        near |= Q(submitted_at__lte=at + AROUND) & over
    tasks = Task.objects.filter(near, attempt__key__in=list(keys))
    # What cost nothing in the end may have been taken at the create and given back.
    same_unit = When(estimate_unit__in=("", F("unit")), then="estimate")
    worth = Coalesce(NullIf("charge", Decimal(0)), "quote", Case(same_unit), output_field=MONEY)
    return tasks.aggregate(sum=Sum(worth))["sum"] or Decimal(0)
