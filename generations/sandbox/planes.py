"""Pictures as the encoder wants them: three planes, colour at half size.

Painting straight into the planes costs a fifth of painting RGB and converting every frame.
"""

from dataclasses import dataclass

import av
from PIL import Image

# Pillow's YCbCr uses the whole range 0-255; video keeps to 16-235 and 16-240.
_LUMA = [round(16 + value * 219 / 255) for value in range(256)]
_CHROMA = [round(128 + (value - 128) * 224 / 255) for value in range(256)]

WHITE_LUMA = 235


@dataclass(frozen=True)
class Planes:
    """One picture: luma at full size, both colours at half. Sides are even numbers."""

    luma: Image.Image
    blue: Image.Image
    red: Image.Image

    @classmethod
    def of(cls, picture: Image.Image) -> "Planes":
        """Split an RGB picture."""
        luma, blue, red = picture.convert("YCbCr").split()
        return cls(luma.point(_LUMA), blue.reduce(2).point(_CHROMA), red.reduce(2).point(_CHROMA))

    def copy(self) -> "Planes":
        """A picture to paint on."""
        return Planes(self.luma.copy(), self.blue.copy(), self.red.copy())

    def window(self, size: tuple[int, int], box: tuple[float, float, float, float]) -> "Planes":
        """A part of the picture at another size; fractions of a pixel count, so slow zooms stay smooth."""
        half = (size[0] // 2, size[1] // 2)
        half_box = (box[0] / 2, box[1] / 2, box[2] / 2, box[3] / 2)
        return Planes(
            self.luma.resize(size, Image.Resampling.BILINEAR, box=box),
            self.blue.resize(half, Image.Resampling.BILINEAR, box=half_box),
            self.red.resize(half, Image.Resampling.BILINEAR, box=half_box),
        )

    def blend(self, other: "Planes", share: float) -> "Planes":
        """This picture dissolving into another of the same size."""
        return Planes(
            Image.blend(self.luma, other.luma, share),
            Image.blend(self.blue, other.blue, share),
            Image.blend(self.red, other.red, share),
        )

    def frame(self) -> av.VideoFrame:
        """The picture as a frame for the encoder."""
        frame = av.VideoFrame(self.luma.width, self.luma.height, "yuv420p")
        for plane, image in zip(frame.planes, (self.luma, self.blue, self.red), strict=True):
            plane.update(_padded(image, plane.line_size))
        return frame


def _padded(image: Image.Image, line_size: int) -> bytes:
    """The bytes of a plane; the encoder's rows may be longer than the picture's."""
    if image.width == line_size:
        return image.tobytes()
    return image.crop((0, 0, line_size, image.height)).tobytes()


@dataclass(frozen=True)
class Layer:
    """A picture with a mask, to be pasted anywhere on another."""

    planes: Planes
    mask: Image.Image
    half_mask: Image.Image

    @classmethod
    def of(cls, picture: Image.Image, mask: Image.Image) -> "Layer":
        """A layer from an RGB picture and a mask of its size."""
        return cls(Planes.of(picture), mask, mask.reduce(2))

    @classmethod
    def flat(cls, colour: tuple[int, int, int], mask: Image.Image) -> "Layer":
        """A layer of one colour."""
        return cls.of(Image.new("RGB", mask.size, colour), mask)

    def paste(self, onto: Planes, x: int, y: int) -> None:
        """Paint the layer with its upper left corner at this place; what lies outside is cut off."""
        onto.luma.paste(self.planes.luma, (x, y), self.mask)
        onto.blue.paste(self.planes.blue, (x // 2, y // 2), self.half_mask)
        onto.red.paste(self.planes.red, (x // 2, y // 2), self.half_mask)

    def paste_part(self, onto: Planes, x: int, y: int) -> None:
        """Paint the part of a wide layer that begins at column ``x``, over the whole width of the picture."""
        wide, tall = onto.luma.width, self.mask.height
        box, half = (x, 0, x + wide, tall), (x // 2, 0, x // 2 + wide // 2, (tall + 1) // 2)
        half_mask = self.half_mask.crop(half)
        onto.luma.paste(self.planes.luma.crop(box), (0, y), self.mask.crop(box))
        onto.blue.paste(self.planes.blue.crop(half), (0, y // 2), half_mask)
        onto.red.paste(self.planes.red.crop(half), (0, y // 2), half_mask)
