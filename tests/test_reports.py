"""Reports are the sums of their rows: by anything, over any time, each unit for itself."""

import uuid
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generations import totals
from generations.ledger import SPENT
from generations.models import Grain, LedgerTotal, ProviderKey, Rate, Task, TaskTotal, UsageEntry, User
from generations.reports import Filters, Rates, Report, Span, report
from generations.reports.charts import charts, heat_by
from generations.reports.heat import heat
from generations.reports.rows import clips, entries
from generations.reports.spans import Unclear
from tests.factories import make_key, make_task, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


def book(key: ProviderKey, amount: object, *, at: datetime = NOW, kind: str = "settle", **over: Any) -> UsageEntry:
    """A row of the ledger at any time, with its sums."""
    fields = {"unit": key.translator.unit, "source": "vendor", "provider": key.provider, "model": "viduq2"}
    fields |= {"once": uuid.uuid4().hex, "amount": Decimal(str(amount)), "kind": kind, "at": at, "key": key, **over}
    entry = UsageEntry.objects.create(**fields)
    totals.add(entry)
    return entry


def ended(owner: User, key: ProviderKey, state: str = "succeeded", *, at: datetime = NOW, **over: Any) -> Task:
    over = {"unit": key.translator.unit, "estimate": Decimal(50), "charge": Decimal(60), "finished_at": at, **over}
    task = make_task(owner, key=key, state=state, **over)
    totals.count(None, task)
    return task


def ask(user: User, query: str = "") -> Filters:
    return Filters.read(QueryDict(query), user)


def by_names(found: Report) -> dict[tuple[str, ...], Any]:
    return {(*line.names, line.unit): line.figures for line in found.lines}


# --- Time ----------------------------------------------------------------------------------------------------


@given(first=st.dates(date(2025, 1, 1), date(2026, 12, 31)), days=st.integers(0, 500))
@settings(deadline=None)
def test_a_time_is_made_of_each_of_its_days_once(first: date, days: int) -> None:
    """Every day and month of three years is a row; those that a span asks for cover it exactly."""
    span = Span.between(first, first + timedelta(days=days))
    covered: list[date] = []
    for grain, starts_on in _asked_for(span):
        end = starts_on + timedelta(days=1) if grain == "day" else totals.next_month(starts_on)
        covered += [starts_on + timedelta(days=number) for number in range((end - starts_on).days)]
    assert sorted(covered) == [first + timedelta(days=number) for number in range(days + 1)]


def _asked_for(span: Span) -> list[tuple[str, date]]:
    """The database's own reading of the condition."""
    rows = span.sums()
    found = []
    branches = [rows] if rows.connector == "AND" else list(rows.children)
    for branch in branches:
        asked = dict(branch.children)
        day, step = asked["starts_on__gte"], asked["grain"]
        while day < asked["starts_on__lt"]:
            found.append((str(step.value), day))
            day = day + timedelta(days=1) if step == Grain.DAY else totals.next_month(day)
    return found


@pytest.mark.parametrize(
    ("preset", "first", "last"),
    [
        ("month", "2026-11-01", "2026-11-30"),
        ("last-month", "2026-10-01", "2026-10-31"),
        ("7-days", "2026-11-15", "2026-11-21"),
        ("30-days", "2026-10-23", "2026-11-21"),
        ("year", "2026-01-01", "2026-12-31"),
    ],
)
def test_periods_move_with_the_calendar(preset: str, first: str, last: str) -> None:
    span = Span.of(preset)
    assert (str(span.first), str(span.last)) == (first, last)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("period=own", "Choose the first and the last day"),
        ("period=own&from=2026-02-30&to=2026-03-01", "“2026-02-30” is not a day"),
        ("period=own&from=now&to=", "“now” is not a day"),
        ("period=own&from=2026-03-02&to=2026-03-01", "lies after the last"),
        ("period=own&from=0001-01-01&to=2026-03-01", "too far away"),
        ("period=own&from=2026-01-01&to=9999-12-31", "too far away"),
        ("period=ever", "no such period"),
        ("key=999", "no such key"),
        ("key=%27%3B--", "no such key"),
        ("person=999", "no such person"),
        ("by=colour", "“colour” is not in the list"),
        ("state=waiting", "“waiting” is not in the list"),
        ("unit=gold", "“gold” is not in the list"),
        ("kind=theft", "“theft” is not in the list"),
    ],
)
def test_what_cannot_be_read_is_said(admin: User, query: str, said: str) -> None:
    with pytest.raises(Unclear, match=said):
        ask(admin, query)


