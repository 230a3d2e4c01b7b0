"""What lies under the figures: rows of the ledger and clips that ended, page by page and for exports."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from generations import totals
from generations.models import Task, TaskState, UsageEntry
from generations.reports.filters import UNCONFIRMED, Filters

PAGE = 50
CHUNK = 1000
ROWS_OF_A_CLIP = 4  # nearly always no more
KNOWN = Q(charge__isnull=False)
CHARGES = {
    UNCONFIRMED: Q(charge=None),
    "none": Q(charge=0),
    "some": Q(charge__gt=0),
    "known": KNOWN,
    # As ``totals`` counts them.
    "compared": KNOWN & Q(estimate__isnull=False) & (Q(estimate_unit="") | Q(estimate_unit=F("unit"))),
}
ENDED_AT = Coalesce("made_at", "finished_at")
ENDED_BY_TASK = Coalesce("task__made_at", "task__finished_at")
DEFERRED = ("key__secret_cipher", "key__options", "key__note", "task__options", "task__prompt_text")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """``before`` is where the next page begins, "" on the last one."""

    rows: list[Row]
    before: str


def entries(filters: Filters) -> QuerySet[UsageEntry]:
    """The rows of the ledger under a report's figures: those that were booked in the time."""
    rows = _of_kinds(filters).filter(filters.rows())
    return rows.filter(at__gte=filters.span.begins_at, at__lt=filters.span.ends_at)


def _of_kinds(filters: Filters) -> QuerySet[UsageEntry]:
    return UsageEntry.objects.filter(kind__in=filters.kinds) if filters.kinds else UsageEntry.objects.all()


def clips(filters: Filters) -> QuerySet[Task]:
    """The clips under a report's figures: those whose outcome was noticed in the time; ``ended`` tells when."""
    rows = Task.objects.filter(filters.rows(person="owner")).annotate(ended=ENDED_AT)
    rows = rows.filter(ended__gte=filters.span.begins_at, ended__lt=filters.span.ends_at)
    # "Not in" and not "in": an index of states would be taken for a better way than that of the time, which it is not.
    rows = rows.exclude(state__in=set(TaskState.values) - set(filters.states or totals.ENDED))
    return rows.filter(CHARGES[filters.charge]) if filters.charge else rows


# --- Page by page --------------------------------------------------------------------------------------------


def page_of_entries(filters: Filters, before: str = "") -> Page[UsageEntry]:
    """The newest first, by time and number, so that no page costs more than the first."""
    rows = entries(filters).order_by("-at", "-id")
    if place := _place(before, _number):
        rows = rows.filter(Q(at__lt=place[0]) | Q(pk__lt=place[1]), at__lte=place[0])
    found = list(rows.values_list("at", "pk")[: PAGE + 1])  # what is sorted is narrow; the rest is fetched for a page
    whole = UsageEntry.objects.select_related("key", "person", "task__owner", "actor").defer(*DEFERRED)
    shown = whole.filter(pk__in=[pk for _, pk in found[:PAGE]]).order_by("-at", "-id")
    return Page(list(shown), _before(found))


def page_of_clips(filters: Filters, before: str = "") -> Page[Task]:
    rows: QuerySet[Any] = clips(filters)
    rows = rows.order_by("-ended", "-pk")
    if place := _place(before, UUID):
        rows = rows.filter(Q(ended__lt=place[0]) | Q(pk__lt=place[1]), ended__lte=place[0])
    found = list(rows.values_list("ended", "pk")[: PAGE + 1])
    whole = Task.objects.select_related("key", "owner").defer("key__secret_cipher", "key__options", "key__note")
    shown = {task.pk: task for task in whole.filter(pk__in=[pk for _, pk in found[:PAGE]])}
    return Page([shown[pk] for _, pk in found[:PAGE]], _before(found))


def _before(found: Sequence[tuple[datetime, object]]) -> str:
    """Of one more than a page, the place of its last row."""
    return f"{found[PAGE - 1][0].isoformat()}~{found[PAGE - 1][1]}" if len(found) > PAGE else ""


def _number(text: str) -> int:
    """Of a row; what no database holds is none."""
    if len(text) >= 19:
        raise ValueError(text)
    return int(text)


def _place(text: str, number: Callable[[str], Any]) -> tuple[datetime, Any] | None:
    at, _, pk = text.partition("~")
    with suppress(ValueError, OverflowError):  # at the ends of the calendar another zone has no such day
        moment = datetime.fromisoformat(at)
        return (moment.astimezone(UTC), number(pk[:36])) if moment.tzinfo else None
    return None


# --- All of them, a few at a time ----------------------------------------------------------------------------


def chunks(filters: Filters, columns: Sequence[str], size: int = CHUNK) -> Iterator[list[tuple[Any, ...]]]:
    """These columns of all rows of the ledger, as they stand now; the first two must be "at" and "pk".

    The oldest first; where the figures are of clips, clip by clip in the order of their ends, all rows of each,
    whenever they were booked. In short queries, so that no long one holds up the database. Rows are only ever added,
    with growing numbers: what comes while this runs is left out.
    """
    newest = UsageEntry.objects.aggregate(pk=Max("pk"))["pk"] or 0
    if not filters.of_clips:
        return _pieces(entries(filters).filter(pk__lte=newest), "at", columns, size)
    rows = _of_kinds(filters).filter(pk__lte=newest)
    return _by_clip(filters, rows.order_by(ENDED_BY_TASK, "task", "at", "id"), columns, size)


def _by_clip(
    filters: Filters, rows: QuerySet[UsageEntry], columns: Sequence[str], size: int
) -> Iterator[list[tuple[Any, ...]]]:
    """A clip that ends while this runs, or is found ready after all, does not come twice."""
    ended: QuerySet[Any] = clips(filters)
    ended = ended.filter(ended__lte=timezone.now())
    for found in _pieces(ended, "ended", ("ended", "pk"), -(-size // ROWS_OF_A_CLIP)):
        if under := list(rows.filter(task__in=[pk for _, pk in found]).values_list(*columns)):
            yield under


def _pieces(rows: QuerySet[Any], time: str, columns: Sequence[str], size: int) -> Iterator[list[tuple[Any, ...]]]:
    """By time and number, so that no piece costs more than the first; these must be the first two columns."""
    ordered = rows.order_by(time, "pk").values_list(*columns)
    place: tuple[Any, ...] | None = None
    while True:
        rest = ordered
        if place is not None:
            rest = rest.filter(Q(**{f"{time}__gt": place[0]}) | Q(pk__gt=place[1]), **{f"{time}__gte": place[0]})
        found = list(rest[:size])
        if found:
            yield found
        if len(found) < size:
            return
        place = found[-1][:2]
