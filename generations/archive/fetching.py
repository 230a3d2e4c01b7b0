"""One file over HTTP into a part: where a part is there it goes on, if the server still has the same file."""

import hashlib
import re
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, InvalidURL
from pathlib import Path

from generations.archive.connections import Answer, get
from generations.archive.errors import AddressRefused, CopyFailed, LinkDead, NotAClip, WebPage, not_written
from generations.archive.parts import Part, Source, hold, this_boot
from generations.archive.storing import check_room
from generations.guard import Guard, Refused, check_url

MAX_CLIP_BYTES = 4 * 1024**3
MAX_COVER_BYTES = 20 * 1024**2
DEAD = frozenset({400, 401, 403, 404, 410})  # GCS and S3 call some expired signatures a bad request
OK, PARTIAL, BAD_REQUEST, BAD_RANGE = 200, 206, 400, 416
PAGES = frozenset({"text/html", "application/xhtml+xml"})
CHUNK = 256 * 1024
LOOK_FOR_ROOM_EVERY = 16 * 1024**2  # bytes: other copies fill the same disk
# Packed bytes would be stored packed: what is written is what was sent.
PLAIN = {"Accept-Encoding": "identity"}
STRONG_TAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')
SPAN = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Copied:
    sha256: str
    size: int  # bytes
    status: int | None = None  # HTTP; None when the part was whole already and nothing was asked
    seconds: float = 0.0
    resumed_from: int = 0  # bytes that were there already


class _DoesNotFit(Exception):
    """The part and the answer do not belong together: begin again."""


def download(
    url: str, target: Path | Part, *, guard: Guard, most: int = MAX_CLIP_BYTES, alive: Callable[[], None] = lambda: None
) -> Copied:
    """Copy ``url`` into the part or file ``target``, from where ``guard`` lets requests go. Raises CopyError.

    ``alive`` is called before every request, which takes ANSWER_SECONDS at most, and with every chunk.

    What came stays in ``target`` when it breaks off, and the next call goes on from there.
    """
    try:
        check_url(url)
    except Refused:
        raise LinkDead("The vendor gave no usable address.") from None
    with nullcontext(target) if isinstance(target, Part) else hold(target) as part:
        copy = _Copy(url, part, guard, most, alive)
        try:
            try:
                return copy.make()
            except _DoesNotFit:
                part.begin(None)
                return copy.make()
        except OSError as error:
            raise not_written(error) from None


