"""Input images: from a data URL or a loopback address to a checked picture on disk."""

import base64
import binascii
import http.client
import io
import re
import struct
from pathlib import Path
from urllib.parse import urlsplit

from PIL import Image, ImageOps

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_DATA_URL = re.compile(r"data:image/(?:png|jpe?g|webp);base64,")
_FORMATS = ("PNG", "JPEG", "WEBP")
_MAX_BYTES = 50 << 20
_KEPT_SIDE = 1920
_FETCH_TIMEOUT_S = 5
# What Pillow's decoders raise on bytes that are not a picture.
_UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    struct.error,
    Image.DecompressionBombError,
)


class BadPicture(Exception):
    """Why an image was refused, in Vidu's error names."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def read_picture(source: str) -> Image.Image:
    """Decode one entry of ``images`` to RGB, upright (Vidu docs: PNG, JPEG or WebP, 50 MB, between 1:4 and 4:1).

    :raises BadPicture: with ImageFormatInvalid, ImageDownloadFailure or PageSizeOutOfRange.
    """
    data = _from_data_url(source) if source.startswith("data:") else _from_loopback(source)
    if len(data) > _MAX_BYTES:
        raise BadPicture("PageSizeOutOfRange", "image is larger than 50 MB")
    picture = _decode(data)
    if not 0.25 < picture.width / picture.height < 4:
        raise BadPicture("PageSizeOutOfRange", "image aspect ratio must be between 1:4 and 4:1")
    return picture


def _from_data_url(source: str) -> bytes:
    head = _DATA_URL.match(source)
    if not head:
        raise BadPicture("ImageFormatInvalid", "image must be PNG, JPEG or WebP in base64")
    try:
        return base64.b64decode(source[head.end() :], validate=True)
    except (binascii.Error, ValueError):
        raise BadPicture("ImageFormatInvalid", "image is not valid base64") from None


def _from_loopback(source: str) -> bytes:
    """Only this machine is asked: the sandbox must never send a request into the world. Redirects are not followed."""
    try:
        address = urlsplit(source)
        host, port = address.hostname, address.port
    except ValueError:
        host = port = None
    if host not in LOOPBACK or address.scheme != "http":
        raise BadPicture("ImageDownloadFailure", "image download failure")
    connection = http.client.HTTPConnection(host, port, timeout=_FETCH_TIMEOUT_S)
    try:
        connection.request("GET", f"{address.path or '/'}?{address.query}" if address.query else address.path or "/")
        answer = connection.getresponse()
        data = answer.read(_MAX_BYTES + 1)
    except (OSError, ValueError, http.client.HTTPException):
        raise BadPicture("ImageDownloadFailure", "image download failure") from None
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise BadPicture("ImageDownloadFailure", f"image download failure: status {answer.status}")
    return data


def _decode(data: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as opened:
            opened.load()
            return ImageOps.exif_transpose(opened).convert("RGB")
    except _UNREADABLE:
        raise BadPicture("ImageFormatInvalid", "invalid image format") from None


def keep(picture: Image.Image, path: Path) -> None:
    """Store a picture no larger than a clip will need."""
    path.parent.mkdir(parents=True, exist_ok=True)
    smaller = picture.copy()
    smaller.thumbnail((_KEPT_SIDE, _KEPT_SIDE), Image.Resampling.LANCZOS)
    smaller.save(path, "JPEG", quality=92)
