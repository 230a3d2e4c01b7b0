"""What a clip or a picture is, read from the file itself."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import av
import av.error
from PIL import Image, ImageChops, ImageStat

from generations.archive.errors import NotAClip

POSTER_WIDTH = 640
NEAR_THE_END = 2.0  # seconds: where to start decoding for the last frame
ALIKE = 5.0  # of 255, on average: the same picture after another compression
UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
HD_LINES = 720
SMALL = (64, 36)  # enough to tell pictures apart
BOX, LARGE_BOX = struct.Struct(">I4s"), struct.Struct(">Q")
NEEDED_WHOLE = frozenset({b"moov", b"mdat", b"moof"})
# All that Pillow's readers raise on cut or malformed files.
BROKEN_PICTURE = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, EOFError, struct.error)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a clip is, read from the file itself; vendors' own figures can be zero on a real success."""

    width: int
    height: int
    seconds: float
    fps: float
    has_audio: bool


def probe(path: Path) -> Facts:
    """Read what the clip is and decode its first frame. Raises NotAClip."""
    _check_whole(path)
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


def _check_whole(path: Path) -> None:
    """A clip that was cut can still open and show its beginning; but then its boxes reach beyond its end."""
    at, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while at + BOX.size + LARGE_BOX.size <= size:
            file.seek(at)
            length, kind = BOX.unpack(file.read(BOX.size))
            if length == 1:
                (length,) = LARGE_BOX.unpack(file.read(LARGE_BOX.size))
            if kind in NEEDED_WHOLE and at + length > size:
                raise NotAClip("The file is cut short.")
            if length < BOX.size:  # zero: to the end of the file; all else is no box
                return
            at += length


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
