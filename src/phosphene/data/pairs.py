"""Pictures with several sentences each, and the batches in which they are told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar, final

import numpy as np
from jaxtyping import UInt8

from phosphene.core.errors import InputError
from phosphene.data.lines import read_lines
from phosphene.data.loader import Indices, Position, shard, walk
from phosphene.data.translation import multi30k_photos

Data = TypeVar("Data")

CAPTIONS_EACH: Final = 5
"""Independent captions of every Multi30K photo in each language."""


@dataclass(frozen=True)
class Captioned:
    """A picture and what several people said of it. ``id`` is unique within a data set."""

    id: str
    image: Path
    captions: tuple[str, ...]


def multi30k_captions(root: Path, language: str) -> list[Captioned]:
    """The training photos of Multi30K with their five captions of task 2.

    Photos of task 1's validation and test sets are not among them: their captions of task 2
    describe what is evaluated, and nothing may be trained on them.

    Args:
        root: the data root, as for :func:`~phosphene.data.translation.multi30k`.
        language: ``en`` or ``de``; the captions are tokenised and lower-cased.

    Raises:
        InputError: a file is missing, or files disagree with each other.
    """
    if language not in ("en", "de"):
        raise InputError(f"unknown language {language!r}: Multi30K has captions in en and de")
    task = root / "multi30k" / "task2"
    names_file = task / "image_splits" / "train_images.txt"
    names = read_lines(names_file)
    columns = []
    for number in range(1, CAPTIONS_EACH + 1):
        file = task / "tok" / f"train.lc.norm.tok.{number}.{language}"
        columns.append(read_lines(file))
        if len(columns[-1]) != len(names):
            raise InputError(
                f"{file}: {len(columns[-1]):,} lines, but {names_file} has {len(names):,}"
            )
    captions = dict(zip(names, zip(*columns, strict=True), strict=True))
    found = []
    for photo in multi30k_photos(root, "train").values():
        if photo.name not in captions:
            raise InputError(f"{names_file}: {photo.name} is not there, expected every train photo")
        found.append(Captioned(photo.name, photo, captions[photo.name]))
    if not found:
        raise InputError(f"{root / 'flickr8k'}: no training photos, expected manifest.tsv")
    return found


@dataclass(frozen=True)
class HeldOut:
    """Pictures that nothing was trained on, and one sentence about each in some languages."""

    pictures: UInt8[np.ndarray, "picture height width 3"]
    lines: Mapping[str, Sequence[str]]


@final
class PairBatches(Generic[Data]):
    """Every picture once an epoch with one of its sentences, in a seeded order.

    No picture meets itself in a batch: what a contrastive loss takes for a mismatch is one. What
    is left of an epoch when it fills no batch waits for the next epoch: the loss depends on the
    size of a batch.

    Args:
        pictures: how many there are.
        sentences: how many each of them has.
        size: pictures of a batch.
        seed: the same seed gives the same batches.
        make: puts pictures and, of each, the sentence with the given number side by side.

    Raises:
        InputError: there are fewer than two pictures.
    """

    def __init__(
        self,
        pictures: int,
        sentences: int,
        size: int,
        seed: int,
        make: Callable[[Indices, Indices], Data],
    ) -> None:
        if pictures < 2:
            raise InputError(f"{pictures} pictures to align, expected at least 2")
        self._pictures = pictures
        self._sentences = sentences
        self._size = min(size, pictures)
        self._seed = seed
        self._make = make

    def iterate(
        self, start: Position, rank: int = 0, processes: int = 1
    ) -> Iterator[tuple[Position, Data]]:
        """Batches from ``start`` on without end, each with the position after it."""
        for _, after, (pictures, sentences) in walk(self._epoch, start):
            mine = shard(np.arange(self._size), rank, processes)
            yield after, self._make(pictures[mine], sentences[mine])

    def _epoch(self, number: int) -> list[tuple[Indices, Indices]]:
        """The full batches of an epoch: pictures, and the number of a sentence of each."""
        rng = np.random.default_rng([self._seed, number])
        order = rng.permutation(self._pictures)
        sentences = rng.integers(self._sentences, size=self._pictures)
        batches = range(0, self._pictures - self._size + 1, self._size)
        return [(order[at : at + self._size], sentences[at : at + self._size]) for at in batches]


__all__ = ["CAPTIONS_EACH", "Captioned", "HeldOut", "PairBatches", "multi30k_captions"]
