import hashlib
import logging
import os
import uuid
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.http import FileResponse, HttpResponse
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from generations.models import Creation, ProviderKey, Task, TaskInput, TaskState, User, Visibility
from generations.views.media import file_name
from generations.views.ranges import Slice, Span, UnsatisfiableRange, read_range, serve
from tests.factories import make_asset, make_creation, make_task
from tests.views.pages import signed_in

CONTENT = bytes(range(256)) * 4
SIZE = len(CONTENT)


@pytest.fixture
def clip(alice: User, key: ProviderKey) -> Creation:
    return make_creation(make_task(alice, state=TaskState.SUCCEEDED), content=CONTENT)


def video(creation: Creation) -> str:
    return reverse("creation-video", args=[creation.pk])


def body(response: Any) -> bytes:
    return b"".join(response) if response.streaming else response.content


# --- The header, alone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-", 0, 100),
        ("bytes=0-0", 0, 1),
        ("bytes=99-", 99, 100),
        ("bytes=99-99", 99, 100),
        ("bytes=10-19", 10, 20),
        ("bytes=90-5000", 90, 100),
        ("bytes=-1", 99, 100),
        ("bytes=-100", 0, 100),
        ("bytes=-5000", 0, 100),
        ("BYTES=10-19", 10, 20),
        (" bytes=10-19 ", 10, 20),
    ],
)
def test_a_range_is_read(header: str, start: int, stop: int) -> None:
    assert read_range(header, 100) == Span(start, stop)


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_without_a_byte_is_unsatisfiable(header: str) -> None:
    with pytest.raises(UnsatisfiableRange):
        read_range(header, 100)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=9-3",
        "bytes=a-b",
        "bytes=1-2-3",
        "bytes=0-1,5-6",
        "bytes=--5",
        "bytes=+1-2",
        "bytes=1.5-2",
        "bytes=١-٢",
        "items=0-5",
        "bytes 0-5",
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_what_makes_no_sense_means_the_whole_file(header: str) -> None:
    assert read_range(header, 100) is None


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 200))
def test_a_range_is_never_more_than_was_asked_for(first: int, last: int, size: int) -> None:
    content = bytes(number % 251 for number in range(size))
    try:
        span = read_range(f"bytes={first}-{last}", size)
    except UnsatisfiableRange:
        assert first >= size
        return
    if last < first:
        assert span is None
        return
    assert span is not None
    assert content[span.start : span.stop] == content[first : last + 1] != b""


@given(st.integers(0, 300), st.integers(0, 200))
def test_a_suffix_is_the_end_of_the_file(length: int, size: int) -> None:
    try:
        span = read_range(f"bytes=-{length}", size)
    except UnsatisfiableRange:
        assert 0 in (length, size)
        return
    assert span == Span(max(size - length, 0), size)


@given(st.text(max_size=40), st.integers(0, 200))
def test_no_header_does_harm(header: str, size: int) -> None:
    for text in (header, f"bytes={header}", f"bytes={header}-", f"bytes=-{header}"):
        try:
            span = read_range(text, size)
        except UnsatisfiableRange:
            continue
        assert span is None or 0 <= span.start < span.stop <= size


@given(st.lists(st.integers(-1, 50), max_size=20), st.integers(0, 255), st.integers(0, 255))
def test_a_slice_gives_its_bytes_and_no_more(reads: list[int], start: int, length: int) -> None:
    stop = min(start + length, SIZE)
    part = Slice(ContentFile(CONTENT).open(), Span(start, stop))
    got = b"".join(part.read(size) for size in reads) + part.read()
    assert got == CONTENT[start:stop]
    assert part.read() == b""


# --- Over HTTP -----------------------------------------------------------------------------------------------


def test_a_whole_clip(alice: User, clip: Creation) -> None:
    response = signed_in(alice).get(video(clip))
    assert response.status_code == 200
    assert body(response) == CONTENT
    assert response["Content-Length"] == str(SIZE)
    assert response["Content-Type"] == "video/mp4"
    assert response["Accept-Ranges"] == "bytes"
    assert response["ETag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"].startswith("private")
    assert response["Content-Disposition"] == "inline"


@pytest.mark.parametrize(
    ("header", "expected", "content_range"),
    [
        ("bytes=0-1", CONTENT[:2], f"bytes 0-1/{SIZE}"),
        ("bytes=0-0", CONTENT[:1], f"bytes 0-0/{SIZE}"),
        ("bytes=-1", CONTENT[-1:], f"bytes {SIZE - 1}-{SIZE - 1}/{SIZE}"),
        ("bytes=-300", CONTENT[-300:], f"bytes {SIZE - 300}-{SIZE - 1}/{SIZE}"),
        ("bytes=1000-", CONTENT[1000:], f"bytes 1000-{SIZE - 1}/{SIZE}"),
        ("bytes=500-99999", CONTENT[500:], f"bytes 500-{SIZE - 1}/{SIZE}"),
        (f"bytes=0-{SIZE - 1}", CONTENT, f"bytes 0-{SIZE - 1}/{SIZE}"),
    ],
)
def test_a_part_of_a_clip(alice: User, clip: Creation, header: str, expected: bytes, content_range: str) -> None:
    response = signed_in(alice).get(video(clip), headers={"Range": header})
    assert response.status_code == 206
    assert body(response) == expected
    assert response["Content-Range"] == content_range
    assert response["Content-Length"] == str(len(expected))


