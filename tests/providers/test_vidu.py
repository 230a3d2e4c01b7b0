from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from generations.providers import PROVIDERS, get, wire
from generations.providers.base import (
    MODES,
    Account,
    Answer,
    AnswerLost,
    CallKind,
    FailureClass,
    Mode,
    Money,
    Order,
    Refused,
    RemoteState,
    Snapshot,
    Unit,
)
from generations.providers.vidu import Vidu
from generations.providers.vidu_fields import FIELDS
from generations.providers.vidu_words import REASONS, STATES

from . import contract
from .contract import ProviderContract, answer, answer_of, caught, load, order_from, utc

DATA = load("vidu")
VIDU = Vidu()
ACCOUNT = Account("https://api.vidu.com", "vda_TESTKEY")
EXTRAS = {"bgm", "movement_amplitude", "style", "subjects"}
VIDEO = "https://s3.example/video.mp4?X-Amz-Date=20260710T120500Z&X-Amz-Expires=86400"
ORDER = Order(Mode.TEXT, "viduq3-turbo", "A paper boat", "vf1.TOKEN", 5, "720p", "16:9", audio=False)

test_what_never_left = contract.test_what_never_left_is_safe_to_send_again
test_what_may_have_arrived = contract.test_what_may_have_arrived_is_ambiguous_for_creates_only


def vector(name: str) -> dict[str, Any]:
    return next(each for each in DATA["vectors"] if each["id"] == name)


def task(**over: Any) -> dict[str, Any]:
    body = {"id": "915200000000000001", "state": "processing", "err_code": "", "credits": 55, "creations": []}
    return {**body, **over}


def done(**over: Any) -> dict[str, Any]:
    return task(**{"state": "success", "creations": [{"id": "1", "url": VIDEO, "cover_url": ""}], **over})


def seen(**over: Any) -> Snapshot:
    return VIDU.read_snapshot(answer(task(**over)))


def sent(**over: Any) -> Mapping[str, Any]:
    body = VIDU.build_create(ACCOUNT, replace(ORDER, **over)).body
    assert body is not None
    return body


class TestContract(ProviderContract):
    provider = VIDU
    account = ACCOUNT
    data = DATA
    left_out = {"off_peak": False}
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
        return order_from(Mode(path.rpartition("/")[2]), body, EXTRAS)


def test_registry() -> None:
    assert get("vidu") is PROVIDERS["vidu"]
    assert all(provider.slug == slug for slug, provider in PROVIDERS.items())
    with pytest.raises(KeyError):
        get("unknown")


