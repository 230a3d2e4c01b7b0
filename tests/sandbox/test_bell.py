"""Callbacks of the pretend Vidu: what is sent, how it is signed, how often, and what faults make of it."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from generations.sandbox.bell import may_be_called, signed_headers
from tests.providers.contract import load
from tests.servers import serving

from .conftest import Customer, Running, running
from .test_faults import faulty
from .vendors import DataEyes

TRUE = [each for each in load("vidu")["callbacks"] if each["expect"]["valid"]]
ENDS = ("success", "failed")


@pytest.mark.parametrize("vector", TRUE, ids=[each["id"] for each in TRUE])
def test_documented_signatures(vector: dict[str, Any]) -> None:
    given = vector["headers"]
    made = signed_headers(vector["secret"], vector["callback_url"], given["Date"], given["x-request-nonce"])
    assert made == given


@pytest.mark.parametrize(
    ("url", "may"),
    [
        ("http://127.0.0.1:8000/a", True),
        ("http://localhost/a", True),
        ("http://[::1]:80/a", True),
        ("https://127.0.0.1/a", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://10.0.0.1/", False),
        ("http://videoforge.example/", False),
        ("http://user@videoforge.example#@127.0.0.1/", False),
        ("", False),
        ("http://[", False),
    ],
)
def test_nobody_but_this_machine_is_called(url: str, may: bool) -> None:
    assert may_be_called(url) is may


class Post:
    """Everything that came for one task."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.letters: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    def take(self, request: BaseHTTPRequestHandler) -> None:
        body = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        self.letters.append((request.path, dict(request.headers), body))
        refused = body["state"] in ENDS and len(self.states(*ENDS)) <= self.refusals
        request.send_response(503 if refused else 204)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def states(self, *wanted: str) -> list[str]:
        found = [body["state"] for _, _, body in self.letters]
        return [state for state in found if not wanted or state in wanted]

    def true(self, secret: str) -> list[dict[str, Any]]:
        """The bodies whose headers are signed with the secret and fresh."""
        return [body for path, headers, body in self.letters if is_true(secret, path, headers)]


def is_true(secret: str, target: str, headers: dict[str, str]) -> bool:
    parts = urlsplit(target)
    lines = ["POST", parts.path, parts.query, "vidu", headers["Date"], f"Date:{headers['Date']}"]
    lines.append(f"x-request-nonce:{headers['x-request-nonce']}")
    text = "\n".join([*lines, ""])
    good = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()
    fresh = abs(parsedate_to_datetime(headers["Date"]).timestamp() - time.time()) < 300
    return fresh and headers["X-HMAC-SIGNATURE"] == good


