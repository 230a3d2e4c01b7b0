"""In real Chromium: a clip is shared, opened by a teammate and by a stranger, ends, and is taken back."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.chromium import sign_in, violations
from tests.browser.conftest import Complaints
from tests.house import House

pytestmark = pytest.mark.browser
RULES = "from generations.models import *; HouseRules.objects.update_or_create(pk=1, defaults={'anyone_links': True})"
EXPIRE = (
    "from generations.models import *; from django.utils import timezone;"
    "ShareLink.objects.filter(label='{}').update(expires_at=timezone.now())"
)
PROMPT = "A heron takes off from a misty lake"
PHRASE = "open sesame"
PLAYED = "video => new Promise(done => { video.ontimeupdate = () => video.currentTime > 0.2 && done(); })"
CHOSEN = "field => field.value.slice(field.selectionStart, field.selectionEnd)"


@pytest.fixture(scope="module")
def clip(browser_house: House) -> str:
    """The first of two clips of one press, in a house that lets links go out; its task's id."""
    shell(browser_house, RULES)
    tasks = browser_house.generate(PROMPT, count="2")
    for task in tasks:
        browser_house.reaches(task, "succeeded")
    return tasks[0]


def shell(house: House, code: str) -> None:
    done = house.manage("shell", "-c", code)
    assert done.returncode == 0, done.stderr


@contextmanager
def visitor(chromium: Browser, **options: Any) -> Iterator[Page]:
    """Somebody else's browser. That a page says no is no complaint; everything else is."""
    complaints = Complaints()
    context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, "accept_downloads": True, **options})
    page = context.new_page()
    complaints.watch(page)
    yield page
    page.evaluate("0")
    heard = list(complaints)
    context.close()
    assert not [each for each in heard if "the server responded with a status of 4" not in each]


def opened_dialog(page: Page, house: House, task: str) -> Locator:
    page.goto(f"{house.url}/tasks/{task}/")
    page.get_by_role("link", name="Share", exact=True).click()
    dialog = page.get_by_role("dialog", name="Share")
    expect(dialog.get_by_role("heading", name="Share", exact=True)).to_be_focused()
    return dialog


def made(dialog: Locator) -> str:
    """The address of a new link."""
    dialog.get_by_role("button", name="Make the link").click()
    field = dialog.get_by_label("Address")
    expect(field).to_be_focused()
    return field.input_value()


def shared(page: Page, house: House, task: str, *, anyone: bool = True, **typed: str) -> str:
    dialog = opened_dialog(page, house, task)
    if anyone:
        dialog.get_by_role("radio", name="Anyone with the link").check()
    for label, text in typed.items():
        dialog.get_by_label(re.compile(label, re.IGNORECASE)).fill(text)
    address = made(dialog)
    page.keyboard.press("Escape")
    return address


def seen(page: Page, address: str) -> tuple[int, str]:
    answer = page.goto(address)
    assert answer
    return answer.status, answer.text()


def plays(page: Page) -> None:
    video = page.locator("video").first
    video.evaluate("video => { video.muted = true; return video.play(); }")
    video.evaluate(PLAYED)


