"""In real Chromium: pictures are chosen, put into order, named in the prompt, kept, and taken from the library."""

import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.chromium import renewed, sign_in, violations
from tests.factories import picture_bytes
from tests.house import House

pytestmark = pytest.mark.browser
COLOURS = ("#aa3322", "#22aa44", "#2244cc", "#ccaa22", "#8822aa", "#22aaaa", "#777777")


@pytest.fixture(scope="module")
def clip(browser_house: House) -> str:
    """A ready clip; its task's id."""
    [task] = browser_house.generate("A clip to go on from")
    browser_house.reaches(task, "succeeded")
    return task


def file(name: str, *, width: int = 320, height: int = 180, colour: str = COLOURS[0]) -> Any:
    return {"name": name, "mimeType": "image/jpeg", "buffer": picture_bytes(width, height, colour=colour)}


def files(number: int) -> Any:
    return [file(f"{place + 1}.jpg", colour=COLOURS[place]) for place in range(number)]


def choose_mode(page: Page, mode: str) -> Locator:
    with renewed(page):
        page.locator(f"label:has([name=mode][value={mode}])").click()
    slots = page.locator(f"fieldset[id^=pictures-{mode}]")
    expect(slots).to_be_visible()
    return slots


def with_references(page: Page, house: House, number: int) -> Locator:
    sign_in(page, house.url)
    slots = choose_mode(page, "reference2video")
    slots.locator("input[type=file]").first.set_input_files(files(number))
    expect(slots.locator("[data-filled]")).to_have_count(number)
    return slots


def called(word: str, rest: str) -> re.Pattern[str]:
    """The visible word of a button and what only readers of the screen are told."""
    return re.compile(f"^{word}\\s*: {rest}")


def names(slots: Locator) -> list[str | None]:
    return [image.get_attribute("alt") for image in slots.locator("img").all()]


def sent(page: Page) -> list[str]:
    """The files as the form would send them."""
    found: list[str] = page.evaluate(
        "() => new FormData(document.getElementById('composer')).getAll('images').map(f => f.name).filter(Boolean)"
    )
    return found


def test_several_files_fill_the_places_and_one_stays_free(page: Page, browser_house: House) -> None:
    slots = with_references(page, browser_house, 3)
    assert names(slots) == sent(page) == ["1.jpg", "2.jpg", "3.jpg"]
    expect(slots.locator(".slot-box:visible")).to_have_count(4)
    slots.get_by_role("button", name="Remove: @Image2").press("Enter")
    assert names(slots) == sent(page) == ["1.jpg", "3.jpg"]
    expect(slots.locator(".slot-box:visible")).to_have_count(3)
    expect(page.locator("#say")).to_have_text("@Image2: removed")
    expect(slots.get_by_role("button", name="Remove: @Image2")).to_be_focused()


def test_the_order_changes_by_keyboard_and_the_focus_follows(page: Page, browser_house: House) -> None:
    slots = with_references(page, browser_house, 3)
    expect(slots.get_by_role("button", name="Move picture 1 forward")).to_be_disabled()
    expect(slots.get_by_role("button", name="Move picture 3 back")).to_be_disabled()
    slots.get_by_role("button", name="Move picture 3 forward").focus()
    page.keyboard.press("Enter")
    assert names(slots) == sent(page) == ["1.jpg", "3.jpg", "2.jpg"]
    expect(slots.get_by_role("button", name="Move picture 2 forward")).to_be_focused()
    expect(page.locator("#say")).to_have_text("Picture 3 is now picture 2.")
    page.keyboard.press("Space")
    assert names(slots) == sent(page) == ["3.jpg", "1.jpg", "2.jpg"]
    expect(slots.get_by_role("button", name="Move picture 1 back")).to_be_focused()


