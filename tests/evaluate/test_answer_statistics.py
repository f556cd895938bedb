"""AUC and F1 of resampled answers are those that the plain functions compute."""

from __future__ import annotations

import math

import numpy as np
import pytest

from phosphene.evaluate.answer_statistics import (
    areas_under_curve,
    label_counts,
    macro_f1,
    micro_f1,
    ranking,
    right_answers,
)
from phosphene.evaluate.classification import auc, f1
from phosphene.evaluate.repeated import of_sums, paired_difference
from phosphene.evaluate.significance import Interval
from phosphene.evaluate.system import Line

NAMES = ("crime", "comedy", "family")


def draw(rng: np.random.Generator, items: int) -> np.ndarray:
    """How often a resample has each item."""
    return np.bincount(rng.integers(items, size=items), minlength=items)


def binary(seed: int, count: int = 60) -> tuple[list[Line], np.ndarray, np.ndarray]:
    """Answers with many ties; scores and classes beside them."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(2, size=count)
    scores = np.round(classes + rng.normal(0, 1.5, count))
    names = ("benign", "hostile")
    lines = [
        Line("", names[label], names[int(score > 0)], -math.log1p(math.exp(-score * sign)))
        for score, label, sign in zip(scores, classes, 2 * classes - 1, strict=True)
    ]
    return lines, scores, classes


def labelled(seed: int, count: int = 40) -> tuple[list[Line], np.ndarray, np.ndarray]:
    """Answers with many labels; predictions and truth beside them."""
    rng = np.random.default_rng(seed)
    truth = rng.random((count, 3)) < (0.5, 0.3, 0.1)
    said = truth ^ (rng.random((count, 3)) < 0.2)
    texts = [
        [", ".join(n for n, yes in zip(NAMES, row, strict=True) if yes) for row in side]
        for side in (truth, said)
    ]
    return [Line("", *pair, -1.0) for pair in zip(*texts, strict=True)], said, truth


def test_one_resample_of_the_area_is_the_plain_area_of_the_repeated_examples() -> None:
    rng = np.random.default_rng(3)
    sides = [binary(seed) for seed in (1, 2)]
    ranked = [ranking(lines) for lines, _, _ in sides]
    corpora = np.stack([each for each in ranked if each is not None])
    counts = np.stack([np.ones(60, dtype=np.int64), *(draw(rng, 60) for _ in range(3))])
    found = areas_under_curve(counts.astype(float), corpora)
    for row, drawn in enumerate(counts):
        for column, (_, scores, classes) in enumerate(sides):
            expected = 100 * auc(np.repeat(scores, drawn), np.repeat(classes, drawn))
            assert found[row, column] == pytest.approx(expected)


def test_a_resample_of_one_class_says_nothing_and_certain_answers_are_ranked() -> None:
    lines = [Line("", "a", "a", 0.0), Line("", "b", "b", 0.0), Line("", "b", "a", -math.log(2))]
    ranked = ranking(lines)
    assert ranked is not None
    assert ranked.tolist() == [[-math.inf, 0.0], [math.inf, 1.0], [0.0, 1.0]]
    counts = np.array([[1.0, 1, 1], [0, 2, 1], [1, 0, 2]])
    assert areas_under_curve(counts, ranked[None]).tolist() == [[100.0], [50.0], [100.0]]
    assert ranking([*lines, Line("", "c", "c", -1.0)]) is None


def test_one_resample_of_f1_is_the_plain_f1_of_the_repeated_examples() -> None:
    lines, said, truth = labelled(4)
    counts = label_counts(lines, len(NAMES))
    assert counts is not None
    for drawn in (np.ones(40, dtype=np.int64), draw(np.random.default_rng(5), 40)):
        expected = f1(np.repeat(said, drawn, axis=0), np.repeat(truth, drawn, axis=0))
        sums = (drawn[:, None] * counts).sum(axis=0, keepdims=True)
        assert macro_f1(sums)[0] == pytest.approx(100 * expected.macro)
        assert micro_f1(sums)[0] == pytest.approx(100 * expected.micro)


def test_a_label_that_nobody_names_counts_zero_and_names_with_commas_are_refused() -> None:
    lines = [Line("", "a", "a", -1.0), Line("", "", "", -1.0)]
    counts = label_counts(lines, 2)
    assert counts is not None and counts.tolist() == [[1, 2, 0, 0], [0, 0, 0, 0]]
    assert macro_f1(counts.sum(axis=0, keepdims=True)).tolist() == [50.0]
    assert micro_f1(counts.sum(axis=0, keepdims=True)).tolist() == [100.0]
    assert label_counts([Line("", "a, b, c", "", -1.0)], 2) is None


def test_uncovered_examples_are_wrong() -> None:
    values = right_answers([Line("", "a", "a", -1.0), Line("", "a", "b", -1.0)], uncovered=2)
    assert values.tolist() == [[100, 1], [0, 1], [0, 1], [0, 1]]


@pytest.mark.parametrize("score", ["area", "macro", "micro"])
def test_a_system_does_not_differ_from_itself(score: str) -> None:
    if score == "area":
        ranked = [ranking(binary(seed)[0]) for seed in (1, 2, 3)]
        corpora, scored = np.stack([r for r in ranked if r is not None]), areas_under_curve
    else:
        counts = [label_counts(labelled(seed)[0], len(NAMES)) for seed in (1, 2, 3)]
        corpora = np.stack([each for each in counts if each is not None])
        scored = of_sums({"macro": macro_f1, "micro": micro_f1}[score])
    same = paired_difference([(corpora, corpora)], scored, seed=1)
    assert (same.delta, same.interval, same.p_value) == (0.0, Interval(0.0, 0.0), 1.0)
