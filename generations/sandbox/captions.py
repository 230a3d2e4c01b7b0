"""The lower third: the prompt, what was ordered, and a running timecode."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from .planes import WHITE_LUMA, Layer, Planes
from .scenery import Colour, Size

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_FONT_HOMES = (
    *("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts"),
    *("/Library/Fonts", "/System/Library/Fonts", "C:/Windows/Fonts"),
)
# The best looking one that knows Chinese, Japanese and Korean comes first; it knows Latin as well.
_TEXT_FONTS = (
    *("NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "SourceHanSansSC-Regular.otf", "PingFang.ttc"),
    *("msyh.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "Inter-Regular.ttf", "DejaVuSans.ttf"),
)
_CLOCK_FONTS = ("DejaVuSansMono.ttf", "Menlo.ttc", "consola.ttf")
_SIMPLIFIED_CHINESE = 2  # the third face of Noto's collections
_LINES = 3
_WATERMARK = "AI-generated"


Placed = tuple[Layer, tuple[int, int]]


@dataclass(frozen=True)
class Wording:
    """What a clip says about itself. ``watermark`` is 0 for none or Vidu's ``wm_position`` 1 to 4."""

    prompt: str
    facts: str
    accent: Colour
    watermark: int = 0


@lru_cache(maxsize=1)
def _installed() -> dict[str, Path]:
    homes = (Path(home).expanduser() for home in _FONT_HOMES)
    return {path.name: path for home in homes if home.is_dir() for path in home.rglob("*.[to]t[fc]")}


@lru_cache(maxsize=64)
def font(size: int, names: tuple[str, ...] = _TEXT_FONTS) -> Font:
    """The first installed font of the names, else Pillow's own (which knows Latin only)."""
    path = next((_installed()[name] for name in names if name in _installed()), None)
    if path is None:
        return ImageFont.load_default(size)
    return ImageFont.truetype(str(path), size, index=_SIMPLIFIED_CHINESE if path.name.startswith("NotoSansCJK") else 0)


def wrap(text: str, face: Font, width: float, lines: int = _LINES) -> list[str]:
    """Break a text into lines no wider than ``width`` pixels; what does not fit ends in an ellipsis."""
    result, line = [], ""
    for word in _words(" ".join(text.split())):
        if line and face.getlength((line + word).rstrip()) > width:
            result.append(line.rstrip())
            line = ""
            if len(result) == lines:
                return [*result[:-1], _shortened(result[-1], face, width)]
        line += word if line else word.lstrip()
    return [*result, line.rstrip()] if line.strip() else result


def balanced(text: str, face: Font, width: float) -> list[str]:
    """The same number of lines as ``wrap``, but of much the same length: no word alone on the last."""
    lines = wrap(text, face, width)
    for share in (0.5, 0.6, 0.7, 0.8, 0.9):
        narrower = wrap(text, face, width * share)
        if len(narrower) == len(lines) and "".join(narrower)[-1:] == "".join(lines)[-1:] != "…":
            return narrower
    return lines


def _words(text: str) -> list[str]:
    """Pieces that may begin a line: words, or single characters where a script has no spaces (or a word no end)."""
    pieces: list[str] = []
    for word in text.split(" "):
        whole = all(letter < "\u2e80" for letter in word) and len(word) < 24
        pieces += [word] if whole else list(word)
        pieces[-1] += " " if pieces and word else ""
    return pieces


def _shortened(line: str, face: Font, width: float) -> str:
    while line and face.getlength(line + "…") > width:
        line = line[:-1]
    return line.rstrip(" ,.;:，。；：、") + "…"


def _trimmed(colour: Colour, mask: Image.Image) -> Placed:
    """Only the part of a layer where something is: pasting empty space costs as much as pasting letters."""
    left, top, right, bottom = mask.getbbox() or (0, 0, 2, 2)
    left, top = left // 2 * 2, top // 2 * 2
    return Layer.flat(colour, mask.crop((left, top, right + right % 2, bottom + bottom % 2))), (left, top)


