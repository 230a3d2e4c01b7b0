"""Administrators hear of it once, by every channel that is set up, and nothing secret goes out."""

import smtplib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import apprise
import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone, translation
from django.utils.formats import date_format

from generations import alerts, delivery, evidence, jobs, keys, ledger, rounds, totals
from generations.alert_words import alert_words
from generations.management.commands import run
from generations.models import (
    Alert,
    AlertKind,
    BalanceReading,
    Budget,
    Lease,
    LedgerTotal,
    ProviderKey,
    Reconciliation,
    User,
)
from generations.providers.base import Balance, Ending, Money, Unit
from tests.factories import make_budget, make_creation, make_task
from tests.views.pages import composer_fields, htmx, signed_in

pytestmark = pytest.mark.django_db


def spend(owner: User, key: ProviderKey, amount: int) -> None:
    ledger.settle(make_task(owner, key=key), Money(Decimal(amount), Unit.CREDIT))


def look() -> None:
    Lease.objects.filter(key="alerts").delete()
    alerts.look()


def kinds() -> list[str]:
    return list(Alert.objects.order_by("pk").values_list("kind", flat=True))


class TestBudgets:
    def test_each_threshold_speaks_once_a_period(
        self, alice: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 11, 20, tzinfo=UTC))
        make_budget(key, 100)
        spend(alice, key, 79)
        look()
        assert kinds() == []
        spend(alice, key, 1)
        look()
        look()
        assert kinds() == ["budget-warn"]
        spend(alice, key, 20)
        look()
        look()
        assert kinds() == ["budget-warn", "budget-block"]
        monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 12, 20, tzinfo=UTC))
        spend(alice, key, 85)
        look()
        assert kinds() == ["budget-warn", "budget-block", "budget-warn"]

    def test_crossing_both_at_once_is_one_message(self, alice: User, key: ProviderKey) -> None:
        make_budget(key, 100)
        spend(alice, key, 150)
        look()
        look()
        assert kinds() == ["budget-block"]

    def test_what_is_held_counts(self, alice: User, key: ProviderKey) -> None:
        make_budget(person=alice, limit=100)
        ledger.reserve(make_task(alice, key=key), Decimal(90))
        look()
        assert kinds() == ["budget-warn"]

    def test_a_sleeping_budget_says_nothing(self, alice: User, key: ProviderKey) -> None:
        make_budget(key, 1, active=False)
        spend(alice, key, 150)
        look()
        assert kinds() == []

    @pytest.mark.parametrize(("limit", "block_at"), [(0, 120), (0, 100), (100, 50)])
    def test_it_says_that_nothing_is_taken_when_nothing_is(
        self, alice: User, key: ProviderKey, limit: int, block_at: int
    ) -> None:
        make_budget(key, limit, block_at=block_at)
        spend(alice, key, 55)
        look()
        assert kinds() == ["budget-block"]

    def test_the_last_minute_of_a_day_is_told_too(
        self, alice: User, key: ProviderKey, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_budget(key, 50, period="day")
        monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2026, 11, 20, 23, 59, 40, tzinfo=UTC))
        spend(alice, key, 55)
        for minute in (0, 1, 20):
            now = datetime(2026, 11, 21, 0, minute, 15, tzinfo=UTC)
            monkeypatch.setattr("django.utils.timezone.now", lambda now=now: now)
            look()
        assert [alert.once.split("-", 2)[2] for alert in Alert.objects.all()] == ["2026-11-20-block"]

    def test_a_refused_press_is_told_once_a_period(self, alice: User, key: ProviderKey) -> None:
        make_budget(key, 100)
        spend(alice, key, 79)
        desk = signed_in(alice)
        for _ in range(2):
            assert desk.post("/tasks/", composer_fields(desk, "/", prompt="A boat"), headers=htmx()).status_code == 422
        look()
        assert kinds() == ["budget-block"]
        subject, body = alert_words(Alert.objects.get())
        assert subject == "Budget of Studio: 79 % used"
        assert "did not fit" in body


