"""Sums are what their rows say, whatever happened; and the rows are never touched again."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generations import ledger, lifecycle, totals, triggers
from generations.models import (
    Attempt,
    AttemptState,
    EntryKind,
    Grain,
    LedgerTotal,
    ProviderKey,
    Task,
    TaskState,
    TaskTotal,
    UsageEntry,
    User,
)
from generations.providers.base import (
    Failure,
    FailureClass,
    Money,
    Output,
    Receipt,
    RemoteState,
    Snapshot,
    Unit,
)
from tests.factories import make_key, make_task, make_user
from tests.test_lifecycle import press

pytestmark = pytest.mark.django_db


def credits(amount: object) -> Money:
    return Money(Decimal(str(amount)), Unit.CREDIT)


# --- The rows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE generations_usageentry SET amount = 0",
        "UPDATE generations_usageentry SET note = 'x' WHERE 1 = 1",
        "DELETE FROM generations_usageentry",
    ],
)
def test_the_database_refuses_to_change_the_ledger(alice: User, key: ProviderKey, statement: str) -> None:
    ledger.settle(make_task(alice), credits(5))
    with (
        pytest.raises(DatabaseError, match="never changed or deleted"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
    assert UsageEntry.objects.get().amount == 5


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a word of SQLite's")
@pytest.mark.parametrize("other", [{}, {"id": "NULL"}, {"id": "NULL", "once": "'another'"}, {"once": "'another'"}])
def test_a_row_is_not_replaced_either(alice: User, key: ProviderKey, other: dict[str, str]) -> None:
    """By its number, by what makes it come once, or by being the one settling row of its task."""
    ledger.settle(make_task(alice), credits(5))
    names = [field.column for field in UsageEntry._meta.concrete_fields]
    picked = ", ".join({"amount": "999", **other}.get(name, name) for name in names)
    table = "generations_usageentry"
    statement = f"INSERT OR REPLACE INTO {table} ({', '.join(names)}) SELECT {picked} FROM {table}"  # noqa: S608
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert UsageEntry.objects.get().amount == 5


def test_one_confirmation_is_one_row(key: ProviderKey, admin: User) -> None:
    rows = {ledger.adjust(key, Decimal(5), "credit note", admin, token="t1") for _ in range(2)}
    rows |= {ledger.top_up(key, Decimal(5), "invoice", admin, token="t1") for _ in range(2)}
    assert len(rows) == 2
    assert ledger.adjust(key, Decimal(5), "credit note", admin) not in rows


def test_the_triggers_survived_all_migrations(db: None) -> None:
    table = "sqlite_master WHERE type = 'trigger'" if connection.vendor == "sqlite" else "information_schema.triggers"
    column = "name" if connection.vendor == "sqlite" else "trigger_name"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table}")  # noqa: S608
        found = {name for (name,) in cursor.fetchall()}
    wanted = set(triggers.NAMES[connection.vendor]) - {"ledger_no_truncate"}  # not listed by the standard view
    assert wanted <= found


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1e10", "-1e12"])
def test_absurd_amounts_are_never_booked(alice: User, key: ProviderKey, amount: str) -> None:
    with pytest.raises(ledger.Absurd):
        ledger.settle(make_task(alice), credits(amount))
    assert UsageEntry.objects.count() == 0


def test_a_row_is_taken_back_by_its_opposite_once(alice: User, admin: User, key: ProviderKey) -> None:
    entry = ledger.external(key, "900", Decimal(50), timezone.now(), model="viduq2", note="found")
    back = ledger.reverse(entry, "it was ours", admin)
    assert ledger.reverse(entry, "again", admin) == back
    assert (back.amount, back.kind, back.reverses) == (-50, EntryKind.EXTERNAL, entry)
    held = make_task(alice)
    ledger.reserve(held, Decimal(5))
    with pytest.raises(ValueError, match="hold"):
        ledger.reverse(UsageEntry.objects.get(task=held), "no", admin)


def test_what_others_spent_is_booked_once(key: ProviderKey) -> None:
    at = datetime(2026, 11, 3, 10, tzinfo=UTC)
    rows = [ledger.external(key, "900", Decimal(50), at, model="viduq2", note="found") for _ in range(2)]
    assert rows[0] == rows[1]
    assert LedgerTotal.objects.get(grain="day").starts_on == date(2026, 11, 3)


def test_a_vendor_that_takes_nothing_any_more_has_refunded(alice: User, key: ProviderKey) -> None:
    task = make_task(alice)
    ledger.settle(task, credits(55))
    ledger.settle(task, credits(0))
    assert list(UsageEntry.objects.order_by("pk").values_list("kind", "amount")) == [("settle", 55), ("refund", -55)]


def test_adjusting_needs_a_reason(key: ProviderKey, admin: User) -> None:
    with pytest.raises(ValueError, match="reason"):
        ledger.adjust(key, Decimal(5), " ", admin)
    entry = ledger.adjust(key, Decimal(-5), "credit note 17", admin)
    assert (entry.kind, entry.actor, entry.note) == (EntryKind.ADJUST, admin, "credit note 17")


# --- The sums ------------------------------------------------------------------------------------------------


def test_a_task_counts_on_the_day_of_its_outcome(alice: User, key: ProviderKey, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    made = datetime(2026, 11, 3, 16, 30, tzinfo=UTC)  # half past midnight there
    task = make_task(alice, state="succeeded", made_at=made, finished_at=made + timedelta(hours=1), charge=60)
    totals.count(None, task)
    row = TaskTotal.objects.get(grain=Grain.DAY)
    assert (row.starts_on, row.tasks, row.seconds, row.charged) == (date(2026, 11, 4), 1, 5, 60)
    assert (row.estimated, row.compared, row.unconfirmed, row.paid) == (55, 60, 0, 1)


def test_a_charge_that_nobody_told_is_neither_estimated_nor_charged(alice: User, key: ProviderKey) -> None:
    totals.count(None, make_task(alice, state="failed", finished_at=timezone.now(), charge=None))
    row = TaskTotal.objects.get(grain=Grain.MONTH)
    assert (row.unconfirmed, row.estimated, row.compared, row.paid) == (1, 0, 0, 0)


def test_a_late_success_leaves_the_failures(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, state="processing", remote_id="1")
    failure = Failure(FailureClass.PROVIDER_UNKNOWN, "odd")
    lifecycle.observe(task, Snapshot("1", RemoteState.FAILED, "failed", failure=failure, charge=credits(0)))
    counted = TaskTotal.objects.filter(grain=Grain.DAY, tasks__gt=0)
    assert counted.get().state == "failed"
    late = Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=(Output(0, "https://x/v.mp4"),), charge=credits(55))
    assert lifecycle.observe(Task.objects.get(), late)
    assert not counted.exists(), "it is open again, and counts when its copy is here"
    assert totals.check(repair=False) == []


def test_a_charge_found_later_is_booked_and_counted(alice: User, admin: User, key: ProviderKey) -> None:
    task = make_task(alice, state="processing", remote_id="1")
    ledger.reserve(task, Decimal(55))
    failure = Failure(FailureClass.PROVIDER_UNKNOWN, "odd")
    lifecycle.observe(task, Snapshot("1", RemoteState.FAILED, "failed", failure=failure))
    assert TaskTotal.objects.get(grain=Grain.DAY).unconfirmed == 1
    assert lifecycle.correct_charge(Task.objects.get(), Decimal(20), "the console says so", actor=admin)
    assert lifecycle.correct_charge(Task.objects.get(), Decimal(20), "the console says so", actor=admin) is None
    row = TaskTotal.objects.get(grain=Grain.DAY)
    assert (row.unconfirmed, row.paid, row.charged) == (0, 1, 20)
    assert (ledger.booked(task), ledger.holds(task)) == (20, [])
    assert totals.check(repair=False) == []


def test_a_vendor_that_ends_what_was_given_up_settles_it(alice: User, admin: User, key: ProviderKey) -> None:
    task = make_task(alice, state="processing", remote_id="1")
    ledger.reserve(task, Decimal(55))
    assert lifecycle.give_up(task, admin)
    failed = Snapshot(
        "1", RemoteState.FAILED, "failed", failure=Failure(FailureClass.PROVIDER_UNKNOWN), charge=credits(0)
    )
    assert lifecycle.observe(Task.objects.get(), failed)
    task = Task.objects.get()
    assert (task.state, task.charge, task.next_poll_at, ledger.holds(task)) == (TaskState.FAILED, 0, None, [])


def test_what_differs_is_told_and_set_right(alice: User, key: ProviderKey) -> None:
    ledger.settle(make_task(alice), credits(55))
    LedgerTotal.objects.filter(grain=Grain.DAY, kind="settle").update(amount=50)
    LedgerTotal.objects.create(
        grain="month", starts_on=totals.month_of(totals.today()), key=key, unit="credit", kind="refund", name="stray"
    )
    LedgerTotal.objects.filter(name="stray").update(amount=7)
    wrong = totals.check()
    assert any("amount 50.0000 instead of 55.0000" in str(each) for each in wrong)
    assert totals.check() == []
    assert LedgerTotal.objects.get(grain=Grain.DAY, kind="settle").amount == 55


def test_missing_sums_are_made_anew(alice: User, key: ProviderKey) -> None:
    ledger.settle(make_task(alice), credits(55))
    before = set(LedgerTotal.objects.values_list("name", "amount", "entries"))
    LedgerTotal.objects.all().delete()
    assert totals.check()
    assert set(LedgerTotal.objects.values_list("name", "amount", "entries")) == before


def test_the_command_sets_right_and_says_so(alice: User, key: ProviderKey, capsys: pytest.CaptureFixture[str]) -> None:
    ledger.settle(make_task(alice), credits(55))
    LedgerTotal.objects.filter(grain=Grain.DAY, kind="settle").update(amount=50)
    for arguments in (["--look"], []):
        with pytest.raises(SystemExit) as ended:
            call_command("totals", *arguments)
        assert ended.value.code == 1
        assert "50.0000 instead of 55.0000" in capsys.readouterr().out
    call_command("totals")
    assert "All sums are" in capsys.readouterr().out


# --- Whatever happens ----------------------------------------------------------------------------------------

MOVES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(
            [
                "claim", "sent", "accept", "refuse-429", "refuse-policy", "lose", "processing", "success",
                "success-other", "failed-free", "failed-silent", "cancel", "cancelled-by-vendor", "not-made", "resend",
                "late", "correct", "give-up", "stored", "lost-copy",
            ]
        ),
    ),
    max_size=40,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(moves=MOVES)
def test_any_course_of_events_keeps_the_books(moves: list[tuple[int, str]]) -> None:
    with transaction.atomic():
        owner, boss = make_user(f"u{uuid.uuid4().hex}"), make_user(f"b{uuid.uuid4().hex}", role="admin")
        key = make_key(f"K{uuid.uuid4().hex}")
        tasks = press(owner, key, count=3)
        for which, what in moves:
            happen(Task.objects.get(pk=tasks[which].pk), what, boss)
        check_books(key)
        transaction.set_rollback(True)


def happen(task: Task, what: str, boss: User) -> None:
    """Let a thing happen that may come at any time; whatever does not fit is to change nothing."""
    attempt = task.attempts.order_by("-number").select_related("key").first()
    name = f"r{task.pk.hex}{attempt.number if attempt else 0}"
    if what == "claim":
        lifecycle.claim(task)
    elif what == "correct":
        lifecycle.correct_charge(task, Decimal(30), "by hand", actor=boss)
    elif what == "cancel":
        lifecycle.cancel(task, boss)
    elif what == "give-up":
        lifecycle.give_up(task, boss)
    elif what in SNAPSHOTS:
        lifecycle.observe(task, SNAPSHOTS[what])
    elif what in ("stored", "lost-copy"):
        finish(task, what)
    elif attempt is not None:
        attempt = Attempt.objects.select_related("task", "key").get(pk=attempt.pk)
        answer(attempt, what, name, boss)


def answer(attempt: Attempt, what: str, name: str, boss: User) -> None:
    if what == "sent":
        lifecycle.mark_sent(attempt, "d")
    elif what == "accept":
        lifecycle.accept(attempt, Receipt(name, RemoteState.QUEUED, credits(55)))
    elif what == "refuse-429":
        lifecycle.refuse(attempt, Failure(FailureClass.THROTTLED, "http_429"))
    elif what == "refuse-policy":
        lifecycle.refuse(attempt, Failure(FailureClass.CONTENT_POLICY, "policy"))
    elif what == "lose":
        lifecycle.lose_answer(attempt, Failure(FailureClass.AMBIGUOUS_SUBMIT, "read_timeout"))
    elif what == "not-made":
        lifecycle.not_made(attempt, boss)
    elif what == "resend":
        lifecycle.resend(attempt, boss)


def finish(task: Task, what: str) -> None:
    for creation in task.creations.filter(state="pending"):
        if what == "stored":
            fields = dict.fromkeys(lifecycle.Kept.__slots__, 1)
            texts = dict.fromkeys(("file", "sha256", "poster", "poster_sha256"), "x")
            lifecycle.kept(creation, lifecycle.Kept(**{**fields, **texts, "has_audio": False}))
        else:
            lifecycle.lost(creation, "gone")


OUTPUT = (Output(0, "https://x/v.mp4"),)
SNAPSHOTS = {
    "processing": Snapshot("1", RemoteState.PROCESSING, "processing"),
    "success": Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=OUTPUT, charge=credits(55)),
    "success-other": Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=OUTPUT, charge=credits("54.5")),
    "late": Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=OUTPUT),
    "failed-free": Snapshot(
        "1", RemoteState.FAILED, "failed", failure=Failure(FailureClass.CONTENT_POLICY), charge=credits(0)
    ),
    "failed-silent": Snapshot("1", RemoteState.FAILED, "failed", failure=Failure(FailureClass.PROVIDER_UNKNOWN)),
    "cancelled-by-vendor": Snapshot("1", RemoteState.CANCELLED, "cancelled", charge=credits(0)),
}


def check_books(key: ProviderKey) -> None:
    assert totals.check(repair=False) == []
    for task in Task.objects.filter(key=key):
        rows = UsageEntry.objects.filter(task=task)
        assert rows.filter(kind=EntryKind.SETTLE).count() <= 1
        assert {unit for (unit,) in rows.values_list("unit")} <= {"credit"}
        held = rows.filter(kind__in=ledger.HELD).aggregate(sum=Sum("amount"))["sum"] or 0
        assert held in (0, 55), "never held twice, never less than nothing"
        unclear = task.attempts.filter(state__in=(AttemptState.SENT, AttemptState.UNKNOWN)).exists()
        if task.state in totals.ENDED and task.charge is not None and not unclear:
            assert held == 0, (task.state, task.charge)
        if task.state in (TaskState.SUCCEEDED, TaskState.LOST) and task.charge is not None:
            assert ledger.booked(task) == task.charge


# --- Many at once --------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_the_check_goes_on_beside_writers(alice: User, admin: User, key: ProviderKey) -> None:
    """A check that saw a row without its sum, or the other way about, would "repair" what is right."""

    def write(number: int) -> None:
        try:
            for _ in range(12):
                (task,) = press(alice, key, prompt=f"Boat {number}")
                ledger.adjust(key, Decimal(number), "credit note", admin)
                lifecycle.cancel(task, alice)
                ledger.external(key, uuid.uuid4().hex, Decimal(7), timezone.now(), model="viduq2", note="found")
        finally:
            connection.close()

    checks = []
    with ThreadPoolExecutor(3) as writers:
        written = [writers.submit(write, number) for number in range(1, 4)]
        while not all(each.done() for each in written):
            checks.append(totals.check())
    for each in written:
        each.result()
    assert not any(checks), checks
    assert len(checks) > 1
    assert totals.check() == []
    assert LedgerTotal.objects.filter(grain="day", kind="external").aggregate(n=Sum("entries"))["n"] == 36
    assert TaskTotal.objects.filter(grain="day").aggregate(n=Sum("tasks"))["n"] == 36