class TestCreate:
    @pytest.mark.parametrize("mode", MODES)
    def test_each_mode_has_its_path(self, mode: Mode) -> None:
        call = VIDU.build_create(ACCOUNT, replace(ORDER, mode=mode))
        assert (call.method, call.url) == ("POST", f"https://api.vidu.com/ent/v2/{mode.value}")

    @pytest.mark.parametrize(
        ("mode", "refused"),
        [
            (Mode.TEXT, {"images", "is_rec", "audio_type", "voice_id", "subjects", "videos"}),
            (Mode.IMAGE, {"aspect_ratio", "style", "subjects", "videos"}),
            (Mode.START_END, {"aspect_ratio", "style", "audio_type", "voice_id", "subjects", "videos"}),
            (Mode.REFERENCE, {"style", "is_rec", "voice_id"}),
        ],
    )
    def test_what_a_mode_does_not_take_is_never_sent(self, mode: Mode, refused: set[str]) -> None:
        everything = dict.fromkeys({name for fields in FIELDS.values() for name in fields} | {"negative_prompt"}, "x")
        body = sent(mode=mode, images=("https://a.example/1.png",), options=everything, off_peak=True)
        assert refused.isdisjoint(body)
        assert set(body) <= FIELDS[mode]
        assert "negative_prompt" not in body

    @pytest.mark.parametrize("audio", [True, False])
    @pytest.mark.parametrize("mode", MODES)
    def test_audio_is_always_explicit_where_it_exists(self, mode: Mode, audio: bool) -> None:
        assert sent(mode=mode, audio=audio)["audio"] is audio

    def test_audio_is_left_out_where_it_does_not_exist(self) -> None:
        assert "audio" not in sent(audio=None, options={"audio": True})

    def test_zero_is_a_value(self) -> None:
        body = sent(mode=Mode.REFERENCE, duration=0, seed=0)
        assert (body["duration"], body["seed"]) == (0, 0)

    def test_empty_things_are_left_out(self) -> None:
        body = sent(mode=Mode.REFERENCE, prompt="", aspect_ratio=None, images=(), options={"style": "", "wm_url": None})
        assert set(body) == {"model", "duration", "resolution", "audio", "payload"}

    def test_switches_that_are_off_are_said(self) -> None:
        assert sent(options={"bgm": False, "watermark": False})["bgm"] is False

    def test_off_peak_is_sent_when_wanted(self) -> None:
        assert sent(off_peak=True)["off_peak"] is True
        assert "off_peak" not in sent(off_peak=False)

    @pytest.mark.parametrize("name", ["model", "payload", "callback_url", "audio", "off_peak", "prompt", "seed"])
    def test_options_cannot_replace_what_is_ours(self, name: str) -> None:
        assert sent(options={name: "theirs"}).get(name) != "theirs"

    @pytest.mark.parametrize(
        ("name", "value", "modes"),
        [
            ("is_rec", True, {Mode.IMAGE, Mode.START_END}),
            ("audio_type", "speech_only", {Mode.IMAGE, Mode.REFERENCE}),
            ("style", "anime", {Mode.TEXT}),
            ("bgm", True, set(MODES)),
            ("movement_amplitude", "large", set(MODES)),
            ("watermark", True, set(MODES)),
            ("wm_position", 1, set(MODES)),
            ("wm_url", "https://a.example/w.png", set(MODES)),
            ("meta_data", '{"Label": "1"}', set(MODES)),
        ],
    )
    def test_setting_travels_where_the_mode_takes_it(self, name: str, value: object, modes: set[Mode]) -> None:
        for mode in MODES:
            assert sent(mode=mode, audio=True, options={name: value}).get(name) == (value if mode in modes else None)

    @pytest.mark.parametrize("audio", [False, None])
    def test_kind_of_sound_needs_sound(self, audio: bool | None) -> None:
        assert "audio_type" not in sent(mode=Mode.IMAGE, audio=audio, options={"audio_type": "all"})

    def test_label_of_the_clip_is_sent_as_text(self) -> None:
        assert sent(options={"meta_data": {"Label": "1"}})["meta_data"] == '{"Label": "1"}'

    def test_two_frames_keep_their_order(self) -> None:
        assert sent(mode=Mode.START_END, images=("b", "a"))["images"] == ["b", "a"]


class TestReceipt:
    @pytest.mark.parametrize(
        ("credits", "quote"),
        [
            (55, 55), ("55", 55), ("55.0", 55), (55.0, 55), (55.5, Decimal("55.5")), (0, 0), (None, None),
            ("", None), ("many", None), (-1, None), (True, None), ([], None), (10**9, None), ("Infinity", None),
        ],
    )  # fmt: skip
    def test_quote(self, credits: object, quote: object) -> None:
        receipt = VIDU.read_receipt(answer({"task_id": "1", "state": "created", "credits": credits}))
        assert receipt.quote == (None if quote is None else Money(Decimal(str(quote)), Unit.CREDIT))

    def test_numeric_id_and_seed(self) -> None:
        receipt = VIDU.read_receipt(answer({"task_id": 915200000000000001, "seed": 2147483647}))
        assert (receipt.remote_id, receipt.seed) == ("915200000000000001", 2147483647)

    @pytest.mark.parametrize(
        ("word", "state"),
        [("created", "queued"), ("queueing", "queued"), ("processing", "processing"), ("failed", "queued"),
         ("success", "queued"), ("scheduled", "queued"), ("", "queued"), (None, "queued"), (7, "queued")],
    )  # fmt: skip
    def test_receipt_never_ends_a_task(self, word: object, state: str) -> None:
        assert VIDU.read_receipt(answer({"task_id": "1", "state": word})).state == state

    @pytest.mark.parametrize("remote_id", ["x" * 129, "a b", "../1", "1\n", "é", 1.5, {}, False])
    def test_an_id_that_cannot_be_kept_is_no_receipt(self, remote_id: object) -> None:
        assert isinstance(caught(VIDU.read_receipt, answer({"task_id": remote_id})), AnswerLost)

    def test_refusal_in_a_200_is_ambiguous(self) -> None:
        error = caught(VIDU.read_receipt, answer({"code": 400, "reason": "CreditInsufficient", "message": "none"}))
        assert isinstance(error, AnswerLost)
        assert (error.failure.cls, error.failure.code) == (FailureClass.AMBIGUOUS_SUBMIT, "CreditInsufficient")


