"""What stands around every page: forms that cannot be read, auditors, caches, and what browsers claim to show."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from generations import middleware
from generations.forms.join import JoinForm
from generations.models import Asset, Invitation, ProviderKey, Task, User
from tests.factories import make_creation, make_task, make_user, picture_bytes
from tests.views.pages import composer_fields, htmx, signed_in

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("charset", ["latin1", "utf-16", "nonsense", ""])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_in_another_alphabet_is_refused_in_words(charset: str, kind: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.cookies["csrftoken"] = "x" * 32
    separator = "; " if charset or ";" in kind else ";"
    answer = client.generic(
        "POST", "/accounts/sign-in/", b"username=a", content_type=f"{kind}{separator}charset={charset}"
    )
    assert answer.status_code == 400
    assert "could not be read" in answer.content.decode()
    assert "Content-Security-Policy" in answer.headers


@pytest.mark.parametrize(
    "claimed", ["http://[", "//evil.example/x", "javascript:alert(1)", "\udcff", "http://testserver/usage/"]
)
def test_what_a_browser_claims_to_show_breaks_nothing(claimed: str) -> None:
    answer = Client().get("/library/", headers={"HX-Request": "true", "HX-Current-URL": claimed})
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"].startswith("/accounts/sign-in/?next=")
    assert "evil.example" not in answer.headers["HX-Redirect"] or "next=%2F%2F" in answer.headers["HX-Redirect"]


def test_pages_are_for_who_asked_and_not_kept(alice: User, key: ProviderKey) -> None:
    task = make_task(alice)
    for path in ("/", "/library/", reverse("task-detail", args=[task.pk]), "/settings/sign-in/devices/"):
        assert signed_in(alice).get(path).headers["Cache-Control"] == "private, no-store"
    assert "Cache-Control" not in Client().get("/nothing/").headers


# --- Auditors --------------------------------------------------------------------------------------------------


def test_an_auditor_leaves_nothing_behind(alice: User, key: ProviderKey) -> None:
    auditor = make_user("looks", role="auditor")
    clip = make_creation(make_task(alice, state="succeeded"))
    own = make_task(auditor, state="waiting")
    desk = signed_in(auditor)
    still = desk.post("/composer/pictures/", {"creation": clip.pk, "which": "poster"})
    cancelled = desk.post(reverse("task-cancel", args=[own.pk]))
    assert (still.status_code, cancelled.status_code) == (403, 403)
    picture: Any = io.BytesIO(picture_bytes())
    picture.name = "x.jpg"
    fields = composer_fields(desk, "/?mode=img2video", prompt="A boat") | {"images": picture}
    refused = desk.post("/tasks/", fields, headers=htmx())
    assert refused.status_code == 422
    assert "Auditors look at everything and make nothing." in refused.content.decode()
    assert not Asset.objects.exists()
    assert Task.objects.get(pk=own.pk).state == "waiting"


def test_an_auditor_looks_after_their_own_sign_in(db: None) -> None:
    desk = signed_in(make_user("looks", role="auditor"))
    assert desk.post("/settings/look/", {"theme": "dark", "language": "", "next": "/"}).status_code == 302
    assert desk.post("/settings/sign-in/password/", {}).status_code == 200
    assert desk.post("/accounts/sign-out/").status_code == 302


# --- Others ------------------------------------------------------------------------------------------------------


def test_strangers_hear_only_whether_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generations.health.troubles", list)
    monkeypatch.setattr("generations.health.warnings", lambda: ["overdue at the vendor: 1"])
    assert Client().get("/healthz").json()["warnings"] == ["overdue at the vendor: 1"]
    for headers in ({"REMOTE_ADDR": "192.0.2.7"}, {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}):
        assert Client().get("/healthz", **headers).json()["warnings"] == []


@pytest.mark.parametrize("over", [{"HOST": "0.0.0.0"}, {"PUBLIC": "https://vf.example"}])
def test_no_demo_where_others_come(settings: Any, over: dict[str, str]) -> None:
    from urllib.parse import urlsplit

    for name, value in over.items():
        setattr(settings, name, urlsplit(value) if name == "PUBLIC" else value)
    with pytest.raises(CommandError, match="--no-demo"):
        call_command("demo")
    assert not User.objects.exists()


def test_a_name_is_one_line(admin: User) -> None:
    invitation = Invitation(created_by=admin, role="member")
    form = JoinForm(invitation, {"username": "eve", "name": "Eve\r\nBcc: x@y.example \u202egnp", "password": "x" * 20})
    form.is_valid()
    assert form.cleaned_data["name"] == "Eve Bcc: x@y.example gnp"


@pytest.mark.parametrize("before", ["9999-12-31T23:59:59.999999-23:59~1", "0001-01-01T00:00:00+23:59~1"])
def test_the_ends_of_the_calendar(admin: User, before: str) -> None:
    assert signed_in(admin).get("/usage/rows/", {"before": before}).status_code == 200


def test_what_stands_still_is_hung_up_on(alice: User) -> None:
    """Without the server's socket there is nothing to bound; with it the time is bounded before a byte is read."""
    told: list[float] = []

    class Connection:
        def settimeout(self, seconds: float) -> None:
            told.append(seconds)

        def shutdown(self, _how: int) -> None:
            raise OSError

    answer = signed_in(alice).post("/settings/look/", {"theme": "dark"}, **{"gunicorn.socket": Connection()})
    assert answer.status_code == 302
    assert told == [middleware.IDLE_SECONDS]
