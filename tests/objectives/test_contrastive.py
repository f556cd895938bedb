"""InfoNCE: by hand, its invariances, and what must change it."""

from __future__ import annotations

import doctest
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from phosphene.objectives import contrastive
from phosphene.objectives.contrastive import info_nce


def pairs(rows: int, seed: int, width: int = 5) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    both = torch.randn(2, rows, width, generator=generator, dtype=torch.float64)
    return both[0], both[1]


def scale(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def test_the_example_in_the_docstring() -> None:
    assert doctest.testmod(contrastive, extraglobs={"torch": torch}) == (0, 1)


def test_two_pairs_by_hand() -> None:
    """Cosines (1, 0.6), (0, 0.8) with scale ln 2 are the odds 2, 2^0.6, 1, 2^0.8."""
    image = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    text = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    found = info_nce(image, text, torch.tensor(math.log(2)))
    first = math.log((2 + 2**0.6) / 2) + math.log((2 + 1) / 2)
    second = math.log((1 + 2**0.8) / 2**0.8) + math.log((2**0.6 + 2**0.8) / 2**0.8)
    torch.testing.assert_close(found, torch.tensor([first, second]) / 2)


def test_the_mean_is_the_symmetric_cross_entropy() -> None:
    image, text = pairs(7, 0)
    logits = 3 * F.normalize(image, dim=1) @ F.normalize(text, dim=1).T
    gold = torch.arange(7)
    expected = (F.cross_entropy(logits, gold) + F.cross_entropy(logits.T, gold)) / 2
    torch.testing.assert_close(info_nce(image, text, scale(3)).mean(), expected)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 8), st.integers(0, 1000), st.floats(0.1, 50))
def test_lengths_order_and_sides_do_not_matter(rows: int, seed: int, sharpness: float) -> None:
    image, text = pairs(rows, seed)
    losses = info_nce(image, text, scale(sharpness))
    assert bool((losses > -1e-9).all())
    torch.testing.assert_close(info_nce(3 * image, 0.2 * text, scale(sharpness)), losses)
    torch.testing.assert_close(info_nce(text, image, scale(sharpness)), losses)
    order = torch.randperm(rows, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(info_nce(image[order], text[order], scale(sharpness)), losses[order])
    turned = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))[0]
    torch.testing.assert_close(info_nce(image @ turned, text @ turned, scale(sharpness)), losses)


def test_pairing_matters() -> None:
    image, _ = pairs(6, 1)
    right = info_nce(image, image, scale(10)).mean()
    assert right < info_nce(image, image.roll(1, 0), scale(10)).mean() - 1


def test_without_information_a_row_costs_the_logarithm_of_the_batch() -> None:
    same = torch.ones(8, 3)
    losses = info_nce(same, same, torch.tensor(5.0))
    torch.testing.assert_close(losses, torch.full((8,), math.log(8)))


@pytest.mark.parametrize("sharpness", [1.0, 20.0])
def test_gradients_are_right(sharpness: float) -> None:
    image, text = pairs(3, 2)
    inputs = (image.requires_grad_(), text.requires_grad_(), scale(sharpness).requires_grad_())
    assert torch.autograd.gradcheck(info_nce, inputs)


def test_half_precision_does_not_round_the_loss_away() -> None:
    image, text = pairs(64, 3, 32)
    exact = info_nce(image, text, scale(20))
    found = info_nce(image.bfloat16(), text.bfloat16(), torch.tensor(20.0))
    assert found.dtype == torch.float32
    assert float((found - exact).abs().max()) < 0.2
