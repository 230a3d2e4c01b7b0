"""The WSGI application: who answers a path, and what is said when nobody does."""

import ipaddress
import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .bell import Bell
from .books import OPENING_BALANCE, Books
from .dataeyes import DataEyes
from .exchange import Refused, Request, Response, Route, json_response, route
from .faults import BadPlan, Faults
from .fields import BadField
from .gateway import Gateway, json_body
from .media import Media, Signer
from .pictures import LOOPBACK
from .stage import Stage
from .studio import Folder, Studio
from .uniall import UniAll
from .vidu import Vidu
from .vtrix import Vtrix
from .xingchao import XingChao

log = logging.getLogger("sandbox")

VENDORS: tuple[type[Gateway], ...] = (Vidu, DataEyes, UniAll, XingChao, Vtrix)


class Sandbox:
    """All pretend vendors on one port, with their books and files in one directory."""

    def __init__(
        self, data: Path, speed: float = 1.0, short_side: int | None = None, opening_balance: int = OPENING_BALANCE
    ) -> None:
        self.folder = Folder(data)
        units = {kind.NAME: kind.UNITS_PER_CREDIT for kind in VENDORS}
        self.books = Books(data / "books.sqlite3", opening_balance, units)
        self.faults = Faults(self.books)
        media = Media(self.books, self.folder, Signer(data / "secret"), self.faults)
        stage = Stage(self.books, self.folder, media, self.faults, speed, short_side)
        vidu = Vidu(stage)
        self.vendors = [vidu, *(kind(stage) for kind in VENDORS if kind is not Vidu)]
        self.house_routes = [*media.routes(), *self._controls()]
        self.studio = Studio(self.books, self.folder)
        self.bell = Bell(data, self.books, self.faults, vidu.news, speed)

    def start(self) -> None:
        """Begin with what goes on besides answering."""
        self.studio.start()
        self.bell.start()

    def stop(self) -> None:
        """End it."""
        self.bell.stop()
        self.studio.stop()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        """PEP 3333."""
        response = self._answer(environ)
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", response.headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else response.body

    def _answer(self, environ: dict[str, Any]) -> Response:
        request = Request.from_environ(environ)
        try:
            return self.answer(request)
        except Refused as refusal:
            return refusal.response
        except Exception:  # the outermost line: a client must never see a traceback
            log.exception("a request failed")
            return (self._home(request) or self.vendors[0]).crashed()

    def answer(self, request: Request) -> Response:
        """Ask the first route that takes the request.

        :raises Refused: with the answer, in the vendor's own shape.
        """
        home = self._home(request)
        for each in home.routes if home else self.house_routes:
            if (parts := each.match(request)) is not None:
                answer = partial(each.action, request, **parts)
                return self.faults.around(home, request, answer) if home else answer()
        return (home or self.vendors[0]).not_found(request)

    def _home(self, request: Request) -> Gateway | None:
        """Whose path it is; one that is nobody's is refused as the first vendor would."""
        return next((vendor for vendor in self.vendors if request.path.startswith(vendor.PREFIX)), None)

    def _controls(self) -> list[Route]:
        return [
            route("GET", "/_sandbox/books", self.show_books),
            route("POST", "/_sandbox/reset", self.reset),
            route("POST", "/_sandbox/tamper", self.tamper),
            route("GET", "/_sandbox/faults", self.show_faults),
            route("POST", "/_sandbox/faults", self.order_faults),
        ]

    def show_books(self, request: Request) -> Response:
        """Everything the sandbox remembers, by vendor and key: for tests only."""
        _only_from_here(request)
        return json_response(200, self.books.summary(time.time()))

    def reset(self, request: Request) -> Response:
        """Forget every task, charge, count and fault, and remove the files."""
        _only_from_here(request)
        self.books.reset()
        self.faults.forget()
        self.folder.clear()
        return json_response(200, {})

    def tamper(self, request: Request) -> Response:
        """``{"vendor", "id", "amount"}``: the task costs so much from now on, in the units of the books."""
        _only_from_here(request)
        try:
            vendor, task_id, amount = _change(json_body(request))
        except BadField as fault:
            return json_response(400, {"error": fault.message})
        if not self.books.tamper(vendor, task_id, amount):
            return json_response(404, {"error": "no such task"})
        return json_response(200, {})

    def show_faults(self, request: Request) -> Response:
        """The present order of faults, and how many of each were done."""
        _only_from_here(request)
        return json_response(200, self.faults.shown())

    def order_faults(self, request: Request) -> Response:
        """Misbehave as the body says, from now on; ``{}`` ends it."""
        _only_from_here(request)
        try:
            self.faults.order(json_body(request))
        except (BadField, BadPlan) as fault:
            return json_response(400, {"error": getattr(fault, "message", str(fault))})
        return self.show_faults(request)


def _change(body: object) -> tuple[str, str, int]:
    """:raises BadField: for anything that is not exactly a vendor, a task and a whole amount."""
    if not isinstance(body, dict) or set(body) != {"vendor", "id", "amount"}:
        raise BadField("FieldInvalid", "body")
    amount = body["amount"]
    if not isinstance(amount, int) or isinstance(amount, bool) or not 0 <= amount < 2**53:
        raise BadField("FieldInvalid", "amount")
    return str(body["vendor"]), str(body["id"]), amount


def _only_from_here(request: Request) -> None:
    """The control pages answer this machine alone, under its own name: no web page may reach them by a foreign one."""
    try:
        near = ipaddress.ip_address(request.peer or "127.0.0.1").is_loopback
    except ValueError:
        near = False
    if not near or urlsplit(request.base_url).hostname not in LOOPBACK:
        raise Refused(json_response(403, {"error": "only from this machine"}))
