"""Adding, testing and using keys outside the route of a task."""

import logging
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from generations import addresses, evidence, lifecycle, transport
from generations.models import (
    Attempt,
    AttemptState,
    Budget,
    KeyProblem,
    KeyState,
    ProviderKey,
    Rate,
    Task,
    TaskState,
    User,
)
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
    ProviderKey.objects.filter(pk=key.pk).update(problem_at=None, last_error="", last_error_at=None)
    key.refresh_from_db(fields=["problem"])
    key.problem = KeyProblem.NONE
    key.save(update_fields=["problem"])  # a save, which the audit log hears of
    log.info("key %s cleared at %s", key.label, timezone.now())


# --- A key's life --------------------------------------------------------------------------------------------

# What a new key takes over from the one that it replaces. Secret, expiry and the account's figures are its own.
INHERITED = (
    "provider", "base_url", "max_in_flight", "follows_account", "sends_per_second", "options", "note",
)  # fmt: skip
LABEL_AT_MOST = 60
UNCLEAR_FOR = timedelta(days=7)  # a create without an answer is looked for so long, even after we gave it up


def rotate(key: ProviderKey, secret: str, actor: User | None, expires_on: date | None = None) -> ProviderKey:
    """A new key with this secret takes the place, label, budgets and rates of ``key``, which drains by itself.

    Raises ValueError with a sentence for people, without the secret in it; then nothing has changed.
    """
    with transaction.atomic():
        old = ProviderKey.objects.select_for_update().get(pk=key.pk)
        problem = why_not_rotated(old, secret)
        if problem:
            raise ValueError(problem)
        label = old.label
        old.label = _label_of_the_past(label)
        if old.state == KeyState.ACTIVE:
            old.state = KeyState.DRAINING
        old.save(update_fields=["label", "state"])
        new = ProviderKey(label=label, replaces=old, added_by=actor, expires_on=expires_on)
        for name in INHERITED:
            setattr(new, name, getattr(old, name))
        new.set_secret(secret)
        new.save()
        _inherit_money(old, new)
    log.info("key %s replaces key %s", new.pk, old.pk)
    return new


def why_not_rotated(key: ProviderKey, secret: str) -> str:
    """A sentence, "" when the secret may take over."""
    if key.replaced_by.exists():
        return _("The key “%(label)s” has been replaced already.") % {"label": key.label}
    problem = bad_secret(secret) or taken(key.provider, secret)
    return problem or addresses.why_not_allowed(key.provider, key.base_url)


def _label_of_the_past(label: str) -> str:
    """Labels are unique, and people look for the one they know: the old key keeps it with the day on which it ended."""
    until = _("until %(date)s") % {"date": timezone.localdate().isoformat()}
    for number in range(1, 1000):
        tail = f" ({until})" if number == 1 else f" ({until}, {number})"
        name = label[: LABEL_AT_MOST - len(tail)].rstrip() + tail
        if not ProviderKey.objects.filter(label=name).exists():
            return name
    raise ValueError(_("A key with the label “%(label)s” exists already.") % {"label": name})


def _inherit_money(old: ProviderKey, new: ProviderKey) -> None:
    """Budgets go over: they count what the old key spends to its end too. Rates are copied, for its rows need them."""
    for budget in Budget.objects.filter(key=old):
        budget.key = new
        budget.save(update_fields=["key"])
    for row in Rate.objects.filter(key=old):
        row.pk, row.key = None, new
        row._state.adding = True
        row.save()


def retire_drained() -> int:
    """A draining key on which nothing runs, waits or is unclear has done its work: it is disabled."""
    its_own = Q(key=OuterRef("pk")) | Q(attempt__key=OuterRef("pk"))
    running = Task.objects.filter(its_own, state__in=TaskState.open())
    since = timezone.now() - UNCLEAR_FOR
    looked_for = Attempt.objects.filter(key=OuterRef("pk"), state=AttemptState.UNKNOWN, sent_at__gte=since)
    done = ProviderKey.objects.filter(~Exists(running), ~Exists(looked_for), state=KeyState.DRAINING)
    number = done.update(state=KeyState.DISABLED)
    if number:
        log.info("%d drained keys are disabled", number)
    return number


def learn_vendor_id(key: ProviderKey, vendor_key_id: str) -> bool:
    """The vendor's list names the key that made a task of ours: remember its name. True when that was news."""
    told = vendor_key_id.strip()[:64]
    if not told or told == key.vendor_key_id:
        return False
    if key.vendor_key_id:
        log.warning("key %s: the vendor calls it %s now, before %s", key.pk, told, key.vendor_key_id)
    ProviderKey.objects.filter(pk=key.pk).update(vendor_key_id=told)
    key.vendor_key_id = told
    return True
