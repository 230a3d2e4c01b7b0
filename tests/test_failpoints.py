"""Where a worker can die around the one POST, each point by itself, and what is found afterwards."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx
from django.utils import timezone

from generations import dispatch, lifecycle, lookup, sweep
from generations.models import Attempt, AttemptState, CallbackNotice, ProviderKey, Task, TaskState, UsageEntry, User
from generations.providers.base import Failure, FailureClass
from tests.factories import make_budget, make_key
from tests.test_lifecycle import press

pytestmark = pytest.mark.django_db
VIDU = "https://api.vidu.com"
CREATE = f"{VIDU}/ent/v2/text2video"
LIST = f"{VIDU}/ent/v2/tasks"


class Death(BaseException):
    """As the kernel sends it: nothing in the code may catch it."""


def dies(*_: Any, **__: Any) -> Any:
    raise Death


@pytest.fixture
def vidu_key(db: None) -> ProviderKey:
    return make_key(base_url=VIDU)


@pytest.fixture
def attempt(alice: User, vidu_key: ProviderKey) -> Attempt:
    press(alice, vidu_key)
    claimed = dispatch.claim_next(vidu_key.pk)
    assert claimed is not None
    return claimed


def accepted(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"task_id": "7", "state": "created", "credits": 55})


def later(**over: timedelta) -> None:
    """Time passes: what was claimed or sent is older now."""
    for row in Attempt.objects.all():
        moved = {name: getattr(row, name) - by for name, by in over.items() if getattr(row, name)}
        Attempt.objects.filter(pk=row.pk).update(**moved)


@respx.mock
def test_dead_before_the_mark_it_is_sent_once_by_another(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    route = respx.post(CREATE).mock(side_effect=accepted)
    with monkeypatch.context() as patch:
        patch.setattr(lifecycle, "mark_sent", dies)
        with pytest.raises(Death):
            dispatch.submit(attempt.pk)
    later(claimed_at=timedelta(minutes=1))
    assert sweep.wake_unsent() == 1
    dispatch.submit(attempt.pk)
    dispatch.submit(attempt.pk)
    assert route.call_count == 1
    assert Task.objects.get().state == TaskState.QUEUED


@respx.mock
@pytest.mark.parametrize("point", ["before the send", "after the send", "before the commit"])
def test_dead_around_the_post_it_is_uncertain_and_never_sent_again(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    route = respx.post(CREATE).mock(side_effect=accepted)
    real = dispatch.transport.send

    def sends_and_dies(call: Any) -> Any:
        real(call)
        raise Death

    broken: dict[str, tuple[object, str, Callable[..., Any]]] = {
        "before the send": (dispatch.transport, "send", dies),
        "after the send": (dispatch.transport, "send", sends_and_dies),
        "before the commit": (dispatch.lifecycle, "accept", dies),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*broken[point])
        with pytest.raises(Death):
            dispatch.submit(attempt.pk)
    dispatch.submit(attempt.pk)
    assert sweep.wake_unsent() == 0, "it was marked: nobody may send it"
    later(sent_at=timedelta(minutes=2))
    assert sweep.name_uncertain() == 1
    assert Task.objects.get().state == TaskState.UNCERTAIN
    dispatch.submit(attempt.pk)
    assert route.call_count == (0 if point == "before the send" else 1)


@respx.mock
def test_dead_inside_the_commit_nothing_of_it_is_kept(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    respx.post(CREATE).mock(side_effect=accepted)
    with monkeypatch.context() as patch:
        patch.setattr("generations.lifecycle.answers.ledger.reserve", dies)
        with pytest.raises(Death):
            dispatch.submit(attempt.pk)
    attempt.refresh_from_db()
    task = Task.objects.get()
    assert (task.state, attempt.state, attempt.remote_id) == (TaskState.SUBMITTING, AttemptState.SENT, "")
    assert not task.events.filter(kind="queued").exists()


@respx.mock
def test_dead_after_the_commit_it_is_followed(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    route = respx.post(CREATE).mock(side_effect=accepted)
    with monkeypatch.context() as patch:
        patch.setattr(dispatch.evidence, "record", dies)
        with pytest.raises(Death):
            dispatch.submit(attempt.pk)
    task = Task.objects.get()
    assert (task.state, task.next_poll_at is not None) == (TaskState.QUEUED, True)
    dispatch.submit(attempt.pk)
    assert route.call_count == 1


def rows(*found: dict[str, Any], token: str = "") -> httpx.Response:
    return httpx.Response(200, json={"tasks": list(found), "next_page_token": token})


class TestNeverMade:
    """A vendor's complete list lacks it, twice: only then it was never made."""

    @pytest.fixture
    def lost(self, attempt: Attempt) -> Attempt:
        with respx.mock:
            respx.post(CREATE).mock(side_effect=httpx.ReadTimeout)
            dispatch.submit(attempt.pk)
        return Attempt.objects.get()

    @respx.mock
    def test_two_complete_listings_are_needed(self, lost: Attempt, settings: Any) -> None:
        respx.get(LIST).mock(return_value=rows())
        lookup.look_up(lost.pk)
        lookup.look_up(lost.pk)
        assert Task.objects.get().state == TaskState.UNCERTAIN, "a list may lag behind"
        Attempt.objects.update(missed_at=timezone.now() - settings.NOT_CREATED_AFTER)
        lookup.look_up(lost.pk)
        task = Task.objects.get()
        assert (task.state, task.failure_code, task.charge) == (TaskState.FAILED, "not_created", 0)
        assert sum(UsageEntry.objects.values_list("amount", flat=True)) == 0

    @respx.mock
    def test_a_callback_proves_that_it_exists(self, lost: Attempt, settings: Any) -> None:
        respx.get(LIST).mock(return_value=rows())
        CallbackNotice.objects.create(attempt=lost, provider="vidu", nonce="n-1", state_word="processing")
        Attempt.objects.update(missed_at=timezone.now() - settings.NOT_CREATED_AFTER)
        lookup.look_up(lost.pk)
        assert Task.objects.get().state == TaskState.UNCERTAIN

    @respx.mock
    @pytest.mark.parametrize(
        "page",
        [
            rows({"id": None, "state": "success"}),
            httpx.Response(500, json={"reason": "InternalServiceFailure"}),
            httpx.Response(200, content=b'{"tasks": [{"id": "4'),
            rows({"id": "8", "state": "queueing"}, token="again"),
        ],
        ids=["an unreadable row", "an error", "cut", "pages in circles"],
    )
    def test_an_incomplete_listing_says_nothing(self, lost: Attempt, settings: Any, page: httpx.Response) -> None:
        respx.get(LIST).mock(return_value=page)
        respx.get(f"{LIST}/8/creations").mock(return_value=httpx.Response(404, json={"reason": "TaskNotFound"}))
        Attempt.objects.update(missed_at=timezone.now() - settings.NOT_CREATED_AFTER)
        lookup.look_up(lost.pk)
        assert Task.objects.get().state == TaskState.UNCERTAIN

    @respx.mock
    def test_what_turns_up_later_is_adopted_and_booked(self, lost: Attempt) -> None:
        assert lifecycle.not_made(lost)
        Attempt.objects.update(next_look_at=timezone.now())
        assert sweep.look_for_lost() == 1, "it is still looked for"
        found = {"id": "9", "state": "processing", "model": "viduq3-turbo", "credits": 55}
        respx.get(LIST).mock(return_value=rows(found))
        respx.get(f"{LIST}/9/creations").mock(
            return_value=httpx.Response(200, json={"id": "9", "state": "processing", "payload": lost.token})
        )
        assert lookup.look_up(lost.pk)
        task = Task.objects.get()
        assert (task.state, task.charge, task.failure_code) == (TaskState.QUEUED, None, "")
        assert task.events.filter(kind="late-success").exists()
        assert sum(UsageEntry.objects.values_list("amount", flat=True)) == task.estimate


