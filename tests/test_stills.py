"""Stills out of our own clips: the right frame, in full size and true colours, kept once."""

import io
from pathlib import Path

import av
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from generations import archive, stills
from generations.archive import clips
from generations.assets import BadImage
from generations.models import Asset, AssetKind, Creation, ProviderKey, User
from tests.clips import make_clip
from tests.factories import make_asset, make_creation, make_task, picture_bytes

pytestmark = pytest.mark.django_db
LAST, POSTER = AssetKind.LAST_FRAME, AssetKind.POSTER


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return make_clip(tmp_path / "clip.mp4", seconds=4, width=640, height=360)


@pytest.fixture
def clip(alice: User, key: ProviderKey, content: bytes) -> Creation:
    return make_creation(make_task(alice, state="succeeded"), content=content, width=640, height=360)


def frames(content: bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(content)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def red(image: Image.Image) -> int:
    """The test clips grow redder with time."""
    return int(image.convert("RGB").getpixel((100, 100))[0])


def shown(asset: Asset) -> Image.Image:
    with asset.file.open("rb") as file:
        return Image.open(io.BytesIO(file.read()))


def set_poster(clip: Creation, image: Image.Image) -> None:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    clip.poster.save("posters/other.jpg", ContentFile(buffer.getvalue()))


# --- Frames out of files -------------------------------------------------------------------------------------


def test_the_last_frame_is_the_very_last(content: bytes) -> None:
    every = frames(content)
    assert abs(red(archive.last_frame(io.BytesIO(content))) - red(every[-1])) <= 1
    assert red(every[-1]) > red(every[-2])


def test_a_clip_of_one_frame_has_a_last_one(tmp_path: Path) -> None:
    content = make_clip(tmp_path / "short.mp4", seconds=1 / 12, width=640, height=360)
    assert archive.last_frame(io.BytesIO(content)).size == (640, 360)


@pytest.mark.parametrize("part", [0.9, 0.6])
def test_of_a_cut_file_the_last_frame_that_is_there_counts(content: bytes, part: float) -> None:
    got = archive.last_frame(io.BytesIO(content[: int(len(content) * part)]))
    assert got.size == (640, 360)


def test_a_file_that_cannot_be_searched_is_read_from_its_start(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    frames_from = clips._frames
    asked: list[float] = []

    def nothing_near_the_end(container: object, start: float = 0.0) -> object:
        asked.append(start)
        return iter(()) if start else frames_from(container)

    monkeypatch.setattr(clips, "_frames", nothing_near_the_end)
    assert archive.last_frame(io.BytesIO(content)).size == (640, 360)
    assert asked == [2.0, 0.0]


@pytest.mark.parametrize("content", [b"", b"<html>gone</html>", b"\x00\x00\x00\x20ftypisom", picture_bytes()[:60]])
def test_what_is_no_clip_is_told_apart(content: bytes) -> None:
    with pytest.raises(archive.NotAClip):
        archive.last_frame(io.BytesIO(content))


def test_unmarked_colours_of_hd_are_read_as_players_do(tmp_path: Path) -> None:
    """From 720 lines on BT.709 is meant; with the older table reds and greens would shift."""
    content = make_clip(tmp_path / "hd.mp4", seconds=0.5, width=1280, height=720)
    with av.open(io.BytesIO(content)) as container:
        [*_, last] = container.decode(video=0)
        wanted = last.to_image(src_colorspace="ITU709").getpixel((100, 100))
        older = last.to_image(src_colorspace="ITU601").getpixel((100, 100))
    assert archive.last_frame(io.BytesIO(content)).getpixel((100, 100)) == wanted != older


def test_the_frame_a_small_cover_shows_is_found(content: bytes) -> None:
    every = frames(content)
    cover = every[7].resize((320, 180))
    found = archive.frame_like(io.BytesIO(content), cover)
    assert found is not None
    assert found.size == (640, 360)
    assert abs(red(found) - red(every[7])) <= 2
    assert archive.frame_like(io.BytesIO(content), Image.new("RGB", (320, 180), "white")) is None
    assert archive.frame_like(io.BytesIO(content), cover.resize((180, 320))) is None, "another shape"


# --- Stills as input pictures --------------------------------------------------------------------------------


def test_the_last_frame_becomes_a_picture_of_that_person(bob: User, clip: Creation, content: bytes) -> None:
    asset = stills.take(bob, clip, LAST)
    assert (asset.owner, asset.kind, asset.source) == (bob, LAST, clip)
    assert (asset.width, asset.height, asset.content_type) == (640, 360, "image/jpeg")
    assert asset.name == "A paper boat crosses a puddle"
    assert abs(red(shown(asset)) - red(frames(content)[-1])) <= 3


def test_it_is_kept_once_per_person_and_content(
    alice: User, bob: User, clip: Creation, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stills.take(alice, clip, LAST)
    assert stills.take(bob, clip, LAST) != first
    Asset.objects.filter(pk=first.pk).update(source=None)
    assert stills.take(alice, clip, LAST) == first, "the same bytes"
    Asset.objects.filter(pk=first.pk).update(source=clip)
    monkeypatch.setattr(archive, "last_frame", lambda file: pytest.fail("was decoded again"))
    assert stills.take(alice, clip, LAST) == first
    assert Asset.objects.count() == 2


def test_a_poster_is_taken_in_the_size_of_the_clip(alice: User, clip: Creation, content: bytes) -> None:
    set_poster(clip, frames(content)[0].resize((320, 180)))
    asset = stills.take(alice, clip, POSTER)
    assert (asset.kind, asset.width, asset.height) == (POSTER, 640, 360)


def test_a_poster_that_the_clip_does_not_show_is_taken_itself(alice: User, clip: Creation) -> None:
    assert (stills.take(alice, clip, POSTER).width, clip.width) == (320, 640)


def test_a_poster_can_be_had_without_its_clip(alice: User, clip: Creation) -> None:
    default_storage.delete(clip.file.name)
    assert stills.take(alice, clip, POSTER).width == 320


@pytest.mark.parametrize("kind", [LAST, POSTER])
def test_a_missing_file_is_a_sentence_and_an_error_in_the_log(
    alice: User, clip: Creation, kind: AssetKind, caplog: pytest.LogCaptureFixture
) -> None:
    default_storage.delete(clip.file.name)
    default_storage.delete(clip.poster.name)
    with pytest.raises(BadImage, match="cannot be read"):
        stills.take(alice, clip, kind)
    assert str(clip.pk) in caplog.text
    assert not Asset.objects.exists()


def test_broken_files_and_clips_that_are_not_there_yet_are_sentences(alice: User, key: ProviderKey) -> None:
    broken = make_creation(make_task(alice, state="succeeded"), content=b"not a clip")
    with pytest.raises(BadImage, match="No picture can be read"):
        stills.take(alice, broken, LAST)
    pending = make_creation(make_task(alice, state="archiving"), state="pending")
    with pytest.raises(BadImage, match="not saved yet"):
        stills.take(alice, pending, LAST)
    broken.poster = ""
    with pytest.raises(BadImage, match="no poster"):
        stills.take(alice, broken, POSTER)


def test_a_still_is_checked_like_an_upload(alice: User, key: ProviderKey, tmp_path: Path) -> None:
    tiny = make_clip(tmp_path / "tiny.mp4", width=160, height=90)
    clip = make_creation(make_task(alice, state="succeeded"), content=tiny)
    with pytest.raises(BadImage, match="160 × 90 pixels; each side needs at least 128"):
        stills.take(alice, clip, LAST)


def test_the_same_picture_uploaded_before_stays_an_upload(alice: User, clip: Creation) -> None:
    still = stills.take(alice, clip, LAST)
    digest = still.sha256
    still.delete()
    known = make_asset(alice, sha256=digest)
    assert stills.take(alice, clip, LAST) == known
    known.refresh_from_db()
    assert known.kind == AssetKind.UPLOAD
