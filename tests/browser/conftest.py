"""A page that remembers what went wrong on it: console errors, policy violations, failed requests."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import launch
from tests.house import House


@pytest.fixture(scope="package")
def browser_house() -> Iterator[House]:
    """Clips in their real size: what is looked at should look as it will."""
    opened = House(speed=2, clip_height=360).start()
    yield opened
    opened.close()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Not longer than this folder: Playwright's loop would stay in the way of code that runs one of its own."""
    with sync_playwright() as play:
        browser = launch(play)
        yield browser
        browser.close()


EXPECTED = ("status of 422", "htmx:sendAbort", "htmx:afterRequest")


class Complaints(list[str]):
    def watch(self, page: Page) -> None:
        page.on("console", lambda said: self.hear(said.type, said.text))
        page.on("pageerror", lambda error: self.append(f"script: {error}"))

    def hear(self, kind: str, text: str) -> None:
        # A refused form answers 422, which Chromium notes by itself; of two quick changes of the options the second
        # takes the place of the first, which htmx notes. Everything else is ours to mend.
        if kind == "error" and not any(word in text for word in EXPECTED):
            self.append(f"{kind}: {text}")


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(chromium: Browser, complaints: Complaints) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    opened = context.new_page()
    complaints.watch(opened)
    yield opened
    opened.evaluate("0")  # by then all that was said has arrived
    heard = list(complaints)  # what a page says that is taken down under it is not ours to mend
    context.close()
    assert not heard
