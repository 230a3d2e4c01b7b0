"""XingChaoYiQing's protocol over a socket."""

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from generations.sandbox.fields import BadField
from generations.sandbox.xingchao import FIELDS, PATIENCE_S, read_ask

from .conftest import UNHURRIED, Running, running
from .vendors import XingChao

A, B = "https://a.example/1.png", "https://a.example/2.png"
GOOD = {"model": "viduq3-pro", "prompt": "x"}


@pytest.fixture
def buyer(sandbox: Running) -> Iterator[XingChao]:
    person = XingChao(sandbox.url)
    yield person
    person.http.close()


# -- bodies


def test_the_fields_are_those_of_the_table() -> None:
    assert set(FIELDS) == {
        *("model", "prompt", "duration", "aspect_ratio", "resolution", "first_image", "last_image"),
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": ...}, "field is missing or empty: model"),
        ({"prompt": ...}, "field is missing or empty: prompt"),
        ({"prompt": "", "first_image": A}, "field is missing or empty: prompt"),
        ({"model": "viduq2"}, "invalid field: model"),
        ({"model": "viduq3-mix"}, "invalid field: model"),
        ({"model": ["viduq3-pro"]}, "invalid field: model"),
        ({"duration": 0}, "invalid field: duration"),
        ({"duration": 17}, "invalid field: duration"),
        ({"duration": "5"}, "invalid field: duration"),
        ({"duration": 5.5}, "invalid field: duration"),
        ({"aspect_ratio": "21:9"}, "invalid field: aspect_ratio"),
        ({"resolution": "360p"}, "invalid field: resolution"),
        ({"resolution": 720}, "invalid field: resolution"),
        ({"first_image": "data:image/png;base64,AAAA"}, "invalid field: first_image"),
        ({"first_image": "iVBORw0KGgo="}, "invalid field: first_image"),
        ({"first_image": [A]}, "invalid field: first_image"),
        ({"first_image": A, "last_image": "data:image/png;base64,AAAA"}, "invalid field: last_image"),
        ({"last_image": A}, "last_image is only allowed together with first_image"),
        ({"images": [A]}, "unwanted field: images"),
        ({"reference_image_urls": [A]}, "unwanted field: reference_image_urls"),
        ({"audio": False}, "unwanted field: audio"),
        ({"seed": 1}, "unwanted field: seed"),
        ({"off_peak": False}, "unwanted field: off_peak"),
        ({"payload": "x"}, "unwanted field: payload"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], expected: str) -> None:
    body = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    with pytest.raises(BadField) as caught:
        read_ask(body)
    assert caught.value.message == expected


def test_defaults_and_modes() -> None:
    ask = read_ask(GOOD)
    assert (ask.mode, ask.duration, ask.aspect_ratio, ask.resolution) == ("text2video", 5, "16:9", "720p")
    image = read_ask(GOOD | {"first_image": A, "aspect_ratio": "9:16"})
    assert (image.mode, image.aspect_ratio, image.sources) == ("img2video", "", (A,))
    frames = read_ask(GOOD | {"first_image": A, "last_image": B})
    assert (frames.mode, frames.sources) == ("start-end2video", (A, B))


# -- create


EXAMPLES: list[tuple[dict[str, Any], tuple[str, ...], int]] = [
    (
        {
            "model": "viduq3-pro",
            "prompt": "A cat dances in the rain.",
            "duration": 5,
            "aspect_ratio": "16:9",
            "resolution": "1080p",
        },
        (),
        1500,
    ),
    (
        {"model": "viduq3-turbo", "prompt": "The cat looks up.", "duration": 5, "resolution": "720p"},
        ("first_image",),
        1500,
    ),
    (
        {"model": "viduq3-pro", "prompt": "Sit, then stand.", "duration": 6, "resolution": "720p"},
        ("first_image", "last_image"),
        1800,
    ),
]


