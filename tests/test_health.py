"""Does the work move? What the banner, the operations page, ``status`` and monitors are told."""

import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from generations import health, leases, rounds
from generations.models import Attempt, AttemptState, User
from generations.queue import enqueue
from tests.factories import make_creation, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def beating(db: None) -> None:
    leases.beat(rounds.ACTIVE)
    leases.beat(health.PULSE)


def test_a_quiet_house_is_well(beating: None, client: Client) -> None:
    found = health.figures()
    assert (found.alive, found.queued, found.oldest_queued_s, found.stuck) == (True, 0, None, 0)
    assert client.get("/healthz").status_code == 200


def test_jobs_that_nobody_fetches_are_counted_with_their_age(beating: None, client: Client) -> None:
    enqueue("dispatch")
    enqueue("dispatch")
    OrmQ.objects.filter(pk=OrmQ.objects.earliest("pk").pk).update(lock=timezone.now() + timedelta(minutes=15))
    assert health.figures().queued == 1, "the other one was fetched"
    OrmQ.objects.update(lock=timezone.now() - timedelta(minutes=5))
    found = health.figures()
    assert (found.queued, round(found.oldest_queued_s or 0)) == (2, 300)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["troubles"]) == (503, ["queue not moving"])


@pytest.mark.parametrize("state", [AttemptState.CLAIMED, AttemptState.SENT])
def test_claims_that_nobody_holds_are_stuck(beating: None, alice: User, state: AttemptState, client: Client) -> None:
    make_task(alice, state="submitting")
    Attempt.objects.update(state=state)
    assert health.figures().stuck == 0, "young ones are at work"
    long_ago = timezone.now() - timedelta(minutes=10)
    Attempt.objects.update(claimed_at=long_ago, sent_at=long_ago)
    assert health.figures().stuck == 1
    assert client.get("/healthz").json()["warnings"] == ["stuck claims: 1"]


def test_copies_at_risk_warn(beating: None, alice: User, client: Client) -> None:
    task = make_task(alice, state="archiving")
    make_creation(task, state="pending", deadline=timezone.now() + timedelta(hours=5))
    assert client.get("/healthz").json()["warnings"] == []
    make_creation(task, state="pending", deadline=timezone.now() + timedelta(hours=3))
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["warnings"]) == (200, ["copies at risk: 1"])


def test_status_tells_programs_the_same(beating: None) -> None:
    enqueue("dispatch")
    said = StringIO()
    call_command("status", "--json", stdout=said)
    worker = json.loads(said.getvalue())["worker"]
    assert worker["alive"] is True
    assert (worker["queued"], worker["stuck"]) == (1, 0)
    assert 0 <= worker["oldest_queued_s"] < 60


def test_a_silent_worker_is_a_trouble(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()["troubles"]) == (503, ["worker silent"])
