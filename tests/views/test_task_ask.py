from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from generations.models import Attempt, CallbackNotice, ProviderKey, Task, User, VendorRequest, Visibility
from tests.factories import make_attempt, make_task
from tests.views.pages import signed_in


def press(client: Client, task: Task) -> str:
    response = client.post(f"/tasks/{task.pk}/ask/")
    assert (response.status_code, response["Location"]) == (302, f"/tasks/{task.pk}/")
    return client.get(f"/tasks/{task.pk}/").content.decode()


@pytest.mark.parametrize("name", ["alice", "admin"])
def test_owner_and_staff_have_the_vendor_asked_at_once(
    request: pytest.FixtureRequest, alice: User, key: ProviderKey, name: str
) -> None:
    task = make_task(alice, state="processing", next_poll_at=timezone.now() + timedelta(hours=1))
    client = signed_in(request.getfixturevalue(name))
    assert f"/tasks/{task.pk}/ask/" in client.get(f"/tasks/{task.pk}/").content.decode()
    html = press(client, task)
    assert "The vendor is being asked." in html
    assert "Somebody had the vendor asked at once" in html
    task.refresh_from_db()
    assert task.next_poll_at
    assert task.next_poll_at <= timezone.now()


def test_others_may_not(alice: User, bob: User, key: ProviderKey) -> None:
    task = make_task(alice, state="processing")
    assert Client().post(f"/tasks/{task.pk}/ask/").status_code == 302
    client = signed_in(bob)
    assert f"/tasks/{task.pk}/ask/" not in client.get(f"/tasks/{task.pk}/").content.decode()
    assert client.post(f"/tasks/{task.pk}/ask/").status_code == 403
    Task.objects.update(visibility=Visibility.PRIVATE)
    assert client.post(f"/tasks/{task.pk}/ask/").status_code == 404
    assert not Task.objects.get().events.exists()


def test_looking_asks_nothing(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, state="processing")
    assert signed_in(alice).get(f"/tasks/{task.pk}/ask/").status_code == 405


@pytest.mark.parametrize("fields", [{"state": "lost"}, {"state": "failed", "failure_code": "success_without_output"}])
def test_what_we_gave_up_can_be_asked_about(alice: User, key: ProviderKey, fields: dict[str, str]) -> None:
    task = make_task(alice, **fields)
    client = signed_in(alice)
    assert "Ask the vendor now" in client.get(f"/tasks/{task.pk}/").content.decode()
    press(client, task)
    assert [row.func() for row in OrmQ.objects.all()] == ["generations.jobs.ask"]


@pytest.mark.parametrize(
    "fields", [{"state": "waiting"}, {"state": "succeeded"}, {"state": "failed", "charge": 0}, {"state": "uncertain"}]
)
def test_where_there_is_nothing_to_ask_there_is_no_button(
    alice: User, key: ProviderKey, fields: dict[str, object]
) -> None:
    task = make_task(alice, **fields)
    assert "Ask the vendor now" not in signed_in(alice).get(f"/tasks/{task.pk}/").content.decode()


def test_without_a_name_at_the_vendor_it_says_so(alice: User, key: ProviderKey) -> None:
    assert "the vendor never named this clip" in press(signed_in(alice), make_task(alice))


# --- Evidence -----------------------------------------------------------------------------------------------------


def with_evidence(task: Task) -> Task:
    attempt = task.attempt
    assert attempt
    VendorRequest.objects.create(
        attempt=attempt, kind="query", said="processing", status=200, times=7, duration_ms=240, excerpt='{"a": "<b>"}'
    )
    CallbackNotice.objects.create(attempt=attempt, provider=task.provider, nonce=str(attempt.pk), state_word="success")
    return task


def test_staff_see_every_request_and_callback(alice: User, admin: User, key: ProviderKey) -> None:
    task = with_evidence(make_task(alice, state="processing"))
    Attempt.objects.update(body_digest="d1" * 32)
    html = signed_in(admin).get(f"/tasks/{task.pk}/").content.decode()
    for said in ("Requests and callbacks", "Query", ">7<", "200", "240 ms", "d1" * 32, "&lt;b&gt;", "success"):
        assert said in html, said
    assert "<b>" not in html
    member = signed_in(alice).get(f"/tasks/{task.pk}/").content.decode()
    assert 'id="evidence"' not in member
    assert "240 ms" not in member


def test_the_number_of_queries_does_not_grow_with_attempts(alice: User, admin: User, key: ProviderKey) -> None:
    client = signed_in(admin)

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(f"/tasks/{task.pk}/")
        return len(queries)

    task = with_evidence(make_task(alice, state="processing"))
    few = count()
    for _number in range(4):
        make_attempt(task)
        with_evidence(task)
    assert count() == few
