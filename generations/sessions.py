"""Sessions whose cookies are nowhere but in the browser: the database knows the hash of each, as it does of links.

So a copy of the database signs nobody in. ``session_key`` is the hash, for everything that keeps or compares it; only
the middleware below deals in the cookies themselves.
"""

import hashlib
import secrets
from contextvars import ContextVar

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

LONGEST = 200  # characters of a cookie that is looked at


def key_of(cookie: str) -> str:
    """What the table of sessions knows a cookie by; as much of the hash as its column holds, 160 bits."""
    return hashlib.sha256(b"videoforge session\0" + cookie[:LONGEST].encode()).hexdigest()[:40]


# The last one that was made in this thread of work: its key and its cookie. Not kept with the session, which may be
# read anew from its key before the answer leaves.
_made: ContextVar[tuple[str, str]] = ContextVar("made", default=("", ""))


def cookie_of(session_key: str | None) -> str:
    """Of a session that has just begun; "" for any other."""
    key, cookie = _made.get()
    return cookie if key == session_key else ""


class SessionStore(DatabaseStore):
    def _get_new_session_key(self) -> str:
        cookie = secrets.token_urlsafe(32)
        _made.set((key_of(cookie), cookie))
        return key_of(cookie)


class SessionMiddleware(DjangoMiddleware):
    def process_request(self, request: HttpRequest) -> None:
        _made.set(("", ""))
        came = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        request.session = SessionStore(key_of(came) if came else None)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:  # type: ignore[override]
        response = super().process_response(request, response)  # type: ignore[arg-type]
        morsel = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if morsel is not None and morsel.value and morsel.value == request.session.session_key:
            came = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
            cookie = came if key_of(came) == morsel.value else cookie_of(morsel.value)
            morsel.set(morsel.key, cookie, cookie)
        return response
