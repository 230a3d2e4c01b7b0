"""Who changed what among keys, budgets, prices and people: which tables django-auditlog watches, and how it masks.

It hears of saves. The engine writes by ``update``, so what stands there is what people did.
"""

from ipaddress import ip_address

from auditlog.middleware import AuditlogMiddleware
from auditlog.registry import auditlog
from django.contrib.auth.models import Group
from django.db.models import Model
from django.http import HttpRequest

from generations.models import (
    Budget,
    CatalogueEntry,
    PriceList,
    PriceRow,
    ProviderKey,
    Rate,
    User,
    VendorAddress,
)

MASK = "generations.audit.masked"
# What people enter of a key. Its figures are the engine's, and the fingerprint could be tried against guesses.
KEY_FIELDS = (
    "label", "provider", "base_url", "secret_cipher", "masked", "state", "max_in_flight", "follows_account",
    "sends_per_second", "options", "note", "expires_on", "replaces",
)  # fmt: skip
# What a person may set for themselves, and what every sign-in moves.
NOT_OF_PEOPLE = ("last_login", "theme", "language", "is_staff")


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
        m2m_fields={"groups"},
    )
    for model in (Budget, Rate, VendorAddress, PriceList, PriceRow, CatalogueEntry, Group):
        auditlog.register(model, include_fields=_columns(model))


def _columns(model: type[Model], without: tuple[str, ...] = ()) -> list[str]:
    """By name: the library would take relations from other tables for columns too."""
    return [field.name for field in model._meta.concrete_fields if field.name not in without]


class AuditMiddleware(AuditlogMiddleware):  # type: ignore[misc]
    """Notes who made the request, and from where."""

    @staticmethod
    def _get_remote_addr(request: HttpRequest) -> str | None:
        """The peer; of a proxy on this machine the address that it saw. What a client claims before it is ignored."""
        peer = str(request.META.get("REMOTE_ADDR") or "")
        seen = str(request.headers.get("X-Forwarded-For", "")).rpartition(",")[2].strip()
        for address in (seen, peer) if _is_loopback(peer) else (peer,):
            if _is_address(address):
                return address
        return None

    @staticmethod
    def _get_remote_port(_request: HttpRequest) -> None:
        return None


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(text: str) -> bool:
    # A socket in the file system has no address: whoever speaks through it is on this machine.
    return not text or (_is_address(text) and ip_address(text).is_loopback)
