import base64
import io
import threading
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from generations import assets
from generations.assets import BadImage, as_data_url, data_url_length, frame_ratio_ok, read_picture, store_upload
from generations.models import Asset, User
from tests.factories import make_asset, make_user


def encoded(image: Image.Image, fmt: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, fmt, **options)
    return buffer.getvalue()


def upload(content: bytes, name: str = "frame.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def plain(width: int = 320, height: int = 180, colour: Any = (200, 60, 40), mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (width, height), colour)


def kept(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(read_picture(upload(content)).content))


@pytest.mark.parametrize("fmt", ["PNG", "JPEG", "WEBP"])
def test_the_three_formats_are_taken_and_kept_as_jpeg(fmt: str) -> None:
    picture = read_picture(upload(encoded(plain(), fmt)))
    assert (picture.content_type, picture.suffix, picture.width, picture.height) == ("image/jpeg", "jpg", 320, 180)
    red, green, blue = Image.open(io.BytesIO(picture.content)).convert("RGB").getpixel((160, 90))
    assert abs(red - 200) < 6
    assert abs(green - 60) < 6
    assert abs(blue - 40) < 6


def test_what_shines_through_stays_a_png_and_what_does_not_becomes_a_jpeg() -> None:
    clear = plain(colour=(10, 20, 30, 128), mode="RGBA")
    assert kept(encoded(clear)).getpixel((0, 0)) == (10, 20, 30, 128)
    assert read_picture(upload(encoded(clear, "WEBP", lossless=True))).content_type == "image/png"
    assert read_picture(upload(encoded(plain(colour=(1, 2, 3, 255), mode="RGBA")))).content_type == "image/jpeg"


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' width='400' height='300'></svg>",
        b"<!doctype html><script>alert(1)</script>",
        encoded(plain(), "GIF"),
        encoded(plain(), "BMP"),
        encoded(plain(), "TIFF"),
        b"\x89PNG\r\n\x1a\nnothing",
        encoded(plain())[:-40],
        encoded(plain(), "JPEG")[:400],
        b"%PDF-1.7",
    ],
)
def test_anything_else_is_refused_with_a_sentence(content: bytes) -> None:
    with pytest.raises(BadImage, match="cannot be read as a PNG, JPEG or WebP"):
        read_picture(upload(content))


def test_the_name_says_nothing() -> None:
    assert read_picture(upload(encoded(plain()), "holiday.svg")).content_type == "image/jpeg"
    with pytest.raises(BadImage):
        read_picture(upload(encoded(plain(), "GIF"), "frame.png"))


def test_empty_and_too_many_bytes_are_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadImage, match="empty"):
        read_picture(upload(b""))
    large = upload(b"x")
    large.size = assets.MAX_BYTES + 1
    monkeypatch.setattr(large, "file", None)
    with pytest.raises(BadImage, match="50 MB"):
        read_picture(large)


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((127, 200), "at least 128"),
        ((200, 127), "at least 128"),
        ((128, 512), "between 1:4 and 4:1"),
        ((512, 128), "between 1:4 and 4:1"),
    ],
)
def test_shapes_beyond_the_vendors_limits_are_refused(size: tuple[int, int], words: str) -> None:
    with pytest.raises(BadImage, match=words):
        read_picture(upload(encoded(plain(*size))))


@pytest.mark.parametrize("size", [(128, 128), (128, 511), (511, 128)])
def test_shapes_at_the_limits_are_taken(size: tuple[int, int]) -> None:
    assert kept(encoded(plain(*size))).size == size


def test_a_picture_just_within_four_to_one_is_still_so_when_it_was_made_smaller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """16383 x 4096 rounds to exactly 4:1 at a largest side of 4096; the vendor would refuse what we took."""
    monkeypatch.setattr(assets, "MAX_PIXELS", 100_000_000)
    with pytest.raises(BadImage, match="between 1:4 and 4:1"):
        read_picture(upload(encoded(Image.new("L", (16383, 4096)))))


