"""What administrators watch: the figures of the whole house, and the list of clips behind each. Only reads.

Figures and lists come from the same queries, so that a number and what stands behind it cannot differ.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Count, Exists, F, Min, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from generations import callbacks, health, saving, words
from generations.models import (
    Attempt,
    Creation,
    CreationState,
    KeyProblem,
    KeyState,
    ProviderKey,
    Task,
    TaskState,
    VendorRequest,
)
from generations.providers import PROVIDERS
from generations.providers.base import CallKind

PAGE = 50
DAY = timedelta(days=1)
MADE = (TaskState.ARCHIVING, TaskState.SUCCEEDED, TaskState.LOST)  # the vendor finished them


def _in_states(*states: TaskState) -> Callable[[], QuerySet[Task]]:
    return lambda: Task.objects.filter(state__in=states)


def _not_answering() -> QuerySet[Task]:
    return Task.objects.filter(state__in=words.FOLLOWED, poll_errors__gte=words.SILENT_AFTER)


def _at_risk() -> QuerySet[Task]:
    return Task.objects.filter(Exists(saving.at_risk().filter(task=OuterRef("pk"))))


LISTS: Mapping[str, Callable[[], QuerySet[Task]]] = {
    "finished": _in_states(*MADE),
    "archived": _in_states(TaskState.SUCCEEDED),
    "pending": _in_states(TaskState.ARCHIVING),
    "at-risk": _at_risk,
    "lost": _in_states(TaskState.LOST),
    "uncertain": _in_states(TaskState.UNCERTAIN),
    "overdue": health.overdue,
    "not-answering": _not_answering,
}


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. ``next_before`` is where the next page begins, None on the last one."""

    tasks: Sequence[Task]
    next_before: UUID | None


def page_of(name: str, before: UUID | None = None) -> Page:
    """One page of a list, in a fixed number of queries. Each task has its next deadline, where one runs."""
    tasks = LISTS[name]().order_by("-pk")
    if before:
        tasks = tasks.filter(pk__lt=before)
    pending = Q(creations__state=CreationState.PENDING)
    tasks = tasks.annotate(deadline=Min("creations__deadline", filter=pending))
    tasks = tasks.select_related("owner", "key", "attempt").prefetch_related("creations")
    found = list(tasks[: PAGE + 1])
    return Page(found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None)


def counts() -> dict[str, int]:
    """The figure of every list, by its name."""
    states = dict(Task.objects.order_by().values_list("state").annotate(Count("pk")))
    return {
        "finished": sum(states.get(state, 0) for state in MADE),
        "archived": states.get(TaskState.SUCCEEDED, 0),
        "pending": states.get(TaskState.ARCHIVING, 0),
        "lost": states.get(TaskState.LOST, 0),
        "uncertain": states.get(TaskState.UNCERTAIN, 0),
        **{name: LISTS[name]().count() for name in ("at-risk", "overdue", "not-answering")},
    }


def copies_at_risk() -> int:
    """How many clips: one with two outputs is one. Every page of staff asks, so from the few copies, not the clips."""
    return saving.at_risk().order_by().values("task").distinct().count()


def worker() -> health.Figures:
    return health.figures()


def callback_figures() -> list[callbacks.Figures]:
    return callbacks.figures()


def held_keys() -> list[ProviderKey]:
    """Keys that take no new work although nobody put them away, with the number of clips that wait for them."""
    waiting = Count("tasks", filter=Q(tasks__state=TaskState.WAITING))
    keys = ProviderKey.objects.annotate(waiting=waiting).order_by("provider", "label")
    return list(keys.filter(~Q(problem=KeyProblem.NONE) | Q(state=KeyState.DRAINING)).exclude(state=KeyState.DISABLED))


@dataclass(frozen=True, slots=True)
class RequestLine:
    """What the clips sent to a vendor since yesterday cost in requests, on average; a list serves many."""

    vendor: str
    sent: int
    per_task: Mapping[str, float]


def request_lines() -> list[RequestLine]:
    since = timezone.now() - DAY
    sent = Attempt.objects.filter(sent_at__gte=since).order_by().values_list("provider").annotate(Count("pk"))
    made = VendorRequest.objects.filter(attempt__sent_at__gte=since).order_by()
    times = made.values_list("attempt__provider", "kind").annotate(Sum("times"))
    return list(_lines(dict(sent), times))


def _lines(sent: Mapping[str, int], times: Iterable[tuple[str, str, int]]) -> Iterable[RequestLine]:
    by_kind = {(provider, kind): number for provider, kind, number in times}
    for slug, number in sorted(sent.items()):
        kinds = (CallKind.CREATE, CallKind.QUERY, CallKind.LIST, CallKind.MEDIA)
        per_task = {kind.value: by_kind.get((slug, kind.value), 0) / number for kind in kinds}
        yield RequestLine(PROVIDERS[slug].name if slug in PROVIDERS else slug, number, per_task)


def next_deadline() -> Creation | None:
    """The copy whose link dies first."""
    return Creation.objects.filter(state=CreationState.PENDING).order_by(F("deadline")).first()
