"""A source that gives nothing: when the vendor is asked for another link, how often, and when it is given up."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from generations import archive, links, polling, saving
from generations.models import Attempt, Creation, CreationState, Lease, Task, User
from generations.providers.base import (
    AnswerLost,
    Call,
    Failure,
    FailureClass,
    Output,
    ProviderError,
    Refused,
    RemoteState,
    Snapshot,
)
from tests.clips import make_clip
from tests.factories import make_creation, make_key, make_task
from tests.servers import Shelf, says, serving

pytestmark = pytest.mark.django_db

NOT_FOUND = Refused(Failure(FailureClass.NOT_FOUND, "TaskNotFound"))
SILENT = AnswerLost(Failure(FailureClass.PROVIDER_TRANSIENT, "read_timeout"))
SAME = "the link that it gave before"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def own_media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


class Vendor:
    """Answers queries: with an error, with the same link, or each time with another one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, says: ProviderError | str) -> None:
        self.says, self.asked = says, 0
        monkeypatch.setattr(polling, "_query", self)

    def __call__(self, attempt: Attempt, call: Call) -> Snapshot:
        self.asked += 1
        if isinstance(self.says, ProviderError):
            raise self.says
        url = attempt.task.creations.get().source_url if self.says == SAME else f"{self.says}/v.mp4?sig={self.asked}"
        return Snapshot("1", RemoteState.SUCCEEDED, "success", outputs=(Output(0, url),))


@contextmanager
def source(how: str) -> Iterator[str]:
    """Storage that answers with this status, or with nothing at all."""
    if how == "refused":
        yield "http://127.0.0.1:1"
    else:
        with serving(says(int(how), b"<Error/>")) as url:
            yield url


def pending(owner: User, url: str, *, provider: str = "vidu", made: timedelta | None = None, **over: Any) -> Creation:
    """A creation of a task that was made so long ago."""
    key = make_key(provider, provider=provider)
    task = make_task(owner, key=key, state="archiving", made_at=timezone.now() - made if made else None)
    return make_creation(task, state="pending", source_url=f"{url}/v.mp4", stored_at=None, **over)


def save_again(creation: Creation, times: int = 1) -> Creation:
    for _ in range(times):
        Creation.objects.update(next_try_at=timezone.now(), claimed_until=None)
        saving.save(str(creation.pk))
    creation.refresh_from_db()
    return creation


def pause(creation: Creation) -> float:
    """Seconds until the next try."""
    return (creation.next_try_at - timezone.now()).total_seconds()


