"""What matters of a network error: can the vendor have seen the request? Over real sockets."""

import json
import socket
import time
from http.server import BaseHTTPRequestHandler

import httpx
import pytest

from generations import transport
from generations.providers.base import Answer, AnswerLost, Call, CallKind, FailureClass, NotSent, ProviderError
from tests.servers import says, serving


def call(url: str, kind: CallKind = CallKind.QUERY) -> Call:
    method = "POST" if kind == CallKind.CREATE else "GET"
    body = {"prompt": "纸船"} if kind == CallKind.CREATE else None
    return Call(kind, method, url, {"Authorization": "Token not-a-real-key"}, (("a", "1"), ("a", "2")), body)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def hang(request: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


def drop(request: BaseHTTPRequestHandler) -> None:
    request.rfile.read(int(request.headers.get("Content-Length", 0)))
    request.connection.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    short = httpx.Timeout(0.3)
    monkeypatch.setattr(transport, "CREATE_TIMEOUT", short)
    monkeypatch.setattr(transport, "READ_TIMEOUT", short)


def test_a_request_arrives_as_it_was_described() -> None:
    seen: dict[str, object] = {}

    def note(request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        seen.update(path=request.path, auth=request.headers["Authorization"], body=json.loads(body))
        says(200, b'{"task_id": "1"}', X_Trace="abc")(request)

    with serving(note) as url:
        answer = transport.send(call(f"{url}/ent/v2/text2video", CallKind.CREATE))
    assert seen == {
        "path": "/ent/v2/text2video?a=1&a=2",
        "auth": "Token not-a-real-key",
        "body": {"prompt": "纸船"},
    }
    assert (answer.status, answer.json(), answer.headers["x-trace"]) == (200, {"task_id": "1"}, "abc")


@pytest.mark.parametrize("kind", [CallKind.CREATE, CallKind.QUERY])
def test_nobody_listening_means_surely_not_sent(kind: CallKind) -> None:
    with pytest.raises(NotSent) as caught:
        transport.send(call(f"http://127.0.0.1:{closed_port()}/", kind))
    assert caught.value.failure.cls == FailureClass.PROVIDER_TRANSIENT


def test_a_name_that_does_not_exist_means_surely_not_sent() -> None:
    with pytest.raises(NotSent):
        transport.send(call("http://vendor.invalid/", CallKind.CREATE))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("trouble", [hang, drop])
def test_an_answer_that_never_came_is_ambiguous_for_a_create(trouble: object) -> None:
    with serving(trouble) as url, pytest.raises(AnswerLost) as caught:  # type: ignore[arg-type]
        transport.send(call(url, CallKind.CREATE))
    assert caught.value.failure.cls == FailureClass.AMBIGUOUS_SUBMIT


def test_redirects_are_not_followed_with_the_key() -> None:
    with serving(says(302, b"", Location="http://127.0.0.1:9/elsewhere")) as url:
        assert transport.send(call(url)).status == 302


def test_an_endless_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1000)
    with serving(says(200, b"x" * 5000)) as url, pytest.raises(AnswerLost):
        transport.send(call(url, CallKind.CREATE))


def carried(*calls: Call) -> list[Answer | ProviderError]:
    """What came of reads in the background, in the order of ``calls``."""
    courier: transport.Courier[int] = transport.Courier()
    try:
        for number, each in enumerate(calls):
            courier.send("lane", transport.Limits(10, 1000), number, each)
        found = [courier.collect(5) for _ in calls]
    finally:
        courier.close()
    return [outcome for _, outcome in sorted((each for each in found if each), key=lambda pair: pair[0])]


def test_a_lane_that_hangs_holds_up_no_other_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    courier: transport.Courier[str] = transport.Courier()
    with serving(hang) as slow, serving(says(200, b"{}")) as fast:
        for _ in range(3):
            courier.send("slow", transport.Limits(2, 1000), "slow", call(slow))
        courier.send("fast", transport.Limits(2, 1000), "fast", call(fast))
        first = courier.collect(5)
        assert first is not None
        assert first[0] == "fast"
        assert courier.in_air == {"slow": 3, "fast": 0}
        courier.close()


def test_a_lane_keeps_its_pace() -> None:
    courier: transport.Courier[float] = transport.Courier()
    begun: list[float] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        begun.append(time.monotonic())
        says(200, b"{}")(request)

    with serving(answer) as url:
        for _ in range(5):
            courier.send("lane", transport.Limits(10, 20), 0.0, call(url))
        for _ in range(5):
            assert courier.collect(5) is not None
        courier.close()
    assert max(begun) - min(begun) >= 0.15, "five reads at twenty a second"


def test_many_reads_keep_their_order_and_their_own_errors() -> None:
    with serving(says(200, b'{"ok": 1}')) as good:
        results = carried(call(good), call(f"http://127.0.0.1:{closed_port()}/"), call(good))
    assert [type(result) for result in results] == [Answer, NotSent, Answer]


def test_one_hanging_read_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "READ_DEADLINE", 0.5)
    with serving(hang) as slow, serving(says(200, b"{}")) as fast:
        started = time.monotonic()
        results = carried(call(slow), *(call(fast) for _ in range(5)))
        took = time.monotonic() - started
    assert isinstance(results[0], AnswerLost)
    assert [type(result) for result in results[1:]] == [Answer] * 5
    assert took < 2.5


def test_a_secret_is_in_no_text_of_an_error() -> None:
    with pytest.raises(NotSent) as caught:
        transport.send(call(f"http://127.0.0.1:{closed_port()}/"))
    assert "not-a-real-key" not in f"{caught.value!r} {caught.value} {caught.value.failure}"
    assert "not-a-real-key" not in repr(call("http://127.0.0.1/"))


def test_an_endless_read_is_cut_among_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MAX_ANSWER_BYTES", 1000)
    with serving(says(200, b"x" * 5000)) as endless, serving(says(200, b"{}")) as short:
        results = carried(call(endless), call(short))
    assert [type(result) for result in results] == [AnswerLost, Answer]


def test_a_vendor_that_quotes_the_key_does_not_bring_it_in() -> None:
    with serving(says(401, b'{"message": "Invalid token: Token not-a-real-key"}')) as url:
        answers = [transport.send(call(url)), *carried(call(url))]
    for answer in answers:
        assert isinstance(answer, Answer)
        assert b"not-a-real-key" not in answer.content
        assert answer.json() == {"message": "Invalid token: Token [key]"}
