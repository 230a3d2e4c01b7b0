"""Our copy of each creation: who copies it now, and when to try again. ``links`` says when to ask for another link.

At most MOST_COPIES are made at a time, one place of them only for creations that were never tried: however many slow
or stalled sources there are, a new clip waits a minute, not an hour. A slow copy that others wait for gives its place
up and later goes on where it stopped.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage
from django.db import DatabaseError, transaction
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from generations import archive, evidence, incoming, leases, lifecycle, links, outgoing
from generations.models import Creation, CreationState, Lease, Task
from generations.providers.base import CallKind
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
TRY_AGAIN_LATE = timedelta(hours=1)  # when the time is up, or trying often has not helped
NOT_AT_ALL = timedelta(0)
MOST_TRIES = 30_000  # what the column holds
AT_RISK = timedelta(hours=4)  # before the deadline
JUST_MADE = timedelta(minutes=2)  # a link that lives for an hour is no risk while its first copy is being made
LOOK_AFTER_EVERY = 60.0  # seconds


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
    """What has no copy yet although its link dies within hours, should be dead by now, or is ever signed anew."""
    now = timezone.now()
    pending = Creation.objects.filter(state=CreationState.PENDING).order_by("deadline", "pk")
    old = now - lifecycle.LINK_LIFETIME
    made_long_ago = Q(task__made_at__lt=old) | Q(task__made_at=None, created_at__lt=old)
    risky = pending.filter(Q(deadline__lt=now + AT_RISK) | made_long_ago)
    return risky.exclude(tries=0, task__made_at__gt=now - JUST_MADE)


def look_after() -> None:
    """Once a minute: raise the alarm for copies at risk, and clear away what no copy needs any more."""
    if leases.seize("saving", "sweep", LOOK_AFTER_EVERY):
        _raise_alarm()
        incoming.clear_leftovers()


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


class _RefusedAgain(archive.NotAClip):
    """The same file came before, and was no clip then."""


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
        with archive.hold(incoming.part_of(creation)) as part:
            lifecycle.kept(creation, _copy(claim, part))
            incoming.clear(str(creation.pk))
    except archive.LinkDead as error:
        _source_failed(claim, str(error), dead=True)
    except _RefusedAgain as error:
        _source_failed(claim, str(error), least=TRY_AGAIN_LATE)
    except archive.WebPage as error:
        again = creation.last_error.startswith(str(error))
        _source_failed(claim, str(error), least=TRY_AGAIN_LATE if again else NOT_AT_ALL)
    except archive.NotAClip as error:
        _source_failed(claim, str(error))
    except archive.CopyFailed as error:
        _source_failed(claim, str(error), ask=links.worth_asking(creation, timezone.now()))
    except archive.CopyError as error:  # our own trouble
        _try_later(claim, str(error))


def _copy(claim: _Claim, part: archive.Part) -> lifecycle.Kept:
    """Cover first (its link can be shorter-lived), then the clip; both become ours before anything is said."""
    creation = claim.creation
    archive.check_room(part.path.parent)
    poster = _cover(claim, part.path.with_suffix(".cover"))
    try:
        copied = _download(creation, "clip", creation.source_url, part, claim, archive.MAX_CLIP_BYTES)
    except archive.NotAClip:
        part.discard()
        raise
    facts, poster = _look_at(creation, part, copied, poster)
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


def _look_at(
    creation: Creation, part: archive.Part, copied: archive.Copied, poster: bytes | None
) -> tuple[archive.Facts, bytes]:
    """What the clip is, and a poster of it where there is none."""
    try:
        return archive.probe(part.path), poster or archive.still(part.path)
    except archive.NotAClip as error:
        log.warning("creation %s: %s of %s bytes, sha256 %s", creation.pk, error, copied.size, copied.sha256)
        if incoming.set_aside(part, creation, copied.sha256):
            raise _RefusedAgain(str(error)) from None
        raise


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
    copy = partial(archive.download, url, part, guard=outgoing.guard_for(creation), most=most, alive=alive)
    if part.is_whole:
        return copy()
    evidence.count(creation.task.key, CallKind.MEDIA)
    started = time.monotonic()
    word, status = "gave way", None
    try:
        copied = copy()
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
        raise archive.NotWritten(f"The poster could not be stored ({error.strerror or error}).") from None


# --- When it did not work -----------------------------------------------------------------------------------


def _try_later(claim: _Claim, why: str, *, slow: bool = False, least: timedelta = NOT_AT_ALL) -> None:
    log.warning("creation %s: %s", claim.creation.pk, why)
    claim.give_back(why, max(least, _delay(claim.creation, timezone.now(), slow=slow)))


def _delay(creation: Creation, now: datetime, *, slow: bool = False) -> timedelta:
    """Longer with every try, but never so long that the deadline passes unused."""
    left = creation.deadline - now
    longest = TRY_AGAIN_LATE if slow or left <= -links.HOPE else TRY_AGAIN_AT_MOST
    delay = min(TRY_AGAIN * 2.0 ** min(creation.tries, 10), longest)
    return min(delay, max(TRY_AGAIN, left / 2)) if left > timedelta(0) else delay


def _source_failed(
    claim: _Claim, why: str, *, dead: bool = False, ask: bool = True, least: timedelta = NOT_AT_ALL
) -> None:
    """Try again later, ``least`` at the earliest, with a fresh link where the vendor has one; or give up."""
    creation, now = claim.creation, timezone.now()
    slow = links.is_old(creation, now, lifecycle.LINK_LIFETIME)
    if not ask:
        _try_later(claim, why, slow=slow, least=least)
        return
    claim.renew()
    reply = links.ask(creation, now)
    claim.renew()
    why = f"{why}{reply.said}"
    if links.is_gone(creation, reply, now, dead=dead):
        lifecycle.lost(creation, why)
    elif reply.fresh is None:
        _try_later(claim, why, slow=slow, least=max(least, reply.wait or NOT_AT_ALL))
    else:
        links.take(creation, reply.fresh, now)
        if reply.again or least:
            _try_later(claim, why, slow=True, least=least)
        else:  # a link that died of age has a successor as good as new
            claim.give_back(why, TRY_AGAIN)


# --- Once a minute ------------------------------------------------------------------------------------------


def _raise_alarm() -> None:
    """One line for each creation and deadline: a link that was renewed can come into danger anew.

    Links that are signed anew for days are told once a day.
    """
    soon = timezone.now() + AT_RISK
    risky = {}
    for each in at_risk():
        when = f"{each.deadline:%y%m%d%H%M}" if each.deadline < soon else f"{timezone.now():%y%m%d}"
        risky[f"at-risk-{each.pk.hex}-{when}"] = each
    known = set(Lease.objects.filter(key__in=list(risky)).values_list("key", flat=True))
    for key, creation in risky.items():
        if key not in known and leases.seize(key, "alarm", links.PATIENCE.total_seconds()):
            log.error(
                "creation %s of task %s is not copied yet, and its link dies at %s: %s",
                *(creation.pk, creation.task_id, creation.deadline.isoformat(timespec="minutes")),
                creation.last_error or "no copy was tried",
            )
    Lease.objects.filter(key__startswith="at-risk-", until__lt=timezone.now()).delete()
