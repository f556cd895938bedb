"""Are words that have several translations translated rightly?

A list says for a word in a sentence which translation is right there. It counts as said where it
is one of the words of the hypothesis, as the data set's own evaluation counts; several words have
to stand side by side. Words are compared however they are cased and tokenised.

Format: that of the Multimodal Lexical Translation data (Lala and Specia 2018), a line of
``word | translation | sentence | ... | picture``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from phosphene.core.errors import InputError
from phosphene.data.captions import picture_key, sentence_key, sentence_words
from phosphene.data.lines import read_lines
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.score import Score
from phosphene.evaluate.significance import bootstrap_mean

_RAREST: Final = 5
"""A word is shown by itself from so many entries on."""
_SHOWN: Final = 20


@dataclass(frozen=True)
class Entry:
    """A word in a sentence and its translation there."""

    word: str
    translation: str
    sentence: str
    picture: str = ""
    """The name of the picture that the sentence is about; empty where the list names none."""


@dataclass(frozen=True)
class Said:
    """A sentence of a split, and what a system made of it."""

    sentence: str
    hypothesis: str
    picture: str = ""
    """The name of the sentence's picture; empty where it is not known."""


def read_entries(path: Path) -> list[Entry]:
    """The entries of a list in the MLT format.

    Raises:
        InputError: a line does not have four columns or more, or one that is needed is empty.
    """
    entries = []
    for number, line in enumerate(read_lines(path), start=1):
        columns = [column.strip() for column in line.split("|")]
        if len(columns) < 4 or not all(columns[:3]):
            raise InputError(
                f"{path}:{number}: expected 'word | translation | sentence | picture', "
                f"got {len(columns)} column(s)"
            )
        entries.append(Entry(columns[0], columns[1], columns[2], columns[-1]))
    return entries


def lexical(title: str, entries: Sequence[Entry], said: Sequence[Said]) -> Finding:
    """Share of entries whose translation was said: of all, and of each frequent word.

    A sentence may stand in a split several times, each time with another picture and another
    right translation. An entry is about the occurrence with its own picture; where no occurrence
    is known to have it, about all whose picture is not known (or, if the entry names none, about
    all). Of several it counts the share that say its translation, so that every entry counts once.

    Args:
        title: of the finding.
        entries: the list.
        said: the split; sentences are compared by their words, pictures by their names as
            different corpora write them.

    Raises:
        InputError: none of the sentences of the list was translated, or none with its picture.
    """
    occurrences: defaultdict[str, list[Said]] = defaultdict(list)
    for one in said:
        occurrences[sentence_key(one.sentence)].append(one)
    found = [occurrences.get(sentence_key(entry.sentence), []) for entry in entries]
    right: defaultdict[str, list[float]] = defaultdict(list)
    for entry, same in zip(entries, found, strict=True):
        hits = [_says(one.hypothesis, entry.translation) for one in _meant(entry, same)]
        if hits:
            right[entry.word].append(sum(hits) / len(hits))
    if not right:
        raise InputError(f"{title}: {_why_none(entries, found)}")
    every = [share for each in right.values() for share in each]
    frequent = sorted(
        (word for word, each in right.items() if len(each) >= _RAREST),
        key=lambda word: (-len(right[word]), word),
    )
    rows = {"all words": (_accuracy(every),)}
    rows |= {word: (_accuracy(right[word]),) for word in frequent[:_SHOWN]}
    return Finding(
        title,
        rows,
        f"{len(every):,} of {len(entries):,} entries are about a translated sentence",
    )


def _meant(entry: Entry, occurrences: Sequence[Said]) -> list[Said]:
    """Those occurrences of its sentence that an entry may be about."""
    if not entry.picture:
        return list(occurrences)
    name = picture_key(entry.picture)
    own = [one for one in occurrences if one.picture and picture_key(one.picture) == name]
    return own or [one for one in occurrences if not one.picture]


def _why_none(entries: Sequence[Entry], found: Sequence[Sequence[Said]]) -> str:
    """Why no entry is about anything, given the occurrences of each one's sentence."""
    others = [(entry, same[0]) for entry, same in zip(entries, found, strict=True) if same]
    if not others:
        return f"none of the list's {len(entries):,} sentences is in the split"
    entry, other = others[0]
    return (
        f"{len(others):,} of the list's {len(entries):,} sentences are in the split, but with "
        f"other pictures: such as {other.picture!r} in place of {entry.picture!r}"
    )


def _says(hypothesis: str, translation: str) -> bool:
    """Whether the words of ``translation`` stand side by side among those of ``hypothesis``."""
    words, wanted = sentence_words(hypothesis), sentence_words(translation)
    places = range(len(words) - len(wanted) + 1)
    return bool(wanted) and any(words[at : at + len(wanted)] == wanted for at in places)


def _accuracy(right: Sequence[float]) -> Score:
    values = 100.0 * np.array(right, dtype=np.float64)
    interval = bootstrap_mean(values, seed=1)
    signature = f"{sum(right):.6g} of {len(right)}|95 % {interval.low:.1f} to {interval.high:.1f}"
    return Score("lexical accuracy", float(values.mean()), signature)


__all__ = ["Entry", "Said", "lexical", "read_entries"]
