"""Adding, testing and using keys outside the route of a task."""

import logging

from django.utils import timezone
from django.utils.translation import gettext as _

from generations import addresses, evidence, lifecycle, transport
from generations.models import ProviderKey, Task, User
from generations.providers import PROVIDERS
from generations.providers.base import Balance, Failure, ProviderError

log = logging.getLogger("videoforge.keys")


def add(
    *,
    provider: str,
    label: str,
    secret: str,
    base_url: str = "",
    max_in_flight: int = 5,
    added_by: User | None = None,
) -> ProviderKey:
    """Store a new key. Raises ValueError with a sentence for people, without the secret in it."""
    if provider not in PROVIDERS:
        raise ValueError(_("There is no provider “%(name)s”.") % {"name": provider})
    problem = bad_secret(secret)
    if problem:
        raise ValueError(problem)
    if ProviderKey.objects.filter(label=label).exists():
        raise ValueError(_("A key with the label “%(label)s” exists already.") % {"label": label})
    base_url = (base_url or PROVIDERS[provider].base_urls[0]).rstrip("/")
    problem = addresses.why_not_allowed(provider, base_url) or taken(provider, secret)
    if problem:
        raise ValueError(problem)
    key = ProviderKey(
        provider=provider,
        label=label,
        base_url=base_url,
        max_in_flight=max_in_flight,
        added_by=added_by,
    )
    key.set_secret(secret)
    key.full_clean()
    key.save()
    return key


def bad_secret(secret: str) -> str:
    """Why this cannot be a vendor's key, or "": it goes into a header, where spaces and line ends do harm."""
    if len(secret) < 8:
        return _("The secret is empty or too short to be a key.")
    if any(not 33 <= ord(character) <= 126 for character in secret):
        return _("The secret contains spaces or characters that a key cannot have.")
    return ""


def taken(provider: str, secret: str, besides: int | None = None) -> str:
    """Which other key of this vendor has this secret already, as a sentence; "" when none has.

    Two keys with one secret would share the vendor's limit and count its money twice.
    """
    same = ProviderKey.with_secret(provider, secret).exclude(pk=besides or 0).first()
    return _("The key “%(label)s” has this secret already.") % {"label": same.label} if same else ""


def test(key_id: int) -> Failure | None:
    """Make the vendor's free test call and note what it says; None when the key is good."""
    key = ProviderKey.objects.get(pk=key_id)
    try:
        balance = _ask_balance(key)
    except ProviderError as error:
        evidence.failed(key, error.failure)
        return error.failure
    evidence.tested(key, balance)
    return None


def refresh(key_id: int) -> None:
    """Ask for an account's figures without any person's wish.

    A failure is noted and changes nothing: the balance may be closed to a key that works.
    """
    key = ProviderKey.objects.filter(pk=key_id).first()
    if key is None:
        return
    try:
        balance = _ask_balance(key)
    except ProviderError as error:
        log.info("key %s: its figures: %s", key.pk, error.failure.code)
        evidence.stumbled(key, error.failure)
    else:
        evidence.tested(key, balance)


def _ask_balance(key: ProviderKey) -> Balance:
    call = key.translator.build_test(key.account())
    evidence.count(key, call.kind)
    return key.translator.read_test(transport.send(call))


def cancel_at_vendor(task: Task) -> None:
    """Pass a person's wish to cancel on to the vendor; its own answer goes into the timeline."""
    if task.attempt is None or not task.attempt.remote_id or not task.is_open:
        return
    key = task.attempt.key
    try:
        call = key.translator.build_cancel(key.account(task.attempt.base_url), task.attempt.remote_id)
        evidence.count(key, call.kind)
        with evidence.recorded(task.attempt, call) as talk:
            talk.outcome = transport.send(call)
            key.translator.read_cancel(talk.outcome)
            talk.said = "agreed"
    except ProviderError as error:
        log.info("task %s: cancel: %s", task.pk, error.failure.code)
        lifecycle.cancel_answered(task, error.failure)
    else:
        lifecycle.cancel_answered(task, None)
    evidence.worked(key)


def forget_problem(key: ProviderKey) -> None:
    """An administrator changed the key: new work may be tried again."""
    ProviderKey.objects.filter(pk=key.pk).update(problem="", problem_at=None, last_error="", last_error_at=None)
    log.info("key %s cleared at %s", key.label, timezone.now())
