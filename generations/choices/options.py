"""The options of every setting. What only other models of the mode take is shown, disabled, with their names."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from generations.choices import rules
from generations.choices.values import Chosen, Cost, Option, Pictures, Slot, Toggle
from generations.providers import catalog
from generations.providers.base import MODES, Mode
from generations.providers.catalog import Offer, Stock, Switch


def mode_options(stock: Stock, here: Mode | None) -> tuple[Option, ...]:
    """The four modes; the reason for one that cannot be chosen."""
    reason = _("%(provider)s does not offer this") % {"provider": rules.provider_name(stock.provider)}
    return tuple(
        Option(mode.value, rules.mode_label(mode), mode == here)
        if mode in stock.modes
        else Option(mode.value, rules.mode_label(mode), disabled=True, reason=stock.closed.get(mode, reason))
        for mode in MODES
    )


def model_options(offers: Sequence[Offer], offer: Offer) -> tuple[Option, ...]:
    return tuple(Option(each.model, each.label, each == offer) for each in offers)


def resolution_options(offers: Sequence[Offer], offer: Offer, chosen: Chosen) -> tuple[Option, ...]:
    def reason(value: str) -> str:
        return _needs(each for each in offers if value in each.resolutions)

    options = _options("resolution", offers, offer, chosen.resolution, offer.resolutions, reason)
    return tuple(sorted(options, key=lambda option: rules.lines(option.value)))


def duration_options(offers: Sequence[Offer], offer: Offer, chosen: Chosen) -> tuple[Option, ...]:
    here = rules.allowed_values(offer, "duration", chosen.resolution)

    def reason(value: str) -> str:
        seconds = int(value)
        at = [each for each in offer.resolutions if offer.takes(each, seconds)]
        if at:
            return _("Only at %(resolution)s") % {"resolution": rules.any_of(at)}
        return _needs(each for each in offers if seconds in each.durations)

    options = _options("duration", offers, offer, str(chosen.duration), here, reason)
    return tuple(sorted(options, key=lambda option: int(option.value)))


def ratio_options(offers: Sequence[Offer], offer: Offer, chosen: Chosen) -> tuple[Option, ...]:
    """Empty where the picture decides."""

    def reason(value: str) -> str:
        return _needs(each for each in offers if value in each.aspect_ratios)

    if not offer.aspect_ratios:
        return ()
    return _options("aspect_ratio", offers, offer, chosen.aspect_ratio, offer.aspect_ratios, reason)


def word_options(offer: Offer, name: str, chosen: str) -> tuple[Option, ...]:
    """Styles, movements and the like: not shown at all where they have no effect."""
    return tuple(
        Option(value, rules.value_label(name, value), value == chosen) for value in rules.allowed_values(offer, name)
    )


def toggles(offers: Sequence[Offer], offer: Offer, chosen: Chosen) -> tuple[Toggle, ...]:
    """Switches that some model of this mode has."""
    shown = [name for name in rules.SWITCHES if any(rules.switch_of(each, name) != Switch.NO for each in offers)]
    return tuple(_toggle(name, offers, offer, chosen) for name in shown)


def _toggle(name: str, offers: Sequence[Offer], offer: Offer, chosen: Chosen) -> Toggle:
    checked, label = getattr(chosen, name), rules.setting_label(name)
    if rules.switch_of(offer, name) is Switch.UNSAID:
        return Toggle(
            name, label, False, disabled=True, reason=rules.why_not(offer, name, True, duration=0, audio=False)
        )
    if rules.switch_of(offer, name) is Switch.NO:
        having = (each for each in offers if rules.switch_of(each, name) != Switch.NO)
        return Toggle(name, label, False, disabled=True, reason=_needs(having))
    reason = rules.why_not(offer, name, not checked, duration=chosen.duration, audio=chosen.audio)
    return Toggle(name, label, checked, disabled=bool(reason), reason=reason)


def pictures_of(offer: Offer) -> Pictures:
    if offer.mode is Mode.START_END:
        first = Slot("first_image", "first_image", "first_asset", _("First frame"))
        last = Slot("last_image", "last_image", "last_asset", _("Last frame"))
        return Pictures(offer.min_images, offer.max_images, (first, last))
    if offer.max_images == 1:
        return Pictures(offer.min_images, 1, (Slot("images", "images", "asset", _("Picture")),))
    slots = (
        Slot("images" if not place else f"images-{place + 1}", "images", "asset", f"@Image{place + 1}")
        for place in range(offer.max_images)
    )
    return Pictures(offer.min_images, offer.max_images, tuple(slots))


def cost_of(offer: Offer, chosen: Chosen, wanted: Mapping[str, Any]) -> Cost:
    asked = str(wanted.get("count") or "1").strip()
    count = min(max(int(asked), 1), rules.MAX_COUNT) if asked.isdecimal() and len(asked) < 9 else 1
    estimate = catalog.estimate(
        offer,
        resolution=chosen.resolution,
        duration=chosen.duration,
        off_peak=chosen.off_peak,
        audio=chosen.audio,
        is_rec=chosen.is_rec,
    )
    return Cost(count, estimate)


def _options(
    name: str, offers: Sequence[Offer], offer: Offer, chosen: str, here: Sequence[str], reason: Callable[[str], str]
) -> tuple[Option, ...]:
    """This offer's values in its order, then those of the other offers."""
    every = dict.fromkeys([*here, *rules.allowed_values(offer, name)])
    for each in offers:
        every |= dict.fromkeys(rules.allowed_values(each, name))
    return tuple(
        Option(value, rules.value_label(name, value), value == chosen)
        if value in here
        else Option(value, rules.value_label(name, value), disabled=True, reason=reason(value))
        for value in every
    )


def _needs(offers: Iterable[Offer]) -> str:
    """ "Vidu Q3 Pro only"; of many models the recommended one stands for all."""
    labels = list(dict.fromkeys(offer.label for offer in offers))
    if len(labels) > 2:
        return _("%(model)s and others") % {"model": labels[0]}
    return _("%(models)s only") % {"models": rules.any_of(labels)}
