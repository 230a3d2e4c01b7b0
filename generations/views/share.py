"""What a share link opens: its page, its clips, and what there is instead when it does not open.

Whoever is not of the house gets the same answer, to the byte, for a link that never was and one that opens no more.
The page of a passphrase and that of an ended link send their own address along to us alone: a browser that may tell
no address calls the origin of a form "null", and the form would be refused as a forged one.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.text import get_valid_filename, slugify
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from generations import audit, passphrases, queries, sharing, visits
from generations.limits import Limit, Locked, neighbourhood
from generations.models import Audience, Role, ShareLink, User
from generations.sharing import Clip, Found, LinkState
from generations.views.media import POSTER, VIDEO, file_name
from generations.views.ranges import serve

P = ParamSpec("P")
UNLOCKED, SEEN = "share_unlocked", "share_seen"  # cookies; each is sent to its own link alone
MEDIA_CACHE = "private, max-age=60, must-revalidate"
LOOKS = Limit("look", 1, int(visits.ONCE_IN.total_seconds()))  # of whoever comes without our note
SAME_ORIGIN, NOWHERE = "same-origin", "no-referrer"


def kept_apart(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """The headers that every answer below a token has, the one for nothing at all included."""

    @wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except Http404:
            response = render(request, "404.html", status=404)
        response.headers.setdefault("Referrer-Policy", NOWHERE)
        response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
        is_media = response.status_code in (200, 206, 304, 416) and "ETag" in response.headers
        response.headers["Cache-Control"] = MEDIA_CACHE if is_media else "private, no-store"
        return response

    return inner


@require_safe
@kept_apart
def share(request: HttpRequest, token: str) -> HttpResponseBase:
    found, person = _known(token), _person(request)
    link = found.link
    if found.state != LinkState.OPEN:
        return _ended(request, found, person)
    if link.audience == Audience.TEAM and person is None:
        return redirect_to_login(request.get_full_path())
    if not _is_unlocked(request, link):
        return _passphrase_page(request)
    response = render(request, "generations/share.html", _page(found, token, person))
    if request.method == "GET":
        _count(request, response, link, token, person)
    return response


@sensitive_post_parameters("passphrase")
@require_POST
@kept_apart
def share_unlock(request: HttpRequest, token: str) -> HttpResponseBase:
    """One try at the passphrase."""
    link = _open_to(request, token).link
    address = reverse("share", args=[token])
    if not link.passphrase_hash:
        return redirect(address)
    try:
        right = passphrases.is_right(link, request.POST.get("passphrase", "")[:1000], audit.address_of(request))
    except passphrases.Locked as locked:
        response = _passphrase_page(request, status=429, minutes=locked.minutes)
        response.headers["Retry-After"] = str(locked.seconds)
        return response
    if not right:
        return _passphrase_page(request, status=422, wrong=True)
    opened = redirect(address)
    note, seconds = passphrases.note_for(link)
    _set_cookie(opened, UNLOCKED, note, token, seconds)
    return opened


@require_POST
@kept_apart
def share_ask(request: HttpRequest, token: str) -> HttpResponseBase:
    """Somebody of the house asks the owner of an ended link for a new one; once."""
    found, person = _known(token), _person(request)
    if person is None:
        raise Http404("only for people of the house")
    if person.role == Role.AUDITOR:
        raise PermissionDenied
    if found.state != LinkState.OPEN:
        visits.ask(found.link, person)
    return redirect("share", token=token)


@require_safe
@kept_apart
def share_video(request: HttpRequest, token: str, number: int) -> HttpResponseBase:
    clip = _clip(_unlocked(request, token), number)
    return serve(request, clip.creation.file, content_type=VIDEO, digest=clip.creation.sha256)


@require_safe
@kept_apart
def share_poster(request: HttpRequest, token: str, number: int) -> HttpResponseBase:
    creation = _clip(_unlocked(request, token), number).creation
    if not creation.poster:
        raise Http404("no poster yet")
    return serve(request, creation.poster, content_type=POSTER, digest=creation.poster_sha256)


@require_safe
@kept_apart
def share_download(request: HttpRequest, token: str, number: int) -> HttpResponseBase:
    found = _unlocked(request, token)
    if not found.link.allow_download:
        raise Http404("not to be downloaded")
    clip = _clip(found, number)
    creation, name = clip.creation, _file_name(found.link, clip)
    response = serve(request, creation.file, content_type=VIDEO, digest=creation.sha256, download_as=name)
    if request.method == "GET" and _begins(response):
        visits.count_download(found.link, _person(request))
    return response


# --- May it be opened? -------------------------------------------------------------------------------------------


def _person(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


def _known(token: str) -> Found:
    found = sharing.resolve(token)
    if found is None:
        raise Http404("no such link")
    return found


def _open_to(request: HttpRequest, token: str) -> Found:
    """For everything but the page itself: it opens for this person, or there is nothing."""
    found = _known(token)
    outside = found.link.audience == Audience.TEAM and _person(request) is None
    if found.state != LinkState.OPEN or outside:
        raise Http404("it does not open")
    return found


def _unlocked(request: HttpRequest, token: str) -> Found:
    found = _open_to(request, token)
    if not _is_unlocked(request, found.link):
        raise Http404("its passphrase is not known")
    return found


def _is_unlocked(request: HttpRequest, link: ShareLink) -> bool:
    return passphrases.is_unlocked(link, request.COOKIES.get(UNLOCKED, ""))


def _clip(found: Found, number: int) -> Clip:
    clip = next((clip for clip in found.clips if clip.number == number), None)
    if clip is None:
        raise Http404("no such clip")
    return clip


# --- What is shown -----------------------------------------------------------------------------------------------


def _page(found: Found, token: str, person: User | None) -> dict[str, object]:
    """``own`` are the tasks that this person may see in the app itself."""
    tasks = [task.pk for task in found.tasks]
    seen = queries.tasks_for(person).filter(pk__in=tasks).values_list("pk", flat=True) if person else ()
    waiting = sum(task.is_open for task in found.tasks)
    return {"link": found.link, "token": token, "clips": found.clips, "waiting": waiting, "own": set(seen)}


def _ended(request: HttpRequest, found: Found, person: User | None) -> HttpResponse:
    """For people of the house: when it ended, and whom to ask."""
    if person is None:
        raise Http404("it does not open any more")
    link = found.link
    context = {
        "link": link,
        "state": found.state if found.state != LinkState.OFF or sharing.may_be_of(link.owner, link) else None,
        "since": link.revoked_at if found.state == LinkState.REVOKED else link.expires_at,
        "asked": visits.asked(link, person),
        "is_own": link.owner_id == person.pk,
        "may_ask": link.owner.is_active and person.role != Role.AUDITOR,
    }
    response = render(request, "generations/share_ended.html", context, status=410)
    response.headers["Referrer-Policy"] = SAME_ORIGIN
    return response


def _passphrase_page(request: HttpRequest, status: int = 200, **context: object) -> HttpResponse:
    response = render(request, "generations/share_unlock.html", context, status=status)
    response.headers["Referrer-Policy"] = SAME_ORIGIN
    return response


def _file_name(link: ShareLink, clip: Clip) -> str:
    """The words of the prompt only where the page shows them too."""
    if link.show_settings:
        return file_name(clip.task, clip.creation)
    title = slugify(link.label, allow_unicode=True)[:60].strip("-_")
    return get_valid_filename(f"{title or 'clip'}-{clip.number}.mp4")


# --- What is counted ---------------------------------------------------------------------------------------------


def _count(request: HttpRequest, response: HttpResponse, link: ShareLink, token: str, person: User | None) -> None:
    """Its owner looking after it is no visit."""
    if person is not None:
        if person.pk != link.owner_id:
            visits.count_view(link, person)
    elif not visits.is_noted(link, request.COOKIES.get(SEEN, "")) and _is_first_look(request, link):
        visits.count_view(link, None)
        _set_cookie(response, SEEN, visits.note_for(link), token, int(visits.ONCE_IN.total_seconds()))


def _is_first_look(request: HttpRequest, link: ShareLink) -> bool:
    """Whoever takes no note counts once for where they come from, and writes no more rows than that."""
    try:
        LOOKS.take(f"{link.pk.hex} {neighbourhood(audit.address_of(request))}")
    except Locked:
        return False
    return True


def _begins(response: HttpResponseBase) -> bool:
    """A download that is taken up again, or fetched in parts, counts with its first part."""
    first_part = response.headers.get("Content-Range", "").startswith("bytes 0-")
    return response.status_code == 200 or (response.status_code == 206 and first_part)


def _set_cookie(response: HttpResponse, name: str, value: str, token: str, seconds: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=seconds,
        path=reverse("share", args=[token]),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
