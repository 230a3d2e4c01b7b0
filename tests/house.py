"""A whole VideoForge for tests: its own data folder, real web, worker and sandbox processes on loopback."""

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "demo-password-of-a-test"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], Any], seconds: float = 30, every: float = 0.2, what: str = "") -> Any:
    """The first true value of ``condition``; an assertion error with ``what`` when time is up."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"not within {seconds} s: {what or condition}")


def is_running(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class House:
    """``manage.py run`` in a scratch folder. Tests look at it as people and scripts do: over HTTP and commands."""

    def __init__(self, *, speed: float = 4, clip_height: int = 0) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="videoforge-house-"))
        self.port, self.sandbox_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.sandbox = f"http://127.0.0.1:{self.sandbox_port}"
        self.log = self.data / "run.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "videoforge.settings",
            "VIDEOFORGE_DATA": str(self.data),
            "VIDEOFORGE_DEMO_PASSWORD": PASSWORD,
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "SANDBOX_SPEED": str(speed),
            "SANDBOX_CLIP_HEIGHT": str(clip_height or ""),
            "PYTHONUNBUFFERED": "1",
        }

    def start(self) -> "House":
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "run"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        wait_for(self.greeted, 60, what=f"the greeting in {self.log}")
        return self

    def greeted(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return "Ctrl-C" in self.log.read_text()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it as a person does; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(30)
        self.process = None
        return code

    def close(self) -> None:
        if self.process is not None:
            self.stop()
        shutil.rmtree(self.data, ignore_errors=True)

    def manage(self, *arguments: str, given: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment | environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        done = self.manage("status", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def generate(self, prompt: str, **over: str) -> list[str]:
        """Task ids, through the same door as people."""
        settings = {
            "user": "demo", "key": "Sandbox studio", "mode": "text2video", "model": "viduq3-turbo",
            "duration": "2", "resolution": "540p", "aspect-ratio": "16:9", **over,
        }  # fmt: skip
        arguments = [part for name, value in settings.items() for part in (f"--{name}", value)]
        done = self.manage("generate", "--prompt", prompt, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(f"file:{self.data / 'videoforge.sqlite3'}?mode=ro", uri=True, timeout=20)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def state(self, task_id: str) -> str:
        found = self.rows("SELECT state FROM generations_task WHERE id = ?", task_id.replace("-", ""))
        return str(found[0][0])

    def reaches(self, task_id: str, state: str, seconds: float = 60) -> None:
        wait_for(lambda: self.state(task_id) == state, seconds, what=f"{state}, is {self.state(task_id)}")

    def books(self) -> dict[str, Any]:
        """What the pretend vendor wrote down, by its name for the key."""
        found: dict[str, Any] = httpx.get(f"{self.sandbox}/_sandbox/books").json()["vidu"]
        return found

    def payloads(self) -> list[str]:
        """The pass-through token of every task that the vendor made."""
        return [task["payload"] for account in self.books().values() for task in account["tasks"]]

    def members(self, part: str) -> list[int]:
        """All living processes of web, worker or sandbox, the main one first."""
        assert self.process is not None
        words = {"web": "gunicorn", "worker": "qcluster", "sandbox": "sandbox"}[part]
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and is_running(int(entry.name)) and self._belongs(entry):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if words in command and "manage.py run" not in command:
                    found.append(int(entry.name))
        return sorted(found)

    def _belongs(self, entry: Path) -> bool:
        try:
            return str(self.data).encode() in (entry / "environ").read_bytes()
        except OSError:
            return False

    def everyone(self) -> list[int]:
        """Every process that carries this house's data folder in its environment."""
        return [int(e.name) for e in Path("/proc").iterdir() if e.name.isdigit() and self._belongs(e)]
