"""What the composer offers: for one vendor, mode and model every setting with its values, the estimate and the reasons.

Values that only other models of the mode take are shown, disabled, with the name of the model that takes them. A
wanted value that this model does not take moves to the nearest one that it does, and a note says so. This is for
showing; what is submitted is never bent, see ``forms``.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from generations.models.tasks import MODE_CHOICES
from generations.providers import PROVIDERS, catalog
from generations.providers.base import Mode, Money
from generations.providers.catalog import Estimate, Offer

MAX_COUNT = 4
ON, OFF = frozenset({"on", "true", "1", "yes"}), frozenset({"off", "false", "0", "no"})


@dataclass(frozen=True, slots=True)
class Option:
    """One value of a setting. A disabled one says in ``reason`` what would make it possible."""

    value: str
    label: str
    checked: bool = False
    disabled: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Toggle:
    """A setting that is on or off. Disabled and checked: always on with this model."""

    name: str
    label: str
    checked: bool
    disabled: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for pictures: ``upload`` is the name of its file field, ``kept`` of the field for kept uploads."""

    upload: str
    kept: str
    label: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """How many pictures this mode takes, and where. No slot: none."""

    least: int = 0
    most: int = 0
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """The live estimate; ``each`` is None where no price is known."""

    count: int
    each: Estimate | None = None

    @property
    def total(self) -> Money | None:
        return Money(self.each.amount.amount * self.count, self.each.amount.unit) if self.each else None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Settings that go together: what the page shows as selected."""

    resolution: str
    duration: int
    aspect_ratio: str = ""
    style: str = ""
    movement_amplitude: str = ""
    switches: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Params:
    """Everything ``#params`` shows. ``offer`` is None when this vendor offers nothing at all."""

    offer: Offer | None
    modes: tuple[Option, ...]
    models: tuple[Option, ...] = ()
    resolutions: tuple[Option, ...] = ()
    durations: tuple[Option, ...] = ()
    aspect_ratios: tuple[Option, ...] = ()  # empty: the picture decides
    styles: tuple[Option, ...] = ()
    movements: tuple[Option, ...] = ()
    toggles: tuple[Toggle, ...] = ()
    pictures: Pictures = Pictures()
    chosen: Chosen | None = None
    cost: Cost = Cost(1)
    notes: tuple[str, ...] = ()


def choices_for(provider: str, mode: str, model: str, wanted: Mapping[str, Any]) -> Params:
    """The composer's settings for these three, keeping of ``wanted`` whatever fits.

    ``wanted`` holds form values (a QueryDict will do). Absent means not chosen yet: the model's default, no note.
    """
    offered = _offered_modes(provider)
    if not offered:
        sentence = _("Nothing can be ordered from %(provider)s yet.")
        return Params(None, _mode_options(offered, ""), notes=(sentence % {"provider": provider_name(provider)},))
    notes: list[str] = []
    here = _settle_mode(provider, mode, offered, notes)
    offers = tuple(catalog.models(provider, here))
    offer = _settle_model(offers, model, here, notes)
    chosen = _settle_settings(offer, wanted, notes)
    return Params(
        offer=offer,
        modes=_mode_options(offered, here),
        models=tuple(Option(each.model, each.label, each == offer) for each in offers),
        resolutions=_resolution_options(offers, offer, chosen),
        durations=_duration_options(offers, offer, chosen),
        aspect_ratios=_ratio_options(offers, offer, chosen),
        styles=_word_options(offer.styles, chosen.style),
        movements=_word_options(offer.movements, chosen.movement_amplitude),
        toggles=_toggles(offers, offer, chosen),
        pictures=pictures_of(offer),
        chosen=chosen,
        cost=_cost(offer, chosen, wanted),
        notes=tuple(notes),
    )


# --- Words shared with the form's errors ---------------------------------------------------------------------


def provider_name(slug: str) -> str:
    return PROVIDERS[slug].name if slug in PROVIDERS else slug


def mode_label(mode: str) -> str:
    return str(dict(MODE_CHOICES).get(mode, mode))


def seconds_words(durations: Iterable[int]) -> str:
    """ "1–16 s" for an unbroken run, else "4 or 8 s"."""
    ordered = sorted(durations)
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        return _("%(first)d–%(last)d s") % {"first": ordered[0], "last": ordered[-1]}
    return _("%(seconds)s s") % {"seconds": any_of(map(str, ordered))}


def any_of(words: Iterable[str]) -> str:
    """ "540p, 720p or 1080p"."""
    *most, last = words
    return _("%(most)s or %(last)s") % {"most": ", ".join(most), "last": last} if most else last


def ratio_words(offer: Offer) -> str:
    return any_of(offer.aspect_ratios) if offer.aspect_ratios else _("the shape of the picture")


def switch_label(name: str) -> str:
    return {"audio": _("Sound"), "bgm": _("Background music"), "off_peak": _("Off-peak")}[name]


