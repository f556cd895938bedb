"""Frozen teachers stay frozen; regions are cells."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from phosphene.models.resnet import small_resnet
from phosphene.nn.visual import (
    MapShape,
    freeze,
    regions_from_map,
    scrambled_regions,
)


def test_a_convolution_leaves_the_size_that_torch_computes() -> None:
    for kernel, stride, padding in ((7, 2, 3), (3, 2, 1), (11, 4, 2), (2, 2, 0), (1, 1, 0)):
        made = nn.Conv2d(3, 5, kernel, stride, padding)(torch.zeros(1, 3, 57, 41))
        shape = MapShape(3, 57, 41).after(5, kernel, stride, padding)
        assert (shape.channels, shape.height, shape.width) == tuple(made.shape[1:])


def test_region_r_is_cell_r() -> None:
    features = torch.arange(24.0).view(1, 2, 3, 4)  # channel 0 holds 0..11, channel 1 holds 12..23
    regions = regions_from_map(features)
    assert regions.shape == (1, 12, 2)
    assert regions[0, 5].tolist() == [5.0, 17.0]
    assert torch.equal(regions[0, 5], features[0, :, 1, 1])


def test_scrambled_regions_mix_the_cells_of_one_channel() -> None:
    features = torch.arange(24.0).view(1, 2, 3, 4)
    scrambled = scrambled_regions(features)
    assert scrambled.shape == (1, 12, 2)
    assert scrambled[0, 0].tolist() == [0.0, 1.0]  # two cells of channel 0
    channels_last = features.contiguous(memory_format=torch.channels_last)
    assert torch.equal(scrambled_regions(channels_last), scrambled)


def test_a_frozen_teacher_stays_in_evaluation_mode() -> None:
    teacher = small_resnet(3)
    holder = nn.Sequential(teacher)
    holder.train()
    assert teacher.training
    freeze(teacher)
    holder.train()
    assert holder.training
    assert not any(module.training for module in teacher.modules())
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_normalisation_is_undone_and_kept_out_of_the_weights() -> None:
    teacher = small_resnet(3)
    pixels = torch.rand(2, 3, 64, 64)
    assert torch.allclose(teacher.normalise(torch.full((1, 3, 1, 1), 0.75)), torch.ones(1))
    assert torch.allclose(teacher.denormalise(teacher.normalise(pixels)), pixels, atol=1e-6)
    assert "mean" not in teacher.state_dict()


def test_pixels_and_normalised_pictures_are_seen_alike() -> None:
    teacher = freeze(small_resnet(3))
    pixels = torch.rand(2, 3, 64, 64)
    seen, perceived = teacher(pixels), teacher.perceive(teacher.normalise(pixels))
    assert torch.equal(seen.logits, perceived.logits)
    assert torch.equal(seen.image, teacher.normalise(pixels))


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"pictures of \[32, 64\], expected \[64, 64\]"):
        small_resnet(3)(torch.rand(1, 3, 32, 64))
