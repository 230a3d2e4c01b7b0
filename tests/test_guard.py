"""Requests go to the public internet and to what was allowed, over real sockets: the canaries must hear nothing.

The canary listens on every address of this machine, so whoever gets past the guard by whatever spelling is heard.
"""

import datetime
import ipaddress
import os
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from generations import archive, transport
from generations.archive import connections
from generations.guard import HOW_TO_ALLOW, NEVER, Guard, Refused, check_url, entry_of, is_public
from generations.providers.base import Call, CallKind, NotSent
from tests.house import wait_for
from tests.servers import says, serving

NOBODY, HERE = Guard(), Guard({"127.0.0.1"})
CLEAR = re.compile(
    r"“.+” is not on the public internet\. An administrator can allow it under “Allowed hosts”\."
    r"|“.+” is at a place where no request may go\."
    r"|The vendor gave no usable address\."
    r"|The address (has|leads|is) .+\."
)
FILE = os.urandom(50_000)
Names = dict[str, list[list[str]]]  # what a name answers, time after time; the last answer stays


@dataclass
class Canary:
    """Counts every connection to its port, on whichever address of this machine, and answers none."""

    port: int
    heard: list[tuple[str, int]] = field(default_factory=list)  # where, and from which port

    def visits(self) -> list[str]:
        """Where it was called up to now, in the order of its two doors: our own calls come after all others."""
        ours = set()
        for door in ("127.0.0.1", "::1"):
            with socket.create_connection((door, self.port)) as line:
                ours.add(line.getsockname()[1])
                wait_for(lambda: ours <= {port for _, port in self.heard}, 5, 0.002)
        return [where for where, port in self.heard if port not in ours]


@pytest.fixture(scope="module")
def cage() -> Iterator[Canary]:
    with socket.create_server(("0.0.0.0", 0)) as four:
        canary = Canary(four.getsockname()[1])
        with socket.create_server(("::", canary.port), family=socket.AF_INET6) as six:
            for door in (four, six):
                threading.Thread(target=_listen, args=(door, canary.heard), daemon=True).start()
            yield canary


def _listen(door: socket.socket, heard: list[tuple[str, int]]) -> None:
    with suppress(OSError):
        while True:
            line, caller = door.accept()
            heard.append((str(line.getsockname()[0]), int(caller[1])))
            line.close()


