"""Backgrounds that move: hills, sea, lights, or the pictures that came with the task.

Everything costly is painted once; a frame is then a few pastes.
"""

import math
import random
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, Protocol

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from .planes import Layer, Planes

Colour = tuple[int, int, int]
Size = tuple[int, int]

_ZOOM = 0.12
"""How far the slow zoom on a still picture goes in one clip."""


class Palette(NamedTuple):
    """Six colours of one hour of the day."""

    zenith: Colour
    sky: Colour
    horizon: Colour
    glow: Colour
    far: Colour
    near: Colour


PALETTES = (
    Palette((24, 26, 64), (98, 62, 120), (247, 150, 112), (255, 220, 170), (150, 92, 128), (22, 20, 46)),
    Palette((12, 42, 76), (48, 116, 150), (246, 214, 170), (255, 244, 214), (96, 146, 166), (10, 34, 52)),
    Palette((8, 14, 38), (22, 50, 96), (92, 150, 180), (226, 240, 255), (46, 88, 128), (5, 12, 28)),
    Palette((72, 40, 62), (190, 92, 84), (255, 196, 120), (255, 240, 196), (176, 98, 88), (48, 22, 34)),
    Palette((20, 58, 62), (64, 138, 124), (230, 224, 168), (255, 250, 214), (92, 152, 132), (10, 36, 40)),
    Palette((44, 36, 92), (118, 104, 186), (238, 186, 214), (255, 236, 240), (132, 118, 190), (26, 20, 58)),
    Palette((92, 132, 172), (158, 190, 212), (246, 232, 214), (255, 252, 240), (140, 164, 182), (44, 62, 82)),
    Palette((30, 18, 26), (110, 44, 44), (236, 112, 66), (255, 206, 128), (124, 54, 52), (20, 10, 16)),
    Palette((16, 46, 40), (42, 94, 70), (172, 196, 128), (246, 244, 190), (70, 116, 84), (8, 26, 22)),
    Palette((34, 34, 46), (92, 90, 112), (216, 190, 182), (250, 232, 220), (116, 112, 132), (20, 20, 30)),
)


