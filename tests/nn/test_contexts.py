"""Contexts of each modality: the decoder's own queries, keys and values, two softmaxes."""

from __future__ import annotations

import torch

from phosphene.nn.contexts import decode_observed
from phosphene.nn.transformer import Decoder, DecoderLayer, Memory, Width, causal


def decoder(layers: int = 2) -> Decoder:
    torch.manual_seed(0)
    width = Width(8, 16, 2, 0.0)
    return Decoder([DecoderLayer(width) for _ in range(layers)], 8).eval()


def memory() -> tuple[Memory, torch.Tensor]:
    """Two examples: three words and two regions; two words and no region."""
    torch.manual_seed(1)
    mask = torch.tensor([[True, True, True, True, True], [True, True, False, False, False]])
    visual = torch.tensor([[False, False, False, True, True]] * 2)
    return Memory(torch.randn(2, 5, 8), mask), visual


def test_observing_changes_nothing() -> None:
    model, (seen, visual), rows = decoder(), memory(), torch.randn(2, 4, 8)
    expected = model(rows, seen)
    for observed in (0, 1, 2):
        states, contexts = decode_observed(model, rows, seen, visual, observed)
        assert torch.equal(states, expected)
        assert len(contexts) == observed


def test_a_context_is_a_softmax_over_its_own_modality_alone() -> None:
    """Written out for one layer, head by head."""
    model, (seen, visual), rows = decoder(1), memory(), torch.randn(2, 4, 8)
    layer = model.layers[0]
    assert isinstance(layer, DecoderLayer)
    _, (found,) = decode_observed(model, rows, seen, visual, 1)
    attention = layer.cross_attention
    query = attention.query(layer.cross_attention_norm(layer.look_back(rows, causal(rows))))
    keys, values = attention.key_value(seen.states).chunk(2, dim=-1)
    for context, chosen in ((found.text, slice(0, 3)), (found.visual, slice(3, 5))):
        for head in (slice(0, 4), slice(4, 8)):
            scores = query[0, :, head] @ keys[0, chosen, head].T / 2  # sqrt(4)
            expected = scores.softmax(dim=-1) @ values[0, chosen, head]
            assert torch.allclose(context[0, :, head], expected, atol=1e-6)


def test_without_regions_the_visual_context_is_zero() -> None:
    model, (seen, visual) = decoder(), memory()
    _, contexts = decode_observed(model, torch.randn(2, 4, 8), seen, visual, 2)
    for context in contexts:
        assert context.visual[1].eq(0).all()
        assert context.visual[0].abs().sum() > 0
        assert context.text.abs().sum(dim=(1, 2)).gt(0).all()
