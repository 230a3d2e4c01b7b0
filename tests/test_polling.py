"""Asking the vendor: as few requests as possible, and no trouble of theirs ever changes a task."""

import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest
import respx
from django.utils import timezone
from django_q.models import OrmQ

from generations import ledger, looks, polling
from generations.models import Attempt, ProviderKey, RequestCount, Task, TaskState, User
from tests.factories import make_key, make_task
from tests.servers import says, serving

pytestmark = pytest.mark.django_db
VIDU = "https://api.vidu.com"
LIST = f"{VIDU}/ent/v2/tasks"


@pytest.fixture
def vidu_key(db: None) -> ProviderKey:
    return make_key(base_url=VIDU)


def running(owner: User, key: ProviderKey, remote_id: str, **over: Any) -> Task:
    due = {"next_poll_at": timezone.now() - timedelta(seconds=1), "submitted_at": timezone.now()}
    return make_task(owner, key=key, remote_id=remote_id, **{"state": TaskState.QUEUED, **due, **over})


def row(remote_id: str, state: str, **over: Any) -> dict[str, Any]:
    return {"id": remote_id, "state": state, "model": "viduq3-turbo", "creations": [], "credits": 55, **over}


def listing(*rows: dict[str, Any], token: str = "") -> httpx.Response:
    return httpx.Response(200, json={"next_page_token": token, "tasks": list(rows)})


def creation(name: str = "v") -> dict[str, Any]:
    return {"id": "99", "url": f"https://cdn.example/{name}.mp4", "cover_url": f"https://cdn.example/{name}.jpg"}


@respx.mock
def test_one_list_request_serves_a_hundred_tasks(alice: User, vidu_key: ProviderKey) -> None:
    tasks = [running(alice, vidu_key, str(10**15 + number)) for number in range(105)]
    route = respx.get(LIST).mock(
        side_effect=lambda request: listing(
            *(row(remote_id, "processing") for remote_id in request.url.params.get_list("task_ids"))
        )
    )
    assert polling.poll_due() == 105
    assert route.call_count == 2
    assert max(len(call.request.url.params.get_list("task_ids")) for call in route.calls) == 100
    assert {task.state for task in Task.objects.all()} == {TaskState.PROCESSING}
    assert RequestCount.objects.get(kind="list").count == 2
    assert len(tasks) == 105


@respx.mock
def test_a_success_in_the_list_starts_the_copy(alice: User, vidu_key: ProviderKey) -> None:
    task = running(alice, vidu_key, "42")
    respx.get(LIST).mock(return_value=listing(row("42", "success", creations=[creation()])))
    polling.poll_due()
    task.refresh_from_db()
    assert (task.state, task.charge) == (TaskState.ARCHIVING, 55)
    assert task.creations.get().source_url == "https://cdn.example/v.mp4"
    assert OrmQ.objects.count() == 1


@respx.mock
def test_a_failure_is_asked_for_its_reason_once(alice: User, vidu_key: ProviderKey) -> None:
    task = running(alice, vidu_key, "42")
    respx.get(LIST).mock(return_value=listing(row("42", "failed", credits=0)))
    query = respx.get(f"{VIDU}/ent/v2/tasks/42/creations").mock(
        return_value=httpx.Response(200, json=row("42", "failed", credits=0, err_code="CreationPolicyViolation"))
    )
    polling.poll_due()
    task.refresh_from_db()
    assert (task.state, task.failure_code, task.charge) == ("failed", "CreationPolicyViolation", 0)
    assert query.call_count == 1


@respx.mock
def test_further_pages_are_read_while_something_is_missing(alice: User, vidu_key: ProviderKey) -> None:
    running(alice, vidu_key, "1")
    running(alice, vidu_key, "2")
    pages = [listing(row("1", "processing"), token="next"), listing(row("2", "processing"))]
    route = respx.get(LIST).mock(side_effect=pages)
    polling.poll_due()
    assert route.call_count == 2
    assert route.calls[1].request.url.params["pager.page_token"] == "next"


@respx.mock
def test_a_list_that_goes_in_circles_ends(alice: User, vidu_key: ProviderKey) -> None:
    running(alice, vidu_key, "1")
    route = respx.get(LIST).mock(return_value=listing(row("7", "processing"), token="again"))
    query = respx.get(f"{VIDU}/ent/v2/tasks/1/creations").mock(
        return_value=httpx.Response(200, json=row("1", "processing"))
    )
    polling.poll_due()
    assert route.call_count <= polling.MOST_PAGES
    assert query.call_count == 1, "a task that the list does not show is asked for by itself"


TROUBLE = {
    "429": httpx.Response(429, json={"reason": "TooManyRequests"}, headers={"Retry-After": "30"}),
    "500": httpx.Response(500, json={"reason": "InternalServiceFailure"}),
    "html": httpx.Response(200, text="<html>maintenance</html>"),
    "garbage": httpx.Response(200, content=b"\xff\xfe{["),
    "cut": httpx.Response(200, content=b'{"tasks": [{"id": "4'),
    "null": httpx.Response(200, json=None),
    "number": httpx.Response(200, json=7),
    "rows of nonsense": httpx.Response(200, json={"tasks": [None, 3, {"id": None}, {"state": "success"}]}),
}


