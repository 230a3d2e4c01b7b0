"""What all pretend vendors do alike: keys, refusals, booking, and looking after a task until its links are shown."""

import hashlib
import json
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Any, ClassVar

from PIL import Image

from .booking import Booking, checked_pictures, new_task
from .books import Overdrawn
from .exchange import JSON_TYPE, Action, Refused, Request, Response, Route, json_response
from .fields import Ask, BadField
from .pictures import BadPicture, keep
from .scenarios import words_in
from .stage import Stage
from .tasks import Phase, Task

BODY_MAX = 20 << 20
"""The whole request body (Vidu docs: image-to-video; the others name no limit, so theirs is the same [inferred])."""

_STRANGE_WORD = "rendering_v9"
_NOURL_S = 3


class Cause(Enum):
    """Why a request is refused; every vendor has its own status, words and shape for each."""

    KEY = auto()
    FORBIDDEN = auto()
    MONEY = auto()
    FIELD = auto()
    POLICY = auto()
    MODEL = auto()
    THROTTLE = auto()
    QUOTA = auto()
    NO_TASK = auto()
    NO_PATH = auto()
    BROKEN = auto()


_REFUSED_ONCE = {"throttle": Cause.THROTTLE, "quota": Cause.QUOTA, "lost500before": Cause.BROKEN}


