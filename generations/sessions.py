"""Sessions whose cookies are nowhere but in the browser: the database knows the hash of each, as it does of links.

So a copy of the database signs nobody in. ``session_key`` is the hash, for everything that keeps or compares it; only
the middleware below deals in the cookies themselves. What a session holds is encrypted: the key of a new password, the
secret of an authenticator app that is being set up and the link that somebody was on the way to open things by itself.
"""

import hashlib
import secrets
from collections.abc import Collection
from contextvars import ContextVar
from typing import Any

from allauth.usersessions.models import UserSession
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.middleware import SessionMiddleware as DjangoMiddleware
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from generations import ciphers

LONGEST = 200  # characters of a cookie that is looked at
BITE = 1000  # rows deleted at once


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

    def encode(self, session_dict: dict[str, Any]) -> str:
        # Django's signature stays inside: it says that the text was made for a session and not for another column.
        return ciphers.encrypt(super().encode(session_dict))

    def decode(self, session_data: str | bytes) -> dict[str, Any]:
        """What cannot be read is an empty session, as a bad signature is to Django."""
        try:
            signed = ciphers.decrypt(session_data if isinstance(session_data, str) else session_data.decode())
        except (InvalidToken, ValueError):
            return {}
        return super().decode(signed)


def clear_expired() -> int:
    """Delete a bite of sessions that are over, and what stands about them in the list of somebody's devices."""
    over = Session.objects.filter(expire_date__lt=timezone.now()).order_by("expire_date")
    return _delete(list(over.values_list("pk", flat=True)[:BITE]))


def end_all_of(people: Collection[int]) -> int:
    """Sign these people out wherever they are signed in.

    All sessions are read: one that began anew on a page of the admin is not in the list of somebody's devices.
    """
    wanted, store = {str(pk) for pk in people}, SessionStore()
    present = Session.objects.filter(expire_date__gt=timezone.now()).values_list("pk", "session_data")
    ended = {pk for pk, data in present.iterator() if store.decode(data).get(SESSION_KEY) in wanted}
    devices = UserSession.objects.filter(user__in=people)
    ended.update(devices.values_list("session_key", flat=True))
    devices.delete()
    keys = sorted(ended)
    return sum(_delete(keys[start : start + BITE]) for start in range(0, len(keys), BITE))


def _delete(keys: list[str]) -> int:
    UserSession.objects.filter(session_key__in=keys).delete()
    return Session.objects.filter(pk__in=keys).delete()[0]


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
