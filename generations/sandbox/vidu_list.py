"""The query keys of Vidu's list (Vidu docs: tasks-list; the page prints both ``paper`` and ``pager``)."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime

from .exchange import Request
from .fields import BadField
from .tasks import Task

DEFAULT_SPAN_S = 7 * 86_400
PAGE_SIZE, PAGE_SIZE_MAX = 10, 100
_NUMBER_DIGITS = 9


@dataclass(frozen=True)
class Search:
    """What a list request asks for. ``after`` is where the page before ended: creation time and id of its last row."""

    since: float
    until: float
    size: int
    skip: int
    ids: frozenset[str]
    states: frozenset[str]
    models: frozenset[str]
    resolutions: frozenset[str]
    templates: frozenset[str]
    after: tuple[float, str] | None

    def takes(self, task: Task, state: str) -> bool:
        """Whether every filter lets the task through. No task here was made from a template."""
        return (
            (self.after is None or (task.created_at, task.id) < self.after)
            and not self.templates
            and (not self.ids or task.id in self.ids)
            and (not self.states or state in self.states)
            and (not self.models or bool({task.model, task.model.removeprefix("vidu")} & self.models))
            and (not self.resolutions or task.resolution in self.resolutions)
        )


def read_search(request: Request, now: float) -> Search:
    """Read the query; keys nobody knows are ignored [inferred].

    :raises BadField: for a time, number or token that cannot be read.
    """
    after = _read_token(request.value("pager.page_token"))
    until = _moment(request, "created_at.to", now)
    size = min(PAGE_SIZE_MAX, _number(request, "pager.pagesz", "paper.pagesz") or PAGE_SIZE)
    return Search(
        since=_moment(request, "created_at.from", now - DEFAULT_SPAN_S),
        until=min(until, after[0]) if after else until,
        size=size,
        skip=0 if after else size * _number(request, "pager.page", "paper.page"),
        ids=frozenset(request.values("task_ids")),
        states=frozenset(request.values("states")),
        models=frozenset(request.values("model_versions")),
        resolutions=frozenset(request.values("resolutions")),
        templates=frozenset(request.values("templates")),
        after=after,
    )


def _number(request: Request, *keys: str) -> int:
    text = request.value(*keys) or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= _NUMBER_DIGITS):
        raise BadField("FieldInvalid", keys[0])
    return int(text)


def _moment(request: Request, key: str, otherwise: float) -> float:
    """RFC 3339 with an offset; seconds since 1970."""
    text = request.value(key)
    if not text:
        return otherwise
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise BadField("FieldInvalid", key)
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise BadField("FieldInvalid", key) from None


def page_token(last: Task) -> str:
    """A token that stands for the place behind this task, so that newer tasks do not shift the pages."""
    return base64.urlsafe_b64encode(json.dumps([last.created_at, last.id]).encode()).decode()


def _read_token(token: str) -> tuple[float, str] | None:
    if not token:
        return None
    try:
        created_at, task_id = json.loads(base64.urlsafe_b64decode(token.encode()))
        return (float(created_at), str(task_id))
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise BadField("FieldInvalid", "pager.page_token") from None
