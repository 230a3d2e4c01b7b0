"""Real MP4 files for tests, a few kilobytes each."""

from fractions import Fraction
from pathlib import Path

import av
from PIL import Image


def make_clip(path: Path, *, seconds: float = 1.0, width: int = 160, height: int = 90, fps: int = 12) -> bytes:
    """Write an H.264 MP4 whose colour changes with time; returns its bytes."""
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "ultrafast"}
        total = round(seconds * fps)
        for number in range(total):
            image = Image.new("RGB", (width, height), (number * 255 // max(total, 1), 90, 160))
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()
