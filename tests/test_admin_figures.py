"""What keys spent, what budgets have left, what wants attention: right, linked, and at a cost that does not grow."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from auditlog.models import LogEntry
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from generations import attention, budgets, ledger, rounds, standings
from generations.admin import chart
from generations.models import (
    Alert,
    Budget,
    BudgetOverride,
    Difference,
    Lease,
    ProviderKey,
    Reconciliation,
    Task,
    UsageEntry,
    User,
)
from generations.providers.base import Money
from tests.factories import make_budget, make_creation, make_key, make_task, make_user
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
LIST = "admin:generations_providerkey_changelist"
CHANGE = "admin:generations_providerkey_change"


@pytest.fixture
def desk(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def spend(owner: User, key: ProviderKey, amount: int, at: datetime | None = None) -> None:
    ledger.external(key, f"theirs-{UsageEntry.objects.count()}", Decimal(amount), at or timezone.now(),
                    model="viduq3", note="")  # fmt: skip


def settle(owner: User, key: ProviderKey, amount: int) -> Task:
    task = make_task(owner, key=key, state="succeeded", unit=key.translator.unit)
    ledger.settle(task, Money(Decimal(amount), key.translator.unit))
    return task


class TestStandings:
    """Many at once are what one by one they are."""

    def test_of_keys_people_and_teams(self, alice: User, bob: User, key: ProviderKey) -> None:
        other, team = make_key("Other"), Group.objects.create(name="Trailer")
        both = Group.objects.create(name="Both")
        team.user_set.add(alice)
        both.user_set.add(alice, bob)
        for owner in (alice, bob):
            for where in (key, other):
                settle(owner, where, 10)
                ledger.reserve(make_task(owner, key=where), Decimal(7))
                left_behind = make_task(owner, key=where, state="failed", finished_at=timezone.now())
                ledger.reserve(left_behind, Decimal(3))
        spend(alice, key, 100, timezone.now() - timedelta(days=70))
        found = [
            make_budget(scope, period=period, unit=unit)
            for scope in (key, other) for period in ("day", "month") for unit in ("credit", "usd")
        ]  # fmt: skip
        for period in ("day", "month"):
            found += [make_budget(person=person, period=period) for person in (alice, bob)]
            found += [make_budget(team=group, period=period) for group in (team, both)]
        assert standings.all_of(found) == [budgets.standing(budget) for budget in found]
        assert [each.used for each in standings.all_of(found)][:2] == [40, 0]
        assert standings.all_of([]) == []

    def test_their_cost_does_not_grow(self, alice: User, django_assert_max_num_queries: Callable) -> None:
        rows = [make_budget(make_key(f"Key {number}")) for number in range(20)]
        with django_assert_max_num_queries(4):
            standings.all_of(rows)


class TestKeyList:
    def test_spent_this_month_with_its_bar(self, desk: Client, alice: User, key: ProviderKey) -> None:
        make_budget(key, 1000)
        settle(alice, key, 740)
        spend(alice, key, 99, timezone.now() - timedelta(days=40))
        html = desk.get(reverse(LIST)).content.decode()
        assert "740 credits" in html
        assert "74 % of 1,000 credits this month" in html
        assert 'value="74"' in html
        rows = desk.get(html.split('class="spent" href="')[1].split('"')[0].replace("&amp;", "&"))
        assert [row.amount for row in rows.context["cl"].result_list] == [740]

    @pytest.mark.parametrize(("used", "tone"), [(10, "ok"), (80, "warn"), (99, "warn"), (100, "bad"), (250, "bad")])
    def test_the_bar_has_the_tone_of_its_thresholds(
        self, desk: Client, alice: User, key: ProviderKey, used: int, tone: str
    ) -> None:
        make_budget(key, 100)
        settle(alice, key, used)
        html = desk.get(reverse(LIST)).content.decode()
        assert f'class="budget-bar" data-tone="{tone}"' in html
        assert f"{used} % of 100 credits" in html

    def test_units_are_never_added(self, desk: Client, alice: User) -> None:
        key = make_key(provider="vtrix")
        settle(alice, key, 3)
        ledger._write(make_task(alice, key=key, unit="usd"), ledger.EntryKind.ADJUST, Decimal(5),
                      ledger.EntrySource.ADMIN, unit="cny")  # fmt: skip
        html = desk.get(reverse(LIST)).content.decode()
        assert "5.00 CNY · 3.00 USD" in html

    def test_a_page_costs_the_same_whatever_has_happened(
        self, desk: Client, alice: User, django_assert_max_num_queries: Callable
    ) -> None:
        for number in range(15):
            key = make_key(f"Key {number}", secret=f"sandbox-number-{number}")
            make_budget(key, 100)
            make_budget(key, 10, period="day")
            for _task in range(3):
                settle(alice, key, 5)
        with django_assert_max_num_queries(13):
            html = desk.get(reverse(LIST)).content.decode()
        assert html.count("15 % of 100 credits this month") == 15
        assert html.count("150 % of 10 credits today") == 15

    def test_twins_expiry_and_trouble_are_seen_and_filtered(self, desk: Client) -> None:
        today = timezone.localdate()
        make_key("First")
        make_key("Second")
        make_key("Soon", secret="sandbox-soon-0003", expires_on=today + timedelta(days=13))
        make_key("Later", secret="sandbox-later-0004", expires_on=today + timedelta(days=15))
        make_key("Gone", secret="sandbox-gone-00005", expires_on=today - timedelta(days=1))
        make_key(
            "Bad", secret="sandbox-bad-000006", problem="auth", last_error="unauthorized", last_error_at=timezone.now()
        )
        html = desk.get(reverse(LIST)).content.decode()
        assert "has the secret of “First”" in html
        assert "has the secret of “Second”" in html
        assert "⚠ expired on" in html
        assert html.count("⚠") == 5
        assert "unauthorized (just now)" in html

        def labels(query: str) -> list[str]:
            return [key.label for key in desk.get(reverse(LIST) + query).context["cl"].result_list]

        assert labels("?wants=twin") == ["First", "Second"]
        assert labels("?wants=expiring") == ["Gone", "Soon"]
        assert labels("?wants=failing") == ["Bad"]
        assert labels("?state__exact=disabled") == []
        assert labels("?problem__exact=auth") == ["Bad"]


class TestKeyPage:
    def test_thirty_one_days_as_bars_and_as_numbers(
        self, desk: Client, alice: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 11, 20, 12, 0, tzinfo=UTC))
        for day, amount in ((20, 40), (19, 10), (1, 25)):
            spend(alice, key, amount, datetime(2026, 11, day, 9, 0, tzinfo=UTC))
        spend(alice, key, 1000, datetime(2026, 10, 20, 9, 0, tzinfo=UTC))  # the thirty-second day
        page = desk.get(reverse(CHANGE, args=[key.pk]))
        html = page.content.decode()
        [drawn] = page.context["use"].charts
        assert (len(drawn.bars), drawn.total, drawn.top) == (31, 75, 40)
        heights = {bar.day.day: bar.height for bar in drawn.bars if bar.height}
        assert heights == {20: 110, 19: 28, 1: 69}
        assert html.count('<rect class="bar"') == 3
        assert html.count('<td class="number">40 credits</td>') == 2, "in the table of days and among the rows"
        assert "75 credits spent" in html
        assert f"key__id__exact={key.pk}&amp;day=2026-11-19" in html

    def test_what_was_given_back_hangs_below_the_line(self) -> None:
        when = chart.days(datetime(2026, 11, 3, tzinfo=UTC).date(), 3)
        drawn = chart.of({when[0]: Decimal(30), when[1]: Decimal(-10)}, when, "credit")
        assert [(bar.y, bar.height) for bar in drawn.bars] == [(18, 82), (100, 28), (100, 0)]
        assert drawn.zero == 100

    def test_nothing_yet(self, desk: Client, key: ProviderKey) -> None:
        html = desk.get(reverse(CHANGE, args=[key.pk])).content.decode()
        assert "Nothing was booked on this key yet." in html
        assert "None: nothing but its balance limits this key." in html
        assert "<rect" not in html

    def test_its_newest_twenty_rows_of_all_units(self, desk: Client, alice: User, key: ProviderKey) -> None:
        other = make_key("Other")
        spend(alice, other, 999)
        for number in range(25):
            spend(alice, key, number + 1)
        task = make_task(alice, key=key)
        ledger.reserve(task, Decimal("0.5"), unit="cny")
        rows = desk.get(reverse(CHANGE, args=[key.pk])).context["use"].rows
        assert [row.amount for row in rows] == [Decimal("0.5"), *range(25, 6, -1)]

    def test_its_rows_tell_the_time_of_the_books(self, desk: Client, admin: User, key: ProviderKey) -> None:
        admin.time_zone = "Asia/Shanghai"
        admin.save()
        spend(admin, key, 5, datetime(2026, 10, 31, 19, 9, tzinfo=UTC))
        html = desk.get(reverse(CHANGE, args=[key.pk])).content.decode()
        assert "Time (UTC)" in html
        assert ">2026-10-31 19:09</a>" in html

    def test_who_only_looks_gets_no_line_for_a_secret(self, desk: Client, key: ProviderKey) -> None:
        place = reverse(CHANGE, args=[key.pk])
        assert 'name="secret"' in desk.get(place).content.decode()
        html = signed_in(make_user("auditor", role="auditor")).get(place).content.decode()
        assert "field-secret" not in html
        assert html.count("Secret:") == 1, "in the record, masked"
        assert "field-label" in html

    def test_its_budgets_alerts_and_runs(self, desk: Client, admin: User, key: ProviderKey) -> None:
        make_budget(key, 500)
        make_budget(key, 400, active=False)
        Alert.objects.create(kind="key-failing", once="a", key=key, facts={"problem": "auth"})
        now = timezone.now()
        run = Reconciliation.objects.create(key=key, from_at=now, to_at=now, state="complete", listed=17, same=16,
                                            nightly=True)  # fmt: skip
        Difference.objects.create(run=run, key=key, kind="theirs", unit="credit", theirs=Decimal(5), remote_id="1")
        html = desk.get(reverse(CHANGE, args=[key.pk])).content.decode()
        for told in ("0 % of 500 credits this month", "not active", "Key Studio is failing", ">1 open<", "by itself"):
            assert told in html
        numbers = '<td class="number">17</td>\n        <td class="number">16</td>\n'
        assert numbers in html

    def test_the_page_costs_the_same_for_many_rows(
        self, desk: Client, alice: User, key: ProviderKey, django_assert_max_num_queries: Callable
    ) -> None:
        now = timezone.now()
        for number in range(12):
            settle(alice, key, number + 1)
            make_budget(key, 100 + number)
            Reconciliation.objects.create(key=key, from_at=now, to_at=now, state="complete")
        with django_assert_max_num_queries(26):
            desk.get(reverse(CHANGE, args=[key.pk]))

    def test_a_comparison_is_asked_for(self, desk: Client, admin: User, key: ProviderKey) -> None:
        assert desk.get(reverse("admin:reconcile-key", args=[key.pk])).status_code == 405
        answer = desk.post(reverse("admin:reconcile-key", args=[key.pk]), follow=True)
        run = Reconciliation.objects.get()
        assert (run.key, run.actor, run.to_at - run.from_at) == (key, admin, timedelta(days=7))
        assert "are being compared" in answer.content.decode()


class TestBudgets:
    def test_the_list_shows_what_is_used_at_a_fixed_cost(
        self, desk: Client, alice: User, django_assert_max_num_queries: Callable
    ) -> None:
        for number in range(10):
            key = make_key(f"Key {number}")
            make_budget(key, 100)
            settle(alice, key, 25)
        make_budget(person=alice, limit=1000)
        make_budget(make_key("Idle"), 1, active=False)
        place = reverse("admin:generations_budget_changelist")
        with django_assert_max_num_queries(14):
            html = desk.get(place).content.decode()
        assert html.count("25 % of 100 credits this month") == 10
        assert "25 % of 1,000 credits this month" in html
        assert html.count("<meter") == 11
        assert len(desk.get(place + "?scope=person").context["cl"].result_list) == 1

    def test_a_budget_in_a_unit_that_its_key_never_spends_is_refused(self, desk: Client, key: ProviderKey) -> None:
        fields = {"key": key.pk, "period": "month", "limit": "5", "unit": "usd", "warn_at": 80, "active": "on"}
        answer = desk.post(reverse("admin:generations_budget_add"), fields)
        assert "billed in credits" in str(answer.context["adminform"].form.errors["unit"])
        assert desk.post(reverse("admin:generations_budget_add"), {**fields, "unit": "credit"}).status_code == 302
        page = desk.get(reverse("admin:generations_budget_add") + f"?key={key.pk}").content.decode()
        assert '<option value="credit" selected>' in page

    @pytest.mark.parametrize("scope", [{}, {"key": 1, "person": 1}])
    def test_it_has_one_scope(self, desk: Client, admin: User, key: ProviderKey, scope: dict[str, Any]) -> None:
        known = {"key": key.pk, "person": admin.pk}
        fields = {
            "period": "month",
            "limit": "5",
            "unit": "credit",
            "warn_at": 80,
            **{name: known[name] for name in scope},
        }
        answer = desk.post(reverse("admin:generations_budget_add"), fields)
        assert "Choose exactly one" in answer.content.decode()
        assert not Budget.objects.exists()

    def test_one_that_was_overridden_stays(self, desk: Client, admin: User, alice: User, key: ProviderKey) -> None:
        budget, task = make_budget(key), make_task(alice, key=key)
        BudgetOverride.objects.create(budget=budget, batch=task.batch, actor=admin, reason="Trailer")
        place = reverse("admin:generations_budget_delete", args=[budget.pk])
        assert "was overridden with a reason" in desk.post(place, {"post": "yes"}, follow=True).content.decode()
        assert Budget.objects.exists()
        assert "Trailer" in desk.get(reverse("admin:generations_budgetoverride_changelist")).content.decode()


class TestAttention:
    @pytest.fixture(autouse=True)
    def _beating(self, db: None) -> None:
        for name in (rounds.ACTIVE, "pulse"):
            Lease.objects.create(key=name, owner="x", beat_at=timezone.now(), until=timezone.now())

    def test_nothing(self, desk: Client, key: ProviderKey) -> None:
        assert "Nothing needs attention." in desk.get("/admin/").content.decode()
        assert attention.lines() == []

    def trouble(self, alice: User) -> Iterator[tuple[str, str]]:
        """Makes one trouble after the other; yields what is said, and a row that its list must show."""
        Lease.objects.update(beat_at=timezone.now() - timedelta(minutes=5))
        yield "The worker is silent", ""
        key = make_key("Studio", problem="auth")
        yield "1 key fails", "Studio"
        ProviderKey.objects.create(
            label="Old", provider="vidu", base_url=key.base_url, fingerprint="x", expires_on=timezone.localdate()
        )
        yield "1 key expires soon", "Old"
        late = make_task(alice, key=key, state="archiving", made_at=timezone.now() - timedelta(hours=20))
        make_creation(late, state="pending", deadline=timezone.now() + timedelta(hours=1), tries=3)
        yield "1 copy is at risk", ""
        make_budget(key, 100)
        settle(alice, key, 85)
        yield "1 budget is nearly or wholly used up", "85 %"
        ended = make_task(alice, key=key, state="failed", finished_at=timezone.now(), charge=None)
        Task.objects.exclude(pk=ended.pk).update(charge=1)
        yield "1 charge is not confirmed", str(ended.pk)
        now = timezone.now()
        run = Reconciliation.objects.create(key=key, from_at=now, to_at=now)
        for amount in (600, -5):
            Difference.objects.create(run=run, key=key, kind="amount", unit="credit", theirs=Decimal(amount),
                                      ours=Decimal(0), remote_id=str(amount))  # fmt: skip
        yield "2 differences between vendors&#x27; lists and the ledger", "600"
        Alert.objects.create(kind="key-failing", once="a", key=key, facts={"problem": "auth"})
        yield "1 alert is open", "Key Studio is failing"

    def test_each_trouble_is_a_line_with_its_list(self, desk: Client, alice: User) -> None:
        for number, (said, row) in enumerate(self.trouble(alice), 1):
            html = desk.get("/admin/").content.decode()
            assert said in html
            assert "Nothing needs attention." not in html
            assert len(attention.lines()) == number
            line = next(each for each in attention.lines() if each.text.startswith(said[:12]))
            answer = desk.get(line.address)
            assert answer.status_code == 200
            assert row in answer.content.decode()
        assert "605 credits" in html
        tones = [line.tone for line in attention.lines()]
        assert tones == sorted(tones), "the bad ones first"

    def test_it_costs_the_same_however_much_there_is(
        self, alice: User, django_assert_max_num_queries: Callable
    ) -> None:
        for number in range(8):
            key = make_key(f"Key {number}", problem="auth")
            make_budget(key, 10)
            settle(alice, key, 10)
            make_task(alice, key=key, state="failed", finished_at=timezone.now())
        make_budget(person=alice, limit=1)
        with django_assert_max_num_queries(18):
            found = attention.lines()
        assert [line.detail for line in found if line.text == "8 keys fail"] == ["Key 0, Key 1, Key 2, 5 more"]

    def test_an_auditor_sees_it_too(self, alice: User) -> None:
        list(self.trouble(alice))
        html = signed_in(make_user("auditor", role="auditor")).get("/admin/").content.decode()
        assert "1 key fails" in html


class TestAlerts:
    def test_they_are_closed_by_name(self, desk: Client, admin: User, key: ProviderKey) -> None:
        for number in range(2):
            Alert.objects.create(kind="key-failing", once=str(number), key=key, facts={"problem": "auth"})
        place = reverse("admin:generations_alert_changelist")
        first = Alert.objects.first()
        assert first is not None
        desk.post(place, {"action": "close", "_selected_action": [first.pk]})
        first.refresh_from_db()
        assert first.closed_by == admin
        assert first.closed_at is not None
        assert len(desk.get(place).context["cl"].result_list) == 1, "open ones are shown"
        assert len(desk.get(place + "?which=all").context["cl"].result_list) == 2
        assert first in desk.get(place + "?which=closed").context["cl"].result_list


class TestPeople:
    def fields(self, person: User, **over: Any) -> dict[str, Any]:
        return {
            "username": person.username, "role": person.role, "is_active": "on", "theme": "auto", "time_zone": "UTC",
            **over,
        }  # fmt: skip

    def place(self, person: User) -> str:
        return reverse("admin:generations_user_change", args=[person.pk])

    def test_the_role_says_all(self, desk: Client, alice: User) -> None:
        html = desk.get(self.place(alice)).content.decode()
        for gone in ("is_superuser", "is_staff", "user_permissions"):
            assert f'name="{gone}"' not in html
        for role, staff in (("auditor", True), ("admin", True), ("member", False)):
            desk.post(self.place(alice), self.fields(alice, role=role))
            alice.refresh_from_db()
            assert (alice.role, alice.is_staff, alice.is_superuser) == (role, staff, False)

    def test_a_superuser_can_become_an_auditor(self, desk: Client) -> None:
        other = make_user("root", is_superuser=True)
        desk.post(self.place(other), self.fields(other, role="auditor"))
        other.refresh_from_db()
        assert (other.role, other.is_superuser, other.is_admin) == ("auditor", False, False)

    @pytest.mark.parametrize("over", [{"role": "member"}, {"role": "auditor"}])
    def test_the_last_administrator_stays(self, desk: Client, admin: User, over: dict[str, str]) -> None:
        make_user("other", role="admin", is_active=False)
        answer = desk.post(self.place(admin), {**self.fields(admin), **over})
        assert "last active administrator" in answer.content.decode()
        admin.refresh_from_db()
        assert admin.is_admin

    def test_members_may_be_given_the_sight_of_everybodys_usage(self, desk: Client, alice: User) -> None:
        desk.post(self.place(alice), self.fields(alice, sees_usage="on"))
        assert User.objects.get(pk=alice.pk).has_perm("generations.view_team_usage")
        assert desk.get(self.place(alice)).context["adminform"].form["sees_usage"].initial is True
        desk.post(self.place(alice), self.fields(alice))
        assert not User.objects.get(pk=alice.pk).has_perm("generations.view_team_usage")
        assert Permission.objects.filter(codename="view_team_usage").count() == 1

    def test_what_they_may_see_and_what_is_cleared_stands_in_the_audit_log(self, desk: Client, alice: User) -> None:
        key = make_key("Cleared", problem="auth")
        place = reverse("admin:generations_providerkey_changelist")
        desk.post(place, {"action": "activate_keys", "_selected_action": [key.pk]})
        desk.post(self.place(alice), self.fields(alice, sees_usage="on"))
        first = Alert.objects.create(kind="at-risk", once="x")
        desk.post(reverse("admin:generations_alert_changelist"), {"action": "close", "_selected_action": [first.pk]})
        written = {(row.content_type.model, name) for row in LogEntry.objects.all() for name in row.changes_dict}
        assert {("providerkey", "problem"), ("user", "user_permissions"), ("alert", "closed_at")} <= written

    def test_somebody_new_has_a_role(self, desk: Client) -> None:
        fields = {"username": "dora", "usable_password": "true", "password1": "a-long-one-7391",
                  "password2": "a-long-one-7391", "role": "auditor"}  # fmt: skip
        desk.post(reverse("admin:generations_user_add"), fields)
        assert User.objects.get(username="dora").is_staff

    def test_a_team_with_budgets_stays(self, desk: Client, alice: User) -> None:
        team = Group.objects.create(name="Trailer")
        team.user_set.add(alice)
        make_budget(team=team)
        place = reverse("admin:auth_group_delete", args=[team.pk])
        assert "has budgets" in desk.post(place, {"post": "yes"}, follow=True).content.decode()
        assert Group.objects.exists()
        assert ">1</td>" in desk.get(reverse("admin:auth_group_changelist")).content.decode()


class TestTasks:
    def test_the_vendor_is_asked_and_copies_are_tried(
        self, desk: Client, alice: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        queued: list[tuple[Any, ...]] = []
        monkeypatch.setattr("generations.admin.records.enqueue", lambda *job: queued.append(job))
        task = make_task(alice, key=key, state="archiving")
        waiting, stored = make_creation(task, state="pending"), make_creation(task)
        place = reverse("admin:generations_task_changelist")
        desk.post(place, {"action": "save_again", "_selected_action": [task.pk]})
        assert queued == [("archive", waiting.pk)]
        assert stored.state == "stored"
        running = make_task(alice, key=key, state="processing")
        html = desk.post(place, {"action": "ask_now", "_selected_action": [running.pk]}, follow=True).content.decode()
        assert "asked about 1 clip" in html
