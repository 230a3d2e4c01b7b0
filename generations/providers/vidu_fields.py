"""Which fields Vidu's four modes take, for Vidu and those who resell it with its fields.

The marks on facts are those of ``vidu_words``.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from .base import Mode, Order

# [docs] A field that the mode does not take may be refused as FieldUnwanted, so only these are ever sent.
_EVERYWHERE = {"model", "prompt", "duration", "resolution", "audio", "seed", "off_peak", "bgm", "movement_amplitude"}
_EVERYWHERE |= {"watermark", "wm_position", "wm_url", "meta_data", "payload", "callback_url"}
FIELDS = {  # with a picture as first frame the picture decides the shape: no aspect_ratio
    Mode.TEXT: _EVERYWHERE | {"aspect_ratio", "style"},
    Mode.IMAGE: _EVERYWHERE | {"images", "audio_type", "voice_id", "is_rec"},
    Mode.START_END: _EVERYWHERE | {"images", "is_rec"},
    Mode.REFERENCE: _EVERYWHERE | {"images", "aspect_ratio", "audio_type", "subjects", "videos", "auto_subjects"},
}

EXPERIMENTS = {  # [client code] alone: nothing of these stands on a page of Vidu's
    Mode.UPSCALE: {"video_creation_id", "video_url", "upscale_resolution", "payload", "callback_url"},
    Mode.EXTEND: {
        "model", "video_creation_id", "video_url", "prompt", "duration", "resolution", "payload", "callback_url",
    },
    Mode.TEMPLATE: {"template", "images", "prompt", "bgm", "seed", "aspect_ratio", "payload", "callback_url"},
}  # fmt: skip


def body(order: Order, fields: Collection[str]) -> dict[str, Any]:
    """What the order says in these fields; ``audio`` None means that the model takes no such field."""
    return {name: value for name, value in _wishes(order).items() if name in fields}


def _wishes(order: Order) -> dict[str, Any]:
    """Every field the order has a word for. ``options`` never replace the fields that we decide ourselves."""
    ours = {
        "model": order.model,
        "images": list(order.images),
        "prompt": order.prompt,
        "duration": order.duration,
        "resolution": order.resolution,
        "upscale_resolution": order.resolution,
        "video_creation_id": order.source_id,
        "video_url": order.source_url,
        "aspect_ratio": order.aspect_ratio,
        "audio": order.audio,
        "seed": order.seed,
        "off_peak": order.off_peak or None,  # false is the default of every mode [docs], and not every model knows it
        "payload": order.token,
        "callback_url": order.callback_url,
    }
    wishes = {**order.options, **ours}
    if not order.audio:
        wishes.pop("audio_type", None)  # [docs] works with sound only
    if isinstance(wishes.get("meta_data"), Mapping):
        wishes["meta_data"] = json.dumps(wishes["meta_data"])  # [docs] a string that holds JSON
    return {name: value for name, value in wishes.items() if value not in (None, "", [])}
