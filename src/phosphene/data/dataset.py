"""Encoded examples with their pictures, and the batches that training and evaluation see."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.types import Batch, LabelledPictures, Pixels, Regions, Tokens, Vectors
from phosphene.data.image import Progress, load_rgb, to_tensor
from phosphene.data.loader import (
    Indices,
    Position,
    Shuffled,
    TokenBatches,
    collate,
    one_by_one,
    shard,
    walk,
)
from phosphene.data.regions import RegionTable
from phosphene.data.text import EOS_ID, PAD_ID, Tokenizer
from phosphene.data.translation import Pair

NO_PICTURE = -1

Encode = Callable[[Sequence[str]], list[list[int]]]
"""Sentences to ids without specials: ``Tokenizer.encode_all``."""


@dataclass(frozen=True)
class VectorTable:
    """Vectors made once, and the one that belongs to each example (``NO_PICTURE``: none)."""

    values: Float[Tensor, "vector feature"]
    of: Int[np.ndarray, " example"]

    def batch(self, indices: Indices) -> Vectors:
        """Vectors of some examples side by side; an absent one is zero and masked."""
        rows = torch.from_numpy(self.of[indices])
        present = rows != NO_PICTURE
        if not len(self.values):
            return Vectors(torch.zeros(len(rows), self.values.shape[1]), present)
        return Vectors(self.values[rows.clamp(min=0)].float() * present[:, None], present)


@dataclass(frozen=True)
class TranslationData:
    """One split, ready to be batched.

    ``picture_of`` gives each example's row in ``pictures``, ``picture_names``, ``features`` and
    ``tags``, or ``NO_PICTURE``; it is there also where the pictures themselves were not asked for.
    ``features`` are a teacher's regions of the same pictures, made once, as many of each;
    ``regions`` knows by name any number of each, read when they are needed.
    ``vectors`` are of an encoder that aligns pictures and sentences: each example has that of its
    picture or of a text.
    """

    pairs: tuple[Pair, ...]
    sources: list[list[int]]
    targets: list[list[int]]
    picture_of: Int[np.ndarray, " example"]
    pictures: UInt8[np.ndarray, "picture height width 3"] | None = None
    features: Float[Tensor, "picture region feature"] | None = None
    picture_names: tuple[str, ...] = ()
    regions: RegionTable | None = None
    tags: list[list[int]] | None = None
    source_end: tuple[int, ...] = (EOS_ID,)
    """What a source ends with in a batch; nothing where the encoder adds its own specials."""
    vectors: VectorTable | None = None

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def references(self) -> list[str]:
        """The target sentences as text."""
        return [pair.target for pair in self.pairs]

    def batch(self, indices: Indices, photo_rows: Indices | Sequence[int] = ()) -> Batch:
        """Examples side by side; rows ``photo_rows`` of the batch bring their pixels along.

        Every example that has a picture brings its regions and tags where the data has them.
        """
        pixels = None
        if self.pictures is not None:
            rows = np.asarray(photo_rows, dtype=np.int64)
            values = self.pictures[self.picture_of[indices[rows]]] if len(rows) else None
            pixels = _pixels(values, rows, self.pictures.shape[1:3])
        return collate(
            [self.pairs[index].id for index in indices],
            [self.sources[index] for index in indices],
            [self.targets[index] for index in indices],
            pixels=pixels,
            regions=self._regions(indices),
            tags=self._tags(indices),
            source_end=self.source_end,
            vectors=None if self.vectors is None else self.vectors.batch(indices),
        )

    def rows_with_picture(self, indices: Indices) -> Indices:
        """Which rows of a batch have a picture."""
        return np.flatnonzero(self.picture_of[indices] != NO_PICTURE)

    def with_features(self, features: Float[Tensor, "picture region feature"]) -> TranslationData:
        """The same data with a teacher's regions."""
        return replace(self, features=features)

    def with_sources(self, encode: Encode, end: tuple[int, ...]) -> TranslationData:
        """The same data with sources in other ids."""
        sources = encode([pair.source for pair in self.pairs])
        return replace(self, sources=sources, source_end=end)

    def with_regions(self, table: RegionTable, encode: Encode) -> TranslationData:
        """The same data with a detector's regions, and its tags as the ids of a text.

        Raises:
            InputError: two pictures have the same name, or the table lacks one.
        """
        names = self.picture_names
        if len(set(names)) < len(names):
            double = next(name for row, name in enumerate(names) if name in names[:row])
            raise InputError(f"two pictures have the name {double!r}: regions are found by name")
        lacking = [name for name in names if name not in table]
        if lacking:
            raise InputError(
                f"{len(lacking):,} of {len(names):,} pictures have no entry in the table of "
                f"regions, {lacking[0]!r} is the first"
            )
        return replace(
            self, regions=table, tags=encode([" ".join(table.tags(name)) for name in names])
        )

    def only_with_pictures(self) -> TranslationData:
        """The examples that have a picture."""
        return self.take(np.flatnonzero(self.picture_of != NO_PICTURE))

    def take(self, indices: Indices) -> TranslationData:
        """Some of the examples, in the order of ``indices``."""
        vectors = self.vectors
        return replace(
            self,
            pairs=tuple(self.pairs[index] for index in indices),
            sources=[self.sources[index] for index in indices],
            targets=[self.targets[index] for index in indices],
            picture_of=self.picture_of[indices],
            vectors=vectors and VectorTable(vectors.values, vectors.of[indices]),
        )

    def digest(self) -> str:
        """Twelve hexadecimal digits of the examples: the data of a signature, whoever reads it."""
        hashed = hashlib.sha256()
        for pair in self.pairs:
            hashed.update(f"{pair.id}\t{pair.source}\t{pair.target}\n".encode())
        hashed.update(self.picture_of.tobytes())
        return hashed.hexdigest()[:12]

    def _tags(self, indices: Indices) -> Tokens | None:
        if self.tags is None:
            return None
        rows = self.picture_of[indices].tolist()
        return Tokens.pad([() if row == NO_PICTURE else self.tags[row] for row in rows], PAD_ID)

    def _regions(self, indices: Indices) -> Regions | None:
        if self.regions is not None:
            rows = self.picture_of[indices].tolist()
            return self.regions.regions(
                [None if row == NO_PICTURE else self.picture_names[row] for row in rows]
            )
        if self.features is None:
            return None
        pictures = torch.from_numpy(self.picture_of[indices])
        present = pictures != NO_PICTURE  # of a split without any photo nobody
        features = torch.zeros(len(indices), *self.features.shape[1:])
        features[present] = self.features[pictures[present]].float()
        mask = present[:, None].expand(features.shape[:2])
        return Regions(features, mask.contiguous())