@pytest.fixture
def canary(cage: Canary, monkeypatch: pytest.MonkeyPatch) -> Canary:
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.5)  # for the day on which the guard is asleep
    cage.heard.clear()
    return cage


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """A name server of the test's own. What it does not know, the real one is asked."""
    answers: Names = {}
    really = socket.getaddrinfo

    def look(host: Any, port: Any, *how: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in answers:
            return really(host, port, *how, **more)
        found = answers[name].pop(0) if len(answers[name]) > 1 else answers[name][0]
        return [each for address in found for each in really(address, port, *how, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", look)
    return answers


def refusal(url: str, folder: Path, guard: Guard = NOBODY) -> str:
    with pytest.raises(archive.CopyError) as caught:
        archive.download(url, folder / "a.part", guard=guard)
    assert not (folder / "a.part").exists()
    return str(caught.value)


def leads_to(target: str) -> Callable[[BaseHTTPRequestHandler], None]:
    return says(302, b"", Location=target)


# --- Hostile addresses --------------------------------------------------------------------------------------

# fmt: off
LOOPBACK = [
    "127.0.0.1", "127.0.0.2", "127.0.0.3", "127.255.255.254", "127.1", "127.0.1", "127.000.000.001",
    "2130706433", "2130706434", "0x7f000001", "0x7F.0x0.0x0.0x2", "0x7f.1", "0177.0.0.1", "017700000001",
    "0000177.0.0.2", "0x7f.0.1", "0", "0.0.0.0", "0x0", "00", "0.1",
    "localhost", "LOCALHOST", "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.2",
    "127.0.0.%31", "%31%32%37.0.0.1", "%6cocalhost",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::]", "[::127.0.0.1]", "[::1%25lo]", "[::1%lo]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:2]", "[0:0:0:0:0:FFFF:127.0.0.3]", "[::ffff:0:127.0.0.1]",
]
ELSEWHERE = [
    "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.1.254", "100.64.0.1",
    "100.127.255.254", "0xa000001", "167772161", "012.0.0.1", "10.1", "192.168.257",
    "169.254.169.254", "169.254.1.1", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518",
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "[fd00:ec2::254]", "[fd20:ce::254]",
    "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]",
    "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.7",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "[2002:7f00:1::]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2001:0:7f00:1::]", "[2001:0:4136:e378::80ff:fffe]",
    "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%251]", "[fec0::1]", "[fc00::1]", "[fd12:3456::1]", "[ff02::1]",
    "[ff05::2]",
    "[100::1]", "[2001:2::1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[4000::1]", "[::8.8.8.8]",
]
ODD = [
    "http://user@127.0.0.2:{port}/", "http://user:word@127.0.0.2:{port}/", "http://:@127.0.0.2:{port}/",
    "http://93.184.216.34@127.0.0.2:{port}/", "http://127.0.0.2:{port}@93.184.216.34/", "http://@127.0.0.2:{port}/",
    "http://127.0.0.2:{port}\\@93.184.216.34/", "http://93.184.216.34\\@127.0.0.2:{port}/",
    "http:\\\\127.0.0.2:{port}/",
    "http://127.0.0.2\t:{port}/", "http://127.0.0.2\n:{port}/", "\thttp://127.0.0.2:{port}/",
    "http://127.0.0.2 :{port}/",
    "http://127.0.0.2\0.example.com:{port}/", "http:127.0.0.2:{port}/", "http:///127.0.0.2:{port}/",
    "//127.0.0.2:{port}/",
    "127.0.0.2:{port}", "HTTP://127.0.0.2:{port}/", "hTtPs://127.0.0.2:{port}/", "https://[::1]:{port}/",
    "http://127.0.0.2:{port}#@93.184.216.34/", "http://127.0.0.2:{port}?@93.184.216.34/", "http://127.0.0.2:0{port}/",
    "http://127.0.0.2:0/", "http://127.0.0.2:99999/", "http://[127.0.0.2]:{port}/", "http://[::1:{port}/",
    "http://]:{port}/",
    "ftp://127.0.0.2:{port}/", "gopher://127.0.0.2:{port}/_GET", "dict://127.0.0.2:{port}/x", "ws://127.0.0.2:{port}/",
    "file:///etc/passwd", "file://127.0.0.2:{port}/etc/passwd", "data:video/mp4,x", "javascript:1",
    "blob:http://127.0.0.2:{port}/",
    "http+unix://%2Frun%2Fdocker.sock/", "view-source:http://127.0.0.2:{port}/", "http://", "",
]
# fmt: on
HOSTILE = [f"http://{host}:{{port}}/v.mp4" for host in (*LOOPBACK, *ELSEWHERE)] + ODD


def test_the_table_is_long() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 60


@pytest.mark.parametrize("url", HOSTILE)
def test_a_hostile_address_is_refused_with_a_sentence(url: str, canary: Canary, tmp_path: Path) -> None:
    said = refusal(url.format(port=canary.port), tmp_path)
    assert CLEAR.fullmatch(said), said
    assert canary.visits() == []


@pytest.mark.parametrize("host", ["127.0.0.2", "127.0.0.3", "[::1]", "localhost", "2130706434"])
def test_the_canary_hears_whoever_gets_through(host: str, canary: Canary, tmp_path: Path) -> None:
    everything = Guard({"127.0.0.0/8", "::1"})
    assert "broke off" in refusal(f"http://{host}:{canary.port}/", tmp_path, everything)
    assert len(canary.visits()) == 1


@pytest.mark.parametrize("host", [*LOOPBACK, *ELSEWHERE])
def test_a_redirect_is_looked_at_like_a_new_address(host: str, canary: Canary, tmp_path: Path) -> None:
    """From a server that is allowed, and by way of a second one."""
    if is_the_allowed_one(host):
        host = "127.0.0.2"
    target = f"http://{host}:{canary.port}/".encode().decode("latin-1")
    with serving(leads_to(target)) as second, serving(leads_to(f"{second}/on")) as first:
        said = refusal(f"{first}/v.mp4", tmp_path, HERE)
    assert CLEAR.fullmatch(said), said
    assert canary.visits() == []


def is_the_allowed_one(host: str) -> bool:
    """Whether it is another spelling of the address from which the redirect comes."""
    with suppress(OSError, ValueError):
        return any(each[4][0] == "127.0.0.1" for each in socket.getaddrinfo(unquote(host).strip("[]"), 80))
    return False


@pytest.mark.parametrize(
    "target",
    [
        "//127.0.0.2:{port}/",
        "https://127.0.0.2:{port}/",
        "http://a@127.0.0.2:{port}/",
        "ftp://127.0.0.2:{port}/",
        "file:///etc/passwd",
        "gopher://127.0.0.2:{port}/",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_kind_of_redirect(status: int, target: str, canary: Canary, tmp_path: Path) -> None:
    with serving(says(status, b"", Location=target.format(port=canary.port))) as url:
        assert CLEAR.fullmatch(refusal(url, tmp_path, HERE))
    assert canary.visits() == []


def test_five_hops_and_no_more(tmp_path: Path) -> None:
    asked: list[str] = []

    def onward(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        here = int(request.path.strip("/"))
        (says(200, FILE) if here == 0 else leads_to(f"/{here - 1}"))(request)

    with serving(onward) as url:
        assert archive.download(f"{url}/5", tmp_path / "ok.part", guard=HERE).size == len(FILE)
        asked.clear()
        assert refusal(f"{url}/6", tmp_path, HERE) == "The address leads on and on."
    assert len(asked) == 6


def test_a_redirect_without_end_is_not_read(tmp_path: Path) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        if request.path == "/there":
            return says(200, FILE)(request)
        request.send_response(302)
        request.send_header("Location", "/there")
        request.end_headers()
        with suppress(OSError):
            while True:
                request.wfile.write(b"x" * 65536)

    with serving(endless) as url:
        assert archive.download(url, tmp_path / "a.part", guard=HERE).size == len(FILE)


# --- Names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", ["localhost.", "127.0.0.1.", "127.0.0.1.nip.example", "a.localhost"])
def test_a_name_that_only_some_resolvers_know(spelled: str, names: Names, canary: Canary, tmp_path: Path) -> None:
    names[spelled] = [["127.0.0.1"]]
    assert CLEAR.fullmatch(refusal(f"http://{spelled}:{canary.port}/", tmp_path))
    assert canary.visits() == []


@pytest.mark.parametrize(
    "address", ["127.0.0.2", "10.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.2", "fd00:ec2::254", "0.0.0.0"]
)
def test_a_name_that_leads_inside(address: str, names: Names, canary: Canary, tmp_path: Path) -> None:
    names["media.example.com"] = [[address]]
    said = refusal(f"http://media.example.com:{canary.port}/", tmp_path)
    assert CLEAR.fullmatch(said)
    assert "“media.example.com”" in said
    assert canary.visits() == []


def test_a_name_that_answers_otherwise_a_moment_later(names: Names, canary: Canary, tmp_path: Path) -> None:
    """The first answer may be connected to and is; nobody asks again, so the second one is never heard of."""
    names["rebind.example.com"] = [["127.0.0.3"], ["127.0.0.2"]]
    third = Guard({"127.0.0.3"})
    with serving(says(200, FILE), host="127.0.0.3") as url:
        port = url.rpartition(":")[2]
        copied = archive.download(f"http://rebind.example.com:{port}/", tmp_path / "ok.part", guard=third)
    assert copied.size == len(FILE)
    assert names["rebind.example.com"] == [["127.0.0.2"]], "looked up once"
    assert "not on the public" in refusal(f"http://rebind.example.com:{canary.port}/", tmp_path, third)
    assert canary.visits() == []


def test_each_hop_is_looked_up_anew(names: Names, canary: Canary, tmp_path: Path) -> None:
    """A redirect to the same name: whoever kept the first answer as good for the name would walk in."""
    names["rebind.example.com"] = [["127.0.0.3"], ["127.0.0.2"]]
    with serving(leads_to(f"http://rebind.example.com:{canary.port}/"), host="127.0.0.3") as url:
        first = f"http://rebind.example.com:{url.rpartition(':')[2]}/"
        assert "not on the public" in refusal(first, tmp_path, Guard({"127.0.0.3"}))
    assert canary.visits() == []


def test_of_several_addresses_only_those_that_may_be_used(names: Names, canary: Canary, tmp_path: Path) -> None:
    with serving(says(200, FILE), host="127.0.0.3") as url:
        names["mixed.example.com"] = [["127.0.0.2", "::1", "127.0.0.3"]]
        port = url.rpartition(":")[2]
        with socket.create_server(("127.0.0.2", int(port))) as trap:
            trap.setblocking(False)
            mixed = f"http://mixed.example.com:{port}/"
            assert archive.download(mixed, tmp_path / "ok.part", guard=Guard({"127.0.0.3"})).size == len(FILE)
            with pytest.raises(BlockingIOError):
                trap.accept()


# --- What is allowed ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry", ["127.0.0.2", "127.0.0.0/8", "127.0.0.2/31", "media.example.com", "*.example.com", "MEDIA.Example.com."]
)
def test_an_allowed_host_is_fetched_from(entry: str, names: Names, tmp_path: Path) -> None:
    names["media.example.com"] = [["127.0.0.2"]]
    heads: list[str | None] = []

    def note(request: BaseHTTPRequestHandler) -> None:
        heads.append(request.headers["Host"])
        says(200, FILE)(request)

    with serving(note, host="127.0.0.2") as url:
        link = url.replace("127.0.0.2", "media.example.com")
        assert archive.download(f"{link}/v.mp4", tmp_path / "a.part", guard=Guard({entry})).size == len(FILE)
    assert heads == [link.removeprefix("http://")], "the server is told the name, not the address"


@pytest.mark.parametrize(
    ("entry", "host", "address", "may"),
    [
        ("media.corp", "media.corp", "10.1.2.3", True),
        ("media.corp", "MEDIA.corp.", "192.168.0.1", True),
        ("media.corp", "xmedia.corp", "10.1.2.3", False),
        ("media.corp", "media.corp.evil.example", "10.1.2.3", False),
        ("media.corp", "media.corp", "169.254.169.254", False),
        ("media.corp", "media.corp", "fd00:ec2::254", False),
        ("media.corp", "media.corp", "::ffff:10.1.2.3", False),
        ("media.corp", "media.corp", "fd12::1%eth0", False),
        ("*.corp", "a.corp", "10.1.2.3", True),
        ("*.corp", "a.b.corp", "fd12::1", True),
        ("*.corp", "corp", "10.1.2.3", False),
        ("*.corp", "evilcorp", "10.1.2.3", False),
        ("*.media.corp", "x.corp", "10.1.2.3", False),
        ("10.20.0.0/16", "any.example", "10.20.255.255", True),
        ("10.20.0.0/16", "any.example", "10.21.0.0", False),
        ("10.20.0.0/16", "any.example", "::ffff:10.20.0.1", False),
        ("10.20.0.7", "10.20.0.7", "10.20.0.7", True),
        ("10.20.0.7", "10.20.0.8", "10.20.0.8", False),
        ("fd12::/32", "any.example", "fd12::7", True),
        ("[fd12::7]", "fd12::7", "fd12::7", True),
        ("0.0.0.0/0", "any.example", "169.254.169.254", False),
        ("::/0", "any.example", "ff02::1", False),
        ("bücher.corp", "xn--bcher-kva.corp", "10.1.2.3", True),
        ("198.18.0.0/15", "api.vidu.com", "198.18.0.9", True),
        ("media.corp", "other.example", "93.184.216.34", True),
    ],
)
def test_what_an_entry_opens(entry: str, host: str, address: str, may: bool) -> None:
    assert (Guard({entry}).why_not(host, address) == "") is may


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" Media.Example.COM. ", "media.example.com"),
        ("*.example.com", "*.example.com"),
        ("localhost", "localhost"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("10.20.30.40", "10.20.30.40"),
        ("10.20.30.40/16", "10.20.0.0/16"),
        ("[FD12:0::1]", "fd12::1"),
        ("fd12::/32", "fd12::/32"),
        ("media_1.corp", "media_1.corp"),
    ],
)
def test_an_entry_has_one_spelling(typed: str, kept: str) -> None:
    assert entry_of(typed) == kept


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        *((each, "none") for each in ("", "*", "*.", "a..b", "http://a.example", "a.example:80", "a.example/x", "a b")),
        *(
            (each, "none")
            for each in ("127.1", "0x7f000001", "10.0.0.300", "*.*.example", "-a.example", "a@b", "x" * 64)
        ),
        *((each, "wide") for each in ("0.0.0.0/0", "::/0", "8.0.0.0/7", "2000::/3")),
        *((each, "never") for each in ("169.254.169.254", "169.254.0.0/16", "fe80::/10", "100.100.100.200", "0.0.0.0")),
        *((each, "never") for each in ("224.0.0.0/8", "::", "::ffff:10.0.0.0/104", "fd00:ec2::254", "255.255.255.255")),
    ],
)
def test_an_entry_that_is_none(typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        entry_of(typed)


# --- Every address in every spelling ------------------------------------------------------------------------

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
FOUR = st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address)
SPECIAL_4 = st.sampled_from(
    [ipaddress.ip_network(each) for each in ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
    "169.254.0.0/16",
     "172.16.0.0/12", "192.0.0.0/29", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
     "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4")]
).flatmap(lambda net: st.integers(0, net.num_addresses - 1).map(lambda place: net[place]))  # fmt: skip
SIX = st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address)


