"""What our requests cost, what came of them, and how a key fares. Never a secret.

A task is asked about a hundred times and mostly answers the same: what is kept is one row per attempt, kind of call
and outcome, with the first answer of its kind, the first and last time, and how often.
"""

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta

from django.conf import settings
from django.db import DataError, IntegrityError, OperationalError, transaction
from django.db.models import F, Min, Q, QuerySet
from django.utils import timezone

from generations import redactor
from generations.models import (
    Attempt,
    BalanceReading,
    CallbackNotice,
    KeyProblem,
    ProviderKey,
    RequestCount,
    Task,
    TaskState,
    VendorRequest,
)
from generations.providers.base import (
    Answer,
    Balance,
    Call,
    CallKind,
    Failure,
    FailureClass,
    Money,
    ProviderError,
    Refused,
)

log = logging.getLogger("videoforge.evidence")

COUNT_AT_MOST = 2**31 - 1  # what a column of counts holds
LONGEST_WORD, LONGEST_EXCERPT = 80, 600
PRUNED_AT_ONCE = 1000  # rows of a table: other writers wait as long as this takes


def count(key: ProviderKey, kind: CallKind, number: int = 1) -> None:
    """Note that requests of this kind went out with this key. Asking for its balance is no use of it."""
    with transaction.atomic():
        counted = RequestCount.objects.filter(key=key, kind=kind).update(count=F("count") + number)
        if not counted:
            row, fresh = RequestCount.objects.get_or_create(key=key, kind=kind, defaults={"count": number})
            if not fresh:
                RequestCount.objects.filter(pk=row.pk).update(count=F("count") + number)
        if kind is not CallKind.BALANCE:
            ProviderKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())


def worked(key: ProviderKey) -> None:
    """The vendor gave a good answer to this key."""
    ProviderKey.objects.filter(pk=key.pk).update(last_ok_at=timezone.now())


def tested(key: ProviderKey, balance: Balance) -> None:
    """A test call succeeded: the key is good, so a problem with its acceptance is over.

    A key that was out of credits stays flagged until the vendor reports some.
    """
    now = timezone.now()
    fields: dict[str, object] = {"last_ok_at": now}
    figures = _figures(balance)
    if any(each is not None for each in figures.values()):  # all of them are of this moment, the missing ones too
        fields |= {**figures, "balance_at": now}
    rows = ProviderKey.objects.filter(pk=key.pk)
    rows.update(**fields)
    _remember(key, balance)
    if balance.remaining is None or (balance.remaining.amount > 0 and _pays_for_something(key, balance.remaining)):
        rows.update(problem=KeyProblem.NONE, problem_at=None)
    else:
        rows.filter(problem=KeyProblem.AUTH).update(problem=KeyProblem.CREDITS, problem_at=now)


def _remember(key: ProviderKey, balance: Balance) -> None:
    """The last balance of each UTC hour stays: reconciliation compares it with the ledger."""
    if balance.remaining is None:
        return
    now = timezone.now().astimezone(UTC)
    hour = now.replace(minute=0, second=0, microsecond=0)
    told = {"at": now, "balance": balance.remaining.amount}
    BalanceReading.objects.update_or_create(key=key, hour=hour, defaults=told)


def _pays_for_something(key: ProviderKey, left: Money) -> bool:
    """Whether the cheapest clip that waits could be paid: what is left of an account may be too little for any."""
    waiting = Task.objects.filter(key=key, state=TaskState.WAITING, estimate__isnull=False)
    priced = waiting.filter(Q(estimate_unit=left.unit) | Q(estimate_unit="", unit=left.unit))
    least = priced.aggregate(least=Min("estimate"))["least"]
    return least is None or least <= left.amount


def _figures(balance: Balance) -> dict[str, object]:
    counts = {
        "concurrency_limit": balance.concurrency_limit,
        "vendor_running": balance.running,
        "vendor_queued": balance.queued,
    }
    held = {name: None if count is None else min(count, COUNT_AT_MOST) for name, count in counts.items()}
    ends = balance.ends
    parts = {"balance_ending": ends.amount if ends else None, "balance_ends_at": ends.at if ends else None}
    return {"balance": balance.remaining.amount if balance.remaining else None, **parts, **held}


def stumbled(key: ProviderKey, failure: Failure) -> None:
    """A call failed, and whatever it says, the key is used on."""
    now = timezone.now()
    ProviderKey.objects.filter(pk=key.pk).update(
        last_error=redactor.redact(failure.text or failure.code), last_error_at=now
    )


