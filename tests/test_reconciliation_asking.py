"""Vendors without a list, balances, nights, and two people who press at once."""

import io
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from generations import attention, leases, ledger, reconciliation, totals
from generations.alert_words import alert_words
from generations.models import (
    Alert,
    Attempt,
    BalanceReading,
    Difference,
    EntryKind,
    Lease,
    ProviderKey,
    Reconciliation,
    Task,
    UsageEntry,
    User,
)
from generations.providers.base import Money, Unit
from generations.reconciliation import asking, balance, listing, wording
from tests.factories import make_key, make_task

pytestmark = pytest.mark.django_db
UNIALL = "https://api.uniall.ai"
NOW = timezone.now
HOUR = timedelta(hours=1)


@pytest.fixture
def uniall(db: None) -> ProviderKey:
    return make_key("Resold", provider="uniall", base_url=UNIALL, last_used_at=NOW())


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr(listing, "wait", made.append)
    return made


def paid(owner: User, key: ProviderKey, remote_id: str, amount: str | None = "55", **over: Any) -> Task:
    then = over.pop("then", NOW() - 2 * HOUR)
    fields = {"state": "succeeded", "submitted_at": then, "made_at": then, "finished_at": then, **over}
    task = make_task(owner, key=key, remote_id=remote_id, **fields)
    Attempt.objects.filter(task=task).update(sent_at=then)
    if amount is not None:
        Task.objects.filter(pk=task.pk).update(charge=Decimal(amount))
        ledger.settle(task, Money(Decimal(amount), Unit(task.unit)))
    task.refresh_from_db()
    totals.count(None, task)
    return task


def says(remote_id: str, credits: Any = 55, status: str = "SUCCESS", **over: Any) -> respx.Route:
    data = {"task_id": remote_id, "status": status, "result_url": f"{UNIALL}/{remote_id}.mp4", **over}
    if status == "SUCCESS":
        data["data"] = {"credits": credits}
    answer = httpx.Response(200, json={"code": "success", "data": data})
    return respx.get(f"{UNIALL}/v1/video/generations/{remote_id}").mock(return_value=answer)


def fails(remote_id: str, *answers: httpx.Response) -> respx.Route:
    queue = list(answers)
    route = respx.get(f"{UNIALL}/v1/video/generations/{remote_id}")
    return route.mock(side_effect=lambda _: queue.pop(0) if len(queue) > 1 else queue[0])


def missing() -> httpx.Response:
    return httpx.Response(404, json={"code": "task_not_exist", "message": "task does not exist", "data": None})


def reconcile(key: ProviderKey, **over: Any) -> Reconciliation:
    to_at = over.get("to_at", NOW())
    run = reconciliation.request(key, over.get("from_at", to_at - timedelta(days=7)), to_at)
    assert reconciliation.run(run.pk)
    run.refresh_from_db()
    return run


# --- One by one ----------------------------------------------------------------------------------------------------


@respx.mock
def test_each_task_is_asked_about_and_compared(alice: User, uniall: ProviderKey) -> None:
    for remote_id, booked in (("a", "55"), ("b", "55")):
        paid(alice, uniall, remote_id, booked)
    says("a")
    says("b", 60)
    run = reconcile(uniall)
    assert (run.lists, run.state, run.listed, run.same, run.pages) == (False, "complete", 2, 1, 0)
    difference = Difference.objects.get()
    assert (difference.kind, difference.ours, difference.theirs, difference.remote_id) == ("amount", 55, 60, "b")


@respx.mock
def test_a_charge_that_the_vendor_tells_now_is_booked(alice: User, uniall: ProviderKey) -> None:
    task = paid(alice, uniall, "a", None)
    says("a", 40)
    run = reconcile(uniall)
    task.refresh_from_db()
    assert (task.charge, run.confirmed, run.unconfirmed, run.is_explained) == (40, 1, 0, True)


