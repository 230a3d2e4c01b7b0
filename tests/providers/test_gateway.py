"""How the four gateways say no: the same envelopes, whoever sends them."""

from typing import Any

import pytest

from generations.providers import PROVIDERS, gateway
from generations.providers.base import Answer, AnswerLost, FailureClass, Provider, Refused

from .contract import answer, caught

GATEWAYS = [PROVIDERS[slug] for slug in ("dataeyes", "uniall", "xingchao", "vtrix")]
each_gateway = pytest.mark.parametrize("provider", GATEWAYS, ids=lambda provider: provider.slug)
by_no_such_task = pytest.mark.parametrize(
    "provider", [each for each in GATEWAYS if each.slug != "uniall"], ids=lambda provider: provider.slug
)


def new(code: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "new_api_error", "param": "", "code": code}}


def old(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "data": None}


def vidus(code: str, message: str) -> dict[str, Any]:
    return {"code": 400, "reason": code, "message": message, "metadata": {"trace_id": "t"}}


NAMES = [
    ("insufficient_user_quota", "account_credits"),
    ("pre_consume_token_quota_failed", "account_credits"),
    ("rate_limit_exceeded", "throttled"),
    ("invalid_request", "user_input"),
    ("model_not_found", "provider_permanent"),
    ("TaskPromptPolicyViolation", "content_policy"),
    ("CreationPolicyViolation", "content_policy"),
    ("CreditInsufficient", "account_credits"),
    ("ImageDownloadFailure", "user_input"),
    ("ModelUnavailable", "provider_permanent"),
    ("QuotaExceeded", "account_limit"),
    ("OperationInProcess", "throttled"),
    ("Unauthorized", "account_auth"),
    ("TaskNotFound", "not_found"),
    ("Conflict", "ambiguous_submit"),
]
PROSE = [
    ("Content policy violation", "content_policy"),
    ("The prompt contains restricted content", "content_policy"),
    ("Your request was REJECTED", "content_policy"),
    ("提示词违规", "content_policy"),
    ("insufficient balance", "account_credits"),
    ("余额不足", "account_credits"),
    ("no available channel for model viduq3", "provider_permanent"),
    ("No handler found for GET /x", "provider_permanent"),
    ("Invalid URL (POST /v2/x)", "provider_permanent"),
    ("Not Found", "provider_permanent"),
]


@each_gateway
@pytest.mark.parametrize("envelope", [new, old, vidus])
@pytest.mark.parametrize(("name", "cls"), NAMES)
def test_name_decides_in_every_envelope(provider: Provider, envelope: Any, name: str, cls: str) -> None:
    error = caught(provider.read_receipt, answer(envelope(name, "no"), 400))
    assert (error.failure.cls, error.failure.code, error.failure.text) == (cls, name, "no")
    assert isinstance(error, AnswerLost) == (cls == "ambiguous_submit")


@each_gateway
@pytest.mark.parametrize(("text", "cls"), PROSE)
def test_prose_decides_where_no_name_does(provider: Provider, text: str, cls: str) -> None:
    for body in ({"error": text}, {"message": text}, new("", text), old("", text), new("odd_name", text)):
        failure = caught(provider.read_receipt, answer(body, 400)).failure
        assert (failure.cls, failure.text) == (cls, text)


@each_gateway
@pytest.mark.parametrize(
    ("status", "cls"),
    [(400, "user_input"), (401, "account_auth"), (402, "account_credits"), (404, "not_found"), (429, "throttled")],
)
def test_status_decides_where_no_word_does(provider: Provider, status: int, cls: str) -> None:
    for body in (new("", "no"), old("", "no"), {"error": "no"}, {"message": "no"}, new(str(status), "no")):
        failure = caught(provider.read_receipt, answer(body, status)).failure
        assert (failure.cls, failure.code, failure.text) == (cls, f"http_{status}", "no")


@each_gateway
@pytest.mark.parametrize(("name", "_cls"), NAMES)
def test_no_name_makes_a_5xx_safe_to_repeat(provider: Provider, name: str, _cls: str) -> None:
    error = caught(provider.read_receipt, answer(new(name, "x"), 500))
    assert isinstance(error, AnswerLost)
    assert (error.failure.cls, error.failure.code) == (FailureClass.AMBIGUOUS_SUBMIT, name)


