"""What became of a create whose answer was lost: looked up where the vendor lists, never sent again.

The list has no pass-through token [docs], so this takes two steps: the rows of the time window that look like our
order and belong to nobody we know, then one query for each of them, to compare the token.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta

from django.utils import timezone

from generations import evidence, lifecycle, transport
from generations.models import Attempt, Task, TaskState
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

BEFORE, AFTER = timedelta(seconds=60), timedelta(minutes=10)  # around the sending; clocks differ
MOST_PAGES = 50


def look_up(attempt_id: int) -> bool:
    """Adopt the vendor's task that carries this attempt's token; False when none was found this time.

    Not finding it proves nothing yet: the task stays uncertain and is looked for again.
    """
    attempt = Attempt.objects.select_related("task", "key").get(pk=attempt_id)
    if attempt.task.state != TaskState.UNCERTAIN or not attempt.key.translator.can_list or attempt.sent_at is None:
        return False
    try:
        account = attempt.key.account(attempt.base_url)
        found = next((row for row in _candidates(attempt, account) if _is_ours(attempt, account, row)), None)
    except ProviderError as error:
        evidence.failed(attempt.key, error.failure)
        return False
    if found is None:
        return False
    log.info("attempt %s: found at the vendor as %s", attempt.pk, found.remote_id)
    quote = found.echo.quote if found.echo else None
    return lifecycle.accept(attempt, Receipt(found.remote_id, found.state, quote))


def _candidates(attempt: Attempt, account: Account) -> Iterator[Snapshot]:
    known = set(
        Attempt.objects.filter(provider=attempt.provider, key=attempt.key)
        .exclude(remote_id="")
        .values_list("remote_id", flat=True)
    )
    for page in _pages(attempt, account):
        for row in page.rows:
            if row.remote_id not in known and _looks_like(attempt.task, row):
                yield row


def _pages(attempt: Attempt, account: Account) -> Iterator[ListPage]:
    sent_at, token = attempt.sent_at or timezone.now(), ""
    for _ in range(MOST_PAGES):
        call = attempt.key.translator.build_list(
            account, ids=(), created_from=sent_at - BEFORE, created_to=sent_at + AFTER, page_token=token
        )
        evidence.count(attempt.key, call.kind)
        page = attempt.key.translator.read_list(transport.send(call))
        yield page
        token = page.next_token
        if not token or not page.rows:
            return


def _looks_like(task: Task, row: Snapshot) -> bool:
    """Whether the row can be this task: what it echoes must not differ; what it leaves out says nothing."""
    if row.echo is None or task.mode in EXPERIMENTS:  # what an experiment's row echoes nobody knows
        return True
    asked = {"model": task.wire_model, "prompt": task.prompt_text, "resolution": task.resolution}
    if task.options.get("is_rec"):
        del asked["prompt"]  # the vendor wrote its own
    said = {name: getattr(row.echo, name) for name in asked}
    if any(said[name] and said[name].strip() != asked[name].strip() for name in asked):
        return False
    return task.duration == 0 or row.echo.duration in (None, 0, task.duration)


def _is_ours(attempt: Attempt, account: Account, row: Snapshot) -> bool:
    if row.payload is not None:
        return row.payload == attempt.token
    call: Call = attempt.key.translator.build_query(account, row.remote_id, attempt.task.wire_model)
    evidence.count(attempt.key, call.kind)
    try:
        return attempt.key.translator.read_snapshot(transport.send(call)).payload == attempt.token
    except Refused as error:
        # A candidate that is gone is not ours, and must not stand in the way of those behind it.
        if error.failure.cls == FailureClass.NOT_FOUND:
            return False
        raise
