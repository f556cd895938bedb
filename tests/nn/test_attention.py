"""Multi-head attention against torch's own, and where there is nothing to attend to."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from phosphene.nn.attention import MultiHeadAttention

HIDDEN, HEADS = 16, 4


@pytest.fixture
def ours() -> MultiHeadAttention:
    torch.manual_seed(0)
    attention = MultiHeadAttention(HIDDEN, HEADS)
    for linear in (attention.query, attention.key_value, attention.output):
        nn.init.normal_(linear.bias)
    return attention


def torchs(ours: MultiHeadAttention) -> nn.MultiheadAttention:
    """The same weights in torch's module."""
    theirs = nn.MultiheadAttention(HIDDEN, HEADS, batch_first=True)
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([ours.query.weight, ours.key_value.weight]),
            "in_proj_bias": torch.cat([ours.query.bias, ours.key_value.bias]),
            "out_proj.weight": ours.output.weight,
            "out_proj.bias": ours.output.bias,
        }
    )
    return theirs


@pytest.mark.parametrize("masked", [False, True])
def test_parity_with_torch(ours: MultiHeadAttention, masked: bool) -> None:
    query, memory = torch.randn(3, 5, HIDDEN), torch.randn(3, 7, HIDDEN)
    lengths = torch.tensor([7, 1, 4])
    mask = torch.arange(7) < lengths[:, None] if masked else None
    hidden = None if mask is None else ~mask
    expected, weights = torchs(ours)(
        query, memory, memory, key_padding_mask=hidden, average_attn_weights=False
    )
    four = None if mask is None else mask[:, None, None]
    torch.testing.assert_close(ours(query, memory, four), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(ours.weights(query, memory, four), weights, rtol=1e-5, atol=1e-6)


def test_gradient_parity_with_torch(ours: MultiHeadAttention) -> None:
    theirs = torchs(ours)
    rows = torch.randn(2, 6, HIDDEN)
    causal = torch.ones(6, 6, dtype=torch.bool).tril()
    ours(rows, rows, causal[None, None]).square().sum().backward()
    theirs(rows, rows, rows, attn_mask=~causal)[0].square().sum().backward()
    assert ours.query.weight.grad is not None and ours.key_value.weight.grad is not None
    joint = torch.cat([ours.query.weight.grad, ours.key_value.weight.grad])
    assert theirs.in_proj_weight.grad is not None
    torch.testing.assert_close(joint, theirs.in_proj_weight.grad, rtol=1e-4, atol=1e-4)


def test_a_query_with_nothing_to_attend_to_gets_nothing(ours: MultiHeadAttention) -> None:
    query = torch.randn(2, 3, HIDDEN, requires_grad=True)
    memory = torch.randn(2, 4, HIDDEN, requires_grad=True)
    mask = torch.tensor([[True] * 4, [False] * 4])[:, None, None]
    context = ours(query, memory, mask)
    torch.testing.assert_close(context[1], ours.output.bias.expand(3, -1))
    assert ours.weights(query, memory, mask)[1].eq(0).all()
    context.square().sum().backward()
    gradients = [query.grad, memory.grad, *(weight.grad for weight in ours.parameters())]
    for gradient in gradients:
        assert gradient is not None and gradient.isfinite().all()
    assert query.grad is not None and memory.grad is not None
    assert query.grad[1].eq(0).all() and memory.grad[1].eq(0).all()
    assert query.grad[0].ne(0).any() and memory.grad[0].ne(0).any()


def test_projected_memory_can_be_kept(ours: MultiHeadAttention) -> None:
    query, memory = torch.randn(2, 3, HIDDEN), torch.randn(2, 4, HIDDEN)
    kept = ours.project(memory)
    whole = ours(query, memory)
    parts = [ours.attend(query[:, step : step + 1], kept) for step in range(3)]
    torch.testing.assert_close(torch.cat(parts, dim=1), whole)


def test_two_positions_by_hand() -> None:
    """With identity projections and one head, keys 0 and ln 3 share attention 1 : 3."""
    attention = MultiHeadAttention(1, 1)
    with torch.no_grad():
        for linear in (attention.query, attention.key_value, attention.output):
            linear.weight.fill_(1.0)
    memory = torch.tensor([[[0.0], [3.0]]]).log1p() / torch.tensor(4.0).log()
    query = torch.full((1, 1, 1), float(torch.tensor(3.0).log() / memory[0, 1, 0]))

    def single(value: Tensor) -> float:
        return round(value.detach().item(), 5)

    assert single(attention.weights(query, memory)[0, 0, 0, 1]) == 0.75
    assert single(attention(query, memory)) == 0.75  # values are 0 and 1


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="hidden width 10 is not a multiple of 4 heads"):
        MultiHeadAttention(10, 4)
