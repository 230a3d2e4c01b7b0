"""Copying over real HTTP: only a whole, real MP4 ever gets a name in storage."""

import hashlib
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from django.core.files.storage import FileSystemStorage

from generations import archive
from tests.clips import make_clip
from tests.factories import picture_bytes
from tests.servers import says, serving


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "c.mp4", seconds=2)


def test_a_copy_has_the_length_and_hash_of_what_was_served(tmp_path: Path, clip: bytes) -> None:
    beats: list[None] = []
    with serving(says(200, clip, content_type="video/mp4")) as url:
        copied = archive.download(f"{url}/v.mp4", tmp_path / "a.part", alive=lambda: beats.append(None))
    assert (copied.sha256, copied.size) == (hashlib.sha256(clip).hexdigest(), len(clip))
    assert (tmp_path / "a.part").read_bytes() == clip
    assert beats


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_dead_link_is_told_apart(tmp_path: Path, status: int) -> None:
    with serving(says(status, b"<Error/>")) as url, pytest.raises(archive.LinkDead):
        archive.download(url, tmp_path / "a.part")


@pytest.mark.parametrize("status", [429, 500, 503, 302, 206])
def test_other_answers_may_pass(tmp_path: Path, status: int) -> None:
    with serving(says(status, b"busy")) as url, pytest.raises(archive.CopyFailed):
        archive.download(url, tmp_path / "a.part")


def test_a_copy_that_breaks_off_is_no_copy(tmp_path: Path, clip: bytes) -> None:
    with serving(says(200, clip[:500], length=str(len(clip)))) as url, pytest.raises(archive.CopyFailed):
        archive.download(url, tmp_path / "a.part")


def test_a_full_disk_is_said_before_it_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "KEEP_FREE_BYTES", 2**60)
    with serving(says(200, b"x" * 10)) as url, pytest.raises(archive.CopyFailed, match="disk is full"):
        archive.download(url, tmp_path / "a.part")
    assert not (tmp_path / "a.part").exists()


def test_a_file_that_never_ends_is_cut(tmp_path: Path) -> None:
    with serving(says(200, b"x" * 5000)) as url, pytest.raises(archive.NotAClip):
        archive.download(url, tmp_path / "a.part", most=1000)


@pytest.mark.parametrize("address", ["", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://"])
def test_an_address_that_is_none_is_a_dead_link(tmp_path: Path, address: str) -> None:
    with pytest.raises(archive.CopyError):
        archive.download(address, tmp_path / "a.part")


def test_a_clip_is_probed_from_its_own_bytes(tmp_path: Path) -> None:
    path = tmp_path / "c.mp4"
    make_clip(path, seconds=2, width=90, height=160, fps=12)
    facts = archive.probe(path)
    assert (facts.width, facts.height, facts.has_audio) == (90, 160, False)
    assert facts.seconds == pytest.approx(2, abs=0.1)
    assert facts.fps == pytest.approx(12)


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>Sign in</html>", b"\0" * 4000, picture_bytes(), b"ftypmp42" * 20],
    ids=["empty", "html", "zeros", "jpeg", "almost"],
)
def test_what_is_no_clip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(archive.NotAClip):
        archive.probe(path)


def test_a_clip_without_its_frames_is_refused(tmp_path: Path, clip: bytes) -> None:
    path = tmp_path / "head.mp4"
    path.write_bytes(clip[: clip.index(b"mdat") + 4])
    with pytest.raises(archive.NotAClip):
        archive.probe(path)


def test_a_poster_comes_from_our_own_copy(tmp_path: Path) -> None:
    path = tmp_path / "c.mp4"
    make_clip(path, seconds=0.5)
    assert archive.still(path).startswith(b"\xff\xd8"), "a clip shorter than a second has a poster too"


def test_a_cover_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cover"
    path.write_bytes(b"<html>")
    with pytest.raises(archive.NotAClip):
        archive.picture(path)
    path.write_bytes(picture_bytes(2000, 1000))
    assert archive.picture(path).startswith(b"\xff\xd8")


def test_placing_is_a_rename_into_storage(tmp_path: Path) -> None:
    storage = FileSystemStorage(location=tmp_path / "media")
    part = tmp_path / "a.part"
    part.write_bytes(b"clip")
    assert archive.place(part, storage, "clips/2026/a.mp4") == "clips/2026/a.mp4"
    assert not part.exists()
    assert archive.sha256_of(storage, "clips/2026/a.mp4") == hashlib.sha256(b"clip").hexdigest()


def test_packed_bytes_are_never_asked_for(tmp_path: Path, clip: bytes) -> None:
    asked: list[str | None] = []

    def note(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.headers["Accept-Encoding"])
        says(200, clip)(request)

    with serving(note) as url:
        archive.download(url, tmp_path / "a.part")
    assert asked == ["identity"]
