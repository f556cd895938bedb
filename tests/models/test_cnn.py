"""Visual teachers: published names and sizes, and what their traces hold."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from phosphene.models.cnn import alexnet, small_alexnet, small_vgg, vgg19
from phosphene.models.resnet import Bottleneck, resnet50, small_resnet
from phosphene.nn.visual import VisualTeacher, freeze

PUBLISHED = [
    (
        resnet50,
        25_557_032,
        320,
        {
            "conv1.weight": (64, 3, 7, 7),
            "bn1.running_var": (64,),
            "layer1.0.conv1.weight": (64, 64, 1, 1),
            "layer1.0.downsample.0.weight": (256, 64, 1, 1),
            "layer2.0.conv2.weight": (128, 128, 3, 3),
            "layer2.0.downsample.1.running_mean": (512,),
            "layer3.5.bn2.num_batches_tracked": (),
            "layer4.2.conv3.weight": (2048, 512, 1, 1),
            "fc.weight": (1000, 2048),
            "fc.bias": (1000,),
        },
    ),
    (
        vgg19,
        143_667_240,
        38,
        {
            "features.0.weight": (64, 3, 3, 3),
            "features.5.weight": (128, 64, 3, 3),
            "features.16.bias": (256,),
            "features.19.weight": (512, 256, 3, 3),
            "features.34.weight": (512, 512, 3, 3),
            "classifier.0.weight": (4096, 25088),
            "classifier.3.weight": (4096, 4096),
            "classifier.6.bias": (1000,),
        },
    ),
    (
        alexnet,
        61_100_840,
        16,
        {
            "features.0.weight": (64, 3, 11, 11),
            "features.3.weight": (192, 64, 5, 5),
            "features.6.weight": (384, 192, 3, 3),
            "features.8.weight": (256, 384, 3, 3),
            "features.10.bias": (256,),
            "classifier.1.weight": (4096, 9216),
            "classifier.4.weight": (4096, 4096),
            "classifier.6.weight": (1000, 4096),
        },
    ),
]
SMALL: list[Callable[[int], VisualTeacher]] = [small_resnet, small_vgg, small_alexnet]


@pytest.mark.parametrize(("build", "parameters", "entries", "sample"), PUBLISHED)
def test_names_and_sizes_are_torchvisions(
    build: Callable[[], VisualTeacher],
    parameters: int,
    entries: int,
    sample: dict[str, tuple[int, ...]],
) -> None:
    with torch.device("meta"):
        teacher = build()
    state = teacher.state_dict()
    assert sum(parameter.numel() for parameter in teacher.parameters()) == parameters
    assert len(state) == entries
    assert {name: tuple(state[name].shape) for name in sample} == sample


def test_the_stride_is_in_the_3x3_convolution() -> None:
    block = Bottleneck(8, 4, 16, stride=2).eval()
    first, second, outer = block(torch.randn(2, 8, 6, 6))
    assert first.shape == (2, 4, 6, 6)
    assert second.shape == (2, 4, 3, 3)
    assert outer.shape == (2, 16, 3, 3)


def test_a_bottleneck_is_its_convolutions() -> None:
    """Without statistics to speak of, batch normalisation is a division by sqrt(1 + eps)."""
    block = Bottleneck(8, 4, 8, stride=1).eval()
    features = torch.randn(2, 8, 5, 5)
    scale = (1 + 1e-5) ** -0.5
    first = F.relu(F.conv2d(features, block.conv1.weight) * scale)
    second = F.relu(F.conv2d(first, block.conv2.weight, padding=1) * scale)
    outer = F.relu(F.conv2d(second, block.conv3.weight) * scale + features)
    for ours, theirs in zip(block(features), (first, second, outer), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("build", SMALL)
def test_small_teachers_end_in_sixteen_cells(build: Callable[[int], VisualTeacher]) -> None:
    teacher = freeze(build(7))
    pixels = torch.rand(3, 3, 64, 64)
    trace = teacher(pixels)
    assert trace.last.shape[2:] == (4, 4)
    assert trace.last is trace.layers[-1]
    assert trace.logits.shape == (3, 7)
    assert all(bool((layer >= 0).all()) for layer in trace.layers)
    alone = teacher(pixels[:1])
    assert torch.allclose(alone.last, trace.last[:1], atol=1e-5)
    assert torch.allclose(alone.logits, trace.logits[:1], atol=1e-5)


@pytest.mark.parametrize("build", SMALL)
def test_every_parameter_of_a_small_teacher_learns(build: Callable[[int], VisualTeacher]) -> None:
    torch.manual_seed(0)
    teacher = build(7)
    teacher(torch.rand(4, 3, 64, 64)).logits.square().sum().backward()
    for name, parameter in teacher.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_blocks_of_a_chain_stand_before_and_after_each_pooling() -> None:
    trace = freeze(small_vgg(7))(torch.rand(1, 3, 64, 64))
    for place in range(0, 8, 2):
        assert torch.equal(F.max_pool2d(trace.blocks[place], 2), trace.blocks[place + 1])
    layers = {id(layer) for layer in trace.layers}
    assert layers.issuperset(id(block) for block in trace.blocks)


def test_blocks_of_a_residual_network_are_stem_pooling_and_stages() -> None:
    trace = freeze(small_resnet(7))(torch.rand(1, 3, 64, 64))
    shapes = [tuple(block.shape[1:]) for block in trace.blocks]
    assert shapes == [(32, 32, 32), (32, 16, 16), (64, 16, 16), (128, 8, 8), (192, 4, 4)]
    assert torch.equal(F.max_pool2d(trace.blocks[0], 3, 2, 1), trace.blocks[1])
    assert len(trace.layers) == 2 + 3 * (2 + 2 + 2)
