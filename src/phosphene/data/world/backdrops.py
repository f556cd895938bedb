"""How places look: pale backgrounds on which coloured things stand out."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

from PIL import Image, ImageDraw

from phosphene.data.world.lexicon import Place
from phosphene.data.world.pen import DRAWING_SIZE, Rgb

_HORIZON: Final = 56
_WHITE: Final[Rgb] = (255, 255, 255)


@cache
def backdrop(place: Place) -> Image.Image:
    """An empty place, at drawing size. The picture is shared: copy it before drawing on it."""
    sky, ground, furnish = _PLACES[place]
    image = Image.new("RGB", (DRAWING_SIZE, DRAWING_SIZE), ground)
    canvas = ImageDraw.Draw(image)
    canvas.rectangle((0, 0, DRAWING_SIZE, _HORIZON), fill=sky)
    furnish(canvas)
    return image


def _beach(canvas: ImageDraw.ImageDraw) -> None:
    canvas.rectangle((0, 40, DRAWING_SIZE, 64), fill=(130, 196, 230))
    for x in range(0, DRAWING_SIZE, 16):
        canvas.arc((x, 58, x + 16, 70), 0, 180, fill=_WHITE, width=3)
    canvas.ellipse((8, 6, 26, 24), fill=(255, 236, 150))


def _street(canvas: ImageDraw.ImageDraw) -> None:
    for x in range(0, DRAWING_SIZE, 32):
        roof = _HORIZON - 14 - (x * 7) % 26
        canvas.rectangle((x, roof, x + 22, _HORIZON), fill=(222, 208, 204))
    for x in range(4, DRAWING_SIZE, 40):
        canvas.rectangle((x, 92, x + 22, 97), fill=(250, 250, 250))


def _field(canvas: ImageDraw.ImageDraw) -> None:
    for y in range(66, DRAWING_SIZE, 12):
        for x in range((y * 5) % 18, DRAWING_SIZE, 18):
            canvas.line((x, y, x + 3, y - 6, x + 6, y), fill=(150, 196, 110), width=2)


def _snow(canvas: ImageDraw.ImageDraw) -> None:
    ridge = ((0, 56), (36, 26), (70, 56), (100, 32), (128, 56))
    canvas.polygon(ridge, fill=(232, 238, 248))
    for x, y in ((10, 12), (34, 20), (60, 8), (88, 18), (112, 8), (20, 40), (76, 36)):
        canvas.ellipse((x, y, x + 5, y + 5), fill=_WHITE)


def _forest(canvas: ImageDraw.ImageDraw) -> None:
    for x in range(4, DRAWING_SIZE, 26):
        canvas.rectangle((x + 8, 34, x + 13, 62), fill=(186, 164, 140))
        canvas.polygon(((x - 4, 44), (x + 10, 0), (x + 25, 44)), fill=(158, 198, 166))


def _cave(canvas: ImageDraw.ImageDraw) -> None:
    canvas.ellipse((12, 10, 116, 150), fill=(196, 188, 190))
    for x in range(6, DRAWING_SIZE, 24):
        canvas.polygon(((x, 0), (x + 14, 0), (x + 7, 20)), fill=(128, 116, 120))


def _kitchen(canvas: ImageDraw.ImageDraw) -> None:
    for x in range(0, DRAWING_SIZE, 16):
        canvas.line((x, 0, x, 60), fill=_WHITE, width=2)
    for y in range(0, 60, 16):
        canvas.line((0, y, DRAWING_SIZE, y), fill=_WHITE)
    canvas.rectangle((0, 60, DRAWING_SIZE, 68), fill=(206, 170, 130))


def _workshop(canvas: ImageDraw.ImageDraw) -> None:
    for y in range(0, DRAWING_SIZE, 16):
        canvas.line((0, y, DRAWING_SIZE, y), fill=(206, 182, 146), width=2)
    for x in (14, 38, 90):  # hammers on the wall
        canvas.line((x, 6, x, 26), fill=(120, 120, 126), width=4)
        canvas.rectangle((x - 6, 4, x + 6, 10), fill=(120, 120, 126))


_Furnish = Callable[[ImageDraw.ImageDraw], None]
_PLACES: Final[dict[Place, tuple[Rgb, Rgb, _Furnish]]] = {
    "beach": ((206, 234, 250), (246, 228, 180), _beach),
    "street": ((226, 236, 244), (186, 188, 194), _street),
    "field": ((214, 236, 250), (194, 226, 158), _field),
    "snow": ((200, 216, 236), (242, 246, 252), _snow),
    "forest": ((218, 234, 222), (200, 190, 160), _forest),
    "cave": ((150, 138, 142), (168, 156, 158), _cave),
    "kitchen": ((222, 236, 240), (232, 214, 190), _kitchen),
    "workshop": ((226, 204, 170), (200, 196, 190), _workshop),
}

__all__ = ["backdrop"]
