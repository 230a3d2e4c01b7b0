"""The ledger in the admin: found by day, key and reference without a count, corrected by rows that are confirmed."""

import csv
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from generations import ledger, lifecycle, totals
from generations.admin import days, guards
from generations.models import EntryKind, ProviderKey, Task, UsageEntry, User
from generations.providers.base import Money, Unit
from tests.factories import make_key, make_task

pytestmark = pytest.mark.django_db
LIST = "admin:generations_usageentry_changelist"


@pytest.fixture
def desk(client: Client, admin: User) -> Client:
    client.force_login(admin)
    return client


def spent(key: ProviderKey, amount: int, at: datetime | None = None, reference: str = "") -> UsageEntry:
    reference = reference or f"theirs-{UsageEntry.objects.count()}"
    return ledger.external(key, reference, Decimal(amount), at or timezone.now(), model="viduq3", note="")


def shown(desk: Client, query: str = "") -> list[Decimal]:
    answer = desk.get(reverse(LIST) + query)
    assert answer.status_code == 200, answer.get("Location")
    return [row.amount for row in answer.context["cl"].result_list]


class TestList:
    def test_newest_first_with_what_an_auditor_asks(self, desk: Client, alice: User, key: ProviderKey) -> None:
        task = make_task(alice, key=key, remote_id="91520000", state="succeeded")
        ledger.reserve(task, Decimal(55))
        ledger.settle(task, Money(Decimal(50), Unit.CREDIT))
        assert shown(desk) == [Decimal(-55), Decimal(50), Decimal(55)]
        html = desk.get(reverse(LIST)).content.decode()
        for told in ("Alice Ames", "Settle", "50 credits", "91520000", f"/tasks/{task.pk}/", "Studio", "Vendor"):
            assert told in html

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ("?kind__exact=external", [7, 5]),
            ("?unit__exact=token", [2]),
            ("?provider__exact=vidu", [7, 5, 9]),
            ("?q=theirs-b", [7]),
            ("?q=theirs", []),
            ("?q=%20theirs-b%20", [7]),
        ],
    )
    def test_filters_and_whole_references(self, desk: Client, admin: User, query: str, found: list[int]) -> None:
        key, other = make_key(), make_key("Other", provider="xingchao")
        ledger.adjust(key, Decimal(9), "a reason", admin)
        ledger.adjust(other, Decimal(2), "a reason", admin)
        spent(key, 5, reference="theirs-a")
        spent(key, 7, reference="theirs-b")
        assert shown(desk, query) == found

    def test_by_key_and_by_our_own_id(self, desk: Client, alice: User, key: ProviderKey) -> None:
        task = make_task(alice, key=key)
        ledger.reserve(task, Decimal(3))
        spent(make_key("Other"), 7)
        assert shown(desk, f"?q={task.pk}") == [3]
        assert shown(desk, f"?key__id__exact={key.pk}") == [3]

    def test_days_are_those_of_the_books(self, desk: Client, key: ProviderKey, settings: Any) -> None:
        settings.TIME_ZONE = "Asia/Shanghai"
        spent(key, 1, datetime(2026, 10, 31, 15, 59, tzinfo=UTC))
        spent(key, 2, datetime(2026, 10, 31, 16, 0, tzinfo=UTC))
        spent(key, 4, datetime(2025, 3, 1, 12, 0, tzinfo=UTC))
        assert shown(desk, "?day=2026-10") == [1]
        assert shown(desk, "?day=2026-11-01") == [2]
        assert shown(desk, "?day=2026") == [2, 1]
        answer = desk.get(reverse(LIST) + "?day=2026-11-01")
        assert "2026-11-01 00:00" in answer.content.decode()
        assert "Asia/Shanghai" in answer.content.decode()

    def test_one_goes_down_from_years_to_days(self, desk: Client, key: ProviderKey) -> None:
        for day in (
            datetime(2026, 10, 3, tzinfo=UTC),
            datetime(2026, 11, 4, tzinfo=UTC),
            datetime(2025, 3, 1, tzinfo=UTC),
        ):
            spent(key, 1, day)

        def further(query: str = "") -> list[str]:
            found: days.Links = desk.get(reverse(LIST) + query).context["cl"].days
            return [link.address for link in found.further]

        assert further() == ["?day=2025", "?day=2026"]
        assert further("?day=2026") == ["?day=2026-10", "?day=2026-11"]
        assert further("?day=2026-10&kind__exact=external") == ["?day=2026-10-03&kind__exact=external"]
        assert further("?day=2026-10-03") == []
        back = desk.get(reverse(LIST) + "?day=2026-10-03").context["cl"].days.back
        assert [link.address for link in back] == ["?", "?day=2026", "?day=2026-10"]

    @pytest.mark.parametrize("day", ["2026-13", "x", "2026-02-30", "9999", "9999-12-31", "0000", "2026-1", "'--"])
    def test_what_is_no_day_is_refused_politely(self, desk: Client, key: ProviderKey, day: str) -> None:
        answer = desk.get(reverse(LIST), {"day": day})
        assert (answer.status_code, answer.get("Location", "")[-4:]) == (302, "?e=1")

    def test_the_export_is_asked_for_what_is_chosen(self, desk: Client, key: ProviderKey) -> None:
        spent(key, 1, datetime(2026, 2, 3, tzinfo=UTC))
        html = desk.get(reverse(LIST) + f"?key__id__exact={key.pk}&day=2026-02").content.decode()
        asked = f"{reverse('usage-export')}?key={key.pk}&amp;period=own&amp;from=2026-02-01&amp;to=2026-02-28"
        assert asked in html
        assert desk.get(asked.replace("&amp;", "&")).status_code == 200

    @pytest.mark.parametrize(
        ("query", "amounts"),
        [
            ("", ["4", "9", "1", "2", "7"]),
            ("?kind__exact=external&unit__exact=credit", ["4", "1"]),
            ("?provider__exact=xingchao", ["2", "7"]),
            ("?kind__exact=top-up", ["9"]),
            ("?day=2025", ["4"]),
        ],
    )
    def test_the_export_has_the_rows_of_the_list(
        self, desk: Client, admin: User, query: str, amounts: list[str]
    ) -> None:
        """However old they are: without a day the list is of all time."""
        key, other = make_key(), make_key("Other", provider="xingchao")
        spent(key, 4, datetime(2025, 3, 1, tzinfo=UTC))
        ledger.top_up(key, Decimal(9), "", admin)
        spent(key, 1)
        ledger.adjust(other, Decimal(2), "a reason", admin)
        spent(other, 7)
        html = desk.get(reverse(LIST) + query).content.decode()
        file = desk.get(unescape(re.findall(r'<a href="(/usage/export/[^"]*)"', html)[0]))
        lines = b"".join(file.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
        assert [line["amount"] for line in csv.DictReader(lines)] == amounts
        assert sorted(map(Decimal, amounts)) == sorted(shown(desk, query))

    def test_a_search_has_no_file_and_an_empty_ledger_one_of_this_month(self, desk: Client, key: ProviderKey) -> None:
        assert f'"{reverse("usage-export")}"' in desk.get(reverse(LIST)).content.decode()
        spent(key, 1, reference="theirs-b")
        assert reverse("usage-export") not in desk.get(reverse(LIST) + "?q=theirs-b").content.decode()

    def test_list_and_row_tell_one_time_and_its_zone(self, desk: Client, admin: User, key: ProviderKey) -> None:
        """Those of the books, wherever whoever looks may be."""
        admin.time_zone = "Asia/Shanghai"
        admin.save()
        row = spent(key, 1, datetime(2026, 10, 31, 19, 9, 33, tzinfo=UTC))
        assert "2026-10-31 19:09" in desk.get(reverse(LIST)).content.decode()
        page = desk.get(reverse("admin:generations_usageentry_change", args=[row.pk])).content.decode()
        assert "2026-10-31 19:09:33 (UTC)" in page
        assert "Nov. 1" not in page


class TestCost:
    def test_the_page_costs_the_same_for_many_rows(
        self, desk: Client, admin: User, django_assert_max_num_queries: Callable
    ) -> None:
        for number in range(5):
            key = make_key(f"Key {number}")
            for _row in range(8):
                ledger.adjust(key, Decimal(1), "a reason", admin)
        with django_assert_max_num_queries(9):
            assert len(shown(desk)) == 40

    def test_it_never_counts_all_of_it(self, desk: Client, key: ProviderKey, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(guards, "MOST_LISTED", 150)
        for _number in range(160):
            spent(key, 1)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            answer = desk.get(reverse(LIST))
        counts = [each["sql"] for each in queries if "COUNT(" in each["sql"] and "usageentry" in each["sql"]]
        assert counts
        assert all("LIMIT 151" in sql for sql in counts)
        assert answer.context["cl"].result_count == 150
        html = answer.content.decode()
        assert "The newest 150 are listed" in html
        assert "150+ results" in html
        assert "150+ ledger entries" in " ".join(html.split())
        assert 'href="?">Show all' not in html, "nothing was left out by a filter"
        few = desk.get(reverse(LIST) + "?kind__exact=settle").content.decode()
        assert "0 results" in few
        assert 'href="?">Show all' in few
        assert len(desk.get(reverse(LIST) + "?p=2").context["cl"].result_list) == 50

    @pytest.mark.skipif(connection.vendor != "sqlite", reason="reads SQLite's plans")
    @pytest.mark.parametrize(
        ("query", "index"),
        [
            ("?q=theirs-b", "usage_by_reference"),
            ("?day=2026-10-03", "usage_by_time"),
        ],
    )
    def test_an_index_finds_them(self, desk: Client, key: ProviderKey, query: str, index: str) -> None:
        with CaptureQueriesContext(connection) as queries:
            desk.get(reverse(LIST) + query)
        reading = [each["sql"] for each in queries if 'FROM "generations_usageentry"' in each["sql"]]
        assert reading
        for sql in reading:
            with connection.cursor() as cursor:
                cursor.execute("EXPLAIN QUERY PLAN " + sql.replace("%", "%%"))
                plan = " ".join(str(row[3]) for row in cursor.fetchall())
            assert index in plan, (sql, plan)


class TestBooking:
    """Entered, confirmed on a page that says what will be booked, booked once."""

    def place(self, what: str) -> str:
        return reverse("admin:book", args=[what])

    def confirmed(self, desk: Client, what: str, said: str, **fields: Any) -> dict[str, str]:
        answer = desk.post(self.place(what), fields)
        html = answer.content.decode()
        assert answer.status_code == 200, html
        assert said in html
        assert not UsageEntry.objects.filter(source="admin").exists(), "nothing is booked before"
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html))
        return {**hidden, "confirmed": "Book it"}

    @pytest.mark.parametrize(
        ("amount", "said"),
        [("100", "100 credits more spent on “Studio”"), ("-7.5", "7.5 credits less spent on “Studio”")],
    )
    def test_a_key_is_adjusted(self, desk: Client, admin: User, key: ProviderKey, amount: str, said: str) -> None:
        fields = self.confirmed(desk, "adjust", said, key=key.pk, amount=amount, reason="The console says so")
        answer = desk.post(self.place("adjust"), fields, follow=True)
        [entry] = UsageEntry.objects.all()
        assert (entry.kind, entry.amount, entry.unit) == (EntryKind.ADJUST, Decimal(amount), "credit")
        assert (entry.actor, entry.note, entry.source) == (admin, "The console says so", "admin")
        assert answer.redirect_chain[-1][0].endswith(f"/{entry.pk}/change/")

    def test_a_second_press_of_the_same_page_books_nothing(self, desk: Client, key: ProviderKey) -> None:
        fields = self.confirmed(desk, "adjust", "more spent", key=key.pk, amount="1", reason="x")
        desk.post(self.place("adjust"), fields)
        answer = desk.post(self.place("adjust"), fields, follow=True)
        assert "Nothing was booked" in answer.content.decode()
        desk.post(self.place("adjust"), {**fields, "once": ""})
        assert UsageEntry.objects.count() == 1

    def test_a_top_up_is_not_spent(self, desk: Client, key: ProviderKey) -> None:
        fields = self.confirmed(
            desk, "top-up", "1,000 credits bought for “Studio”", key=key.pk, amount="1000", note="Invoice 7"
        )
        desk.post(self.place("top-up"), fields)
        assert UsageEntry.objects.get().kind == EntryKind.TOP_UP
        assert ledger.totals()["Studio"]["credit"]["settled"] == 0

    def test_a_charge_is_corrected_in_ledger_and_task(self, desk: Client, admin: User, alice: User) -> None:
        task = make_task(alice, state="succeeded", charge=Decimal(55), finished_at=timezone.now())
        ledger.settle(task, Money(Decimal(55), Unit.CREDIT))
        said = "goes from 55 credits to 40 credits"
        fields = self.confirmed(desk, "correct", said, task=task.pk, amount="40", reason="Refunded by mail")
        desk.post(self.place("correct"), fields)
        task.refresh_from_db()
        assert (task.charge, ledger.booked(task)) == (40, 40)
        entry = UsageEntry.objects.first()
        assert entry is not None
        assert (entry.amount, entry.actor, entry.note) == (-15, admin, "Refunded by mail")

    def test_an_unconfirmed_charge_becomes_known_and_the_hold_ends(self, desk: Client, alice: User) -> None:
        task = make_task(alice, state="failed", finished_at=timezone.now())
        ledger.reserve(task, Decimal(55))
        totals.check()
        fields = self.confirmed(desk, "correct", "was not confirmed. It becomes 0 credits", task=task.pk, amount="0",
                                reason="Their console says free")  # fmt: skip
        desk.post(self.place("correct"), fields)
        task.refresh_from_db()
        assert (task.charge, ledger.holds(task)) == (0, [])
        assert totals.check(repair=False) == []

    def test_a_row_is_taken_back_once(self, desk: Client, admin: User, key: ProviderKey) -> None:
        entry = spent(key, 600)
        page = desk.get(reverse("admin:generations_usageentry_change", args=[entry.pk])).content.decode()
        assert f"{self.place('reverse')}?entry={entry.pk}" in page
        fields = self.confirmed(
            desk, "reverse", "is taken back by a row of -600 credits", entry=entry.pk, reason="Ours"
        )
        desk.post(self.place("reverse"), fields)
        row = UsageEntry.objects.get(reverses=entry)
        assert (row.amount, row.actor) == (-600, admin)
        again = desk.post(self.place("reverse"), {"entry": entry.pk, "reason": "again"})
        assert again.status_code == 422
        assert "has been taken back already" in again.content.decode()
        page = desk.get(reverse("admin:generations_usageentry_change", args=[entry.pk])).content.decode()
        assert self.place("reverse") not in page

    @pytest.mark.parametrize("kind", ["reserve", "settle"])
    def test_rows_of_a_clip_are_not_taken_back_past_it(self, desk: Client, alice: User, kind: str) -> None:
        task = make_task(alice, state="succeeded")
        ledger.reserve(task, Decimal(55))
        ledger.settle(task, Money(Decimal(55), Unit.CREDIT))
        answer = desk.post(self.place("reverse"), {"entry": task.usage.get(kind=kind).pk, "reason": "x"})
        assert answer.status_code == 422

    @pytest.mark.parametrize(
        ("what", "over", "field"),
        [
            ("adjust", {"reason": " "}, "reason"),
            ("adjust", {"amount": "0"}, "amount"),
            ("adjust", {"amount": "99999999999"}, "amount"),
            ("adjust", {"amount": "NaN"}, "amount"),
            ("adjust", {"amount": "1.23456"}, "amount"),
            ("adjust", {"key": "999"}, "key"),
            ("top-up", {"amount": "-1"}, "amount"),
            ("correct", {"task": "not-an-id"}, "task"),
            ("correct", {"task": "0198b5a4-0000-7000-8000-000000000000"}, "task"),
            ("correct", {"amount": "-1"}, "amount"),
            ("reverse", {"entry": "x"}, "entry"),
        ],
    )
    def test_nonsense_is_refused_at_its_field(
        self, desk: Client, alice: User, key: ProviderKey, what: str, over: dict[str, str], field: str
    ) -> None:
        task = make_task(alice, key=key, state="succeeded")
        good = {"key": key.pk, "amount": "1", "reason": "x", "task": task.pk, "entry": spent(key, 1).pk}
        answer = desk.post(self.place(what), {**good, **over, "confirmed": "yes", "once": "x"})
        assert answer.status_code == 422
        assert list(answer.context["form"].errors) == [field]
        assert UsageEntry.objects.count() == 1

    def test_a_running_clip_has_no_charge_to_correct(self, desk: Client, alice: User) -> None:
        task = make_task(alice, state="processing")
        answer = desk.post(self.place("correct"), {"task": task.pk, "amount": "1", "reason": "x"})
        assert "its charge comes with its end" in answer.content.decode()

    def test_one_may_go_back_and_change_something(self, desk: Client, key: ProviderKey) -> None:
        fields = self.confirmed(desk, "adjust", "more spent", key=key.pk, amount="1", reason="<b>why</b>")
        del fields["confirmed"]
        fields["reason"] = "<b>why</b>"
        html = desk.post(self.place("adjust"), {**fields, "back": "Change something"}).content.decode()
        assert "&lt;b&gt;why&lt;/b&gt;" in html
        assert 'name="amount" value="1"' in html

    def test_unknown_bookings_and_gets_book_nothing(self, desk: Client, key: ProviderKey) -> None:
        assert desk.get(self.place("steal")).status_code == 404
        desk.get(self.place("adjust"), {"key": key.pk, "amount": "5", "reason": "x", "confirmed": "yes"})
        assert UsageEntry.objects.count() == 0

    def test_the_form_knows_the_key_it_was_opened_for(self, desk: Client, key: ProviderKey) -> None:
        html = desk.get(self.place("adjust"), {"key": key.pk}).content.decode()
        assert f'<option value="{key.pk}" selected>' in html


def test_it_says_so_when_somebody_booked_it_meanwhile(desk: Client, alice: User) -> None:
    task = make_task(alice, state="succeeded", finished_at=timezone.now())
    place = reverse("admin:book", args=["correct"])
    html = desk.post(place, {"task": task.pk, "amount": "5", "reason": "x"}).content.decode()
    once = re.findall(r'name="once" value="([^"]+)"', html)[0]
    lifecycle.correct_charge(Task.objects.get(pk=task.pk), Decimal(5), "the vendor said so")
    fields = {"task": task.pk, "amount": "5", "reason": "x", "once": once, "confirmed": "yes"}
    assert "the ledger says so already" in desk.post(place, fields, follow=True).content.decode()
