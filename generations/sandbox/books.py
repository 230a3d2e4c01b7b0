"""What outlives a restart: tasks, what they cost, how often each key asked. SQLite, safe for threads and processes."""

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from .tasks import Phase, Task, plan

OPENING_BALANCE = 10_000
"""Credits of a key that nobody has used yet; at a vendor with another unit, as many times what a credit is there."""

_NAMES = [column.name for column in fields(Task)]
_INSERT = f"INSERT INTO task ({', '.join(_NAMES)}) VALUES ({', '.join(':' + name for name in _NAMES)})"  # noqa: S608
_CHUNK = 200

_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS task (
    id TEXT PRIMARY KEY, vendor TEXT NOT NULL, account TEXT NOT NULL, creation_id TEXT NOT NULL, mode TEXT NOT NULL,
    model TEXT NOT NULL, prompt TEXT NOT NULL, duration INTEGER NOT NULL, resolution TEXT NOT NULL,
    aspect_ratio TEXT NOT NULL, audio INTEGER NOT NULL, seed INTEGER NOT NULL, payload TEXT NOT NULL,
    off_peak INTEGER NOT NULL, quote INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    pictures INTEGER NOT NULL, details TEXT NOT NULL, created_at REAL NOT NULL, wait_s REAL NOT NULL,
    work_s REAL NOT NULL, starts_at REAL NOT NULL, ends_at REAL NOT NULL, cancelled_at REAL, ready_at REAL,
    failure TEXT, glimpses INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS task_newest ON task (vendor, account, created_at DESC, id DESC);
CREATE INDEX IF NOT EXISTS task_to_shoot ON task (starts_at)
    WHERE ready_at IS NULL AND failure IS NULL AND cancelled_at IS NULL;
CREATE TABLE IF NOT EXISTS request_count (
    vendor TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL, times INTEGER NOT NULL,
    PRIMARY KEY (vendor, account, kind)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS once (mark TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tally (
    vendor TEXT NOT NULL, kind TEXT NOT NULL, times INTEGER NOT NULL, PRIMARY KEY (vendor, kind)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bell (
    task_id TEXT PRIMARY KEY, base_url TEXT NOT NULL, said TEXT NOT NULL, tries INTEGER NOT NULL,
    next_at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS look (task_id TEXT PRIMARY KEY, at REAL NOT NULL, early INTEGER NOT NULL) WITHOUT ROWID;
"""


class Overdrawn(Exception):
    """The account cannot pay for this task."""


@dataclass(frozen=True)
class Ring:
    """A task that is to be called back about: ``base_url`` is how its customer reached us, ``said`` the last state."""

    task_id: str
    base_url: str
    said: str
    tries: int


@dataclass(frozen=True)
class Account:
    """One key's standing in the vendor's unit: ``charged`` for finished tasks, ``held`` while they may still cost."""

    charged: int
    held: int
    running: int
    waiting: int
    balance: int


class Books:
    """The sandbox's only state. Every method is one short transaction; ``now`` is always seconds since 1970."""

    def __init__(
        self, path: Path, opening_balance: int = OPENING_BALANCE, units: Mapping[str, int] | None = None
    ) -> None:
        """``units``: vendor to units in a credit, where it is not one."""
        self.path = path
        self.opening_balance = opening_balance
        self.units = units or {}
        self._local = threading.local()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db().executescript(_SCHEMA)

    def _db(self) -> sqlite3.Connection:
        """One connection per thread: SQLite's own locking then does the rest."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self.path, timeout=20, isolation_level=None)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA synchronous = NORMAL")
            self._local.connection = connection
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        db = self._db()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")

    def _tasks(self, condition: str, *values: object) -> list[Task]:
        rows = self._db().execute(f"SELECT * FROM task WHERE {condition}", values)  # noqa: S608 - our own text
        return [Task(**dict(row)) for row in rows]

    # -- requests

    def count(self, vendor: str, account: str, kind: str) -> None:
        """Note one request of this kind."""
        self._db().execute(
            "INSERT INTO request_count VALUES (?, ?, ?, 1) "
            "ON CONFLICT (vendor, account, kind) DO UPDATE SET times = times + 1",
            (vendor, account, kind),
        )

    def first_time(self, mark: str) -> bool:
        """Whether this mark was never made before; makes it."""
        return self._db().execute("INSERT OR IGNORE INTO once VALUES (?)", (mark,)).rowcount == 1

    def marked(self, mark: str) -> bool:
        """Whether this mark was ever made."""
        return self._db().execute("SELECT 1 FROM once WHERE mark = ?", (mark,)).fetchone() is not None

    def note(self, name: str, value: str) -> None:
        """Keep a word under a name."""
        self._db().execute("INSERT OR REPLACE INTO note VALUES (?, ?)", (name, value))

    def noted(self, name: str) -> str:
        """The word kept under a name; empty when there is none."""
        found = self._db().execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def tally(self, vendor: str, kind: str) -> int:
        """Count one more of this kind; returns how many there are now."""
        found = self._db().execute(
            "INSERT INTO tally VALUES (?, ?, 1) ON CONFLICT (vendor, kind) DO UPDATE SET times = times + 1 "
            "RETURNING times",
            (vendor, kind),
        )
        return int(found.fetchall()[0][0])

    def tallies(self) -> dict[str, dict[str, int]]:
        """All counts, by vendor and kind."""
        result: dict[str, dict[str, int]] = {}
        for vendor, kind, times in self._db().execute("SELECT vendor, kind, times FROM tally ORDER BY vendor, kind"):
            result.setdefault(vendor, {})[kind] = times
        return result

    # -- tasks

    def accept(self, task: Task) -> Task:
        """Book a task, give it its turn and hold its quote.

        :raises Overdrawn: when the balance is smaller than the quote; nothing is booked then.
        """
        with self._writing() as db:
            if self._balance(task.vendor, task.account, task.created_at) < task.quote:
                raise Overdrawn
            planned = self._with_turn(task)
            db.execute(_INSERT, asdict(planned))
        return planned

    def _with_turn(self, task: Task) -> Task:
        busy = [other.ends_at for other in self._open(task.vendor, task.account, task.created_at)]
        slot = plan(busy, [task])[0]
        return replace(task, starts_at=slot.starts_at, ends_at=slot.ends_at)

    def _open(self, vendor: str, account: str, now: float) -> list[Task]:
        """Tasks that hold or wait for a slot, in order of creation."""
        return self._tasks(
            "vendor = ? AND account = ? AND ends_at > ? AND cancelled_at IS NULL AND NOT off_peak "
            "ORDER BY created_at, id",
            vendor,
            account,
            now,
        )

    def get(self, task_id: str) -> Task | None:
        """Any task by its id."""
        return next(iter(self._tasks("id = ?", task_id)), None)

    def newest_first(self, vendor: str, account: str, since: float, until: float) -> Iterator[Task]:
        """The account's tasks created in the closed span, newest first, read in portions."""
        edge, edge_id = until, "~"  # sorts behind every id
        while True:
            portion = self._tasks(
                "vendor = ? AND account = ? AND created_at >= ? AND (created_at, id) < (?, ?) "
                "ORDER BY created_at DESC, id DESC LIMIT ?",
                *(vendor, account, since, edge, edge_id, _CHUNK),
            )
            yield from portion
            if len(portion) < _CHUNK:
                return
            edge, edge_id = portion[-1].created_at, portion[-1].id

    def cancel(self, task_id: str, now: float) -> bool:
        """Cancel a task that has not started; those behind it move up. False when it is too late."""
        with self._writing() as db:
            changed = db.execute(
                "UPDATE task SET cancelled_at = ?1 WHERE id = ?2 AND starts_at > ?1 AND cancelled_at IS NULL",
                (now, task_id),
            ).rowcount
            task = self.get(task_id)
            if changed and task:
                self._move_up(task.vendor, task.account, now)
        return changed == 1

    def _move_up(self, vendor: str, account: str, now: float) -> None:
        tasks = self._open(vendor, account, now)
        running = [task.ends_at for task in tasks if task.starts_at <= now]
        for slot in plan(running, [task for task in tasks if task.starts_at > now]):
            self._db().execute(
                "UPDATE task SET starts_at = max(?, ?), ends_at = max(?, ?) + work_s WHERE id = ?",
                (slot.starts_at, now, slot.starts_at, now, slot.task_id),
            )

    def glimpse(self, task_id: str) -> None:
        """Note that somebody was shown, or tried, this task's links."""
        self._db().execute("UPDATE task SET glimpses = glimpses + 1 WHERE id = ?", (task_id,))

    def look(self, task_id: str, now: float, patience_s: float) -> None:
        """Note a query; one less than ``patience_s`` after the query before is counted as early."""
        self._db().execute(
            "INSERT INTO look VALUES (?1, ?2, 0) "
            "ON CONFLICT (task_id) DO UPDATE SET early = early + (?2 - at < ?3), at = ?2",
            (task_id, now, patience_s),
        )

    def _early_looks(self, vendor: str, account: str) -> int:
        found = self._db().execute(
            "SELECT coalesce(sum(early), 0) FROM look JOIN task ON task.id = task_id WHERE vendor = ? AND account = ?",
            (vendor, account),
        )
        return int(found.fetchone()[0])

    # -- the studio

    def next_to_shoot(self, now: float) -> Task | None:
        """The task that has waited longest for its clip."""
        condition = (
            "ready_at IS NULL AND failure IS NULL AND cancelled_at IS NULL AND starts_at <= ? ORDER BY starts_at"
        )
        return next(iter(self._tasks(f"{condition} LIMIT 1", now)), None)

    def clip_ready(self, task_id: str, now: float) -> None:
        """The clip is on disk."""
        self._db().execute("UPDATE task SET ready_at = ? WHERE id = ?", (now, task_id))

    def clip_broken(self, task_id: str, reason: str) -> None:
        """The clip could not be made: the task will end with this error name."""
        self._db().execute("UPDATE task SET failure = ? WHERE id = ?", (reason, task_id))

    # -- callbacks

    def hang_bell(self, task_id: str, base_url: str) -> None:
        """Note that somebody wants to be called back about a task."""
        self._db().execute("INSERT OR IGNORE INTO bell VALUES (?, ?, '', 0, 0)", (task_id, base_url))

    def bells(self, now: float) -> list[tuple[Ring, Task]]:
        """Started tasks about which there may be something to say."""
        rows = self._db().execute(
            "SELECT bell.*, task.* FROM bell JOIN task ON task.id = task_id "
            "WHERE next_at <= ?1 AND (starts_at <= ?1 OR cancelled_at IS NOT NULL) ORDER BY created_at",
            (now,),
        )
        found = [dict(row) for row in rows]
        return [
            (Ring(row["task_id"], row["base_url"], row["said"], row["tries"]), Task(**{n: row[n] for n in _NAMES}))
            for row in found
        ]

    def rang(self, task_id: str, said: str) -> None:
        """It was said, and there will be more."""
        self._db().execute("UPDATE bell SET said = ?, tries = 0 WHERE task_id = ?", (said, task_id))

    def ring_again(self, task_id: str, at: float) -> None:
        """It was not heard."""
        self._db().execute("UPDATE bell SET tries = tries + 1, next_at = ? WHERE task_id = ?", (at, task_id))

    def take_down_bell(self, task_id: str) -> None:
        """There is no more to say."""
        self._db().execute("DELETE FROM bell WHERE task_id = ?", (task_id,))

    # -- money

    def opening(self, vendor: str) -> int:
        """What an unused key has, in the vendor's own unit."""
        return self.opening_balance * self.units.get(vendor, 1)

    def account(self, vendor: str, account: str, now: float) -> Account:
        """The standing of one key."""
        charged, held, running, waiting = self._totals(vendor, account, now)
        return Account(charged, held, running, waiting, self.opening(vendor) - charged - held)

    def _balance(self, vendor: str, account: str, now: float) -> int:
        return self.account(vendor, account, now).balance

    def _totals(self, vendor: str, account: str, now: float) -> tuple[int, int, int, int]:
        """Charged, held, running, waiting; the conditions are those of ``Task.phase``.

        A quote is held from the create on and given back when the task fails [inferred: failed tasks are refunded].
        """
        row = (
            self._db()
            .execute(
                """SELECT coalesce(sum(quote) FILTER (WHERE ends_at <= ?1 AND failure IS NULL AND ready_at NOTNULL), 0),
                coalesce(sum(quote) FILTER (WHERE ends_at > ?1 OR (failure IS NULL AND ready_at IS NULL)), 0),
                count(*) FILTER (WHERE starts_at <= ?1 AND (ends_at > ?1 OR (failure IS NULL AND ready_at IS NULL))),
                count(*) FILTER (WHERE starts_at > ?1)
                FROM task WHERE vendor = ?2 AND account = ?3 AND cancelled_at IS NULL""",
                (now, vendor, account),
            )
            .fetchone()
        )
        return (row[0], row[1], row[2], row[3])

    # -- for tests

    def summary(self, now: float) -> dict[str, dict[str, dict[str, Any]]]:
        """Everything, by vendor and key."""
        seen = self._db().execute(
            "SELECT vendor, account FROM request_count UNION SELECT vendor, account FROM task ORDER BY 1, 2"
        )
        result: dict[str, dict[str, dict[str, Any]]] = {}
        for vendor, account in seen.fetchall():
            result.setdefault(vendor, {})[account] = self._page(vendor, account, now)
        return result

    def _page(self, vendor: str, account: str, now: float) -> dict[str, Any]:
        standing = self.account(vendor, account, now)
        counts = self._db().execute(
            "SELECT kind, times FROM request_count WHERE vendor = ? AND account = ?", (vendor, account)
        )
        tasks = self._tasks("vendor = ? AND account = ? ORDER BY created_at, id", vendor, account)
        return {
            "charged": standing.charged,
            "held": standing.held,
            "balance": standing.balance,
            "requests": dict(tuple(row) for row in counts),
            "early_polls": self._early_looks(vendor, account),
            "tasks": [_line(task, now) for task in tasks],
        }

    def tamper(self, vendor: str, task_id: str, amount: int) -> bool:
        """Change what a task cost behind everybody's back. False when there is none."""
        changed = self._db().execute("UPDATE task SET quote = ? WHERE vendor = ? AND id = ?", (amount, vendor, task_id))
        return changed.rowcount == 1

    def reset(self) -> None:
        """Forget everything."""
        with self._writing() as db:
            for table in ("task", "request_count", "once", "look", "note", "tally", "bell"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - our own text


def _line(task: Task, now: float) -> dict[str, Any]:
    phase = task.phase(now)
    return {
        "id": task.id,
        "phase": phase.value,
        "quote": task.quote,
        "charged": task.quote if phase is Phase.DONE else 0,
        "failure": task.failure,
        "cancelled": task.cancelled_at is not None,
        "mode": task.mode,
        "model": task.model,
        "prompt": task.prompt,
        "payload": task.payload,
        "created_at": task.created_at,
    }
