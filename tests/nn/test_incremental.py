"""One position at a time gives what all positions at once give."""

from __future__ import annotations

import pytest
import torch

from phosphene.nn.fusion import DoublyAttentiveDecoderLayer
from phosphene.nn.incremental import IncrementalDecoder
from phosphene.nn.transformer import Decoder, DecoderLayer, Memory, Width

WIDTH = Width(hidden=16, inner=24, heads=2, dropout=0.0)


def decoder(layer: type[DecoderLayer]) -> Decoder:
    torch.manual_seed(0)
    return Decoder([layer(WIDTH) for _ in range(2)], 16).eval()


def memory(length: int = 5) -> Memory:
    torch.manual_seed(1)
    mask = torch.rand(3, length) < 0.7
    regions_mask = torch.tensor([[True, True], [True, False], [False, False]])
    return Memory(torch.randn(3, length, 16), mask, torch.randn(3, 2, 16), regions_mask)


@pytest.mark.parametrize("layer", [DecoderLayer, DoublyAttentiveDecoderLayer])
@pytest.mark.parametrize("length", [0, 1, 5, 16, 19])
def test_steps_are_the_positions_of_a_decoder(layer: type[DecoderLayer], length: int) -> None:
    model, seen = decoder(layer), memory(length)
    rows = torch.randn(3, 20, 16)  # more positions than a new cache has slots
    with torch.inference_mode():
        expected = model(rows, seen)
        steps = IncrementalDecoder(model, seen)
        for position in range(20):
            visible = torch.ones(3, 1, position + 1, dtype=torch.bool)
            found = steps.step(rows[:, position : position + 1], visible)
            torch.testing.assert_close(found[:, 0], expected[:, position], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layer", [DecoderLayer, DoublyAttentiveDecoderLayer])
def test_hypotheses_see_their_ancestors_only(layer: type[DecoderLayer]) -> None:
    """Two hypotheses swap their histories, the second and third sentence their places."""
    model, seen = decoder(layer), memory()
    rows = torch.randn(3, 2, 2, 16)  # sentence, hypothesis, position
    own = torch.eye(2, dtype=torch.bool).expand(3, 2, 2)
    with torch.inference_mode():
        steps = IncrementalDecoder(model, seen)
        steps.step(rows[:, :, 0], own)
        order = torch.tensor([0, 2])  # the second sentence leaves
        steps.keep(order)
        visible = torch.cat([own.flip(1), own], dim=2)[:2]
        found = steps.step(rows[order, :, 1], visible)
        for hypothesis in range(2):
            history = torch.stack([rows[:, 1 - hypothesis, 0], rows[:, hypothesis, 1]], dim=1)
            expected = model(history, seen)[order, 1]
            torch.testing.assert_close(found[:, hypothesis], expected, atol=1e-5, rtol=1e-5)