@respx.mock
def test_a_vendor_that_says_nothing_leaves_it_not_confirmed(alice: User, uniall: ProviderKey) -> None:
    paid(alice, uniall, "a", None, state="failed")
    says("a", status="FAILURE", fail_reason="broken", result_url="")
    run = reconcile(uniall)
    assert (run.unconfirmed, run.is_explained) == (1, True)
    assert Task.objects.get().charge is None
    assert not UsageEntry.objects.exists()


@respx.mock
def test_what_is_known_no_more_is_counted(alice: User, uniall: ProviderKey) -> None:
    paid(alice, uniall, "old", then=NOW() - timedelta(days=3))
    fails("old", missing())
    run = reconcile(uniall)
    assert (run.forgotten, run.is_explained) == (1, True)


@respx.mock
def test_what_a_vendor_forgot_is_not_explained_to_the_last_amount(alice: User, uniall: ProviderKey) -> None:
    for remote_id in ("a", "b"):
        paid(alice, uniall, remote_id, then=NOW() - timedelta(days=3))
        fails(remote_id, missing())
    run = reconcile(uniall)
    assert (run.forgotten, run.is_explained) == (2, True)
    said, tone = wording.verdict(run)
    assert "what was booked for 2 clips cannot be checked any more" in said
    assert ("last amount" in said, tone) == (False, "ok")


@respx.mock
def test_without_a_list_only_what_was_sent_from_here_is_explained(alice: User, uniall: ProviderKey) -> None:
    paid(alice, uniall, "a")
    says("a")
    run = reconcile(uniall)
    assert wording.verdict(run) == (
        "Explained to the last amount of what was sent from here: both books say the same of it.", "ok",
    )  # fmt: skip
    assert wording.short(run, 0) == ("Explained, of what was sent from here", "ok")


@respx.mock
def test_what_was_paid_today_and_is_unknown_is_a_difference(alice: User, uniall: ProviderKey) -> None:
    paid(alice, uniall, "new")
    paid(alice, uniall, "free", "0", state="failed")
    fails("new", missing())
    fails("free", missing())
    run = reconcile(uniall)
    assert run.forgotten == 2
    assert (Difference.objects.get().kind, Difference.objects.get().remote_id) == ("ours", "new")


@respx.mock
def test_silence_is_tried_once_more_and_explains_nothing(alice: User, uniall: ProviderKey) -> None:
    paid(alice, uniall, "a")
    paid(alice, uniall, "b")
    fails("a", httpx.Response(500), httpx.Response(500))
    says("b")
    run = reconcile(uniall)
    assert (run.state, run.error, run.unread, run.same, run.is_explained) == ("incomplete", "unread", 1, 1, False)


@respx.mock
def test_the_pause_that_a_vendor_asks_for_is_kept(alice: User, uniall: ProviderKey, waits: list[float]) -> None:
    paid(alice, uniall, "a")
    fails("a", httpx.Response(429, headers={"Retry-After": "7"}, json={"error": {"code": "rate_limit_exceeded"}}))
    run = reconcile(uniall)
    assert 7 in waits
    assert run.state == "incomplete"


@respx.mock
def test_a_floor_between_two_looks_is_kept(alice: User, waits: list[float]) -> None:
    key = make_key("Slow", provider="xingchao", base_url="https://xingchao.example")
    task = paid(alice, key, "a", "0.5", unit="token", state="failed")
    Task.objects.update(last_polled_at=NOW())
    route = respx.get("https://xingchao.example/v1/result/a")
    route.mock(return_value=httpx.Response(200, json={"id": "a", "status": "failed", "totalTokens": 0.5}))
    run = reconcile(key)
    assert not route.called
    assert any(25 < pause <= 30 for pause in waits)
    assert (run.state, run.unread) == ("incomplete", 1), "nobody waited, so nobody may say that it is explained"
    Task.objects.filter(pk=task.pk).update(last_polled_at=None)


