"""Mapping networks: the paper's sizes, the scale of their rows, and what a decoder sees of them."""

from __future__ import annotations

import math

import pytest
import torch

from phosphene.core.types import Vectors
from phosphene.nn.incremental import IncrementalDecoder
from phosphene.nn.prefix import Mapping, build_mapping
from phosphene.nn.transformer import Decoder, DecoderLayer, Memory, SoftPrefix, Width

KINDS: list[Mapping] = ["linear", "mlp", "hidden_mlp", "transformer"]
WIDTH = Width(hidden=16, inner=24, heads=2, dropout=0.0)


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("linear", 512 * 10_240 + 10_240),
        ("mlp", 5_253_121),
        ("hidden_mlp", 11_021_313),
        ("transformer", 10_155_349),
    ],
)
def test_the_sizes_are_those_of_the_released_code(kind: Mapping, parameters: int) -> None:
    with torch.device("meta"):
        network = build_mapping(kind, 512, 1024, 10)
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


@pytest.mark.parametrize("kind", KINDS)
def test_rows_depend_on_their_own_vector_alone(kind: Mapping) -> None:
    torch.manual_seed(0)
    network = build_mapping(kind, 8, 12, 3).eval()
    values, mask = torch.randn(4, 8), torch.ones(4, dtype=torch.bool)
    rows = network(Vectors(values, mask))
    assert rows.shape == (4, 3, 12)
    alone = network(Vectors(values[2:3], mask[2:3]))
    torch.testing.assert_close(rows[2:3], alone)
    assert not torch.allclose(rows[2], rows[1])


def test_the_length_of_a_vector_does_not_count() -> None:
    network, mask = build_mapping("mlp", 8, 12, 3), torch.ones(2, dtype=torch.bool)
    values = torch.randn(2, 8)
    torch.testing.assert_close(network(Vectors(values, mask)), network(Vectors(100 * values, mask)))


def test_rows_have_the_scale_of_scaled_word_vectors() -> None:
    torch.manual_seed(0)
    network = build_mapping("linear", 256, 64, 10)
    rows = network(Vectors(torch.randn(50, 256), torch.ones(50, dtype=torch.bool)))
    assert math.isclose(rows.std().item(), 1.0, abs_tol=0.05)


def test_a_vector_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="width 5, expected 8"):
        build_mapping("mlp", 8, 12, 3)(Vectors(torch.ones(1, 5), torch.ones(1, dtype=torch.bool)))


def model_and_memory() -> tuple[Decoder, Memory]:
    torch.manual_seed(0)
    decoder = Decoder([DecoderLayer(WIDTH) for _ in range(2)], 16).eval()
    prefix = SoftPrefix(torch.randn(3, 4, 16), torch.tensor([True, False, True]))
    states, mask = torch.randn(3, 5, 16), torch.ones(3, 5, dtype=torch.bool)
    return decoder, Memory(states, mask, soft_prefix=prefix)


def test_a_prefix_is_what_stands_before_the_words() -> None:
    """Two prefix rows and three words are five words, of which the last three come back."""
    decoder, memory = model_and_memory()
    assert memory.soft_prefix is not None
    prefix, words = memory.soft_prefix.rows, torch.randn(3, 6, 16)
    plain = Memory(memory.states, memory.mask)
    expected = decoder(torch.cat([prefix, words], dim=1), plain)[:, 4:]
    found = decoder(words, memory)
    present = memory.soft_prefix.mask
    torch.testing.assert_close(found[present], expected[present])
    torch.testing.assert_close(found[~present], decoder(words, plain)[~present])


def test_steps_behind_a_prefix_are_the_positions_of_a_decoder() -> None:
    decoder, memory = model_and_memory()
    rows = torch.randn(3, 20, 16)  # more positions than a new cache has slots
    with torch.inference_mode():
        expected = decoder(rows, memory)
        steps = IncrementalDecoder(decoder, memory)
        for position in range(20):
            visible = torch.ones(3, 1, position + 1, dtype=torch.bool)
            found = steps.step(rows[:, position : position + 1], visible)
            torch.testing.assert_close(found[:, 0], expected[:, position], atol=1e-5, rtol=1e-5)


def test_a_sentence_that_moves_takes_its_prefix_along() -> None:
    decoder, memory = model_and_memory()
    rows = torch.randn(3, 2, 16)
    with torch.inference_mode():
        expected = decoder(rows, memory)
        steps = IncrementalDecoder(decoder, memory)
        steps.step(rows[:, :1], torch.ones(3, 1, 1, dtype=torch.bool))
        order = torch.tensor([2, 1])  # the first sentence leaves, the third takes its place
        steps.keep(order)
        found = steps.step(rows[order, 1:], torch.ones(2, 1, 2, dtype=torch.bool))
        torch.testing.assert_close(found[:, 0], expected[order, 1], atol=1e-5, rtol=1e-5)


def test_a_withheld_prefix_gives_no_gradient() -> None:
    decoder, memory = model_and_memory()
    assert memory.soft_prefix is not None
    rows = memory.soft_prefix.rows.requires_grad_()
    decoder(torch.randn(3, 2, 16), memory).sum().backward()
    assert rows.grad is not None
    assert rows.grad[[0, 2]].abs().sum() > 0
    assert rows.grad[1].abs().sum() == 0