class TestErrors:
    CLASSES = {
        "BadRequest FieldLacking FieldUnwanted FieldItemCountOutOfRange FieldInvalid PageSizeOutOfRange": "user_input",
        "ImageFormatInvalid ImageDownloadFailure ImageCheckBodyJointsFailed ImageCheckFaceFailed": "user_input",
        "ImageObjectsUndetected ImageSizeInvalid FaceDetectFailure FaceDetectNotPass": "user_input",
        "NoFaceDetected MultiFaceDetected": "user_input",
        "TaskPromptPolicyViolation AuditSubmitIllegal CreationPolicyViolation": "content_policy",
        "PhotoAuditNotPass AuditFailed": "content_policy",
        "CreditInsufficient": "account_credits",
        "OperationInProcess TooManyRequests SystemThrottling": "throttled",
        "ModelUnavailable": "provider_permanent",
        "Unauthorized Forbidden": "account_auth",
        "TaskNotFound CreationNotFound NotFound": "not_found",
        "QuotaExceeded": "account_limit",
        "Conflict Canceled InternalServiceFailure": "ambiguous_submit",
    }
    NAMES = [(name, cls) for names, cls in CLASSES.items() for name in names.split()]

    def test_every_name_has_a_class(self) -> None:
        assert {**dict(self.NAMES), "UserCancelled": "user_input"} == {**REASONS}

    @pytest.mark.parametrize(("name", "cls"), NAMES)
    @pytest.mark.parametrize("status", [400, 403, 429])
    def test_name_decides_over_status(self, status: int, name: str, cls: str) -> None:
        error = caught(VIDU.read_receipt, answer({"code": status, "reason": name}, status))
        assert (error.failure.cls, error.failure.code) == (cls, name)
        assert isinstance(error, AnswerLost) == (cls == "ambiguous_submit")

    @pytest.mark.parametrize(("name", "cls"), NAMES)
    def test_failed_task_has_the_same_names(self, name: str, cls: str) -> None:
        snapshot = seen(state="failed", err_code=name, credits=0)
        if name == "Canceled":
            assert (snapshot.state, snapshot.failure) == (RemoteState.CANCELLED, None)
        else:
            assert snapshot.failure is not None
            assert snapshot.failure.cls == ("provider_transient" if cls == "ambiguous_submit" else cls)
            assert snapshot.failure.code == name

    @pytest.mark.parametrize("status", [500, 503])
    @pytest.mark.parametrize("name", ["CreditInsufficient", "SystemThrottling", "NeverHeardOf"])
    def test_no_name_makes_a_5xx_safe_to_repeat(self, name: str, status: int) -> None:
        error = caught(VIDU.read_receipt, answer({"reason": name}, status))
        assert isinstance(error, AnswerLost)
        assert (error.failure.cls, error.failure.code) == (FailureClass.AMBIGUOUS_SUBMIT, name)

    @pytest.mark.parametrize(
        ("status", "cls"),
        [(400, "provider_unknown"), (401, "account_auth"), (403, "account_auth"), (404, "not_found"),
         (422, "provider_unknown"), (429, "throttled"), (418, "provider_unknown")],
    )  # fmt: skip
    def test_unknown_name_leaves_it_to_the_status(self, status: int, cls: str) -> None:
        failure = caught(VIDU.read_receipt, answer({"reason": "NeverHeardOf"}, status)).failure
        assert (failure.cls, failure.code) == (cls, "NeverHeardOf")

    @pytest.mark.parametrize(
        ("status", "cls"),
        [(400, "user_input"), (402, "account_credits"), (404, "not_found"), (405, "provider_permanent")],
    )
    def test_no_name_leaves_it_to_the_status(self, status: int, cls: str) -> None:
        failure = caught(VIDU.read_receipt, answer({"message": "no"}, status)).failure
        assert (failure.cls, failure.code, failure.text) == (cls, f"http_{status}", "no")

    @pytest.mark.parametrize(
        ("status", "cls"),
        [(400, "provider_unknown"), (401, "account_auth"), (403, "provider_unknown"), (404, "provider_permanent"),
         (413, "user_input"), (429, "throttled")],
    )  # fmt: skip
    def test_create_answered_by_something_in_between(self, status: int, cls: str) -> None:
        assert caught(VIDU.read_receipt, answer(b"<html>", status)).failure.cls == cls

    @pytest.mark.parametrize("odd", [None, [], "x", 5, {"trace_id": 7}, {"trace_id": None}])
    def test_odd_metadata_does_not_hide_the_reason(self, odd: object) -> None:
        failure = caught(VIDU.read_receipt, answer({"reason": "FieldInvalid", "metadata": odd}, 400)).failure
        assert failure.cls is FailureClass.USER_INPUT

    def test_reason_and_message_are_kept_within_bounds(self) -> None:
        failure = caught(
            VIDU.read_receipt, answer({"reason": "R" * 9000, "message": "m\x00\ud800" * 9000}, 400)
        ).failure
        assert len(failure.code) == 100
        assert len(failure.text) == 20_000
        assert "\x00" not in failure.text
        assert failure.text.encode()

    @pytest.mark.parametrize("reader", [VIDU.read_snapshot, VIDU.read_list, VIDU.read_test, VIDU.read_cancel])
    @pytest.mark.parametrize("name", ["Conflict", "Canceled", "InternalServiceFailure"])
    def test_on_reads_nothing_is_ambiguous(self, reader: Callable[[Answer], object], name: str) -> None:
        error = caught(reader, answer({"reason": name}, 409))
        assert isinstance(error, Refused)
        assert error.failure.cls is FailureClass.PROVIDER_TRANSIENT