def test_large_pictures_are_made_smaller() -> None:
    assert kept(encoded(plain(5000, 2500), "JPEG")).size == (4096, 2048)


def test_a_decompression_bomb_is_refused_before_it_unfolds(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = encoded(Image.new("1", (10_001, 10_000)))
    assert len(bomb) < 100_000
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda self: pytest.fail("was unfolded"))
    with pytest.raises(BadImage, match="50 million pixels"):
        read_picture(upload(bomb))
    huge = encoded(Image.new("1", (16_000, 16_000)))
    with pytest.raises(BadImage, match="50 million pixels"):
        read_picture(upload(huge))


def test_animations_are_refused() -> None:
    frames = [plain(colour=(255, 0, 0)), plain(colour=(0, 0, 255))]
    for fmt in ("PNG", "WEBP"):
        with pytest.raises(BadImage, match="animation"):
            read_picture(upload(encoded(frames[0], fmt, save_all=True, append_images=frames[1:])))


def test_a_phone_photo_of_several_pictures_gives_its_first() -> None:
    frames = [plain(colour=(255, 0, 0)), plain(colour=(0, 0, 255))]
    red, _, blue = kept(encoded(frames[0], "MPO", save_all=True, append_images=frames[1:])).getpixel((0, 0))
    assert red > 240
    assert blue < 15


def test_it_is_turned_upright_and_loses_its_metadata() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter to see it right
    exif[0x010F] = "Some Camera"
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "where I live")
    turned = kept(encoded(plain(320, 180), "JPEG", exif=exif))
    assert turned.size == (180, 320)
    assert not turned.getexif()
    assert b"Some Camera" not in read_picture(upload(encoded(plain(), "JPEG", exif=exif))).content
    clear = plain(colour=(1, 2, 3, 4), mode="RGBA")
    assert b"where I live" not in read_picture(upload(encoded(clear, pnginfo=text))).content
    assert b"where I live" not in read_picture(upload(encoded(plain(), "JPEG", comment=b"where I live"))).content
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert "icc_profile" not in kept(encoded(clear, icc_profile=profile)).info


@pytest.mark.parametrize("alpha", [(), (90,)])
def test_a_colour_profile_is_applied_before_it_is_dropped(alpha: tuple[int, ...]) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"....").replace(b"bXYZ", b"rXYZ").replace(b"....", b"bXYZ")
    mode, colour = ("RGBA" if alpha else "RGB"), (250, 10, 10, *alpha)
    for profile, expected in ((srgb, (250, 10, 10)), (swapped, (10, 10, 250)), (b"no profile", (250, 10, 10))):
        picture = kept(encoded(plain(colour=colour, mode=mode), icc_profile=profile))
        assert "icc_profile" not in picture.info
        *rgb, last = (*picture.getpixel((5, 5)), *(() if alpha else (None,)))
        assert all(abs(have - want) < 8 for have, want in zip(rgb, expected, strict=True)), (rgb, expected)
        assert last == (alpha[0] if alpha else None)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK", "I;16", "RGBA"])
def test_every_colour_mode_ends_as_rgb_or_rgba(mode: str) -> None:
    fmt = "JPEG" if mode == "CMYK" else "PNG"
    assert kept(encoded(Image.new(mode, (200, 200)), fmt)).mode in ("RGB", "RGBA")


def test_sixteen_bit_greys_keep_their_brightness() -> None:
    grey = kept(encoded(Image.new("I;16", (200, 200), 128 * 256))).getpixel((9, 9))
    assert all(abs(part - 128) < 4 for part in grey)


