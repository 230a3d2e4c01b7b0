from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from generations.providers import wire
from generations.providers.base import MODES, Account, Answer, FailureClass, Mode, Money, Order, RemoteState, Unit
from generations.providers.dataeyes import FIELDS, DataEyes, Tier, tier

from .contract import ProviderContract, answer, caught, load, order_from, utc

DATA = load("dataeyes")
DATAEYES = DataEyes()
ACCOUNT = Account("https://cloud.dataeyes.ai", "sk-TESTKEY")
ORDER = Order(
    Mode.IMAGE, "viduq2-turbo-720p-5s", "She waves.", "vf1.TOKEN", 5, "720p", images=("https://a.example/1.png",)
)
PRINTED = next(each for each in DATA["vectors"] if each["id"] == "dataeyes.query.success_printed")


def sent(account: Account = ACCOUNT, **over: Any) -> Mapping[str, Any]:
    body = DATAEYES.build_create(account, replace(ORDER, **over)).body
    assert body is not None
    return body


class TestContract(ProviderContract):
    provider = DATAEYES
    account = ACCOUNT
    data = DATA
    state_key = "state"
    states = {
        "created": "queued",
        "queueing": "queued",
        "processing": "processing",
        "success": "succeeded",
        "failed": "failed",
    }
    fields = {name for fields in FIELDS.values() for name in fields}

    @staticmethod
    def order_of(body: Mapping[str, Any], path: str) -> Order:
        told = tier(body["model"])
        body = {"duration": told.duration, "resolution": told.resolution, **body}
        return order_from(Mode(path.rpartition("/")[2]), body, set())


class TestTier:
    @pytest.mark.parametrize(
        ("model", "told"),
        [
            ("viduq2-turbo-720p-5s", Tier("viduq2-turbo", "720p", 5)),
            ("viduq3-pro-1080p-16s", Tier("viduq3-pro", "1080p", 16)),
            ("vidu2.0-360p-4s", Tier("vidu2.0", "360p", 4)),
            ("viduq2-turbo-5s-720p", Tier("viduq2-turbo", "720p", 5)),
            ("viduq2_turbo_720P_5S", Tier("viduq2-turbo", "720p", 5)),
            ("viduq3-pro-2K-8s", Tier("viduq3-pro", "2k", 8)),
            ("viduq2-turbo-720p-5s-offpeak", Tier("viduq2-turbo-offpeak", "720p", 5)),
            ("viduq2-turbo-720p", Tier("viduq2-turbo", "720p")),
            ("viduq2-turbo-5s", Tier("viduq2-turbo", "", 5)),
            ("viduq2-turbo", Tier("viduq2-turbo")),
            ("viduq3s-pro720p-x5s", Tier("viduq3s-pro720p-x5s")),
            ("", Tier("")),
        ],
    )
    def test_parts(self, model: str, told: Tier) -> None:
        assert tier(model) == told

    def test_every_id_of_the_catalogue_is_taken_apart(self) -> None:
        for offer in DATAEYES.offers:
            for model, fixed in offer.wire_ids().items():
                assert tier(model) == Tier(offer.model, fixed["resolution"], fixed["duration"])


