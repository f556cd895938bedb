"""How good a classifier is, and how far it answers as its teacher does.

Functions of whole test sets: probabilities or predictions beside labels. A threshold is chosen on
validation data and then given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from phosphene.core.types import VIEWS, View
from phosphene.objectives.imitation import distillation, multi_label_distillation

Classes = Int[np.ndarray, " example"]
Decisions = Classes | Bool[np.ndarray, "example label"]
"""One class of each example, or yes or no for every label."""
Scores = Float[np.ndarray, " example"]


def accuracy(predicted: Classes, labels: Classes) -> float:
    """Share of right predictions."""
    _check(len(predicted), len(labels))
    return float(np.mean(predicted == labels))


def auc(scores: Scores, labels: Classes) -> float:
    """Area under the ROC curve: how often a positive scores above a negative; ties count half.

    Raises:
        ValueError: only one class is there.
    """
    _check(len(scores), len(labels))
    positive = labels == 1
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        raise ValueError("the area under the ROC curve needs examples of both classes")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    rank = np.cumsum(counts) - (counts - 1) / 2  # of each distinct score, the mean of its ranks
    total = float(rank[place][positive].sum()) - positives * (positives + 1) / 2
    return total / (positives * negatives)


@dataclass(frozen=True)
class F1:
    """The harmonic mean of precision and recall, over several labels."""

    macro: float
    """The mean over labels."""
    micro: float
    """Of the counts of all labels together."""


def f1(
    predicted: Bool[np.ndarray, "example label"], labels: Bool[np.ndarray, "example label"]
) -> F1:
    """F1 of yes-no predictions; a label that is neither predicted nor there scores 0."""
    _check(len(predicted), len(labels))
    right = (predicted & labels).sum(axis=0)
    mentioned = predicted.sum(axis=0) + labels.sum(axis=0)
    each = 2 * right / np.maximum(mentioned, 1)
    return F1(float(each.mean()), float(2 * right.sum() / max(mentioned.sum(), 1)))


def best_threshold(
    probabilities: Float[np.ndarray, "example label"], labels: Bool[np.ndarray, "example label"]
) -> float:
    """The threshold with the best micro F1, for validation data; ``probabilities >= it`` is yes.

    Of equally good thresholds the one nearest to a half, and of two the lower.
    """
    _check(len(probabilities), len(labels))
    order = np.argsort(-probabilities, axis=None, kind="stable")
    ranked = probabilities.ravel()[order]
    right = np.cumsum(labels.ravel()[order])
    scores = 2 * right / (np.arange(1, len(ranked) + 1) + labels.sum())
    scores[:-1][ranked[:-1] == ranked[1:]] = -1.0  # a threshold cannot part equals
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    below = np.append(ranked[1:], 0.0)
    # Anything above the next lower probability does the same: take what is nearest to a half.
    nearest = np.clip(0.5, np.nextafter(below[best], 1.0), ranked[best])
    return float(min(nearest, key=lambda value: (abs(value - 0.5), value)))


@dataclass(frozen=True)
class Agreement:
    """How far two classifiers say the same.

    Attributes:
        ratio: share of examples with the same prediction: the paper's consistency ratio.
        kappa: the same, less what two classifiers with these frequencies would agree on by chance
            (Cohen, 1960): 1 is always, 0 is chance. A constant student has kappa 0, and as its
            ratio the share of that class among the teacher's predictions.
    """

    ratio: float
    kappa: float


def agreement(student: Classes, teacher: Classes) -> Agreement:
    """Compare two classifiers' predictions.

    Where chance alone would always agree, because both say the same one thing, kappa is 0.
    """
    _check(len(student), len(teacher))
    ratio = float(np.mean(student == teacher))
    classes = np.union1d(student, teacher)
    shares = [(rows[:, None] == classes).mean(axis=0) for rows in (student, teacher)]
    chance = float((shares[0] * shares[1]).sum())
    return Agreement(ratio, (ratio - chance) / (1 - chance) if chance < 1 else 0.0)


def label_agreement(
    student: Bool[np.ndarray, "example label"], teacher: Bool[np.ndarray, "example label"]
) -> list[Agreement]:
    """The agreement about each of several labels."""
    return [
        agreement(own.astype(np.int64), taught.astype(np.int64))
        for own, taught in zip(student.T, teacher.T, strict=True)
    ]


def agreed(student: Decisions, teacher: Decisions) -> Agreement:
    """The agreement on classes; of many labels the mean over labels."""
    if student.ndim == 1:
        return agreement(student, teacher)
    each = label_agreement(student, teacher)
    return Agreement(
        float(np.mean([one.ratio for one in each])), float(np.mean([one.kappa for one in each]))
    )


def divergence_by_view(
    student: Float[Tensor, "batch view label"],
    teacher: Float[Tensor, "batch view label"],
    *,
    many: bool,
) -> dict[View, float]:
    """Mean KL divergence from a teacher's answers to a student's, in nats, for every view.

    Args:
        student: logits.
        teacher: logits.
        many: labels may hold together; their divergences are added up.
    """
    _check(len(student), len(teacher))
    means: dict[View, float] = {}
    for column, view in enumerate(VIEWS):
        own, taught = student[:, column].double(), teacher[:, column].double()
        losses = (
            multi_label_distillation(own, taught, 1.0).sum(dim=1)
            if many
            else distillation(own, taught, 1.0)
        )
        means[view] = float(losses.mean())
    return means


def _check(one: int, other: int) -> None:
    if one != other or not one:
        raise ValueError(f"expected the same examples, at least one: got {one} and {other}")


__all__ = [
    "F1",
    "Agreement",
    "accuracy",
    "agreed",
    "agreement",
    "auc",
    "best_threshold",
    "divergence_by_view",
    "f1",
    "label_agreement",
]
