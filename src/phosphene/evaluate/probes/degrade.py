"""What is lost when words are hidden: colours, depicted things, nouns, people, a random share.

Where a picture is given, what it recovers of the hidden words is the difference between systems.
A hidden word becomes :data:`HIDDEN`, which no text has: models read one unknown token.

Sources: Caglayan et al. 2019 (colours, entities), Peng et al. 2022 (Table 6), Li et al. 2022.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np

from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.probes.incongruent import Outcome, incongruent
from phosphene.evaluate.score import Score

HIDDEN: Final = "█"
MASK: Final = "[v]"
"""How the files of entity masks write a masked word."""
_BASIC = "black white red green yellow blue brown orange pink purple gray"
COLOURS: Final = frozenset(f"{_BASIC} grey golden silver tan beige".split(" "))
"""Eleven basic colours and five more: 3.2 % of the words of Multi30K, as the IKD paper counts."""
_PEOPLE = "man men woman women boy boys girl girls people person child children"
PEOPLE: Final = frozenset(_PEOPLE.split(" "))
WHOLE: Final = "whole"
_WORD: Final = re.compile(r"\w+")
Data = TypeVar("Data")


@dataclass(frozen=True)
class Degraded(Generic[Data]):
    """One version of the examples, and the share of their source words that is hidden."""

    data: Data
    share: float


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


def degrade(
    title: str,
    run: Callable[[Data], Outcome],
    whole: Data,
    versions: Mapping[str, Sequence[Degraded[Data]]],
) -> Finding:
    """What is lost by hiding each kind of word.

    Args:
        title: of the finding.
        run: uses the system on examples.
        whole: the examples as they are.
        versions: kind of word to the same examples without it; several where it is drawn.
    """
    found = incongruent(
        title, run, whole, {name: [one.data for one in each] for name, each in versions.items()}
    )
    (_, first), *others = found.rows.items()
    nothing = Score("words hidden, %", 0.0, "of the source")
    rows = {WHOLE: (nothing, *first)}
    for name, scores in others:
        share = 100 * float(np.mean([one.share for one in versions[name]]))
        rows[name] = (Score("words hidden, %", share, "of the source"), *scores)
    return Finding(
        title,
        rows,
        "lost: log-probability of the references with the whole source less that without, nats per "
        "example. What a picture recovers is what a system loses less than one that has none.",
    )


__all__ = [
    "COLOURS",
    "HIDDEN",
    "MASK",
    "PEOPLE",
    "WHOLE",
    "Degraded",
    "degrade",
    "hidden_share",
    "hide",
    "hide_masked",
    "hide_some",
    "masked_nouns",
]
