"""What became of a create whose answer was lost: looked up where the vendor lists, never sent again.

The list has no pass-through token [docs], so this takes two steps: the rows of the time window that look like our
order and belong to nobody we know, then one query for each of them, to compare the token.
"""

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from generations import evidence, lifecycle, transport
from generations.models import Attempt, AttemptState
from generations.providers.base import (
    EXPERIMENTS,
    Account,
    Call,
    FailureClass,
    ListPage,
    ProviderError,
    Receipt,
    Refused,
    Snapshot,
)

log = logging.getLogger("videoforge.lookup")

BEFORE, AFTER = timedelta(minutes=10), timedelta(minutes=10)  # around the sending; clocks differ
MOST_PAGES = 50


def look_up(attempt_id: int) -> bool:
    """Adopt the vendor's task that carries this attempt's token; False when none was found this time.

    Not finding it proves nothing yet. Two complete listings, ``settings.NOT_CREATED_AFTER`` apart, do.
    """
    attempt = Attempt.objects.select_related("task", "key").get(pk=attempt_id)
    if not attempt.key.translator.can_list or attempt.sent_at is None or not _is_open(attempt):
        return False
    try:
        account = attempt.key.account(attempt.base_url)
        found = next((row for row in _candidates(attempt, account) if _is_ours(attempt, account, row)), None)
    except ProviderError as error:
        evidence.failed(attempt.key, error.failure)
        return False
    except ListingIncomplete:
        log.warning("attempt %s: the vendor's list could not be read to its end", attempt.pk)
        return False
    if found is None:
        _missed(attempt)
        return False
    log.info("attempt %s: found at the vendor as %s", attempt.pk, found.remote_id)
    quote = found.echo.quote if found.echo else None
    return lifecycle.accept(attempt, Receipt(found.remote_id, found.state, quote))


def _is_open(attempt: Attempt) -> bool:
    """Whether it may still be found: also after we took it for never made, or sent it again."""
    return attempt.state == AttemptState.UNKNOWN


def _missed(attempt: Attempt) -> None:
    """A complete listing lacks it. The first time that may be the list's delay; some minutes later it is a no."""
    now = timezone.now()
    if attempt.missed_at is None:
        again = now + settings.NOT_CREATED_AFTER
        Attempt.objects.filter(pk=attempt.pk).update(missed_at=now, next_look_at=again)
    elif now - attempt.missed_at >= settings.NOT_CREATED_AFTER and lifecycle.not_made(attempt):
        log.info("attempt %s: never made, two complete listings agree", attempt.pk)


def adopt(attempt_id: int, remote_id: str) -> bool:
    """Ask the vendor about the id that a person named, and take it for the attempt's when nothing speaks against it."""
    attempt = Attempt.objects.select_related("task", "key").get(pk=attempt_id)
    if not _is_open(attempt):
        return False
    if Attempt.objects.filter(provider=attempt.provider, key=attempt.key, remote_id=remote_id).exists():
        lifecycle.exists_refused(attempt, "remote_id_taken")
        return False
    try:
        account = attempt.key.account(attempt.base_url)
        snapshot = _ask(attempt, account, remote_id)
    except ProviderError as error:
        lifecycle.exists_refused(attempt, error.failure.code, error.failure.text)
        return False
    if snapshot.payload and snapshot.payload != attempt.token:
        lifecycle.exists_refused(attempt, "another_token")
        return False
    if not lifecycle.accept(attempt, Receipt(remote_id, snapshot.state)):
        lifecycle.exists_refused(attempt, "not_taken")
        return False
    lifecycle.observe(attempt.task, snapshot)
    return True


def maker_of(row: Snapshot, lost: Iterable[Attempt]) -> Attempt | None:
    """Which of these attempts, whose answers were lost, made the vendor's task of this row; told by its token alone.

    At most one query. Raises ProviderError where the vendor does not say.
    """
    like = [attempt for attempt in lost if looks_like(attempt, row)]
    if not like:
        return None
    payload = row.payload
    if payload is None:
        try:
            payload = _ask(like[0], like[0].key.account(like[0].base_url), row.remote_id).payload
        except Refused as error:
            if error.failure.cls != FailureClass.NOT_FOUND:
                raise
    return next((attempt for attempt in like if attempt.token == payload), None)


class ListingIncomplete(Exception):
    """Pages are missing, repeat themselves or cannot be read: what is not in them may exist all the same."""


def _candidates(attempt: Attempt, account: Account) -> Iterator[Snapshot]:
    known = set(
        Attempt.objects.filter(provider=attempt.provider, key=attempt.key)
        .exclude(remote_id="")
        .values_list("remote_id", flat=True)
    )
    for page in _pages(attempt, account):
        for row in page.rows:
            if row.remote_id not in known and looks_like(attempt, row):
                yield row


def _pages(attempt: Attempt, account: Account) -> Iterator[ListPage]:
    """All pages of the time around the sending. Raises ListingIncomplete where there is no end to them."""
    sent_at, token, seen = attempt.sent_at or timezone.now(), "", {""}
    until = min(sent_at + AFTER, timezone.now() + BEFORE)
    for _ in range(MOST_PAGES):
        call = attempt.key.translator.build_list(
            account, ids=(), created_from=sent_at - BEFORE, created_to=until, page_token=token
        )
        evidence.count(attempt.key, call.kind)
        with evidence.recorded(attempt, call) as talk:
            answer = talk.outcome = transport.send(call)
            page = attempt.key.translator.read_list(answer)
            talk.said = f"{len(page.rows)} rows"
        yield page
        token = page.next_token
        if page.unread or (token and token in seen):
            raise ListingIncomplete
        if not token:
            return
        seen.add(token)
    raise ListingIncomplete


def looks_like(attempt: Attempt, row: Snapshot) -> bool:
    """Whether the row can be this task: what it echoes must not differ; what it leaves out says nothing.

    A prompt may come back changed by the vendor: before anything is called never made, it does not count.
    """
    task = attempt.task
    if row.echo is None or task.mode in EXPERIMENTS:  # what an experiment's row echoes nobody knows
        return True
    asked = {"model": task.wire_model, "prompt": task.prompt_text, "resolution": task.resolution}
    if task.options.get("is_rec") or attempt.missed_at is not None:
        del asked["prompt"]
    said = {name: getattr(row.echo, name) for name in asked}
    if any(said[name] and said[name].split() != asked[name].split() for name in asked):
        return False
    return task.duration == 0 or row.echo.duration in (None, 0, task.duration)


def _is_ours(attempt: Attempt, account: Account, row: Snapshot) -> bool:
    if row.payload is not None:
        return row.payload == attempt.token
    try:
        return _ask(attempt, account, row.remote_id).payload == attempt.token
    except Refused as error:
        # A candidate that is gone is not ours, and must not stand in the way of those behind it.
        if error.failure.cls == FailureClass.NOT_FOUND:
            return False
        raise


def _ask(attempt: Attempt, account: Account, remote_id: str) -> Snapshot:
    call: Call = attempt.key.translator.build_query(account, remote_id, attempt.task.wire_model)
    evidence.count(attempt.key, call.kind)
    with evidence.recorded(attempt, call) as talk:
        answer = talk.outcome = transport.send(call)
        snapshot = attempt.key.translator.read_snapshot(answer)
        talk.said = snapshot.state.value
        return snapshot
