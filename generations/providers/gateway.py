"""How the gateways in front of Vidu's models say no: several envelopes, names, numbers or prose.

    {"error": {"message", "type", "param", "code"}}    the new-api family [docs: docs.newapi.pro]
    {"code", "message", "data"}                        the same family, older
    {"error": "text"}, {"message": "text"}             whatever else was seen [client code]

Names of Vidu's own that a gateway passes through keep Vidu's meaning.
"""

import re
from collections.abc import Mapping
from typing import Any

from . import wire
from .base import Answer, CallKind, Failure, FailureClass, ProviderError
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
    (FailureClass.PROVIDER_PERMANENT, re.compile(r"no handler found|no available channel|model .*unavailable", re.I)),
)


def said(body: object) -> tuple[str, str, str]:
    """Error name, text and trace id of a body; "" for each that is not there."""
    outer = wire.mapping(body)
    inner: Mapping[str, Any] = wire.mapping(outer.get("error"))
    text = inner.get("message") or inner.get("error_message") or outer.get("error") or outer.get("message")
    code = inner.get("code") or outer.get("code") or outer.get("reason")
    trace = outer.get("request_id") or wire.mapping(outer.get("metadata")).get("trace_id")
    return wire.word(code), wire.clean(text), wire.word(trace)


def class_of(code: str, text: str) -> FailureClass | None:
    """By name, else by prose; None when neither is known."""
    return NAMES.get(code) or next((cls for cls, words in _PROSE if words.search(text)), None)


def refusal(answer: Answer, kind: CallKind, statuses: Mapping[int, FailureClass] | None = None) -> ProviderError:
    """The error for an answer that is not the one hoped for. ``statuses`` are a vendor's own meanings of a status."""
    code, text, trace = said(answer.json())
    named = class_of(code, text) or (statuses or {}).get(answer.status)
    if code.isdecimal():  # the status again, or a number that no document explains
        code = "" if code == str(answer.status) else code
    return wire.refusal(answer, kind, named, code=code, text=text, trace_id=trace)


def failure(code: str, text: str) -> Failure:
    """Why a task failed, by the vendor's name or prose. A lost request inside the vendor's house just passes."""
    cls = class_of(code, text) or FailureClass.PROVIDER_UNKNOWN
    if cls is FailureClass.AMBIGUOUS_SUBMIT:
        cls = FailureClass.PROVIDER_TRANSIENT
    return Failure(cls, code, text)
