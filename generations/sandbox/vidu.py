"""Vidu's protocol: create, query, list, cancel, credits (Vidu docs, as read in 2026)."""

import hashlib
import json
import re
import time
import uuid
from itertools import islice
from typing import Any

from PIL import Image

from .books import Overdrawn
from .exchange import JSON_TYPE, Action, Refused, Request, Response, Vendor, json_response, route
from .pictures import BadPicture, keep
from .scenarios import words_in
from .stage import Stage
from .tasks import SLOTS, Phase, Task
from .vidu_create import checked_pictures, new_task, receipt, rfc3339
from .vidu_fields import MODES, Ask, BadField, read_ask
from .vidu_list import page_token, read_search

NAME = "vidu"
PREFIX = "/ent/v2/"
BODY_MAX = 20 << 20
"""The whole request body (Vidu docs: image-to-video)."""

_STATES = {
    Phase.CREATED: "created",
    Phase.WAITING: "queueing",
    Phase.WORKING: "processing",
    Phase.DONE: "success",
    Phase.FAILED: "failed",
}
_STRANGE_STATE = "rendering_v9"
_TOKEN = re.compile(r"Token (\S+)")
_NUMERIC = re.compile(r"[0-9]+")


def vendor(stage: Stage) -> Vendor:
    """The pretend Vidu on this stage."""
    return Vidu(stage).vendor()


def error(status: int, reason: str, message: str, *headers: tuple[str, str]) -> Response:
    """The body of every refusal (Vidu docs: error-code)."""
    body = {"code": status, "reason": reason, "message": message, "metadata": {"trace_id": uuid.uuid4().hex}}
    return json_response(status, body, *headers)


def refused(status: int, reason: str, message: str, *headers: tuple[str, str]) -> Refused:
    """The same, to be raised."""
    return Refused(error(status, reason, message, *headers))


def not_found() -> Response:
    """Any path that is not documented; also ``/ent/v2/models``, which Vidu does not have."""
    return error(404, "NotFound", "not found")


