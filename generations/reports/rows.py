"""What lies under the figures: rows of the ledger and clips that ended, page by page and for exports."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from django.db.models import Max, Q, QuerySet

from generations import totals
from generations.models import Task, UsageEntry
from generations.reports.filters import UNCONFIRMED, Filters

PAGE = 50
CHUNK = 2000
CHARGES = {UNCONFIRMED: Q(charge=None), "none": Q(charge=0), "some": Q(charge__gt=0)}
JOINED = ("key", "person", "task", "task__attempt")
DEFERRED = ("key__secret_cipher", "key__options", "key__note", "task__options", "task__prompt_text")
Row = TypeVar("Row")
Place = tuple[datetime, int]  # of a row in the order of the ledger


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """``before`` is where the next page begins, "" on the last one."""

    rows: list[Row]
    before: str


def entries(filters: Filters) -> QuerySet[UsageEntry]:
    """The rows of the ledger under a report's figures. With a state or a charge only those of clips."""
    rows = UsageEntry.objects.filter(filters.rows(), at__gte=filters.span.begins_at, at__lt=filters.span.ends_at)
    if filters.kinds:
        rows = rows.filter(kind__in=filters.kinds)
    if filters.states or filters.charge:
        # Through a subquery of ids the database would walk all clips of that state; through the rows it looks up few.
        rows = rows.filter(_of_task("task__", filters))
    return rows


def clips(filters: Filters) -> QuerySet[Task]:
    """The clips under a report's figures: those whose outcome was noticed in the time."""
    begin, end = filters.span.begins_at, filters.span.ends_at
    made = Q(made_at__gte=begin, made_at__lt=end)
    others = Q(made_at=None, finished_at__gte=begin, finished_at__lt=end)
    rows = Task.objects.filter(made | others, filters.rows(person="owner"), state__in=filters.states or totals.ENDED)
    return rows.filter(CHARGES[filters.charge]) if filters.charge else rows


def _of_task(prefix: str, filters: Filters) -> Q:
    found = Q()
    if filters.states:
        found &= Q(**{f"{prefix}state__in": filters.states})
    if filters.charge:
        wanted = CHARGES[filters.charge]
        found &= Q(*[(f"{prefix}{child[0]}", child[1]) for child in wanted.children if isinstance(child, tuple)])
        found &= Q(**{f"{prefix}state__in": totals.ENDED})
    return found


# --- Page by page --------------------------------------------------------------------------------------------


def page_of_entries(filters: Filters, before: str = "") -> Page[UsageEntry]:
    """The newest first, by time and number, so that no page costs more than the first."""
    rows = entries(filters).select_related("key", "person", "task", "actor").defer(*DEFERRED).order_by("-at", "-id")
    if place := _place(before):
        at, pk = place
        rows = rows.filter(Q(at__lt=at) | Q(pk__lt=pk), at__lte=at)
    found = list(rows[: PAGE + 1])
    last = found[PAGE - 1] if len(found) > PAGE else None
    return Page(found[:PAGE], f"{last.at.isoformat()}~{last.pk}" if last else "")


def page_of_clips(filters: Filters, before: str = "") -> Page[Task]:
    rows = clips(filters).select_related("key", "owner").defer("key__secret_cipher", "key__options", "key__note")
    with suppress(ValueError):
        rows = rows.filter(pk__lt=UUID(before))
    found = list(rows.order_by("-pk")[: PAGE + 1])
    return Page(found[:PAGE], str(found[PAGE - 1].pk) if len(found) > PAGE else "")


def _place(text: str) -> Place | None:
    at, _, pk = text.partition("~")
    with suppress(ValueError):
        moment = datetime.fromisoformat(at)
        return (moment, int(pk)) if moment.tzinfo and len(pk) < 19 else None
    return None


# --- All of them, a few at a time ----------------------------------------------------------------------------


def chunks(filters: Filters, size: int = CHUNK) -> Iterator[list[UsageEntry]]:
    """All rows, the oldest first, as they stand now: in short queries, so that no long one holds up the database.

    Rows are only ever added, with growing numbers: what comes while this runs is left out.
    """
    newest = UsageEntry.objects.aggregate(pk=Max("pk"))["pk"] or 0
    rows = entries(filters).filter(pk__lte=newest).select_related(*JOINED).defer(*DEFERRED).order_by("at", "id")
    place: Place | None = None
    while True:
        rest = rows if place is None else rows.filter(Q(at__gt=place[0]) | Q(pk__gt=place[1]), at__gte=place[0])
        found = list(rest[:size])
        if found:
            yield found
        if len(found) < size:
            return
        place = (found[-1].at, found[-1].pk)
