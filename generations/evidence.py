"""What our requests cost and how a key fares: counts per kind of call, last use, last error. Never a secret."""

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from generations.models import KeyProblem, ProviderKey, RequestCount
from generations.providers.base import Balance, CallKind, Failure, FailureClass


def count(key: ProviderKey, kind: CallKind, number: int = 1) -> None:
    """Note that requests of this kind went out with this key."""
    with transaction.atomic():
        counted = RequestCount.objects.filter(key=key, kind=kind).update(count=F("count") + number)
        if not counted:
            row, fresh = RequestCount.objects.get_or_create(key=key, kind=kind, defaults={"count": number})
            if not fresh:
                RequestCount.objects.filter(pk=row.pk).update(count=F("count") + number)
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
    if balance.remaining is not None:
        fields |= {"balance": balance.remaining.amount, "balance_at": now}
    rows = ProviderKey.objects.filter(pk=key.pk)
    rows.update(**fields)
    if balance.remaining is None or balance.remaining.amount > 0:
        rows.update(problem=KeyProblem.NONE, problem_at=None)
    else:
        rows.filter(problem=KeyProblem.AUTH).update(problem=KeyProblem.CREDITS, problem_at=now)


def failed(key: ProviderKey, failure: Failure) -> None:
    """A call with this key failed; only an answer about the key itself keeps it from new work."""
    now = timezone.now()
    rows = ProviderKey.objects.filter(pk=key.pk)
    rows.update(last_error=failure.text or failure.code, last_error_at=now)
    if failure.cls == FailureClass.ACCOUNT_AUTH:
        rows.update(problem=KeyProblem.AUTH, problem_at=now)
