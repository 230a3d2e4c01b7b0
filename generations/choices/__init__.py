"""What the composer offers: for one vendor, mode and model every setting with its values, reasons and the estimate.

Built from the catalogue alone; no database, no request.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from generations.choices import options, rules, settling
from generations.choices.rules import MAX_COUNT
from generations.choices.values import Chosen, Cost, Option, Params, Pictures, Slot, Toggle
from generations.providers import catalog

__all__ = ["MAX_COUNT", "Chosen", "Cost", "Option", "Params", "Pictures", "Slot", "Toggle", "choices_for"]


def choices_for(provider: str, mode: str, model: str, wanted: Mapping[str, Any]) -> Params:
    """The composer's settings for these three, keeping of ``wanted`` whatever fits.

    ``wanted`` holds form values (a QueryDict will do). Absent means not chosen yet: the model's default, no note.
    """
    offered = rules.offered_modes(provider)
    if not offered:
        sentence = _("Nothing can be ordered from %(provider)s yet.") % {"provider": rules.provider_name(provider)}
        return Params(None, options.mode_options(provider, offered, None), notes=(sentence,))
    notes: list[str] = []
    here = settling.settle_mode(provider, mode, offered, notes)
    offer = settling.settle_model(provider, model, here, notes)
    offers = catalog.models(provider, here)
    chosen = settling.settle(offer, wanted, notes)
    return Params(
        offer=offer,
        modes=options.mode_options(provider, offered, here),
        models=options.model_options(offers, offer),
        resolutions=options.resolution_options(offers, offer, chosen),
        durations=options.duration_options(offers, offer, chosen),
        aspect_ratios=options.ratio_options(offers, offer, chosen),
        styles=options.word_options(offer, "style", chosen.style),
        movements=options.word_options(offer, "movement_amplitude", chosen.movement_amplitude),
        toggles=options.toggles(offers, offer, chosen),
        pictures=options.pictures_of(offer),
        chosen=chosen,
        cost=options.cost_of(offer, chosen, wanted),
        notes=tuple(notes),
    )
