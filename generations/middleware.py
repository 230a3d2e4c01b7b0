"""Small layers around every view: the person's own language and clock, a sign-in that htmx understands, and auditors
who only look."""

from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.core.exceptions import PermissionDenied
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
WITH_FILES = ("task-create", "template-create")
LARGEST = 4 * 1024 * 1024
LARGEST_WITH_FILES = MOST_AT_ONCE * MAX_BYTES + LARGEST
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

    A body without a length is none to the server before us. Callbacks have a bound of their own.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        takes_files = request.path in {reverse(name) for name in WITH_FILES} and request.user.is_authenticated
        # What is no length is none to Django either: it reads nothing then.
        if length.isdecimal() and int(length[:20]) > (LARGEST_WITH_FILES if takes_files else LARGEST):
            return render(request, "413.html", status=413)
        return get_response(request)

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
        back = htmx.current_url_abs_path or resolve_url(settings.LOGIN_REDIRECT_URL)
        return HttpResponse(status=204, headers={"HX-Redirect": f"{sign_in}?{urlencode({'next': back})}"})

    return middleware


def auditors_only_look(get_response: GetResponse) -> GetResponse:
    """Nothing is posted to the admin by somebody who may only look, whichever page or action it is.

    Each page asks for its permission besides; this holds for one that forgets to.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    def process_view(request: HttpRequest, *_view: object) -> None:
        match = request.resolver_match
        if match is None or "admin" not in match.app_names or request.method in LOOKS or match.url_name in OWN_IN_ADMIN:
            return
        if request.user.is_authenticated and request.user.is_staff and not request.user.is_admin:
            raise PermissionDenied

    middleware.process_view = process_view  # type: ignore[attr-defined]
    return middleware