class TestOthers:
    def test_a_failing_key_and_one_that_expires(self, key: ProviderKey) -> None:
        ProviderKey.objects.update(problem="auth", expires_on=totals.today() + timedelta(days=14))
        look()
        look()
        assert kinds() == ["key-failing", "key-expires"]

    def test_a_key_that_drains_is_needed_until_its_end(self, key: ProviderKey) -> None:
        ProviderKey.objects.update(problem="auth", state="draining")
        look()
        assert kinds() == ["key-failing"]

    def test_what_was_seen_to_and_fails_again_is_news(self, admin: User, key: ProviderKey) -> None:
        def fail() -> None:
            ProviderKey.objects.update(problem="auth", problem_at=timezone.now())
            look()

        fail()
        Alert.objects.update(closed_at=timezone.now(), closed_by=admin)
        look()
        assert len(kinds()) == 1, "closed while it lasts: it was seen"
        keys.forget_problem(key)
        fail()
        look()
        assert len(kinds()) == 2

    def test_a_key_that_was_replaced_ends_by_itself(self, key: ProviderKey, admin: User) -> None:
        ProviderKey.objects.update(expires_on=totals.today() + timedelta(days=3))
        key.refresh_from_db()
        keys.rotate(key, "another-obviously-fake-secret", admin)
        look()
        assert kinds() == []

    def test_a_package_that_ends_unused(self, key: ProviderKey) -> None:
        ends = timezone.now() + timedelta(days=13)
        told = Balance(Money(Decimal(900), Unit.CREDIT), ends=Ending(Decimal(400), ends))
        evidence.tested(key, told)
        look()
        look()
        subject, body = alert_words(Alert.objects.get())
        assert subject == f"Key Studio: a package ends on {date_format(totals.day_of(ends))}"
        assert body.startswith("400 credits of it are left")
        for then in (timezone.now() + timedelta(days=15), timezone.now() - timedelta(days=1)):
            ProviderKey.objects.update(balance_ends_at=then)
            look()
        assert kinds() == ["running-out"]
        evidence.tested(key, Balance(Money(Decimal(900), Unit.CREDIT)))
        assert ProviderKey.objects.get().balance_ends_at is None

    def test_a_key_put_away_is_no_alarm(self, key: ProviderKey) -> None:
        ProviderKey.objects.update(problem="auth", expires_on=totals.today(), state="disabled")
        look()
        assert kinds() == []

    def test_copies_at_risk_are_one_message(self, alice: User, key: ProviderKey) -> None:
        task = make_task(alice, state="archiving")
        for position in range(3):
            make_creation(task, position=position, state="pending", deadline=timezone.now() + timedelta(hours=3))
        look()
        look()
        assert Alert.objects.get().facts["number"] == 3

    def test_charges_that_nobody_confirms(self, alice: User, key: ProviderKey) -> None:
        make_task(alice, state="failed", charge=None, finished_at=timezone.now() - timedelta(days=6))
        look()
        assert kinds() == []
        make_task(alice, state="failed", charge=None, finished_at=timezone.now() - timedelta(days=8))
        look()
        assert (kinds(), Alert.objects.get().facts["number"]) == (["unconfirmed"], 1)

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plan")
    def test_they_are_found_without_going_through_all_tasks(self) -> None:
        for asked in (alerts.unconfirmed(), alerts.unconfirmed().filter(finished_at__lt=timezone.now())):
            assert "task_unconfirmed" in asked.values("finished_at").explain()

    def test_a_worker_that_comes_back_tells_that_it_was_away(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rounds, "_go", lambda *_: None)
        long_ago = timezone.now() - timedelta(minutes=20)
        Lease.objects.create(key=rounds.ACTIVE, until=long_ago, beat_at=long_ago)
        rounds.go_round(wait_seconds=0)
        rounds.go_round(wait_seconds=0)
        assert kinds() == ["worker-silent"]

    def test_a_worker_that_stays_away_is_told_by_who_watches_it(self) -> None:
        since, now = timezone.now() - timedelta(minutes=6), timezone.now()
        assert alerts.worker_is_silent(now - timedelta(minutes=4), now) is None
        told = alerts.worker_is_silent(since, now)
        assert told is not None
        assert alert_words(told)[0] == "The worker is silent"
        assert alerts.worker_is_silent(since, now) is None
        assert alerts.worker_was_silent(since, now) is None, "it was told already"

    def test_the_launcher_has_it_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[Any] = []
        monkeypatch.setattr(
            run.threading, "Thread", lambda **how: told.append(how) or SimpleNamespace(start=lambda: None)
        )
        monkeypatch.setattr(run.connection, "close", lambda: None)
        for minutes in (4, 6, 6):
            run.Command()._tell_of_silence(timezone.now().replace(second=0) - timedelta(minutes=minutes))
        assert [(each["target"], each["args"]) for each in told] == [(run._deliver, (Alert.objects.get().pk,))]

    def test_one_run_is_one_message_however_much_it_found(self, key: ProviderKey) -> None:
        run = Reconciliation.objects.create(key=key, from_at=timezone.now(), to_at=timezone.now())
        for _ in range(2):
            alerts.external_use(run, 12, Decimal(600), "credit")
        subject, body = alert_words(Alert.objects.get())
        assert subject == "Key Studio is used from elsewhere"
        assert "12 tasks on key Studio were not made here: 600 credits." in body


