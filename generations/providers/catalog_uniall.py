"""UniAll's models: Q3 Pro and Q3 Turbo in every mode, under one id per resolution [docs, mid 2026].

Not in the vendor's list but in its examples are ``-offpeak`` and the mix model. How long a prompt may be is not
said: there Vidu's rows stand. A prompt is wanted in every mode.
"""

from typing import Any

from .base import Mode, gettext_noop
from .catalog_vidu import ALL, MODELS, span
from .offer import Switch
from .resold import row

T, I, S, R = Mode.TEXT, Mode.IMAGE, Mode.START_END, Mode.REFERENCE  # noqa: E741  # columns of a table
TURBO, PRO = "viduq3t-{resolution}{off_peak}", "viduq3p-{resolution}{off_peak}"
MIX = "viduq3p-mix-{resolution}"

OFF_PEAK_NOTE = gettext_noop("Off-peak ids stand in the vendor's examples, not in its list")
MIX_NOTE = gettext_noop("The id stands in the vendor's examples, not in its list")

_SAID: dict[str, Any] = {
    "durations_by_resolution": span(1, 16, *ALL),
    "prompt_required": True,
    "off_peak": True,
    "off_peak_with_audio": True,
    "note": OFF_PEAK_NOTE,
}
_REFERENCES: dict[str, Any] = {**_SAID, "max_images": 4, "like": (R, "viduq3-turbo")}
_MIX: dict[str, Any] = {
    "durations_by_resolution": span(1, 16, "720p"),
    "max_images": 4,
    "audio": Switch.DEFAULT_ON,  # the vendor's example turns it off, Vidu itself has no choice here
    "hint": MODELS["viduq3"][2],
    "note": MIX_NOTE,
}

OFFERS = (
    *(row("uniall", mode, "viduq3-turbo", TURBO, **_SAID) for mode in (T, I, S)),
    *(row("uniall", mode, "viduq3-pro", PRO, **_SAID) for mode in (T, I, S)),
    row("uniall", R, "viduq3-pro", PRO, **_REFERENCES),  # the vendor's advice for references [docs]
    row("uniall", R, "viduq3-turbo", TURBO, **_REFERENCES),
    row("uniall", R, "viduq3-mix", MIX, **_MIX),
)
