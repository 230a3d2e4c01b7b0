"""What the composer offers: for one vendor, mode and model every setting with its values, reasons and the estimate.

Built from a vendor's stock alone; no database, no request.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from generations.choices import options, rules, settling
from generations.choices.rules import MAX_COUNT
from generations.choices.values import Chosen, Cost, Option, Params, Pictures, Slot, Toggle
from generations.providers.catalog import Stock

__all__ = ["MAX_COUNT", "Chosen", "Cost", "Option", "Params", "Pictures", "Slot", "Toggle", "choices_for"]


def choices_for(stock: Stock, mode: str, model: str, wanted: Mapping[str, Any]) -> Params:
    """The composer's settings for these three, keeping of ``wanted`` whatever fits.

    ``wanted`` holds form values (a QueryDict will do). Absent means not chosen yet: the model's default, no note.
    """
    if not stock.modes:
        sentence = _("Nothing can be ordered from %(provider)s yet.")
        notes = [sentence % {"provider": rules.provider_name(stock.provider)}, *dict.fromkeys(stock.closed.values())]
        return Params(None, options.mode_options(stock, None), notes=tuple(notes))
    notes = []
    here = settling.settle_mode(stock, mode, notes)
    offer = settling.settle_model(stock, model, here, notes)
    offers = stock.models(here)
    chosen = settling.settle(offer, rules.fixed_by(offer, model) | _plain(wanted), notes)
    return Params(
        offer=offer,
        modes=options.mode_options(stock, here),
        models=options.model_options(offers, offer),
        resolutions=options.resolution_options(offers, offer, chosen),
        durations=options.duration_options(offers, offer, chosen),
        aspect_ratios=options.ratio_options(offers, offer, chosen),
        styles=options.word_options(offer, "style", chosen.style),
        movements=options.word_options(offer, "movement_amplitude", chosen.movement_amplitude),
        audio_types=options.word_options(offer, "audio_type", chosen.audio_type) if chosen.audio else (),
        corners=options.word_options(offer, "wm_position", chosen.wm_position) if chosen.watermark else (),
        toggles=options.toggles(offers, offer, chosen),
        pictures=options.pictures_of(offer),
        chosen=chosen,
        cost=options.cost_of(offer, chosen, wanted),
        notes=tuple(notes),
    )


def _plain(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What was really said: blanks leave a setting to the model, or to the vendor's id that fixes it."""
    return {name: wanted[name] for name in wanted if wanted[name] not in (None, "")}