class TestBalance:
    def read(self, key: ProviderKey, ago: timedelta, balance: int) -> None:
        at = timezone.now() - ago
        hour = at.replace(minute=0, second=0, microsecond=0)
        BalanceReading.objects.create(key=key, hour=hour, at=at, balance=balance)

    def test_it_lasts_as_long_as_the_pace_of_the_last_days_says(self, key: ProviderKey) -> None:
        self.read(key, timedelta(days=4), 1000)
        self.read(key, timedelta(days=2), 800)
        self.read(key, timedelta(days=1), 1800)  # somebody bought credits
        self.read(key, timedelta(0), 1600)
        ProviderKey.objects.update(balance=500)
        key.refresh_from_db()
        assert alerts.runs_out_on(key) == totals.today() + timedelta(days=5)
        look()
        assert kinds() == ["running-out"]
        assert date_format(totals.today() + timedelta(days=5)) in alert_words(Alert.objects.get())[1]

    def test_an_hour_tells_nothing(self, key: ProviderKey) -> None:
        self.read(key, timedelta(hours=2), 1000)
        self.read(key, timedelta(0), 10)
        ProviderKey.objects.update(balance=10)
        key.refresh_from_db()
        assert alerts.runs_out_on(key) is None

    def test_every_answer_is_remembered_once_an_hour(self, key: ProviderKey) -> None:
        for left in (100, 90):
            evidence.tested(key, Balance(Money(Decimal(left), Unit.CREDIT)))
        assert [row.balance for row in BalanceReading.objects.all()] == [90]


class TestSums:
    def test_the_first_check_fills_and_a_later_one_tells(self, alice: User, key: ProviderKey) -> None:
        spend(alice, key, 55)
        LedgerTotal.objects.all().delete()
        jobs.check_totals()
        assert kinds() == []
        LedgerTotal.objects.filter(grain="day").update(amount=1)
        jobs.check_totals()
        assert kinds() == ["totals-repaired"]
        assert totals.check(repair=False) == []

    def test_after_another_time_zone_all_days_are_summed_anew(
        self, alice: User, key: ProviderKey, settings: Any
    ) -> None:
        old = ledger.external(key, "900", Decimal(50), datetime(2025, 3, 31, 20, tzinfo=UTC), model="viduq2", note="x")
        jobs.check_totals()
        for zone, day in (("Asia/Shanghai", date(2025, 4, 1)), ("UTC", date(2025, 3, 31))):
            settings.TIME_ZONE = zone
            jobs.check_totals()
            assert LedgerTotal.objects.get(grain="day", entries__gt=0).starts_on == day == totals.day_of(old.at)
            assert totals.check(repair=False) == []
        assert kinds() == []


# --- Telling -------------------------------------------------------------------------------------------------


class Chat(apprise.NotifyBase):  # type: ignore[no-untyped-call]
    """A chat service of our own: what it was told, and whether it takes it."""

    app_id = "test"
    secure_protocol = "vfchat"  # type: ignore[assignment]
    told: list[tuple[str, str]] = []
    takes = True

    def url(self, *_: Any, **__: Any) -> str:
        return "vfchat://secret-word"

    def send(self, body: str, title: str = "", notify_type: Any = None, **kwargs: Any) -> bool:
        Chat.told.append((title, body))
        return Chat.takes

    @staticmethod
    def parse_url(url: str, *_: Any, **__: Any) -> dict[str, Any]:
        return apprise.NotifyBase.parse_url(url, verify_host=False) or {}


@pytest.fixture
def chat(settings: Any) -> Iterator[type[Chat]]:
    apprise.plugins.N_MGR.add(Chat, schemas="vfchat", force=True)  # type: ignore[no-untyped-call]
    settings.VIDEOFORGE_ALERT_URLS = ["vfchat://secret-word"]
    Chat.told, Chat.takes = [], True
    yield Chat
    apprise.plugins.N_MGR.remove("vfchat")  # type: ignore[no-untyped-call]


@pytest.fixture
def alert(key: ProviderKey, alice: User) -> Alert:
    make_budget(key, 100)
    spend(alice, key, 80)
    look()
    return Alert.objects.get()


