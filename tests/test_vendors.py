"""What differs between vendors, seen from the engine: pictures, ids, units, pace and cancelling."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import respx
from django.core import signing
from django.test import Client
from django.utils import timezone

from generations import budgets, dispatch, lifecycle, polling, sweep
from generations.forms import GenerateForm
from generations.lifecycle.copies import Kept
from generations.models import Asset, Attempt, PriceList, PriceRow, ProviderKey, Task, TaskState, UsageEntry, User
from generations.providers import PROVIDERS, catalog
from generations.providers.base import (
    Answer,
    AnswerLost,
    FailureClass,
    Mode,
    Money,
    Output,
    Refused,
    RemoteState,
    Snapshot,
    Unit,
)
from generations.stock import stock_of
from tests.factories import make_asset, make_budget, make_creation, make_key, make_task
from tests.test_lifecycle import press
from tests.views.pages import htmx, signed_in

pytestmark = pytest.mark.django_db
UNIALL = "http://127.0.0.1:9"
ACCEPTED = {"id": "task_vf1", "task_id": "task_vf1", "object": "video.generation.job", "status": "queued"}


@pytest.fixture
def uniall(db: None) -> ProviderKey:
    return make_key("UniAll", provider="uniall", base_url=UNIALL)


def sent_body(owner: User, key: ProviderKey, mode: Mode, images: list[Asset], **over: Any) -> dict[str, Any]:
    """What goes out for one press."""
    offer = catalog.get_offer(key.provider, "viduq3-pro", mode)
    assert offer is not None
    ratio = offer.default_aspect_ratio
    press(owner, key, offer=offer, images=images, aspect_ratio=ratio, audio=False, **over)
    attempt = dispatch.claim_next(key.pk)
    assert attempt is not None
    route = respx.post(f"{UNIALL}/v1/video/generations").respond(json=ACCEPTED)
    dispatch.submit(attempt.pk)
    body: dict[str, Any] = json.loads(route.calls.last.request.content)
    return body


class TestPicturesByAddress:
    @respx.mock
    def test_the_vendor_can_fetch_what_it_is_told(self, alice: User, uniall: ProviderKey, settings: Any) -> None:
        settings.LOCAL_URL = "http://127.0.0.1:8000"
        first, last = make_asset(alice), make_asset(alice, colour="#334455")
        body = sent_body(alice, uniall, Mode.START_END, [first, last])
        for url, asset in ((body["image"], first), (body["last_image"], last)):
            assert url.startswith("http://127.0.0.1:8000/media/inputs/")
            with asset.file.open("rb") as file:
                answer = Client().get(url.removeprefix("http://127.0.0.1:8000"))
                assert answer.getvalue() == file.read()  # type: ignore[attr-defined]

    @respx.mock
    @pytest.mark.parametrize(("off_peak", "hours", "status"), [(False, 5, 200), (False, 7, 404), (True, 49, 200)])
    def test_an_off_peak_task_may_fetch_for_two_days(
        self,
        alice: User,
        uniall: ProviderKey,
        settings: Any,
        monkeypatch: pytest.MonkeyPatch,
        off_peak: bool,
        hours: int,
        status: int,
    ) -> None:
        settings.LOCAL_URL = "http://127.0.0.1:8000"
        body = sent_body(alice, uniall, Mode.IMAGE, [make_asset(alice)], off_peak=off_peak)
        later = signing.time.time() + hours * 3600  # type: ignore[attr-defined]
        monkeypatch.setattr(signing.time, "time", lambda: later)  # type: ignore[attr-defined]
        assert Client().get(body["image"].removeprefix(settings.LOCAL_URL)).status_code == status

    def test_without_an_address_nothing_is_sent_and_it_says_why(self, alice: User, settings: Any) -> None:
        settings.VIDEOFORGE_PUBLIC_URL = ""
        far = make_key("Far", provider="uniall", base_url="https://api.uniall.ai")
        offer = catalog.get_offer("uniall", "viduq3-pro", Mode.IMAGE)
        [task] = press(alice, far, offer=offer, images=[make_asset(alice)], aspect_ratio="")
        attempt = dispatch.claim_next(far.pk)
        assert attempt is not None
        dispatch.submit(attempt.pk)
        task.refresh_from_db()
        assert (task.state, task.failure_code, task.charge) == (TaskState.FAILED, "no_public_address", 0)
        page = signed_in(alice).get(f"/tasks/{task.pk}/").content.decode()
        assert "could not be given the pictures" in page
        assert "Not charged" in page
        assert Attempt.objects.get().sent_at is None


class TestIds:
    @respx.mock
    def test_resolution_and_off_peak_are_in_the_id(self, alice: User, uniall: ProviderKey) -> None:
        body = sent_body(alice, uniall, Mode.TEXT, [], resolution="1080p", off_peak=True)
        assert body["model"] == "viduq3p-1080p-offpeak"
        assert "resolution" not in body
        assert Task.objects.get().wire_model == body["model"]


class TestUnits:
    def test_the_estimate_may_be_in_another_unit_than_the_charge(self, alice: User) -> None:
        key = make_key("Tokens", provider="xingchao")
        prices = PriceList.objects.create(provider="xingchao", name="xingchao-test", unit="cny")
        PriceRow.objects.create(price_list=prices, model="viduq3-pro", per_second=Decimal("0.123456"))
        offer = stock_of(key).get("viduq3-pro", Mode.TEXT)
        [task] = press(alice, key, offer=offer, audio=None)
        assert (task.estimate, task.estimate_unit, task.unit) == (Decimal("0.6173"), "cny", "token")
        assert task.price == Money(Decimal("0.6173"), Unit.CNY)
        Task.objects.update(state=TaskState.PROCESSING)
        done = Snapshot(
            "1",
            RemoteState.SUCCEEDED,
            "completed",
            charge=Money(Decimal(1500), Unit.TOKEN),
            outputs=(Output(0, "http://127.0.0.1:9/v.mp4"),),
        )
        task.refresh_from_db()
        assert lifecycle.observe(task, done)
        rows = [(each.kind, each.amount, each.unit) for each in UsageEntry.objects.order_by("pk")]
        assert rows == [
            ("reserve", Decimal("0.6173"), "cny"),
            ("settle", Decimal(1500), "token"),
            ("release", Decimal("-0.6173"), "cny"),
        ]

    def test_a_charge_in_a_unit_that_is_not_the_vendors_is_not_booked(self, alice: User) -> None:
        key = make_key("Dollars", provider="vtrix")
        task = make_task(alice, key=key, state="processing", unit="usd", estimate=None)
        odd = Snapshot(
            "1",
            RemoteState.SUCCEEDED,
            "completed",
            charge=Money(Decimal(3), Unit.CREDIT),
            outputs=(Output(0, "http://127.0.0.1:9/v.mp4"),),
        )
        lifecycle.observe(task, odd)
        assert task.charge is None
        assert not UsageEntry.objects.exists()


class TestPace:
    def test_a_vendors_floor_holds_from_the_first_look_on(self, alice: User) -> None:
        key = make_key("Slow", provider="xingchao")
        offer = catalog.get_offer("xingchao", "viduq3-pro", Mode.TEXT)
        [task] = press(alice, key, offer=offer, audio=None)
        attempt = dispatch.claim_next(key.pk)
        assert attempt is not None
        with respx.mock:
            respx.post(f"{UNIALL}/v1/vidu/videos").respond(json={"id": "video_1", "status": "queued", "error": None})
            dispatch.submit(attempt.pk)
        task.refresh_from_db()
        floor = timedelta(seconds=PROVIDERS["xingchao"].poll_floor)
        assert task.submitted_at is not None
        assert task.next_poll_at is not None
        assert task.next_poll_at - task.submitted_at >= floor

    def test_no_task_is_asked_for_before_its_time_to_keep_another_company(self, alice: User) -> None:
        key = make_key("Slow", provider="xingchao")
        now = timezone.now()
        due = make_task(alice, key=key, state="queued", remote_id="video_1", next_poll_at=now, unit="token")
        early = make_task(
            alice, key=key, state="queued", remote_id="video_2", next_poll_at=now + timedelta(seconds=10), unit="token"
        )
        with respx.mock:
            route = respx.get(url__startswith=UNIALL).respond(json={"id": "video_1", "status": "processing"})
            assert polling.poll_due() == 1
            assert [call.request.url.path for call in route.calls] == ["/v1/result/video_1"]
        due.refresh_from_db()
        early.refresh_from_db()
        assert (due.state, early.state) == (TaskState.PROCESSING, TaskState.QUEUED)
        assert due.next_poll_at is not None
        assert due.next_poll_at - now >= timedelta(seconds=30)


class TestCancel:
    @pytest.mark.parametrize("slug", [slug for slug, provider in PROVIDERS.items() if not provider.can_cancel])
    @pytest.mark.parametrize("state", ["queued", "processing"])
    def test_what_was_sent_cannot_be_called_back(self, alice: User, slug: str, state: str) -> None:
        key = make_key("No way back", provider=slug)
        task = make_task(alice, key=key, state=state, unit=PROVIDERS[slug].unit)
        html = signed_in(alice).post(f"/tasks/{task.pk}/cancel/", headers=htmx()).content.decode()
        assert "cannot cancel" in html
        assert "the charge may stand" in html
        task.refresh_from_db()
        assert task.state == state
        page = signed_in(alice).get(f"/tasks/{task.pk}/").content.decode()
        assert f"{PROVIDERS[slug].name} has no way to cancel" in page

    def test_what_waits_with_us_is_free_anywhere(self, alice: User) -> None:
        task = make_task(alice, key=make_key("Waiting", provider="vtrix"), unit="usd")
        html = signed_in(alice).post(f"/tasks/{task.pk}/cancel/", headers=htmx()).content.decode()
        assert "Nothing is charged" in html


class TestSilence:
    """Vendors that say little: no charge, no link, no list."""

    def test_a_hold_that_nobody_settled_counts_in_its_month_alone(
        self, alice: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = make_key("Budget", provider="vtrix")
        budget = make_budget(key, 5)
        prices = PriceList.objects.create(provider="vtrix", name="vtrix-test", unit="usd")
        PriceRow.objects.create(price_list=prices, model="viduq3-pro", per_second=Decimal(1))
        [task] = press(alice, key, offer=stock_of(key).get("viduq3-pro", Mode.TEXT))
        assert budgets.standing(budget).left == 0
        later = timezone.now() + timedelta(days=40)
        monkeypatch.setattr("django.utils.timezone.now", lambda: later)
        assert budgets.standing(budget).left == 0, "an open task will be paid for in this month"
        Task.objects.filter(pk=task.pk).update(state=TaskState.FAILED)
        assert budgets.standing(budget).left == 5

    def test_a_budget_in_another_unit_is_not_compared(self, alice: User) -> None:
        key = make_key("Budget", provider="vtrix")
        make_budget(key, 5)
        prices = PriceList.objects.create(provider="vtrix", name="vtrix-yuan", unit="cny")
        PriceRow.objects.create(price_list=prices, model="viduq3-pro", per_second=Decimal(100))
        asked = {"mode": "text2video", "model": "viduq3-pro", "prompt": "x", "key": str(key.pk)}
        assert not GenerateForm(asked, user=alice).errors

    def test_success_without_a_link_ends_after_a_day_with_the_charge_open(self, alice: User) -> None:
        task = make_task(alice, state="processing")
        odd = Snapshot("1", RemoteState.PROCESSING, "success", anomaly="success_without_output: no link")
        lifecycle.observe(task, odd)
        assert lifecycle.observe(task, odd) is False
        task.events.filter(kind="success_without_output").update(at=timezone.now() - timedelta(hours=25))
        assert lifecycle.observe(task, odd)
        assert (task.state, task.failure_class, task.charge) == (TaskState.FAILED, "provider_transient", None)
        assert task.events.filter(kind="success_without_output").count() == 1

    def test_a_lost_answer_is_not_looked_up_where_nothing_lists(self, alice: User) -> None:
        key = make_key("No list", provider="vtrix")
        task = make_task(alice, key=key, state="uncertain", unit="usd", failure_class="ambiguous_submit")
        Attempt.objects.update(state="unknown", next_look_at=timezone.now() - timedelta(hours=1))
        assert sweep.look_for_lost() == 0
        page = signed_in(alice).get(f"/tasks/{task.pk}/").content.decode()
        assert "Unclear whether it was taken" in page
        assert "An administrator decides" in page
        assert "this clip will be made" not in page

    def test_a_zero_that_stands_for_nothing_is_no_charge(self) -> None:
        body = {"id": "1", "state": "success", "credits": 0, "creations": [{"id": "2", "url": "https://a.example/v"}]}
        answer = Answer(200, {}, json.dumps(body).encode())
        assert PROVIDERS["dataeyes"].read_snapshot(answer).charge is None
        failed = Answer(200, {}, json.dumps(body | {"state": "failed"}).encode())
        assert PROVIDERS["dataeyes"].read_snapshot(failed).charge == Money(Decimal(0), Unit.CREDIT)


class TestRefusals:
    @pytest.mark.parametrize("slug", PROVIDERS)
    @pytest.mark.parametrize("status", [408, 409, 499])
    @pytest.mark.parametrize("text", ["request rejected by policy", "insufficient balance", "no available channel"])
    def test_no_text_makes_an_unclear_create_clear(self, slug: str, status: int, text: str) -> None:
        answer = Answer(status, {}, json.dumps({"error": {"message": text, "code": "rate_limit_exceeded"}}).encode())
        with pytest.raises(AnswerLost) as caught:
            PROVIDERS[slug].read_receipt(answer)
        assert caught.value.failure.cls is FailureClass.AMBIGUOUS_SUBMIT

    @pytest.mark.parametrize("slug", [slug for slug in PROVIDERS if slug != "vidu"])
    @pytest.mark.parametrize(("status", "cls"), [(401, "account_auth"), (429, "throttled"), (400, "content_policy")])
    def test_the_word_rejected_decides_only_where_the_status_does_not(self, slug: str, status: int, cls: str) -> None:
        answer = Answer(status, {}, json.dumps({"error": {"message": "Request rejected", "code": ""}}).encode())
        with pytest.raises(Refused) as caught:
            PROVIDERS[slug].read_receipt(answer)
        assert caught.value.failure.cls == cls


class TestWatermarked:
    def test_the_clip_is_ready_whatever_becomes_of_its_second_version(self, alice: User) -> None:
        task = make_task(alice, state="archiving")
        clip = make_creation(task, state="pending")
        marked = make_creation(task, state="pending", watermarked=True)
        copy = Kept("clips/a.mp4", "0" * 64, 1, "posters/a.jpg", "0" * 64, 16, 9, 1.0, 24.0, False)
        assert lifecycle.kept(clip, copy)
        task.refresh_from_db()
        assert task.state == TaskState.SUCCEEDED
        assert lifecycle.lost(marked, "gone")
        task.refresh_from_db()
        assert task.state == TaskState.SUCCEEDED

    def test_without_its_clip_a_second_version_saves_nothing(self, alice: User) -> None:
        task = make_task(alice, state="archiving")
        clip = make_creation(task, state="pending")
        make_creation(task, watermarked=True)
        lifecycle.lost(clip, "gone")
        task.refresh_from_db()
        assert task.state == TaskState.LOST
