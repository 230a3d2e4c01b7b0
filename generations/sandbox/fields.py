"""What create bodies of all vendors have in common: checks for single fields, and the body that passed them."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

MODES = ("text2video", "img2video", "start-end2video", "reference2video")
TEXT, IMAGE, FRAMES, REFERENCE = MODES
PAYLOAD_MAX = 1_048_576
PROMPT_MAX = {TEXT: 5000, IMAGE: 5000, FRAMES: 5000, REFERENCE: 2000}
"""Characters (Vidu docs); also where a vendor that sells Vidu's models states no limit [inferred]."""
SOURCES = ("http://", "https://", "data:")
RATIOS = ("16:9", "9:16", "3:4", "4:3", "1:1")


class BadField(Exception):
    """A body that is refused: Vidu's error name and its message, which names the field."""

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


@dataclass(frozen=True)
class Ask:
    """A body that passed every check, with the defaults filled in.

    ``mode`` is in Vidu's words, ``duration`` in seconds; ``aspect_ratio`` is empty where the first picture decides.
    ``sources`` are all images in order; ``body`` is what the vendor's own module needs besides.
    """

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


# -- single values

Check = Callable[[object], bool]


def flag(value: object) -> bool:
    """true or false."""
    return isinstance(value, bool)


def number(low: int, high: int) -> Check:
    """A whole number in the closed span."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def one_of(*choices: str) -> Check:
    """One of these words."""
    return lambda value: isinstance(value, str) and value in choices


def text(limit: int) -> Check:
    """A string of at most ``limit`` characters."""
    return lambda value: isinstance(value, str) and len(value) <= limit and _encodable(value)


def _encodable(value: str) -> bool:
    """JSON may hold halves of surrogate pairs, which no file or database takes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def address(value: object) -> bool:
    """An http or https address with a host."""
    if not (isinstance(value, str) and len(value) <= 8192 and _encodable(value)):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def label(value: object) -> bool:
    """``meta_data`` is a string that holds a JSON object."""
    if not (isinstance(value, str) and _encodable(value)):
        return False
    try:
        return isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False


def sources(value: object) -> bool:
    """A list of addresses or data URLs."""
    return isinstance(value, list) and all(
        isinstance(entry, str) and entry.startswith(SOURCES) and _encodable(entry) for entry in value
    )


def objects(value: object) -> bool:
    """A list of JSON objects."""
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def mapping(value: object) -> bool:
    """A JSON object."""
    return isinstance(value, dict)


# -- whole bodies


def as_object(value: object, name: str = "body") -> dict[str, Any]:
    """:raises BadField: for what is no JSON object; ``name`` is how the message calls it."""
    if not isinstance(value, dict):
        raise BadField("FieldInvalid", name)
    return value


def check_fields(
    checks: Mapping[str, Check], required: Collection[str], body: Mapping[str, Any], within: str = ""
) -> None:
    """See that a body holds all it must, nothing unknown and only good values.

    ``within`` stands before the names in messages, as ``extra_body.``.

    :raises BadField: with the first thing that is wrong: unwanted fields, missing ones, then values.
    """
    for name in body:
        if name not in checks:
            raise BadField("FieldUnwanted", within + name)
    for name in required:
        value = body.get(name)
        if value in (None, "", []) or (name == "prompt" and isinstance(value, str) and not value.strip()):
            raise BadField("FieldLacking", within + name)
    for name, value in body.items():
        if not checks[name](value):
            raise BadField("FieldInvalid", within + name)


def check_prompt(prompt: str, limit: int) -> None:
    """:raises BadField: for a prompt of more than ``limit`` characters."""
    if len(prompt) > limit:
        raise BadField("FieldInvalid", "prompt")
