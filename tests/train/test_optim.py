"""Learning rates by hand, and which parameters are optimised."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from phosphene.train.optim import OptimConfig, adam, learning_rate, trainable


@pytest.mark.parametrize(
    ("update", "rate"),
    [
        (1, 0.004 / 2000),
        (500, 0.001),
        (1999, 0.003998),
        (2000, 0.004),
        (8000, 0.002),
        (50_000, 8e-4),
    ],
)
def test_inverse_square_root_by_hand(update: int, rate: float) -> None:
    """The paper's: 0.004 after 2,000 updates, then times sqrt(2000 / update)."""
    assert learning_rate(OptimConfig(), update, 60_000) == pytest.approx(rate, rel=1e-12)


@pytest.mark.parametrize(
    ("update", "rate"), [(50, 0.5), (100, 1.0), (300, 0.5), (200, 0.75 + 0.1035533906), (500, 0.0)]
)
def test_cosine_ends_at_zero(update: int, rate: float) -> None:
    config = OptimConfig(learning_rate=1, warmup_updates=100, schedule="cosine")
    assert learning_rate(config, update, 500) == pytest.approx(rate, abs=1e-7)


@pytest.mark.parametrize(("update", "rate"), [(50, 0.5), (100, 1.0), (200, 0.75), (500, 0.0)])
def test_linear_decay_ends_at_zero(update: int, rate: float) -> None:
    config = OptimConfig(learning_rate=1, warmup_updates=100, schedule="linear")
    assert learning_rate(config, update, 500) == pytest.approx(rate, abs=1e-12)


def test_constant_and_no_warmup() -> None:
    config = OptimConfig(learning_rate=0.1, warmup_updates=0, schedule="constant")
    assert [learning_rate(config, update, 9) for update in (1, 9)] == [0.1, 0.1]
    for schedule in ("inverse_sqrt", "cosine", "linear"):
        first = OptimConfig(learning_rate=0.1, warmup_updates=0, schedule=schedule)
        assert 0 < learning_rate(first, 1, 1000) <= 0.1


def test_adam_by_hand() -> None:
    """The first step of Adam is the learning rate, against the sign of the gradient."""
    layer = nn.Linear(2, 1, bias=False)
    before = layer.weight.detach().clone()
    optimizer = adam(trainable([layer]), OptimConfig(learning_rate=0.01))
    layer.weight.grad = torch.tensor([[3.0, -0.2]])
    optimizer.step()
    torch.testing.assert_close(before - layer.weight.detach(), torch.tensor([[0.01, -0.01]]))


def test_shared_and_frozen_parameters() -> None:
    shared, frozen = nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False)
    optimizer = adam(trainable([nn.Sequential(shared, frozen), shared]), OptimConfig())
    assert [len(group["params"]) for group in optimizer.param_groups] == [2]
