"""The same picture, or nearly the same sentence, in what is trained on and what is tested on.

Pictures are compared by name, by content (equal files) and by look (a difference hash and a
thumbnail, so that a copy at another size or quality is found). Sentences are compared by their
words and, where these are not the same, by resemblance (the share of words and word pairs that two
sentences have in common) and by the words that have to be edited.

Sources: Broder 1997 (resemblance); Chaudhuri et al. 2006 (two sets that resemble each other share
one of their rarest elements, so only those are looked up).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal, final

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from phosphene.data.captions import picture_key, sentence_key, sentence_words
from phosphene.data.edits import EditIndex
from phosphene.data.image import load_rgb

Kind = Literal["same name", "same file", "same look", "same sentence", "near sentence"]
NEAR: Final = 0.7
"""Resemblance from which two sentences are near: of twelve words one may differ. So are those of
which few words have to be edited (:mod:`phosphene.data.edits`): of eight one may differ."""
LOOK_BITS: Final = 12
"""Of the 256 bits of a hash so many may differ between two copies of one picture."""
LOOK_LEVELS: Final = 8.0
"""Of 255 levels so many may their thumbnails differ, on average."""
_SIDE: Final = 16
Shingle = str
Shingles = frozenset[Shingle]


@dataclass(frozen=True)
class Shown:
    """A picture of a set: its name in the data, and the file where there is one."""

    name: str
    path: Path | None = None


@dataclass(frozen=True)
class DataSet:
    """What is trained on, or what is tested on."""

    name: str
    sentences: Mapping[str, str] = field(default_factory=dict)
    """By their places in the data, such as ``train:17``. Questions are not given: the same one is
    asked of many pictures."""
    pictures: tuple[Shown, ...] = ()


@dataclass(frozen=True)
class Leak:
    """Something of an evaluation set that is trained on."""

    kind: Kind
    train: str
    """What it is, or where it stands, in the training set."""
    test: str
    """The same in the evaluation set."""


@dataclass(frozen=True)
class Overlap:
    """What two sets share; each entry of the evaluation set is there once at most for a kind."""

    train: str
    test: str
    leaks: tuple[Leak, ...]

    def counts(self) -> dict[Kind, int]:
        """How many entries of the evaluation set are in training, by how they were found."""
        return dict(Counter(leak.kind for leak in self.leaks))


Looks = Callable[[Path], UInt8[np.ndarray, "16 17 3"]]
"""A picture as small as it is compared."""


def overlaps(train: Sequence[DataSet], tests: Sequence[DataSet]) -> list[Overlap]:
    """Every training set with every evaluation set; pairs that share nothing are left out.

    Raises:
        InputError: a picture is missing or damaged.
    """
    look = cache(small)
    asked = Sentences(
        (number, place, text)
        for number, test in enumerate(tests)
        for place, text in test.sentences.items()
    )
    found = []
    for one in train:
        said = asked.found_in(one.sentences)
        for number, other in enumerate(tests):
            leaks = (*shared_pictures(one.pictures, other.pictures, look), *said.get(number, ()))
            if leaks:
                found.append(Overlap(one.name, other.name, leaks))
    return found


@dataclass
class _Asked:
    """A sentence of an evaluation set, and what is most like it in a training set."""

    test: int
    place: str
    text: str
    shingles: Shingles
    best: float = 0.0
    twin: str = ""


@final
class Sentences:
    """The sentences of all evaluation sets, to be looked for in one training set after another.

    Args:
        sentences: the number of the set, the place in it, the sentence.
    """

    def __init__(self, sentences: Iterable[tuple[int, str, str]]) -> None:
        self._all = [_Asked(*each, shingles(each[2])) for each in sentences]
        self._edits = EditIndex([sentence_words(each.text) for each in self._all])
        self._same: defaultdict[str, list[_Asked]] = defaultdict(list)
        self._frequency = Counter(one for each in self._all for one in each.shingles)
        self._index: defaultdict[Shingle, list[_Asked]] = defaultdict(list)
        for each in self._all:
            self._same[sentence_key(each.text)].append(each)
            for one in self._rarest(each.shingles):
                self._index[one].append(each)

    def found_in(self, train: Mapping[str, str]) -> dict[int, list[Leak]]:
        """What ``train`` has word for word, or nearly, by the number of the evaluation set."""
        for each in self._all:
            each.best, each.twin = 0.0, ""
        for place, text in train.items():
            for each in self._same.get(sentence_key(text), ()):
                if each.best <= 1:
                    each.best, each.twin = 2.0, f"{place}: {text}"
            own = shingles(text)
            candidates = {
                id(each): each for one in self._rarest(own) for each in self._index.get(one, ())
            }
            near = [each for each in candidates.values() if resemblance(own, each.shingles) >= NEAR]
            near += [self._all[number] for number in self._edits.near(sentence_words(text))]
            for each in near:
                value = resemblance(own, each.shingles)
                if value > each.best:
                    each.best, each.twin = value, f"{place}: {text}"
        leaks: defaultdict[int, list[Leak]] = defaultdict(list)
        for each in self._all:
            if each.best:
                kind: Kind = "same sentence" if each.best > 1 else "near sentence"
                leaks[each.test].append(Leak(kind, each.twin, f"{each.place}: {each.text}"))
        return leaks

    def _rarest(self, of: Shingles) -> list[Shingle]:
        """Two sets whose resemblance is ``NEAR`` share one of these, rare in evaluation sets."""
        count = len(of) - math.ceil(NEAR * len(of)) + 1
        return sorted(of, key=lambda one: (self._frequency[one], one))[:count]


def shingles(text: str) -> Shingles:
    """The words of a sentence and its pairs of neighbouring words."""
    words = sentence_words(text)
    return frozenset([*words, *map(" ".join, pairwise(words))])


def resemblance(one: Shingles, other: Shingles) -> float:
    """The share of all that either has which both have (Jaccard).

    >>> resemblance(shingles("a red dog"), shingles("a red cat"))
    0.42857142857142855
    """
    return len(one & other) / max(len(one | other), 1)


def shared_pictures(train: Sequence[Shown], test: Sequence[Shown], look: Looks) -> Iterator[Leak]:
    """Pictures of ``test`` that training has: by name, else as the same file, else by look."""
    names = {picture_key(shown.name): shown for shown in reversed(train)}
    left = []
    for shown in dict.fromkeys(test):
        twin = names.get(picture_key(shown.name))
        # Two files of one name may be two pictures; then their contents tell.
        if twin is not None and (None in (twin.path, shown.path) or twin.path == shown.path):
            yield Leak("same name", twin.name, shown.name)
        elif shown.path is not None:
            left.append(shown)
    seen = [shown for shown in dict.fromkeys(train) if shown.path is not None]
    if not seen or not left:
        return
    sizes = {shown.path.stat().st_size for shown in left if shown.path is not None}
    files = {_digest(s.path): s.name for s in seen if s.path and s.path.stat().st_size in sizes}
    others = []
    for shown in left:
        assert shown.path is not None
        if (digest := _digest(shown.path)) in files:
            yield Leak("same file", files[digest], shown.name)
        else:
            others.append(shown)
    yield from _alike(seen, others, look)


def small(path: Path) -> UInt8[np.ndarray, "16 17 3"]:
    """A picture in 17 columns and 16 rows, to be compared.

    Raises:
        InputError: it is missing or damaged.
    """
    square = Image.fromarray(load_rgb(path, 64))
    return np.asarray(square.resize((_SIDE + 1, _SIDE), Image.Resampling.BOX))


def difference_hash(
    picture: UInt8[np.ndarray, "16 17 3"],
) -> UInt8[np.ndarray, " 32"]:
    """256 bits: where a place is brighter than the one on its left."""
    grey = picture.astype(np.int64).sum(axis=2)
    return np.packbits(grey[:, 1:] > grey[:, :-1])


def _alike(train: Sequence[Shown], test: Sequence[Shown], look: Looks) -> Iterator[Leak]:
    """Pictures whose hashes differ in few bits and whose thumbnails differ little."""
    thumbnails = np.stack([look(shown.path) for shown in train if shown.path is not None])
    hashes = np.stack([difference_hash(each) for each in thumbnails])
    for shown in test:
        assert shown.path is not None
        own = look(shown.path)
        bits = np.unpackbits(hashes ^ difference_hash(own), axis=1).sum(axis=1)
        for row in np.flatnonzero(bits <= LOOK_BITS).tolist():
            levels = np.abs(thumbnails[row].astype(np.int64) - own.astype(np.int64)).mean()
            if levels <= LOOK_LEVELS:
                yield Leak("same look", train[row].name, shown.name)
                break


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


__all__ = [
    "DataSet",
    "Kind",
    "Leak",
    "Overlap",
    "Sentences",
    "Shown",
    "difference_hash",
    "overlaps",
    "resemblance",
    "shared_pictures",
    "shingles",
    "small",
]
