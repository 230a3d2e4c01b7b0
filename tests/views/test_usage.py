"""The pages of usage: whose figures, in which words, and that each number leads to its rows."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from generations.models import ProviderKey, Rate, User
from tests.factories import make_budget, make_key, make_user
from tests.test_reports import book, ended
from tests.views.pages import htmx, signed_in

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


def read(client: Client, address: str = "/usage/", status: int = 200, **extra: Any) -> str:
    response = client.get(address, **extra)
    assert response.status_code == status
    return response.content.decode()


def text(html: str) -> str:
    """As it is read: without tags, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def table(html: str) -> list[str]:
    found = re.search(r'<table[^>]*id="(?:usage-table|rows)".*?</table>', html, re.DOTALL)
    return [text(row) for row in re.findall(r"<tr.*?</tr>", found[0], re.DOTALL)] if found else []


# --- Whose figures ----------------------------------------------------------------------------------------------


def test_it_wants_somebody_who_signed_in(db: None) -> None:
    for address in ("/usage/", "/usage/rows/", "/usage/export/"):
        assert Client().get(address)["Location"].startswith("/accounts/sign-in/")


def test_members_see_themselves_and_staff_and_the_trusted_see_all(
    alice: User, bob: User, admin: User, key: ProviderKey
) -> None:
    book(key, 10, person=alice)
    book(key, 20, person=bob)
    mine = read(signed_in(alice))
    assert "10 credits" in text(mine)
    assert "Your own figures." in mine
    assert 'name="person"' not in mine
    assert "bob" not in mine
    alice.user_permissions.add(Permission.objects.get(codename="view_team_usage"))
    for each in (User.objects.get(pk=alice.pk), admin, make_user("auditor", role="auditor")):
        ours = read(signed_in(each))
        assert "30 credits" in text(ours)
        assert 'name="person"' in ours
        assert "Your own figures." not in ours


def test_somebody_elses_figures_are_refused_with_a_sentence(alice: User, bob: User, key: ProviderKey) -> None:
    book(key, 20, person=bob)
    for address in ("/usage/", "/usage/rows/"):
        html = read(signed_in(alice), f"{address}?person={bob.pk}", 422)
        assert "somebody else" in html
        assert "20" not in text(html).split("somebody else")[0][-40:]


def test_the_way_there_is_in_both_menus(alice: User, key: ProviderKey) -> None:
    html = read(signed_in(alice), "/")
    assert html.count('href="/usage/"') == 2
    assert 'aria-current="page">Usage' in read(signed_in(alice), "/usage/")


# --- What it says -----------------------------------------------------------------------------------------------


