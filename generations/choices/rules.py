"""What an offer takes, and how to say it: shared by the page that shows and the form that refuses."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from generations.models.tasks import MODE_CHOICES
from generations.providers import PROVIDERS, catalog
from generations.providers.catalog import Offer, Switch

MAX_COUNT = 4
SWITCHES = ("audio", "bgm", "off_peak", "watermark", "is_rec")
WORDS = ("style", "movement_amplitude", "audio_type", "wm_position")  # one of a few words each
CORNERS = ("3", "1", "2", "4")  # of a watermark; the first is the vendors' own choice
ON, OFF = frozenset({"on", "true", "1", "yes"}), frozenset({"off", "false", "0", "no"})


def read_switch(value: Any) -> bool | None:
    """A form's or a command line's yes or no; None when nothing was said. Raises ValueError for anything else."""
    word = "" if value is None else str(value).strip().lower()
    if word in ON or word in OFF:
        return word in ON
    if word:
        raise ValueError(word)
    return None


def switch_of(offer: Offer, name: str) -> Switch:
    simple = {"off_peak": offer.off_peak, "watermark": offer.watermark, "is_rec": offer.is_rec}
    if name in simple:
        return Switch.OPTIONAL if simple[name] else Switch.NO
    return offer.audio if name == "audio" else offer.bgm


def default_of(offer: Offer, name: str) -> bool:
    return switch_of(offer, name) in (Switch.DEFAULT_ON, Switch.ALWAYS)


def why_not(offer: Offer, name: str, on: bool, *, duration: int, audio: bool) -> str:
    """Why a switch cannot stand like this, as a sentence; "" when it can."""
    words = {"model": offer.label, "limit": offer.bgm_max_duration}
    if not on:
        always = switch_of(offer, name) is Switch.ALWAYS
        return _("%(model)s always makes sound.") % words if always else ""
    if switch_of(offer, name) is Switch.UNSAID:
        return _("%(provider)s decides this itself.") % {"provider": provider_name(offer.provider)}
    if name == "audio" and offer.audio is Switch.NO:
        return _("%(model)s makes clips without sound.") % words
    if name == "bgm" and offer.bgm is Switch.NO:
        return _("%(model)s adds no background music.") % words
    if name == "bgm" and not offer.takes_bgm(duration):
        return _("%(model)s adds background music only up to %(limit)d s.") % words
    if name == "watermark" and not offer.watermark:
        return _("%(model)s adds no watermark on demand.") % words
    if name == "is_rec" and not offer.is_rec:
        return _("%(model)s writes no prompt of its own here.") % words
    if name == "off_peak" and not offer.off_peak:
        return _("%(model)s is not offered off-peak.") % words
    if name == "off_peak" and not offer.takes_off_peak(audio=audio):
        return _("%(model)s is offered off-peak only without sound.") % words
    return ""


def default_duration(offer: Offer, resolution: str) -> int:
    """Some lengths exist only at some resolutions; then the shortest one stands in for the default."""
    durations = offer.durations_by_resolution[resolution]
    return offer.default_duration if offer.default_duration in durations else durations[0]


def lines(resolution: str) -> float:
    """ "720p" is 720, "2K" about 1440. Raises ValueError for what is no resolution."""
    return float(resolution[:-1]) * (720 if resolution[-1:] in ("k", "K") else 1)


def fixed_by(offer: Offer, model: str) -> dict[str, Any]:
    """The settings that the vendor's own id brings with it; none for the catalogue's name."""
    told = {} if model == offer.model else offer.wire_ids().get(model, {})
    return {name: ("on" if value else "off") if isinstance(value, bool) else str(value) for name, value in told.items()}


# --- Words ---------------------------------------------------------------------------------------------------


def provider_name(slug: str) -> str:
    return PROVIDERS[slug].name if slug in PROVIDERS else slug


def mode_label(mode: str) -> str:
    return str(dict(MODE_CHOICES).get(mode, mode))


def model_label(model: str) -> str:
    labels = (
        each.label for slug in PROVIDERS for each in catalog.offers(slug) if model in (each.model, *each.wire_ids())
    )
    return next(labels, model)


def setting_label(name: str) -> str:
    return {
        "resolution": _("Resolution"),
        "duration": _("Duration"),
        "aspect_ratio": _("Aspect ratio"),
        "style": _("Style"),
        "movement_amplitude": _("Movement"),
        "audio_type": _("Kind of sound"),
        "watermark": _("Watermark “AI-generated”"),
        "wm_position": _("Corner of the watermark"),
        "wm_url": _("Own watermark"),
        "meta_data": _("Origin label"),
        "is_rec": _("Let the vendor write the prompt"),
        "audio": _("Sound"),
        "bgm": _("Background music"),
        "off_peak": _("Off-peak, up to 48 hours"),
    }[name]


def value_label(name: str, value: str) -> str:
    """A value as people read it: "5 s", "Automatic", "720p"."""
    if name == "duration":
        return _("Automatic") if value == "0" else _("%(seconds)s s") % {"seconds": value}
    words = {
        "general": _("General"),
        "anime": _("Anime"),
        "auto": _("Automatic"),
        "small": _("Small"),
        "medium": _("Medium"),
        "large": _("Large"),
        "all": _("Speech and effects"),
        "speech_only": _("Speech only"),
        "sound_effect_only": _("Effects only"),
    }
    corners = {"1": _("Top left"), "2": _("Top right"), "3": _("Bottom right"), "4": _("Bottom left")}
    return corners.get(value, value) if name == "wm_position" else words.get(value, value)


def any_of(words: Iterable[str]) -> str:
    """ "540p, 720p or 1080p"."""
    *most, last = words
    return _("%(most)s or %(last)s") % {"most": pgettext("in a list", ", ").join(most), "last": last} if most else last


def seconds_words(durations: Collection[int]) -> str:
    """ "1–16 s" for an unbroken run, else "4 or 8 s"; 0 is the length that the vendor chooses."""
    ordered = sorted(set(durations) - {0})
    if not ordered:
        return _("automatic")
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        words = _("%(first)d–%(last)d s") % {"first": ordered[0], "last": ordered[-1]}
    else:
        words = _("%(seconds)s s") % {"seconds": any_of(map(str, ordered))}
    return _("%(seconds)s or automatic") % {"seconds": words} if 0 in durations else words


def lengths_words(offer: Offer) -> list[str]:
    """ "540p, 720p: 1–16 s", resolutions of the same lengths together."""
    alike: dict[tuple[int, ...], list[str]] = {}
    for resolution, seconds in offer.durations_by_resolution.items():
        alike.setdefault(seconds, []).append(resolution)
    return [f"{', '.join(names)}: {seconds_words(seconds)}" for seconds, names in alike.items()]


def allowed_words(offer: Offer, name: str, resolution: str) -> str:
    """The values of a setting that this offer takes, in words; lengths as they are at ``resolution``."""
    if name == "duration":
        return seconds_words(offer.durations_by_resolution.get(resolution, offer.durations))
    return any_of(value_label(name, value) for value in allowed_values(offer, name, resolution))


def allowed_values(offer: Offer, name: str, resolution: str = "") -> Sequence[str]:
    if name == "duration":
        return [str(each) for each in offer.durations_by_resolution.get(resolution, offer.durations)]
    return {
        "resolution": offer.resolutions,
        "aspect_ratio": offer.aspect_ratios,
        "style": offer.styles,
        "movement_amplitude": offer.movements,
        "audio_type": offer.audio_types,
        "wm_position": CORNERS if offer.watermark else (),
    }[name]
