"""How often a password may be wrong, and from when on another try is listened to.

Three limits at once. Of one name from one address: what a person who mistypes meets. It is counted for the pair, so
that nobody is locked out by what a stranger tries elsewhere. Of one address, whatever the name: who goes through many
names. Of one name from everywhere: many machines together. That last one could lock its owner out too, so it is far
above what one machine reaches under the first; passkeys and single sign-on are not counted and go on working.

A try takes a place before the password is looked at, and gives it back when it was right.
"""

from collections.abc import Iterator

from generations.limits import Limit, Locked, give_back, neighbourhood

__all__ = ["Limit", "Locked", "give_back", "take"]
MINUTE, HOUR = 60, 3600
PAIR = Limit("pair", 5, 5 * MINUTE)
ADDRESS = Limit("address", 30, 5 * MINUTE)
NAME = Limit("name", 300, HOUR)  # one address gets no further than 60 under PAIR


def take(name: str, address: str) -> list[str]:
    """The places of one try, to be given back if it was right. Raises Locked, and none is taken then."""
    taken: list[str] = []
    # By way of capitals, as PostgreSQL compares names: "ſ" and "ı" are then "s" and "i", which lower() leaves alone.
    for limit, whose in _limits(name.strip().upper().lower(), neighbourhood(address)):
        try:
            taken.append(limit.take(whose))
        except Locked:
            give_back(*taken)
            raise
    return taken


def _limits(name: str, address: str) -> Iterator[tuple[Limit, str]]:
    yield PAIR, f"{address} {name}"
    yield ADDRESS, address
    yield NAME, name