class _Copy:
    """One call of ``download``. An OSError that leaves it is one of our disk; those of the network are CopyErrors."""

    def __init__(self, url: str, part: Part, guard: Guard, most: int, alive: Callable[[], None]) -> None:
        self.url, self.part, self.guard, self.most, self.alive = url, part, guard, most, alive
        self.digest, self.started = hashlib.sha256(), time.monotonic()

    def make(self) -> Copied:
        known = self.part.source()
        if known is None:
            self.part.begin(None)
        elif self.part.is_whole:
            self._take_in_what_is_there()
            return self._finish(known.total, None, known.total)
        with self._ask(known) as answer:
            self._look_at(answer, known)
            start = self.part.size if answer.status == PARTIAL else 0
            total = known.total if known and start else self._begin(answer)
            self._pour(answer, total)
            return self._finish(total, answer.status, start)

    def _ask(self, known: Source | None) -> Answer:
        headers = dict(PLAIN)
        if known:
            headers |= {"Range": f"bytes={self.part.size}-", "If-Range": known.validator}
        self.alive()
        try:
            return get(self.url, headers, self.guard)
        except (InvalidURL, ValueError):
            raise LinkDead("The vendor gave no usable address.") from None
        except (OSError, HTTPException) as error:
            raise _broke_off(error) from None

    def _look_at(self, answer: Answer, known: Source | None) -> None:
        """Go on only with an answer that brings what was asked for."""
        status = answer.status or 0
        if known and status in (BAD_REQUEST, BAD_RANGE):
            raise _DoesNotFit
        if status in DEAD:
            raise LinkDead(f"The vendor's link answered {status}.", status=status)
        if status == PARTIAL and known:
            if not _fits(answer.headers, known, self.part.size):
                raise _DoesNotFit
        elif status != OK:
            raise CopyFailed(f"The vendor's storage answered {status}.", word="refused", status=status)
        if answer.headers.get_content_type() in PAGES:
            raise WebPage("The vendor's link gave a web page, which is no clip.", status=status)
        if answer.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise CopyFailed("The vendor's storage sent packed bytes.", word="packed", status=status)
        if status == PARTIAL:
            self._take_in_what_is_there()

    def _begin(self, answer: Answer) -> int | None:
        """Start from zero. Returns the length, where the server announces one."""
        announced = answer.headers.get("Content-Length", "")
        total = int(announced) if announced.isdecimal() and len(announced) < 19 else None
        if total is not None and total > self.most:
            raise self._too_large(answer.status)
        validator = _validator(answer.headers)
        self.part.begin(Source(validator, total, this_boot()) if validator and total else None)
        self.digest = hashlib.sha256()
        return total

    def _pour(self, answer: Answer, total: int | None) -> None:
        size, look_again_at = self.part.size, 0
        if total is not None:
            check_room(self.part.path.parent, total - size)
        self.part.file.seek(size)
        while chunk := self._read(answer):
            size += len(chunk)
            if size > self.most:
                raise self._too_large(answer.status)
            if size > look_again_at:
                check_room(self.part.path.parent, len(chunk))
                look_again_at = size + LOOK_FOR_ROOM_EVERY
            self.digest.update(chunk)
            self.part.write(chunk)
            self.alive()
        if total is not None and size != total:
            raise CopyFailed(f"The copy broke off at {size} of {total} bytes.", status=answer.status)

    def _read(self, answer: Answer) -> bytes:
        """What one look at the socket brings. Whole blocks would let a trickle keep us for ever without a word."""
        try:
            return answer.read1(CHUNK)
        except (OSError, HTTPException) as error:
            raise _broke_off(error, answer.status) from None

    def _take_in_what_is_there(self) -> None:
        """The hash is that of the whole file, so what was copied earlier is read once more."""
        self.digest = hashlib.sha256()
        self.part.file.seek(0)
        while chunk := self.part.file.read(CHUNK):
            self.digest.update(chunk)
            self.alive()

    def _finish(self, total: int | None, status: int | None, start: int) -> Copied:
        self.part.sync()
        size = self.part.size if total is None else total
        return Copied(self.digest.hexdigest(), size, status, time.monotonic() - self.started, start)

    def _too_large(self, status: int | None) -> NotAClip:
        return NotAClip(f"The file is larger than {self.most} bytes.", word="too large", status=status)


def _broke_off(error: Exception, status: int | None = None) -> CopyFailed:
    reason = getattr(error, "reason", error)  # urllib wraps what happened while connecting
    if isinstance(reason, Refused):
        return AddressRefused(str(reason))
    name = type(reason if isinstance(reason, Exception) else error).__name__
    word = "timeout" if isinstance(reason, TimeoutError) else ""
    return CopyFailed(f"The copy broke off ({name}).", word=word, status=status)


def _fits(headers: Message, known: Source, start: int) -> bool:
    """Whether these bytes go on exactly where the part ends, and are of the same file."""
    span = SPAN.fullmatch(headers.get("Content-Range", "").strip())
    if not span or (int(span[1]), int(span[3])) != (start, known.total) or not start <= int(span[2]) < known.total:
        return False
    name = "ETag" if known.validator.startswith('"') else "Last-Modified"
    return headers.get(name, known.validator).strip() == known.validator  # some servers do not look at If-Range


def _validator(headers: Message) -> str:
    """By which the server can tell that the file is byte for byte the same; empty when it gives nothing so strong."""
    tag = headers.get("ETag", "").strip()
    if STRONG_TAG.fullmatch(tag):
        return tag
    modified = headers.get("Last-Modified", "").strip()
    try:  # RFC 9110, 8.8.2.2: two changes can fall into one second, so the date must be an older one
        age = parsedate_to_datetime(headers.get("Date", "")) - parsedate_to_datetime(modified)
    except (ValueError, TypeError):
        return ""
    return modified if age > timedelta(seconds=1) else ""
