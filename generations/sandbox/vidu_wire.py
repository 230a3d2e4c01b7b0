"""Vidu's JSON, which DataEyes passes on: ids, prices, and the answers to create and query."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from .exchange import Request
from .fields import REFERENCE, TEXT, Ask
from .gateway import Gateway
from .tasks import Phase, Task
from .vidu_prices import quote

STATES = {
    Phase.CREATED: "created",
    Phase.WAITING: "queueing",
    Phase.WORKING: "processing",
    Phase.DONE: "success",
    Phase.FAILED: "failed",
}
_ECHO_MAX = 8192


def decimal_ids(now: float) -> tuple[str, str]:
    """Ids of a task and of its creation: decimal strings that grow with the time."""
    task_id = f"{int(now * 1_000_000):016}{secrets.randbelow(100):02}"
    return task_id, str(int(task_id) + 7)


def task_id_of(creation_id: str) -> str:
    """The task behind an id of ``decimal_ids``; empty for what is none."""
    return str(int(creation_id) - 7) if creation_id.isdecimal() else ""


def quote_for(ask: Ask, model: str) -> int:
    """Credits for one clip; ``model`` is Vidu's own name, whatever the seller calls it."""
    return quote(
        mode=ask.mode,
        model=model,
        resolution=ask.resolution,
        duration=ask.duration,
        off_peak=ask.off_peak,
        audio=ask.audio,
        is_rec=ask.body.get("is_rec", False),
    )


def details(ask: Ask) -> dict[str, Any]:
    """What the answers will need besides the columns of the books."""
    body: Mapping[str, Any] = ask.body
    return {
        "images": [_echo(source, place) for place, source in enumerate(ask.sources)],
        "movement_amplitude": body.get("movement_amplitude", "auto"),
        "bgm": body.get("bgm", False),
        "style": body.get("style", "general"),
        "watermark": body.get("watermark", False),
        "wm_position": body.get("wm_position", 3),
        "callback_url": body.get("callback_url", ""),
    }


def _echo(source: str, place: int) -> str:
    """How an answer names an input image: an address as it came; megabytes of base64 are not sent back [inferred]."""
    return source[:_ECHO_MAX] if not source.startswith("data:") else f"ssupload:?id={place}"


def receipt(task: Task) -> dict[str, Any]:
    """The answer to a create: an echo with the chosen seed, the quote and the task's id (Vidu docs: text-to-video)."""
    extra = task.extra
    answer = {
        "task_id": task.id,
        "type": task.mode,
        "state": "created",
        "model": task.model,
        "prompt": task.prompt,
        "images": extra["images"],
        "duration": task.duration,
        "seed": task.seed,
        "resolution": task.resolution,
        "movement_amplitude": extra["movement_amplitude"],
        "bgm": extra["bgm"],
        "audio": bool(task.audio),
        "payload": task.payload,
        "off_peak": bool(task.off_peak),
        "credits": task.quote,
        "created_at": rfc3339(task.created_at),
    }
    if task.mode == TEXT:
        answer["style"] = extra["style"]
    if task.mode in (TEXT, REFERENCE):
        answer["aspect_ratio"] = task.aspect_ratio
    return answer


def report(gateway: Gateway, request: Request, task: Task, now: float) -> dict[str, Any]:
    """The answer to ``GET .../tasks/{id}/creations`` (Vidu docs: get-generation)."""
    return {
        "id": task.id,
        "state": gateway.word(task, now, STATES),
        "err_code": _err_code(task) if task.phase(now) is Phase.FAILED else "",
        "credits": task.price(now),
        "payload": task.payload,
        "bgm": task.extra["bgm"],
        "off_peak": bool(task.off_peak),
        "audio": bool(task.audio),
        "cus_priority": 0,
        "progress": task.progress(now),
        "creations": creations(gateway, request, task, now),
    }


def _err_code(task: Task) -> str:
    """The reason of a failed task [inferred: a cancelled one ends as UserCancelled]."""
    return "UserCancelled" if task.cancelled_at is not None else task.failure or ""


def creations(gateway: Gateway, request: Request, task: Task, now: float) -> list[dict[str, Any]]:
    """What came of a task, with fresh links; empty before."""
    if not gateway.has_links(task, now):
        return []

    def link(name: str) -> str:
        return gateway.stage.media.link(request.base_url, task, name, now)

    video = {
        "duration": float(task.duration),
        "fps": 24,
        "resolution": {"width": task.width, "height": task.height},
    }
    return [
        {
            "id": task.creation_id,
            "url": link("video.mp4"),
            "cover_url": link("cover.jpeg"),
            "watermarked_url": link("watermarked.mp4") if task.extra["watermark"] else "",
            "moderation_url": [],
            "video": video,
        }
    ]


def rfc3339(moment: float) -> str:
    """``2026-07-10T12:00:00.968916Z``: always with microseconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