class TestSnapshot:
    @pytest.mark.parametrize("word", ["scheduled", "Success", "FAILED", "cancelled", "completed", "完成"])
    def test_unknown_state_goes_on_and_is_told(self, word: str) -> None:
        snapshot = seen(state=word, err_code="UserCancelled", creations=[{"url": VIDEO}])
        assert (snapshot.state, snapshot.raw_state) == (RemoteState.PROCESSING, word)
        assert snapshot.anomaly == f"unknown_state: the vendor says {word!r}"
        assert (snapshot.charge, snapshot.failure, snapshot.outputs) == (None, None, ())

    @pytest.mark.parametrize("code", ["UserCancelled", "Canceled"])
    def test_cancelled(self, code: str) -> None:
        snapshot = seen(state="failed", err_code=code, credits=0)
        assert (snapshot.state, snapshot.raw_state, snapshot.failure) == (RemoteState.CANCELLED, "failed", None)
        assert snapshot.charge == Money(Decimal(0), Unit.CREDIT)

    @pytest.mark.parametrize("state", ["created", "queueing", "processing"])
    def test_credits_on_the_way_are_no_charge(self, state: str) -> None:
        assert seen(state=state, credits=55).charge is None
        assert seen(state=state, credits=-55).anomaly == ""

    @pytest.mark.parametrize("credits", [-1, "many", 10**12, True, {}, "NaN", 1e300])
    def test_absurd_charge_is_told_and_not_settled(self, credits: object) -> None:
        snapshot = VIDU.read_snapshot(answer(done(credits=credits)))
        assert snapshot.state is RemoteState.SUCCEEDED
        assert snapshot.charge is None
        assert snapshot.anomaly.startswith("odd_charge: ")

    def test_silence_about_the_charge_is_no_anomaly(self) -> None:
        snapshot = VIDU.read_snapshot(answer(done(credits=None)))
        assert (snapshot.charge, snapshot.anomaly) == (None, "")

    @pytest.mark.parametrize("credits", [55, "55", "55.0", 55.0])
    def test_charge_in_any_spelling(self, credits: object) -> None:
        charge = VIDU.read_snapshot(answer(done(credits=credits))).charge
        assert charge == Money(Decimal(55), Unit.CREDIT)
        assert str(charge.amount) == "55"

    def test_failed_without_a_word_on_the_reason(self) -> None:
        body = task(state="failed")
        del body["err_code"]
        snapshot = VIDU.read_snapshot(answer(body))
        assert snapshot.failure is not None
        assert snapshot.failure.cls is FailureClass.PROVIDER_UNKNOWN
        assert snapshot.complete

    def test_unknown_reason_keeps_its_name(self) -> None:
        failure = seen(state="failed", err_code="SunSpots").failure
        assert failure is not None
        assert (failure.cls, failure.code) == (FailureClass.PROVIDER_UNKNOWN, "SunSpots")

    @pytest.mark.parametrize("creations", [{"url": VIDEO}, [{"url": VIDEO}], [{"url": VIDEO, "id": 7, "video": None}]])
    def test_creations_as_list_or_lone_object(self, creations: object) -> None:
        (output,) = VIDU.read_snapshot(answer(done(creations=creations))).outputs
        assert (output.position, output.url) == (0, VIDEO)

    @pytest.mark.parametrize(
        "creations",
        [None, [], {}, "x", 7, [None], [{}], [{"url": ""}], [{"url": None}], [{"url": "ftp://x"}], [{"url": ["a"]}]],
    )
    def test_success_without_a_link_is_not_yet_success(self, creations: object) -> None:
        snapshot = VIDU.read_snapshot(answer(done(creations=creations)))
        assert (snapshot.state, snapshot.outputs, snapshot.charge) == (RemoteState.PROCESSING, (), None)
        assert snapshot.anomaly.startswith("success_without_output: ")

    def test_one_link_missing_is_told_and_positions_stay(self) -> None:
        snapshot = VIDU.read_snapshot(answer(done(creations=[{"id": "1", "url": ""}, {"id": "2", "url": VIDEO}])))
        assert snapshot.state is RemoteState.SUCCEEDED
        assert [(each.position, each.remote_id) for each in snapshot.outputs] == [(1, "2")]
        assert snapshot.anomaly == "output_without_link: 1 of the results came without a link"

    @pytest.mark.parametrize(
        ("progress", "percent"),
        [(0, 0), (47, 47), (100, 100), ("50%", 50), ("50", 50), (47.9, 47), (101, None), (-1, None), ("half", None),
         (None, None), (True, None), ([], None), (float("nan"), None)],
    )  # fmt: skip
    def test_progress(self, progress: object, percent: int | None) -> None:
        assert seen(progress=progress).progress == percent

    def test_watermarked_versions_follow_the_plain_ones(self) -> None:
        signed = VIDEO.replace("video.mp4", "marked.mp4")
        creations = [
            {"id": "1", "url": VIDEO, "cover_url": "https://s3.example/c.jpeg", "watermarked_url": signed},
            {"id": "2", "url": VIDEO + "&2", "watermarked_url": ""},
            {"id": "3", "url": VIDEO + "&3", "watermarked_url": signed + "&3"},
        ]
        snapshot = VIDU.read_snapshot(answer(done(creations=creations)))
        assert [(each.position, each.remote_id, each.watermarked) for each in snapshot.outputs] == [
            (0, "1", False), (1, "2", False), (2, "3", False), (3, "1", True), (5, "3", True),
        ]  # fmt: skip
        assert (snapshot.outputs[3].url, snapshot.outputs[3].cover_url) == (signed, "")
        assert snapshot.outputs[3].expires_at == utc("2026-07-11T12:05:00Z")
        assert snapshot.anomaly == ""

    @pytest.mark.parametrize("nothing", ["", None, 7, [], "ftp://x"])
    def test_no_watermark_was_ordered(self, nothing: object) -> None:
        creations = [{"id": "1", "url": VIDEO, "watermarked_url": nothing}]
        (output,) = VIDU.read_snapshot(answer(done(creations=creations))).outputs
        assert not output.watermarked

    def test_watermarked_alone_is_a_result_and_told(self) -> None:
        snapshot = VIDU.read_snapshot(answer(done(creations=[{"id": "1", "url": "", "watermarked_url": VIDEO}])))
        assert [(each.position, each.watermarked) for each in snapshot.outputs] == [(1, True)]
        assert snapshot.anomaly.startswith("output_without_link: ")

    def test_zeroed_figures_of_the_clip_are_no_failure(self) -> None:
        video = {"duration": 0, "fps": 0, "resolution": None}
        snapshot = VIDU.read_snapshot(answer(done(creations=[{"id": "1", "url": VIDEO, "video": video}])))
        assert (snapshot.state, snapshot.anomaly) == (RemoteState.SUCCEEDED, "")

    def test_payload_comes_back_as_it_was(self) -> None:
        assert seen(payload="vf1.01JC9Q6Z3V8M.5f2e").payload == "vf1.01JC9Q6Z3V8M.5f2e"
        assert seen(payload="").payload is None
        assert seen(payload={"a": 1}).payload is None
        assert seen().payload is None

    def test_without_state_or_id_nothing_is_said(self) -> None:
        for body in (task(state=""), task(state=None), task(state=["failed"]), task(id=""), task(id=None)):
            assert caught(VIDU.read_snapshot, answer(body)).failure.cls is FailureClass.PROVIDER_TRANSIENT

    def test_finished_task_in_an_error_answer_is_not_believed(self) -> None:
        assert isinstance(caught(VIDU.read_snapshot, answer(done(), 500)), Refused)


