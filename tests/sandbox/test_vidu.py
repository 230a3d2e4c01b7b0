"""Vidu's protocol over a socket."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from .conftest import Customer, Running
from .pictures import data_url

pytestmark = pytest.mark.route

MICROSECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def reason(answer: httpx.Response, status: int = 400) -> str:
    """The reason of a refusal in Vidu's shape."""
    assert answer.status_code == status, answer.text
    body = answer.json()
    assert set(body) == {"code", "reason", "message", "metadata"}
    assert body["code"] == status
    assert body["message"]
    assert re.fullmatch(r"[0-9a-f]{32}", body["metadata"]["trace_id"])
    return str(body["reason"])


# -- keys


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer sandbox-a"},
        {"Authorization": "token sandbox-a"},
        {"Authorization": "Token  sandbox-a"},
        {"Authorization": "sandbox-a"},
        {"Authorization": "Token {sandbox-a}"},
        {"Authorization": "Token vda_real_key"},
        {"Authorization": "Token"},
    ],
)
def test_only_a_sandbox_token_opens(sandbox: Running, headers: dict[str, str]) -> None:
    for path in ("/ent/v2/tasks", "/ent/v2/credits", "/ent/v2/tasks/1/creations"):
        assert reason(httpx.get(f"{sandbox.url}{path}", headers=headers), 401) == "Unauthorized"
    assert reason(httpx.post(f"{sandbox.url}/ent/v2/text2video", json={}, headers=headers), 401) == "Unauthorized"


def test_a_forbidden_and_an_empty_key(sandbox: Running) -> None:
    forbidden, empty = Customer(sandbox.url, "sandbox-forbidden-1"), Customer(sandbox.url, "sandbox-empty-1")
    assert reason(forbidden.create(), 403) == "Forbidden"
    assert reason(forbidden.http.get("/ent/v2/credits"), 403) == "Forbidden"
    assert reason(empty.create()) == "CreditInsufficient"
    assert empty.credits()["credit_remain"] == 0
    assert reason(empty.create(duration=99)) == "FieldInvalid"


def test_the_free_test_of_a_key(sandbox: Running, customer: Customer) -> None:
    assert reason(customer.http.get("/ent/v2/tasks/0/creations"), 404) == "TaskNotFound"
    assert reason(httpx.get(f"{sandbox.url}/ent/v2/tasks/zero/creations")) == "BadRequest"
    assert reason(httpx.post(f"{sandbox.url}/ent/v2/tasks/zero/cancel")) == "BadRequest"
    assert reason(customer.http.get("/ent/v2/tasks/%D9%A3/creations")) == "BadRequest"  # a digit, but not of ours


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/ent/v2/models"),
        ("GET", "/"),
        ("GET", "/ent/v2/text2video"),
        ("POST", "/ent/v2/tasks"),
        ("GET", "/ent/v2/tasks/"),
        ("POST", "/ent/v2/text2video/"),
        ("DELETE", "/ent/v2/tasks/1/cancel"),
        ("POST", "/ent/v2/upscale"),
        ("GET", "/media/x"),
        ("GET", "/_sandbox/reset"),
        ("GET", "/%ff%fe/%00"),
    ],
)
def test_there_is_nothing_else(customer: Customer, method: str, path: str) -> None:
    assert reason(customer.http.request(method, path), 404) == "NotFound"


# -- create


def test_the_receipt_echoes_the_request(customer: Customer) -> None:
    answer = customer.create(
        duration=5, seed=18427, payload="vf1.01JC9Q6Z3V8M.5f2e", callback_url="https://a.example/c"
    )
    body = answer.json()
    assert re.fullmatch(r"\d{18}", body.pop("task_id"))
    assert MICROSECONDS.fullmatch(created := body.pop("created_at"))
    assert abs(datetime.fromisoformat(created) - datetime.now(UTC)) < timedelta(seconds=5)
    assert body == {
        "type": "text2video",
        "state": "created",
        "model": "viduq3-turbo",
        "style": "general",
        "prompt": "A paper boat crosses a puddle",
        "images": [],
        "duration": 5,
        "seed": 18427,
        "aspect_ratio": "16:9",
        "resolution": "720p",
        "movement_amplitude": "auto",
        "bgm": False,
        "audio": False,
        "payload": "vf1.01JC9Q6Z3V8M.5f2e",
        "off_peak": False,
        "credits": 55,
    }


