"""A run from its request to its end. One at a time for a key, and two at a time in the house."""

import logging
import uuid
from datetime import datetime, time, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from generations import alerts, leases, redactor, totals
from generations.models import (
    Attempt,
    AttemptState,
    DifferenceKind,
    DifferenceState,
    KeyProblem,
    KeyState,
    Lease,
    ProviderKey,
    Reconciliation,
    RunState,
    TaskState,
    User,
)
from generations.providers.base import ProviderError
from generations.queue import enqueue
from generations.reconciliation import asking, balance, listing
from generations.reconciliation.compare import MARGIN, Comparison

log = logging.getLogger("videoforge.reconciliation")

WINDOW = timedelta(days=7)  # a vendor's list goes back so far unless asked for more
ENDED_AGO = timedelta(minutes=15)  # of a night's window: what runs is no difference
NIGHT = time(3)  # on the books' clock
LEASE = 180.0  # seconds; longer than a page with all its pauses
PLACES = 2  # runs at once in the workers, which have other things to do
WAKE_EVERY = 60.0
OPEN = (RunState.WAITING, RunState.RUNNING)


class _LostLease(Exception):
    """Another process does this key now: nothing more is to be written."""


def request(
    key: ProviderKey, from_at: datetime, to_at: datetime, actor: User | None = None, *, nightly: bool = False
) -> Reconciliation:
    """Put a run down and have the worker do it. Raises ValueError for a window without time in it."""
    if from_at >= to_at:
        raise ValueError("the window ends before it begins")
    with transaction.atomic():
        run = Reconciliation.objects.create(key=key, from_at=from_at, to_at=to_at, actor=actor, nightly=nightly)
        enqueue("reconcile", run.pk)
        return run


def run_now(key: ProviderKey, from_at: datetime, to_at: datetime) -> Reconciliation:
    """A run in this process, from a command. It waits for one of that key that is at work."""
    found = Reconciliation.objects.create(key=key, from_at=from_at, to_at=to_at)
    while not run(found.pk) or Reconciliation.objects.filter(pk=found.pk, state__in=OPEN).exists():
        listing.wait(1)
    found.refresh_from_db()
    return found


def in_worker(pk: int) -> bool:
    """Do it if there is a place; a run that finds none is woken when one is free."""
    owner = uuid.uuid4().hex
    place = next((name for name in _places() if leases.seize(name, owner, LEASE)), None)
    if place is None:
        return False
    try:
        return run(pk, place=place, owner=owner)
    finally:
        leases.give_back(place, owner)
        wake()


def _places() -> list[str]:
    return [f"reconcile-place-{number}" for number in range(PLACES)]


def run(pk: int, *, place: str = "", owner: str = "") -> bool:
    """Do a run, here and now. False when another one of its key is at work; it may be called again after a crash."""
    found = Reconciliation.objects.select_related("key").get(pk=pk)
    if found.state not in OPEN:
        return True
    owner, lease = owner or uuid.uuid4().hex, _lease(found.key)
    if not leases.seize(lease, owner, LEASE):
        return False

    def keep() -> None:
        if not all(leases.keep(name, owner, LEASE) for name in filter(None, (lease, place))):
            raise _LostLease

    try:
        _begin(found)
        _carry_out(found, keep)
    except _LostLease:
        log.warning("reconciliation %s: stood still for too long, another process goes on", pk)
    finally:
        leases.give_back(lease, owner)
    return True


def _lease(key: ProviderKey) -> str:
    return f"reconcile-{key.pk}"


def _begin(run: Reconciliation) -> None:
    # A run that was cut off began where it began: what it found then is as new as what it finds now.
    run.started_at = run.started_at or timezone.now()
    run.state, run.lists = RunState.RUNNING, run.key.translator.can_list
    run.save(update_fields=["state", "started_at", "lists"])


def _carry_out(run: Reconciliation, keep: asking.Keep) -> None:
    comparison = Comparison(run)
    try:
        state, error = _compare(comparison, keep)
        keep()
        comparison.counts["found"] += balance.compare(run)
        _end(comparison, state, error)
    except _LostLease:
        raise
    except Exception:
        log.exception("reconciliation %s", run.pk)
        _end(comparison, RunState.FAILED, "broke")


