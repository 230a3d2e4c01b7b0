"""``python -m tests.chaos.orders < orders.json``: presses Generate many times in one process, as people do.

Each order is the list of arguments of ``manage.py generate``; the answer is, for each, the list of task ids.
"""

import io
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VENDORS = {
    "vidu": "Sandbox studio",
    "dataeyes": "Sandbox DataEyes",
    "uniall": "Sandbox UniAll",
    "xingchao": "Sandbox XingChaoYiQing",
    "vtrix": "Sandbox Vtrix",
}
"""Slug of the vendor: label of its key in the demo."""
CARRY_TOKEN = ("vidu", "dataeyes", "vtrix")
PEOPLE = ("demo", "mei", "tom")
MODES = ("text2video", "img2video", "text2video", "start-end2video")
WORDS = ("violation", "fail", "crash", "nourl", "unknown", "throttle", "quota", "nocover", "nocallback", "policy")
"""What may happen to a tenth of the orders besides the faults; none of them changes what must be true in the end."""


def orders(number: int, pictures: list[Path], seed: int) -> Iterator[list[str]]:
    """Orders for so many tasks. Every prompt is unique, so that the vendors' books tell tasks apart."""
    dice, place, left = random.Random(seed), 0, number
    while left > 0:
        vendor = list(VENDORS)[place % len(VENDORS)]
        mode = MODES[place // len(VENDORS) % len(MODES)]
        # Variants have one prompt: only a token tells them apart.
        count = min(left, dice.choice((1, 1, 2, 3))) if vendor in CARRY_TOKEN else 1
        word = f"[{dice.choice(WORDS)}] " if dice.random() < 0.1 else ""
        yield _order(
            vendor, mode, PEOPLE[place % len(PEOPLE)], f"{word}Storm {seed}, scene {place}: 纸船", count, pictures
        )
        place, left = place + 1, left - count


def _order(vendor: str, mode: str, person: str, prompt: str, count: int, pictures: list[Path]) -> list[str]:
    said = {
        "user": person, "key": VENDORS[vendor], "mode": mode, "model": "viduq3-turbo", "prompt": prompt,
        "duration": "1", "resolution": "540p", "count": str(count),
    }  # fmt: skip
    if mode == "text2video":
        said["aspect-ratio"] = "16:9"
    shown = {"text2video": 0, "img2video": 1, "start-end2video": 2}[mode]
    arguments = [part for name, value in said.items() for part in (f"--{name}", value)]
    return [*arguments, *(part for picture in pictures[:shown] for part in ("--image", str(picture)))]


def main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    from generations.models import ProviderKey

    wanted: dict[str, Any] = json.load(sys.stdin)
    if wanted["at_once"]:
        ProviderKey.objects.update(max_in_flight=wanted["at_once"], sends_per_second=20)
    placed = []
    for order in wanted["orders"]:
        said = io.StringIO()
        call_command("generate", *order, stdout=said)
        placed.append(said.getvalue().split())
    json.dump(placed, sys.stdout)


if __name__ == "__main__":
    main()
