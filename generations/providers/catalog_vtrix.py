"""Vtrix' models [docs, client code, mid 2026]: the mode is part of the id. Where a page is silent, Vidu's row stands.

Left out are those that take groups of pictures alone (``viduq2_reference2video``, ``viduq2_pro_fast_reference2video``).
Off-peak is "temporarily unavailable" [docs], so that it is not offered.
"""

from dataclasses import replace
from typing import Any

from .base import Mode
from .catalog_vidu import ALL, AR5, HIGH, span
from .offer import Offer
from .resold import row

T, I, S, R = Mode.TEXT, Mode.IMAGE, Mode.START_END, Mode.REFERENCE  # noqa: E741  # columns of a table

# The one page that is known whole: a text mode that Vidu itself does not have for this model.
_PRO_FAST_TEXT: dict[str, Any] = {
    "like": (T, "viduq2"),
    "durations_by_resolution": span(1, 8, *HIGH),
    "aspect_ratios": AR5,
    "prompt_max": 2000,
    "bgm_max_duration": None,
    "watermark": True,
    "meta_data": True,
}

ROWS: tuple[tuple[Mode, str, str, dict[str, Any]], ...] = (
    # mode model           id                                what the vendor says
    (T, "viduq3-turbo",    "viduq3_turbo_text2video",        {}),
    (T, "viduq3-pro",      "viduq3_pro_text2video",          {}),
    (T, "viduq2-pro-fast", "viduq2_pro_fast_text2video",     _PRO_FAST_TEXT),
    (T, "viduq2",          "viduq2_text2video",              {}),
    (T, "viduq1",          "viduq1_text2video",              {}),

    (I, "viduq3-turbo",    "viduq3_turbo_img2video",         {}),
    (I, "viduq3-pro",      "viduq3_pro_img2video",           {}),
    (I, "viduq2-turbo",    "viduq2_turbo_img2video",         {}),
    (I, "viduq2-pro",      "viduq2_pro_img2video",           {}),
    (I, "viduq2-pro-fast", "viduq2_pro_fast_img2video",      {"prompt_max": 2000, "is_rec": True}),
    (I, "viduq1",          "viduq1_img2video",               {}),
    (I, "vidu2.0",         "vidu20_img2video",               {}),

    (S, "viduq3-turbo",    "viduq3_turbo_start_end2video",   {}),
    (S, "viduq3-pro",      "viduq3_pro_start_end2video",     {}),
    (S, "viduq2-turbo",    "viduq2_turbo_start_end2video",   {}),
    (S, "viduq2-pro",      "viduq2_pro_start_end2video",     {}),
    (S, "viduq2-pro-fast", "viduq2_pro_fast_start_end2video", {}),

    (R, "viduq3",          "viduq3_i2v_reference",           {"prompt_max": 5000, "aspect_ratios": (*AR5, "auto")}),
    (R, "viduq2",          "viduq2_i2v_reference",           {}),
    (R, "viduq2-pro",      "viduq2_pro_reference",           {"durations_by_resolution": span(1, 10, *ALL)}),
)  # fmt: skip

# The older of two ids for one model takes two lengths.
_OLDER = row(
    "vtrix",
    S,
    "viduq2-turbo",
    "viduq2_turbo_start_end",
    default_duration=4,
    durations_by_resolution=dict.fromkeys(ALL, (4, 8)),
)

OFFERS: tuple[Offer, ...] = (
    *(row("vtrix", mode, model, wire_model, **said) for mode, model, wire_model, said in ROWS),
    replace(_OLDER, model="viduq2-turbo-4-8", label=f"{_OLDER.label} (4 / 8 s)"),
)