class Vidu:
    """The endpoints. A key is any secret that begins with ``sandbox-``; each is an account of its own."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.books = stage.books

    def vendor(self) -> Vendor:
        """What the router needs to know."""
        routes = [route("POST", f"{PREFIX}{mode}", self._creating(mode)) for mode in MODES]
        routes += [
            route("GET", f"{PREFIX}tasks", self.list_tasks),
            route("GET", f"{PREFIX}tasks/{{task_id}}/creations", self.query),
            route("POST", f"{PREFIX}tasks/{{task_id}}/cancel", self.cancel),
            route("GET", f"{PREFIX}credits", self.credits),
        ]
        return Vendor(PREFIX, routes, not_found)

    def _account(self, request: Request, kind: str) -> str:
        """The key of a request, which is counted under it.

        :raises Refused: 401 for a missing, malformed or unknown key; 403 for a forbidden one.
        """
        token = _TOKEN.fullmatch(request.headers.get("authorization", ""))
        if not token or not token.group(1).startswith("sandbox-"):
            raise refused(401, "Unauthorized", "invalid token")
        self.books.count(NAME, token.group(1), kind)
        if token.group(1).startswith("sandbox-forbidden"):
            raise refused(403, "Forbidden", "access denied")
        return token.group(1)

    # -- create

    def _creating(self, mode: str) -> Action:
        return lambda request: self.create(request, mode)

    def create(self, request: Request, mode: str) -> Response:
        """``POST /ent/v2/{mode}`` (Vidu docs: text-, image-, start-end- and reference-to-video)."""
        account = self._account(request, "create")
        try:
            ask = read_ask(mode, _json_body(request))
            self._refuse_on_purpose(account, ask)
            pictures = checked_pictures(ask)
        except (BadField, BadPicture) as fault:
            raise refused(400, fault.reason, fault.message) from None
        task = self._book(account, ask, pictures)
        if "lost" in task.words:
            request.hang_up()
        if {"lost", "lost500"} & task.words:
            return error(500, "InternalServiceFailure", "internal service failure")
        return json_response(200, receipt(task))

    def _refuse_on_purpose(self, account: str, ask: Ask) -> None:
        task_words = words_in(ask.prompt)
        if "policy" in task_words:
            raise refused(400, "TaskPromptPolicyViolation", "prompt policy violation")
        if "unavailable" in task_words:
            raise refused(400, "ModelUnavailable", "model unavailable")
        # Not by payload: whoever tries again may well send another one.
        digest = hashlib.sha256(f"{ask.model} {ask.prompt}".encode()).hexdigest()
        if "throttle" in task_words and self.books.first_time(f"throttle:{account}:{digest}"):
            raise refused(429, "TooManyRequests", "too many requests", ("Retry-After", "2"))
        if "quota" in task_words and self.books.first_time(f"quota:{account}:{digest}"):
            raise refused(429, "QuotaExceeded", "quota exceeded")
        if account.startswith("sandbox-empty"):
            raise refused(400, "CreditInsufficient", "insufficient credits")

    def _book(self, account: str, ask: Ask, pictures: list[Image.Image]) -> Task:
        task = new_task(NAME, account, ask, [picture.size for picture in pictures], self.stage)
        for place, picture in enumerate(pictures):
            keep(picture, self.stage.folder.picture(task.id, place))
        try:
            return self.books.accept(task)
        except Overdrawn:
            self.stage.folder.forget(task.id)
            raise refused(400, "CreditInsufficient", "insufficient credits") from None

    # -- query, cancel, credits

    def _own_task(self, request: Request, task_id: str, kind: str) -> Task:
        """:raises Refused: 400 for an id that is no number, before the key is looked at; 404 for another's task."""
        if not _NUMERIC.fullmatch(task_id):
            raise refused(400, "BadRequest", "invalid task id")
        account = self._account(request, kind)
        task = self.books.get(task_id)
        if task is None or (task.vendor, task.account) != (NAME, account):
            raise refused(404, "TaskNotFound", "task not found")
        return task

    def query(self, request: Request, task_id: str) -> Response:
        """``GET /ent/v2/tasks/{id}/creations`` (Vidu docs: get-generation): 200 for a failed task too."""
        task, now = self._own_task(request, task_id, "query"), time.time()
        phase = task.phase(now)
        answer = {
            "id": task.id,
            "state": _state(task, now),
            "err_code": _err_code(task) if phase is Phase.FAILED else "",
            "credits": task.price(now),
            "payload": task.payload,
            "bgm": task.extra["bgm"],
            "off_peak": bool(task.off_peak),
            "audio": bool(task.audio),
            "cus_priority": 0,
            "progress": task.progress(now),
            "creations": self._creations(request, task, now),
        }
        if phase is Phase.DONE and "expired" in task.words:
            self.books.glimpse(task.id)
        return json_response(200, answer)

    def _creations(self, request: Request, task: Task, now: float) -> list[dict[str, Any]]:
        if task.phase(now) is not Phase.DONE:
            return []
        finished = max(task.ends_at, task.ready_at or 0)
        if "nourl" in task.words and now < finished + 3 / self.stage.speed:
            return []

        def link(name: str) -> str:
            return self.stage.media.link(request.base_url, task, name, now)

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

    def cancel(self, request: Request, task_id: str) -> Response:
        """``POST /ent/v2/tasks/{id}/cancel`` (Vidu docs: cancel-generation): only before the task is scheduled."""
        task = self._own_task(request, task_id, "cancel")
        try:
            body = _json_body(request)
            if not isinstance(body, dict) or body.get("id") != task.id:
                raise BadField("FieldInvalid", "id")
        except BadField as fault:
            raise refused(400, fault.reason, fault.message) from None
        if not self.books.cancel(task.id, time.time()):
            raise refused(400, "BadRequest", "task state is scheduled, can not cancel")
        return json_response(200, {})

    def credits(self, request: Request) -> Response:
        """``GET /ent/v2/credits`` (Vidu docs: get-account-info)."""
        account = self._account(request, "credits")
        detailed = request.value("show_detail") or "false"
        if detailed not in ("true", "false"):
            raise refused(400, "FieldInvalid", "invalid field: show_detail")
        standing = self.books.account(NAME, account, time.time())
        balance = 0 if account.startswith("sandbox-empty") else standing.balance
        remains = {
            "type": "metered",
            "credit_remain": balance,
            "concurrency_limit": SLOTS,
            "current_concurrency": min(SLOTS, standing.running),
            "queue_count": standing.waiting,
        }
        packages = [self._package(account, balance)] if detailed == "true" else []
        return json_response(200, {"remains": [remains], "packages": packages})

    def _package(self, account: str, balance: int) -> dict[str, Any]:
        bought = "2026-01-01T00:00:00Z"
        return {
            "id": f"pkg_{_key_id(account)}",
            "name": f"Credits {self.books.opening_balance}",
            "type": "metered",
            "concurrency": SLOTS,
            "credit_amount": self.books.opening_balance,
            "credit_remain": balance,
            "created_at": bought,
            "purchase_at": bought,
            "valid_from": bought,
            "valid_to": "2036-01-01T00:00:00Z",
        }

    # -- list

    def list_tasks(self, request: Request) -> Response:
        """``GET /ent/v2/tasks`` (Vidu docs: tasks-list): newest first; the rows lack payload, err_code and progress."""
        account, now = self._account(request, "list"), time.time()
        try:
            search = read_search(request, now)
        except BadField as fault:
            raise refused(400, fault.reason, fault.message) from None
        tasks = self.books.newest_first(NAME, account, search.since, search.until)
        found = (task for task in tasks if search.takes(task, _state(task, now)))
        page = list(islice(found, search.skip, search.skip + search.size + 1))
        rows = [self._row(request, task, now) for task in page[: search.size]]
        token = page_token(page[search.size - 1]) if len(page) > search.size else ""
        return json_response(200, {"next_page_token": token, "tasks": rows})

    def _row(self, request: Request, task: Task, now: float) -> dict[str, Any]:
        return {
            "id": task.id,
            "key_id": _key_id(task.account),
            "type": task.mode,
            "template": "",
            "model": task.model,
            "prompt": task.prompt,
            "images": task.extra["images"],
            "duration": task.duration,
            "resolution": task.resolution,
            "aspect_ratio": task.aspect_ratio,
            "state": _state(task, now),
            "creations": self._creations(request, task, now),
            "created_at": rfc3339(task.created_at),
            "credits": task.price(now),
        }


def _json_body(request: Request) -> object:
    """:raises BadField: for another content type, a body over 20 MB, or what is not JSON."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != JSON_TYPE:
        raise BadField("BadRequest", "content type must be application/json")
    data = request.body(BODY_MAX)
    if data is None:
        raise BadField("FieldInvalid", "body")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise BadField("BadRequest", "body is not valid JSON") from None


def _state(task: Task, now: float) -> str:
    strange = "unknown" in task.words and task.phase(now) is Phase.WORKING and task.progress(now) < 50
    return _STRANGE_STATE if strange else _STATES[task.phase(now)]


def _err_code(task: Task) -> str:
    """The reason of a failed task [inferred: a cancelled one ends as UserCancelled]."""
    return "UserCancelled" if task.cancelled_at is not None else task.failure or ""


def _key_id(account: str) -> str:
    return f"key_{hashlib.sha256(account.encode()).hexdigest()[:12]}"
