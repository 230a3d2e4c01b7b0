"""The background thread that renders clips, one at a time so that the machine stays usable."""

import fcntl
import logging
import shutil
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import av

from .books import Books
from .clips import Interrupted, Order, make_clip
from .tasks import Task

log = logging.getLogger("sandbox")

_IDLE_S = 0.1
_UNRENDERABLE = (av.FFmpegError, OSError, ValueError, ArithmeticError, LookupError, TypeError)


@dataclass(frozen=True)
class Folder:
    """Where the sandbox keeps its files."""

    root: Path

    def video(self, task_id: str) -> Path:
        """The clip of a task."""
        return self.root / "clips" / f"{task_id}.mp4"

    def cover(self, task_id: str) -> Path:
        """Its cover picture."""
        return self.root / "clips" / f"{task_id}.jpg"

    def picture(self, task_id: str, place: int) -> Path:
        """One of its input pictures."""
        return self.root / "inputs" / task_id / f"{place}.jpg"

    def forget(self, task_id: str) -> None:
        """Remove the files of one task."""
        self.video(task_id).unlink(missing_ok=True)
        self.cover(task_id).unlink(missing_ok=True)
        shutil.rmtree(self.picture(task_id, 0).parent, ignore_errors=True)

    def clear(self) -> None:
        """Remove the files of all tasks."""
        for name in ("clips", "inputs"):
            shutil.rmtree(self.root / name, ignore_errors=True)


def order_of(task: Task, folder: Folder) -> Order:
    """What the clip of a task has to show. Of reference pictures only the first is shown, large."""
    shown = task.pictures if task.mode == "start-end2video" else min(1, task.pictures)
    return Order(
        prompt=task.prompt,
        mode=task.mode,
        model=task.model,
        ratio=task.aspect_ratio,
        resolution=task.resolution,
        size=(task.width, task.height),
        seconds=task.duration,
        seed=task.seed,
        audio=bool(task.audio),
        watermark=int(task.extra.get("wm_position") or 3) if task.extra.get("watermark") else 0,
        pictures=[folder.picture(task.id, place) for place in range(shown)],
    )


class Studio:
    """Looks for started tasks without a clip and renders the oldest."""

    def __init__(self, books: Books, folder: Folder) -> None:
        self.books = books
        self.folder = folder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="studio", daemon=True)

    def start(self) -> None:
        """Begin working."""
        self._thread.start()

    def stop(self, timeout: float = 3.0) -> None:
        """Leave the clip in progress; it is begun again after the next start."""
        self._stop.set()
        self._thread.join(timeout)

    def _work(self) -> None:
        self.folder.root.mkdir(parents=True, exist_ok=True)
        with (self.folder.root / "studio.lock").open("w") as lock:
            # Of several processes on one folder only the holder of the lock renders; the kernel frees it on death.
            while not self._stop.is_set() and not locked(lock.fileno()):
                self._stop.wait(_IDLE_S * 5)
            while not self._stop.is_set():
                self._one_round()

    def _one_round(self) -> None:
        try:
            task = self.books.next_to_shoot(time.time())
            if task is None:
                self._stop.wait(_IDLE_S)
            else:
                self.shoot(task)
        except Interrupted:
            return
        except sqlite3.Error:
            log.exception("the books cannot be read")
            self._stop.wait(1)

    def shoot(self, task: Task) -> None:
        """Render one task's clip and book it; a clip that cannot be made fails the task.

        :raises Interrupted: when the studio is closing.
        """
        order = order_of(task, self.folder)
        try:
            make_clip(order, self.folder.video(task.id), self.folder.cover(task.id), self._stop.is_set)
        except _UNRENDERABLE:
            if self.books.get(task.id) is not None:
                log.exception("task %s cannot be rendered", task.id)
                self.books.clip_broken(task.id, "InternalServiceFailure")
            return
        if self.books.get(task.id) is None:  # the books were reset meanwhile
            self.folder.forget(task.id)
        self.books.clip_ready(task.id, time.time())


def locked(descriptor: int) -> bool:
    """Take a file's lock without waiting; False when another holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
