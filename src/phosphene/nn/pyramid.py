"""The inverted pyramid: a teacher's stages mirrored from last to first (Peng et al. 2022, table 7).

It starts from the multimodal feature ``m``, which has the shape of the teacher's last map, and
ends in a picture. Every map it makes on the way has the shape of the teacher's map at the same
place, so the two can be compared stage by stage: the teacher's map *leaving* stage ``l`` stands
beside the student's map *entering* the mirror of stage ``l`` (the paper's ``l + 1``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn

from phosphene.nn.visual import Bottlenecks, Chain, InvertedResiduals, MapShape, Stage


@dataclass(frozen=True)
class InvertedTrace:
    """What an inverted pyramid makes of a feature map, in the *teacher's* order.

    ``image`` is the picture drawn, on the teacher's normalised scale (``teacher.perceive`` takes
    it as it is; ``teacher.denormalise`` makes pixels of it). ``blocks[l]`` and ``layers[l]`` have
    the shapes of the teacher's; the last of either is the feature map itself.
    """

    image: Float[Tensor, "photo 3 height width"]
    blocks: tuple[Float[Tensor, "photo _ _ _"], ...]
    layers: tuple[Float[Tensor, "photo _ _ _"], ...]

    @property
    def last(self) -> Float[Tensor, "photo channel height width"]:
        """The feature map that the picture was drawn from."""
        return self.blocks[-1]


class InvertedPyramid(nn.Module):
    """A student that draws a picture from a feature map by undoing a teacher's stages.

    Args:
        picture: Size of the pictures that the teacher sees.
        stages: The teacher's stages, from the stem upwards (``teacher.stages``).
    """

    def __init__(self, picture: MapShape, stages: tuple[Stage, ...]) -> None:
        super().__init__()
        below = (picture, *(stage.shape for stage in stages[:-1]))
        # A mirrored map is rectified where the teacher's map is; a picture never is.
        rectified = (False, *(stage.rectified for stage in stages[:-1]))
        self.mirrors = nn.ModuleList(
            _mirror(stage, target, rectify, draws=target is picture)
            for stage, target, rectify in reversed(list(zip(stages, below, rectified, strict=True)))
        )

    def forward(self, features: Float[Tensor, "photo channel height width"]) -> InvertedTrace:
        """Draw the pictures that the teacher would have seen to make ``features``."""
        blocks, layers = [features], [features]
        for mirror in self.mirrors:
            maps = mirror(blocks[-1])
            layers.extend(maps)
            blocks.append(maps[-1])
        image = blocks[-1]
        return InvertedTrace(image, tuple(blocks[-2::-1]), tuple(layers[-2::-1]))


def transposed_kernel(small: int, large: int, stride: int, padding: int) -> int:
    """Kernel of the transposed convolution that takes ``small`` cells to ``large``.

    ``k = (large - (small - 1) stride) + 2 padding``: 4 for a ResNet stage (7 to 14), 2 for its
    shortcut and its pooling, 8 for its stem (112 to 224), 12 for AlexNet's (55 to 224).

    Raises:
        ValueError: No such kernel exists.
    """
    kernel = large - (small - 1) * stride + 2 * padding
    if kernel < 1:
        raise ValueError(
            f"no transposed convolution takes {small} cells to {large} "
            f"with stride {stride} and padding {padding}"
        )
    return kernel


def _mirror(stage: Stage, target: MapShape, rectify: bool, draws: bool) -> nn.Module:
    match stage:
        case Chain():
            return _ChainMirror(stage, target, rectify, draws)
        case Bottlenecks(inner=inner):
            return _ResidualMirror(stage, target, inner, rectify, shows_inner=True)
        case InvertedResiduals():
            inner = max(8, stage.shape.channels // 2)
            return _ResidualMirror(stage, target, inner, rectify, shows_inner=False)


class _ChainMirror(nn.Module):
    """Transposed convolutions in reverse order; the one that draws is linear."""

    def __init__(self, chain: Chain, target: MapShape, rectify: bool, draws: bool) -> None:
        super().__init__()
        targets = (target, *(step.shape for step in chain.steps[:-1]))
        self.steps = nn.ModuleList()
        for place in reversed(range(len(chain.steps))):
            step, last = chain.steps[place], place == 0
            normalised = chain.normalised and not (last and draws)
            rectified = rectify or not last
            self.steps.append(
                nn.Sequential(
                    _unconvolve(
                        step.shape,
                        targets[place],
                        step.stride,
                        step.padding,
                        gain=2.0 if rectified else 1.0,
                        bias=not chain.normalised,
                    ),
                    *([nn.BatchNorm2d(targets[place].channels)] if normalised else []),
                    *([nn.ReLU()] if rectified else []),
                )
            )

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Every map on the way down, the entering one excluded."""
        return _outputs(self.steps, features)


