"""UniAll's protocol over a socket: fields decide the mode, two shapes of answers."""

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from generations.sandbox.fields import BadField
from generations.sandbox.uniall_fields import MODELS, read_ask

from .conftest import Running
from .vendors import UniAll, UniAllA

A, B = "https://a.example/1.png", "https://a.example/2.png"
GOOD = {"model": "viduq3p-720p", "prompt": "x", "duration": 5}
# The documented examples; their pictures are put in by the test.
EXAMPLES: list[tuple[str, dict[str, Any], tuple[str, ...], int]] = [
    (
        "text2video",
        {
            "model": "viduq3p-720p",
            "prompt": " camera, and, slow camera push-in. ",
            "aspect_ratio": "16:9",
            "duration": 5,
            "extra_body": {"audio": False, "seed": 42, "bgm": False},
        },
        (),
        100,
    ),
    (
        "img2video",
        {
            "model": "viduq3t-540p",
            "prompt": " camera, natural motion, camera. ",
            "duration": 5,
            "extra_body": {"seed": 42},
        },
        ("image",),
        35,
    ),
    (
        "start-end2video",
        {"model": "viduq3p-1080p-offpeak", "prompt": ", keep identity stable, action. ", "duration": 6},
        ("image", "last_image"),
        72,
    ),
    (
        "reference2video",
        {
            "model": "viduq3p-mix-720p",
            "prompt": "A @Image1 walking through a beach in the visual style of @Image2",
            "aspect_ratio": "16:9",
            "duration": 5,
            "extra_body": {"audio": False, "seed": 42},
        },
        ("reference_image_urls",),
        120,
    ),
]


@pytest.fixture
def buyer(sandbox: Running) -> Iterator[UniAll]:
    person = UniAll(sandbox.url)
    yield person
    person.http.close()


def in_shape_a(buyer: UniAll) -> UniAllA:
    return UniAllA(buyer.url, buyer.secret)


# -- bodies


