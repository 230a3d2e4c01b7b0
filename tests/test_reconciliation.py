"""Our ledger beside the vendor's list: what each difference is, found once, and never called explained too early."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx
from django.utils import timezone
from django_q.models import OrmQ

from generations import alerts, leases, ledger, lifecycle, reconciliation, totals, transport
from generations.models import (
    Alert,
    Attempt,
    AttemptState,
    Creation,
    Difference,
    EntryKind,
    Lease,
    ProviderKey,
    Reconciliation,
    Task,
    TaskState,
    UsageEntry,
    User,
)
from generations.providers.base import Answer, Call, Money, Receipt, RemoteState, Snapshot, Unit
from generations.reconciliation import asking, balance, listing, wording
from tests.factories import make_key, make_task

pytestmark = pytest.mark.django_db
VIDU = "https://api.vidu.com"
LIST = f"{VIDU}/ent/v2/tasks"
NOW = timezone.now


@pytest.fixture
def vidu(db: None) -> ProviderKey:
    return make_key(base_url=VIDU)


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that a run would have made."""
    made: list[float] = []
    monkeypatch.setattr(listing, "wait", made.append)
    return made


def row(remote_id: str, **over: Any) -> dict[str, Any]:
    """A finished clip in the vendor's list."""
    at = over.pop("at", NOW() - timedelta(hours=2))
    creation = {"id": "1", "url": f"{VIDU}/{remote_id}.mp4?t={over.pop('link', 1)}", "cover_url": ""}
    said = {"state": "success", "credits": 55, "model": "viduq3-turbo", "prompt": "A paper boat crosses a puddle"}
    said |= {"type": "text2video", "duration": 5, "resolution": "720p", "aspect_ratio": "16:9", "key_id": "key_1"}
    made = [creation] if over.get("state", "success") == "success" else []
    return {"id": remote_id, "created_at": at.isoformat(), "creations": made, **said, **over}


def page(*rows: dict[str, Any], token: str = "") -> httpx.Response:
    return httpx.Response(200, json={"next_page_token": token, "tasks": list(rows)})


def listed(*answers: httpx.Response) -> respx.Route:
    """These pages, the last one again and again."""
    queue = list(answers)
    return respx.get(LIST).mock(side_effect=lambda request: queue.pop(0) if len(queue) > 1 else queue[0])


def ask(remote_id: str, answer: httpx.Response) -> respx.Route:
    return respx.get(f"{LIST}/{remote_id}/creations").mock(return_value=answer)


def gone() -> httpx.Response:
    return httpx.Response(404, json={"code": 404, "reason": "TaskNotFound", "message": "task not found"})


def told(remote_id: str, state: str = "success", **over: Any) -> httpx.Response:
    return httpx.Response(200, json={"err_code": "", "payload": "", **row(remote_id, state=state), **over})


def paid(owner: User, key: ProviderKey, remote_id: str, amount: str | None = "55", **over: Any) -> Task:
    """One of our clips, made two hours ago, and booked at this amount."""
    then = NOW() - timedelta(hours=2)
    fields = {"state": "succeeded", "submitted_at": then, "made_at": then, "finished_at": then, **over}
    task = make_task(owner, key=key, remote_id=remote_id, **fields)
    Attempt.objects.filter(task=task).update(sent_at=fields["submitted_at"])
    if amount is not None:
        Task.objects.filter(pk=task.pk).update(charge=Decimal(amount))
        ledger.settle(task, Money(Decimal(amount), Unit(task.unit)))
    task.refresh_from_db()
    totals.count(None, task)
    return task


def reconcile(key: ProviderKey, **over: Any) -> Reconciliation:
    now = NOW()
    run = reconciliation.request(key, over.get("from_at", now - timedelta(days=7)), over.get("to_at", now))
    assert reconciliation.run(run.pk)
    run.refresh_from_db()
    return run


def only() -> Difference:
    return Difference.objects.get()


def in_books(key: ProviderKey) -> Decimal:
    rows = UsageEntry.objects.filter(key=key, kind__in=ledger.SPENT)
    return sum((each.amount for each in rows), Decimal(0))


# --- Alike ---------------------------------------------------------------------------------------------------------


@respx.mock
def test_the_same_in_both_books_is_explained(alice: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "41")
    paid(alice, vidu, "42", "0", state="failed")
    listed(page(row("41"), row("42", state="failed", credits=0)))
    run = reconcile(vidu)
    assert (run.state, run.is_explained, run.listed, run.same, run.pages) == ("complete", True, 2, 2, 1)
    assert not Difference.objects.exists()
    vidu.refresh_from_db()
    assert vidu.vendor_key_id == "key_1", "the list says what the vendor calls this key"


@respx.mock
def test_both_bounds_and_both_spellings_go_along_on_every_page(vidu: ProviderKey) -> None:
    route = listed(page(row("1"), token="next"), page(row("2")))
    to_at = NOW() - timedelta(minutes=30)
    reconcile(vidu, from_at=to_at - timedelta(days=3), to_at=to_at)
    first, second = (call.request.url.params for call in route.calls)
    assert second["pager.page_token"] == "next"
    for name in ("created_at.from", "created_at.to", "pager.pagesz", "paper.pagesz"):
        assert first[name] == second[name], "the window does not move while it is read"
    assert datetime.fromisoformat(first["created_at.from"]) <= to_at - timedelta(days=3)
    assert datetime.fromisoformat(first["created_at.to"]) >= to_at


