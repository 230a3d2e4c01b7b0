"""Everything that was ever made, by day, with filters that are part of the address."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from generations import queries
from generations.models import Task, TaskState, User
from generations.models.tasks import MODE_CHOICES
from generations.views.frame import HtmxHttpRequest
from generations.views.live import cards, uuid_or_none, varied

PAGE = 24
ENDED = tuple(state for state in TaskState if state not in TaskState.open())
STATES = {
    "": (TaskState.SUCCEEDED,),
    "failed": (TaskState.FAILED, TaskState.LOST),
    "ended": ENDED,
}
STATE_WORDS = (
    ("", gettext_lazy("Ready")),
    ("failed", gettext_lazy("Failed")),
    ("ended", gettext_lazy("Everything that ended")),
)


@dataclass(frozen=True, slots=True)
class Filters:
    search: str = ""
    person: str = ""
    mode: str = ""
    state: str = ""

    @classmethod
    def read(cls, data: QueryDict) -> "Filters":
        """A value that no list offers filters nothing."""
        mode, state, person = data.get("mode", ""), data.get("state", ""), data.get("person", "")
        return cls(
            search=data.get("q", "").replace("\0", "").strip()[:200],
            person=person if person.isdecimal() and len(person) < 19 else "",
            mode=mode if mode in dict(MODE_CHOICES) else "",
            state=state if state in STATES else "",
        )

    @property
    def query(self) -> str:
        named = {"q": self.search, "person": self.person, "mode": self.mode, "state": self.state}
        return urlencode({name: value for name, value in named.items() if value})

    def apply(self, tasks: QuerySet[Task]) -> QuerySet[Task]:
        tasks = tasks.filter(state__in=STATES[self.state])
        if self.person:
            tasks = tasks.filter(owner=int(self.person))
        if self.mode:
            tasks = tasks.filter(mode=self.mode)
        for word in self.search.split()[:8]:
            tasks = tasks.filter(prompt_text__icontains=word)
        return tasks


@dataclass(frozen=True, slots=True)
class Day:
    """The clips of one day; ``heading`` is empty where the page above already has it."""

    heading: str
    tasks: list[Task]


@login_required
@require_GET
def library(request: HtmxHttpRequest) -> HttpResponse:
    filters = Filters.read(request.GET)
    before = uuid_or_none(request.GET.get("before", ""))
    tasks = filters.apply(queries.tasks_for(request.user)).order_by("-pk")
    if before:
        tasks = tasks.filter(pk__lt=before)
    page = list(tasks.select_related("owner", "key", "attempt", "batch").prefetch_related("creations")[: PAGE + 1])
    shown = page[:PAGE]
    context = {
        **cards(shown),
        "filters": filters,
        "days": list(by_day(shown, _day_of(before))),
        "next_before": shown[-1].pk if len(page) > PAGE else None,
    }
    if request.htmx and not request.htmx.history_restore_request:
        part = "library_page" if before else "library_results"
        return varied(render(request, f"generations/partials/{part}.html", context))
    context |= {
        "people": User.objects.filter(is_active=True).order_by("username"),
        "modes": MODE_CHOICES,
        "states": STATE_WORDS,
    }
    return varied(render(request, "generations/library.html", context))


def by_day(tasks: Iterable[Task], above: date | None = None) -> Iterable[Day]:
    for day, made in groupby(tasks, key=lambda task: timezone.localdate(task.created_at)):
        yield Day("" if day == above else _heading(day), list(made))


def _heading(day: date) -> str:
    today = timezone.localdate()
    if day == today:
        return _("Today")
    if day == today - timedelta(days=1):
        return _("Yesterday")
    return date_format(day, "DATE_FORMAT")


def _day_of(pk: UUID | None) -> date | None:
    """The day under which the page above ended."""
    made = Task.objects.filter(pk=pk).values_list("created_at", flat=True).first() if pk else None
    return timezone.localdate(made) if made else None
