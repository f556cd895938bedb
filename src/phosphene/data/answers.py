"""The answers that a classifier chooses among: the most frequent ones, perhaps merged.

Open questions have many answers, and a classifier has only some of them: the 3,129 of VQA v2, or
the 3,000 of Japanese Visual Genome that cover 74.39 % of its questions. What is not covered counts
as wrong.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.data.lines import read_lines
from phosphene.data.vqa import Question

NOT_COVERED: Final = -1


@dataclass(frozen=True)
class AnswerVocabulary:
    """Answers by label, the most frequent first."""

    answers: tuple[str, ...]

    @classmethod
    def learn(
        cls, questions: Sequence[Question], size: int | None = None, min_count: int = 1
    ) -> AnswerVocabulary:
        """The most frequent best answers of a training set; among equals in code-point order.

        Args:
            questions: to count; those without an answer are passed over.
            size: at most so many (3,000 for Japanese Visual Genome).
            min_count: given at least so often (9 leaves the usual 3,129 of VQA v2).

        Raises:
            InputError: no answer is that frequent.
        """
        best = (question.best_answer for question in questions)
        counts = Counter(answer for answer in best if answer is not None)
        kept = [answer for answer, count in counts.items() if count >= min_count]
        if not kept:
            raise InputError(f"no answers: none is given {min_count} times or more")
        return cls(tuple(sorted(kept, key=lambda answer: (-counts[answer], answer))[:size]))

    @classmethod
    def load(cls, path: Path) -> AnswerVocabulary:
        """Read a JSON array of distinct answers, as :meth:`save` writes it.

        Raises:
            InputError: the file is missing or something else.
        """
        try:
            answers = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: expected a JSON array of answers, but: {error}") from error
        if not isinstance(answers, list) or not all(isinstance(each, str) for each in answers):
            raise InputError(f"{path}: expected a JSON array of answers")
        first: dict[str, int] = {}
        for number, answer in enumerate(answers, start=1):
            if first.setdefault(answer, number) != number:
                raise InputError(f"{path}, answer {number}: {answer!r} is answer {first[answer]}")
        return cls(tuple(answers))

    def save(self, path: Path) -> None:
        """Write a JSON array."""
        text = json.dumps(list(self.answers), ensure_ascii=False, indent=0)
        write_atomically(path, f"{text}\n".encode())

    def __len__(self) -> int:
        return len(self.answers)

    def __contains__(self, answer: str) -> bool:
        return answer in self._labels

    @cached_property
    def _labels(self) -> dict[str, int]:
        return {answer: label for label, answer in enumerate(self.answers)}

    def label(self, question: Question) -> int:
        """The label of the best answer, or ``NOT_COVERED``."""
        best = question.best_answer
        return NOT_COVERED if best is None else self._labels.get(best, NOT_COVERED)

    def scores(self, questions: Sequence[Question]) -> Float[Tensor, "batch label"]:
        """The score of every answer to every question; rows of what is not covered are 0."""
        table = torch.zeros(len(questions), len(self))
        for row, question in enumerate(questions):
            for answer, score in question.answers.items():
                if answer in self._labels:
                    table[row, self._labels[answer]] = score
        return table

    def coverage(self, questions: Sequence[Question]) -> float:
        """Share of the questions with an answer whose best answer is in the vocabulary.

        Raises:
            InputError: no question has an answer.
        """
        asked = [question for question in questions if question.answers]
        if not asked:
            raise InputError("coverage of answers: expected questions with an answer")
        return sum(self.label(question) != NOT_COVERED for question in asked) / len(asked)

    def translate(self, translations: Mapping[str, str]) -> AnswerVocabulary:
        """The answers in another language, those with one translation merged into the first.

        Of VQA v2's 3,129 English answers 2,912 Hindi ones are left in the cViL paper.

        Raises:
            InputError: an answer has no translation.
        """
        for answer in self.answers:
            if answer not in translations:
                raise InputError(f"answer {answer!r} has no translation")
        return AnswerVocabulary(
            tuple(dict.fromkeys(translations[answer] for answer in self.answers))
        )


def translated_answers(
    answers: Mapping[str, float], translations: Mapping[str, str]
) -> dict[str, float]:
    """Scores of answers in another language; answers with one translation share their votes.

    Scores of answers that merge are added, at most to 1: what ``min(votes / 3, 1)`` makes of the
    votes together. Answers without a translation are dropped.
    """
    merged: dict[str, float] = {}
    for answer, score in answers.items():
        if answer in translations:
            name = translations[answer]
            merged[name] = min(merged.get(name, 0.0) + score, 1.0)
    return merged


def read_answer_translations(path: Path) -> dict[str, str]:
    """A file of ``answer <tab> translation`` lines.

    Raises:
        InputError: a line of another form, or an answer twice.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), start=1):
        answer, _, translation = (part.strip() for part in line.partition("\t"))
        if not (answer and translation):
            raise InputError(f"{path}:{number}: expected an answer, a tab and its translation")
        if answer in found:
            raise InputError(f"{path}:{number}: answer {answer!r} is translated twice")
        found[answer] = translation
    return found


def refuse_uncovered(questions: Sequence[Question], vocabulary: AnswerVocabulary) -> None:
    """Insist that every best answer is in the vocabulary, where a list of answers is closed.

    Raises:
        InputError: one is not; the message names its file and row.
    """
    for question in questions:
        if question.answers and vocabulary.label(question) == NOT_COVERED:
            raise InputError(
                f"{question.place}: answer {question.best_answer!r} is outside the vocabulary of "
                f"{len(vocabulary):,} answers"
            )


__all__ = [
    "NOT_COVERED",
    "AnswerVocabulary",
    "read_answer_translations",
    "refuse_uncovered",
    "translated_answers",
]
