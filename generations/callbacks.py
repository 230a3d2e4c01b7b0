"""Callbacks of vendors: the address that we name in a create, and what arrives at it.

A callback is a nudge to ask, never news by itself: its body is not signed. Whatever comes, in whatever order and
however often, changes only when a task is asked for next; what became of it says the vendor when asked.
"""

import hashlib
import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from generations import addresses
from generations.models import Attempt, AttemptState, CallbackNotice, ProviderKey, Task, TaskState
from generations.providers.base import FINAL, BadCallback, Refused, RemoteState
from generations.queue import enqueue

log = logging.getLogger("videoforge.callbacks")

LONGEST_NONCE, LONGEST_WORD = 120, 40
RUNNING = (TaskState.QUEUED, TaskState.PROCESSING)
GIVEN_UP = (TaskState.FAILED, TaskState.CANCELLED, TaskState.LOST)

# A vendor that called back for nearly all of these lately will call back for the next ones.
LATELY, GRACE = timedelta(days=1), timedelta(seconds=60)
LONGEST_LIFE = timedelta(days=3)  # off-peak, two days, and a day to be counted
LAST, FEWEST, SHARE = 10, 3, 0.9
REMEMBERED = timedelta(days=7)
COMPLAIN_EVERY = 10.0  # seconds: whoever likes can have us refuse a callback


def address_for(attempt: Attempt) -> tuple[str, str] | None:
    """Where the vendor may call back about this attempt, and what to keep of that: the digest of its secret word.

    None where it does not call back, or where nobody can reach us.
    """
    if not settings.VIDEOFORGE_PUBLIC_URL or not attempt.key.translator.calls_back:
        return None
    if not addresses.house_for(attempt.base_url):
        return None
    word = secrets.token_urlsafe(32)
    return _address(attempt, word), digest(word)


def _address(attempt: Attempt, word: str) -> str:
    house = addresses.house_for(attempt.base_url) or settings.LOCAL_URL  # only its path is signed
    return f"{house}{reverse('callback', args=[attempt.provider, word])}"


def digest(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8", "replace")).hexdigest()


# --- What arrives -------------------------------------------------------------------------------------------


def find(provider: str, word: str) -> Attempt | None:
    """The attempt with this word. Looked up by digest, so that the time it takes tells nothing of the word."""
    named = Attempt.objects.select_related("task", "key").filter(callback_digest=digest(word)).first()
    return named if named is not None and named.provider == provider else None


def check(attempt: Attempt, word: str, method: str, headers: Mapping[str, str]) -> str:
    """The nonce of a genuine callback. Raises BadCallback, after one line in the log now and then."""
    url, now = _address(attempt, word), timezone.now()
    try:
        account = attempt.key.account(attempt.base_url)
        return attempt.key.translator.check_callback(account, method=method, url=url, headers=headers, now=now)
    except (BadCallback, Refused) as error:
        why = error.failure.code if isinstance(error, Refused) else str(error)
        _complain(f"attempt {attempt.pk} at {attempt.provider}: callback refused: {why}")
        raise BadCallback(why) from None


def take(attempt: Attempt, nonce: str, body: bytes) -> bool:
    """Note a genuine callback and ask soon. False when it was taken before: nothing is done a second time."""
    word, state = attempt.key.translator.read_callback(body)
    if len(nonce) > LONGEST_NONCE:
        nonce = digest(nonce)
    try:
        with transaction.atomic():
            CallbackNotice.objects.create(
                attempt=attempt,
                provider=attempt.provider,
                nonce=nonce,
                state_word="".join(char for char in word if char.isalnum() or char in "_- ")[:LONGEST_WORD],
                final=state in FINAL,
            )
            _nudge(attempt, state)
    except IntegrityError:
        return False
    return True


def _nudge(attempt: Attempt, state: RemoteState | None) -> None:
    """Have the vendor asked now instead of later, where that can still tell us anything."""
    task, now = attempt.task, timezone.now()
    if attempt.state == AttemptState.UNKNOWN:  # also where we took it for never made: it lives
        Attempt.objects.filter(pk=attempt.pk, state=AttemptState.UNKNOWN).update(next_look_at=now)
    elif task.state in RUNNING:
        waiting = Task.objects.filter(pk=task.pk, attempt=attempt, state__in=RUNNING)
        waiting.exclude(next_poll_at__lte=now).update(next_poll_at=now)
    elif task.state in GIVEN_UP and state is RemoteState.SUCCEEDED:
        enqueue("ask", task.pk)


class _Seldom:
    """Says a thing at once, and what is said soon after only as a number."""

    def __init__(self) -> None:
        self.next_at, self.left_out = 0.0, 0

    def __call__(self, text: str) -> None:
        now = time.monotonic()
        if now < self.next_at:
            self.left_out += 1
            return
        more = f" ({self.left_out} more since the last such line)" if self.left_out else ""
        self.next_at, self.left_out = now + COMPLAIN_EVERY, 0
        log.warning("%s%s", text, more)


_complain = _Seldom()


# --- How well they arrive -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a key's tasks that ended within a day and whose vendor knew an address: how many it called back about."""

    key: ProviderKey
    ended: int
    called: int
    trusted: bool
    last_at: datetime | None  # the last callback of the last days

    @property
    def share(self) -> float | None:
        return self.called / self.ended if self.ended else None


def trusted(key: ProviderKey) -> bool:
    """Whether callbacks arrive so reliably that its tasks need not be asked for as often. One query."""
    if not settings.VIDEOFORGE_PUBLIC_URL or not key.translator.calls_back:
        return False
    ended = _ended([key]).annotate(called=_called_back()).order_by("-finished_at")
    called = list(ended.values_list("called", flat=True)[:LAST])
    return len(called) >= FEWEST and sum(called) >= SHARE * len(called)


def figures() -> list[Figures]:
    """For the page of operations: how callbacks of each key arrive, where its vendor knows any address of ours."""
    keys = [key for key in ProviderKey.objects.all() if key.translator.calls_back]
    grouped = _ended(keys).order_by().values("key")
    counts = grouped.annotate(ended=Count("pk"), called=Count("pk", filter=Q(_called_back())))
    counted = {row["key"]: (row["ended"], row["called"]) for row in counts}
    since = timezone.now() - REMEMBERED
    recent = CallbackNotice.objects.filter(received_at__gte=since).order_by().values("attempt__key")
    last = dict(recent.annotate(last=Max("received_at")).values_list("attempt__key", "last"))
    known = [key for key in keys if key.pk in counted or key.pk in last]
    return [Figures(key, *counted.get(key.pk, (0, 0)), trusted(key), last.get(key.pk)) for key in known]


def _ended(keys: Iterable[ProviderKey]) -> QuerySet[Task]:
    """Tasks of these keys that ended lately, not just now, and about which the vendor could have called."""
    now = timezone.now()
    # Ids grow with time, so an index of key, state and id leads to the few that can be meant.
    oldest = UUID(int=int((now - LONGEST_LIFE).timestamp() * 1000) << 80)
    return Task.objects.filter(
        key__in=list(keys),
        state__in=[state for state in TaskState if state not in TaskState.open()],
        pk__gte=oldest,
        finished_at__gte=now - LATELY,
        finished_at__lte=now - GRACE,
        attempt__state=AttemptState.ACCEPTED,
        attempt__callback_digest__gt="",
    )


def _called_back() -> Exists:
    return Exists(CallbackNotice.objects.filter(attempt=OuterRef("attempt"), final=True))
