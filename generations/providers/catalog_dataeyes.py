"""DataEyes' models: Vidu's, each under one id per resolution and length.

One id is printed, ``viduq2-turbo-720p-5s`` [docs]; that all others are built like it is [inferred].
"""

from dataclasses import replace

from . import catalog_vidu
from .base import gettext_noop
from .offer import Offer

NOTE = gettext_noop("Ids are built like the one that the vendor prints, and are not confirmed")


def _offer(offer: Offer) -> Offer:
    """An id names its length, so that there is none for the length that the vendor chooses."""
    lengths = {
        resolution: tuple(each for each in durations if each)
        for resolution, durations in offer.durations_by_resolution.items()
    }
    wire_model = f"{offer.model}-{{resolution}}-{{duration}}s"
    changed = replace(offer, provider="dataeyes", wire_model=wire_model, durations_by_resolution=lengths)
    return replace(changed, tariff=None, note=NOTE)


OFFERS = tuple(map(_offer, catalog_vidu.OFFERS))
