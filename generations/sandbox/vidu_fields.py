"""What a create body may hold, per mode and model (Vidu docs: text-, image-, start-end- and reference-to-video)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .fields import (
    FRAMES,
    IMAGE,
    PAYLOAD_MAX,
    PROMPT_MAX,
    RATIOS,
    REFERENCE,
    TEXT,
    Ask,
    BadField,
    Check,
    address,
    as_object,
    check_fields,
    check_prompt,
    flag,
    label,
    number,
    objects,
    one_of,
    sources,
    text,
)

# -- which models there are


@dataclass(frozen=True)
class Offer:
    """What one model does in one mode. ``shapes`` maps a length in seconds to its resolutions."""

    shapes: Mapping[int, tuple[str, ...]]
    ratios: tuple[str, ...]
    usual_seconds: int = 5

    def usual_resolution(self, seconds: int) -> str:
        """Vidu docs: 720p; 1080p for Q1; 360p for four seconds of vidu2.0."""
        choices = self.shapes[seconds]
        return choices[0] if "720p" not in choices or "360p" in choices else "720p"

    def shape(self, body: Mapping[str, Any]) -> tuple[int, str]:
        """Length in seconds and resolution of a body whose types are checked.

        :raises BadField: when the model does not make such a clip.
        """
        duration = body.get("duration", self.usual_seconds)
        if duration not in self.shapes:
            raise BadField("FieldInvalid", "duration")
        resolution = body.get("resolution", self.usual_resolution(duration))
        if resolution not in self.shapes[duration]:
            raise BadField("FieldInvalid", "resolution")
        return duration or self.usual_seconds, resolution


_AR3 = ("16:9", "9:16", "1:1")
_ALL = ("540p", "720p", "1080p")
_HIGH = ("720p", "1080p")


def _lengths(first: int, last: int, resolutions: tuple[str, ...]) -> dict[int, tuple[str, ...]]:
    return dict.fromkeys(range(first, last + 1), resolutions)


def _offers() -> dict[tuple[str, str], Offer]:
    q3, q2, q2_frames, q1 = _lengths(1, 16, _ALL), _lengths(1, 10, _ALL), _lengths(1, 8, _ALL), {5: ("1080p",)}
    reference = _lengths(3, 16, _ALL)
    old = Offer({4: ("360p", "720p", "1080p"), 8: ("720p",)}, (), 4)
    offers = {(mode, model): Offer(q3, ()) for mode in (IMAGE, FRAMES) for model in ("viduq3-pro", "viduq3-turbo")}
    offers |= {(mode, model): Offer(q1, ()) for mode in (IMAGE, FRAMES) for model in ("viduq1", "viduq1-classic")}
    offers |= {(mode, "vidu2.0"): old for mode in (IMAGE, FRAMES)}
    for model in ("viduq2-pro", "viduq2-turbo"):
        offers |= {(IMAGE, model): Offer(q2, ()), (FRAMES, model): Offer(q2_frames, ())}
    return offers | {
        (TEXT, "viduq3-pro"): Offer(q3, RATIOS),
        (TEXT, "viduq3-turbo"): Offer(q3, RATIOS),
        (TEXT, "viduq2"): Offer(q2, RATIOS),
        (TEXT, "viduq1"): Offer(q1, _AR3),
        (IMAGE, "viduq3-pro-fast"): Offer(_lengths(1, 16, _HIGH), ()),
        (IMAGE, "viduq2-pro-fast"): Offer(_lengths(1, 10, _HIGH), ()),
        (FRAMES, "viduq2-pro-fast"): Offer(_lengths(1, 8, _HIGH), ()),
        (REFERENCE, "viduq3"): Offer(reference, RATIOS),
        (REFERENCE, "viduq3-turbo"): Offer(reference, RATIOS),
        (REFERENCE, "viduq3-mix"): Offer(_lengths(3, 16, _HIGH), RATIOS),
        (REFERENCE, "viduq2"): Offer(q2, RATIOS),
        (REFERENCE, "viduq2-pro"): Offer(_lengths(0, 10, _ALL), RATIOS),  # 0: the model chooses
        (REFERENCE, "viduq1"): Offer(q1, _AR3),
        (REFERENCE, "vidu2.0"): Offer({4: ("360p", "720p")}, _AR3, 4),
    }


OFFERS = _offers()


# -- which fields there are

COMMON: dict[str, Check] = {
    "model": text(100),
    "prompt": text(max(PROMPT_MAX.values())),
    "duration": number(0, 16),
    "resolution": one_of("360p", "540p", "720p", "1080p"),
    "seed": number(0, 2**63 - 1),
    "movement_amplitude": one_of("auto", "small", "medium", "large"),
    "bgm": flag,
    "audio": flag,
    "off_peak": flag,
    "watermark": flag,
    "wm_position": number(1, 4),
    "wm_url": address,
    "meta_data": label,
    "payload": text(PAYLOAD_MAX),
    "callback_url": address,
}
_IMAGES: dict[str, Check] = {"images": sources}
_RATIO: dict[str, Check] = {"aspect_ratio": one_of(*RATIOS)}
_AUDIO_TYPE: dict[str, Check] = {"audio_type": one_of("all", "speech_only", "sound_effect_only")}
_REC: dict[str, Check] = {"is_rec": flag}
FIELDS: dict[str, dict[str, Check]] = {
    TEXT: COMMON | _RATIO | {"style": one_of("general", "anime")},
    IMAGE: COMMON | _IMAGES | _AUDIO_TYPE | _REC | {"voice_id": text(200)},
    FRAMES: COMMON | _IMAGES | _REC,
    REFERENCE: COMMON
    | _IMAGES
    | _RATIO
    | _AUDIO_TYPE
    | {"subjects": objects, "videos": sources, "auto_subjects": flag},
}
SUBJECT_FIELDS: dict[str, Check] = {
    "name": text(100),
    "id": text(100),  # the older pages' word for the name
    "images": sources,
    "videos": sources,
    "voice_id": text(200),
    "server_id": text(200),
}


# -- one body


def read_ask(mode: str, decoded: object) -> Ask:
    """Check a decoded body.

    :raises BadField: with the first thing that is wrong: unwanted fields, missing ones, types, then the model.
    """
    body = as_object(decoded)
    check_fields(FIELDS[mode], _required(mode, body), body)
    check_prompt(body.get("prompt", ""), PROMPT_MAX[mode])
    offer = OFFERS.get((mode, body["model"]))
    if offer is None:
        raise BadField("FieldInvalid", "model")
    duration, resolution = offer.shape(body)
    if "aspect_ratio" in body and body["aspect_ratio"] not in offer.ratios:
        raise BadField("FieldInvalid", "aspect_ratio")
    audio = body.get("audio", body["model"].startswith("viduq3"))
    images = _pictures(mode, body)
    _check_switches(mode, body, audio)
    return Ask(
        mode=mode,
        model=body["model"],
        prompt=body.get("prompt", ""),
        duration=duration,
        resolution=resolution,
        aspect_ratio=body.get("aspect_ratio", offer.ratios[0]) if offer.ratios else "",
        audio=audio,
        seed=body.get("seed", 0),
        payload=body.get("payload", ""),
        off_peak=body.get("off_peak", False),
        sources=images,
        body=body,
    )


def _required(mode: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    if mode == TEXT:
        return ("model", "prompt")
    if mode in (IMAGE, FRAMES):
        return ("model", "images")
    return ("model", "prompt", "subjects" if "subjects" in body else "images")


def _pictures(mode: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    if mode == TEXT:
        return ()
    if mode == REFERENCE:
        return _reference_pictures(body)
    images = body["images"]
    if len(images) != (1 if mode == IMAGE else 2):
        raise BadField("FieldItemCountOutOfRange", "images")
    return tuple(images)


def _reference_pictures(body: Mapping[str, Any]) -> tuple[str, ...]:
    """One to seven images, four when there are videos; plain or spread over named subjects, never both."""
    for name in ("videos",) if body["model"] != "viduq2-pro" else ():
        if name in body:
            raise BadField("FieldUnwanted", name)
    if "videos" in body and not 1 <= len(body["videos"]) <= 2:
        raise BadField("FieldItemCountOutOfRange", "videos")
    most = 4 if body.get("videos") else 7
    if "subjects" not in body:
        if not 1 <= len(body["images"]) <= most:
            raise BadField("FieldItemCountOutOfRange", "images")
        return tuple(body["images"])
    if "images" in body or body["model"] == "viduq3-mix":
        raise BadField("FieldUnwanted", "images" if "images" in body else "subjects")
    return subject_pictures(body["subjects"], most, SUBJECT_FIELDS, ("name", "id"))


def subject_pictures(
    subjects: list[dict[str, Any]], most: int, checks: Mapping[str, Check], names: tuple[str, ...]
) -> tuple[str, ...]:
    """All images of one to seven subjects, at most three of each; ``names`` are the fields that may name one.

    :raises BadField: with the first thing that is wrong.
    """
    if not 1 <= len(subjects) <= 7:
        raise BadField("FieldItemCountOutOfRange", "subjects")
    found: list[str] = []
    for subject in subjects:
        for name, value in subject.items():
            if name not in checks:
                raise BadField("FieldUnwanted", f"subjects.{name}")
            if not checks[name](value):
                raise BadField("FieldInvalid", f"subjects.{name}")
        if not any(subject.get(name) for name in names):
            raise BadField("FieldLacking", f"subjects.{names[0]}")
        images = subject.get("images", [])
        if len(images) > 3 or not (images or subject.get("videos") or subject.get("server_id")):
            raise BadField("FieldItemCountOutOfRange", "subjects.images")
        found += images
    if len(found) > most:
        raise BadField("FieldItemCountOutOfRange", "subjects.images")
    return tuple(found)


def _check_switches(mode: str, body: Mapping[str, Any], audio: bool) -> None:
    """Sound: Q3 everywhere, Q2 in image and reference mode, else nowhere. Off-peak: not mix, older models silent."""
    model = body["model"]
    q3 = model.startswith("viduq3")
    if audio and not q3 and not (model.startswith("viduq2") and mode in (IMAGE, REFERENCE)):
        raise BadField("FieldInvalid", "audio")
    if "audio_type" in body and not audio:
        raise BadField("FieldInvalid", "audio_type")
    if body.get("off_peak") and (model == "viduq3-mix" or (audio and not q3)):
        raise BadField("FieldInvalid", "off_peak")