class TestList:
    FROM, TO = datetime(2026, 7, 10, 11, 58, tzinfo=UTC), datetime(2026, 7, 10, 12, 5, tzinfo=UTC)

    def query(self, account: Account = ACCOUNT, **over: Any) -> list[tuple[str, str]]:
        wanted = {"ids": (), "created_from": self.FROM, "created_to": self.TO, "page_token": "", **over}
        call = VIDU.build_list(account, **wanted)
        assert (call.kind, call.method, call.url) == (CallKind.LIST, "GET", "https://api.vidu.com/ent/v2/tasks")
        assert call.body is None
        return list(call.query)

    def test_query_as_documented(self) -> None:
        wanted = [tuple(pair) for pair in vector("vidu.list.page1")["request"]["query"]]
        assert self.query(states=tuple(RemoteState)) == wanted

    def test_all_states_unless_named(self) -> None:
        assert "states" not in dict(self.query())
        named = self.query(states=(RemoteState.QUEUED, RemoteState.PROCESSING))
        assert [value for key, value in named if key == "states"] == ["created", "queueing", "processing"]

    def test_ids_are_repeated(self) -> None:
        assert [value for key, value in self.query(ids=["1", "2", "3"]) if key == "task_ids"] == ["1", "2", "3"]

    def test_both_bounds_and_both_sizes_every_time(self) -> None:
        sizes = {"pager.pagesz": "100", "paper.pagesz": "100"}
        for over in ({}, {"ids": ["1"]}, {"page_token": "t"}):
            assert dict(self.query(**over)).items() >= {"created_at.from": "2026-07-10T11:58:00Z", **sizes}.items()
            assert "created_at.to" in dict(self.query(**over))

    def test_pages_by_token_never_by_number(self) -> None:
        assert dict(self.query(page_token="eyJwIjoxfQ=="))["pager.page_token"] == "eyJwIjoxfQ=="
        assert "pager.page_token" not in dict(self.query())
        assert not {"pager.page", "paper.page"} & set(dict(self.query(page_token="x")))

    def test_bounds_widen_to_whole_seconds_in_utc(self) -> None:
        part = timedelta(microseconds=300)
        query = dict(self.query(created_from=self.FROM + part, created_to=self.TO + part))
        assert query["created_at.from"] == "2026-07-10T11:58:00Z"
        assert query["created_at.to"] == "2026-07-10T12:05:01Z"

    def test_a_key_may_drop_a_spelling(self) -> None:
        account = replace(ACCOUNT, options={"list_page_size": "pager"})
        assert "paper.pagesz" not in dict(self.query(account))

    def test_page_is_read(self) -> None:
        page, expect = VIDU.read_list(answer_of(vector("vidu.list.page1"))), vector("vidu.list.page1")["expect"]
        assert len(page.rows) == expect["items"]
        assert [row.state for row in page.rows] == expect["states"]
        assert page.next_token == expect["next_page_token"]
        assert all(row.payload is None for row in page.rows)
        assert [row.charge for row in page.rows] == [None, Money(Decimal(40), Unit.CREDIT)]
        assert page.rows[1].outputs[0].expires_at == utc("2026-07-11T12:05:00Z")
        assert page.unread == 0

    def test_row_tells_whose_it_may_be(self) -> None:
        echo = VIDU.read_list(answer_of(vector("vidu.list.page1"))).rows[0].echo
        assert echo is not None
        assert (echo.kind, echo.model, echo.duration, echo.resolution) == ("text2video", "viduq3-turbo", 5, "720p")
        assert echo.prompt == "A paper boat crosses a puddle, slow push-in."
        assert (echo.aspect_ratio, echo.key_id) == ("16:9", "key_01")
        assert echo.created_at == utc("2026-07-10T12:00:00.968916Z")
        assert echo.quote == Money(Decimal(55), Unit.CREDIT)

    def test_printed_example_is_read(self) -> None:
        page = VIDU.read_list(answer(DATA["seed_list"]))
        assert (page.next_token, page.unread) == ("string", 0)
        assert [(row.remote_id, row.state) for row in page.rows] == [("string", RemoteState.QUEUED)]

    @pytest.mark.parametrize(
        "body", [{"next_page_token": ""}, {"next_page_token": "", "tasks": None}, {"tasks": []}, {"tasks": None}]
    )
    def test_empty(self, body: object) -> None:
        page = VIDU.read_list(answer(body))
        assert (page.rows, page.next_token, page.unread) == ((), "", 0)

    def test_failed_row_waits_for_the_reason(self) -> None:
        row = task(state="failed", credits=0)
        del row["err_code"]
        (snapshot,) = VIDU.read_list(answer({"tasks": [row]})).rows
        assert (snapshot.state, snapshot.complete) == (RemoteState.FAILED, False)

    def test_failed_row_with_a_reason_is_complete(self) -> None:
        (snapshot,) = VIDU.read_list(answer({"tasks": [task(state="failed", err_code="UserCancelled")]})).rows
        assert (snapshot.state, snapshot.complete) == (RemoteState.CANCELLED, True)

    def test_rows_that_name_no_task_are_counted(self) -> None:
        page = VIDU.read_list(answer({"tasks": [task(), None, "x", {}, {"id": ""}, task(id=7)]}))
        assert [row.remote_id for row in page.rows] == ["915200000000000001", "7"]
        assert page.unread == 4

    def test_row_without_a_state_goes_on(self) -> None:
        (row,) = VIDU.read_list(answer({"tasks": [{"id": "1"}]})).rows
        assert row.state is RemoteState.PROCESSING
        assert row.anomaly.startswith("unknown_state: ")

    @pytest.mark.parametrize("tasks", [{}, "x", 7, True])
    def test_tasks_of_another_shape_are_no_list(self, tasks: object) -> None:
        assert isinstance(caught(VIDU.read_list, answer({"next_page_token": "", "tasks": tasks})), Refused)


