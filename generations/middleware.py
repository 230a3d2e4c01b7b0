"""Small layers around every view: the person's own language and clock, a sign-in that htmx understands, and auditors
who only look."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils import timezone, translation
from django_htmx.middleware import HtmxDetails

from generations.assets import MAX_BYTES
from generations.forms.pictures import MOST_AT_ONCE

GetResponse = Callable[[HttpRequest], HttpResponseBase]
OWN_IN_ADMIN = frozenset({"logout"})  # what everybody may post there
# What an auditor posts: how they sign in and what their pages look like, the wish to have books compared, which changes
# nothing in them, a passphrase, and a press that is then refused in words.
OWN_POSTS = frozenset({
    "sign-in", "sign-out", "settings-look", "reconciliation", "share-unlock", "task-create", "usersessions_list",
    "callback", "invitation",
})  # fmt: skip
OF_SIGN_IN = ("account_", "mfa_", "openid_", "socialaccount_")
CALLBACKS = "/callbacks/"
IDLE_SECONDS, STRANGERS_SECONDS = 20, 10
WITH_FILES = ("task-create", "template-create")
LARGEST = 4 * 1024 * 1024
LARGEST_WITH_FILES = MOST_AT_ONCE * MAX_BYTES + LARGEST
MOST_DIGITS = 12
LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})


def person_preferences(get_response: GetResponse) -> GetResponse:
    """Speak the person's language and show their time. A setting beats the cookie, the cookie beats the browser.

    Nothing is undone afterwards: LocaleMiddleware names the language in the answer, and sets it anew each time.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        timezone.deactivate()
        user = request.user
        if user.is_authenticated:
            if translation.check_for_language(user.language):
                translation.activate(user.language)
                request.LANGUAGE_CODE = translation.get_language()
            # A zone that this machine does not know: the house's own clock.
            with suppress(ZoneInfoNotFoundError, ValueError):
                timezone.activate(ZoneInfo(user.time_zone))
        return get_response(request)

    return middleware


def bounded_bodies(get_response: GetResponse) -> GetResponse:
    """Refuse what is larger than any form of ours, before a byte of it is read: only Generate takes pictures.

    A body without a length is none to the server before us. Callbacks have a bound of their own. A form in another
    alphabet than ours would break every page that looks into it, the one that says so among them.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if request.path.startswith(CALLBACKS) and not length.isdecimal():
            return get_response(request)  # which reads none then
        if not length.isdecimal():  # "+1" and "1_0" are numbers to Django
            return render(request, "400.html", status=400)
        # Nothing that we take has a length of more digits.
        size = int(length.lstrip("0")[:MOST_DIGITS] or "0")
        takes_files = request.path in {reverse(name) for name in WITH_FILES} and request.user.is_authenticated
        if size > (LARGEST_WITH_FILES if takes_files else LARGEST):
            return render(request, "413.html", status=413)
        if (request.content_params or {}).get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            return render(request, "400.html", status=400)
        if size and not request.path.startswith(CALLBACKS) and not _arrives(request):
            return render(request, "400.html", status=408)
        return get_response(request)

    return middleware


def _arrives(request: HttpRequest) -> bool:
    """Whether the body comes: one that stands still holds a thread, of which there are few.

    Of a stranger all of it must be here within seconds, since a byte now and then would keep a thread as well.
    """
    connection: Any = request.META.get("gunicorn.socket")
    if connection is None:
        return True
    connection.settimeout(IDLE_SECONDS)
    if request.user.is_authenticated:
        return True
    end = threading.Timer(STRANGERS_SECONDS, _hang_up, (connection,))
    end.start()
    try:
        return request.body is not None
    except (OSError, RequestDataTooBig):
        return False
    finally:
        end.cancel()


def _hang_up(connection: Any) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RD)


def kept_private(get_response: GetResponse) -> GetResponse:
    """A page for somebody who is signed in is for nobody after them: not for a cache, not for the way back."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        is_page = response.headers.get("Content-Type", "").startswith("text/html")
        if is_page and "Cache-Control" not in response.headers and request.user.is_authenticated:
            response.headers["Cache-Control"] = "private, no-store"
        return response

    return middleware


def htmx_sign_in(get_response: GetResponse) -> GetResponse:
    """Send the whole page to sign-in when a fragment's request finds nobody signed in.

    The browser would follow the redirect by itself, and the sign-in form would land inside a card.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        sign_in = resolve_url(settings.LOGIN_URL)
        htmx = HtmxDetails(request)
        if not htmx or urlsplit(response.headers.get("Location", "")).path != sign_in:
            return response
        back = _page_behind(htmx) or resolve_url(settings.LOGIN_REDIRECT_URL)
        return HttpResponse(status=204, headers={"HX-Redirect": f"{sign_in}?{urlencode({'next': back})}"})

    return middleware


def _page_behind(htmx: HtmxDetails) -> str:
    """What a browser says it shows; what is no address is nothing."""
    try:
        return htmx.current_url_abs_path or ""
    except ValueError:
        return ""


def auditors_only_look(get_response: GetResponse) -> GetResponse:
    """Nothing is posted by somebody who may only look, whichever page or action it is, but what is their own.

    Each page asks for its permission besides; this holds for one that forgets to.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    def process_view(request: HttpRequest, *_view: object) -> None:
        match = request.resolver_match
        if match is None or request.method in LOOKS or _is_own(match.url_name or "", "admin" in match.app_names):
            return
        if request.user.is_authenticated and request.user.is_staff and not request.user.is_admin:
            raise PermissionDenied

    middleware.process_view = process_view  # type: ignore[attr-defined]
    return middleware


def _is_own(name: str, in_admin: bool) -> bool:
    if in_admin:
        return name in OWN_IN_ADMIN
    return name in OWN_POSTS or name.startswith(OF_SIGN_IN)
