from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from generations.providers.base import (
    Account,
    AnswerLost,
    FailureClass,
    ImageTransport,
    Mode,
    Money,
    Order,
    RemoteState,
    Unit,
)
from generations.providers.vidu_fields import FIELDS
from generations.providers.vtrix import FORBIDDEN, Vtrix, padded

from .contract import ProviderContract, answer, caught, load, names, order_from

DATA = load("vtrix")
VTRIX = Vtrix()
ACCOUNT = Account("https://cloud.vtrix.ai", "TESTKEY")
EXTRAS = {"bgm", "watermark", "wm_position", "wm_url", "meta_data"}
MODES_BY_END = (
    ("_text2video", Mode.TEXT),
    ("_img2video", Mode.IMAGE),
    ("_start_end2video", Mode.START_END),
    ("_reference", Mode.REFERENCE),
)
VIDEO = "https://cdn.vtrix.example/v/1.mp4"
SAID = {"bgm": True, "watermark": True, "wm_position": 1, "wm_url": "https://a.example/w.png", "meta_data": "{}"}
ORDER = Order(Mode.TEXT, "viduq2_pro_fast_text2video", "A boat", "vf1.TOKEN", 5, "720p", "16:9")


def task(status: str, **over: Any) -> dict[str, Any]:
    return {"id": "d6k2", "status": status, "model": "viduq2_pro_fast_text2video", "created_at": 1783684800, **over}


def done(**over: Any) -> dict[str, Any]:
    return task("completed", **{"output": [{"content": [{"type": "video", "url": VIDEO, "jobId": "9"}]}], **over})


def params(**over: Any) -> Mapping[str, Any]:
    body = VTRIX.build_create(ACCOUNT, replace(ORDER, **over)).body
    assert body is not None
    assert set(body) == {"model", "input"}
    ((only,),) = (body["input"],)
    assert set(only) == {"params"}
    return only["params"]


class TestContract(ProviderContract):
    provider = VTRIX
    account = ACCOUNT
    data = DATA
    states = {"in_progress": "queued", "completed": "succeeded", "failed": "failed"}
    fields = {"input", "params", *(name for fields in FIELDS.values() for name in fields)} - {
        *("off_peak", "callback_url", "style", "movement_amplitude", "audio_type", "voice_id", "subjects", "videos")
    }

    @staticmethod
    def order_of(body: Mapping[str, Any], path: str) -> Order:
        mode = next(mode for end, mode in MODES_BY_END if body["model"].endswith(end))
        return order_from(mode, {"model": body["model"], **body["input"][0]["params"]}, EXTRAS)


class TestCreate:
    @pytest.mark.parametrize(
        ("model", "mode", "extras"),
        [
            ("viduq2_pro_fast_text2video", Mode.TEXT, set(SAID)),
            ("viduq2_pro_fast_img2video", Mode.IMAGE, {"bgm", "audio", "is_rec"}),
            ("viduq2_turbo_img2video", Mode.IMAGE, {"bgm", "audio"}),
            ("viduq3_turbo_text2video", Mode.TEXT, {"audio"}),
            ("viduq3_i2v_reference", Mode.REFERENCE, {"audio"}),
            ("viduq1_text2video", Mode.TEXT, {"bgm"}),
            ("vidu20_img2video", Mode.IMAGE, {"bgm"}),
        ],
    )
    def test_each_model_gets_what_its_page_names(self, model: str, mode: Mode, extras: set[str]) -> None:
        everything = {**SAID, "is_rec": True, "style": "anime", "movement_amplitude": "large", "voice_id": "v"}
        sent = params(model=model, mode=mode, audio=True, off_peak=True, options=everything, callback_url="https://c.d")
        known = {"prompt", "duration", "resolution", "seed", "aspect_ratio", "images", "payload"}
        assert set(sent) - known == extras

    def test_model_stands_outside_and_nowhere_else(self) -> None:
        assert list(names(VTRIX.build_create(ACCOUNT, ORDER).body)).count("model") == 1

    def test_token_travels_as_payload(self) -> None:
        assert params()["payload"] == "vf1.TOKEN"

    def test_pictures_travel_as_the_key_says(self) -> None:
        assert VTRIX.image_transport({}) is ImageTransport.INLINE
        assert VTRIX.image_transport({"images": "url"}) is ImageTransport.URL


