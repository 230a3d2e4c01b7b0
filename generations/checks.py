"""What must not be started: each unsafe combination of settings with its cure."""

from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

LOOPBACK = {"127.0.0.1", "localhost", "::1", ""}


def _exposed() -> bool:
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
    if _exposed() and settings.PUBLIC.scheme == "http":
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
    if settings.DEBUG and _exposed():
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


def _is_fernet_key(key: str) -> bool:
    try:
        Fernet(key.strip())
    except ValueError:
        return False
    return True
