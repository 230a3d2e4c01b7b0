"""What may still be spent, and what happens at the end of it."""

import html
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from generations import budgets, keys, ledger, lifecycle, standings, totals
from generations.models import Batch, Budget, BudgetOverride, ProviderKey, Task, UsageEntry, User
from generations.providers.base import Money, Unit
from tests.factories import make_budget, make_key, make_task, make_user
from tests.test_lifecycle import press
from tests.views.pages import composer_fields, htmx, signed_in

pytestmark = pytest.mark.django_db


def charge(amount: int) -> Money:
    return Money(Decimal(amount), Unit.CREDIT)


def unpriced(owner: User, key: ProviderKey, **over: Any) -> list[Task]:
    """A press at a vendor that names no prices."""
    return press(owner, key, offer=key.translator.offers[0], audio=None, **over)


def done(task: Task, credits: int) -> None:
    Task.objects.filter(pk=task.pk).update(state="succeeded", charge=credits, finished_at=timezone.now())
    task.refresh_from_db()
    ledger.settle(task, Money(Decimal(credits), Unit(task.unit)))
    totals.count(None, task)


def left(budget: Budget) -> Decimal | None:
    return budgets.standing(budget).left


def at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: moment)


class TestStanding:
    def test_what_is_held_and_what_was_spent_counts(self, alice: User, key: ProviderKey) -> None:
        budget = make_budget(key, 100)
        assert left(budget) == 100
        ledger.reserve(make_task(alice, key=key), Decimal(30))
        ledger.settle(make_task(alice, key=key), charge(25))
        ledger.settle(make_task(alice, key=make_key("Other")), charge(7))
        assert left(budget) == 45
        assert budgets.standing(budget).percent == 55
        ledger.settle(make_task(alice, key=key), charge(500))
        assert left(budget) == 0

    def test_people_and_teams_have_theirs(self, alice: User, bob: User, charlie: User, key: ProviderKey) -> None:
        team = Group.objects.create(name="Trailer")
        team.user_set.add(alice, bob)
        hers, ours = make_budget(person=alice), make_budget(team=team)
        for person in (alice, bob, charlie):
            ledger.settle(make_task(person, key=key), charge(10))
        ledger.reserve(make_task(bob, key=key), Decimal(5))
        assert (left(hers), left(ours)) == (90, 75)
        assert set(budgets.budgets_for(alice, key)) == {hers, ours}
        assert budgets.budgets_for(charlie, key) == []

    def test_a_new_secret_is_no_new_money(self, alice: User, admin: User, key: ProviderKey) -> None:
        budget = make_budget(key, 100)
        ledger.settle(make_task(alice, key=key), charge(25))
        ledger.reserve(make_task(alice, key=key), Decimal(30))
        new = keys.rotate(key, "sandbox-not-a-real-key-0042", admin)
        ledger.settle(make_task(alice, key=new), charge(10))
        budget.refresh_from_db()
        assert (budget.key, left(budget)) == (new, 35)
        assert [each.left for each in standings.all_of([budget])] == [35]

    def test_what_waits_goes_to_the_new_secret_within_the_same_budget(
        self, alice: User, admin: User, key: ProviderKey
    ) -> None:
        make_budget(key, 100)
        (task,) = press(alice, key)
        new = keys.rotate(key, "sandbox-not-a-real-key-0042", admin)
        assert lifecycle.move_to_key(task, new)
        assert budgets.standings(alice, new)[0].used == 55
        assert budgets.standings(alice, key)[0].used == 55, "also if the old one is made active again"

    def test_other_units_and_sleeping_budgets_do_not_count(self, alice: User, key: ProviderKey) -> None:
        make_budget(person=alice, unit="usd")
        make_budget(key, 1, active=False)
        assert budgets.tightest(alice, key) is None

    def test_the_tightest_is_named(self, alice: User, key: ProviderKey) -> None:
        make_budget(key, 500)
        hers = make_budget(person=alice, limit=60)
        make_budget(key, 1, block_at=None)
        found = budgets.tightest(alice, key)
        assert found is not None
        assert found.budget == hers

    def test_days_and_months_are_those_of_the_books(
        self, alice: User, key: ProviderKey, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.TIME_ZONE = "Asia/Shanghai"
        month, day = make_budget(key), make_budget(key, period="day")
        at(datetime(2026, 10, 31, 15, 59, tzinfo=UTC), monkeypatch)  # a minute before midnight over there
        ledger.settle(make_task(alice, key=key), charge(25))
        assert (left(month), left(day)) == (75, 75)
        at(datetime(2026, 10, 31, 16, 0, tzinfo=UTC), monkeypatch)
        assert (left(month), left(day)) == (100, 100)

    def test_a_new_month_begins_with_what_is_still_held(
        self, alice: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        budget = make_budget(key)
        at(datetime(2026, 11, 20, tzinfo=UTC), monkeypatch)
        ledger.settle(make_task(alice, key=key), charge(25))
        open_one = make_task(alice, key=key)
        ledger.reserve(open_one, Decimal(30))
        at(datetime(2026, 12, 2, tzinfo=UTC), monkeypatch)
        assert left(budget) == 70
        ledger.settle(open_one, charge(40))
        assert left(budget) == 60

    def test_a_day_with_a_clock_change_has_its_own_length(self, settings: Any) -> None:
        settings.TIME_ZONE = "Europe/Berlin"
        day = datetime(2026, 10, 25, tzinfo=ZoneInfo("Europe/Berlin")).date()
        begin, end = totals.starts_at(day), totals.starts_at(day + timedelta(days=1))
        assert end.astimezone(UTC) - begin.astimezone(UTC) == timedelta(hours=25)


class TestScope:
    @pytest.mark.parametrize("scope", ["none", "two"])
    def test_a_budget_has_exactly_one(self, alice: User, key: ProviderKey, scope: str) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            make_budget(key if scope == "two" else None, person=alice if scope == "two" else None)


class TestPress:
    def test_the_whole_press_is_refused_and_nothing_stays(self, alice: User, key: ProviderKey) -> None:
        make_budget(person=alice, limit=100)
        with pytest.raises(budgets.OverBudget):
            press(alice, key, count=2)
        assert (Task.objects.count(), Batch.objects.count()) == (0, 0)
        assert len(press(alice, key)) == 1
        with pytest.raises(budgets.OverBudget):
            press(alice, key)

    @pytest.mark.parametrize(
        ("scope", "said"),
        [
            ("key", "The key “Studio” has 45 credits of its budget left this month."),
            ("person", "You have 45 credits of your budget left this month."),
            ("team", "The team “Trailer” has 45 credits of its budget left this month."),
        ],
    )
    def test_it_is_said_whose_budget_it_is(self, alice: User, key: ProviderKey, scope: str, said: str) -> None:
        team = Group.objects.create(name="Trailer")
        team.user_set.add(alice)
        make_budget(**{"key": None, scope: {"key": key, "person": alice, "team": team}[scope]}, limit=45)
        desk = signed_in(alice)
        answer = desk.post("/tasks/", composer_fields(desk, "/", prompt="A boat"), headers=htmx())
        assert answer.status_code == 422
        assert f"{said} Nothing was sent." in answer.content.decode()
        assert 'name="override"' not in answer.content.decode()
        assert Task.objects.count() == 0

    def test_an_administrator_goes_over_once_with_a_reason(self, admin: User, key: ProviderKey) -> None:
        make_budget(key, 45)
        desk = signed_in(admin)
        fields = composer_fields(desk, "/", prompt="A boat")
        refused = desk.post("/tasks/", fields, headers=htmx()).content.decode()
        assert 'name="override"' in refused
        answer = desk.post("/tasks/", fields | {"override": "The client waits"}, headers=htmx())
        assert answer.status_code == 200
        [kept] = BudgetOverride.objects.all()
        assert (kept.actor, kept.reason, kept.amount, kept.batch.tasks.count()) == (admin, "The client waits", 55, 1)
        again = desk.post("/tasks/", composer_fields(desk, "/", prompt="Another"), headers=htmx())
        assert again.status_code == 422, "a reason counts for one press"

    def test_without_a_price_it_is_one_at_a_time_until_the_bill_has_come(self, alice: User) -> None:
        key = make_key("Gateway", provider="uniall")
        make_budget(key, 100)
        with pytest.raises(budgets.OverBudget) as refused:
            unpriced(alice, key, count=2)
        assert refused.value.unpriced
        (first,) = unpriced(alice, key)
        with pytest.raises(budgets.OverBudget):
            unpriced(alice, key)
        done(first, 30)
        (second,) = unpriced(alice, key)
        assert UsageEntry.objects.filter(task=second).values_list("kind", "amount", "source").get() == (
            "reserve", 30, "history",
        )  # fmt: skip
        assert budgets.standing(Budget.objects.get()).used == 60
        with pytest.raises(budgets.OverBudget):
            unpriced(alice, key, count=2)
        unpriced(alice, key)
        done(second, 45)
        assert budgets.standing(Budget.objects.get()).used == 105
        assert totals.check() == []

    def test_without_a_budget_nobody_waits_for_a_price(self, alice: User) -> None:
        key = make_key("Gateway", provider="uniall")
        make_budget(key, 1, block_at=None)
        assert len(unpriced(alice, key, count=4)) == 4

    def test_what_such_clips_cost_is_the_most_that_one_of_them_did(self, alice: User) -> None:
        key = make_key("Gateway", provider="uniall")
        for cost, over in ((30, {}), (50, {}), (900, {"duration": 8}), (800, {"resolution": "1080p"})):
            (task,) = unpriced(alice, key)
            Task.objects.filter(pk=task.pk).update(state="succeeded", charge=cost, **over)
        (task,) = unpriced(alice, key)
        assert budgets.usual_charge(task) == 50

    def test_the_page_says_that_the_price_is_not_known(self, admin: User) -> None:
        key = make_key("Gateway", provider="uniall")
        make_budget(key, 100)
        unpriced(admin, key)
        desk = signed_in(admin)
        fields = composer_fields(desk, f"/?key={key.pk}", prompt="A boat")
        refused = desk.post("/tasks/", fields, headers=htmx())
        assert refused.status_code == 422
        assert "nobody knows yet what such a clip costs" in html.unescape(refused.content.decode())
        assert desk.post("/tasks/", fields | {"override": "The client waits"}, headers=htmx()).status_code == 200
        assert BudgetOverride.objects.get().amount is None

    def test_an_auditor_orders_nothing(self, key: ProviderKey) -> None:
        desk = signed_in(make_user("auditor", role="auditor"))
        answer = desk.post("/tasks/", composer_fields(desk, "/", prompt="A boat"), headers=htmx())
        assert answer.status_code == 422
        assert "Auditors look at everything and make nothing." in answer.content.decode()
        assert Task.objects.count() == 0

    def test_a_reason_of_a_member_opens_nothing(self, alice: User, key: ProviderKey) -> None:
        make_budget(key, 45)
        desk = signed_in(alice)
        fields = composer_fields(desk, "/", prompt="A boat", override="I want it")
        assert desk.post("/tasks/", fields, headers=htmx()).status_code == 422
        assert Task.objects.count() == 0

    def test_a_reason_without_need_is_kept_nowhere(self, admin: User, key: ProviderKey) -> None:
        desk: Client = signed_in(admin)
        desk.post("/tasks/", composer_fields(desk, "/", prompt="A boat", override="Just so"), headers=htmx())
        assert (Task.objects.count(), BudgetOverride.objects.count()) == (1, 0)

    def test_what_waits_moves_only_to_a_key_that_can_pay(self, alice: User, key: ProviderKey) -> None:
        (task,) = press(alice, key)
        other = make_key("Other", secret="sandbox-not-a-real-key-0002")
        make_budget(other, 54)
        assert not lifecycle.move_to_key(task, other)
        Budget.objects.update(limit=55)
        assert lifecycle.move_to_key(task, other)
        assert ledger.holds(task)[0].key_id == other.pk
