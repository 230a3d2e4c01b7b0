"""Is everything that VideoForge needs alive? For the banner, ``status`` and ``/healthz``."""

import os
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Min, Q
from django.utils import timezone
from django_q.models import OrmQ

from generations import saving
from generations.models import Attempt, AttemptState, Creation, CreationState, Lease, TaskState
from generations.rounds import ACTIVE

PULSE = "pulse"
SILENT_AFTER = timedelta(seconds=30)
QUEUE_STANDS_AFTER = timedelta(minutes=2)
UNSENT_AFTER, UNANSWERED_AFTER = timedelta(minutes=1), timedelta(minutes=2)  # the sweep is much quicker
COPY_LATE_AFTER = timedelta(minutes=10)


def last_beat() -> datetime | None:
    """The last moment at which heartbeat and queue were both known to move, in any cluster."""
    beats = dict(Lease.objects.filter(key__in=(ACTIVE, PULSE)).values_list("key", "beat_at"))
    known = [beats.get(ACTIVE), beats.get(PULSE)]
    return None if None in known else min(beat for beat in known if beat)


def worker_alive() -> bool:
    beat = last_beat()
    return beat is not None and timezone.now() - beat < SILENT_AFTER


@dataclass(frozen=True, slots=True)
class Figures:
    """Is anybody at work, and does the work move? ``stuck``: claims that nobody seems to hold any more."""

    alive: bool
    last_beat: datetime | None
    queued: int  # jobs that no worker has fetched
    oldest_queued_at: datetime | None
    stuck: int

    @property
    def oldest_queued_s(self) -> float | None:
        """Age of the oldest job that waits, in seconds."""
        return (timezone.now() - self.oldest_queued_at).total_seconds() if self.oldest_queued_at else None


def figures() -> Figures:
    # A job that a worker fetched has its lock in the future; before that it is the time of its queueing.
    waiting = OrmQ.objects.filter(lock__lte=timezone.now()).aggregate(number=Count("pk"), oldest=Min("lock"))
    return Figures(worker_alive(), last_beat(), waiting["number"], waiting["oldest"], _stuck())


def _stuck() -> int:
    """Claimed attempts that nobody sends, and sent ones of which nobody wrote down an answer."""
    now = timezone.now()
    unsent = Q(state=AttemptState.CLAIMED, claimed_at__lt=now - UNSENT_AFTER)
    unanswered = Q(state=AttemptState.SENT, sent_at__lt=now - UNANSWERED_AFTER)
    return Attempt.objects.filter(unsent | unanswered, task__state=TaskState.SUBMITTING).count()


def troubles() -> list[str]:
    """What is wrong, in short words without secrets; empty when all is well."""
    try:
        found = [] if worker_alive() else ["worker silent"]
        age = figures().oldest_queued_s
        if age is not None and age > QUEUE_STANDS_AFTER.total_seconds():
            found.append("queue not moving")
    except DatabaseError:
        return ["database not reachable"]
    if not _writable(Path(settings.MEDIA_ROOT)):
        found.append("media folder not writable")
    return found


def warnings() -> list[str]:
    """What an administrator should look at although everything runs."""
    overdue = timezone.now() - COPY_LATE_AFTER
    late = Creation.objects.filter(state=CreationState.PENDING, created_at__lt=overdue).count()
    counts = {"copies late": late, "copies at risk": saving.at_risk().count(), "stuck claims": figures().stuck}
    return [f"{name}: {number}" for name, number in counts.items() if number]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".health-")
        os.close(descriptor)
        os.unlink(name)
    except OSError:
        return False
    return True
