"""Which addresses keys may be sent to, and the one under which a vendor may fetch an input picture from us."""

from datetime import timedelta
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils.translation import gettext as _

from generations.models import Asset, VendorAddress
from generations.providers import PROVIDERS

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# A vendor fetches a picture when the task starts, and an off-peak one may wait for two days.
PICTURE_LIFETIME = timedelta(hours=6)
OFF_PEAK_LIFETIME = timedelta(hours=50)
_SALT = "videoforge.input-picture"


def is_loopback(address: str) -> bool:
    return (urlsplit(address).hostname or "") in LOOPBACK


def why_not_allowed(provider: str, base_url: str) -> str:
    """Why a key of this provider may not be sent to that address, as a sentence; "" when it may.

    This machine itself is always allowed: the sandbox lives there.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        return _("This is no address.")
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return _("This is no address.")
    if "@" in parts.netloc or any(sign in base_url for sign in "?#"):
        return _("Use an address without a user name, ? or # in it.")
    if is_loopback(base_url):
        return ""
    if parts.scheme != "https":
        return _("Use an https:// address: the key travels to it.")
    if base_url.rstrip("/") in allowed(provider):
        return ""
    sentence = _(
        "%(address)s is no address of %(provider)s. Choose %(known)s, or add it under “Vendor addresses” first."
    )
    name = PROVIDERS[provider].name if provider in PROVIDERS else provider
    return sentence % {"address": base_url, "provider": name, "known": ", ".join(allowed(provider))}


def allowed(provider: str) -> list[str]:
    """The vendor's own base addresses, and those that administrators added."""
    own = PROVIDERS[provider].base_urls if provider in PROVIDERS else ()
    added = VendorAddress.objects.filter(provider=provider).values_list("base_url", flat=True)
    return [each.rstrip("/") for each in (*own, *added)]


def house_for(vendor: str) -> str:
    """Our own base address as the vendor at that address can reach it; "" when it cannot.

    Somebody on this machine reaches us without any public address; anybody else does not reach a loopback one.
    """
    if is_loopback(vendor):
        return str(settings.LOCAL_URL)
    public: str = settings.VIDEOFORGE_PUBLIC_URL
    return public if public and not is_loopback(public) else ""


def own(address: str) -> str:
    """The same page of ours under the address that the operator named, if any, for what is read elsewhere than in the
    browser that asks: Host is whatever somebody sends, and names of this machine are always among those answered."""
    public: str = settings.VIDEOFORGE_PUBLIC_URL
    parts = urlsplit(address)
    query = f"?{parts.query}" if parts.query else ""
    return f"{public}{parts.path}{query}" if public else address


def picture_url(asset: Asset, house: str, lifetime: timedelta) -> str:
    """An address of one input picture for whoever holds it, until ``lifetime`` has passed."""
    token = signing.dumps([str(asset.pk), int(lifetime.total_seconds())], salt=_SALT)
    name = f"picture{PurePosixPath(str(asset.file)).suffix}"
    return house + reverse("input-picture", args=[token, name])


def read_picture_token(token: str) -> UUID | None:
    """The picture that a token gives access to; None for a forged or an expired one."""
    try:
        said: Any = signing.loads(token, salt=_SALT)
        pk, seconds = said
        signing.loads(token, salt=_SALT, max_age=seconds)
        return UUID(pk)
    except (signing.BadSignature, ValueError, TypeError):
        return None
