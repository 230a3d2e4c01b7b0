"""Whatever a report says, its link leads to rows that are exactly that: in their list, their sums and their file."""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from generations import totals
from generations.ledger import HELD, SPENT
from generations.models import ProviderKey, Rate, Task, UsageEntry, User
from generations.reports import rows as under
from generations.reports.charts import Chart
from generations.reports.heat import Heat
from tests.factories import make_key
from tests.test_reports import book, ended
from tests.views.pages import signed_in

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ROWS, EXPORT = "/usage/rows/", "/usage/export/"
NUMBER = re.compile(r"[+−-]?[\d,]+(?:\.\d+)?")
REPORTS = (
    "", "by=person", "by=model&then=-", "by=vendor", "by=mode", "by=day", "by=month&then=key", "by=day&then=model",
    "by=key&then=day", "by=person&then=month", "by=person&then=model", "by=vendor&then=day", "by=state",
    "by=state&then=day", "by=key&then=state", "state=failed", "state=succeeded&by=person", "state=cancelled",
    "state=lost", "view=failures", "view=failures&by=person&then=-", "view=failures&by=day",
    "view=failures&state=succeeded",
    "view=estimates", "view=estimates&by=key&then=-", "view=estimates&by=day&then=-", "period=last-month",
    "period=year", "period=year&by=day", "period=year&view=failures&by=month",
    "period=own&from=2026-10-15&to=2026-11-20&by=person&then=day", "person=-", "mode=img2video", "model=viduq2",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)
    monkeypatch.setattr(under, "PAGE", 7)
    monkeypatch.setattr(under.chunks, "__defaults__", (6,))


def clip(owner: User, key: ProviderKey, state: str, charge: object, at: datetime, **over: Any) -> Task:
    """One that ended, with all its rows: held, settled where something was said, let go."""
    known = None if charge is None else Decimal(str(charge))
    task = ended(owner, key, state, at=at, charge=known, **over)
    common = {"person": owner, "task": task, "model": task.model, "mode": task.mode}
    book(key, task.estimate or 5, at=at - timedelta(minutes=5), kind="reserve", **common)
    if known is not None:
        book(key, known, at=at, **common)
        book(key, -(task.estimate or 5), at=at, kind="release", **common)
    return task


@pytest.fixture
def house(alice: User, bob: User) -> None:
    """Two months of two people on three keys in two units: all kinds of rows, all ends of clips, all kinds of doubt."""
    studio, spare, dollars = make_key("Studio"), make_key("Spare"), make_key("Dollars", provider="vtrix")
    ends = (
        ("succeeded", 55, {"estimate": Decimal(50)}), ("succeeded", 60, {"estimate": None}), ("failed", None, {}),
        ("succeeded", 70, {"estimate": Decimal("1.5"), "estimate_unit": "cny"}), ("failed", 0, {}), ("lost", 45, {}),
        ("succeeded", None, {}), ("cancelled", 0, {}), ("failed", 30, {"mode": "img2video"}), ("cancelled", 5, {}),
        ("succeeded", 0, {"duration": 8}),
    )  # fmt: skip
    for number, (state, charge, over) in enumerate(ends * 3):
        owner, key = (alice, bob)[number % 2], (studio, studio, spare, dollars)[number % 4]
        model = ("viduq3-turbo", "viduq2")[number % 3 == 0]
        clip(owner, key, state, charge, NOW - timedelta(days=number * 2, hours=1), model=model, **over)
    late = clip(alice, studio, "failed", 33, NOW - timedelta(days=40))
    book(studio, -20, kind="refund", person=alice, task=late, at=NOW - timedelta(days=3))
    for days in (0, 1, 25):
        book(studio, 50, kind="external", at=NOW - timedelta(days=days), model="")
        book(dollars, "0.42", kind="adjust", at=NOW - timedelta(days=days))
    book(spare, 5000, kind="top-up", at=NOW - timedelta(days=2))


# --- Reading what is said and what is there -----------------------------------------------------------------------


def numbers(text: str) -> list[Decimal]:
    return [Decimal(found.replace(",", "").replace("−", "-")) for found in NUMBER.findall(text)]


def query(address: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(unescape(address)).query)


def all_rows(client: Client, address: str) -> tuple[list[Any], list[Any]]:
    """All pages of a list, and what its first page says that they come to."""
    found: list[Any] = []
    sums, before = None, ""
    while sums is None or before:
        answer = client.get(f"{address}&before={before.replace('+', '%2B')}" if before else address)
        assert answer.status_code == 200, address
        page = answer.context["page"]
        sums = answer.context["sums"] if sums is None else sums
        found, before = [*found, *page.rows], page.before
        assert len(found) < 500
    return found, sums or []


