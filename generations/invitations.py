"""The only way in for somebody new: an address that an administrator hands over, good for one person and some days."""

from collections.abc import Iterable
from datetime import timedelta
from smtplib import SMTPException

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.auth.models import Group
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import QuerySet
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from generations import tokens
from generations.models import Invitation, Role, User

DAYS, MOST_DAYS = 7, 30


class Gone(Exception):
    """Somebody else was quicker, or it was taken back meanwhile."""


def make(invitation: Invitation, by: User, days: int = DAYS) -> str:
    """Write it down and return its token, which is known nowhere afterwards."""
    token, invitation.token_hash, invitation.token_end = tokens.new()
    invitation.created_by = by
    invitation.expires_at = timezone.now() + timedelta(days=min(days, MOST_DAYS))
    invitation.save()
    return token


def open_ones() -> QuerySet[Invitation]:
    """An administrator who has left is let in by none of the invitations that they made."""
    return Invitation.objects.filter(
        accepted_at=None, revoked_at=None, expires_at__gt=timezone.now(),
        created_by__is_active=True, created_by__role=Role.ADMIN,
    )  # fmt: skip


def find(token: str) -> Invitation | None:
    return by_hash(tokens.hash_of(token))


def by_hash(token_hash: str) -> Invitation | None:
    return open_ones().select_related("created_by").filter(token_hash=token_hash).first()


def accept(invitation: Invitation, person: User, *, is_own_address: bool = False) -> User:
    """Make the person. The invitation's row is locked meanwhile: of two at the same moment one finds it used.

    ``is_own_address``: somebody checked that the e-mail address is theirs. The one that the invitation was made for
    is known to the administrator and counts as well.
    """
    with transaction.atomic():
        held = open_ones().select_for_update(of=("self",)).filter(pk=invitation.pk).first()
        if held is None:
            raise Gone
        person.role = held.role
        person.save()
        person.groups.set(held.teams.all())
        _note_address(person, is_own_address or person.email.lower() == held.email.lower())
        held.accepted_at, held.person = timezone.now(), person
        held.save(update_fields=["accepted_at", "person"])
    return person


def _note_address(person: User, verified: bool) -> None:
    if person.email:
        EmailAddress.objects.create(user=person, email=person.email.lower(), verified=verified, primary=True)


def revoke(invitations: Iterable[Invitation]) -> int:
    """Take back those that nobody used; how many they were."""
    count = 0
    for invitation in invitations:
        if not invitation.accepted_at and not invitation.revoked_at:
            invitation.revoked_at = timezone.now()
            invitation.save(update_fields=["revoked_at"])  # one by one: each is a row of the record
            count += 1
    return count


def state_of(invitation: Invitation) -> str:
    if invitation.accepted_at:
        return _("accepted")
    if invitation.revoked_at:
        return _("revoked")
    if invitation.expires_at <= timezone.now():
        return _("expired")
    inviter = invitation.created_by
    return pgettext("invitation", "open") if inviter.is_admin else _("void: who invited is no administrator any more")


def mail(invitation: Invitation, address: str) -> bool:
    """Within the request, unlike other mail: the queue is a table, and the token must stand in none."""
    with translation.override(settings.LANGUAGE_CODE):
        told = {
            "inviter": invitation.created_by.display_name,
            "address": address,
            "until": formats.date_format(timezone.localtime(invitation.expires_at), "DATETIME_FORMAT"),
        }
        body = _("%(inviter)s invites you to VideoForge. Open this address and choose a user name:\n\n%(address)s\n\n"
                 "It works once, until %(until)s.") % told  # fmt: skip
        subject = _("Your invitation to VideoForge")
    try:
        return send_mail(subject, body, None, [invitation.email]) > 0
    except (OSError, SMTPException):
        return False


def teams_of(invitation: Invitation) -> QuerySet[Group]:
    return invitation.teams.order_by("name")
