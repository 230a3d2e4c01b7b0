"""In real Chromium: from a prompt to a playing, archived clip."""

import hashlib
import re
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, Route, expect

from tests.browser.chromium import sign_in, violations
from tests.factories import picture_bytes
from tests.house import House

pytestmark = pytest.mark.browser
READY = 60_000


def generate(page: Page, prompt: str) -> Locator:
    """Press Generate; returns the new card."""
    page.fill("[name=prompt]", prompt)
    page.get_by_role("button", name=re.compile("^Generate")).click()
    card = page.locator("#grid > li", has_text=prompt)
    expect(card).to_be_visible()
    return card


def until(page: Page, expression: str) -> None:
    """Playwright's own wait evaluates a string in the page, which the policy rightly forbids."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {expression}")


def current_time(page: Page) -> float:
    return float(page.evaluate("document.querySelector('video').currentTime"))


def test_from_a_prompt_to_a_playing_archived_clip(page: Page, browser_house: House, tmp_path: Path) -> None:
    sign_in(page, browser_house.url)
    page.evaluate("window.neverReloaded = true")
    card = generate(page, "A lighthouse in a storm, seen from the sea")
    expect(card).to_have_attribute("data-state", "succeeded", timeout=READY)
    assert page.evaluate("window.neverReloaded"), "the page must not have been loaded again"

    card.get_by_role("link").first.click()
    video = page.locator("video")
    expect(video).to_be_visible()
    video.evaluate("video => { video.muted = true; return video.play() }")
    until(page, "document.querySelector('video').currentTime > 0.4")
    length = float(video.evaluate("video => video.duration"))
    assert length == pytest.approx(5, abs=0.3)
    video.evaluate("video => { video.pause(); video.currentTime = 4 }")
    until(page, "!document.querySelector('video').seeking")
    assert current_time(page) == pytest.approx(4, abs=0.3), "without Range it would jump to the start"

    with page.expect_download() as coming:
        page.get_by_role("link", name=re.compile("Download")).first.click()
    saved = tmp_path / "clip.mp4"
    coming.value.save_as(saved)
    found = browser_house.rows("SELECT sha256 FROM generations_creation")
    assert (hashlib.sha256(saved.read_bytes()).hexdigest(),) in found
    assert coming.value.suggested_filename.endswith(".mp4")


def test_news_on_their_way_to_a_poller_that_is_replaced_come_with_the_next(page: Page, browser_house: House) -> None:
    """Without a complaint: what they should be put into is asked for once more."""
    held: list[Route] = []
    sign_in(page, browser_house.url)
    generate(page, "Under way, so that the page asks")
    page.route("**/live/**", lambda route: route.continue_() if held else held.append(route))
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(100)
    assert held, "the page asks"
    card = generate(page, "Its answer brings a new poller")
    with suppress(Error):  # given up by the page
        held[0].continue_()
    expect(card).to_have_attribute("data-state", "succeeded", timeout=READY)
    expect(page.locator("#grid > li", has_text="Under way")).to_have_attribute("data-state", "succeeded", timeout=READY)
    expect(page.locator("#stale")).to_be_hidden()


def test_a_failed_card_says_why_and_what_it_cost(page: Page, browser_house: House) -> None:
    sign_in(page, browser_house.url)
    card = generate(page, "[policy] a thing that is refused")
    expect(card).to_have_attribute("data-state", "failed", timeout=READY)
    expect(card).to_contain_text("content policy")
    expect(card).to_contain_text("Not charged")


def test_a_mistake_is_said_at_the_field_and_nothing_is_sent(page: Page, browser_house: House) -> None:
    sign_in(page, browser_house.url)
    before = browser_house.rows("SELECT count(*) FROM generations_task")
    page.evaluate("document.querySelector('[name=prompt]').removeAttribute('required')")
    page.get_by_role("button", name=re.compile("^Generate")).click()
    expect(page.locator("[name=prompt]")).to_have_attribute("aria-invalid", "true")
    assert browser_house.rows("SELECT count(*) FROM generations_task") == before


def test_an_image_becomes_a_clip(page: Page, browser_house: House, tmp_path: Path) -> None:
    picture = tmp_path / "first.jpg"
    picture.write_bytes(picture_bytes(640, 360))
    sign_in(page, browser_house.url)
    page.locator("label", has=page.locator("[name=mode][value=img2video]")).click()
    upload = page.locator("#composer input[type=file]").first
    expect(upload).to_be_attached()
    upload.set_input_files(picture)
    card = generate(page, "She turns around and waves")
    expect(card).to_have_attribute("data-state", "succeeded", timeout=READY)


def test_everything_works_without_scripts(chromium: Browser, browser_house: House) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, browser_house.url)
    page.fill("[name=prompt]", "Made without any script")
    page.get_by_role("button", name=re.compile("^Generate")).click()
    page.wait_for_load_state()
    card = page.locator("#grid > li", has_text="Made without any script")
    expect(card).to_be_visible()
    for _ in range(60):
        if card.get_attribute("data-state") == "succeeded":
            break
        page.wait_for_timeout(1000)
        page.goto(browser_house.url)
    expect(card).to_have_attribute("data-state", "succeeded")
    card.get_by_role("link").first.click()
    expect(page.locator("video")).to_be_visible()
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(chromium: Browser, browser_house: House, theme: str, width: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{browser_house.url}/accounts/sign-in/")
    findings = {"sign-in": violations(page)}
    sign_in(page, browser_house.url)
    detail = page.locator("#grid > li a").first.get_attribute("href")
    assert detail
    for address in ("/", "/library/", detail):
        page.goto(browser_house.url + address)
        findings[address] = violations(page)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{address} scrolls sideways at {width} px"
    context.close()
    told = {place: [found["id"] for found in them] for place, them in findings.items() if them}
    assert not told


def test_the_admin_keeps_to_the_policy_and_tests_a_key(page: Page, browser_house: House) -> None:
    sign_in(page, browser_house.url)
    page.goto(f"{browser_house.url}/admin/generations/providerkey/")
    page.get_by_role("link", name="Sandbox studio").click()
    expect(page.locator("[name=secret]")).to_have_value("")
    page.get_by_role("button", name="Test with a free call").click()
    expect(page.locator(".messagelist .success")).to_contain_text("is good")
    assert "sandbox-demo-key" not in page.content()
