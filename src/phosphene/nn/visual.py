"""What a convolutional teacher shows: its maps, the stages behind them, how it is frozen.

A teacher is a chain of *stages*. Each leaves one map, a *block*; the steps inside a stage leave
the finer *layers*. ``VisualTrace`` carries both, and ``VisualTeacher.stages`` says of each stage
what an inverted student needs in order to mirror it (:mod:`phosphene.nn.pyramid`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
WORLD_MEAN = (0.5, 0.5, 0.5)
WORLD_STD = (0.25, 0.25, 0.25)
"""Colour statistics by which teachers of photographs and of the embedded world normalise."""

ModuleT = TypeVar("ModuleT", bound=nn.Module)


@dataclass(frozen=True)
class MapShape:
    """Size of one feature map, or of a picture (3 channels)."""

    channels: int
    height: int
    width: int

    def after(self, channels: int, kernel: int, stride: int, padding: int) -> MapShape:
        """The map that a convolution or a pooling of this one leaves."""
        height, width = (
            (side + 2 * padding - kernel) // stride + 1 for side in (self.height, self.width)
        )
        return MapShape(channels, height, width)


@dataclass(frozen=True)
class Step:
    """One convolution or pooling: the map it leaves, and its geometry as a mirror inverts it."""

    shape: MapShape
    stride: int
    padding: int


@dataclass(frozen=True)
class Chain:
    """Convolutions and poolings one after another; every step leaves a rectified map.

    ``normalised``: batch normalisation takes the place of biases.
    """

    name: str
    steps: tuple[Step, ...]
    normalised: bool

    @property
    def shape(self) -> MapShape:
        """The map that the stage leaves."""
        return self.steps[-1].shape

    @property
    def rectified(self) -> bool:
        """Whether the map that the stage leaves has no negative values."""
        return True


@dataclass(frozen=True)
class Bottlenecks:
    """Residual bottlenecks (1x1, 3x3, 1x1); the first one strides. Three layers per block."""

    name: str
    shape: MapShape
    blocks: int
    inner: int
    stride: int

    @property
    def rectified(self) -> bool:
        """Whether the map that the stage leaves has no negative values."""
        return True


@dataclass(frozen=True)
class InvertedResiduals:
    """Mobile inverted residuals with a linear output; the first one strides. One layer per block.

    The expanded maps inside a block are not layers: a mirror as wide as they are would cost more
    than the teacher.
    """

    name: str
    shape: MapShape
    blocks: int
    stride: int

    @property
    def rectified(self) -> bool:
        """Whether the map that the stage leaves has no negative values."""
        return False


Stage = Chain | Bottlenecks | InvertedResiduals


@dataclass(frozen=True)
class VisualTrace:
    """What a teacher makes of pictures, from the stem upwards.

    ``image`` is the picture as the teacher takes it, normalised. ``blocks`` holds the map that
    each stage leaves; ``layers`` holds every convolution after its activation, every pooling, and
    every residual block after its sum. The last of either is the last convolutional map.
    """

    image: Float[Tensor, "photo 3 height width"]
    blocks: tuple[Float[Tensor, "photo _ _ _"], ...]
    layers: tuple[Float[Tensor, "photo _ _ _"], ...]
    logits: Float[Tensor, "photo category"]

    @property
    def last(self) -> Float[Tensor, "photo channel height width"]:
        """The last convolutional map, which the translator reads."""
        return self.blocks[-1]


class VisualTeacher(nn.Module, ABC):
    """A classifier of pictures that shows its maps.

    ``forward`` takes pixels in [0, 1]; ``perceive`` takes pictures that are normalised already,
    as an inverted student draws them, and lets their gradient through. A teacher whose parameters
    are all frozen stays in evaluation mode whatever becomes of the module that holds it, so its
    batch statistics never move.
    """

    stages: tuple[Stage, ...]
    mean: Tensor
    std: Tensor

    def __init__(
        self, picture: MapShape, mean: tuple[float, float, float], std: tuple[float, float, float]
    ) -> None:
        super().__init__()
        self.picture = picture
        # Not in the state dict: published weights know nothing of them.
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, pixels: Float[Tensor, "photo 3 height width"]) -> VisualTrace:
        """Look at ``pixels`` in [0, 1].

        Raises:
            ValueError: They are not of the size that the teacher was built for.
        """
        size = (self.picture.height, self.picture.width)
        if tuple(pixels.shape[2:]) != size:
            raise ValueError(f"pictures of {list(pixels.shape[2:])}, expected {list(size)}")
        return self.perceive(self.normalise(pixels))

    @abstractmethod
    def perceive(self, image: Float[Tensor, "photo 3 height width"]) -> VisualTrace:
        """Look at normalised pictures."""

    def normalise(
        self, pixels: Float[Tensor, "photo 3 height width"]
    ) -> Float[Tensor, "photo 3 height width"]:
        """Pixels in [0, 1] to the teacher's own scale."""
        return (pixels - self.mean) / self.std

    def denormalise(
        self, image: Float[Tensor, "photo 3 height width"]
    ) -> Float[Tensor, "photo 3 height width"]:
        """The inverse of ``normalise``, for looking at what a student drew."""
        return image * self.std + self.mean

    def train(self: ModuleT, mode: bool = True) -> ModuleT:
        """Switch mode, unless every parameter is frozen: then evaluation it is."""
        nn.Module.train(self, mode and any(p.requires_grad for p in self.parameters()))
        return self


def freeze(module: ModuleT) -> ModuleT:
    """Freeze every parameter of ``module`` and put it in evaluation mode.

    Gradients still pass *through* it to its input: never wrap it in ``no_grad`` where a loss must
    reach a generated picture.
    """
    module.requires_grad_(False)
    module.eval()
    return module


def he_initialise(module: nn.Module) -> None:
    """Draw the convolutions of ``module`` as the published classifiers were begun (He-normal)."""
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def regions_from_map(
    features: Float[Tensor, "photo channel height width"],
) -> Float[Tensor, "photo region channel"]:
    """Cells of a map as regions, row by row: region ``r`` is cell ``(r // width, r % width)``."""
    return features.flatten(2).transpose(1, 2)


def scrambled_regions(
    features: Float[Tensor, "photo channel height width"],
) -> Float[Tensor, "photo region channel"]:
    """Regions in the order of the paper's released code, for comparison with it only.

    The map's memory is read as ``[region, channel]`` without a transpose, so every "region" mixes
    many channels of many cells.
    """
    photos, channels, height, width = features.shape
    return features.reshape(photos, height * width, channels)


__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "WORLD_MEAN",
    "WORLD_STD",
    "Bottlenecks",
    "Chain",
    "InvertedResiduals",
    "MapShape",
    "Stage",
    "Step",
    "VisualTeacher",
    "VisualTrace",
    "freeze",
    "he_initialise",
    "regions_from_map",
    "scrambled_regions",
]