@each_gateway
def test_refusal_in_a_200_is_ambiguous(provider: Provider) -> None:
    error = caught(provider.read_receipt, answer(old("insufficient_user_quota", "none left"), 200))
    assert isinstance(error, AnswerLost)
    assert error.failure.code == "insufficient_user_quota"


@each_gateway
@pytest.mark.parametrize("code", [0, "0", "000000000", "success", None, [], {}])
def test_what_names_no_error_is_no_name(provider: Provider, code: object) -> None:
    failure = caught(provider.read_receipt, answer({"code": code, "message": "no"}, 400)).failure
    assert (failure.cls, failure.code) == (FailureClass.USER_INPUT, "http_400")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error": {"code": "a", "message": "b"}, "request_id": "r"}, ("a", "b", "r")),
        ({"error": {"error_message": "b"}, "message": "c"}, ("", "b", "")),
        ({"code": "a", "message": "b"}, ("a", "b", "")),
        ({"code": 400, "reason": "a", "message": "b", "metadata": {"trace_id": "t"}}, ("a", "b", "t")),
        ({"error": "b", "message": "c"}, ("", "b", "")),
        ({"error": {}, "message": "c"}, ("", "c", "")),
        ({"error": [1], "metadata": 7}, ("", "", "")),
        ("b", ("", "", "")),
        (None, ("", "", "")),
    ],
)
def test_what_a_body_says(body: object, words: tuple[str, str, str]) -> None:
    assert gateway.said(body) == gateway.Words(*words)


class TestKey:
    @by_no_such_task
    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (404, {"code": 404, "reason": "TaskNotFound", "message": "task not found"}),
            (404, {"message": "task not found"}),
            (400, {"code": "task_not_exist", "message": "task_not_exist", "data": None}),
            (400, {"error": "invalid id"}),
            (404, {"error": {"code": "X1", "message": "no such generation"}}),
            (200, {"error": "Task not found"}),
            (200, {"code": "task_not_exist", "message": "", "data": None}),
        ],
    )
    def test_no_to_a_task_shows_a_good_key(self, provider: Provider, status: int, body: object) -> None:
        balance = provider.read_test(answer(body, status))
        assert (balance.remaining, balance.concurrency_limit) == (None, None)
        assert not provider.reports_balance

    @by_no_such_task
    @pytest.mark.parametrize(
        ("status", "body", "cls"),
        [
            (401, {"message": "task not found"}, "account_auth"),
            (400, {"error": {"code": "", "message": "Invalid token"}}, "account_auth"),
            (404, {"message": "API key not found"}, "account_auth"),
            (403, new("insufficient_user_quota", "user quota is not enough"), "account_credits"),
            (403, new("pre_consume_token_quota_failed", "token quota is not enough"), "account_credits"),
            (404, {"message": "No handler found for GET /x"}, "provider_permanent"),
            (404, {"error": {"message": "Invalid URL (GET /v2/x)", "code": ""}}, "provider_permanent"),
            (404, {"status": 404, "error": "Not Found", "path": "/x"}, "provider_permanent"),
            (429, {"message": "task not found"}, "throttled"),
            (500, {"message": "task not found"}, "provider_transient"),
            (200, {"message": "API key not found"}, "provider_transient"),
            (200, {"message": "welcome"}, "provider_transient"),
            (422, {"message": "task not found"}, "user_input"),
            (400, {}, "user_input"),
            (404, {"data": None}, "not_found"),
        ],
    )
    def test_what_shows_none(self, provider: Provider, status: int, body: object, cls: str) -> None:
        error = caught(provider.read_test, answer(body, status))
        assert isinstance(error, Refused)
        assert error.failure.cls == cls

    @each_gateway
    def test_page_of_a_proxy_shows_none(self, provider: Provider) -> None:
        for status in (400, 404, 200):
            assert isinstance(caught(provider.read_test, Answer(status, {}, b"<h1>not found</h1>")), Refused)
