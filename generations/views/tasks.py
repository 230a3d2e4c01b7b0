"""The home page with composer and feed, and the page of one task."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import prefetch_related_objects
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET, require_POST

from generations import lifecycle, pace, queries
from generations.budgets import OverBudget
from generations.choices import MAX_COUNT
from generations.forms import GenerateForm, compare, edit_of, remix_of
from generations.forms.experiments import follow_ups
from generations.lifecycle import Cancelled
from generations.limits import PRESSES, UPLOADS, Locked
from generations.models import Role, Task, TaskState, User
from generations.views.frame import HtmxHttpRequest
from generations.views.live import FRESH, LISTS_WITH_WAITING, Watch, cards, line_word, unchanged, uuid_or_none, varied

SCOPE_WORDS = ((queries.MINE, gettext_lazy("Mine")), (queries.TEAM, gettext_lazy("Team")))
STATE_WORDS = (("", gettext_lazy("All")), ("running", gettext_lazy("Running")), ("failed", gettext_lazy("Failed")))
CANCELLED_WORDS = {
    Cancelled.FREE: gettext_lazy("Cancelled before it was sent. Nothing is charged."),
    Cancelled.UNSURE: gettext_lazy(
        "Cancelled. An earlier request for it got no answer: if the vendor made that one, it is charged and delivered."
    ),
    Cancelled.ASKED: gettext_lazy("The vendor was asked to cancel."),
    Cancelled.TOO_LATE: gettext_lazy("Too late to cancel: the clip is already being made."),
    Cancelled.CANNOT: gettext_lazy(
        "This vendor cannot cancel: the clip is still being made, and the charge may stand."
    ),
}
NO_LONGER_WAITS = gettext_lazy("This clip no longer waits, so it cannot be changed. This is a remix of it.")
ASKED = gettext_lazy("The vendor is being asked. What it says appears here.")
NOT_ASKED = gettext_lazy("There is nothing to ask: the vendor never named this clip.")
ONE_PRESS = ("request_id", "remix_of", "replaces")
KEPT_PICTURES = ("asset", "first_asset", "last_asset")
PICTURE_FIELDS = ("images", "first_image", "last_image", *KEPT_PICTURES)
STARTERS = (
    gettext_lazy("A lighthouse at dusk, slow push-in, waves below, warm light sweeping through fog"),
    gettext_lazy("Macro shot of ink blooming in water, deep blue on white, studio light, very slow"),
    gettext_lazy("A paper boat crosses a rain puddle on a cobbled street, low angle, reflections, morning"),
)


@login_required
@require_GET
def home(request: HtmxHttpRequest) -> HttpResponse:
    editing = own_task(request.user, request.GET.get("edit", ""))
    if editing is not None and editing.state != TaskState.WAITING:
        messages.info(request, NO_LONGER_WAITS)
        return redirect(f"{reverse('home')}?from={editing.pk}#compose")
    context = feed_context(request)
    if request.htmx and not request.htmx.history_restore_request:
        part = "grid_more" if request.GET.get("before") else "feed_results"
        return varied(render(request, f"generations/partials/{part}.html", context))
    form = GenerateForm(user=request.user, initial=edit_of(editing) if editing else starting_point(request))
    context |= composer_context(request, form)
    asked = {"prompt", *KEPT_PICTURES} & request.GET.keys()
    context["compose_first"] = bool(context["remix_of"] or context["replaces"] or asked)
    return varied(render(request, "generations/home.html", context))


def own_task(user: User, pk: str) -> Task | None:
    """The task of this id, if it is theirs: a task is changed by nobody but its owner."""
    wanted = uuid_or_none(pk)
    return Task.objects.filter(pk=wanted, owner=user).first() if wanted else None


def starting_point(request: HtmxHttpRequest) -> dict[str, object]:
    """What the composer begins with: an earlier task but for its seed, or prompt, mode and pictures of the address."""
    source = uuid_or_none(request.GET.get("from", ""))
    task = queries.tasks_for(request.user).filter(pk=source).first() if source else None
    if task:
        return remix_of(task)
    named = ("mode", "first_asset", "last_asset")
    return {
        "prompt": request.GET.get("prompt", ""),
        "asset": request.GET.getlist("asset"),
        **{name: request.GET[name] for name in named if name in request.GET},
    }


def feed_context(request: HtmxHttpRequest) -> dict[str, object]:
    """The feed as the address asks for it. The cursor is taken first: what changes meanwhile is news, not lost."""
    asked = Watch.read(request.GET)
    before = uuid_or_none(request.GET.get("before", ""))
    cursor = asked.cursor if request.htmx and before else queries.newest_change(request.user, asked.scope)
    page = queries.feed(request.user, scope=asked.scope, state=asked.state, search=asked.search, before=before)
    line = line_word(queries.waiting_of(request.user, asked.scope)) if asked.state in LISTS_WITH_WAITING else ""
    edges = asked if request.htmx and before else replace(asked, oldest=None, newest=None)
    return {
        "watch": replace(edges.showing(page.tasks), cursor=cursor, line=line).at_pace(request.user),
        "next_before": page.next_before,
        "scopes": SCOPE_WORDS,
        "states": STATE_WORDS,
        "starters": STARTERS,
        **cards(page.tasks),
    }


def typed_in(data: QueryDict) -> dict[str, Any]:
    """A form's values for showing them again: each name's last one, as for a form, but all of the pictures."""
    return data.dict() | {name: data.getlist(name) for name in ("asset",) if name in data}


def composer_context(request: HtmxHttpRequest, form: GenerateForm) -> dict[str, object]:
    source = uuid_or_none(str(form["remix_of"].value() or ""))
    return {
        "form": form,
        "params": form.params,
        "picture_errors": [error for name in PICTURE_FIELDS for error in form.errors.get(name, ())],
        "counts": range(1, MAX_COUNT + 1),
        "remix_of": queries.tasks_for(request.user).filter(pk=source).first() if source else None,
        "replaces": own_task(request.user, str(form["replaces"].value() or "")),
    }


@login_required
@require_POST
def task_create(request: HtmxHttpRequest) -> HttpResponse:
    """One press of Generate. Without scripts the same form also renews its options, which sends nothing."""
    if "update" in request.POST or "use_key" in request.POST:
        return composer_again(request)
    files = None if request.user.role == Role.AUDITOR else request.FILES  # theirs are refused, and not kept either
    form = GenerateForm(request.POST, files, user=request.user, upload_limit=UPLOADS)
    if not form.is_valid():
        return refused(request, form)
    try:
        PRESSES.take(str(request.user.pk))
        tasks = form.save()
    except lifecycle.RequestIdTaken:
        form.take_fresh_id()
        return refused(request, form)
    except OverBudget as error:  # by another press at this moment, or nobody knows what it costs
        form.refuse_for(error.standing, unpriced=error.unpriced)
        return refused(request, form)
    except lifecycle.AlreadySent:
        form.replaced_was_sent()
        return refused(request, form)
    except Locked as locked:
        form.refuse_haste(locked)
        return refused(request, form)
    created = created_words(len(tasks), changed=form.cleaned_data["replaces"] is not None)
    if not request.htmx:
        messages.success(request, created)
        return redirect("home")
    answer = render(request, "generations/partials/task_created.html", created_context(request, tasks, created))
    if form.cleaned_data["replaces"]:
        answer["HX-Replace-Url"] = reverse("home")  # loaded again, this page edits nothing any more
    return varied(answer)


def created_words(count: int, *, changed: bool) -> str:
    if changed:
        return ngettext("Changed: %(count)d video queued", "Changed: %(count)d videos queued", count) % {"count": count}
    return ngettext("Queued %(count)d video", "Queued %(count)d videos", count) % {"count": count}


def composer_again(request: HtmxHttpRequest) -> HttpResponse:
    """The page with what was typed, after a button that sends nothing: new options, a comparison, another key."""
    typed = typed_in(request.POST)
    form = GenerateForm(user=request.user, initial=typed | {"key": typed.get("use_key") or typed.get("key", "")})
    quotes = compare(form) if request.POST.get("update") == "compare" else []
    return home_again(request, form, quotes=quotes)


def refused(request: HtmxHttpRequest, form: GenerateForm) -> HttpResponse:
    if request.htmx:
        part = "generations/partials/composer.html"
        return varied(render(request, part, composer_context(request, form), status=422))
    return home_again(request, form, status=422)


def created_context(request: HtmxHttpRequest, tasks: list[Task], created: str) -> dict[str, object]:
    """The composer as it was, with a new request id and empty slots, and the cards that the page lacks."""
    watch = Watch.read(request.POST)
    renewed = (*ONE_PRESS, *KEPT_PICTURES)
    kept = {name: value for name, value in request.POST.items() if name not in renewed}
    # The same press sent twice answers with the same tasks; their cards are there already.
    new = [task for task in reversed(tasks) if watch.newest is None or task.pk > watch.newest]
    fresh = queries.tasks_for(request.user).filter(pk__in=[task.pk for task in new]).order_by("-pk")
    return {
        **composer_context(request, GenerateForm(user=request.user, initial=kept)),
        **cards(list(fresh.select_related("owner", "key", "batch").prefetch_related("creations"))),
        "watch": watch.showing(tasks).at_pace(request.user),
        "created": created,
    }


def home_again(request: HtmxHttpRequest, form: GenerateForm, status: int = 200, **more: object) -> HttpResponse:
    context = feed_context(request) | composer_context(request, form) | {"compose_first": True} | more
    return render(request, "generations/home.html", context, status=status)


@login_required
@require_GET
def composer_params(request: HtmxHttpRequest) -> HttpResponse:
    form = GenerateForm(user=request.user, initial=typed_in(request.GET))
    context = composer_context(request, form)
    return varied(render(request, "generations/partials/params_news.html", context))


@login_required
@require_GET
def composer_compare(request: HtmxHttpRequest) -> HttpResponse:
    """What the composer's settings would cost and take with every key."""
    form = GenerateForm(user=request.user, initial=typed_in(request.GET))
    context = {"quotes": compare(form), "params": form.params}
    return varied(render(request, "generations/partials/compare.html", context))