# --- When to ask --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["refused", "503", "400", "404"])
def test_past_the_deadline_the_vendor_is_asked_whatever_the_source_says(
    alice: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    clip = make_clip(tmp_path / "c.mp4", seconds=1)
    with source(how) as dead, serving(Shelf(clip)) as alive:
        vendor = Vendor(monkeypatch, alive)
        creation = save_again(pending(alice, dead, made=2 * DAY, deadline=timezone.now() - 2 * HOUR))
        assert (vendor.asked, creation.source_url) == (1, f"{alive}/v.mp4?sig=1")
        assert 0 < pause(creation) <= 5, "the new one is tried at once"
        assert save_again(creation).state == CreationState.STORED


@pytest.mark.parametrize(("left", "asked"), [(2 * HOUR, 0), (HOUR / 2, 1), (timedelta(seconds=-1), 3)])
def test_a_source_that_is_down_has_the_vendor_asked_once_shortly_before_the_deadline(
    alice: User, monkeypatch: pytest.MonkeyPatch, left: timedelta, asked: int
) -> None:
    vendor = Vendor(monkeypatch, SAME)
    save_again(pending(alice, "http://127.0.0.1:1", made=3 * HOUR, deadline=timezone.now() + left), times=3)
    assert vendor.asked == asked


def test_a_link_that_lives_for_an_hour_is_not_asked_for_while_it_is_new(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor = Vendor(monkeypatch, SAME)
    save_again(pending(alice, "http://127.0.0.1:1", made=HOUR / 60, deadline=timezone.now() + HOUR * 0.9))
    assert not vendor.asked


def test_trouble_of_our_own_asks_nobody(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise archive.NotWritten("The disk is full.")

    vendor = Vendor(monkeypatch, NOT_FOUND)
    monkeypatch.setattr(archive, "check_room", full)
    creation = pending(alice, "http://127.0.0.1:1", deadline=timezone.now() - 30 * DAY, tries=links.MANY_TRIES)
    assert save_again(creation).state == CreationState.PENDING
    assert not vendor.asked


@pytest.mark.parametrize("answer", [SILENT, NOT_FOUND, SAME], ids=["silent", "not found", "same"])
def test_a_vendor_is_not_asked_faster_than_its_floor(
    alice: User, monkeypatch: pytest.MonkeyPatch, answer: ProviderError | str
) -> None:
    vendor = Vendor(monkeypatch, answer)
    with source("403") as dead:
        creation = save_again(pending(alice, dead, provider="xingchao"))
        assert vendor.asked == 1
        assert 20 < pause(save_again(creation)) <= 30, "as long as is left of its half minute"
        assert vendor.asked == 1
        assert "does not answer" not in creation.last_error
        Lease.objects.update(until=timezone.now() - HOUR)
        Task.objects.update(last_polled_at=timezone.now() - HOUR)
        save_again(creation)
        assert vendor.asked == 2


@pytest.mark.parametrize(("wished", "least", "most"), [(90.0, 89, 90), (10**6, 3599, 3600), (None, 4, 10)])
def test_a_vendor_that_wants_to_be_asked_later_has_said_nothing(
    alice: User, monkeypatch: pytest.MonkeyPatch, wished: float | None, least: float, most: float
) -> None:
    Vendor(monkeypatch, Refused(Failure(FailureClass.THROTTLED, "http_429", retry_after=wished)))
    with source("403") as dead:
        creation = save_again(pending(alice, dead))
        assert least < pause(creation) <= most
        Creation.objects.update(deadline=timezone.now() - 30 * DAY)
        assert save_again(creation).state == CreationState.PENDING


def test_a_claim_does_not_run_out_between_two_requests() -> None:
    """It is prolonged before each one, at most so many seconds late."""
    assert saving.CLAIM.total_seconds() > archive.ANSWER_SECONDS + saving.PROLONG_EVERY


def test_the_claim_is_fresh_when_the_vendor_is_asked(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source can have been silent for nearly as long as a claim lasts."""

    def slow(request: BaseHTTPRequestHandler) -> None:
        time.sleep(1)
        says(403, b"<Error/>")(request)

    def ask(attempt: Attempt, call: Call) -> Snapshot:
        until = attempt.task.creations.get().claimed_until
        assert until is not None
        left.append(until - timezone.now())
        raise NOT_FOUND

    left: list[timedelta] = []
    monkeypatch.setattr(polling, "_query", ask)
    with serving(slow) as url:
        save_again(pending(alice, url))
    assert left[0] > saving.CLAIM - timedelta(seconds=0.8)


# --- When to give up ----------------------------------------------------------------------------------------


def old_creation(owner: User, url: str, past: timedelta, **over: Any) -> Creation:
    """One that was tried very often; its deadline passed so long ago."""
    return pending(owner, url, made=past + DAY, deadline=timezone.now() - past, **{"tries": links.MANY_TRIES, **over})


@pytest.mark.parametrize(
    ("how", "answer", "pending_at", "lost_at"),
    [
        ("403", NOT_FOUND, HOUR * 0.9, HOUR * 1.1),
        ("400", SAME, HOUR * 0.9, HOUR * 1.1),
        ("403", SILENT, 6.9 * DAY, 7.1 * DAY),
        ("503", SAME, 6.9 * DAY, 7.1 * DAY),
        ("refused", NOT_FOUND, 6.9 * DAY, 7.1 * DAY),
        ("refused", SILENT, 400 * DAY, None),
    ],
    ids=["dead, none", "dead, same", "dead, silent", "down, same", "down, none", "both silent"],
)
def test_the_bounds(
    alice: User,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    answer: ProviderError | str,
    pending_at: timedelta,
    lost_at: timedelta | None,
) -> None:
    Vendor(monkeypatch, answer)
    with source(how) as url:
        creation = save_again(old_creation(alice, url, pending_at))
        assert creation.state == CreationState.PENDING
        if lost_at is not None:
            Creation.objects.update(deadline=timezone.now() - lost_at)
            assert save_again(creation).state == CreationState.LOST
    assert Task.objects.get().state == ("archiving" if lost_at is None else "lost")


def test_a_house_that_was_off_for_weeks_does_not_give_up_at_its_first_try(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    Vendor(monkeypatch, SAME)
    creation = old_creation(alice, "http://127.0.0.1:1", 30 * DAY, tries=2)
    assert save_again(creation).state == CreationState.PENDING


# --- Links that are signed anew for ever --------------------------------------------------------------------


def test_links_that_are_dead_as_often_as_they_are_signed_come_to_an_end(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with source("404") as gone:
        vendor = Vendor(monkeypatch, gone)
        creation = pending(alice, gone, made=6 * DAY, tries=500)
        assert save_again(creation, times=3).state == CreationState.PENDING
        assert vendor.asked == 3
        assert 3500 < pause(creation) <= 3600, "trying often has not helped"
        assert list(saving.at_risk()) == [creation], "although its deadline is a day ahead"
        Task.objects.update(made_at=timezone.now() - 7.1 * DAY)
        assert save_again(creation).state == CreationState.LOST
    assert Task.objects.get().state == "lost"


def test_the_first_new_link_after_a_long_time_is_tried_before_anything_is_given_up(
    alice: User, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "c.mp4", seconds=1)
    with source("403") as dead, serving(Shelf(clip)) as alive:
        Vendor(monkeypatch, alive)
        creation = old_creation(alice, dead, 20 * DAY, tries=500)
        assert 0 < pause(save_again(creation)) <= 5
        assert save_again(creation).state == CreationState.STORED


def test_a_source_that_stays_down_behind_ever_new_links_comes_to_an_end(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    with source("503") as down:
        Vendor(monkeypatch, down)
        creation = pending(alice, down, made=8 * DAY, tries=500)
        Task.objects.update(last_polled_at=timezone.now() - DAY)
        assert save_again(creation).state == CreationState.PENDING
        assert save_again(creation).state == CreationState.LOST


def test_old_copies_are_tried_by_the_hour(alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    Vendor(monkeypatch, SAME)
    new = save_again(pending(alice, "http://127.0.0.1:1", made=HOUR, tries=500))
    assert pause(new) <= 300
    Task.objects.update(made_at=timezone.now() - 25 * HOUR)
    assert pause(save_again(new)) > 3500


def test_what_was_just_made_is_no_risk_however_short_its_link_lives(alice: User) -> None:
    now = timezone.now()
    creation = pending(alice, "http://127.0.0.1:1", made=timedelta(seconds=20), deadline=now + HOUR)
    assert not saving.at_risk().exists()
    Creation.objects.update(tries=1)
    assert list(saving.at_risk()) == [creation]
    Creation.objects.update(tries=0)
    Task.objects.update(made_at=now - timedelta(minutes=3))
    assert list(saving.at_risk()) == [creation], "it waits too long for its turn"


def test_links_that_are_ever_signed_anew_are_told_once_a_day(alice: User, caplog: pytest.LogCaptureFixture) -> None:
    creation = pending(alice, "http://127.0.0.1:1", made=3 * DAY)
    for hours in (20, 21, 22):
        Creation.objects.update(deadline=timezone.now() + hours * HOUR)
        saving._raise_alarm()
    assert [str(creation.pk) in each.getMessage() for each in caplog.records] == [True]