def spellings(address: ipaddress.IPv4Address) -> list[str]:
    number, parts = int(address), str(address).split(".")
    a, b, c, d = (int(part) for part in parts)
    plain = [
        str(address), f"{number}", f"{number:#x}", f"0{number:o}", f"{a}.{b}.{number & 0xFFFF}",
        f"{a}.{number & 0xFFFFFF}",
        ".".join(f"{int(part):#x}" for part in parts), ".".join(f"0{int(part):o}" for part in parts),
        f"{a:#x}.0{b:o}.{c}.{d:#X}",
    ]  # fmt: skip
    high, low = number >> 16, number & 0xFFFF
    carried = [
        f"::ffff:{address}", f"::ffff:{high:x}:{low:x}", f"::{address}", f"64:ff9b::{address}", f"64:ff9b:1::{address}",
        f"2002:{high:x}:{low:x}::1", f"2001:0:{high:x}:{low:x}::1", f"2001:0:1::{~high & 0xFFFF:x}:{~low & 0xFFFF:x}",
    ]  # fmt: skip
    return plain + carried


@PATIENT
@given(FOUR | SPECIAL_4)
@example(ipaddress.IPv4Address("127.0.0.1"))
@example(ipaddress.IPv4Address("169.254.169.254"))
@example(ipaddress.IPv4Address("100.64.0.1"))
@example(ipaddress.IPv4Address("224.0.0.1"))
def test_no_spelling_of_a_special_address_gets_through(address: ipaddress.IPv4Address) -> None:
    special = not address.is_global or address.is_multicast or address.is_reserved
    for spelling in spellings(address):
        if special or ":" in spelling:
            with pytest.raises(Refused):
                NOBODY.addresses_of(spelling, 80)


