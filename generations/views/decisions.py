"""Where an administrator decides about a create whose answer was lost. The worker asks the vendor."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods, require_POST

from generations import lifecycle, queries, uncertainty
from generations.forms.decide import EXISTS, NOT_MADE, DecideForm
from generations.models import Attempt, AttemptState, Task, TaskState
from generations.views.frame import HtmxHttpRequest
from generations.views.live import unchanged, varied

SAID_NOT_MADE = gettext_lazy("It counts as never made. Nothing is charged, and its owner can send it again.")
SAID_RESEND = gettext_lazy("It waits to be sent again.")
NOTHING_CHANGED = gettext_lazy("Nothing was changed: this clip is not unclear any more.")
SAID_GIVEN_UP = gettext_lazy("Given up. Should the clip come after all, it is delivered here.")
NOT_GIVEN_UP = gettext_lazy("Nothing was changed: the vendor still answers for this clip, or it has ended.")
NOT_YET = gettext_lazy("Nothing was changed: the vendor's list is still being searched.")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(no_store=True)
def task_decide(request: HtmxHttpRequest, pk: UUID) -> HttpResponse:
    task = queries.get_task(request.user, pk)
    if not request.user.is_staff or (request.method == "POST" and not request.user.is_admin):
        raise PermissionDenied
    if request.method == "POST":
        return decide(request, task)
    context = decide_context(task)
    if request.htmx and not request.htmx.history_restore_request:
        if request.GET.get("v") == context["v"]:
            return unchanged(request)
        return varied(render(request, "generations/partials/decide_news.html", context))
    return varied(render(request, "generations/decide.html", context))


def decide(request: HtmxHttpRequest, task: Task) -> HttpResponse:
    attempt = uncertainty.unclear_attempt(task)
    if attempt is None or request.POST.get("attempt") != str(attempt.pk):
        return _page(request, task, 409, said=NOTHING_CHANGED)
    if task.state != TaskState.UNCERTAIN and request.POST.get("decision") != EXISTS:
        return _page(request, task, 409, said=NOTHING_CHANGED)
    if uncertainty.looks_by_itself(task):
        return _page(request, task, 409, said=NOT_YET)
    form = DecideForm(request.POST, attempt=attempt)
    if not form.is_valid():
        return _page(request, task, 422, form=form)
    if form.cleaned_data["decision"] == EXISTS:
        _ask_about(request, attempt, form.cleaned_data["remote_id"])
        return redirect("task-decide", pk=task.pk)
    if not _settled(request, attempt, form.cleaned_data["decision"]):
        return _page(request, queries.get_task(request.user, task.pk), 409, said=NOTHING_CHANGED)
    return redirect("task-detail", pk=task.pk)


@login_required
@require_POST
def task_give_up(request: HtmxHttpRequest, pk: UUID) -> HttpResponse:
    """End a clip that the vendor does not know any more, so that it does not run for ever."""
    task = queries.get_task(request.user, pk)
    if not request.user.is_admin:
        raise PermissionDenied
    if uncertainty.is_forgotten(task) and lifecycle.give_up(task, request.user):
        messages.success(request, SAID_GIVEN_UP)
    else:
        messages.warning(request, NOT_GIVEN_UP)
    return redirect("task-detail", pk=pk)


def _ask_about(request: HtmxHttpRequest, attempt: Attempt, remote_id: str) -> None:
    """The same id twice is one question, as long as the first is not answered."""
    before = uncertainty.word_of_id(attempt.task)
    same = before is not None and before.detail.get("remote_id") == remote_id
    if not (same and uncertainty.is_being_asked(before)):
        lifecycle.exists(attempt, remote_id, request.user)


def _settled(request: HtmxHttpRequest, attempt: Attempt, decision: str) -> bool:
    if decision == NOT_MADE:
        done, said = lifecycle.not_made(attempt, request.user), SAID_NOT_MADE
    else:
        done, said = lifecycle.resend(attempt, request.user), SAID_RESEND
    if done:
        messages.success(request, said)
    return done


def _page(
    request: HtmxHttpRequest, task: Task, status: int, *, said: object = "", form: DecideForm | None = None
) -> HttpResponse:
    context = decide_context(task) | {"said": said, "form": form}
    return varied(render(request, "generations/decide.html", context, status=status))


def decide_context(task: Task) -> dict[str, object]:
    attempt, told = uncertainty.unclear_attempt(task) or task.attempt, uncertainty.word_of_id(task)
    detail = told.detail if told else {}
    return {
        "task": task,
        "attempt": attempt,
        "unclear": task.state == TaskState.UNCERTAIN,
        "may_exist": attempt is not None and attempt.state == AttemptState.UNKNOWN,
        "asking": uncertainty.is_being_asked(told),
        "searching": uncertainty.looks_by_itself(task),
        "how_lost": uncertainty.how_lost((attempt and attempt.failure_code) or task.failure_code),
        "where_to_look": uncertainty.where_to_look(task),
        "told": told,
        "why_refused": uncertainty.why_refused(str(detail.get("code", "")), str(detail.get("text", ""))),
        "rows": list(attempt.requests.all()) if attempt else [],
        # What the page has seen; looks and named ids change nothing else of the task.
        "v": f"{task.state}-{told.pk if told else 0}-{attempt.looks if attempt else 0}",
    }