def comparable(task: Task) -> bool:
    return task.charge is not None and task.estimate is not None and (task.estimate_unit or task.unit) == task.unit


def measures(rows: list[Any]) -> dict[str, Decimal]:
    """All that a number over these rows may be about."""
    if rows and isinstance(rows[0], UsageEntry):
        return {"amount": sum((row.amount for row in rows), Decimal(0))}
    estimated = sum((task.estimate or Decimal(0) for task in rows), Decimal(0))
    charged = sum((task.charge or Decimal(0) for task in rows), Decimal(0))
    return {
        "count": Decimal(len(rows)),
        "seconds": Decimal(sum(task.duration for task in rows)),
        "estimated": estimated,
        "charged": charged,
        "difference": charged - estimated,
        "unconfirmed": Decimal(sum(task.charge is None for task in rows)),
        "paid": Decimal(sum(bool(task.charge) for task in rows)),
        "free": Decimal(sum(task.charge == 0 for task in rows)),
    }


COLUMNS = {  # the head of a column, and what of the rows it counts
    "Spent": "amount", "Clips": "count", "Ready": "count", "Failed": "count", "Seconds": "seconds",
    "Estimated": "estimated", "Difference": "difference", "Refunded": "amount", "Elsewhere": "amount",
    "Not confirmed": "count", "Not charged": "count", "Charged to us": "count", "We paid": "charged",
}  # fmt: skip


def cells(html: str) -> Iterator[tuple[str, str, Decimal]]:
    """Every number of the table that is a link: its address, what it counts, and the number."""
    found = re.search(r'<table class="table figures" id="usage-table">(.*?)</thead>(.*?)</table>', html, re.DOTALL)
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", found[1]) if found else []
    for row in re.findall(r"<tr[ >].*?</tr>", found[2] if found else "", re.DOTALL):
        parts = re.findall(r"<td[^>]*>.*?</td>", row, re.DOTALL)
        for head, part in zip(heads[-len(parts) :], parts, strict=True):
            if link := re.search(r'href="([^"]+)"[^>]*>([^<]+)</a>', part):
                what = COLUMNS.get(head) or ("charged" if "list=clips" in link[1] else "amount")
                yield unescape(link[1]), what, numbers(link[2])[0]


def tiles(html: str) -> Iterator[tuple[str, str, Decimal]]:
    for address, said, words in re.findall(
        r'<a[^>]*href="([^"]+)"[^>]*><span class="figure">([^<]*)</span><span class="hint">([^<]*)',
        html.split('id="usage-tiles"')[1].split('class="chart"')[0].replace('<a class="tile"', "<a"),
    ):
        what = "amount" if "kind=" in address else "charged" if words.strip() == "Charged" else "count"
        yield unescape(address), what, numbers(said)[0]


def bars(charts: Iterable[Chart], view: str) -> Iterator[tuple[str, str, Decimal]]:
    """Of each bar all that is written at it; the parts of one measure are added up."""
    for bar in (bar for chart in charts for bar in chart.bars if bar.query):
        told = bar.told.rpartition(": ")[2].split(" · ")
        address = f"{ROWS}?{bar.query}"
        if view == "":
            yield address, "charged" if "list=clips" in address else "amount", sum(map(_last, told), Decimal(0))
            continue
        named = {"Estimated": "estimated", "Not charged": "free", "Not confirmed": "unconfirmed"}
        named["Charged"] = "charged" if view == "estimates" else "paid"
        for part in told:
            if found := [name for name in named if part.startswith(name)]:
                yield address, named[found[0]], _last(part)
        if bar.value and view == "estimates":
            yield address, "difference", numbers(bar.value)[0]


def _last(told: str) -> Decimal:
    return numbers(told)[-1]


def colours(heat: Heat | None) -> Iterator[tuple[str, str, Decimal]]:
    for line in heat.lines if heat else ():
        found = [(cell.query, cell.amount) for cell in line.cells if cell.query] + [(line.query, line.total)]
        for asked, amount in found:
            assert amount is not None
            yield f"{ROWS}?{asked}", "charged" if "list=clips" in asked else "amount", amount


# --- Every number -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", REPORTS)
def test_every_number_every_bar_and_every_colour_is_what_lies_under_it(house: None, admin: User, asked: str) -> None:
    client = signed_in(admin)
    answer = client.get(f"/usage/?{asked}")
    html, view = answer.content.decode(), answer.context["filters"].view
    found = [*cells(html), *tiles(html), *bars(answer.context["charts"], view), *colours(answer.context["heat"])]
    assert len(found) >= 3
    for address, what, said in found:
        rows, sums = all_rows(client, address)
        have = measures(rows).get(what, Decimal(0))
        assert have == (-said if "kind=refund" in address and "kind=settle" not in address else said), (address, what)
        agree(rows, sums, address)


