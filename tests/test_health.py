"""What is alive, what is stuck, what waits: every figure once, and who hears of it."""

import json
import os
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from generations import archive, health, jobs, leases
from generations.archive import storing
from generations.models import Attempt, Creation, Lease, Task, User
from generations.queue import enqueue
from tests.factories import make_asset, make_creation, make_key, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def beating(db: None) -> None:
    leases.seize(health.ACTIVE, "me", 60)
    jobs.pulse()


def ago(**parts: float) -> datetime:
    return timezone.now() - timedelta(**parts)


def queued_for(seconds: float) -> OrmQ:
    enqueue("pulse")
    job = OrmQ.objects.latest("id")
    OrmQ.objects.filter(pk=job.pk).update(lock=ago(seconds=seconds))
    return job


def test_all_is_well(client: Client, beating: None) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"ok": True, "troubles": [], "warnings": []})


def test_no_worker_is_a_trouble(client: Client, beating: None) -> None:
    Lease.objects.filter(key=health.PULSE).update(beat_at=ago(seconds=31))
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["troubles"] == ["worker silent"]


def test_the_queue_counts_what_nobody_fetched(beating: None) -> None:
    assert health.queue() == (0, None)
    fetched, older, _younger = (queued_for(seconds) for seconds in (500, 40, 3))
    OrmQ.objects.filter(pk=fetched.pk).update(lock=timezone.now() + timedelta(seconds=900))
    found = health.figures()
    older.refresh_from_db()
    assert (found.queued, found.oldest_queued_at) == (2, older.lock)
    assert 40 <= (found.oldest_queued_s or 0) < 50
    OrmQ.objects.all().delete()
    assert health.figures().oldest_queued_s is None


@pytest.mark.parametrize(("seconds", "status"), [(110, 200), (125, 503)])
def test_a_queue_that_does_not_move_is_a_trouble(client: Client, beating: None, seconds: int, status: int) -> None:
    queued_for(seconds)
    answer = client.get("/healthz")
    assert answer.status_code == status
    assert answer.json()["troubles"] == (["queue not moving"] if status == 503 else [])


def test_a_database_that_is_gone_is_a_trouble(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone() -> None:
        raise OperationalError("no such table: secrets")

    monkeypatch.setattr(health, "last_beat", gone)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["troubles"]) == (503, ["database not reachable"])


def test_media_that_cannot_be_written_are_a_trouble(client: Client, beating: None, own_media: Path) -> None:
    own_media.write_text("a file where the folder should be")
    assert client.get("/healthz").json()["troubles"] == ["media folder not writable"]


def test_a_full_disk_is_a_warning(client: Client, beating: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "KEEP_FREE_BYTES", 2**60)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["warnings"]) == (200, ["disk full"])


class TestStuck:
    def send(self, alice: User, attempt: str, claimed: float, sent: float | None) -> Task:
        task = make_task(alice, state="submitting", changed_at=ago(seconds=claimed))
        assert task.attempt
        task.attempt.state = attempt
        # The sweep wakes an attempt again and again, and moves this on each time.
        task.attempt.claimed_at = timezone.now()
        task.attempt.sent_at = ago(seconds=sent) if sent is not None else None
        task.attempt.save()
        return task

    @pytest.mark.parametrize(
        ("attempt", "claimed", "sent", "stuck"),
        [
            ("claimed", 50, None, False),
            ("claimed", 65, None, True),
            ("sent", 115, 110, False),
            ("sent", 300, 110, False),
            ("sent", 130, 125, True),
            ("refused", 50, 50, False),
            ("refused", 65, 65, True),
        ],
    )
    def test_claims_that_nothing_moves(
        self, alice: User, attempt: str, claimed: float, sent: float | None, stuck: bool
    ) -> None:
        task = self.send(alice, attempt, claimed, sent)
        assert list(health.stuck()) == ([task] if stuck else [])

    @pytest.mark.parametrize("state", ["claimed", "sent"])
    def test_attempts_that_nobody_holds(self, alice: User, state: str) -> None:
        task = make_task(alice, state="submitting")
        Attempt.objects.update(state=state)
        assert not health.stuck(), "young ones are at work"
        Attempt.objects.update(claimed_at=ago(minutes=10), sent_at=ago(minutes=10))
        assert list(health.stuck()) == [task]

    def test_a_task_without_any_attempt(self, alice: User) -> None:
        task = make_task(alice, state="waiting")
        Task.objects.update(state="submitting", changed_at=ago(seconds=65))
        assert list(health.stuck()) == [task]
        Task.objects.update(state="queued")
        assert not health.stuck()


