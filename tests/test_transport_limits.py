"""How long a request may take as a whole, and that no vendor's trouble holds up another. Over real sockets."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from generations import sweep, transport
from generations.providers.base import AnswerLost, Call, CallKind, FailureClass, NotSent, ProviderError
from tests.servers import says, serving

Talk = Callable[[socket.socket], None]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


@contextmanager
def talking(talk: Talk) -> Iterator[str]:
    """Serve every connection with ``talk``, byte by byte as it likes; yields host and port."""

    def serve(line: socket.socket) -> None:
        with line, suppress(OSError):
            talk(line)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def dripping(head: bytes, drop: bytes) -> Talk:
    def talk(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(head)
        while True:
            time.sleep(0.05)
            line.sendall(drop)

    return talk


def deaf(line: socket.socket) -> None:
    """Takes the connection and reads nothing from it."""
    time.sleep(10)


def call(url: str, kind: CallKind = CallKind.QUERY, body: str = "x") -> Call:
    if kind == CallKind.CREATE:
        return Call(kind, "POST", url, {}, body={"prompt": body})
    return Call(kind, "GET", url, {})


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the deadlines are short: a line that is never silent for long reaches no other limit."""
    monkeypatch.setattr(transport, "CREATE_DEADLINE", 0.5)
    monkeypatch.setattr(transport, "READ_DEADLINE", 0.5)


def failing(request: Call) -> ProviderError:
    """The error of a request that must be over soon after its deadline."""
    started = time.monotonic()
    with pytest.raises(ProviderError) as caught:
        transport.send(request)
    assert time.monotonic() - started < 2
    assert 0.4 < caught.value.seconds < 1.5
    return caught.value


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", [CallKind.CREATE, CallKind.QUERY])
@pytest.mark.parametrize(
    "talk", [dripping(HEAD, b"x"), dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n")], ids=["body", "head"]
)
def test_an_answer_that_drips_has_a_deadline(talk: Talk, kind: CallKind) -> None:
    with talking(talk) as host:
        error = failing(call(f"http://{host}/", kind))
    assert isinstance(error, AnswerLost)
    assert (error.failure.cls == FailureClass.AMBIGUOUS_SUBMIT) is (kind is CallKind.CREATE)


@pytest.mark.usefixtures("impatient")
def test_a_large_body_that_nobody_reads_may_have_arrived() -> None:
    with talking(deaf) as host:
        error = failing(call(f"http://{host}/", CallKind.CREATE, "x" * 20_000_000))
    assert isinstance(error, AnswerLost)
    assert error.failure.cls == FailureClass.AMBIGUOUS_SUBMIT


@pytest.mark.usefixtures("impatient")
def test_a_handshake_without_end_means_surely_not_sent() -> None:
    with talking(deaf) as host:
        assert isinstance(failing(call(f"https://{host}/", CallKind.CREATE)), NotSent)


@pytest.fixture
def slow_names(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def look(host: str | bytes, *args: object, **how: object) -> object:
        if host in ("slow.example", b"slow.example"):
            time.sleep(3)
            raise socket.gaierror("nobody knows")
        return real(host, *args, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", look)


@pytest.mark.usefixtures("impatient", "slow_names")
def test_a_host_that_is_not_found_in_time_means_surely_not_sent() -> None:
    assert isinstance(failing(call("http://slow.example/", CallKind.CREATE)), NotSent)


@pytest.mark.usefixtures("slow_names")
def test_a_name_server_that_hangs_holds_up_no_other_lane() -> None:
    courier: transport.Courier[str] = transport.Courier()
    with serving(says(200, b"{}")) as url:
        for _ in range(50):
            courier.send("slow", transport.Limits(50, 1000), "slow", call("http://slow.example/"))
        time.sleep(0.2)
        courier.send("fast", transport.Limits(50, 1000), "fast", call(url.replace("127.0.0.1", "localhost")))
        first = courier.collect(1)
        courier.close()
    assert first is not None
    assert first[0] == "fast"


def test_a_create_is_over_before_it_is_called_uncertain() -> None:
    assert sweep.UNANSWERED_AFTER.total_seconds() > transport.CREATE_DEADLINE + transport.SPARE


def test_no_connection_outlives_its_courier() -> None:
    ended = threading.Event()

    def talk(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        if line.recv(65536) == b"":
            ended.set()

    with talking(talk) as host:
        assert transport.send(call(f"http://{host}/")).status == 200
        assert ended.wait(2)


@pytest.mark.parametrize("vendors_clock", [timedelta(0), timedelta(hours=-5)])
def test_retry_after_may_name_a_moment(vendors_clock: timedelta) -> None:
    now = datetime.now(UTC) + vendors_clock
    headers = {"Date": format_datetime(now), "Retry-After": format_datetime(now + timedelta(minutes=30))}
    with talking(told(headers)) as host:
        waits = transport.send(call(f"http://{host}/")).retry_after
    assert waits == pytest.approx(1800, abs=2)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("soon", None),
        ("Wed, 21 Oct 2015 99:28:00 GMT", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    ],
)
def test_retry_after_in_other_words(header: str, seconds: float | None) -> None:
    with talking(told({"Retry-After": header})) as host:
        assert transport.send(call(f"http://{host}/")).retry_after == seconds


def told(headers: dict[str, str]) -> Talk:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())

    def talk(line: socket.socket) -> None:
        line.recv(65536)
        line.sendall(f"HTTP/1.1 429 No\r\n{lines}Content-Length: 2\r\n\r\n{{}}".encode())

    return talk