@respx.mock
def test_a_few_hundred_at_most_and_the_longest_unasked_first(
    alice: User, uniall: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_ASKED", 2)
    for name in "abc":
        paid(alice, uniall, name)
        says(name)
    first, second = reconcile(uniall), reconcile(uniall)
    asked = [call.request.url.path.rpartition("/")[2] for call in respx.calls]
    assert (first.state, first.unread, len(asked)) == ("incomplete", 1, 4)
    assert set(asked) == {"a", "b", "c"}, "by and by all of them"
    assert second.unread == 1


@respx.mock
def test_a_late_success_is_taken_in(alice: User, uniall: ProviderKey) -> None:
    task = paid(alice, uniall, "a", None, state="failed", failure_code="given_up")
    says("a")
    assert reconcile(uniall).is_explained
    task.refresh_from_db()
    assert (task.state, task.charge) == ("archiving", 55)


# --- Balances ------------------------------------------------------------------------------------------------------


def reading(key: ProviderKey, at: datetime, left: int) -> None:
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    BalanceReading.objects.create(key=key, hour=hour, at=at, balance=left)


def booked(key: ProviderKey, amount: int, at: datetime) -> UsageEntry:
    return ledger.external(key, f"x{amount}-{at:%H%M%S}", Decimal(amount), at, model="viduq3-turbo", note="")


START = NOW().replace(minute=30, second=0, microsecond=0) - timedelta(days=1)


def compare_balance(key: ProviderKey, to_at: datetime | None = None) -> Reconciliation:
    """The part about the balance alone."""
    run = reconciliation.request(key, START - HOUR, to_at or NOW())
    balance.compare(run)
    run.refresh_from_db()
    return run


def test_a_balance_that_falls_by_what_we_booked(key: ProviderKey) -> None:
    for hours, left in ((0, 1000), (1, 950), (2, 950), (3, 900)):
        reading(key, START + hours * HOUR, left)
    booked(key, 50, START + timedelta(minutes=40))
    booked(key, 50, START + timedelta(minutes=150))
    assert compare_balance(key).balance_gap == 0
    assert not Difference.objects.exists()
    steps = balance.steps(key, START, NOW())
    assert [(step.fell, step.booked, step.gap) for step in steps] == [(50, 50, 0), (0, 0, 0), (50, 50, 0)]


def test_a_gap_is_one_difference_until_it_is_booked(key: ProviderKey, admin: User) -> None:
    reading(key, START, 1000)
    reading(key, START + HOUR, 700)
    booked(key, 100, START + timedelta(minutes=5))
    for _ in range(2):
        assert compare_balance(key).balance_gap == 200
    difference = Difference.objects.get()
    assert (difference.kind, difference.ours, difference.theirs) == ("balance", 100, 300)
    entry = reconciliation.settle(difference, "book", admin, "the console shows a fee")
    assert entry is not None
    assert (entry.kind, entry.amount, entry.note) == ("adjust", 200, "the console shows a fee")
    assert compare_balance(key).balance_gap is None, "a new span begins behind it"
    assert not Difference.objects.filter(state="open").exists()


@pytest.mark.parametrize("how", ["book", "keep"])
def test_the_next_gap_begins_at_the_reading_judged_last(key: ProviderKey, admin: User, how: str) -> None:
    reading(key, START, 1000)
    reading(key, START + HOUR, 700)
    compare_balance(key)
    reconciliation.settle(Difference.objects.get(), how, admin, "a fee")
    reading(key, START + 2 * HOUR, 400)  # before the press, and as much again
    reading(key, NOW() + timedelta(seconds=1), 400)  # after the row of the press, which is no part of it
    run = compare_balance(key, NOW() + HOUR)
    assert run.balance_gap == 300
    difference = Difference.objects.get(state="open")
    assert (difference.ours, difference.theirs) == (0, 300)


def test_a_gap_that_was_booked_in_part_meanwhile_is_booked_by_the_rest(key: ProviderKey, admin: User) -> None:
    reading(key, START, 1000)
    reading(key, START + HOUR, 700)
    compare_balance(key)
    booked(key, 100, START + timedelta(minutes=5))
    entry = reconciliation.settle(Difference.objects.get(), "book", admin, "a fee")
    assert entry is not None
    assert entry.amount == 200


def test_a_gap_that_turned_round_meanwhile_is_not_booked(key: ProviderKey, admin: User) -> None:
    reading(key, START, 1000)
    reading(key, START + HOUR, 700)
    compare_balance(key)
    booked(key, 400, START + timedelta(minutes=5))
    with pytest.raises(reconciliation.Cannot, match="changed"):
        reconciliation.settle(Difference.objects.get(), "book", admin, "a fee")


def test_a_gap_is_not_forgotten_when_its_week_is_over(key: ProviderKey) -> None:
    reading(key, START, 1000)
    reading(key, START + HOUR, 700)
    compare_balance(key)
    later = reconciliation.request(key, START + 5 * HOUR, NOW())
    reading(key, START + 6 * HOUR, 700)
    balance.compare(later)
    assert (Difference.objects.get().state, Difference.objects.get().run) == ("open", later)


def test_a_run_that_saw_a_gap_stays_unexplained_while_later_runs_find_it_again(key: ProviderKey) -> None:
    """Found again it ends at a later reading, behind the window of the first run."""
    reading(key, START, 1000)
    reading(key, START + HOUR, 700)
    first = compare_balance(key, START + 90 * timedelta(minutes=1))
    Reconciliation.objects.filter(pk=first.pk).update(state="complete", found=1, ended_at=NOW())
    reading(key, START + 2 * HOUR, 700)
    later = compare_balance(key)
    assert Difference.objects.get().run == later
    first.refresh_from_db()
    assert not first.is_explained
    assert wording.verdict(first) == ("1 difference is open.", "warn")
    Difference.objects.update(kind="theirs")
    assert not first.is_explained, "not even where nobody can say that it is the same"
    assert "may be open still" in wording.verdict(first)[0]
    shown = Reconciliation.objects.with_open().get(pk=first.pk)
    assert shown.still_open == 1  # type: ignore[attr-defined]
    Difference.objects.update(state="settled")
    assert first.is_explained
    shown = Reconciliation.objects.with_open().get(pk=first.pk)
    assert shown.still_open == 0  # type: ignore[attr-defined]


def test_a_gap_that_strangers_explain_is_gone(key: ProviderKey) -> None:
    reading(key, START, 1000)
    reading(key, START + HOUR, 700)
    compare_balance(key)
    booked(key, 300, START + timedelta(minutes=5))
    compare_balance(key)
    assert Difference.objects.get().state == "gone"


def test_what_is_under_way_is_no_gap(key: ProviderKey, alice: User) -> None:
    reading(key, START, 1000)
    reading(key, START + HOUR, 940)
    make_task(alice, key=key, state="processing", submitted_at=START + timedelta(minutes=50), quote=Decimal(60))
    compare_balance(key)
    assert not Difference.objects.exists()
    reading(key, START + 2 * HOUR, 800)
    compare_balance(key)
    assert Difference.objects.get().theirs == 200


def test_what_was_bought_is_growth(key: ProviderKey, admin: User) -> None:
    now = NOW()
    reading(key, now - 3 * HOUR, 100)
    ledger.top_up(key, Decimal(500), "order 7", admin)
    reading(key, NOW() + timedelta(seconds=1), 600)
    run = reconciliation.request(key, now - 4 * HOUR, NOW() + HOUR)
    balance.compare(run)
    run.refresh_from_db()
    assert run.balance_gap == 0
    assert not Difference.objects.exists()


def test_growth_that_nobody_recorded_is_recorded_as_bought(key: ProviderKey, admin: User) -> None:
    reading(key, START, 100)
    reading(key, START + HOUR, 600)
    assert compare_balance(key).balance_gap == -500
    entry = reconciliation.settle(Difference.objects.get(), "top-up", admin, "order 7")
    assert entry is not None
    assert (entry.kind, entry.amount) == ("top-up", 500)


def test_keys_of_one_account_share_its_balance(key: ProviderKey) -> None:
    other = make_key("Other", "sandbox-not-a-real-key-0002", base_url=key.base_url)
    for each in (key, other):
        reading(each, START, 1000)
        reading(each, START + HOUR, 700)
    booked(key, 100, START + timedelta(minutes=5))
    booked(other, 200, START + timedelta(minutes=6))
    assert compare_balance(key).balance_gap == 0
    assert not Difference.objects.exists()


def test_a_gap_of_an_account_is_booked_once_whoever_of_its_keys_tells(key: ProviderKey, admin: User) -> None:
    other = make_key("Other", "sandbox-not-a-real-key-0002", base_url=key.base_url)
    for each, spent in ((key, 200), (other, 300)):
        reading(each, START, 1000)
        reading(each, START + HOUR, 400)
        booked(each, spent, START + timedelta(minutes=5))
    for each in (key, other):
        assert compare_balance(each).balance_gap == 100, "what the other key spent is no gap"
    first, second = Difference.objects.order_by("pk")
    assert (first.ours, first.theirs) == (500, 600)
    entry = reconciliation.settle(first, "book", admin, "a fee")
    assert entry is not None
    assert entry.amount == 100
    assert reconciliation.settle(second, "book", admin, "a fee") is None
    assert UsageEntry.objects.filter(kind="adjust").count() == 1


def test_what_another_account_spent_explains_nothing_here(key: ProviderKey) -> None:
    other = make_key("Other", "sandbox-not-a-real-key-0002", base_url=key.base_url)
    for each, begin in ((key, 10_000), (other, 5_000)):
        reading(each, START, begin)
        reading(each, START + 10 * HOUR, begin - 600)
    booked(other, 600, START + 5 * HOUR)
    assert compare_balance(key).balance_gap == 600
    assert Difference.objects.get().theirs == 600
    assert compare_balance(other).balance_gap == 0


def test_two_accounts_that_begin_alike_part_when_money_flows(key: ProviderKey) -> None:
    other = make_key("Other", "sandbox-not-a-real-key-0002", base_url=key.base_url)
    for hours in range(5):
        reading(key, START + hours * HOUR, 1000 if hours < 4 else 400)
        reading(other, START + hours * HOUR + timedelta(minutes=3), 1000 - 150 * hours)
        if hours:
            booked(other, 150, START + hours * HOUR)
    assert compare_balance(key).balance_gap == 600
    assert Difference.objects.get().kind == "balance"


def test_keys_of_one_account_that_are_read_at_other_minutes_while_money_flows(key: ProviderKey, alice: User) -> None:
    """One bought in the midst of it, and a clip that failed had been taken and was given back."""
    other = make_key("Other", "sandbox-not-a-real-key-0002", base_url=key.base_url)
    flow = (30, 70, 40, 90)
    left = 1000
    reading(key, START, left)
    for hours, amount in enumerate(flow):
        at = START + hours * HOUR
        booked(key if hours % 2 else other, amount, at + timedelta(minutes=10))
        left -= amount
        reading(other, at + timedelta(minutes=20), left)
        reading(key, at + HOUR, left - (60 if hours == 1 else 0))  # while the clip ran that failed
    ran = START + 2 * HOUR
    make_task(
        alice, key=other, state="failed", charge=Decimal(0), quote=Decimal(60),
        submitted_at=ran - timedelta(minutes=4), finished_at=ran + timedelta(minutes=4),
    )  # fmt: skip
    assert (compare_balance(key).balance_gap, Difference.objects.count()) == (0, 0)


def test_a_key_that_was_rotated_away_and_is_not_read_any_more_is_of_the_account(key: ProviderKey) -> None:
    old = make_key("Until today", "sandbox-not-a-real-key-0002", base_url=key.base_url, state="draining")
    reading(old, START - timedelta(minutes=20), 1000)
    reading(key, START, 1000)
    booked(old, 200, START + 3 * HOUR)  # its clips ended hours after the new one had taken its place
    reading(key, START + 5 * HOUR, 800)
    assert (compare_balance(key).balance_gap, Difference.objects.count()) == (0, 0)


def test_a_gap_that_was_left_is_told_while_the_window_has_it(key: ProviderKey, admin: User) -> None:
    reading(key, START, 1000)
    reading(key, START + HOUR, 700)
    compare_balance(key)
    with pytest.raises(reconciliation.Cannot, match="reason"):
        reconciliation.settle(Difference.objects.get(), "keep", admin)
    reconciliation.settle(Difference.objects.get(), "keep", admin, "the vendor looks into it")
    Reconciliation.objects.all().update(state="complete")
    run = compare_balance(key)
    Reconciliation.objects.filter(pk=run.pk).update(state="complete", ended_at=NOW(), lists=True)
    run.refresh_from_db()
    assert run.is_explained
    assert wording.verdict(run)[0] == "Explained; 1 difference was left as it is (300 credits)."
    later = reconciliation.request(key, START + 2 * HOUR, NOW())
    balance.compare(later)
    assert not later.left_as_it_is.exists()


def test_an_amount_on_the_edge_of_an_hour_counts_once(key: ProviderKey) -> None:
    edge = START.replace(minute=0) + HOUR
    for at, left in ((edge - HOUR, 1000), (edge, 900), (edge + HOUR, 900)):
        reading(key, at, left)
    booked(key, 100, edge)
    assert [step.gap for step in balance.steps(key, START - HOUR, NOW())] == [0, 0]


# --- Nights --------------------------------------------------------------------------------------------------------


@pytest.fixture
def at_four(settings: Any, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Four in the morning of the books, tomorrow: all keys were added before."""
    settings.TIME_ZONE = "Asia/Shanghai"
    moment = totals.starts_at(totals.today() + timedelta(days=1)) + timedelta(hours=4)
    monkeypatch.setattr(timezone, "now", lambda: moment)
    return moment


def test_each_night_every_key_that_was_used_is_compared_once(uniall: ProviderKey, at_four: datetime) -> None:
    make_key("Idle", "sandbox-not-a-real-key-0003", provider="uniall", base_url=UNIALL)
    listing_key = make_key("Idle too, with a list", "sandbox-not-a-real-key-0004")
    make_key("Put away", "sandbox-not-a-real-key-0005", state="disabled")
    make_key("Refused", "sandbox-not-a-real-key-0006", problem="auth", last_used_at=at_four)
    ProviderKey.objects.update(created_at=at_four - timedelta(days=9))
    assert reconciliation.nightly() == 2
    runs = Reconciliation.objects.all()
    assert {run.key for run in runs} == {uniall, listing_key}
    assert {(run.to_at, run.to_at - run.from_at) for run in runs} == {
        (at_four - timedelta(minutes=15), timedelta(days=7))
    }
    Lease.objects.all().delete()
    runs.update(created_at=at_four)
    assert reconciliation.nightly() == 0, "once a night"
    assert len([job for job in OrmQ.objects.all() if str(job.func()).endswith("reconcile")]) >= 2


@respx.mock
def test_a_run_of_a_command_is_not_the_nights(uniall: ProviderKey, at_four: datetime) -> None:
    ProviderKey.objects.update(created_at=at_four - timedelta(days=9), last_used_at=at_four)
    command("--from", str(totals.today()))
    assert Reconciliation.objects.count() == 1
    Reconciliation.objects.update(created_at=at_four)
    assert reconciliation.nightly() == 1
    assert sorted(Reconciliation.objects.values_list("nightly", flat=True)) == [False, True]


def test_what_a_key_that_was_put_away_did_this_week_is_compared(
    alice: User, uniall: ProviderKey, at_four: datetime
) -> None:
    paid(alice, uniall, "a", then=at_four - 9 * HOUR)
    ProviderKey.objects.update(created_at=at_four - timedelta(days=9), last_used_at=None, state="disabled")
    assert reconciliation.nightly() == 1


@respx.mock
def test_a_night_without_a_comparison_is_told(alice: User, uniall: ProviderKey) -> None:
    paid(alice, uniall, "a")
    fails("a", httpx.Response(500))
    asked, by_night = (
        reconciliation.request(uniall, NOW() - timedelta(days=1), NOW(), nightly=nightly) for nightly in (False, True)
    )
    reconciliation.run(asked.pk)
    assert (Alert.objects.count(), [*attention.not_compared()]) == (0, []), "whoever asked is looking at it"
    reconciliation.run(by_night.pk)
    again = reconciliation.request(uniall, NOW() - timedelta(days=1), NOW(), nightly=True)
    reconciliation.run(again.pk)
    alert = Alert.objects.get()
    subject, body = alert_words(alert)
    assert (alert.kind, alert.key, subject) == ("not-compared", uniall, "Key Resold was not compared")
    assert "Some of the vendor's answers could not be read." in body
    (line,) = attention.not_compared()
    assert (line.text, line.detail) == ("1 key was not compared with its vendor last night", "Resold")
    says("a")
    reconciliation.run(reconciliation.request(uniall, NOW() - timedelta(days=1), NOW(), nightly=True).pk)
    assert not [*attention.not_compared()]


def test_before_three_nothing_begins(uniall: ProviderKey, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    moment = totals.starts_at(totals.today() + timedelta(days=1)) + timedelta(hours=2, minutes=59)
    monkeypatch.setattr(timezone, "now", lambda: moment)
    assert reconciliation.nightly() == 0


def test_a_run_that_found_no_place_is_woken(uniall: ProviderKey) -> None:
    run = reconciliation.request(uniall, NOW() - timedelta(days=1), NOW())
    for number in range(2):
        leases.seize(f"reconcile-place-{number}", "somebody", 60)
    assert not reconciliation.in_worker(run.pk)
    OrmQ.objects.all().delete()
    reconciliation.nightly()
    assert not OrmQ.objects.exists(), "while the places are taken nothing is woken"
    Lease.objects.all().delete()
    reconciliation.nightly()
    assert [job.args() for job in OrmQ.objects.all()] == [(run.pk,)]
    assert reconciliation.in_worker(run.pk)
    run.refresh_from_db()
    assert run.state == "complete"


# --- The command ---------------------------------------------------------------------------------------------------


def command(*arguments: str) -> tuple[int, str]:
    said = io.StringIO()
    try:
        call_command("reconcile", *arguments, stdout=said)
    except SystemExit as end:
        return int(end.code or 0), said.getvalue()
    return 0, said.getvalue()


@respx.mock
def test_the_command_says_what_is_left(alice: User, uniall: ProviderKey) -> None:
    task = paid(alice, uniall, "a")
    says("a")
    assert command("--key", "Resold")[0] == 0
    says("a", 60)
    code, said = command()
    assert code == 1
    assert f"Amount differs: a (task {task.pk}): Booked here: 55 credits. The vendor says 60 credits." in said
    assert "0 of 1 keys explained" in said
    old = str(totals.today() - timedelta(days=9))
    assert command("--key", "Resold", "--from", old, "--to", old)[0] == 0, "nothing was made on that day"


@respx.mock
def test_the_command_compares_what_was_used_whatever_became_of_it(alice: User, uniall: ProviderKey) -> None:
    paid(alice, uniall, "a")
    says("a", 60)
    make_key("Idle", "sandbox-not-a-real-key-0003", provider="uniall", base_url=UNIALL)
    make_key("Put away", "sandbox-not-a-real-key-0005", state="disabled")
    ProviderKey.objects.filter(pk=uniall.pk).update(state="disabled", last_used_at=None)
    code, said = command()
    assert code == 1
    assert "Amount differs: a" in said
    assert "Put away (Vidu): not compared: it is disabled and was not used in this time" in said
    assert "Idle (UniAll): not compared: its vendor has no list, and it was not used in this time" in said
    assert "0 of 1 keys explained" in said
    Attempt.objects.update(sent_at=NOW() - timedelta(days=30))
    assert command()[1].splitlines()[-1].endswith("1 differences of another time are open"), "it is not left out"


def test_nothing_compared_is_no_success(uniall: ProviderKey) -> None:
    ProviderKey.objects.update(last_used_at=None)
    code, said = command()
    assert (code, "Nothing was compared" in said, "explained" in said) == (1, True, False)


@respx.mock
def test_the_command_says_how_far_it_is_explained(alice: User, admin: User, uniall: ProviderKey) -> None:
    paid(alice, uniall, "a")
    says("a")
    said = command()[1].splitlines()[-1]
    assert said.startswith("1 of 1 keys explained to the last amount; of 1 only what was sent from here")
    says("a", 60)
    command()
    reconciliation.settle(Difference.objects.get(), "keep", admin, "agreed by mail")
    code, said = command()
    assert code == 0
    assert "Explained; 1 difference was left as it is (5 credits)." in said
    assert "1 differences were left as they are" in said.splitlines()[-1]
    assert "last amount" not in said


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("--key", "Nobody's"), "key:"),
        (("--from", "yesterday"), "from:"),
        (("--to", "2026-13-01"), "to:"),
        (("--to", "x" * 10), "to:"),
        (("--from", "9999-12-31"), "from:"),
        (("--from", "2026-02-02", "--to", "2026-02-01"), "from:"),
    ],
)
def test_bad_words_are_refused(
    uniall: ProviderKey, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], field: str
) -> None:
    assert command(*arguments)[0] == 2
    assert field in capsys.readouterr().err
    assert not Reconciliation.objects.exists()


@respx.mock
def test_days_of_the_command_are_those_of_the_books(uniall: ProviderKey, settings: Any) -> None:
    settings.TIME_ZONE = "America/St_Johns"
    assert command("--from", "2026-03-08", "--to", "2026-03-08")[0] == 0
    run = Reconciliation.objects.get()
    assert run.to_at - run.from_at == timedelta(hours=23), "the day on which the clocks go forward"


# --- Two at once ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_two_people_settle_the_same_difference_at_once(alice: User, admin: User, uniall: ProviderKey) -> None:
    task = paid(alice, uniall, "a")
    run = reconciliation.request(uniall, NOW() - timedelta(days=1), NOW())
    difference = Difference.objects.create(
        run=run, key=uniall, kind="amount", task=task, remote_id="a", ours=55, theirs=70, unit="credit"
    )
    start = threading.Barrier(4)
    entries = []

    def press() -> None:
        start.wait()
        try:
            entries.append(reconciliation.settle(difference, "book", admin))
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entries) == 4
    assert len([each for each in entries if each]) == 1
    assert ledger.booked(task) == 70
    assert UsageEntry.objects.filter(kind=EntryKind.ADJUST).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_people_accept_all_at_once(admin: User, key: ProviderKey) -> None:
    run = reconciliation.request(key, NOW() - timedelta(days=1), NOW())
    for number in range(30):
        Difference.objects.create(
            run=run,
            key=key,
            kind="theirs",
            remote_id=str(number),
            theirs=5,
            unit="credit",
            facts={"state": "succeeded"},
        )
    start = threading.Barrier(3)
    booked_now = []

    def press() -> None:
        start.wait()
        try:
            booked_now.append(reconciliation.accept_all(run, admin)[0])
        finally:
            connection.close()

    threads = [threading.Thread(target=press) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(booked_now) == 30
    assert UsageEntry.objects.filter(kind=EntryKind.EXTERNAL).count() == 30
    assert not totals.check(repair=False)
