"""The embedded world's three classification tasks as labelled examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal

import numpy as np

from phosphene.data.classification import Example, LabelSet
from phosphene.data.classification_data import ClassificationData
from phosphene.data.dataset import Encode
from phosphene.data.world.draw import draw_all
from phosphene.data.world.scene import Scene
from phosphene.data.world.splits import Part, World
from phosphene.data.world.tasks import ENTAILMENTS, GENRES, entailment, genres, hostility

WorldTask = Literal["hostility", "genres", "entailment"]
WORLD_LABELS: Final[Mapping[WorldTask, LabelSet]] = MappingProxyType(
    {
        "hostility": LabelSet(("benign", "hostile")),
        "genres": LabelSet(GENRES, many=True),
        "entailment": LabelSet(ENTAILMENTS),
    }
)
CONFOUNDERS: Final[Mapping[WorldTask, int]] = MappingProxyType(
    {"hostility": 4, "genres": 1, "entailment": 3}
)
"""Consecutive examples that share sentences or pictures. Drawn apart, they teach a network to say
nothing: what one says of a word or a picture the next contradicts."""


def world_examples(
    task: WorldTask, world: World, count: int, part: Part
) -> tuple[tuple[Example, ...], tuple[Scene, ...]]:
    """The first ``count`` examples of one of the embedded world's tasks, and their scenes."""
    found = [_world_example(task, world, index, part) for index in range(count)]
    return tuple(example for example, _ in found), tuple(scene for _, scene in found)


def draw_examples(
    examples: Sequence[Example], scenes: Sequence[Scene], labels: LabelSet, encode: Encode
) -> ClassificationData:
    """Examples of the world as ids, with the pictures of their scenes."""
    return ClassificationData(
        tuple(examples),
        labels,
        encode([example.text for example in examples]),
        np.arange(len(scenes)),
        tuple(example.id for example in examples),
        draw_all(scenes),
    )


def _world_example(task: WorldTask, world: World, index: int, part: Part) -> tuple[Example, Scene]:
    name = f"{task}:{part.value}:{index}"
    match task:
        case "hostility":
            remark = hostility(world, index, part)
            label = WORLD_LABELS[task].names[remark.label]
            return Example(name, remark.sentence, (label,)), remark.scene
        case "genres":
            plot = genres(world, index, part)
            held = tuple(genre for genre in GENRES if genre in plot.labels)
            return Example(name, plot.sentence, held), plot.scene
        case "entailment":
            claim = entailment(world, index, part)
            return Example(name, claim.sentence, (claim.label,)), claim.scene


__all__ = ["CONFOUNDERS", "WORLD_LABELS", "WorldTask", "draw_examples", "world_examples"]
