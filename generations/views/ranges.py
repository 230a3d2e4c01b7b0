"""Files over HTTP with ranges (RFC 9110), as players need them to seek and Safari to play at all.

The permission is the caller's to check. One range per request is served; several at once, or a header that makes
no sense, are answered with the whole file, as the RFC allows.
"""

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core.files.base import File
from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header, parse_etags

log = logging.getLogger("videoforge.media")

# More digits than any file has bytes are no sensible range, and int() refuses thousands of them with an error.
RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file from ``start`` up to, not including, ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


class UnsatisfiableRange(ValueError):
    """A well-formed range of which the file has no byte."""


def read_range(header: str, size: int) -> Span | None:
    """The asked part of a file of ``size`` bytes, None for all of it. Raises UnsatisfiableRange."""
    match = RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        span = Span(max(size - int(match[2]), 0), size)
    elif not match[2]:
        span = Span(int(match[1]), size)
    elif int(match[2]) < int(match[1]):
        return None
    else:
        span = Span(int(match[1]), min(int(match[2]) + 1, size))
    if span.length <= 0:
        raise UnsatisfiableRange(header)
    return span


class Slice:
    """A part of an open file. ``fileno`` lets gunicorn send it from the kernel, at the place it was seeked to."""

    def __init__(self, file: "File[bytes]", span: Span) -> None:
        file.seek(span.start)
        self._file = file
        self._left = span.length

    def fileno(self) -> int:
        descriptor: int = self._file.fileno()
        return descriptor

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted) if wanted else b""
        self._left -= len(data)
        return data

    def close(self) -> None:
        self._file.close()


class RangeResponse(FileResponse):
    block_size = 256 * 1024  # of FileResponse's own 4 KB a clip has thousands

    def set_headers(self, filelike: Any) -> None:
        """All headers are given; the ones guessed here would be those of the whole file."""


def serve(
    request: HttpRequest, file: FieldFile, *, content_type: str, digest: str = "", download_as: str = ""
) -> HttpResponseBase:
    """Answer GET or HEAD with a stored file. ``digest`` is its sha256; ``download_as`` makes it an attachment.

    Raises Http404 for a file that is not there, and tells the log: somebody believed it was.
    """
    opened, size = _open(file)
    etag = f'"{digest or hashlib.sha256(f"{file.name} {size}".encode()).hexdigest()}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=3600",
        "Content-Disposition": content_disposition_header(bool(download_as), download_as) or "inline",
        "ETag": etag,
        "X-Content-Type-Options": "nosniff",
    }
    try:
        span = _wanted_span(request, size, etag)
    except UnsatisfiableRange:
        opened.close()
        return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    if _has_it_already(request, etag):
        opened.close()
        return HttpResponse(status=304, headers=headers)
    return _respond(request, opened, size, span, {**headers, "Content-Type": content_type})


def _open(file: FieldFile) -> "tuple[File[bytes], int]":
    try:
        opened = file.storage.open(file.name or "", "rb")
        return opened, opened.size
    except (FileNotFoundError, IsADirectoryError) as error:
        log.error("stored file is missing: %s", file.name)
        raise Http404("the file is missing") from error


def _has_it_already(request: HttpRequest, etag: str) -> bool:
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return "*" in known or etag in {tag.removeprefix("W/") for tag in known}


def _wanted_span(request: HttpRequest, size: int, etag: str) -> Span | None:
    """Ranges are defined for GET alone, and hold only for the very bytes that If-Range names."""
    if request.method != "GET" or _has_it_already(request, etag):
        return None
    if request.headers.get("If-Range", etag).strip() != etag:
        return None
    return read_range(request.headers.get("Range", ""), size)


def _respond(
    request: HttpRequest, opened: "File[bytes]", size: int, span: Span | None, headers: Mapping[str, str]
) -> HttpResponseBase:
    sent = span or Span(0, size)
    headers = {**headers, "Content-Length": str(sent.length)}
    if span is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
    if request.method == "HEAD":
        opened.close()
        return HttpResponse(headers=headers)
    return RangeResponse(Slice(opened, sent), status=206 if span else 200, headers=headers)
