"""What our own finished tasks teach about the next one."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from generations import pace
from generations.models import Pace, Task, TaskState, User
from generations.providers import PROVIDERS
from tests.factories import make_task

pytestmark = pytest.mark.django_db
VIDU, VTRIX, XINGCHAO = (PROVIDERS[slug] for slug in ("vidu", "vtrix", "xingchao"))


def finished(owner: User, seconds: float, **over: Any) -> None:
    now = timezone.now()
    times = {"submitted_at": now - timedelta(seconds=seconds), "made_at": now}
    make_task(owner, **{"state": TaskState.SUCCEEDED, **times, **over})


def test_what_was_seen_is_expected_again(alice: User) -> None:
    for seconds in range(10, 111, 10):
        finished(alice, seconds)
    finished(alice, 100_000, off_peak=True)
    assert pace.learn() == 2, "the very kind, and all of its model and mode"
    expected = pace.expectation(make_task(alice))
    assert expected is not None
    assert (expected.p10, expected.p50, expected.p90) == pytest.approx((20, 60, 100), abs=0.5)
    assert expected.learned
    assert pace.learn() == 0, "nothing new"


def test_another_length_takes_what_its_model_takes(alice: User) -> None:
    for _ in range(pace.ENOUGH):
        finished(alice, 40)
    pace.learn()
    expected = pace.expectation(make_task(alice, duration=3))
    assert expected is not None
    assert expected.p50 == pytest.approx(40, abs=0.5)


def learned(owner: User) -> pace.Expectation | None:
    pace.learn()
    return pace.expectation(make_task(owner))


def test_a_late_success_teaches_nothing(alice: User) -> None:
    for seconds in range(60, 60 + pace.ENOUGH):
        finished(alice, seconds)
    for _ in range(2):
        finished(alice, 100)
        Task.objects.latest("pk").events.create(kind="late-success")
    expected = learned(alice)
    assert expected is not None
    assert expected.learned
    assert expected.p90 < 65


@pytest.mark.parametrize("looked", [True, False], ids=["looked at before", "never looked at"])
def test_a_success_that_waited_for_us_teaches_nothing(alice: User, looked: bool) -> None:
    now, took = timezone.now(), timedelta(hours=4)
    for seconds in range(60, 60 + pace.ENOUGH):
        finished(alice, seconds)
    for _ in range(2):
        finished(alice, took.total_seconds(), last_polled_at=now - took + timedelta(seconds=30) if looked else None)
    expected = learned(alice)
    assert expected is not None
    assert expected.p90 < 65


@pytest.mark.parametrize("gap", [60, 600], ids=["looks as planned", "looks at what is overdue"])
def test_a_kind_that_takes_hours_is_learned(alice: User, gap: float) -> None:
    for _ in range(pace.ENOUGH):
        finished(alice, 7200, last_polled_at=timezone.now() - timedelta(seconds=gap))
    expected = learned(alice)
    assert expected is not None
    assert expected.p50 == pytest.approx(7200, abs=1)


def test_a_look_after_the_success_hides_when_it_came(alice: User) -> None:
    for _ in range(pace.ENOUGH):
        finished(alice, 40, last_polled_at=timezone.now() + timedelta(seconds=5))
    expected = learned(alice)
    assert expected is not None
    assert not expected.learned


def test_a_few_tasks_teach_nothing(alice: User) -> None:
    finished(alice, 40)
    pace.learn()
    expected = pace.expectation(make_task(alice))
    assert expected is not None
    assert not expected.learned


def test_off_peak_is_never_promised(alice: User) -> None:
    assert pace.expectation(make_task(alice, off_peak=True)) is None


def test_a_page_of_cards_costs_one_query(alice: User, django_assert_num_queries: Any) -> None:
    tasks = [make_task(alice) for _ in range(5)]
    with django_assert_num_queries(1):
        pace.expectations(tasks)


def test_figures_out_of_order_are_refused(db: None) -> None:
    with pytest.raises(Exception, match="pace_grows"):
        Pace.objects.create(provider="vidu", model="m", mode="text2video", clips=9, p10=5, p50=4, p90=6)


LEARNED = pace.Expectation(100, 200, 300)


class TestPause:
    @pytest.mark.parametrize(
        ("elapsed", "wait"),
        [(0, 60), (60, 40), (100, 25), (180, 5), (196, 3), (200, 25), (290, 3), (310, 27.5), (2000, 60)],
    )
    def test_a_query_waits_for_the_first_tenth_and_then_looks_closer(self, elapsed: float, wait: float) -> None:
        assert pace.pause(VTRIX, LEARNED, elapsed) == wait

    @pytest.mark.parametrize("elapsed", [0, 5, 50, 100, 199, 250, 400, 5000])
    def test_a_floor_is_never_gone_below(self, elapsed: float) -> None:
        assert pace.pause(XINGCHAO, LEARNED, elapsed) >= 30

    @pytest.mark.parametrize(("elapsed", "wait"), [(0, 10), (95, 5), (100, 2.5), (250, 2.5), (320, 5)])
    def test_a_list_looks_at_a_steady_pace(self, elapsed: float, wait: float) -> None:
        assert pace.pause(VIDU, LEARNED, elapsed) == wait

    @pytest.mark.parametrize(("elapsed", "wait"), [(0, 5), (30, 7.5), (1000, 60)])
    def test_unknown_kinds_are_asked_ever_more_rarely(self, elapsed: float, wait: float) -> None:
        unknown = pace.Expectation(10, 60, 300, learned=False)
        assert pace.pause(VTRIX, unknown, elapsed) == wait
