"""Passwords, second steps, sessions, and what stands in the way of guessing."""

import json
import threading
import time
from typing import Any
from urllib.parse import quote

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from auditlog.models import LogEntry
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import NoReverseMatch, reverse

from generations.management.commands import run
from generations.models import User
from generations.sign_in import throttle
from tests.factories import make_user
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
DOOR = "/accounts/sign-in/"
NEW = "a-long-one-7391"


def sign_in(client: Client, password: str = "pass", username: str = "alice", **more: Any) -> Any:  # noqa: S107
    return client.post(DOOR, {"username": username, "password": password, **more.pop("fields", {})}, **more)


def is_in(client: Client) -> bool:
    return client.get("/settings/sign-in/").status_code == 200


def confirmed(user: User) -> Client:
    """Signed in, and the password said once more a moment ago."""
    client = Client()
    sign_in(client, username=user.username)
    client.post("/accounts/confirm/", {"password": "pass"})
    return client


def with_app(user: User) -> str:
    """Give somebody an authenticator app; its secret."""
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    return secret


def code_of(secret: str, steps: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


def replace_address(admin: User, person: User, email: str) -> Any:
    fields = {"username": person.username, "email": email, "role": person.role, "theme": person.theme}
    fields |= {"language": person.language, "time_zone": person.time_zone}
    return signed_in(admin).post(f"/admin/generations/user/{person.pk}/change/", fields)


class TestPassword:
    def test_the_name_is_read_in_any_case(self, alice: User) -> None:
        client = Client()
        assert sign_in(client, username="ALICE")["Location"] == "/"
        assert is_in(client)

    def test_a_deactivated_person_gets_a_page_and_no_session(self, alice: User) -> None:
        User.objects.update(is_active=False)
        client = Client()
        assert sign_in(client)["Location"] == "/accounts/closed/"
        assert not is_in(client)

    def test_a_wrong_one_does_not_tell_whether_the_name_exists(self, alice: User) -> None:
        told = [sign_in(Client(), "no", name).content.decode() for name in ("alice", "nobody")]
        assert "The user name or the password is wrong." in told[0]
        assert told[0].replace("alice", "").count("<p>") == told[1].replace("nobody", "").count("<p>")

    def test_changing_it_ends_the_sessions_elsewhere(self, alice: User) -> None:
        here, there = confirmed(alice), signed_in(alice)
        fields = {"oldpassword": "pass", "password1": NEW, "password2": NEW}
        assert here.post("/settings/sign-in/password/", fields).status_code == 302
        assert is_in(here)
        assert not is_in(there)

    @pytest.mark.parametrize("new", ["short", "password", "12345678"])
    def test_a_poor_one_is_refused(self, alice: User, new: str) -> None:
        fields = {"oldpassword": "pass", "password1": new, "password2": new}
        page = confirmed(alice).post("/settings/sign-in/password/", fields).content.decode()
        assert 'aria-invalid="true"' in page
        alice.refresh_from_db()
        assert alice.check_password("pass")

    def test_a_new_one_by_mail_only_where_there_is_mail(self, alice: User, settings: Any) -> None:
        User.objects.update(email="alice@house.example")
        assert "Ask an administrator for a new one" in Client().get(DOOR).content.decode()
        assert Client().get("/accounts/password/reset/").status_code == 404
        settings.VIDEOFORGE_SENDS_MAIL = True
        client = Client()
        assert "/accounts/password/reset/" in client.get(DOOR).content.decode()
        client.post("/accounts/password/reset/", {"email": "nobody@house.example"})
        assert not mail.outbox, "strangers get no mail, and the page does not tell"
        client.post("/accounts/password/reset/", {"email": "Alice@house.example"})
        [sent] = mail.outbox
        link = next(line for line in sent.body.splitlines() if line.startswith("http"))
        page = client.get(link, follow=True)
        client.post(page.request["PATH_INFO"], {"password1": NEW, "password2": NEW})
        assert sign_in(Client(), NEW).status_code == 302
        assert "no longer good" in Client().get(link, follow=True).content.decode()

    def test_the_mail_names_the_house_whatever_host_was_asked(self, alice: User, settings: Any) -> None:
        User.objects.update(email="alice@house.example")
        settings.VIDEOFORGE_SENDS_MAIL = True
        for public, told in (("https://videos.example", "https://videos.example"), ("", "http://localhost:9999")):
            settings.VIDEOFORGE_PUBLIC_URL = public
            asked = {"HTTP_HOST": "localhost:9999"}
            Client().post("/accounts/password/reset/", {"email": "alice@house.example"}, **asked)  # type: ignore[arg-type]
            cache.clear()
            link = next(line for line in mail.outbox[-1].body.splitlines() if line.startswith("http"))
            assert link.startswith(f"{told}/accounts/password/reset/")


class TestSessions:
    def test_signing_in_makes_a_new_key(self, alice: User) -> None:
        client = Client()
        session = client.session
        session["planted"] = "by somebody else"
        session.save()
        planted = client.cookies["sessionid"].value
        sign_in(client)
        assert client.cookies["sessionid"].value != planted
        assert not Session.objects.filter(session_key=session.session_key).exists()

    def test_signing_out_ends_it(self, alice: User) -> None:
        client = Client()
        sign_in(client)
        key = client.cookies["sessionid"].value
        client.post("/accounts/sign-out/")
        stolen = Client()
        stolen.cookies["sessionid"] = key
        assert not is_in(stolen)

    def test_deactivation_ends_all_at_once(self, alice: User) -> None:
        clients = [signed_in(alice), signed_in(alice)]
        User.objects.update(is_active=False)
        assert not any(is_in(client) for client in clients)

    def test_all_others_can_be_ended(self, alice: User) -> None:
        here, there = Client(), Client()
        for client in (here, there):
            sign_in(client, headers={"User-Agent": "Browser <b>of</b> a test"})
        page = here.get("/settings/sign-in/devices/").content.decode()
        assert page.count("Browser &lt;b&gt;of&lt;/b&gt; a test") == 2
        here.post("/settings/sign-in/devices/")
        assert is_in(here)
        assert not is_in(there)

    def test_cookies_are_for_this_house_alone(self, alice: User, settings: Any) -> None:
        settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
        client = Client()
        client.get(DOOR)
        answer = sign_in(client)
        cookie = answer.cookies["sessionid"]
        assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, True, "Lax")


