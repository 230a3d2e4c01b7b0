"""How often somebody may try something in a span of time, counted in the cache that all processes share.

A try takes one of so many places. ``add`` gives a place to one of several that come at the same moment, and it is free
again when the span is over: so tries sent at once are no way around.
"""

import hashlib
import time
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from django.core.cache import cache


class Locked(Exception):
    """Too many tries. ``free_at`` in seconds since 1970."""

    def __init__(self, free_at: float) -> None:
        super().__init__()
        self.free_at = free_at

    @property
    def seconds(self) -> int:
        """Until another try is listened to, at least one."""
        return max(1, int(self.free_at - time.time()))

    @property
    def minutes(self) -> int:
        return -(-self.seconds // 60)


@dataclass(frozen=True)
class Limit:
    name: str
    tries: int
    seconds: int

    def take(self, whose: str) -> str:
        """A place for one try, to be given back where it is not to count. Raises Locked."""
        places, free_at = self._places(whose), time.time() + self.seconds
        held = cache.get_many(places)
        for place in places:
            if place not in held and cache.add(place, free_at, self.seconds):
                return place
        raise Locked(min(held.values(), default=free_at))

    def _places(self, whose: str) -> list[str]:
        """Names and addresses are told apart from whatever stands in them, and fit a key whatever they are."""
        hidden = hashlib.sha256(whose.encode()).hexdigest()[:32]
        return [f"tries-{self.name}-{hidden}-{number}" for number in range(self.tries)]


# What one person may do here however much is theirs to spend: far above what hands do, below what a loop does.
PRESSES = Limit("press", 40, 60)
UPLOADS = Limit("upload", 120, 600)


def give_back(*places: str) -> None:
    cache.delete_many(places)


def neighbourhood(address: str | None) -> str:
    """A whole /64 of IPv6 is one: whoever has an address there has them all."""
    try:
        known = ip_address(address or "")
    except ValueError:
        return "unknown"
    return f"{int(known) >> 64:x}::" if isinstance(known, IPv6Address) else str(known)
