"""Vtrix' protocol over a socket: an envelope, and the mode in the model id."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from generations.sandbox.fields import PAYLOAD_MAX, Ask, BadField
from generations.sandbox.vtrix_fields import MODELS, read_ask

from .conftest import Running
from .pictures import data_url
from .vendors import Vtrix

A, B = "https://a.example/1.png", "https://a.example/2.png"
LABEL = json.dumps(
    {
        "Label": "your_label",
        "ContentProducer": "yourcontentproducer",
        "ContentPropagator": "your_content_propagator",
        "ProduceID": "yourproductid",
        "PropagateID": "your_propagate_id",
        "ReservedCode1": "yourreservedcode1",
        "ReservedCode2": "your_reserved_code2",
    }
)
TEXT = "viduq2_pro_fast_text2video"


@pytest.fixture
def buyer(sandbox: Running) -> Iterator[Vtrix]:
    person = Vtrix(sandbox.url)
    yield person
    person.http.close()


def read(model: object, **params: Any) -> Ask:
    return read_ask({"model": model, "input": [{"params": params}]})


def message(body: object) -> str:
    with pytest.raises(BadField) as caught:
        read_ask(body)
    return caught.value.message


def fault(model: object, **params: Any) -> str:
    return message({"model": model, "input": [{"params": params}]})


def least(model: str) -> dict[str, Any]:
    """The smallest good parameters of a model."""
    known = MODELS[model]
    images = [A, B] if known.mode == "start-end2video" else [A]
    params = {"prompt": "x", "images": images, "subjects": [{"id": "mara", "images": [A]}]}
    return {name: params[name] for name in known.needs}


# -- the envelope


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([], "invalid field: body"),
        ({"input": [{"params": {}}]}, "field is missing or empty: model"),
        ({"model": TEXT}, "field is missing or empty: input"),
        ({"model": TEXT, "input": []}, "field is missing or empty: input"),
        ({"model": TEXT, "input": {"params": {"prompt": "x"}}}, "invalid field: input"),
        ({"model": TEXT, "input": [{"params": {"prompt": "x"}}] * 2}, "field item count out of range: input"),
        ({"model": TEXT, "input": ["x"]}, "invalid field: input"),
        ({"model": TEXT, "input": [{}]}, "invalid field: input.params"),
        ({"model": TEXT, "input": [{"params": []}]}, "invalid field: input.params"),
        ({"model": TEXT, "input": [{"params": {"prompt": "x"}, "prompt": "x"}]}, "unwanted field: input.prompt"),
        ({"model": TEXT, "prompt": "x", "input": [{"params": {"prompt": "x"}}]}, "unwanted field: prompt"),
        ({"model": TEXT, "input": [{"params": {"prompt": "x", "model": TEXT}}]}, "unwanted field: model"),
        ({"model": 7, "input": [{"params": {"prompt": "x"}}]}, "invalid field: model"),
        ({"model": "viduq2-pro-fast", "input": [{"params": {"prompt": "x"}}]}, "invalid field: model"),
        ({"model": "viduq2_pro_extend", "input": [{"params": {"prompt": "x"}}]}, "invalid field: model"),
    ],
)
def test_the_envelope(body: object, expected: str) -> None:
    assert message(body) == expected


# -- models and their parameters


def test_the_documented_models() -> None:
    assert set(MODELS) == {
        *("viduq1_text2video", "viduq2_text2video", TEXT, "viduq3_pro_text2video", "viduq3_turbo_text2video"),
        *("vidu20_img2video", "viduq1_img2video", "viduq2_pro_img2video", "viduq2_turbo_img2video"),
        *("viduq2_pro_fast_img2video", "viduq3_pro_img2video", "viduq3_turbo_img2video"),
        *("viduq2_pro_start_end2video", "viduq2_turbo_start_end2video", "viduq2_pro_fast_start_end2video"),
        *("viduq3_pro_start_end2video", "viduq3_turbo_start_end2video", "viduq2_turbo_start_end"),
        *("viduq3_i2v_reference", "viduq2_reference2video", "viduq2_pro_fast_reference2video"),
        *("viduq2_i2v_reference", "viduq2_pro_reference"),
    }


@pytest.mark.parametrize("model", list(MODELS))
def test_every_model_takes_little_and_all_its_parameters(model: str) -> None:
    little = read(model, **least(model))
    assert little.mode == MODELS[model].mode
    assert little.duration in (4, 5)
    common = {"seed": 0, "bgm": False, "payload": "x" * PAYLOAD_MAX, "off_peak": False, "watermark": True}
    common |= {"wm_position": 1, "wm_url": A, "meta_data": LABEL, "callback_url": A}
    assert read(model, **least(model), **common, duration=little.duration, resolution=little.resolution)


@pytest.mark.parametrize("model", list(MODELS))
def test_every_model_refuses_what_is_not_its_own(model: str) -> None:
    params = least(model)
    for name in params:
        others = {other: value for other, value in params.items() if other != name}
        assert fault(model, **others) == f"field is missing or empty: {name}"
    for name in ("negative_prompt", "style", "movement_amplitude", "image", "audio_type"):
        assert fault(model, **params, **{name: "x"}) == f"unwanted field: {name}"
    assert fault(model, **params, off_peak=True) == "off_peak is temporarily unavailable"
    assert fault(model, **params, resolution="2K") == "invalid field: resolution"
    if "aspect_ratio" not in MODELS[model].extra:
        assert fault(model, **params, aspect_ratio="16:9") == "unwanted field: aspect_ratio"


@pytest.mark.parametrize(
    ("model", "lengths", "resolutions"),
    [
        (TEXT, range(1, 9), ("720p", "1080p")),
        ("viduq1_text2video", [5], ("1080p",)),
        ("viduq2_text2video", range(1, 11), ("540p", "720p", "1080p")),
        ("viduq3_turbo_text2video", range(1, 17), ("540p", "720p", "1080p")),
        ("viduq2_pro_fast_img2video", range(1, 11), ("720p", "1080p")),
        ("viduq3_pro_start_end2video", range(1, 17), ("540p", "720p", "1080p")),
        ("viduq2_pro_start_end2video", range(1, 9), ("540p", "720p", "1080p")),
        ("viduq2_turbo_start_end", [4, 8], ("540p", "720p", "1080p")),
        ("viduq3_i2v_reference", range(3, 17), ("540p", "720p", "1080p")),
        ("viduq2_pro_reference", range(11), ("540p", "720p", "1080p")),
    ],
)
def test_lengths_and_resolutions(model: str, lengths: list[int], resolutions: tuple[str, ...]) -> None:
    for seconds in range(-1, 19):
        if seconds in lengths:
            assert read(model, **least(model), duration=seconds).duration == seconds or seconds == 0
        else:
            assert fault(model, **least(model), duration=seconds) == "invalid field: duration"
    for resolution in ("360p", "540p", "720p", "1080p"):
        if resolution in resolutions:
            assert read(model, **least(model), resolution=resolution).resolution == resolution
        else:
            assert fault(model, **least(model), resolution=resolution) == "invalid field: resolution"


@pytest.mark.parametrize(
    ("model", "params", "expected"),
    [
        (TEXT, {"prompt": "x" * 2001}, "invalid field: prompt"),
        (TEXT, {"prompt": "x", "audio": False}, "unwanted field: audio"),
        (TEXT, {"prompt": "x", "images": [A]}, "unwanted field: images"),
        (TEXT, {"prompt": "x", "aspect_ratio": "auto"}, "invalid field: aspect_ratio"),
        (TEXT, {"prompt": "x", "bgm": "false"}, "invalid field: bgm"),
        (TEXT, {"prompt": "x", "seed": -1}, "invalid field: seed"),
        (TEXT, {"prompt": "x", "payload": "x" * (PAYLOAD_MAX + 1)}, "invalid field: payload"),
        (TEXT, {"prompt": "x", "wm_position": 5}, "invalid field: wm_position"),
        (TEXT, {"prompt": "x", "wm_url": "here"}, "invalid field: wm_url"),
        (TEXT, {"prompt": "x", "meta_data": {"Label": "x"}}, "invalid field: meta_data"),
        (TEXT, {"prompt": "x", "callback_url": 7}, "invalid field: callback_url"),
        ("viduq1_text2video", {"prompt": "x", "aspect_ratio": "4:3"}, "invalid field: aspect_ratio"),
        ("viduq3_turbo_text2video", {"prompt": "x" * 5001}, "invalid field: prompt"),
        ("viduq3_turbo_text2video", {"prompt": "x", "audio": 1}, "invalid field: audio"),
        ("viduq3_turbo_img2video", {"images": [A, B]}, "field item count out of range: images"),
        ("viduq3_turbo_img2video", {"images": A}, "invalid field: images"),
        ("viduq3_turbo_img2video", {"images": ["/etc/passwd"]}, "invalid field: images"),
        ("viduq3_turbo_img2video", {"images": [A], "voice_id": "v"}, "unwanted field: voice_id"),
        ("viduq2_pro_img2video", {"images": [A], "prompt": "x" * 2001}, "invalid field: prompt"),
        ("viduq3_pro_start_end2video", {"images": [A]}, "field item count out of range: images"),
        ("viduq2_pro_start_end2video", {"images": [A, B], "audio": False}, "unwanted field: audio"),
        ("viduq3_i2v_reference", {"prompt": "x", "images": [A] * 8}, "field item count out of range: images"),
        ("viduq3_i2v_reference", {"prompt": "x", "images": [A], "subjects": []}, "unwanted field: subjects"),
        ("viduq3_i2v_reference", {"prompt": "x", "images": [A], "aspect_ratio": "21:9"}, "invalid field: aspect_ratio"),
        ("viduq2_i2v_reference", {"prompt": "x", "images": [A], "videos": [A]}, "unwanted field: videos"),
        ("viduq2_i2v_reference", {"prompt": "x", "images": [A], "aspect_ratio": "auto"}, "invalid field: aspect_ratio"),
    ],
)  # fmt: skip
def test_what_is_refused(model: str, params: dict[str, Any], expected: str) -> None:
    assert fault(model, **params) == expected


def test_videos_leave_room_for_four_images() -> None:
    with_video = {"prompt": "x", "videos": [A]}
    assert read("viduq2_pro_reference", **with_video, images=[A] * 4).sources == (A,) * 4
    assert fault("viduq2_pro_reference", **with_video, images=[A] * 5) == "field item count out of range: images"
    too_many = {"prompt": "x", "videos": [A] * 3, "images": [A]}
    assert fault("viduq2_pro_reference", **too_many) == "field item count out of range: videos"


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        ([], "field is missing or empty: subjects"),
        ([{"images": [A]}], "field is missing or empty: subjects.id"),
        ([{"name": "mara", "images": [A]}], "unwanted field: subjects.name"),
        ([{"id": "mara"}], "field item count out of range: subjects.images"),
        ([{"id": "mara", "images": [A] * 4}], "field item count out of range: subjects.images"),
        ([{"id": "mara", "images": [A] * 3}] * 3, "field item count out of range: subjects.images"),
        ([{"id": "mara", "images": [A]}] * 8, "field item count out of range: subjects"),
        ([{"id": "mara", "images": A}], "invalid field: subjects.images"),
        (["mara"], "invalid field: subjects"),
    ],
)
def test_subjects(subjects: list[Any], expected: str) -> None:
    assert fault("viduq2_reference2video", prompt="@mara waves", subjects=subjects) == expected
    good = [{"id": "mara", "images": [A, B]}, {"id": "drone", "images": [B]}]
    assert read("viduq2_reference2video", prompt="@mara @drone", subjects=good).sources == (A, B, B)


def test_defaults() -> None:
    text = read(TEXT, prompt="x")
    assert (text.duration, text.resolution, text.aspect_ratio, text.audio) == (5, "720p", "16:9", False)
    assert read("viduq3_pro_text2video", prompt="x").audio is True
    assert read("viduq2_pro_img2video", images=[A]).audio is False
    old = read("vidu20_img2video", images=[A])
    assert (old.duration, old.resolution) == (4, "360p")
    assert read("viduq3_i2v_reference", prompt="x", images=[A], aspect_ratio="auto").aspect_ratio == ""
    assert read("viduq3_i2v_reference", prompt="x", images=[A], sounds=[]).aspect_ratio == "16:9"


# -- create


EXAMPLES: list[tuple[str, dict[str, Any], int]] = [
    (
        TEXT,
        {
            "prompt": "A paper boat crosses a puddle.",
            "duration": 5,
            "seed": 0,
            "aspect_ratio": "16:9",
            "resolution": "720p",
            "bgm": False,
            "payload": "vf1.01JC9Q6Z3V8M.5f2e",
            "watermark": False,
            "wm_position": 3,
            "meta_data": LABEL,
        },
        0,
    ),
    (
        "viduq3_turbo_img2video",
        {
            "prompt": "She waves.",
            "duration": 5,
            "resolution": "720p",
            "audio": False,
            "payload": "vf1.01JC9Q6Z3V8M.5f2e",
        },
        1,
    ),
    ("viduq3_pro_start_end2video", {"duration": 5, "resolution": "1080p", "audio": False}, 2),
    (
        "viduq3_i2v_reference",
        {
            "prompt": "The two friends share hotpot.",
            "duration": 5,
            "aspect_ratio": "16:9",
            "resolution": "720p",
            "audio": True,
        },
        2,
    ),
]


@pytest.mark.route
@pytest.mark.parametrize(("model", "params", "pictures"), EXAMPLES)
def test_the_documented_bodies(
    buyer: Vtrix, picture_url: str, model: str, params: dict[str, Any], pictures: int
) -> None:
    images = {"images": [picture_url] * pictures} if pictures else {}
    answer = buyer.post({"model": model, "input": [{"params": params | images}]})
    assert answer.status_code == 200, answer.text
    receipt = answer.json()
    assert re.fullmatch(r"[0-9a-f]{16}", receipt["id"])
    assert abs(receipt["created_at"] - time.time()) < 5
    assert receipt == {
        "id": receipt["id"],
        "status": "in_progress",
        "model": model,
        "created_at": int(receipt["created_at"]),
    }
    (task,) = buyer.books()["tasks"]
    assert (task["quote"], task["payload"]) == (3000, params.get("payload", ""))


@pytest.mark.route
def test_a_refusal_names_the_field(buyer: Vtrix) -> None:
    answer = buyer.create(off_peak=True)
    assert (answer.status_code, answer.json()) == (400, {"message": "off_peak is temporarily unavailable"})


@pytest.mark.route
def test_pictures_in_the_body(buyer: Vtrix) -> None:
    subjects = [{"id": "mara", "images": [data_url()]}]
    body = buyer.body("viduq2_reference2video", prompt="@mara waves", subjects=subjects)
    answer = buyer.finished(buyer.accepted(body))
    assert answer["status"] == "completed"


@pytest.mark.route
def test_frames_of_two_sizes(buyer: Vtrix) -> None:
    frames = [data_url(100, 100), data_url(120, 120)]
    answer = buyer.post(buyer.body("viduq3_turbo_start_end2video", images=frames))
    assert (answer.status_code, "ratio of the two frames" in answer.text) == (400, True)
    buyer.accepted(buyer.body("viduq3_turbo_start_end2video", images=[frames[0], data_url(110, 110)]))


# -- query


@pytest.mark.route
class TestQuery:
    def test_a_life(self, unhurried: Running) -> None:
        buyer = Vtrix(unhurried.url)
        task_id, progress = buyer.made(duration=2, payload="vf1.abc"), []

        def watch(answer: dict[str, Any]) -> bool:
            always = {"id", "model", "status", "created_at"}
            done = answer["status"] == "completed"
            assert set(answer) == always | ({"output", "usage", "metadata"} if done else {"progress"})
            assert answer["status"] in ("in_progress", "completed")
            if not done:
                progress.append(answer["progress"])
            return done

        last = buyer.until(task_id, watch)
        assert all(isinstance(value, float) and 0 <= value < 1 for value in progress)
        assert progress == sorted(progress)
        assert progress[0] == 0.0
        assert progress[-1] > 0
        ((content,),) = [entry["content"] for entry in last["output"]]
        assert set(content) == {"type", "url", "jobId"}
        assert content["type"] == "video"
        assert re.fullmatch(r"\d+", content["jobId"])
        assert last["usage"] == {"cost": "0.1200", "discount": 0, "quantity": 2, "unit_price": "0.06"}
        assert set(last["metadata"]) == {"request_id"}
        assert buyer.books()["charged"] == 1200  # ten-thousandths of a dollar

    @pytest.mark.parametrize(
        ("word", "error"),
        [
            (
                "violation",
                {"code": 8020095, "error_message": "Content policy violation detected in the generated video"},
            ),
            ("fail", {"code": 0, "error_message": ""}),
            ("crash", {"code": 8020099, "error_message": "Task creation error"}),
        ],
    )
    def test_failures(self, buyer: Vtrix, word: str, error: dict[str, Any]) -> None:
        answer = buyer.finished(buyer.made(prompt=f"[{word}]"))
        assert set(answer) == {"id", "model", "status", "created_at", "error"}
        assert (answer["status"], answer["error"]) == ("failed", error)

    def test_success_without_a_link(self, unhurried: Running) -> None:
        buyer = Vtrix(unhurried.url)
        answer = buyer.finished(buyer.made(prompt="[nourl]"))
        assert (answer["output"], answer["usage"]["cost"]) == ([], "0.0600")

    def test_a_throttle_has_a_number(self, buyer: Vtrix) -> None:
        answer = buyer.create(prompt="[throttle] numbered")
        assert re.fullmatch(r"[0-9a-f]{32}", answer.json()["request_id"])
