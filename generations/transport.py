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
SHORTEST_SECRET = 8
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


def _headers(call: Call) -> dict[str, str]:
    # Packed, a small answer could unfold to gigabytes between two looks at its length.
    return {**call.headers, "Accept-Encoding": "identity"}


def send(call: Call) -> Answer:
    """Make one request, once. Raises NotSent or AnswerLost."""
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
            return _answer(call, response, bytes(content))
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
        async with (
            asyncio.timeout(READ_DEADLINE),
            client.stream(call.method, _url(call), headers=_headers(call), json=call.body) as response,
        ):
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    return transport_failure("body_too_large", call.kind)
            return _answer(call, response, bytes(content))
    except httpx.TransportError as error:
        return error_of(error, call.kind)
    except (httpx.InvalidURL, httpx.DecodingError):
        return transport_failure("protocol_error", call.kind)
    except TimeoutError:
        return transport_failure("read_timeout", call.kind)


def _answer(call: Call, response: httpx.Response, content: bytes) -> Answer:
    """The answer without our own secret in it: some gateways quote the key they refuse, and answers are stored."""
    secret = call.headers.get("Authorization", "").rpartition(" ")[2].encode()
    if len(secret) >= SHORTEST_SECRET:
        content = content.replace(secret, b"[key]")
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, content)
