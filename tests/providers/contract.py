"""What every provider must keep. A new one subclasses ``ProviderContract`` and brings its file of vectors.

A vector is a request as documented, an answer, and the reading we owe it; its id says what it is about:
``<slug>.<create|query|list|cancel|error>.<case>``.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from generations.providers import catalog
from generations.providers.base import (
    Account,
    Answer,
    AnswerLost,
    Call,
    CallKind,
    FailureClass,
    Mode,
    NotSent,
    Order,
    Provider,
    ProviderError,
    Refused,
    RemoteState,
    transport_failure,
)

DATA = Path(__file__).parent / "data"
Vector = dict[str, Any]

# Things that come back instead of an answer: proxies' pages, cut and empty bodies, JSON of another shape.
NOT_AN_ANSWER = [
    b"",
    b"   ",
    b"<html><body><h1>502 Bad Gateway</h1></body></html>",
    b'{"id": "9152000000000',
    b"\xff\xfe\x00\x01",
    b"null",
    b"[]",
    b'"success"',
    b"42",
    b"NaN",
    b'{"hello": "world"}',
    b'{"state": "success"}',
    b'{"state": "failed", "status": "failed"}',
    b'{"id": "", "task_id": "", "state": "failed", "status": "failed"}',
    b'{"id": null, "task_id": null, "state": "success", "status": "completed"}',
    b'{"id": true, "task_id": [], "state": "failed", "status": "failed"}',
    b"[" * 100_000,
]


def load(slug: str) -> dict[str, Any]:
    return json.loads((DATA / f"{slug}.json").read_text())


def answer(body: object, status: int = 200, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/json", **names}, content)


def answer_of(vector: Vector) -> Answer:
    return answer(vector["response"]["body"], vector["response"]["status"])


def caught(read: Callable[[Answer], object], given: Answer) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        read(given)
    return raised.value


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


class ProviderContract:
    provider: ClassVar[Provider]
    account: ClassVar[Account]
    data: ClassVar[Mapping[str, Any]]
    left_out: ClassVar[Mapping[str, Any]] = {}  # documented defaults that the vectors spell out and we do not send

    @staticmethod
    def order_of(body: Mapping[str, Any], path: str) -> Order:
        """The order behind a create request of the vectors."""
        raise NotImplementedError

    @classmethod
    def vectors(cls, about: str) -> list[Vector]:
        return [each for each in cls.data["vectors"] if each["id"].split(".")[1] == about]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        for name in metafunc.fixturenames:
            if name.endswith("_vector"):
                found = self.vectors(name.removesuffix("_vector"))
                metafunc.parametrize(name, found, ids=[each["id"] for each in found])

    # --- Requests

    def assert_sends(self, call: Call, vector: Vector) -> None:
        wanted = vector["request"]
        assert call.method == wanted["method"]
        assert call.url == self.account.base_url + wanted["path"]
        assert dict(call.headers) == wanted["headers"]
        body = wanted.get("body")
        if body is not None:
            body = {name: value for name, value in body.items() if self.left_out.get(name, ...) != value}
        assert call.body == body

    def any_order(self) -> Order:
        request = self.vectors("create")[0]["request"]
        return self.order_of(request["body"], request["path"])

    def any_call(self) -> Call:
        return self.provider.build_create(self.account, self.any_order())

    def test_create_sends_what_the_documents_show(self, create_vector: Vector) -> None:
        request = create_vector["request"]
        call = self.provider.build_create(self.account, self.order_of(request["body"], request["path"]))
        assert call.kind is CallKind.CREATE
        self.assert_sends(call, create_vector)

    def test_query_sends_what_the_documents_show(self, query_vector: Vector) -> None:
        remote_id = query_vector["response"]["body"]["id"]
        call = self.provider.build_query(self.account, remote_id, model="")
        assert call.kind is CallKind.QUERY
        self.assert_sends(call, query_vector)

    def test_cancel_sends_what_the_documents_show(self, cancel_vector: Vector) -> None:
        call = self.provider.build_cancel(self.account, cancel_vector["request"]["body"]["id"])
        assert call.kind is CallKind.CANCEL
        self.assert_sends(call, cancel_vector)

    def test_token_travels_with_the_order(self) -> None:
        assert self.any_order().token in json.dumps(self.any_call().body)

    def test_body_is_plain_json(self) -> None:
        body = self.any_call().body
        assert json.loads(json.dumps(body)) == body

    def test_printing_a_call_or_an_account_shows_no_secret(self) -> None:
        assert self.account.secret not in repr(self.any_call())
        assert self.account.secret not in repr(self.account)

    def test_secret_is_sent_in_a_header_only(self) -> None:
        call = self.any_call()
        assert self.account.secret in str(dict(call.headers))
        assert self.account.secret not in call.url + str(call.query) + json.dumps(call.body)

    def test_slash_at_the_end_of_the_base_url_makes_no_difference(self) -> None:
        slashed = replace(self.account, base_url=self.account.base_url + "/")
        assert self.provider.build_query(slashed, "1", "").url == self.provider.build_query(self.account, "1", "").url

    def test_remote_id_stays_one_piece_of_the_path(self) -> None:
        url = self.provider.build_query(self.account, "../../x?y#z", "").url
        assert urlsplit(url).query == urlsplit(url).fragment == ""
        assert "/../" not in url

    def test_key_is_tested_without_making_anything(self) -> None:
        call = self.provider.build_test(self.account)
        assert call.kind is not CallKind.CREATE
        assert call.method == "GET"

    # --- Readings

    def test_create_is_read(self, create_vector: Vector) -> None:
        receipt = self.provider.read_receipt(answer_of(create_vector))
        expect = create_vector["expect"]
        assert receipt.remote_id == expect["task_id"]
        assert receipt.state == expect["state"]
        assert receipt.quote is not None
        assert receipt.quote.unit is self.provider.unit
        assert receipt.quote.amount == expect["quoted_credits"]

    def test_estimate_is_what_the_vendor_then_quotes(self, create_vector: Vector) -> None:
        request, expect = create_vector["request"], create_vector["expect"]
        order = self.order_of(request["body"], request["path"])
        offer = catalog.get_offer(self.provider.slug, order.model, order.mode)
        assert offer is not None
        estimate = catalog.estimate(
            offer, resolution=order.resolution, duration=order.duration, off_peak=order.off_peak, audio=order.audio
        )
        assert estimate is not None
        assert estimate.amount.amount == expect["estimate_credits"]

    def test_query_is_read(self, query_vector: Vector) -> None:
        snapshot = self.provider.read_snapshot(answer_of(query_vector))
        expect, body = query_vector["expect"], query_vector["response"]["body"]
        assert snapshot.remote_id == body["id"]
        assert snapshot.state == expect["state"]
        assert snapshot.raw_state == body["state"]
        assert snapshot.progress == expect.get("progress", snapshot.progress)
        assert snapshot.anomaly.partition(":")[0] == expect.get("anomaly", "")
        assert snapshot.complete

    def test_query_is_charged_at_the_end_only(self, query_vector: Vector) -> None:
        snapshot = self.provider.read_snapshot(answer_of(query_vector))
        charged = query_vector["expect"].get("charged_credits")
        assert (snapshot.charge.amount if snapshot.charge else None) == charged
        assert snapshot.charge is None or snapshot.charge.unit is self.provider.unit

    def test_query_tells_why_it_failed(self, query_vector: Vector) -> None:
        snapshot = self.provider.read_snapshot(answer_of(query_vector))
        expect = query_vector["expect"]
        wanted = (expect["error_class"], expect["provider_code"]) if "error_class" in expect else None
        assert ((snapshot.failure.cls, snapshot.failure.code) if snapshot.failure else None) == wanted
        assert (snapshot.state is RemoteState.FAILED) == (snapshot.failure is not None)

    def test_query_gives_links_and_their_deadlines(self, query_vector: Vector) -> None:
        snapshot = self.provider.read_snapshot(answer_of(query_vector))
        wanted = {each["kind"]: utc(each["expires_at"]) for each in query_vector["expect"].get("outputs", ())}
        assert bool(snapshot.outputs) == bool(wanted)
        for output in snapshot.outputs:
            assert output.url.startswith("https://")
            assert output.expires_at == wanted["video"]
            assert output.cover_expires_at == wanted["cover"]

    # --- Errors

    def read_of(self, vector: Vector) -> tuple[CallKind, Callable[[Answer], object]]:
        if vector["request"]["method"] == "POST":
            return CallKind.CREATE, self.provider.read_receipt
        return CallKind.QUERY, self.provider.read_snapshot

    def error_of(self, vector: Vector) -> ProviderError:
        kind, read = self.read_of(vector)
        if "transport_error" in vector["response"]:
            return transport_failure(vector["response"]["transport_error"], kind)
        return caught(read, answer_of(vector))

    def test_error_has_its_class(self, error_vector: Vector) -> None:
        failure = self.error_of(error_vector).failure
        assert failure.cls == error_vector["expect"]["error_class"]
        assert failure.code == error_vector["expect"]["provider_code"]

    def test_error_says_whether_a_task_may_exist(self, error_vector: Vector) -> None:
        error = self.error_of(error_vector)
        assert isinstance(error, AnswerLost) == (error_vector["expect"]["task_created"] == "unknown")

    def test_error_keeps_the_vendors_words(self, error_vector: Vector) -> None:
        body = error_vector["response"].get("body")
        failure = self.error_of(error_vector).failure
        assert failure.text == (body["message"] if body else "")
        assert failure.trace_id == (body["metadata"]["trace_id"] if body else "")

    @pytest.mark.parametrize("content", NOT_AN_ANSWER)
    @pytest.mark.parametrize("status", [200, 201, 204, 302, 408, 409, 499, 500, 502, 503, 504])
    def test_unclear_create_is_never_a_refusal(self, status: int, content: bytes) -> None:
        error = caught(self.provider.read_receipt, answer(content, status))
        assert isinstance(error, AnswerLost)
        assert error.failure.cls is FailureClass.AMBIGUOUS_SUBMIT
        assert error.failure.code == f"http_{status}"

    @pytest.mark.parametrize("content", NOT_AN_ANSWER)
    @pytest.mark.parametrize("status", [200, 302, 409, 499, 500, 502, 503, 504])
    def test_unclear_query_just_passes(self, status: int, content: bytes) -> None:
        error = caught(self.provider.read_snapshot, answer(content, status))
        assert isinstance(error, Refused)
        assert error.failure.cls is FailureClass.PROVIDER_TRANSIENT

    @pytest.mark.parametrize("status", [400, 403, 404, 418])
    def test_page_of_a_proxy_says_nothing_of_a_task_or_key(self, status: int) -> None:
        error = caught(self.provider.read_snapshot, answer(b"<html>blocked</html>", status))
        assert error.failure.cls is FailureClass.PROVIDER_TRANSIENT

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 413, 418, 422, 429])
    def test_create_refused_with_4xx_made_nothing(self, status: int) -> None:
        error = caught(self.provider.read_receipt, answer(b"<html>no</html>", status))
        assert isinstance(error, Refused)
        assert error.failure.cls is not FailureClass.AMBIGUOUS_SUBMIT

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            ("7", 7), ("2.5", 2.5), ("0", 0), ("99999999", 86400), ("-1", None), ("nan", None), ("inf", None),
            ("Tue, 06 May 2025 12:09:42 GMT", None), ("", None),
        ],
    )  # fmt: skip
    def test_retry_after_is_passed_on(self, header: str, seconds: float | None) -> None:
        for read in (self.provider.read_receipt, self.provider.read_snapshot, self.provider.read_test):
            assert caught(read, answer({}, 429, retry_after=header)).failure.retry_after == seconds

    def test_wrong_key_is_told_by_the_test(self) -> None:
        for body in ({}, b"", b"unauthorized"):
            assert caught(self.provider.read_test, answer(body, 401)).failure.cls is FailureClass.ACCOUNT_AUTH

    @pytest.mark.parametrize("content", NOT_AN_ANSWER)
    def test_garbage_proves_no_key_good(self, content: bytes) -> None:
        assert isinstance(caught(self.provider.read_test, answer(content)), Refused)

    @pytest.mark.parametrize("content", NOT_AN_ANSWER)
    def test_garbage_is_no_empty_list(self, content: bytes) -> None:
        if self.provider.can_list:
            error = caught(self.provider.read_list, answer(content))
            assert isinstance(error, Refused)
            assert error.failure.cls is FailureClass.PROVIDER_TRANSIENT


@pytest.mark.parametrize("kind", CallKind)
@pytest.mark.parametrize("name", ["connect_error", "connect_timeout", "tls_error", "proxy_error", "pool_timeout"])
def test_what_never_left_is_safe_to_send_again(name: str, kind: CallKind) -> None:
    error = transport_failure(name, kind)
    assert isinstance(error, NotSent)
    assert (error.failure.cls, error.failure.code) == (FailureClass.PROVIDER_TRANSIENT, name)


@pytest.mark.parametrize("kind", CallKind)
@pytest.mark.parametrize(
    "name",
    ["read_timeout", "write_timeout", "read_error", "write_error", "protocol_error", "body_timeout", "something new"],
)
def test_what_may_have_arrived_is_ambiguous_for_creates_only(name: str, kind: CallKind) -> None:
    error = transport_failure(name, kind)
    ambiguous = FailureClass.AMBIGUOUS_SUBMIT if kind is CallKind.CREATE else FailureClass.PROVIDER_TRANSIENT
    assert isinstance(error, AnswerLost)
    assert (error.failure.cls, error.failure.code) == (ambiguous, name)


def order_from(mode: Mode, body: Mapping[str, Any], extras: set[str]) -> Order:
    """An order from a body whose fields bear our names, as Vidu's do."""
    return Order(
        mode=mode,
        model=body["model"],
        prompt=body.get("prompt", ""),
        token=body.get("payload", ""),
        duration=body["duration"],
        resolution=body["resolution"],
        aspect_ratio=body.get("aspect_ratio"),
        images=tuple(body.get("images", ())),
        seed=body.get("seed"),
        audio=body.get("audio"),
        off_peak=body.get("off_peak", False),
        options={name: body[name] for name in extras & body.keys()},
        callback_url=body.get("callback_url"),
    )
