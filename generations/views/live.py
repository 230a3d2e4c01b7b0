"""How an open page learns what changed: one poller, 204 while nothing did, changed cards out of band otherwise."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zlib import crc32

from django.contrib.auth.decorators import login_required
from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.dateparse import parse_datetime
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from generations import pace, queries, words
from generations.models import Task, TaskState, User
from generations.views.frame import HtmxHttpRequest

FRESH = timedelta(minutes=1)
LISTS_WITH_WAITING = ("", "running")  # and with any cards that can still change
NOTHING = UUID(int=0)  # older than every task: the page shows none


@dataclass(frozen=True, slots=True)
class Watch:
    """What a page shows and how long it has known it. It travels with every poll and comes back renewed."""

    scope: str = queries.MINE
    state: str = ""
    search: str = ""
    cursor: datetime | None = None
    oldest: UUID | None = None
    newest: UUID | None = None  # None: no upper edge
    pace: int | None = None  # seconds between polls; None waits for the page to be looked at again
    line: str | None = None  # the places in line that it shows, in a word
    until: int | None = None  # when this pace is too quick, in seconds since 1970

    @classmethod
    def read(cls, data: Mapping[str, str]) -> "Watch":
        """From an address or a form. What cannot be read counts as not said."""
        newest = uuid_or_none(data.get("newest", "")) or (NOTHING if "newest" in data else None)
        until = data.get("until", "")
        return cls(
            scope=data.get("scope") or queries.MINE,
            state=data.get("state", ""),
            search=data.get("q", "").replace("\0", "").strip()[:200],
            cursor=_moment(data.get("v", "")),
            oldest=uuid_or_none(data.get("oldest", "")),
            newest=newest,
            line=data.get("line"),
            until=int(until) if until.isdecimal() and len(until) <= 12 else None,
        )

    @property
    def v(self) -> str:
        return self.cursor.isoformat(timespec="microseconds") if self.cursor else ""

    def holds(self, task: Task) -> bool:
        """Whether the page has a card of this task; a card that it does not have cannot be replaced."""
        if self.newest is not None and task.pk > self.newest:
            return False
        if self.oldest is not None and task.pk < self.oldest:
            return False
        words_found = all(word.lower() in task.prompt_text.lower() for word in self.search.split())
        return words_found and self.state in LISTS_WITH_WAITING

    def showing(self, tasks: list[Task]) -> "Watch":
        """The same watch, with its edges moved so far that it holds ``tasks`` too."""
        ids = [task.pk for task in tasks]
        older = [*ids, *([self.oldest] if self.oldest else [])]
        newer = [*ids, self.newest or NOTHING]
        return replace(self, oldest=min(older, default=None), newest=max(newer))

    def at_pace(self, user: User) -> "Watch":
        """Quick while something of theirs is young, steady while anything runs, else slow or not at all."""
        own = Task.objects.filter(owner=user, state__in=TaskState.open()).order_by("-pk")
        youngest = own.values_list("created_at", flat=True).first()
        if youngest and timezone.now() - youngest < FRESH:
            return replace(self, pace=2, until=int((youngest + FRESH).timestamp()))
        team = self.scope == queries.TEAM
        busy = bool(youngest) or (team and queries.tasks_for(user).filter(state__in=TaskState.open()).exists())
        return replace(self, pace=4 if busy else 30 if team else None, until=None)

    @property
    def pace_is_over(self) -> bool:
        return self.until is not None and timezone.now().timestamp() >= self.until


def _moment(text: str) -> datetime | None:
    # A "+" that nobody encoded arrives as a space.
    try:
        found = parse_datetime(text.replace(" ", "+") if text.count(" ") == 1 and "T" in text else text)
        return found.astimezone(UTC) if found and timezone.is_aware(found) else None
    except (ValueError, OverflowError):
        return None


def uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


@login_required
@require_GET
@cache_control(no_store=True)
def live(request: HtmxHttpRequest) -> HttpResponse:
    watch = Watch.read(request.GET)
    newest = queries.newest_change(request.user, watch.scope)
    moved, line = _moved_in_line(request.user, watch, anew=newest != watch.cursor)
    if newest == watch.cursor and not moved and not watch.pace_is_over:
        return unchanged(request)
    changed = queries.changed_since(request.user, watch.scope, watch.cursor) if newest != watch.cursor else []
    context = {
        "watch": replace(watch, cursor=newest, line=line).at_pace(request.user),
        "news": words.news([task for task in changed if _just_ended(task, request.user, watch.cursor)]),
        **cards(_to_show(changed, moved, watch)),
    }
    if watch.newest is not None and any(task.pk > watch.newest for task in changed):
        context["newer"] = _count_newer(request.user, watch)
    return varied(render(request, "generations/partials/live_news.html", context))


def unchanged(request: HttpRequest) -> HttpResponse:
    return varied(HttpResponse(status=204))


def varied(response: HttpResponse) -> HttpResponse:
    """One address, two bodies: a fragment for htmx and a page for a browser."""
    patch_vary_headers(response, ["HX-Request"])
    return response


def cards(tasks: list[Task]) -> dict[str, object]:
    """What ``partials/task_card.html`` needs, for any number of cards in the same number of queries."""
    prefetch_related_objects(tasks, "task_inputs")
    return {
        "tasks": tasks,
        "places": queries.places_in_line(tasks),
        "expectations": pace.expectations(tasks),
    }


def _moved_in_line(user: User, watch: Watch, *, anew: bool) -> tuple[list[Task], str]:
    """What waits and stands elsewhere in line than the page shows, and the word for the line as it is.

    A page that shows none of them is asked no more than before: whoever joins the line is news by itself.
    """
    if watch.state not in LISTS_WITH_WAITING or not (anew or watch.line):
        return [], watch.line or ""
    waiting = list(queries.waiting_of(user, watch.scope).only("pk", "state", "key_id"))
    line = line_word(waiting)
    moved = waiting and watch.line is not None and line != watch.line
    return (queries.with_relations(waiting) if moved else []), line


def line_word(waiting: Iterable[Task]) -> str:
    """Changes when the place in line of any of these changes: whoever leaves it moves all behind, and tells nobody."""
    places = queries.places_in_line(waiting)
    return f"{crc32(repr(sorted(places.items())).encode()):08x}" if places else ""


def _to_show(changed: list[Task], waiting: list[Task], watch: Watch) -> list[Task]:
    """The cards of the page that changed, and those that moved in line."""
    known = {task.pk for task in changed}
    return [task for task in (*changed, *(t for t in waiting if t.pk not in known)) if watch.holds(task)]


def _just_ended(task: Task, user: User, cursor: datetime | None) -> bool:
    return bool(task.owner_id == user.pk and cursor and task.finished_at and task.finished_at > cursor)


def _count_newer(user: User, watch: Watch) -> int:
    page = queries.feed(user, scope=watch.scope, state=watch.state, search=watch.search)
    return sum(task.pk > (watch.newest or NOTHING) for task in page.tasks)
