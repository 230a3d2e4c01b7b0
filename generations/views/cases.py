"""The support case of a task as a file, for staff alone."""

import json
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from generations import cases, queries
from generations.views.frame import HtmxHttpRequest


@require_safe
@login_required
@never_cache
def task_case(request: HtmxHttpRequest, pk: UUID) -> HttpResponse:
    """``?prompt=no`` leaves the text of the prompt at home; its digest goes along."""
    if not request.user.is_staff:
        raise Http404("no such page")
    case = cases.case_of(queries.get_task(request.user, pk), prompt_text=request.GET.get("prompt") != "no")
    # The end of an id of ours is chance, where its beginning is the time and alike for a whole batch.
    name = f"videoforge-case-{pk.hex[-8:]}.json"
    response = HttpResponse(json.dumps(case, indent=2, ensure_ascii=False) + "\n", content_type="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