@respx.mock
@pytest.mark.parametrize("answer", TROUBLE.values(), ids=TROUBLE.keys())
def test_trouble_changes_nothing_but_the_next_look(alice: User, vidu_key: ProviderKey, answer: httpx.Response) -> None:
    task = running(alice, vidu_key, "42", state=TaskState.PROCESSING)
    respx.get(LIST).mock(return_value=answer)
    respx.get(f"{VIDU}/ent/v2/tasks/42/creations").mock(return_value=answer)
    polling.poll_due()
    seen = Task.objects.get(pk=task.pk)
    assert (seen.state, seen.progress, seen.charge, seen.changed_at) == (
        task.state, task.progress, task.charge, task.changed_at,
    )  # fmt: skip
    assert seen.next_poll_at is not None
    assert seen.next_poll_at > timezone.now()
    assert not seen.events.exists()


@respx.mock
@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError])
def test_a_dead_line_changes_nothing_but_the_next_look(
    alice: User, vidu_key: ProviderKey, error: type[Exception]
) -> None:
    task = running(alice, vidu_key, "42", state=TaskState.PROCESSING)
    respx.get(LIST).mock(side_effect=error)
    polling.poll_due()
    seen = Task.objects.get(pk=task.pk)
    assert (seen.state, seen.poll_errors) == (TaskState.PROCESSING, 1)


@respx.mock
def test_trouble_in_a_row_is_asked_about_ever_more_rarely(alice: User, vidu_key: ProviderKey) -> None:
    task = running(alice, vidu_key, "42")
    respx.get(LIST).mock(return_value=TROUBLE["500"])
    waits = []
    for _ in range(8):
        Task.objects.update(next_poll_at=timezone.now() - timedelta(seconds=1))
        polling.poll_due()
        task.refresh_from_db()
        assert task.next_poll_at is not None
        waits.append(round((task.next_poll_at - timezone.now()).total_seconds()))
    assert waits == sorted(waits)
    assert waits[-1] <= looks.ERROR_DELAY_AT_MOST.total_seconds()


@respx.mock
def test_retry_after_is_honoured(alice: User, vidu_key: ProviderKey) -> None:
    task = running(alice, vidu_key, "42")
    respx.get(LIST).mock(return_value=TROUBLE["429"])
    polling.poll_due()
    task.refresh_from_db()
    assert task.next_poll_at is not None
    assert 28 < (task.next_poll_at - timezone.now()).total_seconds() <= 30


@respx.mock
def test_an_off_peak_task_is_never_called_late(alice: User, vidu_key: ProviderKey) -> None:
    long_ago = timezone.now() - timedelta(hours=47)
    task = running(alice, vidu_key, "42", off_peak=True, submitted_at=long_ago)
    respx.get(LIST).mock(return_value=listing(row("42", "queueing")))
    polling.poll_due()
    task.refresh_from_db()
    assert (task.state, task.poll_errors) == (TaskState.QUEUED, 0)
    assert task.next_poll_at is not None
    assert task.next_poll_at > timezone.now() + timedelta(minutes=9)


@respx.mock
def test_a_task_is_followed_with_the_key_and_address_that_made_it(alice: User, vidu_key: ProviderKey) -> None:
    task = running(alice, vidu_key, "42")
    ProviderKey.objects.update(base_url="https://elsewhere.example", state="disabled")
    route = respx.get(LIST).mock(return_value=listing(row("42", "processing")))
    polling.poll_due()
    task.refresh_from_db()
    assert (route.call_count, task.state) == (1, TaskState.PROCESSING)


@respx.mock
def test_what_is_not_due_is_not_asked(alice: User, vidu_key: ProviderKey) -> None:
    running(alice, vidu_key, "42", next_poll_at=timezone.now() + timedelta(minutes=1))
    route = respx.get(LIST).mock(return_value=listing())
    assert polling.poll_due() == 0
    assert not route.called


@respx.mock
@pytest.mark.parametrize("options", [[1], {"list_page_size": 5}, {"list_page_size": "odd"}, "text"], ids=str)
def test_odd_settings_of_a_key_are_as_none(alice: User, vidu_key: ProviderKey, options: object) -> None:
    odd = make_key("Odd", base_url=VIDU, options=options)
    tasks = [running(alice, odd, "1"), running(alice, vidu_key, "42")]
    respx.get(LIST).mock(return_value=listing(row("1", "processing"), row("42", "processing")))
    polling.poll_due()
    for task in tasks:
        task.refresh_from_db()
        assert task.state == TaskState.PROCESSING