@pytest.mark.route
@pytest.mark.parametrize(("body", "pictures", "tokens"), EXAMPLES)
def test_the_documented_bodies(
    buyer: XingChao, picture_url: str, body: dict[str, Any], pictures: tuple[str, ...], tokens: int
) -> None:
    answer = buyer.post(body | dict.fromkeys(pictures, picture_url))
    assert answer.status_code == 200, answer.text
    receipt = answer.json()
    assert re.fullmatch(r"video_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", receipt["id"])
    assert abs(receipt["created"] - time.time()) < 5
    assert receipt == {
        "id": receipt["id"],
        "object": "video",
        "created": int(receipt["created"]),
        "model": body["model"],
        "status": "queued",
        "error": None,
    }
    assert buyer.books()["tasks"][0]["quote"] == tokens


@pytest.mark.route
def test_a_refusal_names_the_field(buyer: XingChao) -> None:
    answer = buyer.create(first_image="data:image/png;base64,AAAA")
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid field: first_image"})


# -- query


@pytest.mark.route
class TestQuery:
    def test_a_life(self, buyer: XingChao) -> None:
        task_id, seen = buyer.made(duration=2), []

        def watch(answer: dict[str, Any]) -> bool:
            seen.append(answer["status"])
            always = {"id", "object", "created", "model", "status", "video_url", "totalTokens", "error"}
            done = seen[-1] == "completed"
            assert set(answer) == always | ({"actualDuration"} if done else set())
            assert (answer["id"], answer["object"], answer["error"]) == (task_id, "Video", None)
            if not done:
                assert (answer["video_url"], answer["totalTokens"]) == (None, None)
            return done

        last = buyer.until(task_id, watch)
        assert set(seen) <= {"queued", "processing", "completed"}
        assert (last["actualDuration"], last["totalTokens"], last["model"]) == (2, 600, "viduq3-turbo")
        assert buyer.books()["charged"] == 600

    @pytest.mark.parametrize(
        ("word", "error"),
        [
            ("violation", "Content policy violation: the video contains restricted content."),
            ("fail", None),
            ("crash", "Internal service failure"),
        ],
    )
    def test_failures(self, buyer: XingChao, word: str, error: str | None) -> None:
        answer = buyer.finished(buyer.made(prompt=f"[{word}]"))
        assert (answer["status"], answer["error"]) == ("failed", error)
        assert (answer["video_url"], answer["totalTokens"]) == (None, None)
        assert "actualDuration" not in answer

    def test_success_without_a_link(self, unhurried: Running) -> None:
        buyer = XingChao(unhurried.url)
        answer = buyer.finished(buyer.made(prompt="[nourl]"))
        assert (answer["video_url"], answer["totalTokens"], answer["actualDuration"]) == (None, 300, 1)

    def test_impatience_is_counted_and_answered(self, unhurried: Running) -> None:
        buyer = XingChao(unhurried.url)
        first, second = buyer.made(prompt="[slow]"), buyer.made(prompt="[slow]")
        buyer.query(first)
        buyer.query(second)
        assert buyer.books()["early_polls"] == 0  # one look each
        for _ in range(3):
            buyer.query(first)
        assert buyer.books()["early_polls"] == 3
        time.sleep(PATIENCE_S / UNHURRIED + 0.1)
        buyer.query(first)
        assert buyer.books()["early_polls"] == 3
        buyer.query(first)
        assert buyer.books()["early_polls"] == 4

    def test_the_patience_follows_the_speed(self, tmp_path: Any) -> None:
        with running(tmp_path, "--speed", "4000") as started:
            person = XingChao(started.url)
            task_id = person.made()
            for _ in range(3):
                person.query(task_id)
                time.sleep(0.05)
            assert person.books()["early_polls"] == 0


@pytest.mark.route
def test_the_base_url_ends_in_its_folder(sandbox: Running, buyer: XingChao) -> None:
    headers = {"Authorization": f"Bearer {buyer.secret}"}
    answer = httpx.get(f"{sandbox.url}/kyyReactApiServer/v1/unknown", headers=headers)
    assert answer.status_code == 404
    assert answer.json() == {"message": "No handler found for GET /kyyReactApiServer/v1/unknown"}
    without = httpx.post(f"{sandbox.url}/v1/vidu/videos", json=buyer.body(), headers=headers)
    assert without.status_code == 404
