"""The state machine: illegal moves refused, moves safe to repeat, money and events in the same step."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generations import ledger, lifecycle
from generations.lifecycle import moves
from generations.models import (
    Attempt,
    AttemptState,
    Batch,
    EntryKind,
    KeyProblem,
    ProviderKey,
    Task,
    TaskState,
    UsageEntry,
    User,
)
from generations.providers import catalog
from generations.providers.base import (
    Failure,
    FailureClass,
    Mode,
    Money,
    Output,
    Receipt,
    RemoteState,
    Snapshot,
    Unit,
)
from tests.factories import make_attempt, make_key, make_task, make_user

pytestmark = pytest.mark.django_db


def press(owner: User, key: ProviderKey, **over: Any) -> list[Task]:
    offer = catalog.get_offer("vidu", "viduq3-turbo", Mode.TEXT)
    assert offer is not None
    fields: dict[str, Any] = {
        "owner": owner,
        "key": key,
        "request_id": uuid.uuid4(),
        "offer": offer,
        "prompt": "A paper boat",
        "duration": 5,
        "resolution": "720p",
        "aspect_ratio": "16:9",
        "audio": False,
        **over,
    }
    return lifecycle.create(**fields)


def credits_of(amount: int) -> Money:
    return Money(Decimal(amount), Unit.CREDIT)


def success(charge: int | None = 55) -> Snapshot:
    output = Output(0, "http://127.0.0.1:9/v.mp4", expires_at=timezone.now() + timedelta(hours=24))
    money = None if charge is None else credits_of(charge)
    return Snapshot("1", RemoteState.SUCCEEDED, "success", charge=money, outputs=(output,))


def failed(charge: int | None = 0, code: str = "CreationPolicyViolation") -> Snapshot:
    failure = Failure(FailureClass.CONTENT_POLICY, code)
    money = None if charge is None else credits_of(charge)
    return Snapshot("1", RemoteState.FAILED, "failed", charge=money, failure=failure)


def entries(task: Task) -> dict[str, Decimal]:
    return {entry.kind: entry.amount for entry in UsageEntry.objects.filter(task=task)}


def kinds(task: Task) -> list[str]:
    return list(task.events.values_list("kind", flat=True))


class TestCreate:
    def test_a_press_makes_waiting_tasks_with_reservations(self, alice: User, key: ProviderKey) -> None:
        tasks = press(alice, key, count=3)
        assert [task.state for task in tasks] == [TaskState.WAITING] * 3
        assert [task.position for task in tasks] == [0, 1, 2]
        assert all(entries(task) == {EntryKind.RESERVE: Decimal(55)} for task in tasks)
        assert kinds(tasks[0]) == ["waiting"]

    def test_the_same_request_id_makes_nothing_new(self, alice: User, key: ProviderKey) -> None:
        request_id = uuid.uuid4()
        first = press(alice, key, request_id=request_id, count=2)
        again = press(alice, key, request_id=request_id, count=2)
        assert [task.pk for task in again] == [task.pk for task in first]
        assert (Batch.objects.count(), Task.objects.count(), UsageEntry.objects.count()) == (1, 2, 2)

    def test_somebody_elses_request_id_gives_nothing_away(self, alice: User, bob: User, key: ProviderKey) -> None:
        request_id = uuid.uuid4()
        press(alice, key, request_id=request_id)
        with pytest.raises(lifecycle.RequestIdTaken):
            press(bob, key, request_id=request_id)

    def test_variants_of_a_fixed_seed_differ(self, alice: User, key: ProviderKey) -> None:
        assert [task.seed for task in press(alice, key, seed=7, count=3)] == [7, 8, 9]

    def test_ids_are_sortable_and_unguessable(self, alice: User, key: ProviderKey) -> None:
        tasks = press(alice, key, count=4)
        assert [task.pk for task in tasks] == sorted(task.pk for task in tasks)
        assert all(task.pk.version == 7 for task in tasks)


class TestSubmit:
    def test_only_one_claim_wins(self, alice: User, key: ProviderKey) -> None:
        (task,) = press(alice, key)
        stale = Task.objects.get(pk=task.pk)
        assert lifecycle.claim(task) is not None
        assert lifecycle.claim(stale) is None
        assert Attempt.objects.count() == 1

    def test_an_attempt_is_marked_sent_once(self, alice: User, key: ProviderKey) -> None:
        (task,) = press(alice, key)
        attempt = lifecycle.claim(task)
        assert attempt is not None
        assert lifecycle.mark_sent(attempt, "digest")
        assert not lifecycle.mark_sent(attempt, "digest")

    def test_accepted_is_followed_by_its_remote_id(self, alice: User) -> None:
        task = make_task(alice, state=TaskState.SUBMITTING)
        assert task.attempt is not None
        assert lifecycle.accept(task.attempt, Receipt("42", RemoteState.QUEUED, credits_of(60), seed=9))
        task.refresh_from_db()
        assert (task.state, task.quote, task.seed, task.attempt.remote_id) == (TaskState.QUEUED, 60, 9, "42")
        assert task.next_poll_at is not None
        assert not lifecycle.accept(task.attempt, Receipt("43", RemoteState.QUEUED))

    @pytest.mark.parametrize("cls", sorted(lifecycle.COMES_BACK))
    def test_what_may_pass_goes_back_to_waiting(self, alice: User, cls: FailureClass) -> None:
        task = make_task(alice, state=TaskState.SUBMITTING)
        assert task.attempt is not None
        assert lifecycle.refuse(task.attempt, Failure(cls, "Code", retry_after=7))
        task.refresh_from_db()
        assert task.state == TaskState.WAITING
        assert task.next_try_at is not None
        assert 5 < (task.next_try_at - timezone.now()).total_seconds() <= 7
        assert EntryKind.RELEASE not in entries(task)

    @pytest.mark.parametrize("cls", sorted(set(FailureClass) - lifecycle.COMES_BACK - {FailureClass.AMBIGUOUS_SUBMIT}))
    def test_what_will_not_pass_fails_free_of_charge(self, alice: User, key: ProviderKey, cls: FailureClass) -> None:
        (task,) = press(alice, key)
        attempt = lifecycle.claim(task)
        assert attempt is not None
        assert lifecycle.refuse(attempt, Failure(cls, "Code", "words"))
        task.refresh_from_db()
        assert (task.state, task.failure_class, task.failure_code, task.charge) == (TaskState.FAILED, cls, "Code", 0)
        assert sum(amount for kind, amount in entries(task).items() if kind in ledger.HELD) == 0

    @pytest.mark.parametrize(
        ("cls", "problem"),
        [(FailureClass.ACCOUNT_AUTH, KeyProblem.AUTH), (FailureClass.ACCOUNT_CREDITS, KeyProblem.CREDITS)],
    )
    def test_a_bad_key_is_flagged(self, alice: User, cls: FailureClass, problem: KeyProblem) -> None:
        task = make_task(alice, state=TaskState.SUBMITTING)
        assert task.attempt is not None
        lifecycle.refuse(task.attempt, Failure(cls, "Code", "what the vendor said"))
        flagged = ProviderKey.objects.get()
        assert (flagged.problem, flagged.last_error) == (problem, "what the vendor said")
        assert not flagged.takes_new_work

    def test_a_lost_answer_is_uncertain_and_keeps_its_hold(self, alice: User, key: ProviderKey) -> None:
        (task,) = press(alice, key)
        attempt = lifecycle.claim(task)
        assert attempt is not None
        lost = Failure(FailureClass.AMBIGUOUS_SUBMIT, "read_timeout")
        assert not lifecycle.lose_answer(attempt, lost), "what was not sent cannot have lost its answer"
        assert lifecycle.mark_sent(attempt, "d")
        assert lifecycle.lose_answer(attempt, lost)
        attempt.refresh_from_db()
        assert attempt.state == AttemptState.UNKNOWN
        assert entries(task) == {EntryKind.RESERVE: Decimal(55)}
        task.refresh_from_db()
        assert lifecycle.claim(task) is None, "an uncertain task is never sent again by itself"

    def test_a_late_receipt_ends_the_uncertainty(self, alice: User) -> None:
        task = make_task(alice, state=TaskState.UNCERTAIN)
        assert task.attempt is not None
        assert lifecycle.accept(task.attempt, Receipt("42", RemoteState.QUEUED))
        task.refresh_from_db()
        assert task.state == TaskState.QUEUED


class TestObserve:
    def test_progress_grows_and_never_shrinks(self, alice: User) -> None:
        task = make_task(alice, state=TaskState.QUEUED)
        for said, shown in [(10, 10), (47, 47), (20, 47)]:
            lifecycle.observe(task, Snapshot("1", RemoteState.PROCESSING, "processing", progress=said))
            task.refresh_from_db()
            assert (task.state, task.progress) == (TaskState.PROCESSING, shown)

    def test_old_news_changes_nothing(self, alice: User) -> None:
        task = make_task(alice, state=TaskState.PROCESSING)
        before = task.changed_at
        assert not lifecycle.observe(task, Snapshot("1", RemoteState.QUEUED, "queueing"))
        assert not lifecycle.observe(task, Snapshot("1", RemoteState.PROCESSING, "processing"))
        task.refresh_from_db()
        assert (task.state, task.changed_at) == (TaskState.PROCESSING, before)

    def test_success_settles_once_and_waits_for_our_copy(self, alice: User, key: ProviderKey) -> None:
        task = make_task(alice, state=TaskState.PROCESSING, key=key)
        stale = Task.objects.get(pk=task.pk)
        assert lifecycle.observe(task, success(60))
        assert not lifecycle.observe(stale, success(60))
        task.refresh_from_db()
        assert (task.state, task.charge) == (TaskState.ARCHIVING, 60)
        assert task.creations.count() == 1
        assert entries(task) == {EntryKind.SETTLE: Decimal(60)}

    def test_a_failure_settles_at_what_the_vendor_said(self, alice: User, key: ProviderKey) -> None:
        (task,) = press(alice, key)
        Task.objects.filter(pk=task.pk).update(state=TaskState.PROCESSING)
        assert lifecycle.observe(task, failed(0))
        assert entries(task) == {EntryKind.RESERVE: 55, EntryKind.SETTLE: 0, EntryKind.RELEASE: -55}

    def test_a_silent_vendor_leaves_the_charge_unconfirmed(self, alice: User, key: ProviderKey) -> None:
        (task,) = press(alice, key)
        Task.objects.filter(pk=task.pk).update(state=TaskState.PROCESSING)
        assert lifecycle.observe(task, failed(None))
        task.refresh_from_db()
        assert (task.state, task.charge) == (TaskState.FAILED, None)
        assert entries(task) == {EntryKind.RESERVE: Decimal(55)}, "the hold stays until somebody knows"

    def test_unlike_units_are_never_booked(self, alice: User) -> None:
        task = make_task(alice, state=TaskState.PROCESSING)
        snapshot = Snapshot("1", RemoteState.FAILED, "failed", charge=Money(Decimal("0.3"), Unit.USD))
        lifecycle.observe(task, snapshot)
        task.refresh_from_db()
        assert task.charge is None
        assert not UsageEntry.objects.filter(kind=EntryKind.SETTLE).exists()

    def test_an_anomaly_is_kept_for_admins(self, alice: User) -> None:
        task = make_task(alice, state=TaskState.PROCESSING)
        lifecycle.observe(task, Snapshot("1", RemoteState.PROCESSING, "pondering", anomaly="unknown state pondering"))
        task.refresh_from_db()
        assert (task.state, task.anomaly) == (TaskState.PROCESSING, "unknown state pondering")


class TestCancel:
    def test_a_waiting_task_is_cancelled_free(self, alice: User, key: ProviderKey) -> None:
        (task,) = press(alice, key)
        assert lifecycle.cancel(task, alice) == lifecycle.Cancelled.FREE
        task.refresh_from_db()
        assert (task.state, task.charge) == (TaskState.CANCELLED, 0)
        assert sum(entries(task).values()) == 0

    def test_a_queued_task_is_for_the_vendor_to_cancel(self, alice: User) -> None:
        task = make_task(alice, state=TaskState.QUEUED)
        assert lifecycle.cancel(task, alice) == lifecycle.Cancelled.ASKED
        task.refresh_from_db()
        assert task.state == TaskState.QUEUED, "it ends when the vendor says so"
        assert lifecycle.cancel(task, alice) == lifecycle.Cancelled.ASKED
        assert kinds(task) == ["cancel-asked"], "pressed twice it is one wish"

    @pytest.mark.parametrize("state", ["submitting", "uncertain", "processing", "archiving", "succeeded", "failed"])
    def test_everything_else_is_too_late(self, alice: User, state: str) -> None:
        task = make_task(alice, state=state)
        assert lifecycle.cancel(task, alice) == lifecycle.Cancelled.TOO_LATE


class TestOurCopy:
    def copy(self) -> lifecycle.Kept:
        return lifecycle.Kept("a.mp4", "0" * 64, 9, "a.jpg", "1" * 64, 1280, 720, 5.0, 24.0, False)

    def test_the_last_copy_makes_the_task_ready(self, alice: User) -> None:
        task = make_task(alice, state=TaskState.PROCESSING)
        two = (Output(0, "http://127.0.0.1:9/a"), Output(1, "http://127.0.0.1:9/b"))
        lifecycle.observe(task, Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=two))
        first, second = task.creations.all()
        assert lifecycle.kept(first, self.copy())
        assert not lifecycle.kept(first, self.copy())
        task.refresh_from_db()
        assert task.state == TaskState.ARCHIVING
        assert lifecycle.kept(second, self.copy())
        task.refresh_from_db()
        assert (task.state, task.finished_at is not None) == (TaskState.SUCCEEDED, True)

    def test_a_dead_link_loses_the_task(self, alice: User) -> None:
        task = make_task(alice, state=TaskState.PROCESSING)
        lifecycle.observe(task, success())
        assert lifecycle.lost(task.creations.get(), "The vendor's link answered 403.")
        task.refresh_from_db()
        assert task.state == TaskState.LOST


@pytest.mark.parametrize("start", TaskState.values)
@pytest.mark.parametrize("end", TaskState.values)
def test_only_the_listed_moves_are_possible(alice: User, start: str, end: str) -> None:
    task = make_task(alice, state=start)
    moved = moves.move(task, TaskState(end))
    task.refresh_from_db()
    legal = TaskState(end) in lifecycle.MOVES[TaskState(start)]
    assert moved is legal
    assert task.state == (end if legal else start)
    assert task.events.count() == int(legal)


def test_a_move_that_is_never_legal_is_a_mistake_in_the_code(alice: User) -> None:
    with pytest.raises(ValueError, match="no move"):
        moves.move(make_task(alice, state="failed"), TaskState.WAITING, only_from=[TaskState.FAILED])


def _steps() -> dict[str, Callable[[Task], object]]:
    def attempt(task: Task) -> Attempt:
        return task.attempt or make_attempt(task)

    return {
        "claim": lifecycle.claim,
        "accept": lambda task: lifecycle.accept(attempt(task), Receipt("7", RemoteState.QUEUED, credits_of(55))),
        "refuse": lambda task: lifecycle.refuse(attempt(task), Failure(FailureClass.USER_INPUT)),
        "throttle": lambda task: lifecycle.refuse(attempt(task), Failure(FailureClass.THROTTLED)),
        "lose": lambda task: lifecycle.lose_answer(attempt(task), Failure(FailureClass.AMBIGUOUS_SUBMIT)),
        "not made": lambda task: lifecycle.not_made(attempt(task)),
        "resend": lambda task: lifecycle.resend(attempt(task), task.owner),
        "run": lambda task: lifecycle.observe(task, Snapshot("7", RemoteState.PROCESSING, "processing", progress=5)),
        "succeed": lambda task: lifecycle.observe(task, success(55)),
        "fail": lambda task: lifecycle.observe(task, failed(0)),
        "cancel": lambda task: lifecycle.cancel(task, task.owner),
        "keep": lambda task: [lifecycle.kept(each, TestOurCopy().copy()) for each in task.creations.all()],
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(sorted(_steps())), max_size=14))
def test_any_order_of_news_keeps_the_books_straight(db: None, steps: list[str]) -> None:
    owner = make_user(f"u{uuid.uuid4().hex[:8]}")
    (task,) = press(owner, make_key(label=uuid.uuid4().hex))
    for step in steps:
        fresh = Task.objects.select_related("attempt").get(pk=task.pk)
        _steps()[step](fresh)
    task.refresh_from_db()
    booked = UsageEntry.objects.filter(task=task)
    assert booked.filter(kind=EntryKind.SETTLE).count() <= 1
    held = sum(booked.filter(kind__in=ledger.HELD).values_list("amount", flat=True))
    final = task.state in ("succeeded", "failed", "cancelled", "archiving")
    assert held == (0 if final else 55)
    if task.state in ("succeeded", "archiving"):
        assert ledger.booked(task) == task.charge == 55
