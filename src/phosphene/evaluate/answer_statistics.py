"""Scores of answers from what a run keeps of every example, so that examples can be resampled.

Accuracy and F1 are functions of sums over examples; the area under the ROC curve is one of ranks,
and each resample counts how often every rank occurs. Predictions are the run's own, at its own
threshold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float

from phosphene.evaluate.repeated import Corpora
from phosphene.evaluate.score import Score
from phosphene.evaluate.system import Line, SplitResult

Statistics = Float[np.ndarray, "example statistic"]
_SEPARATOR: Final = ", "
_DIGITS: Final = 6
"""Of log-odds: answers that were alike are alike again, though written in 32 bits."""


def counted(what: str, score: Score) -> int:
    """A number that the score's signature gives; 0 where it gives none."""
    match = re.search(rf"(?:^|\|){what}:(\d+)", score.signature)
    return int(match[1]) if match else 0


def uncovered(split: SplitResult) -> int:
    """Further examples, which have no line: no model could give their answer."""
    scores = (score for score in split.scores if isinstance(score, Score))
    return sum(counted("uncovered, wrong", score) for score in scores if score.name == "accuracy")


def right_answers(lines: Sequence[Line], uncovered: int = 0) -> Statistics:
    """Per cent and 1 for every example; of further ``uncovered`` ones no answer is right."""
    values = [100.0 * (line.hypothesis == line.reference) for line in lines] + [0.0] * uncovered
    return np.stack([np.array(values), np.ones(len(values))], axis=1)


def label_counts(lines: Sequence[Line], labels: int) -> Statistics | None:
    """For each label: whether it is rightly predicted, and how often predicted or there (0 to 2).

    Which label comes first makes no difference to F1, and one that no line names counts nothing.

    Args:
        lines: labels with commas between.
        labels: how many there are.

    Returns:
        the counts label by label, or nothing where names hold commas and cannot be told apart.
    """
    held, said = ([_named(text) for text in texts] for texts in _sides(lines))
    names = sorted(set().union(*held, *said))
    if len(names) > labels:
        return None
    place = {name: column for column, name in enumerate(names)}
    counts = np.zeros((len(lines), labels, 2))
    for row, (there, predicted) in enumerate(zip(held, said, strict=True)):
        counts[row, [place[name] for name in there & predicted], 0] = 1
        for one in (there, predicted):
            counts[row, [place[name] for name in one], 1] += 1
    return counts.reshape(len(lines), -1)


def macro_f1(sums: Float[np.ndarray, "corpus statistic"]) -> Float[np.ndarray, " corpus"]:
    """The mean over labels, in percent, from summed :func:`label_counts`."""
    counts = sums.reshape(len(sums), -1, 2)
    return np.asarray(100 * (2 * counts[..., 0] / np.maximum(counts[..., 1], 1)).mean(axis=1))


def micro_f1(sums: Float[np.ndarray, "corpus statistic"]) -> Float[np.ndarray, " corpus"]:
    """Of the counts of all labels together, in percent, from summed :func:`label_counts`."""
    counts = sums.reshape(len(sums), -1, 2).sum(axis=1)
    return np.asarray(100 * 2 * counts[:, 0] / np.maximum(counts[:, 1], 1))


def ranking(lines: Sequence[Line]) -> Statistics | None:
    """Log-odds of the second of two classes, and whether an example is of it.

    Either class may be called the second: the area is the same. Both follow from the true class's
    log-probability; of more classes than two nothing does.
    """
    classes = sorted({line.reference for line in lines})
    if len(classes) != 2:
        return None
    true = np.minimum([line.likelihood for line in lines], 0.0)
    second = np.array([line.reference == classes[1] for line in lines])
    with np.errstate(divide="ignore"):  # an answer that is certain has infinite odds
        odds = np.round(true - np.log(-np.expm1(true)), _DIGITS)
    return np.stack([np.where(second, odds, -odds), second], axis=1)


def areas_under_curve(
    counts: Float[np.ndarray, "resample example"], corpora: Corpora
) -> Float[np.ndarray, "resample seed"]:
    """The area under the ROC curve, in percent, of every resample; ties count half.

    A resample without examples of both classes says nothing: 50.

    Args:
        counts: how often each example is drawn.
        corpora: the :func:`ranking` of each seed's model.
    """
    found = [_areas(counts, ranked[:, 0], ranked[:, 1]) for ranked in corpora]
    return 100 * np.stack(found, axis=1)


def _areas(
    counts: Float[np.ndarray, "resample example"],
    scores: Float[np.ndarray, " example"],
    positive: Float[np.ndarray, " example"],
) -> Float[np.ndarray, " resample"]:
    order = np.argsort(scores, kind="stable")
    starts = np.unique(scores[order], return_index=True)[1]
    ranked, of_positive = counts[:, order], positive[order]
    positives = np.add.reduceat(ranked * of_positive, starts, axis=1)
    negatives = np.add.reduceat(ranked * (1 - of_positive), starts, axis=1)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return np.where(pairs > 0, (positives * below).sum(axis=1) / np.maximum(pairs, 1), 0.5)


def _sides(lines: Sequence[Line]) -> tuple[list[str], list[str]]:
    return [line.reference for line in lines], [line.hypothesis for line in lines]


def _named(text: str) -> frozenset[str]:
    return frozenset(text.split(_SEPARATOR)) if text else frozenset()


__all__ = [
    "areas_under_curve",
    "counted",
    "label_counts",
    "macro_f1",
    "micro_f1",
    "ranking",
    "right_answers",
    "uncovered",
]
