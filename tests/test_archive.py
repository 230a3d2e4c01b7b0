"""Copying over real HTTP: only a whole, real MP4 ever gets a name in storage."""

import contextlib
import errno
import gzip
import hashlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import namedtuple
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import FileSystemStorage

from generations import archive
from generations.archive import fetching, parts, storing
from generations.guard import Guard
from tests.clips import make_clip
from tests.factories import picture_bytes
from tests.house import ROOT, wait_for
from tests.servers import Shelf, says, serving

HERE = Guard({"127.0.0.1"})
FILE = os.urandom(3_000_000)
SHA256 = hashlib.sha256(FILE).hexdigest()
download = partial(archive.download, guard=HERE)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_clip(tmp_path_factory.mktemp("clip") / "c.mp4", seconds=2)


def test_a_copy_has_the_length_and_hash_of_what_was_served(tmp_path: Path, clip: bytes) -> None:
    beats: list[None] = []
    with serving(says(200, clip, content_type="video/mp4")) as url:
        copied = download(f"{url}/v.mp4", tmp_path / "a.part", alive=lambda: beats.append(None))
    assert (copied.sha256, copied.size) == (hashlib.sha256(clip).hexdigest(), len(clip))
    assert (tmp_path / "a.part").read_bytes() == clip
    assert beats


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_dead_link_is_told_apart(tmp_path: Path, status: int) -> None:
    with serving(says(status, b"<Error/>")) as url, pytest.raises(archive.LinkDead):
        download(url, tmp_path / "a.part")


@pytest.mark.parametrize("status", [429, 500, 503, 302, 206])
def test_other_answers_may_pass(tmp_path: Path, status: int) -> None:
    with serving(says(status, b"busy")) as url, pytest.raises(archive.CopyFailed):
        download(url, tmp_path / "a.part")


def test_a_copy_that_breaks_off_is_no_copy(tmp_path: Path, clip: bytes) -> None:
    with serving(says(200, clip[:500], length=str(len(clip)))) as url, pytest.raises(archive.CopyFailed):
        download(url, tmp_path / "a.part")


def test_a_full_disk_is_said_before_it_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "KEEP_FREE_BYTES", 2**60)
    with serving(says(200, b"x" * 10)) as url, pytest.raises(archive.NotWritten, match="disk is full"):
        download(url, tmp_path / "a.part")
    assert not (tmp_path / "a.part").exists()


def test_a_file_that_never_ends_is_cut(tmp_path: Path) -> None:
    with serving(says(200, b"x" * 5000)) as url, pytest.raises(archive.NotAClip):
        download(url, tmp_path / "a.part", most=1000)


@pytest.mark.parametrize("address", ["", "ftp://127.0.0.1/x", "file:///etc/passwd", "http://"])
def test_an_address_that_is_none_is_a_dead_link(tmp_path: Path, address: str) -> None:
    with pytest.raises(archive.CopyError):
        download(address, tmp_path / "a.part")


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
        download(url, tmp_path / "a.part")
    assert asked == ["identity"]


# --- Going on where it broke off ----------------------------------------------------------------------------


def broken_off(shelf: Shelf, part: Path, after: int = 1_000_000) -> None:
    """Leave a part of ``after`` bytes that the shelf served."""
    shelf.cuts = [after]
    with serving(shelf) as url, pytest.raises(archive.CopyFailed, match="broke off"):
        download(f"{url}/v.mp4", part)
    assert part.read_bytes() == FILE[:after]
    shelf.asked.clear()
    shelf.statuses.clear()


def copy_again(shelf: Shelf, part: Path) -> archive.Copied:
    with serving(shelf) as url:
        copied = download(f"{url}/another-address.mp4", part)
    assert part.read_bytes() == FILE
    assert (copied.sha256, copied.size) == (SHA256, len(FILE))
    return copied


def test_a_copy_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    shelf, part = Shelf(FILE), tmp_path / "a.part"
    broken_off(shelf, part)
    copied = copy_again(shelf, part)
    assert shelf.asked == [{"Range": "bytes=1000000-", "If-Range": '"v1"'}]
    assert (copied.status, copied.resumed_from) == (206, 1_000_000)


def test_a_copy_that_breaks_off_again_and_again_comes_to_its_end(tmp_path: Path) -> None:
    shelf, part = Shelf(FILE, cuts=[700_000] * 4), tmp_path / "a.part"
    with serving(shelf) as url:
        for _ in range(4):
            with pytest.raises(archive.CopyFailed):
                download(url, part)
        assert download(url, part).sha256 == SHA256
    assert shelf.statuses == [200, 206, 206, 206, 206]


