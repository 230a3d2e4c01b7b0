"""When a task is looked at again: a vendor's floor and its wish to be left alone stand above every plan."""

import time
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest
import respx
from django.utils import timezone

from generations import lifecycle, looks, pace, polling
from generations.models import Pace, ProviderKey, Task, TaskState, User, VendorRequest
from generations.providers import PROVIDERS
from generations.providers.base import FailureClass, ProviderError, Refused
from tests.factories import make_key, make_task
from tests.servers import says, serving

pytestmark = pytest.mark.django_db
FLOOR = PROVIDERS["xingchao"].poll_floor
HOST = "https://slow.example"
RESULT = f"{HOST}/v1/result/video_1"
RUNS = {"id": "video_1", "status": "processing"}


@pytest.fixture
def floored(db: None) -> ProviderKey:
    """A key of the vendor that must not be asked about a task more often than every thirty seconds."""
    return make_key("Floored", provider="xingchao", base_url=HOST)


def running(owner: User, key: ProviderKey, remote_id: str = "video_1", **over: Any) -> Task:
    now = timezone.now()
    due = {"next_poll_at": now - timedelta(seconds=1), "submitted_at": now - timedelta(minutes=5), "unit": "token"}
    return make_task(owner, key=key, remote_id=remote_id, **{"state": TaskState.QUEUED, **due, **over})


def wait_of(task: Task) -> float:
    """Seconds until its next look."""
    task.refresh_from_db()
    assert task.next_poll_at is not None
    return (task.next_poll_at - timezone.now()).total_seconds()


def due_again() -> None:
    """Somebody asked for it, or its claim ran out."""
    Task.objects.update(next_poll_at=timezone.now() - timedelta(seconds=1))


