"""Vidu's models, settings and prices (Vidu docs, mid 2026; prices as quoted by client code from platform.vidu.com).

To correct a fact, change a row; to follow a new price list, change the figures, their date and the list's name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from .base import Mode, Money, Unit, gettext_noop
from .offer import Flat, Offer, PerSecond, Price, PriceList, Rate, Step, Stepped, Switch, Tariff

T, I, S, R = Mode.TEXT, Mode.IMAGE, Mode.START_END, Mode.REFERENCE  # noqa: E741  # columns of a table
NO, OPT, ON, ALWAYS = Switch.NO, Switch.OPTIONAL, Switch.DEFAULT_ON, Switch.ALWAYS

AR5 = ("16:9", "9:16", "3:4", "4:3", "1:1")
AR3 = ("16:9", "9:16", "1:1")
STYLES = ("general", "anime")
MOVEMENTS = ("auto", "small", "medium", "large")
AUDIO_TYPES = ("all", "speech_only", "sound_effect_only")

# --- Models: label, family, hint -----------------------------------------------------------------------------

MODELS = {
    "viduq3-turbo":    ("Vidu Q3 Turbo",    "Q3", gettext_noop("Fast draft with sound, up to 16 s")),
    "viduq3-pro":      ("Vidu Q3 Pro",      "Q3", gettext_noop("Best quality, with sound, up to 16 s")),
    "viduq3-pro-fast": ("Vidu Q3 Pro Fast", "Q3", gettext_noop("Near Pro quality in less time, from one picture")),
    "viduq3":          ("Vidu Q3",          "Q3", gettext_noop("Consistent subjects, with sound")),
    "viduq3-mix":      ("Vidu Q3 Mix",      "Q3", gettext_noop("Best blend of many pictures, always with sound")),
    "viduq2":          ("Vidu Q2",          "Q2", gettext_noop("Previous generation, silent or with added sound")),
    "viduq2-turbo":    ("Vidu Q2 Turbo",    "Q2", gettext_noop("Cheapest short clip from pictures")),
    "viduq2-pro":      ("Vidu Q2 Pro",      "Q2", gettext_noop("Previous generation's best quality")),
    "viduq2-pro-fast": ("Vidu Q2 Pro Fast", "Q2", gettext_noop("Previous generation's Pro in less time")),
    "viduq1":          ("Vidu Q1",          "Q1", gettext_noop("Fixed 5 s at 1080p; styles and movement can be set")),
    "viduq1-classic":  ("Vidu Q1 Classic",  "Q1", gettext_noop("Fixed 5 s at 1080p, livelier movement")),
    "vidu2.0":         ("Vidu 2.0",         "2.0", gettext_noop("Oldest, short clips at low price")),
}  # fmt: skip

# --- Offers: what differs from row to row --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    mode: Mode
    model: str
    seconds: Mapping[str, tuple[int, ...]]
    ratios: tuple[str, ...]
    audio: Switch
    bgm: Switch
    bgm_until: int | None = None
    movements: tuple[str, ...] = ()
    styles: tuple[str, ...] = ()
    off_peak: bool = True
    subjects: bool = False
    videos: bool = False
    note: str = ""


def span(first: int, last: int, *resolutions: str) -> dict[str, tuple[int, ...]]:
    """Every whole second of a range, at each of these resolutions."""
    return dict.fromkeys(resolutions, tuple(range(first, last + 1)))


ALL, HIGH = ("540p", "720p", "1080p"), ("720p", "1080p")
Q1_SECONDS = span(5, 5, "1080p")
V2_SECONDS = {"360p": (4,), "720p": (4, 8), "1080p": (4,)}
V2_REFERENCE = span(4, 4, "360p", "720p")
MAINLAND = gettext_noop("Not on the mainland service")  # the international site still lists it [client code]
MIX_NOTE = gettext_noop("Pictures only; no off-peak")
AUTO_NOTE = gettext_noop("Automatic lets Vidu choose the length; the price is then known afterwards")

# The last columns: bgm and the longest clip it works on, movement, style, off-peak, subjects, videos, note.
ROWS = (
    #    mode model              seconds by resolution    ratios audio   bgm
    _Row(T, "viduq3-turbo",      span(1, 16, *ALL),       AR5,   ON,     NO),
    _Row(T, "viduq3-pro",        span(1, 16, *ALL),       AR5,   ON,     NO),
    _Row(T, "viduq2",            span(1, 10, *ALL),       AR5,   NO,     OPT, 8),
    _Row(T, "viduq1",            Q1_SECONDS,              AR3,   NO,     OPT, None, MOVEMENTS, STYLES),

    _Row(I, "viduq3-turbo",      span(1, 16, *ALL),       (),    ON,     NO),
    _Row(I, "viduq3-pro",        span(1, 16, *ALL),       (),    ON,     NO),
    _Row(I, "viduq3-pro-fast",   span(1, 16, *HIGH),      (),    ON,     NO),
    _Row(I, "viduq2-turbo",      span(1, 10, *ALL),       (),    OPT,    OPT, 8),
    _Row(I, "viduq2-pro",        span(1, 10, *ALL),       (),    OPT,    OPT, 8),
    _Row(I, "viduq2-pro-fast",   span(1, 10, *HIGH),      (),    OPT,    OPT, 8),
    _Row(I, "viduq1",            Q1_SECONDS,              (),    NO,     OPT, None, MOVEMENTS),
    _Row(I, "viduq1-classic",    Q1_SECONDS,              (),    NO,     OPT, None, MOVEMENTS),
    _Row(I, "vidu2.0",           V2_SECONDS,              (),    NO,     OPT, None, MOVEMENTS, note=MAINLAND),

    _Row(S, "viduq3-turbo",      span(1, 16, *ALL),       (),    ON,     NO),
    _Row(S, "viduq3-pro",        span(1, 16, *ALL),       (),    ON,     NO),
    _Row(S, "viduq2-turbo",      span(1, 8, *ALL),        (),    NO,     OPT),
    _Row(S, "viduq2-pro",        span(1, 8, *ALL),        (),    NO,     OPT),
    _Row(S, "viduq2-pro-fast",   span(1, 8, *HIGH),       (),    NO,     OPT),
    _Row(S, "viduq1",            Q1_SECONDS,              (),    NO,     OPT, None, MOVEMENTS),
    _Row(S, "viduq1-classic",    Q1_SECONDS,              (),    NO,     OPT, None, MOVEMENTS),
    _Row(S, "vidu2.0",           V2_SECONDS,              (),    NO,     OPT, None, MOVEMENTS, note=MAINLAND),

    _Row(R, "viduq3-turbo",      span(3, 16, *ALL),       AR5,   ON,     NO, subjects=True),
    _Row(R, "viduq3",            span(3, 16, *ALL),       AR5,   ON,     NO, subjects=True),
    _Row(R, "viduq3-mix",        span(3, 16, *HIGH),      AR5,   ALWAYS, NO, off_peak=False, note=MIX_NOTE),
    _Row(R, "viduq2",            span(1, 10, *ALL),       AR5,   OPT,    OPT, 8, subjects=True),
    _Row(R, "viduq2-pro",        span(0, 10, *ALL),       AR5,   OPT,    OPT, 8, subjects=True, videos=True,
         note=AUTO_NOTE),
    _Row(R, "viduq1",            Q1_SECONDS,              AR3,   NO,     OPT, None, MOVEMENTS, subjects=True),
    _Row(R, "vidu2.0",           V2_REFERENCE,            AR3,   NO,     OPT, None, MOVEMENTS, subjects=True,
         note=MAINLAND),
)  # fmt: skip

IMAGES = {T: (0, 0), I: (1, 1), S: (2, 2), R: (1, 7)}  # at least, at most
PROMPT_MAX = {T: 5000, I: 5000, S: 5000, R: 2000}  # gateway copies give 5000 for Q3 references, Vidu 2000
DEFAULT_RESOLUTION = {"Q3": "720p", "Q2": "720p", "Q1": "1080p", "2.0": "360p"}
AUDIO_TYPES_WORK = {("Q2", I), ("Q2", R), ("Q3", R)}  # documented as without effect on Q3 from one picture
DEFAULT_SECONDS = {"Q3": 5, "Q2": 5, "Q1": 5, "2.0": 4}

# --- Prices: credits, normal and off-peak --------------------------------------------------------------------

PRICE_LIST = "vidu-2026-07-10"
_JULY = PriceList(PRICE_LIST, date(2026, 7, 10), Unit.CREDIT)
_LATE_2025 = PriceList(PRICE_LIST, date(2025, 12, 1), Unit.CREDIT)  # "late 2025" is all that is known of the day

# One credit was worth this when last read; the dollar on 2026-07-10 and again on 2026-10-08.
USD_PER_CREDIT = Rate(Unit.CREDIT, Money(Decimal("0.005"), Unit.USD), date(2026, 10, 8))
CNY_PER_CREDIT = Rate(Unit.CREDIT, Money(Decimal("0.03125"), Unit.CNY), date(2026, 7, 10))


def _rates(*credits: int) -> dict[str, int | Decimal]:
    """For the highest resolutions, 1080p last."""
    return dict(zip(ALL[-len(credits) :], credits, strict=True)) if credits else {}


def _steps(*steps: tuple[int, int, int]) -> dict[str, Step]:
    return {resolution: Step(*step) for resolution, step in zip(ALL, steps, strict=True)}


PRICES: tuple[tuple[str, tuple[Mode, ...], Price, PriceList], ...] = (
    # "or": what other readings of the page have
    # model             modes       per second at 540p, 720p, 1080p            off-peak
    ("viduq3-pro",      (T, I, S),  PerSecond(_rates(9, 20, 24),               _rates(5, 10, 12)), _JULY),
    ("viduq3-turbo",    (T, I, S),  PerSecond(_rates(7, 11, 13),               _rates(4, 6, 7)), _JULY),  # 720p or 12
    ("viduq3-pro-fast", (I,),       PerSecond(_rates(20, 25),                  _rates(10, 13)), _JULY),  # or 12, 15
    ("viduq3-mix",      (R,),       PerSecond(_rates(24, 29),                  _rates()), _JULY),
    ("viduq3-turbo",    (R,),       PerSecond(_rates(4, 10, 13),               _rates(2, 5, 7)), _JULY),
    ("viduq3",          (R,),       PerSecond(_rates(7, 12, 15),               _rates(4, 6, 7)), _JULY),
    # first second, two seconds together, each further one, at 540p, 720p, 1080p
    ("viduq2-turbo",    (I, S),     Stepped(_steps((6, 8, 2), (8, 10, 10), (35, 45, 10))), _LATE_2025),
    ("viduq2-pro",      (I, S),     Stepped(_steps((8, 10, 5), (15, 25, 10), (55, 70, 15))), _LATE_2025),
    ("viduq2",          (T,),       Stepped(_steps((10, 12, 2), (15, 20, 5), (20, 30, 10))), _LATE_2025),
    ("viduq2",          (R,),       Stepped(_steps((15, 20, 5), (25, 30, 5), (75, 85, 10))), _LATE_2025),
    # the whole clip
    ("viduq1",          (T, I, S, R), Flat({("1080p", 5): 80}), _LATE_2025),
    ("viduq1-classic",  (T, I, S, R), Flat({("1080p", 5): 80}), _LATE_2025),  # taken from q1 [inferred]
    ("vidu2.0",         (I, S),     Flat({("360p", 4): 20, ("720p", 4): 40, ("1080p", 4): 100, ("720p", 8): 100}),
     _LATE_2025),
    ("vidu2.0",         (R,),       Flat({("720p", 4): 80}), _LATE_2025),
)  # fmt: skip
# No figures were found for viduq2-pro-fast, nor for viduq2-pro from references.

IS_REC_EXTRA = 10
Q2_AUDIO_EXTRA = 15  # image and reference modes


def _tariff(row: _Row, family: str) -> Tariff | None:
    audio_extra = Q2_AUDIO_EXTRA if family == "Q2" and row.audio is OPT else 0
    for model, modes, price, source in PRICES:
        if model == row.model and row.mode in modes:
            return Tariff(price, source, audio_extra, IS_REC_EXTRA)
    return None


def _offer(row: _Row) -> Offer:
    label, family, hint = MODELS[row.model]
    min_images, max_images = IMAGES[row.mode]
    return Offer(
        provider="vidu",
        model=row.model,
        label=label,
        family=family,
        hint=hint,
        mode=row.mode,
        wire_model=row.model,
        durations_by_resolution=row.seconds,
        default_resolution=DEFAULT_RESOLUTION[family],
        default_duration=DEFAULT_SECONDS[family],
        aspect_ratios=row.ratios,
        default_aspect_ratio=row.ratios[0] if row.ratios else "",
        min_images=min_images,
        max_images=max_images,
        prompt_max=PROMPT_MAX[row.mode],
        prompt_required=row.mode in (T, R),
        audio=row.audio,
        bgm=row.bgm,
        bgm_max_duration=row.bgm_until,
        styles=row.styles,
        movements=row.movements,
        audio_types=AUDIO_TYPES if row.audio in (OPT, ON) and (family, row.mode) in AUDIO_TYPES_WORK else (),
        off_peak=row.off_peak,
        off_peak_with_audio=row.off_peak and family == "Q3",
        watermark=True,
        meta_data=True,
        seed=True,
        is_rec=row.mode in (I, S),
        subjects=row.subjects,
        videos=row.videos,
        tariff=_tariff(row, family),
        note=row.note,
    )


OFFERS = tuple(map(_offer, ROWS))

# --- Experiments [client code]: no prices are known, and none of these can be off-peak ----------------------------

EXTENDED_SECONDS = span(1, 7, *ALL)
SIZES = dict.fromkeys(("1080p", "2K", "4K", "8K"), (0,))  # the length is the source's
ANY_SIZE = {"": (0,)}  # a template has its own


def _experiment(
    mode: Mode, model: str, label: str, seconds: Mapping[str, tuple[int, ...]], default: tuple[str, int], **said: Any
) -> Offer:
    """An offer of which nothing but ``said`` can be set."""
    every: dict[str, Any] = {
        "hint": "", "aspect_ratios": (), "min_images": 0, "max_images": 0, "prompt_max": 0, "seed": False, "bgm": NO,
    }  # fmt: skip
    return Offer(
        provider="vidu",
        model=model,
        label=label,
        family="",
        mode=mode,
        wire_model=model,
        durations_by_resolution=seconds,
        default_resolution=default[0],
        default_duration=default[1],
        default_aspect_ratio="",
        prompt_required=False,
        audio=NO,
        bgm_max_duration=None,
        styles=(),
        movements=(),
        audio_types=(),
        off_peak=False,
        off_peak_with_audio=False,
        watermark=False,
        meta_data=False,
        is_rec=False,
        subjects=False,
        videos=False,
        tariff=None,
        **{**every, **said},
    )


EXPERIMENTS = (
    _experiment(Mode.UPSCALE, "vidu-upscale", "Vidu Upscale", SIZES, ("1080p", 0)),
    _experiment(Mode.EXTEND, "viduq2-turbo", "Vidu Q2 Turbo", EXTENDED_SECONDS, ("720p", 5), prompt_max=2000),
    _experiment(Mode.EXTEND, "viduq2-pro", "Vidu Q2 Pro", EXTENDED_SECONDS, ("720p", 5), prompt_max=2000),
    _experiment(Mode.TEMPLATE, "vidu-template", "Vidu Template", ANY_SIZE, ("", 0), aspect_ratios=AR3, min_images=1,
                max_images=7, prompt_max=2000, seed=True, bgm=OPT),
)  # fmt: skip