class TestDelivery:
    def test_mail_goes_to_those_named_else_to_the_administrators(
        self, alert: Alert, alice: User, admin: User, settings: Any
    ) -> None:
        settings.VIDEOFORGE_SENDS_MAIL = True
        User.objects.filter(pk=admin.pk).update(email="admin@house.example")
        User.objects.filter(pk=alice.pk).update(email="alice@house.example")
        assert delivery.deliver(alert.pk)
        [message] = mail.outbox
        assert (message.to, message.subject) == (["admin@house.example"], "VideoForge: Budget of Studio: 80 % used")
        assert "80 credits of 100 credits are spent or held. New clips are still taken." in message.body
        assert not delivery.deliver(alert.pk), "told once"

    def test_chat_services_hear_of_it(self, alert: Alert, chat: type[Chat]) -> None:
        assert delivery.deliver(alert.pk)
        assert chat.told == [
            (
                "VideoForge: Budget of Studio: 80 % used",
                "80 credits of 100 credits are spent or held. New clips are still taken.",
            )
        ]

    def test_what_no_channel_took_is_tried_again_without_its_address_in_the_books(
        self, alert: Alert, chat: type[Chat], caplog: pytest.LogCaptureFixture
    ) -> None:
        chat.takes = False
        assert not delivery.deliver(alert.pk)
        alert.refresh_from_db()
        assert (alert.tries, alert.delivery_error) == (1, "chat: not taken")
        assert alert.next_try_at is not None
        assert "secret-word" not in caplog.text + alert.delivery_error
        Alert.objects.update(next_try_at=timezone.now() - timedelta(minutes=1))
        chat.takes = True
        assert delivery.deliver(alert.pk)

    def test_who_was_told_is_not_told_again_because_another_failed(
        self, alert: Alert, chat: type[Chat], settings: Any
    ) -> None:
        settings.VIDEOFORGE_SENDS_MAIL, settings.VIDEOFORGE_ALERT_EMAILS = True, ["ops@house.example"]
        chat.takes = False
        for _ in range(3):
            Alert.objects.update(next_try_at=timezone.now())
            assert not delivery.deliver(alert.pk)
        assert (len(mail.outbox), len(chat.told)) == (1, 3)
        chat.takes = True
        Alert.objects.update(next_try_at=timezone.now())
        assert delivery.deliver(alert.pk)
        assert (len(mail.outbox), len(chat.told)) == (1, 4)
        assert "secret-word" not in str(Alert.objects.get().told)

    def test_a_service_that_explodes_leaves_the_others(
        self, alert: Alert, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.VIDEOFORGE_SENDS_MAIL, settings.VIDEOFORGE_ALERT_EMAILS = True, ["ops@house.example"]
        settings.VIDEOFORGE_ALERT_URLS = ["odd://x"]

        def explode(*_: Any) -> str:
            raise RuntimeError("odd://x")

        monkeypatch.setattr(delivery, "_chat", explode)
        assert not delivery.deliver(alert.pk)
        assert (len(mail.outbox), Alert.objects.get().delivery_error) == (1, "RuntimeError")

    def test_a_mail_server_that_is_away_is_no_end(
        self, alert: Alert, admin: User, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.VIDEOFORGE_SENDS_MAIL, settings.VIDEOFORGE_ALERT_EMAILS = True, ["ops@house.example"]

        def away(*_: Any, **__: Any) -> None:
            raise smtplib.SMTPServerDisconnected("gone")

        monkeypatch.setattr(delivery, "send_mail", away)
        for number in range(1, delivery.MOST_TRIES + 1):
            Alert.objects.update(next_try_at=timezone.now())
            assert not delivery.deliver(alert.pk)
            assert Alert.objects.get().tries == number
        assert Alert.objects.get().next_try_at is None, "given up; the list in the admin has it"

    def test_without_channels_the_list_is_enough(self, alert: Alert) -> None:
        assert delivery.deliver(alert.pk)
        assert Alert.objects.get().next_try_at is None


@pytest.mark.parametrize("kind", AlertKind)
@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_kind_has_words_even_when_facts_are_odd(kind: AlertKind, language: str, db: None) -> None:
    with translation.override(language):
        for facts in ({}, {"number": 1, "on": "2026-12-03", "amount": "5", "unit": "credit", "percent": 80}):
            subject, body = alert_words(Alert(kind=kind, once="x", facts=facts))
            assert subject
            assert body
            assert "%(" not in subject + body


def test_a_budget_that_is_gone_is_still_told_of(alert: Alert) -> None:
    Budget.objects.all().delete()
    assert alert_words(Alert.objects.get())[0] == "Budget of Studio: 80 % used"
