"""Our database against the vendors' own books: every difference is a sentence; none may be left."""

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .house import ChaosHouse

UNITS = {"vtrix": Decimal(10_000)}
"""In how many of the books' units ours is worth, where they differ."""
CARRIES_TOKEN = {"vidu", "dataeyes", "vtrix"}
ENDED = {"succeeded", "failed"}
TASKS = "SELECT id, provider, state, failure_code, prompt_text FROM generations_task"
ATTEMPTS = "SELECT id, task_id, provider, state, remote_id, token FROM generations_attempt"
CREATIONS = "SELECT task_id, state, sha256, file FROM generations_creation"
USAGE = "SELECT task_id, kind, amount, unit FROM generations_usageentry WHERE task_id IS NOT NULL"


@dataclass(frozen=True)
class Task:
    id: str
    provider: str
    state: str
    failure_code: str
    prompt: str


@dataclass(frozen=True)
class Attempt:
    id: int
    task_id: str
    provider: str
    state: str
    remote_id: str
    token: str


@dataclass
class Reckoning:
    """Reads everything once, then compares."""

    house: ChaosHouse
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tasks = {row[0]: Task(*row) for row in self.house.rows(TASKS)}
        self.attempts = [Attempt(*row) for row in self.house.rows(ATTEMPTS)]
        self.creations = self.house.rows(CREATIONS)
        self.usage: dict[str, list[tuple[str, Decimal, str]]] = defaultdict(list)
        for task_id, kind, amount, unit in self.house.rows(USAGE):
            self.usage[task_id].append((kind, Decimal(str(amount)), unit))
        self.books = self.house.vendors()
        self.booked: dict[tuple[str, str], dict[str, Any]] = {
            (vendor, task["id"]): task
            for vendor, accounts in self.books.items()
            for account in accounts.values()
            for task in account["tasks"]
        }

    def check(self) -> None:
        """Everything that must be true; ``wrong`` has what is not."""
        self._creates()
        self._outcomes()
        self._archive()
        self._nothing_stuck()
        self._money()
        done = self.house.manage("verify")
        self.expect(done.returncode == 0, f"verify says: {done.stdout}{done.stderr}")

    def expect(self, good: bool, sentence: str) -> None:
        if not good:
            self.wrong.append(sentence)

    # -- the parts

    def _creates(self) -> None:
        """Creates accepted = attempts that know them, each known once, one a task, and each by its own token."""
        known = Counter((each.provider, each.remote_id) for each in self.attempts if each.remote_id)
        for vendor, remote_id in self.booked.keys() - known.keys():
            self.expect(False, f"{vendor} made {remote_id}, and nobody knows it: {self.booked[vendor, remote_id]}")
        for vendor, remote_id in known.keys() - self.booked.keys():
            self.expect(False, f"{vendor} never made {remote_id}")
        for (vendor, remote_id), times in known.items():
            self.expect(times == 1, f"{vendor} {remote_id} is known by {times} attempts")
        of_task = Counter(each.task_id for each in self.attempts if each.remote_id)
        for task_id, times in of_task.items():
            self.expect(times == 1, f"task {task_id} was made {times} times")
        for each in self.attempts:
            made = self.booked.get((each.provider, each.remote_id))
            if made and each.provider in CARRIES_TOKEN:
                self.expect(made["payload"] == each.token, f"attempt {each.id} adopted a task of another token")
            if made:
                same = made["prompt"] == self.tasks[each.task_id].prompt
                self.expect(same, f"attempt {each.id} adopted a task of another prompt")

    def made(self, task: Task) -> dict[str, Any] | None:
        """What the vendor's books say of a task."""
        ids = [each.remote_id for each in self.attempts if each.task_id == task.id and each.remote_id]
        return self.booked.get((task.provider, ids[0])) if ids else None

    def _outcomes(self) -> None:
        """Ready where the vendor made it; failed only where the vendor failed, or never made it."""
        for task in self.tasks.values():
            made = self.made(task)
            self.expect(task.state in ENDED, f"task {task.id} at {task.provider} is {task.state}")
            if made is None:
                fair = task.failure_code == "not_created" or "[policy]" in task.prompt
                self.expect(task.state == "failed" and fair, f"never made, but {task.state}: {task}")
            else:
                should = {"done": "succeeded", "failed": "failed"}.get(made["phase"], made["phase"])
                self.expect(task.state == should, f"the vendor says {made['phase']}: {task}")

    def _archive(self) -> None:
        """Every clip here is, byte for byte, the one that the vendor made."""
        stored = {task_id: (sha256, file) for task_id, state, sha256, file in self.creations if state == "stored"}
        for task in self.tasks.values():
            if task.state != "succeeded":
                continue
            made, ours = self.made(task), stored.get(task.id)
            if made is None or ours is None:
                self.expect(False, f"ready without a stored clip: {task}")
                continue
            theirs = (self.house.data / "sandbox" / "clips" / f"{made['id']}.mp4").read_bytes()
            here = (self.house.data / "media" / ours[1]).read_bytes()
            sums = {hashlib.sha256(theirs).hexdigest(), hashlib.sha256(here).hexdigest(), ours[0]}
            self.expect(len(sums) == 1, f"another clip than the vendor's: {task}")

    def _nothing_stuck(self) -> None:
        for each in self.attempts:
            self.expect(each.state not in ("claimed", "sent"), f"attempt {each.id} is {each.state}")
        for task_id, state, _, _ in self.creations:
            self.expect(state == "stored", f"a creation of task {task_id} is {state}")
        left = self.house.parts()
        self.expect(not left, f"parts are left: {left}")

    def _money(self) -> None:
        """To the last credit, per task and per vendor; no hold is left."""
        for task in self.tasks.values():
            made = self.made(task)
            due = Decimal(made["charged"]) / UNITS.get(task.provider, Decimal(1)) if made else Decimal(0)
            self.expect(self.charged(task.id) == due, f"booked {self.charged(task.id)}, charged {due}: {task}")
            for unit in {unit for _, _, unit in self.usage[task.id]}:
                held = sum(a for kind, a, u in self.usage[task.id] if kind in ("reserve", "release") and u == unit)
                self.expect(held == 0, f"{held} {unit} still held: {task}")
        for vendor in self.books:
            ours, theirs = self.ledger(vendor), self.charges(vendor)
            self.expect(ours == theirs, f"{vendor}: our ledger says {ours}, its books {theirs}")

    def charged(self, task_id: str) -> Decimal:
        kinds = ("settle", "adjust", "refund")
        return sum((amount for kind, amount, _ in self.usage[task_id] if kind in kinds), Decimal(0))

    def ledger(self, vendor: str) -> Decimal:
        return sum((self.charged(task.id) for task in self.tasks.values() if task.provider == vendor), Decimal(0))

    def charges(self, vendor: str) -> Decimal:
        total = sum(account["charged"] for account in self.books[vendor].values())
        return Decimal(total) / UNITS.get(vendor, Decimal(1))
