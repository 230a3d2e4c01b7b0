"""Secrets that sing: each is planted where it belongs, everything is used and gone through, and it is nowhere else."""

import base64
import html
import json
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

import httpx
import pytest

from tests.house import PASSWORD, House, wait_for

pytestmark = pytest.mark.route
KEPT_APART = {"encryption_keys", "secret_key", "demo_password"}  # what a backup leaves at home
MOST_PAGES = 700
LINK = re.compile(r'(?:href|src|hx-get)="([^"]+)"')
WRITES = re.compile(r"/(sign-out|logout|delete|leave|app)/")  # and where a second step's secret is shown


class Canaries:
    """One of each kind, obviously fake, each different from every text that could stand somewhere by chance."""

    def __init__(self) -> None:
        self.key = f"sandbox-canary-{secrets.token_hex(12)}"
        self.passphrase = f"canary passphrase {secrets.token_hex(8)}"
        self.link = self.invitation = self.session = self.second_step = ""

    def all(self) -> dict[str, str]:
        return {name: value for name, value in vars(self).items() if value}

    def forms(self) -> Iterator[tuple[str, bytes]]:
        """As it is, and as it would stand in an address, in JSON, in HTML and in base64."""
        for name, value in self.all().items():
            packed = base64.b64encode(value.encode()).rstrip(b"=")[:-2]
            shapes = {value, quote(value), quote(value, safe=""), html.escape(value), json.dumps(value)[1:-1]}
            for shape in shapes:
                yield name, shape.encode()
            yield name, packed

    def heard_in(self, content: bytes) -> set[str]:
        return {name for name, shape in self.forms() if shape in content}


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    running = House()
    running.start()
    yield running
    running.close()


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries()


class Visitor:
    """A browser without a picture: signs in, posts forms with their token, and reads all that is linked."""

    def __init__(self, house: House) -> None:
        self.http = httpx.Client(base_url=house.url, timeout=60, follow_redirects=True)

    def sign_in(self) -> str:
        self.http.get("/accounts/sign-in/")
        self.post("/accounts/sign-in/", username="demo", password=PASSWORD)
        return str(self.http.cookies["sessionid"])

    def post(self, path: str, **fields: str) -> httpx.Response:
        headers = {"X-CSRFToken": self.http.cookies.get("csrftoken") or "", "Referer": str(self.http.base_url)}
        return self.http.post(path, data=fields, headers=headers)

    def pages(self, *starts: str) -> Iterator[tuple[str, bytes]]:
        """Every page and fragment that leads on from these; each path once, with one of its queries."""
        todo, seen = list(starts), set()
        while todo and len(seen) < MOST_PAGES:
            path = todo.pop(0)
            name = urlsplit(path).path
            if name in seen or WRITES.search(name):
                continue
            seen.add(name)
            response = self.http.get(path)
            told = [value for name, value in response.headers.items() if name != "set-cookie"]  # its own to itself
            yield path, response.content + "\n".join(told).encode()
            if "html" in response.headers.get("content-type", ""):
                found = (urljoin(path, html.unescape(each)) for each in LINK.findall(response.text))
                todo += [each for each in found if each.startswith("/") and not each.startswith(("/static/", "/s/"))]


def test_no_secret_is_heard_anywhere(house: House, canaries: Canaries) -> None:
    added = house.manage("addkey", "vidu", "Canary", "--base-url", house.sandbox, given=canaries.key)
    assert added.returncode == 0, added.stderr
    visitor, pages, processes = Visitor(house), {"addkey": (added.stdout + added.stderr).encode()}, set[bytes]()
    canaries.session = visitor.sign_in()
    try:
        task = make_things_happen(house, visitor, canaries, processes)
        # The address of a link stands where it is made, and on the page that it opens: nowhere else.
        pages |= dict(visitor.pages("/", "/admin/", f"/tasks/{task}/", "/settings/links/", "/settings/sign-in/"))
        for name in ("csv", "xlsx"):
            pages[name] = visitor.http.get(f"/usage/export/?format={name}").content
        pages["case"] = visitor.http.get(f"/tasks/{task}/case/").content
        pages["status"] = house.manage("status", "--json").stdout.encode()
        pages["reconcile"] = house.manage("reconcile", "--key", "Canary").stdout.encode()
    finally:
        visitor.http.close()
    assert len(pages) > 150, "there is more to see than that"
    heard = {path: names for path, content in pages.items() if (names := canaries.heard_in(content))}
    assert not heard
    assert not canaries.heard_in(b"\n".join(processes)), "ps shows what everybody on the machine can see"
    assert not canaries.heard_in(house.log.read_bytes())
    house.stop()
    found = {str(path.relative_to(house.data)): names for path, names in in_backup(house.data, canaries)}
    assert not found, "a copy of the data without its keys opens nothing"