def failed(key: ProviderKey, failure: Failure) -> None:
    """A call with this key failed; only an answer about the key itself keeps it from new work."""
    stumbled(key, failure)
    if failure.cls == FailureClass.ACCOUNT_AUTH:
        ProviderKey.objects.filter(pk=key.pk).update(problem=KeyProblem.AUTH, problem_at=timezone.now())


# --- Per attempt --------------------------------------------------------------------------------------------


def digest(call: Call) -> str:
    """sha256 over the JSON body: tells two requests apart without keeping what was in them."""
    return hashlib.sha256(json.dumps(call.body, sort_keys=True).encode()).hexdigest()


def record(attempt: Attempt, call: Call, outcome: Answer | ProviderError, said: str = "") -> None:
    """Keep what a request for one attempt brought. ``said``: the state or failure that was read out of it."""
    _keep(_Talk(call, outcome), {attempt.pk: (said, "")})


@dataclass
class Talk:
    """What is told of a request while it goes on; see ``recorded``."""

    outcome: Answer | None = None
    said: str = ""


@contextmanager
def recorded(attempt: Attempt, call: Call) -> Iterator[Talk]:
    """Keep what a request for one attempt brought, also when it, or reading its answer, fails."""
    talk = Talk()
    try:
        yield talk
    except ProviderError as error:
        record(attempt, call, talk.outcome or error, error.failure.code)
        raise
    if talk.outcome is not None:
        record(attempt, call, talk.outcome, talk.said)


def record_list(call: Call, outcome: Answer | ProviderError, said: Mapping[int, tuple[str, str]]) -> None:
    """Keep what a list request brought, for each attempt in it: its state word and its own row as text.

    Where the text is "", the row is looked for in the answer by the vendor's id.
    """
    _keep(_Talk(call, outcome), said)


def record_media(attempt: Attempt, said: str, *, status: int | None = None, seconds: float = 0.0) -> None:
    """Keep what a request to the vendor's storage brought."""
    answer = Answer(status, {}, b"", seconds) if status is not None else _silence(said, seconds)
    _keep(_Talk(Call(CallKind.MEDIA, "GET", "", {}), answer), {attempt.pk: (said, "")})


def secrets_of(key: ProviderKey) -> list[str]:
    """What of a key must never be written down; nothing where it cannot be decrypted, and so was never used."""
    try:
        account = key.account()
    except Refused:
        return []
    own = [str(account.options.get(setting.name, "")) for setting in key.translator.settings if setting.secret]
    return [account.secret, *filter(None, own)]


def prune() -> int:
    """Forget the talks about tasks that ended long ago; one bounded bite at a time, so call it again and again."""
    limit = timezone.now() - timedelta(days=settings.EVIDENCE_DAYS)
    ended = {"attempt__task__finished_at__lt": limit}
    still_open = {"attempt__task__state__in": TaskState.open()}
    old = VendorRequest.objects.filter(last_at__lt=limit, **ended).exclude(**still_open).order_by("last_at")
    called = CallbackNotice.objects.filter(received_at__lt=limit, **ended).exclude(**still_open).order_by("received_at")
    requests = VendorRequest.objects.filter(pk__in=_first_of(old)).delete()[0]
    return requests + CallbackNotice.objects.filter(pk__in=_first_of(called)).delete()[0]


def _first_of(rows: "QuerySet[VendorRequest] | QuerySet[CallbackNotice]") -> list[int]:
    return list(rows.values_list("pk", flat=True)[:PRUNED_AT_ONCE])


def _silence(said: str, seconds: float) -> ProviderError:
    error = ProviderError(Failure(FailureClass.PROVIDER_TRANSIENT, said))
    error.seconds = seconds
    return error


