"""The passphrase of a share link: five tries in ten minutes for each link and address and a hundred in an hour from all
addresses together, counted before the passphrase is looked at; and a signed note for whoever knew it.
"""

import time
from datetime import timedelta

from django.contrib.auth.hashers import check_password
from django.core import signing
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from generations.limits import Limit, Locked, give_back, neighbourhood
from generations.models import ShareLink

TRIES = Limit("passphrase", 5, 600)
ALL_TRIES = Limit("passphrase-link", 100, 3600)  # whoever has many addresses has no more than these
UNLOCKED_FOR = timedelta(hours=12)
SALT = "share-unlock"
__all__ = ["Locked", "is_right", "is_unlocked", "note_for"]


def is_right(link: ShareLink, passphrase: str, address: str | None) -> bool:
    """One try, counted from where it comes. Raises Locked, and does not look at the passphrase then."""
    places = _places(link, address)
    right = check_password(passphrase, link.passphrase_hash)
    if right:
        give_back(*places)  # what was right is no failed try
    return right


def _places(link: ShareLink, address: str | None) -> tuple[str, str]:
    place = TRIES.take(f"{link.pk.hex} {neighbourhood(address)}")
    try:
        return place, ALL_TRIES.take(link.pk.hex)
    except Locked:
        give_back(place)  # nobody listened to this one
        raise


def note_for(link: ShareLink) -> tuple[str, int]:
    """What whoever knew the passphrase shows from now on, and for how many seconds it holds."""
    until = timezone.now() + UNLOCKED_FOR
    until = min(until, link.expires_at) if link.expires_at else until
    seconds = int((until - timezone.now()).total_seconds())
    return signing.dumps([_mark(link), int(until.timestamp())], salt=SALT), seconds


def is_unlocked(link: ShareLink, note: str) -> bool:
    """Another passphrase, or an end that has passed meanwhile, makes every older note worthless."""
    if not link.passphrase_hash:
        return True
    try:
        mark, until = signing.loads(note, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return False
    return constant_time_compare(str(mark), _mark(link)) and until > time.time()


def _mark(link: ShareLink) -> str:
    return salted_hmac(SALT, f"{link.pk.hex}{link.passphrase_hash}", algorithm="sha256").hexdigest()