class TestAPersonDecides:
    @pytest.fixture
    def lost(self, attempt: Attempt) -> Attempt:
        with respx.mock:
            respx.post(CREATE).mock(side_effect=httpx.ReadTimeout)
            dispatch.submit(attempt.pk)
        return Attempt.objects.get()

    def answer(self, **said: Any) -> None:
        respx.get(f"{LIST}/12/creations").mock(return_value=httpx.Response(200, json={"id": "12", **said}))

    @respx.mock
    def test_the_named_id_is_asked_and_taken(self, lost: Attempt, admin: User) -> None:
        lifecycle.exists(lost, "12", admin)
        self.answer(
            state="success", payload=lost.token, credits=55, creations=[{"id": "1", "url": "https://cdn.example/v.mp4"}]
        )
        assert lookup.adopt(lost.pk, "12")
        assert Task.objects.get().state == TaskState.ARCHIVING

    @respx.mock
    def test_an_id_with_another_token_is_refused(self, lost: Attempt) -> None:
        self.answer(state="success", payload="vf1.somebody-else")
        assert not lookup.adopt(lost.pk, "12")
        task = Task.objects.get()
        assert task.state == TaskState.UNCERTAIN
        assert task.events.get(kind="exists-refused").detail["code"] == "another_token"

    @respx.mock
    def test_an_unknown_id_is_refused(self, lost: Attempt) -> None:
        respx.get(f"{LIST}/12/creations").mock(return_value=httpx.Response(404, json={"reason": "TaskNotFound"}))
        assert not lookup.adopt(lost.pk, "12")
        assert Task.objects.get().state == TaskState.UNCERTAIN

    @respx.mock
    def test_sent_again_it_is_a_new_attempt(self, lost: Attempt, admin: User, vidu_key: ProviderKey) -> None:
        assert lifecycle.resend(lost, admin)
        assert not lifecycle.resend(lost, admin), "pressed twice it is one wish"
        respx.post(CREATE).mock(side_effect=accepted)
        second = dispatch.claim_next(vidu_key.pk)
        assert second is not None
        assert second.token != lost.token
        dispatch.submit(second.pk)
        assert Task.objects.get().state == TaskState.QUEUED


