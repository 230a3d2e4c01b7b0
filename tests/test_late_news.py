"""A success that comes after the end: taken in only where it leaves something to copy."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from generations import lifecycle
from generations.lifecycle.news import deadline_of
from generations.models import Creation, CreationState, Task, User
from generations.providers.base import Output, RemoteState, Snapshot
from tests.factories import make_creation, make_task

pytestmark = pytest.mark.django_db

LINK = "http://127.0.0.1:9/v.mp4"
FRESH = Output(0, f"{LINK}?sig=2")


def success(*outputs: Output) -> Snapshot:
    return Snapshot("5", RemoteState.SUCCEEDED, "success", outputs=outputs)


def lost_task(owner: User) -> Task:
    task = make_task(owner, state="lost", remote_id="5")
    past = timezone.now() - timedelta(days=9)
    make_creation(task, state="lost", stored_at=None, source_url=LINK, deadline=past, tries=40)
    return task


def is_untouched(task: Task) -> bool:
    before = task.changed_at
    task.refresh_from_db()
    return task.changed_at == before and not task.events.exists() and not OrmQ.objects.exists()


def test_the_link_that_failed_is_no_news(alice: User) -> None:
    task = lost_task(alice)
    assert not lifecycle.observe(task, success(Output(0, LINK)))
    assert (task.state, is_untouched(task)) == ("lost", True)
    assert task.creations.get().state == CreationState.LOST


def test_what_is_stored_already_is_no_news(alice: User) -> None:
    task = lost_task(alice)
    make_creation(task, position=1)
    assert not lifecycle.observe(task, success(Output(1, "http://127.0.0.1:9/other.mp4")))
    assert (task.state, is_untouched(task)) == ("lost", True)


@pytest.mark.parametrize("state", ["processing", "failed", "cancelled", "lost"])
def test_a_success_with_nothing_to_copy_is_no_success(alice: User, state: str) -> None:
    task = make_task(alice, state=state, remote_id="5")
    assert not lifecycle.observe(task, success())
    assert (task.state, is_untouched(task)) == (state, True)


def test_another_link_is_another_chance(alice: User) -> None:
    task = lost_task(alice)
    make_creation(task, position=1)
    assert lifecycle.observe(task, success(FRESH, Output(1, LINK)))
    assert task.state == "archiving"
    renewed, stored = task.creations.all()
    assert (renewed.state, renewed.source_url, renewed.tries) == (CreationState.PENDING, FRESH.url, 0)
    assert renewed.deadline > timezone.now()
    assert stored.state == CreationState.STORED
    assert [job.task["args"][0] for job in OrmQ.objects.all()] == [str(renewed.pk)]


def test_an_output_that_is_new_is_copied_beside_one_that_stays_lost(alice: User) -> None:
    task = lost_task(alice)
    assert lifecycle.observe(task, success(Output(0, LINK), Output(1, LINK, watermarked=True, remote_id="w")))
    assert task.state == "archiving"
    lost, new = task.creations.all()
    assert (lost.state, new.state) == (CreationState.LOST, CreationState.PENDING)
    assert (new.watermarked, new.remote_id) == (True, "w")
    assert lifecycle.lost(new, "The vendor's link answered 403.")
    assert Task.objects.get().state == "lost"


@pytest.mark.parametrize(
    ("days", "believed"), [(-40, False), (-29, True), (0, True), (6, True), (29, True), (40, False)]
)
def test_a_deadline_out_of_all_time_is_not_believed(days: int, believed: bool) -> None:
    """Long past it would have the result lost at the first refusal; far ahead nobody would be warned."""
    now = timezone.now()
    told = now + timedelta(days=days)
    assert deadline_of(Output(0, LINK, expires_at=told), now) == (told if believed else now + lifecycle.LINK_LIFETIME)
    assert deadline_of(Output(0, LINK), now) == now + lifecycle.LINK_LIFETIME


def test_a_success_has_its_creations_made(alice: User) -> None:
    task = make_task(alice, state="processing", remote_id="5")
    soon = timezone.now() + timedelta(hours=1)
    assert lifecycle.observe(task, success(Output(0, LINK, remote_id="c", cover_url="http://c", expires_at=soon)))
    made = Creation.objects.get()
    assert (made.remote_id, made.cover_url, made.deadline, made.state) == ("c", "http://c", soon, "pending")
