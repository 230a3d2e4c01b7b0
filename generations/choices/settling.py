"""From what somebody wanted to what a model takes: the nearest valid value, and a note where that is another one.

This is for showing. What is submitted is never bent, see ``forms``.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from generations.choices import rules
from generations.choices.values import Chosen
from generations.providers.base import Mode
from generations.providers.catalog import Offer, Stock

NOTHING_LOST = {"general", "auto", "all"}  # what a model without the setting does anyway


def settle_mode(stock: Stock, mode: str, notes: list[str]) -> Mode:
    if mode in stock.modes:
        return Mode(mode)
    here = next(each for each in Mode if each in stock.modes)
    if mode in stock.closed:
        notes.append(stock.closed[Mode(mode)])
    elif mode:
        names = {"provider": rules.provider_name(stock.provider), "old": _named(rules.mode_label(mode))}
        names["new"] = rules.mode_label(here)
        notes.append(_("Changed from %(old)s to %(new)s: %(provider)s does not offer the former.") % names)
    return here


def settle_model(stock: Stock, model: str, mode: Mode, notes: list[str]) -> Offer:
    """By catalogue name or by the vendor's own id; the recommended one where that is not to be had."""
    offer = stock.get(model, mode)
    if offer is not None:
        return offer
    offer = stock.models(mode)[0]
    if model:
        names = {"old": _named(rules.model_label(model)), "new": offer.label, "mode": rules.mode_label(mode)}
        notes.append(_("Model changed from %(old)s to %(new)s: the former is not offered for %(mode)s.") % names)
    return offer


def settle(offer: Offer, wanted: Mapping[str, Any], notes: list[str]) -> Chosen:
    moved = _Mover(offer, wanted, notes)
    resolution = moved.nearest("resolution", offer.default_resolution, rules.lines)
    default = str(rules.default_duration(offer, resolution))
    duration = int(moved.nearest("duration", default, float, resolution))
    ratio = moved.nearest("aspect_ratio", offer.default_aspect_ratio, _shape) if offer.aspect_ratios else ""
    audio = moved.switch("audio", duration)
    watermark = moved.switch("watermark", duration, audio)
    return Chosen(
        resolution=resolution,
        duration=duration,
        aspect_ratio=ratio,
        style=moved.word("style"),
        movement_amplitude=moved.word("movement_amplitude"),
        audio=audio,
        bgm=moved.switch("bgm", duration, audio),
        off_peak=moved.switch("off_peak", duration, audio),
        watermark=watermark,
        is_rec=moved.switch("is_rec", duration, audio),
        audio_type=moved.word("audio_type") if audio else "",
        wm_position=moved.word("wm_position") if watermark else "",
    )


@dataclass(frozen=True, slots=True)
class _Mover:
    """Keeps a wanted value or moves it to a valid one, and says so."""

    offer: Offer
    wanted: Mapping[str, Any]
    notes: list[str]

    def nearest(self, name: str, default: str, measure: Callable[[str], float], resolution: str = "") -> str:
        asked, allowed = self._asked(name), rules.allowed_values(self.offer, name, resolution)
        if not asked or asked in allowed:
            return asked or default
        value = _nearest(asked, allowed, measure) or default
        self._say_moved(name, asked, value, rules.allowed_words(self.offer, name, resolution))
        return value

    def word(self, name: str) -> str:
        asked, allowed = self._asked(name), rules.allowed_values(self.offer, name)
        if asked in allowed:
            return asked
        default = allowed[0] if allowed else ""
        if asked and allowed:
            self._say_moved(name, asked, default, rules.allowed_words(self.offer, name, ""))
        elif asked and asked not in NOTHING_LOST:
            words = {"setting": rules.setting_label(name), "model": self.offer.label}
            self.notes.append(_("%(setting)s has no effect with %(model)s.") % words)
        return default

    def switch(self, name: str, duration: int, audio: bool = False) -> bool:
        default = rules.default_of(self.offer, name)
        try:
            asked = rules.read_switch(self.wanted.get(name))
        except ValueError:
            asked = None
        if asked is None:
            return default
        reason = rules.why_not(self.offer, name, asked, duration=duration, audio=audio)
        if not reason:
            return asked
        words = {"setting": rules.setting_label(name), "reason": reason}
        notice = _("%(setting)s switched off: %(reason)s") if asked else _("%(setting)s switched on: %(reason)s")
        self.notes.append(notice % words)
        return not asked

    def _asked(self, name: str) -> str:
        value = self.wanted.get(name)
        return "" if value is None else str(value).strip()

    def _say_moved(self, name: str, old: str, new: str, allowed: str) -> None:
        words = {
            "setting": rules.setting_label(name),
            "old": _named(rules.value_label(name, old)),
            "new": rules.value_label(name, new),
            "model": self.offer.label,
            "allowed": allowed,
        }
        self.notes.append(_("%(setting)s changed from %(old)s to %(new)s: %(model)s takes %(allowed)s.") % words)


def _named(word: str) -> str:
    """Whatever somebody typed into an address, at a length that a sentence can bear."""
    return word if len(word) <= 40 else word[:39] + "…"


def _nearest(asked: str, allowed: Sequence[str], measure: Callable[[str], float]) -> str | None:
    size = _measured(measure, asked)
    sizes = {value: _measured(measure, value) for value in allowed}
    known = {value: each for value, each in sizes.items() if each is not None and value != "0"}
    if not known or size is None:
        return None
    # Rounded, so that of two values at one distance the first wins: 3:4 becomes 9:16 rather than 1:1.
    return min(known, key=lambda value: round(abs(known[value] - size), 6))


def _measured(measure: Callable[[str], float], value: str) -> float | None:
    try:
        size = measure(value)
    except (ValueError, ZeroDivisionError):
        return None
    return size if math.isfinite(size) else None


def _shape(ratio: str) -> float:
    """ "16:9" on a scale where 9:16 is as far from 1:1 as 16:9."""
    width, _colon, height = ratio.partition(":")
    return math.log(float(width) / float(height))
