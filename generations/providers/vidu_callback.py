"""Who really sent a callback: Vidu signs head, never body [docs: callback-signature].

A callback is therefore a nudge to ask, not news by itself: its head can be sent again with another body.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from . import wire
from .base import Answer, BadCallback, RemoteState
from .vidu_words import STATES

ALGORITHM, ACCESS_KEY = "hmac-sha256", "vidu"
TOLERANCE = timedelta(minutes=5)  # how far the sender's clock may be off; a nonce must be remembered as long


def check(method: str, url: str, headers: Mapping[str, str], secret: str, now: datetime) -> str:
    """The nonce of a callback that is genuine; seen once, it must not be taken again. Raises BadCallback.

    ``url`` is the one that was registered, not the one that arrived: a proxy may have changed it. ``secret`` is the
    token that made the task, unless the key says otherwise. ``now`` is aware.
    """
    head = {name.lower(): value for name, value in headers.items()}
    if (head.get("x-hmac-algorithm"), head.get("x-hmac-access-key")) != (ALGORITHM, ACCESS_KEY):
        raise BadCallback("another algorithm or access key")
    try:
        given = base64.b64decode(head.get("x-hmac-signature", ""), validate=True)
        sent = parsedate_to_datetime(head.get("date", ""))
    except (binascii.Error, ValueError, TypeError, OverflowError):
        raise BadCallback("no signature or no date") from None
    wanted = hmac.digest(secret.encode(), signing_string(method, url, head).encode(), hashlib.sha256)
    if not hmac.compare_digest(given, wanted):
        raise BadCallback("the signature differs")
    if sent.tzinfo is None or abs(now - sent) > TOLERANCE:
        raise BadCallback("too early or too late")
    if not (nonce := head.get("x-request-nonce", "")):
        raise BadCallback("no nonce")
    return nonce


def signing_string(method: str, url: str, headers: Mapping[str, str]) -> str:
    """What is signed, of lower-case headers. The query stays as written, neither sorted nor encoded anew."""
    parts = urlsplit(url)
    lines = [method.upper(), parts.path or "/", parts.query, ACCESS_KEY, headers.get("date", "")]
    named = [name for name in headers.get("x-hmac-signed-headers", "").split(";") if name]
    lines += [f"{name}:{headers.get(name.lower(), '')}" for name in named]
    return "".join(f"{line}\n" for line in lines)


def state_of(body: bytes) -> tuple[str, RemoteState | None]:
    """The table of the page says ``state``, its prose ``status`` [docs: callback]."""
    said = wire.mapping(Answer(200, {}, body).json())
    word = wire.word(said.get("state")) or wire.word(said.get("status"))
    return word, STATES.get(word)
