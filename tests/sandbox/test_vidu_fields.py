"""What a create body may hold, and what it costs."""

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generations.sandbox.fields import MODES, PAYLOAD_MAX, Ask, BadField
from generations.sandbox.vidu_fields import FIELDS, OFFERS, read_ask
from generations.sandbox.vidu_prices import quote

A, B = "https://a.example/1.png", "https://a.example/2.png"
GOOD: dict[str, dict[str, Any]] = {
    "text2video": {"model": "viduq3-turbo", "prompt": "x"},
    "img2video": {"model": "viduq3-turbo", "images": [A]},
    "start-end2video": {"model": "viduq3-turbo", "images": [A, B]},
    "reference2video": {"model": "viduq3-turbo", "prompt": "x", "images": [A, B]},
}


def read(mode: str, **changes: Any) -> Ask:
    body = GOOD[mode] | changes
    return read_ask(mode, {name: value for name, value in body.items() if value is not ...})


def fault(mode: str, **changes: Any) -> tuple[str, str]:
    with pytest.raises(BadField) as caught:
        read(mode, **changes)
    return (caught.value.reason, caught.value.message.rpartition(": ")[2])


def test_defaults() -> None:
    ask = read("text2video")
    assert (ask.duration, ask.resolution, ask.aspect_ratio, ask.audio) == (5, "720p", "16:9", True)
    assert read("img2video").aspect_ratio == ""
    assert read("text2video", model="viduq2").audio is False
    assert read("text2video", model="viduq1").resolution == "1080p"
    assert (read("img2video", model="vidu2.0").duration, read("img2video", model="vidu2.0").resolution) == (4, "360p")
    assert read("img2video", model="vidu2.0", duration=8).resolution == "720p"
    assert read("reference2video", model="viduq2-pro", duration=0).duration == 5


UNWANTED = [
    ("text2video", {"images": [A]}),
    ("text2video", {"audio_type": "all"}),
    ("text2video", {"voice_id": "v"}),
    ("text2video", {"is_rec": False}),
    ("text2video", {"negative_prompt": "y"}),
    ("img2video", {"aspect_ratio": "16:9"}),
    ("img2video", {"style": "anime"}),
    ("img2video", {"subjects": []}),
    ("start-end2video", {"aspect_ratio": "16:9"}),
    ("start-end2video", {"audio_type": "all"}),
    ("start-end2video", {"voice_id": "v"}),
    ("reference2video", {"style": "anime"}),
    ("reference2video", {"is_rec": True}),
    ("reference2video", {"voice_id": "v"}),
    ("reference2video", {"videos": [A]}),
]


@pytest.mark.parametrize(("mode", "changes"), UNWANTED)
def test_fields_that_do_not_belong(mode: str, changes: dict[str, Any]) -> None:
    assert fault(mode, **changes) == ("FieldUnwanted", next(iter(changes)))


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        *[(mode, "model") for mode in MODES],
        ("text2video", "prompt"),
        ("reference2video", "prompt"),
        ("img2video", "images"),
        ("start-end2video", "images"),
        ("reference2video", "images"),
    ],
)
def test_fields_that_are_lacking(mode: str, name: str) -> None:
    assert fault(mode, **{name: ...}) == ("FieldLacking", name)
    assert fault(mode, **{name: [] if name == "images" else ""}) == ("FieldLacking", name)


@pytest.mark.parametrize(
    ("mode", "images"),
    [
        ("img2video", [A, B]),
        ("start-end2video", [A]),
        ("start-end2video", [A, B, A]),
        ("reference2video", [A] * 8),
    ],
)
def test_picture_counts(mode: str, images: list[str]) -> None:
    assert fault(mode, images=images) == ("FieldItemCountOutOfRange", "images")


