"""How the gateways in front of Vidu's models say no: several envelopes, names, numbers or prose.

    {"error": {"message", "type", "param", "code"}}    the new-api family [docs: docs.newapi.pro]
    {"code", "message", "data"}                        the same family, older
    {"error": "text"}, {"message": "text"}             whatever else was seen [client code]
    {"code", "reason", "message", "metadata"}          Vidu's own, passed through [inferred]

Names of Vidu's own that a gateway passes through keep Vidu's meaning.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import AliasChoices, Field

from . import wire
from .base import Answer, Balance, CallKind, Failure, FailureClass, ProviderError
from .vidu_words import REASONS

NAMES: Mapping[str, FailureClass] = {
    **REASONS,
    "invalid_request": FailureClass.USER_INPUT,  # [inferred] all of these but the quota
    "invalid_request_error": FailureClass.USER_INPUT,
    "insufficient_user_quota": FailureClass.ACCOUNT_CREDITS,  # [docs: docs.newapi.pro]
    "pre_consume_token_quota_failed": FailureClass.ACCOUNT_CREDITS,
    "rate_limit_exceeded": FailureClass.THROTTLED,
    "RATE_LIMIT_EXCEEDED": FailureClass.THROTTLED,
    "model_not_found": FailureClass.PROVIDER_PERMANENT,
    "model_unavailable": FailureClass.PROVIDER_PERMANENT,
}
# Where nothing but prose says why. The first that fits decides.
_PROSE = (
    (FailureClass.CONTENT_POLICY, re.compile(r"policy|restricted|rejected|sensitive|moderation|违规|敏感", re.I)),
    (FailureClass.ACCOUNT_CREDITS, re.compile(r"insufficient (balance|credit|quota|user quota)|余额不足", re.I)),
    (
        FailureClass.PROVIDER_PERMANENT,  # no such model, or no such path [client code]
        re.compile(r"no available channel|model .*unavailable|no handler found|^invalid url |^not found$", re.I),
    ),
)
_PROSE_MAY_TELL = frozenset({400, 402, 403, 404, 422})
_NO_TASK = re.compile(r"not[ _]?(found|exist)|no such|不存在", re.I)
_OF_THE_KEY = re.compile(r"api[ _-]?key|token|unauthori[sz]ed|authenticat", re.I)
# What an answer about a task that cannot exist may be taken for.
_ABOUT_THE_TASK = frozenset({FailureClass.USER_INPUT, FailureClass.NOT_FOUND, FailureClass.PROVIDER_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Words:
    """What an error body says; "" for each that is not there."""

    code: str = ""
    text: str = ""
    trace_id: str = ""


class Job(wire.Wire):
    """What all these vendors say of a task."""

    id: wire.Id = Field(validation_alias=AliasChoices("task_id", "id"))
    status: wire.Word = ""


def said(body: object) -> Words:
    """Error name, text and trace id of a body. Vidu puts the status into ``code`` and the name into ``reason``."""
    outer = wire.mapping(body)
    inner: Mapping[str, Any] = wire.mapping(outer.get("error"))
    text = inner.get("message") or inner.get("error_message") or outer.get("error") or outer.get("message")
    code = inner.get("code") or outer.get("reason") or outer.get("code")
    trace = outer.get("request_id") or wire.mapping(outer.get("metadata")).get("trace_id")
    return Words(wire.word(code), wire.clean(text), wire.word(trace))


def class_of(code: str, text: str) -> FailureClass | None:
    """By name, else by prose; None when neither is known."""
    return NAMES.get(code) or next((cls for cls, words in _PROSE if words.search(text)), None)


def refusal(
    answer: Answer, kind: CallKind, words: Words | None = None, statuses: Mapping[int, FailureClass] | None = None
) -> ProviderError:
    """The error for an answer that is not the one hoped for.

    ``words`` are those of the body unless the vendor spells them in its own way; ``statuses`` are a vendor's own
    meanings of a status, where the vendor itself speaks and not something in between.
    """
    body = answer.json()
    words = words or said(body)
    own = (statuses or {}).get(answer.status) if isinstance(body, dict) else None
    code = words.code
    if code in (str(answer.status), "success") or not code.strip("0"):  # the status again, or no error's name
        code = ""
    # Prose decides only where the status alone does not: "request rejected" stands beside 429 and 401 as well.
    named = NAMES.get(code) or (class_of("", words.text) if answer.status in _PROSE_MAY_TELL else None) or own
    return wire.refusal(answer, kind, named, code=code, text=words.text, trace_id=words.trace_id)


def failure(code: str, text: str) -> Failure:
    """Why a task failed, by the vendor's name or prose. A lost request inside the vendor's house just passes."""
    cls = class_of(code, text) or FailureClass.PROVIDER_UNKNOWN
    if cls is FailureClass.AMBIGUOUS_SUBMIT:
        cls = FailureClass.PROVIDER_TRANSIENT
    return Failure(cls, code, text)


def key_is_good(answer: Answer) -> Balance:
    """What a harmless read of a task that cannot exist proves [inferred]; none of these vendors has a call for it.

    The key is good when the vendor itself, in an envelope of its own, says no to the task: 400, 404, or "not found"
    in a 200. Raises what was said otherwise: to the key, to the path, or by something in between.
    """
    words, error = said(answer.json()), refusal(answer, CallKind.BALANCE)
    says = f"{words.code} {words.text}".strip()
    of_the_key = _OF_THE_KEY.search(says)
    if error.failure.cls in _ABOUT_THE_TASK and of_the_key:
        raise wire.refusal(answer, CallKind.BALANCE, FailureClass.ACCOUNT_AUTH, code=words.code, text=words.text)
    no_to_the_task = error.failure.cls in _ABOUT_THE_TASK and answer.status in (400, 404)
    if says and not of_the_key and (no_to_the_task or (answer.status == 200 and _NO_TASK.search(says))):
        return Balance(None)
    raise error