class TestCancel:
    @pytest.mark.parametrize("name", ["vidu.cancel.ok", "vidu.cancel.refused"])
    def test_request(self, name: str) -> None:
        wanted = vector(name)["request"]
        call = VIDU.build_cancel(ACCOUNT, wanted["body"]["id"])
        assert (call.kind, call.method, call.body) == (CallKind.CANCEL, wanted["method"], wanted["body"])
        assert (call.url, dict(call.headers)) == (ACCOUNT.base_url + wanted["path"], wanted["headers"])

    @pytest.mark.parametrize("content", [b"{}", b" {\n} ", b"null", b""])
    def test_accepted(self, content: bytes) -> None:
        assert VIDU.read_cancel(answer(content)) is None

    def test_too_late(self) -> None:
        failure = caught(VIDU.read_cancel, answer_of(vector("vidu.cancel.refused"))).failure
        assert (failure.code, failure.text) == ("BadRequest", "task state is scheduled, can not cancel")

    @pytest.mark.parametrize(
        ("content", "status"), [(b"<html>", 200), (b"{}", 500), (b"", 502), (b'{"reason":"x"}', 200)]
    )
    def test_anything_else_is_not_accepted(self, content: bytes, status: int) -> None:
        assert caught(VIDU.read_cancel, answer(content, status)).failure.cls is FailureClass.PROVIDER_TRANSIENT


