"""XingChaoYiQing's models: Q3 Turbo and Q3 Pro, without a mode for references [docs, mid 2026].

Lengths, resolutions and ratios are Vidu's. Every mode wants a prompt. The vendor prints no field for sound or seed.
"""

from .base import MODES, Mode
from .offer import Switch
from .resold import row

OFFERS = tuple(
    row("xingchao", mode, model, model, prompt_required=True, audio=Switch.UNSAID, seed=False)
    for mode in MODES
    if mode is not Mode.REFERENCE
    for model in ("viduq3-turbo", "viduq3-pro")
)