def test_a_seed_is_chosen_when_none_is_given(customer: Customer) -> None:
    seeds = {customer.create(seed=seed).json()["seed"] for seed in (0, ..., 0)}
    assert len(seeds) == 3
    assert min(seeds) > 0


def test_the_frame_modes_have_no_ratio(customer: Customer) -> None:
    image = customer.create("img2video", images=[data_url()], prompt=...).json()
    frames = customer.create("start-end2video", images=[data_url(), data_url()]).json()
    reference = customer.create("reference2video", images=[data_url()], duration=3, aspect_ratio="1:1").json()
    assert "aspect_ratio" not in image
    assert "aspect_ratio" not in frames
    assert (reference["aspect_ratio"], reference["credits"], image["prompt"]) == ("1:1", 30, "")
    assert (len(image["images"]), len(frames["images"])) == (1, 2)
    assert len(json.dumps(frames)) < 1000  # the pictures themselves are not sent back


@pytest.mark.parametrize(
    ("mode", "changes", "expected"),
    [
        ("text2video", {"prompt": ...}, "FieldLacking"),
        ("img2video", {"images": [data_url()], "aspect_ratio": "16:9"}, "FieldUnwanted"),
        ("start-end2video", {"images": [data_url()]}, "FieldItemCountOutOfRange"),
        ("text2video", {"model": "viduq3-nope"}, "FieldInvalid"),
        ("img2video", {"images": ["data:image/png;base64,AAAA"]}, "ImageFormatInvalid"),
        ("img2video", {"images": ["https://example.com/a.png"]}, "ImageDownloadFailure"),
        ("img2video", {"images": [data_url(500, 100)]}, "PageSizeOutOfRange"),
        ("reference2video", {"images": [data_url(127, 200)], "duration": 3}, "PageSizeOutOfRange"),
        ("start-end2video", {"images": [data_url(100, 100), data_url(120, 120)]}, "PageSizeOutOfRange"),
    ],
)
def test_refusals(customer: Customer, mode: str, changes: dict[str, Any], expected: str) -> None:
    assert reason(customer.create(mode, **changes)) == expected
    assert customer.books()["tasks"] == []


def test_frames_of_about_one_size_pass(customer: Customer) -> None:
    customer.made("start-end2video", images=[data_url(100, 100), data_url(110, 110)])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "BadRequest"),
        (b"{", "BadRequest"),
        (b"\xff\xfe\x00", "BadRequest"),
        (b"[" * 100_000, "BadRequest"),
        (b'{"duration": ' + b"9" * 10_000 + b"}", "BadRequest"),
        (b"[]", "FieldInvalid"),
        (b'"x"', "FieldInvalid"),
        (b"null", "FieldInvalid"),
        (b'{"model": "viduq3-turbo", "prompt": "\\ud800"}', "FieldInvalid"),
        (b'{"model": "viduq3-turbo", "prompt": "x", "duration": NaN}', "FieldInvalid"),
        (b'{"model": "viduq3-turbo", "prompt": "x", "seed": 1e400}', "FieldInvalid"),
        (b'{"model": {"a": 1}, "prompt": []}', "FieldLacking"),
        (b'{"\\ud800": 1}', "FieldUnwanted"),
    ],
)
def test_garbage_is_refused_politely(customer: Customer, body: bytes, expected: str) -> None:
    headers = {"Content-Type": "application/json"}
    assert reason(customer.http.post("/ent/v2/text2video", content=body, headers=headers)) == expected


