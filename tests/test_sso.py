"""Single sign-on against a real provider on loopback: who is let in, who is not, and what is believed."""

from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.account.models import EmailAddress
from allauth.socialaccount.models import SocialAccount
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from generations import invitations
from generations.models import AllowedHost, Invitation, Role, User
from tests.factories import make_user
from tests.oidc import ALICE, CLIENT, KEY, OTHER_KEY, SECRET, Identity, provider
from tests.servers import says, serving

pytestmark = pytest.mark.django_db
START, BACK = "/accounts/sso/", "/accounts/sso/callback/"


@pytest.fixture
def idp(settings: Any) -> Iterator[Identity]:
    with provider() as identity:
        settings.VIDEOFORGE_OIDC_URL = identity.issuer
        settings.VIDEOFORGE_OIDC_CLIENT_ID, settings.VIDEOFORGE_OIDC_SECRET = CLIENT, SECRET
        settings.VIDEOFORGE_OIDC_NAME = "House ID"
        yield identity


@pytest.fixture
def alice(db: None) -> User:
    return make_user("alice", first_name="Alice", email="alice@house.example")


def come_in(client: Client, idp: Identity, start: str = START) -> HttpResponse:
    """There and back again."""
    there = client.get(start)
    assert there.status_code == 302, there.content
    return client.get(idp.approve(there["Location"]).removeprefix("http://testserver"))


def who(client: Client) -> str:
    page = client.get("/settings/sign-in/")
    return page.wsgi_request.user.username if page.status_code == 200 else ""


class TestWhoIsLetIn:
    def test_the_person_with_that_address_whatever_its_case(self, idp: Identity, alice: User) -> None:
        client = Client()
        answer = come_in(client, idp, f"{START}?next=/library/")
        assert (answer.status_code, answer["Location"]) == (302, "/library/")
        assert who(client) == "alice"
        [linked] = SocialAccount.objects.all()
        assert (linked.user, linked.uid, linked.provider) == (alice, "idp-0001", "sso")
        assert "nonce" not in str(linked.extra_data), "only what is needed is kept"
        alice.refresh_from_db()
        assert alice.check_password("pass"), "the password goes on working"

    def test_back_to_the_house_whatever_host_was_asked(self, idp: Identity, settings: Any) -> None:
        settings.VIDEOFORGE_PUBLIC_URL = "https://videos.example"
        there = Client().get(START, HTTP_HOST="localhost:9999")["Location"]
        assert parse_qs(urlsplit(there).query)["redirect_uri"] == [f"https://videos.example{BACK}"]

    def test_later_by_the_providers_number_even_under_another_address(self, idp: Identity, alice: User) -> None:
        come_in(Client(), idp)
        idp.person = ALICE | {"email": "married@house.example"}
        client = Client()
        come_in(client, idp)
        assert who(client) == "alice"

    def test_an_administrator_gets_as_far_as_the_admin(self, idp: Identity, admin: User) -> None:
        User.objects.filter(pk=admin.pk).update(email="root@house.example")
        idp.person = ALICE | {"email": "root@house.example"}
        client = Client()
        asked = client.get("/admin/generations/")
        assert asked["Location"] == "/admin/login/?next=/admin/generations/"
        door = client.get(asked["Location"])
        assert door["Location"] == "/accounts/sign-in/?next=%2Fadmin%2Fgenerations%2F"
        page = client.get(door["Location"]).content.decode()
        assert 'href="/accounts/sso/?next=%2Fadmin%2Fgenerations%2F"' in page
        assert come_in(client, idp, f"{START}?next=%2Fadmin%2Fgenerations%2F")["Location"] == "/admin/generations/"
        assert client.get("/admin/generations/").status_code == 200

    def test_somebody_invited_becomes_who_they_were_invited_as(self, idp: Identity, admin: User) -> None:
        token = invitations.make(Invitation(name="Al", role=Role.AUDITOR), admin)
        client = Client()
        assert "Join with House ID" in client.get(f"/invitations/{token}/").content.decode()
        assert come_in(client, idp).status_code == 302
        person = User.objects.get(email__iexact="alice@house.example")
        assert (who(client), person.role, person.first_name) == (person.username, Role.AUDITOR, "Alice")
        assert not person.has_usable_password()
        assert EmailAddress.objects.get(user=person).verified
        assert Invitation.objects.get().person == person
        assert Client().get(f"/invitations/{token}/").status_code == 404

    def test_a_new_member_of_a_domain_of_ours(self, idp: Identity, settings: Any) -> None:
        settings.VIDEOFORGE_OIDC_DOMAINS = ["house.example"]
        client = Client()
        come_in(client, idp)
        assert User.objects.get(username=who(client)).role == Role.MEMBER

    def test_a_name_that_is_taken_gets_a_number(self, idp: Identity, settings: Any) -> None:
        make_user("alice")
        settings.VIDEOFORGE_OIDC_DOMAINS = ["house.example"]
        client = Client()
        come_in(client, idp)
        assert who(client).startswith("alice")
        assert who(client) != "alice"


