"""In real Chromium: an auditor finds who spent the most on a key, opens the rows, exports them, has it reconciled."""

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import sign_in, violations
from tests.house import PASSWORD, House

pytestmark = pytest.mark.browser
KEY = "Sandbox studio"
READY = 60_000
AUDITOR = (
    "from generations.models import User;"
    f"User.objects.create_user('auditor', password='{PASSWORD}', role='auditor', first_name='Aude')"
)


@pytest.fixture
def audited(browser_house: House) -> House:
    """People have spent on the key, and there is somebody to look at it."""
    made = browser_house.generate("A lantern in the rain", user="mei", count="2")
    made += browser_house.generate("A kite over dunes", user="tom")
    for task in made:
        browser_house.reaches(task, "succeeded")
    if not browser_house.rows("SELECT 1 FROM generations_user WHERE username = 'auditor'"):
        done = browser_house.manage("shell", "-c", AUDITOR)
        assert done.returncode == 0, done.stderr
    return browser_house


def amount(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def test_who_spent_the_most_on_a_key_last_week(page: Page, audited: House, tmp_path: Path) -> None:
    sign_in(page, audited.url, "auditor")
    page.get_by_role("link", name="Usage", exact=True).first.click()
    for name, value in (("Period", "7-days"), ("Key", KEY), ("By", "person")):
        field = page.get_by_label(name, exact=True)
        with page.expect_response(lambda answer: "/usage/?" in answer.url):
            field.select_option(label=KEY) if value == KEY else field.select_option(value=value)
    expect(page.locator("#report")).to_have_css("opacity", "1")
    rows = page.locator("#usage-table tbody tr[data-unit=credit]")
    spent = {row.locator("th").inner_text(): amount(row.locator("td").nth(1).inner_text()) for row in rows.all()}
    most = max(spent, key=lambda name: spent[name])
    assert spent == booked(audited), "every credit that the ledger has, and no other"
    assert not violations(page)

    rows.filter(has_text=most).locator("td").nth(1).get_by_role("link").click()
    listed = page.locator("#rows tbody tr")
    expect(listed.first).to_contain_text(most)
    assert [text for text in listed.all_inner_texts() if most not in text] == []
    page.go_back()

    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    file = tmp_path / "usage.csv"
    download.value.save_as(file)
    with file.open(encoding="utf-8-sig", newline="") as opened:
        lines = list(csv.DictReader(opened))
    charged = [line for line in lines if line["kind"] in ("settle", "adjust", "refund", "external")]
    assert sum(Decimal(line["amount"]) for line in charged) == sum(spent.values())
    assert audited.rows("SELECT count(*) FROM generations_export")[0][0] >= 1


def test_an_auditor_has_the_books_compared_and_can_change_nothing(page: Page, audited: House) -> None:
    sign_in(page, audited.url, "auditor")
    page.goto(f"{audited.url}/reconciliation/")
    page.locator("#reconcile select").select_option(label=f"{KEY} · Vidu")
    page.locator("#reconcile button").click()
    expect(page.locator("main")).to_contain_text("Explained to the last amount", timeout=READY)
    page.goto(f"{audited.url}/admin/generations/providerkey/")
    page.get_by_role("link", name=KEY).click()
    expect(page.locator("#content")).to_contain_text("The last 31 days")
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    expect(page.get_by_role("link", name="Rotate")).to_have_count(0)


def test_on_a_phone_amounts_and_newest_days_are_in_sight(page: Page, audited: House) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, audited.url, "auditor")
    page.goto(f"{audited.url}/usage/?view=estimates")
    for seen in (".tabs [aria-current]", ".bars .value", ".bars svg"):
        assert within(page, seen, 390), seen
    for kind in ("", "?list=clips"):
        page.goto(f"{audited.url}/usage/rows/{kind}")
        assert within(page, "#rows tbody td:nth-child(2)", 390)
    page.goto(f"{audited.url}/usage/?period=30-days&by=day")
    assert within(page, ".chart a:last-of-type .hit", 390), "a chart opens at its newest end"
    page.goto(f"{audited.url}/admin/generations/providerkey/")
    page.get_by_role("link", name=KEY).click()
    assert within(page, ".month-chart a:last-of-type .bar", 390)


def test_on_a_desk_all_columns_of_the_report_are_in_sight(page: Page, audited: House) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    sign_in(page, audited.url, "auditor")
    page.goto(f"{audited.url}/usage/")
    assert within(page, "#usage-table thead th:last-child", 1280 - 74), "and the frame's edge beside them"


def within(page: Page, selector: str, width: int) -> bool:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["x"] >= 0 and box["x"] + box["width"] <= width


def booked(house: House) -> dict[str, Decimal]:
    """What the ledger has for this key, by person."""
    found = house.rows(
        "SELECT p.first_name || ' ' || p.last_name, sum(u.amount) FROM generations_usageentry u "
        "JOIN generations_providerkey k ON k.id = u.key_id JOIN generations_user p ON p.id = u.person_id "
        "WHERE k.label = ? AND u.kind IN ('settle', 'adjust', 'refund', 'external') GROUP BY 1",
        KEY,
    )
    return {name: Decimal(str(sum)) for name, sum in found}