@respx.mock
def test_work_under_way_is_no_difference(alice: User, vidu: ProviderKey) -> None:
    make_task(alice, key=vidu, state="processing", remote_id="41", submitted_at=NOW())
    listed(page(row("41", state="processing", at=NOW())))
    run = reconcile(vidu)
    assert run.is_explained
    assert run.same == 1


@respx.mock
def test_rows_beyond_the_window_belong_to_another_run(vidu: ProviderKey) -> None:
    to_at = NOW() - timedelta(hours=1)
    outside = [row("1", at=to_at + timedelta(minutes=5)), row("2", at=to_at - timedelta(days=1, minutes=5))]
    listed(page(*outside, row("3", at=to_at)))
    run = reconcile(vidu, from_at=to_at - timedelta(days=1), to_at=to_at)
    assert [each.remote_id for each in Difference.objects.all()] == ["3"]
    assert run.listed == 1


# --- Amounts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("theirs", "kind"), [(70, EntryKind.ADJUST), (10, EntryKind.ADJUST), (0, EntryKind.REFUND)])
@respx.mock
def test_another_amount_is_booked_by_its_difference(
    alice: User, admin: User, vidu: ProviderKey, theirs: int, kind: EntryKind
) -> None:
    task = paid(alice, vidu, "41")
    listed(page(row("41", credits=theirs)))
    run = reconcile(vidu)
    difference = only()
    assert (difference.kind, difference.ours, difference.theirs) == ("amount", 55, theirs)
    assert (run.state, run.is_explained, run.found) == ("complete", False, 1)
    entry = reconciliation.settle(difference, "book", admin)
    assert entry is not None
    assert (entry.kind, entry.amount, entry.actor) == (kind, theirs - 55, admin)
    task.refresh_from_db()
    assert (task.charge, ledger.booked(task)) == (theirs, theirs)
    assert reconcile(vidu).is_explained
    assert not totals.check(repair=False)


@respx.mock
def test_found_again_it_is_the_same_row_and_found_alike_it_is_gone(alice: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "41")
    listed(page(row("41", credits=70)))
    first, second = reconcile(vidu), reconcile(vidu)
    assert only().run == second != first
    respx.reset()
    listed(page(row("41")))
    assert reconcile(vidu).is_explained
    assert only().state == "gone"


@respx.mock
def test_what_a_person_left_as_it_is_is_not_asked_again_unless_it_moves(
    alice: User, admin: User, vidu: ProviderKey
) -> None:
    paid(alice, vidu, "41")
    listed(page(row("41", credits=70)))
    reconcile(vidu)
    assert reconciliation.settle(only(), "keep", admin, "agreed by mail") is None
    assert reconcile(vidu).is_explained
    respx.reset()
    listed(page(row("41", credits=90)))
    assert not reconcile(vidu).is_explained
    assert sorted(each.state for each in Difference.objects.all()) == ["open", "settled"]


@respx.mock
def test_what_was_booked_and_differs_again_is_found_again(alice: User, admin: User, vidu: ProviderKey) -> None:
    """Equal figures after a row was booked prove that the books moved."""
    task = paid(alice, vidu, "41")
    for theirs in (60, 55, 60):
        respx.reset()
        listed(page(row("41", credits=theirs)))
        assert not reconcile(vidu).is_explained
        reconciliation.settle(Difference.objects.get(state="open"), "book", admin)
        assert ledger.booked(task) == theirs
        assert reconcile(vidu).is_explained
    task.refresh_from_db()
    lifecycle.correct_charge(task, Decimal(55), "the console says so", actor=admin)
    assert not reconcile(vidu).is_explained, "and when somebody corrects the charge back"


@respx.mock
def test_what_was_left_before_a_row_was_booked_is_asked_about_again(
    alice: User, admin: User, vidu: ProviderKey
) -> None:
    task = paid(alice, vidu, "41")
    for theirs, how in ((60, "keep"), (70, "book")):
        respx.reset()
        listed(page(row("41", credits=theirs)))
        reconcile(vidu)
        reconciliation.settle(Difference.objects.get(state="open"), how, admin, "said so")
    task.refresh_from_db()
    lifecycle.correct_charge(task, Decimal(55), "back", actor=admin)
    respx.reset()
    listed(page(row("41", credits=60)))
    assert not reconcile(vidu).is_explained


@respx.mock
def test_another_state_than_the_one_that_was_left_is_news(alice: User, admin: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "41", "0", state="failed")
    listed(page(row("41", state="processing", credits=None)))
    reconcile(vidu)
    reconciliation.settle(only(), "keep", admin, "their list is slow")
    assert reconcile(vidu).is_explained
    Task.objects.update(state="cancelled")
    assert not reconcile(vidu).is_explained


