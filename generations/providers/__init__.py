"""The vendors we can buy from. A new one is its module, its catalogue rows and one line here."""

from .base import Provider
from .vidu import Vidu

PROVIDERS: dict[str, Provider] = {
    "vidu": Vidu(),
}


def get(slug: str) -> Provider:
    """Raise KeyError for a slug that is no provider of ours."""
    return PROVIDERS[slug]
