"""Answer the questions of a test split and score the answers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from phosphene.core.runlog import RunLog
from phosphene.data.answers import NOT_COVERED, AnswerVocabulary
from phosphene.data.questions import QuestionData, in_order
from phosphene.data.vqa import Question
from phosphene.evaluate.answering import (
    accuracy_scores,
    answer_bleu,
    chance,
    plain_words,
    question_prior,
)
from phosphene.evaluate.score import Score
from phosphene.evaluate.system import Line, SplitResult
from phosphene.models.answerer import Answerer

_QUESTIONS_AT_ONCE = 64


@torch.no_grad()
def answer_all(
    model: Answerer, data: QuestionData, vocabulary: AnswerVocabulary, log: RunLog, name: str
) -> list[Line]:
    """What ``model`` answers, question by question.

    A line's likelihood is the log-probability of the gold answer; minus infinity where that is
    none of the model's answers.

    Args:
        model: in evaluation mode.
        data: one language's questions.
        vocabulary: the answers of the model's classes.
        log: shows progress.
        name: of the split.
    """
    device = model.classifier.weight.device
    lines: dict[int, Line] = {}
    with log.progress(f"answering {name}", len(data)) as advance:
        for indices, batch in in_order(data, _QUESTIONS_AT_ONCE):
            scores = F.log_softmax(model(batch.to(device)).logits.float(), dim=1).cpu()
            best = scores.argmax(dim=1).tolist()
            for place, row in enumerate(indices.tolist()):
                question = data.questions[row]
                label = vocabulary.label(question)
                gold = float("-inf") if label == NOT_COVERED else float(scores[place, label])
                text = question.text[data.language]
                said = vocabulary.answers[best[place]]
                lines[row] = Line(text, question.best_answer or "", said, gold)
            advance(len(lines))
    return [lines[row] for row in range(len(data))]


def score_answers(
    name: str,
    questions: Sequence[Question],
    lines: Sequence[Line],
    vocabulary: AnswerVocabulary,
    known: Sequence[Question],
    languages: tuple[str, str],
) -> SplitResult:
    """The accuracies of a split, and what the best guess from the question alone reaches.

    Args:
        name: of the split.
        questions: what was asked, with the true answers.
        lines: what was answered.
        vocabulary: what the system can answer.
        known: the questions whose answers the system was trained on.
        languages: of the questions, of the answers.

    Raises:
        InputError: a question has no answer.
    """
    language, answered = languages
    said = [line.hypothesis for line in lines]
    guessed = question_prior(known, questions, language)
    right = sum(a == each.best_answer for a, each in zip(guessed, questions, strict=True))
    prior = Score(
        "prior (question alone)",
        100 * right / len(questions),
        f"most frequent training answer|training:{len(known)}|questions:{len(questions)}",
    )
    scores = [
        *accuracy_scores(said, questions, vocabulary, language),
        answer_bleu(said, questions, plain_words(answered)),
        prior,
        chance(vocabulary),
    ]
    return SplitResult(name, len(questions), tuple(scores), tuple(lines), kind="answers")


__all__ = ["answer_all", "score_answers"]
