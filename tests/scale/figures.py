"""Measures what the notes quote, on a house of its own: ``make figures``. Prints figures, asserts nothing."""

import gzip
import re
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import httpx
from playwright.sync_api import Page, sync_playwright

from tests.browser.chromium import launch, sign_in
from tests.house import PASSWORD, House, wait_for

TASKS = 100


def pss_kb(pid: int) -> int:
    """Proportional set size: shared pages counted once over all their users."""
    found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) if found else 0


def memory(house: House) -> Iterator[str]:
    for part in ("web", "worker", "sandbox"):
        pids = house.members(part)
        yield f"memory of {part}: {sum(map(pss_kb, pids)) / 1024:.0f} MB PSS in {len(pids)} processes"


def page_weight(house: House) -> Iterator[str]:
    with httpx.Client(base_url=house.url, follow_redirects=True) as client:
        page = client.get("/accounts/sign-in/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token
        home = client.post(
            "/accounts/sign-in/",
            data={"username": "demo", "password": PASSWORD, "csrfmiddlewaretoken": token[1]},
            headers={"Referer": house.url},
        )
        parts = {"html": len(gzip.compress(home.content))}
        for address in re.findall(r'(?:src|href)="(/static/[^"]+\.(?:js|css))"', home.text):
            answer = client.get(address, headers={"Accept-Encoding": "gzip"})
            kind = "js" if address.endswith(".js") else "css"
            parts[kind] = parts.get(kind, 0) + int(answer.headers["content-length"])
        total = sum(parts.values())
        listed = ", ".join(f"{kind} {size / 1024:.1f}" for kind, size in parts.items())
        yield f"home page, gzipped: {total / 1024:.1f} KB ({listed})"


def first_change(page: Page, house: House) -> Iterator[str]:
    """From the press of Generate until the new card is there, and until its state first changes by itself."""
    sign_in(page, house.url)
    shown, changed = [], []
    for number in range(5):
        page.goto(house.url)
        page.fill("[name=prompt]", f"Measured clip {number}")
        started = time.monotonic()
        page.click("#composer button[type=submit]:has-text('Generate')")
        card = page.locator(f"#grid li:has-text('Measured clip {number}')")
        card.wait_for()
        shown.append(time.monotonic() - started)
        before = card.get_attribute("data-state")
        wait_for(lambda card=card, before=before: card.get_attribute("data-state") != before, 30, 0.05)
        changed.append(time.monotonic() - started)
    yield f"Generate to card on the page: median {median(shown):.2f} s; to its first change: {median(changed):.2f} s"


def requests_per_task(house: House, in_flight: int) -> str:
    label = f"figures {in_flight}"
    house.manage(
        "addkey", "vidu", label, "--base-url", house.sandbox, "--max-in-flight", str(in_flight),
        given=f"sandbox-figures-{in_flight}-no-value\n",
    )  # fmt: skip
    started = time.monotonic()
    ids = [each for _ in range(TASKS // 4) for each in house.generate("A calm sea", key=label, count="4")]
    done = "SELECT count(*) FROM generations_task t JOIN generations_providerkey k ON k.id = t.key_id"
    done += " WHERE k.label = ? AND t.state = 'succeeded'"
    wait_for(lambda: house.rows(done, label)[0][0] == len(ids), 900, 1, what="all ready")
    counts = house.status()["requests"][label]
    asked = counts["list"] + counts["query"]
    took = time.monotonic() - started
    return f"{len(ids)} tasks, {in_flight} in flight, {took:.0f} s: {asked / len(ids):.2f} looks a task ({counts})"


def main() -> None:
    house = House(speed=1, clip_height=144).start()
    try:
        time.sleep(20)
        for line in (*memory(house), *page_weight(house)):
            print(line, flush=True)  # noqa: T201
        with sync_playwright() as play:
            browser = launch(play)
            for line in first_change(browser.new_page(), house):
                print(line, flush=True)  # noqa: T201
            browser.close()
        for in_flight in (5, 100):
            print(requests_per_task(house, in_flight), flush=True)  # noqa: T201
    finally:
        house.close()


if __name__ == "__main__":
    main()
