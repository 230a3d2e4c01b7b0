"""Whatever bytes arrive, only a ProviderError may come out, and only a documented answer ends or charges a task."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generations.providers import PROVIDERS, wire
from generations.providers.base import FINAL, Answer, AnswerLost, Provider, ProviderError, RemoteState, Snapshot

every_provider = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))

# Words that mean something to some reader, so that the search gets past the first check.
KEYS = st.sampled_from(
    ["id", "task_id", "state", "status", "err_code", "credits", "creations", "url", "cover_url", "tasks", "payload",
     "next_page_token", "remains", "credit_remain", "concurrency_limit", "progress", "reason", "message", "metadata",
     "created_at", "duration", "seed"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["success", "failed", "created", "processing", "Canceled", "55.0", "-1", "1", "https://a.b/v", ""]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text()
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=9),
    max_leaves=25,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=12)
BODIES = st.binary(max_size=300) | (JSON | OBJECTS).map(lambda value: json.dumps(value).encode())
STATUSES = st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 409, 429, 499, 500, 502]) | st.integers(100, 599)
HEADERS = st.dictionaries(st.just("retry-after"), st.text() | st.floats().map(str), max_size=1)
ANSWERS = st.builds(Answer, STATUSES, HEADERS, BODIES)


def reading(reader: Any, answer: Answer) -> Any:
    """What comes out, or the ProviderError; anything else fails the test."""
    try:
        return reader(answer)
    except ProviderError as error:
        return error


def body_of(answer: Answer) -> dict[str, Any]:
    return answer.json() if isinstance(answer.json(), dict) else {}


def assert_sane(snapshot: Snapshot) -> None:
    assert snapshot.remote_id
    assert (snapshot.failure is not None) == (snapshot.state is RemoteState.FAILED)
    assert bool(snapshot.outputs) == (snapshot.state is RemoteState.SUCCEEDED)
    assert snapshot.charge is None or snapshot.state in FINAL
    assert snapshot.charge is None or (snapshot.charge.amount.is_finite() and snapshot.charge.amount >= 0)
    assert snapshot.progress is None or 0 <= snapshot.progress <= 100
    assert all(output.url.startswith(("http://", "https://")) for output in snapshot.outputs)
    assert "\x00" not in f"{snapshot.payload}{snapshot.raw_state}"
    f"{snapshot}".encode()  # no lone surrogate anywhere


@every_provider
@settings(max_examples=400)
@given(answer=ANSWERS)
def test_query(provider: Provider, answer: Answer) -> None:
    snapshot = reading(provider.read_snapshot, answer)
    if isinstance(snapshot, ProviderError):
        assert not isinstance(snapshot, AnswerLost)
        return
    assert_sane(snapshot)
    assert answer.status < 300
    assert snapshot.raw_state


@every_provider
@settings(max_examples=400)
@given(body=OBJECTS)
def test_query_of_documented_keys_with_anything_in_them(provider: Provider, body: dict[str, Any]) -> None:
    snapshot = reading(provider.read_snapshot, Answer(200, {}, json.dumps(body).encode()))
    if isinstance(snapshot, Snapshot):
        assert_sane(snapshot)


@every_provider
@settings(max_examples=400)
@given(answer=ANSWERS)
def test_create(provider: Provider, answer: Answer) -> None:
    receipt = reading(provider.read_receipt, answer)
    if isinstance(receipt, ProviderError):
        assert isinstance(receipt, AnswerLost) or 400 <= answer.status < 500
        return
    assert 200 <= answer.status < 300
    assert receipt.remote_id in answer.content.decode()
    assert receipt.state in (RemoteState.QUEUED, RemoteState.PROCESSING)
    assert receipt.quote is None or receipt.quote.amount >= 0


@every_provider
@settings(max_examples=400)
@given(answer=ANSWERS)
def test_list(provider: Provider, answer: Answer) -> None:
    if not provider.can_list:
        return
    page = reading(provider.read_list, answer)
    if isinstance(page, ProviderError):
        assert not isinstance(page, AnswerLost)
        return
    assert len(page.rows) + page.unread == len(body_of(answer).get("tasks") or [])
    for row in page.rows:
        assert_sane(row)


@every_provider
@given(rows=st.lists(OBJECTS | JSON, max_size=5))
def test_rows_of_a_list(provider: Provider, rows: list[Any]) -> None:
    if provider.can_list:
        page = provider.read_list(Answer(200, {}, json.dumps({"tasks": rows, "next_page_token": ""}).encode()))
        assert len(page.rows) + page.unread == len(rows)
        for row in page.rows:
            assert_sane(row)


@every_provider
@settings(max_examples=200)
@given(answer=ANSWERS)
def test_cancel_and_balance(provider: Provider, answer: Answer) -> None:
    balance = reading(provider.read_test, answer)
    assert isinstance(balance, ProviderError) or answer.status < 300
    if provider.can_cancel:
        accepted = reading(provider.read_cancel, answer)
        assert accepted is None or not isinstance(accepted, AnswerLost)


@given(value=JSON)
def test_amounts_are_finite_and_not_negative(value: Any) -> None:
    number = wire.amount(value)
    assert number is None or (number.is_finite() and 0 <= number <= wire.MAX_AMOUNT)


@given(value=st.integers(0, 10**6), spelling=st.sampled_from(["{}", "{}.0", " {} ", "{}.00"]))
def test_amounts_survive_their_spelling(value: int, spelling: str) -> None:
    assert wire.amount(spelling.format(value)) == wire.amount(value) == value


@given(url=st.text() | st.text().map("https://a.b/?X-Amz-Date=20260710T120500Z&X-Amz-Expires={}".format))
def test_deadlines_of_any_text(url: str) -> None:
    deadline = wire.link_deadline(url)
    assert deadline is None or deadline.tzinfo is not None
