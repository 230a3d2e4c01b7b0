"""Keeps out of the log what opens something: the secret part of our own addresses becomes a short hash.

The hash is the beginning of the SHA-256 that the database has, so a line of the log can be matched with its link, and
the link not opened with it.
"""

import hashlib
import logging
import re
from urllib.parse import unquote

# What stands before the secret of each address that holds one; ``*`` is one part of any content.
BEFORE_SECRETS = ("/s/", "/callbacks/*/", "/media/inputs/", "/invitations/", "/accounts/password/reset/*-")
SHOWN = 6  # hexadecimal digits of the hash
UNPRINTED = logging.Formatter()


def _quoted(letter: str) -> str:
    """The letter as it is, or percent-encoded, however often."""
    return f"(?:{re.escape(letter)}|%(?:25){{0,3}}{ord(letter):02x})"


SLASH = _quoted("/")
PART = rf"(?:(?!{SLASH})[^\s?#&\"'<>(){{}}\[\]|,;])"
ADDRESS = re.compile(
    "((?:"
    + "|".join(
        "".join(f"{PART}{{1,200}}?" if each == "*" else _quoted(each) for each in start) for start in BEFORE_SECRETS
    )
    + f"))(?!…)({PART}+)",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """The same text; ``/s/<token>/video/1/`` has become ``/s/…ab12cd/video/1/``."""
    return ADDRESS.sub(lambda found: f"{found[1]}…{_short(found[2])}", text)


def _short(secret: str) -> str:
    for _ in range(4):  # as often as it can be quoted in what is looked for
        secret = unquote(secret)
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()[:SHOWN]


class SecretAddresses(logging.Filter):
    """Lets every record through, with its message and what it tells of an exception rewritten."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_secrets(_message(record)), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = UNPRINTED.formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = without_secrets(record.exc_text)
        if record.stack_info:
            record.stack_info = without_secrets(record.stack_info)
        return True


def _message(record: logging.LogRecord) -> str:
    """Arguments that do not fit their message are told as they are, where logging would print them unseen."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args!r}"
