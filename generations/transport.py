"""The single place where VideoForge talks HTTP to vendors.

Every failure comes out as NotSent or AnswerLost (see ``providers.base``): what matters of a network error is
only whether the vendor can have seen the request. Nothing is retried here, redirects are not followed (they
would carry the key elsewhere), an answer is read only up to MAX_ANSWER_BYTES, and each request has a deadline as a
whole: a vendor that sends a byte a second is as silent as one that hangs.

A key's base address was entered or chosen by an administrator, so its host may be anywhere but where no request may go
(``guard.NEVER``). Proxies and passwords of the environment (HTTPS_PROXY, .netrc) are not used.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, partial
from itertools import cycle
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

import httpx

from generations.guard import Guard, Refused, check_url
from generations.providers.base import (
    Answer,
    Call,
    CallKind,
    Failure,
    FailureClass,
    NotSent,
    ProviderError,
    transport_failure,
)

CREATE_TIMEOUT = httpx.Timeout(connect=10, read=40, write=40, pool=10)
READ_TIMEOUT = httpx.Timeout(connect=5, read=10, write=10, pool=10)
# Seconds for all of a request: finding the host, connecting, sending a large body, and an answer that trickles.
CREATE_DEADLINE = 50.0  # ``sweep`` names a create uncertain after 55
READ_DEADLINE = 10.0
SPARE = 2.0  # seconds that a loop may be late with its deadline
MAX_ANSWER_BYTES = 8 * 1024 * 1024
SHORTEST_SECRET = 8
# At about a hundred connections one httpx client spends its time on its own pool.
CONNECTIONS = 10
LIMITS = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
LOOKUPS = 4  # host names that a lane looks up at once
Ticket = TypeVar("Ticket")
log = logging.getLogger("videoforge.transport")

_NAMES: tuple[tuple[type[httpx.TransportError], str], ...] = (
    (httpx.ConnectTimeout, "connect_timeout"),
    (httpx.PoolTimeout, "pool_timeout"),
    (httpx.ReadTimeout, "read_timeout"),
    (httpx.WriteTimeout, "write_timeout"),
    (httpx.ConnectError, "connect_error"),
    (httpx.ProxyError, "proxy_error"),
    (httpx.UnsupportedProtocol, "connect_error"),
    (httpx.ReadError, "read_error"),
    (httpx.WriteError, "write_error"),
)


def error_of(error: httpx.TransportError, kind: CallKind) -> ProviderError:
    name = next((name for cls, name in _NAMES if isinstance(error, cls)), "protocol_error")
    return transport_failure(name, kind)


def _url(call: Call) -> str:
    return f"{call.url}?{urlencode(call.query)}" if call.query else call.url


def _headers(call: Call) -> dict[str, str]:
    # Packed, a small answer could unfold to gigabytes between two looks at its length.
    return {**call.headers, "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Limits:
    """How many reads of a lane may be under way at once, and how many may begin in a second."""

    at_once: int
    per_second: float


ALONE = Limits(1, 1.0)
_lookups: ContextVar[ThreadPoolExecutor] = ContextVar("lookups")


class Loop(asyncio.SelectorEventLoop):
    """Looks host names up in the threads of the lane that asks, and asks the guard at each connection.

    The system's resolver blocks a thread for as long as it likes, and the usual loop has a handful for everybody:
    one vendor whose name server hangs would keep all others from connecting.
    """

    async def getaddrinfo(self, host: Any, port: Any, **how: int) -> Any:
        return await self.run_in_executor(_lookups.get(), partial(socket.getaddrinfo, host, port, **how))

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Whatever the name answered a moment ago: this is the address."""
        _departure.get().check(str(address[0]))
        await super().sock_connect(sock, address)


