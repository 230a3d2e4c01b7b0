"""UniAll's protocol (UniAll docs: create-task-old, models): one create, two ways to ask.

The answers to both queries could not be read; they are those of the new-api family [inferred]. A task costs what Vidu
asks for the model behind the id, in credits, nested in the answer.
"""

import secrets
import uuid
from typing import Any

from .exchange import Request, Response, Route, json_response, route
from .fields import FRAMES, IMAGE, REFERENCE, TEXT, Ask
from .newapi import NewApi
from .tasks import Phase, Task
from .uniall_fields import MODELS, read_ask
from .vidu_prices import quote

_CREATE = "video/generations"
_WORDS_A = {
    Phase.CREATED: "queued",
    Phase.WAITING: "queued",
    Phase.WORKING: "in_progress",
    Phase.DONE: "completed",
    Phase.FAILED: "failed",
}
_WORDS_B = {
    Phase.CREATED: "SUBMITTED",
    Phase.WAITING: "QUEUED",
    Phase.WORKING: "IN_PROGRESS",
    Phase.DONE: "SUCCESS",
    Phase.FAILED: "FAILURE",
}
_WORDS_B_OFF_PEAK = _WORDS_B | {Phase.CREATED: "NOT_START"}
_ACTIONS = {TEXT: "textGenerate", IMAGE: "generate", FRAMES: "firstTailGenerate", REFERENCE: "referenceGenerate"}
_LISTED_SINCE = 1_767_225_600  # 2026-01-01


class UniAll(NewApi):
    """Create, query in both shapes, and the list of models."""

    NAME = "uniall"
    PREFIX = "/v1/"

    def paths(self) -> list[Route]:
        """The newer ``/v1/videos`` is only asked, never posted to."""
        return [
            route("POST", f"{self.PREFIX}{_CREATE}", self.creating(read_ask)),
            route("GET", f"{self.PREFIX}{_CREATE}/{{task_id}}", self.showing(self._shape_b)),
            route("GET", f"{self.PREFIX}videos/{{task_id}}", self.showing(self._shape_a)),
            route("GET", f"{self.PREFIX}models", self.models),
        ]

    def new_ids(self, now: float) -> tuple[str, str]:
        """``task_`` and letters."""
        return f"task_{uuid.uuid4().hex}", secrets.token_hex(8)

    def quote(self, ask: Ask) -> int:
        """Credits; references by a model that is not the mix cost what frames cost [inferred]."""
        model = MODELS[ask.model].vidu_model
        mode = REFERENCE if model == "viduq3-mix" else TEXT
        return quote(mode=mode, model=model, resolution=ask.resolution, duration=ask.duration, off_peak=ask.off_peak)

    def receipt(self, task: Task) -> dict[str, Any]:
        """No cost is told (UniAll docs: create-task-old)."""
        return _head(task) | {"status": "queued", "progress": 0}

    # -- query

    def _shape_a(self, request: Request, task: Task, now: float) -> dict[str, Any]:
        """``GET /v1/videos/{id}``, for callers who expect OpenAI's manner."""
        phase = task.phase(now)
        answer = _head(task) | {"status": self.word(task, now, _WORDS_A), "progress": _progress(task, now)}
        if phase is Phase.DONE:
            url = self.video_link(request, task, now)
            answer |= {"completed_at": _end(task), "metadata": {"url": url} if url else {}}
        if phase is Phase.FAILED:
            code = task.failure or ""
            answer["error"] = {"message": code and f"task failed: {code}", "code": code}
        return answer

    def _shape_b(self, request: Request, task: Task, now: float) -> dict[str, Any]:
        """``GET /v1/video/generations/{id}``."""
        phase = task.phase(now)
        data: dict[str, Any] = {
            "task_id": task.id,
            "action": _ACTIONS[task.mode],
            "status": self.word(task, now, _WORDS_B_OFF_PEAK if task.off_peak else _WORDS_B),
            "fail_reason": (task.failure or "") if phase is Phase.FAILED else "",
            "submit_time": int(task.created_at),
            "start_time": int(task.starts_at) if now >= task.starts_at else 0,
            "finish_time": _end(task) if phase in (Phase.DONE, Phase.FAILED) else 0,
            "progress": f"{_progress(task, now)}%",
            "data": None,
        }
        if phase is Phase.DONE:
            url = self.video_link(request, task, now)
            creations = [{"id": task.creation_id, "url": url, "cover_url": ""}] if url else []
            data["data"] = {"state": "success", "credits": task.quote, "creations": creations}
            data |= {"result_url": url} if url else {}
        return {"code": "success", "message": "", "data": data}

    def models(self, request: Request) -> Response:
        """``GET /v1/models`` (UniAll docs: models); the rows are OpenAI's [inferred]."""
        self.account(request, "models")
        rows = [{"id": name, "object": "model", "created": _LISTED_SINCE, "owned_by": "vidu"} for name in MODELS]
        return json_response(200, {"object": "list", "data": rows})


def _head(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "task_id": task.id,
        "object": "video.generation.job",
        "model": task.model,
        "created_at": int(task.created_at),
    }


def _progress(task: Task, now: float) -> int:
    """Percent; a failed task is at 100 too."""
    return 100 if task.phase(now) is Phase.FAILED else task.progress(now)


def _end(task: Task) -> int:
    """Seconds since 1970."""
    return int(max(task.ends_at, task.ready_at or 0))
