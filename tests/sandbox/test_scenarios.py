"""Every word in brackets does what its sentence says."""

import time
from typing import Any

import httpx
import pytest

from generations.sandbox.scenarios import SCENARIOS

from .conftest import SPEED, Customer, Running

pytestmark = pytest.mark.route


def links(customer: Customer, word: str, **changes: Any) -> dict[str, Any]:
    task_id = customer.made(prompt=f"A boat [{word}]", **changes)
    answer = customer.finished(task_id)
    assert answer["state"] == "success"
    return dict(answer["creations"][0]) | {"task_id": task_id}


@pytest.mark.parametrize(
    ("word", "status", "reason"),
    [
        ("policy", 400, "TaskPromptPolicyViolation"),
        ("POLICY", 400, "TaskPromptPolicyViolation"),
        ("unavailable", 400, "ModelUnavailable"),
    ],
)
def test_refused_at_create(customer: Customer, word: str, status: int, reason: str) -> None:
    answer = customer.create(prompt=f"A boat [{word}]")
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert customer.books()["tasks"] == []


@pytest.mark.parametrize(
    ("word", "reason", "wait"), [("throttle", "TooManyRequests", "2"), ("quota", "QuotaExceeded", None)]
)
def test_refused_once(customer: Customer, word: str, reason: str, wait: str | None) -> None:
    for prompt in (f"[{word}] one", f"[{word}] two"):
        answer = customer.create(prompt=prompt, payload="first try")
        assert (answer.status_code, answer.json()["reason"], answer.headers.get("retry-after")) == (429, reason, wait)
    assert customer.create(prompt=f"[{word}] one", payload="second try").status_code == 200


def test_lost_is_booked_but_never_answered(customer: Customer) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        customer.create(prompt="[lost]", payload="vf1.lost")
    (row,) = customer.listed()
    assert customer.query(row["id"])["payload"] == "vf1.lost"
    assert customer.finished(row["id"])["state"] == "success"


def test_lost500_is_booked(customer: Customer) -> None:
    answer = customer.create(prompt="[lost500]", payload="vf1.lost")
    assert (answer.status_code, answer.json()["reason"]) == (500, "InternalServiceFailure")
    assert [task["payload"] for task in customer.books()["tasks"]] == ["vf1.lost"]


@pytest.mark.parametrize(
    ("word", "code"), [("violation", "CreationPolicyViolation"), ("fail", ""), ("crash", "InternalServiceFailure")]
)
def test_failed_at_the_end(customer: Customer, word: str, code: str) -> None:
    task_id = customer.made(prompt=f"[{word}] [slow]")
    customer.until(task_id, lambda answer: answer["state"] == "processing")
    answer = customer.finished(task_id)
    assert (answer["state"], answer["err_code"], answer["credits"]) == ("failed", code, 0)
    assert (answer["creations"], customer.credits()["credit_remain"]) == ([], 10_000)


def test_slow(customer: Customer) -> None:
    task_id, started = customer.made(prompt="[slow]"), time.monotonic()
    customer.finished(task_id)
    assert 25 / SPEED < time.monotonic() - started < 60 / SPEED


def test_unknown_state(customer: Customer) -> None:
    seen = []

    def watch(answer: dict[str, Any]) -> bool:
        seen.append(answer["state"])
        return bool(answer["state"] == "success")

    customer.until(customer.made(prompt="[unknown] [slow]"), watch)
    strange = set(seen) - {"created", "queueing", "processing", "success"}
    assert len(strange) == 1
    assert seen.index("processing") > seen.index(strange.pop())


def test_success_without_a_link(unhurried: Running) -> None:
    customer = Customer(unhurried.url)
    task_id = customer.made(prompt="[nourl]")
    assert customer.finished(task_id)["creations"] == []
    later = customer.until(task_id, lambda answer: bool(answer["creations"]))
    assert httpx.get(later["creations"][0]["url"]).status_code == 200


def test_no_cover(customer: Customer) -> None:
    creation = links(customer, "nocover")
    assert [httpx.get(creation["cover_url"]).status_code for _ in range(2)] == [403, 403]
    assert httpx.get(creation["url"]).status_code == 200


def test_a_page_instead_of_a_clip(customer: Customer) -> None:
    answer = httpx.get(links(customer, "html")["url"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_an_empty_clip(customer: Customer) -> None:
    answer = httpx.get(links(customer, "empty")["url"])
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")


def test_a_download_that_breaks_off(customer: Customer) -> None:
    url = links(customer, "cut")["url"]
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url)
    whole = httpx.get(url)
    assert len(whole.content) == int(whole.headers["content-length"])


def test_expired_links_then_good_ones(customer: Customer) -> None:
    creation = links(customer, "expired")
    assert httpx.get(creation["url"]).status_code == 403
    fresh = customer.query(creation["task_id"])["creations"][0]
    assert [httpx.get(fresh[name]).status_code for name in ("url", "cover_url")] == [200, 200]


def test_expired_links_in_the_list_stay_until_tried(customer: Customer) -> None:
    task_id = customer.made(prompt="[expired]")
    while not (found := [row["creations"][0] for row in customer.listed() if row["creations"]]):
        time.sleep(0.05)
    assert httpx.get(found[0]["url"]).status_code == 403
    (row,) = customer.listed(task_ids=task_id)
    assert httpx.get(row["creations"][0]["url"]).status_code == 200


def test_words_without_brackets_do_nothing(customer: Customer) -> None:
    plain = " ".join(SCENARIOS)
    assert customer.finished(customer.made(prompt=plain))["state"] == "success"
