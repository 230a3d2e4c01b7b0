"""Clips are real: read back with a decoder."""

from dataclasses import replace
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageStat

from generations.sandbox.captions import balanced, font, wrap
from generations.sandbox.clips import FPS, Interrupted, Order, frame_size, make_clip

ORDER = Order(
    prompt="A paper boat crosses a puddle",
    mode="text2video",
    model="viduq3-turbo",
    ratio="16:9",
    resolution="720p",
    size=(256, 144),
    seconds=2,
    seed=7,
)


def frames(path: Path) -> list[Image.Image]:
    with av.open(str(path)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def made(order: Order, folder: Path, name: str = "clip") -> Path:
    make_clip(order, folder / f"{name}.mp4", folder / f"{name}.jpg")
    return folder / f"{name}.mp4"


def difference(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def test_what_the_file_says_about_itself(tmp_path: Path) -> None:
    path = made(ORDER, tmp_path)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert (video.codec_context.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height, video.average_rate) == (256, 144, FPS)
        assert container.duration == 2_000_000
        assert not container.streams.audio
    data = path.read_bytes()
    assert 0 < data.find(b"moov") < data.find(b"mdat")
    with Image.open(tmp_path / "clip.jpg") as cover:
        assert (cover.format, cover.size) == ("JPEG", (256, 144))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["clip.jpg", "clip.mp4"]


def test_it_moves_and_belongs_to_its_prompt(tmp_path: Path) -> None:
    pictures = frames(made(ORDER, tmp_path))
    assert len(pictures) == 2 * FPS
    assert difference(pictures[0], pictures[-1]) > 0.3
    same = frames(made(ORDER, tmp_path, "same"))
    other = frames(made(replace(ORDER, prompt="Frost on a copper leaf"), tmp_path, "other"))
    assert difference(pictures[10], same[10]) == 0
    assert difference(pictures[10], other[10]) > 5


def test_the_prompt_is_on_it(tmp_path: Path) -> None:
    blank = frames(made(replace(ORDER, prompt="", pictures=[_picture(tmp_path, "navy")]), tmp_path, "blank"))[0]
    written = frames(made(replace(ORDER, prompt="纸船漂过水洼", pictures=[_picture(tmp_path, "navy")]), tmp_path))[0]
    lower, upper = (0, 90, 256, 144), (0, 0, 256, 80)
    assert difference(blank.crop(lower), written.crop(lower)) > 2
    assert difference(blank.crop(upper), written.crop(upper)) < 2


def _picture(folder: Path, colour: str) -> Path:
    path = folder / f"{colour}.jpg"
    Image.new("RGB", (320, 180), colour).save(path)
    return path


def test_two_frames_dissolve(tmp_path: Path) -> None:
    order = replace(ORDER, mode="start-end2video", pictures=[_picture(tmp_path, "red"), _picture(tmp_path, "blue")])
    spots = [picture.getpixel((128, 40)) for picture in frames(made(order, tmp_path))]
    first, middle, last = (spots[place] for place in (0, 24, -1))
    assert isinstance(first, tuple)
    assert isinstance(middle, tuple)
    assert isinstance(last, tuple)
    assert (first[0] > 200, first[2] < 60) == (True, True)
    assert (60 < middle[0] < 200, 60 < middle[2] < 200) == (True, True)
    assert (last[0] < 60, last[2] > 200) == (True, True)


@pytest.mark.parametrize("seconds", [1, 3])
def test_sound_is_as_long_as_the_picture(tmp_path: Path, seconds: int) -> None:
    path = made(replace(ORDER, seconds=seconds, audio=True), tmp_path)
    with av.open(str(path)) as container:
        sound = container.streams.audio[0]
        assert sound.codec_context.name == "aac"
        samples = sum(frame.samples for frame in container.decode(sound))
        assert samples / sound.codec_context.sample_rate == pytest.approx(seconds, abs=0.15)


@pytest.mark.parametrize("size", [(16, 16), (144, 256), (256, 64), (64, 256), (98, 56)])
@pytest.mark.parametrize("seed", range(4))
def test_every_shape_renders(tmp_path: Path, size: tuple[int, int], seed: int) -> None:
    order = replace(ORDER, size=size, seconds=1, seed=seed, watermark=seed, prompt="Word " * 300 + "字" * 200)
    with av.open(str(made(order, tmp_path))) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == size


def test_an_interrupted_clip_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        make_clip(ORDER, tmp_path / "a.mp4", tmp_path / "a.jpg", lambda: True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("resolution", "ratio", "short", "size"),
    [
        ("720p", 16 / 9, None, (1280, 720)),
        ("720p", 9 / 16, None, (720, 1280)),
        ("720p", 1, None, (720, 720)),
        ("720p", 4 / 3, None, (960, 720)),
        ("720p", 3 / 4, None, (720, 960)),
        ("1080p", 16 / 9, None, (1920, 1080)),
        ("540p", 16 / 9, None, (960, 540)),
        ("360p", 16 / 9, None, (640, 360)),
        ("1080p", 16 / 9, 144, (256, 144)),
        ("720p", 3.9, None, (1896, 486)),
    ],
)
def test_frame_size(resolution: str, ratio: float, short: int | None, size: tuple[int, int]) -> None:
    assert frame_size(resolution, ratio, short) == size


def test_wrapping() -> None:
    face = font(20)
    lines = wrap("one two three four five six seven eight nine ten", face, 120)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(face.getlength(line) <= 120 for line in lines)
    assert wrap("", face, 120) == []
    assert wrap("short", face, 120) == ["short"]
    assert "".join(wrap("纸船漂过雨后的水洼镜头缓缓推进", face, 170)) == "纸船漂过雨后的水洼镜头缓缓推进"
    assert all(face.getlength(line) <= 120 for line in wrap("x" * 500, face, 120))


def test_no_word_stands_alone() -> None:
    face = font(20)
    text = "A paper boat crosses a puddle now"
    width = face.getlength(text) - 1
    assert wrap(text, face, width) == ["A paper boat crosses a puddle", "now"]
    first, second = balanced(text, face, width)
    assert f"{first} {second}" == text
    assert face.getlength(second) > 0.6 * face.getlength(first)
