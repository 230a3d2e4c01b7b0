"""Whatever bytes arrive, only a ProviderError may come out, and only a documented answer ends or charges a task."""

import json
import os
from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generations.providers import PROVIDERS, wire
from generations.providers.base import FINAL, Answer, AnswerLost, Provider, ProviderError, RemoteState, Snapshot

from .contract import leaves, load

EXAMPLES = int(os.environ.get("PROPERTY_EXAMPLES", "25"))  # `make test` asks for more
every_provider = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=list(PROVIDERS))
# The only words that may end a task.
ENDS = {
    "vidu": {"success", "failed"},
    "dataeyes": {"success", "failed"},
    "uniall": {"completed", "failed", "SUCCESS", "FAILURE"},
    "xingchao": {"completed", "failed"},
    "vtrix": {"completed", "failed"},
}

# Words that mean something to some reader, so that the search gets past the first check.
KEYS = st.sampled_from(
    ["id", "task_id", "state", "status", "err_code", "credits", "creations", "url", "cover_url", "tasks", "payload",
     "next_page_token", "remains", "credit_remain", "concurrency_limit", "progress", "reason", "message", "metadata",
     "created_at", "duration", "seed", "watermarked_url",
     "code", "data", "error", "fail_reason", "result_url", "video_url", "totalTokens", "usage", "total_tokens",
     "output", "content", "type", "cost", "jobId", "error_message", "object"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["success", "failed", "created", "processing", "Canceled", "55.0", "-1", "1", "https://a.b/v", "",
     "completed", "in_progress", "queued", "SUCCESS", "FAILURE", "50%", "video", "0.3000", "not found"]
)  # fmt: skip
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


def assert_sane(provider: Provider, snapshot: Snapshot, body: object) -> None:
    """No end but by a documented word, no link and no charge that the vendor did not name."""
    said = list(leaves(body))
    assert snapshot.remote_id in map(str, said)
    assert snapshot.state not in FINAL or snapshot.raw_state in ENDS[provider.slug]
    assert all(output.url in said for output in snapshot.outputs)
    assert len({output.position for output in snapshot.outputs}) == len(snapshot.outputs)
    assert snapshot.charge is None or snapshot.charge.unit is provider.unit
    assert snapshot.charge is None or snapshot.charge.amount in {wire.amount(each, wire.MAX_WHOLE) for each in said}
    assert bool(snapshot.anomaly) or snapshot.raw_state
    assert (snapshot.failure is not None) == (snapshot.state is RemoteState.FAILED)
    assert bool(snapshot.outputs) == (snapshot.state is RemoteState.SUCCEEDED)
    assert snapshot.charge is None or snapshot.state in FINAL
    assert snapshot.charge is None or (snapshot.charge.amount.is_finite() and snapshot.charge.amount >= 0)
    assert snapshot.progress is None or 0 <= snapshot.progress <= 100
    assert all(output.url.startswith(("http://", "https://")) for output in snapshot.outputs)
    assert "\x00" not in f"{snapshot.payload}{snapshot.raw_state}"
    f"{snapshot}".encode()  # no lone surrogate anywhere


@every_provider
@settings(max_examples=EXAMPLES)
@given(answer=ANSWERS)
def test_query(provider: Provider, answer: Answer) -> None:
    snapshot = reading(provider.read_snapshot, answer)
    if isinstance(snapshot, ProviderError):
        assert not isinstance(snapshot, AnswerLost)
        return
    assert_sane(provider, snapshot, answer.json())
    assert answer.status < 300
    assert snapshot.raw_state


@every_provider
@settings(max_examples=EXAMPLES)
@given(body=OBJECTS)
def test_query_of_documented_keys_with_anything_in_them(provider: Provider, body: dict[str, Any]) -> None:
    snapshot = reading(provider.read_snapshot, Answer(200, {}, json.dumps(body).encode()))
    if isinstance(snapshot, Snapshot):
        assert_sane(provider, snapshot, body)


@every_provider
@settings(max_examples=EXAMPLES)
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
@settings(max_examples=EXAMPLES)
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
        assert_sane(provider, row, answer.json())


@every_provider
@given(rows=st.lists(OBJECTS | JSON, max_size=5))
def test_rows_of_a_list(provider: Provider, rows: list[Any]) -> None:
    if provider.can_list:
        page = provider.read_list(Answer(200, {}, json.dumps({"tasks": rows, "next_page_token": ""}).encode()))
        assert len(page.rows) + page.unread == len(rows)
        for row in page.rows:
            assert_sane(provider, row, rows)


@every_provider
@settings(max_examples=EXAMPLES)
@given(answer=ANSWERS)
def test_cancel_and_balance(provider: Provider, answer: Answer) -> None:
    balance = reading(provider.read_test, answer)
    if not isinstance(balance, ProviderError):
        assert answer.status < 300 or answer.status in (400, 404)
        assert isinstance(answer.json(), dict)
        assert (balance.remaining is not None) <= provider.reports_balance
    if provider.can_cancel:
        accepted = reading(provider.read_cancel, answer)
        assert accepted is None or not isinstance(accepted, AnswerLost)


# --- Good answers gone bad ------------------------------------------------------------------------------------


def places(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value at any depth."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] * bool(at) + [found for key, each in inner for found in places(each, (*at, key))]


@cache
def bodies(slug: str, about: str) -> list[Any]:
    vectors = [each for each in load(slug)["vectors"] if each["id"].split(".")[1] == about]
    return [each["response"]["body"] for each in vectors if "body" in each["response"]]


@st.composite
def mutated(draw: st.DrawFn, slug: str, about: str) -> Any:
    """A documented answer, with some of its values replaced, taken away or joined by others."""
    body = deepcopy(draw(st.sampled_from(bodies(slug, about))))
    for _ in range(draw(st.integers(1, 4))):
        *way, last = draw(st.sampled_from(places(body) or [("hello",)]))
        inner = body
        for key in way:
            inner = inner[key]
        if draw(st.booleans()) or not isinstance(inner, dict):
            inner[last] = draw(JSON)
        elif draw(st.booleans()):
            inner.pop(last, None)
        else:
            inner[draw(KEYS)] = draw(JSON)
    return body


@every_provider
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_query_gone_bad(provider: Provider, data: st.DataObject) -> None:
    body = data.draw(mutated(provider.slug, "query"))
    snapshot = reading(provider.read_snapshot, Answer(200, {}, json.dumps(body).encode()))
    if isinstance(snapshot, Snapshot):
        assert_sane(provider, snapshot, json.loads(json.dumps(body)))
    else:
        assert not isinstance(snapshot, AnswerLost)


@every_provider
@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_create_gone_bad(provider: Provider, data: st.DataObject) -> None:
    body = data.draw(mutated(provider.slug, "create"))
    receipt = reading(provider.read_receipt, Answer(200, {}, json.dumps(body).encode()))
    if isinstance(receipt, ProviderError):
        assert isinstance(receipt, AnswerLost)
    else:
        assert receipt.remote_id in map(str, leaves(body))
        assert receipt.state not in FINAL


@every_provider
@settings(max_examples=EXAMPLES)
@given(data=st.data(), status=st.sampled_from([400, 401, 402, 403, 404, 409, 429, 500, 503]))
def test_error_gone_bad(provider: Provider, data: st.DataObject, status: int) -> None:
    body = data.draw(st.sampled_from(bodies(provider.slug, "error")).flatmap(around))
    answer = Answer(status, {}, json.dumps(body).encode())
    created = reading(provider.read_receipt, answer)
    assert isinstance(created, ProviderError)
    assert isinstance(created, AnswerLost) or status < 500
    assert len(created.failure.code) <= wire.MAX_WORD
    for read in (provider.read_snapshot, provider.read_test):
        assert not isinstance(reading(read, answer), AnswerLost)


def around(body: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The same error with some of its parts replaced."""
    return st.dictionaries(st.sampled_from([*body, "code", "message"]), JSON, max_size=2).map(
        lambda over: {**body, **over}
    )


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
