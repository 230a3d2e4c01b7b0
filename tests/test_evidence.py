"""What is kept of talks with vendors: enough to answer a question about a task, and nothing that opens a door."""

import logging
import math
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from generations import evidence
from generations.models import Attempt, CallbackNotice, ProviderKey, Task, TaskState, User, VendorRequest
from generations.providers.base import (
    Answer,
    Call,
    CallKind,
    Failure,
    FailureClass,
    ProviderError,
    transport_failure,
)
from tests.factories import SECRET, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def attempt(alice: User, key: ProviderKey) -> Attempt:
    return attempt_of(make_task(alice, key=key, state=TaskState.QUEUED))


def attempt_of(task: Task) -> Attempt:
    assert task.attempt is not None
    return task.attempt


def call(kind: CallKind = CallKind.QUERY, body: Any = None) -> Call:
    return Call(kind, "GET", "https://api.vidu.com/ent/v2/tasks", {"Authorization": f"Token {SECRET}"}, (), body)


def answer(content: bytes = b'{"id":"42","state":"processing"}', status: int = 200, seconds: float = 0.25) -> Answer:
    return Answer(status, {}, content, seconds)


def test_a_request_leaves_a_line(attempt: Attempt) -> None:
    evidence.record(attempt, call(CallKind.CREATE, {"prompt": "A boat"}), answer(), "accepted")
    row = VendorRequest.objects.get()
    assert (row.attempt, row.kind, row.said, row.status, row.times) == (attempt, "create", "accepted", 200, 1)
    assert (row.duration_ms, row.excerpt) == (250, '{"id":"42","state":"processing"}')
    assert row.body_digest == evidence.digest(call(body={"prompt": "A boat"}))
    assert row.first_at == row.last_at


def test_the_same_again_is_counted(attempt: Attempt) -> None:
    evidence.record(attempt, call(), answer(b"first"), "processing")
    evidence.record(attempt, call(), answer(b"second", seconds=1.5), "processing")
    evidence.record(attempt, call(), answer(b"third", 503), "http_503")
    evidence.record(attempt, call(CallKind.CANCEL), answer(), "processing")
    row = VendorRequest.objects.get(kind="query", said="processing")
    assert (row.times, row.duration_ms, row.excerpt) == (2, 1500, "first")
    assert row.first_at < row.last_at
    assert VendorRequest.objects.count() == 3


def test_no_answer_is_an_outcome_too(attempt: Attempt) -> None:
    error = transport_failure("read_timeout", CallKind.QUERY)
    error.seconds = 15.0
    evidence.record(attempt, call(), error)
    evidence.record(attempt, call(), ProviderError(Failure(FailureClass.THROTTLED, "", "slow down")))
    evidence.record(attempt, call(), answer(b"<html>", 502))
    rows = {row.said: (row.status, row.duration_ms, row.excerpt) for row in VendorRequest.objects.all()}
    assert rows == {
        "read_timeout": (None, 15000, ""),
        "throttled": (None, 0, "slow down"),
        "http_502": (502, 250, "<html>"),
    }


def test_a_list_is_kept_row_by_row(alice: User, key: ProviderKey) -> None:
    one, two, three = (attempt_of(make_task(alice, key=key, state=TaskState.QUEUED)) for _ in range(3))
    said = {one.pk: ("queueing", '{"id":"1"}'), two.pk: ("processing", '{"id":"2"}'), three.pk: ("not listed", "")}
    evidence.record_list(call(CallKind.LIST), answer(b'{"tasks":[]}'), said)
    evidence.record_list(call(CallKind.LIST), answer(b'{"tasks":[]}'), {**said, one.pk: ("processing", "{}")})
    kept = VendorRequest.objects.order_by("attempt", "pk").values_list("attempt", "said", "times", "excerpt")
    assert list(kept) == [
        (one.pk, "queueing", 1, '{"id":"1"}'),
        (one.pk, "processing", 1, "{}"),
        (two.pk, "processing", 2, '{"id":"2"}'),
        (three.pk, "not listed", 2, '{"tasks":[]}'),
    ]
    evidence.record_list(call(CallKind.LIST), answer(), {})


