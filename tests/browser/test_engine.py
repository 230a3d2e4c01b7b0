"""In real Chromium: decisions about lost answers, a change of what waits, the time left."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import sign_in, violations
from tests.house import House

pytestmark = pytest.mark.browser
READY = 60_000


def lost_at_vtrix(house: House, prompt: str) -> str:
    """A task that this vendor took and whose answer never came; the vendor has no list to look it up in."""
    [task] = house.generate(f"{prompt} [lost]", key="Sandbox Vtrix")
    house.reaches(task, "uncertain")
    return task


def id_at_vtrix(house: House, prompt: str) -> str:
    """What the vendor's own console would show."""
    accounts: dict[str, Any] = httpx.get(f"{house.sandbox}/_sandbox/books").json()["vtrix"]
    made = [task["id"] for account in accounts.values() for task in account["tasks"] if prompt in task["prompt"]]
    return str(made[0])


def decide(page: Page, house: House, task: str) -> None:
    page.goto(f"{house.url}/tasks/{task}/decide/")


def in_the_house(house: House, code: str) -> None:
    done = house.manage("shell", "-c", f"from generations.models import *; {code}")
    assert done.returncode == 0, done.stderr


def test_it_exists_a_wrong_id_is_refused_and_the_right_one_goes_on(page: Page, browser_house: House) -> None:
    task = lost_at_vtrix(browser_house, "A tin rocket")
    sign_in(page, browser_house.url)
    page.locator(f"#decide-{task}").click()
    expect(page.locator("#evidence")).to_contain_text("Sandbox Vtrix")
    form = page.locator("#decide-exists")
    form.get_by_role("textbox").fill("no such id!")
    form.get_by_role("button").click()
    expect(form.get_by_role("textbox")).to_have_attribute("aria-invalid", "true")
    form.get_by_role("textbox").fill("task-of-nobody")
    form.get_by_role("button").click()
    expect(page.locator("#refused")).to_contain_text("Nothing was changed.", timeout=READY)
    assert browser_house.state(task) == "uncertain"
    form.get_by_role("textbox").fill(id_at_vtrix(browser_house, "A tin rocket"))
    form.get_by_role("button").click()
    expect(page.locator("#settled")).to_be_visible(timeout=READY)
    browser_house.reaches(task, "succeeded")
    page.goto(f"{browser_house.url}/tasks/{task}/")
    expect(page.locator("video")).to_be_visible()
    expect(page.locator("#cost")).to_contain_text("Charged")


def test_it_does_not_exist_and_fails_free_of_charge(page: Page, browser_house: House) -> None:
    task = lost_at_vtrix(browser_house, "A wooden whale")
    sign_in(page, browser_house.url)
    decide(page, browser_house, task)
    page.locator("#decide-not-made").get_by_role("button").click()
    expect(page.locator("#trouble")).to_contain_text("The vendor never made it")
    expect(page.locator("#cost")).to_contain_text("Not charged")
    expect(page.get_by_role("link", name="Edit and retry")).to_be_visible()


def test_sending_again_needs_the_tick_and_makes_a_second_attempt(page: Page, browser_house: House) -> None:
    task = lost_at_vtrix(browser_house, "A glass tram")
    sign_in(page, browser_house.url)
    decide(page, browser_house, task)
    form = page.locator("#decide-resend")
    expect(form).to_contain_text("a second time")
    form.get_by_role("button").click()
    expect(form.locator(".error")).to_be_visible()
    assert browser_house.state(task) == "uncertain"
    form.get_by_role("checkbox").check()
    form.get_by_role("button").click()
    expect(page.locator("#facts-timeline + ol")).to_contain_text("accepts the risk")
    count = "SELECT count(*) FROM generations_attempt WHERE task_id = ?"
    for _ in range(100):
        if browser_house.rows(count, task.replace("-", "")) == [(2,)]:
            break
        page.wait_for_timeout(200)
    assert browser_house.rows(count, task.replace("-", "")) == [(2,)]


