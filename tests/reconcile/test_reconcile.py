"""A house that buys at five vendors, and a stranger with one of its keys: every credit is explained, or named.

``RECONCILE_TASKS`` says how many tasks; 500 take some minutes.
"""

import os
import re
import time
from collections.abc import Iterator

import pytest

from tests.chaos.decider import Decider
from tests.chaos.orders import VENDORS, _order
from tests.house import wait_for

from .house import BooksHouse

pytestmark = pytest.mark.route

TASKS = int(os.environ.get("RECONCILE_TASKS", "100"))
STRANGERS = 20
CANCELLED = 6
PATIENCE = 90 + TASKS
WORDS = {3: "[fail] ", 8: "[lost] ", 13: "[violation] ", 18: "[lost500] ", 23: "[crash] "}  # of each 25 at a vendor
OPEN = """SELECT count(*) FROM generations_task WHERE state IN
    ('waiting', 'submitting', 'uncertain', 'queued', 'processing', 'archiving')"""
MADE_FOR_MONEY = """SELECT a.remote_id FROM generations_attempt a JOIN generations_task t ON t.attempt_id = a.id
    WHERE t.provider = ? AND t.state = 'succeeded' ORDER BY a.id LIMIT 1"""
DIFFERENCE = "SELECT id, run_id FROM generations_difference WHERE remote_id = ? AND state = 'open'"
STATES = "SELECT provider, state, count(*) FROM generations_task GROUP BY 1, 2"
HAPPENED = "SELECT count(DISTINCT task_id) FROM generations_taskevent WHERE kind = ?"


@pytest.fixture
def house() -> Iterator[BooksHouse]:
    opened = BooksHouse()
    try:
        opened.start()
        yield opened
    finally:
        opened.close()


def orders() -> list[list[str]]:
    """Every fifth at each vendor, one in five of them with a trouble of its own."""
    placed = []
    for place in range(TASKS):
        vendor, number = list(VENDORS)[place % 5], place // 5
        prompt = f"{WORDS.get(number % 25, '')}Scene {place}: 纸船"
        placed.append(_order(vendor, "text2video", ("demo", "mei", "tom")[place % 3], prompt, 1, []))
    return placed


def cancel_some(house: BooksHouse, placed: list[list[str]]) -> None:
    """The latest at Vidu: some still wait with us, some with the vendor."""
    for (task_id,) in placed[-1 : -1 - 5 * CANCELLED : -1]:
        house.post(f"/tasks/{task_id}/cancel/", {})


def all_done(house: BooksHouse) -> None:
    decider = Decider(house)  # type: ignore[arg-type]
    end = time.monotonic() + PATIENCE
    try:
        while house.rows(OPEN)[0][0]:
            assert time.monotonic() < end, house.rows(
                "SELECT provider, state, count(*) FROM generations_task GROUP BY 1, 2"
            )
            decider.look_after()
            time.sleep(1)
    finally:
        decider.close()


def phases(house: BooksHouse) -> set[str]:
    return {task["phase"] for account in house.vendors()["vidu"].values() for task in account["tasks"]}


def test_every_credit_is_explained_or_named(house: BooksHouse, capsys: pytest.CaptureFixture[str]) -> None:
    house.sign_in()
    placed = house.order(orders(), at_once=12)
    cancel_some(house, placed)
    strangers = {house.make_elsewhere(f"A stranger's boat {number}") for number in range(STRANGERS)}
    all_done(house)
    wait_for(lambda: phases(house) <= {"done", "failed"}, PATIENCE, 1, "the strangers' clips")
    assert house.rows(HAPPENED, "uncertain")[0][0] >= 5, "some answers were lost"
    assert house.rows(HAPPENED, "cancelled")[0][0] >= 1

    # It names the twenty, and nothing else.
    started = time.monotonic()
    first = house.reconcile()
    took = time.monotonic() - started
    assert first.returncode == 1, first.stdout + first.stderr
    assert set(re.findall(r"Not made here: (\d+) ", first.stdout)) == strangers
    assert "Amount differs" not in first.stdout
    assert "Not in the vendor's list" not in first.stdout
    assert "4 of 5 keys explained" in first.stdout
    assert first.stdout.count("Full list not available") == 4

    # They are accepted, and everything is explained: our books are the vendors' to the last credit.
    (run,) = house.rows("SELECT max(run_id) FROM generations_difference WHERE kind = 'theirs'")[0]
    shown = house.shown(f"/reconciliation/{run}/", "accept")
    assert house.post(f"/reconciliation/{run}/accept/", {"shown": shown}).status_code == 302
    second = house.reconcile()
    assert second.returncode == 0, second.stdout + second.stderr
    sums = {vendor: (house.booked(vendor), house.charged(vendor)) for vendor in VENDORS}
    assert all(ours == theirs for ours, theirs in sums.values()), sums
    with capsys.disabled():
        print(f"\n{TASKS} tasks, {STRANGERS} strangers, compared in {took:.1f} s\n{first.stdout}\n{second.stdout}")  # noqa: T201

    # One amount changes at a vendor that lists, one at a vendor that is asked: both are named.
    changed = {}
    for vendor, amount in (("vidu", 777), ("vtrix", 4321)):
        changed[vendor] = house.rows(MADE_FOR_MONEY, vendor)[0][0]
        house.tamper(vendor, changed[vendor], amount)
    third = house.reconcile()
    assert third.returncode == 1
    told = re.findall(r"Amount differs: (\w+) .*The vendor says ([\d.]+) ", third.stdout)
    assert sorted(told) == sorted([(changed["vidu"], "777"), (changed["vtrix"], "0.4321")]), third.stdout

    # The vendor's word is booked, and that is explained too.
    for remote_id in changed.values():
        number, run = house.rows(DIFFERENCE, remote_id)[0]
        shown = house.shown(f"/reconciliation/{run}/", f"settle-{number}")
        fields = {"difference": str(number), "how": "book", "shown": shown}
        assert house.post(f"/reconciliation/{run}/settle/", fields).status_code == 302
    assert house.reconcile().returncode == 0
    assert house.booked("vidu") == house.charged("vidu")
    assert house.manage("totals").returncode == 0
