"""The form of a catalogue entry: nothing is taken that would not make an offer, or not the one that was meant."""

import re
from collections.abc import Callable, Sequence
from string import Formatter
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from generations import stock
from generations.choices import rules
from generations.models import CatalogueEntry, EntryAction
from generations.providers import PROVIDERS, catalog
from generations.providers.catalog import Offer

TELLING = {"resolution", "duration", "off_peak"}  # what an id on the wire may tell
LONGEST = 60  # seconds
RESOLUTION = re.compile(r"[1-9]\d{2,3}p|[1-9]\d?[kK]")
LISTS = ("resolutions", "durations", "aspect_ratios")
FIELDS = (
    "provider", "mode", "model", "action", "like", "label", "wire_model", *LISTS, "max_images", "prompt_max", "audio",
    "bgm", "off_peak", "note",
)  # fmt: skip


class EntryForm(forms.ModelForm[CatalogueEntry]):
    class Meta:
        model = CatalogueEntry
        fields = FIELDS

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not {"provider", "mode", "model", "action"} <= cleaned.keys() or cleaned["provider"] not in PROVIDERS:
            return cleaned
        here = [offer for offer in catalog.offers(cleaned["provider"]) if offer.mode == cleaned["mode"]]
        if cleaned["action"] == EntryAction.HIDE:
            self._check_hidden(cleaned, here)
        else:
            self._check_added(cleaned, here)
        return cleaned

    def _check_hidden(self, cleaned: dict[str, Any], here: Sequence[Offer]) -> None:
        added = CatalogueEntry.objects.filter(
            provider=cleaned["provider"], mode=cleaned["mode"], action=EntryAction.ADD
        ).values_list("model", flat=True)
        known = list(dict.fromkeys([*(offer.model for offer in here), *added]))
        if cleaned["model"] not in known:
            self.add_error("model", _unknown(cleaned, cleaned["model"], known))

    def _check_added(self, cleaned: dict[str, Any], here: Sequence[Offer]) -> None:
        like = cleaned.get("like") or cleaned["model"]
        alike = next((offer for offer in here if offer.model == like), None)
        if alike is None:
            field = "like" if cleaned.get("like") else "model"
            self.add_error(field, _unknown(cleaned, like, [offer.model for offer in here]))
            return
        checks: dict[str, Callable[[Any, Offer], str]] = {
            "resolutions": wrong_resolutions,
            "durations": wrong_durations,
            "aspect_ratios": wrong_ratios,
            "max_images": wrong_images,
            "prompt_max": lambda number, _alike: "" if number else _("Leave it empty, or give a number above 0."),
        }
        for field, check in checks.items():
            value = cleaned.get(field)
            problem = "" if value in ("", None) else check(value, alike)
            if problem:
                self.add_error(field, problem)
        for field in ("audio", "bgm", "off_peak"):
            if problem := unsendable(field, cleaned.get(field), cleaned.get("wire_model") or alike.wire_model, alike):
                self.add_error(field, problem)
        if not self.errors and (problem := self._tier_open(cleaned, alike)):
            self.add_error("wire_model", problem)
        problem = wrong_id(cleaned.get("wire_model", ""), cleaned["model"], alike)
        if problem and "wire_model" not in self.errors:
            self.add_error("wire_model", problem)

    def _tier_open(self, cleaned: dict[str, Any], alike: Offer) -> str:
        """An id without the braces of its like names one tier: then there must be one value to choose, not several."""
        pattern = cleaned.get("wire_model") or alike.wire_model
        entry = CatalogueEntry(**{name: cleaned.get(name) for name in FIELDS if cleaned.get(name) not in (None, "")})
        offer = stock.added_offer(entry, [alike])
        if offer is None:
            return ""
        choices = {
            "resolution": offer.resolutions,
            "duration": offer.durations,
            "off_peak": (False, True) if offer.off_peak else (False,),
        }
        for name, values in choices.items():
            braces = f"{{{name}}}"
            if braces in alike.wire_model and braces not in pattern and len(values) > 1:
                sentence = _(
                    "This vendor's ids tell the %(setting)s. Put %(braces)s into the id, or offer one value only."
                )
                return sentence % {"setting": rules.setting_label(name), "braces": braces}
        return ""