@pytest.fixture
def one_slot(browser_house: House) -> Iterator[str]:
    """The key has a single place, and a slow clip has it."""
    one_slot = "ProviderKey.objects.filter(provider='vidu').update(max_in_flight=1, follows_account=False)"
    in_the_house(browser_house, one_slot)
    [slow] = browser_house.generate("Holds the only place [slow]", duration="8")
    browser_house.reaches(slow, "processing")
    yield slow
    as_before = "ProviderKey.objects.filter(provider='vidu').update(max_in_flight=5, follows_account=True)"
    in_the_house(browser_house, as_before)


def test_what_waits_is_changed_in_its_place(page: Page, browser_house: House, one_slot: str) -> None:
    sign_in(page, browser_house.url)
    [task] = browser_house.generate("A paper boot")
    card = page.locator(f"#task-{task}")
    page.reload()
    expect(card).to_contain_text("1st in line")
    card.get_by_role("link", name=re.compile("^Edit")).click()
    expect(page.locator("#editing")).to_contain_text("nothing was sent")
    expect(page.locator("#prompt")).to_have_value("A paper boot")
    page.fill("#prompt", "A paper boat")
    page.get_by_role("button", name=re.compile("^Generate")).click()
    expect(page.locator("#created")).to_contain_text("Changed: 1 video queued")
    expect(page.locator("#editing")).to_have_count(0)
    expect(card).to_have_attribute("data-state", "cancelled", timeout=READY)
    expect(page.locator("#grid > li", has_text="A paper boat")).to_have_count(1)
    assert page.url == f"{browser_house.url}/"
    attempts = "SELECT count(*) FROM generations_attempt WHERE task_id = ?"
    assert browser_house.rows(attempts, task.replace("-", "")) == [(0,)]


PACE = """Pace.objects.update_or_create(provider='vidu', model='viduq3-turbo', mode='text2video', resolution='540p',
duration=8, defaults=dict(clips=9, p10=60, p50=150, p90=300))"""


def test_the_time_that_is_left_stays_true_without_asking(page: Page, browser_house: House, one_slot: str) -> None:
    in_the_house(browser_house, PACE.replace("\n", " "))
    sign_in(page, browser_house.url)
    page.route("**/live/**", lambda route: route.fulfill(status=204))  # from here on nothing comes from the server
    page.goto(browser_house.url)
    sentence = page.locator(f"#task-{one_slot} [data-eta]")
    expect(sentence).to_have_text("about 2 min left")
    for passed, said in ((200, "usually 1–5 min"), (400, "taking longer than usual"), (130, "less than a minute left")):
        sentence.evaluate("(each, passed) => (each.dataset.start = Date.now() / 1000 - passed)", passed)
        expect(sentence).to_have_text(said, timeout=15_000)


def test_what_staff_opened_stays_open_while_news_arrive(page: Page, browser_house: House, one_slot: str) -> None:
    sign_in(page, browser_house.url)
    page.goto(f"{browser_house.url}/tasks/{one_slot}/")
    drawer = page.locator("#evidence")
    drawer.locator("summary").first.click()
    expect(drawer.locator("table")).to_be_visible()
    page.evaluate("document.getElementById('task-main').dataset.old = 'yes'")
    page.get_by_role("button", name="Ask the vendor now").click()
    page.wait_for_load_state()
    expect(page.locator("#facts-timeline + ol")).to_contain_text("asked at once")
    drawer.locator("summary").first.click()
    page.evaluate("document.getElementById('task-main').dataset.old = 'yes'")
    expect(page.locator("#task-main:not([data-old])")).to_be_attached(timeout=READY)
    expect(drawer).to_have_attribute("open", "")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(chromium: Browser, browser_house: House, theme: str, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)  # type: ignore[arg-type]
    page = context.new_page()
    sign_in(page, browser_house.url)
    [(found,)] = browser_house.rows("SELECT id FROM generations_task WHERE state = 'uncertain' LIMIT 1")
    task, findings = UUID(found), {}
    for address in ("/operations/", "/operations/finished/", f"/tasks/{task}/decide/", f"/tasks/{task}/"):
        answer = page.goto(browser_house.url + address)
        assert answer
        assert answer.ok, address
        for drawer in page.locator("#evidence:is(details)").all():
            drawer.evaluate("each => (each.open = true)")
        findings[address] = [found["id"] for found in violations(page)]
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{address} scrolls sideways at {width} px"
    context.close()
    assert not {place: found for place, found in findings.items() if found}
