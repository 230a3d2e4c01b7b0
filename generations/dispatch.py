"""Who may submit next, and the one POST of a claimed attempt."""

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

from django.db import DatabaseError, transaction
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from generations import addresses, assets, budgets, callbacks, evidence, lifecycle, transport
from generations.models import (
    FORGOTTEN_AFTER,
    FORGOTTEN_AFTER_ERRORS,
    Attempt,
    AttemptState,
    KeyState,
    ProviderKey,
    Task,
    TaskState,
)
from generations.providers.base import (
    Answer,
    AnswerLost,
    Call,
    Failure,
    FailureClass,
    ImageTransport,
    Mode,
    NotSent,
    Order,
    ProviderError,
    Refused,
)
from generations.queue import enqueue
from generations.stock import stock_of

log = logging.getLogger("videoforge.dispatch")

UNCERTAIN_HOLDS_SLOT = timedelta(minutes=15)
# A create may take 50 seconds. Each vendor may always send one, whoever hangs: with five of them at most seven send.
MOST_SENDING, MOST_SENDING_PER_VENDOR = 4, 2
ACCEPTED = "accepted"
BUSY_PAUSES = (0.5, 2.0, 10.0)  # seconds, before a write is tried again
BURST = 2.0  # seconds: what was not sent for so long may be sent at once


def dispatch() -> int:
    """Claim waiting tasks for every free slot of every key; returns how many. Sending them is a job each."""
    return sum(_fill(key) for key in ProviderKey.objects.filter(pk__in=_keys_with_due_tasks()))


def _due() -> QuerySet[Task]:
    return Task.objects.filter(
        Q(next_try_at__isnull=True) | Q(next_try_at__lte=timezone.now()), state=TaskState.WAITING
    )


def _keys_with_due_tasks() -> QuerySet[Task, int]:
    usable = _due().filter(key__state=KeyState.ACTIVE, key__problem="")
    return usable.order_by().values_list("key_id", flat=True).distinct()


def _fill(key: ProviderKey) -> int:
    claimed = 0
    while claim_next(key.pk):
        claimed += 1
    return claimed


def claim_next(key_id: int) -> Attempt | None:
    """Claim the next task in turn if the key has a free slot.

    The lock on the key's row (SQLite: the write lock of the transaction) keeps two workers from filling the
    last slot twice.
    """
    with transaction.atomic():
        key = ProviderKey.objects.select_for_update().get(pk=key_id)
        if not key.takes_new_work or not _may_send(key):
            return None
        task = _next_in_turn(key, _kinds_with_room(key))
        attempt = lifecycle.claim(task) if task else None
        if attempt:
            _take_pace(key)
        return attempt


def _kinds_with_room(key: ProviderKey) -> list[bool]:
    """Ordinary and off-peak tasks (``off_peak`` as a value) have slots apart: those wait at the vendor for hours."""
    held = dict(_in_flight(key).order_by().values_list("off_peak").annotate(number=Count("pk")))
    return [off_peak for off_peak in (False, True) if held.get(off_peak, 0) < key.slots]


def _may_send(key: ProviderKey) -> bool:
    """Workers are free for it, and the key's pace allows it."""
    sending = Task.objects.filter(state=TaskState.SUBMITTING)
    here = sending.filter(provider=key.provider).count()
    if here >= (MOST_SENDING_PER_VENDOR if sending.count() < MOST_SENDING else 1):
        return False
    return key.next_send_at is None or key.next_send_at <= timezone.now()


def _take_pace(key: ProviderKey) -> None:
    """``next_send_at`` runs ahead by one interval a task, from at most BURST seconds ago: a bucket of tokens."""
    now, interval = timezone.now(), timedelta(seconds=1 / float(key.sends_per_second))
    full = now - timedelta(seconds=BURST)
    start = max(key.next_send_at or full, full)
    ProviderKey.objects.filter(pk=key.pk).update(next_send_at=start + interval)


def another_key(task: Task) -> ProviderKey | None:
    """An active key of the same vendor and address that sells the same and can pay for it, the emptiest first."""
    keys = ProviderKey.objects.filter(provider=task.provider, base_url=task.key.base_url, state=KeyState.ACTIVE)
    keys = keys.filter(problem="").exclude(pk=task.key_id)
    waiting = Count("tasks", filter=Q(tasks__state=TaskState.WAITING))
    return next((key for key in keys.annotate(waiting=waiting).order_by("waiting", "pk") if _fits(task, key)), None)


def _fits(task: Task, key: ProviderKey) -> bool:
    stock = stock_of(key)
    sold = any(offer.mode == task.mode and offer.model == task.model for offer in stock.offers)
    if not sold or Mode(task.mode) in stock.closed:
        return False
    return budgets.same_money(task.key, key) or not any(budgets.check(budgets.standings(None, key), [task]))


def _in_flight(key: ProviderKey) -> QuerySet[Task]:
    """What may hold a slot at the vendor. Nothing holds one for ever: it would have ended by then, or is forgotten."""
    now = timezone.now()
    held = Task.objects.filter(key=key, state__in=TaskState.in_flight())
    held = held.exclude(state=TaskState.UNCERTAIN, submitted_at__lt=now - UNCERTAIN_HOLDS_SLOT)
    silent = {"poll_errors__gte": FORGOTTEN_AFTER_ERRORS, "submitted_at__lt": now - FORGOTTEN_AFTER}
    return held.exclude(state__in=(TaskState.QUEUED, TaskState.PROCESSING), **silent)