def make_things_happen(house: House, visitor: Visitor, canaries: Canaries, processes: set[bytes]) -> str:
    """A clip, a failure, a refused key, a link that is opened and guessed at, an invitation, an error page."""
    (task,) = house.generate("Canary bird, [slow] in the rain", key="Canary")
    house.generate("Canary that [fail]s", key="Canary")
    wait_for(lambda: look(house, processes) or house.state(task) == "succeeded", 90, 0.1, "a clip")
    page = visitor.post(
        f"/tasks/{task}/share/", audience="team", days="7", passphrase=canaries.passphrase, label="Canary",
        allow_download="on", show_settings="on", covers="task",
    )  # fmt: skip
    found = re.search(r"/s/([\w-]{40,})/", page.text)
    assert found, page.text
    canaries.link = found[1]
    link = f"/s/{canaries.link}/"
    for passphrase in ("wrong", canaries.passphrase):
        visitor.http.get(link)
        visitor.post(f"{link}unlock/", passphrase=passphrase)
    assert visitor.http.get(f"{link}video/1/").status_code == 200
    for path in (f"{link}video/99/", f"{link}nothing/", f"{link}download/99/", f"/%73/{canaries.link}/video/77/"):
        assert visitor.http.get(path).status_code == 404
    canaries.invitation = invite(visitor)
    canaries.second_step = begin_second_step(visitor)
    visitor.http.get(f"/invitations/{canaries.invitation}/nothing")
    secret_in_a_wrong_place(visitor, canaries)
    look(house, processes)
    time.sleep(1)
    return task


def invite(visitor: Visitor) -> str:
    page = visitor.post("/admin/generations/invitation/add/", email="", name="Canary", role="member", days="7")
    found = re.search(r"/invitations/([\w-]{40,})/", page.text)
    assert found, page.text
    return found[1]


def begin_second_step(visitor: Visitor) -> str:
    """Begun and never ended, so that its secret waits in the session."""
    page = visitor.http.get("/settings/sign-in/app/")
    if "/confirm/" in str(page.url):
        visitor.post(str(page.url), password=PASSWORD)
        page = visitor.http.get("/settings/sign-in/app/")
    found = re.search(r"\b[A-Z2-7]{32}\b", page.text)
    assert found, page.text
    return found[0]


def secret_in_a_wrong_place(visitor: Visitor, canaries: Canaries) -> None:
    """A vendor that quotes the key it refuses, and forms that come back because something in them is wrong."""
    visitor.post("/admin/generations/providerkey/add/", label="", provider="vidu", secret=canaries.key)
    visitor.http.get("/healthz", headers={"Host": "elsewhere.example"})


def look(house: House, processes: set[bytes]) -> None:
    """The command lines that any user of the machine may read."""
    for pid in house.everyone():
        try:
            processes.add((Path("/proc") / str(pid) / "cmdline").read_bytes())
        except OSError:
            continue


def in_backup(data: Path, canaries: Canaries) -> Iterator[tuple[Path, set[str]]]:
    for path in data.rglob("*"):
        if "sandbox" in path.relative_to(data).parts:
            continue  # the pretend vendor's own books: a vendor knows its keys
        if path.is_file() and path.name not in KEPT_APART and (names := canaries.heard_in(path.read_bytes())):
            yield path, names
