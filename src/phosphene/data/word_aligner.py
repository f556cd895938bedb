"""A word aligner that learns from the parallel questions alone: IBM model 1 near the diagonal.

Every word of a translation stems from one word of the English question, or from none. How often a
word becomes another is learned by expectation maximisation; which position it stems from has a
fixed prior that falls off from the diagonal, ``exp(-tension |i/m - j/n|)``. This is the model of
fast_align (Dyer, Chahuneau and Smith, 2013), its tension held. Both directions are learned and
symmetrised by *grow-diag* (Koehn, Och and Marcu, 2003).

The cViL paper aligns with awesome-align, a fine-tuned multilingual BERT; its alignments, or those
of any other tool, are read by :mod:`phosphene.data.pharaoh`.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from jaxtyping import Float

from phosphene.core.errors import InputError
from phosphene.data.pharaoh import Alignment

Words = Sequence[str]
_NEIGHBOURS: Final = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
_FLOOR: Final = 1e-9
"""Probability of a translation that was never seen together: only the position decides."""


@final
class WordAligner:
    """Aligns English questions with their translations; see :meth:`learn`."""

    def __init__(self, forward: TranslationTable, backward: TranslationTable) -> None:
        """From the tables of English to translation, and of the reverse."""
        self._forward = forward
        self._backward = backward

    @classmethod
    def learn(
        cls,
        pairs: Iterable[tuple[Words, Words]],
        iterations: int = 5,
        tension: float = 0.25,
        null: float = 0.2,
    ) -> WordAligner:
        """Learn from ``(English words, translated words)``; case is ignored.

        Args:
            pairs: the parallel questions. What occurs more than once is computed once.
            iterations: of expectation maximisation.
            tension: how strongly links keep to the diagonal; 0 is plain IBM model 1. Japanese and
                Hindi put the verb last, so it is low: of the words for shapes and colours in
                easy-VQA, tension 4 (where fast_align starts) aligns about half, this all.
            null: probability that a word stems from no word.

        Raises:
            InputError: there are no pairs with words on both sides.
        """
        counted = Counter((_lower(english), _lower(other)) for english, other in pairs)
        counted = Counter({pair: n for pair, n in counted.items() if all(pair)})
        if not counted:
            raise InputError("cannot learn to align words: expected questions in two languages")
        turned = Counter({(other, english): n for (english, other), n in counted.items()})
        return cls(
            TranslationTable.learn(counted, iterations, tension, null),
            TranslationTable.learn(turned, iterations, tension, null),
        )

    def align(self, english: Words, translated: Words) -> Alignment:
        """Links ``(English word, translated word)`` of one question, symmetrised."""
        one, other = _lower(english), _lower(translated)
        forward = self._forward.best_links(one, other)
        backward = frozenset((i, j) for j, i in self._backward.best_links(other, one))
        return grow_diag(forward, backward)


@dataclass(frozen=True)
class TranslationTable:
    """Probabilities that one word becomes another, in one direction; ``None`` is no word."""

    probability: dict[tuple[str | None, str], float]
    tension: float
    null: float

    @classmethod
    def learn(
        cls,
        counted: Counter[tuple[tuple[str, ...], tuple[str, ...]]],
        iterations: int,
        tension: float,
        null: float,
    ) -> TranslationTable:
        """Expectation maximisation over ``(source words, target words)`` and their counts."""
        kinds: dict[tuple[str | None, str], int] = {}
        # One entry for every possible link of the corpus, as compact as numpy has them.
        link_kind, link_slot, slot_weight = array("q"), array("q"), array("q")
        link_prior = array("d")
        for (source, target), count in counted.items():
            prior = position_prior(len(source), len(target), tension, null)
            for j, word in enumerate(target):
                for i, origin in enumerate((None, *source)):
                    link_kind.append(kinds.setdefault((origin, word), len(kinds)))
                    link_prior.append(prior[i, j])
                    link_slot.append(len(slot_weight))
                slot_weight.append(count)
        origins: dict[str | None, int] = {}
        origin_of = np.array([origins.setdefault(source, len(origins)) for source, _ in kinds])
        kind, slot = np.array(link_kind), np.array(link_slot)
        weighted_prior, weight = np.array(link_prior), np.array(slot_weight, dtype=np.float64)
        table = np.ones(len(kinds))
        for _ in range(iterations):
            score = table[kind] * weighted_prior
            posterior = score / np.bincount(slot, score)[slot] * weight[slot]
            expected = np.bincount(kind, posterior)
            total = np.bincount(origin_of, expected)[origin_of]
            table = np.divide(expected, total, out=np.zeros_like(expected), where=total > 0)
        return cls(dict(zip(kinds, table.tolist(), strict=True)), tension, null)

    def best_links(self, source: Words, target: Words) -> Alignment:
        """The likeliest origin of every target word: ``(source word, target word)`` links."""
        prior = position_prior(len(source), len(target), self.tension, self.null)
        links = set()
        for j, word in enumerate(target):
            scores = [
                self.probability.get((origin, word), _FLOOR) * prior[i, j]
                for i, origin in enumerate((None, *source))
            ]
            best = int(np.argmax(scores))
            if best:
                links.add((best - 1, j))
        return frozenset(links)


def position_prior(
    source: int, target: int, tension: float, null: float
) -> Float[np.ndarray, "origins targets"]:
    """Probability that each target position stems from each source position, the first from none.

    Columns sum to 1. The position of the ``i``-th of ``m`` words is ``i / m``, from 1.
    """
    here = (np.arange(target) + 1) / max(target, 1)
    there = (np.arange(source) + 1) / max(source, 1)
    near = np.exp(-tension * np.abs(there[:, None] - here[None, :]))
    words = (1 - null) * near / near.sum(axis=0, keepdims=True)
    return np.concatenate([np.full((1, target), null), words])


def grow_diag(forward: Alignment, backward: Alignment) -> Alignment:
    """Links of both directions, then neighbours of these from either that align a new word."""
    union = forward | backward
    links = set(forward & backward)
    added = True
    while added:
        added = False
        for i, j in sorted(links):
            for di, dj in _NEIGHBOURS:
                link = (i + di, j + dj)
                if link not in union or link in links:
                    continue
                if link[0] in {a for a, _ in links} and link[1] in {b for _, b in links}:
                    continue
                links.add(link)
                added = True
    return frozenset(links)


def _lower(words: Words) -> tuple[str, ...]:
    return tuple(word.lower() for word in words)


__all__ = ["TranslationTable", "WordAligner", "grow_diag", "position_prior"]
