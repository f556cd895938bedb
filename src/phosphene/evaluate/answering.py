"""How good answers are: accuracy in its variants, BLEU, and what needs no picture to reach.

A question whose answer is outside the vocabulary of a classifier counts as wrong in every accuracy
but the one that says *covered*: 48.02 % of the covered Japanese Visual Genome questions are
35.72 % of all (Table I of the cViL paper).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

import torch
from jaxtyping import Float, Int
from sacrebleu.metrics.bleu import BLEU
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.data.answers import NOT_COVERED, AnswerVocabulary
from phosphene.data.vqa import Question
from phosphene.data.words import split_words
from phosphene.evaluate.question_types import type_of
from phosphene.evaluate.score import Score, Unavailable


@dataclass(frozen=True)
class AnswerWords:
    """How answers are cut into words for BLEU, and what a signature calls it."""

    name: str
    cut: Callable[[str], Sequence[str]]


def plain_words(language: str) -> AnswerWords:
    """Words as :mod:`phosphene.data.words` splits them, which needs no dictionary."""
    return AnswerWords(f"split_words-{language}", lambda text: split_words(text, language))


def mecab_words() -> AnswerWords:
    """Japanese words by fugashi, as in the cViL paper (extra ``japanese``).

    Raises:
        InputError: fugashi or its dictionary is not installed.
    """
    try:
        tagger = import_module("fugashi").Tagger()
    except (ImportError, RuntimeError) as error:
        raise InputError(
            "BLEU over Japanese words needs fugashi: pip install fugashi unidic-lite"
        ) from error
    return AnswerWords(
        f"fugashi-{version('fugashi')}", lambda text: [str(word.surface) for word in tagger(text)]
    )


def accuracy_scores(
    predicted: Sequence[str],
    questions: Sequence[Question],
    vocabulary: AnswerVocabulary,
    language: str,
) -> list[Score]:
    """Accuracies in percent: exact, VQA, covered only, the coverage itself, then by type.

    Exact: the predicted answer is the best one. VQA: the score of the predicted answer, summed.

    Args:
        predicted: one answer per question.
        questions: with their true answers.
        vocabulary: what the system can answer.
        language: of the questions, to tell their types where the data set does not.

    Raises:
        InputError: no question, unequal numbers, or a question without an answer.
    """
    _check(predicted, questions)
    exact = torch.tensor(
        [float(a == question.best_answer) for a, question in zip(predicted, questions, strict=True)]
    )
    soft = torch.tensor(
        [question.answers.get(a, 0.0) for a, question in zip(predicted, questions, strict=True)]
    )
    covered = torch.tensor([vocabulary.label(each) != NOT_COVERED for each in questions])
    signature = f"questions:{len(questions)}|answers:{len(vocabulary)}|lang:{language}"
    scores = [
        Score("accuracy", _percent(exact), f"exact|uncovered:wrong|{signature}"),
        Score("VQA accuracy", _percent(soft), f"soft|uncovered:wrong|{signature}"),
        Score("coverage", _percent(covered.float()), signature),
    ]
    if covered.any():
        name = f"exact|covered only:{int(covered.sum())}|{signature}"
        scores.append(Score("accuracy, covered only", _percent(exact[covered]), name))
    by_type = defaultdict(list)
    for row, question in enumerate(questions):
        by_type[type_of(question, language)].append(row)
    for kind, rows in sorted(by_type.items()):
        name = f"exact|uncovered:wrong|type:{kind}|questions:{len(rows)}|lang:{language}"
        scores.append(Score(f"accuracy, {kind}", _percent(exact[rows]), name))
    return scores


def answer_bleu(
    predicted: Sequence[str], questions: Sequence[Question], words: AnswerWords
) -> Score | Unavailable:
    """Corpus BLEU-4 of the answers against the best ones, without smoothing, as NLTK computes it.

    Where every true answer is shorter than four words, it would be 0 for any system: unavailable.

    Raises:
        InputError: no question, unequal numbers, or a question without an answer.
    """
    _check(predicted, questions)
    metric = BLEU(tokenize="none", smooth_method="none", force=True)
    references = [words.cut(question.best_answer or "") for question in questions]
    if max(map(len, references)) < metric.max_ngram_order:
        return Unavailable("BLEU", f"no true answer has {metric.max_ngram_order} words")
    value = metric.corpus_score(
        [" ".join(words.cut(answer)) for answer in predicted], [[*map(" ".join, references)]]
    ).score
    return Score("BLEU", value, f"{metric.get_signature()}|words:{words.name}")


def question_prior(train: Sequence[Question], test: Sequence[Question], language: str) -> list[str]:
    """What answers best without looking: the most frequent training answer to the same question.

    To a question that training does not have, the most frequent answer of all. Scored like any
    system, it is what an accuracy has to be compared with.

    Raises:
        InputError: training has no answer.
    """
    by_text: defaultdict[str, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    for question in train:
        answer = question.best_answer
        if answer is not None:
            by_text[question.text[language]][answer] += 1
            overall[answer] += 1
    if not overall:
        raise InputError("prior of answers: expected training questions with an answer")
    always = overall.most_common(1)[0][0]
    best = {text: counts.most_common(1)[0][0] for text, counts in by_text.items()}
    return [best.get(question.text[language], always) for question in test]


def chance(vocabulary: AnswerVocabulary) -> Score:
    """The accuracy of guessing among all answers, in percent."""
    return Score("chance", 100 / len(vocabulary), f"uniform over {len(vocabulary)} answers")


def centroid_accuracy(
    teacher: Float[Tensor, "example hidden"],
    teacher_labels: Int[Tensor, " example"],
    student: Float[Tensor, "other hidden"],
    student_labels: Int[Tensor, " other"],
) -> Score:
    """Does the student put things where the teacher does? Nearest centroid, in percent.

    The number beside a t-SNE picture (Figure 3 of the cViL paper): every class has the mean of the
    teacher's states as its centroid, and a state of the student counts if the nearest one is that
    of its own class. Classes that only the student has count as wrong.

    Raises:
        ValueError: one side has no states.
    """
    if not len(teacher) or not len(student):
        raise ValueError("nearest centroid: expected states of a teacher and of a student")
    classes, member = teacher_labels.unique(return_inverse=True)
    sums = teacher.new_zeros(len(classes), teacher.shape[1]).index_add_(0, member, teacher)
    centroids = sums / member.bincount(minlength=len(classes))[:, None]
    nearest = classes[torch.cdist(student, centroids).argmin(dim=1)]
    return Score(
        "nearest centroid",
        _percent((nearest == student_labels).float()),
        f"classes:{len(classes)}|chance:{100 / len(classes):.1f}|states:{len(student)}",
    )


def _percent(values: Float[Tensor, " example"]) -> float:
    return 100 * float(values.double().mean())


def _check(predicted: Sequence[str], questions: Sequence[Question]) -> None:
    if not questions:
        raise InputError("nothing to score: expected at least one question")
    if len(predicted) != len(questions):
        raise InputError(f"{len(predicted):,} answers for {len(questions):,} questions")
    for question in questions:
        if not question.answers:
            raise InputError(f"{question.place}: question {question.id!r} has no answer to compare")


__all__ = [
    "AnswerWords",
    "accuracy_scores",
    "answer_bleu",
    "centroid_accuracy",
    "chance",
    "mecab_words",
    "plain_words",
    "question_prior",
]
