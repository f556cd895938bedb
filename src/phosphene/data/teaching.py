"""Parallel questions as a student learns from a teacher's states: what is matched with what.

The teacher reads the English question, the student its translation with some English words mixed
in. Of the teacher's states only those rows are kept (stored, or computed) that the student can be
matched with: [CLS], the sub-words of tags, those of English words that can be mixed in, regions.
The rows of an entry stand in this order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.types import Parallel
from phosphene.data.align import (
    CodeMixing,
    Cut,
    Positions,
    cls_pairs,
    code_mix,
    collate_pairs,
    cut_with,
    mixable,
    mixing_rng,
    tag_pairs,
)
from phosphene.data.loader import Indices, Position, Shuffled, one_by_one, shard, walk
from phosphene.data.pharaoh import Alignment
from phosphene.data.questions import QuestionData, Reader, tags_of
from phosphene.data.store import Arrays, pad
from phosphene.data.vqa import Question
from phosphene.data.wordpiece import UNK


@runtime_checkable
class States(Protocol):
    """A teacher's states by question: a store of them, or the teacher itself."""

    def read(self, ids: Iterable[str], names: Sequence[str] = ()) -> list[dict[str, Tensor]]:
        """The arrays ``names`` of each question."""


@dataclass(frozen=True)
class Lesson:
    """One parallel question: which of the teacher's positions can be matched."""

    question: Question
    alignment: Alignment
    tokens: tuple[int, ...]
    """What the teacher reads: the ids of the question, -1, those of the tags."""
    tags: Positions
    """``(sub-word of the student's tags, of the teacher's)``."""
    text: tuple[int, ...]
    """Sub-words of the English question that can be mixed in, ascending."""
    regions: int

    def __len__(self) -> int:
        """Rows of the teacher that are kept."""
        return 1 + len(self.tags) + len(self.text) + self.regions


@final
class Lessons:
    """Parallel questions of one language with what their matching depends on.

    Args:
        readers: of the student and of the teacher.
        data: the questions as the student and as the teacher read them.
        alignments: for each question, which English words its words translate.
    """

    def __init__(
        self,
        readers: tuple[Reader, Reader],
        data: tuple[QuestionData, QuestionData],
        alignments: Sequence[Alignment],
    ) -> None:
        self.student_reader, self.teacher_reader = readers
        self.student, self.teacher = data
        self.cuts: tuple[Cut, Cut] = tuple(cut_with(each.wordpiece.pieces, UNK) for each in readers)  # type: ignore[assignment]
        self._limits = readers[0].lengths.question, readers[1].lengths.question
        self._tag_limits = readers[0].lengths.tags, readers[1].lengths.tags
        self.all = [self._lesson(row, alignment) for row, alignment in enumerate(alignments)]

    def __len__(self) -> int:
        return len(self.all)

    def digest(self) -> str:
        """Twelve hexadecimal digits of what the teacher reads and what of it is matched."""
        hashed = hashlib.sha256()
        for each in self.all:
            row = (each.question.id, each.tokens, each.tags, each.text, each.regions)
            hashed.update(repr(row).encode())
        return hashed.hexdigest()[:12]

    def _lesson(self, row: int, alignment: Alignment) -> Lesson:
        question, table = self.teacher.questions[row], self.teacher.table
        english = question.words_in("en")
        words = question.words_in(self.student_reader.language)
        candidates = mixable(words, english, alignment, self.cuts)
        starts = np.cumsum([0, *(len(self.cuts[1](word)) for word in english)]).tolist()
        text = sorted(
            position
            for _, there in candidates
            for position in range(starts[there], starts[there + 1])
            if position < self._limits[1]
        )
        regions, tags = 0, list[tuple[int, int]]()
        if table is not None:
            regions = len(table.pictures[question.image_id].boxes[: table.most])
            tags = tag_pairs(tags_of(question, table), self.cuts, self._tag_limits)
        tokens = (*self.teacher.sources[row], -1, *self.teacher.tags[row])
        return Lesson(question, alignment, tokens, tags, tuple(text), regions)

    def mixed(
        self, row: int, mixing: CodeMixing, seed: int, epoch: int
    ) -> tuple[list[int], Positions]:
        """The code-mixed question as the student's ids, and its English sub-words' pairs."""
        lesson = self.all[row]
        question = lesson.question
        english = question.words_in("en")
        text = code_mix(
            question.words_in(self.student_reader.language),
            english,
            lesson.alignment,
            self.cuts,
            mixing,
            mixing_rng(seed, epoch, question.id),
        )
        return self.student_reader.ids(text.words), text.pairs(english, self.cuts, self._limits)