class _ResidualMirror(nn.Module):
    """Inverted bottlenecks; the last one goes to the resolution and width below the stage."""

    def __init__(
        self,
        stage: Bottlenecks | InvertedResiduals,
        target: MapShape,
        inner: int,
        rectify: bool,
        shows_inner: bool,
    ) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            _InvertedBottleneck(stage.shape, stage.shape, inner, 1, stage.rectified)
            for _ in range(stage.blocks - 1)
        )
        self.blocks.append(_InvertedBottleneck(stage.shape, target, inner, stage.stride, rectify))
        self.shows_inner = shows_inner

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Every map on the way down, the entering one excluded."""
        maps: list[Tensor] = []
        for block in self.blocks:
            first, second, features = block(features)
            maps.extend((first, second, features) if self.shows_inner else (features,))
        return tuple(maps)


class _InvertedBottleneck(nn.Module):
    """1x1, 3x3 (transposed where it enlarges), 1x1, and a shortcut."""

    def __init__(
        self, source: MapShape, target: MapShape, inner: int, stride: int, rectify: bool
    ) -> None:
        super().__init__()
        narrow = MapShape(inner, source.height, source.width)
        spread = MapShape(inner, target.height, target.width)
        self.enter = _normalised(_unconvolve(source, narrow), inner, rectify=True)
        self.spread = _normalised(
            _unconvolve(narrow, spread, stride, padding=1), inner, rectify=True
        )
        self.leave = _normalised(_unconvolve(spread, target), target.channels, rectify=False)
        self.shortcut = (
            nn.Identity()
            if source == target
            else _normalised(_unconvolve(source, target, stride), target.channels, rectify=False)
        )
        self.rectify = nn.ReLU() if rectify else nn.Identity()

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The two inner maps and the block's output."""
        first = self.enter(features)
        second = self.spread(first)
        return first, second, self.rectify(self.leave(second) + self.shortcut(features))


def _outputs(modules: Iterable[nn.Module], features: Tensor) -> tuple[Tensor, ...]:
    maps = []
    for module in modules:
        features = module(features)
        maps.append(features)
    return tuple(maps)


def _normalised(convolution: nn.Module, channels: int, rectify: bool) -> nn.Sequential:
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), *([nn.ReLU()] if rectify else []))


def _unconvolve(
    source: MapShape,
    target: MapShape,
    stride: int = 1,
    padding: int = 0,
    *,
    gain: float = 2.0,
    bias: bool = False,
) -> nn.Module:
    """The (transposed) convolution that takes a map of shape ``source`` to ``target``.

    Where the map keeps its size a plain convolution does the same. Weights are He-normal with
    variance ``gain`` over the inputs of one output cell; the released code leaves the transposed
    ones at the framework's default, under which unnormalised mirrors start out almost at zero.
    """
    kernel = (
        transposed_kernel(source.height, target.height, stride, padding),
        transposed_kernel(source.width, target.width, stride, padding),
    )
    same_size = (source.height, source.width) == (target.height, target.width)
    kind = nn.Conv2d if same_size and stride == 1 else nn.ConvTranspose2d
    layer = kind(source.channels, target.channels, kernel, stride, padding, bias=bias)
    inputs = source.channels * kernel[0] * kernel[1] / stride**2
    nn.init.normal_(layer.weight, std=math.sqrt(gain / inputs))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


__all__ = ["InvertedPyramid", "InvertedTrace", "transposed_kernel"]
