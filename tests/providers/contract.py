"""What every provider must keep. A new one subclasses ``ProviderContract`` and brings its file of vectors.

A vector is a request as documented, an answer, and the reading we owe it; its id says what it is about:
``<slug>.<create|query|list|cancel|error>.<case>``. Where vendors differ, a subclass says how: no test is left out.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

import pytest

from generations.providers import catalog
from generations.providers.base import (
    FINAL,
    MODES,
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
    b'{"code": "success", "data": {"status": "FAILURE", "fail_reason": "x"}}',
    b'{"code": "success", "data": null}',
    b'{"code": "success", "data": [{"task_id": "1", "status": "SUCCESS"}]}',
    b'{"data": {"status": "completed", "video_url": "https://a.example/v"}}',
    b'{"status": "completed", "output": [{"content": [{"type": "video", "url": "https://a.example/v"}]}]}',
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


def leaves(value: object) -> Iterator[object]:
    """Every value at any depth."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    else:
        yield value


def names(value: object) -> Iterator[str]:
    """Every key at any depth."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from names(each)
    if isinstance(value, dict):
        yield from value


def without_links(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_links(each) for name, each in value.items()}
    if isinstance(value, list):
        return [without_links(each) for each in value]
    return "" if isinstance(value, str) and value.startswith("https://") else value


class ProviderContract:
    provider: ClassVar[Provider]
    account: ClassVar[Account]
    data: ClassVar[Mapping[str, Any]]
    states: ClassVar[Mapping[str, str]]  # the vendor's words for a task that has a result and no progress
    modes: ClassVar[Collection[Mode]] = MODES  # what the vendor offers
    fields: ClassVar[Collection[str]]  # every name that may stand in a create, at any depth
    left_out: ClassVar[Mapping[str, Any]] = {}  # documented defaults that the vectors spell out and we do not send

    # --- Where vendors differ

    @staticmethod
    def order_of(body: Mapping[str, Any], path: str) -> Order:
        """The order behind a create request of the vectors."""
        raise NotImplementedError

    def account_of(self, vector: Vector) -> Account:
        """The key with which this request is made."""
        return self.account

    @staticmethod
    def task_of(body: dict[str, Any]) -> dict[str, Any]:
        """The task within a body."""
        return body

    @staticmethod
    def id_of(task: Mapping[str, Any]) -> str:
        return str(task["id"])

    state_key: ClassVar[str] = "status"

    # --- Vectors

    @classmethod
    def vectors(cls, about: str) -> list[Vector]:
        return [each for each in cls.data["vectors"] if each["id"].split(".")[1] == about]

    @classmethod
    def good(cls, state: str) -> list[Vector]:
        """The queries that find a task in this state."""
        return [each for each in cls.vectors("query") if each["expect"]["state"] == state]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        for name in metafunc.fixturenames:
            if name.endswith("_vector"):
                about = name.removesuffix("_vector")
                found = self.good("succeeded") if about == "success" else self.vectors(about)
                metafunc.parametrize(name, found, ids=[each["id"] for each in found])
            elif name == "word":
                metafunc.parametrize(name, self.states)
            elif name == "mode":
                metafunc.parametrize(name, self.modes)

    def test_every_part_has_vectors(self) -> None:
        assert all(self.vectors(about) for about in ("create", "query", "error"))
        assert {each["expect"]["state"] for each in self.vectors("query")} >= {"processing", "succeeded", "failed"}

    def test_addresses_are_the_documented_ones(self) -> None:
        assert list(self.provider.base_urls) == self.data["base_urls"]

    def test_the_data_holds_no_real_secret(self) -> None:
        headers = [each["request"]["headers"]["Authorization"] for each in self.data["vectors"]]
        assert set(headers) == {f"{self.provider.auth_scheme} {self.account.secret}"}
        assert self.account.secret.endswith("TESTKEY")

    # --- Requests

    def assert_sends(self, call: Call, vector: Vector) -> None:
        wanted = vector["request"]
        assert call.method == wanted["method"]
        assert call.url + ("?" if call.query else "") + urlencode(call.query) == self.account.base_url + wanted["path"]
        assert dict(call.headers) == wanted["headers"]
        body = wanted.get("body")
        if body is not None:
            body = {name: value for name, value in body.items() if self.left_out.get(name, ...) != value}
        assert call.body == body

    def an_order(self, mode: Mode, **over: Any) -> Order:
        """An order of whatever the catalogue recommends, with everything said that can be."""
        offer = catalog.models(self.provider.slug, mode)[0]
        resolution, duration = offer.default_resolution, offer.default_duration
        order = Order(
            mode=mode,
            model=offer.wire_id(resolution, duration, False),
            prompt="A paper boat",
            token="vf1.01JC9Q6Z3V8M.5f2e",
            duration=duration,
            resolution=resolution,
            aspect_ratio=offer.default_aspect_ratio or None,
            images=tuple(f"https://assets.videoforge.example/{each}.png" for each in range(offer.max_images)),
            seed=7,
            audio=True,
        )
        return replace(order, **over)

    def any_order(self) -> Order:
        return self.an_order(Mode.TEXT)

    def any_call(self) -> Call:
        return self.provider.build_create(self.account, self.any_order())

    def test_create_sends_what_the_documents_show(self, create_vector: Vector) -> None:
        request = create_vector["request"]
        call = self.provider.build_create(self.account, self.order_of(request["body"], request["path"]))
        assert call.kind is CallKind.CREATE
        self.assert_sends(call, create_vector)

    def test_query_sends_what_the_documents_show(self, query_vector: Vector) -> None:
        request, answered = query_vector["request"], query_vector["response"]["body"]
        call = self.provider.build_query(
            self.account_of(query_vector),
            self.id_of(self.task_of(answered)),
            (request.get("body") or {}).get("model", ""),
        )
        assert call.kind is CallKind.QUERY
        self.assert_sends(call, query_vector)

    def test_all_modes_are_sold_that_are_said_to_be(self) -> None:
        assert catalog.stock(self.provider.slug).modes == set(self.modes)

    def test_create_is_one_post_of_plain_json(self, mode: Mode) -> None:
        call = self.provider.build_create(self.account, self.an_order(mode))
        assert (call.kind, call.method, call.query) == (CallKind.CREATE, "POST", ())
        assert json.loads(json.dumps(call.body)) == call.body
        assert call.url.startswith(self.account.base_url + "/")

    def test_create_says_what_is_ordered(self, mode: Mode) -> None:
        order = self.an_order(mode)
        said = list(leaves(self.provider.build_create(self.account, order).body))
        pictures = [each for each in said if str(each).startswith("https://")]
        assert pictures == list(order.images)
        assert order.model in said
        assert order.prompt in said
        assert order.aspect_ratio is None or order.aspect_ratio in said

    def test_what_nobody_documents_is_never_sent(self, mode: Mode) -> None:
        everything = dict.fromkeys(("negative_prompt", "fps", "subjects", "voice_id"), "x")
        settings = {"bgm": True, "style": "anime", "movement_amplitude": "large", "audio_type": "all", "is_rec": True}
        marks = {"watermark": True, "wm_position": 1, "wm_url": "w", "meta_data": "{}"}
        order = self.an_order(mode, options={**everything, **settings, **marks}, callback_url="https://a.example/c")
        body = self.provider.build_create(self.account, replace(order, off_peak=True)).body
        assert set(names(body)) <= set(self.fields)

    def test_empty_things_are_left_out(self, mode: Mode) -> None:
        order = self.an_order(mode, aspect_ratio=None, seed=None, audio=None, options={})
        body = self.provider.build_create(self.account, order).body
        assert {"aspect_ratio", "seed", "audio", "extra_body", "bgm"}.isdisjoint(names(body))
        assert None not in leaves(body)

    def test_zero_is_a_seed(self, mode: Mode) -> None:
        body = self.provider.build_create(self.account, self.an_order(mode, seed=0)).body
        assert ("seed" in names(body)) == ("seed" in self.fields)

    def test_token_travels_where_the_vendor_carries_it(self, mode: Mode) -> None:
        order = self.an_order(mode)
        body = self.provider.build_create(self.account, order).body
        assert (order.token in json.dumps(body)) is self.provider.carries_token

    def test_printing_a_call_or_an_account_shows_no_secret(self) -> None:
        assert self.account.secret not in repr(self.any_call())
        assert self.account.secret not in repr(self.account)

    def test_secret_is_sent_in_a_header_only(self) -> None:
        for call in (self.any_call(), self.provider.build_test(self.account)):
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
        assert call.kind is CallKind.BALANCE
        assert call.method == "GET"

    def test_what_a_vendor_cannot_do_is_not_asked_of_it(self) -> None:
        now = datetime.now(UTC)
        asks: dict[str, Callable[[], object]] = {
            "can_list": lambda: self.provider.build_list(
                self.account, ids=(), created_from=now, created_to=now, page_token=""
            ),
            "can_cancel": lambda: self.provider.build_cancel(self.account, "1"),
        }
        for ability, ask in asks.items():
            if getattr(self.provider, ability):
                assert ask()
            else:
                with pytest.raises(NotImplementedError):
                    ask()

    # --- Settings of a key

    def test_settings_without_a_value_or_with_a_wrong_one_are_the_default(self) -> None:
        for each in self.provider.settings:
            for options in ({}, {each.name: None}, {each.name: 7}, {each.name: ["x"]}):
                assert self.provider.setting(replace(self.account, options=options), each.name) == each.default

    def test_settings_make_sense(self) -> None:
        for each in self.provider.settings:
            assert each.label
            assert not each.choices or each.default in dict(each.choices)
            assert all(f"{{{name}}}" in str(each.default) for name in each.placeholders)

    # --- Readings

    def test_create_is_read(self, create_vector: Vector) -> None:
        receipt = self.provider.read_receipt(answer_of(create_vector))
        expect = create_vector["expect"]
        assert receipt.remote_id == expect["task_id"]
        assert receipt.state == expect["state"]
        assert (receipt.quote.amount if receipt.quote else None) == expect.get("quoted_credits")
        assert receipt.quote is None or receipt.quote.unit is self.provider.unit

    def test_receipt_never_ends_a_task(self, create_vector: Vector, word: str) -> None:
        body = self.put(create_vector["response"]["body"], word)
        assert self.provider.read_receipt(answer(body)).state not in FINAL

    def test_catalogue_sells_what_the_documents_order(self, create_vector: Vector) -> None:
        request, expect = create_vector["request"], create_vector["expect"]
        order = self.order_of(request["body"], request["path"])
        offer = catalog.get_offer(self.provider.slug, order.model, order.mode)
        assert offer is not None
        assert offer.wire_id(order.resolution, order.duration, order.off_peak) == order.model
        assert offer.takes(order.resolution, order.duration)
        assert offer.min_images <= len(order.images) <= offer.max_images or "subjects" in order.options
        estimate = catalog.estimate(
            offer, resolution=order.resolution, duration=order.duration, off_peak=order.off_peak, audio=order.audio
        )
        assert (estimate.amount.amount if estimate else None) == expect.get("estimate_credits")

    def test_query_is_read(self, query_vector: Vector) -> None:
        snapshot = self.provider.read_snapshot(answer_of(query_vector))
        expect, task = query_vector["expect"], self.task_of(query_vector["response"]["body"])
        assert snapshot.remote_id == self.id_of(task)
        assert snapshot.state == expect["state"]
        assert snapshot.raw_state == task[self.state_key]
        assert snapshot.progress == expect.get("progress", snapshot.progress)
        assert snapshot.anomaly.partition(":")[0] == expect.get("anomaly", "")
        assert snapshot.complete

    def test_query_is_charged_at_the_end_only(self, query_vector: Vector) -> None:
        snapshot, expect = self.provider.read_snapshot(answer_of(query_vector)), query_vector["expect"]
        charged = next((expect[name] for name in ("charged_credits", "tokens", "cost_usd") if name in expect), None)
        if charged is None:
            assert snapshot.charge is None or (snapshot.state, snapshot.charge.amount) == (RemoteState.FAILED, 0)
        else:
            assert snapshot.charge is not None
            assert snapshot.charge.amount == Decimal(charged)
        assert snapshot.charge is None or snapshot.charge.unit is self.provider.unit

    def test_query_tells_why_it_failed(self, query_vector: Vector) -> None:
        snapshot = self.provider.read_snapshot(answer_of(query_vector))
        expect = query_vector["expect"]
        wanted = (expect["error_class"], expect["provider_code"]) if "error_class" in expect else None
        assert ((snapshot.failure.cls, snapshot.failure.code) if snapshot.failure else None) == wanted
        assert (snapshot.state is RemoteState.FAILED) == (snapshot.failure is not None)

    def test_query_gives_links_and_their_deadlines(self, query_vector: Vector) -> None:
        snapshot, body = self.provider.read_snapshot(answer_of(query_vector)), query_vector["response"]["body"]
        told = query_vector["expect"].get("outputs", ())
        wanted = {each["kind"]: utc(each["expires_at"]) for each in told if each["expires_at"]}
        assert bool(snapshot.outputs) == (snapshot.state is RemoteState.SUCCEEDED)
        for output in snapshot.outputs:
            assert output.url in leaves(body)
            assert output.expires_at == wanted.get("video")
            assert output.cover_expires_at == wanted.get("cover")

    def test_deadline_is_read_from_a_signed_link(self, success_vector: Vector) -> None:
        body = success_vector["response"]["body"]
        (link,) = {output.url for output in self.provider.read_snapshot(answer(body)).outputs}
        signed = "https://s3.example/v.mp4?X-Amz-Date=20260710T120500Z&X-Amz-Expires=3600"
        text = json.dumps(body).replace(json.dumps(link), json.dumps(signed))
        (output,) = self.provider.read_snapshot(answer(text.encode())).outputs
        assert (output.url, output.expires_at) == (signed, utc("2026-07-10T13:05:00Z"))

    # --- States

    def put(self, body: dict[str, Any], word: object) -> dict[str, Any]:
        """The same body with another word for the state."""
        changed = deepcopy(body)
        self.task_of(changed)[self.state_key] = word
        return changed

    def test_every_word_for_a_state(self, success_vector: Vector, word: str) -> None:
        snapshot = self.provider.read_snapshot(answer(self.put(success_vector["response"]["body"], word)))
        assert snapshot.state == self.states[word]
        assert (snapshot.raw_state, snapshot.anomaly) == (word, "")
        assert bool(snapshot.outputs) == (snapshot.state is RemoteState.SUCCEEDED)
        assert (snapshot.failure is not None) == (snapshot.state is RemoteState.FAILED)
        assert snapshot.charge is None or snapshot.state in FINAL

    @pytest.mark.parametrize("unknown", ["Success", "FAILED", "cancelled", "done", "success ", "Completed", "完成"])
    def test_unknown_word_goes_on_and_is_told(self, success_vector: Vector, unknown: str) -> None:
        snapshot = self.provider.read_snapshot(answer(self.put(success_vector["response"]["body"], unknown)))
        assert (snapshot.state, snapshot.raw_state) == (RemoteState.PROCESSING, unknown)
        assert snapshot.anomaly == f"unknown_state: the vendor says {unknown!r}"
        assert (snapshot.charge, snapshot.failure, snapshot.outputs) == (None, None, ())

    @pytest.mark.parametrize("nothing", ["", None, [], ["failed"], {}, True, 1.5])
    def test_without_a_word_for_the_state_nothing_is_said(self, success_vector: Vector, nothing: object) -> None:
        error = caught(self.provider.read_snapshot, answer(self.put(success_vector["response"]["body"], nothing)))
        assert error.failure.cls is FailureClass.PROVIDER_TRANSIENT

    def test_success_without_a_link_is_not_yet_success(self, success_vector: Vector) -> None:
        body = without_links(success_vector["response"]["body"])
        snapshot = self.provider.read_snapshot(answer(body))
        assert (snapshot.state, snapshot.outputs, snapshot.charge) == (RemoteState.PROCESSING, (), None)
        assert snapshot.anomaly.startswith("success_without_output: ")

    def test_finished_task_in_an_error_answer_is_not_believed(self, success_vector: Vector) -> None:
        body = success_vector["response"]["body"]
        for status in (302, 400, 404, 500):
            assert isinstance(caught(self.provider.read_snapshot, answer(body, status)), Refused)

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
        body = error_vector["response"].get("body") or {}
        error, failure = body.get("error"), self.error_of(error_vector).failure
        assert failure.text == ((error.get("message") if isinstance(error, dict) else error) or body.get("message", ""))
        assert failure.trace_id == (body.get("metadata", {}).get("trace_id") or body.get("request_id", ""))

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
