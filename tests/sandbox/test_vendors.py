"""What the four vendors beside Vidu have in common: keys, lives, links, scenario words. Each in its own protocol."""

import time
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import httpx
import pytest

from generations.sandbox.scenarios import SCENARIOS

from .conftest import SPEED, Customer, Running, running
from .pictures import data_url
from .vendors import BUYERS, Buyer, DataEyes, UniAll, UniAllA, Vtrix, XingChao

pytestmark = pytest.mark.route
FOUR = tuple(kind for kind in BUYERS if kind is not UniAllA)


@pytest.fixture(params=BUYERS, ids=lambda kind: kind.__name__)
def buyer(request: pytest.FixtureRequest, sandbox: Running) -> Any:
    person = request.param(sandbox.url)
    yield person
    person.http.close()


def by_gateway(message: str, code: str = "") -> dict[str, Any]:
    return {"error": {"message": message, "type": "new_api_error", "param": "", "code": code}}


def by_task(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "data": None}


def no_channel(model: str) -> dict[str, Any]:
    return by_gateway(f"no channel for model {model}", "model_not_found")


NEW_API: dict[str, tuple[int, Any]] = {
    "key": (401, by_gateway("invalid token")),
    "forbidden": (403, by_gateway("access denied", "access_denied")),
    "money": (403, by_gateway("insufficient user quota", "insufficient_user_quota")),
    "policy": (400, by_task("TaskPromptPolicyViolation", "prompt policy violation")),
    "throttle": (429, by_gateway("too many requests", "rate_limit_exceeded")),
    "quota": (429, by_gateway("too many running tasks, quota exceeded", "quota_exceeded")),
    "lost500": (500, by_task("read_response_body_failed", "upstream error")),
    "task": (404, by_task("task_not_exist", "task does not exist")),
}
REFUSALS: dict[str, dict[str, tuple[int, Any]]] = {
    "dataeyes": NEW_API | {"unavailable": (400, no_channel("viduq3-turbo-720p-1s"))},
    "uniall": NEW_API | {"unavailable": (400, no_channel("viduq3t-720p"))},
    "xingchao": {
        "key": (401, {"error": "Invalid API key"}),
        "forbidden": (403, {"error": "Access denied"}),
        "money": (402, {"error": "Insufficient balance"}),
        "policy": (400, {"error": "Content policy violation: prompt contains restricted content."}),
        "unavailable": (400, {"error": "Model unavailable: viduq3-turbo"}),
        "throttle": (429, {"error": "Too many requests"}),
        "quota": (429, {"error": "Too many running tasks, quota exceeded"}),
        "lost500": (500, {"error": "Internal server error"}),
        "task": (404, {"error": "Task not found"}),
    },
    "vtrix": {
        "key": (401, {"message": "API key is missing or invalid"}),
        "forbidden": (403, {"message": "Permission denied"}),
        "money": (403, {"message": "Insufficient balance"}),
        "policy": (400, {"message": "Content policy violation: the prompt was rejected"}),
        "unavailable": (400, {"message": "Model unavailable: viduq3_turbo_text2video"}),
        "throttle": (429, {"error": {"code": "RATE_LIMIT_EXCEEDED", "message": "Rate limit exceeded"}}),
        "quota": (429, {"message": "Too many running tasks, quota exceeded"}),
        "lost500": (500, {"message": "Internal server error"}),
        "task": (404, {"message": "Task not found"}),
    },
}


def refusal(answer: httpx.Response) -> tuple[int, Any]:
    """Status and body, without the part that is different each time."""
    body = answer.json()
    body.pop("request_id", None)
    return (answer.status_code, body)