@given(st.binary(max_size=600))
def test_no_bytes_do_more_than_be_refused(content: bytes) -> None:
    for head in (b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\x00\x00\x00\x00WEBPVP8 "):
        with pytest.raises(BadImage):
            read_picture(upload(head + content))


@given(st.integers(0, 4000), st.integers(0, 255))
def test_a_damaged_picture_is_read_or_refused(place: int, value: int) -> None:
    for content in DAMAGED:
        broken = bytearray(content)
        broken[place % len(broken)] = value
        try:
            picture = read_picture(upload(bytes(broken)))
        except BadImage:
            continue
        assert picture.content


NOISE = Image.effect_noise((160, 140), 60).convert("RGB")
DAMAGED = [encoded(NOISE, "PNG"), encoded(NOISE, "JPEG"), encoded(NOISE, "WEBP")]


def test_it_is_stored_with_what_is_known_of_it(alice: User) -> None:
    asset = store_upload(alice, upload(encoded(plain()), "../up/My dog.png"))
    assert (asset.owner, asset.name, asset.width, asset.height) == (alice, "My dog.png", 320, 180)
    assert asset.file.name.startswith(f"assets/{asset.sha256[:2]}/")
    assert asset.file.name.endswith(".jpg")
    assert asset.size == asset.file.size


def test_the_same_picture_of_one_person_is_kept_once(alice: User, bob: User) -> None:
    first = store_upload(alice, upload(encoded(plain()), "a.png"))
    # Other metadata and another name, but the same picture.
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "again")
    assert store_upload(alice, upload(encoded(plain(), pnginfo=text), "b.png")) == first
    assert store_upload(bob, upload(encoded(plain()), "a.png")) != first
    assert Asset.objects.count() == 2


def test_a_race_for_the_same_picture_ends_with_one_row_and_one_file(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store_upload(alice, upload(encoded(plain())))
    folder = f"assets/{first.sha256[:2]}"
    before = default_storage.listdir(folder)[1]
    # The other one was not there yet when we looked.
    looked: list[None] = []
    real = Asset.objects.filter

    def filter_once(**wanted: Any) -> Any:
        if not looked:
            looked.append(None)
            return Asset.objects.none()
        return real(**wanted)

    monkeypatch.setattr(Asset.objects, "filter", filter_once)
    assert store_upload(alice, upload(encoded(plain()))) == first
    assert looked
    assert default_storage.listdir(folder)[1] == before


@pytest.mark.django_db(transaction=True)
def test_several_at_once_end_with_one_row() -> None:
    owner, content, found = make_user("racer"), encoded(plain(colour=(9, 90, 190))), []

    def run() -> None:
        try:
            found.append(store_upload(owner, upload(content)).pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert Asset.objects.filter(owner=owner).count() == 1


def test_a_data_url_holds_the_very_bytes(alice: User) -> None:
    for width in (200, 201, 202, 203):
        asset = store_upload(alice, upload(encoded(plain(width))))
        head, _, body = as_data_url(asset).partition(",")
        assert head == "data:image/jpeg;base64"
        assert base64.b64decode(body) == asset.file.storage.open(asset.file.name).read()
        assert data_url_length(asset) == len(as_data_url(asset))


@pytest.mark.parametrize(
    ("first", "last", "fits"),
    [
        ((1920, 1080), (1280, 720), True),
        ((1000, 1000), (1250, 1000), True),
        ((1000, 1000), (1251, 1000), False),
        ((1000, 1000), (800, 1000), True),
        ((1000, 1000), (799, 1000), False),
        ((1920, 1080), (1080, 1920), False),
    ],
)
def test_frames_must_be_alike_in_shape(alice: User, first: tuple[int, int], last: tuple[int, int], fits: bool) -> None:
    one, two = Asset(width=first[0], height=first[1]), Asset(width=last[0], height=last[1])
    assert frame_ratio_ok(one, two) is fits
    assert frame_ratio_ok(two, one) is fits


def test_a_missing_file_is_told_apart(alice: User) -> None:
    asset = make_asset(alice)
    asset.file.storage.delete(asset.file.name)
    with pytest.raises(FileNotFoundError):
        as_data_url(asset)
