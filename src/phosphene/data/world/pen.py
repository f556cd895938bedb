"""Drawing in unit coordinates: a pen fitted to a box of the picture."""

from __future__ import annotations

from typing import Final

from PIL import ImageDraw

from phosphene.data.world.lexicon import Colour
from phosphene.data.world.scene import Box

Rgb = tuple[int, int, int]
Point = tuple[float, float]

DRAWING_SIZE: Final = 128
"""Pictures are drawn at twice their size, in pixels, and averaged down."""

INK: Final[Rgb] = (24, 24, 30)
BROWN: Final[Rgb] = (122, 78, 42)
GREY: Final[Rgb] = (150, 154, 160)
PAINTS: Final[dict[Colour, Rgb]] = {
    "red": (216, 34, 38),
    "blue": (30, 84, 222),
    "green": (22, 150, 58),
    "yellow": (252, 206, 22),
    "black": (52, 52, 60),
    "white": (252, 252, 252),
}


class Pen:
    """Draws outlined shapes inside one box, whose corners are (0, 0) and (1, 1).

    Attributes:
        colour: the colour of the thing that is drawn.
        detail: a colour for lines on top of it that stays visible on black.
    """

    def __init__(self, canvas: ImageDraw.ImageDraw, box: Box, colour: Colour, flipped: bool):
        """Fit a pen to ``box``, given in pixels of ``canvas``; ``flipped`` mirrors left-right."""
        self._canvas = canvas
        self._top = box[1]
        self._width, self._height = box[2] - box[0], box[3] - box[1]
        self._left, self._step = (box[2], -self._width) if flipped else (box[0], self._width)
        self._unit = min(self._width, self._height)
        self.colour = PAINTS[colour]
        self.detail: Rgb = (235, 235, 235) if colour == "black" else INK

    def _corners(self, x0: float, y0: float, x1: float, y1: float) -> Box:
        left, right = self._left + x0 * self._step, self._left + x1 * self._step
        top, bottom = self._top + y0 * self._height, self._top + y1 * self._height
        return (min(left, right), top, max(left, right), bottom)

    def _points(self, points: tuple[Point, ...]) -> list[Point]:
        left, step, top, height = self._left, self._step, self._top, self._height
        return [(left + x * step, top + y * height) for x, y in points]

    def oval(self, x0: float, y0: float, x1: float, y1: float, fill: Rgb | None = None) -> None:
        """A filled ellipse with an outline."""
        box = self._corners(x0, y0, x1, y1)
        self._canvas.ellipse(box, fill=fill or self.colour, outline=INK, width=2)

    def dot(self, x: float, y: float, radius: float, fill: Rgb | None = None) -> None:
        """A small disc without an outline; ``radius`` as a share of the shorter side."""
        x, y, radius = (
            self._left + x * self._step,
            self._top + y * self._height,
            radius * self._unit,
        )
        self._canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill or self.detail)

    def ring(self, x0: float, y0: float, x1: float, y1: float, width: float) -> None:
        """An ellipse with a thick coloured rim and nothing inside."""
        thick = max(4, round(width * self._unit))
        box = self._corners(x0, y0, x1, y1)
        self._canvas.ellipse(box, outline=INK, width=thick)
        inner = (box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1)
        self._canvas.ellipse(inner, outline=self.colour, width=thick - 2)

    def block(self, x0: float, y0: float, x1: float, y1: float, fill: Rgb | None = None) -> None:
        """A filled rectangle with an outline."""
        box = self._corners(x0, y0, x1, y1)
        self._canvas.rectangle(box, fill=fill or self.colour, outline=INK, width=2)

    def shape(self, *points: Point, fill: Rgb | None = None) -> None:
        """A filled polygon with an outline."""
        corners = self._points(points)
        self._canvas.polygon(corners, fill=fill or self.colour)
        self._canvas.line([*corners, corners[0]], fill=INK, width=2)

    def line(self, *points: Point, width: float = 0.0, fill: Rgb | None = None) -> None:
        """A line through points; ``width`` as a share of the shorter side, two pixels at least."""
        thick = max(2, round(width * self._unit))
        self._canvas.line(self._points(points), fill=fill or self.detail, width=thick)

    def bar(self, *points: Point, width: float, fill: Rgb | None = None) -> None:
        """A thick outlined line through points."""
        thick = max(3, round(width * self._unit))
        corners = self._points(points)
        self._canvas.line(corners, fill=INK, width=thick + 3, joint="curve")
        self._canvas.line(corners, fill=fill or self.colour, width=thick, joint="curve")

    def arc(
        self, x0: float, y0: float, x1: float, y1: float, start: float, end: float, width: float
    ) -> None:
        """A thick coloured arc; degrees run clockwise from where the box faces."""
        if self._step < 0:
            start, end = 180 - end, 180 - start
        box = self._corners(x0, y0, x1, y1)
        thick = max(3, round(width * self._unit))
        self._canvas.arc(box, start, end, fill=INK, width=thick + 2)
        inner = (box[0] + 1, box[1] + 1, box[2] - 1, box[3] - 1)
        self._canvas.arc(inner, start, end, fill=self.colour, width=thick)


__all__ = ["BROWN", "DRAWING_SIZE", "GREY", "INK", "PAINTS", "Pen", "Point", "Rgb"]