def test_days_are_those_of_the_books(alice: User, admin: User, key: ProviderKey, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    book(key, 10, at=datetime(2026, 10, 31, 15, 59, 59, tzinfo=UTC), person=alice)  # the last second of October there
    book(key, 20, at=datetime(2026, 10, 31, 16, tzinfo=UTC), person=alice)  # the first of November
    assert report(ask(admin)).totals[0].figures.spent == 20
    october = ask(admin, "period=last-month")
    assert report(october).totals[0].figures.spent == 10
    assert [entry.amount for entry in entries(october)] == [10]


def test_days_with_one_hour_more_or_less_lose_nothing(admin: User, key: ProviderKey, settings: Any) -> None:
    settings.TIME_ZONE = "America/New_York"
    for hour in range(30):  # 2026-11-01 has 25 hours there, from 04:00 UTC to 05:00 the next day
        book(key, 1, at=datetime(2026, 11, 1, 0, 30, tzinfo=UTC) + timedelta(hours=hour))
    one = ask(admin, "period=own&from=2026-11-01&to=2026-11-01&by=day")
    found = report(one)
    assert found.totals[0].figures.spent == 25 == entries(one).count()
    whole = report(ask(admin, "period=own&from=2026-10-31&to=2026-11-02&by=day"))
    assert [line.figures.spent for line in whole.lines] == [4, 25, 1]


# --- Figures -------------------------------------------------------------------------------------------------


def test_units_are_never_added(alice: User, admin: User) -> None:
    studio, dollars = make_key("Studio"), make_key("Dollars", provider="vtrix")
    book(studio, 55, person=alice)
    book(dollars, "0.42", person=alice)
    found = report(ask(admin, "by=person"))
    assert {key: figures.spent for key, figures in by_names(found).items()} == {
        ("Alice Ames", "credit"): 55,
        ("Alice Ames", "usd"): Decimal("0.42"),
    }
    assert [(line.unit, line.figures.spent) for line in found.totals] == [("credit", 55), ("usd", Decimal("0.42"))]
    assert [chart.unit for chart in charts(found)] == ["credit", "usd"]


def test_what_was_spent_is_all_that_was_booked(alice: User, admin: User, key: ProviderKey) -> None:
    for kind, amount in (("reserve", 70), ("settle", 60), ("release", -70), ("refund", -20), ("adjust", 3)):
        book(key, amount, kind=kind, person=alice)
    book(key, 100, kind="external")
    book(key, 5000, kind="top-up")
    (line,) = report(ask(admin)).lines
    figures = line.figures
    assert (figures.charged, figures.refunded, figures.external, figures.spent) == (63, 20, 100, 143)
    assert report(ask(admin, "person=-")).lines[0].figures.spent == 100, "what nobody here spent"


def test_clips_and_what_they_cost(alice: User, admin: User, key: ProviderKey) -> None:
    ended(alice, key, charge=60, duration=5)
    ended(alice, key, charge=45, duration=8)
    ended(alice, key, charge=None, duration=4)
    ended(alice, key, "failed", charge=0)
    ended(alice, key, "failed", charge=None)
    ended(alice, key, "lost", charge=50)
    ended(alice, key, charge=9, estimate=Decimal(2), estimate_unit="cny")
    (line,) = report(ask(admin)).lines
    figures = line.figures
    assert (figures.tasks, figures.ready, figures.failed, figures.seconds) == (7, 4, 3, 22)
    assert (figures.estimated, figures.compared, figures.difference) == (200, 155, -45), "both known, in one unit"
    assert (figures.unconfirmed, figures.failed_free, figures.failed_paid, figures.failed_unconfirmed) == (2, 1, 1, 1)
    assert figures.per_second == Decimal(164) / 22
    failed = by_names(report(ask(admin, "view=failures")))
    assert failed["Studio", "Failed", "credit"].free == 1
    lost = failed["Studio", "Result lost", "credit"]
    assert (lost.tasks, lost.paid, lost.task_charged) == (1, 1, 50)


def test_sums_that_went_back_to_nothing_are_no_line(alice: User, admin: User, key: ProviderKey) -> None:
    task = ended(alice, key, "failed", charge=0)
    totals.count(task, None)
    assert report(ask(admin)).lines == []


def test_too_many_days_become_months(admin: User, key: ProviderKey) -> None:
    for month in (1, 2, 2):
        book(key, 10, at=datetime(2026, month, 3, tzinfo=UTC))
    filters = ask(admin, "period=year&by=day")
    assert filters.too_long
    assert [(line.names, line.figures.spent) for line in report(filters).lines] == [
        (("January 2026",), 10),
        (("February 2026",), 20),
    ]


def test_two_people_of_one_name_stay_two(admin: User, key: ProviderKey) -> None:
    for name in ("li1", "li2"):
        book(key, 10, person=make_user(name, first_name="Wei", last_name="Li"))
    found = report(ask(admin, "by=person&then=model"))
    assert len(found.lines) == 2
    assert len(charts(found)[0].bars) == 2


def test_who_left_is_still_named(alice: User, admin: User, key: ProviderKey) -> None:
    book(key, 10, person=alice)
    alice.is_active = False
    alice.save()
    assert report(ask(admin, "by=person")).lines[0].names == ("Alice Ames (left)",)


# --- Who may see what ----------------------------------------------------------------------------------------


def test_people_see_their_own(alice: User, bob: User, key: ProviderKey) -> None:
    book(key, 10, person=alice)
    book(key, 20, person=bob)
    book(key, 400, kind="external")
    ended(bob, key)
    (line,) = report(ask(alice, "by=person")).lines
    assert (line.figures.spent, line.figures.tasks) == (10, 0)
    assert entries(ask(alice)).count() == 1
    assert clips(ask(alice)).count() == 0
    for other in (str(bob.pk), "-"):
        with pytest.raises(Unclear, match="somebody else's"):
            ask(alice, f"person={other}")


# --- Money ---------------------------------------------------------------------------------------------------


def rate(key: ProviderKey | None, per_unit: str, day: date, **over: Any) -> Rate:
    fields = {"unit": "credit", "currency": "CNY", "per_unit": Decimal(per_unit), "valid_from": day, **over}
    return Rate.objects.create(key=key, **fields)


def test_about_needs_a_rate_for_all_of_it(admin: User) -> None:
    one, two = make_key("One"), make_key("Two")
    book(one, 100)
    book(two, 10)
    assert report(ask(admin)).totals[0].about is None
    rate(one, "0.5", date(2026, 1, 1))
    rate(one, "9", date(2026, 12, 1))  # not yet
    found = report(ask(admin))
    assert found.totals[0].about is None, "nobody said what a credit of the other key is worth"
    assert [line.about and line.about.amount for line in found.lines] == [50, None]
    rate(None, "0.2", date(2026, 11, 21))
    total = report(ask(admin)).totals[0].about
    assert total is not None
    assert (total.amount, total.currency) == (52, "CNY")
    rate(two, "0.1", date(2026, 1, 1), currency="USD")
    assert report(ask(admin)).totals[0].about is None, "two currencies are not added"


def test_the_newest_rate_of_its_day_counts(key: ProviderKey) -> None:
    rate(None, "0.1", date(2026, 1, 1))
    rate(None, "0.2", date(2026, 6, 1))
    rate(key, "0.3", date(2026, 9, 1))
    rates = Rates(date(2026, 12, 31))
    found = [rates.on(date(2026, month, 1), "credit", key.pk) for month in (1, 5, 6, 9)]
    assert [each.per_unit for each in found if each] == [Decimal(text) for text in ("0.1", "0.1", "0.2", "0.3")]
    assert rates.on(date(2025, 12, 31), "credit", key.pk) is None
    assert rates.on(date(2026, 12, 1), "token", key.pk) is None


# --- Layout --------------------------------------------------------------------------------------------------


def test_a_table_of_colours(admin: User, key: ProviderKey) -> None:
    book(key, 10, at=datetime(2026, 11, 2, 9, tzinfo=UTC))
    book(key, 100, at=datetime(2026, 11, 4, 9, tzinfo=UTC))
    found = report(ask(admin, "by=key&then=day"))
    assert heat_by(found) == "day"
    assert charts(found) == []
    table = heat(found, "day")
    assert len(table.columns) == 21, "days that have not come are no columns"
    (line,) = table.lines
    assert [cell.level for cell in line.cells[:5]] == [0, 1, 0, 5, 0]
    assert "from=2026-11-04&to=2026-11-04" in line.cells[3].query
    assert line.total == 110


def test_bars_fill_their_space_and_are_never_negative(alice: User, admin: User) -> None:
    for number in range(15):
        book(make_key(f"K{number:02}"), 10 * (number + 1), person=alice)
    book(make_key("Back"), -30, kind="refund", person=alice)
    (chart,) = charts(report(ask(admin)))
    assert (len(chart.bars), chart.left_out) == (12, 4)
    widths = [Decimal(part.width) for bar in chart.bars for part in bar.parts]
    assert widths == sorted(widths, reverse=True)
    assert min(widths) >= 0
    assert max(widths) == 440
    (standing,) = charts(report(ask(admin, "by=day&then=key")))
    assert len(standing.legend) == 6, "five and the others"
    assert sum(Decimal(part.height) for part in standing.bars[20].parts) == pytest.approx(142, abs=Decimal(1))


# --- Whatever was booked -------------------------------------------------------------------------------------

GROUPS = ("key", "day", "month", "person", "vendor", "model", "mode")
ENTRIES = st.tuples(
    st.integers(-75, 0), st.integers(0, 1), st.integers(0, 2), st.sampled_from(["viduq2", "viduq3-turbo", ""]),
    st.sampled_from(["text2video", "img2video"]),
    st.sampled_from(["reserve", "release", "settle", "refund", "external", "adjust", "top-up"]),
    st.decimals(-1000, 100000, places=4),
)  # fmt: skip
TASKS = st.tuples(
    st.integers(-75, 0), st.integers(0, 1), st.integers(0, 1), st.sampled_from(["succeeded", "failed", "lost"]),
    st.one_of(st.none(), st.decimals(0, 1000, places=4)), st.integers(1, 16),
)  # fmt: skip
SPANS = st.sampled_from(
    ["", "period=last-month", "period=30-days", "period=year", "period=own&from=2026-09-17&to=2026-11-03"]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    booked=st.lists(ENTRIES, max_size=25),
    made=st.lists(TASKS, max_size=8),
    by=st.lists(st.sampled_from(GROUPS), min_size=1, max_size=2, unique=True),
    span=SPANS,
    filtered=st.sampled_from(["", "model=viduq2", "mode=img2video", "vendor=vtrix", "unit=credit"]),
)
def test_reports_are_the_sums_of_their_rows(
    booked: list[Any], made: list[Any], by: list[str], span: str, filtered: str
) -> None:
    with transaction.atomic():
        boss = make_user(f"b{uuid.uuid4().hex}", role="admin")
        people = [make_user(f"p{uuid.uuid4().hex}") for _ in range(2)]
        keys = [make_key(f"K{uuid.uuid4().hex}", provider=slug) for slug in ("vidu", "vtrix")]
        for day, key, person, model, mode, kind, amount in booked:
            who = people[person] if person < 2 else None
            at = NOW + timedelta(days=day, hours=day % 23)
            book(keys[key], amount, at=at, kind=kind, person=who, model=model, mode=mode)
        for day, key, person, state, charge, seconds in made:
            ended(people[person], keys[key], state, at=NOW + timedelta(days=day), charge=charge, duration=seconds)
        filters = ask(boss, f"{span}&{filtered}&by={by[0]}&then={by[1] if len(by) > 1 else '-'}")
        found = report(filters)
        _compare_entries(found, filters)
        _compare_tasks(found, filters)
        transaction.set_rollback(True)


def _values(found: Report, row: UsageEntry | Task, at: datetime, person: int | None) -> tuple[Any, ...]:
    day = totals.day_of(at)
    known = {"key": row.key_id, "person": person, "vendor": row.provider, "model": row.model, "mode": row.mode}
    known |= {"day": day, "month": totals.month_of(day)}
    return (*(known[group] for group in found.groups), row.unit)


def _compare_entries(found: Report, filters: Filters) -> None:
    should: dict[tuple[Any, ...], Decimal] = defaultdict(Decimal)
    for entry in entries(filters).filter(kind__in=SPENT):
        should[_values(found, entry, entry.at, entry.person_id)] += entry.amount
    have = {(*line.values.values(), line.unit): line.figures.spent for line in found.lines if line.figures.entries}
    assert have == dict(should)
    for line in found.totals:
        assert line.figures.spent == sum(amount for cell, amount in should.items() if cell[-1] == line.unit)


def _compare_tasks(found: Report, filters: Filters) -> None:
    should: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [0, 0, 0, Decimal(0)])
    for task in clips(filters):
        sums = should[_values(found, task, task.finished_at or NOW, task.owner_id)]
        sums[0] += 1
        sums[1] += task.duration if task.state == "succeeded" else 0
        sums[2] += task.charge is None
        sums[3] += task.charge or 0
    have = {
        (*line.values.values(), line.unit): [
            line.figures.tasks, line.figures.seconds, line.figures.unconfirmed, line.figures.task_charged
        ]
        for line in found.lines if line.figures.tasks
    }  # fmt: skip
    assert have == dict(should)


