"""Labelled pictures with sentences, encoded, and their batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Int, UInt8

from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Labels, Pixels, Regions, Tokens
from phosphene.data.classification import Example, LabelSet
from phosphene.data.dataset import NO_PICTURE, Encode
from phosphene.data.image import Progress, load_rgb, to_tensor
from phosphene.data.loader import Indices, Position, Shuffled, in_groups, shard, walk
from phosphene.data.regions import RegionTable, picture_names
from phosphene.data.text import PAD_ID


@dataclass(frozen=True)
class ClassificationData:
    """One split, ready to be batched.

    ``picture_of`` gives each example's row in ``picture_names``, ``pictures`` and ``tags``, or
    ``NO_PICTURE``; ``regions`` knows pictures by their names. So many consecutive examples as
    ``together`` says belong together, such as confounders: they are drawn and kept aside together.
    """

    examples: tuple[Example, ...]
    labels: LabelSet
    texts: list[list[int]]
    picture_of: Int[np.ndarray, " example"]
    picture_names: tuple[str, ...]
    pictures: UInt8[np.ndarray, "picture height width 3"] | None = None
    regions: RegionTable | None = None
    tags: list[list[int]] | None = None
    together: int = 1

    def __len__(self) -> int:
        return len(self.examples)

    def batch(self, indices: Indices) -> Batch:
        """Examples side by side, each with all that there is of its picture."""
        rows = self.picture_of[indices]
        return Batch(
            tuple(self.examples[index].id for index in indices),
            Tokens.pad([self.texts[index] for index in indices], PAD_ID),
            pixels=self._pixels(rows),
            regions=self._regions(rows),
            tags=self._tags(rows),
            labels=self.targets(indices),
        )

    def targets(self, indices: Indices) -> Labels:
        """The class of each example, or 0 and 1 for every label."""
        place = {name: column for column, name in enumerate(self.labels.names)}
        given = [[place[name] for name in self.examples[index].labels] for index in indices]
        if not self.labels.many:
            return torch.tensor([label for (label,) in given], dtype=torch.long)
        targets = torch.zeros(len(given), len(place))
        for row, columns in enumerate(given):
            targets[row, columns] = 1.0
        return targets

    def with_regions(self, table: RegionTable, encode: Encode) -> ClassificationData:
        """The same data with a detector's regions, and its tags as the ids of a text.

        Raises:
            InputError: the table lacks a picture.
        """
        lacking = [name for name in self.picture_names if name not in table]
        if lacking:
            raise InputError(
                f"{len(lacking):,} of {len(self.picture_names):,} pictures have no regions, "
                f"{lacking[0]!r} is the first"
            )
        tags = encode([" ".join(table.tags(name)) for name in self.picture_names])
        return replace(self, regions=table, tags=tags)

    def take(self, indices: Indices) -> ClassificationData:
        """Some of the examples."""
        return replace(
            self,
            examples=tuple(self.examples[index] for index in indices),
            texts=[self.texts[index] for index in indices],
            picture_of=self.picture_of[indices],
        )

    def split_off(self, count: int, seed: int) -> tuple[ClassificationData, ClassificationData]:
        """The rest, and ``count`` examples drawn by ``seed``: meta-data that are not validation.

        Raises:
            InputError: nothing would be left.
        """
        if not self.together <= count < len(self):
            raise InputError(f"{count} of {len(self)} examples cannot be split off")
        order = in_groups(self.groups, np.random.default_rng([seed, len(self)]))
        count -= count % self.together
        return self.take(np.sort(order[count:])), self.take(np.sort(order[:count]))

    @property
    def groups(self) -> list[range]:
        """The examples that belong together."""
        count = len(self)
        starts = range(0, count, self.together)
        return [range(start, min(start + self.together, count)) for start in starts]

    def digest(self) -> str:
        """Twelve hexadecimal digits of the examples: the data of a signature, whoever reads it."""
        hashed = hashlib.sha256("\t".join(self.labels.names).encode())
        for example, row in zip(self.examples, self.picture_of.tolist(), strict=True):
            picture = "" if row == NO_PICTURE else self.picture_names[row]
            fields = (example.id, example.text, *example.labels, picture)
            hashed.update(("\t".join(fields) + "\n").encode())
        return hashed.hexdigest()[:12]

    def _pixels(self, rows: Indices) -> Pixels | None:
        if self.pictures is None:
            return None
        seen = np.flatnonzero(rows != NO_PICTURE)
        return Pixels(to_tensor(self.pictures[rows[seen]]), torch.from_numpy(seen))

    def _regions(self, rows: Indices) -> Regions | None:
        if self.regions is None:
            return None
        return self.regions.regions(
            [None if row == NO_PICTURE else self.picture_names[row] for row in rows]
        )

    def _tags(self, rows: Indices) -> Tokens | None:
        if self.tags is None:
            return None
        return Tokens.pad([() if row == NO_PICTURE else self.tags[row] for row in rows], PAD_ID)


def encode_examples(
    examples: Sequence[Example],
    labels: LabelSet,
    encode: Encode,
    picture_side: int = 0,
    progress: Progress | None = None,
) -> ClassificationData:
    """Examples as ids, and their pictures as squares of ``picture_side`` pixels (0: no pixels).

    Raises:
        InputError: a picture is damaged, or two have the same name.
    """
    paths = picture_names(example.image for example in examples if example.image is not None)
    place = {path: row for row, path in enumerate(paths.values())}
    pictures = None
    if picture_side:
        pictures = np.empty((len(place), picture_side, picture_side, 3), dtype=np.uint8)
        for path, row in place.items():
            pictures[row] = load_rgb(path, picture_side)
            if progress is not None:
                progress(row + 1, len(place))
    found = [NO_PICTURE if e.image is None else place[e.image] for e in examples]
    return ClassificationData(
        tuple(examples),
        labels,
        encode([example.text for example in examples]),
        np.array(found, dtype=np.int64),
        tuple(paths),
        pictures,
    )


@final
class ExampleBatches:
    """``size`` examples at a time in a seeded order; the last batch of an epoch is shorter."""

    def __init__(self, data: ClassificationData, size: int, seed: int) -> None:
        self.data = data
        self.order = Shuffled(data.groups, size, seed)

    def iterate(
        self, start: Position, rank: int = 0, processes: int = 1
    ) -> Iterator[tuple[Position, Batch]]:
        """Batches from ``start`` on without end, each with the position after it."""
        for _, after, indices in walk(self.order.epoch, start):
            yield after, self.data.batch(shard(indices, rank, processes))


def in_order(data: ClassificationData, size: int) -> Iterator[Batch]:
    """Every example once, in the order of ``data``."""
    for start in range(0, len(data), size):
        yield data.batch(np.arange(start, min(start + size, len(data))))


__all__ = ["ClassificationData", "ExampleBatches", "encode_examples", "in_order"]
