"""Which sub-words of two tokenizers stand for each other: tags, regions, code-mixed words.

A student reads a translated question, its teacher the English one, each in sub-words of its own.
Their states can be compared where both read the same thing: at [CLS], at every region, at the
sub-words of object tags (English for both) and at English words mixed into the translation.

Positions are counted within the text, the tags or the regions, as the spans of a trace cut them.
Source: Gupta, Gautam and Mamidi, *cViL* (2021), section IV-C. Departures from the released code:
pairs are checked against truncation; padded regions and [SEP] are not paired; of a code-mixed
sentence the mixed words are paired, not everything that happens to read the same (its question
mark too, and of a repeated word the last occurrence whichever was meant).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from random import Random
from typing import Final, Literal

import torch
from jaxtyping import Bool
from pydantic import Field
from torch import Tensor

from phosphene.core.config import Frozen
from phosphene.core.types import AlignedPositions
from phosphene.data.pharaoh import Alignment

Cut = Callable[[str], tuple[str, ...]]
"""One word to its sub-words as they read, without a tokenizer's markers; ``""`` for an unknown
one, which stands for nothing in particular and is never paired."""

Positions = list[tuple[int, int]]
"""``(position of the student, position of the teacher)``."""

_UNLIMITED: Final = (1 << 30, 1 << 30)


def cut_with(pieces: Callable[[str], Sequence[str]], unknown: str) -> Cut:
    """Read the sub-words that a tokenizer prints.

    Args:
        pieces: a word to its sub-words, marked inside a word with ``##`` (WordPiece) or ``@@``
            (subword-nmt), or at its start with ``▁`` (sentencepiece).
        unknown: what stands for an unknown sub-word.
    """

    @cache
    def cut(word: str) -> tuple[str, ...]:
        return tuple("" if piece == unknown else _bare(piece) for piece in pieces(word))

    return cut


def word_pairs(
    student: Sequence[str],
    teacher: Sequence[str],
    links: Iterable[tuple[int, int]],
    cuts: tuple[Cut, Cut],
    limits: tuple[int, int] = _UNLIMITED,
) -> Positions:
    """Pair the sub-words of linked words: the k-th with the k-th, where both read the same.

    Args:
        student: the words that the student reads.
        teacher: the words that the teacher reads.
        links: ``(word of the student, word of the teacher)``.
        cuts: the two tokenizers.
        limits: positions left after truncation, of each.
    """
    pieces = [cuts[0](word) for word in student], [cuts[1](word) for word in teacher]
    starts = _starts(pieces[0]), _starts(pieces[1])
    return [
        (starts[0][i] + k, starts[1][j] + k)
        for i, j in links
        for k, (one, other) in enumerate(zip(pieces[0][i], pieces[1][j], strict=False))
        if one and one == other and starts[0][i] + k < limits[0] and starts[1][j] + k < limits[1]
    ]


def tag_pairs(
    tags: Sequence[str], cuts: tuple[Cut, Cut], limits: tuple[int, int] = _UNLIMITED
) -> Positions:
    """Pair the sub-words of tags, word by word in lock step: the matrix ``A`` of eq. 4."""
    words = [word for tag in tags for word in tag.split()]
    return word_pairs(words, words, ((word, word) for word in range(len(words))), cuts, limits)


@dataclass(frozen=True)
class MixedText:
    """A translated question with some English words in it."""

    words: tuple[str, ...]
    replaced: tuple[tuple[int, int], ...]
    """``(word here, the word of the English question that stands there)``."""

    def pairs(
        self, english: Sequence[str], cuts: tuple[Cut, Cut], limits: tuple[int, int] = _UNLIMITED
    ) -> Positions:
        """Pair the mixed words with those of the English question: the matrix ``B`` of eq. 5."""
        return word_pairs(self.words, english, self.replaced, cuts, limits)


class CodeMixing(Frozen):
    """How much English is mixed into a translated question."""

    share: float = Field(default=0.15, ge=0, le=1)
    """Of the words; at least one is replaced if any can be. 0: none. The paper's 15 %."""
    unit: Literal["words", "subwords"] = "words"
    """What the share is of. The paper says words; its code counts sub-words, and so mixes more."""
    clean: float = Field(default=0.0, ge=0, le=1)
    """Questions left without English, as a share. The paper's code leaves none."""