class TestAnotherKey:
    @pytest.mark.parametrize("trouble", [{"problem": "credits"}, {"problem": "auth"}, {"state": "draining"}])
    def test_what_waits_goes_to_a_key_that_fits(
        self, alice: User, vidu_key: ProviderKey, trouble: dict[str, str]
    ) -> None:
        second = make_key("Second", secret="sandbox-not-a-real-key-0002", base_url=VIDU)
        make_key("Elsewhere", secret="sandbox-not-a-real-key-0003", base_url="https://api.vidu.cn")
        (task,) = press(alice, vidu_key)
        ProviderKey.objects.filter(pk=vidu_key.pk).update(**trouble)
        assert sweep.move_waiting() == 1
        task.refresh_from_db()
        assert task.key == second
        held = {
            key: sum(UsageEntry.objects.filter(key=key).values_list("amount", flat=True)) for key in (vidu_key, second)
        }
        assert held == {vidu_key: 0, second: task.estimate}
        assert task.events.get(kind="key-changed").detail == {"old": "Studio", "new": "Second"}

    def test_without_another_one_it_waits(self, alice: User, vidu_key: ProviderKey) -> None:
        (task,) = press(alice, vidu_key)
        ProviderKey.objects.update(problem="credits")
        assert sweep.move_waiting() == 0
        task.refresh_from_db()
        assert task.state == TaskState.WAITING

    def test_a_key_without_budget_does_not_fit(self, alice: User, vidu_key: ProviderKey) -> None:
        make_budget(make_key("Second", secret="sandbox-not-a-real-key-0002", base_url=VIDU), 10)
        press(alice, vidu_key)
        ProviderKey.objects.filter(pk=vidu_key.pk).update(problem="credits")
        assert sweep.move_waiting() == 0


def test_creates_keep_the_pace_of_their_key(alice: User, vidu_key: ProviderKey) -> None:
    ProviderKey.objects.update(sends_per_second=1, max_in_flight=50)
    press(alice, vidu_key, count=4)
    sent = 0
    while attempt := dispatch.claim_next(vidu_key.pk):
        sent += 1
        lifecycle.mark_sent(attempt, "")
        lifecycle.lose_answer(attempt, Failure(FailureClass.AMBIGUOUS_SUBMIT, "read_timeout"))
    assert sent == dispatch.BURST + 1, "what was not sent for a while may go at once, the rest by the second"
    ProviderKey.objects.update(next_send_at=timezone.now())
    assert dispatch.claim_next(vidu_key.pk) is not None


def test_the_account_decides_how_many_where_it_tells(vidu_key: ProviderKey) -> None:
    assert vidu_key.slots == vidu_key.max_in_flight == 5
    vidu_key.concurrency_limit = 8
    assert vidu_key.slots == 8
    vidu_key.follows_account = False
    assert vidu_key.slots == 5
