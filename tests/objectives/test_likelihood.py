"""Likelihoods against torch's own, by hand, and through their second-hand gradients."""

from __future__ import annotations

import doctest
import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from phosphene.objectives import likelihood, relation
from phosphene.objectives.likelihood import label_smoothed, multi_label


@pytest.mark.parametrize("module", [likelihood, relation])
def test_the_examples_of_the_docstrings(module: object) -> None:
    import types

    assert isinstance(module, types.ModuleType)
    result = doctest.testmod(module, extraglobs={"torch": torch})
    assert result.attempted and not result.failed


def example(batch: int, target: int, vocab: int) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, gold words, and an uneven weight on every token."""
    generator = torch.Generator().manual_seed(batch + vocab)
    logits = 3 * torch.randn(batch, target, vocab, generator=generator)
    gold = torch.randint(vocab, (batch, target), generator=generator)
    weight = torch.rand(batch, target, generator=generator) - 0.3
    return logits.requires_grad_(), gold, weight


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize(("batch", "target", "vocab"), [(2, 3, 5), (1, 1, 2), (9, 15, 997)])
def test_parity_with_torch(batch: int, target: int, vocab: int, smoothing: float) -> None:
    """9 x 15 rows are more than are handled at a time."""
    logits, gold, weight = example(batch, target, vocab)
    ours = label_smoothed(logits, gold, smoothing)
    theirs = F.cross_entropy(
        logits.flatten(0, 1), gold.flatten(), reduction="none", label_smoothing=smoothing
    ).view_as(gold)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    (mine,) = torch.autograd.grad((ours * weight).sum(), logits)
    (other,) = torch.autograd.grad((theirs * weight).sum(), logits)
    torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_gradient_is_that_of_the_value(smoothing: float) -> None:
    logits, gold, _ = example(5, 14, 4)  # 70 rows: two pieces
    assert torch.autograd.gradcheck(
        lambda values: label_smoothed(values, gold, smoothing), logits.double()
    )


def test_rows_of_one_piece_or_two_are_the_same() -> None:
    for rows in (63, 64, 65, 128, 129):
        logits, gold, _ = example(1, rows, 7)
        whole = label_smoothed(logits, gold, 0.1)
        single = [
            label_smoothed(logits[:, row : row + 1], gold[:, row : row + 1], 0.1)
            for row in range(rows)
        ]
        torch.testing.assert_close(whole, torch.cat(single, dim=1), rtol=0, atol=1e-6)


def test_a_large_vocabulary_and_large_logits() -> None:
    logits = torch.full((1, 2, 50_000), -50.0)
    logits[0, 0, 7] = 50.0
    loss = label_smoothed(logits, torch.tensor([[7, 3]]), 0.0)
    assert loss[0, 0].item() == 0
    assert loss[0, 1].item() == pytest.approx(math.log(50_000), rel=1e-5)
    flat = label_smoothed(torch.zeros(1, 1, 50_000), torch.tensor([[9]]), 0.1)
    assert flat.item() == pytest.approx(math.log(50_000), rel=1e-6)


def test_three_words_by_hand() -> None:
    """Of p = (1/2, 1/4, 1/4), -log p is ln 2, 2 ln 2, 2 ln 2; smoothed 0.7 ln 2 + 0.1 (5 ln 2)."""
    logits = torch.tensor([[[2.0, 1.0, 1.0]]]).log()
    value = label_smoothed(logits, torch.tensor([[0]]), 0.3).item()
    assert value == pytest.approx((0.7 + 0.1 * 5) * math.log(2), rel=1e-6)
    plain = label_smoothed(logits, torch.tensor([[1]]), 0.0).item()
    assert plain == pytest.approx(2 * math.log(2))


def test_no_rows() -> None:
    logits = torch.zeros(2, 0, 5, requires_grad=True)
    loss = label_smoothed(logits, torch.zeros(2, 0, dtype=torch.long), 0.1)
    loss.sum().backward()
    assert loss.shape == (2, 0) and logits.grad is not None


def test_sixteen_bit_logits_are_summed_in_thirty_two() -> None:
    logits, gold, _ = example(2, 3, 4001)
    short = logits.detach().bfloat16()
    loss = label_smoothed(short, gold, 0.1)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, label_smoothed(short.float(), gold, 0.1))


def test_independent_labels_against_their_definition() -> None:
    logits = torch.tensor([[0.3, -2.0, 5.0], [1.0, 0.0, -1.0]], dtype=torch.float64)
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    right = torch.where(labels == 1, logits.sigmoid(), 1 - logits.sigmoid())
    torch.testing.assert_close(multi_label(logits, labels), -right.log().sum(dim=1))