INVALID: list[tuple[str, dict[str, Any]]] = [
    ("text2video", {"prompt": "x" * 5001}),
    ("reference2video", {"prompt": "x" * 2001}),
    ("text2video", {"prompt": "half \ud800 a pair"}),
    ("text2video", {"prompt": 7}),
    ("text2video", {"model": "viduq9"}),
    ("text2video", {"model": ["viduq3-turbo"]}),
    ("text2video", {"model": "viduq3"}),
    ("img2video", {"model": "viduq2"}),
    ("text2video", {"duration": 17}),
    ("text2video", {"duration": 0}),
    ("text2video", {"duration": "5"}),
    ("text2video", {"duration": 5.0}),
    ("text2video", {"duration": True}),
    ("text2video", {"duration": 10**400}),
    ("start-end2video", {"model": "viduq2-pro", "duration": 9}),
    ("reference2video", {"duration": 2}),
    ("text2video", {"resolution": "2K"}),
    ("text2video", {"resolution": "360p"}),
    ("img2video", {"model": "viduq3-pro-fast", "resolution": "540p"}),
    ("img2video", {"model": "vidu2.0", "duration": 8, "resolution": "1080p"}),
    ("text2video", {"aspect_ratio": "21:9"}),
    ("text2video", {"model": "viduq1", "aspect_ratio": "4:3"}),
    ("text2video", {"seed": -1}),
    ("text2video", {"seed": 2**63}),
    ("text2video", {"style": "noir"}),
    ("text2video", {"movement_amplitude": "huge"}),
    ("text2video", {"bgm": "false"}),
    ("text2video", {"audio": 1}),
    ("text2video", {"audio": None}),
    ("text2video", {"model": "viduq2", "audio": True}),
    ("img2video", {"model": "viduq1", "audio": True}),
    ("img2video", {"audio": False, "audio_type": "all"}),
    ("text2video", {"payload": "x" * (PAYLOAD_MAX + 1)}),
    ("text2video", {"payload": {"a": 1}}),
    ("reference2video", {"model": "viduq3-mix", "off_peak": True}),
    ("img2video", {"model": "viduq2-pro", "audio": True, "off_peak": True}),
    ("text2video", {"wm_position": 5}),
    ("text2video", {"wm_url": "not an address"}),
    ("text2video", {"meta_data": "not JSON"}),
    ("text2video", {"meta_data": {"Label": "1"}}),
    ("text2video", {"callback_url": "ftp://a.example/"}),
    ("text2video", {"callback_url": "http://[::1"}),
    ("img2video", {"images": A}),
    ("img2video", {"images": ["/etc/passwd"]}),
    ("img2video", {"images": [7]}),
]


@pytest.mark.parametrize(("mode", "changes"), INVALID)
def test_values_that_are_invalid(mode: str, changes: dict[str, Any]) -> None:
    expected = "off_peak" if "off_peak" in changes else next(reversed(changes))
    reason, name = fault(mode, **changes)
    assert reason == "FieldInvalid"
    assert name in (expected, "model" if changes.keys() == {"model"} else expected)


@pytest.mark.parametrize(
    ("mode", "changes"),
    [
        (
            "text2video",
            {"prompt": "字" * 5000, "payload": "x" * PAYLOAD_MAX, "callback_url": "http://127.0.0.1:8000/c/"},
        ),
        ("text2video", {"off_peak": True, "audio": True}),
        ("text2video", {"model": "viduq2", "off_peak": True, "audio": False}),
        ("text2video", {"seed": 0, "bgm": True, "movement_amplitude": "small", "style": "anime"}),
        ("text2video", {"watermark": True, "wm_position": 1, "meta_data": '{"Label": "x"}'}),
        ("img2video", {"is_rec": True, "voice_id": "v", "audio": True, "audio_type": "speech_only"}),
        ("img2video", {"model": "viduq2-turbo", "audio": True}),
        ("start-end2video", {"model": "viduq2-pro", "duration": 8, "is_rec": False}),
        ("reference2video", {"model": "viduq3-mix", "images": [A] * 7}),
        ("reference2video", {"model": "viduq2-pro", "videos": [A], "images": [A] * 4, "auto_subjects": True}),
    ],
)
def test_bodies_that_pass(mode: str, changes: dict[str, Any]) -> None:
    assert read(mode, **changes).mode == mode


