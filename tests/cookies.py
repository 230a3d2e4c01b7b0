"""Django's test client would take the key of a session for its cookie, which are two things here."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.test import Client

from generations import sessions


@contextmanager
def understood() -> Iterator[None]:
    """Inside, the client deals in cookies as a browser does."""
    as_usual = Client._set_login_cookies  # type: ignore[attr-defined]

    def set_cookie(client: Client, request: Any) -> None:
        came = _cookie_of(client)
        as_usual(client, request)
        morsel = client.cookies[settings.SESSION_COOKIE_NAME]
        cookie = sessions.cookie_of(request.session.session_key) or (came.value if came else "")
        morsel.set(morsel.key, cookie, cookie)

    with patch.multiple(Client, _set_login_cookies=set_cookie, session=property(_session)):
        yield


def _cookie_of(client: Client) -> Any:
    return client.cookies.get(settings.SESSION_COOKIE_NAME)


def _session(client: Client) -> sessions.SessionStore:
    if morsel := _cookie_of(client):
        return sessions.SessionStore(sessions.key_of(morsel.value))
    fresh = sessions.SessionStore()
    fresh.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = sessions.cookie_of(fresh.session_key)
    return fresh