def test_rows_under_a_line_are_its_rows(alice: User, bob: User, admin: User) -> None:
    """Each line's own address leads to rows that add up to it."""
    for number, person in enumerate((alice, bob, None) * 4):
        slug = ("vidu", "vtrix")[number % 2]
        key = ProviderKey.objects.filter(label=slug).first() or make_key(slug, provider=slug)
        book(key, number + 1, person=person, model=("viduq2", "")[number % 3 == 0], at=NOW - timedelta(days=number))
    for by, then in (("key", "-"), ("person", "day"), ("model", "vendor"), ("mode", "month"), ("day", "month")):
        found = report(ask(admin, f"by={by}&then={then}"))
        assert found.lines
        for line in found.lines:
            under = entries(ask(admin, line.query)).filter(kind__in=SPENT)
            assert sum(entry.amount for entry in under) == line.figures.spent, (line.names, line.query)


def test_the_cost_of_a_report_does_not_grow_with_its_rows(alice: User, admin: User, key: ProviderKey) -> None:
    def asked(query: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            report(ask(admin, query))
        return len(queries)

    book(key, 1, person=alice)
    before = [asked(query) for query in ("", "by=person&then=day", "view=failures")]
    for number in range(30):
        book(make_key(f"K{number}"), 1, person=make_user(f"u{number}"), at=NOW - timedelta(days=number))
    assert [asked(query) for query in ("", "by=person&then=day", "view=failures")] == before
    assert max(before) <= 5


def test_whole_months_are_read_as_months(admin: User, key: ProviderKey) -> None:
    """Not day by day: with the sums per day gone, the figures of whole months stay."""
    book(key, 10, at=datetime(2026, 3, 3, tzinfo=UTC))
    LedgerTotal.objects.filter(grain=Grain.DAY).delete()
    TaskTotal.objects.filter(grain=Grain.DAY).delete()
    assert report(ask(admin, "period=year&by=key")).totals[0].figures.spent == 10
