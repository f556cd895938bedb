"""Are words that have several translations translated rightly?

A list says for a word in a sentence which translation is right there. It counts as said where it
is one of the words of the hypothesis, as the data set's own evaluation counts; several words have
to stand side by side. Words are compared however they are cased and tokenised.

Format: that of the Multimodal Lexical Translation data (Lala and Specia 2018), a line of
``word | translation | sentence | ... | picture``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from phosphene.core.errors import InputError
from phosphene.data.captions import sentence_key, sentence_words
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
        entries.append(Entry(columns[0], columns[1], columns[2]))
    return entries


def lexical(title: str, entries: Sequence[Entry], hypotheses: Mapping[str, str]) -> Finding:
    """Share of entries whose translation was said: of all, and of each frequent word.

    Args:
        title: of the finding.
        entries: the list.
        hypotheses: source sentence to its translation; sentences are compared by their words.

    Raises:
        InputError: none of the sentences of the list was translated.
    """
    said = {sentence_key(source): text for source, text in hypotheses.items()}
    right: defaultdict[str, list[bool]] = defaultdict(list)
    for entry in entries:
        hypothesis = said.get(sentence_key(entry.sentence))
        if hypothesis is not None:
            right[entry.word].append(_says(hypothesis, entry.translation))
    every = [one for each in right.values() for one in each]
    if not every:
        raise InputError(f"{title}: none of the list's {len(entries):,} sentences is in the split")
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


def _says(hypothesis: str, translation: str) -> bool:
    """Whether the words of ``translation`` stand side by side among those of ``hypothesis``."""
    words, wanted = sentence_words(hypothesis), sentence_words(translation)
    places = range(len(words) - len(wanted) + 1)
    return bool(wanted) and any(words[at : at + len(wanted)] == wanted for at in places)


def _accuracy(right: Sequence[bool]) -> Score:
    values = 100.0 * np.array(right, dtype=np.float64)
    interval = bootstrap_mean(values, seed=1)
    signature = f"{sum(right)} of {len(right)}|95 % {interval.low:.1f} to {interval.high:.1f}"
    return Score("lexical accuracy", float(values.mean()), signature)


__all__ = ["Entry", "lexical", "read_entries"]
