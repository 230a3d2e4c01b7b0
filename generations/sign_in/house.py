"""The address of the house, for what is read elsewhere than in the browser that asks."""

from urllib.parse import urlsplit

from django.conf import settings


def own(address: str) -> str:
    """The same page under the address that the operator named, if any: Host is whatever somebody sends, and names of
    this machine are always among those that are answered."""
    public: str = settings.VIDEOFORGE_PUBLIC_URL
    parts = urlsplit(address)
    query = f"?{parts.query}" if parts.query else ""
    return f"{public}{parts.path}{query}" if public else address
