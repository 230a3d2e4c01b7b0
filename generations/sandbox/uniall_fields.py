"""What UniAll's create body may hold (UniAll docs: create-task-old, models): its fields decide the mode."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .fields import (
    FRAMES,
    IMAGE,
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
    mapping,
    number,
    one_of,
    text,
)

REFERENCES_MAX = 4
"""Images of one reference task (UniAll docs: overview)."""


@dataclass(frozen=True)
class Model:
    """What stands behind one model id."""

    vidu_model: str
    resolution: str
    off_peak: bool = False


def _models() -> dict[str, Model]:
    families = {"viduq3p": "viduq3-pro", "viduq3t": "viduq3-turbo"}
    plain = {
        f"{name}-{resolution}": Model(model, resolution)
        for name, model in families.items()
        for resolution in ("540p", "720p", "1080p")
    }
    off_peak = {f"{name}-offpeak": Model(model.vidu_model, model.resolution, True) for name, model in plain.items()}
    mix = {f"viduq3p-mix-{resolution}": Model("viduq3-mix", resolution) for resolution in ("720p", "1080p")}
    return plain | off_peak | mix


MODELS = _models()
"""The page lists the first six; ``-offpeak`` and the mix at 720p stand in its examples, 1080p is [inferred]."""


def _addresses(value: object) -> bool:
    return isinstance(value, list) and all(address(entry) for entry in value)


FIELDS: dict[str, Check] = {
    "model": text(100),
    "prompt": text(max(PROMPT_MAX.values())),
    "image": address,
    "last_image": address,
    "reference_image_urls": _addresses,
    "aspect_ratio": one_of(*RATIOS),
    "duration": number(1, 16),
    "extra_body": mapping,
}
EXTRA_FIELDS: dict[str, Check] = {"audio": flag, "seed": number(0, 2**63 - 1), "bgm": flag}


def read_ask(decoded: object) -> Ask:
    """Check a decoded body.

    :raises BadField: with the first thing that is wrong: unwanted fields, missing ones, values, then the model.
    """
    body = as_object(decoded)
    check_fields(FIELDS, ("model", "prompt", "duration"), body)
    extra = body.get("extra_body", {})
    check_fields(EXTRA_FIELDS, (), extra, "extra_body.")
    model = MODELS.get(body["model"])
    mode = _mode(body)
    if model is None or (model.vidu_model == "viduq3-mix" and mode != REFERENCE):
        raise BadField("FieldInvalid", "model")
    check_prompt(body["prompt"], PROMPT_MAX[mode])
    # With pictures the ratio is taken and has no effect.
    ratio = body.get("aspect_ratio", RATIOS[0]) if mode in (TEXT, REFERENCE) else ""
    return Ask(
        mode=mode,
        model=body["model"],
        prompt=body["prompt"],
        duration=body["duration"],
        resolution=model.resolution,
        aspect_ratio=ratio,
        audio=extra.get("audio", True),
        seed=extra.get("seed", 0),
        payload="",
        off_peak=model.off_peak,
        sources=_sources(body),
        body=body,
    )


def _mode(body: Mapping[str, Any]) -> str:
    if "reference_image_urls" in body:
        for name in ("image", "last_image"):
            if name in body:
                raise BadField("FieldUnwanted", name)
        if not 1 <= len(body["reference_image_urls"]) <= REFERENCES_MAX:
            raise BadField("FieldItemCountOutOfRange", "reference_image_urls")
        return REFERENCE
    if "last_image" not in body:
        return IMAGE if "image" in body else TEXT
    if "image" not in body:
        raise BadField("BadRequest", "last_image requires image")
    return FRAMES


def _sources(body: Mapping[str, Any]) -> tuple[str, ...]:
    single = [body[name] for name in ("image", "last_image") if name in body]
    return tuple(body.get("reference_image_urls", single))