def _next_in_turn(key: ProviderKey, kinds: list[bool]) -> Task | None:
    """The oldest task of the person who has least in flight on this key: a batch of forty blocks nobody."""
    mine = (
        Task.objects.filter(key=key, owner=OuterRef("owner"), state__in=TaskState.in_flight())
        .order_by()
        .values("owner")
        .annotate(number=Count("pk"))
        .values("number")
    )
    due = _due().filter(key=key, off_peak__in=kinds).select_related("key")
    return due.annotate(running=Coalesce(Subquery(mine), 0)).order_by("running", "id").first()


def submit(attempt_id: int) -> None:
    """Send a claimed attempt: exactly one POST, outside any transaction. Running this twice sends once."""
    attempt = Attempt.objects.select_related("task", "key").get(pk=attempt_id)
    if attempt.state != AttemptState.CLAIMED:
        return
    address, callback_digest = callbacks.address_for(attempt) or (None, "")
    try:
        call = _build(attempt, address)
    except Refused as error:
        lifecycle.refuse(attempt, error.failure)
        return
    except Exception:
        # Nothing was sent: back to waiting, where it can be cancelled, instead of a slot held for ever.
        log.exception("attempt %s cannot be built", attempt.pk)
        lifecycle.refuse(attempt, Failure(FailureClass.PROVIDER_TRANSIENT, "not_built"))
        return
    if not lifecycle.mark_sent(attempt, evidence.digest(call), callback_digest):
        return
    outcome = _send(call)
    said = _write_down(attempt, outcome)
    # What follows may fail; the answer is kept.
    enqueue("dispatch")
    evidence.count(attempt.key, call.kind)
    if said == ACCEPTED:
        evidence.worked(attempt.key)
    evidence.record(attempt, call, outcome, said)


def _write_down(attempt: Attempt, outcome: Answer | ProviderError) -> str:
    """Take the answer in, and say in a word what it was. A database that is busy for a while must not cost a clip."""
    try:
        if isinstance(outcome, ProviderError):
            raise outcome
        receipt = attempt.key.translator.read_receipt(outcome)
    except AnswerLost as error:
        lost = error.failure
        _again_if_busy(attempt, lost.code, lambda: lifecycle.lose_answer(attempt, lost))
        return lost.code
    except (NotSent, Refused) as error:
        no = error.failure
        _again_if_busy(attempt, no.code, lambda: lifecycle.refuse(attempt, no))
        return no.code
    _again_if_busy(attempt, receipt.remote_id, lambda: lifecycle.accept(attempt, receipt))
    return ACCEPTED


def _again_if_busy(attempt: Attempt, what: str, write: Callable[[], bool]) -> None:
    for pause in BUSY_PAUSES:
        try:
            write()
            return
        except DatabaseError:
            # Should all tries fail, the log is where a person finds the vendor's id.
            log.exception("attempt %s: answered with %s, which could not be written down", attempt.pk, what)
            time.sleep(pause)
    write()


def _send(call: Call) -> Answer | ProviderError:
    try:
        return transport.send(call)
    except ProviderError as error:
        return error


def _build(attempt: Attempt, callback_url: str | None) -> Call:
    """The create call of an attempt; raises Refused for what cannot be sent as it is."""
    try:
        return attempt.key.translator.build_create(
            attempt.key.account(attempt.base_url), build_order(attempt, callback_url)
        )
    except OSError as error:
        log.error("task %s: input image cannot be read: %s", attempt.task_id, error)
        raise Refused(Failure(FailureClass.USER_INPUT, "input_missing", "An input image is missing.")) from None


def build_order(attempt: Attempt, callback_url: str | None = None) -> Order:
    task = attempt.task
    return Order(
        mode=Mode(task.mode),
        model=task.wire_model,
        prompt=task.prompt_text,
        token=attempt.token,
        duration=task.duration,
        resolution=task.resolution,
        aspect_ratio=task.aspect_ratio or None,
        images=tuple(_pictures(attempt)),
        seed=task.seed,
        audio=task.audio,
        off_peak=task.off_peak,
        options=task.options,
        callback_url=callback_url,
        source_id=task.source.remote_id if task.source else "",
        source_url=task.source.source_url if task.source else "",
    )


def _pictures(attempt: Attempt) -> Iterator[str]:
    """The input pictures, inside the request or as addresses that the vendor fetches."""
    inputs = attempt.task.task_inputs.select_related("asset")
    if attempt.key.translator.image_transport(attempt.key.set_options) is ImageTransport.INLINE:
        yield from (assets.as_data_url(each.asset) for each in inputs)
        return
    house = addresses.house_for(attempt.base_url)
    if inputs and not house:
        text = "The vendor fetches pictures by address, and VIDEOFORGE_PUBLIC_URL is not set."
        raise Refused(Failure(FailureClass.USER_INPUT, "no_public_address", text))
    lifetime = addresses.OFF_PEAK_LIFETIME if attempt.task.off_peak else addresses.PICTURE_LIFETIME
    yield from (addresses.picture_url(each.asset, house, lifetime) for each in inputs)
