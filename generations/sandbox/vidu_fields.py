"""What a create body may hold, per mode and model (Vidu docs: text-, image-, start-end- and reference-to-video)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MODES = ("text2video", "img2video", "start-end2video", "reference2video")
TEXT, IMAGE, FRAMES, REFERENCE = MODES
PAYLOAD_MAX = 1_048_576
PROMPT_MAX = {TEXT: 5000, IMAGE: 5000, FRAMES: 5000, REFERENCE: 2000}
SOURCES = ("http://", "https://", "data:")


class BadField(Exception):
    """A body that is refused: Vidu's error name and its message."""

    def __init__(self, reason: str, field: str) -> None:
        super().__init__(reason, field)
        self.reason = reason
        self.message = _MESSAGES[reason].format(field[:100])


_MESSAGES = {
    "BadRequest": "{}",
    "FieldInvalid": "invalid field: {}",
    "FieldLacking": "field is missing or empty: {}",
    "FieldUnwanted": "unwanted field: {}",
    "FieldItemCountOutOfRange": "field item count out of range: {}",
}


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


_AR5 = ("16:9", "9:16", "3:4", "4:3", "1:1")
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
        (TEXT, "viduq3-pro"): Offer(q3, _AR5),
        (TEXT, "viduq3-turbo"): Offer(q3, _AR5),
        (TEXT, "viduq2"): Offer(q2, _AR5),
        (TEXT, "viduq1"): Offer(q1, _AR3),
        (IMAGE, "viduq3-pro-fast"): Offer(_lengths(1, 16, _HIGH), ()),
        (IMAGE, "viduq2-pro-fast"): Offer(_lengths(1, 10, _HIGH), ()),
        (FRAMES, "viduq2-pro-fast"): Offer(_lengths(1, 8, _HIGH), ()),
        (REFERENCE, "viduq3"): Offer(reference, _AR5),
        (REFERENCE, "viduq3-turbo"): Offer(reference, _AR5),
        (REFERENCE, "viduq3-mix"): Offer(_lengths(3, 16, _HIGH), _AR5),
        (REFERENCE, "viduq2"): Offer(q2, _AR5),
        (REFERENCE, "viduq2-pro"): Offer(_lengths(0, 10, _ALL), _AR5),  # 0: the model chooses
        (REFERENCE, "viduq1"): Offer(q1, _AR3),
        (REFERENCE, "vidu2.0"): Offer({4: ("360p", "720p")}, _AR3, 4),
    }


OFFERS = _offers()


# -- which fields there are

