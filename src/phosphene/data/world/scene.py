"""What is true in one picture, and how the world chooses to say it.

A :class:`Scene` is the only ground truth: the drawing, the captions, the questions and the
classification tasks are all functions of it. Geometry is in pixels of the 64 x 64 picture, with the
origin at the top left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Float32

from phosphene.data.world.lexicon import (
    ACTIONS,
    COLOURS,
    KINDS,
    PLACES,
    SENSES,
    Action,
    Colour,
    Place,
    Relation,
    Size,
    noun,
)

PICTURE_SIZE: Final = 64
Box = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)`` in pixels."""
Plot = Literal["handle", "move", "relate", "show"]
"""What a scene is about: a person with a thing in hand or in view; a person moving beside a thing;
two things; or one to three of a kind."""


@dataclass(frozen=True)
class Thing:
    """One object, or up to three alike: one box per copy."""

    kind: str
    colour: Colour
    size: Size
    boxes: tuple[Box, ...]
    flipped: bool

    @property
    def count(self) -> int:
        """How many copies there are."""
        return len(self.boxes)


@dataclass(frozen=True)
class Person:
    """A man, woman, boy or girl in a coloured shirt, who does something."""

    kind: str
    shirt: Colour
    action: Action
    box: Box
    flipped: bool


@dataclass(frozen=True)
class Phrasing:
    """What the caption mentions, and in which construction.

    Attributes:
        template: which construction of the scene's plot.
        colour: mentions the colour of the first thing.
        size: mentions the size of the first thing.
        place: mentions the place.
        detail: mentions the person's shirt or, without a person, the second thing's colour.
    """

    template: int
    colour: bool = False
    size: bool = False
    place: bool = False
    detail: bool = False


@dataclass(frozen=True)
class Scene:
    """The truth about one picture.

    Attributes:
        place: the background.
        things: one thing, or two that stand in ``relation``; the first is what the caption is
            about and the only one whose noun may be ambiguous.
        person: who acts, if anybody.
        relation: where the first of two things is, seen from the second.
        phrasing: how the caption of the scene is worded, in every language.
        key: the scene's own source of chance for whatever is derived from it.
    """

    place: Place
    things: tuple[Thing, ...]
    person: Person | None
    relation: Relation | None
    phrasing: Phrasing
    key: int

    @property
    def plot(self) -> Plot:
        """What the scene is about."""
        if self.person is not None:
            return "handle" if self.person.action in ("hold", "watch") else "move"
        return "show" if self.relation is None else "relate"

    @property
    def focus(self) -> Thing:
        """The thing the caption is about."""
        return self.things[0]

    @property
    def ambiguous_noun(self) -> str | None:
        """The English noun whose sense only the picture (or another word) decides, if any."""
        english = noun(self.focus.kind)
        return english if english in SENSES else None


VISUAL_LABELS: Final[tuple[str, ...]] = (*KINDS, *COLOURS, *PLACES)
"""What a visual teacher is trained to name: every kind (senses apart), colour and place."""


REGION_LABELS: Final[tuple[str, ...]] = (*VISUAL_LABELS, *ACTIONS)
"""What a detector is trained to name: the same, and what a person does."""


def present(scene: Scene) -> frozenset[str]:
    """Every visual label that holds: kinds, colours of things and shirts, the place."""
    names: set[str] = {scene.place}
    for thing in scene.things:
        names |= {thing.kind, thing.colour}
    if scene.person is not None:
        names |= {scene.person.kind, scene.person.shirt}
    return frozenset(names)


def visual_labels(scenes: Sequence[Scene]) -> Float32[np.ndarray, "photo label"]:
    """Multi-hot targets over :data:`VISUAL_LABELS`, one row per scene."""
    return _multi_hot([present(scene) for scene in scenes], VISUAL_LABELS)


def region_labels(scenes: Sequence[Scene]) -> Float32[np.ndarray, "region label"]:
    """Multi-hot targets over :data:`REGION_LABELS`: each of :func:`boxes`, then the whole picture.

    A person is of the colour of the shirt; the whole shows what is :func:`present`.
    """
    rows: list[frozenset[str]] = []
    for scene in scenes:
        person = scene.person
        if person is not None:
            rows.append(frozenset({person.kind, person.shirt, person.action}))
        for thing in scene.things:
            rows += [frozenset({thing.kind, thing.colour})] * thing.count
        rows.append(present(scene))
    return _multi_hot(rows, REGION_LABELS)


def _multi_hot(
    rows: Sequence[frozenset[str]], labels: Sequence[str]
) -> Float32[np.ndarray, "row label"]:
    targets = np.zeros((len(rows), len(labels)), dtype=np.float32)
    column = {name: index for index, name in enumerate(labels)}
    for row, names in enumerate(rows):
        targets[row, [column[name] for name in names]] = 1.0
    return targets


def _regions(scene: Scene) -> list[tuple[str, Box]]:
    person = [] if scene.person is None else [(scene.person.kind, scene.person.box)]
    return person + [(thing.kind, box) for thing in scene.things for box in thing.boxes]


def boxes(scene: Scene) -> Float32[np.ndarray, "region 4"]:
    """Where everything is, ``(x0, y0, x1, y1)`` in [0, 1]: the person first, then the things."""
    found = [box for _, box in _regions(scene)]
    return np.asarray(found, dtype=np.float32) / np.float32(PICTURE_SIZE)


def region_kinds(scene: Scene) -> tuple[str, ...]:
    """The kind shown in each of :func:`boxes`, senses apart."""
    return tuple(kind for kind, _ in _regions(scene))


def tags(scene: Scene) -> tuple[str, ...]:
    """The English noun of each of :func:`boxes`. A tag does not tell senses apart."""
    return tuple(noun(kind) for kind in region_kinds(scene))


__all__ = [
    "PICTURE_SIZE", "REGION_LABELS", "VISUAL_LABELS", "Box", "Person", "Phrasing", "Plot", "Scene",
    "Thing", "boxes", "present", "region_kinds", "region_labels", "tags", "visual_labels",
]  # fmt: skip
