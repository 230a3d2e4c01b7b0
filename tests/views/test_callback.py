"""A vendor calls back. Whatever comes and whoever sends it: only the time of the next question may change."""

import http.client
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pytest
from django.core.wsgi import get_wsgi_application
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import Settings

from generations import callbacks
from generations.models import (
    Attempt,
    AttemptState,
    CallbackNotice,
    KeyState,
    ProviderKey,
    Task,
    TaskEvent,
    TaskState,
    UsageEntry,
    User,
)
from generations.views import callbacks as views
from tests.bells import give_address, http_date, signed, told
from tests.factories import SECRET, make_attempt, make_key, make_task

HOUSE = "https://videoforge.example"
LATER = timedelta(minutes=5)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _house(settings: Settings) -> None:
    settings.VIDEOFORGE_PUBLIC_URL = HOUSE
    settings.ALLOWED_HOSTS = ["videoforge.example", "127.0.0.1", "testserver"]
    callbacks._complain.next_at = 0.0


@pytest.fixture
def task(alice: User) -> Task:
    key = make_key(base_url="https://api.vidu.com")
    return make_task(alice, key=key, state=TaskState.QUEUED, next_poll_at=timezone.now() + LATER)


@pytest.fixture
def url(task: Task) -> str:
    return give_address(attempt_of(task))


def attempt_of(task: Task) -> Attempt:
    assert task.attempt is not None
    return task.attempt


