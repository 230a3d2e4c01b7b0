"""One clip: H.264 in MP4, playable from the first byte, with a cover picture."""

import array
import hashlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from PIL import Image

from .captions import Caption, Wording
from .scenery import Scene, Size, Stills, palette_for, scene_for

FPS = 24
_SOUND_RATE = 24_000
_SOUND_BLOCK = 1024
_LOUDNESS = 900  # of 32767: a quiet bed
_CHORDS = ((110, 165, 220, 277), (98, 147, 196, 247), (131, 196, 262, 330), (82, 123, 165, 208))
_MODE_WORDS = {
    "text2video": "Text to video",
    "img2video": "Image to video",
    "start-end2video": "First and last frame",
    "reference2video": "Reference to video",
}
# Colours as Pillow makes them (BT.601), said in the stream so that players need not guess.
_BT601, _LIMITED = 6, 1


class Interrupted(Exception):
    """The sandbox is stopping."""


@dataclass(frozen=True)
class Order:
    """What a clip has to show."""

    prompt: str
    mode: str
    model: str
    ratio: str
    resolution: str
    size: Size
    seconds: int
    seed: int
    audio: bool = False
    watermark: int = 0
    pictures: Sequence[Path] = ()

    @property
    def facts(self) -> str:
        """The line under the prompt."""
        ratio = self.ratio or f"{self.size[0]}x{self.size[1]}"
        parts = (_MODE_WORDS.get(self.mode, self.mode), self.model, ratio, self.resolution, f"{self.seconds} s")
        return "  ·  ".join(parts)


def frame_size(resolution: str, ratio: float, short_side: int | None = None) -> Size:
    """Width and height: the shorter side is the resolution's number; very long formats keep the area of 16:9.

    >>> frame_size("720p", 16 / 9), frame_size("720p", 9 / 16), frame_size("540p", 1.0)
    ((1280, 720), (720, 1280), (540, 540))
    """
    short = float(short_side or int(resolution.rstrip("p")))
    stretch = max(ratio, 1 / ratio)
    short *= min(1.0, math.sqrt(16 / 9 / stretch))
    long = short * stretch
    width, height = (long, short) if ratio >= 1 else (short, long)
    return (max(16, round(width / 2) * 2), max(16, round(height / 2) * 2))


def make_clip(order: Order, video: Path, cover: Path, stopping: Callable[[], bool] = lambda: False) -> None:
    """Write both files; neither exists under its name before it is complete.

    :raises Interrupted: when ``stopping`` says so; nothing is left behind then.
    """
    video.parent.mkdir(parents=True, exist_ok=True)
    part = video.with_name(f".{os.getpid()}-{video.name}")
    try:
        poster = _encode(order, part, stopping)
        poster.save(cover, "JPEG", quality=88)
        part.replace(video)
    finally:
        part.unlink(missing_ok=True)


def _encode(order: Order, path: Path, stopping: Callable[[], bool]) -> Image.Image:
    scene, caption = _staged(order)
    count = max(1, order.seconds * FPS)
    poster: Image.Image | None = None
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = _video_stream(container, order.size)
        sound = Sound(container, order) if order.audio else None
        for number in range(count):
            if stopping():
                raise Interrupted
            picture = scene.at(number / FPS)
            caption.paste(picture, number / FPS, FPS)
            frame = picture.frame()
            frame.pts = number
            if number == count * 2 // 5:
                poster = frame.to_image()
            container.mux(stream.encode(frame))
            if sound:
                sound.play_to((number + 1) / FPS)
        container.mux(stream.encode(None))
        if sound:
            sound.finish()
    if poster is None:
        raise ValueError("a clip without frames")
    return poster


def _staged(order: Order) -> tuple[Scene, Caption]:
    seed = f"{order.prompt}|{order.seed}"
    scene: Scene
    if order.pictures:
        scene = Stills(order.size, order.seconds, [_opened(path) for path in order.pictures])
    else:
        scene = scene_for(order.size, order.seconds, seed)
    words = Wording(order.prompt, order.facts, palette_for(seed).horizon, order.watermark)
    return scene, Caption(order.size, words)


def _opened(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.convert("RGB")


def _video_stream(container: Any, size: Size) -> Any:
    stream = container.add_stream("libx264", rate=FPS)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    stream.options = {"preset": "ultrafast", "crf": "21", "tune": "animation"}
    context = stream.codec_context
    context.gop_size = FPS * 2
    context.thread_count = 2
    context.colorspace = context.color_primaries = context.color_trc = _BT601
    context.color_range = _LIMITED
    return stream


class Sound:
    """A quiet chord that swells and fades: enough to hear that there is a sound track."""

    def __init__(self, container: Any, order: Order) -> None:
        self.container = container
        self.stream = container.add_stream("aac", rate=_SOUND_RATE, layout="mono")
        self.stream.bit_rate = 48_000
        self.total = order.seconds * _SOUND_RATE
        self.done = 0
        digest = hashlib.sha256(f"{order.prompt}|{order.seed}".encode()).digest()
        self.loop = _loop(_CHORDS[digest[0] % len(_CHORDS)])

    def play_to(self, second: float) -> None:
        """Write the sound up to this moment."""
        until = min(self.total, round(second * _SOUND_RATE))
        while self.done + _SOUND_BLOCK <= until:
            self._block(_SOUND_BLOCK)

    def finish(self) -> None:
        """Write the rest."""
        if self.done < self.total:
            self._block(self.total - self.done)
        self.container.mux(self.stream.encode(None))

    def _block(self, samples: int) -> None:
        edge = min(1.0, self.done / _SOUND_RATE, (self.total - self.done) / _SOUND_RATE)
        start = self.done % len(self.loop)
        loop = (self.loop[start:] + self.loop[:start])[:samples]
        frame = av.AudioFrame(format="s16", layout="mono", samples=samples)
        frame.sample_rate = _SOUND_RATE
        frame.pts = self.done
        frame.planes[0].update(array.array("h", [int(value * edge) for value in loop]).tobytes())
        self.container.mux(self.stream.encode(frame))
        self.done += samples


def _loop(chord: Sequence[int]) -> "array.array[int]":
    """Two seconds that join seamlessly, because every pitch and the swell fit a whole number of times."""
    count = 2 * _SOUND_RATE
    waves = [math.tau * pitch / _SOUND_RATE for pitch in chord]
    swell = math.tau / count
    return array.array(
        "h",
        [
            int(_LOUDNESS * (0.75 - 0.25 * math.cos(swell * at)) * sum(math.sin(wave * at) for wave in waves) / 2)
            for at in range(count)
        ],
    )
