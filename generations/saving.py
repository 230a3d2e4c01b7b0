"""Our copy of each creation: who copies it now, when to try again, what to do when its link is dead.

At most MOST_COPIES are made at a time, one place of them only for creations that were never tried: however many slow
or stalled sources there are, a new clip waits a minute, not an hour. A slow copy that others wait for gives its place
up and later goes on where it stopped.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.db import DatabaseError, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from generations import archive, evidence, leases, lifecycle, polling
from generations.models import Creation, CreationState, Lease, Task
from generations.providers.base import CallKind, FailureClass, Output, ProviderError
from generations.queue import enqueue

log = logging.getLogger("videoforge.saving")

CLAIM = timedelta(seconds=45)  # longer than a source may be silent; prolonged while bytes arrive
PROLONG_EVERY = 5.0  # seconds
# Slow links must leave workers free for sending and for the heartbeat.
MOST_COPIES = 3
MOST_COPIES_AGAIN = MOST_COPIES - 1  # of those that were tried before
TURN, TURN_AT_MOST = 60.0, 3600.0  # seconds, doubled with every try: some servers can only start from zero
COVER_TURN = 30.0
WAKE_AGAIN = timedelta(seconds=20)
TRY_AGAIN = timedelta(seconds=5)  # doubled with every try, up to:
TRY_AGAIN_AT_MOST = timedelta(minutes=5)
TRY_AGAIN_LATE = timedelta(hours=1)  # when the time is up
MOST_TRIES = 30_000  # what the column holds
HOPE = timedelta(hours=1)  # past the deadline a link can still work, and a vendor can still give a new one
PATIENCE = timedelta(days=7)  # with a vendor that does not answer when it is asked for one
AT_RISK = timedelta(hours=4)  # before the deadline
LOOK_AFTER_EVERY = 60.0  # seconds
INCOMING = ".incoming"  # below the media; views open files that a row names, never this folder


def save(creation_id: str) -> None:
    """Copy one creation into our storage, unless somebody else is at it. Safe to run twice."""
    try:
        creation = _claim(creation_id)
        if creation is not None:
            _attend(_Claim(creation))
            wake_next()
    except DatabaseError:
        # A full disk, for one. Nothing is decided: the claim runs out by itself, and the sweep wakes the copy again.
        log.exception("creation %s: the database did not take it", creation_id)


def wake_next() -> None:
    """Queue as many idle creations as there are free places, the earliest deadline first."""
    free, again = _places()
    first = idle().filter(tries=0)[:free]
    tried = idle().filter(tries__gt=0)[: min(free, again)]
    for creation in sorted([*first, *tried], key=lambda each: each.deadline)[:free]:
        Creation.objects.filter(pk=creation.pk).update(next_try_at=timezone.now() + WAKE_AGAIN)
        enqueue("archive", creation.pk)


def idle() -> QuerySet[Creation]:
    """What waits for a copy and may be tried now."""
    now = timezone.now()
    due = Creation.objects.filter(state=CreationState.PENDING, next_try_at__lte=now)
    return due.exclude(claimed_until__gt=now).order_by("deadline", "pk")


def at_risk() -> QuerySet[Creation]:
    """What has no copy yet although its link dies within hours, or should be dead by now."""
    soon = timezone.now() + AT_RISK
    return Creation.objects.filter(state=CreationState.PENDING, deadline__lt=soon).order_by("deadline", "pk")


def look_after() -> None:
    """Once a minute: raise the alarm for copies at risk, and clear away what no copy needs any more."""
    if leases.seize("saving", "sweep", LOOK_AFTER_EVERY):
        _raise_alarm()
        _clear_leftovers()


# --- Who copies ---------------------------------------------------------------------------------------------


def _places() -> tuple[int, int]:
    """How many more copies may begin, and how many of them that were tried before."""
    copying = Creation.objects.filter(state=CreationState.PENDING, claimed_until__gt=timezone.now())
    busy = copying.aggregate(all=Count("pk"), again=Count("pk", filter=Q(tries__gt=0)))
    free = max(0, MOST_COPIES - busy["all"])
    return free, max(0, min(free, MOST_COPIES_AGAIN - busy["again"]))


def _claim(creation_id: str) -> Creation | None:
    now = timezone.now()
    with transaction.atomic():
        free, again = _places()
        wanted = Creation.objects.filter(pk=creation_id, state=CreationState.PENDING).exclude(claimed_until__gt=now)
        if not again:
            wanted = wanted.filter(tries=0)
        if not free or not wanted.update(claimed_until=now + CLAIM):
            return None
    return Creation.objects.select_related("task__key", "task__attempt__key").get(pk=creation_id)


class _LostClaim(Exception):
    """This worker stood still for so long that another one copies now; nothing more is to be written."""


class _TurnOver(Exception):
    """A slow copy has had its time, and others wait."""


class _Claim:
    """Keeps the claim alive while bytes arrive; notices when it has gone to somebody else, and when others wait."""

    def __init__(self, creation: Creation) -> None:
        self.creation, self.until = creation, creation.claimed_until
        now = time.monotonic()
        self.next_at = now + PROLONG_EVERY
        self.turn_ends = now + min(TURN * 2 ** min(creation.tries, 10), TURN_AT_MOST)

    def __call__(self) -> None:
        now = time.monotonic()
        if now < self.next_at:
            return
        self.next_at = now + PROLONG_EVERY
        self.renew()
        if now >= self.turn_ends and idle().exclude(pk=self.creation.pk).exists():
            raise _TurnOver

    def renew(self) -> None:
        until = timezone.now() + CLAIM
        if not self._mine().update(claimed_until=until):
            raise _LostClaim
        self.until = until

    def give_back(self, why: str, delay: timedelta) -> None:
        now, creation = timezone.now(), self.creation
        mine = self._mine().update(
            tries=min(creation.tries + 1, MOST_TRIES), next_try_at=now + delay, claimed_until=None, last_error=why
        )
        if mine:
            Task.objects.filter(pk=creation.task_id).update(changed_at=now)

    def _mine(self) -> QuerySet[Creation]:
        return Creation.objects.filter(pk=self.creation.pk, state=CreationState.PENDING, claimed_until=self.until)


# --- The copy -----------------------------------------------------------------------------------------------


def _attend(claim: _Claim) -> None:
    try:
        _save(claim)
    except _LostClaim:
        log.warning("creation %s: another worker took over", claim.creation.pk)
    except _TurnOver:
        log.info("creation %s: slow, and others wait", claim.creation.pk)
        claim.give_back("The vendor's storage is slow; other copies go first, then this one goes on.", TRY_AGAIN)
    except DatabaseError:
        raise
    except Exception:
        log.exception("creation %s", claim.creation.pk)
        _try_later(claim, "The copy failed for a reason that nobody thought of; see the log.")


def _save(claim: _Claim) -> None:
    creation = claim.creation
    try:
        with archive.hold(_incoming() / f"{creation.pk}.part") as part:
            lifecycle.kept(creation, _copy(claim, part))
            _clear(str(creation.pk))
    except archive.LinkDead as error:
        _ask_anew(claim, str(error), dead=True)
    except archive.NotAClip as error:
        _ask_anew(claim, str(error), dead=False)
    except archive.CopyError as error:
        _try_later(claim, str(error))


def _incoming() -> Path:
    """On the same disk as the media, so that giving a finished file its name is a rename."""
    try:
        return Path(default_storage.path(INCOMING))
    except NotImplementedError:  # an object store
        return Path(settings.VIDEOFORGE_DATA) / "incoming"


def _clear(creation_id: str) -> None:
    for file in _incoming().glob(f"{creation_id}.*"):
        file.unlink(missing_ok=True)


def _copy(claim: _Claim, part: archive.Part) -> lifecycle.Kept:
    """Cover first (its link can be shorter-lived), then the clip; both become ours before anything is said."""
    creation = claim.creation
    archive.check_room(part.path.parent)
    poster = _cover(claim, part.path.with_suffix(".cover"))
    try:
        copied = _download(creation, "clip", creation.source_url, part, claim, archive.MAX_CLIP_BYTES)
        facts = archive.probe(part.path)
        poster = poster or archive.still(part.path)
    except archive.NotAClip:
        part.discard()
        raise
    claim.renew()
    day = f"{creation.created_at:%Y/%m/%d}"
    poster_name = _store_poster(default_storage, f"posters/{day}/{creation.pk}.jpg", poster)
    file = archive.place(part.path, default_storage, f"clips/{day}/{creation.pk}.mp4")
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


def _cover(claim: _Claim, path: Path) -> bytes | None:
    """The vendor's cover, or None: a clip without one gets a still of its own. One that is there is not asked again."""
    creation = claim.creation
    if not creation.cover_url:
        return None
    try:
        if path.exists():
            return archive.picture(path)
        briefly = _briefly(claim, COVER_TURN)
        with archive.hold(path.with_suffix(".cover-part")) as part:
            _download(creation, "cover", creation.cover_url, part, briefly, archive.MAX_COVER_BYTES)
            part.path.replace(path)
            part.discard()
        return archive.picture(path)
    except archive.CopyError as error:
        if isinstance(error, archive.NotAClip):
            path.unlink(missing_ok=True)
        log.info("creation %s: cover: %s", creation.pk, error)
        return None


