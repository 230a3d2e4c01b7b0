"""What ``#params`` shows, as plain values."""

from dataclasses import dataclass, replace
from decimal import Decimal

from generations.providers.base import Money
from generations.providers.catalog import Estimate, Offer


@dataclass(frozen=True, slots=True)
class Option:
    """One value of a setting. A disabled one says in ``reason`` what would make it possible."""

    value: str
    label: str
    checked: bool = False
    disabled: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Toggle:
    """A setting that is on or off. Disabled and checked: always on with this model."""

    name: str
    label: str
    checked: bool
    disabled: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for one picture: the file field of its upload, and the field that keeps an earlier upload's id.

    Several slots share both names where only their order matters; ``id`` is unique on the page.
    """

    id: str
    upload: str
    kept: str
    label: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """How many pictures this mode takes, and where. No slot: none."""

    least: int = 0
    most: int = 0
    slots: tuple[Slot, ...] = ()

    @property
    def named(self) -> bool:
        """Whether each picture has a part of its own, as first and last frame have."""
        return len({slot.kept for slot in self.slots}) > 1


@dataclass(frozen=True, slots=True)
class Cost:
    """The live estimate for ``count`` variants; ``each`` is None where no price is known."""

    count: int
    each: Estimate | None = None

    @property
    def total(self) -> Money | None:
        return Money(self.each.amount.amount * self.count, self.each.amount.unit) if self.each else None

    @property
    def about(self) -> Money | None:
        """What the total is worth in money, where a rate is known and the price is not money already."""
        rate, total = self.each.rate if self.each else None, self.total
        worth = rate.of(total) if rate and total and total.unit is not rate.worth.unit else None
        return replace(worth, amount=_rounded(worth.amount)) if worth else None


def _rounded(amount: Decimal) -> Decimal:
    """Hundredths, as money is spoken of; very small amounts keep what they have."""
    return amount.quantize(Decimal("0.01")) if amount >= 1 / Decimal(10) else amount


@dataclass(frozen=True, slots=True)
class Chosen:
    """Settings that go together: what the page shows as selected. ``duration`` 0 leaves it to the vendor."""

    resolution: str
    duration: int
    aspect_ratio: str = ""
    style: str = ""
    movement_amplitude: str = ""
    audio: bool = False
    bgm: bool = False
    off_peak: bool = False
    watermark: bool = False
    is_rec: bool = False
    audio_type: str = ""  # empty without sound
    wm_position: str = ""  # empty without a watermark


@dataclass(frozen=True, slots=True)
class Params:
    """Everything there is to choose. ``offer`` is None when this vendor offers nothing at all."""

    offer: Offer | None
    modes: tuple[Option, ...]
    models: tuple[Option, ...] = ()
    resolutions: tuple[Option, ...] = ()
    durations: tuple[Option, ...] = ()
    aspect_ratios: tuple[Option, ...] = ()  # empty: the picture decides
    styles: tuple[Option, ...] = ()
    movements: tuple[Option, ...] = ()
    audio_types: tuple[Option, ...] = ()
    corners: tuple[Option, ...] = ()
    toggles: tuple[Toggle, ...] = ()
    pictures: Pictures = Pictures()
    chosen: Chosen | None = None
    cost: Cost = Cost(1)
    notes: tuple[str, ...] = ()
