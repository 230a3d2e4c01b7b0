"""DataEyes' protocol over a socket: Vidu's bodies, model ids that carry the price tier."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from generations.sandbox.dataeyes import read_tiered
from generations.sandbox.fields import BadField
from generations.sandbox.vidu_fields import OFFERS
from generations.sandbox.vidu_prices import quote

from .conftest import Running
from .pictures import data_url
from .vendors import DataEyes

A, B = "https://a.example/1.png", "https://a.example/2.png"
FIELDS = {
    *("audio", "bgm", "creations", "credits", "cus_priority", "err_code", "id", "off_peak", "payload", "progress"),
    "state",
}


@pytest.fixture
def buyer(sandbox: Running) -> Iterator[DataEyes]:
    person = DataEyes(sandbox.url)
    yield person
    person.http.close()


def fault(answer: httpx.Response) -> str:
    assert answer.status_code == 400, answer.text
    body = answer.json()
    assert (set(body), body["code"], body["data"]) == ({"code", "message", "data"}, "invalid_request", None)
    return str(body["message"])


# -- model ids


@pytest.mark.parametrize(("mode", "family"), list(OFFERS))
def test_every_tier_of_the_matrix_is_sold(mode: str, family: str) -> None:
    for seconds, resolutions in OFFERS[mode, family].shapes.items():
        for resolution in resolutions if seconds else ():
            body: dict[str, Any] = {"model": f"{family}-{resolution}-{seconds}s", "prompt": "x", "audio": False}
            body |= {} if mode == "text2video" else {"images": [A, B] if mode == "start-end2video" else [A]}
            ask = read_tiered(mode, body)
            assert (ask.model, ask.duration, ask.resolution) == (body["model"], seconds, resolution)


@pytest.mark.parametrize(
    "model",
    [
        *("viduq2-turbo", "viduq2-turbo-720p", "viduq2-turbo-5s", "720p-5s"),
        *("viduq2-turbo-720p-5", "viduq2-turbo-720-5s", "viduq2-turbo-5s-720p"),
        *("viduq2-turbo-720p-11s", "viduq2-turbo-360p-5s", "viduq2-turbo-720p-0s", "viduq2-turbo-720p-05s"),
        *("viduq9-720p-5s", "viduq3-mix-720p-5s", "viduq2-turbo-720p-5s ", "VIDUQ2-TURBO-720p-5s", 7, ["x"], True),
    ],
)
def test_what_is_no_tier_of_the_mode(model: object) -> None:
    with pytest.raises(BadField) as caught:
        read_tiered("img2video", {"model": model, "images": [A]})
    assert (caught.value.reason, caught.value.message) == ("FieldInvalid", "invalid field: model")


@pytest.mark.parametrize("model", [..., None, ""])
def test_a_model_is_needed(model: object) -> None:
    body = {"images": [A]} if model is ... else {"images": [A], "model": model}
    with pytest.raises(BadField, match="FieldLacking"):
        read_tiered("img2video", body)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"duration": 5, "resolution": "720p"}, ""),
        ({"duration": 5}, ""),
        ({"resolution": "720p"}, ""),
        ({"duration": 4}, "duration"),
        ({"duration": 0}, "duration"),
        ({"duration": "5"}, "duration"),
        ({"resolution": "1080p"}, "resolution"),
        ({"resolution": None}, "resolution"),
    ],
)
def test_length_and_resolution_agree_with_the_id(changes: dict[str, Any], name: str) -> None:
    body = {"model": "viduq2-turbo-720p-5s", "images": [A]} | changes
    if not name:
        assert read_tiered("img2video", body).duration == 5
        return
    with pytest.raises(BadField) as caught:
        read_tiered("img2video", body)
    assert caught.value.message == f"invalid field: {name}"


def test_an_automatic_length_does_not_agree_either() -> None:
    with pytest.raises(BadField, match="duration"):
        read_tiered("reference2video", {"model": "viduq2-pro-720p-5s", "prompt": "x", "images": [A], "duration": 0})


# -- create


@pytest.mark.route
class TestCreate:
    def test_the_documented_body(self, buyer: DataEyes, picture_url: str) -> None:
        body = {
            "model": "viduq2-turbo-720p-5s",
            "images": [picture_url],
            "prompt": "She turns and waves.",
            "payload": "vf1.01JC9Q6Z3V8M.5f2e",
        }
        answer = buyer.to("img2video", body)
        assert answer.status_code == 200
        receipt = answer.json()
        assert re.fullmatch(r"\d{18}", receipt["task_id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", receipt["created_at"])
        echo = {"state": "created", "duration": 5, "resolution": "720p", "credits": 40}
        for name, value in {**body, **echo}.items():
            assert receipt[name] == value

    def test_every_mode_lives(self, buyer: DataEyes, picture_url: str) -> None:
        bodies: dict[str, dict[str, Any]] = {
            "text2video": {"model": "viduq3-turbo-540p-2s", "aspect_ratio": "9:16", "style": "anime"},
            "img2video": {"model": "viduq2-pro-720p-1s", "images": [data_url()], "audio": True},
            "start-end2video": {"model": "viduq1-1080p-5s", "images": [picture_url, picture_url]},
            "reference2video": {"model": "viduq3-mix-720p-3s", "images": [picture_url] * 7},
        }
        made = {mode: buyer.to(mode, {"prompt": "x"} | body).json()["task_id"] for mode, body in bodies.items()}
        for mode, task_id in made.items():
            assert buyer.finished(task_id)["state"] == "success", mode
        assert [task["mode"] for task in buyer.books()["tasks"]] == list(bodies)

    @pytest.mark.parametrize(
        ("mode", "changes", "message"),
        [
            ("text2video", {"images": [A]}, "unwanted field: images"),
            ("text2video", {"negative_prompt": "y"}, "unwanted field: negative_prompt"),
            ("text2video", {"aspect_ratio": "21:9"}, "invalid field: aspect_ratio"),
            ("text2video", {"seed": -1}, "invalid field: seed"),
            ("text2video", {"payload": {}}, "invalid field: payload"),
            ("img2video", {}, "field is missing or empty: images"),
            ("img2video", {"images": [A, B]}, "field item count out of range: images"),
            ("img2video", {"images": [A], "aspect_ratio": "16:9"}, "unwanted field: aspect_ratio"),
            ("start-end2video", {"images": [A]}, "field item count out of range: images"),
            ("img2video", {"images": [data_url(500, 100)]}, "image aspect ratio must be between 1:4 and 4:1"),
        ],
    )
    def test_refusals(self, buyer: DataEyes, mode: str, changes: dict[str, Any], message: str) -> None:
        body = {"model": "viduq3-turbo-720p-5s", "prompt": "x"} | changes
        assert fault(buyer.to(mode, body)) == message
        assert buyer.books()["tasks"] == []

    def test_the_price_is_vidus(self, buyer: DataEyes) -> None:
        cheap = buyer.to("text2video", {"model": "viduq3-pro-1080p-4s", "prompt": "x", "off_peak": True}).json()
        assert (cheap["credits"], cheap["off_peak"]) == (48, True)
        assert cheap["credits"] == quote(
            mode="text2video", model="viduq3-pro", resolution="1080p", duration=4, off_peak=True
        )


# -- query


@pytest.mark.route
class TestQuery:
    def test_zeros_stand_for_what_is_not_known(self, buyer: DataEyes) -> None:
        task_id, states = buyer.made(payload="vf1.abc", bgm=True, model="viduq3-turbo-720p-2s"), []

        def watch(answer: dict[str, Any]) -> bool:
            states.append(answer["state"])
            assert set(answer) == FIELDS
            assert (answer["id"], answer["payload"], answer["err_code"]) == (task_id, "vf1.abc", "")
            assert (answer["bgm"], answer["audio"], answer["off_peak"], answer["cus_priority"]) == (
                True,
                False,
                False,
                0,
            )
            if answer["state"] != "success":
                assert (answer["credits"], answer["creations"]) == (0, [])
                assert 0 <= answer["progress"] < 100
            return bool(answer["state"] == "success")

        last = buyer.until(task_id, watch)
        assert set(states) <= {"created", "queueing", "processing", "success"}
        assert (last["credits"], last["progress"]) == (22, 100)
        (creation,) = last["creations"]
        assert set(creation) == {"id", "url", "cover_url", "watermarked_url", "moderation_url", "video"}
        assert creation["video"] == {"duration": 0, "fps": 0, "resolution": None}
        assert (creation["watermarked_url"], creation["moderation_url"]) == ("", [])

    def test_lifetimes_of_the_links(self, buyer: DataEyes) -> None:
        creation = buyer.finished(buyer.made(watermark=True))["creations"][0]
        for name, lifetime in (("url", "86400"), ("cover_url", "3600"), ("watermarked_url", "86400")):
            assert parse_qs(urlsplit(creation[name]).query)["X-Amz-Expires"] == [lifetime]
            assert httpx.get(creation[name]).status_code == 200

    @pytest.mark.parametrize(
        ("word", "code"), [("violation", "CreationPolicyViolation"), ("fail", ""), ("crash", "InternalServiceFailure")]
    )
    def test_failures(self, buyer: DataEyes, word: str, code: str) -> None:
        answer = buyer.finished(buyer.made(prompt=f"[{word}]"))
        assert set(answer) == FIELDS
        assert (answer["state"], answer["err_code"], answer["credits"], answer["progress"]) == ("failed", code, 0, 0)
        assert answer["creations"] == []

    def test_no_cover(self, buyer: DataEyes) -> None:
        creation = buyer.finished(buyer.made(prompt="[nocover]"))["creations"][0]
        assert [httpx.get(creation[name]).status_code for name in ("cover_url", "url")] == [403, 200]

    def ask(self, buyer: DataEyes, task_id: str, **given: Any) -> httpx.Response:
        return buyer.http.request("GET", buyer.query_path(task_id), **given)

    def test_the_model_in_a_body_in_the_query_or_nowhere(self, buyer: DataEyes) -> None:
        task_id, model = buyer.made(), "viduq3-turbo-720p-1s"
        for given in ({"json": {"model": model}}, {"params": {"model": model}}, {}):
            assert self.ask(buyer, task_id, **given).json()["id"] == task_id
        other = "viduq3-turbo-720p-5s"
        for given in ({"json": {"model": other}}, {"params": {"model": other}}, {"json": {"model": "viduq3-turbo"}}):
            assert fault(self.ask(buyer, task_id, **given)) == "invalid field: model"

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"json": {}}, "field is missing or empty: model"),
            ({"json": {"model": ""}}, "field is missing or empty: model"),
            ({"json": {"model": 7}}, "invalid field: model"),
            ({"json": {"model": "viduq3-turbo-720p-1s", "id": "1"}}, "unwanted field: id"),
            ({"json": []}, "invalid field: body"),
            ({"content": b"{", "headers": {"Content-Type": "application/json"}}, "body is not valid JSON"),
            ({"content": b'{"model": "viduq3-turbo-720p-1s"}'}, "content type must be application/json"),
        ],
    )
    def test_bodies_that_are_refused(self, buyer: DataEyes, given: dict[str, Any], message: str) -> None:
        assert fault(self.ask(buyer, buyer.made(), **given)) == message

    def test_waiting_has_two_words(self, unhurried: Running) -> None:
        person = DataEyes(unhurried.url)
        task_id = person.made(off_peak=True)
        assert person.query(task_id)["state"] == "created"
        later = person.until(task_id, lambda answer: answer["state"] != "created")
        assert (later["state"], later["off_peak"]) == ("queueing", True)
