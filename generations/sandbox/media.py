"""Links that die, and the files behind them: signed in the manner of S3, or plain."""

import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from .books import Books
from .exchange import Request, Response, Route, bytes_response, route
from .faults import Faults
from .studio import Folder
from .tasks import Task

VIDEO_LIFETIME_S = 86_400
"""Vidu docs: get-generation, links are good for 24 hours."""
COVER_LIFETIME_S = 3_600
"""The seed's example signs the cover for an hour, whatever the page says."""

_DATE = "%Y%m%dT%H%M%SZ"
_BLOCK = 1 << 16
_DROPS = 40
"""So many pieces a slow download comes in, or a few more."""
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_FILES = {"video.mp4": "video/mp4", "watermarked.mp4": "video/mp4", "cover.jpeg": "image/jpeg"}
_HTML = b"<!doctype html><title>Please wait</title><p>Your file is being prepared.</p>\n"

Span = tuple[int, int]
"""First and last byte, both included."""


class Signer:
    """Makes and checks links, with a secret that is kept in the data directory (mode 0600)."""

    def __init__(self, secret_file: Path) -> None:
        secret_file.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(secret_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(32))
        self._secret = secret_file.read_bytes()

    def _signature(self, path: str, date: str, expires: str) -> str:
        return hmac.new(self._secret, f"GET\n{path}\n{date}\n{expires}".encode(), hashlib.sha256).hexdigest()

    def link(self, base_url: str, path: str, now: float, lifetime_s: int) -> str:
        """A link that is good for ``lifetime_s`` seconds from ``now``."""
        date, expires = datetime.fromtimestamp(now, UTC).strftime(_DATE), str(lifetime_s)
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"SANDBOX/{date[:8]}/sandbox/s3/aws4_request",
            "X-Amz-Date": date,
            "X-Amz-Expires": expires,
            "X-Amz-SignedHeaders": "host",
            "X-Amz-Signature": self._signature(path, date, expires),
        }
        return f"{base_url}{path}?{urlencode(query)}"

    def fault(self, request: Request, now: float) -> str:
        """Why this link does not open the file; empty when it does."""
        date, expires = request.value("X-Amz-Date"), request.value("X-Amz-Expires")
        given = request.value("X-Amz-Signature").encode()
        if not hmac.compare_digest(given, self._signature(request.path, date, expires).encode()):
            return "Signature does not match"
        signed = datetime.strptime(date, _DATE).replace(tzinfo=UTC).timestamp()
        return "" if signed - 60 <= now < signed + int(expires) else "Request has expired"

    def stamp(self, now: float, subject: str) -> str:
        """An opaque word for a path: when it was made, and a proof."""
        made = f"{int(now):x}"
        return f"{made}-{self._signature(subject, made, '')[:16]}"

    def stamp_fault(self, stamp: str, subject: str, now: float) -> str:
        """Why this word does not open the file; empty when it does. It is good for a day."""
        made = stamp.partition("-")[0]
        if not hmac.compare_digest(stamp.encode(), f"{made}-{self._signature(subject, made, '')[:16]}".encode()):
            return "Signature does not match"
        return "" if now < int(made, 16) + VIDEO_LIFETIME_S else "Request has expired"