class TestWhoIsNot:
    def refused(self, idp: Identity, status: int = 403) -> str:
        client = Client()
        before = User.objects.count()
        answer = come_in(client, idp)
        assert answer.status_code == status
        assert who(client) == ""
        assert User.objects.count() == before
        assert not SocialAccount.objects.exists()
        return answer.content.decode()

    def test_a_stranger(self, idp: Identity) -> None:
        assert "Ask an administrator for an invitation" in self.refused(idp)

    def test_somebody_whose_address_nobody_checked(self, idp: Identity, alice: User, settings: Any) -> None:
        settings.VIDEOFORGE_OIDC_DOMAINS = ["house.example"]
        for said in (False, None, "false", "", 0):
            idp.person = ALICE | {"email_verified": said}
            self.refused(idp)

    def test_a_checked_address_beside_an_unchecked_one(self, idp: Identity, alice: User) -> None:
        """Of two sources that each tell half, no whole is made."""
        idp.person = ALICE | {"email": "other@house.example"}
        idp.told = {"sub": ALICE["sub"], "email": "alice@house.example"}
        self.refused(idp)

    def test_a_member_of_a_domain_that_only_ends_like_ours(self, idp: Identity, settings: Any) -> None:
        settings.VIDEOFORGE_OIDC_DOMAINS = ["house.example"]
        for email in ("a@evilhouse.example", "a@house.example.evil.example", "a@sub.house.example"):
            idp.person = ALICE | {"email": email}
            self.refused(idp)

    def test_whoever_has_the_address_that_two_have(self, idp: Identity, alice: User) -> None:
        make_user("second", email="ALICE@house.example")
        self.refused(idp)

    def test_an_address_that_somebody_only_claimed(self, idp: Identity, bob: User) -> None:
        """Bob wrote Alice's address when he joined; she does not come in as Bob."""
        User.objects.filter(pk=bob.pk).update(email="alice@house.example")
        EmailAddress.objects.create(user=bob, email="alice@house.example", verified=False, primary=True)
        self.refused(idp)

    def test_somebody_who_got_the_address_of_another(self, idp: Identity, alice: User) -> None:
        come_in(Client(), idp)
        idp.person = ALICE | {"sub": "idp-0002"}
        client = Client()
        assert come_in(client, idp).status_code == 403
        assert who(client) == ""

    def test_somebody_deactivated_known_or_not(self, idp: Identity, alice: User) -> None:
        User.objects.update(is_active=False)
        client = Client()
        assert come_in(client, idp)["Location"] == "/accounts/closed/"
        assert who(client) == ""
        assert not SocialAccount.objects.exists()
        User.objects.update(is_active=True)
        come_in(Client(), idp)
        User.objects.update(is_active=False)
        client = Client()
        assert come_in(client, idp)["Location"] == "/accounts/closed/"
        assert who(client) == ""
        assert "deactivated" in client.get("/accounts/closed/").content.decode()

    def test_with_an_invitation_that_was_taken_back_meanwhile(self, idp: Identity, admin: User) -> None:
        token = invitations.make(Invitation(), admin)
        client = Client()
        client.get(f"/invitations/{token}/")
        invitations.revoke(Invitation.objects.all())
        assert come_in(client, idp).status_code == 403

    def test_whoever_said_no_over_there(self, idp: Identity, alice: User) -> None:
        client = Client()
        state = parse_qs(urlsplit(client.get(START)["Location"]).query)["state"][0]
        answer = client.get(BACK, {"error": "access_denied", "state": state})
        assert answer["Location"] == "/accounts/sso/cancelled/"
        assert client.get(answer["Location"]).status_code == 200


