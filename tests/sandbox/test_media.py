"""Signed links and the files behind them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import av
import httpx
import pytest
from PIL import Image

from generations.sandbox.exchange import Request
from generations.sandbox.media import COVER_LIFETIME_S, VIDEO_LIFETIME_S, Signer, wanted_span

from .conftest import Customer, Running

SIZE = 1000
FILE = [("ETag", '"e1"'), ("Last-Modified", "Sat, 21 Nov 2026 04:52:06 GMT")]


def request(path: str = "/", query: str = "", **headers: str) -> Request:
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, "wsgi.input": BytesIO()}
    return Request.from_environ(environ | {f"HTTP_{name.upper()}": value for name, value in headers.items()})


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("", None),
        ("bytes=0-99", (0, 99)),
        ("bytes=0-0", (0, 0)),
        ("bytes=500-", (500, 999)),
        ("bytes=-1", (999, 999)),
        ("bytes=-5000", (0, 999)),
        ("bytes=990-5000", (990, 999)),
        ("bytes=1000-", (1000, 999)),
        ("bytes=-0", (1, 0)),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=0-1,5-6", None),
        ("lines=1-2", None),
        ("bytes=" + "9" * 5000 + "-", None),
    ],
)
def test_ranges(asked: str, span: tuple[int, int] | None) -> None:
    assert wanted_span(request(range=asked), FILE, SIZE) == span


@pytest.mark.parametrize(
    ("condition", "span"),
    [
        ('"e1"', (0, 9)),
        ("Sat, 21 Nov 2026 04:52:06 GMT", (0, 9)),
        ('"e2"', None),
        ("Sat, 21 Nov 2026 04:52:07 GMT", None),
        ("nonsense", None),
    ],
)
def test_if_range(condition: str, span: tuple[int, int] | None) -> None:
    assert wanted_span(request(range="bytes=0-9", if_range=condition), FILE, SIZE) == span


def test_links_die_and_cannot_be_forged(tmp_path: Path) -> None:
    signer = Signer(tmp_path / "secret")

    def fault(link: str, now: float) -> str:
        parts = urlsplit(link)
        return signer.fault(request(parts.path, parts.query), now)

    link = signer.link("http://127.0.0.1:1", "/media/1/2/video.mp4", 1_000_000, 3600)
    assert fault(link, 1_000_001) == ""
    assert fault(link, 1_003_599) == ""
    assert fault(link, 1_003_600) == "Request has expired"
    for forged in (
        link.replace("Expires=3600", "Expires=99999"),
        link.replace("/1/2", "/1/3"),
        link[:-1],
        link.split("?")[0],
    ):
        assert fault(forged, 1_000_001) == "Signature does not match"
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    again = Signer(tmp_path / "secret")
    assert again.link("", "/x", 1, 1) == signer.link("", "/x", 1, 1)
    assert Signer(tmp_path / "other").link("", "/x", 1, 1) != signer.link("", "/x", 1, 1)


def test_plain_links_die_after_a_day(tmp_path: Path) -> None:
    signer = Signer(tmp_path / "secret")
    stamp = signer.stamp(1_000_000.5, "task/1")
    assert signer.stamp_fault(stamp, "task/1", 1_000_001) == ""
    assert signer.stamp_fault(stamp, "task/1", 1_086_399) == ""
    assert signer.stamp_fault(stamp, "task/1", 1_086_400) == "Request has expired"
    for subject, forged in (("task/2", stamp), ("task/1", stamp[:-1]), ("task/1", f"f{stamp}"), ("task/1", "é-x")):
        assert signer.stamp_fault(forged, subject, 1_000_001) == "Signature does not match"


@pytest.fixture(scope="module")
def links(sandbox: Running) -> Iterator[dict[str, str]]:
    customer = Customer(sandbox.url)
    answer = customer.finished(customer.made(watermark=True, audio=True))
    yield answer["creations"][0]
    customer.http.close()


@pytest.mark.route
class TestServed:
    def test_the_video(self, links: dict[str, str]) -> None:
        answer = httpx.get(links["url"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
        assert int(answer.headers["content-length"]) == len(answer.content)
        with av.open(BytesIO(answer.content)) as container:
            assert container.duration == 1_000_000
            assert sorted(stream.type for stream in container.streams) == ["audio", "video"]
        assert httpx.get(links["watermarked_url"]).content == answer.content

    def test_the_cover(self, links: dict[str, str]) -> None:
        answer = httpx.get(links["cover_url"])
        assert answer.headers["content-type"] == "image/jpeg"
        assert Image.open(BytesIO(answer.content)).size == (128, 72)

    def test_lifetimes(self, links: dict[str, str]) -> None:
        for name, lifetime in (("url", VIDEO_LIFETIME_S), ("cover_url", COVER_LIFETIME_S)):
            query = parse_qs(urlsplit(links[name]).query)
            assert query["X-Amz-Expires"] == [str(lifetime)]
            signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            assert abs((datetime.now(UTC) - signed).total_seconds()) < 60
            assert query["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]

    def test_parts_make_the_whole(self, links: dict[str, str]) -> None:
        whole = httpx.get(links["url"])
        size = len(whole.content)
        first = httpx.get(links["url"], headers={"Range": "bytes=0-99"})
        rest = httpx.get(links["url"], headers={"Range": "bytes=100-", "If-Range": whole.headers["etag"]})
        assert (first.status_code, rest.status_code) == (206, 206)
        assert first.headers["content-range"] == f"bytes 0-99/{size}"
        assert rest.headers["content-range"] == f"bytes 100-{size - 1}/{size}"
        assert first.content + rest.content == whole.content
        changed = httpx.get(links["url"], headers={"Range": "bytes=100-", "If-Range": '"another"'})
        assert (changed.status_code, changed.content) == (200, whole.content)

    def test_beyond_the_end(self, links: dict[str, str]) -> None:
        size = int(httpx.head(links["url"]).headers["content-length"])
        answer = httpx.get(links["url"], headers={"Range": f"bytes={size}-"})
        assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{size}")

    def test_head(self, links: dict[str, str]) -> None:
        head, whole = httpx.head(links["url"]), httpx.get(links["url"])
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "etag", "last-modified", "accept-ranges", "content-type"):
            assert head.headers[name] == whole.headers[name]

    def test_refusals(self, links: dict[str, str]) -> None:
        url = links["url"]
        forged = httpx.get(re.sub(r"Signature=\w", "Signature=x", url))
        assert (forged.status_code, forged.headers["content-type"]) == (403, "application/xml")
        assert "<Code>AccessDenied</Code>" in forged.text
        assert httpx.get(url.split("?")[0]).status_code == 403
        assert httpx.get(url.replace("video.mp4", "cover.jpeg")).status_code == 403
        assert httpx.get(re.sub(r"/media/\d+/", "/media/1/", url)).status_code == 404
        assert httpx.get(url.replace("video.mp4", "..%2fsecret")).status_code == 404
