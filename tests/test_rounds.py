"""The heartbeat: one at a time, handed over, and it stops when it is told."""

import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from generations import apps, health, jobs, leases, polling, rounds, sweep
from generations.models import Lease

pytestmark = pytest.mark.django_db


def test_a_lease_has_one_holder() -> None:
    assert leases.seize("x", "a", 5)
    assert not leases.seize("x", "b", 5)
    assert leases.keep("x", "a", 5)
    assert not leases.keep("x", "b", 5)
    leases.give_back("x", "a")
    assert leases.seize("x", "b", 5)
    assert Lease.objects.get(pk="x").fence == 2


def test_a_lease_that_ran_out_is_lost_even_to_its_holder() -> None:
    leases.seize("x", "a", 5)
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert not leases.keep("x", "a", 5)
    assert leases.seize("x", "b", 5)


def test_going_round_moves_things_each_second_and_hands_over(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    monkeypatch.setattr(rounds, "ROUND_SECONDS", 0.02)
    monkeypatch.setattr(rounds, "one_round", lambda _poller, *, sweeping: seen.append(sweeping))
    rounds.go_round(run_seconds=0.2)
    assert len(seen) >= 3
    assert seen[0], "the first round sweeps"
    assert seen.count(True) == 1
    assert OrmQ.objects.count() == 1, "a fresh job follows"
    assert leases.seize(rounds.ACTIVE, "next", 5), "the lease was given back"


def test_a_third_one_returns_at_once() -> None:
    leases.seize(rounds.ACTIVE, "a", 30)
    leases.seize(rounds.STANDBY, "b", 30)
    started = time.monotonic()
    rounds.go_round()
    assert time.monotonic() - started < 0.5
    assert OrmQ.objects.count() == 0


def test_it_stops_when_the_cluster_goes_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds.going_down, "value", 1)
    monkeypatch.setattr(rounds, "one_round", lambda _poller, *, sweeping: pytest.fail("must not go round any more"))
    rounds.go_round()
    assert OrmQ.objects.count() == 0, "nobody is there to run a following job"


def test_one_bad_step_costs_that_step_only(monkeypatch: pytest.MonkeyPatch) -> None:
    polled: list[int] = []

    def explode() -> int:
        raise RuntimeError("a row nobody thought of")

    monkeypatch.setattr(rounds.dispatch, "dispatch", explode)
    with polling.Poller() as poller:
        monkeypatch.setattr(poller, "ask_due", lambda: polled.append(1))
        rounds.one_round(poller, sweeping=False)
    assert polled == [1]


def test_new_workers_ask_for_the_heartbeat_once() -> None:
    for _ in range(4):
        rounds.kick()
    assert OrmQ.objects.count() == 1


def test_schedules_are_there_once_however_often_one_migrates() -> None:
    apps.ensure_schedules()
    apps.ensure_schedules()
    assert list(Schedule.objects.values_list("func", "minutes")) == [("generations.jobs.poll", 1)]


def test_a_worker_lives_by_its_beat() -> None:
    assert not health.worker_alive()
    leases.seize(rounds.ACTIVE, "a", 8)
    assert not health.worker_alive(), "a heart that beats says nothing of the queue"
    jobs.pulse()
    assert health.worker_alive()
    for key in (rounds.ACTIVE, health.PULSE):
        Lease.objects.update(beat_at=timezone.now())
        Lease.objects.filter(key=key).update(beat_at=timezone.now() - timedelta(seconds=31))
        assert not health.worker_alive()
    assert "worker silent" in health.troubles()


def test_the_queue_is_asked_for_its_pulse_now_and_then() -> None:
    for _ in range(3):
        sweep.ask_for_pulse()
    assert OrmQ.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_never_both_hold_it() -> None:
    won: list[str] = []

    def fight(name: str) -> None:
        from django.db import connection

        if leases.seize("ring", name, 5):
            won.append(name)
        connection.close()

    threads = [threading.Thread(target=fight, args=(str(number),)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
