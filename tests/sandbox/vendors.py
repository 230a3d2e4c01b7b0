"""Somebody who buys at each of the four vendors beside Vidu: what the tests need to know of each protocol."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar

import httpx

_numbers = count()


@dataclass
class Buyer:
    """A customer with a key of their own. States are told in one set of words, whoever is asked."""

    SLUG: ClassVar[str]
    CREATE: ClassVar[str]
    UNIT_PRICE: ClassVar[int]
    """What one second of ``body()`` costs in the books."""
    STATES: ClassVar[dict[str, str]]

    url: str
    secret: str = field(default_factory=lambda: f"sandbox-buyer-{next(_numbers)}")
    ROOT: ClassVar[str] = ""

    def __post_init__(self) -> None:
        headers = {"Authorization": f"Bearer {self.secret}"}
        self.http = httpx.Client(base_url=f"{self.url}{self.ROOT}", headers=headers, timeout=20)

    def body(self, **changes: Any) -> dict[str, Any]:
        """A good text create of one second; ``...`` takes a field out."""
        raise NotImplementedError

    def picture_body(self, picture: str) -> dict[str, Any]:
        """A good create from one image."""
        raise NotImplementedError

    def query_path(self, task_id: str) -> str:
        raise NotImplementedError

    def link(self, answer: dict[str, Any]) -> str:
        """The video's address; empty when the answer has none."""
        raise NotImplementedError

    def status(self, answer: dict[str, Any]) -> str:
        return str(answer["status"])

    def create(self, **changes: Any) -> httpx.Response:
        return self.post(self.body(**changes))

    def post(self, body: Any) -> httpx.Response:
        return self.send(self.CREATE, body)

    def send(self, path: str, body: Any) -> httpx.Response:
        """With Python's own JSON, which also says what it should not: infinity, halves of surrogate pairs."""
        headers = {"Content-Type": "application/json"}
        return self.http.post(path, content=json.dumps(body).encode(), headers=headers)

    def made(self, **changes: Any) -> str:
        return self.accepted(self.body(**changes))

    def accepted(self, body: Any) -> str:
        """Post what must be accepted; the task's id."""
        answer = self.post(body)
        assert answer.status_code == 200, answer.text
        receipt = answer.json()
        return str(receipt.get("task_id") or receipt["id"])

    def query(self, task_id: str) -> dict[str, Any]:
        answer = self.http.get(self.query_path(task_id))
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def state(self, answer: dict[str, Any]) -> str:
        return self.STATES.get(self.status(answer), "strange")

    def until(self, task_id: str, reached: Callable[[dict[str, Any]], bool], patience_s: float = 20) -> dict[str, Any]:
        deadline = time.monotonic() + patience_s
        while not reached(answer := self.query(task_id)):
            assert time.monotonic() < deadline, answer
            time.sleep(0.02)
        return answer

    def finished(self, task_id: str) -> dict[str, Any]:
        return self.until(task_id, lambda answer: self.state(answer) in ("done", "failed"))

    def books(self) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/_sandbox/books").json()[self.SLUG][self.secret])


def without_gaps(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not ...}


class DataEyes(Buyer):
    SLUG = "dataeyes"
    CREATE = "/v2/text2video"
    UNIT_PRICE = 11
    STATES = {
        "created": "waiting",
        "queueing": "waiting",
        "processing": "working",
        "success": "done",
        "failed": "failed",
    }

    def body(self, **changes: Any) -> dict[str, Any]:
        return without_gaps({"model": "viduq3-turbo-720p-1s", "prompt": "A paper boat", "audio": False} | changes)

    def picture_body(self, picture: str) -> dict[str, Any]:
        return {"model": "viduq2-turbo-720p-1s", "prompt": "A paper boat", "images": [picture]}

    def post(self, body: Any) -> httpx.Response:
        mode = "img2video" if isinstance(body, dict) and "images" in body else "text2video"
        return self.to(mode, body)

    def to(self, mode: str, body: Any) -> httpx.Response:
        return self.send(f"/v2/{mode}", body)

    def query_path(self, task_id: str) -> str:
        return f"/v2/tasks/{task_id}/creations"

    def status(self, answer: dict[str, Any]) -> str:
        return str(answer["state"])

    def link(self, answer: dict[str, Any]) -> str:
        return str(answer["creations"][0]["url"]) if answer["creations"] else ""


class UniAll(Buyer):
    """Asks in shape B."""

    SLUG = "uniall"
    CREATE = "/v1/video/generations"
    UNIT_PRICE = 11
    STATES = {
        "NOT_START": "waiting",
        "SUBMITTED": "waiting",
        "QUEUED": "waiting",
        "IN_PROGRESS": "working",
        "SUCCESS": "done",
        "FAILURE": "failed",
    }

    def body(self, **changes: Any) -> dict[str, Any]:
        return without_gaps({"model": "viduq3t-720p", "prompt": "A paper boat", "duration": 1} | changes)

    def picture_body(self, picture: str) -> dict[str, Any]:
        return self.body(image=picture)

    def query_path(self, task_id: str) -> str:
        return f"/v1/video/generations/{task_id}"

    def status(self, answer: dict[str, Any]) -> str:
        return str(answer["data"]["status"])

    def link(self, answer: dict[str, Any]) -> str:
        return str(answer["data"].get("result_url", ""))


class UniAllA(UniAll):
    """Asks in shape A."""

    STATES = {"queued": "waiting", "in_progress": "working", "completed": "done", "failed": "failed"}

    def query_path(self, task_id: str) -> str:
        return f"/v1/videos/{task_id}"

    def status(self, answer: dict[str, Any]) -> str:
        return str(answer["status"])

    def link(self, answer: dict[str, Any]) -> str:
        return str(answer.get("metadata", {}).get("url", ""))


class XingChao(Buyer):
    SLUG = "xingchao"
    CREATE = "/v1/vidu/videos"
    UNIT_PRICE = 300
    ROOT = "/kyyReactApiServer"
    STATES = {"queued": "waiting", "processing": "working", "completed": "done", "failed": "failed"}

    def body(self, **changes: Any) -> dict[str, Any]:
        return without_gaps({"model": "viduq3-turbo", "prompt": "A paper boat", "duration": 1} | changes)

    def picture_body(self, picture: str) -> dict[str, Any]:
        return self.body(first_image=picture)

    def query_path(self, task_id: str) -> str:
        return f"/v1/result/{task_id}"

    def link(self, answer: dict[str, Any]) -> str:
        return answer["video_url"] or ""


class Vtrix(Buyer):
    SLUG = "vtrix"
    CREATE = "/model/v1/generation"
    UNIT_PRICE = 600
    STATES = {"in_progress": "working", "completed": "done", "failed": "failed"}

    def body(self, model: str = "viduq3_turbo_text2video", **changes: Any) -> dict[str, Any]:
        params = {"prompt": "A paper boat", "duration": 1, "audio": False} | changes
        return {"model": model, "input": [{"params": without_gaps(params)}]}

    def picture_body(self, picture: str) -> dict[str, Any]:
        return self.body("viduq3_turbo_img2video", images=[picture])

    def query_path(self, task_id: str) -> str:
        return f"/model/v1/generation/task/{task_id}"

    def link(self, answer: dict[str, Any]) -> str:
        return answer["output"][0]["content"][0]["url"] if answer.get("output") else ""


BUYERS: tuple[type[Buyer], ...] = (DataEyes, UniAll, UniAllA, XingChao, Vtrix)
