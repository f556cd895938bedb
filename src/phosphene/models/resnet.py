"""Residual networks as visual teachers: ResNet-50 and a small one.

State-dict names and shapes are torchvision's, so that its published weights load
(:func:`phosphene.models.pretrained.load_weights`). The small one has the same structure at the
size of the embedded world: pictures of 64 x 64, a last map of 4 x 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from phosphene.nn.visual import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    WORLD_MEAN,
    WORLD_STD,
    Bottlenecks,
    Chain,
    MapShape,
    Stage,
    Step,
    VisualTeacher,
    VisualTrace,
    he_initialise,
)


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1, and a shortcut (He et al., 2016; the "v1.5" layout)."""

    def __init__(self, channels: int, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outer, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outer)
        self.relu = nn.ReLU()
        self.downsample = (
            nn.Identity()
            if (channels, stride) == (outer, 1)
            else nn.Sequential(
                nn.Conv2d(channels, outer, 1, stride, bias=False), nn.BatchNorm2d(outer)
            )
        )

    def forward(
        self, features: Float[Tensor, "photo _ _ _"]
    ) -> tuple[
        Float[Tensor, "photo _ _ _"], Float[Tensor, "photo _ _ _"], Float[Tensor, "photo _ _ _"]
    ]:
        """The two inner maps and the block's output, each after its activation."""
        first = self.relu(self.bn1(self.conv1(features)))
        second = self.relu(self.bn2(self.conv2(first)))
        outer = self.relu(self.bn3(self.conv3(second)) + self.downsample(features))
        return first, second, outer


class ResNet(VisualTeacher):
    """A residual network of bottlenecks.

    Args:
        picture: Size of the pictures it will see.
        categories: Width of the logits.
        stem: Kernel and channels of the first convolution, which has stride 2.
        inner: Inner width of each stage's bottlenecks; the first stage keeps the resolution.
        depths: Bottlenecks of each stage.
        expansion: Outer width of a bottleneck over its inner width.
        mean: Mean of each colour over the training pictures.
        std: Standard deviation of each colour.
        pool: From the last map to one vector (``[photo, channel, 1, 1]``).
    """

    def __init__(
        self,
        picture: MapShape,
        categories: int,
        *,
        stem: tuple[int, int],
        inner: Sequence[int],
        depths: Sequence[int],
        expansion: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
        pool: nn.Module,
    ) -> None:
        super().__init__(picture, mean, std)
        kernel, channels = stem
        self.conv1 = nn.Conv2d(3, channels, kernel, stride=2, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        shape = picture.after(channels, kernel, stride=2, padding=kernel // 2)
        stages: list[Stage] = [Chain("conv1", (Step(shape, 2, kernel // 2),), normalised=True)]
        shape = shape.after(channels, 3, stride=2, padding=1)
        # The mirror of the pooling needs no overlap: a 2x2 transposed convolution.
        stages.append(Chain("maxpool", (Step(shape, 2, 0),), normalised=True))
        for place, (width, depth) in enumerate(zip(inner, depths, strict=True)):
            stride = 1 if place == 0 else 2
            name, outer = f"layer{place + 1}", width * expansion
            blocks = [Bottleneck(shape.channels, width, outer, stride)]
            blocks.extend(Bottleneck(outer, width, outer, 1) for _ in range(depth - 1))
            self.add_module(name, nn.Sequential(*blocks))
            shape = shape.after(outer, 3, stride, padding=1)
            stages.append(Bottlenecks(name, shape, depth, width, stride))
        self.avgpool = pool
        self.fc = nn.Linear(shape.channels, categories)
        self.stages = tuple(stages)
        he_initialise(self)

    def perceive(self, image: Float[Tensor, "photo 3 height width"]) -> VisualTrace:
        """Look at normalised pictures."""
        features = self.relu(self.bn1(self.conv1(image)))
        blocks = [features, self.maxpool(features)]
        layers = list(blocks)
        for stage in self.stages[2:]:
            for block in self.get_submodule(stage.name).children():
                layers.extend(block(layers[-1]))
            blocks.append(layers[-1])
        logits = self.fc(self.avgpool(layers[-1]).flatten(1))
        return VisualTrace(image, tuple(blocks), tuple(layers), logits)

    def classify(
        self, cells: Float[Tensor, "photo region feature"]
    ) -> Float[Tensor, "photo region label"]:
        """What the classifier says of cells of the last map, each by itself."""
        return self.fc(cells)


def resnet50(side: int = 224, categories: int = 1000) -> ResNet:
    """ResNet-50 (He et al., 2016): 25,557,032 parameters, last map 2048 x 7 x 7 at 224 pixels."""
    return ResNet(
        MapShape(3, side, side),
        categories,
        stem=(7, 64),
        inner=(64, 128, 256, 512),
        depths=(3, 4, 6, 3),
        expansion=4,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        pool=nn.AdaptiveAvgPool2d(1),
    )


def small_resnet(categories: int, side: int = 64) -> ResNet:
    """A residual network for the embedded world: 0.41 M parameters, last map 192 x 4 x 4.

    Its labels are read off the strongest cell: objects are small, and a mean over cells learns
    them several times slower.
    """
    return ResNet(
        MapShape(3, side, side),
        categories,
        stem=(5, 32),
        inner=(32, 64, 96),
        depths=(2, 2, 2),
        expansion=2,
        mean=WORLD_MEAN,
        std=WORLD_STD,
        pool=nn.AdaptiveMaxPool2d(1),
    )


__all__ = ["Bottleneck", "ResNet", "resnet50", "small_resnet"]