@respx.mock
def test_what_was_left_is_told_by_every_run_that_sees_it(alice: User, admin: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "41")
    paid(alice, vidu, "42", "0", state="failed")
    listed(page(row("41", credits=60), row("42", state="processing", credits=None)))
    first = reconcile(vidu)
    for each in Difference.objects.all():
        with pytest.raises(reconciliation.Cannot, match="reason"):
            reconciliation.settle(each, "keep", admin, " ")
        reconciliation.settle(each, "keep", admin, "agreed by mail")
    for run in (first, reconcile(vidu), reconcile(vidu)):
        assert run.is_explained
        assert wording.verdict(run) == ("Explained; 2 differences were left as they are (5 credits).", "ok")
        assert "2 differences were left as they are, with a reason." in wording.notes(run)
        (shown,) = wording.with_badges(Reconciliation.objects.with_open().filter(pk=run.pk))
        assert shown.badge == ("Explained, 2 left", "ok")  # type: ignore[attr-defined]
    respx.reset()
    listed(page(row("41"), row("42", state="failed", credits=0)))
    assert "both books say the same" in wording.verdict(reconcile(vidu))[0], "the vendor came round"


@pytest.mark.parametrize("credits", ["many", -55, 10**9, None, float("1e300"), [55], {"n": 1}, True, ""])
@respx.mock
def test_an_amount_that_cannot_be_read_is_never_explained(alice: User, vidu: ProviderKey, credits: Any) -> None:
    paid(alice, vidu, "41")
    listed(page(row("41", credits=credits)))
    run = reconcile(vidu)
    assert (run.is_explained, only().kind, only().theirs) == (False, "amount", None)
    assert in_books(vidu) == 55


@pytest.mark.parametrize("credits", ["55", "55.0", 55.0])
@respx.mock
def test_an_amount_may_be_text(alice: User, vidu: ProviderKey, credits: Any) -> None:
    paid(alice, vidu, "41")
    listed(page(row("41", credits=credits)))
    assert reconcile(vidu).is_explained


@respx.mock
def test_a_list_without_amounts_is_not_explained(alice: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "41")
    without = row("41")
    del without["credits"]
    listed(page(without))
    assert not reconcile(vidu).is_explained


@respx.mock
def test_a_charge_that_nobody_knew_is_settled(alice: User, vidu: ProviderKey) -> None:
    task = paid(alice, vidu, "41", None, state="failed", failure_class="not_found")
    ledger.reserve(task, Decimal(55))
    listed(page(row("41", state="failed", credits=20)))
    run = reconcile(vidu)
    task.refresh_from_db()
    assert (task.charge, in_books(vidu), ledger.holds(task)) == (20, 20, [])
    assert (run.confirmed, run.is_explained) == (1, True)
    assert not totals.check(repair=False)


# --- States --------------------------------------------------------------------------------------------------------


@respx.mock
def test_a_late_success_is_taken_in_copied_and_booked(alice: User, vidu: ProviderKey) -> None:
    task = paid(alice, vidu, "41", None, state="failed", failure_class="not_found", failure_code="given_up")
    listed(page(row("41")))
    run = reconcile(vidu)
    task.refresh_from_db()
    assert (task.state, task.charge, in_books(vidu)) == ("archiving", 55, 55)
    assert Creation.objects.get().source_url.startswith(VIDU)
    assert [job for job in queued() if job.endswith("archive")]
    assert (only().kind, only().state, only().facts["late"]) == ("state", "gone", True)
    assert run.is_explained


def queued() -> list[str]:
    return [str(each.func()) for each in OrmQ.objects.all()]


@respx.mock
def test_a_failure_that_we_missed_is_asked_for_its_reason(alice: User, vidu: ProviderKey) -> None:
    task = make_task(alice, key=vidu, state="processing", remote_id="41", submitted_at=NOW() - timedelta(hours=3))
    listed(page(row("41", state="failed", credits=0)))
    ask("41", told("41", "failed", err_code="CreationPolicyViolation", credits=0))
    run = reconcile(vidu)
    task.refresh_from_db()
    assert (task.state, task.failure_class, run.is_explained) == ("failed", "content_policy", True)


@respx.mock
def test_what_cannot_be_cleared_up_by_asking_stays_open(alice: User, admin: User, vidu: ProviderKey) -> None:
    make_task(alice, key=vidu, state="processing", remote_id="41", submitted_at=NOW() - timedelta(hours=3))
    listed(page(row("41", state="failed", credits=0)))
    ask("41", httpx.Response(500))
    assert not reconcile(vidu).is_explained
    assert (only().kind, only().state) == ("state", "open")
    reconciliation.settle(only(), "ask", admin)
    assert only().state == "open", "asking settles nothing by itself"
    assert Task.objects.get().next_poll_at is not None


@respx.mock
def test_a_clip_that_the_vendor_calls_failed(alice: User, admin: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "41")
    listed(page(row("41", state="failed", credits=0)))
    reconcile(vidu)
    assert (only().kind, only().theirs) == ("amount", 0), "what it costs comes first"
    reconciliation.settle(only(), "book", admin)
    run = reconcile(vidu)
    assert [each.kind for each in run.differences.filter(state="open")] == ["state"]


# --- Theirs, not ours ----------------------------------------------------------------------------------------------