def message(**changes: Any) -> str:
    body = {name: value for name, value in (GOOD | changes).items() if value is not ...}
    with pytest.raises(BadField) as caught:
        read_ask(body)
    return caught.value.message


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"model": ...}, "field is missing or empty: model"),
        ({"prompt": ...}, "field is missing or empty: prompt"),
        ({"prompt": "  "}, "field is missing or empty: prompt"),
        ({"duration": ...}, "field is missing or empty: duration"),
        ({"duration": 0}, "invalid field: duration"),
        ({"duration": 17}, "invalid field: duration"),
        ({"duration": "5"}, "invalid field: duration"),
        ({"resolution": "720p"}, "unwanted field: resolution"),
        ({"off_peak": True}, "unwanted field: off_peak"),
        ({"payload": "x"}, "unwanted field: payload"),
        ({"audio": False}, "unwanted field: audio"),
        ({"seed": 1}, "unwanted field: seed"),
        ({"images": [A]}, "unwanted field: images"),
        ({"model": "viduq3-pro"}, "invalid field: model"),
        ({"model": "viduq3p-360p"}, "invalid field: model"),
        ({"model": "viduq3p"}, "invalid field: model"),
        ({"model": "viduq3p-mix-720p"}, "invalid field: model"),  # for references only
        ({"model": "viduq3p-mix-720p", "image": A}, "invalid field: model"),
        ({"model": "viduq3p-mix-540p", "reference_image_urls": [A]}, "invalid field: model"),
        ({"model": "viduq3p-mix-720p-offpeak", "reference_image_urls": [A]}, "invalid field: model"),
        ({"model": "viduq3t-mix-720p", "reference_image_urls": [A]}, "invalid field: model"),
        ({"last_image": A}, "last_image requires image"),
        ({"image": A, "reference_image_urls": [A]}, "unwanted field: image"),
        ({"last_image": A, "reference_image_urls": [A]}, "unwanted field: last_image"),
        ({"reference_image_urls": []}, "field item count out of range: reference_image_urls"),
        ({"reference_image_urls": [A] * 5}, "field item count out of range: reference_image_urls"),
        ({"reference_image_urls": A}, "invalid field: reference_image_urls"),
        ({"reference_image_urls": ["data:image/png;base64,AAAA"]}, "invalid field: reference_image_urls"),
        ({"image": "data:image/png;base64,AAAA"}, "invalid field: image"),
        ({"image": [A]}, "invalid field: image"),
        ({"image": A, "last_image": "data:image/png;base64,AAAA"}, "invalid field: last_image"),
        ({"aspect_ratio": "21:9"}, "invalid field: aspect_ratio"),
        ({"extra_body": []}, "invalid field: extra_body"),
        ({"extra_body": {"watermark": True}}, "unwanted field: extra_body.watermark"),
        ({"extra_body": {"audio": "no"}}, "invalid field: extra_body.audio"),
        ({"extra_body": {"seed": -1}}, "invalid field: extra_body.seed"),
        ({"extra_body": {"bgm": 1}}, "invalid field: extra_body.bgm"),
        ({"prompt": "x" * 5001}, "invalid field: prompt"),
        ({"prompt": "x" * 2001, "reference_image_urls": [A]}, "invalid field: prompt"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert message(**changes) == expected


@pytest.mark.parametrize(
    ("changes", "mode", "ratio"),
    [
        ({}, "text2video", "16:9"),
        ({"aspect_ratio": "9:16"}, "text2video", "9:16"),
        ({"image": A}, "img2video", ""),
        ({"image": A, "aspect_ratio": "9:16"}, "img2video", ""),  # taken, and the picture decides
        ({"image": A, "last_image": B}, "start-end2video", ""),
        ({"reference_image_urls": [A] * 4, "aspect_ratio": "1:1"}, "reference2video", "1:1"),
        ({"model": "viduq3t-540p-offpeak", "reference_image_urls": [A]}, "reference2video", "16:9"),
    ],
)
def test_the_fields_decide_the_mode(changes: dict[str, Any], mode: str, ratio: str) -> None:
    ask = read_ask(GOOD | changes)
    assert (ask.mode, ask.aspect_ratio) == (mode, ratio)


def test_the_model_says_resolution_and_hours() -> None:
    plain = [f"viduq3{kind}-{resolution}" for kind in "pt" for resolution in ("540p", "720p", "1080p")]
    mix = ["viduq3p-mix-720p", "viduq3p-mix-1080p"]
    assert set(MODELS) == {*plain, *(f"{name}-offpeak" for name in plain), *mix}
    for name in MODELS:
        ask = read_ask(GOOD | {"model": name, "reference_image_urls": [A]})
        assert ask.resolution in name
        assert ask.off_peak == name.endswith("-offpeak")


def test_defaults() -> None:
    assert (read_ask(GOOD).audio, read_ask(GOOD).seed) == (True, 0)
    told = read_ask(GOOD | {"extra_body": {"audio": False, "seed": 42, "bgm": True}})
    assert (told.audio, told.seed) == (False, 42)


# -- create


@pytest.mark.route
@pytest.mark.parametrize(("mode", "body", "pictures", "credits"), EXAMPLES)
def test_the_documented_bodies(
    buyer: UniAll, picture_url: str, mode: str, body: dict[str, Any], pictures: tuple[str, ...], credits: int
) -> None:
    urls = {name: [picture_url, picture_url] if name.endswith("s") else picture_url for name in pictures}
    answer = buyer.post(body | urls)
    assert answer.status_code == 200, answer.text
    receipt = answer.json()
    assert re.fullmatch(r"task_\w+", receipt["id"])
    assert abs(receipt["created_at"] - time.time()) < 5
    assert receipt == {
        "id": receipt["id"],
        "task_id": receipt["id"],
        "object": "video.generation.job",
        "model": body["model"],
        "status": "queued",
        "progress": 0,
        "created_at": int(receipt["created_at"]),
    }
    (task,) = buyer.books()["tasks"]
    assert (task["mode"], task["quote"]) == (mode, credits)


@pytest.mark.route
def test_a_refusal_names_the_field(buyer: UniAll) -> None:
    answer = buyer.create(last_image=A)
    assert answer.status_code == 400
    assert answer.json() == {"code": "invalid_request", "message": "last_image requires image", "data": None}


# -- query


@pytest.mark.route
class TestShapeB:
    def test_a_life(self, buyer: UniAll) -> None:
        task_id, seen = buyer.made(), []

        def watch(answer: dict[str, Any]) -> bool:
            assert (set(answer), answer["code"], answer["message"]) == ({"code", "message", "data"}, "success", "")
            data = answer["data"]
            seen.append((data["status"], int(data["progress"].removesuffix("%"))))
            running = {"task_id", "action", "status", "fail_reason", "submit_time", "start_time", "finish_time"}
            running |= {"progress", "data"}
            assert set(data) == running | ({"result_url"} if data["status"] == "SUCCESS" else set())
            assert (data["task_id"], data["action"], data["fail_reason"]) == (task_id, "textGenerate", "")
            if data["status"] in ("SUBMITTED", "QUEUED"):
                assert (data["start_time"], data["progress"], data["data"]) == (0, "0%", None)
            if data["status"] == "IN_PROGRESS":
                assert data["start_time"] >= data["submit_time"]
                assert (data["finish_time"], data["data"]) == (0, None)
            return bool(data["status"] == "SUCCESS")

        data = buyer.until(task_id, watch)["data"]
        assert [progress for _, progress in seen] == sorted(progress for _, progress in seen)
        assert seen[-1] == ("SUCCESS", 100)
        assert data["finish_time"] >= data["start_time"] >= data["submit_time"] > time.time() - 60
        nested = data["data"]
        (creation,) = nested["creations"]
        assert (nested["state"], nested["credits"]) == ("success", 11)
        assert (creation["url"], creation["cover_url"]) == (data["result_url"], "")
        assert httpx.get(data["result_url"]).status_code == 200

    @pytest.mark.parametrize(
        ("word", "reason"),
        [("violation", "CreationPolicyViolation"), ("fail", ""), ("crash", "InternalServiceFailure")],
    )
    def test_failures(self, buyer: UniAll, word: str, reason: str) -> None:
        data = buyer.finished(buyer.made(prompt=f"[{word}]"))["data"]
        assert (data["status"], data["fail_reason"], data["progress"]) == ("FAILURE", reason, "100%")
        assert data["data"] is None
        assert data["finish_time"] > 0

    def test_success_without_a_link(self, unhurried: Running) -> None:
        buyer = UniAll(unhurried.url)
        data = buyer.finished(buyer.made(prompt="[nourl]"))["data"]
        assert data["data"] == {"state": "success", "credits": 11, "creations": []}
        assert "result_url" not in data

    def test_waiting_has_two_words(self, unhurried: Running) -> None:
        person = UniAll(unhurried.url)
        task_id = person.made(model="viduq3t-720p-offpeak")
        assert person.query(task_id)["data"]["status"] == "NOT_START"
        later = person.until(task_id, lambda answer: answer["data"]["status"] != "NOT_START")
        assert later["data"]["status"] == "QUEUED"

    def test_actions(self, buyer: UniAll, picture_url: str) -> None:
        bodies = [
            ("textGenerate", {}),
            ("generate", {"image": picture_url}),
            ("firstTailGenerate", {"image": picture_url, "last_image": picture_url}),
            ("referenceGenerate", {"reference_image_urls": [picture_url]}),
        ]
        for action, changes in bodies:
            assert buyer.query(buyer.made(prompt="[fail]", **changes))["data"]["action"] == action


@pytest.mark.route
class TestShapeA:
    def test_a_life(self, buyer: UniAll) -> None:
        person, seen = in_shape_a(buyer), []
        task_id = person.made()

        def watch(answer: dict[str, Any]) -> bool:
            seen.append(answer["status"])
            always = {"id", "task_id", "object", "model", "status", "progress", "created_at"}
            assert set(answer) == always | ({"completed_at", "metadata"} if seen[-1] == "completed" else set())
            assert (answer["id"], answer["task_id"], answer["object"]) == (task_id, task_id, "video.generation.job")
            assert type(answer["progress"]) is int
            return bool(seen[-1] == "completed")

        last = person.until(task_id, watch)
        assert set(seen) <= {"queued", "in_progress", "completed"}
        assert (last["progress"], last["model"]) == (100, "viduq3t-720p")
        assert last["completed_at"] >= last["created_at"]
        assert set(last["metadata"]) == {"url"}

    @pytest.mark.parametrize(
        ("word", "error"),
        [
            ("violation", {"message": "task failed: CreationPolicyViolation", "code": "CreationPolicyViolation"}),
            ("fail", {"message": "", "code": ""}),
            ("crash", {"message": "task failed: InternalServiceFailure", "code": "InternalServiceFailure"}),
        ],
    )
    def test_failures(self, buyer: UniAll, word: str, error: dict[str, str]) -> None:
        person = in_shape_a(buyer)
        answer = person.finished(person.made(prompt=f"[{word}]"))
        assert (answer["status"], answer["progress"], answer["error"]) == ("failed", 100, error)
        assert "metadata" not in answer

    def test_success_without_a_link(self, unhurried: Running) -> None:
        person = UniAllA(unhurried.url)
        assert person.finished(person.made(prompt="[nourl]"))["metadata"] == {}

    def test_both_shapes_show_one_task(self, buyer: UniAll) -> None:
        task_id = buyer.made()
        buyer.finished(task_id)
        assert in_shape_a(buyer).query(task_id)["status"] == "completed"
        assert buyer.books()["requests"]["query"] >= 2


# -- models


@pytest.mark.route
def test_models(sandbox: Running, buyer: UniAll) -> None:
    answer = buyer.http.get("/v1/models").json()
    assert answer["object"] == "list"
    assert [row["id"] for row in answer["data"]] == list(MODELS)
    assert {row["object"] for row in answer["data"]} == {"model"}
    assert httpx.get(f"{sandbox.url}/v1/models").status_code == 401
    assert buyer.books()["requests"] == {"models": 1}
