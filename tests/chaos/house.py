"""A house whose clips lie on a small disk of its own, and the ways in which it dies."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from generations import incoming
from tests.house import ROOT, House, is_running

DISK_MB = 128
HEAP = "CHAOS_DISK_IS_FULL_WHILE"  # see haste


class Disk:
    """A tmpfs that can be filled to the last byte without troubling anybody else.

    Where no disk may be mounted, the house's processes refuse what they would write while ``heap`` is there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.heap = folder, folder / "heap"
        folder.mkdir()
        size = f"size={DISK_MB}m,mode=0700"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], capture_output=True, text=True)
        self.is_real = done.returncode == 0

    @property
    def is_full(self) -> bool:
        return self.heap.exists()

    def fill(self) -> None:
        """To the last byte."""
        if not self.is_real:
            self.heap.touch()
            return
        with self.heap.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        assert shutil.disk_usage(self.folder).free == 0

    def clear(self) -> None:
        self.heap.unlink(missing_ok=True)

    def close(self) -> None:
        if not self.is_real:
            return
        done = subprocess.run(["umount", self.folder], capture_output=True)
        if done.returncode:
            subprocess.run(["umount", "-l", self.folder], check=True)


class ChaosHouse(House):
    """Callbacks on, pauses short, clips and half-finished copies on the small disk."""

    def __init__(self, speed: float = 4) -> None:
        super().__init__(speed=speed, clip_height=144)
        self.environment |= {"DJANGO_SETTINGS_MODULE": "tests.chaos.settings", "VIDEOFORGE_PUBLIC_URL": self.url}
        self.disk = Disk(self.data / "disk")
        (self.data / "disk" / "media").mkdir()
        (self.data / "media").symlink_to(self.data / "disk" / "media")
        if not self.disk.is_real:
            self.environment[HEAP] = str(self.disk.heap)
        self.past = self.data / "past.log"

    def close(self) -> None:
        """Whatever state it is in."""
        self.kill_all()
        self.disk.close()
        super().close()

    # -- orders and books

    def order(self, orders: list[list[str]], at_once: int = 0) -> list[list[str]]:
        """Task ids of each order."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.orders"],
            cwd=ROOT,
            env=self.environment,
            input=json.dumps({"orders": orders, "at_once": at_once}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        placed: list[list[str]] = json.loads(done.stdout)
        return placed

    def vendors(self) -> dict[str, dict[str, Any]]:
        """Every vendor's books, by slug and key."""
        found: dict[str, dict[str, Any]] = httpx.get(f"{self.sandbox}/_sandbox/books", timeout=20).json()
        return found

    def faults(self, order: dict[str, Any]) -> None:
        answer = httpx.post(f"{self.sandbox}/_sandbox/faults", json=order, timeout=20)
        assert answer.status_code == 200, answer.text

    def faults_done(self) -> dict[str, int]:
        """Every kind of fault, over all vendors."""
        done: dict[str, int] = {}
        for counts in httpx.get(f"{self.sandbox}/_sandbox/faults", timeout=20).json()["done"].values():
            for kind, times in counts.items():
                if not kind.endswith(".asked"):
                    done[kind] = done.get(kind, 0) + times
        return done

    # -- deaths

    def kill_one(self, dice: random.Random) -> bool:
        """One process of the worker, whatever it is doing; the main one dies with the cluster only."""
        members = self.members("worker")[1:]
        return bool(members) and _kill(dice.choice(members))

    def kill_cluster(self) -> bool:
        """Every process of the worker at once."""
        return sum(_kill(pid) for pid in self.members("worker")) > 0

    def kill_all(self) -> None:
        """Launcher, web, worker and sandbox."""
        while left := [pid for pid in self.everyone() if is_running(pid)]:
            for pid in left:
                _kill(pid)
        if self.process is not None:
            self.process.wait()
            self.process = None
        if self.log.exists():
            with self.past.open("ab") as past:
                past.write(self.log.read_bytes())
            self.log.write_text("")

    def silence(self) -> float:
        """Seconds since heartbeat and queue were both known to move."""
        beats = self.rows("SELECT beat_at FROM generations_lease WHERE key IN ('rounds', 'pulse')")
        if not beats:
            return 0.0
        last = min(datetime.fromisoformat(beat).replace(tzinfo=UTC) for (beat,) in beats)
        return (datetime.now(UTC) - last).total_seconds()

    def parts(self) -> list[str]:
        """Files of copies that are not whole yet."""
        folder = self.data / "media" / incoming.INCOMING
        return sorted(file.name for file in folder.iterdir()) if folder.exists() else []

    def said(self, words: str) -> int:
        """How often the log says this, since the first start."""
        return sum(log.read_text(errors="replace").count(words) for log in (self.past, self.log) if log.exists())

    def remember(self, folder: Path) -> None:
        """Keep what is needed to find out what went wrong."""
        for name in ("run.log", "past.log", "videoforge.sqlite3", "videoforge.sqlite3-wal", "sandbox/books.sqlite3"):
            with contextlib.suppress(OSError):
                shutil.copy(self.data / name, folder / Path(name).name)


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
