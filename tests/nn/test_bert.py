"""BERT's layers: those of PyTorch's own encoder, over real rows only, differentiable twice."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from phosphene.nn.bert import (
    BertEmbedding,
    BertEncoder,
    BertLayer,
    BertSizes,
    Packing,
    attend,
    attend_to_alike,
    initialise_bert,
)
from phosphene.nn.dropout import Dropout

SIZES = BertSizes(hidden=12, inner=20, heads=3, dropout=0.0, attention_dropout=0.0)
MASKS = st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=3)


def theirs(layer: BertLayer) -> nn.TransformerEncoderLayer:
    """PyTorch's post-norm encoder layer with the same weights."""
    other = nn.TransformerEncoderLayer(
        12, 3, 20, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
    )
    pairs = [
        (other.self_attn.in_proj_weight, layer.attention.query_key_value.weight),
        (other.self_attn.in_proj_bias, layer.attention.query_key_value.bias),
        (other.self_attn.out_proj.weight, layer.attention.output.weight),
        (other.self_attn.out_proj.bias, layer.attention.output.bias),
        (other.linear1.weight, layer.wide.weight),
        (other.linear1.bias, layer.wide.bias),
        (other.linear2.weight, layer.narrow.weight),
        (other.linear2.bias, layer.narrow.bias),
        (other.norm1.weight, layer.attention_norm.weight),
        (other.norm1.bias, layer.attention_norm.bias),
        (other.norm2.weight, layer.feed_forward_norm.weight),
        (other.norm2.bias, layer.feed_forward_norm.bias),
    ]
    with torch.no_grad():
        for target, source in pairs:
            target.copy_(source)
    return other


def perturbed(layers: int, sizes: BertSizes = SIZES) -> BertEncoder:
    """No weight is zero or one, so that each of them shows."""
    torch.manual_seed(0)
    encoder = BertEncoder(layers, sizes)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return encoder


@pytest.mark.parametrize("training", [True, False])
def test_a_layer_is_that_of_pytorch(training: bool) -> None:
    encoder = perturbed(2).train(training)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 0, 1, 0, 0]]).bool()
    rows = torch.randn(2, 5, 12)
    states = encoder(rows, mask)
    assert len(states) == 3
    expected = rows
    for layer, state in zip(encoder.layers, states[1:], strict=True):
        expected = theirs(layer).train()(expected, src_key_padding_mask=~mask)
        torch.testing.assert_close(state[mask], expected[mask], atol=1e-5, rtol=1e-5)


@given(MASKS)
def test_packing_keeps_real_rows_in_place_and_zeroes_the_others(mask: list[list[bool]]) -> None:
    present = torch.tensor(mask)
    packing = Packing.of(present)
    rows = torch.randn(*present.shape, 2)
    packed = packing.pack(rows)
    assert torch.equal(packed, rows[present])
    assert torch.equal(packing.pad(packed), rows * present[..., None])


def test_rows_outside_the_mask_are_zero_and_take_no_gradient() -> None:
    mask = torch.tensor([[True, False, True]])
    rows = torch.tensor([[[1.0] * 12, [torch.nan] * 12, [0.5, -0.5] * 6]], requires_grad=True)
    states = perturbed(2)(rows, mask)
    assert all(state[0, 1].eq(0).all() for state in states)
    states[-1].square().sum().backward()
    assert rows.grad is not None
    assert rows.grad[0, 1].eq(0).all()
    assert rows.grad[0, [0, 2]].abs().sum() > 0


def inputs() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 3, 4, 5)
    mask = torch.tensor([[True] * 4, [True, False, True, False]])[:, None, None]
    return query, key, value, mask


def test_both_ways_to_attend_are_one() -> None:
    """With dropout so rare that it never happens, a CPU takes the unfused way."""
    fused = attend(*inputs(), Dropout(0.5).eval())
    written_out = attend(*inputs(), Dropout(1e-12).train())
    torch.testing.assert_close(written_out, fused, atol=1e-6, rtol=1e-5)


def test_attention_weights_are_dropped_and_scaled_up() -> None:
    query, key, value, mask = inputs()
    torch.manual_seed(0)
    drawn = torch.stack([attend(query, key, value, mask, Dropout(0.4)) for _ in range(4000)])
    expected = attend(query, key, value, mask, Dropout(0.4).eval())
    assert not torch.equal(drawn[0], drawn[1])
    torch.testing.assert_close(drawn.mean(0), expected, atol=0.08, rtol=0)


def test_a_second_derivative_is_there_with_the_plain_kernel() -> None:
    encoder = perturbed(1).eval()
    rows = torch.randn(1, 3, 12, requires_grad=True)
    with sdpa_kernel(SDPBackend.MATH):
        loss = encoder(rows, torch.ones(1, 3, dtype=torch.bool))[-1].pow(3).sum()
    (gradient,) = torch.autograd.grad(loss, rows, create_graph=True)
    gradient.square().sum().backward()
    assert rows.grad is not None
    assert rows.grad.abs().sum() > 0


def test_fresh_weights_have_the_spread_of_bert() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(100, 100), nn.Embedding(100, 100), nn.LayerNorm(100))
    initialise_bert(module)
    for part in module[:2]:
        assert part.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert module[0].bias.eq(0).all()
    assert module[2].weight.eq(1).all()


def test_fresh_rows_attend_to_the_same_word_elsewhere() -> None:
    """Ten words twice, far apart: where does the first half look among the second?"""
    torch.manual_seed(0)
    sizes = BertSizes(hidden=64, inner=64, heads=4, dropout=0.0, attention_dropout=0.0)
    embedding, encoder = BertEmbedding(30, 20, 2, sizes), BertEncoder(1, sizes)
    ids, types = torch.randperm(30)[:10].repeat(2)[None], torch.arange(20) // 10

    def finds() -> float:
        rows = embedding(ids, torch.arange(20)[None], types)
        layer = encoder.layers[0]
        assert isinstance(layer, BertLayer)
        query, key, _ = layer.attention.query_key_value(rows).chunk(3, dim=-1)
        nearest = (query[0, :10] @ key[0, 10:].T).argmax(dim=1)
        return float((nearest == torch.arange(10)).float().mean())

    for module in (embedding, encoder):
        initialise_bert(module, 0.1)
    assert finds() < 0.5
    attend_to_alike(embedding, encoder)
    assert finds() == 1.0


def test_heads_have_to_divide_the_width() -> None:
    with pytest.raises(ValueError, match="12 is not a multiple of 5"):
        BertLayer(BertSizes(12, 20, 5, 0.0, 0.0))
