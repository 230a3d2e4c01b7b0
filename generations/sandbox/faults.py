"""Trouble on command: what goes wrong at the pretend vendors, how often, and a count of all that did.

``POST /_sandbox/faults`` sets it, ``GET`` shows it, a reset clears it; a restart changes nothing. Whether a fault
strikes is drawn from the seed and the number of the request or the name of the task, so that a run can be repeated
as far as threads allow.
"""

import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Protocol

from .books import Books
from .exchange import JSON_TYPE, Request, Response, bytes_response

KINDS: dict[str, dict[str, str]] = {
    "create": {
        "429": "refused with Retry-After: 1 or 2; nothing is booked",
        "500_before": "500; nothing is booked",
        "500_after": "booked and charged as usual, then 500",
        "drop_after": "booked, then the connection is dropped",
        "hang": "booked, then the answer takes hang_s seconds",
        "html_after": "booked, then 200 with an HTML page",
        "cut_after": "booked, then the first half of the JSON",
    },
    "read": {
        "429": "refused with Retry-After: 1 or 2",
        "500": "500",
        "hang": "the answer takes hang_s seconds",
        "html": "200 with an HTML page",
        "cut": "the first half of the JSON",
    },
    "media": {
        "cut": "half of the bytes, then the connection is dropped",
        "expired": "the first link to a file that is used answers 403, for ever; any other link is good",
        "norange": "Range is ignored: 200 and the whole file",
        "slow": "the bytes take hang_s seconds",
    },
    "callback": {
        "lose": "never sent",
        "forge": "before the true one comes another, signed with a wrong secret, that says something else",
        "replay": "after the true one its headers come again with another body",
        "late": "sent once, signed six minutes ago",
    },
}
"""What can go wrong where. In create and read at most one fault strikes a request: their rates are shares of one."""

HANG_S = 20.0
_HANG_MAX_S = 600.0
_PAGE = b"<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1>\n"
_NOTE = "faults"


class BadPlan(ValueError):
    """What is wrong with an order of faults."""


@dataclass(frozen=True)
class Plan:
    """How often what goes wrong. ``vendors``: their names, None for all."""

    seed: int = 0
    vendors: tuple[str, ...] | None = None
    create: Mapping[str, float] = field(default_factory=dict)
    read: Mapping[str, float] = field(default_factory=dict)
    media: Mapping[str, float] = field(default_factory=dict)
    callback: Mapping[str, float] = field(default_factory=dict)
    hang_s: float = HANG_S

    def rates(self, area: str, vendor: str) -> Mapping[str, float]:
        """The rates that hold for a vendor; empty when it is to be left alone."""
        chosen: Mapping[str, float] = getattr(self, area)
        return chosen if self.vendors is None or vendor in self.vendors else {}


def read_plan(value: object) -> Plan:
    """:raises BadPlan: for anything that is not exactly an order of faults."""
    if not isinstance(value, dict):
        raise BadPlan("the body must be a JSON object")
    for name in value:
        if name not in Plan.__dataclass_fields__:
            raise BadPlan(f"unknown: {name}")
    seed, vendors, hang_s = value.get("seed", 0), value.get("vendors"), value.get("hang_s", HANG_S)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise BadPlan("seed must be a whole number")
    if vendors is not None and not (isinstance(vendors, list) and all(isinstance(name, str) for name in vendors)):
        raise BadPlan("vendors must be a list of names, or null for all")
    if not _is_number(hang_s, _HANG_MAX_S):
        raise BadPlan("hang_s must be a number of seconds")
    rates = {area: _rates(area, value.get(area, {})) for area in KINDS}
    return Plan(seed, None if vendors is None else tuple(vendors), **rates, hang_s=hang_s)


