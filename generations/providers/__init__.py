"""The vendors we can buy from. A new one is its module, its catalogue rows and one line here."""

from .base import Provider
from .dataeyes import DataEyes
from .uniall import UniAll
from .vidu import Vidu
from .vtrix import Vtrix
from .xingchao import XingChao

PROVIDERS: dict[str, Provider] = {
    "vidu": Vidu(),
    "dataeyes": DataEyes(),
    "uniall": UniAll(),
    "xingchao": XingChao(),
    "vtrix": Vtrix(),
}


def get(slug: str) -> Provider:
    """Raise KeyError for a slug that is no provider of ours."""
    return PROVIDERS[slug]
