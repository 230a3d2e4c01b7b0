"""Small pictures for requests."""

import base64
import io

from PIL import Image


def picture_bytes(width: int = 320, height: int = 200, kind: str = "PNG", colour: str = "teal") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, kind)
    return buffer.getvalue()


def data_url(width: int = 320, height: int = 200, kind: str = "PNG", colour: str = "teal") -> str:
    encoded = base64.b64encode(picture_bytes(width, height, kind, colour)).decode()
    return f"data:image/{kind.lower()};base64,{encoded}"