def test_a_month_by_key_with_its_zone_its_units_and_its_rows(alice: User, admin: User, settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Shanghai"
    studio, dollars = make_key("Studio"), make_key("Dollars", provider="vtrix")
    for key, amount in ((studio, "1240"), (dollars, "0.42")):
        book(key, amount, person=alice)
        ended(alice, key, charge=Decimal(amount), estimate=Decimal(amount) - 1)
    ended(alice, studio, "failed", charge=0)
    ended(alice, studio, "failed", charge=None)
    html = read(signed_in(admin))
    assert "2026-11-01 to 2026-11-30. Days are those of Asia/Shanghai." in text(html)
    tiles = text(html.split('id="usage-tiles"')[1].split('class="chart"')[0])
    assert "1,240 credits Spent" in tiles
    assert "0.42 USD Spent" in tiles
    assert "1,240.42" not in html
    assert "2 failed (1 not charged, 0 charged, 1 not confirmed)" in tiles
    rows = table(html)
    assert rows[1] == "Dollars USD 0.42 1 1 – 5 -0.58 0.42 +1.00 – – – 0.084"
    assert rows[2] == "Studio credits 1,240 3 1 2 5 1,289 1,240 −49 – – 1 at least 248"
    assert [row.split()[:2] for row in rows[3:]] == [["Together", "credits"], ["Together", "USD"]]


def test_each_number_leads_to_its_rows(alice: User, bob: User, admin: User, key: ProviderKey) -> None:
    """Follow every link of the table: the rows there are as many, or add up to as much, as it says."""
    for person in (alice, bob):
        book(key, 60, person=person)
        book(key, -20, kind="refund", person=person)
        book(key, 60, kind="reserve", person=person)
        ended(person, key, charge=60, duration=16)
        ended(person, key, "failed", charge=None)
        ended(person, key, "lost", charge=30)
    client = signed_in(admin)
    links = re.findall(
        r'<td[^>]*>(?:<strong>)?<a [^>]*?href="([^"]+)"[^>]*>([^<]+)</a>', read(client, "/usage/?by=person")
    )
    assert len(links) >= 20
    followed = 0
    for address, said in links:
        html, number = read(client, unescape(address)), Decimal(said.replace(",", "").replace("−", "-"))
        if "list=clips" not in address:
            amounts = re.findall(r"<td>([+−]?)([\d.,]+) credits</td>", html)
            assert sum(Decimal(f"{'-' if sign == '−' else ''}{amount}") for sign, amount in amounts) in (
                number,
                -number,
            )
            followed += 1
        elif number <= 6 and "charge=compared" not in address:
            assert len(table(html)) - 1 == number, address
            followed += 1
    assert followed >= 18


def test_failures_and_who_paid(alice: User, admin: User, key: ProviderKey) -> None:
    ended(alice, key, "failed", charge=0)
    ended(alice, key, "failed", charge=None)
    ended(alice, key, "lost", charge=50)
    ended(alice, key, charge=70)
    html = read(signed_in(admin), "/usage/?view=failures")
    assert table(html)[1:] == [
        "Studio Failed credits 2 1 – 1 –",
        "Studio Result lost credits 1 – 1 – 50",
        "Together credits 3 1 1 1 50",
    ]


def test_estimate_and_charge(alice: User, admin: User, key: ProviderKey) -> None:
    ended(alice, key, charge=60, estimate=Decimal(50))
    ended(alice, key, charge=None, estimate=Decimal(50))
    html = read(signed_in(admin), "/usage/?view=estimates")
    assert table(html)[1] == "Vidu Q3 Turbo credits 2 1 50 60 +10 20.0 %"


def test_keys_by_days(alice: User, admin: User, key: ProviderKey) -> None:
    book(key, 60, at=NOW - timedelta(days=1), person=alice)
    html = read(signed_in(admin), "/usage/?by=key&then=day")
    head, line = table(html)
    assert head.startswith("Key 1 Sun 1 Nov 2 Mon 2 Nov")
    assert line == "Studio credits 60 60 credits"
    (cell,) = re.findall(r'<td data-level="5"><a href="([^"]+)"', html)
    assert "from=2026-11-20&amp;to=2026-11-20" in cell
    assert 'class="chart"' not in html, "the table is the chart"


def test_bars_are_drawn_by_attributes_and_have_words(alice: User, admin: User, key: ProviderKey) -> None:
    book(key, 60, person=alice)
    html = read(signed_in(admin), "/usage/?by=day")
    chart = html.split('<section class="chart"')[1].split("</section>")[0]
    assert 'role="img" aria-labelledby="chart-title-credit chart-about-credit"' in chart
    assert '<title id="chart-title-credit">Spent, credits</title>' in chart
    assert 'tabindex="0" role="group"' in chart, "a region that can be scrolled can be focused"
    assert re.search(r'<rect class="series-0" x="[\d.]+" y="[\d.]+" width="[\d.]+" height="142"></rect>', chart)
    assert 'aria-label="Sat 21 Nov: 60 credits"' in chart
    assert "style=" not in chart


def test_bars_stand_at_plain_numbers(alice: User, admin: User, key: ProviderKey) -> None:
    book(key, 1, person=alice)
    book(make_key("Other"), 3, person=alice)
    chart = read(signed_in(admin)).split('<section class="chart"')[1].split("</section>")[0]
    numbers = re.findall(r' (?:x|y|width|height)="([^"]*)"', chart)
    assert numbers
    assert all(re.fullmatch(r"\d+(\.\d)?", number) for number in numbers)


def test_lying_bars_have_their_names_and_values_as_text(alice: User, admin: User) -> None:
    """So that they have room on a phone: nothing of it is as wide as a drawing."""
    book(make_key("Trailer department, second account"), 1240, person=alice)
    html = read(signed_in(admin))
    chart = html.split('<section class="chart"')[1].split("</section>")[0]
    assert '<span class="name">Trailer department, second account</span>' in chart
    assert '<span class="value">1,240 credits</span>' in chart
    assert '<svg viewBox="0 0 440 16" preserveAspectRatio="none" aria-hidden="true">' in chart
    assert 'id="chart-title-credit">Spent, credits</strong>' in chart


def test_amounts_are_the_second_column_of_a_list(alice: User, admin: User, key: ProviderKey) -> None:
    book(key, 60, person=alice)
    ended(alice, key, charge=60)
    client = signed_in(admin)
    entries, listed = table(read(client, "/usage/rows/")), table(read(client, "/usage/rows/?list=clips"))
    assert entries[0].startswith("Time Amount Kind")
    assert entries[1].startswith("2026-11-21 12:00:00 +60 credits Settle")
    assert listed[0].startswith("Clip Charge Estimate")
    assert listed[1].split(" ", 1)[1].startswith("60 credits 50 credits 2026-11-21 12:00")


def test_a_list_tells_all_that_narrows_it(alice: User, admin: User, key: ProviderKey) -> None:
    ended(alice, key, "failed", charge=60)
    client = signed_in(admin)
    html = text(read(client, "/usage/rows/?list=clips&view=failures&charge=some&unit=credit"))
    assert "State: Failed, Result lost . Unit: credits . Charge: something was charged ." in html
    assert "Kind: Settle, Refund ." in text(read(client, "/usage/rows/?kind=settle&kind=refund"))


def test_about_is_said_only_where_somebody_entered_a_rate(alice: User, admin: User, key: ProviderKey) -> None:
    book(key, 100, person=alice)
    assert "about" not in text(read(signed_in(admin)).split('id="report"')[1].split("usage-notes")[0])
    Rate.objects.create(unit="credit", currency="CNY", per_unit=Decimal("0.03"), valid_from=date(2026, 1, 1))
    html = read(signed_in(admin))
    assert html.count("about 3.00 CNY") == 3, "the tile, the line and the sum"
    assert "each day at the rate of that day" in html


def test_own_budgets_are_shown(alice: User, bob: User, key: ProviderKey) -> None:
    book(key, 74, person=alice)
    make_budget(key, 100)
    make_budget(person=alice, limit=500)
    make_budget(person=bob, limit=1)
    make_budget(make_key("Unused"), 5)
    html = read(signed_in(alice)).split('id="budgets"')[1].split("</section>")[0]
    assert "Key Studio 74 %" in text(html)
    assert "Mine 15 %" in text(html)
    assert "Unused" not in html
    assert html.count("<progress") == 2
    assert '<progress max="100" value="74"' in html


def test_who_left_is_still_named(alice: User, admin: User, key: ProviderKey) -> None:
    book(key, 10, person=alice)
    alice.is_active = False
    alice.save()
    html = read(signed_in(admin), "/usage/?by=person")
    assert "Alice Ames (left)" in table(html)[1]
    assert "Alice Ames (left)" in html.split('id="person"')[1].split("</select>")[0]


def test_an_empty_month_says_so(admin: User, key: ProviderKey) -> None:
    assert "Nothing was booked in this period" in read(signed_in(admin))


def test_a_year_by_day_says_why_it_is_by_month(admin: User, key: ProviderKey) -> None:
    book(key, 1)
    assert "By month, because the period is longer than 100 days." in read(
        signed_in(admin), "/usage/?period=year&by=day"
    )


@pytest.mark.parametrize("address", ["/usage/", "/usage/rows/"])
@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("period=own&from=2026-02-31&to=2026-03-01", "“2026-02-31” is not a day"),
        ("period=own&from=2026-03-02&to=2026-03-01", "lies after the last"),
        ("key=999", "There is no such key"),
        ("model=%00%3Cscript%3E", ""),
    ],
)
def test_bad_wishes_get_a_sentence(admin: User, key: ProviderKey, address: str, query: str, said: str) -> None:
    html = read(signed_in(admin), f"{address}?{query}", 422 if said else 200)
    assert said in unescape(html)
    assert "<script>" not in html.split("<main")[1]
    if said:
        assert 'role="alert"' in html
        assert "usage-table" not in html