class TestFloor:
    @respx.mock
    @pytest.mark.parametrize("answer", [200, 500], ids=["good", "bad"])
    def test_a_look_just_made_is_not_made_again(self, alice: User, floored: ProviderKey, answer: int) -> None:
        task = running(alice, floored)
        route = respx.get(RESULT).mock(return_value=httpx.Response(answer, json=RUNS))
        assert polling.poll_due() == 1
        due_again()
        assert polling.poll_due() == 0
        assert route.call_count == 1
        assert FLOOR - 3 < wait_of(task) <= FLOOR

    @respx.mock
    @pytest.mark.parametrize("when", ["last_polled_at", "submitted_at"])
    def test_a_person_who_asks_at_once_waits_for_the_floor(self, alice: User, floored: ProviderKey, when: str) -> None:
        task = running(alice, floored, **{when: timezone.now() - timedelta(seconds=2)})
        route = respx.get(RESULT)
        lifecycle.ask_now(task, alice)
        assert polling.poll_due() == 0
        assert not route.called
        assert FLOOR - 4 < wait_of(task) <= FLOOR - 2

    @respx.mock
    def test_when_the_floor_has_passed_it_is_asked(self, alice: User, floored: ProviderKey) -> None:
        running(alice, floored, last_polled_at=timezone.now() - timedelta(seconds=FLOOR))
        route = respx.get(RESULT).mock(return_value=httpx.Response(200, json=RUNS))
        assert polling.poll_due() == 1
        assert route.called

    @pytest.mark.django_db(transaction=True)
    def test_a_look_dropped_at_the_hand_over_is_not_repeated_early(self, alice: User) -> None:
        with serving(hang) as url:
            task = running(alice, make_key("Floored", provider="xingchao", base_url=url))
            with polling.Poller() as poller:
                assert poller.ask_due() == 1
            assert wait_of(task) > FLOOR - 3, "by its claim"
            due_again()
            with polling.Poller() as successor:
                assert successor.ask_due() == 0

    @pytest.mark.django_db(transaction=True)
    def test_nothing_queues_behind_reads_that_hang(self, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
        """What waits in line would be asked at a time that nobody wrote down."""
        monkeypatch.setattr(PROVIDERS["xingchao"], "reads_at_once", 2)
        with serving(hang) as url:
            key = make_key("Floored", provider="xingchao", base_url=url)
            for number in range(5):
                running(alice, key, f"video_{number}")
            with polling.Poller() as poller:
                assert poller.ask_due() == 2
                assert poller.ask_due() == 0

    @respx.mock
    def test_it_holds_for_a_single_query_too(self, alice: User, floored: ProviderKey) -> None:
        task = running(alice, floored)
        route = respx.get(RESULT).mock(return_value=httpx.Response(200, json=RUNS))
        assert polling.fetch_snapshot(task).raw_state == "processing"
        task.refresh_from_db()
        assert task.last_polled_at is not None
        with pytest.raises(Refused) as caught:
            polling.fetch_snapshot(task)
        assert caught.value.failure.code == "asked_just_now"
        assert caught.value.failure.retry_after == pytest.approx(FLOOR, abs=2)
        assert polling.poll_due() == 0
        assert route.call_count == 1

    @respx.mock
    def test_a_single_query_that_failed_was_made_all_the_same(self, alice: User, floored: ProviderKey) -> None:
        task = running(alice, floored)
        route = respx.get(RESULT).mock(side_effect=httpx.ReadTimeout)
        for _ in range(2):
            with pytest.raises(ProviderError):
                polling.fetch_snapshot(task)
        assert route.call_count == 1


def hang(request: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


@pytest.mark.django_db(transaction=True)
def test_what_waits_long_for_its_answer_is_not_asked_for_twice(alice: User) -> None:
    with serving(hang) as url:
        running(alice, make_key("Vtrix", provider="vtrix", base_url=url), unit="usd")
        with polling.Poller() as poller:
            assert poller.ask_due() == 1
            due_again()
            assert poller.ask_due() == 0


@pytest.mark.django_db(transaction=True)
def test_what_was_answered_is_asked_for_again(alice: User) -> None:
    with serving(says(200, b'{"id": "video_1", "status": "in_progress"}')) as url:
        running(alice, make_key("Vtrix", provider="vtrix", base_url=url), unit="usd")
        with polling.Poller() as poller:
            for _ in range(2):
                assert poller.ask_due() == 1
                poller.take_in(5)
                due_again()


class TestLeftAlone:
    @pytest.fixture
    def vtrix(self, db: None) -> ProviderKey:
        return make_key("Vtrix", provider="vtrix", base_url=HOST)

    @pytest.fixture
    def told(self) -> Iterator[respx.Route]:
        """A vendor that wants half an hour of peace."""
        answer = httpx.Response(429, json={"error": {"message": "slow down"}}, headers={"Retry-After": "1800"})
        with respx.mock:
            yield respx.get(url__startswith=HOST).mock(return_value=answer)

    def test_for_as_long_as_the_vendor_wants(self, alice: User, vtrix: ProviderKey, told: respx.Route) -> None:
        task = running(alice, vtrix, unit="usd")
        polling.poll_due()
        assert 1790 < wait_of(task) <= 1800
        due_again()
        assert polling.poll_due() == 0, "another poller knows of it"
        assert told.call_count == 1

    def test_single_queries_wait_too(self, alice: User, vtrix: ProviderKey, told: respx.Route) -> None:
        task = running(alice, vtrix, unit="usd")
        for _ in range(2):
            with pytest.raises(Refused) as caught:
                polling.fetch_snapshot(task)
            assert caught.value.failure.cls == FailureClass.THROTTLED
            assert caught.value.failure.retry_after == pytest.approx(1800, abs=5)
        assert polling.poll_due() == 0
        assert told.call_count == 1

    def test_a_shorter_wish_does_not_end_a_longer_one(self, vtrix: ProviderKey) -> None:
        for wish in (600.0, 5.0):
            looks.hush(vtrix, polling.Failure(FailureClass.THROTTLED, retry_after=wish))
        later = timezone.now() + timedelta(seconds=590)
        assert looks.Lease.objects.get().until > later

    def test_other_keys_are_asked(self, alice: User, vtrix: ProviderKey) -> None:
        looks.hush(vtrix, polling.Failure(FailureClass.THROTTLED, retry_after=600))
        assert looks.hushed([vtrix, make_key("Other", secret="sandbox-another-key-0002")]) == {vtrix.pk}


@respx.mock
@pytest.mark.parametrize(
    ("answer", "said"),
    [(httpx.Response(500, text="boom"), "http_500"), (httpx.ConnectError, "connect_error")],
    ids=["500", "no line"],
)
def test_a_single_query_that_failed_leaves_evidence(
    alice: User, floored: ProviderKey, answer: object, said: str
) -> None:
    task = running(alice, floored)
    respx.get(RESULT).mock(side_effect=[answer])
    polling.ask(task)
    assert list(VendorRequest.objects.values_list("attempt", "kind", "said")) == [(task.attempt_id, "query", said)]


@respx.mock
@pytest.mark.parametrize(("minutes", "overdue"), [(59, False), (119, False), (130, True)])
def test_a_kind_that_takes_an_hour_is_not_overdue_before(alice: User, minutes: int, overdue: bool) -> None:
    key = make_key("Vtrix", provider="vtrix", base_url=HOST)
    task = running(alice, key, unit="usd", submitted_at=timezone.now() - timedelta(minutes=minutes))
    Pace.objects.create(
        provider="vtrix", model=task.model, mode=task.mode, resolution=task.resolution, duration=task.duration,
        clips=10, p10=3600, p50=3630, p90=3660,
    )  # fmt: skip
    respx.get(url__startswith=HOST).mock(
        return_value=httpx.Response(200, json={"id": "video_1", "status": "in_progress"})
    )
    polling.poll_due()
    assert (wait_of(task) > pace.MOST_BETWEEN + 1) is overdue


class TestGivenUp:
    def given_up(self, owner: User, key: ProviderKey, days: float) -> Task:
        over = {"failure_code": "success_without_output", "finished_at": timezone.now() - timedelta(days=days)}
        return running(owner, key, state=TaskState.FAILED, **over)

    @respx.mock
    @pytest.mark.parametrize("status", [200, 404, 500])
    def test_it_is_looked_at_hourly(self, alice: User, floored: ProviderKey, status: int) -> None:
        task = self.given_up(alice, floored, days=6)
        respx.get(RESULT).mock(return_value=httpx.Response(status, json=RUNS))
        polling.poll_due()
        assert 3590 < wait_of(task) <= 3600

    @respx.mock
    @pytest.mark.parametrize("status", [200, 404, 500])
    def test_it_is_looked_at_for_a_week(self, alice: User, floored: ProviderKey, status: int) -> None:
        task = self.given_up(alice, floored, days=7.1)
        respx.get(RESULT).mock(return_value=httpx.Response(status, json=RUNS))
        assert polling.poll_due() == 1
        task.refresh_from_db()
        assert task.next_poll_at is None