def test_a_token_goes_into_the_prompt_where_the_caret_is(page: Page, browser_house: House) -> None:
    slots = with_references(page, browser_house, 2)
    prompt = page.locator("#prompt")
    prompt.fill("She meets, smiling")
    prompt.evaluate("prompt => prompt.setSelectionRange(9, 9)")
    slots.get_by_role("button", name=called("@Image2", "Insert into the prompt")).click()
    expect(prompt).to_have_value("She meets @Image2, smiling")
    expect(prompt).to_be_focused()
    expect(page.locator("#say")).to_have_text("@Image2 is in the prompt.")
    page.keyboard.press("Control+z")
    expect(prompt).to_have_value("She meets, smiling")
    page.reload()
    slots = choose_mode(page, "reference2video")
    slots.locator("input[type=file]").first.set_input_files(files(1))
    slots.get_by_role("button", name=called("@Image1", "Insert into the prompt")).click()
    expect(prompt).to_have_value("She meets, smiling @Image1 ")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"name": "notes.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"}, "choose a PNG, JPEG or WebP"),
        ({"name": "torn.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n"}, "cannot be read as a picture"),
        (file("tiny.jpg", width=200, height=100), "200 × 100 pixels; each side needs at least 128"),
        (file("long.jpg", width=800, height=200), "800 × 200 pixels is too narrow"),
    ],
)
def test_what_cannot_be_used_is_said_at_once(page: Page, browser_house: House, chosen: Any, said: str) -> None:
    sign_in(page, browser_house.url)
    slots = choose_mode(page, "img2video")
    upload = slots.locator("input[type=file]")
    upload.set_input_files(chosen)
    problem = slots.locator("[data-problem]")
    expect(problem).to_contain_text(said)
    expect(problem).to_contain_text(chosen["name"])
    expect(page.locator("#say")).to_contain_text(said)
    expect(upload).to_have_attribute("aria-invalid", "true")
    upload.set_input_files(file("good.jpg"))
    expect(problem).to_be_hidden()
    expect(upload).to_have_attribute("aria-invalid", "false")