def subjects(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"images": ..., "subjects": list(entries)} | changes


def test_subjects() -> None:
    mara, drone = {"name": "Mara", "images": [A, B], "voice_id": ""}, {"name": "Drone", "images": [B]}
    assert read("reference2video", **subjects(mara, drone)).sources == (A, B, B)
    assert fault("reference2video", **subjects(mara, images=[A])) == ("FieldUnwanted", "images")
    assert fault("reference2video", **subjects(mara, model="viduq3-mix")) == ("FieldUnwanted", "subjects")
    assert fault("reference2video", **subjects({"images": [A]})) == ("FieldLacking", "subjects.name")
    assert fault("reference2video", **subjects(mara | {"age": 3})) == ("FieldUnwanted", "subjects.age")
    assert fault("reference2video", **subjects(mara | {"images": "x"})) == ("FieldInvalid", "subjects.images")
    assert fault("reference2video", **subjects(*[mara] * 8))[0] == "FieldItemCountOutOfRange"
    assert fault("reference2video", **subjects(*[mara] * 4))[0] == "FieldItemCountOutOfRange"
    assert fault("reference2video", **subjects({"name": "x", "images": [A] * 4}))[0] == "FieldItemCountOutOfRange"
    assert fault("reference2video", **subjects()) == ("FieldLacking", "subjects")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(MODES), st.data())
def test_no_body_breaks_the_check(mode: str, data: st.DataObject) -> None:
    names = st.sampled_from(sorted(FIELDS[mode]))
    body = GOOD[mode] | data.draw(st.dictionaries(names, json_values, max_size=4))
    for value in (body, data.draw(json_values)):
        with contextlib.suppress(BadField):
            assert isinstance(read_ask(mode, value), Ask)


@pytest.mark.parametrize(
    ("mode", "model", "resolution", "duration", "switches", "credits"),
    [
        ("text2video", "viduq3-turbo", "720p", 5, {}, 55),
        ("start-end2video", "viduq3-pro", "1080p", 5, {}, 120),
        ("reference2video", "viduq3-turbo", "720p", 6, {}, 60),
        ("reference2video", "viduq3-mix", "720p", 5, {}, 120),
        ("text2video", "viduq3-pro", "720p", 5, {"off_peak": True}, 50),
        ("img2video", "viduq2-turbo", "720p", 5, {}, 40),
        ("img2video", "viduq2-turbo", "1080p", 5, {}, 75),
        ("img2video", "viduq2-turbo", "720p", 1, {}, 8),
        ("img2video", "viduq2-pro", "540p", 2, {}, 10),
        ("text2video", "viduq2", "540p", 4, {"off_peak": True}, 8),
        ("img2video", "viduq2-turbo", "720p", 5, {"audio": True}, 55),
        ("img2video", "viduq3-turbo", "720p", 5, {"audio": True, "is_rec": True}, 65),
        ("img2video", "viduq1", "1080p", 5, {}, 80),
        ("img2video", "vidu2.0", "360p", 4, {}, 20),
        ("start-end2video", "vidu2.0", "720p", 8, {}, 100),
        ("reference2video", "vidu2.0", "720p", 4, {}, 80),
    ],
)
def test_quotes(mode: str, model: str, resolution: str, duration: int, switches: dict[str, bool], credits: int) -> None:
    assert quote(mode=mode, model=model, resolution=resolution, duration=duration, **switches) == credits


@pytest.mark.parametrize("mode", MODES)
def test_everything_on_offer_has_a_price(mode: str) -> None:
    for (offered, model), offer in OFFERS.items():
        for seconds, resolutions in offer.shapes.items() if offered == mode else ():
            for resolution in resolutions:
                normal, cheap = (
                    quote(mode=mode, model=model, resolution=resolution, duration=seconds or 5, off_peak=off_peak)
                    for off_peak in (False, True)
                )
                assert 0 < 0.4 * normal <= cheap <= normal
