"""What happens to the house, and when: a timetable drawn from a seed, worked off by one loop."""

import bisect
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .decider import Decider
from .house import ChaosHouse
from .orders import orders

FAULTS = {
    "create": {
        "429": 0.06, "500_before": 0.06, "500_after": 0.06, "drop_after": 0.06, "hang": 0.04, "html_after": 0.05,
        "cut_after": 0.05,
    },
    "read": {"429": 0.06, "500": 0.06, "hang": 0.02, "html": 0.05, "cut": 0.05},
    "media": {"cut": 0.15, "expired": 0.2, "norange": 0.2, "slow": 0.08},
    "callback": {"lose": 0.2, "late": 0.2, "forge": 0.3, "replay": 0.3},
}  # fmt: skip
DECIDE_EVERY = 3.0
FULL_DISK = "The disk is full"
FULL_AT_MOST_S = 40.0
MOST_MAKE_UPS, MAKE_UP_S = 12, 15.0
MADE_NOW = "SELECT count(*) FROM generations_task WHERE state IN ('queued', 'processing')"
A_PRESS = 10
LATER = object()
OPEN = """SELECT (SELECT count(*) FROM generations_task WHERE state IN
        ('waiting', 'submitting', 'uncertain', 'queued', 'processing', 'archiving')),
    (SELECT count(*) FROM generations_attempt WHERE state IN ('claimed', 'sent')),
    (SELECT count(*) FROM generations_creation WHERE state = 'pending')"""


@dataclass(frozen=True)
class Size:
    """How much of everything. ``seconds``: while faults and kills go on; ``patience``: until all must be done.

    ``must_happen``: areas of which every kind of fault must have been done, or the storm was none.
    """

    tasks: int
    seconds: float
    single_kills: int
    cluster_kills: int
    house_kills: int
    full_disks: int
    patience: float
    hang_s: float
    must_happen: tuple[str, ...] = ("create",)


SHORT = Size(40, 55, 8, 1, 1, 1, 150, 4)
FULL = Size(200, 420, 40, 6, 2, 3, 900, 12, tuple(FAULTS))


@dataclass
class Storm:
    house: ChaosHouse
    size: Size
    pictures: list[Path]
    seed: int = 1
    kills: dict[str, int] = field(default_factory=dict)
    silence: float = 0.0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.decider = Decider(self.house)
        self.decide_at = 0.0
        self.met_before, self.full_since = 0, 0.0

    def blow(self) -> None:
        """Everything at once, until the timetable is done; then calm, until nothing is open."""
        started = time.monotonic()
        self.house.faults({"seed": self.seed, "hang_s": self.size.hang_s, **FAULTS})
        todo = sorted(self._timetable(), key=lambda entry: entry[0])
        while todo:
            assert time.monotonic() < started + 2 * self.size.seconds, f"still to be done: {todo}"
            self._one_moment()
            if time.monotonic() - started >= todo[0][0]:
                at, act = todo.pop(0)
                if act() is LATER:
                    bisect.insort(todo, (at + 2, act), key=lambda entry: entry[0])
        self._make_up_for_chance()
        self.house.faults({"seed": self.seed})
        self._wait_for_calm()
        self.seconds = time.monotonic() - started

    # -- the timetable

    def _timetable(self) -> Iterator[tuple[float, Callable[[], object]]]:
        size = self.size
        placed = list(orders(size.tasks, self.pictures, self.seed))
        presses = [placed[start : start + A_PRESS] for start in range(0, len(placed), A_PRESS)]
        for number, press in enumerate(presses):
            yield size.seconds * 0.7 * number / len(presses), self._press(press, number == 0)
        for at in self._moments(size.single_kills):
            yield at, self._kill_one
        for at in self._moments(size.cluster_kills):
            yield at, self._kill_cluster
        for at in self._moments(size.house_kills):
            yield at, self._kill_house
        for number in range(size.full_disks):
            at = size.seconds * (0.35 + 0.5 * number / size.full_disks)
            yield at, self._fill_disk
            yield at + max(5.0, size.seconds * 0.06), self._clear_disk

    def _moments(self, number: int) -> list[float]:
        """Spread over the storm, not at its very start."""
        share = self.size.seconds * 0.9 / max(1, number)
        return [self.size.seconds * 0.1 + share * (place + self.dice.random()) for place in range(number)]

    def _press(self, press: list[list[str]], first: bool) -> Callable[[], object]:
        def order() -> object:
            # Uploads are refused while the disk is full; people try again.
            return LATER if self.house.disk.is_full else self.house.order(press, at_once=8 if first else 0)

        return order

    def _kill_one(self) -> object:
        return self._count("single", self.house.kill_one(self.dice))

    def _kill_cluster(self) -> object:
        return self._count("cluster", self.house.kill_cluster())

    def _kill_house(self) -> object:
        self.house.kill_all()
        self.house.start()
        return self._count("house", True)

    def missed(self) -> set[str]:
        """Faults that must happen and did not yet."""
        done = self.house.faults_done()
        return {f"{area}.{kind}" for area in self.size.must_happen for kind in FAULTS[area]} - set(done)

    def _make_up_for_chance(self) -> None:
        """So few creates as the short form has need not meet every kind of fault: what is missing is had by order."""
        for number in range(MOST_MAKE_UPS):
            missing = self.missed()
            if not missing:
                return
            area, kind = sorted(missing)[0].split(".")
            self.house.faults({"seed": self.seed, "hang_s": self.size.hang_s, area: {kind: 1.0}})
            if not self.house.disk.is_full:
                self.house.order(list(orders(1, self.pictures, 1000 * self.seed + number)))
            end = time.monotonic() + MAKE_UP_S
            while f"{area}.{kind}" in self.missed() and time.monotonic() < end:
                self._one_moment()

    def _fill_disk(self) -> object:
        """While the vendors make something: else no copy would ever meet it, for nobody can order meanwhile."""
        if self.house.rows(MADE_NOW)[0][0] < 2:
            return LATER
        self.met_before, self.full_since = self.house.said(FULL_DISK), time.monotonic()
        self.house.disk.fill()
        return None

    def _clear_disk(self) -> object:
        """Not before a copy has met it: a slow machine may make none in those seconds."""
        if not self.full_since:
            return LATER  # it is not full yet
        waited = time.monotonic() - self.full_since
        if self.house.said(FULL_DISK) == self.met_before and waited < FULL_AT_MOST_S:
            return LATER
        self.house.disk.clear()
        self.full_since = 0.0
        return None

    def _count(self, kind: str, done: bool) -> object:
        """A part that is just being started again cannot be killed yet."""
        self.kills[kind] = self.kills.get(kind, 0) + done
        return None if done else LATER

    # -- one moment

    def _one_moment(self) -> None:
        self.silence = max(self.silence, self.house.silence())
        if time.monotonic() >= self.decide_at:
            self.decider.look_after()
            self.decide_at = time.monotonic() + DECIDE_EVERY
        time.sleep(0.2)

    def _wait_for_calm(self) -> None:
        end = time.monotonic() + self.size.patience
        while any(now_open := (*self.house.rows(OPEN)[0], len(self.house.parts()))):
            assert time.monotonic() < end, f"still open (tasks, attempts, creations, parts): {now_open}"
            self._one_moment()
