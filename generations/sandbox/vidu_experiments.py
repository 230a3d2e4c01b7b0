"""Vidu's other creates: upscale, extend and scene templates, with the fields that its clients send [client code].

No page names their prices; those here are plain numbers of our own.
"""

from collections.abc import Callable
from typing import Any

from .fields import (
    PAYLOAD_MAX,
    RATIOS,
    Ask,
    BadField,
    Check,
    address,
    as_object,
    check_fields,
    flag,
    number,
    one_of,
    sources,
    text,
)
from .tasks import Task

UPSCALE, EXTEND, TEMPLATE = "upscale", "extend", "template"
PATHS = {UPSCALE: "upscale-new", EXTEND: "extend", TEMPLATE: "template"}
PRICES = {UPSCALE: 20, EXTEND: 50, TEMPLATE: 60}
"""Credits."""

_RENDERED = {"1080p": "1080p", "2K": "1440p", "4K": "2160p", "8K": "2160p"}
"""8K is not really painted: that would take minutes."""
_PROMPT_MAX = 2000
_TEMPLATE_SECONDS = 5
_SHARED: dict[str, Check] = {"payload": text(PAYLOAD_MAX), "callback_url": address}
_SOURCE: dict[str, Check] = {"video_creation_id": text(40), "video_url": address}

FindSource = Callable[[str], Task | None]
"""The task whose creation bears this id."""


def read_upscale(find: FindSource, value: object) -> Ask:
    """``POST /ent/v2/upscale-new``.

    :raises BadField: for what clients do not send, and for a source that is not there.
    """
    body = as_object(value)
    sizes = one_of(*_RENDERED)
    check_fields({**_SOURCE, **_SHARED, "upscale_resolution": sizes}, ("upscale_resolution",), body)
    source = _source(find, body)
    return _ask(
        UPSCALE, body, source.duration, _RENDERED[body["upscale_resolution"]], f"{source.width}:{source.height}"
    )


def read_extend(find: FindSource, value: object) -> Ask:
    """``POST /ent/v2/extend``: the source has 4 to 60 s, the extension 1 to 7.

    :raises BadField: for what clients do not send, and for a source that is not there or has another length.
    """
    body = as_object(value)
    checks: dict[str, Check] = {
        **_SOURCE,
        **_SHARED,
        "model": one_of("viduq2-turbo", "viduq2-pro"),
        "prompt": text(_PROMPT_MAX),
        "duration": number(1, 7),
        "resolution": one_of("540p", "720p", "1080p"),
    }
    check_fields(checks, ("model", "duration"), body)
    source = _source(find, body)
    if not 4 <= source.duration <= 60:
        raise BadField("FieldInvalid", "video_creation_id")
    seconds = source.duration + body["duration"]
    return _ask(EXTEND, body, seconds, body.get("resolution", "720p"), f"{source.width}:{source.height}")


def read_template(value: object) -> Ask:
    """``POST /ent/v2/template``.

    :raises BadField: for what clients do not send.
    """
    body = as_object(value)
    checks: dict[str, Check] = {
        **_SHARED,
        "template": text(60),
        "images": sources,
        "prompt": text(_PROMPT_MAX),
        "bgm": flag,
        "seed": number(0, 2**31 - 1),
        "aspect_ratio": one_of(*RATIOS),
    }
    check_fields(checks, ("template", "images"), body)
    if len(body["images"]) > 7:
        raise BadField("FieldItemCountOutOfRange", "images")
    return _ask(TEMPLATE, body, _TEMPLATE_SECONDS, "720p", body.get("aspect_ratio", "16:9"))


def _source(find: FindSource, body: dict[str, Any]) -> Task:
    source = find(body.get("video_creation_id", ""))
    if source is None:  # a video by address alone is not taken here
        raise BadField("FieldInvalid", "video_creation_id")
    return source


def _ask(mode: str, body: dict[str, Any], seconds: int, resolution: str, ratio: str) -> Ask:
    return Ask(
        mode=mode,
        model=body.get("model") or body.get("template") or mode,
        prompt=body.get("prompt", ""),
        duration=seconds,
        resolution=resolution,
        aspect_ratio=ratio,
        audio=False,
        seed=body.get("seed", 0),
        payload=body.get("payload", ""),
        off_peak=False,
        sources=tuple(body.get("images", ())),
        body=body,
    )
