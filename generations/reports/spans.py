"""The time that a report is about: whole days of the books."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from generations import totals
from generations.models import Grain

MONTH, LAST_MONTH, WEEK, DAYS, YEAR, OWN = "month", "last-month", "7-days", "30-days", "year", "own"
PRESETS = (
    (MONTH, gettext_lazy("This month")),
    (LAST_MONTH, gettext_lazy("Last month")),
    (WEEK, gettext_lazy("Last 7 days")),
    (DAYS, gettext_lazy("Last 30 days")),
    (YEAR, gettext_lazy("This year")),
    (OWN, gettext_lazy("Own dates")),
)
MOST_DAYS = 100  # a report by day is longer than anybody reads beyond it
FIRST_YEAR, LAST_YEAR = 2000, 2200  # outside of them a calendar is a typing error
ONE_DAY = timedelta(days=1)


class Unclear(ValueError):
    """A wish that cannot be met; its text is for whoever wished."""


@dataclass(frozen=True, slots=True)
class Span:
    """From the first day to the last, both included."""

    first: date
    last: date
    preset: str = OWN

    @classmethod
    def read(cls, preset: str, first: str, last: str) -> "Span":
        """Raises Unclear where the wish cannot be read."""
        if preset == OWN:
            return cls.between(_day(first), _day(last))
        return cls.of(preset or MONTH)

    @classmethod
    def between(cls, first: date, last: date) -> "Span":
        if first > last:
            raise Unclear(_("The first day lies after the last day. Change one of them."))
        return cls(first, last)

    @classmethod
    def of(cls, preset: str) -> "Span":
        """A period that moves with the calendar. The running month and year count whole: their end has no rows yet."""
        today = totals.today()
        month = totals.month_of(today)
        if preset == MONTH:
            return cls(month, totals.next_month(month) - ONE_DAY, preset)
        if preset == LAST_MONTH:
            return cls(totals.month_of(month - ONE_DAY), month - ONE_DAY, preset)
        if preset == YEAR:
            return cls(date(today.year, 1, 1), date(today.year, 12, 31), preset)
        if preset in (WEEK, DAYS):
            return cls(today - timedelta(days=6 if preset == WEEK else 29), today, preset)
        raise Unclear(_("There is no such period. Choose one of the list."))

    @property
    def after(self) -> date:
        """The first day that is not in it any more."""
        return self.last + ONE_DAY

    @property
    def days(self) -> int:
        return (self.after - self.first).days

    @property
    def begins_at(self) -> datetime:
        return totals.starts_at(self.first)

    @property
    def ends_at(self) -> datetime:
        """The first moment after it."""
        return totals.starts_at(self.after)

    @property
    def rated_on(self) -> date:
        """The day whose rates count: the last one of the period that has come."""
        return max(self.first, min(self.last, totals.today()))

    def sums(self) -> Q:
        """The sums that make up this time: whole months as such, what is left at its ends by the day."""
        begin, end = self.first, self.after
        whole = begin if begin.day == 1 else totals.next_month(begin)
        rest = totals.month_of(end)
        if whole >= rest:
            return self.by_day()
        found = Q(grain=Grain.MONTH, starts_on__gte=whole, starts_on__lt=rest)
        for first, after in ((begin, whole), (rest, end)):
            if first < after:
                found |= Q(grain=Grain.DAY, starts_on__gte=first, starts_on__lt=after)
        return found

    def sums_cut_at(self, days: Sequence[date]) -> Q:
        """The same, none of them from before one of these days to after it."""
        edges = [self.first, *days, self.after]
        found = Q()
        for first, after in pairwise(edges):
            found |= Span(first, after - ONE_DAY).sums()
        return found

    def by_day(self) -> Q:
        return Q(grain=Grain.DAY, starts_on__gte=self.first, starts_on__lt=self.after)

    def list_days(self) -> list[date]:
        """Those that have come, so that a month's end is no row of nothing."""
        last = max(self.first, min(self.last, totals.today()))
        return [self.first + timedelta(days=number) for number in range((last - self.first).days + 1)]

    def list_months(self) -> list[date]:
        return list(self._months())

    def _months(self) -> Iterator[date]:
        month, last = totals.month_of(self.first), max(self.first, min(self.last, totals.today()))
        while month <= last:
            yield month
            month = totals.next_month(month)

    def of_day(self, day: date) -> "Span":
        return Span(day, day)

    def of_month(self, month: date) -> "Span":
        """That month, as far as it lies in this time."""
        return Span(max(self.first, month), min(self.last, totals.next_month(month) - ONE_DAY))


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        if not text:
            raise Unclear(_("Choose the first and the last day.")) from None
        told = {"text": text[:20]}
        raise Unclear(_("“%(text)s” is not a day. Write it like 2026-11-21.") % told) from None
    if not FIRST_YEAR <= day.year < LAST_YEAR:
        raise Unclear(_("“%(text)s” lies too far away. Choose a day between 2000 and 2199.") % {"text": text[:20]})
    return day
