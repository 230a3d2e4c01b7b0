"""Debian's Chromium for tests: nothing is downloaded, nothing outside loopback is asked."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Playwright, expect

from tests.house import PASSWORD

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(play: Playwright) -> Browser:
    path = shutil.which("chromium") or "/usr/bin/chromium"
    return play.chromium.launch(executable_path=path, args=ARGUMENTS)


def sign_in(page: Page, url: str, username: str = "demo") -> None:
    page.goto(f"{url}/accounts/sign-in/")
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    page.click("main form button")
    page.wait_for_url(f"{url}/")


@contextmanager
def renewed(page: Page) -> Iterator[None]:
    """What happens within makes the page ask for other options; afterwards they are there and settled."""
    page.evaluate("document.getElementById('params').dataset.old = 'yes'")
    yield
    expect(page.locator("#params:not([data-old], .htmx-settling)")).to_be_attached(timeout=20_000)


def violations(page: Page) -> list[dict[str, Any]]:
    """What axe finds, once nothing moves any more: half faded in, any text has too little contrast."""
    page.evaluate(
        "() => Promise.all(document.getAnimations()"
        ".filter((each) => each.effect.getComputedTiming().endTime !== Infinity)"
        ".map((each) => each.finished.catch(() => null)))"
    )
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return found
