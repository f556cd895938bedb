"""Inverted pyramids: published sizes, and shapes that meet the teacher's everywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from phosphene.models.cnn import alexnet, small_alexnet, small_vgg, vgg19
from phosphene.models.resnet import resnet50, small_resnet
from phosphene.nn.pyramid import InvertedPyramid, transposed_kernel
from phosphene.nn.visual import InvertedResiduals, MapShape, VisualTeacher

TEACHERS: list[Callable[[], VisualTeacher]] = [
    resnet50,
    vgg19,
    alexnet,
    lambda: small_resnet(3),
    lambda: small_vgg(3),
    lambda: small_alexnet(3),
]
NAMES = ["resnet50", "vgg19", "alexnet", "small_resnet", "small_vgg", "small_alexnet"]


def counts(pyramid: InvertedPyramid) -> list[int]:
    return [sum(p.numel() for p in mirror.parameters()) for mirror in pyramid.mirrors]


@pytest.mark.parametrize("build", TEACHERS, ids=NAMES)
def test_every_map_meets_the_teachers(build: Callable[[], VisualTeacher]) -> None:
    with torch.device("meta"):
        teacher = build().eval()
        pyramid = InvertedPyramid(teacher.picture, teacher.stages)
        seen = teacher(torch.rand(2, 3, teacher.picture.height, teacher.picture.width))
        drawn = pyramid(seen.last)
    assert drawn.image.shape == seen.image.shape
    assert [m.shape for m in drawn.blocks] == [m.shape for m in seen.blocks]
    assert [m.shape for m in drawn.layers] == [m.shape for m in seen.layers]
    declared = [(2, s.shape.channels, s.shape.height, s.shape.width) for s in teacher.stages]
    assert [m.shape for m in seen.blocks] == declared
    assert drawn.last is drawn.blocks[-1] is drawn.layers[-1] is seen.last


def test_the_inverted_resnet50_is_the_papers() -> None:
    with torch.device("meta"):
        teacher = resnet50()
        pyramid = InvertedPyramid(teacher.picture, teacher.stages)
    # S-conv5_x, S-conv4_x, S-conv3_x, S-conv2_x, max unpool (16,384 and its normalisation), S-conv1
    assert counts(pyramid) == [23_087_104, 9_127_936, 1_726_464, 215_040, 16_384 + 128, 12_288]
    assert sum(counts(pyramid)) == 239_974_528 - 205_789_184  # the released student less generator
    kernels = [
        module.kernel_size[0]
        for module in pyramid.modules()
        if isinstance(module, nn.ConvTranspose2d)
    ]
    assert kernels == [4, 2] * 3 + [2, 8]  # three stages and their shortcuts, unpooling, S-conv1


def test_the_inverted_vgg19_and_alexnet_are_the_released_ones() -> None:
    with torch.device("meta"):
        vgg, alex = vgg19(), alexnet()
        assert sum(counts(InvertedPyramid(vgg.picture, vgg.stages))) == 22_466_563
        assert sum(counts(InvertedPyramid(alex.picture, alex.stages))) == 3_432_835


def test_granularities_have_the_released_number_of_pairs() -> None:
    """Less one for the picture, which stands apart here: 7 and 51, 11 and 22, 9."""
    with torch.device("meta"):
        sizes = {}
        for name, build in zip(NAMES[:3], TEACHERS[:3], strict=True):
            teacher = build().eval()
            trace = teacher(torch.rand(1, 3, 224, 224))
            sizes[name] = (len(trace.blocks), len(trace.layers))
    assert sizes == {"resnet50": (6, 50), "vgg19": (10, 21), "alexnet": (6, 8)}


@given(
    small=st.integers(1, 60),
    stride=st.integers(1, 5),
    padding=st.integers(0, 3),
    kernel=st.integers(1, 12),
)
def test_the_kernel_undoes_the_transposed_convolutions_arithmetic(
    small: int, stride: int, padding: int, kernel: int
) -> None:
    large = (small - 1) * stride - 2 * padding + kernel
    assert transposed_kernel(small, large, stride, padding) == kernel


def test_an_impossible_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="no transposed convolution takes 7 cells to 6"):
        transposed_kernel(7, 6, stride=2, padding=0)


def test_rectangular_pictures_and_linear_stages() -> None:
    """A mirror of linear outputs draws signed maps; each side has its own kernel."""
    stages = (
        InvertedResiduals("one", MapShape(8, 7, 5), blocks=2, stride=2),
        InvertedResiduals("two", MapShape(12, 4, 3), blocks=1, stride=2),
    )
    pyramid = InvertedPyramid(MapShape(3, 14, 9), stages)
    drawn = pyramid(torch.randn(6, 12, 4, 3))
    assert drawn.image.shape == (6, 3, 14, 9)
    assert [tuple(m.shape[1:]) for m in drawn.layers] == [(8, 7, 5), (8, 7, 5), (12, 4, 3)]
    assert drawn.blocks[0].min() < 0 < drawn.blocks[0].max()


def test_rectified_maps_stand_beside_rectified_ones() -> None:
    teacher = small_resnet(3)
    drawn = InvertedPyramid(teacher.picture, teacher.stages)(torch.rand(4, 192, 4, 4))
    assert all(bool((layer >= 0).all()) for layer in drawn.layers)
    assert drawn.image.min() < 0 < drawn.image.max()


def test_a_picture_does_not_depend_on_its_neighbours() -> None:
    teacher = small_alexnet(3)
    pyramid = InvertedPyramid(teacher.picture, teacher.stages).eval()
    features = torch.rand(3, 96, 4, 4)
    assert torch.allclose(pyramid(features[:1]).image, pyramid(features).image[:1], atol=1e-5)


def test_an_untrained_unnormalised_pyramid_starts_at_the_pictures_scale() -> None:
    torch.manual_seed(0)
    with torch.device("meta"):
        teacher = alexnet()
    image = InvertedPyramid(teacher.picture, teacher.stages)(torch.rand(2, 256, 6, 6)).image
    assert 0.1 < image.std() < 10
