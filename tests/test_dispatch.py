"""Who is sent next, and the one POST: sent once, whatever happens around it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from django.utils import timezone

from generations import dispatch, lifecycle, sweep
from generations.models import Attempt, AttemptState, KeyState, ProviderKey, RequestCount, Task, TaskState, User
from tests.factories import make_asset, make_key, make_task
from tests.test_lifecycle import press

pytestmark = pytest.mark.django_db
VIDU = "https://api.vidu.com"
ACCEPTED = {"task_id": "915200000000000001", "state": "created", "credits": 55, "seed": 11}


@pytest.fixture
def vidu_key(db: None) -> ProviderKey:
    return make_key(base_url=VIDU, max_in_flight=2)


def claimed(owner: User, key: ProviderKey, **over: Any) -> tuple[Task, Attempt]:
    (task,) = press(owner, key, **over)
    attempt = dispatch.claim_next(key.pk)
    assert attempt is not None
    return task, attempt


def create_route(**over: Any) -> respx.Route:
    return respx.post(f"{VIDU}/ent/v2/text2video").mock(**over)


class TestTurns:
    def test_no_more_than_the_key_may_run(self, alice: User, vidu_key: ProviderKey) -> None:
        press(alice, vidu_key, count=4)
        assert dispatch.dispatch() == 2
        assert dispatch.dispatch() == 0
        assert Task.objects.filter(state=TaskState.WAITING).count() == 2

    def test_hanging_creates_leave_workers_free(self, alice: User, vidu_key: ProviderKey) -> None:
        ProviderKey.objects.update(max_in_flight=50)
        press(alice, vidu_key, count=4)
        assert dispatch.dispatch() == dispatch.MOST_SENDING_PER_VENDOR
        assert dispatch.dispatch() == 0
        other = make_key("Other", provider="vtrix", base_url="https://vtrix.example")
        make_task(alice, key=other)
        assert dispatch.dispatch() == 1, "another vendor still finds a place"

    def test_a_large_batch_blocks_no_colleague(self, alice: User, bob: User, vidu_key: ProviderKey) -> None:
        press(alice, vidu_key, count=4)
        press(bob, vidu_key)
        dispatch.dispatch()
        owners = Task.objects.filter(state=TaskState.SUBMITTING).values_list("owner__username", flat=True)
        assert sorted(owners) == ["alice", "bob"]

    @pytest.mark.parametrize("state", [KeyState.DRAINING, KeyState.DISABLED])
    def test_a_key_that_is_put_away_sends_nothing_new(self, alice: User, vidu_key: ProviderKey, state: str) -> None:
        press(alice, vidu_key)
        ProviderKey.objects.update(state=state)
        assert dispatch.dispatch() == 0

    def test_a_key_with_a_problem_sends_nothing_new(self, alice: User, vidu_key: ProviderKey) -> None:
        press(alice, vidu_key)
        ProviderKey.objects.update(problem="credits")
        assert dispatch.dispatch() == 0

    def test_a_task_that_shall_wait_waits(self, alice: User, vidu_key: ProviderKey) -> None:
        (task,) = press(alice, vidu_key)
        Task.objects.update(next_try_at=timezone.now() + timedelta(minutes=1))
        assert dispatch.dispatch() == 0
        Task.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
        assert dispatch.dispatch() == 1
        task.refresh_from_db()
        assert task.state == TaskState.SUBMITTING


class TestSubmit:
    @respx.mock
    def test_what_is_sent_is_what_was_asked(self, alice: User, vidu_key: ProviderKey) -> None:
        route = create_route(return_value=httpx.Response(200, json=ACCEPTED))
        task, attempt = claimed(alice, vidu_key, seed=5)
        dispatch.submit(attempt.pk)
        request = route.calls.last.request
        body = json.loads(request.content)
        assert request.headers["Authorization"] == "Token sandbox-not-a-real-key-0001"
        assert body["payload"] == attempt.token
        assert (body["model"], body["duration"], body["seed"]) == ("viduq3-turbo", 5, 5)
        task.refresh_from_db()
        attempt.refresh_from_db()
        assert (task.state, attempt.state, attempt.remote_id) == ("queued", "accepted", "915200000000000001")
        assert len(attempt.body_digest) == 64
        assert RequestCount.objects.get(kind="create").count == 1

    @respx.mock
    def test_running_the_job_twice_sends_once(self, alice: User, vidu_key: ProviderKey) -> None:
        route = create_route(return_value=httpx.Response(200, json=ACCEPTED))
        _, attempt = claimed(alice, vidu_key)
        dispatch.submit(attempt.pk)
        dispatch.submit(attempt.pk)
        assert route.call_count == 1

    @respx.mock
    @pytest.mark.parametrize(
        "outcome",
        [
            {"side_effect": httpx.ReadTimeout},
            {"side_effect": httpx.ReadError},
            {"side_effect": httpx.RemoteProtocolError},
            {"return_value": httpx.Response(500, json={"reason": "InternalServiceFailure"})},
            {"return_value": httpx.Response(502, text="<html>bad gateway</html>")},
            {"return_value": httpx.Response(409, json={"reason": "Conflict"})},
            {"return_value": httpx.Response(200, text="<html>")},
            {"return_value": httpx.Response(200, json={"state": "created"})},
        ],
        ids=["timeout", "reset", "cut", "500", "html-502", "409", "html-200", "no-id"],
    )
    def test_a_lost_answer_is_uncertain_and_never_resent(
        self, alice: User, vidu_key: ProviderKey, outcome: dict[str, Any]
    ) -> None:
        route = create_route(**outcome)
        task, attempt = claimed(alice, vidu_key)
        dispatch.submit(attempt.pk)
        for _ in range(3):
            sweep.sweep()
            dispatch.dispatch()
            dispatch.submit(attempt.pk)
        task.refresh_from_db()
        assert (task.state, route.call_count) == (TaskState.UNCERTAIN, 1)
        assert Attempt.objects.count() == 1

    @respx.mock
    def test_a_request_that_never_left_is_tried_again(self, alice: User, vidu_key: ProviderKey) -> None:
        route = create_route(side_effect=[httpx.ConnectError("no"), httpx.Response(200, json=ACCEPTED)])
        task, attempt = claimed(alice, vidu_key)
        dispatch.submit(attempt.pk)
        task.refresh_from_db()
        assert task.state == TaskState.WAITING
        Task.objects.update(next_try_at=timezone.now())
        second = dispatch.claim_next(vidu_key.pk)
        assert second is not None
        dispatch.submit(second.pk)
        task.refresh_from_db()
        assert (task.state, route.call_count, second.number) == (TaskState.QUEUED, 2, 2)
        assert second.token != attempt.token

    @respx.mock
    def test_a_wrong_key_fails_the_task_and_flags_the_key(self, alice: User, vidu_key: ProviderKey) -> None:
        create_route(return_value=httpx.Response(401, json={"reason": "Unauthorized", "message": "unauthorized"}))
        task, attempt = claimed(alice, vidu_key)
        dispatch.submit(attempt.pk)
        task.refresh_from_db()
        vidu_key.refresh_from_db()
        assert (task.state, task.failure_class, vidu_key.problem) == ("failed", "account_auth", "auth")

    @respx.mock
    def test_a_missing_picture_is_never_sent(self, alice: User, vidu_key: ProviderKey) -> None:
        route = create_route(return_value=httpx.Response(200, json=ACCEPTED))
        asset = make_asset(alice)
        task, attempt = claimed(alice, vidu_key, images=[asset])
        asset.file.storage.delete(asset.file.name)
        dispatch.submit(attempt.pk)
        task.refresh_from_db()
        assert (task.state, task.failure_code, route.call_count) == ("failed", "input_missing", 0)

    @respx.mock
    def test_a_picture_that_cannot_be_read_is_never_sent(self, alice: User, vidu_key: ProviderKey) -> None:
        asset = make_asset(alice)
        asset.file.storage.delete(asset.file.name)
        Path(asset.file.path).mkdir()
        task, attempt = claimed(alice, vidu_key, images=[asset])
        dispatch.submit(attempt.pk)
        task.refresh_from_db()
        assert (task.state, task.charge) == ("failed", 0)

    def test_what_nobody_thought_of_before_sending_goes_back_to_waiting(
        self, alice: User, vidu_key: ProviderKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(dispatch, "build_order", lambda attempt: 1 / 0)
        task, attempt = claimed(alice, vidu_key)
        dispatch.submit(attempt.pk)
        task.refresh_from_db()
        assert task.state == TaskState.WAITING
        assert lifecycle.cancel(task, alice) == lifecycle.Cancelled.FREE

    @respx.mock
    def test_an_id_that_another_task_has_is_uncertain(self, alice: User, vidu_key: ProviderKey) -> None:
        create_route(return_value=httpx.Response(200, json=ACCEPTED))
        for _ in range(2):
            task, attempt = claimed(alice, vidu_key)
            dispatch.submit(attempt.pk)
        task.refresh_from_db()
        assert (task.state, task.failure_code) == (TaskState.UNCERTAIN, "remote_id_taken")

    @respx.mock
    def test_a_secret_that_cannot_be_read_is_a_key_problem(self, alice: User, vidu_key: ProviderKey) -> None:
        ProviderKey.objects.update(secret_cipher="gAAAA-not-decryptable")
        task, attempt = claimed(alice, vidu_key)
        dispatch.submit(attempt.pk)
        task.refresh_from_db()
        assert (task.state, task.failure_code) == ("failed", "secret_unreadable")


class TestCrashes:
    """What a killed worker leaves behind, and what becomes of it."""

    @respx.mock
    def test_killed_before_sending_it_is_sent_by_another(self, alice: User, vidu_key: ProviderKey) -> None:
        route = create_route(return_value=httpx.Response(200, json=ACCEPTED))
        _, attempt = claimed(alice, vidu_key)
        Attempt.objects.update(claimed_at=timezone.now() - timedelta(seconds=30))
        assert sweep.wake_unsent() == 1
        assert sweep.wake_unsent() == 0, "woken once, not at every sweep"
        dispatch.submit(attempt.pk)
        assert route.call_count == 1

    def test_killed_after_sending_it_is_uncertain_within_a_minute(self, alice: User, vidu_key: ProviderKey) -> None:
        task, _ = claimed(alice, vidu_key)
        Attempt.objects.update(state=AttemptState.SENT, sent_at=timezone.now() - timedelta(seconds=50))
        assert sweep.name_uncertain() == 0
        Attempt.objects.update(sent_at=timezone.now() - timedelta(seconds=56))
        assert sweep.name_uncertain() == 1
        task.refresh_from_db()
        assert task.state == TaskState.UNCERTAIN