@final
class TrainingBatches:
    """Batches for a stage: seeded, resumable at any batch, with a budget of photos.

    ``photos_per_batch`` rows of each global batch, drawn among those that have a picture, bring
    their pixels; looking at all of them would cost more than translating.
    """

    def __init__(
        self, data: TranslationData, max_tokens: int, seed: int, photos_per_batch: int = 0
    ) -> None:
        self.data = data
        self.seed = seed
        self.photos_per_batch = photos_per_batch
        self.order = TokenBatches(
            [len(source) + 1 for source in data.sources],
            [len(target) + 1 for target in data.targets],
            max_tokens,
            seed,
            ids=[pair.id for pair in data.pairs],
        )

    def iterate(
        self, start: Position, rank: int = 0, processes: int = 1
    ) -> Iterator[tuple[Position, Batch]]:
        """Batches from ``start`` on without end, each with the position after it."""
        for here, after, indices in walk(self.order.epoch, start):
            mine = shard(np.arange(len(indices)), rank, processes)
            seen = np.isin(mine, self._photos(indices, here))
            yield after, self.data.batch(indices[mine], np.flatnonzero(seen))

    def _photos(self, indices: Indices, here: Position) -> Indices:
        rows = self.data.rows_with_picture(indices)
        if len(rows) <= self.photos_per_batch:
            return rows if self.photos_per_batch else rows[:0]
        rng = np.random.default_rng([self.seed, here.epoch, here.batch])
        return np.sort(rng.choice(rows, self.photos_per_batch, replace=False))


@dataclass(frozen=True)
class LabelledScenes:
    """Drawn pictures and their labels."""

    pictures: UInt8[np.ndarray, "picture height width 3"]
    labels: Float[np.ndarray, "picture label"]


@final
class PictureBatches:
    """Labelled pictures in a seeded order, ``size`` at a time; the last of an epoch is shorter."""

    def __init__(self, scenes: LabelledScenes, size: int, seed: int) -> None:
        self.scenes = scenes
        self.order = Shuffled(one_by_one(len(scenes.labels)), size, seed)

    def iterate(
        self, start: Position, rank: int = 0, processes: int = 1
    ) -> Iterator[tuple[Position, LabelledPictures]]:
        """Batches from ``start`` on without end, each with the position after it."""
        for _, after, indices in walk(self.order.epoch, start):
            mine = shard(indices, rank, processes)
            yield (
                after,
                LabelledPictures(
                    to_tensor(self.scenes.pictures[mine]),
                    torch.from_numpy(self.scenes.labels[mine]),
                ),
            )


def evaluation_batches(
    data: TranslationData, max_tokens: int, *, photos: bool = False
) -> Iterator[tuple[Indices, Batch]]:
    """Every example once, in batches of similar length, with its position in ``data``."""
    lengths = [
        max(len(source), len(target)) + 1
        for source, target in zip(data.sources, data.targets, strict=True)
    ]
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and (end + 1 - start) * lengths[order[end]] <= max_tokens:
            end += 1
        indices = order[start:end]
        yield indices, data.batch(indices, data.rows_with_picture(indices) if photos else ())
        start = end


def encode(
    pairs: Sequence[Pair],
    tokenizer: Tokenizer,
    picture_side: int = 0,
    progress: Progress | None = None,
) -> TranslationData:
    """Pairs as ids, and their pictures as squares of ``picture_side`` pixels (0: no pictures).

    Raises:
        InputError: a picture is missing or damaged.
    """
    paths = list(dict.fromkeys(pair.image for pair in pairs if pair.image is not None))
    pictures = None
    if picture_side:
        pictures = np.empty((len(paths), picture_side, picture_side, 3), dtype=np.uint8)
        for row, path in enumerate(paths):
            pictures[row] = load_rgb(path, picture_side)
            if progress is not None:
                progress(row + 1, len(paths))
    place = {path: row for row, path in enumerate(paths)}
    picture_of = [NO_PICTURE if pair.image is None else place[pair.image] for pair in pairs]
    return TranslationData(
        tuple(pairs),
        tokenizer.encode_all([pair.source for pair in pairs]),
        tokenizer.encode_all([pair.target for pair in pairs]),
        np.array(picture_of, dtype=np.int64),
        pictures,
        picture_names=tuple(path.stem for path in paths),
    )


def _pixels(
    values: UInt8[np.ndarray, "photo height width 3"] | None,
    rows: Indices,
    size: tuple[int, ...],
) -> Pixels:
    if values is None:
        return Pixels(torch.zeros(0, 3, *size), torch.zeros(0, dtype=torch.long))
    return Pixels(to_tensor(values), torch.from_numpy(rows))