class Media:
    """Serves the files of all vendors; a link needs no key."""

    def __init__(self, books: Books, folder: Folder, signer: Signer, faults: Faults) -> None:
        self.books = books
        self.folder = folder
        self.signer = signer
        self.faults = faults

    def routes(self) -> list[Route]:
        """Where the files are."""
        return [
            route("GET", "/media/{task_id}/{creation_id}/{name}", self.show),
            route("GET", "/v/{task_id}/{creation_id}/{stamp}/video.mp4", self.show_plain),
        ]

    def link(self, base_url: str, task: Task, name: str, now: float) -> str:
        """A fresh link to a file of a finished task; a stale one where the scenario ``[expired]`` asks for it."""
        lifetime = COVER_LIFETIME_S if name == "cover.jpeg" else VIDEO_LIFETIME_S
        path = f"/media/{task.id}/{task.creation_id}/{name}"
        return self.signer.link(base_url, path, _signing_time(task, now), lifetime)

    def plain_link(self, base_url: str, task: Task, now: float) -> str:
        """The same to the video, for vendors whose links show no date; they too die after a day [inferred]."""
        stamp = self.signer.stamp(_signing_time(task, now), f"{task.id}/{task.creation_id}")
        return f"{base_url}/v/{task.id}/{task.creation_id}/{stamp}/video.mp4"

    def show(self, request: Request, task_id: str, creation_id: str, name: str) -> Response:
        """What is behind a signed link."""
        return self._show(request, (task_id, creation_id, name), self.signer.fault(request, time.time()))

    def show_plain(self, request: Request, task_id: str, creation_id: str, stamp: str) -> Response:
        """What is behind a link without a signature."""
        fault = self.signer.stamp_fault(stamp, f"{task_id}/{creation_id}", time.time())
        return self._show(request, (task_id, creation_id, "video.mp4"), fault)

    def _show(self, request: Request, file: tuple[str, str, str], fault: str) -> Response:
        """The file, a part of it, or S3's refusal; ``fault`` is what is wrong with the link."""
        task_id, creation_id, name = file
        task = self.books.get(task_id)
        if task is None or creation_id != task.creation_id or name not in _FILES:
            return _xml(404, "NoSuchKey", "The specified key does not exist.")
        self.books.count(task.vendor, task.account, "media")
        if fault:
            self.books.glimpse(task.id)
            return _xml(403, "AccessDenied", fault)
        if self._is_dead(request, task, name):
            return _xml(403, "AccessDenied", "Request has expired")
        return self._odd(request, task, name) or self._file(request, task, name)

    def _is_dead(self, request: Request, task: Task, name: str) -> bool:
        """Where this fault strikes, the first link that is used is dead, for ever; any other is good."""
        subject = f"{task.id}/{name}"
        if not self.faults.strikes("media", "expired", task.vendor, subject):
            return False
        this = hashlib.sha256(f"{request.path}?{urlencode(request.query)}".encode()).hexdigest()
        if self.books.first_time(f"expired:{subject}"):
            self.books.first_time(f"dead:{this}")
        if dead := self.books.marked(f"dead:{this}"):
            self.faults.did("media", "expired", task.vendor)
        return dead

    def _odd(self, request: Request, task: Task, name: str) -> Response | None:
        """What a scenario word answers instead of the file."""
        if name == "cover.jpeg":
            return _xml(403, "AccessDenied", "Access Denied") if "nocover" in task.words else None
        if "html" in task.words:
            return bytes_response(200, "text/html; charset=utf-8", _HTML)
        if "empty" in task.words:
            return bytes_response(200, "video/mp4", b"")
        whole = request.method == "GET" and "range" not in request.headers
        if "cut" in task.words and whole and self.books.first_time(f"cut:{task.id}"):
            return self._broken_off(request, self.folder.video(task.id))
        return None

    def _broken_off(self, request: Request, path: Path) -> Response:
        size = path.stat().st_size
        headers = [*_file_headers(path, "video/mp4"), ("Content-Length", str(size))]
        return Response(200, headers, _half(request, _blocks(path, (0, size - 1)), size))

    def _file(self, request: Request, task: Task, name: str) -> Response:
        path = self.folder.cover(task.id) if name == "cover.jpeg" else self.folder.video(task.id)
        if not path.is_file():
            return _xml(404, "NoSuchKey", "The specified key does not exist.")
        headers, size = _file_headers(path, _FILES[name]), path.stat().st_size
        span = None if self._ignores_range(request, task, name, headers) else wanted_span(request, headers, size)
        if span is None:
            whole = self._sent(request, task, name, _blocks(path, (0, size - 1)), size)
            return Response(200, [*headers, ("Content-Length", str(size))], whole)
        if span[0] > span[1]:
            refusal = _xml(416, "InvalidRange", "The requested range is not satisfiable")
            refusal.headers.append(("Content-Range", f"bytes */{size}"))
            return refusal
        length = span[1] - span[0] + 1
        part = [("Content-Range", f"bytes {span[0]}-{span[1]}/{size}"), ("Content-Length", str(length))]
        return Response(206, [*headers, *part], self._sent(request, task, name, _blocks(path, span), length))

    def _ignores_range(self, request: Request, task: Task, name: str, headers: list[tuple[str, str]]) -> bool:
        """Whether this server knows no ranges; then it does not promise any either."""
        struck = self.faults.strikes("media", "norange", task.vendor, f"{task.id}/{name}")
        if not struck and not ("norange" in task.words and name != "cover.jpeg"):
            return False
        headers.remove(("Accept-Ranges", "bytes"))
        if struck and "range" in request.headers:
            self.faults.did("media", "norange", task.vendor)
        return True

    def _sent(self, request: Request, task: Task, name: str, blocks: Iterator[bytes], length: int) -> Iterator[bytes]:
        """The bytes as they are, broken off half way, or drop by drop."""
        if request.method == "HEAD":
            return blocks
        if "trickle" in task.words and name != "cover.jpeg":
            return _slowly(blocks, length, self.faults.plan.hang_s)
        turn = self.faults.turn("media", task.vendor)
        for kind in ("cut", "slow"):
            if self.faults.strikes("media", kind, task.vendor, turn):
                self.faults.did("media", kind, task.vendor)
                slow = kind == "slow"
                return _slowly(blocks, length, self.faults.plan.hang_s) if slow else _half(request, blocks, length)
        return blocks


