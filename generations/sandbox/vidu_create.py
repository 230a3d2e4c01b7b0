"""From a checked Vidu body to a task in the books, and the answer to it."""

import json
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from PIL import Image

from .clips import frame_size
from .pictures import BadPicture, read_picture
from .scenarios import words_in
from .stage import Stage
from .tasks import Task, jitter
from .vidu_fields import FRAMES, REFERENCE, TEXT, Ask
from .vidu_prices import quote

_FAILURES = {"violation": "CreationPolicyViolation", "fail": "", "crash": "InternalServiceFailure"}
_REFERENCE_SIDE_MIN = 128
_ECHO_MAX = 8192


def checked_pictures(ask: Ask) -> list[Image.Image]:
    """Decode the images of an ask.

    :raises BadPicture: when one cannot be used, a reference is too small, or two frames differ too much in size.
    """
    pictures = [read_picture(source) for source in ask.sources]
    if ask.mode == REFERENCE and any(min(picture.size) < _REFERENCE_SIDE_MIN for picture in pictures):
        raise BadPicture("PageSizeOutOfRange", "reference images must be at least 128x128")
    if ask.mode == FRAMES:
        first, last = (picture.width * picture.height for picture in pictures)
        # The page speaks of the ratio of the two resolutions; read here as that of their pixels [inferred].
        if not 0.8 <= first / last <= 1.25:
            raise BadPicture("PageSizeOutOfRange", "resolution ratio of the two frames must be between 0.8 and 1.25")
    return pictures


def new_task(vendor: str, account: str, ask: Ask, sizes: Sequence[tuple[int, int]], stage: Stage) -> Task:
    """A task that is not booked yet; ``sizes`` are those of the input pictures."""
    now = round(time.time(), 6)
    task_id = f"{int(now * 1_000_000):016}{secrets.randbelow(100):02}"
    wait_s, work_s = _pace(task_id, ask)
    width, height = frame_size(ask.resolution, _shape(ask.aspect_ratio, sizes), stage.short_side)
    words = words_in(ask.prompt)
    return Task(
        id=task_id,
        vendor=vendor,
        account=account,
        creation_id=str(int(task_id) + 7),
        mode=ask.mode,
        model=ask.model,
        prompt=ask.prompt,
        duration=ask.duration,
        resolution=ask.resolution,
        aspect_ratio=ask.aspect_ratio,
        audio=int(ask.audio),
        seed=ask.seed or secrets.randbelow(2**31 - 1) + 1,
        payload=ask.payload,
        off_peak=int(ask.off_peak),
        quote=_quote(ask),
        width=width,
        height=height,
        pictures=len(sizes),
        details=json.dumps(_details(ask)),
        created_at=now,
        wait_s=wait_s / stage.speed,
        work_s=work_s / stage.speed,
        failure=next((code for word, code in _FAILURES.items() if word in words), None),
    )


def _quote(ask: Ask) -> int:
    return quote(
        mode=ask.mode,
        model=ask.model,
        resolution=ask.resolution,
        duration=ask.duration,
        off_peak=ask.off_peak,
        audio=ask.audio,
        is_rec=ask.body.get("is_rec", False),
    )


def _pace(task_id: str, ask: Ask) -> tuple[float, float]:
    """Seconds of waiting and of working; short, but in the order of the real thing."""
    quick = any(word in ask.model for word in ("turbo", "fast", "2.0"))
    work = jitter(task_id, "work", 5, 9) if quick else jitter(task_id, "work", 8, 14)
    if "slow" in words_in(ask.prompt):
        work *= 5
    return (jitter(task_id, "wait", 30, 60) if ask.off_peak else jitter(task_id, "wait", 1, 2)), work


def _shape(aspect_ratio: str, sizes: Sequence[tuple[int, int]]) -> float:
    """Width by height: as ordered, else as the first picture."""
    if aspect_ratio:
        wide, tall = aspect_ratio.split(":")
        return int(wide) / int(tall)
    return sizes[0][0] / sizes[0][1]


def _details(ask: Ask) -> dict[str, Any]:
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


def rfc3339(moment: float) -> str:
    """``2026-07-10T12:00:00.968916Z``: always with microseconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
