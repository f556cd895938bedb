"""Words that are hidden in source sentences: colours, depicted things, nouns, people, any.

A hidden word becomes :data:`HIDDEN`, which no text has. The probe ``degrade`` hides words when a
model is tested; ``data.hidden`` of a recipe hides them in training, validation and tests, so that
the model has learned what a hidden word is.

Sources: Caglayan et al. 2019 (colours, entities), Peng et al. 2022 (Table 6), Li et al. 2022.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from pydantic import Field, model_validator

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.data.lines import read_lines
from phosphene.data.translation import Pair, multi30k
from phosphene.data.world.lexicon import COLOURS as WORLD_COLOURS
from phosphene.data.world.lexicon import KINDS, WORDS
from phosphene.data.world.lexicon import PEOPLE as WORLD_PEOPLE

HIDDEN: Final = "█"
MASK: Final = "[v]"
"""How the files of entity masks write a masked word."""
RANDOM_SHARE: Final = 0.15
_BASIC = "black white red green yellow blue brown orange pink purple gray"
COLOURS: Final = frozenset(f"{_BASIC} grey golden silver tan beige".split(" "))
"""Eleven basic colours and five more: 3.2 % of the words of Multi30K, as the IKD paper counts."""
_PEOPLE = "man men woman women boy boys girl girls people person child children"
PEOPLE: Final = frozenset(_PEOPLE.split(" "))
_MASKS: Final = "multi30k/masks/{}.lc.norm.tok.entity.en"
_WORD: Final = re.compile(r"\w+")
WordClass = Literal["colours", "entities", "nouns", "people", "random"]


class HiddenConfig(Frozen):
    """Which words of the source are hidden, as the probe ``degrade`` hides them."""

    words: WordClass
    """``entities`` and ``nouns``: of Multi30K, as its entity masks say; ``nouns`` of the world."""
    share: float = Field(default=RANDOM_SHARE, gt=0, lt=1)
    """``random``: each word is hidden with this probability, in every split with the same seed."""

    @model_validator(mode="after")
    def _share_is_of_random_words(self) -> HiddenConfig:
        if self.words != "random" and self.share != RANDOM_SHARE:
            raise ValueError(f"share belongs to words = 'random', not to '{self.words}'")
        return self


class Hiding(Frozen):
    """Settings of data whose sources may have hidden words; no word is unless they say so."""

    hidden: HiddenConfig | None = Field(default=None, exclude_if=lambda hidden: hidden is None)
    """Words that are hidden in the sources of training, validation and test data."""


def hide_pairs(
    pairs: Sequence[Pair],
    hidden: HiddenConfig | None,
    language: str,
    source: str,
    root: Path | None = None,
) -> list[Pair]:
    """``pairs`` of one split with words of their sources hidden; targets stay as they are.

    Args:
        pairs: ids of Multi30K end with split and line (from 1).
        hidden: which words; ``None``: no word.
        language: of the sources.
        source: of the data, as settings name it.
        root: Multi30K: the data root.

    Raises:
        InputError: the data do not say which words are meant, or a file of masks does not fit.
    """
    if hidden is None:
        return list(pairs)
    if hidden.words == "random":
        found = hide_some([pair.whole_source for pair in pairs], hidden.share, seed=1)
    elif language == "en":
        found = hide_class(pairs, hidden.words, source, root)
    else:
        raise InputError(
            f"data.hidden: sources are '{language}', and which words are {hidden.words} is known "
            "in English alone: expected words = 'random'"
        )
    return [
        replace(pair, source=line, before_hiding=pair.whole_source)
        for pair, line in zip(pairs, found, strict=True)
    ]


def hide_class(
    pairs: Sequence[Pair], words: WordClass, source: str, root: Path | None = None
) -> list[str]:
    """The English sources of one split without a class of words.

    Raises:
        InputError: as :func:`hide_pairs`.
    """
    if words == "entities":
        return _without_entities(pairs, root)
    known = _members(words, source, root)
    return [hide(pair.whole_source, known) for pair in pairs]


def _members(words: WordClass, source: str, root: Path | None) -> frozenset[str]:
    """The words of a class, in lower case."""
    match words, source:
        case "colours", "world":
            return frozenset(WORLD_COLOURS)
        case "people", "world":
            return _forms(WORLD_PEOPLE)
        case "nouns", "world":
            return _forms(KINDS)
        case "colours", _:
            return COLOURS
        case "people", _:
            return PEOPLE
    return _depictable_nouns(root)


def _forms(kinds: Iterable[str]) -> frozenset[str]:
    words = [WORDS["en"][kind] for kind in kinds]
    return frozenset(form for word in words for form in (word.singular, word.plural))


def mask_file(root: Path, split: str) -> Path:
    """Where the entity masks of a Multi30K split are, if there are any."""
    return root / _MASKS.format(split)


def _masks(words: WordClass, root: Path | None, split: str) -> tuple[Path, list[str], list[str]]:
    """The masks of a split, and the sentences that they are of.

    Raises:
        InputError: there are none, or they have another number of lines than the text.
    """
    if root is None:
        raise InputError(f"data.hidden: which words are {words} is not known of these data")
    path = mask_file(root, split)
    if not path.is_file():
        raise InputError(f"data.hidden: {path} does not exist: expected masks that show {words}")
    masks = read_lines(path)
    original = [pair.source for pair in multi30k(root, split, ("en", "de"))]
    if len(masks) != len(original):
        raise InputError(f"{path}: {len(masks)} lines, expected {len(original)} as in the text")
    return path, masks, original


def _without_entities(pairs: Sequence[Pair], root: Path | None) -> list[str]:
    """Sources without the words that the entity masks of their split cover."""
    places = [pair.id.split(":")[-2:] for pair in pairs]
    split = places[0][0] if places else ""
    path, masks, original = _masks("entities", root, split)
    found = []
    for pair, (_, number) in zip(pairs, places, strict=True):
        line = int(number)
        try:
            found.append(hide_masked(pair.whole_source, original[line - 1], masks[line - 1]))
        except ValueError as error:
            raise InputError(f"{path}:{line}: {error}") from error
    return found


def _depictable_nouns(root: Path | None) -> frozenset[str]:
    """Words that the masks of the training text mostly cover."""
    _, masks, original = _masks("nouns", root, "train")
    return masked_nouns(original, masks)


def hide(sentence: str, words: Collection[str]) -> str:
    """``sentence`` with every one of ``words`` hidden, however it is cased and punctuated.

    >>> hide("A red dog, a Red-hot one.", {"red", "dog"})
    'A █ █, a █-hot one.'
    """
    return _WORD.sub(lambda found: HIDDEN if found[0].lower() in words else found[0], sentence)


def hide_masked(sentence: str, original: str, masked: str) -> str:
    """``sentence`` with the words hidden that are ``[v]`` in ``masked``, a copy of ``original``.

    Where ``sentence`` is not ``original`` but, say, the text before it was tokenised, these words
    are hidden wherever they stand.

    Raises:
        ValueError: ``masked`` is no such copy.
    """
    words, marks = original.split(), masked.split()
    if len(words) != len(marks):
        raise ValueError(f"expected {len(words)} words, got {len(marks)}")
    gone = [mark == MASK for mark in marks]
    if sentence == original:
        return " ".join(HIDDEN if out else word for word, out in zip(words, gone, strict=True))
    return hide(sentence, {word for word, out in zip(words, gone, strict=True) if out})


def hide_some(sentences: Sequence[str], share: float, seed: int) -> list[str]:
    """``sentences`` with each word hidden with probability ``share``."""
    rng = np.random.default_rng(seed)
    return [
        " ".join(HIDDEN if rng.random() < share else word for word in sentence.split())
        for sentence in sentences
    ]


def hidden_share(sentences: Sequence[str]) -> float:
    """Share of the words that are hidden."""
    words = [word for sentence in sentences for word in sentence.split()]
    return sum(HIDDEN in word for word in words) / max(len(words), 1)


def masked_nouns(sentences: Sequence[str], masked: Sequence[str], least: int = 3) -> frozenset[str]:
    """Nouns that can be depicted: the words that masks cover at least half of the times.

    Args:
        sentences: training text.
        masked: the same with entities as ``[v]``.
        least: a word that is rarer than this is no evidence.
    """
    seen, covered = Counter[str](), Counter[str]()
    for sentence, marks in zip(sentences, masked, strict=True):
        for word, mark in zip(sentence.split(), marks.split(), strict=False):
            seen[word] += 1
            covered[word] += mark == MASK
    return frozenset(
        word for word, count in seen.items() if count >= least and 2 * covered[word] >= count
    )


__all__ = [
    "COLOURS",
    "HIDDEN",
    "MASK",
    "PEOPLE",
    "RANDOM_SHARE",
    "HiddenConfig",
    "Hiding",
    "WordClass",
    "hidden_share",
    "hide",
    "hide_class",
    "hide_masked",
    "hide_pairs",
    "hide_some",
    "mask_file",
    "masked_nouns",
]