def agree(rows: list[Any], sums: list[Any], address: str) -> None:
    """What a list says that all its pages come to is what they come to."""
    by_unit: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        by_unit[row.unit].append(row)
    for each in sums:
        have, told = measures(by_unit[each.unit]), dict(each.amounts)
        assert each.count in (None, len(by_unit[each.unit])), address
        assert each.seconds in (None, have.get("seconds")), address
        for words, what in (("Together", "amount"), ("Charged", "charged"), ("Estimated", "estimated")):
            assert told.get(words, have.get(what)) == have.get(what), address
    counted = {unit for unit in by_unit if "charge=compared" not in address}
    assert counted <= {each.unit for each in sums}, address


def test_a_list_without_kinds_tells_what_was_spent_held_and_bought(house: None, admin: User) -> None:
    rows, sums = all_rows(signed_in(admin), f"{ROWS}?period=year&unit=credit")
    (credits,) = sums
    spent = sum(row.amount for row in rows if row.kind in SPENT)
    held = sum(row.amount for row in rows if row.kind in HELD)
    assert held > 0, "of clips that nobody confirmed"
    assert credits.amounts == [("Spent", spent), ("Still held", held), ("Bought", 5000)]
    assert credits.count == len(rows)


def test_what_a_list_comes_to_is_said_above_it(alice: User, admin: User, key: ProviderKey) -> None:
    book(key, 1200, person=alice)
    book(key, -20, kind="refund", person=alice)
    ended(alice, key, charge=60, estimate=Decimal(50))
    ended(alice, key, charge=None)
    client = signed_in(admin)

    def said(asked: str) -> str:
        html = client.get(f"{ROWS}?{asked}").content.decode()
        part = html.split('id="rows-sums"')[1].split("</ul>")[0].partition(">")[2]
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", part)).split())

    assert said("kind=settle&kind=refund") == "2 rows Together: 1,180 credits"
    assert said("list=clips") == "2 clips 10 s Charged: 60 credits"
    assert said("list=clips&charge=unconfirmed") == "1 clip"
    assert said("list=clips&charge=compared") == "Estimated: 50 credits Charged: 60 credits Difference: 10 credits"
    assert "rows-sums" not in client.get(f"{ROWS}?kind=top-up").content.decode(), "where nothing is listed"


# --- And back -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked", ["list=clips&charge=unconfirmed&unit=credit", "kind=external&unit=credit", "list=clips&view=failures"]
)
def test_the_way_back_takes_nothing_along_that_no_field_shows(house: None, admin: User, asked: str) -> None:
    client = signed_in(admin)
    html = client.get(f"{ROWS}?{asked}").content.decode()
    back = unescape(re.findall(r'class="back" href="([^"]+)"', html)[0])
    assert not {"charge", "unit", "kind", "list"} & set(query(back))


def test_a_report_takes_no_filter_that_no_field_shows(house: None, admin: User) -> None:
    """Neither does an address that somebody kept."""
    client = signed_in(admin)
    kept = client.get("/usage/?unit=credit&charge=unconfirmed&kind=external&list=clips")
    assert [line.unit for line in kept.context["report"].totals] == ["credit", "usd"]
    html = kept.content.decode()
    assert text_of(html) == text_of(client.get("/usage/").content.decode())


def text_of(html: str) -> str:
    return html.split('id="report"')[1].split("<footer")[0]


def test_nothing_leads_nowhere(alice: User, admin: User, key: ProviderKey) -> None:
    """With the failed alone, a link "0 ready" would list those that are ready."""
    ended(alice, key)
    ended(alice, key, "failed")
    html = signed_in(admin).get("/usage/?state=failed").content.decode()
    assert re.search(r'<div class="tile" id="tile-ready">', html)
    assert re.search(r'<a [^>]*class="tile" id="tile-failed">', html)


# --- And as a file ------------------------------------------------------------------------------------------------


