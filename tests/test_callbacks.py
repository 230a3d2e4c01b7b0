"""The address that a vendor is told, and whether its callbacks can be relied on."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from generations import callbacks
from generations.models import Attempt, AttemptState, CallbackNotice, ProviderKey, Task, TaskState, User
from tests.bells import give_address
from tests.factories import make_attempt, make_key, make_task

HOUSE = "https://videoforge.example"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _house(settings: Settings) -> None:
    settings.VIDEOFORGE_PUBLIC_URL, settings.LOCAL_URL = HOUSE, "http://127.0.0.1:8000"


@pytest.fixture
def vidu(db: None) -> ProviderKey:
    return make_key(base_url="https://api.vidu.com")


def attempt_of(task: Task) -> Attempt:
    assert task.attempt is not None
    return task.attempt


# --- The address --------------------------------------------------------------------------------------------


def test_an_address_is_told_once_and_kept_as_a_digest(alice: User, vidu: ProviderKey) -> None:
    attempt = attempt_of(make_task(alice, key=vidu, state=TaskState.SUBMITTING))
    told = [callbacks.address_for(attempt) for _ in range(2)]
    assert told[0] is not None
    assert told[0] != told[1]
    url, digest = told[0]
    assert url.startswith(f"{HOUSE}/callbacks/vidu/")
    word = url.removeprefix(f"{HOUSE}/callbacks/vidu/").removesuffix("/")
    assert len(word) == 43
    assert digest == callbacks.digest(word)
    assert word not in str(Attempt.objects.values().get())


@pytest.mark.parametrize(
    ("public", "vendor", "house"),
    [
        ("", "https://api.vidu.com", ""),
        ("", "http://127.0.0.1:8900", ""),
        (HOUSE, "http://127.0.0.1:8900", "http://127.0.0.1:8000"),
        ("http://127.0.0.1:8000", "https://api.vidu.com", ""),
        (HOUSE, "https://api.vidu.com", HOUSE),
    ],
)
def test_only_where_the_vendor_can_reach_us(
    alice: User, vidu: ProviderKey, settings: Settings, public: str, vendor: str, house: str
) -> None:
    settings.VIDEOFORGE_PUBLIC_URL = public
    task = make_task(alice, key=vidu, state=TaskState.SUBMITTING)
    told = callbacks.address_for(make_attempt(task, base_url=vendor))
    assert (told[0].startswith(f"{house}/callbacks/") if told else "") == (bool(house) or "")


def test_only_vendors_that_call_back(alice: User) -> None:
    key = make_key("Other", provider="uniall", base_url="https://api.uniall.ai")
    assert callbacks.address_for(attempt_of(make_task(alice, key=key, state=TaskState.QUEUED))) is None


# --- Trust --------------------------------------------------------------------------------------------------


def ended(owner: User, key: ProviderKey, *words: str, ago: float = 5, **over: Any) -> Task:
    """A task that ended some minutes ago, and what its vendor called back."""
    then = timezone.now() - timedelta(minutes=ago)
    task = make_task(owner, key=key, **{"state": TaskState.SUCCEEDED, "finished_at": then, **over})
    give_address(attempt_of(task))
    for number, word in enumerate(words):
        CallbackNotice.objects.create(
            attempt=attempt_of(task),
            provider="vidu",
            nonce=f"{task.pk}-{number}",
            state_word=word,
            final=word != "processing",
        )
    return task


@pytest.mark.parametrize(
    ("called", "silent", "expected"),
    [
        (0, 0, False),
        (2, 0, False),
        (3, 0, True),
        (2, 1, False),
        (9, 1, True),
        (8, 2, False),
        (8, 1, False),
        (9, 0, True),
    ],
)
def test_nine_of_ten_make_trust(alice: User, vidu: ProviderKey, called: int, silent: int, expected: bool) -> None:
    for _ in range(called):
        ended(alice, vidu, "processing", "success")
    for _ in range(silent):
        ended(alice, vidu, "processing")
    assert callbacks.trusted(vidu) is expected


def test_trust_goes_by_the_last_ten(alice: User, vidu: ProviderKey) -> None:
    for number in range(20):
        ended(alice, vidu, "success", ago=60 + number)
    assert callbacks.trusted(vidu)
    for number in range(2):
        ended(alice, vidu, ago=5 + number)
    assert not callbacks.trusted(vidu), "they stopped"
    for number in range(9):
        ended(alice, vidu, "failed", state=TaskState.FAILED, ago=2 + number / 100)
    assert callbacks.trusted(vidu), "they are back"


def test_what_says_nothing_of_callbacks_is_not_counted(alice: User, vidu: ProviderKey) -> None:
    for _ in range(3):
        ended(alice, vidu, "success")
    ended(alice, vidu, ago=0.5)  # may still come
    ended(alice, vidu, ago=60 * 25)  # yesterday's trouble
    ended(alice, make_key("Second"), ago=3)  # another key
    ended(alice, vidu, state=TaskState.PROCESSING, finished_at=None)
    never_made = ended(alice, vidu, state=TaskState.FAILED)
    Attempt.objects.filter(task=never_made).update(state=AttemptState.REFUSED)
    unnamed = ended(alice, vidu)
    Attempt.objects.filter(task=unnamed).update(callback_digest="")
    assert callbacks.trusted(vidu)


def test_without_an_address_nobody_is_trusted(alice: User, vidu: ProviderKey, settings: Settings) -> None:
    for _ in range(3):
        ended(alice, vidu, "success")
    settings.VIDEOFORGE_PUBLIC_URL = ""
    assert not callbacks.trusted(vidu)


def test_trust_costs_one_query_along_an_index(
    alice: User, vidu: ProviderKey, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ended(alice, vidu, "success")
    with django_assert_num_queries(1), CaptureQueriesContext(connection) as made:
        callbacks.trusted(vidu)
    if connection.vendor == "sqlite":
        plan = str(connection.cursor().execute(f"EXPLAIN QUERY PLAN {made[0]['sql']}").fetchall())
        assert "task_by_key" in plan
        assert "SCAN" not in plan


# --- Figures ------------------------------------------------------------------------------------------------


def test_figures_tell_how_they_arrive(
    alice: User, vidu: ProviderKey, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    second = make_key("Second")
    make_key("Never used")
    make_key("Other", provider="uniall", base_url="https://api.uniall.ai")
    for _ in range(3):
        ended(alice, vidu, "processing", "success", "success")
    ended(alice, second)
    ended(alice, second, "processing")
    with django_assert_max_num_queries(5):
        figures = callbacks.figures()
    lines = {each.key.label: (each.ended, each.called, each.share, each.trusted) for each in figures}
    assert lines == {"Second": (2, 0, 0.0, False), vidu.label: (3, 3, 1.0, True)}
    newest = CallbackNotice.objects.order_by("received_at").last()
    assert newest is not None
    assert newest.received_at in {each.last_at for each in figures}


def test_figures_of_a_key_that_was_called_but_ended_nothing(alice: User, vidu: ProviderKey) -> None:
    ended(alice, vidu, "processing", state=TaskState.PROCESSING, finished_at=None)
    [line] = callbacks.figures()
    assert (line.ended, line.called, line.share, line.trusted) == (0, 0, None, False)
    assert line.last_at is not None
