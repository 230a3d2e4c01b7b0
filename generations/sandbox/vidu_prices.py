"""What Vidu asks for a clip, in credits (Vidu docs: pricing, as read in July 2026; earlier readings for Q2)."""

import math

# (models, modes): credits a second by resolution, normal and off-peak
_PER_SECOND: dict[tuple[str, str], dict[str, tuple[int, int]]] = {
    ("viduq3-pro", "frames"): {"540p": (9, 5), "720p": (20, 10), "1080p": (24, 12)},
    ("viduq3-turbo", "frames"): {"540p": (7, 4), "720p": (11, 6), "1080p": (13, 7)},
    ("viduq3-pro-fast", "frames"): {"720p": (20, 10), "1080p": (25, 13)},
    ("viduq3-mix", "reference"): {"720p": (24, 24), "1080p": (29, 29)},  # never off-peak
    ("viduq3-turbo", "reference"): {"540p": (4, 2), "720p": (10, 5), "1080p": (13, 7)},
    ("viduq3", "reference"): {"540p": (7, 4), "720p": (12, 6), "1080p": (15, 7)},
}

# the first second, the first two together, each further one
_STEPPED: dict[tuple[str, str], dict[str, tuple[int, int, int]]] = {
    ("viduq2-turbo", "frames"): {"540p": (6, 8, 2), "720p": (8, 10, 10), "1080p": (35, 45, 10)},
    ("viduq2-pro", "frames"): {"540p": (8, 10, 5), "720p": (15, 25, 10), "1080p": (55, 70, 15)},
    ("viduq2", "frames"): {"540p": (10, 12, 2), "720p": (15, 20, 5), "1080p": (20, 30, 10)},
    ("viduq2", "reference"): {"540p": (15, 20, 5), "720p": (25, 30, 5), "1080p": (75, 85, 10)},
    # No page names these two; plausible numbers between their neighbours [inferred].
    ("viduq2-pro-fast", "frames"): {"720p": (10, 16, 8), "1080p": (40, 50, 10)},
    ("viduq2-pro", "reference"): {"540p": (18, 24, 6), "720p": (30, 40, 10), "1080p": (85, 100, 15)},
}

_VIDU2_FRAMES = {("360p", 4): 20, ("720p", 4): 40, ("1080p", 4): 100, ("720p", 8): 100}
_Q1_CLIP = 80
_VIDU2_REFERENCE = 80
_RECOMMENDED_PROMPT = 10
_Q2_AUDIO = 15


def quote(
    *,
    mode: str,
    model: str,
    resolution: str,
    duration: int,
    off_peak: bool = False,
    audio: bool = False,
    is_rec: bool = False,
) -> int:
    """Credits for one clip of ``duration`` seconds."""
    credits = _base(mode, model, resolution, duration, off_peak)
    if audio and model.startswith("viduq2"):
        credits += _Q2_AUDIO
    return credits + (_RECOMMENDED_PROMPT if is_rec else 0)


def _base(mode: str, model: str, resolution: str, duration: int, off_peak: bool) -> int:
    kind = "reference" if mode == "reference2video" else "frames"
    if rates := _PER_SECOND.get((model, kind)):
        return rates[resolution][1 if off_peak else 0] * duration
    if steps := _STEPPED.get((model, kind)):
        first, two, further = steps[resolution]
        credits = first if duration == 1 else two + (duration - 2) * further
    elif model == "vidu2.0":
        credits = _VIDU2_REFERENCE if kind == "reference" else _VIDU2_FRAMES[resolution, duration]
    else:
        credits = _Q1_CLIP
    return math.ceil(credits / 2) if off_peak else credits
