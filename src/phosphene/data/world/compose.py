"""Chance turned into scenes: which plot, which attributes, and where everything stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from random import Random
from typing import Final, TypeVar

from phosphene.data.world.lexicon import (
    CHILDREN,
    COLOURS,
    ORDINARY,
    PEOPLE,
    PORTABLE,
    RELATIONS,
    SIZES,
    SUPPORTS,
    Action,
    Place,
    Relation,
    Size,
    noun,
)
from phosphene.data.world.scene import Box, Person, Phrasing, Plot, Scene, Thing

_T = TypeVar("_T")

_PLOTS: Final[tuple[Plot, ...]] = ("handle", "move", "relate", "show")
_HANDLING: Final[tuple[Action, ...]] = ("hold", "watch")
_MOVES: Final[tuple[Action, ...]] = ("run", "jump", "sit")
_MAX_WORDS: Final = 14
# Per plot and template: the length of the bare English caption at its longest, and the mentions
# that the construction cannot do without (already counted in the length).
_TEMPLATES: Final[dict[Plot, tuple[tuple[int, frozenset[str]], ...]]] = {
    "handle": ((8, frozenset()), (12, frozenset({"place"})), (9, frozenset())),
    "move": ((9, frozenset()), (10, frozenset())),
    "relate": ((10, frozenset()), (11, frozenset()), (11, frozenset({"colour"}))),
    "show": ((6, frozenset({"place"})), (5, frozenset()), (9, frozenset({"place", "colour"}))),
}
_MENTIONS: Final = ("colour", "size", "place", "detail")


def pick(rng: Random, options: Sequence[_T]) -> _T:
    """One of ``options``; uses ``rng.random`` only, whose sequence Python guarantees."""
    return options[int(rng.random() * len(options))]


@cache
def phrasings(plot: Plot) -> tuple[Phrasing, ...]:
    """Every wording of a plot whose English caption stays within 14 words."""
    detail_words = {"handle": 4, "move": 4, "relate": 1, "show": _MAX_WORDS}[plot]
    words = {"colour": 1, "size": 1, "place": 3, "detail": detail_words}
    found = []
    for template, (length, required) in enumerate(_TEMPLATES[plot]):
        for chosen in product((False, True), repeat=len(_MENTIONS)):
            mentioned = {name for name, on in zip(_MENTIONS, chosen, strict=True) if on}
            extra = sum(words[name] for name in mentioned - required)
            if required <= mentioned and length + extra <= _MAX_WORDS:
                found.append(Phrasing(template, *chosen))
    return tuple(found)


def compose(
    rng: Random, focus: str, others: Sequence[str], place: Place, name_place: bool = False
) -> Scene:
    """A scene about ``focus`` at ``place``.

    Nothing but ``focus`` depends on which of two senses it shows, so the same ``rng`` state and the
    other sense give the mirrored scene.

    Args:
        rng: the source of chance.
        focus: kind of the first thing.
        others: kinds from which a second thing is taken where the plot has one.
        place: the background.
        name_place: whether the caption must mention the place.
    """
    plot = pick(rng, _PLOTS)
    colour, second_colour = pick(rng, COLOURS), pick(rng, COLOURS)
    size, flipped, key = pick(rng, SIZES), rng.random() < 0.5, int(rng.random() * 2**53)
    portable = noun(focus) in PORTABLE
    thing = Thing(focus, colour, size, (), flipped)
    person: Person | None = None
    relation: Relation | None = None
    things: tuple[Thing, ...]
    if plot in ("handle", "move"):
        kind, left = pick(rng, PEOPLE), rng.random() < 0.5
        if plot == "move":
            action = pick(rng, _MOVES)
        else:
            action = pick(rng, _HANDLING if portable else _HANDLING[1:])
        box = _stand(rng, kind, left, jumping=action == "jump")
        person = Person(kind, second_colour, action, box, flipped=not left)
        things = (replace(thing, boxes=(_beside(rng, box, size, left, action == "hold"),)),)
    elif plot == "relate":
        seen = pick(rng, RELATIONS if portable else RELATIONS[:-1])
        pool = [kind for kind in (SUPPORTS if seen == "on" else others) if kind != focus]
        second = Thing(pick(rng, pool), second_colour, pick(rng, SIZES), (), rng.random() < 0.5)
        first_box, second_box = _pair(rng, seen, size, second.size)
        things = (replace(thing, boxes=(first_box,)), replace(second, boxes=(second_box,)))
        relation = seen
    else:
        count = 1 + int(rng.random() * 3) if focus in ORDINARY else 1
        things = (replace(thing, boxes=_row(rng, count, size)),)
    options = [wording for wording in phrasings(plot) if wording.place or not name_place]
    return Scene(place, things, person, relation, pick(rng, options), key)


def _around(x: float, y: float, width: float, height: float) -> Box:
    """The box centred at ``(x, y)``."""
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _shake(rng: Random, most: float) -> float:
    return (2 * rng.random() - 1) * most


def _stand(rng: Random, kind: str, left: bool, jumping: bool) -> Box:
    """A standing person's box: adults 22 x 46 pixels, children 19 x 35."""
    width, height = (19.0, 35.0) if kind in CHILDREN else (22.0, 46.0)
    x = 15 + _shake(rng, 2.0) if left else 49 + _shake(rng, 2.0)
    ground = 61 + _shake(rng, 1.5) - (8 if jumping else 0)
    return (x - width / 2, ground - height, x + width / 2, ground)


