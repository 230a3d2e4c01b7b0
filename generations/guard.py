"""Where our requests may go: to the public internet, and to what somebody of this house entered.

What counts is the address of the connection itself. A name is looked up once, what it answered is checked, and one of
those very addresses is connected to: a name that answers otherwise a moment later gains nothing, and neither does an
odd spelling, for the system's resolver reads them all. Knows nothing of tasks; standard library only.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

Network = IPv4Network | IPv6Network
Found = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]  # as ``socket.getaddrinfo`` gives it


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(each) for each in text.split())


# IANA's registries of special addresses. Python's own ``is_global`` differs from release to release.
NOT_PUBLIC = _networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24"
    " 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4"
    " 2001::/23 2001:db8::/32 2002::/16 3fff::/20"
)
PUBLIC_6 = IPv6Network("2000::/3")  # all of IPv6 that was ever given out
# Where cloud machines find their own credentials; one of them is a public address.
METADATA = _networks("100.100.100.200/32 168.63.129.16/32 192.0.0.192/32 fd00:ec2::254/128 fd20:ce::254/128")
# What no entry opens: metadata, this link, everybody, nobody, and the forms of IPv6 that carry another address along.
NEVER = METADATA + _networks(
    "0.0.0.0/8 169.254.0.0/16 224.0.0.0/4 240.0.0.0/4"
    " ::/128 ::ffff:0:0/96 64:ff9b::a9fe:0/112 2001::/32 2002::/16 fe80::/10 fec0::/10 ff00::/8"
)
WIDEST = {4: 8, 6: 7}  # the shortest prefix of a network that can be allowed: 10.0.0.0/8, fc00::/7
HOW_TO_ALLOW = "An administrator can allow it under “Allowed hosts”."


class Refused(OSError):
    """``str(error)`` is a sentence; of an address it holds the host alone."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    if any(address in network for network in (*NOT_PUBLIC, *METADATA)):
        return False
    return address.version == 4 or address in PUBLIC_6


def check_url(url: str) -> str:
    """The host of an address that can be asked at all: http or https, no user name, nothing odd. Raises Refused."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Refused("The address is none.") from None
    if parts.scheme not in ("http", "https"):
        raise Refused("The address is neither http:// nor https://.")
    if "@" in parts.netloc:
        raise Refused("The address has a user name in it.")
    # Programs differ in where they see the end of such a host, and a zone is of this machine alone.
    odd = any(ord(sign) <= 32 or sign in "\\%\x7f" for sign in parts.netloc)
    if odd or any(sign in url for sign in "\t\r\n\0") or not host or port == 0:
        raise Refused("The address has no usable host.")
    return host


class Guard:
    """Lets requests go to public addresses and to ``allowed``: names, *.names, addresses and networks.

    A name that is allowed may be anywhere but in ``NEVER``; an address or a network, whatever name leads there.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        self._names: set[str] = set()
        self._networks: list[Network] = []
        for entry in allowed:
            network = _network(entry)
            if network is None:
                self._names.add(_plain(entry))
            else:
                self._networks.append(network)

    def why_not(self, host: str, address: str) -> str:
        """Why a connection to this address of this host is not made, as a sentence; "" when it may be."""
        try:
            where = ip_address(address)
        except ValueError:
            return f"“{host}” has no usable address."
        if getattr(where, "scope_id", None) or any(where in network for network in NEVER):
            return f"“{host}” is at a place where no request may go."
        if is_public(where) or self._knows(host) or any(where in network for network in self._networks):
            return ""
        return f"“{host}” is not on the public internet. {HOW_TO_ALLOW}"

    def addresses_of(self, host: str, port: int) -> list[Found]:
        """Looked up once: what of it may be connected to, as it is. Raises OSError, Refused when there is nothing."""
        found: list[Found] = list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        said = [self.why_not(host, str(each[4][0])) for each in found]
        usable = [each for each, why in zip(found, said, strict=True) if not why]
        if not usable:
            raise Refused(next(iter(said), f"“{host}” has no address."))
        return usable

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """A connection, each try within ``seconds``. Raises OSError, Refused where the guard stands."""
        failure: OSError | None = None
        for family, kind, protocol, _, address in self.addresses_of(host, port):
            line = socket.socket(family, kind, protocol)
            try:
                line.settimeout(seconds)
                line.connect(address)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                line.close()
                failure = error
            else:
                return line
        raise failure or OSError("no address")

    def _knows(self, host: str) -> bool:
        name = _plain(host)
        labels = name.split(".")
        above = (f"*.{'.'.join(labels[place:])}" for place in range(1, len(labels)))
        return name in self._names or any(each in self._names for each in above)


def entry_of(text: str) -> str:
    """What somebody entered as an allowed host, in the one spelling that is kept.

    Raises ValueError with a word: "none" (no host, address or network), "wide" or "never".
    """
    entry = _plain(text.strip())
    network = _network(entry)
    if network is None:
        if not _is_name(entry.removeprefix("*.")):
            raise ValueError("none")
        return entry
    if network.prefixlen < WIDEST[network.version]:
        raise ValueError("wide")
    if any(network.version == each.version and network.subnet_of(each) for each in NEVER):  # type: ignore[arg-type]
        raise ValueError("never")
    whole = network.prefixlen == network.max_prefixlen
    return str(network.network_address if whole else network)


def _network(entry: str) -> Network | None:
    try:
        return ip_network(_plain(entry), strict=False)
    except ValueError:
        return None


def _plain(host: str) -> str:
    """One spelling of a name, as it stands in the name service."""
    host = host.strip("[]").rstrip(".").lower()
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host


def _is_name(text: str) -> bool:
    """A host name that is no number: the resolver would read 127.1 or 0x7f000001 as an address."""
    labels = text.split(".")
    letters = all(label and len(label) < 64 and label.strip("-") == label for label in labels)
    known = all(sign.isalnum() or sign in "-_." for sign in text)
    return letters and known and text.isascii() and not labels[-1][0].isdigit()