@respx.mock
def test_one_odd_row_stops_no_other(alice: User, vidu_key: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    odd, task = running(alice, vidu_key, "1"), running(alice, vidu_key, "42")
    respx.get(LIST).mock(return_value=listing(row("1", "processing"), row("42", "processing")))
    observe = polling.lifecycle.observe

    def explode(seen: Task, snapshot: Any) -> bool:
        if seen.pk == odd.pk:
            raise RuntimeError("nobody thought of this")
        return observe(seen, snapshot)

    monkeypatch.setattr(polling.lifecycle, "observe", explode)
    polling.poll_due()
    task.refresh_from_db()
    odd.refresh_from_db()
    assert (task.state, odd.state, odd.poll_errors) == (TaskState.PROCESSING, TaskState.QUEUED, 1)


@respx.mock
def test_a_key_that_is_told_to_slow_down_is_left_alone(alice: User, vidu_key: ProviderKey) -> None:
    running(alice, vidu_key, "42")
    route = respx.get(LIST).mock(return_value=TROUBLE["429"])
    with polling.Poller() as poller:
        poller.ask_due()
        poller.take_in(5)
        running(alice, vidu_key, "43")
        assert poller.ask_due() == 0
    assert route.call_count == 1


@respx.mock
def test_a_silent_vendor_is_news_once(alice: User, vidu_key: ProviderKey) -> None:
    task = running(alice, vidu_key, "42", poll_errors=looks.SILENT_ERRORS - 1)
    respx.get(LIST).mock(return_value=TROUBLE["500"])
    polling.poll_due()
    silent = Task.objects.get(pk=task.pk)
    assert silent.changed_at > task.changed_at, "its card says so"
    Task.objects.update(next_poll_at=timezone.now())
    respx.get(LIST).mock(return_value=listing(row("42", "queueing")))
    polling.poll_due()
    again = Task.objects.get(pk=task.pk)
    assert (again.poll_errors, again.changed_at > silent.changed_at) == (0, True)


@respx.mock
def test_what_runs_too_long_is_asked_slowly_and_never_failed(alice: User, vidu_key: ProviderKey) -> None:
    task = running(alice, vidu_key, "42", submitted_at=timezone.now() - timedelta(days=3))
    respx.get(LIST).mock(return_value=listing(row("42", "processing")))
    polling.poll_due()
    task.refresh_from_db()
    assert task.state == TaskState.PROCESSING
    assert task.next_poll_at is not None
    assert task.next_poll_at > timezone.now() + looks.OVERDUE_EVERY - timedelta(seconds=5)


@respx.mock
def test_a_success_that_comes_late_is_taken_in_and_booked(alice: User, vidu_key: ProviderKey) -> None:
    over = {"state": TaskState.FAILED, "failure_code": "success_without_output", "finished_at": timezone.now()}
    task = running(alice, vidu_key, "42", **over)
    respx.get(LIST).mock(return_value=listing(row("42", "success", creations=[creation()])))
    polling.poll_due()
    task.refresh_from_db()
    assert (task.state, task.charge, task.failure_code) == (TaskState.ARCHIVING, 55, "")
    assert ledger.booked(task) == 55
    assert task.events.filter(kind="late-success").exists()


@respx.mock
@pytest.mark.parametrize("believed", [True, False])
def test_where_callbacks_arrive_looks_are_rare(
    alice: User, vidu_key: ProviderKey, monkeypatch: pytest.MonkeyPatch, believed: bool
) -> None:
    task = running(alice, vidu_key, "42")
    Attempt.objects.update(callback_digest="ab" * 32)
    monkeypatch.setattr(looks.callbacks, "trusted", lambda _key: believed)
    respx.get(LIST).mock(return_value=listing(row("42", "processing")))
    polling.poll_due()
    task.refresh_from_db()
    assert task.next_poll_at is not None
    wait = (task.next_poll_at - timezone.now()).total_seconds()
    assert (wait > looks.CALLED_EVERY - 2) is believed


@pytest.mark.django_db(transaction=True)
def test_a_hanging_line_delays_its_own_task_alone(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both at one vendor: what hangs has one of its fifty places, and no more."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        if "hang" in request.path:
            time.sleep(3)
        says(200, b'{"id": "video-1", "status": "in_progress", "progress": 0.5}')(request)

    with serving(answer) as url:
        key = make_key("Vtrix", provider="vtrix", base_url=url)
        fields = {"unit": "usd", "provider": "vtrix"}
        hanging, other = running(alice, key, "hang-1", **fields), running(alice, key, "video-1", **fields)
        with polling.Poller() as poller:
            assert poller.ask_due() == 2
            poller.take_in(1)
            assert poller.waiting == 1
            other.refresh_from_db()
            hanging.refresh_from_db()
            assert (other.state, hanging.state) == (TaskState.PROCESSING, TaskState.QUEUED)


@respx.mock
def test_a_callback_during_the_look_is_not_forgotten(alice: User, vidu_key: ProviderKey) -> None:
    task = running(alice, vidu_key, "42")

    respx.get(LIST).mock(return_value=listing(row("42", "processing")))
    with polling.Poller() as poller:
        poller.ask_due()
        Task.objects.update(next_poll_at=timezone.now())
        poller.take_in(5)
    task.refresh_from_db()
    assert task.next_poll_at is not None
    assert task.next_poll_at <= timezone.now()