def ring(url: str, body: bytes = told("processing"), head: dict[str, str] | None = None, **over: Any) -> HttpResponse:
    """A callback as it arrives: signed for this address unless told otherwise."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    headers = {"Host": parts.hostname or "", **(signed(url) if head is None else head)}
    return Client().generic("POST", path, body, "application/json", headers=headers, **over)


def asked_now(task: Task) -> bool:
    task.refresh_from_db()
    assert task.next_poll_at is not None
    return task.next_poll_at <= timezone.now()


def standing(task: Task) -> tuple[Any, ...]:
    """All that a callback must never change."""
    row = Task.objects.get(pk=task.pk)
    money = (row.charge, row.quote, row.estimate, UsageEntry.objects.count())
    attempts = list(Attempt.objects.order_by("pk").values_list("state", "remote_id", "failure_code"))
    return (row.state, row.progress, row.changed_at, row.failure_code, *money, attempts, TaskEvent.objects.count())


# --- Genuine ones -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [TaskState.QUEUED, TaskState.PROCESSING])
@pytest.mark.parametrize(
    ("word", "final"), [("processing", False), ("success", True), ("failed", True), ("new", False)]
)
def test_a_genuine_one_is_a_nudge(task: Task, url: str, state: TaskState, word: str, final: bool) -> None:
    Task.objects.filter(pk=task.pk).update(state=state)
    before = standing(task)
    answer = ring(url, told(word))
    assert (answer.status_code, answer.content) == (200, b"")
    assert asked_now(task)
    assert standing(task) == before
    notice = CallbackNotice.objects.get()
    assert (notice.attempt, notice.provider, notice.state_word, notice.final) == (task.attempt, "vidu", word, final)
    assert OrmQ.objects.count() == 0


def test_one_that_is_due_already_is_not_put_off(task: Task, url: str) -> None:
    due = timezone.now() - timedelta(seconds=30)
    Task.objects.filter(pk=task.pk).update(next_poll_at=due)
    ring(url)
    task.refresh_from_db()
    assert task.next_poll_at == due


def test_the_word_may_stand_under_either_name(url: str) -> None:
    ring(url, b'{"status":"success"}')
    assert CallbackNotice.objects.get().final


def test_it_needs_few_queries_and_no_session(task: Task, url: str) -> None:
    head = signed(url)
    with CaptureQueriesContext(connection) as made:
        answer = ring(url, head=head)
    kinds = [each["sql"].split()[0] for each in made if each["sql"].split()[0] not in ("SAVEPOINT", "RELEASE", "BEGIN")]
    assert kinds == ["SELECT", "INSERT", "UPDATE"]
    assert not answer.cookies
    with CaptureQueriesContext(connection) as made:
        ring("https://videoforge.example/callbacks/vidu/unknown/", head={})
    assert len(made) == 1


@pytest.mark.parametrize("state", [TaskState.ARCHIVING, TaskState.SUCCEEDED])
def test_a_finished_one_is_left_alone(task: Task, url: str, state: TaskState) -> None:
    Task.objects.filter(pk=task.pk).update(state=state, next_poll_at=None)
    before = standing(task)
    assert ring(url, told("success")).status_code == 200
    assert standing(task) == before
    assert Task.objects.get(pk=task.pk).next_poll_at is None
    assert OrmQ.objects.count() == 0


def jobs() -> list[str]:
    return [row.func() for row in OrmQ.objects.all()]


@pytest.mark.parametrize("state", [TaskState.FAILED, TaskState.CANCELLED, TaskState.LOST])
def test_a_late_success_has_the_vendor_asked(task: Task, url: str, state: TaskState) -> None:
    Task.objects.filter(pk=task.pk).update(state=state, next_poll_at=None)
    before = standing(task)
    ring(url, told("failed"))
    assert jobs() == [], "that is what we know already"
    ring(url, told("success"))
    assert jobs() == ["generations.jobs.ask"]
    assert standing(task) == before


def test_a_lost_create_is_looked_for_at_once(task: Task, url: str) -> None:
    Task.objects.filter(pk=task.pk).update(state=TaskState.UNCERTAIN, next_poll_at=None)
    Attempt.objects.update(state=AttemptState.UNKNOWN, remote_id="", next_look_at=timezone.now() + LATER)
    before = standing(task)
    assert ring(url).status_code == 200
    look = Attempt.objects.get().next_look_at
    assert look is not None
    assert look <= timezone.now()
    assert standing(task) == before
    assert jobs() == []


def test_one_that_we_took_for_never_made_is_looked_for(task: Task, url: str) -> None:
    Task.objects.filter(pk=task.pk).update(state=TaskState.FAILED, failure_code="not_created", next_poll_at=None)
    Attempt.objects.update(state=AttemptState.UNKNOWN, remote_id="", next_look_at=None)
    before = standing(task)
    ring(url, told("success"))
    assert Attempt.objects.get().next_look_at is not None
    assert jobs() == [], "the next sweep sees to it"
    assert standing(task) == before


def test_one_about_an_earlier_attempt_moves_nothing(task: Task, url: str) -> None:
    make_attempt(task)
    before = Task.objects.get(pk=task.pk).next_poll_at
    assert ring(url, told("success")).status_code == 200
    assert Task.objects.get(pk=task.pk).next_poll_at == before


def test_one_before_our_own_answer_is_noted(task: Task, url: str) -> None:
    Task.objects.filter(pk=task.pk).update(state=TaskState.SUBMITTING, next_poll_at=None)
    Attempt.objects.update(state=AttemptState.SENT, remote_id="")
    before = standing(task)
    assert ring(url, told("success")).status_code == 200
    assert standing(task) == before
    assert CallbackNotice.objects.count() == 1


# --- Again, late, out of order ------------------------------------------------------------------------------


def test_the_same_again_changes_nothing(task: Task, url: str) -> None:
    head = signed(url)
    ring(url, told("processing"), head)
    later = timezone.now() + LATER
    Task.objects.filter(pk=task.pk).update(next_poll_at=later)
    answer = ring(url, told("success"), head)
    assert (answer.status_code, answer.content) == (200, b"")
    assert Task.objects.get(pk=task.pk).next_poll_at == later
    assert CallbackNotice.objects.get().state_word == "processing"


def test_a_head_for_one_address_opens_no_other(alice: User, task: Task, url: str) -> None:
    other = make_task(alice, state=TaskState.QUEUED, next_poll_at=timezone.now() + LATER)
    other_url = give_address(attempt_of(other))
    assert ring(other_url, head=signed(url)).status_code == 403
    assert not asked_now(other)


@pytest.mark.parametrize(("late", "status"), [(4.9, 200), (-4.8, 200), (5.1, 403), (-5.1, 403), (60 * 24, 403)])
def test_five_minutes_either_way(task: Task, url: str, late: float, status: int) -> None:
    assert ring(url, head=signed(url, late=timedelta(minutes=late))).status_code == status
    assert asked_now(task) is (status == 200)


def test_success_before_processing(task: Task, url: str) -> None:
    before = standing(task)
    ring(url, told("success"))
    ring(url, told("processing"))
    assert standing(task) == before
    assert list(CallbackNotice.objects.values_list("state_word", "final")) == [("success", True), ("processing", False)]


def test_a_very_long_nonce_is_still_taken_once(url: str) -> None:
    head = signed(url, nonce="n" * 3000)
    assert [ring(url, head=head).status_code for _ in range(2)] == [200, 200]
    assert len(CallbackNotice.objects.get().nonce) == 64


# --- Forged ones --------------------------------------------------------------------------------------------

NAMES = [*signed("https://x/")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["other", "empty", "missing", "odd"])
def test_a_head_that_was_touched_is_refused(task: Task, url: str, name: str, how: str) -> None:
    head, before = signed(url), standing(task)
    values = {
        "other": http_date(timezone.now() - timedelta(seconds=2)) if name == "Date" else f"{head[name]}x",
        "empty": "",
        "odd": "\xff;\xe9 \u2028,".encode().decode("latin-1"),
    }
    changed = {key: value for key, value in head.items() if key != name}
    answer = ring(url, told("success"), changed if how == "missing" else {**head, name: values[how]})
    assert (answer.status_code, answer.content) == (403, b"")
    assert standing(task) == before
    assert not asked_now(task)
    assert not CallbackNotice.objects.exists()


@pytest.mark.parametrize(
    "date",
    [
        "Tue, 06 May 2025 12:09:42 +99999999999999999999",
        "Tue, 06 May 2025 99999999999999999999999:09:42 GMT",
        "Tue, 06 May 99999 12:09:42 GMT",
        "9" * 5000,
    ],
)
def test_a_date_from_nowhere_is_no_error_of_ours(url: str, date: str) -> None:
    assert ring(url, head={**signed(url), "Date": date}).status_code == 403


def test_another_secret_is_refused(url: str) -> None:
    assert ring(url, head=signed(url, secret="another")).status_code == 403


@pytest.mark.parametrize("change", ["?a=1", "/..", "x/"])
def test_the_signature_is_for_this_address(url: str, change: str) -> None:
    """Signed for a path or query that we never named."""
    assert ring(url, head=signed(url + change)).status_code == 403


def test_a_query_that_somebody_added_is_not_ours(task: Task, url: str) -> None:
    """What arrived does not count, only what was registered: a proxy may add to it."""
    assert ring(f"{url}?from=proxy", head=signed(url)).status_code == 200
    assert ring(f"{url}?from=proxy").status_code == 403


def test_a_callback_for_get_is_no_callback(url: str) -> None:
    assert Client().get(urlsplit(url).path, headers=signed(url)).status_code == 405


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("known", [True, False])
def test_other_methods_learn_nothing(task: Task, url: str, method: str, known: bool) -> None:
    path = urlsplit(url).path if known else "/callbacks/vidu/unknown/"
    answer = Client().generic(method, path, headers=signed(url))
    assert (answer.status_code, answer.content, answer["Allow"]) == (405, b"", "POST")
    assert not CallbackNotice.objects.exists()


def test_what_is_unknown_looks_the_same_everywhere(task: Task, url: str) -> None:
    word = url.rstrip("/").rpartition("/")[2]
    paths = [
        "vidu/unknown/",
        f"dataeyes/{word}/",
        f"nobody/{word}/",
        f"vidu/{word}x/",
        f"vidu/{'w' * 4000}/",
        "vidu/é/",
    ]
    answers = [ring(f"{HOUSE}/callbacks/{path}", head=signed(url)) for path in paths]
    assert {(each.status_code, each.content, str(sorted(each.items()))) for each in answers} == {
        (404, b"", str(sorted(answers[0].items())))
    }
    assert not asked_now(task)


def test_a_wrong_host_is_refused_by_the_house(url: str) -> None:
    path = urlsplit(url).path
    answer = Client().post(path, told("success"), "application/json", headers={"Host": "evil.example", **signed(url)})
    assert answer.status_code == 400
    assert not CallbackNotice.objects.exists()


def test_behind_a_proxy_the_registered_address_counts(task: Task, settings: Settings) -> None:
    """The house lives below a path and the proxy hands on neither it nor the name."""
    settings.VIDEOFORGE_PUBLIC_URL = f"{HOUSE}/film"
    url = give_address(attempt_of(task))
    assert url.startswith(f"{HOUSE}/film/callbacks/vidu/")
    inside = url.replace(f"{HOUSE}/film", "http://127.0.0.1")
    assert ring(inside, head=signed(inside)).status_code == 403
    assert ring(inside, head=signed(url)).status_code == 200


# --- Keys ---------------------------------------------------------------------------------------------------


def test_a_secret_of_its_own_signs(task: Task, url: str) -> None:
    key = task.key
    key.set_settings({"callback_secret": "only-for-callbacks"})
    key.save()
    assert ring(url, head=signed(url)).status_code == 403
    assert ring(url, head=signed(url, secret="only-for-callbacks")).status_code == 200


@pytest.mark.parametrize("state", [KeyState.DISABLED, KeyState.DRAINING])
def test_what_runs_on_a_key_that_was_put_away_is_followed(task: Task, url: str, state: KeyState) -> None:
    ProviderKey.objects.update(state=state)
    assert ring(url).status_code == 200
    assert asked_now(task)


def test_a_key_that_cannot_be_decrypted_refuses(task: Task, url: str) -> None:
    ProviderKey.objects.update(secret_cipher="gAAAA not a cipher")
    assert ring(url).status_code == 403
    assert not asked_now(task)


def test_a_vendor_that_does_not_call_back_has_no_way_in(alice: User) -> None:
    key = make_key("Other", provider="uniall", base_url="http://127.0.0.1:9")
    attempt = attempt_of(make_task(alice, key=key, state=TaskState.QUEUED))
    assert callbacks.address_for(attempt) is None


# --- Bodies -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'"success"',
        b"\xff\xfe\0",
        b"[" * 60_000,
        b'{"state":' + b"9" * 5000 + b"}",
        b'{"state":{"a":1},"status":["success"]}',
        b'{"state":"\\ud800\\u0000<script>"}',
        b'{"state":"' + b"s" * 5000 + b'"}',
        b"x" * 64 * 1024,
    ],
)
def test_any_body_is_a_nudge(task: Task, url: str, body: bytes) -> None:
    before = standing(task)
    assert ring(url, body).status_code == 200
    assert asked_now(task)
    assert standing(task) == before
    notice = CallbackNotice.objects.get()
    assert not notice.final
    assert len(notice.state_word) <= 40
    assert not {"<", "\0", "\ud800"} & set(notice.state_word)


def test_a_huge_body_is_refused_unread(task: Task, url: str) -> None:
    assert ring(url, b"x" * (64 * 1024 + 1)).status_code == 413
    assert ring("https://videoforge.example/callbacks/vidu/unknown/", b"x" * 10**6, head={}).status_code == 413
    assert not asked_now(task)


@pytest.mark.parametrize("length", ["-5", "abc", "", "\u00b2"])
def test_a_length_that_is_none_counts_as_none(task: Task, url: str, length: str) -> None:
    assert ring(url, CONTENT_LENGTH=length).status_code == 200


# --- Trouble and logs ---------------------------------------------------------------------------------------


def test_a_database_in_trouble_is_said_shortly(
    task: Task, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def locked(*_: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(callbacks, "_nudge", locked)
    assert ring(url).status_code == 503
    assert not CallbackNotice.objects.exists(), "so that the next try counts"
    assert url.rstrip("/").rpartition("/")[2] not in caplog.text


def test_the_log_has_one_line_and_no_secret(task: Task, url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("django.request").addHandler(caplog.handler)
    for _ in range(50):
        ring(url, head={**signed(url), "X-HMAC-SIGNATURE": "bm90IGl0"})
        ring(f"{url[:-1]}x/", head={})
        Client().get(urlsplit(url).path)
    logging.getLogger("django.request").removeHandler(caplog.handler)
    lines = [record.getMessage() for record in caplog.records if record.name != "django.db.backends"]
    assert lines == [f"attempt {task.attempt_id} at vidu: callback refused: the signature differs"]
    callbacks._complain.next_at = 0.0
    ring(url, head={})
    assert "49 more" in caplog.text
    assert url.rstrip("/").rpartition("/")[2] not in caplog.text.replace("\n", "")
    assert SECRET not in caplog.text


# --- Over a socket ------------------------------------------------------------------------------------------


class Quiet(WSGIRequestHandler):
    timeout = 10

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(WSGIServer):
    def handle_error(self, *_: object) -> None:
        """Somebody hung up on bytes that nobody read; what was answered is looked at by the test."""


@pytest.fixture
def address(transactional_db: None) -> Iterator[tuple[str, int]]:
    """Our own application behind a server that gives it the bare socket's bytes, as gunicorn does."""
    application = get_wsgi_application()

    def with_socket(environ: dict[str, Any], start: Any) -> Any:
        environ["gunicorn.socket"] = current.request
        environ["wsgi.input_terminated"] = environ.get("HTTP_TRANSFER_ENCODING") == "chunked"
        return application(environ, start)

    class Handler(Quiet):
        def handle(self) -> None:
            current.request = self.connection
            super().handle()

    current = threading.local()
    server = make_server("127.0.0.1", 0, with_socket, Server, Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield "127.0.0.1", server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def over_socket(address: tuple[str, int], url: str, body: bytes, length: int | None = None) -> int:
    """Sends a head that announces ``length`` bytes and a body of its own length, and waits for the status."""
    with closing(socket.create_connection(address, timeout=8)) as wire:
        head = {**signed(url), "Host": "videoforge.example", "Content-Type": "application/json"}
        lines = [f"POST {urlsplit(url).path} HTTP/1.0", *(f"{name}: {value}" for name, value in head.items())]
        lines.append(f"Content-Length: {len(body) if length is None else length}")
        wire.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        response = http.client.HTTPResponse(wire)
        response.begin()
        return response.status


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PATIENCE", 0.3)


@pytest.mark.parametrize(
    ("length", "status"), [(None, 200), (4, 200), (5000, 200), (64 * 1024 + 1, 413), (10**12, 413), (0, 200)]
)
def test_over_a_socket_a_length_may_lie(
    address: tuple[str, int], impatient: None, task: Task, url: str, length: int | None, status: int
) -> None:
    assert over_socket(address, url, told("success"), length) == status
    assert asked_now(task) is (status == 200)


def test_over_a_socket_a_stranger_is_answered_before_any_body(address: tuple[str, int], task: Task, url: str) -> None:
    """Patience is not even asked for: nothing is read from somebody who did not sign."""
    assert over_socket(address, url.replace("/callbacks/vidu/", "/callbacks/vidu/x"), b"", 5000) == 404
