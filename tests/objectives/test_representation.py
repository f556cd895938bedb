"""Distances between maps: by hand, per example, with usable gradients."""

from __future__ import annotations

import doctest
import math
from types import ModuleType

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from phosphene.objectives import inversion, released, representation
from phosphene.objectives.released import RELEASED_DISTANCES
from phosphene.objectives.representation import DISTANCES, Distance, cosine, kl, l1, l2, l_infinity


@pytest.mark.parametrize(
    ("module", "examples"), [(representation, 5), (released, 4), (inversion, 4)]
)
def test_the_checks_in_the_docstrings_hold(module: ModuleType, examples: int) -> None:
    found = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    assert len(found) == examples
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES.keys())
@given(seed=st.integers(0, 1000), photos=st.integers(1, 4))
def test_a_distance_is_per_example_and_zero_at_home(
    distance: Distance, seed: int, photos: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    student, teacher = torch.randn(2, photos, 3, 2, 4, generator=generator)
    together = distance(student, teacher)
    alone = torch.cat([distance(student[[row]], teacher[[row]]) for row in range(photos)])
    assert together.shape == (photos,)
    assert torch.allclose(together, alone, atol=1e-6)
    assert (together > 0).all()
    assert torch.allclose(distance(teacher, teacher), torch.zeros(photos), atol=1e-6)


@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES.keys())
def test_a_gradient_is_finite_where_the_maps_agree(distance: Distance) -> None:
    teacher = torch.rand(2, 3, 2, 2)
    student = teacher.clone().requires_grad_()
    distance(student, teacher).sum().backward()
    assert student.grad is not None
    assert torch.isfinite(student.grad).all()


def test_size_does_not_matter() -> None:
    """The same difference on a map four times as large is the same distance."""
    for distance in (l1, l2, l_infinity):
        small = distance(torch.full((1, 2, 3, 3), 0.5), torch.zeros(1, 2, 3, 3))
        large = distance(torch.full((1, 2, 6, 6), 0.5), torch.zeros(1, 2, 6, 6))
        assert small.item() == pytest.approx(0.5)
        assert large.item() == pytest.approx(0.5)


def test_opposite_channels_are_two_apart_in_cosine() -> None:
    teacher = torch.randn(2, 5, 3, 3)
    assert torch.allclose(cosine(-3 * teacher, teacher), torch.full((2,), 2.0))
    assert torch.allclose(cosine(3 * teacher, teacher), torch.zeros(2), atol=1e-6)


def test_kl_is_torchs_with_the_teacher_as_target() -> None:
    student, teacher = torch.randn(2, 4, 5, 3, 2)
    expected = F.kl_div(
        student.log_softmax(1), teacher.log_softmax(1), reduction="none", log_target=True
    )
    assert torch.allclose(kl(student, teacher), expected.sum(1).mean((1, 2)), atol=1e-6)
    assert not torch.allclose(kl(student, teacher), kl(teacher, student))


def test_tables_name_the_same_distances() -> None:
    assert DISTANCES.keys() == RELEASED_DISTANCES.keys()


def test_released_distances_are_the_released_formulas() -> None:
    """Written out once more, over the whole batch, from the description of the released code."""
    student, teacher = torch.randn(2, 3, 4, 2, 5)
    size = student.numel()
    expected = {
        "l1": (teacher - student).abs().sum() / size,
        "l2": torch.norm(teacher - student) / size,
        "l_infinity": (teacher - student).abs().max() / size,
        "cosine": torch.cosine_similarity(teacher, student, dim=0).mean(),
        "kl": F.kl_div(
            F.softmax(teacher, dim=-1).log(), F.softmax(student, dim=-1), reduction="sum"
        )
        / size,
    }
    for name, distance in RELEASED_DISTANCES.items():
        rows = distance(student, teacher)
        assert rows.shape == (3,), name
        assert torch.allclose(rows.mean(), expected[name], atol=1e-6), name


def test_the_released_l2_vanishes_with_the_batch() -> None:
    """RMSE over sqrt(N): a hundred times the elements, a tenth of the loss."""
    small = released.released_l2(torch.ones(1, 3, 2, 2), torch.zeros(1, 3, 2, 2))
    large = released.released_l2(torch.ones(100, 3, 2, 2), torch.zeros(100, 3, 2, 2))
    assert small.mean().item() == pytest.approx(1 / math.sqrt(12))
    assert large.mean().item() == pytest.approx(small.mean().item() / 10)


def test_the_released_cosine_rewards_dissimilarity() -> None:
    teacher = torch.rand(2, 3, 2, 2) + 0.1
    assert RELEASED_DISTANCES["cosine"](teacher, teacher).mean() > 0.99
    assert RELEASED_DISTANCES["cosine"](-teacher, teacher).mean() < -0.99
