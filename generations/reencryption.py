"""All secrets at rest, encrypted anew with the newest key, so that an older one can be taken away."""

from collections.abc import Callable, Iterator
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.contrib.sessions.models import Session
from django.db import transaction

from generations import ciphers
from generations.models import ProviderKey

# What stands encrypted in the row of a second factor: of an authenticator app, and of recovery codes.
OF_FACTORS = ("secret", "seed", "migrated_codes")


class Unreadable(Exception):
    """None of the present keys opens a secret of this row."""


def rotate_all() -> Iterator[tuple[str, int, bool]]:
    """For each row that holds secrets: its name, how many were encrypted anew, and whether all could be read.

    A row in a transaction, so that nothing is lost that changes meanwhile; what cannot be read stays as it is.
    """
    for key in ProviderKey.objects.order_by("pk").only("pk", "label"):
        yield _one(f"API key {key.label}", lambda pk=key.pk: _of_key(pk))  # type: ignore[misc]
    for pk, name, kind in Authenticator.objects.order_by("pk").values_list("pk", "user__username", "type"):
        yield _one(f"{kind} of {name}", lambda pk=pk: _of_factor(pk))  # type: ignore[misc]
    for pk in Session.objects.order_by("pk").values_list("pk", flat=True):
        yield "session", _of_session(pk), True


def _one(name: str, rotate: Callable[[], int]) -> tuple[str, int, bool]:
    try:
        with transaction.atomic():
            return name, rotate(), True
    except Unreadable:
        return name, 0, False


def _of_key(pk: int) -> int:
    # By update: the audit log is for what people change.
    rows = ProviderKey.objects.select_for_update().filter(pk=pk)
    key = rows.get()
    options, number = key.set_options, 1
    for setting in key.translator.settings:
        if setting.secret and options.get(setting.name):
            options[setting.name], number = _anew(options[setting.name]), number + 1
    rows.update(secret_cipher=_anew(key.secret_cipher), options=options)
    return number


def _of_factor(pk: int) -> int:
    rows = Authenticator.objects.select_for_update().filter(pk=pk)
    data: dict[str, Any] = rows.get().data
    found = {name: data[name] for name in OF_FACTORS if data.get(name)}
    rows.update(data=data | {name: _each(value, _anew) for name, value in found.items()})
    return sum(len(value) if isinstance(value, list) else 1 for value in found.values())


def _of_session(pk: str) -> int:
    """One that no key opens is nobody's any more and goes: no older key is to be kept for its sake."""
    rows = Session.objects.filter(pk=pk)
    data = rows.values_list("session_data", flat=True).first()
    if data is None:
        return 0
    try:
        # What was saved meanwhile, by whoever has that session, has the newest key already.
        return rows.filter(session_data=data).update(session_data=ciphers.rotate(data))
    except InvalidToken:
        rows.filter(session_data=data).delete()
        return 0


def _each(value: str | list[str], change: Callable[[str], str]) -> str | list[str]:
    return [change(one) for one in value] if isinstance(value, list) else change(value)


def _anew(cipher: str) -> str:
    try:
        return ciphers.rotate(cipher)
    except InvalidToken:
        raise Unreadable from None