def _briefly(alive: Callable[[], None], seconds: float) -> Callable[[], None]:
    """A cover is worth little time: the clip itself can give one."""
    end = time.monotonic() + seconds

    def still() -> None:
        alive()
        if time.monotonic() > end:
            raise archive.CopyFailed("The cover comes too slowly.", word="too slow")

    return still


def _download(
    creation: Creation, which: str, url: str, part: archive.Part, alive: Callable[[], None], most: int
) -> archive.Copied:
    """Copy, and leave a note of how the request went."""
    if part.is_whole:
        return archive.download(url, part, most=most, alive=alive)
    evidence.count(creation.task.key, CallKind.MEDIA)
    started = time.monotonic()
    word, status = "gave way", None
    try:
        copied = archive.download(url, part, most=most, alive=alive)
        word, status = "resumed, complete" if copied.resumed_from else "complete", copied.status
        return copied
    except archive.CopyError as error:
        word, status = error.word, error.status
        raise
    finally:
        if creation.task.attempt is not None:
            seconds = time.monotonic() - started
            evidence.record_media(creation.task.attempt, f"{which}: {word}", status=status, seconds=seconds)


def _store_poster(storage: Storage, name: str, content: bytes) -> str:
    try:
        storage.delete(name)  # of an earlier try that stopped between the two files
        return storage.save(name, ContentFile(content))
    except OSError as error:
        raise archive.CopyFailed(f"The poster could not be stored ({error.strerror or error}).") from None