@login_required
@require_GET
def task_detail(request: HtmxHttpRequest, pk: UUID) -> HttpResponse:
    return render(request, "generations/task_detail.html", detail_context(request, pk))


@login_required
@require_GET
@cache_control(no_store=True)
def task_live(request: HtmxHttpRequest, pk: UUID) -> HttpResponse:
    task = queries.get_task(request.user, pk)
    watch = Watch.read(request.GET)
    if task.changed_at == watch.cursor and watch.line in (None, line_word([task])):
        return unchanged(request)
    return varied(render(request, "generations/partials/task_news.html", detail_context(request, pk)))


def detail_context(request: HtmxHttpRequest, pk: UUID) -> dict[str, object]:
    task = queries.get_task(request.user, pk)
    prefetch_related_objects([task], "task_inputs", "events")
    if request.user.is_staff:
        prefetch_related_objects([task], "attempts__requests", "attempts__callbacks", "attempts__key")
    return {
        "task": task,
        "siblings": queries.siblings(request.user, task) if task.batch.size > 1 else [],
        "places": queries.places_in_line([task]),
        "expectations": pace.expectations([task]),
        "v": task.changed_at.isoformat(timespec="microseconds"),
        "line": line_word([task]),
        "pace": 2 if timezone.now() - task.created_at < FRESH else 4,
        "follow_ups": follow_ups(request.user, task),
    }


@login_required
@require_POST
def task_cancel(request: HtmxHttpRequest, pk: UUID) -> HttpResponse:
    task = queries.get_task(request.user, pk)
    if not task.is_of(request.user) and not request.user.is_admin:
        raise PermissionDenied
    said = CANCELLED_WORDS[lifecycle.cancel(task, request.user)]
    if not request.htmx:
        messages.info(request, said)
        return redirect("task-detail", pk=pk)
    context = {"task": queries.get_task(request.user, pk), "say": said}
    return render(request, "generations/partials/task_cancelled.html", context)


@login_required
@require_POST
def task_ask(request: HtmxHttpRequest, pk: UUID) -> HttpResponse:
    """Have the worker ask the vendor about a task before its time, or after we gave it up."""
    task = queries.get_task(request.user, pk)
    if not task.is_of(request.user) and not request.user.is_admin:
        raise PermissionDenied
    messages.info(request, ASKED if lifecycle.ask_now(task, request.user) else NOT_ASKED)
    return redirect("task-detail", pk=pk)
