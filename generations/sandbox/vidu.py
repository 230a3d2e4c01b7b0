"""Vidu's protocol: create, query, list, cancel, credits (Vidu docs, as read in 2026)."""

import hashlib
import io
import re
import time
import uuid
from functools import partial
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from .bell import may_be_called
from .exchange import Refused, Request, Response, Route, json_response, route
from .fields import MODES, Ask, BadField
from .gateway import Cause, Gateway, json_body
from .pictures import BadPicture
from .tasks import SLOTS, Phase, Task
from .vidu_experiments import EXTEND, PATHS, PRICES, TEMPLATE, UPSCALE, read_extend, read_template, read_upscale
from .vidu_fields import read_ask
from .vidu_list import page_token, read_search
from .vidu_wire import STATES, creations, decimal_ids, details, quote_for, receipt, report, rfc3339, task_id_of

_REFUSALS = {
    Cause.KEY: (401, "Unauthorized", "invalid token"),
    Cause.FORBIDDEN: (403, "Forbidden", "access denied"),
    Cause.MONEY: (400, "CreditInsufficient", "insufficient credits"),
    Cause.FIELD: (400, "BadRequest", "bad request"),
    Cause.POLICY: (400, "TaskPromptPolicyViolation", "prompt policy violation"),
    Cause.MODEL: (400, "ModelUnavailable", "model unavailable"),
    Cause.THROTTLE: (429, "TooManyRequests", "too many requests"),
    Cause.QUOTA: (429, "QuotaExceeded", "quota exceeded"),
    Cause.NO_TASK: (404, "TaskNotFound", "task not found"),
    Cause.NO_PATH: (404, "NotFound", "not found"),
    Cause.BROKEN: (500, "InternalServiceFailure", "internal service failure"),
}
_NUMERIC = re.compile(r"[0-9]+")


def error(status: int, reason: str, message: str) -> Response:
    """The body of every refusal (Vidu docs: error-code)."""
    body = {"code": status, "reason": reason, "message": message, "metadata": {"trace_id": uuid.uuid4().hex}}
    return json_response(status, body)


class Vidu(Gateway):
    """The endpoints; prices are in credits (Vidu docs: pricing)."""

    NAME = "vidu"
    PREFIX = "/ent/v2/"
    SCHEME = "Token"

    def paths(self) -> list[Route]:
        """One create per mode; ``/ent/v2/models`` does not exist."""
        creates = [route("POST", f"{self.PREFIX}{mode}", self.creating(partial(read_ask, mode))) for mode in MODES]
        experiments = (
            (UPSCALE, partial(read_upscale, self._made)),
            (EXTEND, partial(read_extend, self._made)),
            (TEMPLATE, read_template),
        )
        return [
            *creates,
            *(route("POST", f"{self.PREFIX}{PATHS[mode]}", self.creating(read)) for mode, read in experiments),
            route("GET", f"{self.PREFIX}tasks", self.list_tasks),
            route("GET", f"{self.PREFIX}tasks/{{task_id}}/creations", self.showing(self._describe)),
            route("POST", f"{self.PREFIX}tasks/{{task_id}}/cancel", self.cancel),
            route("GET", f"{self.PREFIX}credits", self.credits),
        ]

    def say(self, cause: Cause, detail: str) -> Response:
        """Every cause has a reason name and a fixed message."""
        return error(*_REFUSALS[cause])

    def fault(self, fault: BadField | BadPicture) -> Response:
        """A bad body says by name what is wrong."""
        return error(400, fault.reason, fault.message)

    # -- create

    def new_ids(self, now: float) -> tuple[str, str]:
        """Decimal strings."""
        return decimal_ids(now)

    def quote(self, ask: Ask) -> int:
        """Credits."""
        return PRICES[ask.mode] if ask.mode in PRICES else quote_for(ask, ask.model)

    def _made(self, creation_id: str) -> Task | None:
        """The finished task that made this creation."""
        task = self.books.get(task_id_of(creation_id))
        return task if task and task.vendor == self.NAME and task.phase(time.time()) is Phase.DONE else None

    def details(self, ask: Ask) -> dict[str, Any]:
        """What receipt and list echo."""
        return details(ask)

    def receipt(self, task: Task) -> dict[str, Any]:
        """An echo with the id."""
        return receipt(task)

    def booked(self, request: Request, task: Task) -> None:
        """Vidu docs: callback; only a loopback address is ever called."""
        if "nocallback" not in task.words and may_be_called(task.extra["callback_url"]):
            self.books.hang_bell(task.id, request.base_url)

    def news(self, task: Task, base_url: str, now: float) -> dict[str, Any]:
        """The body of a callback: that of the query's answer."""
        return report(self, Request("POST", "/", [], {"host": urlsplit(base_url).netloc}, io.BytesIO()), task, now)

    # -- query, cancel, credits

    def own_task(self, request: Request, task_id: str, kind: str) -> Task:
        """:raises Refused: 400 for an id that is no number, before the key is looked at; 404 for another's task."""
        if not _NUMERIC.fullmatch(task_id):
            raise Refused(error(400, "BadRequest", "invalid task id"))
        return super().own_task(request, task_id, kind)

    def _describe(self, request: Request, task: Task, now: float) -> dict[str, Any]:
        return report(self, request, task, now)

    def cancel(self, request: Request, task_id: str) -> Response:
        """``POST /ent/v2/tasks/{id}/cancel`` (Vidu docs: cancel-generation): only before the task is scheduled."""
        task = self.own_task(request, task_id, "cancel")
        try:
            body = json_body(request)
            if not isinstance(body, dict) or body.get("id") != task.id:
                raise BadField("FieldInvalid", "id")
        except BadField as fault:
            raise Refused(self.fault(fault)) from None
        if not self.books.cancel(task.id, time.time()):
            raise Refused(error(400, "BadRequest", "task state is scheduled, can not cancel"))
        return json_response(200, {})

    def credits(self, request: Request) -> Response:
        """``GET /ent/v2/credits`` (Vidu docs: get-account-info)."""
        account = self.account(request, "credits")
        detailed = request.value("show_detail") or "false"
        if detailed not in ("true", "false"):
            raise Refused(error(400, "FieldInvalid", "invalid field: show_detail"))
        standing = self.books.account(self.NAME, account, time.time())
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
            "name": f"Credits {self.books.opening(self.NAME)}",
            "type": "metered",
            "concurrency": SLOTS,
            "credit_amount": self.books.opening(self.NAME),
            "credit_remain": balance,
            "created_at": bought,
            "purchase_at": bought,
            "valid_from": bought,
            "valid_to": "2036-01-01T00:00:00Z",
        }

    # -- list

    def list_tasks(self, request: Request) -> Response:
        """``GET /ent/v2/tasks`` (Vidu docs: tasks-list): newest first; the rows lack payload, err_code and progress."""
        account, now = self.account(request, "list"), time.time()
        try:
            search = read_search(request, now)
        except BadField as fault:
            raise Refused(self.fault(fault)) from None
        tasks = self.books.newest_first(self.NAME, account, search.since, search.until)
        found = (task for task in tasks if search.takes(task, self.word(task, now, STATES)))
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
            "state": self.word(task, now, STATES),
            "creations": creations(self, request, task, now),
            "created_at": rfc3339(task.created_at),
            "credits": task.price(now),
        }


def _key_id(account: str) -> str:
    return f"key_{hashlib.sha256(account.encode()).hexdigest()[:12]}"