class TestBalance:
    def test_request(self) -> None:
        call, wanted = VIDU.build_test(ACCOUNT), vector("vidu.credits")["request"]
        assert (call.method, call.url) == (wanted["method"], "https://api.vidu.com" + wanted["path"])
        assert call.query == tuple(map(tuple, wanted["query"]))
        assert dict(call.headers) == wanted["headers"]
        assert (call.kind, call.body) == (CallKind.BALANCE, None)

    def test_reading(self) -> None:
        balance, expect = VIDU.read_test(answer_of(vector("vidu.credits"))), vector("vidu.credits")["expect"]
        assert balance.remaining == Money(Decimal(expect["total_credits"]), Unit.CREDIT)
        assert (balance.concurrency_limit, balance.running) == (expect["concurrency_limit"], expect["in_flight"])
        assert balance.queued == 0

    @pytest.mark.parametrize("name", ["remains", "remaining_credits"])
    def test_either_spelling(self, name: str) -> None:
        balance = VIDU.read_test(answer({name: [{"credit_remain": "7.0"}, {"credit_remain": 3}]}))
        assert balance.remaining == Money(Decimal(10), Unit.CREDIT)

    def test_large_balances_are_not_absurd(self) -> None:
        balance = VIDU.read_test(answer({"remains": [{"credit_remain": 20_000_000}]}))
        assert balance.remaining == Money(Decimal(20_000_000), Unit.CREDIT)

    def test_part_that_cannot_be_read_leaves_the_sum_unknown(self) -> None:
        balance = VIDU.read_test(answer({"remains": [{"credit_remain": 5}, {"credit_remain": "soon"}]}))
        assert balance.remaining is None

    def test_new_account_has_nothing(self) -> None:
        assert VIDU.read_test(answer({"remains": []})).remaining == Money(Decimal(0), Unit.CREDIT)


