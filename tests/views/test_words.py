from decimal import Decimal

import pytest

from generations import words
from generations.models import ProviderKey, Task, TaskState, User
from generations.providers.base import FailureClass
from generations.templatetags.generations import clock, script_lang
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