class TestWhatIsBelieved:
    def nobody(self, idp: Identity) -> None:
        client = Client()
        answer = come_in(client, idp)
        assert (answer.status_code, who(client)) == (401, "")
        assert "did not work" in answer.content.decode()
        assert not SocialAccount.objects.exists()

    @pytest.mark.parametrize(
        "lies",
        [
            {"nonce": "of-another-visit"}, {"nonce": None}, {"iss": "https://elsewhere.example"}, {"aud": "another"},
            {"exp": 1_000_000}, {"exp": None}, {"iat": 99_999_999_999}, {"sub": None}, {"sub": "somebody-else"},
        ],
        ids=str,
    )  # fmt: skip
    def test_no_id_token_that_does_not_fit(self, idp: Identity, alice: User, lies: dict[str, Any]) -> None:
        if lies.get("sub") == "somebody-else":
            idp.told = ALICE
        idp.lies = lies
        self.nobody(idp)

    def test_no_signature_of_somebody_else(self, idp: Identity, alice: User) -> None:
        idp.signs_with = OTHER_KEY
        self.nobody(idp)

    def test_no_token_without_a_signature(self, idp: Identity, alice: User) -> None:
        idp.signs_with, idp.algorithm = None, "none"
        self.nobody(idp)

    def test_no_signature_made_with_the_public_key_as_a_word(self, idp: Identity, alice: User) -> None:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())
        idp.signs_with, idp.algorithm = public, "HS256"
        self.nobody(idp)

    def test_no_key_that_both_sides_know(self, idp: Identity, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
        word = "a-word-that-is-thirty-two-bytes-long"
        shared = {"kty": "oct", "k": "YS13b3JkLXRoYXQtaXMtdGhpcnR5LXR3by1ieXRlcy1sb25n", "kid": "one", "alg": "HS256"}
        monkeypatch.setattr(idp, "keys", lambda: {"keys": [shared]})
        idp.signs_with, idp.algorithm = word, "HS256"
        self.nobody(idp)

    def test_no_state_but_the_one_of_this_visit_and_that_once(self, idp: Identity, alice: User) -> None:
        client, other = Client(), Client()
        back = idp.approve(client.get(START)["Location"]).removeprefix("http://testserver")
        other.get(START)
        assert other.get(back).status_code == 401, "somebody else's browser"
        assert client.get(back.replace("state=", "state=x")).status_code == 401
        assert client.get(back).status_code == 302
        client.post("/accounts/sign-out/")
        assert client.get(back).status_code == 401, "a second time"

    def test_no_description_under_another_name(self, idp: Identity, alice: User) -> None:
        idp.described = {"issuer": "https://elsewhere.example"}
        assert Client().get(START).status_code == 401

    @pytest.mark.parametrize("broken", [{"jwks_uri": None}, {"token_endpoint": 7}])
    def test_no_description_with_gaps(self, idp: Identity, broken: dict[str, Any]) -> None:
        idp.described = broken
        assert Client().get(START).status_code == 401

    def test_another_code_fails_without_a_word_of_the_secret(self, idp: Identity, alice: User) -> None:
        client = Client()
        back = idp.approve(client.get(START)["Location"]).removeprefix("http://testserver")
        idp.codes.clear()
        answer = client.get(back)
        assert answer.status_code == 401
        assert SECRET not in answer.content.decode()


class TestTheProvider:
    def test_it_is_asked_for_no_more_than_the_house_wants(self, idp: Identity) -> None:
        wished = "scope=admin&auth_params=redirect_uri%3Dhttps://elsewhere.example%26prompt%3Dnone&process=connect"
        there = urlsplit(Client().get(f"{START}?{wished}&next=/library/")["Location"])
        asked = {name: values[0] for name, values in parse_qs(there.query).items()}
        assert set(asked["scope"].split()) == {"openid", "profile", "email"}
        assert asked["redirect_uri"] == "http://testserver/accounts/sso/callback/"
        assert "prompt" not in asked

    @pytest.mark.parametrize("there", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)"])
    def test_it_never_leads_elsewhere(self, idp: Identity, alice: User, there: str) -> None:
        assert come_in(Client(), idp, f"{START}?next={there}")["Location"] == "/"

    @pytest.mark.parametrize("name", ["jwks_uri", "token_endpoint", "userinfo_endpoint"])
    def test_what_it_describes_may_not_be_just_anywhere(self, idp: Identity, alice: User, name: str) -> None:
        """Another machine of the house: a server on another address of this one, which must not hear of it."""
        heard: list[str] = []

        def trap(request: BaseHTTPRequestHandler) -> None:
            heard.append(request.path)
            says(200, b"{}")(request)

        with serving(trap, host="127.0.0.2") as elsewhere:
            idp.described = {name: f"{elsewhere}/x"}
            client = Client()
            assert come_in(client, idp).status_code == 401
            assert client.get("/").status_code == 302
            assert heard == []
            AllowedHost.objects.create(host="127.0.0.2")
            cache.clear()
            come_in(Client(), idp)
            assert heard == ["/x"]

    def test_no_proxy_of_the_environment_hears_of_it(
        self, idp: Identity, alice: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(variable, "http://127.0.0.1:9")
        assert come_in(Client(), idp)["Location"] == "/"

    def test_its_description_is_asked_for_once_in_a_while(self, idp: Identity) -> None:
        for _visit in range(3):
            Client().get(START)
        assert idp.asked == ["/.well-known/openid-configuration"]

    def test_one_that_is_silent_or_gone_is_a_page_in_time(self, idp: Identity, settings: Any) -> None:
        settings.SOCIALACCOUNT_REQUESTS_TIMEOUT = 0.3
        idp.sleeps = 2
        before = timezone.now()
        assert Client().get(START).status_code == 401
        settings.VIDEOFORGE_OIDC_URL = "http://127.0.0.1:9"
        assert Client().get(START).status_code == 401
        assert timezone.now() - before < timedelta(seconds=2)

    def test_without_one_the_pages_do_not_exist(self, alice: User) -> None:
        assert Client().get(START).status_code == 404
        assert Client().get(BACK).status_code == 404
        assert "/accounts/sso/" not in Client().get("/accounts/sign-in/").content.decode()

    def test_only_it_where_the_operator_says_so(self, idp: Identity, alice: User, settings: Any) -> None:
        settings.VIDEOFORGE_OIDC_ONLY = settings.VIDEOFORGE_SENDS_MAIL = True
        client = Client()
        page = client.get("/accounts/sign-in/").content.decode()
        assert "Continue with House ID" in page
        assert "password" not in page.lower()
        assert client.post("/accounts/sign-in/", {"username": "alice", "password": "pass"}).status_code == 403
        assert client.get("/accounts/passkey/", headers={"Accept": "application/json"}).status_code == 404
        assert client.get("/accounts/password/reset/").status_code == 404
        come_in(client, idp)
        assert who(client) == "alice"
        for place in ("password/", "password/first/", "passkeys/", "passkeys/add/"):
            assert client.get(f"/settings/sign-in/{place}").status_code == 404

    def test_too_many_visits_are_slowed_down(self, idp: Identity) -> None:
        client = Client()
        found = [client.get(START).status_code for _visit in range(61)]
        assert found == [302] * 60 + [429]
        cache.clear()
