"""Weights of an example's three views: by hand, their limits, and what they reduce to."""

from __future__ import annotations

import doctest

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from phosphene.core.types import VIEWS
from phosphene.objectives.imitation import distillation, multi_label_distillation
from phosphene.train.update import combine
from phosphene.weighting import instance
from phosphene.weighting.direct import Term
from phosphene.weighting.instance import (
    IMPORTANCE,
    ViewLosses,
    correctness,
    importance_as_printed,
    importance_by_prose,
    population,
)
from phosphene.weighting.meta import MetaLearner


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(instance).failed == 0


def test_the_objective_by_hand() -> None:
    """The likelihood 6/3; view losses (1, 2, 3) and (4, 5, 6) with weights; half of their sum."""
    losses = ViewLosses(
        {"likelihood": Term(torch.tensor(6.0), 3.0)},
        torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        0.5,
    )
    terms = losses.terms(torch.tensor([[1.0, 0.5, 0.0], [0.25, 0.0, 1.0]]))
    assert list(terms) == ["likelihood", *(f"imitation/{view}" for view in VIEWS)]
    assert [term.mean for term in terms.values()] == [2.0, 1.0, 0.5, 3.0]
    value = combine(terms, {name: term.count for name, term in terms.items()})
    assert value.item() == 2.0 + 0.5 * (1.0 + 0.5 + 3.0)


def test_fixed_weights_are_those_of_every_example() -> None:
    losses = torch.zeros(4, 3)
    assert population((1.0, 0.5, 0.25), losses).tolist() == [[1.0, 0.5, 0.25]] * 4
    for wrong in ((1.5, 0.0, 0.0), (0.0, -0.1, 0.0)):
        with pytest.raises(ValueError, match="not in"):
            population(wrong, losses)


def test_the_two_readings_of_importance_exchange_the_modalities() -> None:
    """The teacher answers the text as it answers both, and the image differently."""
    both = torch.tensor([[2.0, 0.0]])
    image = torch.tensor([[0.0, 2.0]])
    divergence = torch.stack([distillation(view, both, 1.0) for view in (both, image, both)], 1)
    printed, prose = importance_as_printed(divergence), importance_by_prose(divergence)
    assert printed[0, 0] == prose[0, 0] == 1.0
    assert printed[0, 1] == prose[0, 2] > 0.5
    assert printed[0, 2] == prose[0, 1] == 0.0
    assert {"as_printed": importance_as_printed, "by_prose": importance_by_prose} == IMPORTANCE


def test_importance_of_many_labels_needs_their_sum() -> None:
    """23 labels that each change a little: by their mean the view would count for nothing."""
    both, image = torch.full((1, 23), 2.0), torch.full((1, 23), 1.0)
    labels = multi_label_distillation(image, both, 1.0)
    by_sum, by_mean = (
        importance_as_printed(torch.stack([0 * value, value, value], 1))
        for value in (labels.sum(1), labels.mean(1))
    )
    assert by_sum[0, 1] > 0.8 and by_mean[0, 1] < 0.1


@given(st.lists(st.floats(0, 50), min_size=3, max_size=3))
def test_weights_by_correctness_are_a_distribution_in_the_order_of_fit(
    values: list[float],
) -> None:
    weights = correctness(torch.tensor([values], dtype=torch.double))[0]
    assert weights.sum().item() == pytest.approx(1)
    assert all(0 < weight <= 1 for weight in weights.tolist())
    best = min(range(3), key=values.__getitem__)
    assert weights[best] == weights.max()


def test_a_teacher_that_is_certain_and_right_divides_by_no_zero() -> None:
    weights = correctness(torch.tensor([[0.0, 0.0, 1.0]]))
    torch.testing.assert_close(weights, torch.tensor([[0.5, 0.5, 5e-5]]), atol=1e-4, rtol=0)


def test_a_learner_gives_every_view_a_weight() -> None:
    torch.manual_seed(0)
    learner = MetaLearner(labels=4, hidden=7)
    probabilities = F.softmax(torch.randn(5, 3, 4), dim=-1)
    weights = learner(probabilities)
    assert weights.shape == (5, 3)
    assert ((weights > 0) & (weights < 1)).all()
    torch.testing.assert_close(learner(probabilities[2:3]), weights[2:3])
    assert sum(p.numel() for p in learner.parameters()) == (12 + 1) * 7 + (7 + 1) * 3