class Gateway(ABC):
    """One pretend vendor. A key is any secret that begins with ``sandbox-``; each is an account of its own.

    Two beginnings are special: ``sandbox-forbidden`` may do nothing, ``sandbox-empty`` has no money.
    """

    NAME: ClassVar[str]
    """Its slug in the books."""
    PREFIX: ClassVar[str]
    """Every path below belongs to this vendor, also those it does not have."""
    SCHEME: ClassVar[str] = "Bearer"
    UNITS_PER_CREDIT: ClassVar[int] = 1
    """How many of the vendor's own units a key gets for each credit of the opening balance."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.books = stage.books
        self.routes = self.paths()
        self._token = re.compile(rf"{self.SCHEME} (\S+)")

    # -- what each vendor says for itself

    @abstractmethod
    def paths(self) -> list[Route]:
        """The documented endpoints."""

    @abstractmethod
    def say(self, cause: Cause, detail: str) -> Response:
        """A refusal in the vendor's shape; ``detail`` is a field's fault, a model's name, or method and path."""

    @abstractmethod
    def new_ids(self, now: float) -> tuple[str, str]:
        """Ids for a task and for what will come of it."""

    @abstractmethod
    def quote(self, ask: Ask) -> int:
        """The price in the vendor's own unit; charged only when the task succeeds."""

    @abstractmethod
    def receipt(self, task: Task) -> dict[str, Any]:
        """The answer to a create."""

    def details(self, ask: Ask) -> dict[str, Any]:
        """What to remember of a body besides the columns of the books."""
        return {"watermark": ask.body.get("watermark", False), "wm_position": ask.body.get("wm_position", 3)}

    def fault(self, fault: BadField | BadPicture) -> Response:
        """The refusal of a body."""
        return self.say(Cause.FIELD, fault.message)

    # -- refusals

    def refused(self, cause: Cause, detail: str = "") -> Refused:
        """A refusal to be raised."""
        return Refused(self.throttled(2) if cause is Cause.THROTTLE else self.say(cause, detail))

    def throttled(self, seconds: int) -> Response:
        """429, with the pause that is asked for."""
        response = self.say(Cause.THROTTLE, "")
        response.headers.append(("Retry-After", str(seconds)))
        return response

    def not_found(self, request: Request) -> Response:
        """Any path that is not documented."""
        return self.say(Cause.NO_PATH, f"{request.method} {request.path}")

    def crashed(self) -> Response:
        """The answer when the sandbox itself is at fault."""
        return self.say(Cause.BROKEN, "")

    def account(self, request: Request, kind: str) -> str:
        """The key of a request, which is counted under it.

        :raises Refused: for a missing, malformed or unknown key, and for a forbidden one.
        """
        token = self._token.fullmatch(request.headers.get("authorization", ""))
        if not token or not token.group(1).startswith("sandbox-"):
            raise self.refused(Cause.KEY)
        self.books.count(self.NAME, token.group(1), kind)
        if token.group(1).startswith("sandbox-forbidden"):
            raise self.refused(Cause.FORBIDDEN)
        return token.group(1)

    # -- create

    def creating(self, read: Callable[[object], Ask]) -> Action:
        """An endpoint that makes tasks; ``read`` checks its decoded body."""
        return lambda request: self._create(request, read)

    def _create(self, request: Request, read: Callable[[object], Ask]) -> Response:
        account = self.account(request, "create")
        try:
            ask = read(json_body(request))
            self._refuse_on_purpose(account, ask)
            pictures = checked_pictures(ask)
        except (BadField, BadPicture) as fault:
            raise Refused(self.fault(fault)) from None
        task = self._book(account, ask, pictures)
        self.booked(request, task)
        if "hang" in task.words:
            self.stage.faults.hang()
        if "lost" in task.words:
            request.hang_up()
        if {"lost", "lost500"} & task.words:
            return self.crashed()
        return json_response(200, self.receipt(task))

    def booked(self, request: Request, task: Task) -> None:  # noqa: B027 - most do nothing
        """What else a vendor does about a new task."""

    def _refuse_on_purpose(self, account: str, ask: Ask) -> None:
        words = words_in(ask.prompt)
        if "policy" in words:
            raise self.refused(Cause.POLICY)
        if "unavailable" in words:
            raise self.refused(Cause.MODEL, ask.model)
        # Not by payload: whoever tries again may well send another one.
        digest = hashlib.sha256(f"{ask.model} {ask.prompt}".encode()).hexdigest()
        for word, cause in _REFUSED_ONCE.items():
            if word in words and self.books.first_time(f"{word}:{self.NAME}:{account}:{digest}"):
                raise self.refused(cause)
        if account.startswith("sandbox-empty"):
            raise self.refused(Cause.MONEY)

    def _book(self, account: str, ask: Ask, pictures: list[Image.Image]) -> Task:
        now = round(time.time(), 6)
        booking = Booking(self.NAME, account, *self.new_ids(now), self.quote(ask), self.details(ask), now)
        task = new_task(booking, ask, [picture.size for picture in pictures], self.stage)
        for place, picture in enumerate(pictures):
            keep(picture, self.stage.folder.picture(task.id, place))
        try:
            return self.books.accept(task)
        except Overdrawn:
            self.stage.folder.forget(task.id)
            raise self.refused(Cause.MONEY) from None

    # -- query

    def showing(self, describe: Callable[[Request, Task, float], dict[str, Any]]) -> Action:
        """An endpoint that shows the task in its path; ``describe`` makes the answer. 200 for a failed task too."""

        def show(request: Request, task_id: str) -> Response:
            task, now = self.own_task(request, task_id, "query"), time.time()
            answer = describe(request, task, now)
            if "expired" in task.words and task.phase(now) is Phase.DONE:
                self.books.glimpse(task.id)
            return json_response(200, answer)

        return show

    def own_task(self, request: Request, task_id: str, kind: str) -> Task:
        """:raises Refused: for a bad key, and for a task that is not there or another's."""
        account = self.account(request, kind)
        task = self.books.get(task_id)
        if task is None or (task.vendor, task.account) != (self.NAME, account):
            raise self.refused(Cause.NO_TASK)
        return task

    def word(self, task: Task, now: float, words: Mapping[Phase, str]) -> str:
        """The vendor's word for where a task stands; one that nobody knows where the scenario ``[unknown]`` asks."""
        strange = "unknown" in task.words and task.phase(now) is Phase.WORKING and task.progress(now) < 50
        return _STRANGE_WORD if strange else words[task.phase(now)]

    def has_links(self, task: Task, now: float) -> bool:
        """Whether an answer shows links: from success on, or a little later where ``[nourl]`` asks for it."""
        if task.phase(now) is not Phase.DONE:
            return False
        finished = max(task.ends_at, task.ready_at or 0)
        return "nourl" not in task.words or now >= finished + _NOURL_S / self.stage.speed

    def video_link(self, request: Request, task: Task, now: float) -> str:
        """An address of the video that does not tell when it dies; empty while there is none."""
        return self.stage.media.plain_link(request.base_url, task, now) if self.has_links(task, now) else ""


def json_body(request: Request) -> object:
    """The decoded body.

    :raises BadField: for another content type, a body over 20 MB, or what is not JSON.
    """
    return decoded(request, request.body(BODY_MAX))


def decoded(request: Request, data: bytes | None) -> object:
    """The same, once the body is read."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != JSON_TYPE:
        raise BadField("BadRequest", "content type must be application/json")
    if data is None:
        raise BadField("FieldInvalid", "body")
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise BadField("BadRequest", "body is not valid JSON") from None
