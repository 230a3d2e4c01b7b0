"""Bars of a month as figures for a server-made SVG: geometry here, shapes in the template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

STEP, WIDTH, TOP, BASE, FOOT = 20, 14, 18, 128, 150  # of the drawing, in its own units
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Bar:
    day: date
    amount: Decimal
    x: int
    y: int
    height: int
    is_named: bool  # has its day written under it

    @property
    def centre(self) -> int:
        return self.x + WIDTH // 2


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of one unit. ``top`` is the amount at the upper line; ``zero`` where the line of nothing lies."""

    unit: str
    bars: Sequence[Bar]
    top: Decimal
    zero: int
    total: Decimal

    width = property(lambda self: STEP * len(self.bars))
    bar_width, upper, foot = WIDTH, TOP, FOOT


def days(last: date, number: int) -> list[date]:
    return [last - timedelta(days=back) for back in range(number - 1, -1, -1)]


def of(amounts: Mapping[date, Decimal], when: Sequence[date], unit: str) -> Chart:
    """A bar a day; what was taken back on a day hangs below the line."""
    values = [amounts.get(day, ZERO) for day in when]
    top, bottom = max([*values, ZERO]), min([*values, ZERO])
    span = (top - bottom) or Decimal(1)
    zero = TOP + round((BASE - TOP) * top / span) if top or bottom else BASE
    bars = []
    for number, (day, amount) in enumerate(zip(when, values, strict=True)):
        height = round((BASE - TOP) * abs(amount) / span)
        height = max(height, 1) if amount else 0
        y = zero - height if amount > 0 else zero
        bars.append(Bar(day, amount, number * STEP + (STEP - WIDTH) // 2, y, height, number % 5 == 0))
    return Chart(unit, bars, top, zero, sum(values, ZERO))
