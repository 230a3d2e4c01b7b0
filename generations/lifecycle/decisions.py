"""Creates whose answer was lost: what the vendor's list, or a person who looked there, says of them."""

from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from generations import budgets, ledger
from generations.lifecycle.answers import may_exist
from generations.lifecycle.moves import NOT_CREATED, S, move, note
from generations.lifecycle.news import LOOK_LATE
from generations.models import Attempt, ProviderKey, Task, User
from generations.providers.base import FailureClass
from generations.queue import enqueue

GIVEN_UP = "given_up"  # the failure code of a task that a person gave up
ASK_AGAIN_AFTER = timedelta(seconds=10)  # pressed again within this time it is the same wish


def not_made(attempt: Attempt, actor: User | None = None) -> bool:
    """The vendor has no trace of it: failed, free, and its owner may send it again.

    The hold ends, nothing is settled: should it turn up after all, that success is booked as any other.
    """
    task = attempt.task
    if actor is None and attempt.callbacks.exists():
        return False  # a genuine callback proves that it exists: the list lags
    with transaction.atomic():
        free = not may_exist(task, besides=attempt)
        if task.attempt_id != attempt.pk or not move(
            task,
            S.FAILED,
            only_from=[S.UNCERTAIN],
            actor=actor,
            charge=Decimal(0) if free else None,
            failure_class=FailureClass.PROVIDER_TRANSIENT,
            failure_code=NOT_CREATED,
            failure_text="",
            finished_at=timezone.now(),
            detail={"code": NOT_CREATED},
        ):
            return False
        note(task, "not-created", actor=actor)
        if free:
            ledger.release(task, "never made")
        return True


def give_up(task: Task, actor: User) -> bool:
    """A person says that the vendor does not know a running task any more. What it cost nobody said.

    It is asked about now and then for some days: should the clip come after all, it is delivered.
    """
    now = timezone.now()
    with transaction.atomic():
        if not move(
            task,
            S.FAILED,
            only_from=[S.QUEUED, S.PROCESSING],
            actor=actor,
            charge=None,
            failure_class=FailureClass.PROVIDER_UNKNOWN,
            failure_code=GIVEN_UP,
            failure_text="",
            finished_at=now,
            next_poll_at=now + LOOK_LATE,
            detail={"code": GIVEN_UP},
        ):
            return False
        note(task, "given-up", actor=actor)
        return True


def resend(attempt: Attempt, actor: User) -> bool:
    """A person takes the risk of paying twice: back to waiting, where a new attempt is made."""
    task = attempt.task
    with transaction.atomic():
        if task.attempt_id != attempt.pk or not move(
            task, S.WAITING, only_from=[S.UNCERTAIN], actor=actor, next_try_at=None,
            failure_class="", failure_code="", failure_text="",
        ):  # fmt: skip
            return False
        note(task, "resent-at-risk", actor=actor)
        enqueue("dispatch")
        return True


def exists(attempt: Attempt, remote_id: str, actor: User) -> None:
    """A person names the vendor's id; the worker asks the vendor whether it is this task."""
    with transaction.atomic():
        note(attempt.task, "exists-said", actor=actor, remote_id=remote_id)
        _touch(attempt.task)
        enqueue("adopt", attempt.pk, remote_id)


def exists_refused(attempt: Attempt, code: str, text: str = "") -> None:
    """The id that a person named is not this task's; it stays uncertain."""
    with transaction.atomic():
        note(attempt.task, "exists-refused", code=code, text=text)
        _touch(attempt.task)


def ask_now(task: Task, actor: User) -> bool:
    """Have the vendor asked at once, also about a task that has ended. False when nobody can be asked."""
    if task.attempt is None or not task.attempt.remote_id:
        return False
    with transaction.atomic():
        if task.events.filter(kind="asked-now", at__gt=timezone.now() - ASK_AGAIN_AFTER).exists():
            return True
        note(task, "asked-now", actor=actor)
        _touch(task)
        running = Task.objects.filter(pk=task.pk, state__in=[S.QUEUED, S.PROCESSING])
        if not running.update(next_poll_at=timezone.now()):
            enqueue("ask", task.pk)
        return True


def move_to_key(task: Task, key: ProviderKey) -> bool:
    """Let another key of the same vendor send a task that still waits; what is held goes with it."""
    with transaction.atomic():
        # Within the same budget it moves nothing: what is held for it is counted there already.
        if not budgets.same_money(task.key, key) and any(budgets.check(budgets.lock(None, key), [task])):
            return False
        waiting = Task.objects.filter(pk=task.pk, state=S.WAITING, key_id=task.key_id)
        cleared = {"failure_class": "", "failure_code": "", "failure_text": "", "next_try_at": None}
        if not waiting.update(key=key, changed_at=timezone.now(), **cleared):
            return False
        note(task, "key-changed", old=task.key.label, new=key.label)
        task.key = key
        ledger.move_hold(task, "another key")
        enqueue("dispatch")
        return True


def _touch(task: Task) -> None:
    Task.objects.filter(pk=task.pk).update(changed_at=timezone.now())
