"""From waiting to the vendor: the claim, the mark before the one POST, and what came of it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from generations import ledger
from generations.lifecycle.moves import NOT_CREATED, S, in_unit, move, note
from generations.models import Attempt, AttemptState, EntrySource, KeyProblem, ProviderKey, Task
from generations.providers.base import Failure, FailureClass, Money, Receipt, Unit
from generations.queue import enqueue

FIRST_POLL = timedelta(seconds=3)
FIRST_LOOK = timedelta(seconds=20)  # a vendor needs a moment before a new task stands in its list
TRY_AGAIN = timedelta(seconds=5)  # doubled with every try, up to:
TRY_AGAIN_AT_MOST = timedelta(minutes=5)

# A refused create goes back to waiting for these; every other class ends the task.
COMES_BACK = frozenset(
    {
        FailureClass.THROTTLED,
        FailureClass.ACCOUNT_LIMIT,
        FailureClass.ACCOUNT_CREDITS,
        FailureClass.PROVIDER_TRANSIENT,
    }
)
KEY_PROBLEMS = {
    FailureClass.ACCOUNT_AUTH: KeyProblem.AUTH,
    FailureClass.ACCOUNT_CREDITS: KeyProblem.CREDITS,
}


def claim(task: Task) -> Attempt | None:
    """Take a waiting task for sending: write down the intent before anything leaves the house."""
    with transaction.atomic():
        attempt = Attempt(
            task=task,
            number=task.attempts.count() + 1,
            key_id=task.key_id,
            provider=task.provider,
            base_url=task.key.base_url,
            token=Attempt.make_token(),
        )
        if not move(
            task,
            S.SUBMITTING,
            next_try_at=None,
            failure_class="",
            failure_code="",
            failure_text="",
            detail={"attempt": attempt.number},
        ):
            return None
        attempt.save()
        Task.objects.filter(pk=task.pk).update(attempt=attempt)
        task.attempt = attempt
        enqueue("submit", attempt.pk)
        return attempt


def mark_sent(attempt: Attempt, body_digest: str, callback_digest: str = "") -> bool:
    """The last write before the POST. True exactly once for an attempt: only the caller that got it may send."""
    now = timezone.now()
    with transaction.atomic():
        claimed = Attempt.objects.filter(pk=attempt.pk, state=AttemptState.CLAIMED, task__state=S.SUBMITTING)
        sent = {"sent_at": now, "body_digest": body_digest, "callback_digest": callback_digest}
        if not claimed.update(state=AttemptState.SENT, **sent):
            return False
    attempt.sent_at = now
    return True


def accept(attempt: Attempt, receipt: Receipt) -> bool:
    """The vendor made the task: from now on it is known by its remote id and must be followed."""
    try:
        return _accept(attempt, receipt)
    except IntegrityError:
        # The vendor named an id that another task has: which of the two is ours, nobody can say by itself.
        return lose_answer(attempt, Failure(FailureClass.AMBIGUOUS_SUBMIT, "remote_id_taken"))


def _accept(attempt: Attempt, receipt: Receipt) -> bool:
    task = attempt.task
    with transaction.atomic():
        now = timezone.now()
        first_poll = max(FIRST_POLL, timedelta(seconds=attempt.key.translator.poll_floor))
        quote = in_unit(task, receipt.quote)
        given_up = Task.objects.filter(pk=task.pk, state=S.FAILED, failure_code=NOT_CREATED).exists()
        if not move(
            task,
            S.QUEUED,
            only_from=[S.FAILED] if given_up else [S.SUBMITTING, S.UNCERTAIN],
            charge=None,
            finished_at=None,
            submitted_at=attempt.sent_at or now,
            next_poll_at=now + first_poll,
            quote=quote,
            failure_class="",  # an answer that was lost has been found
            failure_code="",
            failure_text="",
            seed=task.seed if task.seed is not None else receipt.seed,
            detail={"remote_id": receipt.remote_id},
        ):
            return False
        _close_attempt(attempt, AttemptState.ACCEPTED, remote_id=receipt.remote_id, next_look_at=None)
        if task.attempt_id != attempt.pk:
            Task.objects.filter(pk=task.pk).update(attempt=attempt)
            task.attempt = attempt
        if given_up:
            note(task, "late-success")
            ledger.reserve(task, task.estimate, unit=task.estimate_unit)
        ledger.reserve(task, quote, EntrySource.VENDOR)
        return True


def refuse(attempt: Attempt, failure: Failure) -> bool:
    """The create surely made nothing: wait and try again where that can help, else fail, free of charge."""
    task = attempt.task
    with transaction.atomic():
        said: dict[str, Any] = {
            "failure_class": failure.cls,
            "failure_code": failure.code[:80],
            "failure_text": failure.text,
        }
        if failure.cls in COMES_BACK:
            delay = _delay(attempt.number, failure.retry_after)
            moved = move(task, S.WAITING, next_try_at=timezone.now() + delay, detail={"code": failure.code}, **said)
        else:
            moved = move(
                task,
                S.FAILED,
                charge=Decimal(0),
                finished_at=timezone.now(),
                only_from=[S.SUBMITTING, S.UNCERTAIN],
                detail={"code": failure.code},
                **said,
            )
        if not moved:
            return False
        _close_attempt(attempt, AttemptState.REFUSED, failure_code=failure.code[:80])
        _flag_key(attempt.key_id, failure)
        _slow_down(attempt.key_id, failure)
        if task.state == S.FAILED:
            ledger.settle(task, Money(Decimal(0), Unit(task.unit)), "refused at create")
        return True


def lose_answer(attempt: Attempt, failure: Failure) -> bool:
    """The create was sent and nobody knows what became of it. Never sent again by itself; the hold stays."""
    with transaction.atomic():
        if not move(
            attempt.task,
            S.UNCERTAIN,
            submitted_at=attempt.sent_at,
            failure_class=FailureClass.AMBIGUOUS_SUBMIT,
            failure_code=failure.code[:80],
            failure_text=failure.text,
            detail={"code": failure.code},
        ):
            return False
        first_look = timezone.now() + FIRST_LOOK
        _close_attempt(attempt, AttemptState.UNKNOWN, failure_code=failure.code[:80], next_look_at=first_look)
        return True


def _close_attempt(attempt: Attempt, state: AttemptState, **fields: Any) -> None:
    fields |= {"state": state, "answered_at": timezone.now()}
    Attempt.objects.filter(pk=attempt.pk).update(**fields)
    for name, value in fields.items():
        setattr(attempt, name, value)


def _delay(tries: int, retry_after: float | None) -> timedelta:
    if retry_after is not None:
        return min(timedelta(seconds=retry_after), TRY_AGAIN_AT_MOST)
    doubled: timedelta = TRY_AGAIN * 2 ** min(tries - 1, 10)
    return min(doubled, TRY_AGAIN_AT_MOST)


def _slow_down(key_id: int, failure: Failure) -> None:
    """A key that was told to wait sends nothing for so long, whichever task is next."""
    if failure.cls == FailureClass.THROTTLED:
        ProviderKey.objects.filter(pk=key_id).update(next_send_at=timezone.now() + _delay(1, failure.retry_after))


def _flag_key(key_id: int, failure: Failure) -> None:
    problem = KEY_PROBLEMS.get(failure.cls)
    if problem:
        now = timezone.now()
        ProviderKey.objects.filter(pk=key_id).update(
            problem=problem, problem_at=now, last_error=failure.text or failure.code, last_error_at=now
        )
