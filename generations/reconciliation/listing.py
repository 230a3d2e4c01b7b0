"""A vendor's list of a key's tasks, page by page, each task once; and whether it was read to its end."""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from generations import evidence, looks, transport
from generations.models import ProviderKey
from generations.providers.base import (
    Account,
    Failure,
    FailureClass,
    ListPage,
    ProviderError,
    Refused,
    Snapshot,
)

log = logging.getLogger("videoforge.reconciliation")

MOST_PAGES = 600
PAGES_WITHOUT_NEWS = 2  # in a row: pages shift while they are read, but a list that only repeats has no end
TRIES, PAUSE, PAUSE_AT_MOST = 3, 2.0, 60.0  # of one page; seconds
OF_THE_KEY = (FailureClass.ACCOUNT_AUTH, FailureClass.ACCOUNT_CREDITS)
wait = time.sleep


class Incomplete(Exception):
    """The list was not read to its end; ``why`` is a word that the pages have a sentence for."""

    def __init__(self, why: str, told: str = "") -> None:
        super().__init__(why)
        self.why, self.told = why, told


@dataclass(frozen=True, slots=True)
class Page:
    """The tasks of a page that no page before it had."""

    rows: list[Snapshot]
    unread: int


def pages(key: ProviderKey, from_at: datetime, to_at: datetime) -> Iterator[Page]:
    """All tasks that were created between the two, whose order and bounds stay the same from page to page.

    Raises Incomplete where the list ends early, repeats itself or has no end, ProviderError where the key is refused.
    """
    account = key.account()
    seen: set[str] = set()
    tokens, token, stale = {""}, "", 0
    for _ in range(MOST_PAGES):
        page = _read(key, account, from_at, to_at, token)
        fresh = list({row.remote_id: row for row in page.rows if row.remote_id not in seen}.values())
        seen.update(row.remote_id for row in fresh)
        yield Page(fresh, page.unread)
        token, stale = page.next_token, 0 if fresh else stale + 1
        if not token:
            return
        if not page.rows and not page.unread:
            raise Incomplete("ends_early")
        if token in tokens or stale >= PAGES_WITHOUT_NEWS:
            raise Incomplete("repeats")
        tokens.add(token)
    raise Incomplete("too_long")


def row_of(key: ProviderKey, remote_id: str, from_at: datetime, to_at: datetime) -> Snapshot | None:
    """The list's row of one task; None where it has none. Raises ProviderError or Incomplete."""
    page = _read(key, key.account(), from_at, to_at, "", remote_id)
    return next((row for row in page.rows if row.remote_id == remote_id), None)


def _read(
    key: ProviderKey, account: Account, from_at: datetime, to_at: datetime, token: str, remote_id: str = ""
) -> ListPage:
    """One page; what may pass is tried again after the pause that the vendor asks for."""
    ids = [remote_id] if remote_id else []
    call = key.translator.build_list(account, ids=ids, created_from=from_at, created_to=to_at, page_token=token)
    failure = Failure(FailureClass.THROTTLED, "hushed")
    for left in reversed(range(TRIES)):
        if not looks.hushed([key]):
            evidence.count(key, call.kind)
            try:
                return key.translator.read_list(transport.send(call))
            except ProviderError as error:
                failure = error.failure
                looks.hush(key, failure)
        if failure.cls in OF_THE_KEY:
            evidence.failed(key, failure)
            raise Refused(failure)
        if left:
            wait(pause_after(failure))
    log.warning("%s: its list: %s %s", key.label, failure.cls, failure.code)
    evidence.stumbled(key, failure)
    raise Incomplete("silent", failure.code)


def pause_after(failure: Failure) -> float:
    return min(failure.retry_after or PAUSE, PAUSE_AT_MOST)