def test_beyond_the_end_is_416_with_the_length(alice: User, clip: Creation) -> None:
    response = signed_in(alice).get(video(clip), headers={"Range": f"bytes={SIZE}-"})
    assert response.status_code == 416
    assert response["Content-Range"] == f"bytes */{SIZE}"
    assert body(response) == b""


@pytest.mark.parametrize("header", ["bytes=5-2", "bytes=0-1,4-5", "chapters=1-2"])
def test_odd_ranges_give_the_whole_file(alice: User, clip: Creation, header: str) -> None:
    response = signed_in(alice).get(video(clip), headers={"Range": header})
    assert (response.status_code, body(response)) == (200, CONTENT)
    assert "Content-Range" not in response


def test_if_range_holds_only_for_the_same_bytes(alice: User, clip: Creation) -> None:
    client, asked = signed_in(alice), {"Range": "bytes=0-9"}
    for validator, status in (
        (f'"{clip.sha256}"', 206),
        (f'W/"{clip.sha256}"', 200),
        ('"other"', 200),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 200),
    ):
        response = client.get(video(clip), headers={**asked, "If-Range": validator})
        assert response.status_code == status, validator
        assert len(body(response)) == (10 if status == 206 else SIZE)
    # A range that would be refused is not even looked at then.
    assert client.get(video(clip), headers={"Range": "bytes=99999-", "If-Range": '"x"'}).status_code == 200


@pytest.mark.parametrize(
    ("known", "status"), [('"{}"', 304), ('W/"{}"', 304), ('"a", "{}"', 304), ("*", 304), ('"a"', 200)]
)
def test_what_the_browser_has_is_not_sent_again(alice: User, clip: Creation, known: str, status: int) -> None:
    headers = {"If-None-Match": known.format(clip.sha256)}
    response = signed_in(alice).get(video(clip), headers=headers)
    assert response.status_code == status
    assert response["ETag"] == f'"{clip.sha256}"'
    assert bool(body(response)) is (status == 200)
    assert signed_in(alice).get(video(clip), headers={**headers, "Range": "bytes=0-1"}).status_code in (304, 206)


def test_head_tells_the_length_and_sends_nothing(alice: User, clip: Creation) -> None:
    for headers in ({}, {"Range": "bytes=0-9"}):
        response = signed_in(alice).head(video(clip), headers=headers)
        assert (response.status_code, response["Content-Length"], response.content) == (200, str(SIZE), b"")
        assert not isinstance(response, FileResponse)


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_other_methods_are_refused(alice: User, clip: Creation, method: str) -> None:
    assert getattr(signed_in(alice), method)(video(clip)).status_code == 405


def test_gunicorn_may_send_it_from_the_kernel(clip: Creation, rf: RequestFactory) -> None:
    """What it looks at: ``fileno`` and the place the descriptor stands at."""
    response = serve(rf.get("/", headers={"Range": "bytes=700-709"}), clip.file, content_type="video/mp4")
    assert isinstance(response, FileResponse)
    part = response.file_to_stream
    assert isinstance(part, Slice)
    assert os.lseek(part.fileno(), 0, os.SEEK_CUR) == 700
    assert os.pread(part.fileno(), 10, 700) == b"".join(response) == CONTENT[700:710]
    assert response.block_size == 256 * 1024
    response.close()
    with pytest.raises(ValueError, match="closed"):
        part.fileno()