class TestSnapshot:
    @pytest.mark.parametrize(
        ("progress", "state", "percent"),
        [
            (None, "queued", None),
            (0, "queued", 0),
            (0.0, "queued", 0),
            (0.004, "queued", 0),
            (0.01, "processing", 1),
            (0.29, "processing", 29),  # 28.999999999999996 with floats
            ("0.57", "processing", 57),
            (1, "processing", 100),
            (1.0, "processing", 100),
            (1.5, "queued", None),
            (42, "queued", None),
            (-0.1, "queued", None),
            (True, "queued", None),
            ("soon", "queued", None),
        ],
    )
    def test_progress_makes_the_difference(self, progress: object, state: str, percent: int | None) -> None:
        snapshot = VTRIX.read_snapshot(answer(task("in_progress", progress=progress)))
        assert (snapshot.state, snapshot.progress) == (state, percent)

    @pytest.mark.parametrize(
        ("cost", "amount"), [("0.3000", "0.3000"), ("0.1", "0.1"), ("2", "2"), (0.1, "0.1"), ("0", "0"), (None, None)]
    )
    def test_cost_is_decimal(self, cost: object, amount: str | None) -> None:
        snapshot = VTRIX.read_snapshot(answer(done(usage={"cost": cost, "discount": 0.5, "unit_price": "9"})))
        assert snapshot.charge == (None if amount is None else Money(Decimal(amount), Unit.USD))
        assert (str(snapshot.charge.amount) if snapshot.charge else None) == amount

    @pytest.mark.parametrize("cost", ["free", "-0.3", True, {}, "1e9", "$0.30"])
    def test_odd_cost_is_told_and_not_settled(self, cost: object) -> None:
        snapshot = VTRIX.read_snapshot(answer(done(usage={"cost": cost})))
        assert snapshot.state is RemoteState.SUCCEEDED
        assert snapshot.charge is None
        assert snapshot.anomaly.startswith("odd_charge: ")

    def test_cost_on_the_way_is_no_charge(self) -> None:
        assert VTRIX.read_snapshot(answer(task("in_progress", usage={"cost": "0.3"}))).charge is None

    def test_videos_alone_are_results(self) -> None:
        parts = [
            {"content": [{"type": "image", "url": "https://a.example/1.png"}, {"type": "video", "url": VIDEO}]},
            {"content": {"type": "video", "url": VIDEO + "?2", "jobId": 7}},
            {"content": None},
            None,
        ]
        snapshot = VTRIX.read_snapshot(answer(done(output=parts)))
        assert [(each.position, each.url, each.remote_id) for each in snapshot.outputs] == [
            (0, VIDEO, ""),
            (1, VIDEO + "?2", "7"),
        ]

    def test_video_without_a_link_is_told(self) -> None:
        content = [{"type": "video", "url": ""}, {"type": "video", "url": VIDEO}]
        snapshot = VTRIX.read_snapshot(answer(done(output=[{"content": content}])))
        assert [each.position for each in snapshot.outputs] == [1]
        assert snapshot.anomaly == "output_without_link: 1 of the results came without a link"

    def test_error_zero_on_success_is_none(self) -> None:
        snapshot = VTRIX.read_snapshot(answer(done(error={"code": 0, "error_message": ""})))
        assert (snapshot.state, snapshot.failure) == (RemoteState.SUCCEEDED, None)

    @pytest.mark.parametrize(
        ("error", "cls", "code", "text"),
        [
            ({"code": 8020099, "error_message": "Task creation error"}, "provider_unknown", "008020099", None),
            ({"code": "008020095", "message": "Generation error"}, "provider_unknown", "008020095", None),
            ({"code": 8020095, "message": "content policy"}, "content_policy", "008020095", "content policy"),
            ({"code": 8020097, "message": "insufficient balance"}, "account_credits", "008020097", None),
            ({"code": 0, "message": "it broke"}, "provider_unknown", "", "it broke"),
            ({"code": "0", "message": "it broke"}, "provider_unknown", "", "it broke"),
            ("The prompt was rejected", "content_policy", "", "The prompt was rejected"),
            ("", "provider_unknown", "", ""),
            (None, "provider_unknown", "", ""),
            ([], "provider_unknown", "", ""),
        ],
    )
    def test_reason(self, error: Any, cls: str, code: str, text: str | None) -> None:
        failure = VTRIX.read_snapshot(answer(task("failed", error=error))).failure
        assert failure is not None
        assert (failure.cls, failure.code) == (cls, code)
        assert text is None or failure.text == text


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "nine"),
        [("8020099", "008020099"), ("008020099", "008020099"), ("0", ""), ("000000000", ""), ("", ""),
         ("RATE_LIMIT_EXCEEDED", "RATE_LIMIT_EXCEEDED"), ("E100", "E100"), ("٣", "٣"), ("1234567890", "1234567890")],
    )  # fmt: skip
    def test_codes_have_nine_digits(self, code: str, nine: str) -> None:
        assert padded(code) == nine

    def test_number_in_an_error_answer(self) -> None:
        body = {"error": {"code": 8020097, "error_message": "HTTP error"}}
        assert caught(VTRIX.read_receipt, answer(body, 400)).failure.code == "008020097"
        assert isinstance(caught(VTRIX.read_receipt, answer(body, 500)), AnswerLost)

    @pytest.mark.parametrize("body", [{"message": "Forbidden"}, {"error": "no"}, {}])
    def test_403_is_balance_or_permission(self, body: dict[str, Any]) -> None:
        for read in (VTRIX.read_receipt, VTRIX.read_snapshot, VTRIX.read_test):
            failure = caught(read, answer(body, 403)).failure
            assert (failure.cls, failure.code) == (FailureClass.ACCOUNT_CREDITS, "http_403")
            assert failure.text == f"{body.get('message') or body.get('error') or ''} {FORBIDDEN}".strip()
        assert "balance" in FORBIDDEN
        assert "permission" in FORBIDDEN

    def test_403_of_a_firewall_says_nothing_of_the_account(self) -> None:
        assert caught(VTRIX.read_receipt, answer(b"<html>", 403)).failure.cls is FailureClass.PROVIDER_UNKNOWN


def test_key_is_tested_with_a_task_that_cannot_exist() -> None:
    assert VTRIX.build_test(ACCOUNT).url == "https://cloud.vtrix.ai/model/v1/generation/task/0"