class Caption:
    """Everything written on a clip; all but the timecode is painted once."""

    def __init__(self, size: Size, wording: Wording) -> None:
        self.size = size
        self.short = min(size)
        self.margin = max(4, round(self.short * 0.06))
        self.clock = font(max(6, round(self.short * 0.026)), _CLOCK_FONTS)
        self.clock_width = self.clock.getlength("00:00:00")
        self.writing, top = self._text(wording)
        self.shade = Layer.flat((6, 7, 12), self._shade(top))

    def _text(self, wording: Wording) -> tuple[list[Placed], int]:
        mask, accent = Image.new("L", self.size), Image.new("L", self.size)
        draw = ImageDraw.Draw(mask)
        width, height = self.size[0] - 2 * self.margin, self.size[1]
        facts = self._facts_font(wording.facts, width - self.clock_width - self.margin)
        y = height - self.margin
        draw.text((self.margin, y), wording.facts, 176, facts, anchor="ls")
        face = font(max(7, round(self.short * (0.044 if len(wording.prompt) < 120 else 0.036))))
        lines = balanced(wording.prompt, face, min(width, self.short * 1.35))
        step = round(self.short * 0.058) if len(wording.prompt) < 120 else round(self.short * 0.049)
        y -= round(self.short * 0.062)
        for line in reversed(lines):
            draw.text((self.margin, y), line, 245, face, anchor="ls")
            y -= step
        bar = max(1, round(self.short * 0.005))
        ImageDraw.Draw(accent).rectangle((self.margin, y - bar, self.margin + self.short * 0.07, y), fill=230)
        self._watermark(draw, wording.watermark)
        return [_trimmed(wording.accent, accent), _trimmed((255, 255, 255), mask)], y - bar

    def _facts_font(self, facts: str, width: float) -> Font:
        size = max(6, round(self.short * 0.026))
        while size > 6 and font(size).getlength(facts) > width:
            size -= 1
        return font(size)

    def _watermark(self, draw: ImageDraw.ImageDraw, position: int) -> None:
        """Vidu docs: 1 top left, 2 top right, 3 bottom right, 4 bottom left."""
        if position:
            right, bottom = position in (2, 3), position in (3, 4)
            x = self.size[0] - self.margin if right else self.margin
            y = self.size[1] - self.margin // 3 if bottom else self.margin
            anchor = ("r" if right else "l") + ("s" if bottom else "t")
            draw.text((x, y), _WATERMARK, 150, font(max(6, round(self.short * 0.024))), anchor=anchor)

    def _shade(self, top: int) -> Image.Image:
        """Darkness behind the text that begins softly above it, and a little in the corners."""
        width, height = self.size
        start = max(0, top - round(self.short * 0.16))
        column = Image.new("L", (1, height))
        for y in range(start, height):
            share = (y - start) / max(1, height - start)
            column.putpixel((0, y), round(190 * share**0.75))
        vignette = Image.radial_gradient("L").point([max(0, value - 150) * 2 // 3 for value in range(256)])
        shade = column.resize((width, height))
        shade.paste(
            vignette.resize((width, height), Image.Resampling.BICUBIC), (0, 0), Image.new("L", (width, height), 60)
        )
        return shade

    def paste(self, onto: Planes, second: float, fps: int) -> None:
        """Write on a picture what belongs on it at this moment."""
        self.shade.paste(onto, 0, 0)
        for layer, place in self.writing:
            layer.paste(onto, *place)
        frame = round(second * fps)
        clock = f"{frame // fps // 60:02}:{frame // fps % 60:02}:{frame % fps:02}"
        corner = (self.size[0] - self.margin - self.clock_width, self.size[1] - self.margin)
        ImageDraw.Draw(onto.luma).text(corner, clock, WHITE_LUMA - 60, self.clock, anchor="ls")
