"""Our copy of each creation: who copies it now, when to try again, what to do when its link is dead."""

import hashlib
import logging
import time
import uuid
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.db.models import QuerySet
from django.utils import timezone

from generations import archive, evidence, lifecycle, polling
from generations.models import Creation, CreationState, Task
from generations.providers.base import CallKind, Output, ProviderError
from generations.queue import enqueue

log = logging.getLogger("videoforge.saving")

CLAIM = timedelta(seconds=30)  # prolonged while bytes arrive; a killed worker is replaced this soon
PROLONG_EVERY = 5.0  # seconds
# Slow links must leave workers free for sending and for the heartbeat.
MOST_COPIES = 3
WAKE_AGAIN = timedelta(seconds=20)
TRY_AGAIN = timedelta(seconds=5)  # doubled with every try, up to:
TRY_AGAIN_AT_MOST = timedelta(minutes=5)
HOPE = timedelta(hours=1)  # past the deadline a link can still work, and a vendor can still give a new one


def save(creation_id: str) -> None:
    """Copy one creation into our storage, unless somebody else is at it. Safe to run twice."""
    claimed = _claim(creation_id)
    if claimed is None:
        return
    try:
        _save(claimed)
    except _LostClaim:
        log.warning("creation %s: another worker took over", claimed.pk)
    except Exception:
        log.exception("creation %s", claimed.pk)
        _try_later(claimed, "The copy failed for a reason that nobody thought of; see the log.")
    finally:
        wake_next()


def wake_next() -> None:
    """Queue as many idle creations as there are free places, the earliest deadline first."""
    for creation in idle()[: max(0, MOST_COPIES - _copying())]:
        Creation.objects.filter(pk=creation.pk).update(next_try_at=timezone.now() + WAKE_AGAIN)
        enqueue("archive", creation.pk)


def idle() -> QuerySet[Creation]:
    """What waits for a copy and may be tried now."""
    now = timezone.now()
    due = Creation.objects.filter(state=CreationState.PENDING, next_try_at__lte=now)
    return due.exclude(claimed_until__gt=now).order_by("deadline")


def _copying() -> int:
    return Creation.objects.filter(state=CreationState.PENDING, claimed_until__gt=timezone.now()).count()


def _save(claimed: Creation) -> None:
    try:
        copy = _copy(claimed)
    except archive.LinkDead as error:
        _link_died(claimed, str(error))
    except archive.CopyError as error:
        _try_later(claimed, str(error))
    else:
        lifecycle.kept(claimed, copy)
        for left_by_a_killed_worker in _incoming().glob(f"{claimed.pk}.*.part"):
            left_by_a_killed_worker.unlink(missing_ok=True)


def _incoming() -> Path:
    """On the same disk as the media, so that giving a finished file its name is a rename."""
    return Path(settings.VIDEOFORGE_DATA) / "incoming"


def _claim(creation_id: str) -> Creation | None:
    now = timezone.now()
    free = Creation.objects.filter(pk=creation_id, state=CreationState.PENDING).exclude(claimed_until__gt=now)
    if _copying() >= MOST_COPIES or not free.update(claimed_until=now + CLAIM):
        return None
    return Creation.objects.select_related("task__key", "task__attempt__key").get(pk=creation_id)