ELSEWHERE = [
    "https://evil.example/", "//evil.example", "///evil.example", "////evil.example", r"/\evil.example",
    r"\/evil.example", "https://evil.example/%2f..",
    r"/\/evil.example", "https:evil.example", "https:/evil.example", "http:///evil.example", "javascript:alert(1)",
    "JaVaScRiPt:alert(1)", "data:text/html,x", "\t//evil.example", " //evil.example", "/\t/evil.example",
    "\x00//evil.example", "http://testserver@evil.example/", "http://testserver.evil.example/", "http://localhost/", "http://127.0.0.1/",
    "ftp://testserver/", "//testserver:99@evil.example", "http://evil.example\\@testserver/", "https://evil.example#testserver",
]  # fmt: skip


class TestNext:
    @pytest.mark.parametrize("there", ELSEWHERE)
    def test_it_never_leaves_the_house(self, alice: User, there: str) -> None:
        # As it is, as a browser sends it, and encoded once more, which no reader may undo.
        for written in (there, quote(there), quote(quote(there))):
            page = Client().get(f"{DOOR}?next={quote(there)}").content.decode()
            assert "evil" not in page
            led = sign_in(Client(), fields={"next": written})["Location"]
            assert led == "/" or led.startswith("/%"), "an encoded sign is a letter of a path of ours"
            signed = signed_in(alice)
            assert "evil" not in signed.get(f"{DOOR}?next={quote(there)}")["Location"]
            assert signed.post("/accounts/sign-out/", {"next": there})["Location"] == DOOR

    def test_not_even_down_to_plain_http(self, alice: User) -> None:
        led = sign_in(Client(), fields={"next": "http://testserver/library/"}, secure=True)["Location"]
        assert led == "/"

    def test_confirming_leads_nowhere_else_either(self, alice: User) -> None:
        client = Client()
        sign_in(client)
        answer = client.post("/accounts/confirm/", {"password": "pass", "next": "//evil.example"})
        assert answer["Location"] == "/"


