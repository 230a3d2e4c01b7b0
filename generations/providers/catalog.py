"""What a vendor sells: offers by mode and model, as shipped with the app.

No vendor has a list of models to ask for that tells what each takes, so the rows stand in one module per vendor.
Order is meaning: within a mode, the first row is what we recommend. What administrators hide, add and price comes
on top of it, see ``generations.stock``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import PROVIDERS
from .base import MODES, Mode
from .offer import Estimate, Offer, Rate, Switch, estimate

__all__ = ["Estimate", "Offer", "Rate", "Stock", "Switch", "estimate", "get_offer", "models", "offers", "stock"]


@dataclass(frozen=True, slots=True)
class Stock:
    """What one vendor sells. ``closed`` has a sentence for each mode that cannot be had here and now."""

    provider: str
    offers: tuple[Offer, ...]
    closed: Mapping[Mode, str] = field(default_factory=dict)

    @property
    def modes(self) -> frozenset[Mode]:
        """The composer's modes in which something can be ordered now; experiments have forms of their own."""
        return frozenset(offer.mode for offer in self.offers if offer.mode in MODES) - frozenset(self.closed)

    def models(self, mode: Mode) -> tuple[Offer, ...]:
        """What makes videos in this mode, the recommended one first."""
        return tuple(offer for offer in self.offers if offer.mode == mode)

    def get(self, model: str, mode: Mode) -> Offer | None:
        """``model`` is the catalogue's name or an id of the vendor's own; None when that is not sold in this mode."""
        here = self.models(mode)
        named = next((offer for offer in here if offer.model == model), None)
        return named or next((offer for offer in here if model in offer.wire_ids()), None)


def stock(provider: str) -> Stock:
    """What the app ships for a vendor; empty for one without rows."""
    return Stock(provider, offers(provider))


def offers(provider: str) -> tuple[Offer, ...]:
    return PROVIDERS[provider].offers if provider in PROVIDERS else ()


def models(provider: str, mode: Mode) -> tuple[Offer, ...]:
    return stock(provider).models(mode)


def get_offer(provider: str, model: str, mode: Mode) -> Offer | None:
    return stock(provider).get(model, mode)
