"""Recall at K, by hand and against guessing."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
import torch
from torch import Tensor

from phosphene.evaluate.retrieval import Recall, retrieve


def maps(rows: list[list[float]]) -> Tensor:
    """Feature maps of 1 x 2 positions whose mean over positions is ``rows``."""
    vectors = torch.tensor(rows)[:, :, None, None]
    return torch.cat([vectors - 1, vectors + 1], dim=3)


PICTURES = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]


def hits(generated: list[list[float]], real: list[list[float]] = PICTURES) -> list[int]:
    return [recall.hits for recall in retrieve(maps(generated), maps(real), (1, 2, 3))]


def test_every_picture_finds_itself() -> None:
    assert hits(PICTURES) == [3, 3, 3]


def test_three_by_three_by_hand() -> None:
    """Every column adds up to 1, so centring takes 1/3 from everything.

    Query 0 is then (-0.1, 1.1, -1) / 3: with picture 0, (2, -1, -1) / 3, its product is -0.3 / 9,
    with picture 1 it is 3.3 / 9, with picture 2 it is -3 / 9. Its own is second; likewise that of
    query 1. Query 2 finds its own.
    """
    assert hits([[0.3, 0.7, 0.0], [0.7, 0.3, 0.0], [0.0, 0.0, 1.0]]) == [1, 3, 3]


def test_swapped_pictures_are_not_found_first() -> None:
    assert hits([PICTURES[1], PICTURES[2], PICTURES[0]]) == [0, 0, 3]


def test_a_tie_counts_against_the_query() -> None:
    """All features the same say nothing, and find nothing but the whole list."""
    assert hits([[1.0, 2.0, 3.0]] * 3) == [0, 0, 3]
    assert hits(PICTURES, [[5.0, 5.0, 5.0]] * 3) == [0, 0, 3]


def test_a_common_direction_does_not_decide() -> None:
    shifted = [[value + 100 for value in row] for row in PICTURES]
    assert hits(shifted, PICTURES) == [3, 3, 3]


@pytest.mark.parametrize(
    ("k", "found", "of"), [(1, 2, 5), (2, 0, 4), (3, 6, 7), (1, 5, 5), (5, 3, 5)]
)
def test_the_p_value_is_the_exact_binomial_tail(k: int, found: int, of: int) -> None:
    p = Fraction(k, of)
    exact = sum(comb(of, n) * p**n * (1 - p) ** (of - n) for n in range(found, of + 1))
    recall = Recall(k, found, of)
    assert recall.p_value == pytest.approx(float(exact), rel=1e-12)
    assert (recall.rate, recall.chance) == (found / of, k / of)


def test_the_p_value_of_many_candidates_neither_overflows_nor_vanishes() -> None:
    assert Recall(1, 242, 242).p_value == pytest.approx(242.0**-242, rel=1e-6, abs=1e-300)
    assert Recall(5, 0, 1000).p_value == pytest.approx(1.0)
    assert 0 < Recall(1, 10, 1000).p_value < 1e-6