class TestLimits:
    def test_five_wrong_ones_and_then_the_time_is_told(self, alice: User) -> None:
        client = Client()
        for _try in range(5):
            assert "is wrong" in sign_in(client, "no").content.decode()
        page = sign_in(client).content.decode()
        assert "Try again in 5 minutes, at " in page
        assert "(UTC)" in page
        assert not is_in(client)

    def test_right_ones_are_not_counted(self, alice: User) -> None:
        assert all(sign_in(Client()).status_code == 302 for _try in range(8))

    def test_a_strangers_tries_elsewhere_lock_nobody_out(self, alice: User) -> None:
        for _try in range(6):
            sign_in(Client(), "no", REMOTE_ADDR="192.0.2.7")
        assert "Try again" in sign_in(Client(), REMOTE_ADDR="192.0.2.7").content.decode()
        assert sign_in(Client(), REMOTE_ADDR="192.0.2.8").status_code == 302

    def test_nor_do_tries_at_another_name_from_here(self, alice: User, bob: User) -> None:
        for _try in range(6):
            sign_in(Client(), "no", "bob")
        assert sign_in(Client()).status_code == 302

    def test_the_name_is_one_however_it_is_written(self, alice: User) -> None:
        for name in ("alice", "ALICE", " alice", "Alice ", "aLice"):
            sign_in(Client(), "no", name)
        assert "Try again" in sign_in(Client()).content.decode()

    @pytest.mark.parametrize("written", ["aliſ", "ALIS", "alıs"])
    def test_nor_is_it_another_one_in_letters_that_a_database_takes_for_the_same(self, written: str) -> None:
        for _try in range(5):
            throttle.take("alis", "192.0.2.7")
        with pytest.raises(throttle.Locked):
            throttle.take(written, "192.0.2.7")

    def test_each_ask_for_a_passkey_is_a_session_and_they_are_counted(self, db: None) -> None:
        ask = {"headers": {"Accept": "application/json"}}
        answers = [Client().get("/accounts/passkey/", **ask).status_code for _ask in range(62)]  # type: ignore[arg-type]
        assert (answers[0], answers[-1]) == (200, 429)
        assert Session.objects.count() <= 60

    def test_who_goes_through_many_names_is_stopped(self, alice: User) -> None:
        for number in range(30):
            sign_in(Client(), "no", f"somebody-{number}")
        assert "Try again" in sign_in(Client()).content.decode()

    def test_many_machines_together_are_stopped_and_passkeys_go_on(self, alice: User, monkeypatch: Any) -> None:
        monkeypatch.setattr(throttle, "NAME", throttle.Limit("name", 10, 3600))
        for number in range(10):
            sign_in(Client(), "no", REMOTE_ADDR=f"192.0.2.{number}")
        assert "Try again in 60 minutes" in sign_in(Client(), REMOTE_ADDR="198.51.100.1").content.decode()
        asked = Client().get("/accounts/passkey/", headers={"Accept": "application/json"})
        assert asked.status_code == 200

    def test_one_machine_cannot_reach_the_limit_of_a_name(self) -> None:
        pairs_an_hour = throttle.PAIR.tries * throttle.NAME.seconds / throttle.PAIR.seconds
        assert pairs_an_hour * 4 < throttle.NAME.tries

    def test_a_claimed_address_changes_nothing_and_a_proxys_counts(self, alice: User) -> None:
        for number in range(6):
            told = {"X-Forwarded-For": f"203.0.113.{number}"}
            sign_in(Client(), "no", REMOTE_ADDR="192.0.2.7", headers=told)
        assert "Try again" in sign_in(Client(), REMOTE_ADDR="192.0.2.7").content.decode()
        for _try in range(6):
            sign_in(Client(), "no", headers={"X-Forwarded-For": "203.0.113.1"})
        assert sign_in(Client(), headers={"X-Forwarded-For": "203.0.113.2"}).status_code == 302
        assert sign_in(Client(), headers={"X-Forwarded-For": "203.0.113.1"}).status_code == 200

    def test_a_whole_network_of_the_new_kind_is_one_address(self, alice: User) -> None:
        for number in range(5):
            sign_in(Client(), "no", REMOTE_ADDR=f"2001:db8:1:2::{number + 1}")
        assert "Try again" in sign_in(Client(), REMOTE_ADDR="2001:db8:1:2:ffff::9").content.decode()
        assert sign_in(Client(), REMOTE_ADDR="2001:db8:1:3::1").status_code == 302

    def test_confirming_the_password_is_counted_too(self, alice: User) -> None:
        client = Client()
        sign_in(client)
        for _try in range(5):
            client.post("/accounts/confirm/", {"password": "no"})
        assert "Try again" in client.post("/accounts/confirm/", {"password": "pass"}).content.decode()

    def test_codes_are_limited_as_well(self, alice: User) -> None:
        secret = with_app(alice)
        client = Client()
        sign_in(client)
        for _try in range(5):
            client.post("/accounts/second-step/", {"code": "000000"})
        page = client.post("/accounts/second-step/", {"code": code_of(secret)}).content.decode()
        assert "Too many wrong codes" in page
        assert not is_in(client)

    def test_a_flood_is_answered_with_a_page(self, alice: User) -> None:
        answers = [sign_in(Client(), username=f"n{number}").status_code for number in range(61)]
        assert answers[-1] == 429

    @pytest.mark.django_db(transaction=True)
    def test_tries_sent_at_the_same_moment_are_no_way_around(self) -> None:
        cache.clear()
        gate, taken = threading.Barrier(12), []

        def try_once() -> None:
            cache.get("warm")  # a connection of its own, so that all are at the gate
            gate.wait()
            try:
                taken.extend(throttle.take("alice", "192.0.2.7")[:1])
            except throttle.Locked:
                taken.append("")
            connection.close()

        threads = [threading.Thread(target=try_once) for _try in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        cache.clear()
        assert len([place for place in taken if place]) == len({place for place in taken if place}) == 5
        assert taken.count("") == 7

    def test_a_place_is_given_once_to_those_who_all_saw_it_free(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(cache, "get_many", lambda _places: {})
        for _try in range(5):
            throttle.take("alice", "192.0.2.7")
        with pytest.raises(throttle.Locked):
            throttle.take("alice", "192.0.2.7")

    def test_a_place_is_free_again_after_its_time(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(throttle, "PAIR", throttle.Limit("pair", 1, 1))
        throttle.take("alice", "192.0.2.7")
        with pytest.raises(throttle.Locked):
            throttle.take("alice", "192.0.2.7")
        time.sleep(1.1)
        throttle.take("alice", "192.0.2.7")


def credential(**over: Any) -> str:
    answer = {"clientDataJSON": "e30", "authenticatorData": "AAAA", "signature": "AAAA", "userHandle": "MQ"}
    made = {"id": "AAAA", "rawId": "AAAA", "type": "public-key", "clientExtensionResults": {}, "response": answer}
    return json.dumps({**made, **over})


JUNK = [
    "", "x", "{}", "[]", "null", '{"id": 1}', '{"response": {"userHandle": "AA"}}', credential(),
    credential(response={}), credential(response=None), credential(response={"clientDataJSON": "e30"}),
    credential(id="?"), credential(rawId=[]), credential(response={"clientDataJSON": "e30", "attestationObject": "oA"}),
    credential(response={"clientDataJSON": "e30", "attestationObject": "////"}),
    credential(response={"clientDataJSON": "bnVsbA", "attestationObject": "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YUA"}),
]  # fmt: skip


class TestSecondStep:
    def test_a_password_alone_is_no_longer_enough(self, alice: User) -> None:
        secret = with_app(alice)
        client = Client()
        assert sign_in(client, fields={"next": "/library/"})["Location"].startswith("/accounts/second-step/")
        assert not is_in(client)
        assert "authenticator app" in client.get("/accounts/second-step/").content.decode()
        assert client.post("/accounts/second-step/", {"code": code_of(secret)})["Location"] == "/library/"
        assert is_in(client)

    def test_a_code_is_good_once(self, alice: User) -> None:
        secret = with_app(alice)
        code, results = code_of(secret), []
        for _try in range(2):
            client = Client()
            sign_in(client)
            client.post("/accounts/second-step/", {"code": code})
            results.append(is_in(client))
        assert results == [True, False]

    def test_a_recovery_code_is_good_once(self, alice: User) -> None:
        with_app(alice)
        code, results = RecoveryCodes.activate(alice).get_unused_codes()[0], []
        for _try in range(2):
            client = Client()
            sign_in(client)
            client.post("/accounts/second-step/", {"code": code})
            results.append(is_in(client))
        assert results == [True, False]

    def test_the_app_is_set_up_after_the_password_and_its_secret_is_encrypted(self, alice: User) -> None:
        client = Client()
        sign_in(client)
        assert (
            client.get("/settings/sign-in/app/")["Location"] == "/accounts/confirm/?next=%2Fsettings%2Fsign-in%2Fapp%2F"
        )
        client.post("/accounts/confirm/", {"password": "pass"})
        client.get("/settings/sign-in/app/")
        secret = client.session["mfa.totp.secret"]
        answer = client.post("/settings/sign-in/app/", {"code": code_of(secret)})
        assert answer["Location"] == "/settings/sign-in/recovery-codes/"
        kept = json.dumps(list(Authenticator.objects.values_list("data", flat=True)))
        assert secret not in kept
        shown = client.get(answer["Location"])
        codes = shown.context["unused_codes"]
        assert len(codes) == 10
        assert not any(code in kept for code in codes)
        again = client.get(answer["Location"]).content.decode()
        assert not any(code in again for code in codes), "they are shown once"

    def test_it_is_in_the_record_that_it_was_turned_on(self, alice: User) -> None:
        secret = with_app(alice)
        rows = LogEntry.objects.filter(content_type__model="authenticator")
        assert rows.count() == 1
        assert secret not in str(rows.values_list("changes", "object_repr"))

    def test_passkeys_of_others_are_not_there(self, alice: User, bob: User) -> None:
        key = Authenticator.objects.create(user=bob, type="webauthn", data={"name": "His", "credential": {}})
        client = confirmed(alice)
        for place in (f"passkeys/{key.pk}/", f"passkeys/{key.pk}/remove/"):
            assert client.get(f"/settings/sign-in/{place}").status_code == 404
            assert client.post(f"/settings/sign-in/{place}").status_code == 404

    @pytest.mark.parametrize("junk", JUNK)
    def test_a_passkey_that_is_none_lets_nobody_in(self, alice: User, junk: str) -> None:
        client = Client()
        client.get("/accounts/passkey/", headers={"Accept": "application/json"})
        assert client.post("/accounts/passkey/", {"credential": junk})["Location"] == DOOR
        assert not is_in(client)
        desk = confirmed(alice)
        desk.get("/settings/sign-in/passkeys/add/")
        assert desk.post("/settings/sign-in/passkeys/add/", {"credential": junk}).status_code == 200
        assert not Authenticator.objects.exists()


class TestPages:
    SIGNED_OUT = ("sign-in/", "closed/", "sso/cancelled/")
    OWN = ("", "password/", "app/", "passkeys/", "passkeys/add/", "devices/", "recovery-codes/new/")

    def test_each_has_the_strict_policy_and_no_script_or_style_of_its_own(self, alice: User) -> None:
        with_app(alice)
        RecoveryCodes.activate(alice)
        client = confirmed(alice)
        client.post("/accounts/second-step/", {"code": ""})
        pages = [Client().get(f"/accounts/{place}") for place in self.SIGNED_OUT]
        pages += [signed_in(alice).get(f"/settings/sign-in/{place}", follow=True) for place in self.OWN]
        for page in pages:
            html = page.content.decode()
            assert page.status_code == 200, page.request["PATH_INFO"]
            assert "default-src 'self'" in page["Content-Security-Policy"]
            assert "unsafe" not in page["Content-Security-Policy"]
            assert "style=" not in html
            assert "<style" not in html
            assert "onclick" not in html

    def test_they_are_not_kept_by_browsers_and_proxies(self, alice: User) -> None:
        for page in (Client().get(DOOR), signed_in(alice).get("/settings/sign-in/")):
            assert "no-store" in page["Cache-Control"]

    @pytest.mark.parametrize(
        "place",
        [
            "/accounts/signup/", "/accounts/sign-up/", "/accounts/login/", "/accounts/email/",
            "/accounts/confirm-email/",
            "/accounts/3rdparty/", "/accounts/sso/signup/", "/accounts/social/signup/", "/accounts/2fa/", "/accounts/",
            "/accounts/oidc/sso/login/", "/_allauth/browser/v1/config",
        ],
    )  # fmt: skip
    def test_what_the_house_does_not_want_is_not_there(self, alice: User, place: str) -> None:
        assert Client().get(place).status_code == 404
        assert signed_in(alice).get(place).status_code == 404
        assert signed_in(alice).post(place).status_code == 404

    def test_of_allauths_names_only_these_exist(self) -> None:
        unwanted = ("account_signup", "account_email", "socialaccount_signup", "socialaccount_connections")
        for name in (*unwanted, "account_email_verification_sent", "mfa_signup_webauthn", "account_request_login_code"):
            with pytest.raises(NoReverseMatch):
                reverse(name)

    def test_the_way_there_is_in_everybodys_menu(self, alice: User) -> None:
        assert 'href="/settings/sign-in/"' in signed_in(alice).get("/").content.decode()
        assert Client().get("/settings/sign-in/")["Location"] == f"{DOOR}?next=/settings/sign-in/"

    def test_the_admin_has_no_door_and_no_list_of_its_own(self, admin: User, alice: User) -> None:
        asked = Client().get("/admin/login/?next=/admin/generations/user/")
        assert asked["Location"] == f"{DOOR}?next=%2Fadmin%2Fgenerations%2Fuser%2F"
        assert Client().post("/admin/login/", {"username": "admin", "password": "pass"})["Location"].startswith(DOOR)
        assert signed_in(alice).get("/admin/", follow=True).status_code == 403
        desk = signed_in(admin)
        assert desk.get("/admin/password_change/")["Location"] == "/settings/sign-in/password/"
        for table in (
            "account/emailaddress",
            "mfa/authenticator",
            "socialaccount/socialapp",
            "usersessions/usersession",
        ):
            assert desk.get(f"/admin/{table}/").status_code == 404

    def test_an_administrator_helps_whoever_lost_phone_and_codes(self, admin: User, alice: User) -> None:
        with_app(alice)
        RecoveryCodes.activate(alice)
        SocialAccount.objects.create(user=alice, provider="sso", uid="idp-0001")
        people = "/admin/generations/user/"
        chosen = {"action": "forget_doors", "_selected_action": [alice.pk]}
        auditor = signed_in(make_user("auditor", role="auditor"))
        assert auditor.post(people, chosen).status_code == 403
        assert Authenticator.objects.count() == 2
        assert "Forgotten." in signed_in(admin).post(people, chosen, follow=True).content.decode()
        assert not Authenticator.objects.exists()
        assert not SocialAccount.objects.exists()
        assert LogEntry.objects.filter(action=LogEntry.Action.DELETE, actor=admin).count() == 3
        client = Client()
        assert sign_in(client)["Location"] == "/"

    def test_whoever_holds_the_lost_phone_is_signed_out(self, admin: User, alice: User) -> None:
        phone = Client()
        sign_in(phone)
        chosen = {"action": "forget_doors", "_selected_action": [alice.pk]}
        signed_in(admin).post("/admin/generations/user/", chosen)
        assert not is_in(phone)
        assert not UserSession.objects.filter(user=alice).exists()

    def test_an_address_that_was_replaced_gets_no_new_password(self, admin: User, alice: User, settings: Any) -> None:
        settings.VIDEOFORGE_SENDS_MAIL = True
        User.objects.filter(pk=alice.pk).update(email="old@house.example")
        EmailAddress.objects.create(user=alice, email="old@house.example", verified=True, primary=True)
        assert replace_address(admin, alice, "New@house.example").status_code == 302
        for address in ("old@house.example", "new@house.example"):
            Client().post("/accounts/password/reset/", {"email": address})
        assert [sent.to for sent in mail.outbox] == [["new@house.example"]]
        known = EmailAddress.objects.values_list("email", "verified", "primary")
        assert list(known) == [("new@house.example", True, True)]
        replace_address(admin, alice, "")
        assert not EmailAddress.objects.exists()

    def test_an_address_that_somebody_else_proved_is_refused(self, admin: User, alice: User, bob: User) -> None:
        EmailAddress.objects.create(user=bob, email="bob@house.example", verified=True, primary=True)
        assert "already" in replace_address(admin, alice, "Bob@house.example").content.decode()
        assert EmailAddress.objects.get().user == bob

    def test_people_are_told_an_address_under_which_passkeys_work(self) -> None:
        assert [run._by_name(host) for host in ("127.0.0.1", "0.0.0.0", "::1")] == ["localhost", "localhost", "::1"]


def test_the_cache_is_shared_and_gives_a_place_to_one_only(db: None) -> None:
    assert settings.CACHES["default"]["BACKEND"].endswith("RedisCache" if settings.REDIS_URL else "DatabaseCache")
    assert cache.add("a", 1, 60)
    assert not cache.add("a", 2, 60)
    assert cache.get("a") == 1


@pytest.mark.skipif(bool(settings.REDIS_URL), reason="a server beside us is not in the database")
def test_a_new_database_has_the_cache_from_the_start(django_db_blocker: Any, db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE videoforge_cache")
    call_command("migrate", verbosity=0)
    assert "videoforge_cache" in connection.introspection.table_names()


def test_somebody_with_a_name_in_two_spellings_can_be_made_by_nobody(alice: User) -> None:
    make_user("Alice")
    assert not is_in(Client())
    assert "is wrong" in sign_in(Client()).content.decode(), "neither of the two: nobody knows who is meant"
