"""Making share links, and what somebody sees of those they made: in the dialog of a clip, and on a page."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import cache_control
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from generations import addresses, queries, sharing
from generations.forms.share import ExtendForm, ShareForm, day_choices
from generations.limits import Limit, Locked, give_back
from generations.models import Creation, HouseRules, Role, ShareLink, ShareVisit, Task, User
from generations.sharing import LinkState
from generations.views.frame import HtmxHttpRequest
from generations.views.live import uuid_or_none, varied

MOST_OPEN, PAGE = 200, 30
MADE = Limit("share-link", 30, 600)  # by one person; the hash of a passphrase is costly on purpose
REVOKED = gettext_lazy("Revoked. From now on the link opens for nobody.")
REVOKED_BEFORE = gettext_lazy("This link was revoked before.")
EXTENDED = gettext_lazy("Extended. The address stays the same.")
NO_SUCH_END = gettext_lazy("Nothing was changed: this is not one of the days to choose from.")


@dataclass(frozen=True, slots=True)
class Row:
    """A link as lists show it. ``tasks`` is what it covers; of what its owner may not see any more, nothing is told."""

    link: ShareLink
    state: LinkState
    tasks: list[Task]
    people: list[ShareVisit]  # of the house, the latest first
    outside: ShareVisit | None
    may_extend: bool
    may_be_theirs: bool  # or it is open to anyone as somebody's who may not do that any more
    days: list[tuple[str, str]] = field(default_factory=list)

    @property
    def title(self) -> str:
        return self.link.label or (self.tasks[0].prompt_text if self.tasks else "")

    @property
    def picture(self) -> Creation | None:
        made = (queries.stored_clip(task) for task in self.tasks)
        return next((creation for creation in made if creation and creation.poster), None)

    @property
    def asking(self) -> list[ShareVisit]:
        """Who would like a new one, now that this one is no more."""
        return [visit for visit in self.people if visit.asked_at] if self.state != LinkState.OPEN else []


@sensitive_post_parameters("passphrase")
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(no_store=True, private=True)
def task_share(request: HtmxHttpRequest, pk: UUID) -> HttpResponse:
    """What a link to this clip or its batch should be, and those that there are."""
    task = queries.get_task(request.user, pk)
    if request.user.role == Role.AUDITOR:
        raise PermissionDenied
    if request.method != "POST":
        return _dialog(request, task, ShareForm(person=request.user, task=task))
    form = ShareForm(request.POST, person=request.user, task=task)
    if not form.is_valid():
        return _dialog(request, task, form, status=422)
    made = _make(request.user, form)
    if made is None:
        return _dialog(request, task, form, status=422)
    link, token = made
    blank = ShareForm(person=request.user, task=task)
    address = addresses.own(request.build_absolute_uri(reverse("share", args=[token])))
    return _dialog(request, task, blank, made=link, address=address)


def _make(person: User, form: ShareForm) -> tuple[ShareLink, str] | None:
    """The link and its token; without, the form says why."""
    try:
        place = MADE.take(str(person.pk))
    except Locked as locked:
        form.refuse_haste(locked)
        return None
    try:
        return form.save()
    except sharing.Refused as error:  # the rules were changed at this moment
        give_back(place)
        form.refuse(error)
        return None


@login_required
@require_safe
@cache_control(no_store=True, private=True)
def share_links(request: HtmxHttpRequest) -> HttpResponse:
    return _list(request)


@login_required
@require_POST
def share_revoke(request: HtmxHttpRequest, pk: UUID) -> HttpResponse:
    link = get_object_or_404(ShareLink.objects.select_related("owner", "task", "batch"), pk=pk)
    if not sharing.may_revoke(request.user, link):
        raise Http404("not theirs")
    return _afterwards(request, str(REVOKED if sharing.revoke(link, request.user) else REVOKED_BEFORE))


@login_required
@require_POST
def share_extend(request: HtmxHttpRequest, pk: UUID) -> HttpResponse:
    link = get_object_or_404(ShareLink.objects.select_related("owner", "task__owner", "batch__owner"), pk=pk)
    if not sharing.may_manage(request.user, link):
        raise Http404("not theirs")
    form = ExtendForm(request.POST, link=link, rules=HouseRules.now())
    if not form.is_valid():
        return _afterwards(request, str(NO_SUCH_END), status=422)
    try:
        sharing.extend(link, form.number)
    except sharing.Refused as error:
        return _afterwards(request, error.sentence, status=422)
    return _afterwards(request, str(EXTENDED))


@login_required
@require_POST
def share_revoke_all(request: HtmxHttpRequest) -> HttpResponse:
    """All that are one's own and open."""
    if request.user.role == Role.AUDITOR:
        raise PermissionDenied
    mine = sharing.still_open(sharing.links_of(request.user), HouseRules.now())
    number = sum(sharing.revoke(link, request.user) for link in mine)
    said = ngettext("%(number)d link is revoked.", "%(number)d links are revoked.", number)
    return _afterwards(request, said % {"number": number})


