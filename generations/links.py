"""What to do about a source that gives nothing: when to ask the vendor for another link, and when to give up.

A result is lost only when somebody said so: the link is dead and the vendor, asked, has no other; or for a week the
source gave nothing while the vendor knew of nothing better. Where neither answers it can as well be our own line that
is down, so nothing is decided; such a copy stays on the list of those at risk.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from generations import polling
from generations.lifecycle.news import deadline_of
from generations.models import Creation
from generations.providers.base import FailureClass, Output, ProviderError, Snapshot

log = logging.getLogger("videoforge.links")

HOPE = timedelta(hours=1)  # past the deadline a link can still work, and a vendor can still give a new one
PATIENCE = timedelta(days=7)  # with a source that is down, links that are all dead, a vendor that does not answer
MANY_TRIES = 24  # a house that was off for a week has seen nothing of that week
SOON = timedelta(hours=1)  # before the deadline: while the vendor surely still knows the task
LATELY = timedelta(minutes=30)
WAIT_AT_MOST = 3600.0  # seconds
YOUNG = timedelta(hours=2)  # a link that the vendor gave so short a time ago did not die of age


@dataclass(frozen=True, slots=True)
class Reply:
    """What the vendor said when it was asked for another link."""

    answered: bool
    fresh: Output | None = None  # this output with another link
    again: bool = False  # the link that failed was itself a young one
    wait: timedelta | None = None  # it wants to be asked later, so it was not asked, or did not say anything

    @property
    def said(self) -> str:
        if not self.answered and self.wait is None:
            return " Asked for a new one, the vendor does not answer."
        return " The vendor gave a new one." if self.fresh else ""


def asked_at(creation: Creation) -> datetime | None:
    """When the vendor last told us where its result is."""
    told = (creation.task.last_polled_at, creation.task.made_at)
    return max((at for at in told if at is not None), default=None)


def is_old(creation: Creation, now: datetime, age: timedelta) -> bool:
    """However often the vendor signs its link anew, the result does not get younger."""
    return now - (creation.task.made_at or creation.created_at) >= age


def worth_asking(creation: Creation, now: datetime) -> bool:
    """Of a link that is not said to be dead: whether it may be by now, or soon will be."""
    left, asked = creation.deadline - now, asked_at(creation)
    lately = asked is not None and now - asked < LATELY
    return left <= timedelta(0) or (left < SOON and not lately) or is_old(creation, now, PATIENCE)


def ask(creation: Creation, now: datetime) -> Reply:
    """Have the vendor asked for a fresh link. A vendor that does not answer has not said that it has none."""
    asked = asked_at(creation)
    again = asked is not None and now - asked < YOUNG
    try:
        snapshot = polling.fetch_snapshot(creation.task)
    except ProviderError as error:
        failure = error.failure
        log.warning("creation %s: no fresh link: %s", creation.pk, failure.code)
        throttled = failure.cls == FailureClass.THROTTLED
        wait = timedelta(seconds=min(failure.retry_after or 0.0, WAIT_AT_MOST)) if throttled else None
        return Reply(answered=failure.cls == FailureClass.NOT_FOUND, wait=wait)
    return Reply(answered=True, fresh=_other_link(creation, snapshot), again=again)


def _other_link(creation: Creation, snapshot: Snapshot) -> Output | None:
    same = next((output for output in snapshot.outputs if output.position == creation.position), None)
    return same if same is not None and same.url and same.url != creation.source_url else None


def is_gone(creation: Creation, reply: Reply, now: datetime, *, dead: bool) -> bool:
    """Whether to give up. A source that is down has said nothing, so it has a week, and many tries in it."""
    if reply.wait is not None:
        return False
    many = creation.tries >= MANY_TRIES
    if reply.fresh is not None:  # however many the vendor signs: behind none was a clip
        return reply.again and many and is_old(creation, now, PATIENCE)
    if dead:
        return now >= creation.deadline + (HOPE if reply.answered else PATIENCE)
    return reply.answered and many and now >= creation.deadline + PATIENCE


def take(creation: Creation, fresh: Output, now: datetime) -> None:
    """What was copied so far stays: whether it goes on from there is decided by the file, not by its address."""
    creation.deadline = deadline_of(fresh, now)
    Creation.objects.filter(pk=creation.pk).update(
        source_url=fresh.url, cover_url=fresh.cover_url, deadline=creation.deadline
    )
