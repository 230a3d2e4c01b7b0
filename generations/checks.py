"""What must not be started: each unsafe combination of settings with its cure."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

LOOPBACK = {"127.0.0.1", "localhost", "::1", ""}


def is_exposed() -> bool:
    """Whether others than those at this machine can reach the house."""
    return settings.HOST not in LOOPBACK or (settings.PUBLIC.hostname or "") not in LOOPBACK


@register("videoforge")
def check_addresses(**_kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.HOST not in LOOPBACK and not settings.PUBLIC.hostname:
        found.append(
            Error(
                f"HOST={settings.HOST} opens VideoForge to the network, but nobody said under which address.",
                hint="Set VIDEOFORGE_PUBLIC_URL, for example https://videoforge.example, or leave HOST alone.",
                id="videoforge.E001",
            )
        )
    if settings.VIDEOFORGE_PUBLIC_URL and settings.PUBLIC.scheme not in {"http", "https"}:
        found.append(
            Error(
                "VIDEOFORGE_PUBLIC_URL is not an address.",
                hint="Write it with its scheme, for example https://videoforge.example.",
                id="videoforge.E002",
            )
        )
    if is_exposed() and settings.PUBLIC.scheme == "http":
        found.append(
            Warning(
                "VIDEOFORGE_PUBLIC_URL is not encrypted: passwords and clips can be read on the way.",
                hint="Put a proxy with a certificate in front and use https://.",
                id="videoforge.W001",
            )
        )
    return found


@register("videoforge")
def check_secrets(**_kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.DEBUG and is_exposed():
        found.append(
            Error(
                "DEBUG=1 shows settings and code to everybody who can cause an error.",
                hint="Remove DEBUG, or listen on loopback only.",
                id="videoforge.E003",
            )
        )
    if len(settings.SECRET_KEY) < 32:
        found.append(
            Error(
                "VIDEOFORGE_SECRET_KEY is too short.",
                hint="Use at least 32 random characters, or unset it: one is then made in VIDEOFORGE_DATA.",
                id="videoforge.E004",
            )
        )
    if not all(_is_fernet_key(key) for key in settings.VIDEOFORGE_ENCRYPTION_KEYS):
        found.append(
            Error(
                "VIDEOFORGE_ENCRYPTION_KEYS holds something that is no encryption key.",
                hint="Each key is 32 bytes in URL-safe base64; the newest stands first, separated by commas.",
                id="videoforge.E005",
            )
        )
    return found


# Each process has its own of these, forgets it, or lets two writers through at once.
NOT_SHARED = ("LocMemCache", "DummyCache", "FileBasedCache")


@register("videoforge")
def check_sign_in(**_kwargs: Any) -> list[CheckMessage]:
    return [*_check_provider(), *_check_cache()]


def _check_provider() -> Iterator[CheckMessage]:
    address = urlsplit(settings.VIDEOFORGE_OIDC_URL)
    if settings.VIDEOFORGE_OIDC_ONLY and not address.hostname:
        yield Error(
            "VIDEOFORGE_OIDC_ONLY closes every door but one, and VIDEOFORGE_OIDC_URL does not say which that is.",
            hint="Set VIDEOFORGE_OIDC_URL and VIDEOFORGE_OIDC_CLIENT_ID, or remove VIDEOFORGE_OIDC_ONLY.",
            id="videoforge.E006",
        )
    if settings.VIDEOFORGE_OIDC_URL and not (address.hostname and settings.VIDEOFORGE_OIDC_CLIENT_ID):
        yield Error(
            "Single sign-on is set up by half.",
            hint="VIDEOFORGE_OIDC_URL is the issuer's whole address, and VIDEOFORGE_OIDC_CLIENT_ID belongs to it.",
            id="videoforge.E007",
        )
    if address.hostname and address.scheme != "https" and address.hostname not in LOOPBACK:
        yield Error(
            "VIDEOFORGE_OIDC_URL is not encrypted: somebody on the way could sign in as anybody.",
            hint="Use the provider's https:// address.",
            id="videoforge.E008",
        )


def _check_cache() -> Iterator[CheckMessage]:
    kind = settings.CACHES["default"]["BACKEND"].rpartition(".")[2]
    if kind in NOT_SHARED:
        yield Warning(
            f"{kind} does not count wrong passwords and passphrases for all processes together.",
            hint="Leave CACHES alone, or set REDIS_URL.",
            id="videoforge.W002",
        )


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key.strip())
    except ValueError:
        return False
    return True
