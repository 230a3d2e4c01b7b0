"""Vtrix' protocol (Vtrix docs; paths and envelope from its published command line [client code]).

Prices are invented: USD 0.06 a second for every model [inferred]. The books count ten-thousandths of a dollar.
"""

import secrets
import uuid
from decimal import Decimal
from typing import Any

from .exchange import Request, Response, Route, json_response, route
from .fields import Ask
from .gateway import Cause, Gateway
from .tasks import Phase, Task
from .vtrix_fields import read_ask

UNITS_PER_DOLLAR = 10_000
UNITS_PER_SECOND = 600

_WORDS = {
    Phase.CREATED: "in_progress",
    Phase.WAITING: "in_progress",
    Phase.WORKING: "in_progress",
    Phase.DONE: "completed",
    Phase.FAILED: "failed",
}
_REFUSALS = {
    Cause.KEY: (401, "API key is missing or invalid"),
    Cause.FORBIDDEN: (403, "Permission denied"),
    Cause.MONEY: (403, "Insufficient balance"),
    Cause.FIELD: (400, "{}"),
    Cause.POLICY: (400, "Content policy violation: the prompt was rejected"),
    Cause.MODEL: (400, "Model unavailable: {}"),
    Cause.QUOTA: (429, "Too many running tasks, quota exceeded"),
    Cause.NO_TASK: (404, "Task not found"),
    Cause.NO_PATH: (404, "Not found"),
    Cause.BROKEN: (500, "Internal server error"),
}
# The codes name a step of the gateway's own, never the cause (Vtrix docs); 0 is no error, so it gives no reason.
_FAILURES = {
    "CreationPolicyViolation": (8_020_095, "Content policy violation detected in the generated video"),
    "InternalServiceFailure": (8_020_099, "Task creation error"),
    "": (0, ""),
}


class Vtrix(Gateway):
    """Create and query."""

    NAME = "vtrix"
    PREFIX = "/model/v1/"
    UNITS_PER_CREDIT = 50  # a credit is USD 0.005 at Vidu

    def paths(self) -> list[Route]:
        """There is nothing else."""
        return [
            route("POST", f"{self.PREFIX}generation", self.creating(read_ask)),
            route("GET", f"{self.PREFIX}generation/task/{{task_id}}", self.showing(self._describe)),
        ]

    def say(self, cause: Cause, detail: str) -> Response:
        """A message alone [client code]; only the throttle is worded by the sister gateway's page."""
        if cause is Cause.THROTTLE:
            fault = {"code": "RATE_LIMIT_EXCEEDED", "message": "Rate limit exceeded"}
            return json_response(429, {"error": fault, "request_id": uuid.uuid4().hex})
        status, message = _REFUSALS[cause]
        return json_response(status, {"message": message.format(detail)})

    def new_ids(self, now: float) -> tuple[str, str]:
        """Opaque letters; the job id is a number of Vidu's."""
        return secrets.token_hex(8), str(int(now * 1_000_000))

    def quote(self, ask: Ask) -> int:
        """Ten-thousandths of a dollar."""
        return UNITS_PER_SECOND * ask.duration

    def receipt(self, task: Task) -> dict[str, Any]:
        """In progress from the start: there is no word for waiting."""
        return _head(task) | {"status": "in_progress"}

    def _describe(self, request: Request, task: Task, now: float) -> dict[str, Any]:
        """``GET /model/v1/generation/task/{id}`` [client code]."""
        phase = task.phase(now)
        answer = _head(task) | {"status": self.word(task, now, _WORDS)}
        if phase is Phase.DONE:
            return answer | {
                "output": self._output(request, task, now),
                "usage": _usage(task),
                "metadata": {"request_id": f"r-{task.id}"},
            }
        if phase is Phase.FAILED:
            code, message = _FAILURES[task.failure or ""]
            return answer | {"error": {"code": code, "error_message": message}}
        return answer | {"progress": task.progress(now) / 100}

    def _output(self, request: Request, task: Task, now: float) -> list[dict[str, Any]]:
        url = self.video_link(request, task, now)
        return [{"content": [{"type": "video", "url": url, "jobId": task.creation_id}]}] if url else []


def _usage(task: Task) -> dict[str, Any]:
    """Dollars as decimal strings."""
    cost, price = (Decimal(units) / UNITS_PER_DOLLAR for units in (task.quote, UNITS_PER_SECOND))
    return {"cost": f"{cost:.4f}", "discount": 0, "quantity": task.duration, "unit_price": f"{price:.2f}"}


def _head(task: Task) -> dict[str, Any]:
    return {"id": task.id, "model": task.model, "created_at": int(task.created_at)}