def file_of(client: Client, html: str) -> list[dict[str, str]]:
    address = unescape(re.findall(rf'href="({EXPORT}\?[^"]*format=csv)"', html)[0])
    content = b"".join(client.get(address).streaming_content)  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def spent_in(lines: list[dict[str, str]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        if line["kind"] in SPENT:
            found[line["unit"]] += Decimal(line["amount"])
    return {unit: amount for unit, amount in found.items() if amount}


@pytest.mark.parametrize("asked", REPORTS)
def test_the_file_of_a_report_adds_up_to_it(house: None, admin: User, asked: str) -> None:
    Task.objects.filter(usage__kind="refund").update(charge=13)  # the vendor gave 20 of its 33 back
    totals.check()
    client = signed_in(admin)
    answer = client.get(f"/usage/?{asked}")
    found = answer.context["report"]
    said = {
        line.unit: line.figures.task_charged if found.of_tasks_alone else line.figures.spent for line in found.totals
    }
    lines = file_of(client, answer.content.decode())
    assert spent_in(lines) == {unit: amount for unit, amount in said.items() if amount}
    if found.of_tasks_alone:
        tasks = [line["task_id"] for line in lines]
        assert tasks == sorted(tasks, key=tasks.index), "the rows of a clip stand together"


@pytest.mark.parametrize("charge", ["", "none", "some", "known", "compared", "unconfirmed"])
def test_the_file_of_a_list_of_clips_has_the_rows_of_these_clips(house: None, admin: User, charge: str) -> None:
    client = signed_in(admin)
    address = f"{ROWS}?period=year&list=clips&charge={charge}"
    rows, _ = all_rows(client, address)
    lines = file_of(client, client.get(address).content.decode())
    assert {line["task_id"] for line in lines} == {str(task.pk) for task in rows}
    assert len(lines) == UsageEntry.objects.filter(task__in=rows).count(), "all rows of each, and each of them once"


def test_what_became_known_later_is_in_the_file_of_the_month_in_which_the_clip_ended(
    alice: User, admin: User, key: ProviderKey
) -> None:
    """It ended in October; what it cost was learnt in November."""
    task = ended(alice, key, "failed", at=datetime(2026, 10, 30, 20, tzinfo=UTC), charge=55)
    book(key, 55, person=alice, task=task, at=datetime(2026, 11, 2, 9, tzinfo=UTC))
    client = signed_in(admin)
    for period, amounts in (("last-month", ["55"]), ("month", [])):
        html = client.get(f"/usage/?period={period}&view=failures").content.decode()
        assert [line["amount"] for line in file_of(client, html)] == amounts


def test_people_take_the_rows_of_their_own_clips(house: None, alice: User, bob: User) -> None:
    client = signed_in(alice)
    lines = file_of(client, client.get(f"{ROWS}?list=clips&period=year").content.decode())
    assert {line["person"] for line in lines} == {"Alice Ames (alice)"}
    bob.user_permissions.add(Permission.objects.get(codename="view_team_usage"))
    client = signed_in(bob)
    lines = file_of(client, client.get(f"{ROWS}?list=clips&period=year").content.decode())
    assert len({line["person"] for line in lines}) == 2


# --- And in money -------------------------------------------------------------------------------------------------


def rate(per_unit: str, day: date, key: ProviderKey | None = None) -> None:
    Rate.objects.create(key=key, unit="credit", currency="CNY", per_unit=Decimal(per_unit), valid_from=day)


@pytest.mark.parametrize("asked", ["", "period=year", "period=year&by=month", "by=day", "period=last-month&by=person",
                                   "period=own&from=2026-09-17&to=2026-11-20&by=model"])  # fmt: skip
def test_what_it_is_worth_is_the_same_on_the_page_and_in_the_file(admin: User, key: ProviderKey, asked: str) -> None:
    """Rates that begin in the middle count from their day."""
    other = make_key("Other")
    for number in range(90):
        book((key, other)[number % 2], 10 * (number + 1), at=NOW - timedelta(days=number))
    rate("0.03", date(2026, 1, 1))
    rate("0.06", date(2026, 11, 10))
    rate("0.05", date(2026, 10, 20), other)
    rate("0.01", date(2026, 9, 30), key)
    client = signed_in(admin)
    answer = client.get(f"/usage/?{asked}")
    found = answer.context["report"]
    said = found.totals[0].about
    worth = sum(Decimal(line["about_amount"]) for line in file_of(client, answer.content.decode()))
    assert said is not None
    assert said.amount == round(worth, 2)
    parts = [line.about for line in found.lines]
    assert sum(part.amount for part in parts if part) == pytest.approx(worth, abs=Decimal("0.05") * len(parts))


def test_nothing_is_said_of_what_has_no_rate_on_its_day(admin: User, key: ProviderKey) -> None:
    book(key, 10, at=NOW - timedelta(days=5))
    book(key, 10)
    rate("0.06", date(2026, 11, 20))
    client = signed_in(admin)
    answer = client.get("/usage/?by=day")
    assert answer.context["report"].totals[0].about is None
    assert [line.about and line.about.amount for line in answer.context["report"].lines] == [None, Decimal("0.60")]
    assert [line["about_amount"] for line in file_of(client, answer.content.decode())] == ["", "0.6"]
