"""Where an administrator decides about a create whose answer was lost. The worker asks the vendor."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_http_methods

from generations import lifecycle, queries, uncertainty
from generations.forms.decide import EXISTS, NOT_MADE, DecideForm
from generations.models import Attempt, Task, TaskState
from generations.views.frame import HtmxHttpRequest
from generations.views.live import unchanged, varied

SAID_NOT_MADE = gettext_lazy("It counts as never made. Nothing is charged, and its owner can send it again.")
SAID_RESEND = gettext_lazy("It waits to be sent again.")
NOTHING_CHANGED = gettext_lazy("Nothing was changed: this clip is not unclear any more.")
NOT_YET = gettext_lazy("Nothing was changed: the vendor's list is still being searched.")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@cache_control(no_store=True)
def task_decide(request: HtmxHttpRequest, pk: UUID) -> HttpResponse:
    task = queries.get_task(request.user, pk)
    if not request.user.is_staff:
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
    attempt = task.attempt
    if task.state != TaskState.UNCERTAIN or attempt is None:
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


def _ask_about(request: HtmxHttpRequest, attempt: Attempt, remote_id: str) -> None:
    """The same id twice is one question, as long as the first is not answered."""
    before = uncertainty.word_of_id(attempt.task)
    asked = before is not None and before.kind == "exists-said" and before.detail.get("remote_id") == remote_id
    if not asked:
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
    attempt, told = task.attempt, uncertainty.word_of_id(task)
    detail = told.detail if told else {}
    return {
        "task": task,
        "attempt": attempt,
        "unclear": task.state == TaskState.UNCERTAIN,
        "searching": uncertainty.looks_by_itself(task),
        "how_lost": uncertainty.how_lost(task.failure_code),
        "where_to_look": uncertainty.where_to_look(task),
        "told": told,
        "why_refused": uncertainty.why_refused(str(detail.get("code", "")), str(detail.get("text", ""))),
        "rows": list(attempt.requests.all()) if attempt else [],
        # What the page has seen; looks and named ids change nothing else of the task.
        "v": f"{task.state}-{told.pk if told else 0}-{attempt.looks if attempt else 0}",
    }