@pytest.mark.parametrize(
    ("headers", "status"), [({"Range": "bytes=99999-"}, 416), ({"If-None-Match": "*"}, 304), ({}, 200)]
)
def test_no_file_stays_open(
    alice: User, clip: Creation, headers: dict[str, str], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    real = FileSystemStorage._open

    def remember(self: FileSystemStorage, name: str, mode: str = "rb") -> Any:
        opened.append(real(self, name, mode))
        return opened[-1]

    monkeypatch.setattr(FileSystemStorage, "_open", remember)
    method = signed_in(alice).get if status != 200 else signed_in(alice).head
    assert method(video(clip), headers=headers).status_code == status
    assert [each.closed for each in opened] == [True]


# --- Who may ---------------------------------------------------------------------------------------------------


def addresses(owner: User, visibility: str) -> list[str]:
    task = make_task(owner, state=TaskState.SUCCEEDED, visibility=visibility)
    creation, asset = make_creation(task, content=CONTENT), make_asset(owner)
    TaskInput.objects.create(task=task, asset=asset, position=0)
    return [
        reverse("asset-media", args=[asset.pk]),
        reverse("creation-video", args=[creation.pk]),
        reverse("creation-poster", args=[creation.pk]),
        reverse("task-download", args=[task.pk]),
    ]


def test_private_files_do_not_exist_for_others(alice: User, charlie: User, admin: User, key: ProviderKey) -> None:
    for address in addresses(alice, Visibility.PRIVATE):
        assert signed_in(alice).get(address).status_code == 200
        assert signed_in(admin).get(address).status_code == 200
        for headers in ({}, {"Range": "bytes=0-1"}, {"If-None-Match": "*"}):
            assert signed_in(charlie).get(address, headers=headers).status_code == 404


def test_team_files_are_for_everybody_signed_in_and_nobody_else(alice: User, charlie: User, key: ProviderKey) -> None:
    for address in addresses(alice, Visibility.TEAM):
        assert signed_in(charlie).get(address).status_code == 200
        stranger = Client().get(address)
        assert stranger.status_code == 302
        assert stranger["Location"].startswith("/accounts/sign-in/")


def test_what_never_was_is_404(alice: User) -> None:
    for name in ("asset-media", "creation-video", "creation-poster", "task-download"):
        assert signed_in(alice).get(reverse(name, args=[uuid.uuid4()])).status_code == 404


def test_a_clip_that_is_not_stored_yet_is_404(alice: User, key: ProviderKey, caplog: pytest.LogCaptureFixture) -> None:
    task = make_task(alice, state=TaskState.ARCHIVING)
    creation = make_creation(task, state="pending")
    for address in (
        video(creation),
        reverse("creation-poster", args=[creation.pk]),
        reverse("task-download", args=[task.pk]),
    ):
        assert signed_in(alice).get(address).status_code == 404
    # A file that is not vouched for yet is not shown either.
    creation.file.save("clips/half.mp4", ContentFile(CONTENT[:10]))
    assert signed_in(alice).get(video(creation)).status_code == 404
    assert not [record for record in caplog.records if record.name == "videoforge.media"]


def test_a_missing_file_is_404_and_an_error_in_the_log(
    alice: User, clip: Creation, caplog: pytest.LogCaptureFixture
) -> None:
    clip.file.storage.delete(clip.file.name)
    with caplog.at_level(logging.ERROR, "videoforge.media"):
        assert signed_in(alice).get(video(clip)).status_code == 404
    assert clip.file.name in caplog.text


def test_pictures_have_their_type(alice: User, clip: Creation) -> None:
    poster = signed_in(alice).get(reverse("creation-poster", args=[clip.pk]))
    assert poster["Content-Type"] == "image/jpeg"
    assert body(poster).startswith(b"\xff\xd8")
    assert poster["ETag"].strip('"')  # without a known digest there is still something to compare by
    asset = make_asset(alice, content_type="image/png")
    assert signed_in(alice).get(reverse("asset-media", args=[asset.pk]))["Content-Type"] == "image/png"


# --- Downloads -------------------------------------------------------------------------------------------------


def download(user: User, creation: Creation, query: str = "", **headers: str) -> HttpResponse:
    return signed_in(user).get(reverse("task-download", args=[creation.task_id]) + query, headers=headers)  # type: ignore[return-value]


def test_a_download_has_the_day_and_the_first_words(alice: User, clip: Creation) -> None:
    response = download(alice, clip)
    day = clip.task.created_at.date().isoformat()
    assert response["Content-Disposition"] == f'attachment; filename="{day}-A-paper-boat-crosses-a-puddle.mp4"'
    assert body(response) == CONTENT
    assert download(alice, clip, Range="bytes=0-4").status_code == 206


def test_chinese_words_stay_as_they_are(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, state=TaskState.SUCCEEDED, prompt_text="纸船 穿过 水坑，慢慢推近")
    header = download(alice, make_creation(task))["Content-Disposition"]
    assert header.startswith("attachment; filename*=utf-8''")
    assert "%E7%BA%B8%E8%88%B9-" in header
    assert header.endswith(".mp4")
    assert header.isascii()


@given(st.text(max_size=300))
def test_no_prompt_makes_a_dangerous_name(prompt: str) -> None:
    task = Task(prompt_text=prompt, model="viduq3-turbo", created_at=timezone.now())
    name = file_name(task, Creation(position=0))
    assert name.endswith(".mp4")
    assert name[:4].isdecimal()
    assert not set(name) & set('/\\\0\r\n";:<>|?*')
    assert ".." not in name
    assert len(name) <= 80


def test_several_outputs_are_downloaded_by_their_place(alice: User, clip: Creation) -> None:
    second = make_creation(clip.task, content=b"second clip")
    response = download(alice, second, "?n=1")
    assert body(response) == b"second clip"
    assert "puddle-2.mp4" in response["Content-Disposition"]
    for wrong in ("2", "-1", "x", ""):
        assert download(alice, clip, f"?n={wrong}").status_code == 404
