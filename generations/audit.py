"""Who changed what among keys, budgets, prices and people: which tables django-auditlog watches, and how it masks.

It hears of saves. The engine writes by ``update``, so what stands there is what people did.
"""

from collections.abc import Iterable
from ipaddress import ip_address

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from auditlog.middleware import AuditlogMiddleware
from auditlog.models import LogEntry
from auditlog.registry import auditlog
from django.contrib.auth.models import Group
from django.db.models import Model
from django.http import HttpRequest

from generations.models import (
    AllowedHost,
    Budget,
    CatalogueEntry,
    HouseRules,
    Invitation,
    PriceList,
    PriceRow,
    ProviderKey,
    Rate,
    ShareLink,
    User,
    VendorAddress,
)

MASK = "generations.audit.masked"
# What people enter of a key. Its figures are the engine's, and the fingerprint could be tried against guesses.
KEY_FIELDS = (
    "label", "provider", "base_url", "secret_cipher", "masked", "state", "max_in_flight", "follows_account",
    "sends_per_second", "options", "note", "expires_on", "replaces", "problem",
)  # fmt: skip
# What a person may set for themselves, and what every sign-in moves.
NOT_OF_PEOPLE = ("last_login", "theme", "language", "is_staff")
# What people decide about a link; how often it was opened is counted. The hash of its token is in no row.
LINK_FIELDS = (
    "label", "task", "batch", "owner", "audience", "expires_at", "passphrase_hash", "allow_download", "show_settings",
    "revoked_at", "revoked_by",
)  # fmt: skip


def masked(_value: str) -> str:
    """That it changed is told, not a letter of it."""
    return "***"


def register() -> None:
    auditlog.register(
        ProviderKey,
        include_fields=list(KEY_FIELDS),
        mask_fields=["secret_cipher", "options"],
        mask_callable=MASK,
    )
    auditlog.register(
        User,
        include_fields=_columns(User, NOT_OF_PEOPLE),
        mask_fields=["password"],
        mask_callable=MASK,
        m2m_fields={"groups", "user_permissions"},
    )
    auditlog.register(ShareLink, include_fields=list(LINK_FIELDS), mask_fields=["passphrase_hash"], mask_callable=MASK)
    auditlog.register(Invitation, include_fields=_columns(Invitation, ("token_hash",)), m2m_fields={"teams"})
    # That somebody has a passkey, codes or another account now, or no longer; nothing of what they are.
    auditlog.register(Authenticator, include_fields=["user", "type"])
    auditlog.register(SocialAccount, include_fields=["user", "provider"])
    for model in (AllowedHost, Budget, HouseRules, Rate, VendorAddress, PriceList, PriceRow, CatalogueEntry, Group):
        auditlog.register(model, include_fields=_columns(model))


def _columns(model: type[Model], without: tuple[str, ...] = ()) -> list[str]:
    """By name: the library would take relations from other tables for columns too."""
    return [field.name for field in model._meta.concrete_fields if field.name not in without]


def note_update(rows: Iterable[Model], changes: dict[str, tuple[str, str]]) -> None:
    """What a person changed in rows that the engine writes, which are not watched: old and new values as texts."""
    for row in rows:
        LogEntry.objects.log_create(row, force_log=True, action=LogEntry.Action.UPDATE, changes=changes)


def note_outside_view(link: ShareLink) -> None:
    """Somebody who is not of the house opened this link for the first time."""
    LogEntry.objects.log_create(link, force_log=True, action=LogEntry.Action.ACCESS, changes={})


def address_of(request: HttpRequest) -> str | None:
    """The peer; of a proxy on this machine the address that it saw. What a client claims before it is ignored."""
    peer = str(request.META.get("REMOTE_ADDR") or "")
    seen = str(request.headers.get("X-Forwarded-For", "")).rpartition(",")[2].strip()
    for address in (seen, peer) if is_loopback(peer) else (peer,):
        if _is_address(address):
            return address
    return None


class AuditMiddleware(AuditlogMiddleware):  # type: ignore[misc]
    """Notes who made the request, and from where."""

    @staticmethod
    def _get_remote_addr(request: HttpRequest) -> str | None:
        return address_of(request)

    @staticmethod
    def _get_remote_port(_request: HttpRequest) -> None:
        return None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(text: str) -> bool:
    # A socket in the file system has no address: whoever speaks through it is on this machine.
    return not text or (_is_address(text) and ip_address(text).is_loopback)