def unsendable(field: str, value: Any, pattern: str, alike: Offer) -> str:
    """A switch that can be chosen must be one that the vendor can be told of."""
    chosen = value is True or value in ("optional", "default_on")
    provider = PROVIDERS[alike.provider]
    told = field in provider.sends or (field == "off_peak" and "{off_peak}" in pattern)
    if not chosen or told:
        return ""
    return _("%(provider)s has no field for this: it could be chosen and would not be sent.") % {
        "provider": provider.name
    }


def _unknown(cleaned: dict[str, Any], model: str, known: Sequence[str]) -> str:
    said = {
        "provider": PROVIDERS[cleaned["provider"]].name,
        "model": model,
        "mode": rules.mode_label(cleaned["mode"]),
        "models": ", ".join(known),
    }
    if not known:
        return _("%(provider)s has no model at all in the mode “%(mode)s”.") % said
    return _("%(provider)s has no “%(model)s” in the mode “%(mode)s”. There are: %(models)s.") % said


# --- One field each: a sentence, or "" for a good value --------------------------------------------------------


def wrong_id(pattern: str, model: str, alike: Offer) -> str:
    if not pattern:
        if model == alike.model:
            return ""
        sentence = _("Give the vendor's id: without one, “%(model)s” would be ordered under this name.")
        return sentence % {"model": alike.model}
    if any(not 33 <= ord(character) <= 126 for character in pattern):
        return _("An id has neither spaces nor characters beyond plain ASCII.")
    try:
        parts = [part[1:] for part in Formatter().parse(pattern) if part[1] is not None]
    except ValueError:
        return _("The braces do not match.")
    if any(name not in TELLING or spec or conversion for name, spec, conversion in parts):
        return _("Only {resolution}, {duration} and {off_peak} may stand in braces.")
    return ""


def wrong_resolutions(text: str, _alike: Offer) -> str:
    found = text.split()
    if any(not RESOLUTION.fullmatch(each) for each in found):
        return _("Write “720p 1080p” or “2K”, separated by spaces.")
    return _twice(found)


def wrong_durations(text: str, alike: Offer) -> str:
    for part in text.split():
        first, dash, last = part.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            return _("Write “4 8” or “1-16”.")
        low, high = int(first), int(last or first)
        if low > high:
            return _("“%(span)s” runs backwards.") % {"span": part}
        if high > LONGEST:
            return _("No clip here is longer than %(seconds)d s.") % {"seconds": LONGEST}
        if low == 0 and (dash or 0 not in alike.durations):
            return _("A clip has at least 1 s.")
    return _twice(text.split())


def wrong_ratios(text: str, alike: Offer) -> str:
    if not alike.aspect_ratios:
        return _("In this mode the picture decides the shape: leave it empty.")
    for part in text.split():
        width, _colon, height = part.partition(":")
        if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
            return _("Write “16:9 1:1”.")
    return _twice(text.split())


def wrong_images(number: int, alike: Offer) -> str:
    if alike.min_images == alike.max_images and number != alike.max_images:
        return _("In this mode it is always %(count)d.") % {"count": alike.max_images}
    if number < alike.min_images:
        return _("In this mode it is at least %(count)d.") % {"count": alike.min_images}
    return ""


def _twice(parts: Sequence[str]) -> str:
    again = next((each for each in parts if parts.count(each) > 1), "")
    return _("“%(value)s” stands there twice.") % {"value": again} if again else ""


def result(entry: CatalogueEntry) -> stock.Line | None:
    """The row of the catalogue that an entry makes or hides; None when there is none."""
    every = stock.catalogue(entry.provider)
    return next((line for line in every if (line.offer.mode, line.offer.model) == (entry.mode, entry.model)), None)