# --- When it did not work -----------------------------------------------------------------------------------


def _try_later(claim: _Claim, why: str) -> None:
    log.warning("creation %s: %s", claim.creation.pk, why)
    claim.give_back(why, _delay(claim.creation, timezone.now()))


def _delay(creation: Creation, now: datetime) -> timedelta:
    """Longer with every try, but never so long that the deadline passes unused."""
    left = creation.deadline - now
    longest = TRY_AGAIN_AT_MOST if left > -HOPE else TRY_AGAIN_LATE
    delay = min(TRY_AGAIN * 2.0 ** min(creation.tries, 10), longest)
    return min(delay, max(TRY_AGAIN, left / 2)) if left > timedelta(0) else delay


def _ask_anew(claim: _Claim, why: str, *, dead: bool) -> None:
    """Ask the vendor for a fresh link.

    The result is lost only when the link is dead, the vendor has no other, and the time is up. A vendor that does
    not answer has not said that it has none.
    """
    creation, now, fresh, hope = claim.creation, timezone.now(), None, HOPE
    try:
        fresh = _fresh_output(creation)
    except ProviderError as error:
        log.warning("creation %s: no fresh link: %s", creation.pk, error.failure.code)
        why, hope = f"{why} Asked for a new one, the vendor does not answer.", PATIENCE
    claim.renew()
    if fresh is not None:
        _take_fresh(creation, fresh, now)
        _try_later(claim, f"{why} The vendor gave a new one.")
    elif dead and now >= creation.deadline + hope:
        lifecycle.lost(creation, why)
    else:
        _try_later(claim, why)


def _fresh_output(creation: Creation) -> Output | None:
    """What the vendor says of this output now, if the link is another one. Raises ProviderError: it said nothing."""
    try:
        snapshot = polling.fetch_snapshot(creation.task)
    except ProviderError as error:
        if error.failure.cls == FailureClass.NOT_FOUND:
            return None
        raise
    fresh = next((output for output in snapshot.outputs if output.position == creation.position), None)
    return fresh if fresh is not None and fresh.url and fresh.url != creation.source_url else None


def _take_fresh(creation: Creation, fresh: Output, now: datetime) -> None:
    """What was copied so far stays: whether it goes on from there is decided by the file, not by its address."""
    creation.deadline = fresh.expires_at or now + lifecycle.LINK_LIFETIME
    Creation.objects.filter(pk=creation.pk).update(
        source_url=fresh.url, cover_url=fresh.cover_url, deadline=creation.deadline
    )


# --- Once a minute ------------------------------------------------------------------------------------------


def _raise_alarm() -> None:
    """One line for each creation and deadline: a link that was renewed can come into danger anew."""
    risky = {f"at-risk-{each.pk.hex}-{each.deadline:%y%m%d%H%M}": each for each in at_risk()}
    known = set(Lease.objects.filter(key__in=list(risky)).values_list("key", flat=True))
    for key, creation in risky.items():
        if key not in known and leases.seize(key, "alarm", PATIENCE.total_seconds()):
            log.error(
                "creation %s of task %s is not copied yet, and its link dies at %s: %s",
                *(creation.pk, creation.task_id, creation.deadline.isoformat(timespec="minutes")),
                creation.last_error or "no copy was tried",
            )
    Lease.objects.filter(key__startswith="at-risk-", until__lt=timezone.now()).delete()


def _clear_leftovers() -> None:
    """Parts of creations that need no copy any more; one that is being written is left alone."""
    try:
        found = {file.name.partition(".")[0] for file in _incoming().iterdir()}
    except FileNotFoundError:
        return
    ids = {name for name in found if _is_id(name)}
    wanted = Creation.objects.filter(state=CreationState.PENDING, pk__in=list(ids)).values_list("pk", flat=True)
    for name in ids - {str(pk) for pk in wanted}:
        try:
            with archive.hold(_incoming() / f"{name}.part"):
                _clear(name)
        except archive.CopyError as error:
            log.info("left over from creation %s: %s", name, error)


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
