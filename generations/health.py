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

SILENT_AFTER = timedelta(seconds=20)
COPY_LATE_AFTER = timedelta(minutes=10)


def last_beat() -> datetime | None:
    """When a worker last went round, in any cluster."""
    return Lease.objects.filter(key=ACTIVE).values_list("beat_at", flat=True).first()


def worker_alive() -> bool:
    beat = last_beat()
    return beat is not None and timezone.now() - beat < SILENT_AFTER


def troubles() -> list[str]:
    """What is wrong, in short words without secrets; empty when all is well."""
    try:
        found = [] if worker_alive() else ["worker silent"]
        late = Creation.objects.filter(
            state=CreationState.PENDING, created_at__lt=timezone.now() - COPY_LATE_AFTER
        ).count()
        if late:
            found.append(f"copies late: {late}")
    except DatabaseError:
        return ["database not reachable"]
    if not _writable(Path(settings.MEDIA_ROOT)):
        found.append("media folder not writable")
    return found


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".health-")
        os.close(descriptor)
        os.unlink(name)
    except OSError:
        return False
    return True
