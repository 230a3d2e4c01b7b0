"""Secrets at rest: encrypted with the newest key, readable with any of them."""

import hashlib

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(key.strip()) for key in settings.VIDEOFORGE_ENCRYPTION_KEYS])


def encrypt(secret: str) -> str:
    return _fernet().encrypt(secret.encode()).decode()


def decrypt(cipher: str) -> str:
    """Raise cryptography.fernet.InvalidToken when none of the encryption keys made this cipher text."""
    return _fernet().decrypt(cipher.encode()).decode()


def rotate(cipher: str) -> str:
    """The same secret, encrypted with the newest key. Raise InvalidToken as ``decrypt`` does."""
    return _fernet().rotate(cipher.encode()).decode()


def fingerprint(secret: str) -> str:
    """The same secret entered twice has the same fingerprint; the secret cannot be found from it."""
    return hashlib.sha256(b"videoforge key\0" + secret.encode()).hexdigest()


def mask(secret: str) -> str:
    """First three and last four characters; short secrets show nothing."""
    return f"{secret[:3]}…{secret[-4:]}" if len(secret) >= 12 else "…"