@dataclass(frozen=True, slots=True)
class _Talk:
    """A request and what came of it, as the columns want it."""

    call: Call
    outcome: Answer | ProviderError

    @property
    def sent_secrets(self) -> list[str]:
        """Whatever went along that is no content type: the key, under whichever name."""
        head = self.call.headers.items()
        return [value.rpartition(" ")[2] for name, value in head if name.lower() != "content-type"]

    @property
    def status(self) -> int | None:
        status = self.outcome.status if isinstance(self.outcome, Answer) else None
        return status if status is not None and 0 <= status < 1000 else None

    @property
    def duration_ms(self) -> int:
        seconds = self.outcome.seconds
        return min(max(0, int(seconds * 1000)), COUNT_AT_MOST) if math.isfinite(seconds) else 0

    @property
    def body_digest(self) -> str:
        return "" if self.call.body is None else digest(self.call)

    def word(self, said: str) -> str:
        spoken = (said or self._own_word).encode("utf-8", "replace")
        return redactor.excerpt(spoken, self.sent_secrets, LONGEST_WORD) or "?"

    @property
    def _own_word(self) -> str:
        if isinstance(self.outcome, Answer):
            return f"http_{self.outcome.status}"
        return self.outcome.failure.code or self.outcome.failure.cls

    def listed_rows(self) -> dict[str, str]:
        """The rows of a list by their id, whatever the vendor calls the list."""
        said = self.outcome.json() if isinstance(self.outcome, Answer) else None
        lists = [each for each in said.values() if isinstance(each, list)] if isinstance(said, dict) else []
        rows = [row for each in lists for row in each if isinstance(row, dict) and "id" in row]
        return {str(row["id"]): json.dumps(row, ensure_ascii=False) for row in rows}

    def excerpt(self, row: str, secrets: list[str]) -> str:
        """Of the task's own row of a list, else of the whole answer, else what is known of its absence."""
        if isinstance(self.outcome, Answer) and not row:
            return redactor.excerpt(self.outcome.content, secrets, LONGEST_EXCERPT)
        text = row if isinstance(self.outcome, Answer) else self.outcome.failure.text
        return redactor.excerpt(text.encode("utf-8", "replace"), secrets, LONGEST_EXCERPT)


def _keep(talk: _Talk, said: Mapping[int, tuple[str, str]]) -> None:
    """Count outcomes that were seen before and write down new ones.

    A database that cannot take it is no reason to lose what the request was about: a clip that is paid for.
    """
    words = {word: talk.word(word) for word in {word for word, _row in said.values()}}
    try:
        with transaction.atomic():
            unseen = _count_again(talk, {pk: words[word] for pk, (word, _row) in said.items()})
            if unseen:
                _write_down(talk, unseen, {pk: said[pk][1] for pk in unseen})
    except (OperationalError, DataError, IntegrityError) as error:
        log.error("what %d attempts were told (%s) is not kept: %s", len(said), talk.call.kind, type(error).__name__)


def _count_again(talk: _Talk, words: Mapping[int, str]) -> dict[int, str]:
    """One more of the same, a statement for each word; returns what is new."""
    by_word: dict[str, list[int]] = {}
    for pk, word in words.items():
        by_word.setdefault(word, []).append(pk)
    now, unseen = timezone.now(), {}
    for word, pks in by_word.items():
        rows = VendorRequest.objects.filter(attempt__in=pks, kind=talk.call.kind, said=word)
        counted = rows.update(times=F("times") + 1, last_at=now, status=talk.status, duration_ms=talk.duration_ms)
        if counted < len(pks):
            known = set(rows.values_list("attempt_id", flat=True)) if counted else set()
            unseen.update({pk: word for pk in pks if pk not in known})
    return unseen


def _write_down(talk: _Talk, unseen: Mapping[int, str], rows: Mapping[int, str]) -> None:
    key = ProviderKey.objects.filter(attempts=next(iter(unseen))).first()
    secrets = [*talk.sent_secrets, *(secrets_of(key) if key else [])]
    now, body_digest = timezone.now(), talk.body_digest
    if talk.call.kind == CallKind.LIST and "" in rows.values():
        ids = Attempt.objects.filter(pk__in=unseen).values_list("pk", "remote_id")
        listed = talk.listed_rows()
        rows = {pk: rows[pk] or listed.get(remote_id, "") for pk, remote_id in ids}
    shared = talk.excerpt("", secrets) if "" in rows.values() else ""
    VendorRequest.objects.bulk_create(
        [
            VendorRequest(
                attempt_id=pk,
                kind=talk.call.kind,
                said=word,
                status=talk.status,
                duration_ms=talk.duration_ms,
                first_at=now,
                last_at=now,
                body_digest=body_digest,
                excerpt=talk.excerpt(row, secrets) if (row := rows.get(pk, "")) else shared,
            )
            for pk, word in unseen.items()
        ],
        ignore_conflicts=True,  # somebody was told the same at the same moment
    )
