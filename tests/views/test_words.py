from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from generations import words
from generations.models import ProviderKey, Task, TaskState, User
from generations.providers.base import FailureClass
from generations.templatetags.generations import age, clock, hours_left, instant, script_lang, sent_at, took, zone
from tests.factories import make_task


def test_every_state_and_failure_has_words() -> None:
    assert set(words.STATES) == set(TaskState)
    assert set(words.FAILURES) == set(FailureClass)
    for said in words.FAILURES.values():
        assert said.headline
        assert said.body
        assert said.next_step


@pytest.mark.parametrize(
    ("place", "said"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st"), (113, "113th")],
)
def test_places_in_line(place: int, said: str) -> None:
    assert words.place_words(place) == f"{said} in line"


@pytest.mark.parametrize(
    ("amount", "unit", "said"),
    [
        ("1", "credit", "1 credit"),
        ("1240", "credit", "1,240 credits"),
        ("50.0000", "credit", "50 credits"),
        ("12.5", "credit", "12.5 credits"),
        ("0", "credit", "0 credits"),
        ("120000", "token", "120,000 tokens"),
        ("0.42", "usd", "0.42 USD"),
        ("3", "cny", "3.00 CNY"),
        ("0.1234", "usd", "0.1234 USD"),
    ],
)
def test_an_amount_always_has_its_unit(amount: str, unit: str, said: str) -> None:
    assert words.money(Decimal(amount), unit) == said


def test_a_percentage_is_shown_only_where_the_vendor_gave_one(alice: User, key: ProviderKey) -> None:
    known = words.standing(make_task(alice, state="processing", progress=62))
    unknown = words.standing(make_task(alice, state="processing"))
    assert (known.bar, known.detail) == ("value", "62 %")
    assert (unknown.bar, unknown.detail) == ("busy", "")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"problem": "auth"}, "does not accept the key “Studio”"),
        ({"problem": "credits"}, "out of credits"),
        ({"state": "draining"}, "is paused"),
        ({}, ""),
    ],
)
def test_why_it_waits(alice: User, key: ProviderKey, fields: dict[str, str], said: str) -> None:
    task = make_task(alice)
    ProviderKey.objects.update(**fields)
    task = Task.objects.get()
    stands = words.standing(task, 2)
    assert said in stands.reason
    assert bool(stands.reason) == bool(said)
    assert stands.tone == ("warn" if said else "info")


def test_news_is_one_sentence(alice: User, key: ProviderKey) -> None:
    ready = [make_task(alice, state="succeeded") for _number in range(2)]
    assert words.news([]) == ""
    assert words.news(ready) == "2 clips ready"
    assert words.news([*ready, make_task(alice, state="lost")]) == "2 clips ready, 1 failed"


def test_clock_and_script() -> None:
    assert [clock(value) for value in (None, 5.0, 65, 3723)] == ["0:00", "0:05", "1:05", "1:02:03"]
    assert script_lang("纸船漂过雨后的水洼") == "zh"
    assert script_lang("A boat 船") == ""


def test_what_was_never_made_costs_nothing_and_may_be_sent_again(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, state="failed", failure_class="provider_transient", failure_code="not_created")
    said = words.failure_words(task)
    assert said
    assert said.headline == "The vendor never made it"
    assert "Not charged." in str(said.body)
    assert (str(said.next_step), said.fix) == ("You can send it again.", "again")
    task.state = TaskState.UNCERTAIN  # sent once more and lost: the old code says nothing of it
    again = words.failure_words(task)
    assert again
    assert again.headline != said.headline


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(0, "0 ms"), (999, "999 ms"), (1000, "1.0 s"), (40_012, "40.0 s"), (150_000, "150.0 s")],
)
def test_how_long_a_request_took(milliseconds: int, said: str) -> None:
    assert took(milliseconds) == said


def test_ages_and_deadlines() -> None:
    now = timezone.now()
    ages = [None, now + timedelta(seconds=5), now - timedelta(seconds=42), now - timedelta(minutes=5, seconds=1)]
    assert [age(each) for each in ages] == ["–", "0 s", "42 s", "5 min"]
    assert age(now - timedelta(hours=3, minutes=7, seconds=1)) == "3:07 h"
    left = [timedelta(minutes=-3), timedelta(minutes=5, seconds=30), timedelta(hours=23, minutes=59, seconds=30)]
    assert [hours_left(now + each) for each in left] == ["0:00", "0:05", "23:59"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("UTC", "UTC"), ("Asia/Shanghai", "UTC+8"), ("Asia/Kolkata", "UTC+5:30"), ("America/St_Johns", "UTC−3:30")],
)
def test_the_clock_of_a_page(name: str, said: str) -> None:
    with timezone.override(ZoneInfo(name)):
        assert zone(datetime(2026, 1, 15, 12, tzinfo=UTC)) == said


def test_a_time_of_another_day_says_which() -> None:
    with timezone.override(ZoneInfo("Asia/Shanghai")):
        assert instant(datetime(2026, 1, 15, 18, 0, 5, tzinfo=UTC)) == "2026-01-16 02:00:05"
        assert len(instant(timezone.now())) == len("02:00:05")


def test_only_the_attempt_knows_when_a_lost_one_was_sent(alice: User, key: ProviderKey) -> None:
    lost = make_task(alice, state="uncertain")
    assert lost.attempt
    assert sent_at(lost) == lost.attempt.sent_at
    assert sent_at(make_task(alice, state="waiting")) is None


def test_no_place_in_line_where_nothing_moves(alice: User, key: ProviderKey) -> None:
    task = make_task(alice, state="waiting")
    assert words.standing(task, 1).detail == "1st in line"
    task.key.problem = "credits"
    held = words.standing(task, 1)
    assert (held.detail, held.tone) == ("", "warn")
    assert "out of credits" in held.reason


def test_chinese_names_start_with_the_family(db: None) -> None:
    names = [("敏", "赵", "赵敏", "赵"), ("Alice", "Ames", "Alice Ames", "AA"), ("", "", "someone", "S")]
    for first, last, said, short in names:
        person = User(username="someone", first_name=first, last_name=last)
        assert (person.display_name, person.initials) == (said, short)
