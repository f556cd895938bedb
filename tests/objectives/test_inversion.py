"""Inversion distillation: the sums of equations 7 and 8, and where their gradients go."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from phosphene.models.cnn import small_alexnet, small_vgg
from phosphene.models.resnet import small_resnet
from phosphene.nn.generator import Generator, LowRankUnpool
from phosphene.nn.pyramid import InvertedPyramid
from phosphene.nn.visual import VisualTeacher, freeze
from phosphene.objectives.inversion import (
    GRANULARITIES,
    block_pairs,
    feature_space,
    image_space,
    inter_modal,
    intra_modal,
    layer_pairs,
    model_pairs,
)
from phosphene.objectives.representation import DISTANCES, l2

BUILDERS: list[Callable[[int], VisualTeacher]] = [small_resnet, small_vgg, small_alexnet]


def setting(build: Callable[[int], VisualTeacher]) -> tuple[VisualTeacher, nn.Sequential]:
    torch.manual_seed(0)
    teacher = freeze(build(5))
    last = teacher.stages[-1].shape
    generator = Generator(6, LowRankUnpool(last.channels, (last.height, last.width), rank=6))
    return teacher, nn.Sequential(generator, InvertedPyramid(teacher.picture, teacher.stages))


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("granularity", GRANULARITIES.keys())
def test_every_teacher_pairs_at_every_granularity(
    build: Callable[[int], VisualTeacher], granularity: str
) -> None:
    teacher, student = setting(build)
    with torch.no_grad():
        real = teacher(torch.rand(2, 3, 64, 64))
        drawn = student(torch.randn(2, 6))
        again = teacher.perceive(drawn.image)
        for distance in DISTANCES.values():
            inter = inter_modal(real, drawn, distance, GRANULARITIES[granularity])
            intra = intra_modal(real, again, distance, GRANULARITIES[granularity])
            assert inter.shape == intra.shape == (2,)
            assert torch.isfinite(inter).all()
            assert torch.isfinite(intra).all()


def test_losses_are_the_sums_of_the_paper() -> None:
    teacher, student = setting(small_resnet)
    real, drawn = teacher(torch.rand(2, 3, 64, 64)), student(torch.randn(2, 6))
    again = teacher.perceive(drawn.image)
    image = l2(drawn.image, real.image)
    assert torch.allclose(image_space(real, drawn, l2), image)
    assert torch.allclose(
        inter_modal(real, drawn, l2, model_pairs), l2(drawn.last, real.last) + image
    )
    assert torch.allclose(
        intra_modal(real, again, l2, model_pairs), l2(again.last, real.last) + image
    )
    by_hand = sum(l2(a, b) for a, b in zip(drawn.blocks, real.blocks, strict=True))
    assert torch.allclose(feature_space(real, drawn, l2, block_pairs), by_hand)
    assert len(block_pairs(drawn, real)) == 5
    assert len(layer_pairs(drawn, real)) == 20


def test_a_teacher_that_sees_the_real_picture_loses_nothing() -> None:
    teacher, _ = setting(small_resnet)
    real = teacher(torch.rand(2, 3, 64, 64))
    assert torch.equal(intra_modal(real, real, l2, layer_pairs), torch.zeros(2))


@pytest.mark.parametrize("build", BUILDERS)
def test_the_gradient_passes_through_the_teacher_and_leaves_it_alone(
    build: Callable[[int], VisualTeacher],
) -> None:
    teacher, student = setting(build)
    system = nn.ModuleDict({"teacher": teacher, "student": student})
    system.train()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    with torch.no_grad():
        real = teacher(torch.rand(3, 3, 64, 64))
    drawn = student(torch.randn(3, 6))
    drawn.image.retain_grad()
    again = teacher.perceive(drawn.image)
    feature_space(real, again, l2, model_pairs).sum().backward()  # no image term to help it
    assert drawn.image.grad is not None
    assert drawn.image.grad.abs().amax((1, 2, 3)).min() > 0
    project = student.get_parameter("0.project.weight")
    assert project.grad is not None
    assert project.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_a_few_updates_draw_closer_pictures() -> None:
    teacher, student = setting(small_resnet)
    pixels, text = torch.rand(4, 3, 1, 1).expand(-1, -1, 64, 64), torch.randn(4, 6)
    with torch.no_grad():
        real = teacher(pixels)
    optimiser = torch.optim.Adam(student.parameters(), lr=1e-2)
    history = []
    for _ in range(13):
        drawn = student(text)
        inter = inter_modal(real, drawn, l2, model_pairs).mean()
        intra = intra_modal(real, teacher.perceive(drawn.image), l2, model_pairs).mean()
        history.append((inter.item(), intra.item()))
        optimiser.zero_grad()
        (inter + intra).backward()
        optimiser.step()
    assert history[-1][0] < 0.9 * history[0][0]
    assert history[-1][1] < 0.75 * history[0][1]


def test_pyramids_of_different_depth_do_not_pair() -> None:
    _, student = setting(small_resnet)
    other, _ = setting(small_vgg)
    with pytest.raises(ValueError, match="zip"):
        block_pairs(student(torch.randn(2, 6)), other(torch.rand(2, 3, 64, 64)))