def test_a_file_over_the_limit_is_said_at_once(page: Page, browser_house: House, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    large.write_bytes(picture_bytes() + b"\0" * (50 * 1024 * 1024))
    sign_in(page, browser_house.url)
    slots = choose_mode(page, "img2video")
    slots.locator("input[type=file]").set_input_files(large)
    expect(slots.locator("[data-problem]")).to_contain_text("larger than 50 MB")


def test_pictures_stay_when_options_models_and_modes_change(page: Page, browser_house: House) -> None:
    slots = with_references(page, browser_house, 3)
    with renewed(page):
        page.locator("#composer label:has([name=count])").nth(1).click()
    expect(page.get_by_role("button", name="Generate 2 videos")).to_be_visible()
    assert names(slots) == sent(page) == ["1.jpg", "2.jpg", "3.jpg"]
    frames = choose_mode(page, "start-end2video")
    assert names(frames) == ["1.jpg", "2.jpg"]
    expect(frames.locator("[data-left-out-note]")).to_have_text("Only 2 pictures fit here. Left out: 1.")
    expect(page.locator("#say")).to_contain_text("Left out: 1.")
    frames.get_by_role("button", name="Swap").click()
    assert names(frames) == ["2.jpg", "1.jpg"]
    with renewed(page):
        page.locator("label:has([name=mode][value=text2video])").click()
    expect(page.locator("[data-slots]")).to_have_count(0)
    slots = choose_mode(page, "reference2video")
    assert names(slots) == sent(page) == ["2.jpg", "1.jpg", "3.jpg"]
    expect(slots.locator("[data-left-out-note]")).to_be_hidden()


def test_fewer_places_leave_pictures_out_and_more_bring_them_back(page: Page, browser_house: House) -> None:
    slots = with_references(page, browser_house, 6)
    key = page.locator("#key")
    before = key.input_value()
    fewer = key.locator("option", has_text="UniAll").first.get_attribute("value")
    with renewed(page):
        key.select_option(fewer)
    note = slots.locator("[data-left-out-note]")
    expect(note).to_have_text("Only 4 pictures fit here. Left out: 2.")
    expect(page.locator("#say")).to_contain_text("Left out: 2.")
    assert names(slots) == sent(page) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    with renewed(page):
        key.select_option(before)
    expect(note).to_be_hidden()
    assert names(slots) == sent(page) == [f"{number}.jpg" for number in range(1, 7)]


def test_pictures_are_dropped_and_pasted(page: Page, browser_house: House) -> None:
    sign_in(page, browser_house.url)
    slots = choose_mode(page, "reference2video")
    page.evaluate(
        """async () => {
            const blob = await (await fetch('/static/img/logo.svg')).blob();
            const canvas = new OffscreenCanvas(300, 200);
            canvas.getContext('2d').fillRect(0, 0, 300, 200);
            const png = await canvas.convertToBlob();
            const data = new DataTransfer();
            for (const name of ['a.png', 'b.png']) data.items.add(new File([png], name, { type: 'image/png' }));
            const slot = document.querySelector('.slot');
            slot.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
            const paste = new DataTransfer();
            paste.items.add(new File([blob], 'text.svg', { type: 'text/plain' }));
            paste.items.add(new File([png], 'c.png', { type: 'image/png' }));
            document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: paste, bubbles: true }));
        }"""
    )
    assert names(slots) == sent(page) == ["a.png", "b.png", "c.png"]


# --- Library -----------------------------------------------------------------------------------------------------


def test_a_still_of_a_clip_goes_into_the_slot_that_asked(page: Page, browser_house: House, clip: str) -> None:
    sign_in(page, browser_house.url)
    frames = choose_mode(page, "start-end2video")
    opener = frames.get_by_role("button", name=called("From library", "Last frame"))
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Choose a picture")
    expect(dialog).to_be_visible()
    expect(page.locator("#dialog-title")).to_be_focused()
    dialog.get_by_role("link", name="Clips").press("Enter")
    expect(dialog.get_by_role("link", name="Clips")).to_have_attribute("aria-current", "true")
    expect(dialog.get_by_role("link", name="Clips")).to_be_focused()
    dialog.get_by_role("button", name=called("Last frame", "A clip to go on from")).first.press("Enter")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
    expect(page.locator("#say")).to_have_text("Last frame: A clip to go on from")
    assert page.locator("[name=first_asset]").input_value() == ""
    picked = page.locator("[name=last_asset]").input_value()
    rows = browser_house.rows("SELECT kind FROM generations_asset WHERE id = ?", picked.replace("-", ""))
    assert rows == [("last_frame",)]
    # It is among one's own pictures from now on, and Escape changes nothing.
    frames.get_by_role("button", name=called("From library", "First frame")).click()
    expect(dialog.locator("[data-pick]").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(frames.get_by_role("button", name=called("From library", "First frame"))).to_be_focused()
    assert page.locator("[name=first_asset]").input_value() == ""


def test_one_visit_fills_several_places(page: Page, browser_house: House, clip: str) -> None:
    slots = with_references(page, browser_house, 1)
    slots.get_by_role("button", name="From library", exact=True).click()
    dialog = page.get_by_role("dialog", name="Choose a picture")
    dialog.get_by_role("link", name="Clips").click()
    for which, place in (("Poster", 2), ("Last frame", 3)):
        dialog.get_by_role("button", name=called(which, "A clip to go on from")).first.click()
        expect(page.locator("#dialog-say")).to_have_text(f"@Image{place}: A clip to go on from")
    page.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    expect(slots.locator("[data-filled]")).to_have_count(3)
    kept = page.evaluate("() => new FormData(document.getElementById('composer')).getAll('asset').filter(Boolean)")
    assert len(kept) == 2
    # Kept ones move like files, and both stay when the options change.
    slots.get_by_role("button", name="Move picture 3 forward").click()
    with renewed(page):
        page.locator("#composer label:has([name=count])").nth(1).click()
    expect(page.get_by_role("button", name="Generate 2 videos")).to_be_visible()
    moved = page.evaluate("() => new FormData(document.getElementById('composer')).getAll('asset').filter(Boolean)")
    assert moved == kept[::-1]
    assert sent(page) == ["1.jpg"]


def test_a_clip_that_cannot_be_read_is_said_in_the_dialog(page: Page, browser_house: House) -> None:
    [task] = browser_house.generate("A clip whose file is lost")
    browser_house.reaches(task, "succeeded")
    [(name,)] = browser_house.rows("SELECT file FROM generations_creation WHERE task_id = ?", task.replace("-", ""))
    (browser_house.data / "media" / name).unlink()
    sign_in(page, browser_house.url)
    slots = choose_mode(page, "img2video")
    slots.get_by_role("button", name="From library").click()
    dialog = page.get_by_role("dialog", name="Choose a picture")
    dialog.get_by_role("link", name="Clips").click()
    dialog.get_by_role("button", name=called("Last frame", "A clip whose file is lost")).click()
    expect(dialog.get_by_role("alert")).to_contain_text("cannot be read")
    expect(dialog).to_be_visible()


def test_from_the_last_frame_of_a_clip_to_the_next_one(page: Page, browser_house: House, clip: str) -> None:
    sign_in(page, browser_house.url)
    page.goto(f"{browser_house.url}/tasks/{clip}/")
    colour = page.evaluate(
        """async () => {
            const video = document.querySelector('video');
            const canvas = new OffscreenCanvas(64, 36);
            await new Promise((done) => { video.onseeked = done; video.currentTime = video.duration; });
            const context = canvas.getContext('2d');
            context.drawImage(video, 0, 0, 64, 36);
            return [...context.getImageData(0, 0, 64, 36).data];
        }"""
    )
    page.get_by_role("button", name="Use last frame").click()
    page.wait_for_url(re.compile(r"mode=img2video&asset=.*#compose"))
    image = page.locator(".slot img")
    expect(image).to_be_visible()
    still = Image.open(io.BytesIO(page.request.get(browser_house.url + str(image.get_attribute("src"))).body()))
    small = still.convert("RGB").resize((64, 36), Image.Resampling.BOX)
    pairs = zip(small.get_flattened_data(), zip(colour[0::4], colour[1::4], colour[2::4], strict=True), strict=True)
    off = [abs(ours - shown) for one, other in pairs for ours, shown in zip(one, other, strict=True)]
    assert sum(off) / len(off) < 6, "the picture is what the player shows at the end"
    page.fill("[name=prompt]", "And then it goes on")
    page.get_by_role("button", name=re.compile("^Generate")).click()
    card = page.locator("#grid > li", has_text="And then it goes on")
    expect(card).to_have_attribute("data-state", "succeeded", timeout=60_000)


def test_pictures_without_scripts(chromium: Browser, browser_house: House, clip: str) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, browser_house.url)
    page.goto(f"{browser_house.url}/?mode=reference2video")
    slots = page.locator("[data-slots]")
    assert slots.locator(".slot-box:visible").count() == slots.locator(".slot-box").count() > 1
    expect(slots.locator("button:visible")).to_have_count(0)
    slots.get_by_role("link", name="From library").click()
    page.get_by_role("link", name="Clips").click()
    page.get_by_role("button", name=called("Poster", "A clip to go on from")).first.click()
    page.wait_for_url(re.compile("mode=reference2video&asset="))
    expect(page.locator(".slot img")).to_have_count(1)
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing_about_pictures(
    chromium: Browser, browser_house: House, clip: str, theme: Any, width: int
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=theme)
    page = context.new_page()
    findings: dict[str, Any] = {}

    def look(place: str) -> None:
        findings[place] = [found["id"] for found in violations(page)]
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{place} scrolls sideways at {width} px"

    sign_in(page, browser_house.url)
    page.goto(f"{browser_house.url}/?mode=reference2video#compose")
    slots = page.locator("[data-slots]")
    slots.locator("input[type=file]").first.set_input_files([*files(2), file("tiny.jpg", width=100, height=100)])
    expect(slots.locator("[data-problem]").nth(2)).to_be_visible()
    look("series")
    slots.get_by_role("button", name="From library", exact=True).click()
    dialog = page.get_by_role("dialog", name="Choose a picture")
    expect(dialog).to_be_visible()
    look("own pictures")
    dialog.get_by_role("link", name="Clips").click()
    expect(dialog.get_by_role("button", name=re.compile("^Poster")).first).to_be_visible()
    look("clips")
    page.keyboard.press("Escape")
    choose_mode(page, "start-end2video")
    look("frames")
    page.goto(f"{browser_house.url}/composer/pictures/?tab=clips")
    look("as a page")
    page.goto(f"{browser_house.url}/tasks/{clip}/")
    look("one clip")
    context.close()
    assert not {place: them for place, them in findings.items() if them}