def _rates(area: str, value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise BadPlan(f"{area} must be an object of rates")
    for kind, rate in value.items():
        if kind not in KINDS[area]:
            raise BadPlan(f"unknown: {area}.{kind}")
        if not _is_number(rate, 1):
            raise BadPlan(f"{area}.{kind} must be between 0 and 1")
    if area in ("create", "read") and sum(value.values()) > 1 + 1e-9:
        raise BadPlan(f"the rates of {area} are more than 1 together")
    return value


def _is_number(value: object, most: float) -> bool:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    return good and math.isfinite(value) and 0 <= value <= most  # type: ignore[arg-type,operator]  # checked before


class Vendor(Protocol):
    """What is asked of a vendor here: who it is, and its own words for trouble."""

    NAME: ClassVar[str]

    def crashed(self) -> Response:
        """500."""

    def throttled(self, seconds: int) -> Response:
        """429 with Retry-After."""


class Faults:
    """Draws, strikes and counts."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.plan = read_plan(json.loads(books.noted(_NOTE) or "{}"))

    def order(self, value: object) -> None:
        """Misbehave like this from now on; an empty order is none.

        :raises BadPlan: with what is wrong; then nothing changes.
        """
        self.plan = read_plan(value)
        self.books.note(_NOTE, json.dumps(value))

    def forget(self) -> None:
        """Behave. The counts go with the books."""
        self.plan = Plan()

    def shown(self) -> dict[str, Any]:
        """The present order, and by vendor what was done: ``create.429`` and so on; ``create.asked`` counts draws."""
        return {"order": asdict(self.plan), "done": self.books.tallies()}

    def hang(self) -> None:
        """Keep somebody waiting."""
        time.sleep(self.plan.hang_s)

    # -- draws

    def strikes(self, area: str, kind: str, vendor: str, subject: str) -> bool:
        """Whether this fault strikes this subject, which may be asked any number of times. Not counted here."""
        rate = self.plan.rates(area, vendor).get(kind, 0)
        return rate > 0 and self._chance(area, kind, vendor, subject) < rate

    def turn(self, area: str, vendor: str) -> str:
        """The number of this request, for draws that differ from request to request."""
        return str(self.books.tally(vendor, f"{area}.asked")) if self.plan.rates(area, vendor) else ""

    def did(self, area: str, kind: str, vendor: str) -> int:
        """Count a fault that was done; returns how often it was."""
        return self.books.tally(vendor, f"{area}.{kind}")

    def _chance(self, *parts: str) -> float:
        digest = hashlib.sha256("/".join((str(self.plan.seed), *parts)).encode()).digest()
        return int.from_bytes(digest[:8], "big") / (1 << 64)

    def _pick(self, area: str, vendor: str) -> str:
        rates = self.plan.rates(area, vendor)
        left = self._chance(area, vendor, self.turn(area, vendor)) if rates else 1.0
        for kind, rate in rates.items():
            if left < rate:
                return kind
            left -= rate
        return ""

    # -- around one request to a vendor

    def around(self, vendor: Vendor, request: Request, answer: Callable[[], Response]) -> Response:
        """The answer, or what trouble makes of it. Only what was accepted is spoilt afterwards.

        :raises Refused: as the answer does.
        """
        area = _area(request)
        kind = self._pick(area, vendor.NAME) if area else ""
        if kind in ("429", "500", "500_before"):
            times = self.did(area, kind, vendor.NAME)
            return vendor.throttled(1 + times % 2) if kind == "429" else vendor.crashed()
        response = answer()
        if kind and response.status == 200:
            self.did(area, kind, vendor.NAME)
            return self._spoilt(kind.removesuffix("_after"), vendor, request, response)
        return response

    def _spoilt(self, kind: str, vendor: Vendor, request: Request, response: Response) -> Response:
        if kind == "hang":
            self.hang()
            return response
        if kind == "html":
            return bytes_response(200, "text/html; charset=utf-8", _PAGE)
        if kind == "cut":
            data = b"".join(response.body)
            return bytes_response(200, JSON_TYPE, data[: len(data) // 2])
        if kind == "drop":
            request.hang_up()
        return vendor.crashed()


def _area(request: Request) -> str:
    """Creates and reads are troubled; a cancel is neither."""
    if request.method == "POST":
        return "" if request.path.endswith("/cancel") else "create"
    return "read" if request.method == "GET" else ""
