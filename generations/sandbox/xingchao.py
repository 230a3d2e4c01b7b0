"""XingChaoYiQing's protocol (XingChaoYiQing docs: vidu-create, vidu-query).

Prices are tokens: 300 a second, whatever the model, as in the page's example of 1500 for five seconds [inferred].
Bodies of refusals are [inferred], but for the 404 of a wrong path [client code].
"""

import secrets
import uuid
from typing import Any

from .exchange import Request, Response, Route, json_response, route
from .fields import (
    FRAMES,
    IMAGE,
    PROMPT_MAX,
    RATIOS,
    TEXT,
    Ask,
    BadField,
    Check,
    address,
    as_object,
    check_fields,
    number,
    one_of,
    text,
)
from .gateway import Cause, Gateway
from .tasks import Phase, Task

TOKENS_PER_SECOND = 300
PATIENCE_S = 30
"""Polling faster than this may be limited (XingChaoYiQing docs: vidu-query); here it is answered, and counted."""

_WORDS = {
    Phase.CREATED: "queued",
    Phase.WAITING: "queued",
    Phase.WORKING: "processing",
    Phase.DONE: "completed",
    Phase.FAILED: "failed",
}
_REFUSALS = {
    Cause.KEY: (401, "Invalid API key"),
    Cause.FORBIDDEN: (403, "Access denied"),
    Cause.MONEY: (402, "Insufficient balance"),
    Cause.FIELD: (400, "{}"),
    Cause.POLICY: (400, "Content policy violation: prompt contains restricted content."),
    Cause.MODEL: (400, "Model unavailable: {}"),
    Cause.THROTTLE: (429, "Too many requests"),
    Cause.QUOTA: (429, "Too many running tasks, quota exceeded"),
    Cause.NO_TASK: (404, "Task not found"),
    Cause.BROKEN: (500, "Internal server error"),
}
_FAILURES = {
    "CreationPolicyViolation": "Content policy violation: the video contains restricted content.",
    "InternalServiceFailure": "Internal service failure",
    "": None,
}

FIELDS: dict[str, Check] = {
    "model": one_of("viduq3-pro", "viduq3-turbo"),
    "prompt": text(PROMPT_MAX[TEXT]),
    "duration": number(1, 16),
    "aspect_ratio": one_of(*RATIOS),
    "resolution": one_of("540p", "720p", "1080p"),
    "first_image": address,
    "last_image": address,
}


def read_ask(decoded: object) -> Ask:
    """Check a decoded body (XingChaoYiQing docs: vidu-create); which images there are decides the mode.

    :raises BadField: with the first thing that is wrong.
    """
    body = as_object(decoded)
    check_fields(FIELDS, ("model", "prompt"), body)
    if "last_image" in body and "first_image" not in body:
        raise BadField("BadRequest", "last_image is only allowed together with first_image")
    sources = tuple(body[name] for name in ("first_image", "last_image") if name in body)
    return Ask(
        mode=(TEXT, IMAGE, FRAMES)[len(sources)],
        model=body["model"],
        prompt=body["prompt"],
        duration=body.get("duration", 5),
        resolution=body.get("resolution", "720p"),
        aspect_ratio="" if sources else body.get("aspect_ratio", "16:9"),
        audio=True,  # no field for it; Vidu's own default for these models
        seed=0,
        payload="",
        off_peak=False,
        sources=sources,
        body=body,
    )


class XingChao(Gateway):
    """Create and query under the path of the real base URL."""

    NAME = "xingchao"
    PREFIX = "/kyyReactApiServer/"
    UNITS_PER_CREDIT = 30

    def paths(self) -> list[Route]:
        """There is nothing else."""
        return [
            route("POST", f"{self.PREFIX}v1/vidu/videos", self.creating(read_ask)),
            route("GET", f"{self.PREFIX}v1/result/{{task_id}}", self.showing(self._describe)),
        ]

    def say(self, cause: Cause, detail: str) -> Response:
        """Free text without a code."""
        if cause is Cause.NO_PATH:
            return json_response(404, {"message": f"No handler found for {detail}"})
        status, message = _REFUSALS[cause]
        return json_response(status, {"error": message.format(detail)})

    def new_ids(self, now: float) -> tuple[str, str]:
        """``video_`` and a UUID."""
        return f"video_{uuid.uuid4()}", secrets.token_hex(8)

    def quote(self, ask: Ask) -> int:
        """Tokens."""
        return TOKENS_PER_SECOND * ask.duration

    def receipt(self, task: Task) -> dict[str, Any]:
        """The object is called video here, and Video in the query."""
        return _head(task) | {"object": "video", "status": "queued", "error": None}

    def _describe(self, request: Request, task: Task, now: float) -> dict[str, Any]:
        """``GET {base}/v1/result/{id}``: seconds and tokens only when completed."""
        self.books.look(task.id, now, PATIENCE_S / self.stage.speed)
        phase = task.phase(now)
        answer = _head(task) | {
            "object": "Video",
            "status": self.word(task, now, _WORDS),
            "video_url": self.video_link(request, task, now) or None,
            "totalTokens": task.quote if phase is Phase.DONE else None,
            "error": _FAILURES[task.failure or ""] if phase is Phase.FAILED else None,
        }
        if phase is Phase.DONE:
            answer["actualDuration"] = task.duration
        return answer


def _head(task: Task) -> dict[str, Any]:
    return {"id": task.id, "created": int(task.created_at), "model": task.model}
