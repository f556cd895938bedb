"""Projections of matched layers."""

from __future__ import annotations

import pytest
import torch

from phosphene.nn.hint import HintRegressor, scaled_matches
from phosphene.objectives.imitation import hint


def test_every_match_has_its_own_map_of_the_right_layer() -> None:
    regressor = HintRegressor(3, 5, ((1, 2), (2, 4)))
    states = [torch.randn(2, 4, 3) for _ in range(3)]
    first, second = regressor(states)
    torch.testing.assert_close(first, regressor.maps[0](states[1]))
    torch.testing.assert_close(second, regressor.maps[1](states[2]))


def test_a_linear_teacher_can_be_reached() -> None:
    torch.manual_seed(0)
    regressor = HintRegressor(3, 5, ((0, 0),))
    states = [torch.randn(20, 4, 3)]
    teacher, mask = states[0] @ torch.randn(3, 5), torch.ones(20, 4, dtype=torch.bool)
    optimizer = torch.optim.Adam(regressor.parameters(), lr=0.1)
    for _ in range(150):
        optimizer.zero_grad()
        loss = hint(regressor(states)[0], teacher, mask).mean()
        loss.backward()
        optimizer.step()
    assert loss < 1e-3


@pytest.mark.parametrize(
    ("student", "teacher", "chosen", "matches"),
    [
        (12, 12, (3, 6, 9, 12), ((3, 3), (6, 6), (9, 9), (12, 12))),
        (6, 12, (3, 6, 9, 12), ((2, 3), (3, 6), (5, 9), (6, 12))),
        (4, 12, (12, 3, 6, 9), ((1, 3), (2, 6), (3, 9), (4, 12))),
        (2, 12, (3, 6, 9, 12), ((1, 6), (2, 12))),
        (1, 2, (2,), ((1, 2),)),
    ],
)
def test_chosen_layers_at_the_same_depth(
    student: int,
    teacher: int,
    chosen: tuple[int, ...],
    matches: tuple[tuple[int, int], ...],
) -> None:
    assert scaled_matches(student, teacher, chosen) == matches


def test_chosen_layers_exist() -> None:
    with pytest.raises(ValueError, match=r"expected teacher layers in 1\.\.12, got 13"):
        scaled_matches(12, 12, (3, 13))
