"""Sentences that few edits of words turn into each other, found among many.

One of ``k + 1`` parts of a sentence is left whole by ``k`` edits, and hardly moves. So parts are
looked up, and only sentences that share one at the right place are compared word by word.

Source: Li et al. 2011 (Pass-Join: parts, their lengths, and how far they can move).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, final

SHARE: Final = 0.15
LEAST: Final = 6
"""In a sentence with fewer words, one that differs may be all that it says."""
Place = tuple[int, int, int]
"""Words of a sentence, start of a part and its end."""


def allowed_edits(words: int) -> int:
    """So many of a sentence's ``words`` may be changed, added or left out.

    >>> [allowed_edits(words) for words in (5, 6, 13, 14, 20)]
    [0, 1, 1, 2, 3]
    """
    return max(1, int(SHARE * words)) if words >= LEAST else 0


def edit_distance(one: Sequence[str], other: Sequence[str]) -> int:
    """Fewest words to change, add or leave out (Levenshtein).

    >>> edit_distance("a red dog runs".split(), "a dog runs fast".split())
    2
    """
    row = list(range(len(other) + 1))
    for number, word in enumerate(one, start=1):
        before, row = row, [number]
        for place, twin in enumerate(other):
            row.append(min(before[place] + (word != twin), before[place + 1] + 1, row[place] + 1))
    return row[-1]


@final
class EditIndex:
    """Sentences, to be found by those that few edits turn into them.

    Args:
        sentences: as words. Those with fewer than ``LEAST`` are never found.
    """

    def __init__(self, sentences: Sequence[Sequence[str]]) -> None:
        self._all = [tuple(sentence) for sentence in sentences]
        self._words = [frozenset(sentence) for sentence in self._all]
        self._parts: defaultdict[Place, defaultdict[tuple[str, ...], list[int]]]
        self._parts = defaultdict(lambda: defaultdict(list))
        for number, sentence in enumerate(self._all):
            for start, end in parts(len(sentence)):
                place = (len(sentence), start, end)
                self._parts[place][sentence[start:end]].append(number)
        self._places: dict[int, list[tuple[int, int, Place]]] = {}

    def near(self, sentence: Sequence[str]) -> Iterator[int]:
        """Numbers of the sentences that ``allowed_edits`` of their words turn into ``sentence``."""
        asked, words = tuple(sentence), frozenset(sentence)
        seen = set[int]()
        for start, end, place in self._looked_up(len(asked)):
            for number in self._parts[place].get(asked[start:end], ()):
                if number in seen:
                    continue
                seen.add(number)
                most = allowed_edits(place[0])
                # An edit takes one word away at most, and brings one.
                if len(words ^ self._words[number]) > 2 * most:
                    continue
                if edit_distance(self._all[number], asked) <= most:
                    yield number

    def _looked_up(self, words: int) -> list[tuple[int, int, Place]]:
        """Which parts of a sentence of so many ``words`` may be which parts of those known."""
        if words not in self._places:
            self._places[words] = [
                (place[1] + move, place[2] + move, place)
                for place in self._parts
                for move in _moves(words - place[0], allowed_edits(place[0]))
                if place[1] + move >= 0 and place[2] + move <= words
            ]
        return self._places[words]


def parts(words: int) -> list[tuple[int, int]]:
    """Start and end of the parts of a sentence of which one survives ``allowed_edits``.

    >>> parts(14)
    [(0, 4), (4, 9), (9, 14)]
    """
    most = allowed_edits(words)
    if not most:
        return []
    ends = [words * number // (most + 1) for number in range(most + 2)]
    return list(pairwise(ends))


def _moves(longer: int, most: int) -> list[int]:
    """How far a part may have moved: edits before it move it, those behind it do the rest."""
    return [move for move in range(-most, most + 1) if abs(move) + abs(longer - move) <= most]


__all__ = ["LEAST", "SHARE", "EditIndex", "allowed_edits", "edit_distance", "parts"]
