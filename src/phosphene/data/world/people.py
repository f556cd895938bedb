"""How people look: who they are shows in hair and clothes, what they do in arms and legs."""

from __future__ import annotations

from typing import Final

from phosphene.data.world.lexicon import Action
from phosphene.data.world.pen import INK, Pen, Point, Rgb
from phosphene.data.world.scene import Person

_Limb = tuple[Point, ...]

_SKINS: Final[tuple[Rgb, ...]] = ((250, 214, 184), (224, 172, 125), (150, 98, 62))
_HAIRS: Final[tuple[Rgb, ...]] = ((96, 56, 24), (40, 34, 34), (190, 140, 60))
_TROUSERS: Final[Rgb] = (44, 50, 92)
_SEAT: Final[Rgb] = (140, 96, 60)
_STANDING: Final[tuple[_Limb, ...]] = (((0.4, 0.6), (0.38, 0.97)), ((0.6, 0.6), (0.62, 0.97)))
_LEGS: Final[dict[Action, tuple[_Limb, ...]]] = {
    "hold": _STANDING,
    "watch": _STANDING,
    "run": (
        ((0.48, 0.62), (0.16, 0.74), (0.0, 0.94)),
        ((0.52, 0.62), (0.84, 0.76), (0.74, 0.98)),
    ),
    "jump": (
        ((0.45, 0.62), (0.1, 0.76), (0.16, 0.94)),
        ((0.55, 0.62), (0.9, 0.76), (0.84, 0.94)),
    ),
    "sit": (
        ((0.4, 0.68), (0.88, 0.7), (0.88, 0.98)),
        ((0.36, 0.72), (0.76, 0.74), (0.76, 0.98)),
    ),
}
_ARMS: Final[dict[Action, tuple[_Limb, ...]]] = {
    "hold": (((0.5, 0.36), (1.0, 0.4)), ((0.5, 0.44), (1.0, 0.5))),
    "watch": (((0.32, 0.36), (0.16, 0.62)), ((0.68, 0.36), (0.84, 0.62))),
    "run": (((0.34, 0.36), (0.06, 0.5), (0.2, 0.34)), ((0.66, 0.36), (0.84, 0.5), (1.0, 0.38))),
    "jump": (((0.34, 0.36), (0.04, 0.06)), ((0.66, 0.36), (0.96, 0.06))),
    "sit": (((0.5, 0.4), (0.84, 0.62)),),
}


def draw_person(pen: Pen, person: Person, key: int) -> None:
    """Draw a person who faces right unless the pen is flipped; ``key`` chooses skin and hair."""
    skin, hair = _SKINS[key % 3], _HAIRS[(key // 3) % 3]
    female = person.kind in ("woman", "girl")
    if person.action == "sit":
        pen.block(0.02, 0.7, 0.7, 0.98, _SEAT)
    if female:
        pen.block(0.24, 0.08, 0.76, 0.36 if person.kind == "woman" else 0.24, hair)
    for leg in _LEGS[person.action]:
        pen.bar(*leg, width=0.14, fill=skin if female else _TROUSERS)
    pen.shape((0.3, 0.3), (0.7, 0.3), (0.68, 0.66), (0.32, 0.66))
    if female and person.action != "sit":
        pen.shape((0.32, 0.56), (0.68, 0.56), (0.88, 0.78), (0.12, 0.78), fill=_TROUSERS)
    for arm in _ARMS[person.action]:
        pen.bar(*arm, width=0.12, fill=skin)
    _head(pen, person.kind, skin, hair)


def _head(pen: Pen, kind: str, skin: Rgb, hair: Rgb) -> None:
    pen.oval(0.26, 0.02, 0.74, 0.3, skin)
    fringe = ((0.25, 0.16), (0.3, 0.04), (0.5, 0.0), (0.7, 0.04), (0.75, 0.12), (0.45, 0.1))
    pen.shape(*fringe, fill=hair)
    match kind:
        case "man":  # a beard
            pen.line((0.4, 0.24), (0.64, 0.24), width=0.12, fill=hair)
        case "boy":  # a cap in the colour of the shirt
            pen.shape((0.24, 0.12), (0.3, 0.0), (0.7, 0.0), (0.96, 0.12))
        case "girl":  # bunches
            pen.oval(0.02, 0.1, 0.28, 0.24, hair)
            pen.oval(0.72, 0.1, 0.98, 0.24, hair)
            pen.dot(0.42, 0.18, 0.045, INK)
    pen.dot(0.6, 0.18 if kind == "girl" else 0.16, 0.045, INK)


__all__ = ["draw_person"]
