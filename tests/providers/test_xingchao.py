from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from generations.providers.base import Account, ImageTransport, Mode, Money, Order, RemoteState, Unit
from generations.providers.xingchao import XingChao

from .contract import ProviderContract, answer, caught, load

DATA = load("xingchao")
XINGCHAO = XingChao()
ACCOUNT = Account("https://zcbservice.aizfw.cn/kyyReactApiServer", "sk-TESTKEY")
VIDEO = "https://cdn.example.com/video_1.mp4"
FRAMES = ("first_image", "last_image")
ORDER = Order(Mode.IMAGE, "viduq3-pro", "Sit.", "vf1.TOKEN", 6, "720p", images=("https://a.example/1.png",))


def result(status: str = "completed", **over: Any) -> dict[str, Any]:
    body = {"id": "video_1", "object": "Video", "model": "viduq3-pro", "status": status, "video_url": None}
    return {**body, "totalTokens": None, "error": None, **over}


class TestContract(ProviderContract):
    provider = XINGCHAO
    account = ACCOUNT
    data = DATA
    states = {"queued": "queued", "processing": "processing", "completed": "succeeded", "failed": "failed"}
    modes = (Mode.TEXT, Mode.IMAGE, Mode.START_END)
    fields = {"model", "prompt", "duration", "aspect_ratio", "resolution", *FRAMES}

    @staticmethod
    def order_of(body: Mapping[str, Any], path: str) -> Order:
        images = tuple(body[name] for name in FRAMES if name in body)
        return Order(
            mode=(Mode.TEXT, Mode.IMAGE, Mode.START_END)[len(images)],
            model=body["model"],
            prompt=body["prompt"],
            token="vf1.TOKEN",
            duration=body["duration"],
            resolution=body["resolution"],
            aspect_ratio=body.get("aspect_ratio"),
            images=images,
        )


def test_sound_and_seed_have_no_field() -> None:
    body = XINGCHAO.build_create(ACCOUNT, replace(ORDER, audio=True, seed=7, options={"bgm": True})).body
    assert body is not None
    assert set(body) == {"model", "prompt", "duration", "resolution", "first_image"}


def test_pictures_go_by_address() -> None:
    assert XINGCHAO.image_transport({"images": "inline"}) is ImageTransport.URL


def test_nobody_asks_more_often_than_the_vendor_wants() -> None:
    assert (XINGCHAO.poll_every, XINGCHAO.poll_floor) == (30, 30)


class TestSnapshot:
    @pytest.mark.parametrize(
        "body",
        [
            result(video_url=VIDEO),
            result(result_url=VIDEO),
            result(video_url=VIDEO, result_url="https://b.example/2.mp4"),
            {"code": 200, "data": result(result_url=VIDEO)},
            {"data": {"id": "video_1", "status": "completed", "result_url": VIDEO, "video_url": ""}},
        ],
    )
    def test_link_with_or_without_an_envelope(self, body: dict[str, Any]) -> None:
        snapshot = XINGCHAO.read_snapshot(answer(body))
        assert (snapshot.remote_id, snapshot.state) == ("video_1", RemoteState.SUCCEEDED)
        assert [each.url for each in snapshot.outputs] == [VIDEO]

    @pytest.mark.parametrize(
        ("told", "tokens"),
        [
            ({"totalTokens": 1500}, 1500),
            ({"totalTokens": "1500"}, 1500),
            ({"totalTokens": 2_500_000}, 2_500_000),
            ({"usage": {"total_tokens": "1500"}}, 1500),
            ({"totalTokens": 0, "usage": {"total_tokens": 9}}, 0),
            ({}, None),
            ({"usage": None}, None),
        ],
    )
    def test_tokens_as_number_or_text(self, told: dict[str, Any], tokens: int | None) -> None:
        snapshot = XINGCHAO.read_snapshot(answer(result(video_url=VIDEO, **told)))
        assert snapshot.charge == (None if tokens is None else Money(Decimal(tokens), Unit.TOKEN))
        assert snapshot.anomaly == ""

    @pytest.mark.parametrize("told", ["many", -5, True, 10**10, [], "NaN"])
    def test_odd_tokens_are_told_and_not_settled(self, told: object) -> None:
        snapshot = XINGCHAO.read_snapshot(answer(result(video_url=VIDEO, totalTokens=told)))
        assert snapshot.charge is None
        assert snapshot.anomaly.startswith("odd_charge: ")

    def test_tokens_on_the_way_are_no_charge(self) -> None:
        assert XINGCHAO.read_snapshot(answer(result("processing", totalTokens=1500))).charge is None

    @pytest.mark.parametrize("envelope", [None, [], {}, "x"])
    def test_data_without_a_task_is_no_envelope(self, envelope: object) -> None:
        assert XINGCHAO.read_snapshot(answer(result("queued", data=envelope))).remote_id == "video_1"

    @pytest.mark.parametrize(
        ("error", "cls", "text"),
        [
            ("Content policy violation", "content_policy", "Content policy violation"),
            ({"message": "The picture was rejected."}, "content_policy", "The picture was rejected."),
            ("内容违规", "content_policy", "内容违规"),
            ("余额不足", "account_credits", "余额不足"),
            ("Upstream timeout", "provider_unknown", "Upstream timeout"),
            ("", "provider_unknown", ""),
            (None, "provider_unknown", ""),
            ({"code": 5}, "provider_unknown", ""),
            (["x"], "provider_unknown", ""),
        ],
    )
    def test_reason_is_told_by_words_alone(self, error: object, cls: str, text: str) -> None:
        failure = XINGCHAO.read_snapshot(answer(result("failed", error=error))).failure
        assert failure is not None
        assert (failure.cls, failure.code, failure.text) == (cls, "", text)


def test_wrong_path_is_not_a_lost_task() -> None:
    body = {"message": "No handler found for GET /kyyReactApiServer/v1/results/1"}
    for read in (XINGCHAO.read_snapshot, XINGCHAO.read_test):
        assert caught(read, answer(body, 404)).failure.cls == "provider_permanent"


def test_key_is_tested_with_a_task_that_cannot_exist() -> None:
    call = XINGCHAO.build_test(ACCOUNT)
    assert call.url == ACCOUNT.base_url + "/v1/result/video_00000000-0000-0000-0000-000000000000"
