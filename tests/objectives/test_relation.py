"""Relations between examples: by hand, pair by pair, and what must not change them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from phosphene.objectives.relation import (
    angle_relation,
    distance_relation,
    imagination,
    similarity_relation,
)

Relation = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


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


def points(rows: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=generator, dtype=torch.double)


RELATIONS = [distance_relation, angle_relation, similarity_relation]


def published_distance(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Every ordered pair, one after the other."""

    def relative(rows: torch.Tensor) -> torch.Tensor:
        distances = torch.stack([torch.stack([(a - b).norm() for b in rows]) for a in rows])
        return distances / distances[distances > 0].mean()

    return F.smooth_l1_loss(relative(student), relative(teacher))


def published_angle(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """Every ordered triplet, one after the other."""

    def cosines(rows: torch.Tensor) -> torch.Tensor:
        return torch.stack(
            [
                F.cosine_similarity(a - corner, b - corner, dim=0)
                for corner in rows
                for a in rows
                for b in rows
            ]
        )

    return F.smooth_l1_loss(cosines(student), cosines(teacher))


def published_similarity(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    matrices = [rows @ rows.T for rows in (student, teacher)]
    unit = [matrix / matrix.norm(dim=1, keepdim=True) for matrix in matrices]
    return (unit[0] - unit[1]).norm() ** 2 / len(student) ** 2


@pytest.mark.parametrize(
    ("relation", "published"),
    [
        (distance_relation, published_distance),
        (angle_relation, published_angle),
        (similarity_relation, published_similarity),
    ],
)
def test_the_mean_over_rows_is_the_published_value(relation: Relation, published: Relation) -> None:
    student, teacher = points(5, 3), points(5, 4, seed=1)
    losses = relation(student, teacher)
    assert losses.shape == (5,)
    torch.testing.assert_close(losses.mean(), published(student, teacher))


@pytest.mark.parametrize("relation", RELATIONS)
def test_turning_and_scaling_a_space_changes_no_relation(relation: Relation) -> None:
    student, teacher = points(6, 4), points(6, 4, seed=1)
    turn, _ = torch.linalg.qr(points(4, 4, seed=2))
    torch.testing.assert_close(relation(3 * student @ turn, teacher), relation(student, teacher))
    torch.testing.assert_close(
        relation(student, 2 * student @ turn), torch.zeros(6, dtype=torch.double)
    )


@pytest.mark.parametrize("relation", RELATIONS)
def test_rows_keep_their_contributions_in_another_order(relation: Relation) -> None:
    student, teacher = points(6, 4), points(6, 3, seed=1)
    order = torch.tensor([3, 0, 5, 4, 1, 2])
    losses = relation(student, teacher)
    torch.testing.assert_close(relation(student[order], teacher[order]), losses[order])


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("rows", [1, 4])
def test_gradients_stay_moderate_where_examples_coincide(relation: Relation, rows: int) -> None:
    student, teacher = points(4, 3), points(4, 3, seed=1)
    student[1] = student[0]
    student = student[:rows].clone().requires_grad_()
    relation(student, teacher[:rows]).sum().backward()
    assert student.grad is not None
    assert student.grad.abs().max() < 100


@pytest.mark.parametrize("relation", RELATIONS)
def test_gradients_of_relations(relation: Relation) -> None:
    teacher = points(4, 2, seed=1)
    assert torch.autograd.gradcheck(
        lambda student: relation(student, teacher), points(4, 3).requires_grad_()
    )
