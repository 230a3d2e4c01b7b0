"""Input pictures: what is taken, what is refused and by which name."""

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from generations.sandbox.pictures import BadPicture, keep, read_picture
from tests.servers import says, serving

from .pictures import data_url, picture_bytes


def reason(source: str) -> str:
    with pytest.raises(BadPicture) as caught:
        read_picture(source)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_three_formats(kind: str) -> None:
    assert read_picture(data_url(300, 200, kind)).size == (300, 200)


def test_upright() -> None:
    buffer = io.BytesIO()
    tag = Image.Exif()
    tag[0x0112] = 6
    Image.new("RGB", (300, 200)).save(buffer, "JPEG", exif=tag)
    assert read_picture(f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}").size == (200, 300)


@pytest.mark.parametrize(
    "source",
    [
        "data:text/plain;base64,AAAA",
        "data:image/png,AAAA",
        "data:image/png;base64,%%%",
        "data:image/png;base64,AAAA",
        "data:image/png;base64,",
        data_url().replace("base64,", "base64,AAAA"),
        data_url()[:-100] + "AAAA",
        f"data:image/png;base64,{base64.b64encode(b'GIF89a' + bytes(40)).decode()}",
        "data:image/png;base64,é",
    ],
)
def test_what_is_no_picture(source: str) -> None:
    assert reason(source) == "ImageFormatInvalid"


@pytest.mark.parametrize("size", [(400, 100), (100, 400), (500, 100)])
def test_too_long_or_too_tall(size: tuple[int, int]) -> None:
    assert reason(data_url(*size)) == "PageSizeOutOfRange"


def test_just_short_enough() -> None:
    assert read_picture(data_url(399, 100)).size == (399, 100)


@pytest.mark.parametrize(
    "source", ["https://example.com/a.png", "http://example.com/a.png", "http://127.0.0.1:1/a.png"]
)
def test_the_world_is_never_asked(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(
        "socket.getaddrinfo", lambda *args, **_: asked.append(args[0]) or (_ for _ in ()).throw(OSError)
    )
    assert reason(source) == "ImageDownloadFailure"
    assert asked == (["127.0.0.1"] if "127" in source else [])


def test_loopback_is_fetched() -> None:
    with serving(says(200, picture_bytes(300, 200))) as url:
        assert read_picture(f"{url}/a.png?x=1").size == (300, 200)
    with serving(says(302, b"", Location="https://example.com/")) as url:
        assert reason(f"{url}/a.png") == "ImageDownloadFailure"
    with serving(says(200, b"<html>")) as url:
        assert reason(f"{url}/a.png") == "ImageFormatInvalid"


def test_kept_small(tmp_path: Path) -> None:
    keep(Image.new("RGB", (4000, 3000)), tmp_path / "deep" / "0.jpg")
    with Image.open(tmp_path / "deep" / "0.jpg") as kept:
        assert kept.size == (1920, 1440)
