"""The sandbox as its own process, as the demo runs it; quick and with tiny clips."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.servers import says, serving

from .pictures import picture_bytes

SPEED = 40
UNHURRIED = 5
CLIP_HEIGHT = 72
ROOT = Path(__file__).resolve().parent.parent.parent
_numbers = count()


@dataclass
class Running:
    """A started process and the address it printed."""

    process: subprocess.Popen[str]
    url: str


@contextmanager
def running(data: Path, *options: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "generations.sandbox", "--port", "0", "--data", str(data)]
    command += ["--speed", str(SPEED), "--clip-height", str(CLIP_HEIGHT), *options]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("sandbox ready on http://127.0.0.1:"), line
        yield Running(process, line.split()[-1])
    finally:
        process.send_signal(signal.SIGINT)  # at once; SIGTERM waits two seconds for idle connections
        process.wait(10)


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("sandbox")) as started:
        yield started


@pytest.fixture(scope="session")
def unhurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """For what must be seen while it lasts, also by a busy machine."""
    with running(tmp_path_factory.mktemp("unhurried"), "--speed", str(UNHURRIED)) as started:
        yield started


@dataclass
class Customer:
    """Somebody with a key of their own."""

    url: str
    secret: str = field(default_factory=lambda: f"sandbox-test-{next(_numbers)}")

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Token {self.secret}"}, timeout=20)

    def create(self, mode: str = "text2video", **changes: Any) -> httpx.Response:
        body = {"model": "viduq3-turbo", "prompt": "A paper boat crosses a puddle", "duration": 1, "audio": False}
        body |= changes
        body = {name: value for name, value in body.items() if value is not ...}
        return self.http.post(f"/ent/v2/{mode}", json=body)

    def made(self, mode: str = "text2video", **changes: Any) -> str:
        """Create a task that must be accepted; its id."""
        answer = self.create(mode, **changes)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["task_id"])

    def query(self, task_id: str) -> dict[str, Any]:
        answer = self.http.get(f"/ent/v2/tasks/{task_id}/creations")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def until(self, task_id: str, reached: Callable[[dict[str, Any]], bool], patience_s: float = 15) -> dict[str, Any]:
        """Query until this holds."""
        deadline = time.monotonic() + patience_s
        while not reached(answer := self.query(task_id)):
            assert time.monotonic() < deadline, answer
            time.sleep(0.02)
        return answer

    def finished(self, task_id: str) -> dict[str, Any]:
        return self.until(task_id, lambda answer: answer["state"] in ("success", "failed"))

    def listed(self, **query: Any) -> list[dict[str, Any]]:
        return list(self.http.get("/ent/v2/tasks", params=query).json()["tasks"])

    def credits(self) -> dict[str, Any]:
        return dict(self.http.get("/ent/v2/credits", params={"show_detail": "false"}).json()["remains"][0])

    def books(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/_sandbox/books").json()["vidu"][self.secret])


@pytest.fixture
def customer(sandbox: Running) -> Iterator[Customer]:
    person = Customer(sandbox.url)
    yield person
    person.http.close()


@pytest.fixture(scope="session")
def picture_url() -> Iterator[str]:
    """An address from which the sandbox may fetch a picture of 300 by 200."""
    with serving(says(200, picture_bytes(300, 200), content_type="image/png")) as url:
        yield f"{url}/a/start.png"
