"""How gateways of the new-api family refuse, which DataEyes and UniAll are (new-api docs; [inferred] for both)."""

from typing import Any

from .exchange import Response, json_response
from .gateway import Cause, Gateway

# Refused by the gateway itself, before anything is sent on: {"error": {message, type, param, code}}.
_BY_GATEWAY = {
    Cause.KEY: (401, "invalid token", ""),
    Cause.FORBIDDEN: (403, "access denied", "access_denied"),
    Cause.MONEY: (403, "insufficient user quota", "insufficient_user_quota"),
    Cause.MODEL: (400, "no channel for model {}", "model_not_found"),
    Cause.THROTTLE: (429, "too many requests", "rate_limit_exceeded"),
    Cause.QUOTA: (429, "too many running tasks, quota exceeded", "quota_exceeded"),
    Cause.NO_PATH: (404, "Invalid URL ({})", "not_found"),
}
# Refused while a task is handled: {code, message, data}.
_BY_TASK = {
    Cause.FIELD: (400, "invalid_request", "{}"),
    Cause.POLICY: (400, "TaskPromptPolicyViolation", "prompt policy violation"),
    Cause.NO_TASK: (404, "task_not_exist", "task does not exist"),
    Cause.BROKEN: (500, "read_response_body_failed", "upstream error"),
}


class NewApi(Gateway):
    """A gateway with both shapes of refusals."""

    def say(self, cause: Cause, detail: str) -> Response:
        """The shape depends on how far the request came."""
        if cause in _BY_TASK:
            status, code, message = _BY_TASK[cause]
            body: dict[str, Any] = {"code": code, "message": message.format(detail), "data": None}
        else:
            status, message, code = _BY_GATEWAY[cause]
            body = {"error": {"message": message.format(detail), "type": "new_api_error", "param": "", "code": code}}
        return json_response(status, body)