def mixable(
    words: Sequence[str], english: Sequence[str], alignment: Alignment, cuts: tuple[Cut, Cut]
) -> list[tuple[int, int]]:
    """``(word, English word)`` that :func:`code_mix` may exchange; arguments as there."""
    return [(here, there) for there, here in _one_to_one(alignment) if _same(english[there], cuts)]


def code_mix(
    words: Sequence[str],
    english: Sequence[str],
    alignment: Alignment,
    cuts: tuple[Cut, Cut],
    mixing: CodeMixing,
    rng: Random,
) -> MixedText:
    """Replace some words of a translation by the English words aligned to them.

    Only words with a link of their own, to a word with no other link, that both tokenizers cut
    into the same known sub-words.

    Args:
        words: of the translation.
        english: the words of the English question.
        alignment: links ``(English word, translated word)``.
        cuts: the student's and the teacher's tokenizer.
        mixing: how much.
        rng: see :func:`mixing_rng`.
    """
    candidates = mixable(words, english, alignment, cuts)
    units = len(words) if mixing.unit == "words" else sum(len(cuts[0](word)) for word in words)
    wanted = max(1, round(mixing.share * units)) if mixing.share else 0
    if rng.random() < mixing.clean:
        wanted = 0
    replaced = tuple(sorted(rng.sample(candidates, min(wanted, len(candidates)))))
    mixed = list(words)
    for here, there in replaced:
        mixed[here] = english[there]
    return MixedText(tuple(mixed), replaced)


def mixing_rng(seed: int, epoch: int, question: str) -> Random:
    """Chance that differs from epoch to epoch and is the same whenever a run is resumed."""
    return Random(f"code-mixing/{seed}/{epoch}/{question}")


def collate_pairs(examples: Sequence[Positions]) -> AlignedPositions:
    """The pairs of every example of a batch, side by side."""
    rows = [(row, *pair) for row, pairs in enumerate(examples) for pair in pairs]
    table = torch.tensor(rows, dtype=torch.long).reshape(-1, 3)
    return AlignedPositions(*table.unbind(dim=1))


def cls_pairs(examples: int) -> AlignedPositions:
    """[CLS] of every example with itself: the only position of a span of one."""
    zeros = torch.zeros(examples, dtype=torch.long)
    return AlignedPositions(torch.arange(examples), zeros, zeros)


def region_pairs(mask: Bool[Tensor, "batch region"]) -> AlignedPositions:
    """Every real region with itself. A mask of ones pairs padding too, as in the released code."""
    example, region = mask.nonzero(as_tuple=True)
    return AlignedPositions(example, region, region)


def _one_to_one(alignment: Alignment) -> list[tuple[int, int]]:
    """Links that share no word with another link, in order."""
    sources = [source for source, _ in alignment]
    targets = [target for _, target in alignment]
    return sorted(
        link for link in alignment if sources.count(link[0]) == 1 and targets.count(link[1]) == 1
    )


def _same(word: str, cuts: tuple[Cut, Cut]) -> bool:
    student, teacher = (cut(word) for cut in cuts)
    return bool(student) and student == teacher and all(student)


def _bare(piece: str) -> str:
    """A sub-word without its marker; a piece that is nothing but a marker reads as nothing."""
    if piece.startswith("##") and len(piece) > 2:
        return piece[2:]
    if piece.endswith("@@") and len(piece) > 2:
        return piece[:-2]
    return piece.removeprefix("▁")


def _starts(pieces: Sequence[tuple[str, ...]]) -> list[int]:
    """The position of the first sub-word of every word."""
    return [0, *accumulate(len(word) for word in pieces)]


__all__ = [
    "CodeMixing",
    "Cut",
    "MixedText",
    "Positions",
    "cls_pairs",
    "code_mix",
    "collate_pairs",
    "cut_with",
    "mixable",
    "mixing_rng",
    "region_pairs",
    "tag_pairs",
    "word_pairs",
]
