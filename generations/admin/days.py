"""Years, months and days of the ledger to choose from, read from the sums: nobody counts through a million rows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy

from generations import totals
from generations.models import Grain, LedgerTotal

PARAMETER = "day"
_READS = re.compile(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?")


@dataclass(frozen=True, slots=True)
class Span:
    """A year, month or day of the books; ``end`` is the first day after it."""

    first: date
    end: date
    length: int  # 1: a year, 2: a month, 3: a day


def span_of(text: str) -> Span | None:
    """What an address names, None where it names nothing."""
    found = _READS.fullmatch(text)
    if not found:
        return None
    parts = [int(part) for part in found.groups() if part]
    try:
        first = date(*[*parts, 1, 1][:3])
        if len(parts) == 3:
            return Span(first, first + timedelta(days=1), 3)
        end = totals.next_month(first) if len(parts) == 2 else first.replace(year=first.year + 1)
    except (ValueError, OverflowError):
        return None
    return Span(first, end, len(parts))


class BookDays(admin.SimpleListFilter):
    """Chosen above the list, see ``links``; days are those of the books, whoever looks."""

    title = gettext_lazy("day")
    parameter_name = PARAMETER
    template = "admin/generations/usageentry/nothing.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("any", "")]  # a filter that offers nothing would not be asked

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        span = span_of(str(self.value()))
        if span is None:
            raise IncorrectLookupParameters
        return queryset.filter(at__gte=totals.starts_at(span.first), at__lt=totals.starts_at(span.end))


@dataclass(frozen=True, slots=True)
class Link:
    text: str
    address: str
    short: str = ""  # of a day within its month: the number


@dataclass(frozen=True, slots=True)
class Links:
    back: list[Link]
    here: str
    further: list[Link]


def links(listing: Any) -> Links:
    """The way back to larger spans, and the smaller ones in which there are rows."""
    span = span_of(str(listing.params.get(PARAMETER, "")))
    back, here = [], ""
    if span:
        back.append(Link(str(gettext_lazy("All dates")), listing.get_query_string(remove=[PARAMETER])))
        back += [_link(listing, span.first, length) for length in range(1, span.length)]
        here = _text(span.first, span.length)
    return Links(back, here, [_link(listing, day, length) for day, length in _within(span)])


def _within(span: Span | None) -> Iterator[tuple[date, int]]:
    if span and span.length == 3:
        return
    if span and span.length == 2:
        yield from ((day, 3) for day in _starts(Grain.DAY, span))
        return
    months = _starts(Grain.MONTH, span)
    years = sorted({month.replace(month=1) for month in months})
    yield from ((year, 1) for year in years) if not span and len(years) > 1 else ((month, 2) for month in months)


def _starts(grain: Grain, span: Span | None) -> list[date]:
    rows = LedgerTotal.objects.filter(grain=grain)
    if span:
        rows = rows.filter(starts_on__gte=span.first, starts_on__lt=span.end)
    return list(rows.order_by("starts_on").values_list("starts_on", flat=True).distinct())


def _link(listing: Any, day: date, length: int) -> Link:
    name = f"{day:%Y-%m-%d}"[: {1: 4, 2: 7, 3: 10}[length]]
    short = str(day.day) if length == 3 else ""
    return Link(_text(day, length), listing.get_query_string({PARAMETER: name}, remove=["p"]), short)


def _text(day: date, length: int) -> str:
    return str(day.year) if length == 1 else date_format(day, {2: "YEAR_MONTH_FORMAT", 3: "MONTH_DAY_FORMAT"}[length])
