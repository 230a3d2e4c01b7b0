"""Pictures to begin with: those one has already, and stills out of clips."""

import re
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from generations import queries, stills
from generations.assets import BadImage
from generations.models import Asset, AssetKind
from generations.providers.base import MODES, Mode
from generations.views.frame import HtmxHttpRequest
from generations.views.live import uuid_or_none, varied
from generations.views.tasks import detail_context

OWN, CLIPS = "own", "clips"
TABS = ((OWN, gettext_lazy("My pictures")), (CLIPS, gettext_lazy("Clips")))
PAGE = 24
SLOT = re.compile(r"[a-z0-9_-]{1,40}")


@login_required
@require_http_methods(["GET", "POST"])
def composer_pictures(request: HtmxHttpRequest) -> HttpResponse:
    """What can be chosen instead of an upload; a POST makes a picture out of a clip."""
    return take_still(request) if request.method == "POST" else show_library(request)


def show_library(request: HtmxHttpRequest) -> HttpResponse:
    """In a dialog for htmx, else as a page whose choices are links back to the composer."""
    before = uuid_or_none(request.GET.get("before", ""))
    context = library_context(request, before)
    if not request.htmx or request.htmx.history_restore_request:
        return varied(render(request, "generations/composer_pictures.html", context))
    part = "picture_page" if before else "picture_library"
    return varied(render(request, f"generations/partials/{part}.html", context | {"dialog": True}))


def library_context(request: HtmxHttpRequest, before: UUID | None) -> dict[str, object]:
    tab = CLIPS if request.GET.get("tab") == CLIPS else OWN
    slot = request.GET.get("slot", "")
    asked = {"slot": slot if SLOT.fullmatch(slot) else "", "mode": mode_of(request.GET.get("mode", ""))}
    context: dict[str, object] = {"tabs": TABS, "tab": tab, "before": before, **asked, "query": urlencode(asked)}
    if tab == CLIPS:
        feed = queries.feed(request.user, scope=queries.TEAM, state="ready", before=before, limit=PAGE)
        return context | {"tasks": feed.tasks, "shown": len(feed.tasks), "next_before": feed.next_before}
    own = queries.own_pictures(request.user, before=before, limit=PAGE)
    return context | {"pictures": own.pictures, "shown": len(own.pictures), "next_before": own.next_before}


def take_still(request: HtmxHttpRequest) -> HttpResponse:
    pk = uuid_or_none(request.POST.get("creation", ""))
    which = request.POST.get("which", "")
    if pk is None or which not in stills.STILLS:
        raise Http404("no such still")
    creation = queries.get_creation(request.user, pk)
    try:
        asset = stills.take(request.user, creation, AssetKind(which))
    except BadImage as error:
        return refused(request, creation.task_id, str(error))
    if request.htmx:
        return varied(render(request, "generations/partials/picture_taken.html", {"picture": asset}))
    return redirect(composer_with(asset, mode_of(request.POST.get("mode", ""))))


def refused(request: HtmxHttpRequest, task: UUID, sentence: str) -> HttpResponse:
    if request.htmx:
        part = "generations/partials/picture_taken.html"
        return varied(render(request, part, {"problem": sentence}, status=422))
    messages.error(request, sentence)
    return varied(render(request, "generations/task_detail.html", detail_context(request, task), status=422))


def composer_with(asset: Asset, mode: str) -> str:
    return f"{reverse('home')}?{urlencode({'mode': mode, 'asset': asset.pk})}#compose"


def mode_of(asked: str) -> str:
    """The mode that the picture is for; one picture alone is usually animated."""
    return asked if asked in MODES else Mode.IMAGE.value
