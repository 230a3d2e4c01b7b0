"""From a checked create body of any vendor to a task that can be booked."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from .clips import frame_size
from .fields import FRAMES, REFERENCE, Ask
from .pictures import BadPicture, read_picture
from .scenarios import words_in
from .stage import Stage
from .tasks import Task, jitter

FAILURES = {"violation": "CreationPolicyViolation", "fail": "", "crash": "InternalServiceFailure"}
"""Scenario word: the error name a task will end with. Vendors with other names translate these."""

_REFERENCE_SIDE_MIN = 128


@dataclass(frozen=True)
class Booking:
    """What only the vendor's own module can say about a new task.

    ``quote`` is in the vendor's own unit; ``details`` is kept as JSON; ``now`` is seconds since 1970.
    """

    vendor: str
    account: str
    task_id: str
    creation_id: str
    quote: int
    details: Mapping[str, Any]
    now: float


def checked_pictures(ask: Ask) -> list[Image.Image]:
    """Decode the images of an ask: the limits are Vidu's, whoever sells the model.

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


def new_task(booking: Booking, ask: Ask, sizes: Sequence[tuple[int, int]], stage: Stage) -> Task:
    """A task that is not booked yet; ``sizes`` are those of the input pictures."""
    wait_s, work_s = _pace(booking.task_id, ask)
    width, height = frame_size(ask.resolution, _shape(ask.aspect_ratio, sizes), stage.short_side)
    words = words_in(ask.prompt)
    return Task(
        id=booking.task_id,
        vendor=booking.vendor,
        account=booking.account,
        creation_id=booking.creation_id,
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
        quote=booking.quote,
        width=width,
        height=height,
        pictures=len(sizes),
        details=json.dumps(booking.details),
        created_at=booking.now,
        wait_s=wait_s / stage.speed,
        work_s=work_s / stage.speed,
        failure=next((code for word, code in FAILURES.items() if word in words), None),
    )


def _pace(task_id: str, ask: Ask) -> tuple[float, float]:
    """Seconds of waiting and of working; short, but in the order of the real thing."""
    quick = any(word in ask.model for word in ("turbo", "fast", "2.0", "q3t", "vidu20"))
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
