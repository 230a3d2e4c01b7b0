"""Who opened a share link how often: people of the house by name, all others as a number.

A person counts once in half an hour, however many parts of a clip their player asks for. Those who are not signed in
carry a signed note of their own, which says no more than that this link has counted them.
"""

from datetime import timedelta

from django.core import signing
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from generations import audit
from generations.models import ShareLink, ShareVisit, User

ONCE_IN = timedelta(minutes=30)
SALT = "share-seen"


@transaction.atomic
def count_view(link: ShareLink, person: User | None) -> bool:
    """False when this person was counted lately; whether an outsider was, their note says."""
    now = timezone.now()
    rows = ShareVisit.objects.filter(pk=_visit(link, person).pk)
    first = rows.filter(views=0).update(views=1, last_at=now)
    lately = rows if person is None else rows.filter(last_at__lte=now - ONCE_IN)
    if not first and not lately.update(views=F("views") + 1, last_at=now):
        return False
    ShareLink.objects.filter(pk=link.pk).update(
        view_count=F("view_count") + 1, first_opened_at=Coalesce("first_opened_at", now), last_opened_at=now
    )
    if first and person is None:
        audit.note_outside_view(link)
    return True


@transaction.atomic
def count_download(link: ShareLink, person: User | None) -> None:
    ShareVisit.objects.filter(pk=_visit(link, person).pk).update(downloads=F("downloads") + 1)
    ShareLink.objects.filter(pk=link.pk).update(download_count=F("download_count") + 1)


def ask(link: ShareLink, person: User) -> bool:
    """Ask its owner for a new one; False when this person asked before."""
    wishes = ShareVisit.objects.filter(pk=_visit(link, person).pk, asked_at=None)
    return bool(wishes.update(asked_at=timezone.now()))


def asked(link: ShareLink, person: User) -> ShareVisit | None:
    return ShareVisit.objects.filter(link=link, person=person, asked_at__isnull=False).first()


def _visit(link: ShareLink, person: User | None) -> ShareVisit:
    visit, _fresh = ShareVisit.objects.get_or_create(link=link, person=person)
    return visit


def note_for(link: ShareLink) -> str:
    return signing.dumps(link.pk.hex, salt=SALT)


def is_noted(link: ShareLink, note: str) -> bool:
    try:
        return bool(signing.loads(note, salt=SALT, max_age=ONCE_IN) == link.pk.hex)
    except signing.BadSignature:
        return False