def _half(request: Request, blocks: Iterator[bytes], length: int) -> Iterator[bytes]:
    left = length // 2
    for block in blocks:
        yield block[:left]
        left -= len(block)
        if left <= 0:
            break
    request.hang_up()


def _slowly(blocks: Iterator[bytes], length: int, seconds: float) -> Iterator[bytes]:
    drop = max(1, -(-length // _DROPS))
    for block in blocks:
        for start in range(0, len(block), drop):
            time.sleep(seconds / _DROPS)
            yield block[start : start + drop]


def _signing_time(task: Task, now: float) -> float:
    """Long ago for the first links of a task with ``[expired]``."""
    return now - 2 * VIDEO_LIFETIME_S if "expired" in task.words and not task.glimpses else now


def wanted_span(request: Request, headers: list[tuple[str, str]], size: int) -> Span | None:
    """The bytes a Range header asks for; None for the whole file, an empty span (first > last) for none of it."""
    asked = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if not asked or asked.group(1) == asked.group(2) == "" or not _still_the_same(request, dict(headers)):
        return None
    first, last = asked.groups()
    if not first:
        return (max(0, size - int(last)), size - 1) if int(last) else (1, 0)
    if last and int(last) < int(first):
        return None
    return (int(first), min(size - 1, int(last) if last else size - 1))


def _still_the_same(request: Request, headers: dict[str, str]) -> bool:
    """If-Range: the part is wanted only when the file has not changed (RFC 9110, 13.1.5)."""
    condition = request.headers.get("if-range", "")
    if not condition or condition == headers["ETag"]:
        return True
    try:
        return parsedate_to_datetime(condition) == parsedate_to_datetime(headers["Last-Modified"])
    except ValueError:
        return False


def _file_headers(path: Path, content_type: str) -> list[tuple[str, str]]:
    state = path.stat()
    return [
        ("Content-Type", content_type),
        ("Accept-Ranges", "bytes"),
        ("ETag", f'"{state.st_size:x}-{state.st_mtime_ns:x}"'),
        ("Last-Modified", formatdate(state.st_mtime, usegmt=True)),
    ]


def _blocks(path: Path, span: Span) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(span[0])
        left = span[1] - span[0] + 1
        while left > 0 and (block := file.read(min(_BLOCK, left))):
            left -= len(block)
            yield block


def _xml(status: int, code: str, message: str) -> Response:
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message><RequestId>{secrets.token_hex(8)}</RequestId>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
    return bytes_response(status, "application/xml", text.encode())