def test_a_body_must_call_itself_json(customer: Customer) -> None:
    body = json.dumps({"model": "viduq3-turbo", "prompt": "x"}).encode()
    assert reason(customer.http.post("/ent/v2/text2video", content=body)) == "BadRequest"
    good = customer.http.post(
        "/ent/v2/text2video", content=body, headers={"Content-Type": "Application/JSON; charset=utf-8"}
    )
    assert good.status_code == 200


def test_a_body_over_twenty_megabytes(customer: Customer) -> None:
    images = ["data:image/png;base64," + "A" * (21 << 20)]
    assert reason(customer.create("img2video", images=images)) == "FieldInvalid"
    assert customer.credits()["credit_remain"] == 10_000  # the connection is still good


def test_the_balance_ends(customer: Customer) -> None:
    dear = {"model": "viduq3-pro", "resolution": "1080p", "duration": 16, "off_peak": False}
    quote = 24 * 16
    for _ in range(10_000 // quote):
        customer.made(prompt="[fail] [slow] dear", **dear)
    assert reason(customer.create(prompt="[fail] [slow] dear", **dear)) == "CreditInsufficient"
    assert len(customer.books()["tasks"]) == 26


# -- query


def test_the_life_of_a_task(customer: Customer) -> None:
    task_id = customer.made(prompt="A boat [slow]", payload="vf1.abc", duration=2)
    first = customer.query(task_id)
    assert first == {
        "id": task_id,
        "state": first["state"],
        "err_code": "",
        "credits": 22,
        "payload": "vf1.abc",
        "bgm": False,
        "off_peak": False,
        "audio": False,
        "cus_priority": 0,
        "progress": first["progress"],
        "creations": [],
    }
    seen, progress = [first["state"]], [0]

    def watch(answer: dict[str, Any]) -> bool:
        seen.append(answer["state"])
        progress.append(answer["progress"])
        return bool(answer["state"] == "success")

    last = customer.until(task_id, watch)
    order = ["created", "queueing", "processing", "success"]
    assert [order.index(state) for state in seen] == sorted(order.index(state) for state in seen)
    assert {"processing", "success"} <= set(seen)
    assert progress == sorted(progress)
    assert progress[-1] == 100
    assert last["credits"] == 22
    creation = last["creations"][0]
    assert len(last["creations"]) == 1
    assert (creation["watermarked_url"], creation["moderation_url"]) == ("", [])
    assert creation["video"] == {"duration": 2.0, "fps": 24, "resolution": {"width": 128, "height": 72}}


def test_the_picture_decides_the_shape(customer: Customer) -> None:
    task_id = customer.made("img2video", images=[data_url(200, 300)])
    assert customer.finished(task_id)["creations"][0]["video"]["resolution"] == {"width": 72, "height": 108}


def test_others_see_nothing(sandbox: Running, customer: Customer) -> None:
    task_id, stranger = customer.made(), Customer(sandbox.url)
    assert reason(stranger.http.get(f"/ent/v2/tasks/{task_id}/creations"), 404) == "TaskNotFound"
    assert reason(stranger.http.post(f"/ent/v2/tasks/{task_id}/cancel", json={"id": task_id}), 404) == "TaskNotFound"
    assert stranger.listed() == []
    assert stranger.listed(task_ids=task_id) == []


# -- cancel


def cancel(customer: Customer, task_id: str) -> httpx.Response:
    return customer.http.post(f"/ent/v2/tasks/{task_id}/cancel", json={"id": task_id})


def test_cancel_while_waiting(customer: Customer) -> None:
    task_id = customer.made(off_peak=True)
    assert customer.credits()["credit_remain"] == 9994
    assert customer.query(task_id)["state"] in ("created", "queueing")
    answer = cancel(customer, task_id)
    assert (answer.status_code, answer.json()) == (200, {})
    after = customer.query(task_id)
    assert (after["state"], after["err_code"], after["credits"]) == ("failed", "UserCancelled", 0)
    assert customer.credits()["credit_remain"] == 10_000
    assert reason(cancel(customer, task_id)) == "BadRequest"


def test_cancel_too_late(customer: Customer) -> None:
    task_id = customer.made(prompt="A boat [slow]")
    customer.until(task_id, lambda answer: answer["state"] == "processing")
    answer = cancel(customer, task_id)
    assert reason(answer) == "BadRequest"
    assert answer.json()["message"] == "task state is scheduled, can not cancel"
    assert customer.finished(task_id)["state"] == "success"
    assert reason(cancel(customer, task_id)) == "BadRequest"


@pytest.mark.parametrize("body", [{}, {"id": "1"}, [], "x", {"id": 7}])
def test_cancel_names_its_task(customer: Customer, body: object) -> None:
    task_id = customer.made(off_peak=True)
    assert reason(customer.http.post(f"/ent/v2/tasks/{task_id}/cancel", json=body)) == "FieldInvalid"


# -- credits


def test_credits(customer: Customer) -> None:
    fresh = customer.http.get("/ent/v2/credits", params={"show_detail": "true"}).json()
    account = {"type": "metered", "credit_remain": 10_000, "concurrency_limit": 5}
    assert fresh["remains"] == [account | {"current_concurrency": 0, "queue_count": 0}]
    assert fresh["packages"][0]["credit_remain"] == 10_000
    assert customer.http.get("/ent/v2/credits").json()["packages"] == []
    assert reason(customer.http.get("/ent/v2/credits", params={"show_detail": "maybe"})) == "FieldInvalid"


def test_only_success_is_charged(customer: Customer) -> None:
    good, bad = customer.made(), customer.made(prompt="[fail] x")
    assert customer.credits()["credit_remain"] == 10_000 - 22
    assert (customer.finished(good)["credits"], customer.finished(bad)["credits"]) == (11, 0)
    assert customer.credits()["credit_remain"] == 10_000 - 11
    books = customer.books()
    assert (books["charged"], books["held"]) == (11, 0)
    assert {task["id"]: task["charged"] for task in books["tasks"]} == {good: 11, bad: 0}


def test_five_run_at_a_time(customer: Customer) -> None:
    tasks = [customer.made(prompt=f"[slow] {number}") for number in range(7)]
    for task in tasks[:5]:
        customer.until(task, lambda answer: answer["state"] == "processing")
    standing = customer.credits()
    assert (standing["current_concurrency"], standing["queue_count"]) == (5, 2)
    assert [customer.query(task)["state"] for task in tasks[5:]] == ["queueing", "queueing"]


# -- list

ROW = {
    *("id", "key_id", "type", "template", "model", "prompt", "images", "duration", "resolution", "aspect_ratio"),
    *("state", "creations", "created_at", "credits"),
}


def test_a_row_has_the_documented_fields_and_no_others(customer: Customer) -> None:
    task_id = customer.made(payload="vf1.secret", prompt="A kite")
    customer.finished(task_id)
    (row,) = customer.listed()
    assert set(row) == ROW
    assert (row["id"], row["type"], row["state"], row["credits"], row["template"]) == (
        *(task_id, "text2video", "success", 11),
        "",
    )
    assert row["creations"][0]["url"].startswith(customer.url)
    assert MICROSECONDS.fullmatch(row["created_at"])
    assert re.fullmatch(r"key_[0-9a-f]+", row["key_id"])


def test_pages_cover_everything_once(customer: Customer) -> None:
    made = [customer.made(prompt="[fail]") for _ in range(25)]
    seen: list[str] = []
    token, sizes = "", []
    while True:
        query = {"pager.pagesz": "10", "paper.pagesz": "10"} | ({"pager.page_token": token} if token else {})
        page = customer.http.get("/ent/v2/tasks", params=query).json()
        sizes.append(len(page["tasks"]))
        seen += [row["id"] for row in page["tasks"]]
        token = page["next_page_token"]
        customer.made(prompt="[fail] newer tasks do not shift the pages")
        if not token:
            break
    assert sizes == [10, 10, 5]
    assert seen == made[::-1]


def test_page_sizes_and_numbers(customer: Customer) -> None:
    made = [customer.made(prompt="[fail]") for _ in range(12)]
    assert len(customer.listed()) == 10
    assert len(customer.listed(**{"paper.pagesz": 3})) == 3
    assert len(customer.listed(**{"pager.pagesz": 500})) == 12
    assert [row["id"] for row in customer.listed(**{"paper.page": 2, "paper.pagesz": 5})] == [made[1], made[0]]
    exactly = customer.http.get("/ent/v2/tasks", params={"pager.pagesz": 12}).json()
    assert (len(exactly["tasks"]), exactly["next_page_token"]) == (12, "")


def test_filters(customer: Customer) -> None:
    plain, failed, other = (
        customer.made(),
        customer.made(prompt="[fail]"),
        customer.made(model="viduq2", resolution="540p"),
    )
    for task_id in (plain, failed, other):
        customer.finished(task_id)

    def ids(**query: Any) -> set[str]:
        return {row["id"] for row in customer.listed(**query)}

    assert ids(states="success") == {plain, other}
    assert ids(states=["success", "failed"]) == {plain, failed, other}
    assert ids(task_ids=[plain, failed, "0"]) == {plain, failed}
    assert ids(resolutions="540p") == {other}
    assert ids(model_versions="q2") == {other}
    assert ids(templates="hugging") == set()
    assert ids(unheard_of="x") == {plain, failed, other}


def test_the_span_of_creation(customer: Customer) -> None:
    first = customer.create().json()
    second = customer.create().json()

    def ids(**bounds: str) -> list[str]:
        return [row["id"] for row in customer.listed(**{f"created_at.{name}": value for name, value in bounds.items()})]

    one, two = first["task_id"], second["task_id"]
    assert ids() == [two, one]
    assert ids(since="ignored") == [two, one]
    assert ids(to=first["created_at"]) == [one]
    assert ids(**{"from": second["created_at"]}) == [two]
    assert ids(**{"from": first["created_at"], "to": second["created_at"]}) == [two, one]
    assert ids(to="2020-01-01T00:00:00Z") == []
    assert ids(**{"from": "2020-01-01T00:00:00+08:00"}) == [two, one]


@pytest.mark.parametrize(
    "query",
    [
        {"created_at.from": "yesterday"},
        {"created_at.to": "2026-01-01T00:00:00"},
        {"created_at.to": "9999-99-01T00:00:00Z"},
        {"pager.pagesz": "-1"},
        {"paper.pagesz": "9" * 30},
        {"pager.page": "x"},
        {"pager.page_token": "x"},
        {"pager.page_token": "é"},
        {"pager.page_token": "W10="},
        {"pager.page_token": "WyJ4IiwgMV0="},
    ],
)
def test_unreadable_list_queries(customer: Customer, query: dict[str, str]) -> None:
    assert reason(customer.http.get("/ent/v2/tasks", params=query)) == "FieldInvalid"


# -- the books


def test_requests_are_counted_by_kind(customer: Customer) -> None:
    task_id = customer.made()
    customer.create(prompt=...)
    customer.query(task_id)
    customer.query(task_id)
    customer.listed()
    customer.credits()
    cancel(customer, task_id)
    assert customer.books()["requests"] == {"create": 2, "query": 2, "list": 1, "credits": 1, "cancel": 1}


def test_the_control_pages_are_for_this_machine(sandbox: Running) -> None:
    for host, status in (("127.0.0.1", 200), ("localhost:8900", 200), ("[::1]:80", 200), ("evil.example", 403)):
        assert httpx.get(f"{sandbox.url}/_sandbox/books", headers={"Host": host}).status_code == status
    assert httpx.post(f"{sandbox.url}/_sandbox/reset", headers={"Host": "evil.example"}).status_code == 403


def test_a_strange_host_makes_no_strange_links(customer: Customer) -> None:
    task_id = customer.made()
    customer.finished(task_id)
    answer = customer.http.get(f"/ent/v2/tasks/{task_id}/creations", headers={"Host": "localhost:1234"}).json()
    assert answer["creations"][0]["url"].startswith("http://localhost:1234/media/")
