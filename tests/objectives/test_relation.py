"""Imagination: by hand, and what must not change it."""

from __future__ import annotations

import pytest
import torch

from phosphene.objectives.relation import imagination


def test_perfect_predictions_of_orthogonal_pictures_cost_nothing() -> None:
    assert imagination(2 * torch.eye(3), 5 * torch.eye(3), 0.1).tolist() == [0.0, 0.0, 0.0]


def test_a_margin_above_the_difference_is_paid_in_both_directions() -> None:
    """The cosine is 1 with its own and 0 with the other: each direction pays 1.5 - 1 + 0."""
    torch.testing.assert_close(
        imagination(torch.eye(2), torch.eye(2), 1.5), torch.tensor([1.0, 1.0])
    )


def test_three_pictures_by_hand() -> None:
    """Cosines of prediction i and picture j: rows (1, 0, 0), (0.6, 0.8, 0), (0, 0, 1); margin 0.2.

    Row 1 as a sentence pays 0.2 - 0.8 + 0.6 = 0 towards picture 0. As pictures: 0 pays
    0.2 - 1 + 0.6 < 0; nothing else is near. With margin 0.5: sentence 1 pays 0.3, picture 0
    pays 0.1.
    """
    predicted = torch.tensor([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    torch.testing.assert_close(
        imagination(predicted, torch.eye(3), 0.2), torch.zeros(3), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(
        imagination(predicted, torch.eye(3), 0.5), torch.tensor([0.1, 0.3, 0.0])
    )


def test_lengths_do_not_matter_and_the_order_of_rows_does_not() -> None:
    torch.manual_seed(0)
    predicted, real = torch.randn(5, 4), torch.randn(5, 4)
    losses = imagination(predicted, real, 0.3)
    torch.testing.assert_close(imagination(3 * predicted, 0.1 * real, 0.3), losses)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(imagination(predicted[order], real[order], 0.3), losses[order])


def test_training_brings_a_sentence_to_its_picture() -> None:
    torch.manual_seed(0)
    real = torch.randn(6, 8)
    predicted = torch.randn(6, 8, requires_grad=True)
    optimizer = torch.optim.Adam([predicted], lr=0.1)
    for _ in range(60):
        optimizer.zero_grad()
        imagination(predicted, real, 0.1).mean().backward()
        optimizer.step()
    similarity = torch.cosine_similarity(predicted[:, None], real[None], dim=2)
    assert similarity.argmax(dim=1).tolist() == list(range(6))


@pytest.mark.parametrize("rows", [0, 1])
def test_a_picture_without_others_costs_nothing(rows: int) -> None:
    losses = imagination(torch.randn(rows, 3), torch.randn(rows, 3), 0.1)
    assert losses.tolist() == [0.0] * rows
