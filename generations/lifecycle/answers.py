"""What came of the one POST. An answer belongs to its attempt, and is kept there whatever became of the task since.

A task can have been sent again by a person while the first answer was still on its way: so an answer moves the task
only where it is still about this attempt, and a clip that the vendor made is never dropped.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Max
from django.utils import timezone

from generations import ledger, redactor
from generations.lifecycle.moves import S, in_unit, log, move, note
from generations.models import Attempt, AttemptState, Batch, EntrySource, KeyProblem, ProviderKey, Task, TaskInput
from generations.providers.base import Failure, FailureClass, Money, Receipt, Unit

FIRST_POLL = timedelta(seconds=3)
FIRST_LOOK = timedelta(seconds=20)  # a vendor needs a moment before a new task stands in its list
TRY_AGAIN = timedelta(seconds=5)  # doubled with every try, up to:
TRY_AGAIN_AT_MOST = timedelta(minutes=5)
ASKED_TO_WAIT_AT_MOST = timedelta(hours=1)  # a vendor's own word

# A refused create goes back to waiting for these; every other class ends the task.
COMES_BACK = frozenset(
    {
        FailureClass.THROTTLED,
        FailureClass.ACCOUNT_LIMIT,
        FailureClass.ACCOUNT_CREDITS,
        FailureClass.PROVIDER_TRANSIENT,
    }
)
SLOWS_KEY = frozenset({FailureClass.THROTTLED, FailureClass.ACCOUNT_LIMIT})
KEY_PROBLEMS = {
    FailureClass.ACCOUNT_AUTH: KeyProblem.AUTH,
    FailureClass.ACCOUNT_CREDITS: KeyProblem.CREDITS,
}
UNANSWERED = (AttemptState.SENT, AttemptState.UNKNOWN)
# Where the task may stand when the vendor says that it made this attempt's, and no other one is made.
BEFORE_QUEUED = (S.SUBMITTING, S.UNCERTAIN, S.WAITING, S.FAILED, S.CANCELLED)


def accept(attempt: Attempt, receipt: Receipt) -> bool:
    """The vendor made the task: from now on it is known by its remote id and must be followed."""
    try:
        with transaction.atomic():
            return _accept(attempt, receipt)
    except IntegrityError:
        attempt.refresh_from_db(fields=["state", "remote_id", "next_look_at", "answered_at"])
        # The vendor named an id that another task has: which of the two is ours, nobody can say by itself.
        return lose_answer(attempt, Failure(FailureClass.AMBIGUOUS_SUBMIT, "remote_id_taken"))


def _accept(attempt: Attempt, receipt: Receipt) -> bool:
    if not _close(attempt, AttemptState.ACCEPTED, UNANSWERED, remote_id=receipt.remote_id, next_look_at=None):
        return False
    ledger.take_back_external(attempt.provider, receipt.remote_id, "made here after all")
    task = _now(attempt)
    if _another_is_made(task, attempt):
        _part(attempt)
        task = attempt.task
    late = task.state in (S.FAILED, S.CANCELLED)
    now = timezone.now()
    quote = in_unit(task, receipt.quote)
    moved = move(
        task,
        S.QUEUED,
        only_from=BEFORE_QUEUED,
        attempt=attempt,
        key=attempt.key,  # it may have waited for another one meanwhile
        charge=None,
        finished_at=None,
        next_try_at=None,
        submitted_at=attempt.sent_at or now,
        next_poll_at=now + max(FIRST_POLL, timedelta(seconds=attempt.key.translator.poll_floor)),
        quote=quote,
        failure_class="",  # an answer that was lost has been found
        failure_code="",
        failure_text="",
        seed=task.seed if task.seed is not None else receipt.seed,
        detail={"remote_id": receipt.remote_id},
    )
    if not moved:
        log.error("attempt %s is %s at the vendor, and its task is %s", attempt.pk, receipt.remote_id, task.state)
        return False
    if late:
        note(task, "late-success")
    ledger.move_hold(task, "the key that sent it")
    ledger.reserve(task, task.estimate, unit=task.estimate_unit)
    ledger.reserve(task, quote, EntrySource.VENDOR)
    return True


def _now(attempt: Attempt) -> Task:
    """The attempt's task as it stands now; what the caller had may be as old as its request."""
    task = attempt.task
    Task.objects.select_for_update().filter(pk=task.pk).exists()
    task.refresh_from_db()
    return task


def _another_is_made(task: Task, attempt: Attempt) -> bool:
    """Whether the vendor has made this task by another attempt already. One that was not sent yet is called back."""
    others = Attempt.objects.filter(task=task).exclude(pk=attempt.pk)
    for unsent in others.filter(state=AttemptState.CLAIMED):
        _close(unsent, AttemptState.REFUSED, (AttemptState.CLAIMED,), failure_code="another_answered")
    return others.filter(state=AttemptState.ACCEPTED).exists()


