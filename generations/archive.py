"""Copy a remote file safely into storage, and see what it is. Knows nothing of tasks.

A copy is streamed into a temporary file (memory stays the same for any size), its length compared with what the
server announced, hashed while it is written, synced, and only then given its name.

    CopyError
    ├── LinkDead       the address is refused or gone: ask for a new one
    ├── NotAClip       what came is not a video (an error page, an empty or broken file)
    └── CopyFailed     anything that may pass: try again
"""

import hashlib
import io
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import av
import av.error
import httpx
from django.core.files import File
from django.core.files.storage import Storage
from PIL import Image, ImageChops, ImageStat

TIMEOUT = httpx.Timeout(connect=10, read=30, write=10, pool=10)
MAX_CLIP_BYTES = 4 * 1024**3
MAX_COVER_BYTES = 20 * 1024**2
KEEP_FREE_BYTES = 64 * 1024**2
DEAD = frozenset({401, 403, 404, 410})
POSTER_WIDTH = 640
NEAR_THE_END = 2.0  # seconds: where to start decoding for the last frame
ALIKE = 5.0  # of 255, on average: the same picture after another compression
UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
HD_LINES = 720
SMALL = (64, 36)  # enough to tell pictures apart
# Packed bytes would be stored packed: what is written is what was sent.
PLAIN = {"Accept-Encoding": "identity"}
# All that Pillow's readers raise on cut or malformed files.
BROKEN_PICTURE = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, struct.error)


class CopyError(Exception):
    """``str(error)`` is a sentence for the timeline; it holds no address."""


class LinkDead(CopyError):
    pass


class NotAClip(CopyError):
    pass


class CopyFailed(CopyError):
    pass


@dataclass(frozen=True, slots=True)
class Copied:
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """What a clip is, read from the file itself; vendors' own figures can be zero on a real success."""

    width: int
    height: int
    seconds: float
    fps: float
    has_audio: bool


def download(url: str, target: Path, *, most: int = MAX_CLIP_BYTES, alive: Callable[[], None] | None = None) -> Copied:
    """Copy ``url`` into the file ``target``. ``alive`` is called with every chunk. Raises CopyError."""
    if not url.startswith(("https://", "http://")):
        raise LinkDead("The vendor gave no usable address.")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            httpx.Client(timeout=TIMEOUT, follow_redirects=True, headers=PLAIN) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code in DEAD:
                raise LinkDead(f"The vendor's link answered {response.status_code}.")
            if response.status_code != httpx.codes.OK:
                raise CopyFailed(f"The vendor's storage answered {response.status_code}.")
            return _write(response, target, most, alive)
    except httpx.HTTPError as error:
        raise CopyFailed(f"The copy broke off ({type(error).__name__}).") from None
    except httpx.InvalidURL:
        raise LinkDead("The vendor gave no usable address.") from None
    except OSError as error:
        raise CopyFailed(f"The copy could not be written ({error.strerror or error}).") from None


def _write(response: httpx.Response, target: Path, most: int, alive: Callable[[], None] | None) -> Copied:
    announced = response.headers.get("content-length", "")
    if announced.isdigit():
        _check_room(int(announced), target, most)
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as file:
        # Raw: the length and hash of what is stored are those of what was sent.
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > most:
                raise NotAClip(f"The file is larger than {most} bytes.")
            digest.update(chunk)
            file.write(chunk)
            if alive:
                alive()
        file.flush()
        os.fsync(file.fileno())
    if announced.isdigit() and size != int(announced):
        raise CopyFailed(f"The copy broke off at {size} of {announced} bytes.")
    return Copied(digest.hexdigest(), size)


def _check_room(size: int, target: Path, most: int) -> None:
    if size > most:
        raise NotAClip(f"The file is larger than {most} bytes.")
    if shutil.disk_usage(target.parent).free < size + KEEP_FREE_BYTES:
        raise CopyFailed("The disk is full.")