def test_who_waits_for_a_person(alice: User) -> None:
    def unclear(provider: str, minutes: int) -> Task:
        key = make_key(f"{provider} {minutes}", secret=f"{provider}-{minutes}-no-secret", provider=provider)
        task = make_task(alice, key=key, state="uncertain")
        assert task.attempt
        task.attempt.sent_at = ago(minutes=minutes)
        task.attempt.save()
        return task

    unclear("vidu", 10)  # we look for it ourselves
    expected = [unclear("vidu", 70), unclear("vtrix", 1)]
    assert list(health.undecided().order_by("pk")) == expected


def test_what_is_asked_but_seldom_is_overdue(alice: User) -> None:
    seldom = make_task(alice, state="processing", submitted_at=ago(minutes=46))
    make_task(alice, state="processing", submitted_at=ago(minutes=44))
    make_task(alice, state="processing", submitted_at=ago(minutes=46), off_peak=True)
    make_task(alice, state="archiving", submitted_at=ago(minutes=46))
    assert list(health.overdue()) == [seldom]


def test_warnings_leave_it_at_200(client: Client, alice: User, beating: None) -> None:
    task = make_task(alice, state="archiving")
    make_creation(task, state="pending", deadline=ago(hours=-3), created_at=ago(minutes=11))
    make_task(alice, state="processing", submitted_at=ago(minutes=46))
    make_task(alice, state="submitting", changed_at=ago(minutes=10))
    Task.objects.get(state="submitting").attempts.update(state="claimed")
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["warnings"] == [
        "copies at risk: 1", "copies late: 1", "stuck claims: 1", "overdue at the vendor: 1",
    ]  # fmt: skip


def test_the_figures_add_up(alice: User, beating: None, django_assert_max_num_queries: Any) -> None:
    for state in ("waiting", "processing", "failed", "cancelled", "succeeded", "succeeded", "lost"):
        make_task(alice, state=state)
    near, far = (make_task(alice, state="archiving") for _ in range(2))
    first = make_creation(near, state="pending", deadline=ago(hours=-2))
    make_creation(far, state="pending", deadline=ago(hours=-20))
    with django_assert_max_num_queries(8):
        found = health.figures()
    assert (found.finished, found.archived, found.pending, found.lost) == (5, 2, 2, 1)
    assert (found.at_risk, found.next_deadline) == (1, first.deadline)
    assert (found.alive, found.stuck) == (True, 0)


def test_status_says_it_to_programs(alice: User, beating: None) -> None:
    queued_for(7)
    said = StringIO()
    call_command("status", json=True, stdout=said)
    found = json.loads(said.getvalue())
    assert set(found["worker"]) == {"alive", "last_beat", "queued", "oldest_queued_s", "stuck"}
    assert (found["worker"]["alive"], found["worker"]["queued"], found["worker"]["stuck"]) == (True, 1, 0)
    assert 7 <= found["worker"]["oldest_queued_s"] < 20
    call_command("status", stdout=said)
    assert "worker: alive True" in said.getvalue()


class TestVerify:
    @pytest.fixture
    def stored(self, alice: User) -> list[Creation]:
        make_asset(alice)
        found = []
        for content in (b"one", b"twotwo"):
            creation = make_creation(make_task(alice, state="succeeded"), content=content)
            creation.poster_sha256 = archive.sha256_of(default_storage, creation.poster.name)
            creation.save()
            found.append(creation)
        return found

    def verify(self) -> tuple[int, list[str]]:
        said = StringIO()
        try:
            call_command("verify", stdout=said)
        except SystemExit as end:
            return int(str(end.code)), said.getvalue().splitlines()
        return 0, said.getvalue().splitlines()

    def test_whole_files_are_counted(self, stored: list[Creation], own_media: Path) -> None:
        size = sum(file.stat().st_size for file in own_media.rglob("*") if file.is_file())
        assert self.verify() == (0, [f"5 files, {size} bytes, 0 troubles"])

    def test_each_trouble_has_a_line(
        self, stored: list[Creation], own_media: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("generations.management.commands.verify.ROWS", 1)
        one, two = stored
        (own_media / one.file.name).write_bytes(b"0ne")
        (own_media / two.poster.name).write_bytes(b"")
        os.unlink(own_media / two.file.name)
        code, lines = self.verify()
        assert code == 1
        assert lines[:3] == [f"differs: {one.file.name}", f"missing: {two.file.name}", f"differs: {two.poster.name}"]
        assert lines[3].startswith("5 files, ")
        assert lines[3].endswith(" bytes, 3 troubles")
