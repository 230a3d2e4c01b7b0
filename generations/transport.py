"""The single place where VideoForge talks HTTP to vendors.

Every failure comes out as NotSent or AnswerLost (see ``providers.base``): what matters of a network error is
only whether the vendor can have seen the request. Nothing is retried here, redirects are not followed (they
would carry the key elsewhere), and an answer is read only up to MAX_ANSWER_BYTES.
"""

import asyncio
from collections.abc import Sequence
from urllib.parse import urlencode

import httpx

from generations.providers.base import Answer, Call, CallKind, ProviderError, transport_failure

CREATE_TIMEOUT = httpx.Timeout(connect=10, read=40, write=40, pool=10)
READ_TIMEOUT = httpx.Timeout(connect=5, read=10, write=10, pool=10)
READ_DEADLINE = 15.0  # seconds for one read, slow trickles included
MAX_ANSWER_BYTES = 8 * 1024 * 1024
# At about a hundred connections one httpx client spends its time on its own pool.
LIMITS = httpx.Limits(max_connections=10, max_keepalive_connections=10)

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


def send(call: Call) -> Answer:
    """Make one request, once. Raises NotSent or AnswerLost."""
    timeout = CREATE_TIMEOUT if call.kind == CallKind.CREATE else READ_TIMEOUT
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=False) as client,
            client.stream(call.method, _url(call), headers=dict(call.headers), json=call.body) as response,
        ):
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise transport_failure("body_too_large", call.kind)
            return _answer(response, bytes(content))
    except httpx.TransportError as error:
        raise error_of(error, call.kind) from None
    except (httpx.InvalidURL, httpx.DecodingError):
        raise transport_failure("protocol_error", call.kind) from None


def fetch_many(calls: Sequence[Call]) -> list[Answer | ProviderError]:
    """Make these reads concurrently, each under its own deadline; one that hangs holds up no other.

    The result has the order of ``calls``; a call that failed has its error in its place.
    """
    return asyncio.run(_fetch_all(calls)) if calls else []


async def _fetch_all(calls: Sequence[Call]) -> list[Answer | ProviderError]:
    async with httpx.AsyncClient(timeout=READ_TIMEOUT, limits=LIMITS, follow_redirects=False) as client:
        return list(await asyncio.gather(*(_fetch(client, call) for call in calls)))


async def _fetch(client: httpx.AsyncClient, call: Call) -> Answer | ProviderError:
    try:
        async with asyncio.timeout(READ_DEADLINE):
            response = await client.request(call.method, _url(call), headers=dict(call.headers), json=call.body)
    except httpx.TransportError as error:
        return error_of(error, call.kind)
    except (httpx.InvalidURL, httpx.DecodingError):
        return transport_failure("protocol_error", call.kind)
    except TimeoutError:
        return transport_failure("read_timeout", call.kind)
    return _answer(response, response.content)


def _answer(response: httpx.Response, content: bytes) -> Answer:
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, content)
