"""A new encryption key takes over: every secret is encrypted with it, and the old one can be thrown away."""

import io
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet
from django.contrib.sessions.models import Session
from django.core.management import call_command

from generations import ciphers, sessions
from generations.models import ProviderKey, User
from tests.factories import make_key

pytestmark = pytest.mark.django_db
SECRET, CALLBACK, SEED = "an-obviously-fake-key-secret", "an-obviously-fake-callback", "an-obviously-fake-seed"
PASSKEY = {"name": "laptop", "credential": {"id": "public"}}


@pytest.fixture
def rows(alice: User, settings: Any) -> list[str]:
    """Secrets of each kind under an old key, and then a new one before it. Returns both keys, the newest first."""
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    settings.VIDEOFORGE_ENCRYPTION_KEYS = [old]
    make_key(secret=SECRET, options={"callback_secret": ciphers.encrypt(CALLBACK), "images": "url"})
    factors: dict[str, dict[str, Any]] = {
        "totp": {"secret": ciphers.encrypt(SEED)},
        "recovery_codes": {"seed": ciphers.encrypt(SEED), "used_mask": 5},
        "webauthn": PASSKEY,
    }
    for kind, data in factors.items():
        Authenticator.objects.create(user=alice, type=kind, data=data)
    settings.VIDEOFORGE_ENCRYPTION_KEYS = [new, old]
    return [new, old]


def rotate(expected: int = 0) -> str:
    out = io.StringIO()
    try:
        call_command("rotatekeys", stdout=out)
        code = 0
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == expected
    return out.getvalue()


def test_the_old_key_is_not_needed_any_more(rows: list[str], settings: Any) -> None:
    assert rotate() == "4 secrets are encrypted with the newest key now\n"
    settings.VIDEOFORGE_ENCRYPTION_KEYS = rows[:1]
    account = ProviderKey.objects.get().account()
    assert (account.secret, account.options) == (SECRET, {"callback_secret": CALLBACK, "images": "url"})
    totp, codes, passkey = (each.data for each in Authenticator.objects.order_by("pk"))
    assert ciphers.decrypt(totp["secret"]) == ciphers.decrypt(codes["seed"]) == SEED
    assert (codes["used_mask"], passkey) == (5, PASSKEY)


def test_twice_is_once(rows: list[str]) -> None:
    rotate()
    rotate()
    assert ProviderKey.objects.get().account().secret == SECRET


def test_what_no_key_opens_stays_and_is_named(rows: list[str], settings: Any) -> None:
    settings.VIDEOFORGE_ENCRYPTION_KEYS = rows[:1]
    before = ProviderKey.objects.get().secret_cipher
    told = rotate(expected=1)
    assert "cannot be read with any of the keys: API key Studio" in told
    assert "cannot be read with any of the keys: totp of alice" in told
    assert "0 secrets are encrypted" in told
    assert ProviderKey.objects.get().secret_cipher == before
    assert SECRET not in told


def test_nobody_is_signed_out_and_what_no_key_opens_goes(settings: Any, db: None) -> None:
    gone, old, new = (Fernet.generate_key().decode() for _ in range(3))
    for key in (gone, old):
        settings.VIDEOFORGE_ENCRYPTION_KEYS = [key]
        store = sessions.SessionStore()
        store["made with"] = key
        store.save()
    settings.VIDEOFORGE_ENCRYPTION_KEYS = [new, old]
    assert rotate() == "1 secrets are encrypted with the newest key now\n"
    settings.VIDEOFORGE_ENCRYPTION_KEYS = [new]
    assert sessions.SessionStore(Session.objects.get().pk)["made with"] == old