@PATIENT
@given(SIX)
@example(ipaddress.IPv6Address("::1"))
@example(ipaddress.IPv6Address("fd00:ec2::254"))
@example(ipaddress.IPv6Address("fe80::1"))
def test_no_special_address_of_ipv6_gets_through(address: ipaddress.IPv6Address) -> None:
    special = not address.is_global or address.is_multicast or address.is_reserved or address not in UNICAST
    for spelling in (str(address), address.exploded, str(address).upper()):
        if special:
            with pytest.raises(Refused):
                NOBODY.addresses_of(spelling, 80)
        assert NOBODY.why_not("a", spelling + "%1"), "a zone is of this machine alone"


UNICAST = ipaddress.ip_network("2000::/3")


@PATIENT
@given(st.sampled_from(NEVER).flatmap(lambda net: st.integers(0, net.num_addresses - 1).map(lambda place: net[place])))
def test_no_entry_opens_what_is_never_open(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    open_house = Guard({"host.example", str(address), f"{address}/8", "0.0.0.0/0", "::/0"})
    assert "no request may go" in open_house.why_not("host.example", str(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2400::1"]
)
def test_the_public_internet_is_open(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    assert [each[4][0] for each in NOBODY.addresses_of(address, 443)] == [address]


# --- Certificates are those of the name ---------------------------------------------------------------------


def paper(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a certificate for this name, and that of a client who trusts it."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(hours=1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    signed = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    file = folder / f"{name}.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=signed.decode())


def test_a_checked_address_still_needs_the_certificate_of_the_name(
    names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, trust = paper(tmp_path, "media.example.com")
    asked: list[str | None] = []
    server.sni_callback = lambda line, name, context: asked.append(name)
    monkeypatch.setattr(connections, "_trust", lambda: trust)
    names["media.example.com"] = names["other.example.com"] = [["127.0.0.2"]]
    guard = Guard({"127.0.0.2"})
    with serving(says(200, FILE), host="127.0.0.2", tls=server) as url:
        link = url.replace("127.0.0.2", "media.example.com")
        assert archive.download(link, tmp_path / "ok.part", guard=guard).size == len(FILE)
        assert "SSLCertVerificationError" in refusal(url, tmp_path, guard)
        assert "SSLCertVerificationError" in refusal(url.replace("127.0.0.2", "other.example.com"), tmp_path, guard)
    assert asked[0] == "media.example.com"


@pytest.mark.parametrize("scheme", ["https", "HTTPS"])
def test_the_encryption_is_not_taken_away(
    scheme: str, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, trust = paper(tmp_path, "media.example.com")
    monkeypatch.setattr(connections, "_trust", lambda: trust)
    names["media.example.com"] = [["127.0.0.1"]]
    asked: list[str] = []

    def note(request: BaseHTTPRequestHandler) -> None:
        asked.append(request.path)
        says(200, FILE)(request)

    with serving(note) as plain, serving(leads_to(f"{plain}/v.mp4"), tls=server) as url:
        link = url.replace("https", scheme).replace("127.0.0.1", "media.example.com")
        said = refusal(link, tmp_path, HERE)
    assert (said, asked) == ("The address leads from https:// to http://.", [])


def test_nothing_of_ours_goes_along_but_the_range(tmp_path: Path) -> None:
    heads: list[dict[str, str]] = []

    def note(request: BaseHTTPRequestHandler) -> None:
        heads.append(dict(request.headers))
        says(200, FILE)(request)

    with serving(note) as there, serving(says(302, b"", Location=there, Set_Cookie="a=b")) as url:
        archive.download(url, tmp_path / "a.part", guard=HERE)
    assert set(heads[0]) == {"Host", "User-Agent", "Accept-Encoding", "Connection"}


# --- Vendors' answers and our requests to them --------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text/html", "text/html; charset=utf-8", "Text/HTML", "application/xhtml+xml"])
def test_a_web_page_is_no_clip(kind: str, tmp_path: Path) -> None:
    with serving(says(200, FILE, content_type=kind)) as url, pytest.raises(archive.NotAClip) as caught:
        archive.download(url, tmp_path / "a.part", guard=HERE)
    assert str(caught.value) == "The vendor's link gave a web page, which is no clip."
    assert not (tmp_path / "a.part").exists()


def sent(url: str, kind: CallKind = CallKind.QUERY) -> NotSent:
    method, body = ("POST", {"prompt": "x"}) if kind == CallKind.CREATE else ("GET", None)
    with pytest.raises(NotSent) as caught:
        transport.send(Call(kind, method, url, {"Authorization": "Token not-a-real-key"}, body=body))
    return caught.value


@pytest.mark.parametrize("kind", [CallKind.CREATE, CallKind.QUERY])
@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "0", "0x0", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:2]", "169.254.169.254", "2852039166",
     "[fe80::1]", "[fd00:ec2::254]", "100.100.100.200", "224.0.0.1", "255.255.255.255", "[2002:7f00:1::]"],
)  # fmt: skip
def test_no_key_travels_where_no_request_may_go(host: str, kind: CallKind, canary: Canary) -> None:
    failure = sent(f"http://{host}:{canary.port}/", kind).failure
    assert failure.code == "address_refused"
    assert CLEAR.fullmatch(failure.text)
    assert canary.visits() == []


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1:{port}/", "http://user:word@127.0.0.1:{port}/", "http://[::1%25lo]:{port}/"]
)
def test_no_key_travels_to_an_odd_address(url: str, canary: Canary) -> None:
    assert sent(url.format(port=canary.port)).failure.code == "address_refused"
    assert canary.visits() == []


def test_no_key_follows_a_name_that_changes(names: Names, canary: Canary) -> None:
    names["api.example.com"] = [["169.254.169.254"]]
    failure = sent(f"http://api.example.com:{canary.port}/").failure
    assert (failure.code, "“api.example.com”" in failure.text) == ("address_refused", True)
    names["api.example.com"] = [["0.0.0.0"]]
    assert sent(f"http://api.example.com:{canary.port}/").failure.code == "address_refused"
    assert canary.visits() == []


def test_a_vendor_on_this_machine_or_inside_is_asked(names: Names) -> None:
    names["gateway.corp"] = [["127.0.0.2"]]
    with serving(says(200, b"{}"), host="127.0.0.2") as url:
        for each in (url, url.replace("127.0.0.2", "gateway.corp")):
            assert transport.send(Call(CallKind.QUERY, "GET", each, {})).status == 200


@pytest.fixture
def fresh_opener() -> Iterator[None]:
    """It is made once, and would know the environment of that moment alone."""
    connections._opener.cache_clear()
    yield
    connections._opener.cache_clear()


@pytest.mark.usefixtures("fresh_opener")
@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_no_proxy_of_the_environment_is_used(
    name: str, canary: Canary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv(name, f"http://127.0.0.2:{canary.port}")
    with serving(says(200, b"{}")) as url:
        assert transport.send(Call(CallKind.QUERY, "GET", url, {})).status == 200
        assert archive.download(url, tmp_path / "a.part", guard=HERE).size == 2
    assert canary.visits() == []


def test_a_refusal_holds_the_host_alone() -> None:
    with pytest.raises(Refused) as caught:
        NOBODY.connect("127.0.0.1", 80, 1)
    assert str(caught.value) == f"“127.0.0.1” is not on the public internet. {HOW_TO_ALLOW}"
    with pytest.raises(Refused) as caught:
        check_url("https://user:word@media.example.com/?signature=secret")
    assert "word" not in str(caught.value)
