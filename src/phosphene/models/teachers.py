"""Visual teachers by the names that configurations use."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.data.image import to_tensor
from phosphene.models import cnn
from phosphene.models.pretrained import efficientnet_lite, load_weights
from phosphene.models.resnet import resnet50, small_resnet
from phosphene.nn.visual import VisualTeacher, freeze, regions_from_map

Network = Literal[
    "small_resnet",
    "small_vgg",
    "small_alexnet",
    "resnet50",
    "vgg19",
    "alexnet",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
]


class TeacherConfig(Frozen):
    """Which network teaches, and where its weights come from."""

    network: Network
    side: int
    """Pictures are squares of so many pixels; the papers' networks take 224."""
    weights: Path | None = None
    """Published weights of ResNet-50, VGG19 or AlexNet: .pth or .safetensors."""


def is_trained_here(config: TeacherConfig) -> bool:
    """Whether the network is one of the embedded world's, which a first stage trains."""
    return config.network.startswith("small_")


def build_teacher(  # noqa: PLR0911
    config: TeacherConfig, categories: int = 1000
) -> VisualTeacher:
    """The network: fresh if it is one of the world's, else published and frozen.

    Raises:
        InputError: weights are needed and not named, or their package is not installed.
    """
    match config.network:
        case "small_resnet":
            return _fast_on_cpu(small_resnet(categories, config.side))
        case "small_vgg":
            return _fast_on_cpu(cnn.small_vgg(categories, config.side))
        case "small_alexnet":
            return _fast_on_cpu(cnn.small_alexnet(categories, config.side))
        case "efficientnet_lite0":
            return efficientnet_lite(0, config.side, config.weights)
        case "efficientnet_lite1":
            return efficientnet_lite(1, config.side, config.weights)
        case "efficientnet_lite2":
            return efficientnet_lite(2, config.side, config.weights)
        case "resnet50":
            return _published(resnet50(config.side), config)
        case "vgg19":
            return _published(cnn.vgg19(config.side), config)
        case "alexnet":
            return _published(cnn.alexnet(config.side), config)


@torch.no_grad()
def picture_features(
    teacher: VisualTeacher, pictures: UInt8[np.ndarray, "picture height width 3"]
) -> Float[Tensor, "picture region feature"]:
    """The teacher's last map of every picture, its cells as regions, on the CPU."""
    device = teacher.mean.device
    return torch.cat(
        [
            regions_from_map(teacher(to_tensor(part).to(device)).last).cpu()
            for part in np.split(pictures, range(64, len(pictures), 64))
        ]
    )


def _fast_on_cpu(network: VisualTeacher) -> VisualTeacher:
    """Channels last in memory: a training step on a CPU takes two thirds of the time."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return network


def _published(network: VisualTeacher, config: TeacherConfig) -> VisualTeacher:
    if config.weights is None:
        raise InputError(
            f"teacher.weights: {config.network} needs the file of its published weights "
            "(torchvision's .pth)"
        )
    load_weights(network, config.weights)
    return freeze(network)