def test_share_open_expire_revoke(page: Page, chromium: Browser, browser_house: House, clip: str) -> None:
    sign_in(page, browser_house.url)
    inside = shared(page, browser_house, clip, anyone=False, title="For the team")
    outside = shared(page, browser_house, clip, title="For the client")

    with visitor(chromium) as mate:
        mate.goto(inside)
        expect(mate).to_have_url(re.compile(r"/accounts/sign-in/\?next=/s/"))
        mate.fill("[name=username]", "mei")
        mate.fill("[name=password]", "demo-password-of-a-test")
        mate.keyboard.press("Enter")
        mate.wait_for_url(inside)
        expect(mate.locator("main")).to_contain_text(PROMPT)
        plays(mate)
        mate.get_by_role("link", name="Open in VideoForge").click()
        expect(mate).to_have_url(re.compile(clip))
        mate.goto(inside)
        mate.get_by_role("link", name="Remix").click()
        expect(mate.locator("#prompt")).to_have_value(PROMPT)

        with visitor(chromium) as stranger:
            stranger.goto(outside)
            expect(stranger.get_by_role("heading", name="For the client")).to_be_visible()
            assert PROMPT not in stranger.content()
            assert stranger.get_by_role("navigation").count() == 0
            plays(stranger)
            with stranger.expect_download() as download:
                stranger.get_by_role("link", name="Download").click()
            assert download.value.suggested_filename == "for-the-client-1.mp4"

            shell(browser_house, EXPIRE.format("For the client"))
            video = stranger.locator("video").get_attribute("src")
            assert stranger.request.get(f"{browser_house.url}{video}").status == 404
            gone, never = (seen(stranger, address) for address in (outside, f"{browser_house.url}/s/{'A' * 43}/"))
            assert gone == never
            assert gone[0] == 404

        page.goto(f"{browser_house.url}/settings/links/")
        running, ended = page.locator("#links section").all()
        client = ended.locator("li", has_text="For the client")
        client.get_by_text("Opened 1 time · 1 download").click()
        expect(client).to_contain_text(re.compile(r"Not signed in\s+1 time · 1 download"))
        client.get_by_role("button", name="Extend").click()
        expect(page.locator("#say")).to_have_text("Extended. The address stays the same.")
        expect(running.locator("li", has_text="For the client")).to_be_visible()
        with visitor(chromium) as stranger:
            stranger.goto(outside)
            expect(stranger.locator("video")).to_be_visible()

        team = running.locator("li", has_text="For the team")
        team.get_by_text("Opened 1 time").click()
        expect(team).to_contain_text("Mei Lin")
        team.get_by_role("button", name="Revoke").click()
        page.locator("#confirm [data-yes]").click()
        expect(page.locator("#say")).to_have_text("Revoked. From now on the link opens for nobody.")
        answer = mate.goto(inside)
        assert answer
        assert answer.status == 410
        mate.get_by_role("button", name="Request a new link").click()
        expect(mate.locator("#asked")).to_contain_text("You asked Dana Demo")
        page.reload()
        expect(page.locator("#links")).to_contain_text("Mei Lin asked for a new link")


def test_a_passphrase_locks_out(page: Page, chromium: Browser, browser_house: House, clip: str) -> None:
    sign_in(page, browser_house.url)
    address = shared(page, browser_house, clip, title="Locked", passphrase=PHRASE)
    with visitor(chromium) as knows:
        knows.goto(address)
        expect(knows.get_by_label("Passphrase")).to_be_focused()
        knows.keyboard.type(PHRASE)
        knows.keyboard.press("Enter")
        plays(knows)
        with visitor(chromium) as guesses:
            guesses.goto(address)
            for number in range(5):
                guesses.get_by_label("Passphrase").fill(f"guess {number}")
                with guesses.expect_navigation():
                    guesses.get_by_role("button", name="Open").click()
                expect(guesses.get_by_role("alert")).to_contain_text("That is not the passphrase.")
                expect(guesses.get_by_label("Passphrase")).to_be_focused()
            guesses.get_by_label("Passphrase").fill(PHRASE)
            guesses.get_by_role("button", name="Open").click()
            expect(guesses.get_by_role("alert")).to_contain_text("The next one is possible in 10 minutes.")
            guesses.goto(address)
            assert guesses.locator("video").count() == 0
        knows.reload()
        plays(knows)


