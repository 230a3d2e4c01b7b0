"""Vidu's other services, where a key has them switched on: more of a clip, and scene templates."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from generations import lifecycle, queries
from generations.budgets import OverBudget
from generations.forms.experiments import FORMS, ExperimentForm, follow_ups, template_form
from generations.limits import PRESSES, Locked
from generations.providers.base import Mode
from generations.views.frame import HtmxHttpRequest
from generations.views.tasks import detail_context


@login_required
@require_POST
def task_follow_up(request: HtmxHttpRequest, pk: UUID, mode: str) -> HttpResponse:
    """Upscale or extend a clip; what is wrong is said beside its form on the clip's page."""
    task = queries.get_task(request.user, pk)
    blank = follow_ups(request.user, task).get(Mode(mode)) if mode in FORMS else None
    if blank is None:
        raise Http404("not offered for this clip")
    form = FORMS[Mode(mode)](request.POST, user=request.user, offers=blank.offers, creation=blank.creation)
    made = _save(request, form)
    if made is not None:
        return made
    context = detail_context(request, pk)
    context["follow_ups"] = {**follow_ups(request.user, task), Mode(mode): form}
    return render(request, "generations/task_detail.html", context, status=422)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def template_create(request: HtmxHttpRequest) -> HttpResponse:
    sent = request.method == "POST"
    form = template_form(request.user, *((request.POST, request.FILES) if sent else ()))
    if form is None:
        raise Http404("no key offers templates")
    made = _save(request, form) if sent else None
    context = {"form": form}
    return made or render(request, "generations/template_create.html", context, status=422 if sent else 200)


def _save(request: HtmxHttpRequest, form: ExperimentForm) -> HttpResponse | None:
    """To the page of what was made; None where the form says why nothing was."""
    if not form.is_valid():
        return None
    try:
        PRESSES.take(str(request.user.pk))
        [task] = form.save()
    except OverBudget as error:  # by another press at this moment, or nobody knows what it costs
        form.refuse_for(error.standing, unpriced=error.unpriced)
        return None
    except Locked as locked:
        form.refuse_haste(locked)
        return None
    except lifecycle.RequestIdTaken:
        raise Http404("sent by somebody else") from None
    messages.success(request, _("Queued 1 video"))
    return redirect("task-detail", pk=task.pk)
