"""DataEyes' protocol: Vidu's bodies under model ids that carry the price tier (DataEyes docs: query).

The page of the create could not be read: one path per mode, with Vidu's fields and answer, is [inferred]. Prices are
Vidu's credits, which the query passes on; what DataEyes itself charges is not known.
"""

import re
from dataclasses import replace
from functools import partial
from typing import Any

from .exchange import Refused, Request, Route, route
from .fields import MODES, Ask, BadField, as_object, check_fields, text
from .gateway import BODY_MAX, Cause, decoded
from .newapi import NewApi
from .tasks import Phase, Task
from .vidu_fields import OFFERS, read_ask
from .vidu_wire import decimal_ids, details, quote_for, receipt, report

_TIER = re.compile(r"(?P<family>.+)-(?P<resolution>[0-9]+p)-(?P<seconds>[1-9][0-9]?)s")


def read_tiered(mode: str, value: object) -> Ask:
    """Check a body whose model id names family, resolution and length, as ``viduq2-turbo-720p-5s``.

    ``duration`` and ``resolution`` may be absent and must agree with the id when present [inferred].

    :raises BadField: with the first thing that is wrong.
    """
    body = as_object(value)
    family, tier = _tier(mode, body.get("model", ""))
    ask = read_ask(mode, tier | body | {"model": family})
    for name, value in tier.items():
        if body.get(name, value) != value:
            raise BadField("FieldInvalid", name)
    return replace(ask, model=body["model"])


def _tier(mode: str, model: object) -> tuple[str, dict[str, Any]]:
    if model in ("", None):
        raise BadField("FieldLacking", "model")
    parts = _TIER.fullmatch(model) if isinstance(model, str) else None
    if not parts:
        raise BadField("FieldInvalid", "model")
    family, resolution, seconds = parts["family"], parts["resolution"], int(parts["seconds"])
    offer = OFFERS.get((mode, family))
    if offer is None or resolution not in offer.shapes.get(seconds, ()):
        raise BadField("FieldInvalid", "model")
    return family, {"duration": seconds, "resolution": resolution}


class DataEyes(NewApi):
    """Create and query; there is no list, no cancel and no balance."""

    NAME = "dataeyes"
    PREFIX = "/v2/"

    def paths(self) -> list[Route]:
        """One create per mode."""
        creates = [route("POST", f"{self.PREFIX}{mode}", self.creating(partial(read_tiered, mode))) for mode in MODES]
        return [*creates, route("GET", f"{self.PREFIX}tasks/{{task_id}}/creations", self.showing(self._describe))]

    def new_ids(self, now: float) -> tuple[str, str]:
        """Decimal strings, as Vidu's."""
        return decimal_ids(now)

    def quote(self, ask: Ask) -> int:
        """Vidu's credits."""
        return quote_for(ask, ask.body["model"])

    def details(self, ask: Ask) -> dict[str, Any]:
        """As Vidu."""
        return details(ask)

    def receipt(self, task: Task) -> dict[str, Any]:
        """Vidu's, with the id of the tier as model."""
        return receipt(task)

    def _describe(self, request: Request, task: Task, now: float) -> dict[str, Any]:
        """Every field is present, with zeros for what is not known (DataEyes docs: query)."""
        self._check_model(request, task)
        answer = report(self, request, task, now)
        answer["credits"] = task.quote if task.phase(now) is Phase.DONE else 0
        for creation in answer["creations"]:
            creation["video"] = {"duration": 0, "fps": 0, "resolution": None}
        return answer

    def _check_model(self, request: Request, task: Task) -> None:
        """:raises Refused: when the query names another model than the create did, or cannot be read.

        The page documents a JSON body on this GET; ``?model=`` and no model at all pass too [inferred].
        """
        try:
            named = _named_model(request)
        except BadField as fault:
            raise Refused(self.fault(fault)) from None
        if named is not None and named != task.model:
            raise self.refused(Cause.FIELD, "invalid field: model")


def _named_model(request: Request) -> object:
    """:raises BadField: for a body that holds anything but a model."""
    data = request.body(BODY_MAX)
    if data == b"":
        return request.value("model") or None
    body = as_object(decoded(request, data))
    check_fields({"model": text(100)}, ("model",), body)
    return body["model"]
