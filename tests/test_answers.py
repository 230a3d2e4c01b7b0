"""Answers that come late, twice or after a person decided: no clip that was made is dropped, none is made by itself."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
import respx
from django.db import OperationalError
from django.utils import timezone
from django_q.models import OrmQ

from generations import dispatch, evidence, keys, ledger, lifecycle, lookup, sweep
from generations.models import Attempt, AttemptState, ProviderKey, Task, TaskState, User, VendorRequest
from generations.providers.base import Balance, Failure, FailureClass, Money, Receipt, RemoteState, Unit
from tests.factories import make_attempt, make_key, make_task

pytestmark = pytest.mark.django_db

LOST = Failure(FailureClass.AMBIGUOUS_SUBMIT, "read_timeout")
THROTTLED = Failure(FailureClass.THROTTLED, "http_429", retry_after=30)
POLICY = Failure(FailureClass.CONTENT_POLICY, "policy")


def receipt(name: str) -> Receipt:
    return Receipt(name, RemoteState.QUEUED)


def fresh(attempt: Attempt) -> Attempt:
    return Attempt.objects.select_related("task", "key").get(pk=attempt.pk)


@pytest.fixture
def uniall(db: None) -> ProviderKey:
    return make_key("Nothing lists", provider="uniall")


@pytest.fixture
def first(alice: User, admin: User, uniall: ProviderKey) -> Attempt:
    """Its answer is still on its way, and an administrator has had the task sent again."""
    task = make_task(alice, key=uniall)
    ledger.reserve(task, task.estimate)
    attempt = dispatch.claim_next(uniall.pk)
    assert attempt is not None
    assert lifecycle.mark_sent(attempt, "d")
    Attempt.objects.update(sent_at=timezone.now() - timedelta(seconds=60))
    assert sweep.name_uncertain() == 1
    assert lifecycle.resend(fresh(attempt), admin)
    return fresh(attempt)


@pytest.fixture
def second(first: Attempt) -> Attempt:
    """The one that was sent again, in the air too."""
    ProviderKey.objects.update(next_send_at=None)
    attempt = dispatch.claim_next(first.key_id)
    assert attempt is not None
    assert lifecycle.mark_sent(attempt, "d")
    return fresh(attempt)


class TestTwoInTheAir:
    def test_a_late_no_to_the_first_leaves_the_second_alone(self, first: Attempt, second: Attempt) -> None:
        assert not lifecycle.refuse(first, THROTTLED)
        assert lifecycle.accept(second, receipt("R-2"))
        task = Task.objects.get()
        assert (task.state, task.attempt_id) == (TaskState.QUEUED, second.pk)
        assert (fresh(first).state, fresh(second).remote_id) == (AttemptState.REFUSED, "R-2")
        assert dispatch.claim_next(first.key_id) is None, "nothing is sent a third time"

    def test_a_late_yes_while_it_waits_again_ends_the_waiting(self, first: Attempt) -> None:
        assert lifecycle.accept(first, receipt("R-1"))
        assert Task.objects.get().state == TaskState.QUEUED
        assert dispatch.claim_next(first.key_id) is None

    def test_a_late_yes_calls_back_what_was_claimed_and_not_sent(self, first: Attempt) -> None:
        ProviderKey.objects.update(next_send_at=None)
        again = dispatch.claim_next(first.key_id)
        assert again is not None
        assert lifecycle.accept(first, receipt("R-1"))
        assert not lifecycle.mark_sent(fresh(again), "d")
        assert (Task.objects.get().attempt_id, fresh(again).state) == (first.pk, AttemptState.REFUSED)

    @pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
    def test_both_made_are_two_tasks(self, first: Attempt, second: Attempt, order: tuple[str, str]) -> None:
        named = {"first": first, "second": second}
        for name in order:
            assert lifecycle.accept(fresh(named[name]), receipt(name))
        tasks = {task.attempt.remote_id: task for task in Task.objects.all() if task.attempt}
        assert set(tasks) == {"first", "second"}
        assert {task.state for task in tasks.values()} == {TaskState.QUEUED}
        twin, original = tasks[order[1]], tasks[order[0]]
        assert (twin.batch.size, twin.position, twin.prompt_text) == (2, 1, original.prompt_text)
        assert [sum(hold.amount for hold in ledger.holds(task)) for task in (original, twin)] == [55, 55]
        assert original.events.get(kind="made-twice").detail == {"other": str(twin.pk)}

    def test_the_same_answer_twice_is_one(self, first: Attempt) -> None:
        assert lifecycle.accept(first, receipt("R-1"))
        assert not lifecycle.accept(fresh(first), receipt("R-1"))
        assert not lifecycle.refuse(fresh(first), POLICY)
        assert Task.objects.get().state == TaskState.QUEUED

    def test_found_after_another_key_took_over_it_is_booked_where_it_was_made(
        self, first: Attempt, uniall: ProviderKey
    ) -> None:
        other = make_key("Other", provider="uniall", secret="sandbox-not-a-real-key-0009")
        assert lifecycle.move_to_key(Task.objects.get(), other)
        assert lifecycle.accept(fresh(first), receipt("R-1"))
        task = Task.objects.get()
        assert (task.key, [hold.key_id for hold in ledger.holds(task)]) == (uniall, [uniall.pk])


class TestNotCalledFree:
    def test_cancelled_while_it_waits_again(self, first: Attempt, alice: User) -> None:
        task = Task.objects.get()
        assert lifecycle.cancel(task, alice) == lifecycle.Cancelled.UNSURE
        assert (task.state, task.charge) == (TaskState.CANCELLED, None)
        assert ledger.holds(task), "what may still be charged stays held"
        assert lifecycle.accept(fresh(first), receipt("R-1"))
        assert Task.objects.get().state == TaskState.QUEUED

    def test_the_second_is_refused(self, first: Attempt, second: Attempt) -> None:
        assert lifecycle.refuse(second, POLICY)
        assert Task.objects.get().charge is None
        assert lifecycle.accept(fresh(first), receipt("R-1"))
        assert Task.objects.get().state == TaskState.QUEUED

    def test_of_the_second_there_is_no_trace(self, first: Attempt, second: Attempt, admin: User) -> None:
        assert lifecycle.lose_answer(second, LOST)
        assert lifecycle.not_made(fresh(second), admin)
        assert Task.objects.get().charge is None


def test_what_was_called_never_made_can_still_be_named(alice: User, admin: User, uniall: ProviderKey) -> None:
    task = make_task(alice, key=uniall, state="uncertain")
    Attempt.objects.update(state="unknown", remote_id="")
    assert lifecycle.not_made(fresh(task.attempts.get()), admin)
    with respx.mock:
        respx.get(url__startswith="http://127.0.0.1:9/").mock(
            return_value=httpx.Response(200, json={"id": "R-7", "status": "queued"})
        )
        assert lookup.adopt(task.attempts.get().pk, "R-7")
    assert Task.objects.get().state == TaskState.QUEUED


class TestTheDatabaseIsBusy:
    @respx.mock
    def test_a_paid_id_is_written_down_at_the_next_try(
        self, alice: User, uniall: ProviderKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.answers()
        make_task(alice, key=uniall)
        attempt = dispatch.claim_next(uniall.pk)
        assert attempt is not None
        accept, tries = lifecycle.accept, []

        def busy(*args: Any) -> bool:
            tries.append(args)
            if len(tries) < 3:
                raise OperationalError("database is locked")
            return accept(*args)

        monkeypatch.setattr(lifecycle, "accept", busy)
        monkeypatch.setattr(dispatch, "BUSY_PAUSES", (0.0, 0.0, 0.0))
        dispatch.submit(attempt.pk)
        assert fresh(attempt).remote_id == "PAID-1"

    @respx.mock
    def test_what_follows_the_answer_cannot_undo_it(
        self, alice: User, uniall: ProviderKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.answers()
        make_task(alice, key=uniall)
        attempt = dispatch.claim_next(uniall.pk)
        assert attempt is not None

        def locked(*_: Any) -> None:
            raise OperationalError("database is locked")

        monkeypatch.setattr(evidence, "count", locked)
        with pytest.raises(OperationalError):
            dispatch.submit(attempt.pk)
        assert (fresh(attempt).remote_id, Task.objects.get().state) == ("PAID-1", TaskState.QUEUED)

    def answers(self) -> None:
        respx.post(url__startswith="http://127.0.0.1:9/").mock(
            return_value=httpx.Response(200, json={"id": "PAID-1", "status": "queued"})
        )


class TestPlaces:
    def test_what_waits_moves_although_many_others_cannot(self, alice: User, bob: User) -> None:
        alone = make_key("Alone", provider="uniall", problem="credits", secret="sandbox-not-a-real-key-0004")
        shut = make_key("Shut", problem="auth", secret="sandbox-not-a-real-key-0005")
        spare = make_key("Spare", secret="sandbox-not-a-real-key-0006")
        for _ in range(sweep.MOST_MOVED + 5):
            make_task(alice, key=alone)
        task = make_task(bob, key=shut)
        assert sweep.move_waiting() == 1
        task.refresh_from_db()
        assert task.key == spare

    def test_off_peak_tasks_have_slots_of_their_own(self, alice: User, bob: User, key: ProviderKey) -> None:
        for _ in range(key.slots):
            make_task(alice, key=key, state="queued", off_peak=True)
        make_task(alice, key=key, off_peak=True)
        single = make_task(bob, key=key)
        claimed = dispatch.claim_next(key.pk)
        assert claimed is not None
        assert claimed.task_id == single.pk
        assert dispatch.claim_next(key.pk) is None

    def test_what_the_vendor_forgot_holds_no_slot(self, alice: User) -> None:
        key = make_key(max_in_flight=1, follows_account=False)
        task = make_task(alice, key=key, state="processing", submitted_at=timezone.now() - timedelta(hours=2))
        make_task(alice, key=key)
        assert dispatch.claim_next(key.pk) is None
        Task.objects.filter(pk=task.pk).update(poll_errors=10)
        assert dispatch.claim_next(key.pk) is not None

    def test_vendors_that_hang_leave_one_place_to_each_other_vendor(self, alice: User) -> None:
        for number, slug in enumerate(("vidu", "uniall", "xingchao")):
            key = make_key(slug, provider=slug, secret=f"sandbox-not-a-real-key-001{number}")
            for _ in range(3):
                make_task(alice, key=key)
            claimed = [dispatch.claim_next(key.pk) for _ in range(3)]
            assert sum(each is not None for each in claimed) == (2, 2, 1)[number]


class TestGivenUp:
    def forgotten(self, owner: User) -> Task:
        task = make_task(owner, state="processing", poll_errors=10, remote_id="R-1")
        Task.objects.update(submitted_at=timezone.now() - timedelta(hours=2))
        return Task.objects.get(pk=task.pk)

    def test_an_administrator_ends_it_and_a_late_clip_still_counts(self, alice: User, admin: User, client: Any) -> None:
        task = self.forgotten(alice)
        client.force_login(alice)
        assert client.post(f"/tasks/{task.pk}/give-up/").status_code == 403
        client.force_login(admin)
        assert "Give it up" in client.get(f"/tasks/{task.pk}/").content.decode()
        assert client.post(f"/tasks/{task.pk}/give-up/").status_code == 302
        task.refresh_from_db()
        assert (task.state, task.charge, task.failure_code) == (TaskState.FAILED, None, lifecycle.GIVEN_UP)
        assert task.next_poll_at is not None
        assert "not confirmed" in client.get(f"/tasks/{task.pk}/").content.decode()

    def test_one_that_the_vendor_answers_for_goes_on(self, alice: User, admin: User, client: Any) -> None:
        task = self.forgotten(alice)
        Task.objects.update(poll_errors=2)
        client.force_login(admin)
        assert "Give it up" not in client.get(f"/tasks/{task.pk}/").content.decode()
        client.post(f"/tasks/{task.pk}/give-up/")
        task.refresh_from_db()
        assert task.state == TaskState.PROCESSING


def test_a_lost_question_about_an_id_may_be_asked_again(alice: User, admin: User, client: Any) -> None:
    task = make_task(alice, key=make_key("V", provider="vtrix"), state="uncertain", failure_code="read_timeout")
    Attempt.objects.update(state="unknown", remote_id="", sent_at=timezone.now())
    client.force_login(admin)
    fields = {"decision": "exists", "remote_id": "R-9", "attempt": str(task.attempts.get().pk)}
    for _ in range(2):
        client.post(f"/tasks/{task.pk}/decide/", fields)
    assert OrmQ.objects.count() == 1
    task.events.update(at=timezone.now() - timedelta(minutes=3))
    client.post(f"/tasks/{task.pk}/decide/", fields)
    assert OrmQ.objects.count() == 2


def test_a_form_about_an_earlier_attempt_decides_nothing(alice: User, admin: User, client: Any) -> None:
    task = make_task(alice, key=make_key("V", provider="vtrix"), state="uncertain", failure_code="read_timeout")
    old = task.attempts.get()
    newer = make_attempt(task, state="unknown")
    Attempt.objects.update(state="unknown", remote_id="", sent_at=timezone.now())
    Task.objects.update(attempt=newer)
    client.force_login(admin)
    fields = {"decision": "resend", "accept": "on", "attempt": str(old.pk)}
    assert client.post(f"/tasks/{task.pk}/decide/", fields).status_code == 409
    assert Task.objects.get().state == TaskState.UNCERTAIN


@respx.mock
def test_requests_that_failed_are_evidence_too(alice: User) -> None:
    key = make_key(base_url="https://api.vidu.com")
    task = make_task(alice, key=key, state="queued", remote_id="77")
    respx.post("https://api.vidu.com/ent/v2/tasks/77/cancel").mock(
        return_value=httpx.Response(400, json={"reason": "BadRequest", "message": "can not cancel"})
    )
    respx.get("https://api.vidu.com/ent/v2/tasks").mock(return_value=httpx.Response(500, text="boom"))
    keys.cancel_at_vendor(task)
    lost = make_task(alice, key=key, state="uncertain")
    Attempt.objects.filter(task=lost).update(state="unknown", remote_id="", sent_at=timezone.now())
    assert lost.attempt
    assert not lookup.look_up(lost.attempt.pk)
    kept = {(row.attempt.task_id, row.kind, row.status) for row in VendorRequest.objects.all()}
    assert kept == {(task.pk, "cancel", 400), (lost.pk, "list", 500)}


def test_too_few_credits_for_any_clip_do_not_free_a_key(alice: User) -> None:
    key = make_key(problem="credits")
    make_task(alice, key=key, estimate=55)
    for left, problem in ((3, "credits"), (55, "")):
        evidence.tested(key, Balance(Money(left, Unit.CREDIT)))
        key.refresh_from_db()
        assert key.problem == problem


def test_a_prompt_that_came_back_changed_is_looked_at_before_it_counts_as_never_made(alice: User) -> None:
    key = make_key(base_url="https://api.vidu.com")
    task = make_task(alice, key=key, state="uncertain", prompt_text="A paper boat")
    Attempt.objects.update(state="unknown", remote_id="", sent_at=timezone.now() - timedelta(minutes=5))
    assert task.attempt
    row = {
        "id": "900", "model": "viduq3-turbo", "prompt": "a paper boat.", "resolution": "720p", "duration": 5,
        "state": "created", "credits": 55, "created_at": "2026-11-21T10:00:00Z", "creations": [],
    }  # fmt: skip
    with respx.mock:
        respx.get("https://api.vidu.com/ent/v2/tasks").mock(return_value=httpx.Response(200, json={"tasks": [row]}))
        query = respx.get("https://api.vidu.com/ent/v2/tasks/900/creations").mock(
            return_value=httpx.Response(200, json={"id": "900", "state": "created", "payload": task.attempt.token})
        )
        assert not lookup.look_up(task.attempt.pk)
        assert query.call_count == 0
        assert lookup.look_up(task.attempt.pk), "the second look asks"
    assert Task.objects.get().state == TaskState.QUEUED