@respx.mock
def test_tasks_made_elsewhere_are_one_alert_and_rows_at_the_vendors_time(admin: User, vidu: ProviderKey) -> None:
    at = NOW() - timedelta(days=3)
    listed(page(*(row(str(number), credits=50, at=at) for number in range(12))))
    run = reconcile(vidu)
    assert {(each.kind, each.state, each.theirs) for each in Difference.objects.all()} == {("theirs", "open", 50)}
    first = Difference.objects.first()
    assert first is not None
    assert first.facts["prompt_length"] == 29
    assert "A paper boat" not in str(first.facts), "what a stranger wrote is not kept"
    alert = Alert.objects.get(kind="external-use")
    assert (alert.facts["number"], Decimal(alert.facts["amount"])) == (12, 600)
    reconcile(vidu)
    assert Alert.objects.filter(kind="external-use").count() == 1, "found again is no news"
    assert reconciliation.accept_all(reconcile(vidu), admin) == (12, 600)
    entries = UsageEntry.objects.filter(kind="external")
    assert {(each.at, each.source, each.task, each.person) for each in entries} == {(at, "vendor", None, None)}
    assert not run.is_explained or reconcile(vidu).is_explained
    assert reconcile(vidu).is_explained
    assert not totals.check(repair=False)


@respx.mock
def test_accepting_twice_books_once(admin: User, vidu: ProviderKey) -> None:
    listed(page(row("1"), row("2")))
    run = reconcile(vidu)
    one = Difference.objects.get(remote_id="1")
    reconciliation.settle(one, "book", admin)
    reconciliation.settle(one, "book", admin)
    assert reconciliation.accept_all(run, admin) == (1, 55)
    assert reconciliation.accept_all(run, admin) == (0, 0)
    assert in_books(vidu) == 110


@respx.mock
def test_a_strangers_task_whose_price_changes_afterwards(admin: User, vidu: ProviderKey) -> None:
    listed(page(row("1")))
    reconciliation.accept_all(reconcile(vidu), admin)
    respx.reset()
    listed(page(row("1", credits=30)))
    assert not reconcile(vidu).is_explained
    difference = Difference.objects.get(state="open")
    assert (difference.kind, difference.ours, difference.theirs) == ("amount", 55, 30)
    reconciliation.settle(difference, "book", admin)
    assert in_books(vidu) == 30
    assert reconcile(vidu).is_explained


@respx.mock
def test_a_row_for_a_stranger_that_is_taken_back_is_found_again(admin: User, vidu: ProviderKey) -> None:
    listed(page(row("1", credits=50)))
    for number in range(3):
        assert not reconcile(vidu).is_explained, f"time {number}"
        entry = reconciliation.settle(Difference.objects.get(state="open"), "book", admin)
        assert entry is not None
        assert in_books(vidu) == 50
        assert reconcile(vidu).is_explained
        ledger.reverse(entry, "wrong", admin)


@respx.mock
def test_what_is_missing_is_counted_at_the_press(admin: User, vidu: ProviderKey) -> None:
    listed(page(row("1")))
    reconciliation.accept_all(reconcile(vidu), admin)
    respx.reset()
    listed(page(row("1", credits=80)))
    reconcile(vidu)
    ledger.reverse(UsageEntry.objects.get(), "wrong", admin)
    reconciliation.settle(Difference.objects.get(state="open"), "book", admin)
    assert in_books(vidu) == 80
    assert reconcile(vidu).is_explained


@respx.mock
def test_a_charge_is_not_corrected_while_the_clip_is_open(alice: User, admin: User, vidu: ProviderKey) -> None:
    task = paid(alice, vidu, "41")
    listed(page(row("41", credits=80)))
    reconcile(vidu)
    Task.objects.filter(pk=task.pk).update(state="archiving")
    with pytest.raises(reconciliation.Cannot, match="under way"):
        reconciliation.settle(only(), "book", admin)
    assert (only().state, in_books(vidu)) == ("open", 55)


@respx.mock
def test_nobody_settles_what_he_was_not_shown(alice: User, admin: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "41")
    listed(page(row("41", credits=80)))
    reconcile(vidu)
    shown = only().figures
    respx.reset()
    listed(page(row("41", credits=90)))
    reconcile(vidu)
    with pytest.raises(reconciliation.Cannot, match="changed"):
        reconciliation.settle(only(), "book", admin, shown=shown)
    assert (only().state, in_books(vidu)) == ("open", 55)
    reconciliation.settle(only(), "book", admin, shown=only().figures)
    assert in_books(vidu) == 90


@pytest.mark.parametrize("credits", [None, "many"])
@respx.mock
def test_a_failed_strangers_task_without_a_price_is_left_with_a_reason(
    admin: User, vidu: ProviderKey, credits: Any
) -> None:
    listed(page(row("1", state="failed", credits=credits)))
    assert not reconcile(vidu).is_explained
    with pytest.raises(reconciliation.Cannot, match="reason"):
        reconciliation.settle(only(), "keep", admin, "  ")
    assert reconciliation.settle(only(), "keep", admin, "failed, and nothing on the bill") is None
    assert (only().state, only().facts["reason"]) == ("settled", "failed, and nothing on the bill")
    assert reconcile(vidu).is_explained
    respx.reset()
    listed(page(row("1", state="failed", credits=55)))
    assert not reconcile(vidu).is_explained, "a price that comes later is news"


