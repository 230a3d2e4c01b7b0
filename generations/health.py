"""Is everything that VideoForge needs alive? For the banner, ``status`` and ``/healthz``."""

import os
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from generations.models import Creation, CreationState, Lease
from generations.rounds import ACTIVE

PULSE = "pulse"
SILENT_AFTER = timedelta(seconds=30)
COPY_LATE_AFTER = timedelta(minutes=10)


def last_beat() -> datetime | None:
    """The last moment at which heartbeat and queue were both known to move, in any cluster."""
    beats = dict(Lease.objects.filter(key__in=(ACTIVE, PULSE)).values_list("key", "beat_at"))
    known = [beats.get(ACTIVE), beats.get(PULSE)]
    return None if None in known else min(beat for beat in known if beat)


def worker_alive() -> bool:
    beat = last_beat()
    return beat is not None and timezone.now() - beat < SILENT_AFTER


def troubles() -> list[str]:
    """What is wrong, in short words without secrets; empty when all is well."""
    try:
        found = [] if worker_alive() else ["worker silent"]
    except DatabaseError:
        return ["database not reachable"]
    if not _writable(Path(settings.MEDIA_ROOT)):
        found.append("media folder not writable")
    return found


def warnings() -> list[str]:
    """What an administrator should look at although everything runs."""
    overdue = timezone.now() - COPY_LATE_AFTER
    late = Creation.objects.filter(state=CreationState.PENDING, created_at__lt=overdue).count()
    return [f"copies late: {late}"] if late else []


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".health-")
        os.close(descriptor)
        os.unlink(name)
    except OSError:
        return False
    return True
