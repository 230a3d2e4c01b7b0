"""What credits are worth in money, where an administrator entered a rate; nothing is said where none did."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from generations.models import Rate


@dataclass(frozen=True, slots=True)
class About:
    """An amount of money, and the oldest of the rates that made it."""

    amount: Decimal
    currency: str
    since: date


class Rates:
    """All rates that began by a day, read once. A key's own counts before a general one, a newer before an older."""

    def __init__(self, until: date, units: Iterable[str] = ()) -> None:
        rows = Rate.objects.filter(valid_from__lte=until, **({"unit__in": set(units)} if units else {}))
        self.found: dict[tuple[int | None, str], list[Rate]] = {}
        for rate in rows.order_by("-valid_from", "currency"):
            self.found.setdefault((rate.key_id, rate.unit), []).append(rate)

    def __bool__(self) -> bool:
        return bool(self.found)

    def on(self, day: date, unit: str, key: int | None) -> Rate | None:
        """The rate of that day."""
        for scope in (key, None):
            for rate in self.found.get((scope, unit), ()):
                if rate.valid_from <= day:
                    return rate
        return None

    def begin_within(self, first: date, last: date) -> list[date]:
        """The days after the first on which another rate begins to count."""
        days = {rate.valid_from for rates in self.found.values() for rate in rates}
        return sorted(day for day in days if first < day <= last)

    def about(self, unit: str, amounts: Mapping[tuple[date, int], Decimal]) -> About | None:
        """What amounts of several days and keys are worth together, each at the rate of its day.

        None unless all of them have a rate, in one currency.
        """
        found = [(amount, self.on(day, unit, key)) for (day, key), amount in amounts.items() if amount]
        rates = [rate for _, rate in found if rate]
        if not rates or len(rates) < len(found) or len({rate.currency for rate in rates}) > 1:
            return None
        total = sum((amount * rate.per_unit for amount, rate in found if rate), Decimal(0))
        return About(round(total, 2), rates[0].currency, min(rate.valid_from for rate in rates))
