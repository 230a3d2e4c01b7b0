"""What the catalogue is made of: an offer is one model in one mode at one vendor, with what it takes and costs.

Prices are rules, not figures for one clip: each turns resolution and seconds into an amount and its sum in figures.
Figures alone, so that they read the same in every language; the page adds unit and reasons.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol

from .base import Mode, Money, Unit


class Switch(StrEnum):
    """How a model treats a yes-or-no setting."""

    NO = "no"  # the field must not be sent, or has no effect
    OPTIONAL = "optional"  # off unless asked for
    DEFAULT_ON = "default_on"  # on unless refused: send the choice, whatever it is
    ALWAYS = "always"  # cannot be chosen: the field is not sent
    UNSAID = "unsaid"  # the vendor decides and has no field for it


@dataclass(frozen=True, slots=True)
class Sum:
    """An amount without its unit, and how it came about: ``11 × 5 s``. ``rounded``: not exactly that."""

    amount: Decimal
    figures: str
    rounded: bool = False


class Price(Protocol):
    """A price rule. ``total`` and ``per_second`` are None where the vendor's list has no figure."""

    def total(self, resolution: str, duration: int, off_peak: bool) -> Sum | None: ...

    def per_second(self, resolution: str, off_peak: bool) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class PerSecond:
    normal: Mapping[str, int | Decimal]
    off_peak: Mapping[str, int | Decimal]

    def per_second(self, resolution: str, off_peak: bool) -> Decimal | None:
        rate = (self.off_peak if off_peak else self.normal).get(resolution)
        return None if rate is None else Decimal(rate)

    def total(self, resolution: str, duration: int, off_peak: bool) -> Sum | None:
        rate = self.per_second(resolution, off_peak)
        return None if rate is None else Sum(rate * duration, f"{rate} × {duration} s")


@dataclass(frozen=True, slots=True)
class Step:
    """What one second costs, what two cost together, and every second after them."""

    first: int
    two: int
    then: int


