"""Convolutional classifiers as visual teachers: ResNet-50, VGG19, AlexNet and small kin.

State-dict names and shapes are torchvision's, so that its published weights load
(:func:`phosphene.models.pretrained.load_weights`). The small ones have the same structure at the
size of the embedded world: pictures of 64 x 64, a last map of 4 x 4.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from phosphene.nn.visual import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Bottlenecks,
    Chain,
    MapShape,
    Stage,
    Step,
    VisualTeacher,
    VisualTrace,
)

WORLD_MEAN = (0.5, 0.5, 0.5)
WORLD_STD = (0.25, 0.25, 0.25)


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
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(shape.channels, categories)
        self.stages = tuple(stages)
        _initialise(self)

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


class PlainCNN(VisualTeacher):
    """Convolutions and poolings in one chain, then dense layers: VGG and AlexNet.

    Each convolution is followed by a ReLU, in the small ones by batch normalisation first. A run of convolutions is one stage, a pooling another.
    """

    def __init__(
        self,
        picture: MapShape,
        features: Sequence[nn.Module],
        pooled: int,
        classifier: Sequence[nn.Module],
        *,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__(picture, mean, std)
        self.features = nn.Sequential(*features)
        self.avgpool = nn.AdaptiveAvgPool2d(pooled)
        self.classifier = nn.Sequential(*classifier)
        self.stages = _chain_stages(picture, self.features)
        _initialise(self)

    def perceive(self, image: Float[Tensor, "photo 3 height width"]) -> VisualTrace:
        """Look at normalised pictures."""
        features, blocks, layers = image, list[Tensor](), list[Tensor]()
        for module in self.features:
            if isinstance(module, nn.MaxPool2d):
                blocks.append(features)
            features = module(features)
            if isinstance(module, nn.MaxPool2d):
                blocks.append(features)
            if isinstance(module, nn.ReLU | nn.MaxPool2d):
                layers.append(features)
        logits = self.classifier(self.avgpool(features).flatten(1))
        return VisualTrace(image, tuple(blocks), tuple(layers), logits)


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
    )


def vgg19(side: int = 224, categories: int = 1000) -> PlainCNN:
    """VGG19 (Simonyan and Zisserman, 2014): 143,667,240 parameters, last map 512 x 7 x 7."""
    runs = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)
    return PlainCNN(
        MapShape(3, side, side),
        _vgg_features(runs, normalised=False),
        7,
        _vgg_classifier(512 * 7 * 7, 4096, categories, dropout=0.5),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )


def alexnet(side: int = 224, categories: int = 1000) -> PlainCNN:
    """AlexNet in its one-column form: 61,100,840 parameters, last map 256 x 6 x 6."""
    return PlainCNN(
        MapShape(3, side, side),
        _alexnet_features(
            (64, 192, 384, 256, 256), first=(11, 4, 2), pool_padding=0, normalised=False
        ),
        6,
        _alexnet_classifier(256 * 6 * 6, 4096, categories, dropout=0.5),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )


def small_resnet(categories: int, side: int = 64) -> ResNet:
    """A residual network for the embedded world: 0.41 M parameters, last map 192 x 4 x 4."""
    return ResNet(
        MapShape(3, side, side),
        categories,
        stem=(5, 32),
        inner=(32, 64, 96),
        depths=(2, 2, 2),
        expansion=2,
        mean=WORLD_MEAN,
        std=WORLD_STD,
    )


def small_vgg(categories: int, side: int = 64) -> PlainCNN:
    """A VGG with batch normalisation for the embedded world: last map 128 x 4 x 4."""
    return PlainCNN(
        MapShape(3, side, side),
        _vgg_features(((16,), (32,), (64,) * 2, (128,) * 2), normalised=True),
        4,
        _vgg_classifier(128 * 4 * 4, 128, categories, dropout=0.0),
        mean=WORLD_MEAN,
        std=WORLD_STD,
    )


def small_alexnet(categories: int, side: int = 64) -> PlainCNN:
    """An AlexNet with batch normalisation for the embedded world: last map 96 x 4 x 4."""
    return PlainCNN(
        MapShape(3, side, side),
        _alexnet_features((32, 64, 96, 96, 96), first=(5, 2, 2), pool_padding=1, normalised=True),
        4,
        _alexnet_classifier(96 * 4 * 4, 128, categories, dropout=0.0),
        mean=WORLD_MEAN,
        std=WORLD_STD,
    )


def _convolution(
    channels: int, width: int, kernel: int, stride: int, padding: int, normalised: bool
) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, width, kernel, stride, padding, bias=not normalised)
    return [convolution, *([nn.BatchNorm2d(width)] if normalised else []), nn.ReLU()]


def _vgg_features(runs: Sequence[Sequence[int]], *, normalised: bool) -> list[nn.Module]:
    modules: list[nn.Module] = []
    channels = 3
    for run in runs:
        for width in run:
            modules += _convolution(channels, width, 3, 1, 1, normalised)
            channels = width
        modules.append(nn.MaxPool2d(2, stride=2))
    return modules


def _vgg_classifier(features: int, hidden: int, categories: int, dropout: float) -> list[nn.Module]:
    return [
        *(nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(dropout)),
        *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout)),
        nn.Linear(hidden, categories),
    ]


def _alexnet_features(
    widths: tuple[int, int, int, int, int],
    *,
    first: tuple[int, int, int],
    pool_padding: int,
    normalised: bool,
) -> list[nn.Module]:
    one, two, three, four, five = widths
    return [
        *_convolution(3, one, *first, normalised),
        nn.MaxPool2d(3, stride=2, padding=pool_padding),
        *_convolution(one, two, 5, 1, 2, normalised),
        nn.MaxPool2d(3, stride=2, padding=pool_padding),
        *_convolution(two, three, 3, 1, 1, normalised),
        *_convolution(three, four, 3, 1, 1, normalised),
        *_convolution(four, five, 3, 1, 1, normalised),
        nn.MaxPool2d(3, stride=2, padding=pool_padding),
    ]


def _alexnet_classifier(
    features: int, hidden: int, categories: int, dropout: float
) -> list[nn.Module]:
    return [
        *(nn.Dropout(dropout), nn.Linear(features, hidden), nn.ReLU()),
        *(nn.Dropout(dropout), nn.Linear(hidden, hidden), nn.ReLU()),
        nn.Linear(hidden, categories),
    ]


def _chain_stages(picture: MapShape, features: nn.Sequential) -> tuple[Stage, ...]:
    """A stage for every run of convolutions and for every pooling between them."""
    stages: list[Stage] = []
    run: list[Step] = []
    shape = picture
    normalised = any(isinstance(module, nn.BatchNorm2d) for module in features)
    for module in features:
        if isinstance(module, nn.Conv2d):
            kernel, stride, padding = (
                _side(size) for size in (module.kernel_size, module.stride, module.padding)
            )
            shape = shape.after(module.out_channels, kernel, stride, padding)
            run.append(Step(shape, stride, padding))
        elif isinstance(module, nn.MaxPool2d):
            kernel, stride, padding = (
                _side(size) for size in (module.kernel_size, module.stride, module.padding)
            )
            number = len(stages) // 2 + 1
            stages.append(Chain(f"conv{number}", tuple(run), normalised))
            run = []
            shape = shape.after(shape.channels, kernel, stride, padding)
            stages.append(Chain(f"pool{number}", (Step(shape, stride, 0),), normalised))
    return tuple(stages)


def _side(size: int | str | tuple[int, ...]) -> int:
    """One side of a square kernel, stride or padding."""
    return int(size[0] if isinstance(size, tuple) else size)


def _initialise(model: nn.Module) -> None:
    """He-normal convolutions, as the published networks were begun."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


__all__ = [
    "Bottleneck",
    "PlainCNN",
    "ResNet",
    "alexnet",
    "resnet50",
    "small_alexnet",
    "small_resnet",
    "small_vgg",
    "vgg19",
]
