"""Which vendor offers which model, mode and setting, and at what price. Rows are in one module per vendor.

No vendor has a list of models to ask for, so the tables ship with the app. Order is meaning: within a mode, the
first row is what we recommend.
"""

from . import catalog_vidu
from .base import Mode
from .catalog_vidu import CNY_PER_CREDIT, PRICE_LIST, USD_PER_CREDIT
from .offer import Estimate, Offer, Rate, Switch, estimate

__all__ = [
    "CNY_PER_CREDIT",
    "PRICE_LIST",
    "USD_PER_CREDIT",
    "Estimate",
    "Offer",
    "Rate",
    "Switch",
    "estimate",
    "get_offer",
    "models",
    "offers",
]

_OFFERS: dict[str, tuple[Offer, ...]] = {
    "vidu": catalog_vidu.OFFERS,
}


def offers(provider: str) -> tuple[Offer, ...]:
    """Everything on offer there; empty for a provider without rows."""
    return _OFFERS.get(provider, ())


def models(provider: str, mode: Mode) -> tuple[Offer, ...]:
    """What makes videos in this mode, the recommended one first."""
    return tuple(offer for offer in offers(provider) if offer.mode == mode)


def get_offer(provider: str, model: str, mode: Mode) -> Offer | None:
    """``model`` is the catalogue's name or the vendor's own id; None when that is not offered in this mode."""
    return next((offer for offer in models(provider, mode) if model in (offer.model, offer.wire_model)), None)