def test_a_date_long_past_is_as_good_as_a_tag_and_a_fresh_one_is_not(tmp_path: Path) -> None:
    for age, resumes in ((60, True), (0, False)):
        part = tmp_path / str(age)
        shelf = Shelf(FILE, {"Last-Modified": formatdate(time.time() - age, usegmt=True)})
        broken_off(shelf, part)
        assert bool(copy_again(shelf, part).resumed_from) is resumes


@pytest.mark.parametrize(
    "headers", [{}, {"ETag": 'W/"weak"'}, {"ETag": "unquoted"}, {"Last-Modified": "yesterday"}], ids=str
)
def test_without_a_strong_validator_it_starts_from_zero(tmp_path: Path, headers: dict[str, str]) -> None:
    shelf, part = Shelf(FILE, headers), tmp_path / "a.part"
    broken_off(shelf, part)
    assert copy_again(shelf, part).resumed_from == 0
    assert shelf.asked == [{}]


def test_another_file_behind_the_link_is_copied_from_its_start(tmp_path: Path) -> None:
    old, part = Shelf(os.urandom(len(FILE)), {"ETag": '"old"'}, cuts=[1_000_000]), tmp_path / "a.part"
    with serving(old) as url, pytest.raises(archive.CopyFailed):
        download(url, part)
    new = Shelf(FILE, {"ETag": '"new"'})
    assert copy_again(new, part).resumed_from == 0
    assert (new.asked, new.statuses) == ([{"Range": "bytes=1000000-", "If-Range": '"old"'}], [200])


def answers_ranges(status: int, content_range: str, body: bytes, etag: str = '"v1"') -> Shelf:
    """The whole file when it is asked for, and something odd for every range."""

    class Odd(Shelf):
        def __call__(self, request: BaseHTTPRequestHandler) -> None:
            if not request.headers["Range"]:
                return super().__call__(request)
            self.statuses.append(status)
            says(status, body, ETag=etag, **{"Content-Range": content_range})(request)

    return Odd(FILE)


@pytest.mark.parametrize(
    ("status", "content_range", "etag"),
    [
        (206, f"bytes 0-{len(FILE) - 1}/{len(FILE)}", '"v1"'),
        (206, f"bytes 999999-{len(FILE) - 1}/{len(FILE)}", '"v1"'),
        (206, f"bytes 1000000-{len(FILE)}/{len(FILE) + 1}", '"v1"'),
        (206, f"bytes 1000000-{len(FILE) - 1}/{len(FILE) + 1}", '"v1"'),
        (206, f"bytes 1000000-{len(FILE) - 1}/*", '"v1"'),
        (206, "", '"v1"'),
        (206, f"bytes 1000000-{len(FILE) - 1}/{len(FILE)}", '"v2"'),
        (416, f"bytes */{len(FILE)}", '"v1"'),
        (400, "", '"v1"'),
    ],
    ids=["whole", "before", "longer", "other total", "no total", "no range", "other version", "416", "400"],
)
def test_an_answer_that_does_not_fit_starts_from_zero(
    tmp_path: Path, status: int, content_range: str, etag: str
) -> None:
    shelf, part = answers_ranges(status, content_range, os.urandom(2_000_000), etag), tmp_path / "a.part"
    broken_off(shelf, part)
    assert copy_again(shelf, part).resumed_from == 0
    assert shelf.statuses == [status, 200]


def test_a_server_that_knows_no_ranges_sends_all_of_it_again(tmp_path: Path) -> None:
    shelf, part = Shelf(FILE), tmp_path / "a.part"
    broken_off(shelf, part)
    shelf.start = lambda asked: 0  # type: ignore[method-assign]
    assert copy_again(shelf, part).resumed_from == 0
    assert shelf.statuses == [200]


def test_a_whole_part_is_not_asked_for_again(tmp_path: Path) -> None:
    shelf, part = Shelf(FILE), tmp_path / "a.part"
    with serving(shelf) as url:
        download(url, part)
    copied = download("http://127.0.0.1:9/nobody-is-here", part)
    assert (copied.sha256, copied.status) == (SHA256, None)


@pytest.mark.parametrize("status", [403, 500])
def test_a_link_that_dies_leaves_what_was_copied(tmp_path: Path, status: int) -> None:
    shelf, part = Shelf(FILE), tmp_path / "a.part"
    broken_off(shelf, part)
    with serving(says(status, b"<Error/>")) as url, pytest.raises(archive.CopyError):
        download(url, part)
    assert copy_again(shelf, part).resumed_from == 1_000_000