def until(condition: Callable[[], object], patience_s: float = 10) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="module")
def calling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Slow enough that processing is seen."""
    with running(tmp_path_factory.mktemp("calling"), "--speed", "20") as started:
        yield started


@contextmanager
def listening(refusals: int = 0) -> Iterator[tuple[Post, str]]:
    post = Post(refusals)
    with serving(post.take) as url:
        yield post, f"{url}/called/back?b=2&a=1%20x"


@pytest.mark.route
class TestCalls:
    def test_each_change_once_and_signed(self, calling: Running) -> None:
        customer = Customer(calling.url)
        with listening() as (post, url):
            task_id = customer.made(callback_url=url, payload="vf1.x", prompt="[slow]")
            until(lambda: "success" in post.states())
            answer = customer.query(task_id)
            time.sleep(0.5)
        assert post.states() == ["processing", "success"]
        assert {path for path, _, _ in post.letters} == {"/called/back?b=2&a=1%20x"}
        assert len(post.true(customer.secret)) == 2
        body = post.letters[-1][2]
        assert set(body) == set(answer)
        assert (body["id"], body["payload"], body["credits"]) == (task_id, "vf1.x", 11)
        assert httpx.get(body["creations"][0]["url"]).status_code == 200

    def test_a_failure_is_said(self, calling: Running) -> None:
        with listening() as (post, url):
            Customer(calling.url).made(callback_url=url, prompt="[violation]")
            until(lambda: "failed" in post.states())
        assert post.letters[-1][2]["err_code"] == "CreationPolicyViolation"

    def test_a_cancelled_task_is_said(self, calling: Running) -> None:
        customer = Customer(calling.url)
        with listening() as (post, url):
            task_id = customer.made(callback_url=url, off_peak=True)
            customer.http.post(f"/ent/v2/tasks/{task_id}/cancel", json={"id": task_id})
            until(lambda: post.states() == ["failed"])

    @pytest.mark.parametrize(("refusals", "calls"), [(2, 3), (9, 4)])
    def test_an_end_is_said_again_up_to_three_times(self, calling: Running, refusals: int, calls: int) -> None:
        with listening(refusals) as (post, url):
            Customer(calling.url).made(callback_url=url, prompt="[fail]")
            until(lambda: len(post.states(*ENDS)) == calls)
            time.sleep(2.5)  # longer than the next pause would be
        assert len(post.states(*ENDS)) == calls
        nonces = [headers["x-request-nonce"] for _, headers, _ in post.letters]
        assert len(set(nonces)) == len(nonces)

    def test_not_where_it_is_not_wanted(self, calling: Running) -> None:
        customer = Customer(calling.url)
        with listening() as (post, url):
            customer.finished(customer.made(callback_url=url, prompt="[nocallback]"))
            customer.finished(customer.made())
            DataEyes(calling.url).made(callback_url=url)
            time.sleep(0.5)
        assert post.letters == []

    def test_nobody_there_troubles_nobody(self, calling: Running) -> None:
        customer = Customer(calling.url)
        assert customer.finished(customer.made(callback_url="http://127.0.0.1:9/"))["state"] == "success"

    def test_a_restart_repeats_nothing(self, tmp_path: Path) -> None:
        with listening() as (post, url):
            with running(tmp_path) as first:
                customer = Customer(first.url)
                customer.made(callback_url=url)
                until(lambda: "success" in post.states())
                time.sleep(0.3)
                customer.made(callback_url=url, off_peak=True, prompt="later")
                first.process.kill()
                first.process.wait()
            said = len(post.letters)
            with running(tmp_path):
                until(lambda: len(post.states("success")) == 2)
        assert {body["off_peak"] for _, _, body in post.letters[said:]} == {True}


@pytest.mark.route
class TestFaults:
    def called(self, sandbox: Running, kind: str) -> tuple[Post, str, dict[str, int]]:
        customer = Customer(sandbox.url)
        with listening() as (post, url), faulty(sandbox, callback={kind: 1}) as done:
            customer.finished(customer.made(callback_url=url, prompt="[slow]"))
            until(lambda: done().get("vidu", {}).get(f"callback.{kind}", 0) == 2)
            time.sleep(0.3)
            return post, customer.secret, done()["vidu"]

    def test_lost(self, calling: Running) -> None:
        post, _, done = self.called(calling, "lose")
        assert (post.letters, done) == ([], {"callback.lose": 2})

    def test_forged(self, calling: Running) -> None:
        post, secret, _ = self.called(calling, "forge")
        assert post.states() == ["failed", "processing", "failed", "success"]
        assert [body["state"] for body in post.true(secret)] == ["processing", "success"]

    def test_replayed(self, calling: Running) -> None:
        post, secret, _ = self.called(calling, "replay")
        assert post.states() == ["processing", "failed", "success", "failed"]
        assert len(post.true(secret)) == 4, "the body is not signed"
        assert len({headers["x-request-nonce"] for _, headers, _ in post.letters}) == 2

    def test_late(self, calling: Running) -> None:
        post, secret, _ = self.called(calling, "late")
        assert (post.states(), post.true(secret)) == (["processing", "success"], [])
