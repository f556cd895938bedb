"""The modality loss and the two pre-training losses against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from phosphene.objectives.modality import modality
from phosphene.objectives.pretraining import masked_words, pairing


def test_one_minus_the_cosine_by_hand() -> None:
    text = torch.tensor([[[3.0, 4.0], [1.0, 0.0], [1.0, 1.0]]])
    visual = torch.tensor([[[4.0, 3.0], [-2.0, 0.0], [5.0, 5.0]]])
    found = modality(text, visual, torch.tensor([True]))
    assert torch.allclose(found, torch.tensor([[1 - 24 / 25, 2.0, 0.0]]), atol=1e-6)


def test_an_example_without_regions_costs_nothing_and_has_a_finite_gradient() -> None:
    text = torch.randn(2, 3, 4, requires_grad=True)
    visual = torch.zeros(2, 3, 4, requires_grad=True)
    losses = modality(text, visual, torch.tensor([False, False]))
    losses.sum().backward()
    assert losses.eq(0).all()
    for tensor in (text, visual):
        assert tensor.grad is not None
        assert tensor.grad.eq(0).all()


def test_the_gradient_turns_the_contexts_towards_each_other() -> None:
    text = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    visual = torch.tensor([[[0.0, 1.0]]], requires_grad=True)
    modality(text, visual, torch.tensor([True])).sum().backward()
    assert text.grad is not None and visual.grad is not None
    assert text.grad.tolist() == [[[0.0, -1.0]]]
    assert visual.grad.tolist() == [[[-1.0, 0.0]]]


def test_masked_words_are_scored_like_cross_entropy() -> None:
    logits, words = torch.randn(5, 7), torch.tensor([0, 6, 3, 3, 1])
    expected = F.cross_entropy(logits, words, reduction="none")
    assert torch.allclose(masked_words(logits, words), expected, atol=1e-6)


def test_a_batch_without_masked_words_gives_no_rows() -> None:
    assert masked_words(torch.zeros(0, 7), torch.zeros(0, dtype=torch.long)).shape == (0,)


def test_pairing_by_hand() -> None:
    losses = pairing(torch.tensor([0.0, 2.0]), torch.tensor([True, False]))
    assert losses[0].item() == pytest.approx(math.log(2))
    assert losses[1].item() == pytest.approx(math.log(1 + math.e**2))