@pytest.mark.parametrize("note", ["", "[]", "{", '{"validator": "x"}', '{"validator": 1, "total": "2", "boot": 3}'])
def test_a_note_that_says_nothing_starts_from_zero(tmp_path: Path, note: str) -> None:
    shelf, part = Shelf(FILE), tmp_path / "a.part"
    broken_off(shelf, part)
    (tmp_path / "a.part.json").write_text(note)
    assert copy_again(shelf, part).resumed_from == 0


def test_a_part_counts_within_one_run_of_the_machine(tmp_path: Path) -> None:
    """It is synced at its end only: after a power cut its bytes may be anything."""
    shelf, part = Shelf(FILE), tmp_path / "a.part"
    broken_off(shelf, part)
    note = tmp_path / "a.part.json"
    note.write_text(json.dumps({**json.loads(note.read_text()), "boot": "another"}))
    assert copy_again(shelf, part).resumed_from == 0


def test_redirects_are_followed_with_the_range_and_to_http_only(tmp_path: Path) -> None:
    shelf, part = Shelf(FILE), tmp_path / "a.part"
    broken_off(shelf, part)
    with serving(shelf) as real, serving(says(302, b"", Location=f"{real}/there.mp4")) as url:
        assert download(f"{url}/here.mp4", part).resumed_from == 1_000_000
    with socket.create_server(("127.0.0.1", 0)) as ftp:
        address = f"ftp://127.0.0.1:{ftp.getsockname()[1]}/x"
        for elsewhere in (address, "file:///etc/hostname", "data:,x"):
            with serving(says(302, b"", Location=elsewhere)) as url, pytest.raises(archive.CopyFailed):
                download(url, tmp_path / "b.part")
        ftp.setblocking(False)
        with pytest.raises(BlockingIOError):
            ftp.accept()
    with serving(lambda request: says(302, b"", Location=request.path)(request)) as url:  # noqa: SIM117
        with pytest.raises(archive.CopyFailed):
            download(f"{url}/round", tmp_path / "b.part")


def test_packed_bytes_are_refused(tmp_path: Path) -> None:
    with serving(says(200, gzip.compress(FILE[:1000]), **{"Content-Encoding": "gzip"})) as url:  # noqa: SIM117
        with pytest.raises(archive.CopyFailed, match="packed"):
            download(url, tmp_path / "a.part")


def test_a_length_that_is_too_large_is_refused_before_a_byte_is_written(tmp_path: Path) -> None:
    with serving(says(200, b"x" * 100, length=str(archive.MAX_CLIP_BYTES + 1))) as url:  # noqa: SIM117
        with pytest.raises(archive.NotAClip):
            download(url, tmp_path / "a.part")
    assert not list(tmp_path.iterdir())


def test_pieces_without_a_length_are_copied_whole_or_not_at_all(tmp_path: Path) -> None:
    def pieces(request: BaseHTTPRequestHandler, end: bytes) -> None:
        request.protocol_version = "HTTP/1.1"
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for start in range(0, len(FILE), 500_000):
            piece = FILE[start : start + 500_000]
            request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        request.wfile.write(end)
        request.close_connection = True

    with serving(lambda request: pieces(request, b"0\r\n\r\n")) as url:
        assert download(url, tmp_path / "a.part").sha256 == SHA256
    with serving(lambda request: pieces(request, b"")) as url, pytest.raises(archive.CopyFailed):
        download(url, tmp_path / "b.part")


def test_an_address_arrives_as_it_was_given(tmp_path: Path) -> None:
    paths: list[str] = []

    def note(request: BaseHTTPRequestHandler) -> None:
        paths.append(request.path)
        says(200, b"x")(request)

    with serving(note) as url:
        download(f"{url}/a%2Fb c/视.mp4?X-Sig=a+b/c==&d=%20~", tmp_path / "a.part")
    assert paths == ["/a%2Fb%20c/%E8%A7%86.mp4?X-Sig=a+b/c==&d=%20~"]


def test_a_source_that_says_nothing_any_more_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generations.archive.connections.READ_SECONDS", 0.3)
    go_on = threading.Event()

    def stall(request: BaseHTTPRequestHandler) -> None:
        says(200, FILE[:1000], length=str(len(FILE)))(request)
        request.wfile.flush()
        go_on.wait(10)

    with serving(stall) as url, pytest.raises(archive.CopyFailed, match="TimeoutError") as caught:
        download(url, tmp_path / "a.part")
    go_on.set()
    assert (caught.value.word, caught.value.status) == ("timeout", 200)


