"""A pretend task. Its state is a function of the time, so a restart changes nothing."""

import bisect
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from .scenarios import words_in

SLOTS = 5
"""Running tasks per account; more are accepted and queue in order of creation (Vidu docs: usage-and-limits)."""

CREATED_SHARE = 0.25
"""The part of the shortest wait in which a task still calls itself created [inferred]."""


class Phase(Enum):
    """Where a task stands; every vendor has its own words for these."""

    CREATED = "created"
    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Task:
    """One row of the books. Times are seconds since 1970, durations seconds; ``quote`` is in the vendor's own unit.

    ``failure`` is None for a task that will succeed, else the error name it will end with (which may be empty).
    ``details`` is JSON with what only the vendor's own module understands.
    """

    id: str
    vendor: str
    account: str
    creation_id: str
    mode: str
    model: str
    prompt: str
    duration: int
    resolution: str
    aspect_ratio: str
    audio: int
    seed: int
    payload: str
    off_peak: int
    quote: int
    width: int
    height: int
    pictures: int
    details: str
    created_at: float
    wait_s: float
    work_s: float
    starts_at: float = 0.0
    ends_at: float = 0.0
    cancelled_at: float | None = None
    ready_at: float | None = None
    failure: str | None = None
    glimpses: int = 0

    @cached_property
    def words(self) -> frozenset[str]:
        """The scenario words of the prompt."""
        return words_in(self.prompt)

    @cached_property
    def extra(self) -> dict[str, Any]:
        """``details``, decoded."""
        decoded: dict[str, Any] = json.loads(self.details)
        return decoded

    def phase(self, now: float) -> Phase:
        """Where the task stands. A task without a finished clip is never done, however late it is."""
        if self.cancelled_at is not None:
            return Phase.FAILED
        if now < self.starts_at:
            return Phase.CREATED if now < self.created_at + self.wait_s * CREATED_SHARE else Phase.WAITING
        if now < self.ends_at:
            return Phase.WORKING
        if self.failure is not None:
            return Phase.FAILED
        return Phase.DONE if self.ready_at is not None else Phase.WORKING

    def progress(self, now: float) -> int:
        """Percent. 100 only when done; 0 while waiting and after a failure (as in Vidu's examples)."""
        phase = self.phase(now)
        if phase is Phase.DONE:
            return 100
        if phase is not Phase.WORKING:
            return 0
        return max(0, min(99, int(100 * (now - self.starts_at) / max(self.work_s, 1e-6))))

    def price(self, now: float) -> int:
        """The quote until the end is known; then the charge, which is nothing for a failed task."""
        return 0 if self.phase(now) is Phase.FAILED else self.quote


@dataclass(frozen=True)
class Slot:
    """When a waiting task gets its turn."""

    task_id: str
    starts_at: float
    ends_at: float


def plan(busy_until: Iterable[float], waiting: Iterable[Task]) -> list[Slot]:
    """Give each waiting task, in order, the first free slot after its own shortest wait.

    Off-peak tasks run beside the slots: they wait for idle machines, not for the account [inferred].
    """
    ends = sorted(busy_until)
    slots = []
    for task in waiting:
        starts = task.created_at + task.wait_s
        if not task.off_peak and len(ends) >= SLOTS:
            starts = max(starts, ends[-SLOTS])
        slots.append(Slot(task.id, starts, starts + task.work_s))
        if not task.off_peak:
            bisect.insort(ends, starts + task.work_s)
    return slots


def jitter(task_id: str, salt: str, low: float, high: float) -> float:
    """A number between ``low`` and ``high`` that is always the same for the same task."""
    digest = hashlib.sha256(f"{salt}:{task_id}".encode()).digest()
    return low + (high - low) * int.from_bytes(digest[:4], "big") / 0xFFFFFFFF
