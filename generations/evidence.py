"""What our requests cost and how a key fares: counts per kind of call, last use, last error. Never a secret."""

from collections.abc import Mapping

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from generations.models import Attempt, KeyProblem, ProviderKey, RequestCount
from generations.providers.base import Answer, Balance, Call, CallKind, Failure, FailureClass, ProviderError

COUNT_AT_MOST = 2**31 - 1  # what a column of counts holds


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
    if balance.remaining is None or balance.remaining.amount > 0:
        rows.update(problem=KeyProblem.NONE, problem_at=None)
    else:
        rows.filter(problem=KeyProblem.AUTH).update(problem=KeyProblem.CREDITS, problem_at=now)


def _figures(balance: Balance) -> dict[str, object]:
    counts = {
        "concurrency_limit": balance.concurrency_limit,
        "vendor_running": balance.running,
        "vendor_queued": balance.queued,
    }
    held = {name: None if count is None else min(count, COUNT_AT_MOST) for name, count in counts.items()}
    return {"balance": balance.remaining.amount if balance.remaining else None, **held}


def stumbled(key: ProviderKey, failure: Failure) -> None:
    """A call failed, and whatever it says, the key is used on."""
    now = timezone.now()
    ProviderKey.objects.filter(pk=key.pk).update(last_error=failure.text or failure.code, last_error_at=now)


def failed(key: ProviderKey, failure: Failure) -> None:
    """A call with this key failed; only an answer about the key itself keeps it from new work."""
    stumbled(key, failure)
    if failure.cls == FailureClass.ACCOUNT_AUTH:
        ProviderKey.objects.filter(pk=key.pk).update(problem=KeyProblem.AUTH, problem_at=timezone.now())


def record(attempt: Attempt, call: Call, outcome: Answer | ProviderError, said: str = "") -> None:
    """Keep what a request for one attempt brought. ``said``: the state or failure that was read out of it."""


def record_list(call: Call, outcome: Answer | ProviderError, said: Mapping[int, tuple[str, str]]) -> None:
    """Keep what a list request brought, for each attempt in it: its state word and its own row as text."""


def record_media(attempt: Attempt, said: str, *, status: int | None = None, seconds: float = 0.0) -> None:
    """Keep what a request to the vendor's storage brought."""