def _part(attempt: Attempt) -> None:
    """Both were made, and both are paid: the one that nobody counted on becomes a task of its own beside the other."""
    first = attempt.task
    place = Task.objects.filter(batch=first.batch_id).aggregate(last=Max("position"))["last"] + 1
    twin = Task.objects.get(pk=first.pk)
    twin.pk, twin._state.adding = Task._meta.pk.get_default(), True
    twin.position, twin.state, twin.attempt = place, S.UNCERTAIN, None
    twin.progress = twin.started_at = twin.made_at = twin.finished_at = twin.next_poll_at = twin.charge = None
    twin.created_at = twin.changed_at = timezone.now()
    twin.save(force_insert=True)
    Batch.objects.filter(pk=first.batch_id).update(size=F("size") + 1)
    TaskInput.objects.bulk_create(
        TaskInput(task=twin, asset_id=each.asset_id, position=each.position) for each in first.task_inputs.all()
    )
    Attempt.objects.filter(pk=attempt.pk).update(task=twin, number=1)
    attempt.task, attempt.number = twin, 1
    note(first, "made-twice", other=str(twin.pk))
    note(twin, "made-twice", other=str(first.pk))
    log.error("task %s was made twice; the other one is task %s", first.pk, twin.pk)


def refuse(attempt: Attempt, failure: Failure) -> bool:
    """The create surely made nothing: wait and try again where that can help, else fail, free of charge."""
    with transaction.atomic():
        answered = (AttemptState.CLAIMED, *UNANSWERED)
        if not _close(attempt, AttemptState.REFUSED, answered, failure_code=failure.code[:80], next_look_at=None):
            return False
        _flag_key(attempt.key_id, failure)
        _slow_down(attempt.key_id, failure)
        task = _now(attempt)
        return task.attempt_id == attempt.pk and _take_back(attempt, task, failure)


def _take_back(attempt: Attempt, task: Task, failure: Failure) -> bool:
    said: dict[str, Any] = {
        "failure_class": failure.cls,
        "failure_code": failure.code[:80],
        "failure_text": redactor.redact(failure.text),
        "only_from": [S.SUBMITTING, S.UNCERTAIN],
        "detail": {"code": failure.code},
    }
    if failure.cls in COMES_BACK:
        return move(task, S.WAITING, next_try_at=timezone.now() + _delay(attempt.number, failure.retry_after), **said)
    free = not may_exist(task)
    if not move(task, S.FAILED, charge=Decimal(0) if free else None, finished_at=timezone.now(), **said):
        return False
    if free:
        ledger.settle(task, Money(Decimal(0), Unit(task.unit)), "refused at create")
    return True


def may_exist(task: Task, besides: Attempt | None = None) -> bool:
    """Whether the vendor may have made a task of an attempt whose answer was lost; then nobody can call it free."""
    unclear = Attempt.objects.filter(task=task, state__in=UNANSWERED)
    return unclear.exclude(pk=besides.pk).exists() if besides else unclear.exists()


def lose_answer(attempt: Attempt, failure: Failure) -> bool:
    """The create was sent and nobody knows what became of it. Never sent again by itself; the hold stays."""
    with transaction.atomic():
        first_look = timezone.now() + FIRST_LOOK
        said = {"failure_code": failure.code[:80], "next_look_at": first_look}
        if not _close(attempt, AttemptState.UNKNOWN, (AttemptState.SENT,), **said):
            return False
        task = _now(attempt)
        return task.attempt_id == attempt.pk and move(
            task,
            S.UNCERTAIN,
            submitted_at=attempt.sent_at,
            failure_class=FailureClass.AMBIGUOUS_SUBMIT,
            failure_code=failure.code[:80],
            failure_text=redactor.redact(failure.text),
            detail={"code": failure.code},
        )


def _close(attempt: Attempt, state: AttemptState, only_from: tuple[AttemptState, ...], **fields: Any) -> bool:
    """Write an attempt's outcome down, once: an answer that comes after another one changes nothing."""
    fields |= {"state": state, "answered_at": timezone.now()}
    if not Attempt.objects.filter(pk=attempt.pk, state__in=only_from).update(**fields):
        return False
    for name, value in fields.items():
        setattr(attempt, name, value)
    return True


def _delay(tries: int, retry_after: float | None) -> timedelta:
    if retry_after is not None:
        return min(timedelta(seconds=retry_after), ASKED_TO_WAIT_AT_MOST)
    doubled: timedelta = TRY_AGAIN * 2 ** min(tries - 1, 10)
    return min(doubled, TRY_AGAIN_AT_MOST)


def _slow_down(key_id: int, failure: Failure) -> None:
    """A key that was told to wait sends nothing for so long, whichever task is next."""
    if failure.cls in SLOWS_KEY:
        ProviderKey.objects.filter(pk=key_id).update(next_send_at=timezone.now() + _delay(1, failure.retry_after))


def _flag_key(key_id: int, failure: Failure) -> None:
    problem = KEY_PROBLEMS.get(failure.cls)
    if problem:
        now, said = timezone.now(), redactor.redact(failure.text or failure.code)
        ProviderKey.objects.filter(pk=key_id).update(
            problem=problem, problem_at=now, last_error=said, last_error_at=now
        )
