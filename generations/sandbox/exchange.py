"""One HTTP request and one answer, as values: as much framework as the sandbox needs."""

import json
import re
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import parse_qsl

JSON_TYPE = "application/json"
_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?")
_BLOCK = 1 << 16
_DRAIN_LIMIT = 200 << 20


@dataclass(frozen=True)
class Request:
    """What came in. ``headers`` has lower-case names, ``query`` keeps repeated keys in order."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    stream: IO[bytes]
    peer: str = ""
    connection: socket.socket | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, Any]) -> "Request":
        """Read a WSGI environ (PEP 3333)."""
        headers = {
            name[5:].replace("_", "-").lower(): str(environ[name]) for name in environ if name.startswith("HTTP_")
        }
        headers["content-type"] = str(environ.get("CONTENT_TYPE") or "")
        path = str(environ.get("PATH_INFO") or "/").encode("latin-1").decode("utf-8", "replace")
        return cls(
            method=str(environ["REQUEST_METHOD"]).upper(),
            path=path,
            query=parse_qsl(str(environ.get("QUERY_STRING") or ""), keep_blank_values=True),
            headers=headers,
            stream=environ["wsgi.input"],
            peer=str(environ.get("REMOTE_ADDR") or ""),
            connection=environ.get("gunicorn.socket"),
        )

    @property
    def base_url(self) -> str:
        """The address the client used, so that links lead back the way it came."""
        host = self.headers.get("host", "")
        return f"http://{host if _HOST.fullmatch(host) else '127.0.0.1'}"

    def values(self, key: str) -> list[str]:
        """Every non-empty value of a query key, in order."""
        return [value for name, value in self.query if name == key and value]

    def value(self, *keys: str) -> str:
        """The first non-empty value of the first key that has one; empty when none has."""
        return next((value for key in keys for value in self.values(key)), "")

    def body(self, limit: int) -> bytes | None:
        """The body, or None when it is longer than ``limit`` bytes.

        Even then it is read to the end: a client that is still sending would see a reset and never the answer.
        """
        data = self.stream.read(limit + 1)
        if len(data) <= limit:
            return data
        left = _DRAIN_LIMIT
        while left > 0 and (block := self.stream.read(_BLOCK)):
            left -= len(block)
        return None

    def hang_up(self) -> None:
        """Drop the connection without an answer, as a broken proxy would."""
        if self.connection is not None:
            self.connection.shutdown(socket.SHUT_RDWR)


@dataclass
class Response:
    """What goes out."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: Iterable[bytes] = ()


class Refused(Exception):
    """Ends a request early with this answer; each vendor builds it in its own shape."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def bytes_response(status: int, content_type: str, data: bytes, *headers: tuple[str, str]) -> Response:
    """An answer whose whole body is at hand."""
    return Response(status, [("Content-Type", content_type), ("Content-Length", str(len(data))), *headers], [data])


def json_response(status: int, value: object, *headers: tuple[str, str]) -> Response:
    """A JSON answer."""
    return bytes_response(status, JSON_TYPE, json.dumps(value).encode(), *headers)


Action = Callable[..., Response]


@dataclass(frozen=True)
class Route:
    """A method, a path pattern whose named groups become arguments, and what to do."""

    method: str
    pattern: re.Pattern[str]
    action: Action

    def match(self, request: Request) -> dict[str, str] | None:
        """The path's named parts when this route takes the request, else None. HEAD goes where GET goes."""
        method = "GET" if request.method == "HEAD" else request.method
        found = self.pattern.fullmatch(request.path) if method == self.method else None
        return found.groupdict() if found else None


def route(method: str, path: str, action: Action) -> Route:
    """``route("GET", "/tasks/{id}", show)``: a name in braces stands for one path segment."""
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
    return Route(method, re.compile(pattern), action)
