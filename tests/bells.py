"""A vendor that calls back as Vidu's page says: what it sends, signed with the secret of the key."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from generations import callbacks
from generations.models import Attempt
from tests.factories import SECRET


def give_address(attempt: Attempt) -> str:
    """What dispatch does: the address that the vendor is told, of which we keep the digest of its word."""
    address = callbacks.address_for(attempt)
    assert address is not None
    url, attempt.callback_digest = address
    attempt.save(update_fields=["callback_digest"])
    return url


def http_date(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).strftime("%a, %d %b %Y %H:%M:%S GMT")


def signed(url: str, *, secret: str = SECRET, nonce: str = "", late: timedelta = timedelta()) -> dict[str, str]:
    """The head of a genuine callback to this address; ``late`` is how long ago it was signed."""
    parts, date, nonce = urlsplit(url), http_date(datetime.now(UTC) - late), nonce or str(uuid4())
    text = f"POST\n{parts.path}\n{parts.query}\nvidu\n{date}\nDate:{date}\nx-request-nonce:{nonce}\n"
    digest = hmac.digest(secret.encode(), text.encode(), hashlib.sha256)
    return {
        "Date": date,
        "x-request-nonce": nonce,
        "X-HMAC-SIGNED-HEADERS": "Date;x-request-nonce",
        "X-HMAC-ALGORITHM": "hmac-sha256",
        "X-HMAC-ACCESS-KEY": "vidu",
        "X-HMAC-SIGNATURE": base64.b64encode(digest).decode(),
    }


def told(state: str, **over: Any) -> bytes:
    """The body, in the shape of a query's answer."""
    body = {"id": "915200000000000001", "state": state, "err_code": "", "credits": 55, "creations": [], **over}
    return json.dumps(body).encode()
