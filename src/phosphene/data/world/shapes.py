"""How each kind looks: one small function per kind, drawing with a pen in the unit square."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin
from typing import Final

from phosphene.data.world.pen import BROWN, GREY, Pen, Rgb

_PALE: Final[Rgb] = (205, 230, 245)
_LEAF: Final[Rgb] = (40, 130, 50)


def _dog(pen: Pen) -> None:
    pen.line((0.08, 0.25), (0.2, 0.5), width=0.09, fill=pen.colour)
    for x in (0.16, 0.3, 0.56, 0.68):
        pen.block(x, 0.62, x + 0.1, 0.98)
    pen.oval(0.1, 0.4, 0.82, 0.76)
    pen.oval(0.58, 0.1, 0.92, 0.5)
    pen.oval(0.78, 0.26, 1.0, 0.46)
    pen.oval(0.54, 0.1, 0.68, 0.48, BROWN)
    pen.dot(0.97, 0.33, 0.05)
    pen.dot(0.8, 0.24, 0.035)


def _cat(pen: Pen) -> None:
    pen.bar((0.72, 0.9), (0.95, 0.8), (0.94, 0.5), width=0.07)
    pen.oval(0.24, 0.46, 0.78, 0.99)
    pen.shape((0.22, 0.3), (0.22, 0.01), (0.45, 0.16))
    pen.shape((0.56, 0.16), (0.78, 0.01), (0.79, 0.3))
    pen.oval(0.19, 0.12, 0.82, 0.58)
    pen.dot(0.37, 0.31, 0.045)
    pen.dot(0.63, 0.31, 0.045)
    pen.line((0.5, 0.4), (0.5, 0.46))
    pen.line((0.05, 0.38), (0.36, 0.44))
    pen.line((0.95, 0.38), (0.64, 0.44))


def _bird(pen: Pen) -> None:
    orange: Rgb = (240, 140, 20)
    pen.line((0.42, 0.74), (0.38, 0.98), width=0.05, fill=orange)
    pen.line((0.56, 0.74), (0.58, 0.98), width=0.05, fill=orange)
    pen.shape((0.3, 0.5), (0.0, 0.42), (0.03, 0.66))
    pen.oval(0.16, 0.36, 0.78, 0.82)
    pen.shape((0.9, 0.22), (1.0, 0.32), (0.88, 0.38), fill=orange)
    pen.oval(0.56, 0.12, 0.92, 0.5)
    pen.shape((0.28, 0.5), (0.6, 0.52), (0.4, 0.74), fill=GREY)
    pen.dot(0.78, 0.26, 0.045)


def _fish(pen: Pen) -> None:
    pen.shape((0.3, 0.5), (0.0, 0.24), (0.06, 0.5), (0.0, 0.78))
    pen.shape((0.45, 0.3), (0.6, 0.1), (0.72, 0.32))
    pen.oval(0.2, 0.24, 1.0, 0.78)
    pen.line((0.72, 0.32), (0.66, 0.5), (0.72, 0.7))
    pen.dot(0.86, 0.44, 0.055)


def _car(pen: Pen) -> None:
    pen.shape((0.2, 0.48), (0.32, 0.22), (0.68, 0.22), (0.82, 0.48), fill=_PALE)
    pen.line((0.5, 0.22), (0.5, 0.48))
    pen.shape((0.0, 0.48), (0.92, 0.46), (1.0, 0.58), (1.0, 0.76), (0.0, 0.76))
    for x in (0.12, 0.64):
        pen.oval(x, 0.62, x + 0.26, 0.88, (30, 30, 34))
        pen.dot(x + 0.13, 0.75, 0.05, GREY)


def _boat(pen: Pen) -> None:
    pen.line((0.46, 0.04), (0.46, 0.7), width=0.05, fill=BROWN)
    pen.shape((0.5, 0.04), (0.94, 0.6), (0.5, 0.6), fill=(250, 246, 232))
    pen.shape((0.42, 0.16), (0.42, 0.6), (0.1, 0.6), fill=(250, 246, 232))
    pen.shape((0.0, 0.66), (1.0, 0.66), (0.84, 0.96), (0.16, 0.96))


def _tree(pen: Pen) -> None:
    pen.block(0.42, 0.6, 0.58, 1.0, BROWN)
    pen.oval(0.02, 0.28, 0.56, 0.74)
    pen.oval(0.44, 0.28, 0.98, 0.74)
    pen.oval(0.2, 0.0, 0.8, 0.56)


def _house(pen: Pen) -> None:
    pen.block(0.1, 0.42, 0.9, 0.98)
    pen.shape((0.0, 0.46), (0.5, 0.04), (1.0, 0.46), fill=(110, 60, 50))
    pen.block(0.54, 0.62, 0.76, 0.98, BROWN)
    pen.block(0.2, 0.56, 0.42, 0.76, _PALE)


def _ball(pen: Pen) -> None:
    pen.oval(0.05, 0.05, 0.95, 0.95)
    pen.line((0.07, 0.4), (0.32, 0.54), (0.68, 0.54), (0.93, 0.4))
    pen.line((0.32, 0.54), (0.3, 0.9))
    pen.line((0.68, 0.54), (0.7, 0.9))
    pen.line((0.32, 0.54), (0.5, 0.28), (0.68, 0.54))
    pen.line((0.5, 0.28), (0.5, 0.06))


def _kite(pen: Pen) -> None:
    pen.line((0.5, 0.66), (0.34, 0.76), (0.54, 0.86), (0.4, 0.99), width=0.04)
    pen.shape((0.5, 0.0), (0.92, 0.26), (0.5, 0.7), (0.08, 0.26))
    pen.line((0.5, 0.0), (0.5, 0.7))
    pen.line((0.08, 0.26), (0.92, 0.26))


def _umbrella(pen: Pen) -> None:
    pen.line((0.5, 0.4), (0.5, 0.9), (0.56, 0.97), (0.66, 0.95), (0.68, 0.84), width=0.06)
    canopy = [(0.5 - 0.5 * cos(k * pi / 10), 0.52 - 0.46 * sin(k * pi / 10)) for k in range(11)]
    hem = [(0.84, 0.45), (0.67, 0.52), (0.5, 0.45), (0.33, 0.52), (0.16, 0.45)]
    pen.shape(*canopy, *hem)
    pen.line((0.5, 0.07), (0.33, 0.5))
    pen.line((0.5, 0.07), (0.67, 0.5))


def _chair(pen: Pen) -> None:
    pen.block(0.14, 0.02, 0.3, 0.98)
    pen.block(0.74, 0.56, 0.88, 0.98)
    pen.block(0.14, 0.48, 0.94, 0.62)


def _table(pen: Pen) -> None:
    pen.block(0.1, 0.18, 0.22, 1.0)
    pen.block(0.78, 0.18, 0.9, 1.0)
    pen.block(0.0, 0.04, 1.0, 0.24)


def _cup(pen: Pen) -> None:
    pen.ring(0.56, 0.32, 0.98, 0.74, 0.12)
    pen.shape((0.06, 0.2), (0.74, 0.2), (0.68, 0.94), (0.12, 0.94))
    pen.oval(0.06, 0.1, 0.74, 0.3, _PALE)


def _flower(pen: Pen) -> None:
    pen.line((0.5, 0.4), (0.5, 1.0), width=0.07, fill=_LEAF)
    pen.shape((0.5, 0.86), (0.24, 0.64), (0.5, 0.72), fill=_LEAF)
    for k in range(6):
        x, y = 0.5 + 0.24 * cos(k * pi / 3), 0.32 + 0.22 * sin(k * pi / 3)
        pen.oval(x - 0.15, y - 0.14, x + 0.15, y + 0.14)
    pen.oval(0.38, 0.21, 0.62, 0.43, (250, 225, 120))


def _apple(pen: Pen) -> None:
    pen.line((0.5, 0.24), (0.56, 0.02), width=0.07, fill=BROWN)
    pen.shape((0.56, 0.12), (0.74, 0.0), (0.86, 0.08), (0.7, 0.2), fill=_LEAF)
    pen.oval(0.06, 0.2, 0.62, 0.9)
    pen.oval(0.38, 0.2, 0.94, 0.9)
    pen.shape((0.3, 0.21), (0.5, 0.27), (0.7, 0.21), (0.72, 0.9), (0.5, 0.98), (0.28, 0.9))
    pen.line((0.3, 0.23), (0.3, 0.88), fill=pen.colour, width=0.1)
    pen.line((0.7, 0.23), (0.7, 0.88), fill=pen.colour, width=0.1)


def _bat_animal(pen: Pen) -> None:
    pen.shape(
        (0.5, 0.42), (0.3, 0.14), (0.0, 0.2), (0.06, 0.7), (0.18, 0.56), (0.28, 0.74),
        (0.4, 0.6), (0.5, 0.84), (0.6, 0.6), (0.72, 0.74), (0.82, 0.56), (0.94, 0.7),
        (1.0, 0.2), (0.7, 0.14),
    )  # fmt: skip
    pen.shape((0.39, 0.34), (0.38, 0.1), (0.5, 0.24), (0.62, 0.1), (0.61, 0.34))
    pen.oval(0.36, 0.22, 0.64, 0.8)
    pen.dot(0.44, 0.36, 0.035)
    pen.dot(0.56, 0.36, 0.035)
    pen.line((0.44, 0.48), (0.56, 0.48))


def _bat_club(pen: Pen) -> None:
    pen.shape((0.04, 0.92), (0.1, 0.98), (0.48, 0.62), (0.98, 0.26), (0.98, 0.12), (0.88, 0.02),
              (0.74, 0.02), (0.38, 0.52))  # fmt: skip
    pen.oval(0.0, 0.86, 0.14, 1.0, BROWN)
    pen.line((0.2, 0.76), (0.26, 0.82))
    pen.line((0.26, 0.68), (0.33, 0.76))


def _seal_animal(pen: Pen) -> None:
    pen.shape((0.16, 0.84), (0.0, 0.68), (0.0, 0.98))
    pen.shape((0.1, 0.9), (0.36, 0.62), (0.54, 0.44), (0.6, 0.2), (0.9, 0.3), (0.88, 0.66),
              (0.76, 0.94), (0.3, 0.98))  # fmt: skip
    pen.oval(0.54, 0.04, 0.94, 0.42)
    pen.shape((0.56, 0.72), (0.74, 0.76), (0.66, 1.0), (0.46, 0.98), fill=GREY)
    pen.dot(0.98, 0.22, 0.05)
    pen.dot(0.8, 0.16, 0.04)
    pen.line((0.84, 0.3), (1.0, 0.36))
    pen.line((0.84, 0.28), (1.0, 0.26))


def _seal_stamp(pen: Pen) -> None:
    pen.shape((0.3, 0.6), (0.2, 1.0), (0.36, 0.9), (0.46, 1.0), (0.5, 0.66), fill=GREY)
    pen.shape((0.7, 0.6), (0.8, 1.0), (0.64, 0.9), (0.54, 1.0), (0.5, 0.66), fill=GREY)
    rim = [(k * pi / 12, 0.4 if k % 2 else 0.48) for k in range(24)]
    pen.shape(*((0.5 + r * cos(a), 0.4 + 0.82 * r * sin(a)) for a, r in rim))
    star = [(k * pi / 5 - pi / 2, 0.1 if k % 2 else 0.26) for k in range(10)]
    pen.shape(*((0.5 + r * cos(a), 0.4 + r * sin(a)) for a, r in star), fill=pen.detail)


def _glasses_spectacles(pen: Pen) -> None:
    pen.bar((0.06, 0.44), (0.14, 0.24), width=0.05)
    pen.bar((0.94, 0.44), (0.86, 0.24), width=0.05)
    pen.bar((0.4, 0.48), (0.6, 0.48), width=0.06)
    pen.ring(0.0, 0.34, 0.46, 0.76, 0.1)
    pen.ring(0.54, 0.34, 1.0, 0.76, 0.1)


def _glasses_drinking(pen: Pen) -> None:
    for x in (0.0, 0.52):
        pen.shape((x + 0.02, 0.1), (x + 0.46, 0.1), (x + 0.34, 0.56), (x + 0.14, 0.56), fill=_PALE)
        pen.shape((x + 0.07, 0.26), (x + 0.41, 0.26), (x + 0.34, 0.56), (x + 0.14, 0.56))
        pen.line((x + 0.24, 0.56), (x + 0.24, 0.92), width=0.07, fill=(90, 110, 125))
        pen.block(x + 0.08, 0.9, x + 0.4, 0.98, _PALE)


def _bow_ribbon(pen: Pen) -> None:
    pen.shape((0.48, 0.46), (0.2, 0.98), (0.34, 0.9), (0.44, 1.0), (0.54, 0.52))
    pen.shape((0.52, 0.46), (0.8, 0.98), (0.66, 0.9), (0.56, 1.0), (0.46, 0.52))
    pen.shape((0.5, 0.42), (0.16, 0.08), (0.0, 0.16), (0.0, 0.7), (0.16, 0.78))
    pen.shape((0.5, 0.42), (0.84, 0.08), (1.0, 0.16), (1.0, 0.7), (0.84, 0.78))
    pen.oval(0.38, 0.28, 0.62, 0.58)


def _bow_archery(pen: Pen) -> None:
    pen.arc(-0.5, 0.0, 0.66, 1.0, -72.0, 72.0, 0.1)
    pen.line((0.24, 0.03), (0.08, 0.5), (0.24, 0.97))
    pen.line((0.08, 0.5), (0.94, 0.5), width=0.05, fill=BROWN)
    pen.shape((1.0, 0.5), (0.8, 0.38), (0.8, 0.62), fill=GREY)


def _nut_food(pen: Pen) -> None:
    pen.shape((0.42, 0.1), (0.5, 0.0), (0.58, 0.1))
    pen.oval(0.1, 0.06, 0.9, 0.98)
    pen.line((0.5, 0.06), (0.46, 0.28), (0.54, 0.52), (0.46, 0.76), (0.5, 0.98), width=0.06)
    for y in (0.3, 0.54, 0.76):
        pen.line((0.2, y), (0.3, y - 0.08), (0.38, y + 0.04))
        pen.line((0.62, y - 0.06), (0.7, y + 0.04), (0.8, y - 0.06))


def _nut_metal(pen: Pen) -> None:
    corners = [(0.5 + 0.5 * cos(k * pi / 3), 0.5 + 0.46 * sin(k * pi / 3)) for k in range(6)]
    pen.shape(*corners)
    pen.oval(0.26, 0.26, 0.74, 0.74, GREY)
    pen.oval(0.34, 0.34, 0.66, 0.66, (236, 238, 240))


def _pipe_smoking(pen: Pen) -> None:
    pen.bar((0.96, 0.4), (0.76, 0.46), (0.4, 0.82), width=0.09)
    pen.shape((0.04, 0.44), (0.42, 0.44), (0.42, 0.86), (0.32, 0.97), (0.14, 0.97), (0.04, 0.86))
    pen.oval(0.04, 0.38, 0.42, 0.5, BROWN)
    pen.oval(0.16, 0.18, 0.32, 0.32, GREY)
    pen.oval(0.26, 0.02, 0.48, 0.18, GREY)


def _pipe_tube(pen: Pen) -> None:
    pen.shape((0.1, 0.14), (0.7, 0.14), (0.84, 0.28), (0.84, 0.9), (0.52, 0.9), (0.52, 0.46),
              (0.1, 0.46))  # fmt: skip
    pen.block(0.0, 0.06, 0.14, 0.54)
    pen.block(0.44, 0.86, 0.92, 1.0)
    pen.line((0.16, 0.24), (0.64, 0.24), width=0.05, fill=_PALE)


def _palm_tree(pen: Pen) -> None:
    pen.bar((0.42, 1.0), (0.46, 0.66), (0.54, 0.36), width=0.09, fill=BROWN)
    for tip, rise in (((0.0, 0.5), 0.2), ((0.14, 0.12), 0.04), ((0.86, 0.04), 0.0),
                      ((1.0, 0.3), 0.12), ((0.92, 0.66), 0.28), ((0.24, 0.72), 0.3)):  # fmt: skip
        middle = ((tip[0] + 0.54) / 2, rise)
        pen.shape((0.54, 0.32), middle, tip, (middle[0], middle[1] + 0.18))


def _palm_hand(pen: Pen) -> None:
    pen.bar((0.62, 0.72), (0.94, 0.46), width=0.14)
    for x, top in ((0.16, 0.18), (0.32, 0.06), (0.48, 0.04), (0.64, 0.12)):
        pen.block(x - 0.07, top, x + 0.08, 0.6)
        pen.oval(x - 0.07, top - 0.05, x + 0.08, top + 0.08)
    pen.shape((0.09, 0.5), (0.72, 0.5), (0.74, 0.8), (0.6, 1.0), (0.22, 1.0), (0.09, 0.8))
    pen.line((0.2, 0.7), (0.44, 0.64), (0.64, 0.68))
    pen.line((0.44, 0.64), (0.36, 0.92))


def _trunk_log(pen: Pen) -> None:
    pen.shape((0.2, 0.28), (0.88, 0.28), (0.96, 0.4), (0.98, 0.6), (0.9, 0.8), (0.2, 0.8))
    pen.shape((0.56, 0.3), (0.66, 0.1), (0.76, 0.12), (0.74, 0.3))
    for y in (0.42, 0.54, 0.66):
        pen.line((0.44, y), (0.84, y))
    pen.oval(0.02, 0.26, 0.36, 0.82, (226, 190, 140))
    pen.oval(0.12, 0.42, 0.27, 0.66, (226, 190, 140))


def _trunk_chest(pen: Pen) -> None:
    arch = [(0.5 - 0.46 * cos(k * pi / 8), 0.48 - 0.36 * sin(k * pi / 8)) for k in range(9)]
    pen.shape(*arch)
    pen.block(0.04, 0.46, 0.96, 0.94)
    for x in (0.18, 0.72):
        pen.block(x, 0.24, x + 0.1, 0.94, BROWN)
    pen.block(0.4, 0.4, 0.6, 0.62, (250, 215, 90))
    pen.dot(0.5, 0.52, 0.05, (24, 24, 30))


def _crane_bird(pen: Pen) -> None:
    pen.line((0.34, 0.64), (0.3, 0.99), width=0.04)
    pen.line((0.5, 0.64), (0.52, 0.99), width=0.04)
    pen.bar((0.58, 0.5), (0.78, 0.38), (0.68, 0.24), (0.74, 0.12), width=0.09)
    pen.shape((0.76, 0.06), (1.0, 0.16), (0.76, 0.18), fill=(240, 140, 20))
    pen.oval(0.64, 0.02, 0.84, 0.2)
    pen.shape((0.2, 0.46), (0.0, 0.6), (0.12, 0.72), (0.3, 0.68))
    pen.oval(0.12, 0.38, 0.68, 0.72)
    pen.dot(0.75, 0.1, 0.03)


def _crane_machine(pen: Pen) -> None:
    pen.block(0.14, 0.88, 0.58, 1.0, GREY)
    pen.block(0.28, 0.14, 0.44, 0.9)
    for y in (0.34, 0.52, 0.7):
        pen.line((0.28, y + 0.14), (0.44, y))
    pen.block(0.0, 0.1, 1.0, 0.24)
    pen.shape((0.28, 0.1), (0.36, 0.0), (0.44, 0.1))
    pen.block(0.02, 0.24, 0.18, 0.4, GREY)
    pen.line((0.86, 0.24), (0.86, 0.56), fill=(24, 24, 30))
    pen.block(0.74, 0.56, 0.98, 0.74, BROWN)


SHAPES: Final[dict[str, Callable[[Pen], None]]] = {
    "dog": _dog, "cat": _cat, "bird": _bird, "fish": _fish, "car": _car, "boat": _boat,
    "tree": _tree, "house": _house, "ball": _ball, "kite": _kite, "umbrella": _umbrella,
    "chair": _chair, "table": _table, "cup": _cup, "flower": _flower, "apple": _apple,
    "bat_animal": _bat_animal, "bat_club": _bat_club,
    "seal_animal": _seal_animal, "seal_stamp": _seal_stamp,
    "glasses_spectacles": _glasses_spectacles, "glasses_drinking": _glasses_drinking,
    "bow_ribbon": _bow_ribbon, "bow_archery": _bow_archery,
    "nut_food": _nut_food, "nut_metal": _nut_metal,
    "pipe_smoking": _pipe_smoking, "pipe_tube": _pipe_tube,
    "palm_tree": _palm_tree, "palm_hand": _palm_hand,
    "trunk_log": _trunk_log, "trunk_chest": _trunk_chest,
    "crane_bird": _crane_bird, "crane_machine": _crane_machine,
}  # fmt: skip
"""Every kind of thing (people are drawn by what they do)."""

__all__ = ["SHAPES"]