@respx.mock
def test_a_strangers_task_that_still_runs_is_named_and_not_booked(admin: User, vidu: ProviderKey) -> None:
    listed(page(row("1", state="processing")))
    run = reconcile(vidu)
    assert not run.is_explained
    assert reconciliation.accept_all(run, admin) == (0, 0)
    with pytest.raises(reconciliation.Cannot):
        reconciliation.settle(only(), "book", admin)
    respx.reset()
    listed(page(row("1")))
    assert reconciliation.accept_all(reconcile(vidu), admin) == (1, 55)


@respx.mock
def test_another_key_of_the_account_is_not_this_one(alice: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "41")
    listed(page(row("41"), row("42", key_id="key_2"), row("43", key_id="key_1"), row("44", key_id="")))
    run = reconcile(vidu)
    assert sorted(each.remote_id for each in Difference.objects.all()) == ["43", "44"]
    assert run.elsewhere == 1


@respx.mock
def test_a_key_that_never_made_anything_does_not_take_its_neighbours_for_strangers(vidu: ProviderKey) -> None:
    make_key("Other", "sandbox-not-a-real-key-0002", base_url=VIDU, vendor_key_id="key_2")
    listed(page(row("42", key_id="key_2"), row("43", key_id="key_9")))
    run = reconcile(vidu)
    assert (only().remote_id, run.elsewhere) == ("43", 1)


@respx.mock
def test_ten_thousand_strangers(admin: User, vidu: ProviderKey, django_assert_max_num_queries: Any) -> None:
    at = NOW() - timedelta(days=2)

    def answer(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("pager.page_token", "0"))
        rows = [row(f"{number}-{place}", credits=5, at=at + timedelta(seconds=number)) for place in range(100)]
        return page(*rows, token=str(number + 1) if number < 99 else "")

    respx.get(LIST).mock(side_effect=answer)
    with django_assert_max_num_queries(100 * 20 + 60):
        run = reconcile(vidu)
    assert (run.state, run.listed, run.found, run.pages) == ("complete", 10_000, 10_000, 100)
    assert Alert.objects.filter(kind="external-use").count() == 1
    with django_assert_max_num_queries(20 * 30):
        assert reconciliation.accept_all(run, admin) == (10_000, 50_000)
    assert in_books(vidu) == 50_000
    assert not totals.check(repair=False)


@respx.mock
def test_a_strangers_task_that_two_keys_list_is_booked_once(admin: User, vidu: ProviderKey) -> None:
    other = make_key("Second", "sandbox-not-a-real-key-0002", base_url=VIDU)
    listed(page(row("77", key_id=""), row("78", key_id="")))
    runs = [reconcile(key) for key in (vidu, other)]
    assert reconciliation.accept_all(runs[0], admin) == (2, 110)
    single = Difference.objects.get(key=other, remote_id="77")
    assert reconciliation.settle(single, "book", admin) == UsageEntry.objects.get(reference="77")
    assert reconciliation.accept_all(runs[1], admin) == (0, 0), "nothing was booked by this press"
    assert not Difference.objects.filter(state="open").exists()
    assert (in_books(vidu), in_books(other)) == (110, 0)
    assert reconcile(other).is_explained
    assert not totals.check(repair=False)


# --- A create of ours whose answer was lost ------------------------------------------------------------------------


def lose(owner: User, key: ProviderKey, **over: Any) -> Attempt:
    task = make_task(owner, key=key, state=TaskState.UNCERTAIN, submitted_at=NOW())
    ledger.reserve(task, Decimal(55))
    fields = {"state": AttemptState.UNKNOWN, "sent_at": NOW() - timedelta(hours=2), **over}
    Attempt.objects.filter(task=task).update(**fields)
    return Attempt.objects.select_related("task").get(task=task)


@respx.mock
def test_a_lost_create_is_ours_by_its_token_and_booked(alice: User, vidu: ProviderKey) -> None:
    attempt = lose(alice, vidu)
    listed(page(row("41"), row("42")))
    ask("41", told("41", payload="vf1.somebody"))
    ask("42", told("42", payload=attempt.token))
    run = reconcile(vidu)
    attempt.refresh_from_db()
    assert (attempt.state, attempt.remote_id, attempt.task.state) == ("accepted", "42", "archiving")
    assert in_books(vidu) == 55
    assert (only().kind, only().remote_id, run.lost) == ("theirs", "41", 0)


@respx.mock
def test_while_nobody_can_tell_it_is_neither_ours_nor_a_strangers(alice: User, vidu: ProviderKey) -> None:
    lose(alice, vidu)
    listed(page(row("42")))
    ask("42", httpx.Response(500))
    run = reconcile(vidu)
    assert (run.state, run.unread, run.lost, run.is_explained) == ("incomplete", 1, 1, False)
    assert not Difference.objects.exists()


