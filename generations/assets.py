"""Input images: checked, turned upright, re-encoded without metadata, kept once per person and content."""

import base64
import hashlib
import io
import struct
import uuid
from dataclasses import dataclass
from fractions import Fraction
from pathlib import PurePath
from threading import BoundedSemaphore
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from PIL import Image, ImageCms, ImageOps

from generations.models import Asset, AssetKind, Creation, User

# What the vendors take (their create pages): 50 MB, at least 128 x 128, strictly between 1:4 and 4:1.
MAX_BYTES = 50 * 1024 * 1024
MIN_SIDE = 128
MAX_SLENDERNESS = 4
# Our own: no vendor makes more than 1080p of it, and base64 in a 20 MB body leaves little room.
LONGEST_SIDE = 4096
MAX_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "WEBP")
# What Pillow's readers raise on cut or malformed files, found by feeding them some ten thousand.
BROKEN = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, struct.error)
BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)

Image.MAX_IMAGE_PIXELS = MAX_PIXELS


# Unpacked, a picture takes hundreds of megabytes however small its file: one at a time in each process.
_DECODING = BoundedSemaphore(1)


class BadImage(ValueError):
    """A picture that cannot be used; its text is a sentence for the person who chose it."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as it will be kept."""

    content: bytes
    content_type: str
    suffix: str
    width: int
    height: int

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def store_upload(owner: User, file: "UploadedFile[Any]") -> Asset:
    """Check and keep an uploaded picture; the same picture again returns the row there is. Raises BadImage."""
    return _store(owner, read_picture(file), PurePath(file.name or "").name[:120])


def store_still(owner: User, image: Image.Image, *, kind: AssetKind, source: Creation, name: str) -> Asset:
    """Keep a picture out of a clip, checked and encoded like an upload. Raises BadImage."""
    with _DECODING:
        picture = _encode(_fitting(image))
    return _store(owner, picture, name, kind=kind, source=source)


def read_picture(file: "UploadedFile[Any]") -> Picture:
    """The upload as a picture fit for every vendor. Raises BadImage."""
    if not file.size:
        raise BadImage(_("This file is empty."))
    if file.size > MAX_BYTES:
        raise BadImage(_("This file is larger than %(limit)d MB.") % {"limit": MAX_BYTES // 1024**2})
    try:
        with _DECODING:
            return _encode(_decode(file))
    except BOMBS as error:
        raise _too_many_pixels() from error
    except BadImage:
        raise
    except BROKEN as error:
        raise BadImage(_("This file cannot be read as a PNG, JPEG or WebP picture.")) from error


def as_data_url(asset: Asset) -> str:
    """The picture as ``data:image/png;base64,...``: with it in the request no vendor has to fetch it from us."""
    with asset.file.open("rb") as file:
        encoded = base64.b64encode(file.read()).decode("ascii")
    return f"data:{asset.content_type};base64,{encoded}"


def data_url_length(asset: Asset) -> int:
    """How many bytes ``as_data_url`` takes, without reading the file."""
    return len(f"data:{asset.content_type};base64,") + (asset.size + 2) // 3 * 4


def frame_ratio_ok(first: Asset, last: Asset) -> bool:
    """Whether a first and a last frame are alike enough in shape.

    The vendor wants the frames' sizes "within a ratio of 0.8 to 1.25". Its clients and resellers read that as
    aspect ratio (width / height) of the first divided by that of the last, ends included, and so do we: a large
    and a small picture of one shape go together.
    """
    relation = Fraction(first.width, first.height) / Fraction(last.width, last.height)
    return Fraction(4, 5) <= relation <= Fraction(5, 4)


def _decode(file: "UploadedFile[Any]") -> Image.Image:
    """Pixels, upright, in sRGB, at most LONGEST_SIDE."""
    file.seek(0)
    image: Image.Image = Image.open(file, formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels()
    if image.format in ("PNG", "WEBP") and getattr(image, "is_animated", False):
        raise BadImage(_("This is an animation. Choose a still picture."))
    _check_shape(image.width, image.height)
    image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # JPEG: decode at a smaller scale, not to shrink afterwards
    upright = ImageOps.exif_transpose(image)
    return _fitting(_in_srgb(upright))


def _fitting(image: Image.Image) -> Image.Image:
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    _check_shape(image.width, image.height)
    return image


def _too_many_pixels() -> BadImage:
    return BadImage(_("This picture has more than %(limit)d million pixels.") % {"limit": MAX_PIXELS // 1_000_000})


def _check_shape(width: int, height: int) -> None:
    size = {"width": width, "height": height}
    if min(width, height) < MIN_SIDE:
        sentence = _("This picture is %(width)d × %(height)d pixels; each side needs at least %(least)d.")
        raise BadImage(sentence % {**size, "least": MIN_SIDE})
    if max(width, height) >= MAX_SLENDERNESS * min(width, height):
        sentence = _("This picture is %(width)d × %(height)d pixels, too narrow: it must stay between 1:4 and 4:1.")
        raise BadImage(sentence % size)


def _in_srgb(image: Image.Image) -> Image.Image:
    """RGB or RGBA. A colour profile is applied before it is dropped, or phone photos would change their colours."""
    wanted = "RGBA" if image.has_transparency_data else "RGB"
    profile = image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(
                image, source, ImageCms.createProfile("sRGB"), outputMode="RGBA" if image.mode == "RGBA" else "RGB"
            )
        except (ImageCms.PyCMSError, OSError):
            pass  # a broken profile says nothing about the colours
        else:
            image = converted or image
    if image.mode.startswith("I"):
        image = image.point(lambda value: value * (1 / 256)).convert("L")  # 16 bit greys would be clipped to white
    return image.convert(wanted)


def _encode(image: Image.Image) -> Picture:
    """PNG only where something shines through, else JPEG: a vendor's whole request must stay under 20 MB."""
    buffer = io.BytesIO()
    clean = Image.new(image.mode, image.size)
    clean.paste(image)  # pixels only: text, EXIF and profile stay behind
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] != 255:
        clean.save(buffer, "PNG", optimize=True)
        return Picture(buffer.getvalue(), "image/png", "png", *image.size)
    clean.convert("RGB").save(buffer, "JPEG", quality=92, subsampling=0, optimize=True)
    return Picture(buffer.getvalue(), "image/jpeg", "jpg", *image.size)


def _store(
    owner: User,
    picture: Picture,
    name: str,
    *,
    kind: AssetKind = AssetKind.UPLOAD,
    source: Creation | None = None,
) -> Asset:
    digest = picture.sha256
    known = Asset.objects.filter(owner=owner, sha256=digest).first()
    if known is not None:
        return known
    path = default_storage.save(
        f"assets/{digest[:2]}/{uuid.uuid4().hex}.{picture.suffix}", ContentFile(picture.content)
    )
    try:
        with transaction.atomic():
            return Asset.objects.create(
                owner=owner,
                kind=kind,
                source=source,
                file=path,
                content_type=picture.content_type,
                sha256=digest,
                size=len(picture.content),
                width=picture.width,
                height=picture.height,
                name=name,
            )
    except IntegrityError:
        default_storage.delete(path)  # somebody was faster with the same picture
        return Asset.objects.get(owner=owner, sha256=digest)
