"""Pictures and clips, for those who may see the task they belong to. Everybody else gets 404."""

import re
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from generations import addresses, queries
from generations.models import Asset, Creation, CreationState, Task
from generations.views.frame import HtmxHttpRequest
from generations.views.ranges import serve

VIDEO, POSTER = "video/mp4", "image/jpeg"
NAME_WORDS, NAME_LENGTH = 8, 60


@require_safe
@login_required
def asset_media(request: HtmxHttpRequest, pk: UUID) -> HttpResponseBase:
    asset = queries.get_asset(request.user, pk)
    return serve(request, asset.file, content_type=asset.content_type, digest=asset.sha256)


@require_safe
def input_picture(request: HttpRequest, token: str, name: str) -> HttpResponseBase:
    """For a vendor that fetches pictures: for whoever holds the address, until it expires. The name means nothing."""
    pk = addresses.read_picture_token(token)
    asset = Asset.objects.filter(pk=pk).first() if pk else None
    if asset is None:
        raise Http404("no such picture")
    response = serve(request, asset.file, content_type=asset.content_type, digest=asset.sha256)
    response.headers["X-Robots-Tag"] = "noindex"
    return response


@require_safe
@login_required
def creation_video(request: HtmxHttpRequest, pk: UUID) -> HttpResponseBase:
    creation = _stored(queries.get_creation(request.user, pk))
    return serve(request, creation.file, content_type=VIDEO, digest=creation.sha256)


@require_safe
@login_required
def creation_poster(request: HtmxHttpRequest, pk: UUID) -> HttpResponseBase:
    creation = queries.get_creation(request.user, pk)
    if not creation.poster:
        raise Http404("no poster yet")
    return serve(request, creation.poster, content_type=POSTER, digest=creation.poster_sha256)


@require_safe
@login_required
def task_download(request: HtmxHttpRequest, pk: UUID) -> HttpResponseBase:
    """The clip as a file to keep; ``?n=`` chooses among several outputs, from 0."""
    task = queries.get_task(request.user, pk)
    wanted = request.GET.get("n", "0")
    creation = next((each for each in task.creations.all() if str(each.position) == wanted), None)
    if creation is None:
        raise Http404("no such output")
    name = file_name(task, creation)
    return serve(request, _stored(creation).file, content_type=VIDEO, digest=creation.sha256, download_as=name)


def file_name(task: Task, creation: Creation) -> str:
    """Day and first words of the prompt, in any script; nothing that a file system could take amiss."""
    words = "-".join(re.findall(r"\w+", task.prompt_text)[:NAME_WORDS])[:NAME_LENGTH].strip("-_")
    day = timezone.localtime(task.created_at).date().isoformat()
    number = f"-{creation.position + 1}" if creation.position else ""
    return f"{day}-{words or task.model}{number}.mp4"


def _stored(creation: Creation) -> Creation:
    if creation.state != CreationState.STORED:
        raise Http404("not stored yet")
    return creation
