"""What Vtrix' create body may hold, per model (Vtrix docs and [client code]).

One parameter table could be read, that of ``viduq2_pro_fast_text2video``. The others are that table with what the
list of models adds; lengths and resolutions it does not print are Vidu's for the same model [inferred].
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .fields import (
    FRAMES,
    IMAGE,
    PAYLOAD_MAX,
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
from .vidu_fields import OFFERS, Offer, subject_pictures

OLD_PROMPT_MAX, PROMPT_MAX = 2000, 5000
"""Characters: of Q2 and older, and of Q3."""
_HIGH = ("720p", "1080p")

COMMON: dict[str, Check] = {
    "prompt": text(PROMPT_MAX),
    "duration": number(0, 16),
    "resolution": one_of("360p", "540p", "720p", "1080p"),
    "seed": number(0, 2**63 - 1),
    "bgm": flag,
    "payload": text(PAYLOAD_MAX),
    "off_peak": flag,
    "watermark": flag,
    "wm_position": number(1, 4),
    "wm_url": address,
    "meta_data": label,
    "callback_url": address,
}
_RATIO: dict[str, Check] = {"aspect_ratio": one_of(*RATIOS)}
_IMAGES: dict[str, Check] = {"images": sources}
_AUDIO: dict[str, Check] = {"audio": flag}
_SUBJECTS: dict[str, Check] = {"subjects": objects}
_OLD_IMAGE = _IMAGES | _AUDIO | {"voice_id": text(200), "is_rec": flag}
_Q3_REFERENCE = _IMAGES | _AUDIO | {"aspect_ratio": one_of(*RATIOS, "auto"), "sounds": objects}  # sounds: reserved
SUBJECT_FIELDS: dict[str, Check] = {"id": text(100), "images": sources, "voice_id": text(200)}


# -- which models there are


@dataclass(frozen=True)
class Model:
    """What one model id takes. ``extra`` are its fields besides the common ones."""

    mode: str
    offer: Offer
    extra: dict[str, Check]
    prompt_max: int = OLD_PROMPT_MAX
    audio: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """The fields it cannot do without."""
        pictures = tuple(name for name in ("images", "subjects") if name in self.extra)
        return pictures if self.mode in (IMAGE, FRAMES) else ("prompt", *pictures)


def _as_vidu(mode: str, vidu_model: str, extra: dict[str, Check]) -> Model:
    q3 = vidu_model.startswith("viduq3")
    more = extra | _AUDIO if q3 else extra
    return Model(mode, OFFERS[mode, vidu_model], more, PROMPT_MAX if q3 else OLD_PROMPT_MAX, q3)


def _shapes(*seconds: int) -> Offer:
    return Offer(dict.fromkeys(seconds, _HIGH), RATIOS)


def _models() -> dict[str, Model]:
    text_ids = {"viduq1": "viduq1", "viduq2": "viduq2", "viduq3_pro": "viduq3-pro", "viduq3_turbo": "viduq3-turbo"}
    frame_ids = {
        "viduq2_pro": "viduq2-pro",
        "viduq2_turbo": "viduq2-turbo",
        "viduq2_pro_fast": "viduq2-pro-fast",
        "viduq3_pro": "viduq3-pro",
        "viduq3_turbo": "viduq3-turbo",
    }
    image_ids = frame_ids | {"vidu20": "vidu2.0", "viduq1": "viduq1"}
    reference = _AUDIO | _RATIO  # audio as on Vidu's page [inferred]
    models = {f"{name}_text2video": _as_vidu(TEXT, vidu, _RATIO) for name, vidu in text_ids.items()}
    for name, vidu in image_ids.items():
        extra = _IMAGES if vidu.startswith("viduq3") else _OLD_IMAGE
        models[f"{name}_img2video"] = _as_vidu(IMAGE, vidu, extra)
    models |= {f"{name}_start_end2video": _as_vidu(FRAMES, vidu, _IMAGES) for name, vidu in frame_ids.items()}
    return models | {
        "viduq2_pro_fast_text2video": Model(TEXT, _shapes(*range(1, 9)), _RATIO),  # a construction of Vtrix' own
        "viduq2_turbo_start_end": Model(FRAMES, Offer(dict.fromkeys((4, 8), ("540p", *_HIGH)), (), 4), _IMAGES),
        "viduq3_i2v_reference": _as_vidu(REFERENCE, "viduq3", _Q3_REFERENCE),
        "viduq2_i2v_reference": _as_vidu(REFERENCE, "viduq2", reference | _IMAGES),
        "viduq2_pro_reference": _as_vidu(REFERENCE, "viduq2-pro", reference | _IMAGES | {"videos": sources}),
        "viduq2_reference2video": _as_vidu(REFERENCE, "viduq2", reference | _SUBJECTS),
        "viduq2_pro_fast_reference2video": Model(REFERENCE, _shapes(*range(1, 11)), reference | _SUBJECTS),
    }


MODELS = _models()


# -- one body


def read_ask(decoded: object) -> Ask:
    """Check a decoded envelope: ``{"model": ..., "input": [{"params": {...}}]}``.

    :raises BadField: with the first thing that is wrong: the envelope, the model, then its parameters.
    """
    name, params = _open(as_object(decoded))
    model = MODELS.get(name)
    if model is None:
        raise BadField("FieldInvalid", "model")
    check_fields(COMMON | model.extra, model.needs, params)
    check_prompt(params.get("prompt", ""), model.prompt_max)
    if params.get("off_peak"):
        raise BadField("BadRequest", "off_peak is temporarily unavailable")
    duration, resolution = model.offer.shape(params)
    return Ask(
        mode=model.mode,
        model=name,
        prompt=params.get("prompt", ""),
        duration=duration,
        resolution=resolution,
        aspect_ratio=_ratio(model, params),
        audio=params.get("audio", model.audio),
        seed=params.get("seed", 0),
        payload=params.get("payload", ""),
        off_peak=False,
        sources=_pictures(model.mode, params),
        body=params,
    )


def _open(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The model's id and the parameters inside."""
    check_fields({"model": text(100), "input": objects}, ("model", "input"), body)
    if len(body["input"]) != 1:
        raise BadField("FieldItemCountOutOfRange", "input")
    inner = body["input"][0]
    for name in inner:
        if name != "params":
            raise BadField("FieldUnwanted", f"input.{name}")
    return body["model"], as_object(inner.get("params"), "input.params")


def _ratio(model: Model, params: Mapping[str, Any]) -> str:
    """Empty where the picture decides, as it does for ``auto``."""
    if "aspect_ratio" not in model.extra:
        return ""
    ratio: str = params.get("aspect_ratio", "16:9")
    if ratio not in (*model.offer.ratios, "auto"):
        raise BadField("FieldInvalid", "aspect_ratio")
    return "" if ratio == "auto" else ratio


def _pictures(mode: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    if "subjects" in params:
        return subject_pictures(params["subjects"], 7, SUBJECT_FIELDS, ("id",))
    images = params.get("images", [])
    least, most = {TEXT: (0, 0), IMAGE: (1, 1), FRAMES: (2, 2), REFERENCE: (1, 7)}[mode]
    if "videos" in params:
        if not 1 <= len(params["videos"]) <= 2:
            raise BadField("FieldItemCountOutOfRange", "videos")
        most = 4
    if not least <= len(images) <= most:
        raise BadField("FieldItemCountOutOfRange", "images")
    return tuple(images)