class Scene(Protocol):
    """A background: one picture for every moment between 0 and the clip's length in seconds."""

    def at(self, second: float) -> Planes:
        """The picture at this moment, free to paint on."""


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """A colour between two."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return (red, green, blue)


def gradient(size: Size, stops: Sequence[tuple[float, Colour]]) -> Image.Image:
    """Colours from top (0) to bottom (1), with a grain of two steps so that they do not show as bands."""
    column = Image.new("RGB", (1, size[1]))
    for y in range(size[1]):
        place = y / max(1, size[1] - 1)
        column.putpixel((0, y), _stop_colour(stops, place))
    grain = _grain(size)
    return ImageChops.add(column.resize(size), Image.merge("RGB", (grain, grain, grain)), 1, -128)


@lru_cache(maxsize=1)
def _grain_tile() -> Image.Image:
    noise = random.Random(0).randbytes(256 * 256)  # noqa: S311 - a picture, not a secret
    return Image.frombytes("L", (256, 256), noise.translate(bytes(126 + value // 52 for value in range(256))))


def _grain(size: Size) -> Image.Image:
    whole = Image.new("L", size)
    for x in range(0, size[0], 256):
        for y in range(0, size[1], 256):
            whole.paste(_grain_tile(), (x, y))
    return whole


def _stop_colour(stops: Sequence[tuple[float, Colour]], place: float) -> Colour:
    for (start, one), (end, other) in pairwise(stops):
        if place <= end:
            return mix(one, other, max(0.0, (place - start) / max(1e-6, end - start)))
    return stops[-1][1]


def glow_mask(diameter: int, strength: float, hardness: float = 2.0) -> Image.Image:
    """A round light that fades outwards; ``strength`` 0 to 1 in the middle."""
    fade = [round(255 * strength * max(0.0, 1 - value / 181) ** hardness) for value in range(256)]
    return Image.radial_gradient("L").point(fade).resize((diameter, diameter), Image.Resampling.BICUBIC)


def disc_mask(diameter: int, opacity: float, softness: float = 0.0) -> Image.Image:
    """A filled circle with a smooth edge."""
    big = Image.new("L", (diameter * 2, diameter * 2))
    inset = max(2, round(diameter * 2 * softness))
    ImageDraw.Draw(big).ellipse((inset, inset, diameter * 2 - inset, diameter * 2 - inset), fill=round(255 * opacity))
    disc = big.reduce(2)
    return disc.filter(ImageFilter.GaussianBlur(diameter * softness / 2)) if softness else disc


def _even(value: float) -> int:
    return int(value) // 2 * 2


class Sun:
    """A disc in its own light. The light is wide and soft: it stays on the background, only the disc moves."""

    def __init__(self, size: Size, palette: Palette, share: float = 0.16) -> None:
        short = min(size)
        self.glow = Layer.flat(palette.glow, glow_mask(_even(short * 1.3), 0.75, 2.4))
        self.disc = Layer.flat(mix(palette.glow, (255, 255, 255), 0.4), disc_mask(_even(short * share), 0.96, 0.02))

    def shine(self, onto: Planes, x: int, y: int) -> None:
        """Paint the light with its centre here."""
        self.glow.paste(onto, x - self.glow.mask.width // 2, y - self.glow.mask.height // 2)

    def paste(self, onto: Planes, x: int, y: int) -> None:
        """Paint the disc with its centre here."""
        self.disc.paste(onto, x - self.disc.mask.width // 2, y - self.disc.mask.height // 2)


class Hills:
    """Ridges behind ridges in the haze, each nearer one drifting faster, and a low sun."""

    def __init__(self, size: Size, seconds: float, palette: Palette, chance: random.Random) -> None:
        self.size = size
        stops = [(0.0, palette.zenith), (0.38, palette.sky), (0.68, palette.horizon), (1.0, palette.horizon)]
        self.base = Planes.of(gradient(size, stops))
        self.sun = Sun(size, palette, chance.uniform(0.12, 0.2))
        self.sun_x = chance.uniform(0.25, 0.75)
        self.sun_y = chance.uniform(0.36, 0.5)
        self.sun.shine(self.base, *self._sun_place(0.5))
        self.speeds = [max(size) * share for share in (0.004, 0.009, 0.018, 0.034)]
        rough = chance.choice((0.25, 0.6, 1.0))
        self.ridges = [self._ridge(place, seconds, palette, rough, chance) for place in range(4)]
        self.seconds = seconds

    def _sun_place(self, share: float) -> tuple[int, int]:
        width, height = self.size
        return round(width * (self.sun_x + 0.02 * share)), round(height * (self.sun_y - 0.03 * share))

    def _ridge(
        self, place: int, seconds: float, palette: Palette, rough: float, chance: random.Random
    ) -> tuple[Layer, int]:
        width, height = self.size
        top = _even(height * (0.42 + 0.11 * place))
        wide = _even(width + self.speeds[place] * seconds + 4)
        tall = height - top
        crest = mix(palette.far, palette.near, (place / 3) ** 0.8)
        haze = mix(crest, palette.horizon, 0.55 - 0.15 * place)
        picture = gradient((wide, tall), [(0.0, crest), (0.75, haze), (1.0, haze)])
        swing = min(self.size) * (0.2 - 0.02 * place)
        return Layer.of(picture, _skyline(wide, tall, swing, rough, min(self.size), chance)), top

    def at(self, second: float) -> Planes:
        """The picture at this moment."""
        picture = self.base.copy()
        self.sun.paste(picture, *self._sun_place(second / max(1.0, self.seconds)))
        for (layer, top), speed in zip(self.ridges, self.speeds, strict=True):
            layer.paste_part(picture, int(speed * second), top)
        return picture


def _skyline(wide: int, tall: int, swing: float, rough: float, scale: int, chance: random.Random) -> Image.Image:
    """A mask that is full below a hilly line; drawn at twice the size for a smooth edge."""
    waves = [
        (2 ** (octave * 0.9) * math.tau / (scale * 1.7), chance.uniform(0, math.tau), 0.5**octave)
        for octave in range(5)
    ]
    points = []
    for x in range(0, wide + 4, max(2, scale // 180)):
        smooth = sum(amount * math.sin(pitch * x + phase) for pitch, phase, amount in waves[:2])
        jagged = sum(amount * (1 - 2 * abs(math.sin(pitch * x / 2 + phase))) for pitch, phase, amount in waves[1:])
        points.append((2 * x, 2 * swing * (0.75 - 0.38 * (smooth + rough * jagged))))
    big = Image.new("L", (wide * 2, tall * 2))
    ImageDraw.Draw(big).polygon([(0, tall * 2), *points, (wide * 2 + 8, tall * 2)], fill=255)
    return big.reduce(2)


class Sea:
    """A low sun over water whose glints drift against each other."""

    def __init__(self, size: Size, seconds: float, palette: Palette, chance: random.Random) -> None:
        self.size = width, height = size
        self.seconds = seconds
        self.horizon = _even(height * chance.uniform(0.46, 0.54))
        self.sun_x = _even(width * chance.uniform(0.3, 0.7))
        self.base = Planes.of(self._base(palette))
        self.sun = Sun(size, palette, chance.uniform(0.14, 0.22))
        self.sun.shine(self.base, self.sun_x, round(self.horizon - height * 0.06))
        self.water = Planes.of(self._water(palette))
        self.light = Image.new("RGB", (width, height - self.horizon), mix(palette.glow, (255, 255, 255), 0.2))
        self.glint = Planes.of(self.light)
        self.column = self._column()
        self.glints = [self._glints(chance, row) for row in range(3)]

    def _base(self, palette: Palette) -> Image.Image:
        stops = [(0.0, palette.zenith), (0.32, palette.sky), (0.52, palette.horizon), (1.0, palette.horizon)]
        return gradient(self.size, stops)

    def _water(self, palette: Palette) -> Image.Image:
        stops = [(0.0, mix(palette.horizon, palette.far, 0.45)), (0.25, mix(palette.far, palette.near, 0.35))]
        return gradient((self.size[0], self.size[1] - self.horizon), [*stops, (1.0, palette.near)])

    def _column(self) -> Image.Image:
        """Where the sun's light lies on the water: a narrow bright road and a faint shimmer everywhere."""
        width, tall = self.size[0], self.size[1] - self.horizon
        road = Image.new("L", (width, tall), 26)
        light = glow_mask(256, 0.95, 1.3).crop((0, 128, 256, 256)).resize((_even(min(self.size) * 1.1), tall))
        road.paste(255, (self.sun_x - light.width // 2, 0), light)
        return road

    def _glints(self, chance: random.Random, row: int) -> Image.Image:
        width, tall = self.size[0], self.size[1] - self.horizon
        wide = _even(width * 1.25)
        mask = Image.new("L", (wide, tall))
        draw = ImageDraw.Draw(mask)
        for _ in range(300):
            depth = chance.random() ** 1.5
            y = depth * tall
            length = (0.015 + 0.09 * depth) * min(self.size) * chance.uniform(0.5, 1.6)
            thick = (0.0018 + 0.008 * depth) * min(self.size)
            x = chance.uniform(0, wide)
            draw.ellipse((x - length, y - thick, x + length, y + thick), fill=chance.randint(90, 235 - 30 * row))
        return mask.filter(ImageFilter.GaussianBlur(max(0.6, min(self.size) / 500)))

    def at(self, second: float) -> Planes:
        """The picture at this moment."""
        width, height = self.size
        picture = self.base.copy()
        drift = second / max(1.0, self.seconds)
        self.sun.paste(picture, self.sun_x, round(self.horizon - height * (0.07 - 0.02 * drift)))
        top = self.horizon
        picture.luma.paste(self.water.luma, (0, top))
        picture.blue.paste(self.water.blue, (0, top // 2))
        picture.red.paste(self.water.red, (0, top // 2))
        for row, glints in enumerate(self.glints):
            slack = glints.width - width
            x = round(slack * (0.5 + 0.45 * math.sin(second * (0.21 + 0.1 * row) + 2.1 * row)))
            mask = ImageChops.multiply(glints.crop((x, 0, x + width, height - top)), self.column)
            Layer(self.glint, mask, mask.reduce(2)).paste(picture, 0, top)
        return picture


class Lights:
    """Out-of-focus lights that rise and sway in the dark."""

    def __init__(self, size: Size, seconds: float, palette: Palette, chance: random.Random) -> None:
        self.size = size
        deep = mix(palette.near, palette.zenith, 0.4)
        picture = gradient(size, [(0.0, palette.zenith), (0.55, mix(deep, palette.sky, 0.4)), (1.0, palette.near)])
        for colour in (palette.sky, palette.far, palette.horizon):
            cloud = glow_mask(_even(max(size) * chance.uniform(0.7, 1.1)), 0.55)
            place = (round(chance.uniform(-0.3, 0.7) * size[0]), round(chance.uniform(-0.3, 0.6) * size[1]))
            picture.paste(colour, place, cloud)
        self.base = Planes.of(picture)
        colours = (palette.glow, palette.horizon, palette.far, mix(palette.glow, (255, 255, 255), 0.5))
        self.orbs = [Orb(size, chance.choice(colours), chance) for _ in range(26)]

    def at(self, second: float) -> Planes:
        """The picture at this moment."""
        picture = self.base.copy()
        for orb in self.orbs:
            orb.paste(picture, second)
        return picture


class Orb:
    """One light: the nearer, the larger, the fainter, the faster."""

    def __init__(self, size: Size, colour: Colour, chance: random.Random) -> None:
        near = chance.random() ** 1.6
        diameter = max(4, _even(min(size) * (0.03 + 0.26 * near)))
        self.layer = Layer.flat(colour, disc_mask(diameter, chance.uniform(0.34, 0.6) - 0.3 * near, 0.02 + 0.05 * near))
        self.size = size
        self.x, self.y = chance.uniform(-0.05, 1.0) * size[0], chance.uniform(0, 1.2) * size[1]
        self.rise = min(size) * (0.012 + 0.05 * near)
        self.sway = min(size) * chance.uniform(0.01, 0.03)
        self.phase = chance.uniform(0, math.tau)

    def paste(self, onto: Planes, second: float) -> None:
        """Paint it where it is now."""
        x = self.x + self.sway * math.sin(second * 0.5 + self.phase)
        self.layer.paste(onto, round(x), round(self.y - self.rise * second))


class Stills:
    """The task's own pictures under a slow zoom; two of them dissolve from the first into the last."""

    def __init__(self, size: Size, seconds: float, pictures: Sequence[Image.Image]) -> None:
        self.size = size
        self.seconds = seconds
        grown = (_even(size[0] * (1 + _ZOOM)), _even(size[1] * (1 + _ZOOM)))
        self.pictures = [Planes.of(_covering(picture, grown)) for picture in pictures]

    def at(self, second: float) -> Planes:
        """The picture at this moment."""
        share = min(1.0, second / max(0.1, self.seconds))
        picture = self.pictures[0]
        if len(self.pictures) > 1:
            # The first and last fifth belong to one picture alone; smoothstep between.
            part = min(1.0, max(0.0, (share - 0.2) / 0.6))
            picture = picture.blend(self.pictures[-1], part * part * (3 - 2 * part))
        width, height = picture.luma.size
        x, y = (width - self.size[0]) / 2 * share, (height - self.size[1]) / 2 * share
        return picture.window(self.size, (x, y, width - x, height - y))


def _covering(picture: Image.Image, size: Size) -> Image.Image:
    """The middle of a picture, scaled so that it fills the size."""
    ratio = size[0] / size[1]
    width, height = min(picture.width, picture.height * ratio), min(picture.height, picture.width / ratio)
    x, y = (picture.width - width) / 2, (picture.height - height) / 2
    return picture.resize(size, Image.Resampling.LANCZOS, box=(x, y, x + width, y + height))


SCENES = (Hills, Sea, Lights)


def palette_for(seed: str) -> Palette:
    """The colours that belong to this text."""
    return random.Random(seed).choice(PALETTES)  # noqa: S311 - a picture, not a secret


def scene_for(size: Size, seconds: float, seed: str) -> Scene:
    """The background that belongs to this text: always the same for the same, rarely the same for another."""
    chance = random.Random(f"scene {seed}")  # noqa: S311 - a picture, not a secret
    kind = chance.choice(SCENES)
    return kind(size, seconds, palette_for(seed), chance)
