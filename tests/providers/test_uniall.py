from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from generations.providers.base import Account, FailureClass, ImageTransport, Mode, Money, Order, RemoteState, Unit
from generations.providers.catalog import get_offer
from generations.providers.uniall import UniAll

from .contract import ProviderContract, Vector, answer, caught, load

DATA = load("uniall")
UNIALL = UniAll()
ACCOUNT = Account("https://api.uniall.ai", "sk-TESTKEY")
VIDEOS = replace(ACCOUNT, options={"query_path": "/v1/videos/{id}"})
VIDEO = "https://cdn.uniall.example/v/task_vf0001.mp4"
PICTURES = ("https://a.example/1.png", "https://a.example/2.png", "https://a.example/3.png")
ORDER = Order(Mode.TEXT, "viduq3p-720p", "A paper boat", "vf1.TOKEN", 5, "720p")


def mode_of(body: Mapping[str, Any]) -> Mode:
    if "reference_image_urls" in body:
        return Mode.REFERENCE
    if "image" in body:
        return Mode.START_END if "last_image" in body else Mode.IMAGE
    return Mode.TEXT


def in_b(status: str, **over: Any) -> dict[str, Any]:
    data = {"task_id": "task_1", "status": status, "fail_reason": "", "progress": "100%", "data": None, **over}
    return {"code": "success", "message": "", "data": data}


def in_c(status: str, **over: Any) -> dict[str, Any]:
    return {"task_id": "task_1", "status": status, **over}


def in_a(status: str, **over: Any) -> dict[str, Any]:
    return {"id": "task_1", "object": "video.generation.job", "status": status, **over}


class TestContract(ProviderContract):
    provider = UNIALL
    account = ACCOUNT
    data = DATA
    states = {
        "queued": "queued",
        "NOT_START": "queued",
        "SUBMITTED": "queued",
        "QUEUED": "queued",
        "in_progress": "processing",
        "processing": "processing",
        "IN_PROGRESS": "processing",
        "completed": "succeeded",
        "SUCCESS": "succeeded",
        "failed": "failed",
        "FAILURE": "failed",
    }
    fields = {
        *("model", "prompt", "image", "last_image", "reference_image_urls", "aspect_ratio", "duration", "extra_body"),
        *("audio", "seed", "bgm"),
    }

    @staticmethod
    def order_of(body: Mapping[str, Any], path: str) -> Order:
        mode, extras = mode_of(body), body.get("extra_body", {})
        offer = get_offer("uniall", body["model"], mode)
        assert offer is not None
        fixed = offer.wire_ids()[body["model"]]
        return Order(
            mode=mode,
            model=body["model"],
            prompt=body["prompt"],
            token="vf1.TOKEN",
            duration=body["duration"],
            resolution=fixed["resolution"],
            aspect_ratio=body.get("aspect_ratio"),
            images=tuple(body.get("reference_image_urls", ())) or tuple(body[n] for n in FRAMES if n in body),
            seed=extras.get("seed"),
            audio=extras.get("audio"),
            off_peak=fixed.get("off_peak", False),
            options={"bgm": extras["bgm"]} if "bgm" in extras else {},
        )

    def account_of(self, vector: Vector) -> Account:
        return VIDEOS if vector["request"]["path"].startswith("/v1/videos/") else ACCOUNT

    @staticmethod
    def task_of(body: dict[str, Any]) -> dict[str, Any]:
        return body["data"] if body.get("code") == "success" else body

    @staticmethod
    def id_of(task: Mapping[str, Any]) -> str:
        return task["task_id"]


FRAMES = ("image", "last_image")


class TestCreate:
    @pytest.mark.parametrize(
        ("mode", "pictures"),
        [
            (Mode.TEXT, {}),
            (Mode.IMAGE, {"image": PICTURES[0]}),
            (Mode.START_END, {"image": PICTURES[0], "last_image": PICTURES[1]}),
            (Mode.REFERENCE, {"reference_image_urls": list(PICTURES)}),
        ],
    )
    def test_the_mode_follows_from_the_fields(self, mode: Mode, pictures: dict[str, Any]) -> None:
        count = {Mode.TEXT: 0, Mode.IMAGE: 1, Mode.START_END: 2, Mode.REFERENCE: 3}[mode]
        body = UNIALL.build_create(ACCOUNT, replace(ORDER, mode=mode, images=PICTURES[:count])).body
        assert body == {"model": "viduq3p-720p", "prompt": "A paper boat", "duration": 5, **pictures}
        assert mode_of(body) is mode

    @pytest.mark.parametrize(
        ("said", "extras"),
        [
            ({}, None),
            ({"audio": False}, {"audio": False}),
            ({"seed": 0}, {"seed": 0}),
            ({"options": {"bgm": True, "style": "anime"}}, {"bgm": True}),
            ({"audio": True, "seed": 4, "options": {"bgm": False}}, {"audio": True, "seed": 4, "bgm": False}),
        ],
    )
    def test_extras_hold_what_is_said(self, said: dict[str, Any], extras: dict[str, Any] | None) -> None:
        body = UNIALL.build_create(ACCOUNT, replace(ORDER, **said)).body
        assert body is not None
        assert body.get("extra_body") == extras

    def test_pictures_go_by_address(self) -> None:
        assert UNIALL.image_transport({}) is ImageTransport.URL
        assert UNIALL.image_transport({"images": "inline"}) is ImageTransport.URL