def probe(path: Path) -> Facts:
    """Read what the clip is and decode its first frame. Raises NotAClip."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video or "mp4" not in container.format.name:
                raise NotAClip("The file is not an MP4 video.")
            stream = container.streams.video[0]
            frame = next(container.decode(stream), None)
            if frame is None:
                raise NotAClip("The file has no picture in it.")
            seconds = float(container.duration or 0) / av.time_base
            rate = stream.average_rate or stream.guessed_rate
            return Facts(frame.width, frame.height, seconds, float(rate or 0), bool(container.streams.audio))
    except (av.error.FFmpegError, ValueError):
        raise NotAClip("The file is not a video.") from None


def still(path: Path, at_seconds: float = 1.0) -> bytes:
    """A JPEG of the clip at this second (or its last frame, when it is shorter). Raises NotAClip."""
    try:
        with av.open(str(path)) as container:
            shown = None
            for frame in container.decode(video=0):
                shown = frame
                if frame.time is not None and frame.time >= at_seconds:
                    break
            if shown is None:
                raise NotAClip("The file has no picture in it.")
            image: Image.Image = shown.to_image()
            return _jpeg(image)
    except (av.error.FFmpegError, ValueError):
        raise NotAClip("The file is not a video.") from None


def last_frame(file: IO[bytes]) -> Image.Image:
    """The last picture of a clip in full size, as far as the file can be decoded. Raises NotAClip."""
    try:
        with av.open(file, "r") as container:
            end = float(container.duration or 0) / av.time_base
            shown = None
            # Some files cannot be searched: those are read from their start.
            for start in dict.fromkeys((max(end - NEAR_THE_END, 0.0), 0.0)):
                shown = shown or _last(_frames(container, start))
            if shown is None:
                raise NotAClip("The file has no picture in it.")
            return _full_size(shown)
    except (av.error.FFmpegError, ValueError):
        raise NotAClip("The file is not a video.") from None


def frame_like(file: IO[bytes], cover: Image.Image, within: float = 1.5) -> Image.Image | None:
    """The frame of a clip's beginning that this smaller picture shows, in full size; None if there is none."""
    wanted = cover.convert("L").resize(SMALL, Image.Resampling.BOX)
    best, least = None, ALIKE
    try:
        with av.open(file) as container:
            for frame in _frames(container):
                shape = abs(frame.width * cover.height / (frame.height * cover.width) - 1)
                if shape > 0.02 or (frame.time or 0) > within:
                    break
                seen = frame.to_image(width=SMALL[0], height=SMALL[1], interpolation="AREA").convert("L")
                difference = ImageStat.Stat(ImageChops.difference(seen, wanted)).mean[0]
                if difference < least:
                    best, least = frame, difference
            return best and _full_size(best)
    except (av.error.FFmpegError, ValueError):
        raise NotAClip("The file is not a video.") from None


def _frames(container: Any, start: float = 0.0) -> Iterator[Any]:
    """Frames from the last key frame before ``start`` on; damage ends them, but takes none of those before it."""
    try:
        stream = container.streams.best("video")
        if stream is None:
            return
        container.seek(int(start * av.time_base) + (container.start_time or 0))
        for packet in container.demux(stream):
            yield from packet.decode()
    except av.error.FFmpegError:
        return


def _last(frames: Iterator[Any]) -> Any:
    last = None
    for frame in frames:
        if last is None or not frame.is_corrupt:
            last = frame
    return last


def _full_size(frame: Any) -> Image.Image:
    """Many clips do not say how their colours were coded; players then take the one for HD from 720 lines on."""
    unsaid = frame.colorspace == UNSPECIFIED and frame.height >= HD_LINES
    image: Image.Image = frame.to_image(src_colorspace="ITU709" if unsaid else None)
    return image


def picture(path: Path) -> bytes:
    """A cover as a small JPEG of our own making. Raises NotAClip when it is no picture."""
    with path.open("rb") as file:
        return _jpeg(cover(file))


def cover(file: IO[bytes]) -> Image.Image:
    """A cover, as a vendor gave it or as we keep it. Raises NotAClip when it is no picture."""
    try:
        with Image.open(file, formats=("JPEG", "PNG", "WEBP")) as image:
            return image.convert("RGB")
    except (*BROKEN_PICTURE, Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise NotAClip("The cover is not a picture.") from None


def _jpeg(image: Image.Image) -> bytes:
    image = image.convert("RGB")
    image.thumbnail((POSTER_WIDTH, POSTER_WIDTH * 2))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85, optimize=True)
    return buffer.getvalue()


def place(temporary: Path, storage: Storage, name: str) -> str:
    """Move a finished file into storage under its name; atomic where storage is this machine's disk.

    Returns the name it really got. Raises CopyFailed.
    """
    try:
        try:
            final = Path(storage.path(name))
        except NotImplementedError:  # an object store
            with temporary.open("rb") as file:
                return storage.save(name, File(file))
        final.parent.mkdir(parents=True, exist_ok=True)
        os.replace(temporary, final)
        _sync_folder(final.parent)
    except OSError as error:
        raise CopyFailed(f"The copy could not be stored ({error.strerror or error}).") from None
    return name


def _sync_folder(folder: Path) -> None:
    """Without this the file survives a power cut, but its name may not."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(storage: Storage, name: str) -> str:
    """Hash a stored file in constant memory. Raises FileNotFoundError."""
    with storage.open(name, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