class TestDeadline:
    def test_signed_link(self) -> None:
        assert wire.link_deadline(VIDEO) == utc("2026-07-11T12:05:00Z")

    @pytest.mark.parametrize(
        "url",
        [
            "", "x", "http://[", "https://a.example/v.mp4", "https://a.example/?X-Amz-Date=20260710T120500Z",
            "https://a.example/?X-Amz-Expires=60", "https://a.example/?X-Amz-Date=yesterday&X-Amz-Expires=60",
            "https://a.example/?X-Amz-Date=20260710T120500Z&X-Amz-Expires=soon",
            "https://a.example/?X-Amz-Date=20260710T120500Z&X-Amz-Expires=0",
            "https://a.example/?X-Amz-Date=20260710T120500Z&X-Amz-Expires=-60",
            "https://a.example/?X-Amz-Date=20260710T120500Z&X-Amz-Expires=604801",
            "https://a.example/?X-Amz-Date=99991231T235959Z&X-Amz-Expires=604800",
        ],
    )  # fmt: skip
    def test_links_that_do_not_say(self, url: str) -> None:
        assert wire.link_deadline(url) is None

    def test_escaped_and_reordered_query(self) -> None:
        url = "https://a.example/v?X-Amz-Expires=3600&X-Amz-Credential=E%2F1&X-Amz-Date=20260710T120500Z#t"
        assert wire.link_deadline(url) == utc("2026-07-10T13:05:00Z")


def test_states_are_the_documented_five() -> None:
    assert set(STATES) == {"created", "queueing", "processing", "success", "failed"}


@pytest.mark.parametrize(
    ("packages", "left"),
    [
        ([], None),
        ([{"credit_remain": 400, "valid_to": "2027-01-01T00:00:00Z"}], 400),
        ([{"credit_remain": 0, "valid_to": "2026-12-01T00:00:00Z"},
          {"credit_remain": "90", "valid_to": "2027-03-01T00:00:00+08:00"},
          {"credit_remain": 400, "valid_to": "2027-02-01T00:00:00Z"}], 400),
        ([{"credit_remain": 5, "valid_to": "soon"}, {"credit_remain": "x", "valid_to": "2027-01-01T00:00:00Z"}], None),
        ([7, None, {}], None),
        ("none", None),
        (None, None),
    ],
)  # fmt: skip
def test_the_package_that_ends_first_is_known(packages: object, left: int | None) -> None:
    balance = VIDU.read_test(answer({"remains": [{"credit_remain": 900}], "packages": packages}))
    assert (balance.ends and balance.ends.amount) == left
    assert balance.remaining is not None
    assert balance.remaining.amount == 900