@final
class TeachingBatches:
    """Code-mixed questions with the teacher's states, for a stage: seeded and resumable."""

    def __init__(
        self, lessons: Lessons, states: States, mixing: CodeMixing, size: int, seed: int
    ) -> None:
        self.lessons = lessons
        self.states = states
        self.mixing = mixing
        self.order = Shuffled(one_by_one(len(lessons)), size, seed)

    def iterate(
        self, start: Position, rank: int = 0, processes: int = 1
    ) -> Iterator[tuple[Position, Parallel]]:
        """Batches from ``start`` on without end, each with the position after it."""
        for here, after, indices in walk(self.order.epoch, start):
            yield after, self.batch(shard(indices, rank, processes), here.epoch)

    def once(self) -> Iterator[Parallel]:
        """Every question once, in order, mixed as in no epoch."""
        size = self.order.size
        for first in range(0, len(self.lessons), size):
            indices = np.arange(first, min(first + size, len(self.lessons)))
            yield self.batch(indices, epoch=-1)

    def batch(self, indices: Indices, epoch: int) -> Parallel:
        """The questions numbered ``indices``, mixed as in ``epoch``.

        Raises:
            InputError: the stored states are of other questions or other positions.
        """
        rows = indices.tolist()
        lessons = [self.lessons.all[row] for row in rows]
        sources, mixed = [], []
        for row, lesson in zip(rows, lessons, strict=True):
            ids, pairs = self.lessons.mixed(row, self.mixing, self.order.seed, epoch)
            place = {p: 1 + len(lesson.tags) + k for k, p in enumerate(lesson.text)}
            sources.append(ids)
            mixed.append([(student, place[teacher]) for student, teacher in pairs])
        states = self._read(lessons)
        tags = [[(one, 1 + k) for k, (one, _) in enumerate(each.tags)] for each in lessons]
        regions = [
            [(k, len(each) - each.regions + k) for k in range(each.regions)] for each in lessons
        ]
        batch = replace(self.lessons.student.batch(indices, sources), labels=None)
        return Parallel(
            batch,
            states,
            cls_pairs(len(rows)),
            collate_pairs(regions),
            collate_pairs(tags),
            collate_pairs(mixed),
        )

    def _read(self, lessons: Sequence[Lesson]) -> Float[Tensor, "batch teacher_row layer hidden"]:
        entries = self.states.read([lesson.question.id for lesson in lessons])
        for lesson, entry in zip(lessons, entries, strict=True):
            if not torch.equal(entry["tokens"], torch.tensor(lesson.tokens)) or (
                len(entry["states"]) != len(lesson)
            ):
                raise InputError(
                    f"question {lesson.question.id!r}: the teacher's states were stored for "
                    "another text, or for other positions; delete the store and make it again"
                )
        return pad([entry["states"] for entry in entries])[0]


def entry_of(lesson: Lesson, states: Float[Tensor, "row layer hidden"]) -> Arrays:
    """An entry of a store of states."""
    return {"states": states, "tokens": torch.tensor(lesson.tokens)}


__all__ = ["Lesson", "Lessons", "States", "TeachingBatches", "entry_of"]