@dataclass(frozen=True, slots=True)
class Stepped:
    """Off-peak is half of the whole, rounded up."""

    steps: Mapping[str, Step]

    def per_second(self, resolution: str, off_peak: bool) -> Decimal | None:
        return None

    def total(self, resolution: str, duration: int, off_peak: bool) -> Sum | None:
        step = self.steps.get(resolution)
        if step is None:
            return None
        further = max(duration - 2, 0)
        amount = step.first if duration == 1 else step.two + step.then * further
        figures = f"{step.two} (2 s) + {step.then} × {further} s" if further else f"{amount} ({duration} s)"
        if off_peak:
            whole = f"({figures})" if further else str(amount)
            return Sum(Decimal((amount + 1) // 2), f"{whole} ÷ 2", rounded=amount % 2 == 1)
        return Sum(Decimal(amount), figures)


@dataclass(frozen=True, slots=True)
class Flat:
    """A fixed price per resolution and length; no off-peak price is known for these."""

    amounts: Mapping[tuple[str, int], int]

    def per_second(self, resolution: str, off_peak: bool) -> Decimal | None:
        return None

    def total(self, resolution: str, duration: int, off_peak: bool) -> Sum | None:
        amount = None if off_peak else self.amounts.get((resolution, duration))
        return None if amount is None else Sum(Decimal(amount), f"{amount} ({duration} s)")


@dataclass(frozen=True, slots=True)
class Figures:
    """What an entered price list says of one resolution: so much per clip and so much per second, either or both."""

    per_second: Decimal | None = None
    per_clip: Decimal | None = None
    off_peak_per_second: Decimal | None = None
    off_peak_per_clip: Decimal | None = None

    def of(self, off_peak: bool) -> tuple[Decimal | None, Decimal | None]:
        """Per second and per clip."""
        return (self.off_peak_per_second, self.off_peak_per_clip) if off_peak else (self.per_second, self.per_clip)


@dataclass(frozen=True, slots=True)
class Entered:
    """Prices as an administrator entered them, by resolution; "" holds for every resolution not named."""

    figures: Mapping[str, Figures]

    def per_second(self, resolution: str, off_peak: bool) -> Decimal | None:
        rate, once = self._at(resolution, off_peak)
        return None if once else rate

    def total(self, resolution: str, duration: int, off_peak: bool) -> Sum | None:
        rate, once = self._at(resolution, off_peak)
        if rate is None and once is None:
            return None
        parts = [f"{once:f} ({duration} s)"] if once is not None else []
        parts += [f"{rate:f} × {duration} s"] if rate is not None else []
        return Sum((once or Decimal(0)) + (rate or Decimal(0)) * duration, " + ".join(parts))

    def _at(self, resolution: str, off_peak: bool) -> tuple[Decimal | None, Decimal | None]:
        found = self.figures.get(resolution) or self.figures.get("") or Figures()
        return found.of(off_peak)


@dataclass(frozen=True, slots=True)
class Rate:
    """What one ``unit`` is worth: for an "about" beside an amount, never for the ledger."""

    unit: Unit
    worth: Money
    as_of: date

    def of(self, amount: Money) -> Money | None:
        """The worth of an amount; None for an amount in another unit."""
        return Money(amount.amount * self.worth.amount, self.worth.unit) if amount.unit is self.unit else None


@dataclass(frozen=True, slots=True)
class PriceList:
    """Where a price comes from. ``name`` is kept with each task, so that old estimates can be explained."""

    name: str
    as_of: date
    unit: Unit


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price rule out of a price list. The extras are added once per clip; they are not halved off-peak."""

    price: Price
    source: PriceList
    audio_extra: int = 0
    is_rec_extra: int = 0
    rate: Rate | None = None  # what the list's unit is worth, where somebody said so


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one clip should cost by the vendor's list; ``per_second`` only where each second costs the same."""

    amount: Money
    formula: str  # "11 × 5 s + 10 = 65", without the unit
    extras: Mapping[str, int]  # what of it is for a setting, by the setting's name
    per_second: Decimal | None
    price_list: str
    as_of: date
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """One model in one mode at one vendor. Durations are whole seconds; 0 lets the vendor choose."""

    provider: str
    model: str  # the catalogue's name
    label: str
    family: str
    hint: str  # one line for the picker; marked for translation, as is the note
    mode: Mode
    wire_model: str  # the vendor's own id; {resolution}, {duration}, {off_peak} where the id tells them
    durations_by_resolution: Mapping[str, tuple[int, ...]]
    default_resolution: str
    default_duration: int
    aspect_ratios: tuple[str, ...]  # empty: the picture decides, and the field must not be sent
    default_aspect_ratio: str
    min_images: int
    max_images: int
    prompt_max: int  # characters
    prompt_required: bool
    audio: Switch
    bgm: Switch
    bgm_max_duration: int | None  # seconds; music has no effect on longer clips
    styles: tuple[str, ...]  # empty: no effect; the first is the default, here and below
    movements: tuple[str, ...]
    audio_types: tuple[str, ...]  # need audio
    off_peak: bool
    off_peak_with_audio: bool
    watermark: bool  # with a corner and a picture of one's own
    meta_data: bool  # the label about where the clip comes from
    seed: bool
    is_rec: bool  # the vendor writes the prompt; a typed one is ignored
    subjects: bool  # named groups of pictures instead of plain ones
    videos: bool  # videos as references
    tariff: Tariff | None  # None: price unknown
    note: str = ""  # what else a buyer should know

    @property
    def resolutions(self) -> tuple[str, ...]:
        return tuple(self.durations_by_resolution)

    @property
    def durations(self) -> tuple[int, ...]:
        """All lengths of all resolutions, shortest first."""
        return tuple(sorted({each for every in self.durations_by_resolution.values() for each in every}))

    def wire_id(self, resolution: str, duration: int, off_peak: bool) -> str:
        """The vendor's id for these settings."""
        tier = "-offpeak" if off_peak else ""
        return self.wire_model.format(resolution=resolution, duration=duration, off_peak=tier)

    def wire_ids(self) -> dict[str, dict[str, Any]]:
        """Every id of this offer with the settings that it fixes: ``{"viduq3p-720p": {"resolution": "720p"}}``."""
        if "{" not in self.wire_model:
            return {self.wire_model: {}}
        found: dict[str, dict[str, Any]] = {}
        for resolution, lengths in self.durations_by_resolution.items():
            for duration in lengths:
                for off_peak in (False, True) if self.off_peak else (False,):
                    every = {"resolution": resolution, "duration": duration, "off_peak": off_peak}
                    told = {name: value for name, value in every.items() if f"{{{name}}}" in self.wire_model}
                    found.setdefault(self.wire_id(resolution, duration, off_peak), told)
        return found

    def takes(self, resolution: str, duration: int) -> bool:
        return duration in self.durations_by_resolution.get(resolution, ())

    def takes_bgm(self, duration: int) -> bool:
        return self.bgm is not Switch.NO and (self.bgm_max_duration is None or duration <= self.bgm_max_duration)

    def takes_off_peak(self, *, audio: bool) -> bool:
        return self.off_peak and (self.off_peak_with_audio or not audio)


def estimate(
    offer: Offer,
    *,
    resolution: str,
    duration: int,
    off_peak: bool = False,
    audio: bool | None = None,
    is_rec: bool = False,
) -> Estimate | None:
    """The price of one clip, in the unit of the vendor's list. None: price unknown, or not for sale like this."""
    tariff = offer.tariff
    if tariff is None or duration == 0 or not offer.takes(resolution, duration):
        return None
    if off_peak and not offer.takes_off_peak(audio=bool(audio)):
        return None
    base = tariff.price.total(resolution, duration, off_peak)
    if base is None:
        return None
    extras = {
        "audio": tariff.audio_extra if audio and offer.audio not in (Switch.NO, Switch.UNSAID) else 0,
        "is_rec": tariff.is_rec_extra if is_rec and offer.is_rec else 0,
    }
    extras = {name: each for name, each in extras.items() if each}
    amount = base.amount + sum(extras.values())
    figures = " + ".join([base.figures, *map(str, extras.values())])
    return Estimate(
        amount=Money(amount, tariff.source.unit),
        formula=f"{figures} {'≈' if base.rounded else '='} {amount}",
        extras=extras,
        per_second=tariff.price.per_second(resolution, off_peak),
        price_list=tariff.source.name,
        as_of=tariff.source.as_of,
        rate=tariff.rate,
    )