def test_by_keyboard_alone(page: Page, browser_house: House, clip: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sign_in(page, browser_house.url)
    button = page.locator(f"#share-{clip}")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Share")
    expect(dialog.get_by_role("heading", name="Share", exact=True)).to_be_focused()
    expect(dialog.get_by_label("Ends after")).to_have_count(2)
    for key in ("Tab", "ArrowRight", "Tab", "ArrowDown"):  # all clips of the batch, anyone
        page.keyboard.press(key)
    expect(dialog.get_by_role("radio", name="All 2 clips of the batch")).to_be_checked()
    expect(dialog.get_by_role("radio", name="Anyone with the link")).to_be_checked()
    expect(dialog.locator("[name=team_days]")).to_be_hidden()
    expect(dialog.locator("[name=anyone_days]")).to_have_value("7")
    expect(dialog.locator("[name=anyone_details]")).not_to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("By hand")
    page.keyboard.press("Tab")
    page.keyboard.type("abc")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_be_focused()
    dialog.get_by_role("link", name="Passphrase").press("Enter")
    page.keyboard.type("def ghi")
    page.keyboard.press("Enter")
    field = dialog.get_by_label("Address")
    expect(field).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#say")).to_have_text("Link copied")
    expect(page.locator("#dialog-say")).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == field.input_value()
    listed = dialog.locator("li", has_text="By hand")
    listed.get_by_role("button", name="Revoke").press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#dialog-say")).to_have_text("Revoked. From now on the link opens for nobody.")
    expect(listed).to_have_count(0)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_without_a_clipboard_the_address_is_selected(page: Page, browser_house: House, clip: str) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    sign_in(page, browser_house.url)
    dialog = opened_dialog(page, browser_house, clip)
    address = made(dialog)
    dialog.get_by_role("button", name="Copy", exact=True).click()
    expect(page.locator("#say")).to_have_text("Link copied")
    assert dialog.get_by_label("Address").evaluate(CHOSEN) == address


def test_without_scripts(chromium: Browser, browser_house: House, clip: str) -> None:
    with visitor(chromium, java_script_enabled=False) as page:
        sign_in(page, browser_house.url)
        page.goto(f"{browser_house.url}/tasks/{clip}/")
        page.get_by_role("link", name="Share", exact=True).click()
        expect(page).to_have_url(re.compile(r"/tasks/.*/share/"))
        page.get_by_role("radio", name="Anyone with the link").check()
        expect(page.locator("[name=team_days]")).to_be_hidden()
        page.get_by_label(re.compile("Title")).fill("By form alone")
        page.get_by_role("button", name="Make the link").click()
        address = page.get_by_label("Address").input_value()
        row = page.locator("li", has_text="By form alone")
        row.get_by_role("button", name="Extend").click()
        expect(page.locator("#toasts")).to_contain_text("Extended.")
        with visitor(chromium, java_script_enabled=False) as stranger:
            stranger.goto(address)
            expect(stranger.locator("video")).to_be_visible()
            row.get_by_role("button", name="Revoke").click()
            expect(page.locator("#toasts")).to_contain_text("Revoked.")
            answer = stranger.reload()
            assert answer
            assert answer.status == 404


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_about_sharing(
    chromium: Browser, browser_house: House, clip: str, theme: Any, width: int
) -> None:
    findings: dict[str, Any] = {}

    def look(page: Page, place: str) -> None:
        found = violations(page)
        findings[place] = [(each["id"], [node["html"][:120] for node in each["nodes"]]) for each in found]
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{place} scrolls sideways at {width} px"

    size = {"viewport": {"width": width, "height": 800}, "color_scheme": theme}
    with visitor(chromium, **size) as page, visitor(chromium, **size) as stranger, visitor(chromium, **size) as mate:
        sign_in(page, browser_house.url)
        sign_in(mate, browser_house.url, "mei")
        dialog = opened_dialog(page, browser_house, clip)
        look(page, "dialog")
        dialog.get_by_label(re.compile("Passphrase")).fill("abc")
        dialog.get_by_role("button", name="Make the link").click()
        expect(dialog.get_by_role("alert")).to_be_focused()
        look(page, "mistake")
        dialog.get_by_label(re.compile("Passphrase")).fill(PHRASE)
        dialog.get_by_role("radio", name="Anyone with the link").check()
        dialog.get_by_role("radio", name="All 2 clips of the batch").check()
        dialog.get_by_label(re.compile("Title")).fill(f"Axe {theme} {width}")
        address = made(dialog)
        look(page, "made")
        stranger.goto(address)
        expect(stranger.get_by_label("Passphrase")).to_be_focused()
        look(stranger, "passphrase")
        stranger.keyboard.type(PHRASE)
        stranger.keyboard.press("Enter")
        expect(stranger.locator("video")).to_have_count(2)
        look(stranger, "shared")
        dialog.locator("li", has_text=f"Axe {theme} {width}").get_by_role("button", name="Revoke").click()
        page.locator("#confirm [data-yes]").click()
        expect(page.locator("#dialog-say")).to_contain_text("Revoked.")
        look(page, "revoked")
        mate.goto(address)
        look(mate, "ended")
        stranger.goto(address)
        look(stranger, "nothing")
        page.goto(f"{browser_house.url}/settings/links/")
        for each in page.locator(".visits summary").all():
            each.click()
        look(page, "my links")
        page.goto(f"{browser_house.url}/tasks/{clip}/share/")
        look(page, "as a page")
        page.get_by_label(re.compile("Passphrase")).fill("abc")
        page.get_by_role("button", name="Make the link").click()
        expect(page.get_by_role("alert")).to_be_visible()
        look(page, "mistake on a page")
    assert not {place: them for place, them in findings.items() if them}
