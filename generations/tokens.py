"""What an address holds that opens something: 256 random bits, told once. Only their SHA-256 is kept, and their end."""

import hashlib
import secrets

SHOWN = 4  # letters at the end, by which its owner tells two of them apart


def new() -> tuple[str, str, str]:
    """A token, what is kept of it to know it again, and its end."""
    token = secrets.token_urlsafe(32)
    return token, hash_of(token), token[-SHOWN:]


def hash_of(token: str) -> str:
    """Of whatever somebody sends in the place of one, too."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