def _compare(comparison: Comparison, keep: asking.Keep) -> tuple[RunState, str]:
    """The tasks; returns whether they were read to the end, and what was in the way."""
    state, error = RunState.COMPLETE, ""
    try:
        if comparison.run.lists:
            _read_list(comparison, keep)
        else:
            asking.ask_each(comparison, keep)
    except listing.Incomplete as why:
        state, error = RunState.INCOMPLETE, f"{why.why}: {why.told}" if why.told else why.why
    except ProviderError as refused:
        state, error = RunState.FAILED, f"refused: {redactor.redact(refused.failure.text or refused.failure.code)}"
    if state == RunState.COMPLETE and comparison.counts["unread"]:
        state, error = RunState.INCOMPLETE, "unread"
    return state, error


def _read_list(comparison: Comparison, keep: asking.Keep) -> None:
    """The list from a moment before the window to one after it; its end stays where it is while new tasks come."""
    run, now = comparison.run, timezone.now()
    for page in listing.pages(run.key, run.from_at - MARGIN, min(run.to_at + MARGIN, max(now, run.to_at))):
        keep()
        comparison.counts["pages"] += 1
        comparison.counts["unread"] += page.unread
        comparison.take(page.rows)
    if not comparison.counts["unread"]:
        asking.look_for_missing(comparison, keep)


COUNTS = (
    "listed", "same", "pages", "found", "unread", "confirmed", "unconfirmed", "forgotten", "elsewhere", "unlisted",
)  # fmt: skip


@transaction.atomic
def _end(comparison: Comparison, state: RunState, error: str) -> None:
    """What came of it and who is told of it stand together: what a run has ended without telling nobody would tell."""
    run = comparison.run
    counts = {name: comparison.counts[name] for name in COUNTS}
    unclear = Attempt.objects.filter(
        key=run.key,
        state=AttemptState.UNKNOWN,
        task__state=TaskState.UNCERTAIN,
        sent_at__range=(run.from_at, run.to_at),
    )
    Reconciliation.objects.filter(pk=run.pk).update(
        **counts, state=state, error=error[:500], ended_at=timezone.now(), lost=unclear.count()
    )
    run.refresh_from_db()
    log.info("reconciliation %s of %s: %s %s %s", run.pk, run.key.label, state, error, counts)
    _tell(run)


def _tell(run: Reconciliation) -> None:
    """One alert for all that is new, however much it is; and one where a night brought no comparison."""
    still_open = run.seen.filter(state=DifferenceState.OPEN)
    fresh = still_open.filter(kind=DifferenceKind.THEIRS, found_at__gte=run.started_at)
    if number := fresh.count():
        amount = fresh.aggregate(sum=Sum("theirs"))["sum"] or Decimal(0)
        alerts.external_use(run, number, amount, run.key.translator.unit)
    if still_open.exclude(kind=DifferenceKind.THEIRS).exists():
        alerts.unexplained(run)
    if run.nightly and run.state != RunState.COMPLETE:
        alerts.not_compared(run)


# --- The nights ----------------------------------------------------------------------------------------------


def nightly() -> int:
    """From the sweep, cheap to call: wake what waits, and after three in the morning have every key compared once."""
    if not leases.seize("reconcile-nightly", "sweep", WAKE_EVERY):
        return 0
    wake()
    begins = datetime.combine(totals.today(), NIGHT, tzinfo=totals.zone())
    if timezone.now() < begins:
        return 0
    done = Reconciliation.objects.filter(nightly=True, created_at__gte=begins).values("key")
    to_at = timezone.now() - ENDED_AGO
    accepted = ProviderKey.objects.filter(created_at__lt=begins).exclude(problem=KeyProblem.AUTH)
    wanted = [key for key in accepted.exclude(pk__in=done) if is_of(key, to_at - WINDOW, to_at)]
    for key in wanted:
        request(key, to_at - WINDOW, to_at, nightly=True)
    return len(wanted)


def is_of(key: ProviderKey, from_at: datetime, to_at: datetime) -> bool:
    """Used in the window, whatever became of it; or idle with a list, where nobody else would notice a stranger."""
    if key.translator.can_list and key.state != KeyState.DISABLED:
        return True
    used = key.last_used_at is not None and key.last_used_at >= from_at
    return used or Attempt.objects.filter(key=key, sent_at__range=(from_at, to_at)).exists()


def wake() -> None:
    """Queue what waits for a place, and what a crash left in the middle; one of a key, the oldest first."""
    held = set(
        Lease.objects.filter(key__startswith="reconcile-", until__gt=timezone.now()).values_list("key", flat=True)
    )
    free, seen = PLACES - len(held & set(_places())), set()
    for run in Reconciliation.objects.filter(state__in=OPEN).select_related("key").order_by("pk"):
        if free <= 0:
            return
        if run.key_id in seen or _lease(run.key) in held:
            continue
        seen.add(run.key_id)
        free -= 1
        enqueue("reconcile", run.pk)
