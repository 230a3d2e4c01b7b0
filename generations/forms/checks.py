"""What is wrong with an order, by field: everything an offer does not take, and what it takes instead."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from generations import assets
from generations.choices import rules
from generations.models import Asset
from generations.providers.base import ImageTransport, Mode, Provider
from generations.providers.catalog import Offer

MAX_SEED = 2**31 - 1
ROOM_FOR_THE_REST = 64 * 1024  # bytes of a request body that are not pictures: the prompt in JSON, the settings
MEGABYTE = 1024 * 1024

Problem = tuple[str, str]  # field, sentence


def settings_problems(offer: Offer, asked: Mapping[str, Any]) -> Iterator[Problem]:
    """``asked`` holds cleaned values; what is missing there was refused already or takes the default."""
    yield from _prompt(offer, asked.get("prompt") or "")
    yield from _seed(offer, asked.get("seed"), asked.get("count") or 1)
    yield from _sizes(offer, asked)
    yield from _switches(offer, asked)
    for name in rules.WORDS:
        yield from _one_of(offer, name, asked.get(name) or "")
    yield from _depending(offer, asked)


def picture_problems(
    offer: Offer, pictures: Sequence[Asset | None], provider: Provider, transport: ImageTransport
) -> Iterator[Problem]:
    """``pictures`` in order; None stands for an empty frame. What the vendor fetches takes no room in a request."""
    given = [picture for picture in pictures if picture is not None]
    if offer.mode is Mode.START_END:
        yield from _frames(offer, pictures)
    else:
        yield from picture_number_problems(offer, len(given))
    if transport is not ImageTransport.INLINE:
        return
    limit = provider.max_body_bytes - ROOM_FOR_THE_REST
    total = sum(assets.data_url_length(picture) for picture in given)
    if total > limit:
        sentence = _("Together these pictures take %(total)s MB when sent; %(provider)s takes %(limit)s MB at once.")
        sizes = {"total": _megabytes(total), "limit": _megabytes(limit), "provider": provider.name}
        yield "images", sentence % sizes


def _prompt(offer: Offer, prompt: str) -> Iterator[Problem]:
    if offer.prompt_required and not prompt.strip():
        yield "prompt", _("Write a prompt: %(model)s needs one.") % {"model": offer.label}
    if len(prompt) > offer.prompt_max:
        sentence = _("The prompt has %(length)s characters; %(model)s takes at most %(limit)s here.")
        numbers = {"length": number_format(len(prompt)), "limit": number_format(offer.prompt_max)}
        yield "prompt", sentence % {**numbers, "model": offer.label}


def _seed(offer: Offer, seed: int | None, count: int) -> Iterator[Problem]:
    """Variants count up from the seed."""
    if seed and not offer.seed:
        yield "seed", _("%(model)s takes no seed: leave it blank.") % {"model": offer.label}
    elif seed and seed + count - 1 > MAX_SEED:
        sentence = _("With %(count)d variants the seed may be at most %(limit)d: each variant adds one.")
        yield "seed", sentence % {"count": count, "limit": MAX_SEED - count + 1}


def _sizes(offer: Offer, asked: Mapping[str, Any]) -> Iterator[Problem]:
    resolution = asked.get("resolution") or offer.default_resolution
    yield from _one_of(offer, "resolution", resolution)
    duration = asked.get("duration")
    if duration is not None:
        yield from _one_of(offer, "duration", str(duration), resolution)
    ratio = asked.get("aspect_ratio") or ""
    if ratio and not offer.aspect_ratios:
        yield "aspect_ratio", _("The picture decides the aspect ratio here: leave it out.")
    else:
        yield from _one_of(offer, "aspect_ratio", ratio)


def _one_of(offer: Offer, name: str, value: str, resolution: str = "") -> Iterator[Problem]:
    allowed = rules.allowed_values(offer, name, resolution)
    if not value or value in allowed:
        return
    words = {"model": offer.label, "setting": rules.setting_label(name)}
    if not allowed:
        yield name, _("%(model)s has no setting “%(setting)s”: leave it out.") % words
        return
    words["allowed"] = rules.allowed_words(offer, name, resolution)
    lengths = {offer.durations_by_resolution[each] for each in offer.resolutions}
    if name == "duration" and resolution in offer.resolutions and len(lengths) > 1:
        yield name, _("%(model)s takes %(allowed)s at %(resolution)s.") % {**words, "resolution": resolution}
    else:
        yield name, _("%(model)s takes %(allowed)s.") % words


def _switches(offer: Offer, asked: Mapping[str, Any]) -> Iterator[Problem]:
    resolution = asked.get("resolution")
    if resolution not in offer.resolutions:
        resolution = offer.default_resolution
    duration = asked.get("duration")
    if duration is None:
        duration = rules.default_duration(offer, resolution)
    audio = asked.get("audio")
    audio = rules.default_of(offer, "audio") if audio is None else audio
    for name in rules.SWITCHES:
        value = asked.get(name)
        if value is not None and (reason := rules.why_not(offer, name, value, duration=duration, audio=audio)):
            yield name, reason


def _depending(offer: Offer, asked: Mapping[str, Any]) -> Iterator[Problem]:
    """Settings that mean nothing without another one; a default that a page sends along is no wish."""
    audio = rules.default_of(offer, "audio") if asked.get("audio") is None else asked["audio"]
    if asked.get("audio_type") not in (None, "", *offer.audio_types[:1]) and not audio:
        yield "audio_type", _("The kind of sound needs sound: switch it on.")
    if asked.get("meta_data") and not offer.meta_data:
        yield "meta_data", _("%(model)s takes no origin label: leave it out.") % {"model": offer.label}
    if asked.get("watermark"):
        return
    if asked.get("wm_position") not in (None, "", rules.CORNERS[0]):
        yield "wm_position", _("This needs the watermark: switch it on.")
    if asked.get("wm_url"):
        yield "wm_url", _("This needs the watermark: switch it on.")


def picture_number_problems(offer: Offer, number: int) -> Iterator[Problem]:
    if number < offer.min_images:
        least = offer.min_images
        sentence = ngettext("Choose a picture.", "Choose at least %(least)d pictures.", least)
        yield "images", sentence % {"least": least}
    elif number > offer.max_images == 0:
        yield "images", _("No picture can be used here: leave it out.")
    elif number > offer.max_images:
        sentence = ngettext(
            "%(model)s takes only %(most)d picture here, and there are %(number)d.",
            "%(model)s takes only %(most)d pictures here, and there are %(number)d.",
            offer.max_images,
        )
        yield "images", sentence % {"model": offer.label, "most": offer.max_images, "number": number}


def _frames(offer: Offer, pictures: Sequence[Asset | None]) -> Iterator[Problem]:
    first, last = (*pictures, None, None)[:2]
    if first is None:
        yield "first_image", _("Choose the first frame.")
    if last is None:
        yield "last_image", _("Choose the last frame.")
    if len(pictures) > offer.max_images:
        yield "images", _("Only a first and a last frame can be used here.")
    if first and last and not assets.frame_ratio_ok(first, last):
        sizes = {"first": f"{first.width} × {first.height}", "last": f"{last.width} × {last.height}"}
        sentence = _("The frames differ too much in shape: %(first)s and %(last)s pixels. Choose two of one shape.")
        yield "last_image", sentence % sizes


def _megabytes(size: int) -> str:
    return number_format(size / MEGABYTE, decimal_pos=1)