class TestCreate:
    @pytest.mark.parametrize(
        ("model", "said"),
        [
            ("viduq2-turbo-720p-5s", set()),
            ("viduq2-turbo-720p", {"duration"}),
            ("viduq2-turbo-5s", {"resolution"}),
            ("viduq2-turbo", {"duration", "resolution"}),
        ],
    )
    def test_what_the_id_tells_is_not_said_twice(self, model: str, said: set[str]) -> None:
        assert {"duration", "resolution"} & sent(model=model).keys() == said

    @pytest.mark.parametrize("mode", MODES)
    def test_each_mode_has_its_path_and_its_fields(self, mode: Mode) -> None:
        call = DATAEYES.build_create(ACCOUNT, replace(ORDER, mode=mode, options={"bgm": True, "is_rec": True}))
        assert call.url == f"https://cloud.dataeyes.ai/v2/{mode.value}"
        assert call.body is not None
        assert ("is_rec" in call.body) is (mode in (Mode.IMAGE, Mode.START_END))
        assert call.body["bgm"] is True

    @pytest.mark.parametrize(
        ("path", "wanted"),
        [
            ("/ent/v2/{mode}", "/ent/v2/img2video"),
            ("vidu/{mode}/create", "/vidu/img2video/create"),
            (" /v3/{mode} ", "/v3/img2video"),
            ("/v2/create", "/v2/img2video"),  # names no mode: not taken
            ("", "/v2/img2video"),
        ],
    )
    def test_path_of_the_key(self, path: str, wanted: str) -> None:
        account = replace(ACCOUNT, options={"create_path": path})
        assert DATAEYES.build_create(account, ORDER).url == "https://cloud.dataeyes.ai" + wanted

    def test_no_callback_is_registered(self) -> None:
        assert "callback_url" not in sent(callback_url="https://a.example/cb")


class TestQuery:
    MODEL = "viduq2-turbo-720p-5s"

    @pytest.mark.parametrize(
        ("how", "body", "query"),
        [
            ("body", {"model": MODEL}, ()),
            ("query", None, (("model", MODEL),)),
            ("none", None, ()),
            ("sideways", {"model": MODEL}, ()),
        ],
    )
    def test_the_model_travels_as_the_key_says(
        self, how: str, body: object, query: tuple[tuple[str, str], ...]
    ) -> None:
        call = DATAEYES.build_query(replace(ACCOUNT, options={"query_model": how}), "1", self.MODEL)
        assert (call.method, call.url) == ("GET", "https://cloud.dataeyes.ai/v2/tasks/1/creations")
        assert (call.body, call.query) == (body, query)

    @pytest.mark.parametrize("model", ["viduq2_turbo_720P_5S", "anything at all"])
    def test_the_model_is_the_very_text_of_the_create(self, model: str) -> None:
        assert DATAEYES.build_query(ACCOUNT, "1", model).body == {"model": model}
        assert sent(model=model)["model"] == model

    def test_unknown_model_is_not_named(self) -> None:
        call = DATAEYES.build_query(ACCOUNT, "1", "")
        assert (call.method, call.body, call.query) == ("GET", None, ())

    def test_printed_answer(self) -> None:
        snapshot = DATAEYES.read_snapshot(answer(PRINTED["response"]["body"]))
        (output,) = snapshot.outputs
        assert output.expires_at == utc("2025-12-09T11:50:13Z")  # 86400 s
        assert output.cover_expires_at == utc("2025-12-08T12:50:13Z")  # 3600 s
        assert snapshot.charge == Money(wire.amount(130) or 0, Unit.CREDIT)
        assert snapshot.payload is None

    @pytest.mark.parametrize("code", ["UserCancelled", "Canceled"])
    def test_cancelled_upstream(self, code: str) -> None:
        body = {**PRINTED["response"]["body"], "state": "failed", "err_code": code}
        assert DATAEYES.read_snapshot(answer(body)).state is RemoteState.CANCELLED


def test_vidus_own_errors_are_understood() -> None:
    body = {"code": 400, "reason": "CreditInsufficient", "message": "none left", "metadata": {"trace_id": "t1"}}
    failure = caught(DATAEYES.read_receipt, answer(body, 400)).failure
    assert (failure.cls, failure.code) == (FailureClass.ACCOUNT_CREDITS, "CreditInsufficient")
    assert (failure.text, failure.trace_id) == ("none left", "t1")


def test_key_is_tested_with_a_task_that_cannot_exist() -> None:
    call = DATAEYES.build_test(ACCOUNT)
    assert call.url == "https://cloud.dataeyes.ai/v2/tasks/0/creations"
    assert call.body == {"model": "viduq2-turbo-720p-5s"}
    gone = Answer(404, {}, b'{"code": 404, "reason": "TaskNotFound", "message": "task not found"}')
    assert DATAEYES.read_test(gone).remaining is None
