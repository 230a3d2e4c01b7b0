"""The page on which an administrator decides about a create whose answer was lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from generations import ledger, lifecycle
from generations.models import Attempt, Task, User, VendorRequest, Visibility
from tests.factories import make_key, make_task
from tests.views.pages import htmx, signed_in

SENT = datetime(2026, 11, 20, 9, 30, 5, tzinfo=UTC)
VENDORS = ("dataeyes", "uniall", "xingchao", "vtrix")


def unclear(owner: User, provider: str = "vtrix", **over: Any) -> Task:
    """A task whose answer was lost a while ago, with its hold."""
    key = make_key(f"Key at {provider}", provider=provider)
    fields = {"state": "uncertain", "failure_class": "ambiguous_submit", "failure_code": "read_timeout", **over}
    task = make_task(owner, key=key, **fields)
    Attempt.objects.update(state="unknown", sent_at=SENT, body_digest="d1" * 32)
    ledger.reserve(task, task.estimate)
    return Task.objects.get(pk=task.pk)


def address(task: Task) -> str:
    return f"/tasks/{task.pk}/decide/"


def about(task: Task, fields: dict[str, str]) -> dict[str, str]:
    """The form of the page as it stands now: it names the attempt that it is about."""
    return {"attempt": str(task.attempts.values_list("pk", flat=True).last()), **fields}


Decide = Callable[..., HttpResponse]


@pytest.fixture
def desk(admin: User) -> Client:
    return signed_in(admin)


def text(answer: HttpResponse) -> str:
    return answer.content.decode()


def jobs() -> list[str]:
    return [row.func() for row in OrmQ.objects.all()]


# --- Who may ------------------------------------------------------------------------------------------------------


def test_strangers_sign_in_and_members_are_refused(alice: User, bob: User) -> None:
    task = unclear(alice)
    assert Client().get(address(task))["Location"].startswith("/accounts/sign-in/")
    assert Client().post(address(task), {"decision": "not-made"}).status_code == 302
    for person in (alice, bob):
        assert signed_in(person).get(address(task)).status_code == 403
        assert signed_in(person).post(address(task), {"decision": "not-made"}).status_code == 403
    Task.objects.update(visibility=Visibility.PRIVATE)
    assert signed_in(bob).get(address(task)).status_code == 404
    assert Task.objects.get().state == "uncertain"


def test_card_and_detail_lead_there_for_staff_alone(alice: User, admin: User) -> None:
    task = unclear(alice)
    for page in ("/?scope=team", f"/tasks/{task.pk}/"):
        assert f'href="{address(task)}"' in text(signed_in(admin).get(page))
        member = text(signed_in(alice).get(page))
        assert address(task) not in member
        assert "An administrator decides." in member


# --- What it shows ------------------------------------------------------------------------------------------------


def test_it_shows_the_evidence(alice: User, admin: User, desk: Client) -> None:
    task = unclear(alice, prompt_text="A heron on a roof")
    assert task.attempt
    VendorRequest.objects.create(attempt=task.attempt, kind="create", said="read_timeout", duration_ms=40_012)
    admin.time_zone = "Asia/Shanghai"
    admin.save()
    html = text(desk.get(address(task)))
    for said in (
        "Vtrix", "Key at vtrix", "viduq3-turbo", "A heron on a roof", "d1" * 32, task.attempt.token,
        "this vendor keeps it", "2026-11-20 17:30:05", "2026-11-20 09:30:05 UTC", "no answer came in time",
        "In the Vtrix console", "read_timeout", "40.0 s",
    ):  # fmt: skip
        assert said in html, said


@pytest.mark.parametrize("provider", VENDORS)
def test_every_vendor_has_words_of_its_own(alice: User, desk: Client, provider: str) -> None:
    task = unclear(alice, provider)
    html = text(desk.get(address(task)))
    assert f"In the {task.get_provider_display()} console" in html
    assert ("this vendor keeps it" in html) == task.key.translator.carries_token
    assert html.count('name="decision"') == 3


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("http_502", "The vendor answered with HTTP 502, which does not tell"),
        ("worker_died", "Our worker stopped between sending"),
        ("remote_id_taken", "with the id of another clip"),
        ("SomethingNew", "(SomethingNew)"),
    ],
)
def test_how_the_answer_was_lost_is_said_in_words(alice: User, desk: Client, code: str, said: str) -> None:
    assert said in text(desk.get(address(unclear(alice, failure_code=code))))


def test_a_price_is_named_beside_the_risk(alice: User, desk: Client) -> None:
    task = unclear(alice)
    assert "it could cost 55 credits a second time" in text(desk.get(address(task)))
    Task.objects.update(estimate=None)
    assert "Its price is unknown" in text(desk.get(address(task)))


# --- It exists ----------------------------------------------------------------------------------------------------


def test_an_id_is_handed_to_the_worker_once(alice: User, admin: User, desk: Client) -> None:
    task = unclear(alice)
    for _press in range(2):
        answer = desk.post(address(task), about(task, {"decision": "exists", "remote_id": " 99.a:b_c-1 "}))
        assert (answer.status_code, answer["Location"]) == (302, address(task))
    [event] = task.events.filter(kind="exists-said")
    assert (event.actor, event.detail) == (admin, {"remote_id": "99.a:b_c-1"})
    assert jobs() == ["generations.jobs.adopt"]
    html = text(desk.get(address(task)))
    assert "asks the vendor about 99.a:b_c-1" in html
    assert 'hx-trigger="every 3s' in html
    assert Task.objects.get().state == "uncertain"


@pytest.mark.parametrize("remote_id", ["", "  ", "a b", "a/b", "é", "x" * 121, "a\nb", "<i>"])
def test_what_cannot_be_an_id_is_refused_at_the_field(alice: User, desk: Client, remote_id: str) -> None:
    task = unclear(alice)
    answer = desk.post(address(task), about(task, {"decision": "exists", "remote_id": remote_id}))
    assert answer.status_code == 422
    assert 'id="error-remote_id"' in text(answer)
    assert not jobs()


def test_an_id_that_another_clip_has_is_refused(alice: User, desk: Client) -> None:
    task = unclear(alice)
    make_task(
        alice, key=make_key("Other", secret="another-secret-77", provider="vtrix"), state="queued", remote_id="r-1"
    )
    answer = desk.post(address(task), about(task, {"decision": "exists", "remote_id": "r-1"}))
    assert answer.status_code == 422
    assert "Another clip of this house has this id already." in text(answer)


def test_a_refused_id_is_said_and_another_may_be_tried(alice: User, admin: User, desk: Client) -> None:
    task = unclear(alice)
    assert task.attempt
    desk.post(address(task), about(task, {"decision": "exists", "remote_id": "r-1"}))
    seen = text(desk.get(address(task)))
    version = seen.partition("decide/?v=")[2].partition('"')[0]
    assert desk.get(address(task), {"v": version}, headers=htmx()).status_code == 204
    lifecycle.exists_refused(task.attempt, "another_token")
    news = text(desk.get(address(task), {"v": version}, headers=htmx()))
    assert "carries another token" in news
    assert 'id="outcome" hx-swap-oob="true"' in news
    assert 'id="remote_id"' not in news, "what somebody types meanwhile stays"
    assert "hx-trigger" not in news.partition("</div>")[0], "nothing more is awaited"
    desk.post(address(task), about(task, {"decision": "exists", "remote_id": "r-1"}))
    assert task.events.filter(kind="exists-said").count() == 2


def test_when_it_is_found_the_page_says_so(alice: User, desk: Client) -> None:
    task = unclear(alice)
    desk.post(address(task), about(task, {"decision": "exists", "remote_id": "r-1"}))
    Task.objects.update(state="queued")
    news = text(desk.get(address(task), {"v": "old"}, headers=htmx()))
    assert 'id="decision" hx-swap-oob="true"' in news
    assert "there is nothing to decide" in news


# --- It does not exist, send again --------------------------------------------------------------------------------


def test_not_made_fails_it_free_of_charge(alice: User, desk: Client) -> None:
    task = unclear(alice)
    answer = desk.post(address(task), about(task, {"decision": "not-made"}))
    assert (answer.status_code, answer["Location"]) == (302, f"/tasks/{task.pk}/")
    task.refresh_from_db()
    assert (task.state, task.failure_code, task.charge) == ("failed", "not_created", 0)
    assert not ledger.holds(task)
    page = text(signed_in(alice).get(f"/tasks/{task.pk}/"))
    assert "The vendor never made it" in page
    assert "Not charged" in page
    assert f"?from={task.pk}" in page


def test_sending_again_needs_the_tick(alice: User, desk: Client) -> None:
    task = unclear(alice)
    answer = desk.post(address(task), about(task, {"decision": "resend"}))
    assert answer.status_code == 422
    assert "Tick the box first" in text(answer)
    assert Task.objects.get().state == "uncertain"
    assert desk.post(address(task), about(task, {"decision": "resend", "accept": "on"})).status_code == 302
    assert Task.objects.get().state == "waiting"
    assert task.events.filter(kind="resent-at-risk").count() == 1


@pytest.mark.parametrize("fields", [{"decision": "not-made"}, {"decision": "resend", "accept": "on"}])
def test_pressed_twice_it_happens_once(alice: User, desk: Client, fields: dict[str, str]) -> None:
    task = unclear(alice)
    desk.post(address(task), about(task, fields))
    after = Task.objects.get().state
    again = desk.post(address(task), about(task, fields))
    assert again.status_code == 409
    assert "Nothing was changed: this clip is not unclear any more." in text(again)
    assert Task.objects.get().state == after
    assert task.events.filter(kind__in=("not-created", "resent-at-risk")).count() == 1


@pytest.mark.parametrize("state", ["waiting", "queued", "succeeded", "failed"])
@pytest.mark.parametrize("decision", ["exists", "not-made", "resend"])
def test_what_is_not_unclear_is_left_alone(alice: User, desk: Client, state: str, decision: str) -> None:
    task = make_task(alice, key=make_key(provider="vtrix"), state=state)
    assert "there is nothing to decide" in text(desk.get(address(task)))
    answer = desk.post(address(task), about(task, {"decision": decision, "remote_id": "r-1", "accept": "on"}))
    assert answer.status_code == 409
    assert Task.objects.get().state == state
    assert not jobs()
    assert not task.events.exists()


@pytest.mark.parametrize("decision", ["", "maybe"])
def test_other_words_decide_nothing(alice: User, desk: Client, decision: str) -> None:
    task = unclear(alice)
    assert desk.post(address(task), about(task, {"decision": decision})).status_code == 422
    assert Task.objects.get().state == "uncertain"


# --- Where the vendor lists ---------------------------------------------------------------------------------------


def searched(owner: User, **attempt: Any) -> Task:
    task = unclear(owner, "vidu")
    fields = {"sent_at": timezone.now() - timedelta(minutes=2), "next_look_at": timezone.now(), "looks": 3, **attempt}
    Attempt.objects.update(**fields)
    return Task.objects.get(pk=task.pk)


def test_while_the_vendors_list_is_searched_nobody_decides(alice: User, desk: Client) -> None:
    task = searched(alice)
    html = text(desk.get(address(task)))
    assert "the look-up runs by itself" in html
    assert "Looked 3 times." in html
    assert "A complete list of" not in html
    assert 'name="decision"' not in html
    answer = desk.post(address(task), about(task, {"decision": "resend", "accept": "on"}))
    assert answer.status_code == 409
    assert "still being searched" in text(answer)
    assert Task.objects.get().state == "uncertain"
    Attempt.objects.update(missed_at=timezone.now())
    assert "A complete list of" in text(desk.get(address(task)))


@pytest.mark.parametrize(
    "ended", [{"next_look_at": None}, {"sent_at": timezone.now() - timedelta(hours=25)}], ids=["ended", "never a list"]
)
def test_when_the_search_has_ended_the_buttons_are_there(alice: User, desk: Client, ended: dict[str, Any]) -> None:
    task = searched(alice, **ended)
    assert text(desk.get(address(task))).count('name="decision"') == 3
    assert desk.post(address(task), about(task, {"decision": "not-made"})).status_code == 302


def test_found_by_itself_it_goes_on(alice: User, desk: Client) -> None:
    task = searched(alice)
    Task.objects.update(state="queued", quote=Decimal(55))
    assert "there is nothing to decide" in text(desk.get(address(task)))