@respx.mock
def test_a_lost_create_that_nobody_decided_is_not_explained(alice: User, vidu: ProviderKey) -> None:
    lose(alice, vidu)
    listed(page())
    run = reconcile(vidu)
    assert (run.state, run.lost, run.is_explained) == ("complete", 1, False)


def taken_in(attempt: Attempt) -> None:
    """The answer that was lost comes after all, and then the end of the clip."""
    assert lifecycle.accept(attempt, Receipt("42", RemoteState.QUEUED, None))
    charge = Money(Decimal(55), Unit.CREDIT)
    told = Snapshot(remote_id="42", state=RemoteState.FAILED, raw_state="failed", charge=charge)
    assert lifecycle.observe(Task.objects.get(), told)


@respx.mock
def test_what_was_booked_as_a_strangers_and_is_ours_is_counted_once(
    alice: User, admin: User, vidu: ProviderKey
) -> None:
    attempt = lose(alice, vidu)
    listed(page(row("42", prompt="rewritten by the vendor", state="failed")))
    assert reconciliation.accept_all(reconcile(vidu), admin) == (1, 55)
    taken_in(attempt)
    assert in_books(vidu) == 55
    taken_back = UsageEntry.objects.get(reverses__kind="external")
    assert (taken_back.amount, taken_back.actor, taken_back.note) == (-55, None, "made here after all")
    assert reconcile(vidu).is_explained
    assert not totals.check(repair=False)


@respx.mock
def test_a_strangers_row_beside_one_of_ours_is_taken_back(alice: User, vidu: ProviderKey) -> None:
    taken_in(lose(alice, vidu))
    ledger.external(vidu, "42", Decimal(55), NOW(), model="viduq3-turbo", note="booked while nobody knew")
    assert in_books(vidu) == 110
    listed(page(row("42", state="failed")))
    assert reconcile(vidu).is_explained
    assert in_books(vidu) == 55


# --- Ours, not theirs ----------------------------------------------------------------------------------------------


@respx.mock
def test_ours_that_no_complete_list_has(alice: User, admin: User, vidu: ProviderKey) -> None:
    task = paid(alice, vidu, "41")
    listed(page())
    ask("41", gone())
    assert not reconcile(vidu).is_explained
    assert (only().kind, only().ours, only().task) == ("ours", 55, task)
    entry = reconciliation.settle(only(), "release", admin)
    assert entry is not None
    assert (entry.kind, entry.amount, entry.source) == ("adjust", -55, "admin")
    assert in_books(vidu) == 0
    assert reconcile(vidu).is_explained


@respx.mock
def test_ours_that_hangs_is_ended_and_let_go(alice: User, admin: User, vidu: ProviderKey) -> None:
    task = make_task(alice, key=vidu, state="processing", remote_id="41", submitted_at=NOW() - timedelta(hours=3))
    Attempt.objects.update(sent_at=NOW() - timedelta(hours=3))
    ledger.reserve(task, Decimal(55))
    listed(page())
    ask("41", gone())
    reconcile(vidu)
    assert (only().kind, only().ours) == ("ours", 55), "it is still held"
    reconciliation.settle(only(), "release", admin)
    task.refresh_from_db()
    assert (task.state, task.charge, ledger.holds(task), in_books(vidu)) == ("failed", 0, [], 0)
    assert reconcile(vidu).is_explained
    assert not totals.check(repair=False)


@respx.mock
def test_ours_that_is_let_go_comes_back_and_is_missing_again(alice: User, admin: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "41")
    for kind, how, answer in (("ours", "release", page()), ("amount", "book", page(row("41"))), ("ours", "", page())):
        respx.reset()
        listed(answer)
        ask("41", gone())
        assert not reconcile(vidu).is_explained
        difference = Difference.objects.get(state="open")
        assert difference.kind == kind
        if how:
            reconciliation.settle(difference, how, admin)


def too_often() -> httpx.Response:
    return httpx.Response(429, json={"code": 429, "reason": "TooManyRequests", "message": "slow down"})


@pytest.mark.parametrize("answer", [httpx.Response(500, json={}), too_often(), httpx.Response(200, text="<html>")])
@pytest.mark.parametrize(("amount", "state"), [("55", "succeeded"), ("0", "failed"), (None, "processing")])
@respx.mock
def test_a_vendor_that_says_nothing_has_not_said_that_it_knows_nothing(
    alice: User, vidu: ProviderKey, answer: httpx.Response, amount: str | None, state: str
) -> None:
    paid(alice, vidu, "41", amount, state=state, **({} if amount else {"made_at": None, "finished_at": None}))
    listed(page())
    ask("41", answer)
    run = reconcile(vidu)
    assert (run.state, run.error, run.unread, run.is_explained) == ("incomplete", "unread", 1, False)
    assert not Difference.objects.exists()