def test_a_row_is_found_in_the_list(alice: User, key: ProviderKey) -> None:
    """Its own, not that of somebody else who stands before it."""
    one, two, gone = (
        attempt_of(make_task(alice, key=key, state=TaskState.QUEUED, remote_id=remote_id))
        for remote_id in ("101", "102", "103")
    )
    listed = answer(b'{"next_page_token":"","tasks":[{"id":101,"prompt":"hers"},{"id":"102"},null,[1],{"x":1}]}')
    evidence.record_list(call(CallKind.LIST), listed, {each.pk: ("processing", "") for each in (one, two, gone)})
    kept = dict(VendorRequest.objects.values_list("attempt", "excerpt"))
    assert (kept[one.pk], kept[two.pk]) == ('{"id": 101, "prompt": "hers"}', '{"id": "102"}')
    assert kept[gone.pk].startswith('{"next_page_token"')
    for odd in (answer(b"[]"), answer(b"<html>"), answer(b'{"tasks":7}'), transport_failure("x", CallKind.LIST)):
        evidence.record_list(call(CallKind.LIST), odd, {one.pk: (str(id(odd)), "")})


def test_media_has_a_line_without_an_address(attempt: Attempt) -> None:
    evidence.record_media(attempt, "stored", status=206, seconds=2.0)
    evidence.record_media(attempt, "read_timeout", seconds=30.0)
    kept = VendorRequest.objects.values_list("kind", "said", "status", "duration_ms", "body_digest", "excerpt")
    assert list(kept) == [("media", "stored", 206, 2000, "", ""), ("media", "read_timeout", None, 30000, "", "")]


def test_a_list_of_a_hundred_costs_a_handful_of_statements(
    alice: User, key: ProviderKey, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    attempts = [attempt_of(make_task(alice, key=key, state=TaskState.QUEUED)) for _ in range(100)]
    said = {each.pk: (("queueing", "processing")[number % 2], '{"id":"1"}') for number, each in enumerate(attempts)}
    with django_assert_max_num_queries(7):  # a savepoint and two inserts among them
        evidence.record_list(call(CallKind.LIST), answer(), said)
    with django_assert_max_num_queries(4):
        evidence.record_list(call(CallKind.LIST), answer(), said)
    began = time.perf_counter()
    for _ in range(10):
        evidence.record_list(call(CallKind.LIST), answer(), said)
    assert (time.perf_counter() - began) / 10 < 0.1, "it takes some 2 ms"
    assert set(VendorRequest.objects.values_list("times", flat=True)) == {12}


# --- No secret ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signing", ["", "another-secret-for-callbacks"])
def test_no_secret_is_kept(attempt: Attempt, signing: str, caplog: pytest.LogCaptureFixture) -> None:
    key = attempt.key
    key.set_settings({"callback_secret": signing})
    key.save()
    link = "https://cdn.example/v.mp4?X-Amz-Signature=0123456789abcdef"
    said = f"bad key {SECRET}, signed with {signing or SECRET}, see {link}"
    evidence.record(attempt, call(), answer(said.encode()), said)
    evidence.record(attempt, call(), ProviderError(Failure(FailureClass.ACCOUNT_AUTH, SECRET, said)))
    evidence.record_list(call(CallKind.LIST), answer(), {attempt.pk: (said, said)})
    for row in VendorRequest.objects.all():
        text = f"{row.said} {row.excerpt}"
        assert SECRET not in text
        assert "0123456789abcdef" not in text
        assert not signing or signing not in row.excerpt
    assert SECRET not in caplog.text


def test_a_key_that_cannot_be_decrypted_stops_nothing(attempt: Attempt) -> None:
    ProviderKey.objects.update(secret_cipher="not a cipher")
    evidence.record(attempt, call(), answer(f"key {SECRET}".encode()), "x")
    assert VendorRequest.objects.get().excerpt == "key […]"


# --- Odd input and trouble ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (answer(), "w" * 500),
        (answer(), "a\0b\ud800\n"),
        (answer(b"\xff\xfe\0" * 9000), "bytes"),
        (answer(status=99999), "status"),
        (answer(status=-1), "status"),
        (answer(seconds=math.inf), "time"),
        (answer(seconds=math.nan), "time"),
        (answer(seconds=-5), "time"),
        (answer(seconds=1e12), "time"),
        (ProviderError(Failure(FailureClass.PROVIDER_UNKNOWN, "\ud800", "\ud800\0")), ""),
    ],
)
def test_whatever_a_vendor_says_fits(attempt: Attempt, outcome: Answer | ProviderError, said: str) -> None:
    for _ in range(2):
        evidence.record(attempt, call(), outcome, said)
        evidence.record_list(call(CallKind.LIST), outcome, {attempt.pk: (said, said)})
    for row in VendorRequest.objects.all():
        row.full_clean(exclude={"status"})  # which may be unknown, as no form could say
        assert row.status in (None, 200)
        assert row.times == 2
        assert len(row.said) <= 80