def _beside(rng: Random, person: Box, size: Size, left: bool, held: bool) -> Box:
    """Where the thing is: at the end of the outstretched arm, or apart on the ground."""
    side = {"large": 30.0, "small": 22.0}[size] + _shake(rng, 1.0)
    y = person[1] + 0.45 * (person[3] - person[1]) if held else 62 - side / 2 + _shake(rng, 1.0)
    if held:
        x = person[2] + side / 2 - 2 if left else person[0] - side / 2 + 2
    else:
        x = 47 + _shake(rng, 1.0) if left else 17 + _shake(rng, 1.0)
    half = side / 2
    return _around(min(max(x, half), 64 - half), min(max(y, half), 63 - half), side, side)


def _pair(rng: Random, relation: Relation, first: Size, second: Size) -> tuple[Box, Box]:
    """Boxes of two things in a relation."""
    sides = {"large": 29.0, "small": 22.0}
    a, b = sides[first], sides[second]
    if relation in ("left", "right"):
        y, x = 42 + _shake(rng, 3.0), 16.0 if relation == "left" else 48.0
        return (
            _around(x + _shake(rng, 1.0), y + _shake(rng, 3.0), a, a),
            _around(64 - x + _shake(rng, 1.0), y + _shake(rng, 3.0), b, b),
        )
    x = 32 + _shake(rng, 12.0)
    if relation == "on":
        top = 36 + _shake(rng, 2.0)
        wide = 34 + (2 if second == "large" else -2)
        carrier = (x - wide / 2, top, x + wide / 2, top + 25)
        return (x - a / 2, top - a + 1, x + a / 2, top + 1), carrier
    y = 16.0 if relation == "above" else 48.0
    return (
        _around(x + _shake(rng, 3.0), y + _shake(rng, 1.0), a, a),
        _around(x + _shake(rng, 3.0), 64 - y + _shake(rng, 1.0), b, b),
    )


def _row(rng: Random, count: int, size: Size) -> tuple[Box, ...]:
    """One thing in the middle, or two or three side by side."""
    side = {1: (40.0, 28.0), 2: (29.0, 22.0), 3: (20.5, 18.0)}[count][0 if size == "large" else 1]
    slots = {1: (32.0,), 2: (16.0, 48.0), 3: (11.0, 32.0, 53.0)}[count]
    slack = {1: 8.0, 2: 1.0, 3: 0.3}[count]
    y = 38.0 + _shake(rng, 4.0)
    return tuple(
        _around(x + _shake(rng, slack), y + _shake(rng, 2.0 if count > 1 else 1.0), side, side)
        for x in slots
    )


__all__ = ["compose", "phrasings", "pick"]