# -- keys


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Token sandbox-a",
        "bearer sandbox-a",
        "Bearer  sandbox-a",
        "sandbox-a",
        "Bearer {sandbox-a}",
        "Bearer sk-a-real-key",
        "Bearer",
    ],
)
def test_only_a_sandbox_key_opens(buyer: Buyer, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    with httpx.Client(base_url=buyer.http.base_url, headers=headers) as http:
        assert refusal(http.post(buyer.CREATE, json=buyer.body())) == REFUSALS[buyer.SLUG]["key"]
        assert refusal(http.get(buyer.query_path("1"))) == REFUSALS[buyer.SLUG]["key"]


def test_a_forbidden_and_an_empty_key(buyer: Buyer) -> None:
    forbidden, empty = type(buyer)(buyer.url, "sandbox-forbidden-1"), type(buyer)(buyer.url, "sandbox-empty-1")
    refusals = REFUSALS[buyer.SLUG]
    assert refusal(forbidden.create()) == refusals["forbidden"]
    assert refusal(forbidden.http.get(forbidden.query_path("1"))) == refusals["forbidden"]
    assert refusal(empty.create()) == refusals["money"]
    assert empty.create(prompt=7).status_code == 400  # the body is read before the purse
    assert refusal(empty.http.get(empty.query_path("1"))) == refusals["task"]


def test_the_balance_ends(tmp_path: Path) -> None:
    with running(tmp_path, "--credits", "30") as started:
        for kind in FOUR:
            person = kind(started.url)
            opening = 30 * {"xingchao": 30, "vtrix": 50}.get(kind.SLUG, 1)
            number = opening // kind.UNIT_PRICE
            for _ in range(number):
                person.made(prompt="[slow]")
            assert refusal(person.create()) == REFUSALS[kind.SLUG]["money"]
            page = person.books()
            assert len(page["tasks"]) == number
            assert (page["held"], page["balance"]) == (number * kind.UNIT_PRICE, opening - number * kind.UNIT_PRICE)


def test_one_secret_is_another_account_at_each_vendor(sandbox: Running) -> None:
    people = [kind(sandbox.url, "sandbox-everywhere") for kind in FOUR]
    made = {person.SLUG: person.made() for person in people}
    Customer(sandbox.url, "sandbox-everywhere").made()
    books = httpx.get(f"{sandbox.url}/_sandbox/books").json()
    assert set(books) >= {"vidu", *made}
    for slug, task_id in made.items():
        assert [task["id"] for task in books[slug]["sandbox-everywhere"]["tasks"]] == [task_id]
        for person in people:
            if slug != person.SLUG:
                assert person.http.get(person.query_path(task_id)).status_code == 404


def test_others_see_nothing(buyer: Buyer) -> None:
    stranger = type(buyer)(buyer.url)
    for task_id in (buyer.made(), "0", "task_x", "%00"):
        assert refusal(stranger.http.get(stranger.query_path(task_id))) == REFUSALS[buyer.SLUG]["task"]


# -- paths


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        (DataEyes, ["GET /v2/tasks", "POST /v2/tasks/1/cancel", "GET /v2/credits", "GET /v2/text2video", "GET /v2/"]),
        (
            UniAll,
            [
                *("GET /v1/videos", "POST /v1/videos", "GET /v1/video/generations", "GET /v1/balance"),
                *("POST /v1/models", "GET /v1/videos/1/content", "DELETE /v1/videos/1"),
            ],
        ),
        (XingChao, ["GET /v1/vidu/videos", "GET /v1/unknown", "POST /v2/model-center/tasks", "DELETE /v1/result/1"]),
        (Vtrix, ["GET /model/v1/generation", "GET /model/v1/generation/task", "GET /model/v1/models"]),
    ],
)
def test_there_is_nothing_else(sandbox: Running, kind: type[Buyer], paths: list[str]) -> None:
    person = kind(sandbox.url)
    for line in paths:
        method, path = line.split()
        full = {
            "dataeyes": by_gateway(f"Invalid URL ({line})", "not_found"),
            "uniall": by_gateway(f"Invalid URL ({line})", "not_found"),
            "xingchao": {"message": f"No handler found for {method} /kyyReactApiServer{path}"},
            "vtrix": {"message": "Not found"},
        }[kind.SLUG]
        assert refusal(person.http.request(method, path)) == (404, full)


