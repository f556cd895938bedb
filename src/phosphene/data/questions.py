"""Questions as an answerer reads them: word pieces, tags, regions, labels; and their batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Tokens
from phosphene.data.answers import NOT_COVERED, AnswerVocabulary
from phosphene.data.loader import Indices, Position, Shuffled, one_by_one, shard, walk
from phosphene.data.regions import RegionTable
from phosphene.data.vqa import Question
from phosphene.data.wordpiece import WordPiece
from phosphene.data.words import UNSPACED, segment, split_words


class Lengths(Frozen):
    """What is read of an example; the rest is cut off. cViL: 128 positions of text, 50 regions."""

    question: int = Field(default=64, ge=1)
    """Word pieces of the question."""
    tags: int = Field(default=61, ge=0)
    """Word pieces of the tags; with [CLS] and twice [SEP] 128 positions."""
    regions: int = Field(default=50, ge=1)


@final
@dataclass(frozen=True)
class Reader:
    """Text in one language to ids.

    ``known`` are the words of the training questions where the language is written without
    spaces: running text is cut into them, the longest first.
    """

    language: str
    wordpiece: WordPiece
    lengths: Lengths
    known: frozenset[str] = frozenset()

    @classmethod
    def learn(
        cls,
        language: str,
        wordpiece: WordPiece,
        lengths: Lengths,
        questions: Sequence[Question] = (),
    ) -> Reader:
        """A reader that knows the words of ``questions``."""
        known: frozenset[str] = frozenset()
        if language in UNSPACED:
            known = frozenset(word for each in questions for word in each.words_in(language))
        return cls(language, wordpiece, lengths, known)

    def words(self, text: str) -> tuple[str, ...]:
        """The words of running text, as they are cut when a model is used."""
        if self.known:
            return segment(text, self.language, self.known)
        return split_words(text, self.language)

    def ids(self, words: Sequence[str]) -> list[int]:
        """The word pieces of a question."""
        return self.wordpiece.encode_words(words).ids[: self.lengths.question]

    def tag_ids(self, tags: Sequence[str]) -> list[int]:
        """The word pieces of tags."""
        return self.wordpiece.encode(" ".join(tags))[: self.lengths.tags]


@final
@dataclass(frozen=True)
class QuestionData:
    """Questions in one language, ready to be batched; ``table`` knows their pictures by name."""

    language: str
    questions: tuple[Question, ...]
    sources: list[list[int]]
    tags: list[list[int]]
    table: RegionTable | None
    labels: Int[Tensor, " example"] | Float[Tensor, "example label"] | None = None

    def __len__(self) -> int:
        return len(self.questions)

    def batch(self, indices: Indices, sources: Sequence[Sequence[int]] | None = None) -> Batch:
        """Questions side by side, worded as ``sources`` if these are given."""
        rows = indices.tolist()
        batch = Batch(
            tuple(self.questions[row].id for row in rows),
            Tokens.pad([self.sources[row] for row in rows] if sources is None else sources),
            labels=None if self.labels is None else self.labels[torch.from_numpy(indices)],
        )
        if self.table is None:
            return batch
        return replace(
            batch,
            regions=self.table.regions([self.questions[row].image_id for row in rows]),
            tags=Tokens.pad([self.tags[row] for row in rows]),
        )

    def digest(self) -> str:
        """Twelve hexadecimal digits of what is asked and, where there are labels, of these."""
        hashed = hashlib.sha256()
        for question, source in zip(self.questions, self.sources, strict=True):
            hashed.update(f"{question.id}\t{source}\n".encode())
        if self.labels is not None:
            hashed.update(self.labels.numpy().tobytes())
        return hashed.hexdigest()[:12]


def encode_questions(
    questions: Sequence[Question],
    reader: Reader,
    table: RegionTable | None,
    *,
    as_used: bool = False,
) -> QuestionData:
    """Questions in the language of ``reader``, without labels.

    Args:
        questions: what is asked.
        reader: of one language.
        table: regions and tags; ``None`` for a model that does not look.
        as_used: cut running text as a finished model does, instead of taking the words that the
            data set may give.

    Raises:
        InputError: a question is not given in the language, or its picture has no regions.
    """
    language = reader.language
    for question in questions:
        if language not in question.text:
            raise InputError(f"{question.place}: question {question.id!r} is not in '{language}'")
        if table is not None and question.image_id not in table:
            raise InputError(f"{question.place}: no regions of picture {question.image_id!r}")
    return QuestionData(
        language,
        tuple(questions),
        [
            reader.ids(reader.words(each.text[language]) if as_used else each.words_in(language))
            for each in questions
        ],
        [[] if table is None else reader.tag_ids(tags_of(each, table)) for each in questions],
        table,
    )


def tags_of(question: Question, table: RegionTable) -> tuple[str, ...]:
    """The tags that come with a question, else those of its picture."""
    return question.tags or table.tags(question.image_id)


def labelled(data: QuestionData, vocabulary: AnswerVocabulary, *, soft: bool) -> QuestionData:
    """The questions whose answer is in ``vocabulary``, with labels: classes, or soft scores.

    Raises:
        InputError: there is no such question.
    """
    kept = [row for row, one in enumerate(data.questions) if vocabulary.label(one) != NOT_COVERED]
    if not kept:
        raise InputError("no question has an answer that the model can give")
    questions = tuple(data.questions[row] for row in kept)
    classes = torch.tensor([vocabulary.label(each) for each in questions])
    return replace(
        data,
        questions=questions,
        sources=[data.sources[row] for row in kept],
        tags=[data.tags[row] for row in kept],
        labels=vocabulary.scores(questions) if soft else classes,
    )


def by_picture(questions: Sequence[Question]) -> list[list[int]]:
    """The questions about one picture together.

    What they have in common cannot tell their answers apart, so within a batch it is not learned.
    """
    found: dict[str, list[int]] = {}
    for row, question in enumerate(questions):
        found.setdefault(question.image_id, []).append(row)
    return list(found.values())


@final
class QuestionBatches:
    """Labelled questions for a stage: seeded, resumable at any batch.

    Args:
        data: the questions.
        size: questions of a batch.
        seed: of their order.
        hide: so many word pieces of a question, as a share, become ``unknown``.
        unknown: the id that stands for what is hidden.
        together: the questions about one picture stay one after the other.
    """

    def __init__(
        self,
        data: QuestionData,
        size: int,
        seed: int,
        hide: float = 0.0,
        unknown: int = 0,
        *,
        together: bool = False,
    ) -> None:
        self.data = data
        groups = by_picture(data.questions) if together else one_by_one(len(data))
        self.order = Shuffled(groups, size, seed)
        self.hide = hide
        self.unknown = unknown

    def iterate(
        self, start: Position, rank: int = 0, processes: int = 1
    ) -> Iterator[tuple[Position, Batch]]:
        """Batches from ``start`` on without end, each with the position after it."""
        for here, after, indices in walk(self.order.epoch, start):
            mine = shard(indices, rank, processes)
            yield (
                after,
                self.data.batch(mine, [self._seen(row, here.epoch) for row in mine.tolist()]),
            )

    def _seen(self, row: int, epoch: int) -> list[int]:
        """The word pieces of a question, some of them hidden."""
        pieces = self.data.sources[row]
        if not self.hide:
            return pieces
        hidden = np.random.default_rng([self.order.seed, epoch, row]).random(len(pieces))
        return [
            self.unknown if chance < self.hide else piece
            for piece, chance in zip(pieces, hidden.tolist(), strict=True)
        ]


def in_order(data: QuestionData, size: int) -> Iterator[tuple[Indices, Batch]]:
    """Every question once, those of similar length together, with their numbers."""
    lengths = [len(one) + len(other) for one, other in zip(data.sources, data.tags, strict=True)]
    order = np.argsort(lengths, kind="stable")
    for indices in np.split(order, range(size, len(order), size)):
        if len(indices):
            yield indices, data.batch(indices)


__all__ = [
    "Lengths",
    "QuestionBatches",
    "QuestionData",
    "Reader",
    "by_picture",
    "encode_questions",
    "in_order",
    "labelled",
    "tags_of",
]
