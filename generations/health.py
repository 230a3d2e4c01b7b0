"""Is everything that VideoForge needs alive? For the banner, ``status``, ``/healthz`` and the page of figures.

A trouble means that the house does not work; a warning is for an administrator to look at although everything runs.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone
from django_q.models import OrmQ

from generations import archive, pace, saving
from generations.models import AttemptState, Creation, CreationState, Lease, Task, TaskState
from generations.providers import PROVIDERS
from generations.rounds import ACTIVE

PULSE = "pulse"
SILENT_AFTER = timedelta(seconds=30)
NOT_MOVING_AFTER = timedelta(seconds=120)  # for a job that nobody fetched
COPY_LATE_AFTER = timedelta(minutes=10)
CLAIMED_AT_MOST, SENT_AT_MOST = timedelta(seconds=60), timedelta(seconds=120)
UNCLEAR_AT_MOST = timedelta(hours=1)  # at a vendor that lists, where we look ourselves first
MADE = (TaskState.ARCHIVING, TaskState.SUCCEEDED, TaskState.LOST)  # the vendor finished them


@dataclass(frozen=True, slots=True)
class Figures:
    """Clips from the vendor's success to our copy, and the worker that sees to them."""

    finished: int  # clips that the vendor finished: archived + pending + lost
    archived: int
    pending: int
    lost: int
    at_risk: int  # copies
    next_deadline: datetime | None
    alive: bool
    last_beat: datetime | None
    queued: int  # jobs that nobody fetched yet
    oldest_queued_at: datetime | None
    stuck: int

    @property
    def oldest_queued_s(self) -> float | None:
        """Age of the oldest job that waits, in seconds."""
        return _age(self.oldest_queued_at).total_seconds() if self.oldest_queued_at else None


def figures() -> Figures:
    """All of them from a fixed number of queries."""
    states = dict(Task.objects.filter(state__in=MADE).order_by().values_list("state").annotate(Count("pk")))
    queued, oldest = queue()
    return Figures(
        finished=sum(states.values()),
        archived=states.get(TaskState.SUCCEEDED, 0),
        pending=states.get(TaskState.ARCHIVING, 0),
        lost=states.get(TaskState.LOST, 0),
        at_risk=saving.at_risk().count(),
        next_deadline=Creation.objects.filter(state=CreationState.PENDING).aggregate(first=Min("deadline"))["first"],
        alive=worker_alive(),
        last_beat=last_beat(),
        queued=queued,
        oldest_queued_at=oldest,
        stuck=stuck().count(),
    )


# --- The worker ---------------------------------------------------------------------------------------------


def last_beat() -> datetime | None:
    """The last moment at which heartbeat and queue were both known to move, in any cluster."""
    beats = dict(Lease.objects.filter(key__in=(ACTIVE, PULSE)).values_list("key", "beat_at"))
    known = [beats.get(ACTIVE), beats.get(PULSE)]
    return None if None in known else min(beat for beat in known if beat)


def worker_alive() -> bool:
    beat = last_beat()
    return beat is not None and timezone.now() - beat < SILENT_AFTER


def queue() -> tuple[int, datetime | None]:
    """How many jobs nobody has fetched yet, and since when the oldest of them waits.

    A row's lock is the moment it was queued; a worker that fetches the job moves it into the future, and on its end
    the row goes.
    """
    waiting = OrmQ.objects.filter(lock__lte=timezone.now()).aggregate(number=Count("pk"), oldest=Min("lock"))
    return waiting["number"], waiting["oldest"]


def stuck() -> QuerySet[Task]:
    """Claimed for sending, and neither sent nor given up in a time in which the sweep should have seen to it.

    The sweep moves ``claimed_at`` on whenever it wakes an attempt; the task itself does not change meanwhile.
    """
    claimed, sent = timezone.now() - CLAIMED_AT_MOST, timezone.now() - SENT_AT_MOST
    nothing_sent = Q(attempt=None) | ~Q(attempt__state=AttemptState.SENT)
    too_long = nothing_sent & (Q(changed_at__lt=claimed) | Q(attempt__claimed_at__lt=claimed))
    unanswered = Q(attempt__state=AttemptState.SENT, attempt__sent_at__lt=sent)
    return Task.objects.filter(too_long | unanswered, state=TaskState.SUBMITTING)


# --- What waits ---------------------------------------------------------------------------------------------


def late() -> QuerySet[Creation]:
    return Creation.objects.filter(state=CreationState.PENDING, created_at__lt=timezone.now() - COPY_LATE_AFTER)


def undecided() -> QuerySet[Task]:
    """Unclear whether the vendor took it, and a person has to find out: we cannot ask, or have asked for an hour."""
    asked = [slug for slug, provider in PROVIDERS.items() if provider.can_list]
    long_ago = Q(attempt__sent_at__lt=timezone.now() - UNCLEAR_AT_MOST)
    return Task.objects.filter(~Q(provider__in=asked) | long_ago, state=TaskState.UNCERTAIN)


def overdue() -> QuerySet[Task]:
    """Running at the vendor for so long that it is asked but seldom."""
    now = timezone.now()
    late = Q(off_peak=False, submitted_at__lt=now - pace.OVERDUE)
    late |= Q(off_peak=True, submitted_at__lt=now - pace.OFF_PEAK_OVERDUE)
    return Task.objects.filter(late, state__in=(TaskState.QUEUED, TaskState.PROCESSING))


def troubles() -> list[str]:
    """What is wrong, in short words without secrets; empty when all is well."""
    try:
        found = [] if worker_alive() else ["worker silent"]
        _, oldest = queue()
    except DatabaseError:
        return ["database not reachable"]
    if _age(oldest) > NOT_MOVING_AFTER:
        found.append("queue not moving")
    if not _writable(Path(settings.MEDIA_ROOT)):
        found.append("media folder not writable")
    return found


def warnings() -> list[str]:
    """What an administrator should look at although everything runs."""
    counted = {
        "copies at risk": saving.at_risk(),
        "copies late": late(),
        "stuck claims": stuck(),
        "unclear, a person decides": undecided(),
        "overdue at the vendor": overdue(),
    }
    return [*_disk(), *(f"{what}: {number}" for what, rows in counted.items() if (number := rows.count()))]


def _disk() -> Iterator[str]:
    try:
        archive.check_room(Path(settings.MEDIA_ROOT))
    except archive.CopyError as error:
        yield error.word


def _age(since: datetime | None) -> timedelta:
    return timezone.now() - since if since else timedelta(0)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".health-")
        os.close(descriptor)
        os.unlink(name)
    except OSError:
        return False
    return True
