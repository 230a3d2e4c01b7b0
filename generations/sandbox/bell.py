"""The background thread that calls customers back when a task's state changes (Vidu docs: callback).

``processing`` is said once; ``success`` and ``failed`` are said again, up to three times, while the answer is not 2xx.
Nobody but this machine is ever called. What was said is in the books, so a restart repeats nothing that was heard.
"""

import base64
import hashlib
import hmac
import http.client
import json
import logging
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .books import Books, Ring
from .faults import Faults
from .pictures import LOOPBACK
from .studio import locked
from .tasks import Phase, Task

log = logging.getLogger("sandbox")

STATES = {Phase.WORKING: "processing", Phase.DONE: "success", Phase.FAILED: "failed"}
"""What is called about, and the word for it."""
RETRIES = 3
_PAUSE_S = 4.0
"""Before the first repetition, doubled for each further one; the page names no spacing."""
_IDLE_S = 0.1
_PATIENCE_S = 3.0
_HANDS = 8
_LATE_S = 360.0
_SIGNED = ("Date", "x-request-nonce")

News = Callable[[Task, str, float], dict[str, Any]]


def may_be_called(url: str) -> bool:
    """Whether an address is on this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and parts.hostname in LOOPBACK
    except ValueError:
        return False


def signed_headers(secret: str, url: str, date: str, nonce: str) -> dict[str, str]:
    """The headers of a POST to ``url`` as it was registered, neither sorted nor encoded anew; no body is signed."""
    parts = urlsplit(url)
    said = {"Date": date, "x-request-nonce": nonce}
    lines = ["POST", parts.path or "/", parts.query, "vidu", date, *(f"{name}:{said[name]}" for name in _SIGNED)]
    text = "".join(f"{line}\n" for line in lines)
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return said | {
        "X-HMAC-SIGNED-HEADERS": ";".join(_SIGNED),
        "X-HMAC-ALGORITHM": "hmac-sha256",
        "X-HMAC-ACCESS-KEY": "vidu",
        "X-HMAC-SIGNATURE": base64.b64encode(signature).decode(),
        "Content-Type": "application/json",
    }


@dataclass(frozen=True)
class Letter:
    """One POST: where to, with which headers and body."""

    url: str
    headers: dict[str, str]
    body: dict[str, Any]

    def is_heard(self) -> bool:
        """Send it; whether the answer is 2xx."""
        parts = urlsplit(self.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        line = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=_PATIENCE_S)
        try:
            line.request("POST", target, json.dumps(self.body).encode(), self.headers)
            return 200 <= line.getresponse().status < 300
        except (OSError, http.client.HTTPException, ValueError):
            return False
        finally:
            line.close()


def letter(secret: str, url: str, body: dict[str, Any], moment: float) -> Letter:
    """As the vendor writes it."""
    return Letter(url, signed_headers(secret, url, formatdate(moment, usegmt=True), str(uuid.uuid4())), body)


class Bell:
    """``news`` makes the body; ``speed`` divides the pauses between repetitions."""

    def __init__(self, root: Path, books: Books, faults: Faults, news: News, speed: float = 1.0) -> None:
        self.root = root
        self.books = books
        self.faults = faults
        self.news = news
        self.speed = speed
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="bell", daemon=True)

    def start(self) -> None:
        """Begin calling."""
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> None:
        """End; who was not reached yet is called after the next start."""
        self._stop.set()
        self._thread.join(timeout)

    def _work(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / "bell.lock").open("w") as lock, ThreadPoolExecutor(_HANDS, "bell") as hands:
            while not self._stop.is_set() and not locked(lock.fileno()):  # of several processes only one calls
                self._stop.wait(_IDLE_S * 5)
            while not self._stop.is_set():
                try:
                    list(hands.map(lambda due: self._say(*due), self.books.bells(time.time())))
                except sqlite3.Error:
                    log.exception("the books cannot be read")
                self._stop.wait(_IDLE_S)

    def _say(self, ring: Ring, task: Task) -> None:
        """Tell where the task stands, unless that was told."""
        state = STATES.get(task.phase(time.time()), "")
        if not state or state == ring.said or self._stop.is_set():
            return
        heard = self._call(ring, task, state)
        if state == "processing":
            self.books.rang(task.id, state)
        elif heard or ring.tries >= RETRIES:
            self.books.take_down_bell(task.id)
        else:
            self.books.ring_again(task.id, time.time() + _PAUSE_S * 2**ring.tries / self.speed)

    def _call(self, ring: Ring, task: Task, state: str) -> bool:
        """Send what is to be sent, faults included; whether no more has to be said about this state."""
        if self._struck("lose", task, state):
            return True
        now, url = time.time(), task.extra["callback_url"]
        body = self.news(task, ring.base_url, now)
        if self._struck("late", task, state):
            letter(task.account, url, body, now - _LATE_S).is_heard()
            return True
        other = body | {"state": "failed" if state != "failed" else "success", "err_code": "", "credits": 0}
        if self._struck("forge", task, state):
            letter(f"{task.account}-forged", url, other, now).is_heard()
        true = letter(task.account, url, body, now)
        heard = true.is_heard()
        if self._struck("replay", task, state):
            Letter(url, true.headers, other).is_heard()
        return heard

    def _struck(self, kind: str, task: Task, state: str) -> bool:
        strikes = self.faults.strikes("callback", kind, task.vendor, f"{task.id}/{state}")
        if strikes:
            self.faults.did("callback", kind, task.vendor)
        return strikes