# --- Answers -----------------------------------------------------------------------------------------------------


def _is_fragment(request: HtmxHttpRequest) -> bool:
    return bool(request.htmx) and not request.htmx.history_restore_request


def _dialog(
    request: HtmxHttpRequest, task: Task, form: ShareForm, *, status: int = 200, **context: object
) -> HttpResponse:
    """``made`` and ``address`` tell of a new link, ``said`` of what was done with an old one."""
    links = rows(request.user, _with_visits(sharing.links_on(request.user, task)))
    context = {"task": task, "form": form, "links": links, "dialog": _is_fragment(request), **context}
    template = "partials/share_dialog.html" if _is_fragment(request) else "task_share.html"
    return varied(render(request, f"generations/{template}", context, status=status))


def _list(request: HtmxHttpRequest, status: int = 200, **context: object) -> HttpResponse:
    context = _own_links(request.user, uuid_or_none(request.GET.get("before", ""))) | context
    template = "partials/share_lists.html" if _is_fragment(request) else "share_links.html"
    return varied(render(request, f"generations/{template}", context, status=status))


def _afterwards(request: HtmxHttpRequest, said: str, status: int = 200) -> HttpResponse:
    """Back to where the button was: the dialog of a clip, or one's own list."""
    pk = uuid_or_none(request.POST.get("task", ""))
    task = queries.get_task(request.user, pk) if pk else None
    if not _is_fragment(request) and status == 200:
        messages.success(request, said)
        return redirect("task-share", pk=task.pk) if task else redirect("share-links")
    tone = "ok" if status == 200 else "bad"
    if task is None:
        return _list(request, status, said=said, tone=tone)
    return _dialog(request, task, ShareForm(person=request.user, task=task), status=status, said=said, tone=tone)


# --- Lists -------------------------------------------------------------------------------------------------------


def rows(viewer: User, links: Iterable[ShareLink]) -> list[Row]:
    links, rules = list(links), HouseRules.now()
    tasks = sharing.tasks_of_all(links)
    return [_row(viewer, link, rules, tasks[link.pk]) for link in links]


def _row(viewer: User, link: ShareLink, rules: HouseRules, tasks: list[Task]) -> Row:
    visits = list(link.visits.all())
    state = sharing.state_of(link, rules, tasks)
    theirs = sharing.may_be_of(link.owner, link)
    extends = sharing.may_manage(viewer, link) and theirs and state in (LinkState.OPEN, LinkState.EXPIRED)
    return Row(
        link=link,
        state=state,
        tasks=tasks,
        people=[visit for visit in visits if visit.person_id],
        outside=next((visit for visit in visits if not visit.person_id), None),
        may_extend=extends and link.expires_at is not None,
        may_be_theirs=theirs,
        days=day_choices(link.audience, rules),
    )


def _with_visits(links: QuerySet[ShareLink]) -> QuerySet[ShareLink]:
    visits = ShareVisit.objects.select_related("person").order_by("-last_at")
    return links.prefetch_related(Prefetch("visits", visits))


def _own_links(person: User, before: UUID | None) -> dict[str, Any]:
    """Those that open, and a page of those that do no more."""
    mine = _with_visits(sharing.links_of(person))
    running = sharing.still_open(mine, HouseRules.now())
    ended = mine.exclude(pk__in=running.order_by().values("pk"))
    page = list((ended.filter(pk__lt=before) if before else ended)[: PAGE + 1])
    shown = rows(person, running[:MOST_OPEN])
    opens = [row for row in shown if row.state == LinkState.OPEN]
    empty = [row for row in shown if row.state != LinkState.OPEN and not before]
    return {
        "open": opens,
        "ended": [*empty, *rows(person, page[:PAGE])],
        "next_before": page[PAGE - 1].pk if len(page) > PAGE else None,
    }
