"""Nothing lost, nothing paid twice, whatever dies."""

from pathlib import Path

import pytest

from tests.factories import picture_bytes

from .house import ChaosHouse
from .reckoning import Reckoning
from .storm import FULL, FULL_DISK, SHORT, Size, Storm

EVENTS = "SELECT count(DISTINCT task_id) FROM generations_taskevent WHERE kind = ?"
ADOPTED = """SELECT count(*) FROM generations_attempt a WHERE a.remote_id != '' AND EXISTS
    (SELECT 1 FROM generations_taskevent e WHERE e.task_id = a.task_id AND e.kind = 'uncertain')"""


@pytest.mark.chaos
def test_a_long_storm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    through(FULL, 11, tmp_path, capsys)


@pytest.mark.chaos_short
def test_a_short_storm(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    through(SHORT, 27, tmp_path, capsys)


def through(size: Size, seed: int, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = [folder / "first.jpg", folder / "last.png"]
    pictures[0].write_bytes(picture_bytes(640, 360))
    pictures[1].write_bytes(picture_bytes(640, 360, colour="#223344", fmt="PNG"))
    house = ChaosHouse()
    try:
        house.start()
        storm = Storm(house, size, pictures, seed)
        storm.blow()
        found = Reckoning(house)
        found.check()
        with capsys.disabled():
            print(table(storm, found))  # noqa: T201
        assert not found.wrong, "\n".join(found.wrong)
        assert (storm.kills["single"], storm.kills["cluster"], storm.kills["house"]) == (
            size.single_kills,
            size.cluster_kills,
            size.house_kills,
        )
        assert house.said(FULL_DISK), "the disk was full, and no copy noticed"
        done = house.faults_done()
        assert not storm.missed(), done
    finally:
        house.remember(folder)
        house.close()


def table(storm: Storm, found: Reckoning) -> str:
    house, decided = storm.house, storm.decider.decided
    states = [task.state for task in found.tasks.values()]
    known = sum(bool(each.remote_id) for each in found.attempts)
    lost = house.rows(EVENTS, "uncertain")[0][0]
    adopted = house.rows(ADOPTED)[0][0]
    charges = ", ".join(f"{vendor} {found.charges(vendor).normalize():f}" for vendor in found.books)
    faults = ", ".join(f"{kind} {times}" for kind, times in sorted(house.faults_done().items()))
    lines = {
        "tasks": f"{len(states)}: {states.count('succeeded')} ready, {states.count('failed')} failed",
        "attempts": f"{len(found.attempts)}",
        "creates accepted": f"{len(found.booked)}, known by attempts {known}",
        "answers lost": f"{lost} tasks; found by itself {adopted - decided.get('exists', 0)}",
        "decided by a person": ", ".join(f"{kind} {n}" for kind, n in sorted(decided.items())) or "none",
        "archived": f"{sum(state == 'stored' for _, state, _, _ in found.creations)}",
        "charges": charges,
        "kills": ", ".join(f"{kind} {times}" for kind, times in storm.kills.items()),
        "faults": faults,
        "met a full disk": f"{house.said(FULL_DISK)} copies ({'a real one' if house.disk.is_real else 'a stand-in'})",
        "longest silence": f"{storm.silence:.0f} s",
        "took": f"{storm.seconds:.0f} s",
        "wrong": f"{len(found.wrong)}",
    }
    return "\n" + "\n".join(f"{name:<20} {value}" for name, value in lines.items())