# -- bodies


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"[]", b'"x"', b"null", b"{}", b'{"\\ud800": 1}', b'{"model": []}'],
)
def test_garbage_is_refused_politely(buyer: Buyer, data: bytes) -> None:
    answer = buyer.http.post(buyer.CREATE, content=data, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json().keys() == {
        "dataeyes": {"code", "message", "data"},
        "uniall": {"code", "message", "data"},
        "xingchao": {"error"},
        "vtrix": {"message"},
    }.get(buyer.SLUG)


def test_a_body_must_call_itself_json_and_be_short(buyer: Buyer) -> None:
    assert "content type" in buyer.http.post(buyer.CREATE, content=b"{}").text
    assert "invalid field: body" in buyer.create(prompt="x" * (21 << 20)).text
    assert buyer.create().status_code == 200  # the connection is still good


@pytest.mark.parametrize("prompt", [7, None, "", " ", ..., "half \ud800 a pair", "x" * 5001])
def test_a_prompt_is_a_text(buyer: Buyer, prompt: object) -> None:
    answer = buyer.create(prompt=prompt)
    assert answer.status_code == 400
    assert "prompt" in answer.text
    assert buyer.books()["tasks"] == []


@pytest.mark.parametrize("duration", [0, 17, -1, "1", 1.5, True, None, 10**400, float("inf")])
def test_a_duration_is_a_whole_number(buyer: Buyer, duration: object) -> None:
    answer = buyer.create(duration=duration)
    assert answer.status_code == 400
    assert "duration" in answer.text


def test_pictures_are_fetched_and_shown(buyer: Buyer, picture_url: str) -> None:
    task_id = buyer.accepted(buyer.picture_body(picture_url))
    url = buyer.link(buyer.finished(task_id))
    with av.open(BytesIO(httpx.get(url).content)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (108, 72)  # the picture decides the shape
        frame = next(container.decode(video=0)).to_image()
    red, green, blue = frame.getpixel((54, 20))
    assert red < 60 < 90 < min(green, blue)  # teal


@pytest.mark.parametrize("source", ["https://example.com/a.png", "http://127.0.0.1:1/a.png"])
def test_pictures_that_cannot_be_fetched(buyer: Buyer, source: str) -> None:
    answer = buyer.post(buyer.picture_body(source))
    assert answer.status_code == 400
    assert "image download failure" in answer.text
    assert buyer.books()["tasks"] == []


@pytest.mark.parametrize("source", ["ftp://a.example/1.png", "/etc/passwd", "", 7, None, ["x"]])
def test_what_is_no_address_of_a_picture(buyer: Buyer, source: Any) -> None:
    answer = buyer.post(buyer.picture_body(source))
    assert answer.status_code == 400
    assert "image" in answer.text


def test_data_urls(buyer: Buyer) -> None:
    answer = buyer.post(buyer.picture_body(data_url()))
    assert answer.status_code == (200 if buyer.SLUG in ("dataeyes", "vtrix") else 400)
    assert answer.status_code == 200 or "image" in answer.text


# -- a life


def test_a_life_ends_with_a_clip_and_a_charge(buyer: Buyer) -> None:
    task_id, seen = buyer.made(prompt="A paper boat [slow]"), []
    page = buyer.books()
    assert (page["tasks"][0]["id"], page["held"], page["charged"]) == (task_id, buyer.UNIT_PRICE, 0)

    def watch(answer: dict[str, Any]) -> bool:
        seen.append(buyer.state(answer))
        assert bool(buyer.link(answer)) == (seen[-1] == "done")
        return seen[-1] == "done"

    last = buyer.until(task_id, watch)
    assert seen == sorted(seen, key=["waiting", "working", "done"].index)
    assert {"working", "done"} <= set(seen)
    answer = httpx.get(buyer.link(last))  # without any key
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    with av.open(BytesIO(answer.content)) as container:
        assert container.duration == 1_000_000
    page = buyer.books()
    assert (page["charged"], page["held"]) == (buyer.UNIT_PRICE, 0)
    assert page["requests"]["create"] == 1
    assert page["requests"]["query"] == len(seen)
    assert page["requests"]["media"] == 1


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        people = [kind(first.url) for kind in BUYERS]
        done = [person.made() for person in people]
        links = [person.link(person.finished(task_id)) for person, task_id in zip(people, done, strict=True)]
        slow = [person.made(prompt="[slow]") for person in people]
        first.process.kill()  # no goodbye
        first.process.wait()
    with running(tmp_path) as second:
        for old, link, old_task, slow_task in zip(people, links, done, slow, strict=True):
            person = type(old)(second.url, old.secret)
            assert httpx.get(link.replace(first.url, second.url)).status_code == 200
            assert person.state(person.query(old_task)) == "done"
            assert person.state(person.finished(slow_task)) == "done"
            assert person.books()["charged"] == 2 * person.UNIT_PRICE


def test_plain_links_cannot_be_forged(sandbox: Running) -> None:
    for kind in (UniAll, XingChao, Vtrix):
        person = kind(sandbox.url)
        link = person.link(person.finished(person.made()))
        assert httpx.get(link).status_code == 200
        assert "?" not in link
        head, stamp, name = link.rsplit("/", 2)
        made, proof = stamp.split("-")
        for forged in (f"{int(made, 16) + 1:x}-{proof}", f"{made}-0{proof[1:-1]}!", made, "x-y", "-"):
            assert httpx.get(f"{head}/{forged}/{name}").status_code == 403
        assert httpx.get(link.replace("/video.mp4", "/cover.jpeg")).status_code == 404
        other = person.link(person.finished(person.made()))
        swapped = other.rsplit("/", 2)[0] + f"/{stamp}/{name}"
        assert httpx.get(swapped).status_code == 403


# -- scenario words


@pytest.mark.parametrize("word", ["policy", "unavailable"])
def test_refused_at_create(buyer: Buyer, word: str) -> None:
    assert refusal(buyer.create(prompt=f"A boat [{word}]")) == REFUSALS[buyer.SLUG][word]
    assert buyer.books()["tasks"] == []


@pytest.mark.parametrize(("word", "wait"), [("throttle", "2"), ("quota", None)])
def test_refused_once(buyer: Buyer, word: str, wait: str | None) -> None:
    for prompt in (f"[{word}] one", f"[{word}] two"):
        answer = buyer.create(prompt=prompt)
        assert refusal(answer) == REFUSALS[buyer.SLUG][word]
        assert answer.headers.get("retry-after") == wait
    assert buyer.create(prompt=f"[{word}] one").status_code == 200


def test_lost_is_booked_but_never_answered(buyer: Buyer) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        buyer.create(prompt="[lost]")
    (row,) = buyer.books()["tasks"]
    assert buyer.state(buyer.finished(row["id"])) == "done"


def test_lost500_is_booked(buyer: Buyer) -> None:
    assert refusal(buyer.create(prompt="[lost500]")) == REFUSALS[buyer.SLUG]["lost500"]
    assert len(buyer.books()["tasks"]) == 1


@pytest.mark.parametrize("word", ["violation", "fail", "crash"])
def test_a_failure_comes_at_the_end_and_costs_nothing(buyer: Buyer, word: str) -> None:
    task_id = buyer.made(prompt=f"[{word}] [slow]")
    buyer.until(task_id, lambda answer: buyer.state(answer) == "working")
    answer = buyer.finished(task_id)
    assert (buyer.state(answer), buyer.link(answer)) == ("failed", "")
    page = buyer.books()
    assert (page["charged"], page["held"], page["tasks"][0]["charged"]) == (0, 0, 0)


def test_slow(buyer: Buyer) -> None:
    task_id, started = buyer.made(prompt="[slow]"), time.monotonic()
    buyer.finished(task_id)
    assert 25 / SPEED < time.monotonic() - started < 80 / SPEED


def test_unknown_state(buyer: Buyer) -> None:
    seen = []

    def watch(answer: dict[str, Any]) -> bool:
        seen.append(buyer.state(answer))
        return seen[-1] == "done"

    buyer.until(buyer.made(prompt="[unknown] [slow]"), watch)
    assert "strange" in seen
    last_strange = max(place for place, state in enumerate(seen) if state == "strange")
    assert "working" in seen[last_strange:]


@pytest.mark.parametrize("kind", BUYERS)
def test_success_without_a_link(unhurried: Running, kind: type[Buyer]) -> None:
    buyer = kind(unhurried.url)
    task_id = buyer.made(prompt="[nourl]")
    assert buyer.link(buyer.finished(task_id)) == ""
    later = buyer.until(task_id, lambda answer: bool(buyer.link(answer)))
    assert httpx.get(buyer.link(later)).status_code == 200


@pytest.mark.parametrize(("word", "kind"), [("html", "text/html; charset=utf-8"), ("empty", "video/mp4")])
def test_no_clip_behind_the_link(buyer: Buyer, word: str, kind: str) -> None:
    answer = httpx.get(buyer.link(buyer.finished(buyer.made(prompt=f"[{word}]"))))
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert (answer.content == b"") == (word == "empty")


def test_a_download_that_breaks_off(buyer: Buyer) -> None:
    url = buyer.link(buyer.finished(buyer.made(prompt="[cut]")))
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(url)
    whole = httpx.get(url)
    assert len(whole.content) == int(whole.headers["content-length"])


def test_expired_links_then_good_ones(buyer: Buyer) -> None:
    task_id = buyer.made(prompt="[expired]")
    assert httpx.get(buyer.link(buyer.finished(task_id))).status_code == 403
    assert httpx.get(buyer.link(buyer.query(task_id))).status_code == 200


def test_asking_again_is_enough(buyer: Buyer) -> None:
    """Also for a client that never tried the first link."""
    task_id = buyer.made(prompt="[expired]")
    first = buyer.link(buyer.finished(task_id))
    fresh = buyer.link(buyer.query(task_id))
    assert [httpx.get(url).status_code for url in (fresh, first)] == [200, 403]


def test_words_without_brackets_do_nothing(buyer: Buyer) -> None:
    assert buyer.state(buyer.finished(buyer.made(prompt=" ".join(SCENARIOS)))) == "done"