@respx.mock
def test_what_was_not_asked_about_is_not_known_to_be_missing(
    alice: User, vidu: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MOST_MISSING", 2)
    for number in ("41", "42", "43"):
        paid(alice, vidu, number)
        ask(number, gone())
    listed(page())
    run = reconcile(vidu)
    assert (run.state, run.unread, run.found) == ("incomplete", 1, 2)
    reconcile(vidu)
    assert Difference.objects.filter(kind="ours", state="open").count() == 3, "by and by all are asked about"


@respx.mock
def test_what_a_press_let_go_while_the_vendor_was_asked_is_not_found(
    alice: User, admin: User, vidu: ProviderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid(alice, vidu, "41")
    listed(page())
    ask("41", gone())
    reconcile(vidu)
    fetch = asking.polling.fetch_snapshot

    def press_meanwhile(task: Task) -> Snapshot:
        reconciliation.settle(Difference.objects.get(), "release", admin)
        return fetch(task)

    monkeypatch.setattr(asking.polling, "fetch_snapshot", press_meanwhile)
    assert reconcile(vidu).is_explained


@respx.mock
def test_what_was_booked_within_the_hour_and_is_not_listed_yet_is_said(alice: User, vidu: ProviderKey) -> None:
    lately = NOW() - timedelta(minutes=30)
    for number in range(4):
        paid(alice, vidu, str(number), submitted_at=lately, made_at=lately, finished_at=lately)
    paid(alice, vidu, "free", "0", state="failed", submitted_at=lately, made_at=None, finished_at=lately)
    listed(page(row("0", at=lately)))
    run = reconcile(vidu)
    assert (run.is_explained, run.listed, run.unlisted) == (True, 1, 3)
    said, tone = wording.verdict(run)
    assert (said.startswith("Explained but for the last hour"), "last amount" in said, tone) == (True, False, "ok")
    assert "3 clips of the hour before were booked and are not in the vendor's list yet." in wording.notes(run)
    assert wording.short(run, 0)[0] == "Explained but for the last hour"
    earlier = reconcile(vidu, to_at=NOW() - timedelta(minutes=40))
    assert (earlier.unlisted, earlier.is_explained) == (0, True)


@respx.mock
def test_the_list_may_lag_for_an_hour(alice: User, vidu: ProviderKey) -> None:
    make_task(alice, key=vidu, state="processing", remote_id="41", submitted_at=NOW())
    listed(page())
    assert reconcile(vidu).is_explained


@respx.mock
def test_what_cost_nothing_may_be_forgotten(alice: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "41", "0", state="failed")
    listed(page())
    ask("41", gone())
    assert reconcile(vidu).is_explained


@respx.mock
def test_a_list_that_lacks_what_the_vendor_knows_is_not_complete(alice: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "41")
    listed(page())
    ask("41", told("41"))
    run = reconcile(vidu)
    assert (run.state, run.error, run.is_explained) == ("incomplete", "lacks_known", False)
    assert not Difference.objects.exists()


# --- Lists that cannot be believed ---------------------------------------------------------------------------------


@respx.mock
def test_pages_may_shift_and_repeat(alice: User, vidu: ProviderKey) -> None:
    for number in range(4):
        paid(alice, vidu, str(number))
    rows = [row(str(number)) for number in range(4)]
    listed(
        page(rows[0], rows[1], token="a"),
        page(rows[1], rows[2], token="b"),  # one row again
        page(rows[1], rows[2], token="c"),  # a page again
        page(rows[3]),
    )
    run = reconcile(vidu)
    assert (run.state, run.listed, run.same, run.is_explained) == ("complete", 4, 4, True)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([page(row("1"), token="same"), page(row("1"), token="same")], "repeats"),
        ([page(row("1"), token=str(number)) for number in range(9)], "repeats"),
        ([page(row("1"), token="a"), page(token="b")], "ends_early"),
        ([page(row("1"), token="a"), httpx.Response(500)], "silent: http_500"),
        ([page(row("1"), token="a"), httpx.Response(200, text="<html>")], "silent: http_200"),
        ([page(row("1"), {"state": "success"})], "unread"),
        ([page(row("1"), "nonsense")], "unread"),  # type: ignore[arg-type]
    ],
)
@respx.mock
def test_a_list_that_is_not_read_to_its_end_explains_nothing(
    alice: User, vidu: ProviderKey, answers: list[httpx.Response], why: str
) -> None:
    paid(alice, vidu, "1")
    paid(alice, vidu, "99")  # not in the list: says nothing while the list is not whole
    listed(*answers)
    ask("99", gone())
    run = reconcile(vidu)
    assert (run.state, run.error, run.is_explained) == ("incomplete", why, False)
    assert not Difference.objects.exists()


