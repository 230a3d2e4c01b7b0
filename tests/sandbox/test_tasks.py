"""The life of a task is a function of the time."""

from dataclasses import replace
from typing import Any

import pytest

from generations.sandbox.scenarios import SCENARIOS, words_in
from generations.sandbox.tasks import SLOTS, Phase, Task, jitter, plan

TASK = Task(
    id="100000000000000001",
    vendor="vidu",
    account="sandbox-a",
    creation_id="100000000000000008",
    mode="text2video",
    model="viduq3-turbo",
    prompt="A paper boat",
    duration=5,
    resolution="720p",
    aspect_ratio="16:9",
    audio=0,
    seed=1,
    payload="",
    off_peak=0,
    quote=55,
    width=128,
    height=72,
    pictures=0,
    details="{}",
    created_at=1000.0,
    wait_s=2.0,
    work_s=10.0,
    starts_at=1002.0,
    ends_at=1012.0,
)


@pytest.mark.parametrize(
    ("now", "changes", "phase", "progress", "price"),
    [
        (1000.1, {}, Phase.CREATED, 0, 55),
        (1001.0, {}, Phase.WAITING, 0, 55),
        (1002.0, {}, Phase.WORKING, 0, 55),
        (1007.0, {}, Phase.WORKING, 50, 55),
        (1012.0, {}, Phase.WORKING, 99, 55),  # nothing is done before its clip exists
        (1012.0, {"ready_at": 1005.0}, Phase.DONE, 100, 55),
        (1011.5, {"ready_at": 1005.0}, Phase.WORKING, 95, 55),
        (1012.0, {"failure": ""}, Phase.FAILED, 0, 0),
        (1011.0, {"failure": ""}, Phase.WORKING, 90, 55),
        (1001.0, {"cancelled_at": 1000.5}, Phase.FAILED, 0, 0),
    ],
)
def test_phases(now: float, changes: dict[str, Any], phase: Phase, progress: int, price: int) -> None:
    task = replace(TASK, **changes)
    assert (task.phase(now), task.progress(now), task.price(now)) == (phase, progress, price)


def waiting(number: int, **changes: Any) -> list[Task]:
    return [replace(TASK, id=str(place), created_at=1000.0 + place / 100, **changes) for place in range(number)]


def test_five_run_and_the_rest_queue_in_order() -> None:
    slots = plan([], waiting(12))
    starts = [slot.starts_at for slot in slots]
    assert starts == sorted(starts)
    assert starts[:SLOTS] == [1002.0, 1002.01, 1002.02, 1002.03, 1002.04]
    assert starts[SLOTS:10] == [slot.ends_at for slot in slots[:SLOTS]]
    for moment in (1003.0, 1013.0, 1023.0):
        assert sum(slot.starts_at <= moment < slot.ends_at for slot in slots) <= SLOTS


def test_a_slot_that_is_busy_longer_is_not_taken() -> None:
    assert plan([2000.0] * 4 + [1500.0], waiting(2))[0].starts_at == 1500.0
    assert plan([2000.0] * 4 + [1500.0], waiting(2))[1].starts_at == 1510.0


def test_off_peak_tasks_neither_wait_for_slots_nor_hold_them() -> None:
    assert plan([2000.0] * 5, waiting(1, off_peak=1))[0].starts_at == 1002.0
    tasks = [*waiting(5, off_peak=1), *waiting(1)]
    assert plan([], tasks)[-1].starts_at == 1002.0


def test_jitter_belongs_to_the_task() -> None:
    values = {jitter(str(number), "work", 5, 9) for number in range(50)}
    assert len(values) == 50
    assert all(5 <= value <= 9 for value in values)
    assert jitter("1", "work", 5, 9) == jitter("1", "work", 5, 9) != jitter("1", "wait", 5, 9)


def test_words() -> None:
    assert words_in("A boat [FAIL] and [slow]. [nonsense]") == {"fail", "slow"}
    assert words_in("policy failed; slow, empty [ fail ] [fail") == frozenset()
    assert all(words_in(f"x [{word.upper()}]") == {word} for word in SCENARIOS)
    assert all(sentence.endswith(".") for sentence in SCENARIOS.values())