# --- Changing filters -------------------------------------------------------------------------------------------


def test_a_filter_swaps_the_report_alone(alice: User, admin: User, key: ProviderKey) -> None:
    book(key, 10, person=alice)
    client = signed_in(admin)
    part = read(client, "/usage/?by=model&then=-&period=", headers=htmx())
    assert part.lstrip().startswith('<div id="report"')
    assert "<html" not in part
    assert "Report from 2026-11-01 to 2026-11-30" in part
    assert 'aria-current="page">Models' in part
    assert client.get("/usage/", headers=htmx())["Vary"].count("HX-Request") == 1
    whole = read(client)
    form = whole.split('id="usage-filters"')[1].split(">")[0]
    assert 'hx-push-url="true"' in form
    assert 'hx-indicator="#report"' in form, "the old report is dimmed while the new one comes"
    refused = read(client, "/usage/?period=own&from=x&to=y", 422, headers=htmx())
    assert refused.count("is not a day") == 2, "on the page and for those who listen"


def test_tabs_and_files_keep_the_filters(alice: User, admin: User, key: ProviderKey) -> None:
    html = read(signed_in(admin), f"/usage/?period=last-month&person={alice.pk}")
    tabs = re.findall(r'href="/usage/\?([^"]*)"', html.split('class="tabs"')[1].split("</nav>")[0])
    assert len(tabs) == 8
    assert all("period=last-month" in tab and f"person={alice.pk}" in tab for tab in tabs)
    files = re.findall(r'href="/usage/export/\?([^"]*)"', html)
    assert [file.rpartition("=")[2] for file in files] == ["csv", "xlsx"]
    assert all("period=last-month" in file for file in files)