@respx.mock
def test_a_list_without_end_is_left(vidu: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MOST_PAGES", 3)
    numbers = iter(range(99))
    respx.get(LIST).mock(side_effect=lambda _: page(row(str(next(numbers))), token=str(next(numbers))))
    assert reconcile(vidu).error == "too_long"


@respx.mock
def test_what_passes_is_tried_again_after_the_pause_that_the_vendor_wants(
    alice: User, vidu: ProviderKey, waits: list[float]
) -> None:
    paid(alice, vidu, "1")
    listed(httpx.Response(500), page(row("1")))
    assert reconcile(vidu).is_explained
    assert waits == [listing.PAUSE]


@respx.mock
def test_a_refused_key_is_a_failed_run(vidu: ProviderKey) -> None:
    listed(httpx.Response(401, json={"code": 401, "reason": "Unauthorized", "message": "invalid token"}))
    run = reconcile(vidu)
    assert (run.state, run.is_explained) == ("failed", False)
    assert "invalid token" in run.error
    vidu.refresh_from_db()
    assert vidu.problem == "auth"


# --- One at a time -------------------------------------------------------------------------------------------------


@respx.mock
def test_two_runs_of_a_key_do_not_overlap(alice: User, vidu: ProviderKey) -> None:
    paid(alice, vidu, "1")
    listed(page(row("1")))
    now = NOW()
    run = reconciliation.request(vidu, now - timedelta(days=1), now)
    assert leases.seize(f"reconcile-{vidu.pk}", "somebody", 60)
    assert not reconciliation.run(run.pk)
    run.refresh_from_db()
    assert run.state == "waiting"
    leases.give_back(f"reconcile-{vidu.pk}", "somebody")
    assert reconciliation.run(run.pk)
    assert reconciliation.run(run.pk), "done is done"
    run.refresh_from_db()
    assert run.listed == 1


@respx.mock
def test_a_run_that_died_is_done_again(alice: User, vidu: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    paid(alice, vidu, "1")
    now = NOW()
    run = reconciliation.request(vidu, now - timedelta(days=1), now)
    listed(page(row("1"), row("2"), token="a"))
    send, answers = transport.send, iter([True])

    def die_at_the_second(call: Call) -> Answer:
        if next(answers, False):
            return send(call)
        raise SystemExit

    monkeypatch.setattr(transport, "send", die_at_the_second)
    with pytest.raises(SystemExit):
        reconciliation.run(run.pk)
    monkeypatch.setattr(transport, "send", send)
    run.refresh_from_db()
    assert (run.state, Difference.objects.count()) == ("running", 1)
    respx.reset()
    listed(page(row("1"), row("2")))
    assert reconciliation.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.listed, run.found, Difference.objects.count()) == ("complete", 2, 1, 1)


@respx.mock
def test_who_dies_before_telling_has_not_ended(vidu: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: Any) -> None:
        raise SystemExit

    listed(page(row("1"), row("2")))
    run = reconciliation.request(vidu, NOW() - timedelta(days=1), NOW())
    with monkeypatch.context() as patched:
        patched.setattr(alerts, "external_use", die)
        with pytest.raises(SystemExit):
            reconciliation.run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.ended_at, Alert.objects.count()) == ("running", None, 0)
    assert reconciliation.run(run.pk)
    run.refresh_from_db()
    assert (run.state, Alert.objects.get(kind="external-use").facts["number"]) == ("complete", 2)


@respx.mock
def test_strangers_that_a_run_found_before_it_died_are_told(vidu: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(run: Reconciliation) -> int:
        raise SystemExit

    listed(page(row("1"), row("2")))
    run = reconciliation.request(vidu, NOW() - timedelta(days=1), NOW())
    with monkeypatch.context() as patched:
        patched.setattr(balance, "compare", die)
        with pytest.raises(SystemExit):
            reconciliation.run(run.pk)
    assert not Alert.objects.exists()
    assert reconciliation.run(run.pk)
    assert Alert.objects.get(kind="external-use").facts["number"] == 2


@respx.mock
def test_a_run_whose_balance_cannot_be_compared_has_failed(vidu: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(run: Reconciliation) -> int:
        raise ValueError("odd")

    listed(page(row("1")))
    monkeypatch.setattr(balance, "compare", stumble)
    run = reconcile(vidu)
    assert (run.state, run.error, run.is_explained, run.found) == ("failed", "broke", False, 1)
    assert run.ended_at is not None


@respx.mock
def test_a_run_that_lost_its_lease_writes_nothing_more(vidu: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
    now = NOW()
    run = reconciliation.request(vidu, now - timedelta(days=1), now)

    send = transport.send

    def send_and_stand_still(call: Call) -> Answer:
        Lease.objects.filter(key=f"reconcile-{vidu.pk}").update(owner="another")
        return send(call)

    listed(page(row("1")))
    monkeypatch.setattr(transport, "send", send_and_stand_still)
    reconciliation.run(run.pk)
    run.refresh_from_db()
    assert (run.state, Difference.objects.count()) == ("running", 0)


def test_an_empty_window_is_refused(vidu: ProviderKey) -> None:
    with pytest.raises(ValueError, match="before it begins"):
        reconciliation.request(vidu, NOW(), NOW() - timedelta(days=1))


# --- The edges of days ---------------------------------------------------------------------------------------------


@respx.mock
def test_a_strangers_task_counts_in_the_month_in_which_it_was_made(
    admin: User, vidu: ProviderKey, settings: Any
) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    edge = datetime(2026, 3, 31, 15, 59, 59, tzinfo=UTC)  # a second before April in Shanghai
    listed(page(row("1", at=edge), row("2", at=edge + timedelta(seconds=1))))
    run = reconcile(vidu, from_at=edge - timedelta(days=1), to_at=edge + timedelta(days=1))
    reconciliation.accept_all(run, admin)
    months = totals.of_all_time().filter(kind="external").values_list("starts_on", "amount")
    assert sorted((str(month), int(amount)) for month, amount in months) == [("2026-03-01", 55), ("2026-04-01", 55)]
