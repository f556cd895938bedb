"""Distances of aligned states, against loops over the equations."""

from __future__ import annotations

import doctest

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.types import AlignedPositions
from phosphene.objectives import alignment
from phosphene.objectives.alignment import aligned_squares, layer_sum


def drawn(seed: int, pairs: int) -> tuple[torch.Tensor, torch.Tensor, AlignedPositions]:
    generator = torch.Generator().manual_seed(seed)

    def index(size: int) -> torch.Tensor:
        return torch.randint(size, (pairs,), generator=generator)

    student = torch.randn(3, 5, 4, generator=generator)
    teacher = torch.randn(3, 7, 4, generator=generator)
    return student, teacher, AlignedPositions(index(3), index(5), index(7))


@given(st.integers(0, 1000), st.integers(0, 9))
def test_every_pair_costs_its_mean_square(seed: int, count: int) -> None:
    student, teacher, pairs = drawn(seed, count)
    expected = [
        torch.nn.functional.mse_loss(student[row, here], teacher[row, there]).item()
        for row, here, there in zip(
            pairs.example.tolist(), pairs.student.tolist(), pairs.teacher.tolist(), strict=True
        )
    ]
    assert aligned_squares(student, teacher, pairs).tolist() == pytest.approx(expected)


def test_layers_are_weighted_and_added() -> None:
    student, teacher, pairs = drawn(0, 6)
    first, second = aligned_squares(student, teacher, pairs), aligned_squares(
        2 * student, teacher, pairs
    )  # fmt: skip
    both = layer_sum([student, 2 * student], [teacher, teacher], pairs, [0.5, 3.0])
    assert torch.allclose(both, 0.5 * first + 3 * second)
    with pytest.raises(ValueError, match="shorter"):
        layer_sum([student, student], [teacher], pairs, [1.0])


def test_gradients_reach_aligned_positions_of_the_student_only() -> None:
    student, teacher, pairs = drawn(1, 4)
    student.requires_grad_()
    aligned_squares(student, teacher, pairs).sum().backward()
    touched = {tuple(place) for place in (student.grad != 0).any(dim=2).nonzero().tolist()}
    assert touched == set(zip(pairs.example.tolist(), pairs.student.tolist(), strict=True))


def test_doctests() -> None:
    assert doctest.testmod(alignment, extraglobs={"torch": torch}).attempted > 4
    assert doctest.testmod(alignment).failed == 0
