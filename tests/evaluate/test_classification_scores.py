"""Scores of classifiers: by hand, against scikit-learn, and what a constant predictor gets."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.evaluate.classification import (
    F1,
    Agreement,
    accuracy,
    agreement,
    auc,
    best_threshold,
    divergence_by_view,
    f1,
    label_agreement,
)


def ints(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def random_labels(seed: int, rows: int = 60, columns: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.random((rows, columns)) < rng.random(columns)
    scores = np.round(np.clip(0.4 * labels + rng.random((rows, columns)), 0, 1) * 0.9, 2)
    return scores, labels


def test_accuracy_and_area_by_hand() -> None:
    assert accuracy(ints(0, 1, 1, 2), ints(0, 1, 2, 2)) == 0.75
    scores = np.array([0.1, 0.4, 0.35, 0.8])
    assert auc(scores, ints(0, 0, 1, 1)) == 0.75  # three of four pairs are in order
    assert auc(np.full(4, 0.3), ints(0, 1, 1, 0)) == 0.5
    with pytest.raises(ValueError, match="examples of both classes"):
        auc(scores, ints(1, 1, 1, 1))


def test_f1_by_hand() -> None:
    """Label 0: 1 right, 1 wrong, 1 missed: 1/2; label 1: none predicted: 0; micro 2 / 5."""
    predicted = np.array([[1, 0], [1, 0], [0, 0]], dtype=bool)
    labels = np.array([[1, 0], [0, 1], [1, 0]], dtype=bool)
    assert f1(predicted, labels) == F1(macro=0.25, micro=0.4)
    nothing = np.zeros((2, 3), dtype=bool)
    assert f1(nothing, nothing) == F1(0.0, 0.0)


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_scikit_learn(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    scores, labels = random_labels(seed)
    predicted = scores >= 0.5
    ours = f1(predicted, labels)
    assert ours.macro == pytest.approx(
        metrics.f1_score(labels, predicted, average="macro", zero_division=0)
    )
    assert ours.micro == pytest.approx(metrics.f1_score(labels, predicted, average="micro"))
    one = labels[:, 0].astype(np.int64)
    assert auc(scores[:, 0], one) == pytest.approx(metrics.roc_auc_score(one, scores[:, 0]))
    rng = np.random.default_rng(seed)
    first, second = (rng.integers(3, size=50) for _ in range(2))
    found = agreement(first, second)
    assert found.kappa == pytest.approx(metrics.cohen_kappa_score(first, second))
    assert found.ratio == accuracy(first, second) == metrics.accuracy_score(first, second)


@given(st.integers(0, 10_000))
def test_no_threshold_does_better_than_the_best(seed: int) -> None:
    scores, labels = random_labels(seed, rows=8, columns=2)
    best = f1(scores >= best_threshold(scores, labels), labels).micro
    for threshold in [*np.unique(scores), 0.5, 1.1]:
        assert f1(scores >= threshold, labels).micro <= best + 1e-12


def test_the_best_threshold_is_the_nearest_to_a_half() -> None:
    yes, no = np.array([[True], [False]]), np.array([[False], [True]])
    assert best_threshold(np.array([[0.9], [0.1]]), yes) == 0.5
    assert best_threshold(np.array([[0.4], [0.1]]), yes) == 0.4
    low = best_threshold(np.array([[0.9], [0.7]]), yes)
    assert 0.7 < low < 0.7001
    # The positive lies below: everything has to be called positive.
    assert best_threshold(np.array([[0.9], [0.7]]), no) == 0.5


def test_a_constant_student_agrees_by_chance() -> None:
    """Its ratio is the share of its class among the teacher's predictions, its kappa 0."""
    teacher = ints(0, 1, 0, 0, 2, 0, 1, 0)
    for label, share in ((0, 5 / 8), (1, 2 / 8), (3, 0.0)):
        assert agreement(np.full(8, label), teacher) == Agreement(share, 0.0)


def test_agreement_by_hand() -> None:
    """3 of 4 agree; by chance 1/2 * 3/4 + 1/2 * 1/4 = 1/2: kappa 1/2."""
    assert agreement(ints(0, 0, 1, 1), ints(0, 0, 0, 1)) == Agreement(0.75, 0.5)
    assert agreement(ints(0, 1, 2), ints(0, 1, 2)) == Agreement(1.0, 1.0)
    assert agreement(ints(1, 1), ints(1, 1)) == Agreement(1.0, 0.0)
    assert agreement(ints(0, 1), ints(1, 0)).kappa == -1.0
    labels = np.array([[1, 0], [1, 1], [0, 0], [0, 1]], dtype=bool)
    assert label_agreement(labels, labels[:, [0, 0]]) == [Agreement(1.0, 1.0), Agreement(0.5, 0.0)]


def test_divergence_from_a_teacher_view_by_view() -> None:
    """The image alone: 1/2 and 1/2 where the teacher says 3/4 and 1/4; elsewhere they agree."""
    teacher = torch.zeros(2, 3, 2)
    teacher[:, 1] = torch.tensor([3.0, 1.0]).log()
    found = divergence_by_view(torch.zeros(2, 3, 2), teacher, many=False)
    by_hand = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert found == pytest.approx({"both": 0, "image": by_hand, "text": 0}, abs=1e-6)
    labels = divergence_by_view(torch.zeros(2, 3, 2), teacher, many=True)
    assert labels["image"] == pytest.approx(
        by_hand, abs=1e-6
    )  # log 3 and log 1: the second is even


def test_no_examples_have_no_score() -> None:
    with pytest.raises(ValueError, match="got 0 and 0"):
        accuracy(ints(), ints())
    with pytest.raises(ValueError, match="got 0 and 0"):
        agreement(ints(), ints())
