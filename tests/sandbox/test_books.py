"""The books: money, turns, and what several threads and processes do to them."""

import sqlite3
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generations.sandbox.books import Books, Overdrawn
from generations.sandbox.tasks import Phase, Task

from .test_tasks import TASK

BEFORE, RUNNING, AFTER = 1000.5, 1005.0, 1500.0


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path / "books.sqlite3", opening_balance=300)


def numbered(number: int, **changes: Any) -> Task:
    return replace(TASK, id=f"{number:018}", created_at=1000.0 + number / 1000, starts_at=0, ends_at=0, **changes)


def standing(books: Books, now: float) -> tuple[int, int, int]:
    account = books.account("vidu", "sandbox-a", now)
    return (account.charged, account.held, account.balance)


def test_a_quote_is_held_then_charged(books: Books) -> None:
    task = books.accept(numbered(1))
    assert standing(books, RUNNING) == (0, 55, 245)
    assert standing(books, AFTER) == (0, 55, 245)  # late, but its clip does not exist yet
    books.clip_ready(task.id, RUNNING)
    assert standing(books, RUNNING) == (0, 55, 245)
    assert standing(books, AFTER) == (55, 0, 245)


@pytest.mark.parametrize("failure", ["", "CreationPolicyViolation"])
def test_a_failure_costs_nothing(books: Books, failure: str) -> None:
    books.accept(numbered(1, failure=failure))
    assert standing(books, RUNNING) == (0, 55, 245)
    assert standing(books, AFTER) == (0, 0, 300)


def test_a_broken_clip_is_a_failure(books: Books) -> None:
    task = books.accept(numbered(1))
    books.clip_broken(task.id, "InternalServiceFailure")
    assert standing(books, AFTER) == (0, 0, 300)
    assert books.next_to_shoot(AFTER) is None


def test_the_balance_is_the_limit(books: Books) -> None:
    for number in range(5):
        books.accept(numbered(number))
    with pytest.raises(Overdrawn):
        books.accept(numbered(9))
    assert books.get(numbered(9).id) is None
    books.accept(replace(numbered(10), account="sandbox-b"))


def test_cancelling_frees_money_and_turn(books: Books) -> None:
    tasks = [books.accept(numbered(number, quote=1)) for number in range(12)]
    assert tasks[10].starts_at > tasks[5].starts_at
    assert books.cancel(tasks[5].id, BEFORE)
    assert standing(books, BEFORE)[1] == 11
    moved = books.get(tasks[6].id)
    assert moved is not None
    assert moved.starts_at == pytest.approx(tasks[5].starts_at)
    assert moved.ends_at == pytest.approx(moved.starts_at + moved.work_s)


def test_only_what_has_not_started_can_be_cancelled_and_only_once(books: Books) -> None:
    task = books.accept(numbered(1))
    assert not books.cancel(task.id, task.starts_at)
    assert not books.cancel("404", BEFORE)
    assert books.cancel(task.id, BEFORE)
    assert not books.cancel(task.id, BEFORE)
    cancelled = books.get(task.id)
    assert cancelled is not None
    assert cancelled.phase(AFTER) is Phase.FAILED


def test_newest_first_within_the_span(books: Books) -> None:
    books.opening_balance = 10**6
    for number in range(450):
        books.accept(numbered(number, quote=0))
    books.accept(replace(numbered(451), account="sandbox-b"))
    found = [int(task.id) for task in books.newest_first("vidu", "sandbox-a", 1000.0, 2000.0)]
    assert found == list(range(449, -1, -1))
    some = books.newest_first("vidu", "sandbox-a", numbered(3).created_at, numbered(5).created_at)
    assert [int(task.id) for task in some] == [5, 4, 3]


def test_equal_times_are_all_found(books: Books) -> None:
    books.opening_balance = 10**6
    for number in range(405):
        books.accept(replace(numbered(number, quote=0), created_at=1000.0))
    assert len(list(books.newest_first("vidu", "sandbox-a", 1000.0, 1000.0))) == 405


def test_the_studio_gets_the_earliest_started(books: Books) -> None:
    first, second = books.accept(numbered(1)), books.accept(numbered(2))
    books.accept(numbered(3, failure=""))
    assert books.next_to_shoot(BEFORE) is None
    assert books.next_to_shoot(AFTER) == first
    books.clip_ready(first.id, AFTER)
    assert books.next_to_shoot(AFTER) == second
    books.clip_ready(second.id, AFTER)
    assert books.next_to_shoot(AFTER) is None


def test_early_looks_are_counted_by_task(books: Books) -> None:
    one, two = books.accept(numbered(1)), books.accept(numbered(2))
    other = books.accept(replace(numbered(3), account="sandbox-b"))
    for moment in (1000.0, 1029.9, 1059.95, 1060.0):
        books.look(one.id, moment, patience_s=30)
    books.look(two.id, 1000.0, patience_s=30)
    for moment in (1000.0, 1001.0):
        books.look(other.id, moment, patience_s=30)
    pages = books.summary(BEFORE)["vidu"]
    assert (pages["sandbox-a"]["early_polls"], pages["sandbox-b"]["early_polls"]) == (2, 1)
    books.reset()
    again = books.accept(numbered(1))
    books.look(again.id, 1060.1, patience_s=30)
    assert books.summary(BEFORE)["vidu"]["sandbox-a"]["early_polls"] == 0


def test_an_opening_balance_counts_in_the_vendors_unit(tmp_path: Path) -> None:
    books = Books(tmp_path / "other.sqlite3", opening_balance=300, units={"vtrix": 50})
    assert books.account("vidu", "sandbox-a", BEFORE).balance == 300
    assert books.account("vtrix", "sandbox-a", BEFORE).balance == 15_000
    with pytest.raises(Overdrawn):
        books.accept(replace(numbered(1), vendor="vtrix", quote=15_001))
    books.accept(replace(numbered(1), vendor="vtrix", quote=15_000))


def test_marks_are_made_once(books: Books) -> None:
    assert [books.first_time("a"), books.first_time("a"), books.first_time("b")] == [True, False, True]


def test_everything_outlives_the_process(books: Books) -> None:
    task = books.accept(numbered(1))
    books.count("vidu", "sandbox-a", "create")
    books.first_time("a")
    again = Books(books.path, opening_balance=300)
    assert again.get(task.id) == task
    assert again.summary(AFTER) == books.summary(AFTER)
    assert again.summary(AFTER)["vidu"]["sandbox-a"]["requests"] == {"create": 1}
    assert not again.first_time("a")


def test_reset_forgets(books: Books) -> None:
    books.accept(numbered(1))
    books.count("vidu", "sandbox-a", "create")
    books.first_time("a")
    books.reset()
    assert books.summary(AFTER) == {}
    assert books.first_time("a")


def test_many_threads_lose_nothing_and_never_overdraw(books: Books) -> None:
    refused: list[int] = []

    def buy(number: int) -> None:
        for turn in range(4):
            books.count("vidu", "sandbox-a", "create")
            try:
                books.accept(numbered(10 * number + turn))
            except Overdrawn:
                refused.append(number)

    threads = [threading.Thread(target=buy, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = books.summary(BEFORE)["vidu"]["sandbox-a"]
    assert page["requests"] == {"create": 32}
    assert (len(page["tasks"]), len(refused), page["balance"]) == (5, 27, 25)


def test_a_failed_write_leaves_no_lock(books: Books) -> None:
    books.accept(numbered(1))
    with pytest.raises(sqlite3.IntegrityError):
        books.accept(numbered(1))
    books.accept(numbered(2))
    assert standing(books, RUNNING) == (0, 110, 190)