class Lane:
    """The connections of one lane and its threads for host names: no other lane ever waits for them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.places = asyncio.Semaphore(limits.at_once)
        self.next_start = 0.0
        self.clients = [_client() for _ in range(-(-limits.at_once // CONNECTIONS))]
        self.next_client = cycle(self.clients)
        self.lookups = ThreadPoolExecutor(LOOKUPS, "lookup")

    async def turn(self) -> None:
        """Wait until the pace of the lane lets one more read begin."""
        now = time.monotonic()
        start = max(self.next_start, now)
        self.next_start = start + 1 / self.limits.per_second
        await asyncio.sleep(start - now)

    async def close(self) -> None:
        # A lookup under way cannot be stopped; its thread ends with it.
        self.lookups.shutdown(wait=False, cancel_futures=True)
        for client in self.clients:
            await client.aclose()


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(limits=LIMITS, follow_redirects=False, verify=_trust(), trust_env=False)


@cache
def _trust() -> ssl.SSLContext:
    """Read once: that takes longer than many a request."""
    return httpx.create_ssl_context()


class Courier(Generic[Ticket]):
    """Makes reads in the background and hands over what came of each as soon as it is there.

    A thread with an event loop carries them; whoever sends and collects is another thread and never waits for a
    connection. Tickets come back with the answer, or with the error in its place.
    """

    def __init__(self) -> None:
        self.in_air: Counter[str] = Counter()
        self._done: SimpleQueue[tuple[str, Ticket, Answer | ProviderError]] = SimpleQueue()
        self._lanes: dict[str, Lane] = {}
        self._loop = Loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="courier", daemon=True)
        self._thread.start()

    def send(self, lane: str, limits: Limits, ticket: Ticket, call: Call) -> None:
        self.in_air[lane] += 1
        asyncio.run_coroutine_threadsafe(self._carry(lane, limits, ticket, call), self._loop)

    def collect(self, seconds: float) -> tuple[Ticket, Answer | ProviderError] | None:
        """The next one that is back, None when none comes within ``seconds``."""
        try:
            lane, ticket, outcome = self._done.get(timeout=seconds) if seconds > 0 else self._done.get_nowait()
        except Empty:
            return None
        self.in_air[lane] -= 1
        return ticket, outcome

    def close(self) -> None:
        """Leave what is under way: a read that nobody waits for changes nothing."""
        with contextlib.suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(self._leave(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        with contextlib.suppress(RuntimeError):
            self._loop.close()

    async def _leave(self) -> None:
        carried = asyncio.all_tasks() - {asyncio.current_task()}
        for task in carried:
            task.cancel()
        await asyncio.gather(*carried, return_exceptions=True)
        for lane in self._lanes.values():
            await lane.close()

    async def _carry(self, name: str, limits: Limits, ticket: Ticket, call: Call) -> None:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(limits)
        _lookups.set(lane.lookups)
        async with lane.places:
            await lane.turn()
            started = time.monotonic()
            outcome = await _fetch(next(lane.next_client), call, started)
        if isinstance(outcome, ProviderError):
            outcome.seconds = time.monotonic() - started
        self._done.put((name, ticket, outcome))


def send(call: Call) -> Answer:
    """Make one request, once, and wait for what comes of it. Raises NotSent or AnswerLost."""
    courier: Courier[None] = Courier()
    try:
        courier.send("", ALONE, None, call)
        found = courier.collect(_patience(call)[0] + SPARE)
    finally:
        courier.close()
    outcome = found[1] if found else transport_failure("read_timeout", call.kind)
    if isinstance(outcome, ProviderError):
        raise outcome
    return outcome


def _patience(call: Call) -> tuple[float, httpx.Timeout]:
    """Seconds for all of it, and for each of its steps."""
    return (CREATE_DEADLINE, CREATE_TIMEOUT) if call.kind == CallKind.CREATE else (READ_DEADLINE, READ_TIMEOUT)


class _Departure:
    """Told by httpx of each step of a request: remembers whether the first byte may have left, and what kept it."""

    def __init__(self, url: str) -> None:
        self.host = check_url(url)
        self.guard = Guard({self.host})
        self.left, self.refused = False, ""

    def check(self, address: str) -> None:
        """Raises Refused. httpx tells of it as of any connection that was not made, so it is noted here too."""
        self.refused = self.guard.why_not(self.host, address)
        if self.refused:
            raise Refused(self.refused)

    async def __call__(self, step: str, _: object) -> None:
        self.left = self.left or step.endswith("send_request_headers.started")


_departure: ContextVar[_Departure] = ContextVar("departure")


async def _fetch(client: httpx.AsyncClient, call: Call, started: float) -> Answer | ProviderError:
    try:
        departure = _Departure(_url(call))
    except Refused as refused:
        return _refusal(str(refused))
    _departure.set(departure)
    outcome = await _talk(client, call, started, departure)
    never_left = isinstance(outcome, NotSent) and departure.refused
    return _refusal(departure.refused) if never_left else outcome


def _refusal(sentence: str) -> ProviderError:
    return NotSent(Failure(FailureClass.PROVIDER_TRANSIENT, "address_refused", sentence))


async def _talk(client: httpx.AsyncClient, call: Call, started: float, departure: _Departure) -> Answer | ProviderError:
    deadline, timeout = _patience(call)
    how: dict[str, Any] = {"json": call.body, "timeout": timeout, "extensions": {"trace": departure}}
    try:
        async with (
            asyncio.timeout(deadline),
            client.stream(call.method, _url(call), headers=_headers(call), **how) as response,
        ):
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    return transport_failure("body_too_large", call.kind)
            return _answer(call, response, bytes(content), started)
    except httpx.TransportError as error:
        return error_of(error, call.kind)
    except (httpx.InvalidURL, httpx.DecodingError):
        return transport_failure("protocol_error", call.kind)
    except TimeoutError:
        return transport_failure("read_timeout" if departure.left else "connect_timeout", call.kind)
    except Exception:
        # A ticket that never comes back would be waited for until its claim ends.
        log.exception("a read failed in a way that nobody thought of")
        return transport_failure("protocol_error", call.kind)


def _answer(call: Call, response: httpx.Response, content: bytes, started: float) -> Answer:
    """The answer without our own secret in it: some gateways quote the key they refuse, and answers are stored."""
    secret = call.headers.get("Authorization", "").rpartition(" ")[2].encode()
    if len(secret) >= SHORTEST_SECRET:
        content = content.replace(secret, b"[key]")
    headers = {name.lower(): value for name, value in response.headers.items()}
    if "retry-after" in headers:
        headers["retry-after"] = _seconds_until(headers["retry-after"], headers.get("date", ""))
    return Answer(response.status_code, headers, content, time.monotonic() - started)


def _seconds_until(when: str, date: str) -> str:
    """Retry-After in seconds where the vendor names a moment; by its own clock, where it tells the time."""
    moment = _moment(when)
    if moment is None:
        return when
    return str(max(0.0, (moment - (_moment(date) or datetime.now(UTC))).total_seconds()))


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
