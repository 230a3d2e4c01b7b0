"""The heartbeat: one worker of all clusters goes round every second and moves what is due.

``go_round`` runs inside an ordinary django-q job. It takes the lease ``rounds`` or, when that is held, waits as
the standby that takes over within half a second of the holder's end; a third one returns at once. So at most two
workers are ever busy with it, and no two go round at the same time. It is started by a one-minute schedule, by
every worker that starts, and by its predecessor.
"""

import logging
import multiprocessing
import os
import time
import uuid
from collections.abc import Callable

from django.utils import timezone

from generations import alerts, dispatch, leases, polling, sweep
from generations.queue import enqueue

log = logging.getLogger("videoforge.rounds")

ACTIVE, STANDBY, KICK = "rounds", "rounds-standby", "rounds-kick"
LEASE_SECONDS = 8.0
ROUND_SECONDS = 1.0
RUN_SECONDS = 55.0
WAIT_SECONDS = 200.0  # together with RUN_SECONDS below the job's timeout of 280
SWEEP_EVERY = 5.0
LAST_ANSWERS = 1.0  # what is still under way at the end of a run is asked again by the next one

# Set by qcluster when it is told to stop; workers share it because they are forked. Without it a stop would wait
# for the run to end. A raw value, because a lock could die with a killed worker.
going_down = multiprocessing.RawValue("b", 0)


def kick() -> None:
    """A worker started: see to it that somebody goes round. A cluster of four asks once, not four times."""
    if leases.seize(KICK, str(os.getpid()), 3):
        enqueue("poll")


def go_round(run_seconds: float = RUN_SECONDS, wait_seconds: float = WAIT_SECONDS) -> None:
    """Hold the lease and go round until the time is up, then hand over to a fresh job."""
    me = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    last = leases.last_beat(ACTIVE)
    if not _take_turn(me, wait_seconds):
        return
    if last is not None:
        alerts.worker_was_silent(last, timezone.now())
    try:
        _go(me, run_seconds)
    finally:
        leases.give_back(ACTIVE, me)
    if not going_down.value:
        enqueue("poll")


def _take_turn(me: str, wait_seconds: float) -> bool:
    if leases.seize(ACTIVE, me, LEASE_SECONDS):
        return True
    if not leases.seize(STANDBY, me, LEASE_SECONDS):
        return False
    try:
        return _wait_for_turn(me, wait_seconds)
    finally:
        leases.give_back(STANDBY, me)


def _wait_for_turn(me: str, wait_seconds: float) -> bool:
    end, parent = time.monotonic() + wait_seconds, os.getppid()
    while time.monotonic() < end and _wanted(parent):
        time.sleep(0.5)
        if leases.seize(ACTIVE, me, LEASE_SECONDS):
            return True
        if not leases.keep(STANDBY, me, LEASE_SECONDS):
            return False
    return False


def _wanted(parent: int) -> bool:
    """False when the cluster stops, or has died around us: then another process is our parent."""
    return not going_down.value and os.getppid() == parent


def _go(me: str, run_seconds: float) -> None:
    end, parent = time.monotonic() + run_seconds, os.getppid()
    sweep_at = 0.0
    with polling.Poller() as poller:
        while (started := time.monotonic()) < end and _wanted(parent) and leases.keep(ACTIVE, me, LEASE_SECONDS):
            one_round(poller, sweeping=started >= sweep_at)
            if started >= sweep_at:
                sweep_at = started + SWEEP_EVERY
            _rest(poller, started + ROUND_SECONDS)
        _take_in(poller, LAST_ANSWERS)


def one_round(poller: polling.Poller, *, sweeping: bool) -> None:
    """Everything that is due now, each step on its own: trouble in one costs that step of this round, no more."""
    steps: list[Callable[[], object]] = [dispatch.dispatch, poller.ask_due]
    if sweeping:
        steps.insert(0, sweep.sweep)
    for step in steps:
        try:
            step()
        except Exception:
            log.exception("%s failed in this round", step.__name__)


def _rest(poller: polling.Poller, until: float) -> None:
    """Take answers in as they come; with none under way, sleep out the second."""
    while (left := until - time.monotonic()) > 0:
        if not poller.waiting or not _take_in(poller, left):
            time.sleep(max(0.0, until - time.monotonic()))


def _take_in(poller: polling.Poller, seconds: float) -> bool:
    try:
        poller.take_in(seconds)
    except Exception:
        log.exception("answers could not be taken in")
        return False
    return True
