"""In real Chromium: every vendor in every mode it offers, the comparison, a switch of models, and no mouse at all."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from generations.providers import PROVIDERS, catalog
from generations.providers.base import MODES, Mode
from tests.browser.chromium import renewed, sign_in
from tests.factories import picture_bytes
from tests.house import House

pytestmark = pytest.mark.browser
READY = 240_000  # nineteen clips, painted one after the other; one vendor is asked every 30 seconds only

EVERY = [(slug, mode) for slug in PROVIDERS for mode in MODES if catalog.models(slug, mode)]


def choose_vendor(page: Page, slug: str) -> None:
    """By the key of the demo that belongs to it."""
    name = PROVIDERS[slug].name
    option = page.locator("#key option", has_text=f"· {name}")
    with renewed(page):
        page.select_option("#key", option.get_attribute("value"))
    expect(page.locator("#key option:checked")).to_contain_text(name)


def choose_mode(page: Page, mode: Mode) -> None:
    radio = page.locator(f"[name=mode][value={mode}]")
    if not radio.is_checked():
        with renewed(page):
            page.locator("label", has=radio).click()
    expect(page.locator(f"[name=mode][value={mode}]")).to_be_checked()


def give_pictures(page: Page, mode: Mode, picture: Path) -> None:
    number = {Mode.TEXT: 0, Mode.IMAGE: 1, Mode.START_END: 2, Mode.REFERENCE: 2}[mode]
    for place in range(number):
        page.locator("#composer input[type=file]").nth(place).set_input_files(picture)


def shortest(page: Page) -> None:
    """The shortest clip at the lowest resolution that this model takes."""
    for name in ("resolution", "duration"):
        choice = page.locator(f"#params [name={name}]:not([disabled])")
        with renewed(page):
            if choice.first.evaluate("each => each.tagName") == "SELECT":
                values = choice.first.locator("option:not([disabled])").evaluate_all("all => all.map(o => o.value)")
                # 0 lets the vendor choose
                choice.first.select_option(min((each for each in values if each != "0"), key=int))
            else:
                first = choice.first
                if first.is_checked():
                    first.dispatch_event("change")
                else:
                    page.locator(f"label:has(#{first.get_attribute('id')})").click()


def press_generate(page: Page, prompt: str) -> Locator:
    page.fill("[name=prompt]", prompt)
    page.get_by_role("button", name=re.compile("^Generate")).click()
    card = page.locator("#grid > li", has_text=prompt)
    expect(card).to_be_visible()
    return card


def test_every_vendor_and_mode_brings_a_clip(page: Page, browser_house: House, tmp_path: Path) -> None:
    """One clip each, from the form to Ready; all are under way together."""
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(picture_bytes(640, 360))
    sign_in(page, browser_house.url)
    cards = {}
    for slug, mode in EVERY:
        choose_vendor(page, slug)
        choose_mode(page, mode)
        shortest(page)
        give_pictures(page, mode, picture)
        cards[slug, mode] = press_generate(page, f"One clip of {slug} by {mode}")
        expect(cards[slug, mode]).to_contain_text(PROVIDERS[slug].name)
    for (slug, mode), card in cards.items():
        expect(card, f"{slug} {mode}").to_have_attribute("data-state", "succeeded", timeout=READY)
    made = browser_house.rows(
        "SELECT provider, mode, charge IS NOT NULL FROM generations_task WHERE prompt_text LIKE 'One clip of %'"
    )
    assert sorted((provider, mode) for provider, mode, _ in made) == sorted((s, m.value) for s, m in EVERY)
    # DataEyes, UniAll's nested credits, tokens and dollars: every vendor of the sandbox says what it took
    assert all(charged for _provider, _mode, charged in made)


def test_the_comparison_quotes_and_switches(page: Page, browser_house: House) -> None:
    sign_in(page, browser_house.url)
    choose_vendor(page, "vidu")
    page.get_by_role("button", name="Compare vendors").click()
    dialog = page.locator("#compare")
    expect(dialog).to_be_visible()
    rows = dialog.locator("tbody tr")
    expect(rows).to_have_count(len(PROVIDERS))
    expect(rows.filter(has_text="Sandbox studio")).to_contain_text("55 credits")
    expect(rows.filter(has_text="Sandbox UniAll")).to_contain_text("Price unknown")
    rows.filter(has_text="Sandbox UniAll").get_by_role("button").click()
    expect(dialog).to_be_hidden()
    expect(page.locator("#key option:checked")).to_contain_text("UniAll")
    expect(page.locator("#estimate")).to_contain_text("Price unknown")


def test_a_switch_of_the_model_says_what_it_changed(page: Page, browser_house: House) -> None:
    sign_in(page, browser_house.url)
    choose_vendor(page, "vidu")
    with renewed(page):
        page.select_option("#duration", "16")
    expect(page.locator("#estimate output")).to_contain_text("176")
    page.select_option("#model", "viduq2")
    note = "Duration changed from 16 s to 10 s: Vidu Q2 takes 1–10 s."
    expect(page.locator("#params .note").first).to_contain_text(note)
    expect(page.locator("#say")).to_contain_text(note)
    expect(page.locator("#duration")).to_have_value("10")


def test_a_clip_without_a_mouse(page: Page, browser_house: House) -> None:
    sign_in(page, browser_house.url)
    page.locator("#mode [name=mode]:checked").focus()
    page.keyboard.press("ArrowRight")  # the next mode, which needs a picture
    expect(page.locator("[name=mode][value=img2video]")).to_be_checked()
    expect(page.locator("#composer input[type=file]")).to_have_count(1)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[name=mode][value=text2video]")).to_be_checked()
    expect(page.locator("#composer input[type=file]")).to_have_count(0)
    tab_to(page, "prompt")
    page.keyboard.type("Typed without a mouse")
    tab_to(page, "key")
    page.keyboard.type("Sandbox studio")
    tab_to(page, "generate")
    page.keyboard.press("Enter")
    card = page.locator("#grid > li", has_text="Typed without a mouse")
    expect(card).to_have_attribute("data-state", "succeeded", timeout=READY)


def tab_to(page: Page, wanted: str) -> None:
    for _ in range(60):
        if page.evaluate("document.activeElement.id") == wanted:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never reaches #{wanted}")
