"""Lambda: where it starts, what drives it to zero, and what keeps it from going there."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.weighting.gate import (
    TokenGate,
    fixed_gate,
    learned_gate,
    normalised,
    normalised_gate,
)

MASK = torch.tensor([[True, True, True, False]])


def inputs() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    word, text, visual = torch.randn(3, 1, 4, 6, generator=generator)
    return word, text, visual


def test_every_token_starts_with_one_half() -> None:
    assert TokenGate(6)(*inputs()).tolist() == [[0.5] * 4]


def test_the_gate_is_the_sigmoid_of_three_products() -> None:
    gate = TokenGate(2)
    with torch.no_grad():
        gate.word.copy_(torch.tensor([1.0, 0.0]))
        gate.text.copy_(torch.tensor([0.0, 2.0]))
        gate.visual.copy_(torch.tensor([-1.0, -1.0]))
    one = torch.tensor([[[1.0, 1.0]]])
    assert gate(one, one, one).item() == pytest.approx(1 / (1 + math.exp(-(1 + 2 - 2))))


def test_the_loss_alone_drives_the_learned_weight_to_zero() -> None:
    """Why the paper's formula needs a remedy: nothing pushes the other way."""
    gate, losses = TokenGate(6), torch.rand(1, 4) + 0.1
    optimizer = torch.optim.Adam(gate.parameters(), lr=0.1)
    values = (torch.ones(1, 4, 6),) * 3
    for _ in range(60):
        optimizer.zero_grad()
        (learned_gate(gate)(*values, MASK) * losses * MASK).sum().backward()
        optimizer.step()
    assert gate(*values).max() < 0.01


def test_the_normalised_weight_keeps_its_mean_and_prefers_cheap_tokens() -> None:
    gate, losses = TokenGate(6), torch.tensor([[0.1, 1.0, 1.0, 5.0]])
    optimizer = torch.optim.Adam(gate.parameters(), lr=0.05)
    values = inputs()
    for _ in range(60):
        optimizer.zero_grad()
        (normalised_gate(gate, 0.4)(*values, MASK) * losses * MASK).sum().backward()
        optimizer.step()
    found = normalised_gate(gate, 0.4)(*values, MASK)
    assert found[MASK].mean().item() == pytest.approx(0.4, abs=1e-5)
    assert found[0, 0] > found[0, 1:3].max()


@given(st.lists(st.floats(0.01, 1.0), min_size=2, max_size=6), st.integers(1, 6))
def test_normalised_weights_have_mean_one_over_the_mask(values: list[float], kept: int) -> None:
    mask = torch.arange(len(values))[None] < kept
    found = normalised(torch.tensor([values]), mask)
    assert found[mask].mean().item() == pytest.approx(1, abs=1e-5)
    assert found[~mask].eq(0).all()


def test_a_sentence_without_tokens_to_weigh_gets_zeros_and_a_finite_gradient() -> None:
    weights = torch.rand(1, 4, requires_grad=True)
    found = normalised(weights, torch.zeros(1, 4, dtype=torch.bool))
    found.sum().backward()
    assert found.eq(0).all()
    assert weights.grad is not None and torch.isfinite(weights.grad).all()


def test_the_fixed_weight_is_the_same_everywhere() -> None:
    assert fixed_gate(0.4)(*inputs(), MASK).eq(0.4).all()
