"""Streams of scenes: which nouns meet which words, and who may see which scenes.

A :class:`Split` says what the scenes are like; a :class:`Part` says whom they are for. Every scene
has a seed of its own, hashed from (world seed, split, part, index), so scenes do not depend on the
order in which they are made and no two parts share one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from random import Random
from typing import Final

from phosphene.data.world.compose import compose, pick
from phosphene.data.world.lexicon import (
    ORDINARY,
    PLACES,
    RARE,
    SENSE_PLACES,
    SENSES,
    Language,
    ambiguous_nouns,
)
from phosphene.data.world.scene import Scene


class Split(StrEnum):
    """What the scenes of a stream are like."""

    ORDINARY = "ordinary"
    """No ambiguous noun."""
    AMBIGUOUS = "ambiguous"
    """Exactly one ambiguous noun, whose sense only the picture tells."""
    INFERABLE = "inferable"
    """Exactly one ambiguous noun, whose sense follows from the place in the sentence."""
    LOW_RESOURCE = "low-resource"
    """Ordinary nouns, some of which are seldom translated."""


class Part(StrEnum):
    """Whom scenes are for. No two parts share a seed."""

    TEACHER = "teacher"
    """Trains a visual teacher."""
    ALIGNED = "aligned"
    """Trains an aligned (image and text) encoder."""
    CAPTIONED = "captioned"
    """Scenes with captions but no translations."""
    TRAIN = "train"
    """Trains a student."""
    META = "meta"
    """Steers a meta-learned weight."""
    VALID = "valid"
    """Chooses between models."""
    TEST = "test"
    """Measures the chosen one."""


RARE_SHARE: Final = 0.02
"""Share of the low-resource training scenes that are about a rare noun."""
_MIRRORED: Final = frozenset({Part.VALID, Part.TEST})
_COMMON: Final = tuple(kind for kind in ORDINARY if kind not in RARE)


@dataclass(frozen=True)
class World:
    """An endless, deterministic supply of scenes.

    Attributes:
        seed: worlds of different seeds share no scene but by coincidence.
        languages: target languages; the ambiguous nouns are those ambiguous in every one of them.
    """

    seed: int
    languages: tuple[Language, ...] = ("de", "fr")

    @property
    def ambiguous(self) -> tuple[str, ...]:
        """English nouns that are ambiguous into every target language."""
        shared = [set(ambiguous_nouns(language)) for language in self.languages]
        return tuple(english for english in SENSES if all(english in nouns for nouns in shared))

    def scene(self, split: Split, index: int, part: Part = Part.TRAIN) -> Scene:
        """Scene ``index`` of a stream.

        In the ambiguous split's validation and test parts, scenes ``2k`` and ``2k + 1`` are a
        mirrored pair: one English sentence, two senses, nothing else different.

        Raises:
            ValueError: if ``index`` is negative.
        """
        if index < 0:
            raise ValueError(f"expected a scene index of at least 0, got {index}")
        if split is Split.AMBIGUOUS and part in _MIRRORED:
            return self._ambiguous(self._rng(split, part, index // 2), sense=index % 2)
        rng = self._rng(split, part, index)
        match split:
            case Split.ORDINARY:
                return compose(rng, pick(rng, ORDINARY), ORDINARY, pick(rng, PLACES))
            case Split.AMBIGUOUS:
                return self._ambiguous(rng, sense=int(rng.random() * 2))
            case Split.INFERABLE:
                kind = pick(rng, SENSES[pick(rng, self.ambiguous)])
                place = pick(rng, SENSE_PLACES[kind])
                return compose(rng, kind, ORDINARY, place, name_place=True)
            case Split.LOW_RESOURCE:
                return _low_resource(rng, part)

    def scenes(
        self, split: Split, indices: Iterable[int], part: Part = Part.TRAIN
    ) -> tuple[Scene, ...]:
        """Several scenes of a stream."""
        return tuple(self.scene(split, index, part) for index in indices)

    def mirrored(self, index: int, part: Part = Part.TEST) -> tuple[Scene, Scene]:
        """Pair ``index``: one English sentence, two scenes that differ in the sense alone.

        Raises:
            ValueError: if ``part`` holds no pairs.
        """
        if part not in _MIRRORED:
            raise ValueError(f"expected the valid or the test part, got {part.value!r}")
        first, second = self.scenes(Split.AMBIGUOUS, (2 * index, 2 * index + 1), part)
        return first, second

    def _ambiguous(self, rng: Random, sense: int) -> Scene:
        english, place = pick(rng, self.ambiguous), pick(rng, PLACES)
        return compose(rng, SENSES[english][sense], ORDINARY, place)

    def _rng(self, split: Split, part: Part, index: int) -> Random:
        return seeded(f"{self.seed}/{split.value}/{part.value}/{index}")


def seeded(name: str) -> Random:
    """A source of chance that depends on ``name`` alone, in every process and on every machine."""
    return Random(int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big"))


def _low_resource(rng: Random, part: Part) -> Scene:
    """Rare nouns are 2 % of what is translated, all of what is tested, and common elsewhere."""
    place = pick(rng, PLACES)
    if part is Part.TEST or part is Part.VALID:
        return compose(rng, pick(rng, RARE), _COMMON + RARE, place)
    if part is Part.TRAIN or part is Part.META:
        rare = rng.random() < RARE_SHARE
        return compose(rng, pick(rng, RARE if rare else _COMMON), _COMMON, place)
    return compose(rng, pick(rng, ORDINARY), ORDINARY, place)


def swapped(count: int, seed: int) -> tuple[int, ...]:
    """For each of ``count`` examples, the example whose picture it gets instead of its own.

    One random cycle through all examples: nobody keeps its own picture, whatever the nouns.

    Raises:
        ValueError: if there are fewer than two examples to swap.
    """
    if count < 2:
        raise ValueError(f"expected at least 2 examples to swap pictures, got {count}")
    rng = seeded(f"swapped/{seed}/{count}")
    order = sorted(range(count), key=[rng.random() for _ in range(count)].__getitem__)
    partner = [0] * count
    for here, there in zip(order, order[1:] + order[:1], strict=True):
        partner[here] = there
    return tuple(partner)


__all__ = ["RARE_SHARE", "Part", "Split", "World", "seeded", "swapped"]
