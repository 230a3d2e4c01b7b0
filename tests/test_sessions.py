"""The cookie of a session is in the browser alone; the database knows its hash."""

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client

from generations import sessions
from generations.models import User

pytestmark = pytest.mark.django_db
SIGN_IN, PASSWORD = "/accounts/sign-in/", "a-long-one-7391"


def cookie_of(client: Client) -> str:
    return str(client.cookies[settings.SESSION_COOKIE_NAME].value)


@pytest.fixture
def browser(alice: User) -> Client:
    alice.set_password(PASSWORD)
    alice.save()
    client = Client()
    client.post(SIGN_IN, {"username": "alice", "password": PASSWORD})
    assert client.get("/").status_code == 200
    return client


def test_the_table_has_the_hash_and_it_opens_nothing(browser: Client) -> None:
    stored = Session.objects.get().session_key
    cookie = cookie_of(browser)
    assert stored == sessions.key_of(cookie)
    assert len(cookie) >= 40
    thief = Client()
    for guess in (stored, cookie + "x", cookie[:-1], "", "x" * 10_000):
        thief.cookies[settings.SESSION_COOKIE_NAME] = guess
        assert thief.get("/").status_code == 302


def test_signing_in_and_out_are_new_sessions(browser: Client) -> None:
    before = cookie_of(browser)
    browser.post("/accounts/sign-out/")
    assert not Session.objects.filter(session_key=sessions.key_of(before)).exists()
    browser.post(SIGN_IN, {"username": "alice", "password": PASSWORD})
    assert cookie_of(browser) != before
    assert browser.get("/").status_code == 200


def test_a_session_that_changes_keeps_its_cookie(browser: Client) -> None:
    before = cookie_of(browser)
    session = browser.session
    session["seen"] = 1
    session.save()
    browser.get("/")
    assert cookie_of(browser) == before
    assert browser.session["seen"] == 1


def test_a_cookie_that_was_made_up_is_not_taken_over(alice: User) -> None:
    """Whoever plants a cookie in a browser must not know the one that it has after signing in."""
    alice.set_password(PASSWORD)
    alice.save()
    client = Client()
    client.cookies[settings.SESSION_COOKIE_NAME] = "planted-by-somebody-else-0000000000000000"
    client.post(SIGN_IN, {"username": "alice", "password": PASSWORD})
    assert cookie_of(client) != "planted-by-somebody-else-0000000000000000"
    assert client.get("/").status_code == 200
