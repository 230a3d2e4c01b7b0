"""The WSGI application: who answers a path, and what is said when nobody does."""

import ipaddress
import logging
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import vidu
from .books import OPENING_BALANCE, Books
from .exchange import Refused, Request, Response, Route, Vendor, json_response, route
from .media import Media, Signer
from .pictures import LOOPBACK
from .stage import Stage
from .studio import Folder, Studio

log = logging.getLogger("sandbox")

VENDORS: tuple[Callable[[Stage], Vendor], ...] = (vidu.vendor,)


class Sandbox:
    """All pretend vendors on one port, with their books and files in one directory."""

    def __init__(
        self, data: Path, speed: float = 1.0, short_side: int | None = None, opening_balance: int = OPENING_BALANCE
    ) -> None:
        self.folder = Folder(data)
        self.books = Books(data / "books.sqlite3", opening_balance)
        media = Media(self.books, self.folder, Signer(data / "secret"))
        stage = Stage(self.books, self.folder, media, speed, short_side)
        self.studio = Studio(self.books, self.folder)
        self.vendors = [vendor(stage) for vendor in VENDORS]
        self.house_routes = [*media.routes(), *self._controls()]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        """PEP 3333."""
        response = self._answer(environ)
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", response.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else response.body

    def _answer(self, environ: dict[str, Any]) -> Response:
        try:
            return self.answer(Request.from_environ(environ))
        except Refused as refusal:
            return refusal.response
        except Exception:  # the outermost line: a client must never see a traceback
            log.exception("a request failed")
            return vidu.error(500, "InternalServiceFailure", "internal service failure")

    def answer(self, request: Request) -> Response:
        """Ask the first route that takes the request.

        :raises Refused: with the answer, in the vendor's own shape.
        """
        home = next((vendor for vendor in self.vendors if request.path.startswith(vendor.prefix)), None)
        for each in home.routes if home else self.house_routes:
            if (parts := each.match(request)) is not None:
                return each.action(request, **parts)
        return home.not_found() if home else vidu.not_found()

    def _controls(self) -> list[Route]:
        return [route("GET", "/_sandbox/books", self.show_books), route("POST", "/_sandbox/reset", self.reset)]

    def show_books(self, request: Request) -> Response:
        """Everything the sandbox remembers, by vendor and key: for tests only."""
        _only_from_here(request)
        return json_response(200, self.books.summary(time.time()))

    def reset(self, request: Request) -> Response:
        """Forget every task, charge and count, and remove the files."""
        _only_from_here(request)
        self.books.reset()
        self.folder.clear()
        return json_response(200, {})


def _only_from_here(request: Request) -> None:
    """The control pages answer this machine alone, under its own name: no web page may reach them by a foreign one."""
    try:
        near = ipaddress.ip_address(request.peer or "127.0.0.1").is_loopback
    except ValueError:
        near = False
    if not near or urlsplit(request.base_url).hostname not in LOOPBACK:
        raise Refused(json_response(403, {"error": "only from this machine"}))
