"""A lost create is found again by its token, and by nothing else."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx
from django.utils import timezone
from django_q.models import OrmQ

from generations import dispatch, lookup, sweep
from generations.models import Attempt, AttemptState, ProviderKey, Task, TaskState, User
from tests.factories import make_attempt, make_key, make_task

pytestmark = pytest.mark.django_db
VIDU = "https://api.vidu.com"
LIST = f"{VIDU}/ent/v2/tasks"
PROMPT = "A paper boat crosses a puddle"


@pytest.fixture
def lost(alice: User) -> Attempt:
    task = make_task(alice, key=make_key(base_url=VIDU), state=TaskState.UNCERTAIN, submitted_at=timezone.now())
    Attempt.objects.update(state=AttemptState.UNKNOWN, next_look_at=timezone.now())
    attempt = task.attempt
    assert attempt is not None
    return attempt


def row(remote_id: str, **over: Any) -> dict[str, Any]:
    echo = {"model": "viduq3-turbo", "prompt": PROMPT, "duration": 5, "resolution": "720p", "credits": 55}
    return {"id": remote_id, "state": "processing", "creations": [], **echo, **over}


def listing(*rows: dict[str, Any], token: str = "") -> respx.Route:
    answer = httpx.Response(200, json={"next_page_token": token, "tasks": list(rows)})
    return respx.get(LIST).mock(return_value=answer)


def query(remote_id: str, payload: str) -> respx.Route:
    answer = httpx.Response(200, json={"id": remote_id, "state": "processing", "payload": payload, "creations": []})
    return respx.get(f"{LIST}/{remote_id}/creations").mock(return_value=answer)


@respx.mock
def test_the_row_with_our_token_is_adopted(lost: Attempt) -> None:
    listing(row("41"), row("42"))
    query("41", "vf1.somebody-elses")
    query("42", lost.token)
    assert lookup.look_up(lost.pk)
    task = Task.objects.get()
    lost.refresh_from_db()
    assert (task.state, task.quote, lost.remote_id, lost.state) == ("queued", 55, "42", "accepted")
    assert not lookup.look_up(lost.pk), "safe to run twice"


@respx.mock
@pytest.mark.parametrize(
    "other",
    [{"prompt": "Another"}, {"model": "viduq2"}, {"duration": 8}, {"resolution": "1080p"}],
    ids=lambda other: next(iter(other)),
)
def test_a_row_that_differs_costs_no_query(lost: Attempt, other: dict[str, Any]) -> None:
    listing(row("42", **other))
    asked = query("42", lost.token)
    assert not lookup.look_up(lost.pk)
    assert not asked.called


@respx.mock
def test_a_row_that_belongs_to_another_task_costs_no_query(lost: Attempt, bob: User) -> None:
    make_attempt(make_task(bob, state="queued", key=ProviderKey.objects.get()), remote_id="42")
    listing(row("42"))
    asked = query("42", "whatever")
    assert not lookup.look_up(lost.pk)
    assert not asked.called


@respx.mock
@pytest.mark.parametrize(
    "answer",
    [httpx.Response(500), httpx.Response(200, text="<html>"), httpx.Response(429), httpx.Response(200, json={})],
)
def test_trouble_leaves_it_uncertain(lost: Attempt, answer: httpx.Response) -> None:
    respx.get(LIST).mock(return_value=answer)
    assert not lookup.look_up(lost.pk)
    assert Task.objects.get().state == TaskState.UNCERTAIN


@respx.mock
def test_not_finding_it_proves_nothing(lost: Attempt) -> None:
    listing()
    assert not lookup.look_up(lost.pk)
    task = Task.objects.get()
    assert (task.state, task.attempts.count()) == (TaskState.UNCERTAIN, 1)


@respx.mock
def test_a_candidate_that_is_gone_stands_in_nobodys_way(lost: Attempt) -> None:
    listing(row("41"), row("42"))
    gone = httpx.Response(404, json={"code": 404, "reason": "TaskNotFound", "message": "task not found"})
    respx.get(f"{LIST}/41/creations").mock(return_value=gone)
    query("42", lost.token)
    assert lookup.look_up(lost.pk)
    lost.refresh_from_db()
    assert lost.remote_id == "42"


@respx.mock
def test_further_pages_are_read(lost: Attempt) -> None:
    pages = [
        httpx.Response(200, json={"next_page_token": "next", "tasks": [row("41")]}),
        httpx.Response(200, json={"next_page_token": "", "tasks": [row("42")]}),
    ]
    route = respx.get(LIST).mock(side_effect=pages)
    query("41", "vf1.other")
    query("42", lost.token)
    assert lookup.look_up(lost.pk)
    assert route.calls[1].request.url.params["pager.page_token"] == "next"


def test_it_is_looked_for_ever_more_rarely(lost: Attempt) -> None:
    waits = []
    for number in range(1, 5):
        assert sweep.look_for_lost() == 1
        assert sweep.look_for_lost() == 0
        assert OrmQ.objects.count() == number
        lost.refresh_from_db()
        assert lost.next_look_at is not None
        waits.append(round((lost.next_look_at - timezone.now()).total_seconds()))
        Attempt.objects.update(next_look_at=timezone.now())
    assert waits == [30, 60, 120, 240]


def test_a_lost_create_does_not_hold_its_slot_for_ever(lost: Attempt, alice: User) -> None:
    ProviderKey.objects.update(max_in_flight=1)
    make_task(alice, key=lost.key)
    assert dispatch.dispatch() == 0
    Task.objects.filter(pk=lost.task_id).update(submitted_at=timezone.now() - timedelta(hours=2))
    assert dispatch.dispatch() == 1
