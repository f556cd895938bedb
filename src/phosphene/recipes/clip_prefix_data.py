"""Examples of the recipe ``clip_prefix``: ids with language tokens, and the vectors before them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.runlog import RunLog
from phosphene.core.types import Batch, Tokens, Vectors
from phosphene.data.dataset import NO_PICTURE, TrainingBatches, TranslationData, VectorTable
from phosphene.data.described import Described, Direction, Picture
from phosphene.data.image import load_rgb
from phosphene.data.loader import Position
from phosphene.data.text import SubWords
from phosphene.data.translation import Pair
from phosphene.data.world.draw import draw
from phosphene.data.world.scene import Scene
from phosphene.data.world.splits import swapped
from phosphene.models.aligned import AlignedEncoder
from phosphene.models.vectors import read_vectors, store_image_vectors, store_text_vectors
from phosphene.recipes.clip_prefix_settings import Arm

_PART = 256
"""Scenes drawn at a time."""


@dataclass(frozen=True)
class Examples:
    """Encoded examples and the picture of each; :class:`Space` adds vectors."""

    data: TranslationData
    pictures: tuple[Picture | None, ...]

    def illustrated(self) -> Examples:
        """Those that have a picture."""
        rows = self.data.rows_with_picture(np.arange(len(self.data)))
        pictures = tuple(self.pictures[row] for row in rows)
        return Examples(replace(self.data.take(rows), picture_of=_rows(pictures)), pictures)


def translations(
    items: Sequence[Described], directions: Sequence[Direction], tokenizer: SubWords
) -> Examples:
    """Every item in every direction that it has both languages of.

    Raises:
        InputError: the vocabulary has no code for a language.
    """
    found = [
        (direction, item)
        for direction in directions
        for item in items
        if direction[0] in item.sentences and direction[1] in item.sentences
    ]
    pairs = [_pair(direction, item) for direction, item in found]
    starts, ends = ([direction[side] for direction, _ in found] for side in (0, 1))
    return _examples(
        pairs,
        _tagged(tokenizer, starts, [pair.source for pair in pairs]),
        _tagged(tokenizer, ends, [pair.target for pair in pairs]),
        [item.picture for _, item in found],
    )


def _pair(direction: Direction, item: Described) -> Pair:
    start, end = direction
    whole = item.sentences[start]
    name, target = f"{start}-{end}:{item.id}", item.sentences[end]
    photo = item.picture if isinstance(item.picture, Path) else None
    if start not in item.hidden:
        return Pair(name, whole, target, photo)
    return Pair(name, item.hidden[start], target, photo, before_hiding=whole)


def monolingual(items: Sequence[Described], tokenizer: SubWords) -> TranslationData:
    """Every sentence as its own translation into its own language."""
    found = [(code, item) for item in items for code in item.sentences]
    lines = [item.sentences[code] for code, item in found]
    ids = _tagged(tokenizer, [code for code, _ in found], lines)
    pairs = [
        Pair(f"{code}:{item.id}", line, line)
        for (code, item), line in zip(found, lines, strict=True)
    ]
    return _examples(pairs, ids, ids, [None] * len(pairs)).data


def captions(
    items: Sequence[Described], languages: Sequence[str], source: str, tokenizer: SubWords
) -> Examples:
    """Every sentence in one of ``languages`` as a target; ``<source> EOS`` is left of the source.

    The text of a source is its target's: what a vector of it is made from.

    Raises:
        InputError: the vocabulary has no code for a language.
    """
    found = [(code, item) for code in languages for item in items if code in item.sentences]
    lines = [item.sentences[code] for code, item in found]
    return _examples(
        [
            Pair(f"{code}:{item.id}", line, line)
            for (code, item), line in zip(found, lines, strict=True)
        ],
        [[tokenizer.language_id(source)] for _ in found],
        _tagged(tokenizer, [code for code, _ in found], lines),
        [item.picture for _, item in found],
    )


def mixed(first: TranslationData, second: TranslationData) -> TranslationData:
    """The examples of both, each with its own vector."""
    assert first.vectors is not None and second.vectors is not None
    places = np.where(
        second.vectors.of == NO_PICTURE, NO_PICTURE, second.vectors.of + len(first.vectors.values)
    )
    return TranslationData(
        (*first.pairs, *second.pairs),
        [*first.sources, *second.sources],
        [*first.targets, *second.targets],
        np.full(len(first) + len(second), NO_PICTURE),
        vectors=VectorTable(
            torch.cat([first.vectors.values, second.vectors.values]),
            np.concatenate([first.vectors.of, places]),
        ),
    )


def _tagged(tokenizer: SubWords, codes: Sequence[str], lines: Sequence[str]) -> list[list[int]]:
    ids = {code: tokenizer.language_id(code) for code in dict.fromkeys(codes)}
    encoded = tokenizer.encode_all(lines)
    return [[ids[code], *words] for code, words in zip(codes, encoded, strict=True)]


def _examples(
    pairs: Sequence[Pair],
    sources: list[list[int]],
    targets: list[list[int]],
    pictures: Sequence[Picture | None],
) -> Examples:
    data = TranslationData(tuple(pairs), sources, targets, _rows(pictures))
    return Examples(data, tuple(pictures))


def _rows(pictures: Sequence[Picture | None]) -> np.ndarray:
    """The place of each picture among the different ones."""
    place = {picture: row for row, picture in enumerate(_distinct(pictures))}
    return np.array(
        [NO_PICTURE if picture is None else place[picture] for picture in pictures], dtype=np.int64
    )


def _distinct(pictures: Sequence[Picture | None]) -> list[Picture]:
    return list(dict.fromkeys(picture for picture in pictures if picture is not None))


@final
class Space:
    """Vectors of a frozen encoder for examples: of their sources' texts, or of their pictures.

    Those of sentences and of files are kept in ``folder`` where one is given.
    """

    def __init__(self, encoder: AlignedEncoder, folder: Path | None, log: RunLog) -> None:
        self.encoder = encoder
        self._folder = folder
        self._log = log

    def saying(self, examples: Examples) -> TranslationData:
        """Each example with the vector of its source text."""
        lines = [pair.source for pair in examples.data.pairs]
        distinct = list(dict.fromkeys(lines))
        place = {line: row for row, line in enumerate(distinct)}
        of = np.array([place[line] for line in lines], dtype=np.int64)
        return replace(examples.data, vectors=VectorTable(self.of_texts(distinct), of))

    def showing(self, examples: Examples) -> TranslationData:
        """Each example with the vector of its picture, where it has one.

        Raises:
            InputError: a picture is missing or damaged.
        """
        values = self.of_pictures(_distinct(examples.pictures))
        return replace(examples.data, vectors=VectorTable(values, examples.data.picture_of))

    def showing_others(self, examples: Examples, seed: int) -> TranslationData:
        """Each example with the vector of a picture that is not its own, always the same one."""
        data = self.showing(examples)
        assert data.vectors is not None
        order = list(swapped(len(data.vectors.values), seed))
        return replace(data, vectors=VectorTable(data.vectors.values[order], data.vectors.of))

    def of_texts(self, lines: Sequence[str]) -> Float[Tensor, "line feature"]:
        """Vectors of different sentences."""
        if self._folder is None or not lines:
            return self.encoder.text_vectors(lines)
        named = {hashlib.sha256(line.encode()).hexdigest()[:32]: line for line in lines}
        store = store_text_vectors(self._folder / "texts", self.encoder, named, self._log)
        return read_vectors(store, list(named)).values

    def of_pictures(self, pictures: Sequence[Picture]) -> Float[Tensor, "picture feature"]:
        """Vectors of different pictures: all files, or all scenes."""
        files = [picture for picture in pictures if isinstance(picture, Path)]
        scenes = [picture for picture in pictures if isinstance(picture, Scene)]
        if self._folder is not None and files:
            named = {str(file): file for file in files}
            store = store_image_vectors(self._folder / "pictures", self.encoder, named, self._log)
            return read_vectors(store, list(named)).values
        vectors = [torch.zeros(0, self.encoder.width)]
        for start in range(0, len(pictures), _PART):
            part = slice(start, start + _PART)
            drawn = [draw(scene) for scene in scenes[part]]
            loaded = [load_rgb(file, self.encoder.side) for file in files[part]]
            vectors.append(self.encoder.image_vectors(np.stack([*drawn, *loaded])))
        return torch.cat(vectors)


def captioned(arm: Arm, space: Space, told: Examples, seed: int) -> TranslationData:
    """The captions of stage 1, each with the vector that it is written from."""
    match arm.captions:
        case "own_text":
            return space.saying(told)
        case "other_photo":
            return space.showing_others(told, seed)
        case _:
            return space.showing(told)


def sourced(arm: Arm, space: Space, sentences: Examples) -> TranslationData:
    """The translations of stage 2, each with the vector that stands beside its source."""
    match arm.translations:
        case "source_text":
            return space.saying(sentences)
        case "photo":
            return space.showing(sentences)
        case None:
            return sentences.data


@final
class Withholding:
    """Batches of which parts are withheld by chance: source tokens, and whole vectors.

    The language and EOS of a source stay (``--mask_prob`` of the released code). What goes depends
    on seed and place of the batch.

    Args:
        batches: what is withheld from.
        seed: the same seed withholds the same.
        tokens: share of the source tokens.
        vectors: share of the examples that lose their vector.
    """

    def __init__(
        self, batches: TrainingBatches, seed: int, *, tokens: float = 0.0, vectors: float = 0.0
    ) -> None:
        self._batches = batches
        self._seed = seed
        self._tokens = tokens
        self._vectors = vectors

    def iterate(
        self, start: Position, rank: int = 0, processes: int = 1
    ) -> Iterator[tuple[Position, Batch]]:
        """Batches from ``start`` on without end, each with the position after it."""
        for after, batch in self._batches.iterate(start, rank, processes):
            rng = np.random.default_rng([self._seed, after.epoch, after.batch, rank])
            yield (
                after,
                replace(
                    batch,
                    source=self._some_tokens(batch.source, rng),
                    vectors=self._some_vectors(batch.vectors, rng),
                ),
            )

    def _some_tokens(self, source: Tokens, rng: np.random.Generator) -> Tokens:
        if not self._tokens:
            return source
        kept = []
        for ids, length in zip(source.ids.tolist(), source.mask.sum(dim=1).tolist(), strict=True):
            gone = rng.random(length) < self._tokens
            gone[[0, -1]] = False
            kept.append([word for word, drop in zip(ids, gone, strict=False) if not drop])
        return Tokens.pad(kept)

    def _some_vectors(self, vectors: Vectors | None, rng: np.random.Generator) -> Vectors | None:
        if vectors is None or not self._vectors:
            return vectors
        kept = vectors.mask & torch.from_numpy(rng.random(len(vectors.mask)) >= self._vectors)
        return Vectors(vectors.values * kept[:, None], kept)


__all__ = [
    "Examples",
    "Space",
    "Withholding",
    "captioned",
    "captions",
    "mixed",
    "monolingual",
    "sourced",
    "translations",
]
