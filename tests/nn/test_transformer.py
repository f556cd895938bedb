"""Encoder and decoder: causal, blind to padding, positions and dropout as published."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from phosphene.nn.dropout import Dropout
from phosphene.nn.transformer import (
    Decoder,
    DecoderLayer,
    Embedding,
    Encoder,
    Memory,
    Width,
    sinusoids,
)

WIDTH = Width(hidden=16, inner=24, heads=2, dropout=0.0)


def memory(batch: int, length: int) -> Memory:
    return Memory(torch.randn(batch, length, 16), torch.ones(batch, length, dtype=torch.bool))


def test_a_later_target_word_never_changes_an_earlier_state() -> None:
    torch.manual_seed(0)
    decoder = Decoder([DecoderLayer(WIDTH) for _ in range(2)], 16)
    seen, rows = memory(1, 4), torch.randn(1, 6, 16)
    before = decoder(rows, seen)
    for position in range(6):
        changed = rows.clone()
        changed[0, position] += torch.randn(16)  # a constant would be normalised away
        difference = (decoder(changed, seen) - before).abs().amax(dim=2)[0]
        assert difference[:position].eq(0).all()
        assert difference[position:].gt(1e-4).all()


def test_encoding_ignores_padding() -> None:
    torch.manual_seed(0)
    encoder = Encoder(2, WIDTH)
    rows = torch.randn(2, 7, 16)
    mask = torch.arange(7) < torch.tensor([7, 4])[:, None]
    alone = encoder(rows[1:, :4], mask[1:, :4])
    together = encoder(rows, mask)
    torch.testing.assert_close(together[1:, :4], alone, rtol=0, atol=1e-6)


def test_positions_are_sines_then_cosines() -> None:
    table = sinusoids(50, 6)
    for position in (0, 1, 49):
        rates = [1.0, 1e-2, 1e-4]
        expected = [math.sin(position * rate) for rate in rates]
        expected += [math.cos(position * rate) for rate in rates]
        torch.testing.assert_close(table[position], torch.tensor(expected), rtol=1e-4, atol=1e-5)
    assert sinusoids(3, 5).shape == (3, 5)


def test_embedding_is_scaled_words_plus_positions() -> None:
    embedding = Embedding(vocab=9, hidden=16, dropout=0.0)
    ids = torch.tensor([[3, 0, 5]])
    states = embedding(ids)
    torch.testing.assert_close(states[0, 0], embedding.table[3] * 4 + embedding.positions[0])
    torch.testing.assert_close(states[0, 1], embedding.positions[1])  # padding is zero
    torch.testing.assert_close(embedding(ids[:, 2:], first_position=2), states[:, 2:])
    torch.testing.assert_close(embedding.logits(states), states @ embedding.table.T)


def test_positions_grow_with_the_longest_sentence() -> None:
    embedding = Embedding(vocab=9, hidden=16, dropout=0.0)
    short = embedding(torch.ones(1, 3, dtype=torch.long))
    long = embedding(torch.ones(1, 2000, dtype=torch.long))
    torch.testing.assert_close(long[:, :3], short)
    assert "positions" not in embedding.state_dict()


def test_padding_receives_no_gradient() -> None:
    embedding = Embedding(vocab=9, hidden=16, dropout=0.0)
    embedding(torch.tensor([[3, 0]])).sum().backward()
    assert embedding.table.grad is not None
    assert embedding.table.grad[0].eq(0).all() and embedding.table.grad[3].ne(0).all()


def share_dropped(states: Tensor) -> float:
    return states.eq(0).double().mean().item()


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    ones = torch.ones(200, 1000)
    dropped = Dropout(0.3)(ones)
    assert share_dropped(dropped) == pytest.approx(0.3, abs=0.005)
    assert dropped.max().item() == pytest.approx(1 / 0.7)
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.01)
    assert Dropout(0.3).eval()(ones) is ones
    assert Dropout(0.0)(ones) is ones


@pytest.mark.parametrize("probability", [-0.1, 1.0])
def test_a_dropout_probability_is_below_one(probability: float) -> None:
    with pytest.raises(ValueError, match="not in"):
        Dropout(probability)