def _copy(creation: Creation) -> lifecycle.Kept:
    """Cover first (its link can be shorter-lived), then the clip; both become ours before anything is said."""
    # A name of its own for each try: a worker that lost its claim may still be writing.
    temporary = _incoming() / f"{creation.pk}.{uuid.uuid4().hex[:8]}.part"
    alive = _Claim(creation)
    try:
        poster = _cover(creation, temporary, alive)
        evidence.count(creation.task.key, CallKind.MEDIA)
        copied = archive.download(creation.source_url, temporary, alive=alive)
        facts = archive.probe(temporary)
        poster = poster or archive.still(temporary)
        alive.renew()
        day = f"{creation.created_at:%Y/%m/%d}"
        file = archive.place(temporary, default_storage, f"clips/{day}/{creation.pk}.mp4")
        poster_name = _store_poster(default_storage, f"posters/{day}/{creation.pk}.jpg", poster)
    finally:
        temporary.unlink(missing_ok=True)
    return lifecycle.Kept(
        file=file,
        sha256=copied.sha256,
        size=copied.size,
        poster=poster_name,
        poster_sha256=hashlib.sha256(poster).hexdigest(),
        width=facts.width,
        height=facts.height,
        seconds=facts.seconds,
        fps=facts.fps,
        has_audio=facts.has_audio,
    )


def _cover(creation: Creation, temporary: Path, alive: "_Claim") -> bytes | None:
    """The vendor's cover, or None: a clip without one gets a still of its own."""
    if not creation.cover_url:
        return None
    evidence.count(creation.task.key, CallKind.MEDIA)
    try:
        archive.download(creation.cover_url, temporary, most=archive.MAX_COVER_BYTES, alive=alive)
        return archive.picture(temporary)
    except archive.CopyError as error:
        log.info("creation %s: cover: %s", creation.pk, error)
        return None


def _store_poster(storage: Storage, name: str, content: bytes) -> str:
    try:
        storage.delete(name)  # of an earlier try that stopped between the two files
        return storage.save(name, ContentFile(content))
    except OSError as error:
        raise archive.CopyFailed(f"The poster could not be stored ({error.strerror or error}).") from None


class _LostClaim(Exception):
    """This worker stood still for so long that another one copies now; nothing more is to be written."""


class _Claim:
    """Keeps the claim alive while bytes arrive, and notices when it has gone to somebody else."""

    def __init__(self, creation: Creation) -> None:
        self.creation, self.until = creation, creation.claimed_until
        self.next_at = time.monotonic() + PROLONG_EVERY

    def __call__(self) -> None:
        if time.monotonic() >= self.next_at:
            self.next_at = time.monotonic() + PROLONG_EVERY
            self.renew()

    def renew(self) -> None:
        until = timezone.now() + CLAIM
        mine = Creation.objects.filter(pk=self.creation.pk, state=CreationState.PENDING, claimed_until=self.until)
        if not mine.update(claimed_until=until):
            raise _LostClaim
        self.until = until


def _try_later(creation: Creation, why: str) -> None:
    log.warning("creation %s: %s", creation.pk, why)
    delay = min(TRY_AGAIN * 2 ** min(creation.tries, 10), TRY_AGAIN_AT_MOST)
    now = timezone.now()
    Creation.objects.filter(pk=creation.pk, state=CreationState.PENDING).update(
        tries=creation.tries + 1, next_try_at=now + delay, claimed_until=None, last_error=why
    )
    Task.objects.filter(pk=creation.task_id).update(changed_at=now)


def _link_died(creation: Creation, why: str) -> None:
    """Ask the vendor for a fresh link; the result is lost only when there is none and the deadline has passed."""
    fresh = _fresh_output(creation)
    if fresh is not None and fresh.url != creation.source_url:
        Creation.objects.filter(pk=creation.pk).update(
            source_url=fresh.url,
            cover_url=fresh.cover_url,
            deadline=fresh.expires_at or timezone.now() + lifecycle.LINK_LIFETIME,
        )
        _try_later(creation, f"{why} The vendor gave a new one.")
    elif timezone.now() < creation.deadline + HOPE:
        _try_later(creation, why)
    else:
        lifecycle.lost(creation, why)


def _fresh_output(creation: Creation) -> Output | None:
    try:
        snapshot = polling.fetch_snapshot(creation.task)
    except ProviderError as error:
        log.warning("creation %s: no fresh link: %s", creation.pk, error.failure.code)
        return None
    return next((output for output in snapshot.outputs if output.position == creation.position), None)
