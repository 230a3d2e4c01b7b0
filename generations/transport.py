"""The single place where VideoForge talks HTTP to vendors.

Every failure comes out as NotSent or AnswerLost (see ``providers.base``): what matters of a network error is
only whether the vendor can have seen the request. Nothing is retried here, redirects are not followed (they
would carry the key elsewhere), and an answer is read only up to MAX_ANSWER_BYTES.
"""

import asyncio
import contextlib
import logging
import ssl
import threading
import time
from collections import Counter
from dataclasses import dataclass
from itertools import cycle
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar
from urllib.parse import urlencode

import httpx

from generations.providers.base import Answer, Call, CallKind, ProviderError, transport_failure

CREATE_TIMEOUT = httpx.Timeout(connect=10, read=40, write=40, pool=10)
READ_TIMEOUT = httpx.Timeout(connect=5, read=10, write=10, pool=10)
READ_DEADLINE = 10.0  # seconds for one read, slow trickles included
MAX_ANSWER_BYTES = 8 * 1024 * 1024
SHORTEST_SECRET = 8
# At about a hundred connections one httpx client spends its time on its own pool.
CONNECTIONS = 10
LIMITS = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
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


def send(call: Call) -> Answer:
    """Make one request, once. Raises NotSent or AnswerLost."""
    started = time.monotonic()
    try:
        return _send(call, started)
    except ProviderError as error:
        error.seconds = time.monotonic() - started
        raise


def _send(call: Call, started: float) -> Answer:
    timeout = CREATE_TIMEOUT if call.kind == CallKind.CREATE else READ_TIMEOUT
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=False) as client,
            client.stream(call.method, _url(call), headers=_headers(call), json=call.body) as response,
        ):
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise transport_failure("body_too_large", call.kind)
            return _answer(call, response, bytes(content), started)
    except httpx.TransportError as error:
        raise error_of(error, call.kind) from None
    except (httpx.InvalidURL, httpx.DecodingError):
        raise transport_failure("protocol_error", call.kind) from None


@dataclass(frozen=True, slots=True)
class Limits:
    """How many reads of a lane may be under way at once, and how many may begin in a second."""

    at_once: int
    per_second: float


class Lane:
    """The connections of one lane: no other lane ever waits for them."""

    def __init__(self, limits: Limits, context: ssl.SSLContext) -> None:
        self.limits = limits
        self.places = asyncio.Semaphore(limits.at_once)
        self.next_start = 0.0
        self.clients = cycle([_client(context) for _ in range(-(-limits.at_once // CONNECTIONS))])

    async def turn(self) -> None:
        """Wait until the pace of the lane lets one more read begin."""
        now = time.monotonic()
        start = max(self.next_start, now)
        self.next_start = start + 1 / self.limits.per_second
        await asyncio.sleep(start - now)


def _client(context: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=READ_TIMEOUT, limits=LIMITS, follow_redirects=False, verify=context)


class Courier(Generic[Ticket]):
    """Makes reads in the background and hands over what came of each as soon as it is there.

    A thread with an event loop carries them; whoever sends and collects is another thread and never waits for a
    connection. Tickets come back with the answer, or with the error in its place.
    """

    def __init__(self) -> None:
        self.in_air: Counter[str] = Counter()
        self._done: SimpleQueue[tuple[str, Ticket, Answer | ProviderError]] = SimpleQueue()
        self._lanes: dict[str, Lane] = {}
        self._context = ssl.create_default_context()
        self._loop = asyncio.new_event_loop()
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
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        with contextlib.suppress(RuntimeError):
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    async def _carry(self, name: str, limits: Limits, ticket: Ticket, call: Call) -> None:
        lane = self._lanes.get(name)
        if lane is None:
            lane = self._lanes[name] = Lane(limits, self._context)
        async with lane.places:
            await lane.turn()
            started = time.monotonic()
            outcome = await _fetch(next(lane.clients), call, started)
        if isinstance(outcome, ProviderError):
            outcome.seconds = time.monotonic() - started
        self._done.put((name, ticket, outcome))


async def _fetch(client: httpx.AsyncClient, call: Call, started: float) -> Answer | ProviderError:
    try:
        async with (
            asyncio.timeout(READ_DEADLINE),
            client.stream(call.method, _url(call), headers=_headers(call), json=call.body) as response,
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
        return transport_failure("read_timeout", call.kind)
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
    return Answer(response.status_code, headers, content, time.monotonic() - started)