def word_label(word: str) -> str:
    words = {
        "general": _("General"),
        "anime": _("Anime"),
        "auto": _("Automatic"),
        "small": _("Small"),
        "medium": _("Medium"),
        "large": _("Large"),
    }
    return words.get(word, word)


# --- What is selected ----------------------------------------------------------------------------------------


def _offered_modes(provider: str) -> frozenset[Mode]:
    return frozenset(offer.mode for offer in catalog.offers(provider))


def _settle_mode(provider: str, mode: str, offered: frozenset[Mode], notes: list[str]) -> Mode:
    if mode in offered:
        return Mode(mode)
    here = next(each for each in Mode if each in offered)
    if mode:
        names = {"provider": provider_name(provider), "old": mode_label(mode), "new": mode_label(here)}
        notes.append(_("Changed from %(old)s to %(new)s: %(provider)s does not offer the former.") % names)
    return here


def _settle_model(offers: Sequence[Offer], model: str, mode: Mode, notes: list[str]) -> Offer:
    """By catalogue name or by the vendor's own id; the mode's first model where that one is not to be had."""
    offer = next((each for each in offers if model in (each.model, each.wire_model)), offers[0])
    if model and model not in (offer.model, offer.wire_model):
        names = {"old": model_label(model), "new": offer.label, "mode": mode_label(mode)}
        notes.append(_("Model changed from %(old)s to %(new)s: the former is not offered for %(mode)s.") % names)
    return offer


def model_label(model: str) -> str:
    labels = (each.label for slug in PROVIDERS for each in catalog.offers(slug) if model == each.model)
    return next(labels, model)


def _settle_settings(offer: Offer, wanted: Mapping[str, Any], notes: list[str]) -> Chosen:
    moved = _Mover(offer, wanted, notes)
    resolution = moved.to_nearest(
        "resolution", _("Resolution"), offer.resolutions, offer.default_resolution, any_of(offer.resolutions), lines
    )
    durations = offer.durations_by_resolution[resolution]
    shortest_way = offer.default_duration if offer.default_duration in durations else durations[0]
    duration = moved.to_nearest(
        "duration",
        _("Duration"),
        [str(each) for each in durations],
        str(shortest_way),
        seconds_words(durations),
        float,
        label=lambda value: _("%(seconds)s s") % {"seconds": value},
    )
    ratio = ""
    if offer.aspect_ratios:
        ratio = moved.to_nearest(
            "aspect_ratio",
            _("Aspect ratio"),
            offer.aspect_ratios,
            offer.default_aspect_ratio,
            any_of(offer.aspect_ratios),
            shape,
        )
    return Chosen(
        resolution=resolution,
        duration=int(duration),
        aspect_ratio=ratio,
        style=moved.word("style", _("Style"), offer.styles),
        movement_amplitude=moved.word("movement_amplitude", _("Movement"), offer.movements),
        switches=_settle_switches(offer, int(duration), wanted, notes),
    )


@dataclass(frozen=True, slots=True)
class _Mover:
    """Keeps a wanted value or moves it to the nearest valid one, and says so."""

    offer: Offer
    wanted: Mapping[str, Any]
    notes: list[str]

    def to_nearest(
        self,
        name: str,
        setting: str,
        allowed: Sequence[str],
        default: str,
        allowed_words: str,
        measure: Callable[[str], float],
        label: Callable[[str], str] = str,
    ) -> str:
        asked = str(self.wanted.get(name) or "").strip()
        if not asked or asked in allowed:
            return asked or default
        nearest = default
        if (size := _measured(measure, asked)) is not None:
            nearest = min(allowed, key=lambda each: abs((_measured(measure, each) or 0) - size))
        self._say(setting, label(asked), label(nearest), allowed_words)
        return nearest

    def word(self, name: str, setting: str, allowed: Sequence[str]) -> str:
        asked = str(self.wanted.get(name) or "").strip()
        if asked in allowed:
            return asked
        default = allowed[0] if allowed else ""
        # What such a model does anyway is no loss worth a note.
        if asked and allowed:
            self._say(setting, word_label(asked), word_label(default), any_of(map(word_label, allowed)))
        return default

    def _say(self, setting: str, old: str, new: str, allowed: str) -> None:
        words = {"setting": setting, "old": old[:40], "new": new, "model": self.offer.label, "allowed": allowed}
        self.notes.append(_("%(setting)s changed from %(old)s to %(new)s: %(model)s takes %(allowed)s.") % words)


def _measured(measure: Callable[[str], float], value: str) -> float | None:
    try:
        size = measure(value)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return size if math.isfinite(size) else None


def lines(resolution: str) -> float:
    """ "720p" is 720, "2K" about 1440."""
    return float(resolution[:-1]) * (720 if resolution[-1:] in "kK" else 1)


def shape(ratio: str) -> float:
    """ "16:9" on a scale where 9:16 is as far from 1:1 as 16:9."""
    width, _colon, height = ratio.partition(":")
    return math.log(float(width) / float(height))
