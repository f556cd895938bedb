"""Imitating answers: by hand, against other implementations, and known faults of other tools."""

from __future__ import annotations

import doctest
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from phosphene.objectives import imitation, likelihood, relation
from phosphene.objectives.imitation import distillation, hint, multi_label_distillation
from phosphene.objectives.likelihood import multi_label, single_label
from phosphene.objectives.relation import angle_relation, distance_relation, similarity_relation

Objective = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def logits(*shape: int, seed: int = 0) -> torch.Tensor:
    return 3 * torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double
    )


@pytest.mark.parametrize("module", [imitation, likelihood, relation])
def test_the_checks_in_the_docstrings(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0, 8.0])
def test_torch_computes_the_same_divergence(temperature: float) -> None:
    student, teacher = logits(5, 3), logits(5, 3, seed=1)
    expected = F.kl_div(
        F.log_softmax(student / temperature, 1),
        F.softmax(teacher / temperature, 1),
        reduction="none",
    ).sum(1)
    torch.testing.assert_close(
        distillation(student, teacher, temperature), temperature**2 * expected
    )


def test_classes_are_summed_and_not_averaged() -> None:
    """A mean over all elements divides by the number of classes as well."""
    student, teacher = logits(4, 7), logits(4, 7, seed=1)
    elements = F.kl_div(F.log_softmax(student, 1), F.softmax(teacher, 1), reduction="none")
    averaged = elements.mean()
    torch.testing.assert_close(distillation(student, teacher, 1.0).mean(), 7 * averaged)


def test_the_square_of_the_temperature_is_there_without_any_label() -> None:
    """At high temperature tau^2 KL tends to half the variance of the logits' difference."""
    student, teacher = logits(6, 4), logits(6, 4, seed=1)
    limit = (student - teacher).var(dim=1, unbiased=False) / 2
    torch.testing.assert_close(distillation(student, teacher, 1e4), limit, rtol=1e-3, atol=0)


def test_gradients_keep_their_size_when_the_temperature_changes() -> None:
    teacher = logits(6, 4, seed=1)
    norms = []
    for temperature in (10.0, 100.0):
        student = logits(6, 4).requires_grad_()
        distillation(student, teacher, temperature).sum().backward()
        assert student.grad is not None
        norms.append(float(student.grad.norm()))
    assert norms[1] == pytest.approx(norms[0], rel=0.15)


def test_the_direction_is_from_the_teacher_to_the_student() -> None:
    sure, unsure = torch.tensor([[5.0, 0.0]]), torch.zeros(1, 2)
    assert distillation(unsure, sure, 1.0) < math.log(2) < distillation(sure, unsure, 1.0)


@pytest.mark.parametrize(
    "objective",
    [
        lambda student, teacher: distillation(student, teacher, 2.0),
        lambda student, teacher: multi_label_distillation(student, teacher, 2.0),
        lambda student, teacher: hint(student[None], teacher[None], torch.ones(1, 4).bool()),
        distance_relation,
        angle_relation,
        similarity_relation,
    ],
)
def test_no_gradient_reaches_a_teacher_that_could_learn(objective: Objective) -> None:
    student, teacher = logits(4, 3).requires_grad_(), logits(4, 3, seed=1).requires_grad_()
    objective(student, teacher).sum().backward()
    assert teacher.grad is None
    assert student.grad is not None and student.grad.abs().max() > 1e-4


@given(st.lists(st.floats(-30, 30), min_size=6, max_size=6), st.floats(0.5, 20), st.booleans())
def test_a_divergence_is_never_negative_and_zero_for_equals(
    values: list[float], temperature: float, many: bool
) -> None:
    divergence = multi_label_distillation if many else distillation
    student, teacher = torch.tensor(values, dtype=torch.double).view(2, 1, 3)
    assert divergence(student, teacher, temperature).min() > -1e-9
    torch.testing.assert_close(
        divergence(student, student, temperature).sum(), torch.zeros((), dtype=torch.double)
    )


def test_certain_answers_stay_finite() -> None:
    student, teacher = torch.tensor([[-200.0, 200.0]]), torch.tensor([[200.0, -200.0]])
    assert distillation(student, teacher, 1.0).tolist() == [400.0]
    assert multi_label_distillation(student, teacher, 1.0).tolist() == [[200.0, 200.0]]


def test_answers_in_16_bits_are_compared_in_32() -> None:
    student, teacher = logits(3, 4).bfloat16(), logits(3, 4, seed=1).bfloat16()
    assert distillation(student, teacher, 4.0).dtype == torch.float32
    torch.testing.assert_close(
        distillation(student, teacher, 4.0), distillation(student.float(), teacher.float(), 4.0)
    )


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_a_label_is_a_choice_between_two_classes(temperature: float) -> None:
    """The sigmoid of z is the softmax of (z, 0)."""
    student, teacher = logits(5, 3), logits(5, 3, seed=1)
    for label in range(3):
        pair = [
            torch.stack([z[:, label], torch.zeros(5, dtype=torch.double)], 1)
            for z in (student, teacher)
        ]
        torch.testing.assert_close(
            multi_label_distillation(student, teacher, temperature)[:, label],
            distillation(*pair, temperature),
        )


def test_a_label_differs_from_cross_entropy_by_the_teachers_entropy() -> None:
    student, teacher = logits(5, 3), logits(5, 3, seed=1)
    cross = F.binary_cross_entropy_with_logits(student, teacher.sigmoid(), reduction="none")
    own = F.binary_cross_entropy_with_logits(teacher, teacher.sigmoid(), reduction="none")
    torch.testing.assert_close(multi_label_distillation(student, teacher, 1.0), cross - own)


def test_labels_do_not_compete() -> None:
    """Another label's answer changes nothing; under a softmax it would."""
    student, teacher = logits(1, 3), logits(1, 3, seed=1)
    changed = student.clone()
    changed[0, 2] += 5
    before = multi_label_distillation(student, teacher, 2.0)
    assert torch.equal(multi_label_distillation(changed, teacher, 2.0)[:, :2], before[:, :2])
    assert distillation(changed, teacher, 2.0) != distillation(student, teacher, 2.0)


def test_likelihoods_of_classes_and_labels() -> None:
    scores = logits(4, 3)
    classes = torch.tensor([0, 2, 1, 1])
    torch.testing.assert_close(
        single_label(scores, classes), -scores.log_softmax(1)[torch.arange(4), classes]
    )
    labels = F.one_hot(classes, 3).double()
    expected = -(labels * scores.sigmoid().log() + (1 - labels) * (-scores).sigmoid().log())
    torch.testing.assert_close(multi_label(scores, labels), expected.sum(1))


def test_hints_ignore_padding_and_empty_examples() -> None:
    student, teacher = logits(3, 4, 5), logits(3, 4, 5, seed=1)
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]).bool()
    losses = hint(student, teacher, mask)
    expected = F.mse_loss(student[0, :2], teacher[0, :2]), F.mse_loss(student[1], teacher[1])
    torch.testing.assert_close(losses[:2], torch.stack(expected))
    assert losses[2] == 0
    student[~mask] = 1e9
    torch.testing.assert_close(hint(student, teacher, mask), losses)
