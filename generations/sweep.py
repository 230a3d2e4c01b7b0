"""Finds work that a crash dropped: what is claimed but does not move is woken again or named uncertain."""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from generations import alerts, dispatch, evidence, keys, leases, lifecycle, pace, reconciliation, saving, sessions
from generations.models import Attempt, AttemptState, KeyProblem, KeyState, ProviderKey, Task, TaskState
from generations.providers import PROVIDERS
from generations.providers.base import Failure, FailureClass
from generations.queue import enqueue

log = logging.getLogger("videoforge.sweep")

UNSENT_AFTER = timedelta(seconds=15)  # claimed, but the job that sends it never ran
UNANSWERED_AFTER = timedelta(seconds=55)  # longer than a create may take, shorter than a minute
CHECK_EVERY = 24 * 3600.0  # seconds: the sums against their rows
LOOK_AT_KEYS_EVERY = 60.0
LEARN_EVERY, PRUNE_EVERY = 20.0, 600.0  # seconds; a bite of 1000 rows each time keeps up with any house
MOST_MOVED = 50  # of a key at a time
LOOK_AGAIN = timedelta(seconds=30)
LOOK_AGAIN_AT_MOST = timedelta(hours=1)
LISTED_FOR = timedelta(days=7)  # a late success may stand in a vendor's list for so long
PULSE_ASKED, PULSE_EVERY = "pulse-asked", 8.0  # seconds
RETEST_KEY_AFTER = timedelta(minutes=5)
AT_WORK = timedelta(days=1)  # a key used within this time has its figures asked for often, others seldom
REFRESH_AT_WORK, REFRESH_IDLE = timedelta(minutes=10), timedelta(hours=1)


def sweep() -> None:
    """All parts, each on its own: trouble in one must not leave the others undone."""
    for part in (
        ask_for_pulse, wake_unsent, name_uncertain, look_for_lost, saving.wake_next, saving.look_after, move_waiting,
        retest_keys, refresh_figures, now_and_then, alerts.look,
        reconciliation.nightly,
    ):  # fmt: skip
        try:
            part()
        except Exception:
            log.exception("sweep: %s", part.__name__)


def now_and_then() -> None:
    """What need not be done at each sweep."""
    if leases.seize("learn-paces", "sweep", LEARN_EVERY):
        pace.learn()
    if leases.seize("prune-evidence", "sweep", PRUNE_EVERY):
        evidence.prune()
    if leases.seize("expired-sessions", "sweep", PRUNE_EVERY):
        sessions.clear_expired()
    if leases.seize(f"check-totals {settings.TIME_ZONE}", "sweep", CHECK_EVERY):  # at once after another time zone
        enqueue("check_totals")
    if leases.seize("drained-keys", "sweep", LOOK_AT_KEYS_EVERY):
        keys.retire_drained()


def move_waiting() -> int:
    """Tasks that wait for a key which sends nothing go to another one of that vendor, where there is one that fits."""
    stuck = ~Q(state=KeyState.ACTIVE) | ~Q(problem="")
    unable = ProviderKey.objects.filter(stuck, tasks__state=TaskState.WAITING).distinct()
    return sum(_move_from(key) for key in unable)


def _move_from(key: ProviderKey) -> int:
    moved = 0
    for task in Task.objects.filter(key=key, state=TaskState.WAITING).select_related("key").order_by("pk")[:MOST_MOVED]:
        other = dispatch.another_key(task)
        moved += bool(other and lifecycle.move_to_key(task, other))
    return moved


def ask_for_pulse() -> None:
    """Have the queue prove that it moves: a heart that beats says nothing of workers that wait for ever."""
    if leases.seize(PULSE_ASKED, "sweep", PULSE_EVERY):
        enqueue("pulse")


def wake_unsent() -> int:
    """Queue the sending of attempts whose job got lost. Harmless if it did not: only one may mark itself sent."""
    now = timezone.now()
    stuck = Attempt.objects.filter(state=AttemptState.CLAIMED, claimed_at__lt=now - UNSENT_AFTER)
    woken = 0
    for attempt in stuck.filter(task__state=TaskState.SUBMITTING):
        woken += Attempt.objects.filter(pk=attempt.pk, claimed_at=attempt.claimed_at).update(claimed_at=now)
        enqueue("submit", attempt.pk)
    return woken


def name_uncertain() -> int:
    """A create was sent and its worker never wrote down an answer: nobody knows whether the task exists."""
    silent = Attempt.objects.filter(state=AttemptState.SENT, sent_at__lt=timezone.now() - UNANSWERED_AFTER)
    failure = Failure(FailureClass.AMBIGUOUS_SUBMIT, "worker_died", "The worker stopped before the answer came.")
    return sum(lifecycle.lose_answer(attempt, failure) for attempt in silent.select_related("task"))


def look_for_lost() -> int:
    """Queue the search for creates whose answer was lost, ever more rarely, as long as the vendor lists them."""
    now = timezone.now()
    listing = [slug for slug, provider in PROVIDERS.items() if provider.can_list]
    lost = Attempt.objects.filter(state=AttemptState.UNKNOWN, next_look_at__lte=now)
    lost = lost.filter(provider__in=listing, sent_at__gte=now - LISTED_FOR)
    for attempt in lost:
        pause = min(LOOK_AGAIN * 2 ** min(attempt.looks, 10), LOOK_AGAIN_AT_MOST)
        Attempt.objects.filter(pk=attempt.pk).update(next_look_at=now + pause, looks=attempt.looks + 1)
        enqueue("look_up", attempt.pk)
    return len(lost)


def retest_keys() -> int:
    """A key without credits is asked for its balance now and then, so that a top-up is noticed by itself."""
    now = timezone.now()
    empty = ProviderKey.objects.filter(problem=KeyProblem.CREDITS, problem_at__lt=now - RETEST_KEY_AFTER)
    for key in empty:
        ProviderKey.objects.filter(pk=key.pk).update(problem_at=now)
        enqueue("test_key", key.pk)
    return len(empty)


def refresh_figures() -> int:
    """Have vendors that tell it asked what accounts have left. A key with a problem is not asked here.

    The lease is the claim: it keeps others, and ourselves after a failure, from asking again before the time.
    """
    now = timezone.now()
    telling = [slug for slug, provider in PROVIDERS.items() if provider.reports_balance]
    asked = 0
    for key in ProviderKey.objects.filter(provider__in=telling, state=KeyState.ACTIVE, problem=KeyProblem.NONE):
        at_work = key.last_used_at is not None and key.last_used_at > now - AT_WORK
        pause = REFRESH_AT_WORK if at_work else REFRESH_IDLE
        if key.balance_at is None or key.balance_at <= now - pause:
            asked += _ask_figures(key, "at-work" if at_work else "idle", pause)
    return asked


def _ask_figures(key: ProviderKey, how: str, pause: timedelta) -> bool:
    with transaction.atomic():
        if not leases.seize(f"figures-{how}-{key.pk}", "sweep", pause.total_seconds()):
            return False
        enqueue("refresh_key", key.pk)
    return True
