"""Batches of similar length, the same from the same seed, resumable at any batch.

The order of an epoch is a pure function of the seed and the epoch's number. A run that was killed
therefore stores one ``Position`` and nothing else: the epoch is computed again and its first
batches are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar, final

import numpy as np
from jaxtyping import Int

from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Pixels, Regions, Tokens, Vectors
from phosphene.data.text import BOS_ID, EOS_ID, PAD_ID

Indices = Int[np.ndarray, " _"]
"""Numbers of examples: one batch, or one process's part of it."""

Item = TypeVar("Item")

Lengths = Sequence[int] | Int[np.ndarray, " _"]

_LENGTH_NOISE: Final = 1
"""Tokens by which a length may seem longer when examples are sorted: new neighbours every epoch."""


@dataclass(frozen=True, order=True)
class Position:
    """A batch of a run: the ``batch``-th (from 0) of the ``epoch``-th (from 0)."""

    epoch: int = 0
    batch: int = 0


@final
class TokenBatches:
    """Cuts a training set into batches of a bounded number of tokens.

    A batch of ``n`` rows whose longest sentence, on either side, has ``l`` tokens counts as
    ``n * l`` tokens: what padding makes of it, and what fairseq's ``--max-tokens`` bounds.

    Args:
        source_lengths: tokens of every source sentence, its end-of-sentence token included.
        target_lengths: tokens of every target sentence, its end-of-sentence token included.
        max_tokens: the bound on every batch.
        seed: the same seed gives the same batches.
        skip_longer: leave out (and count in ``skipped``) examples longer than ``max_tokens``.
        ids: names of the examples for messages; their 0-based numbers if not given.

    Raises:
        InputError: there are no examples, or one is longer than ``max_tokens``.
    """

    def __init__(
        self,
        source_lengths: Lengths,
        target_lengths: Lengths,
        max_tokens: int,
        seed: int,
        *,
        skip_longer: bool = False,
        ids: Sequence[str] | None = None,
    ) -> None:
        self._source = np.asarray(source_lengths, dtype=np.int64)
        self._target = np.asarray(target_lengths, dtype=np.int64)
        if self._source.shape != self._target.shape:
            raise ValueError(f"{self._source.size} source and {self._target.size} target lengths")
        self._longest = np.maximum(self._source, self._target)
        fits = self._longest <= max_tokens
        if not skip_longer and not fits.all():
            first = int(np.argmin(fits))
            name = str(first) if ids is None else ids[first]
            raise InputError(
                f"example {name} has {self._longest[first]} tokens, more than a batch may hold "
                f"(max_tokens = {max_tokens}); {np.sum(~fits)} such examples"
            )
        self._examples = np.flatnonzero(fits)
        if not self._examples.size:
            raise InputError("there are no examples to train on")
        self.skipped = int(np.sum(~fits))
        self._max_tokens = max_tokens
        self._seed = seed

    def epoch(self, number: int) -> list[Indices]:
        """The batches of one epoch in their order: each example stands in exactly one."""
        rng = np.random.default_rng([self._seed, number])
        shuffled = rng.permutation(self._examples)
        noise = rng.integers(0, _LENGTH_NOISE, size=(2, shuffled.size), endpoint=True)
        target = self._target[shuffled] + noise[0]
        source = self._source[shuffled] + noise[1]
        # By target length, and within one by source length: upwards and downwards in turn, so
        # that a batch that spans two target lengths holds sources of similar length.
        order = np.lexsort((np.where(target % 2 == 0, source, -source), target))
        batches = self._cut(shuffled[order])
        return [batches[index] for index in rng.permutation(len(batches))]

    def _cut(self, order: Indices) -> list[Indices]:
        """Consecutive pieces of ``order``, each as long as the bound allows."""
        cuts = []
        first = longest = 0
        for row, length in enumerate(self._longest[order].tolist()):
            longest = max(longest, length)
            if longest * (row + 1 - first) > self._max_tokens:
                cuts.append(row)
                first, longest = row, length
        return np.split(order, cuts)


@final
@dataclass(frozen=True)
class Shuffled:
    """A seeded order of examples, ``size`` at a time; an epoch's last part is shorter.

    Attributes:
        groups: the examples; those of a group stay one after the other.
        size: of a part.
        seed: of the order.
    """

    groups: Sequence[Sequence[int]]
    size: int
    seed: int

    def epoch(self, number: int) -> list[Indices]:
        """The parts of one epoch in their order: each example stands in exactly one."""
        order = in_groups(self.groups, np.random.default_rng([self.seed, number]))
        return np.split(order, range(self.size, len(order), self.size))


def walk(
    epoch: Callable[[int], Sequence[Item]], start: Position
) -> Iterator[tuple[Position, Position, Item]]:
    """``(position, position after it, batch)`` from ``start`` on, without end.

    Args:
        epoch: the batches of an epoch in their order, at least one.
        start: of the first that is given.
    """
    number, first = start.epoch, start.batch
    while True:
        batches = epoch(number)
        for at in range(first, len(batches)):
            last = at + 1 == len(batches)
            after = Position(number + 1) if last else Position(number, at + 1)
            yield Position(number, at), after, batches[at]
        number, first = number + 1, 0


def in_groups(groups: Sequence[Sequence[int]], rng: np.random.Generator) -> Indices:
    """The groups in random order, what is in them side by side."""
    return np.array([row for group in rng.permutation(len(groups)) for row in groups[group]])


def one_by_one(count: int) -> list[list[int]]:
    """Every example for itself."""
    return [[row] for row in range(count)]


def shard(indices: Indices, rank: int, world_size: int) -> Indices:
    """The rows of a global batch that process ``rank`` of ``world_size`` works on.

    Every row goes to exactly one process. A batch with fewer rows than processes leaves some
    without any: they get an empty array and must still take part in the update, and the loss must
    be divided by the *global* number of tokens.
    """
    return indices[rank::world_size]


def collate(
    ids: Sequence[str],
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]] | None = None,
    *,
    pixels: Pixels | None = None,
    regions: Regions | None = None,
    tags: Tokens | None = None,
    source_end: Sequence[int] = (EOS_ID,),
    vectors: Vectors | None = None,
) -> Batch:
    """Put examples side by side.

    Args:
        ids: names of the examples, ``batch`` of them.
        sources: ids of the source sentences without specials; ``source_end`` is added.
        targets: the same for the target sentences; BOS and EOS are added.
        pixels: pictures of some rows.
        regions: visual features of the rows.
        tags: what is in the pictures of the rows.
        source_end: nothing for encoders that add their own specials.
        vectors: one vector of each row.
    """
    if len(sources) != len(ids) or (targets is not None and len(targets) != len(ids)):
        raise ValueError("every example needs one id, one source and one target")
    source = Tokens.pad([[*sentence, *source_end] for sentence in sources], PAD_ID)
    target = None
    if targets is not None:
        target = Tokens.pad([[BOS_ID, *sentence, EOS_ID] for sentence in targets], PAD_ID)
    return Batch(tuple(ids), source, target, pixels, regions, tags, vectors)


__all__ = [
    "Indices",
    "Lengths",
    "Position",
    "Shuffled",
    "TokenBatches",
    "collate",
    "in_groups",
    "one_by_one",
    "shard",
    "walk",
]
