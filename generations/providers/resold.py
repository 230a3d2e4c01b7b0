"""Rows of those who resell Vidu's models: Vidu's own row, and what the vendor says otherwise.

The names of the catalogue stay Vidu's, so that vendors can be compared on the same model.
"""

from dataclasses import replace
from typing import Any

from .base import Mode
from .catalog_vidu import MODELS, OFFERS
from .offer import Offer

# What a reseller's page has to say itself: no field of these is sent on Vidu's word alone.
_SILENT: dict[str, Any] = {
    "styles": (),
    "movements": (),
    "audio_types": (),
    "off_peak": False,
    "off_peak_with_audio": False,
    "watermark": False,
    "meta_data": False,
    "is_rec": False,
    "subjects": False,
    "videos": False,
    "note": "",
}


def row(
    provider: str, mode: Mode, model: str, wire_model: str, *, like: tuple[Mode, str] | None = None, **said: Any
) -> Offer:
    """Vidu's row of this mode and model, or the one that it is ``like``, with what is ``said`` of it here.

    Lengths, resolutions, ratios, sound and prompt length are Vidu's unless said; prices are unknown.
    """
    alike = next(offer for offer in OFFERS if (offer.mode, offer.model) == (like or (mode, model)))
    label, family, hint = MODELS[model]
    described = {"provider": provider, "mode": mode, "model": model, "label": label, "family": family, "hint": hint}
    return replace(alike, tariff=None, wire_model=wire_model, **{**described, **_SILENT, **said})