class TestQuery:
    @pytest.mark.parametrize(
        ("path", "wanted"),
        [
            ("/v1/video/generations/{id}", "/v1/video/generations/task_1"),
            ("/v1/videos/{id}", "/v1/videos/task_1"),
            ("v1/videos/{id}/content", "/v1/videos/task_1/content"),
            ("/v1/videos", "/v1/video/generations/task_1"),  # names no task: not taken
        ],
    )
    def test_path_of_the_key(self, path: str, wanted: str) -> None:
        account = replace(ACCOUNT, options={"query_path": path})
        assert UNIALL.build_query(account, "task_1", "").url == "https://api.uniall.ai" + wanted

    @pytest.mark.parametrize(
        "body",
        [
            in_a("completed", metadata={"url": VIDEO}),
            in_a("completed", video_url=VIDEO),
            in_a("completed", url=VIDEO, video_url=None, metadata=None),
            in_b("SUCCESS", result_url=VIDEO),
            in_b("SUCCESS", result_url="", data={"creations": [{"id": "1", "url": VIDEO}]}),
            in_b("SUCCESS", data={"creations": {"url": VIDEO}}),
            in_b("SUCCESS", fail_reason=VIDEO),
            in_c("completed", url=VIDEO),
        ],
    )
    def test_link_in_every_shape(self, body: dict[str, Any]) -> None:
        snapshot = UNIALL.read_snapshot(answer(body))
        assert (snapshot.remote_id, snapshot.state) == ("task_1", RemoteState.SUCCEEDED)
        assert [each.url for each in snapshot.outputs] == [VIDEO]
        assert snapshot.failure is None

    def test_cover_and_id_come_from_vidus_answer_within(self) -> None:
        creation = {"id": "9", "url": "https://up.example/v.mp4", "cover_url": "https://up.example/c.jpeg"}
        (output,) = UNIALL.read_snapshot(
            answer(in_b("SUCCESS", result_url=VIDEO, data={"creations": [creation]}))
        ).outputs
        assert (output.url, output.cover_url, output.remote_id) == (VIDEO, creation["cover_url"], "9")

    @pytest.mark.parametrize(
        ("body", "cls", "code", "text"),
        [
            (in_b("FAILURE", fail_reason="ImageDownloadFailure"), "user_input", "ImageDownloadFailure", ""),
            (in_b("FAILURE", fail_reason="rejected by moderation"), "content_policy", "", "rejected by moderation"),
            (in_b("FAILURE", data={"err_code": "AuditSubmitIllegal"}), "content_policy", "AuditSubmitIllegal", ""),
            (in_b("FAILURE", fail_reason="SunSpots"), "provider_unknown", "SunSpots", ""),
            (in_b("FAILURE"), "provider_unknown", "", ""),
            (in_a("failed", error={"message": "no", "code": "FieldInvalid"}), "user_input", "FieldInvalid", "no"),
            (in_a("failed", error="prompt policy violation"), "content_policy", "", "prompt policy violation"),
            (in_a("failed", error={"message": "x", "code": "Conflict"}), "provider_transient", "Conflict", "x"),
            (in_c("failed", error={"message": "no", "code": 500}), "provider_unknown", "500", "no"),
        ],
    )
    def test_reason_in_every_shape(self, body: dict[str, Any], cls: str, code: str, text: str) -> None:
        failure = UNIALL.read_snapshot(answer(body)).failure
        assert failure is not None
        assert (failure.cls, failure.code, failure.text) == (cls, code, text)

    @pytest.mark.parametrize(("progress", "percent"), [(50, 50), ("50%", 50), ("0%", 0), ("half", None), (101, None)])
    def test_progress_as_number_or_text(self, progress: object, percent: int | None) -> None:
        for body in (in_b("IN_PROGRESS", progress=progress), in_a("in_progress", progress=progress)):
            assert UNIALL.read_snapshot(answer(body)).progress == percent

    def test_charge_is_in_b_at_the_end_alone(self) -> None:
        within = {"credits": "100", "creations": [{"url": VIDEO}]}
        ended = UNIALL.read_snapshot(answer(in_b("SUCCESS", data=within)))
        running = UNIALL.read_snapshot(answer(in_b("IN_PROGRESS", data=within)))
        silent = UNIALL.read_snapshot(answer(in_a("completed", url=VIDEO, credits=100)))
        assert (ended.charge, running.charge) == (Money(Decimal(100), Unit.CREDIT), None)
        assert (silent.charge, silent.anomaly) == (None, "")

    def test_number_of_the_row_is_not_the_id_of_the_task(self) -> None:
        assert UNIALL.read_snapshot(answer(in_b("QUEUED", id=17))).remote_id == "task_1"

    @pytest.mark.parametrize("code", ["", None, "fail", 0, "task_not_exist"])
    def test_envelope_that_does_not_say_success_tells_nothing(self, code: object) -> None:
        error = caught(UNIALL.read_snapshot, answer({**in_b("FAILURE"), "code": code}))
        assert error.failure.cls is FailureClass.PROVIDER_TRANSIENT


class TestKey:
    def test_request(self) -> None:
        assert UNIALL.build_test(ACCOUNT).url == "https://api.uniall.ai/v1/models"

    @pytest.mark.parametrize("body", [{"object": "list", "data": [{"id": "viduq3p-720p"}]}, {"data": []}])
    def test_list_of_models_shows_a_good_key(self, body: object) -> None:
        assert UNIALL.read_test(answer(body)).remaining is None

    @pytest.mark.parametrize("body", [{"data": {}}, {"data": None}, {"success": False, "message": "no"}, []])
    def test_anything_else_shows_nothing(self, body: object) -> None:
        assert caught(UNIALL.read_test, answer(body)).failure.cls is FailureClass.PROVIDER_TRANSIENT
