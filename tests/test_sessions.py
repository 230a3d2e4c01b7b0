"""The cookie of a session is in the browser alone; the database knows its hash."""

from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DjangosStore
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from generations import ciphers, sessions, sweep
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


def test_the_table_does_not_tell_what_a_session_holds() -> None:
    store = sessions.SessionStore()
    store["mfa.totp.secret"] = "an-obviously-fake-seed"
    store.save()
    row = Session.objects.get()
    assert DjangosStore().decode(row.session_data) == {}, "nothing to be read without the encryption key"
    assert "an-obviously-fake-seed" in str(DjangosStore().decode(ciphers.decrypt(row.session_data)))
    assert sessions.SessionStore(row.session_key)["mfa.totp.secret"] == "an-obviously-fake-seed"


@pytest.mark.parametrize("data", ["", "x", "é", "in clear", "gAAAAAB"])
def test_what_cannot_be_read_is_an_empty_session(browser: Client, data: str) -> None:
    if data == "in clear":
        data = DjangosStore().encode(dict(browser.session.items()))
    assert sessions.SessionStore().decode(data) == {}
    Session.objects.update(session_data=data)
    assert browser.get("/").status_code == 302


def test_another_secret_of_the_house_is_no_session() -> None:
    assert sessions.SessionStore().decode(ciphers.encrypt('{"_auth_user_id": "1"}')) == {}


def test_the_list_of_devices_knows_who_is_signed_in(browser: Client, alice: User) -> None:
    assert [device.session_key for device in UserSession.objects.purge_and_list(alice)] == [Session.objects.get().pk]


def make_sessions(number: int, ends: timedelta) -> None:
    for _each in range(number):
        store = sessions.SessionStore()
        store["seen"] = 1
        store.set_expiry(timezone.now() + ends)
        store.save()


def test_those_that_are_over_are_deleted_a_bite_at_a_time(browser: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(sessions, "BITE", 2)
    make_sessions(3, -timedelta(days=1))
    make_sessions(1, timedelta(days=1))
    sweep.now_and_then()
    assert Session.objects.count() == 3
    assert sessions.clear_expired() == 1
    assert sessions.clear_expired() == 0
    assert browser.get("/").status_code == 200
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    sessions.clear_expired()
    assert not UserSession.objects.exists(), "where somebody was signed in is not kept longer than that"


def test_djangos_own_command_deletes_them_too() -> None:
    make_sessions(1, -timedelta(days=1))
    call_command("clearsessions")
    assert not Session.objects.exists()