Check = Callable[[object], bool]


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _number(low: int, high: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _one_of(*choices: str) -> Check:
    return lambda value: isinstance(value, str) and value in choices


def _text(limit: int) -> Check:
    return lambda value: isinstance(value, str) and len(value) <= limit and _encodable(value)


def _encodable(value: str) -> bool:
    """JSON may hold halves of surrogate pairs, which no file or database takes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _address(value: object) -> bool:
    if not (isinstance(value, str) and len(value) <= 8192 and _encodable(value)):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _label(value: object) -> bool:
    """``meta_data`` is a string that holds a JSON object."""
    if not (isinstance(value, str) and _encodable(value)):
        return False
    try:
        return isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False


def _sources(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(entry, str) and entry.startswith(SOURCES) and _encodable(entry) for entry in value
    )


def _objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


COMMON: dict[str, Check] = {
    "model": _text(100),
    "prompt": _text(max(PROMPT_MAX.values())),
    "duration": _number(0, 16),
    "resolution": _one_of("360p", "540p", "720p", "1080p"),
    "seed": _number(0, 2**63 - 1),
    "movement_amplitude": _one_of("auto", "small", "medium", "large"),
    "bgm": _flag,
    "audio": _flag,
    "off_peak": _flag,
    "watermark": _flag,
    "wm_position": _number(1, 4),
    "wm_url": _address,
    "meta_data": _label,
    "payload": _text(PAYLOAD_MAX),
    "callback_url": _address,
}
_IMAGES: dict[str, Check] = {"images": _sources}
_RATIO: dict[str, Check] = {"aspect_ratio": _one_of(*_AR5)}
_AUDIO_TYPE: dict[str, Check] = {"audio_type": _one_of("all", "speech_only", "sound_effect_only")}
_REC: dict[str, Check] = {"is_rec": _flag}
FIELDS: dict[str, dict[str, Check]] = {
    TEXT: COMMON | _RATIO | {"style": _one_of("general", "anime")},
    IMAGE: COMMON | _IMAGES | _AUDIO_TYPE | _REC | {"voice_id": _text(200)},
    FRAMES: COMMON | _IMAGES | _REC,
    REFERENCE: COMMON
    | _IMAGES
    | _RATIO
    | _AUDIO_TYPE
    | {"subjects": _objects, "videos": _sources, "auto_subjects": _flag},
}
SUBJECT_FIELDS: dict[str, Check] = {
    "name": _text(100),
    "id": _text(100),  # the older pages' word for the name
    "images": _sources,
    "videos": _sources,
    "voice_id": _text(200),
    "server_id": _text(200),
}


# -- one body


@dataclass(frozen=True)
class Ask:
    """A body that passed every check, with Vidu's defaults filled in. ``sources`` are all images in order."""

    mode: str
    model: str
    prompt: str
    duration: int
    resolution: str
    aspect_ratio: str
    audio: bool
    seed: int
    payload: str
    off_peak: bool
    sources: tuple[str, ...]
    body: Mapping[str, Any]


def read_ask(mode: str, body: object) -> Ask:
    """Check a decoded body.

    :raises BadField: with the first thing that is wrong: unwanted fields, missing ones, types, then the model.
    """
    if not isinstance(body, dict):
        raise BadField("FieldInvalid", "body")
    _check_fields(mode, body)
    offer = OFFERS.get((mode, body["model"]))
    if offer is None:
        raise BadField("FieldInvalid", "model")
    duration, resolution = _shape(offer, body)
    sources = _pictures(mode, body)
    audio = body.get("audio", body["model"].startswith("viduq3"))
    _check_switches(mode, body, audio)
    return Ask(
        mode=mode,
        model=body["model"],
        prompt=body.get("prompt", ""),
        duration=duration or offer.usual_seconds,
        resolution=resolution,
        aspect_ratio=body.get("aspect_ratio", offer.ratios[0]) if offer.ratios else "",
        audio=audio,
        seed=body.get("seed", 0),
        payload=body.get("payload", ""),
        off_peak=body.get("off_peak", False),
        sources=sources,
        body=body,
    )


def _check_fields(mode: str, body: Mapping[str, Any]) -> None:
    checks = FIELDS[mode]
    for name in body:
        if name not in checks:
            raise BadField("FieldUnwanted", name)
    for name in _required(mode, body):
        value = body.get(name)
        if value in (None, "", []) or (name == "prompt" and isinstance(value, str) and not value.strip()):
            raise BadField("FieldLacking", name)
    for name, value in body.items():
        if not checks[name](value):
            raise BadField("FieldInvalid", name)
    if len(body.get("prompt", "")) > PROMPT_MAX[mode]:
        raise BadField("FieldInvalid", "prompt")


def _required(mode: str, body: Mapping[str, Any]) -> tuple[str, ...]:
    if mode == TEXT:
        return ("model", "prompt")
    if mode in (IMAGE, FRAMES):
        return ("model", "images")
    return ("model", "prompt", "subjects" if "subjects" in body else "images")


def _shape(offer: Offer, body: Mapping[str, Any]) -> tuple[int, str]:
    duration = body.get("duration", offer.usual_seconds)
    if duration not in offer.shapes:
        raise BadField("FieldInvalid", "duration")
    resolution = body.get("resolution", offer.usual_resolution(duration))
    if resolution not in offer.shapes[duration]:
        raise BadField("FieldInvalid", "resolution")
    if "aspect_ratio" in body and body["aspect_ratio"] not in offer.ratios:
        raise BadField("FieldInvalid", "aspect_ratio")
    return duration, resolution


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
    return _subject_pictures(body["subjects"], most)


def _subject_pictures(subjects: list[dict[str, Any]], most: int) -> tuple[str, ...]:
    if not 1 <= len(subjects) <= 7:
        raise BadField("FieldItemCountOutOfRange", "subjects")
    found: list[str] = []
    for subject in subjects:
        for name, value in subject.items():
            if name not in SUBJECT_FIELDS:
                raise BadField("FieldUnwanted", f"subjects.{name}")
            if not SUBJECT_FIELDS[name](value):
                raise BadField("FieldInvalid", f"subjects.{name}")
        if not (subject.get("name") or subject.get("id")):
            raise BadField("FieldLacking", "subjects.name")
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