# --- Rows -------------------------------------------------------------------------------------------------------


def test_rows_come_page_by_page_without_gap(alice: User, admin: User, key: ProviderKey) -> None:
    for number in range(120):
        book(key, number, at=NOW - timedelta(hours=number % 7), person=alice)
    client, seen, address = signed_in(admin), [], "/usage/rows/"
    for count in (50, 50, 20):
        html = read(client, address, headers=htmx() if seen else {})
        found = re.findall(r'id="entry-(\d+)"', html)
        assert len(found) == count
        seen += found
        more = re.search(r'hx-get="([^"]+)"', html.partition('id="more-rows"')[2])
        address = unescape(more[1]) if more else ""
    assert not address
    assert len(set(seen)) == 120


def test_clips_come_page_by_page(alice: User, admin: User, key: ProviderKey) -> None:
    for number in range(53):
        ended(alice, key, at=NOW - timedelta(minutes=number))
    client = signed_in(admin)
    html = read(client, "/usage/rows/?list=clips")
    assert len(table(html)) == 1 + 50 + 1
    more = re.search(r'hx-get="([^"]+)"', html.partition('id="more-rows"')[2])
    assert more
    assert read(client, unescape(more[1]), headers=htmx()).count('<th scope="row">') == 3


def test_a_clip_that_is_private_is_no_link(alice: User, bob: User, key: ProviderKey) -> None:
    bob.user_permissions.add(Permission.objects.get(codename="view_team_usage"))
    task = ended(alice, key, visibility="private")
    book(key, 5, person=alice, task=task)
    for query in ("", "?list=clips"):
        assert f"/tasks/{task.pk}/" not in read(signed_in(bob), f"/usage/rows/{query}")
        assert f"/tasks/{task.pk}/" in read(signed_in(alice), f"/usage/rows/{query}")


@pytest.mark.parametrize("before", ["x", "~", "2026-11-21~5", "2026-11-21T00:00:00+00:00~x", "9" * 40])
def test_a_place_that_is_none_is_the_beginning(admin: User, key: ProviderKey, before: str) -> None:
    book(key, 5)
    assert len(table(read(signed_in(admin), f"/usage/rows/?before={before}"))) == 2


# --- What a page costs ------------------------------------------------------------------------------------------


def test_pages_ask_no_more_for_more_rows(alice: User, admin: User, key: ProviderKey) -> None:
    addresses = (
        "/usage/", "/usage/?by=person&then=day", "/usage/?view=failures", "/usage/?view=estimates", "/usage/rows/",
        "/usage/rows/?list=clips",
    )  # fmt: skip
    client = signed_in(admin)

    def costs() -> list[int]:
        found = []
        for address in addresses:
            with CaptureQueriesContext(connection) as queries:
                read(client, address)
            found.append(len(queries))
        return found

    book(key, 5, person=alice, task=ended(alice, key))
    make_budget(person=admin)
    before = costs()
    for number in range(20):
        other = make_key(f"K{number}")
        who = make_user(f"u{number}")
        book(other, 5, person=who, task=ended(who, other))
        make_budget(person=admin, limit=number + 1)
    assert costs() == before
    assert max(before) <= 16