def threads_left() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "archive-opening"]


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n"], ids=["status line", "headers"])
def test_a_head_that_trickles_is_given_up_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    """Each drop comes well within the time that one look at the socket may take."""
    monkeypatch.setattr("generations.archive.connections.ANSWER_SECONDS", 0.5)
    hung_up = threading.Event()

    def trickle(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        with contextlib.suppress(OSError):
            request.wfile.write(head)
            for _ in range(400):
                request.wfile.write(b"X")
                time.sleep(0.05)
            return
        hung_up.set()

    started = time.monotonic()
    with serving(trickle) as url, pytest.raises(archive.CopyFailed, match="TimeoutError") as caught:
        download(f"{url}/v.mp4", tmp_path / "a.part")
    assert time.monotonic() - started < 5
    assert (caught.value.word, caught.value.status) == ("timeout", None)
    assert hung_up.wait(5)
    wait_for(lambda: not threads_left(), 5)


def test_a_redirect_gets_no_time_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generations.archive.connections.ANSWER_SECONDS", 0.5)
    asked: list[str] = []

    def onward(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            says(302, b"", Location=f"{request.path}x")(request)

    with serving(onward) as url, pytest.raises(archive.CopyFailed, match="TimeoutError"):
        download(f"{url}/", tmp_path / "a.part")
    wait_for(lambda: not threads_left(), 5)
    assert len(asked) <= 4


def test_a_name_server_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generations.archive.connections.ANSWER_SECONDS", 0.3)
    answers, really = threading.Event(), socket.getaddrinfo

    def hangs(*asked: Any, **more: Any) -> Any:
        answers.wait(20)
        return really(*asked, **more)

    monkeypatch.setattr(socket, "getaddrinfo", hangs)
    shelf = Shelf(FILE)
    with serving(shelf) as url:
        with pytest.raises(archive.CopyFailed, match="TimeoutError"):
            download(url, tmp_path / "a.part")
        answers.set()
        wait_for(lambda: not threads_left(), 5)
    assert not shelf.asked, "nobody waits for the answer any more"
    assert not (tmp_path / "a.part").exists()


def test_who_keeps_the_copy_alive_is_called_before_each_request(tmp_path: Path) -> None:
    """So much time may pass until its answer begins that a claim would run out meanwhile."""
    shelf, part = answers_ranges(416, "", b""), tmp_path / "a.part"
    broken_off(shelf, part)
    beats: list[int] = []
    with serving(shelf) as url:
        download(url, part, alive=lambda: beats.append(len(shelf.statuses)))
    assert beats[:2] == [0, 1]


def test_a_trickle_says_each_drop(tmp_path: Path) -> None:
    """Somebody who waits for whole blocks would not notice for hours that his turn is over."""
    beats = threading.Semaphore(0)

    def drops(request: BaseHTTPRequestHandler) -> None:
        says(200, b"", length="5")(request)
        for _ in range(5):
            request.wfile.write(b"x")
            request.wfile.flush()
            assert beats.acquire(timeout=10), "each drop is told before the next one comes"

    with serving(drops) as url:
        assert download(url, tmp_path / "a.part", alive=beats.release).size == 5


# --- One writer ---------------------------------------------------------------------------------------------


def test_two_never_write_the_same_part(tmp_path: Path) -> None:
    shelf, part = Shelf(FILE), tmp_path / "a.part"
    with serving(shelf) as url, archive.hold(part) as held:
        with pytest.raises(archive.Busy):
            download(url, part)
        assert not shelf.asked
        assert download(url, held).sha256 == SHA256


def test_of_many_at_once_one_writes(tmp_path: Path) -> None:
    shelf, part = Shelf(FILE), tmp_path / "a.part"
    start, said = threading.Barrier(8), []

    def copy(url: str) -> None:
        start.wait()
        try:
            said.append(download(url, part).sha256)
        except archive.Busy:
            said.append("busy")

    with serving(shelf) as url:
        threads = [threading.Thread(target=copy, args=[url]) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(said) <= {SHA256, "busy"}
    assert SHA256 in said
    assert part.read_bytes() == FILE


def test_who_waited_at_the_door_does_not_write_into_the_finished_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened before, locked after the rename: the file behind the descriptor is the clip itself by then."""
    part, final = tmp_path / "a.part", tmp_path / "clip.mp4"
    part.write_bytes(FILE)
    really = parts.fcntl.flock

    def renamed_meanwhile(descriptor: int, how: int) -> None:
        monkeypatch.setattr(parts.fcntl, "flock", really)
        os.replace(part, final)
        really(descriptor, how)

    monkeypatch.setattr(parts.fcntl, "flock", renamed_meanwhile)
    with archive.hold(part) as held:
        held.begin(None)
        held.write(b"other")
    assert (final.read_bytes(), part.read_bytes()) == (FILE, b"other")


COPYING = """
import sys
from pathlib import Path
from generations import archive
from generations.guard import Guard
archive.download(sys.argv[1], Path(sys.argv[2]), guard=Guard({"127.0.0.1"}))
"""


def test_what_a_killed_process_copied_is_gone_on_with(tmp_path: Path) -> None:
    part, more = tmp_path / "a.part", threading.Event()

    class Slow(Shelf):
        def __call__(self, request: BaseHTTPRequestHandler) -> None:
            if request.headers["Range"]:
                return super().__call__(request)
            says(200, FILE[:1_500_000], length=str(len(FILE)), ETag='"v1"')(request)
            request.wfile.flush()
            more.wait(30)

    shelf = Slow(FILE)
    with serving(shelf) as url:
        process = subprocess.Popen([sys.executable, "-c", COPYING, url, str(part)], cwd=ROOT)
        try:
            wait_for(lambda: part.exists() and part.stat().st_size == 1_500_000, 30)
            with pytest.raises(archive.Busy):
                download(url, part)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            more.set()
        copied = download(url, part)
    assert (copied.sha256, copied.resumed_from) == (SHA256, 1_500_000)
    assert part.read_bytes() == FILE


# --- A full disk --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """The kernel refuses to let a file of this process grow further, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_fills_up_meanwhile_keeps_what_was_copied(tmp_path: Path) -> None:
    shelf, part = Shelf(FILE), tmp_path / "a.part"
    with (
        serving(shelf) as url,
        files_at_most(1_200_000),
        pytest.raises(archive.NotWritten, match="disk is full") as caught,
    ):
        download(url, part)
    assert caught.value.word == "disk full"
    assert part.read_bytes() == FILE[: part.stat().st_size]
    assert copy_again(shelf, part).resumed_from == 1_200_000


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_is_really_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        shelf, part = Shelf(FILE), disk / "a.part"
        with serving(shelf) as url, pytest.raises(archive.NotWritten, match="disk is full"):
            download(url, part)
        assert not part.exists(), "64 MB are to stay free"
        monkeypatch.setattr(storing, "check_room", lambda *_: None)
        monkeypatch.setattr(fetching, "check_room", lambda *_: None)
        with serving(shelf) as url, pytest.raises(archive.NotWritten, match="disk is full"):
            download(url, part)
        assert part.read_bytes() == FILE[: part.stat().st_size] != b""
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        assert copy_again(shelf, part).resumed_from > 0
    finally:
        subprocess.run(["umount", disk], check=True)


def test_room_is_looked_for_again_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three copies that each have room for themselves can together have none."""
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(fetching, "LOOK_FOR_ROOM_EVERY", 1_000_000)
    left = iter([10**12, 10**12, 10**12, 10**6])
    monkeypatch.setattr(storing.shutil, "disk_usage", lambda _: usage(next(left)))
    shelf, part = Shelf(FILE), tmp_path / "a.part"
    with serving(shelf) as url, pytest.raises(archive.NotWritten, match="disk is full"):
        download(url, part)
    monkeypatch.undo()
    assert copy_again(shelf, part).resumed_from >= 1_000_000


def test_bytes_that_the_disk_did_not_take_are_not_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    shelf, part = Shelf(FILE), tmp_path / "a.part"
    monkeypatch.setattr(parts.os, "fsync", fails)
    with serving(shelf) as url, pytest.raises(archive.NotWritten, match="could not be written"):
        download(url, part)
    monkeypatch.undo()
    assert copy_again(shelf, part).resumed_from == 0


@pytest.mark.parametrize("cut", [0.5, 0.99])
def test_a_clip_that_was_cut_is_refused_although_it_opens(tmp_path: Path, cut: float) -> None:
    path = tmp_path / "c.mp4"
    content = make_clip(path, seconds=2)
    assert content.index(b"moov") < content.index(b"mdat"), "its beginning can be shown"
    path.write_bytes(content[: int(len(content) * cut)])
    with pytest.raises(archive.NotAClip, match="cut short"):
        archive.probe(path)
    path.write_bytes(content + b"\0\0\0\0junk after the end that players do not mind")
    assert archive.probe(path).seconds == pytest.approx(2, abs=0.1)