def test_a_database_in_trouble_loses_the_line_and_nothing_else(
    attempt: Attempt, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def locked(*_: object, **__: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(VendorRequest.objects, "bulk_create", locked)
    with transaction.atomic(), caplog.at_level(logging.ERROR):
        evidence.record(attempt, call(), answer(), "processing")
        Task.objects.filter(pk=attempt.task_id).update(progress=50)
    assert Task.objects.get().progress == 50, "the transaction around it goes on"
    assert "not kept: OperationalError" in caplog.text


def test_a_mistake_of_ours_is_not_hidden(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "_write_down", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evidence.record(attempt, call(), answer(), "processing")


def test_somebody_faster_wins(attempt: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the writing another process wrote the same line."""
    real = evidence._write_down

    def late(*args: Any) -> None:
        VendorRequest.objects.create(attempt=attempt, kind="query", said="processing", excerpt="theirs")
        real(*args)

    monkeypatch.setattr(evidence, "_write_down", late)
    evidence.record(attempt, call(), answer(), "processing")
    assert VendorRequest.objects.get().excerpt == "theirs"


# --- Forgetting ---------------------------------------------------------------------------------------------


def old_task(owner: User, key: ProviderKey, days: float, state: TaskState = TaskState.SUCCEEDED) -> Attempt:
    then = timezone.now() - timedelta(days=days)
    task = make_task(owner, key=key, state=state, finished_at=None if state in TaskState.open() else then)
    attempt = attempt_of(task)
    VendorRequest.objects.create(attempt=attempt, kind="query", said="success", first_at=then, last_at=then)
    CallbackNotice.objects.create(attempt=attempt, provider="vidu", nonce=f"n{task.pk}", received_at=then)
    return attempt


def test_what_ended_long_ago_is_forgotten(alice: User, key: ProviderKey, settings: Settings) -> None:
    settings.EVIDENCE_DAYS = 30
    old_task(alice, key, 31)
    kept = {old_task(alice, key, 29).pk, old_task(alice, key, 400, TaskState.UNCERTAIN).pk}
    asked_again = old_task(alice, key, 400)
    VendorRequest.objects.filter(attempt=asked_again).update(last_at=timezone.now())
    assert evidence.prune() == 3
    assert set(VendorRequest.objects.values_list("attempt", flat=True)) == kept | {asked_again.pk}
    assert set(CallbackNotice.objects.values_list("attempt", flat=True)) == kept
    assert evidence.prune() == 0


def test_forgetting_goes_in_bites(alice: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "PRUNED_AT_ONCE", 2)
    for _ in range(3):
        old_task(alice, key, 400)
    assert [evidence.prune() for _ in range(3)] == [4, 2, 0]


def test_nothing_to_forget_is_found_out_by_index(alice: User, key: ProviderKey) -> None:
    with CaptureQueriesContext(
        connection,
    ) as asked:
        evidence.prune()
    assert len(asked) <= 2
    if connection.vendor == "sqlite":
        plans = [connection.cursor().execute(f"EXPLAIN QUERY PLAN {each['sql']}").fetchall() for each in asked]
        assert all("USING" in str(plan) and "_by_age" in str(plan) for plan in plans), plans
