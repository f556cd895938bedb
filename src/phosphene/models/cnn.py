"""Plain convolutional classifiers as visual teachers: VGG19, AlexNet and small kin.

State-dict names and shapes are torchvision's, so that its published weights load
(:func:`phosphene.models.pretrained.load_weights`). The small ones have the same structure at the
size of the embedded world, with batch normalisation and one dense layer so that they train in a
minute: pictures of 64 x 64, a last map of 4 x 4.
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
    Chain,
    MapShape,
    Stage,
    Step,
    VisualTeacher,
    VisualTrace,
    he_initialise,
)


class PlainCNN(VisualTeacher):
    """Convolutions and poolings in one chain, then dense layers: VGG and AlexNet.

    Each convolution is followed by a ReLU, in the small ones after batch normalisation. A run of
    convolutions is one stage, a pooling another.
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
        he_initialise(self)

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


def vgg19(side: int = 224, categories: int = 1000) -> PlainCNN:
    """VGG19 (Simonyan and Zisserman, 2014): 143,667,240 parameters, last map 512 x 7 x 7."""
    runs = ((64,) * 2, (128,) * 2, (256,) * 4, (512,) * 4, (512,) * 4)
    return PlainCNN(
        MapShape(3, side, side),
        _vgg_features(runs, normalised=False),
        7,
        _vgg_classifier(512 * 7 * 7, 4096, categories),
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
        _alexnet_classifier(256 * 6 * 6, 4096, categories),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
    )


def small_vgg(categories: int, side: int = 64) -> PlainCNN:
    """A VGG with batch normalisation for the embedded world: last map 128 x 4 x 4."""
    return PlainCNN(
        MapShape(3, side, side),
        _vgg_features(((16,), (32,), (64,) * 2, (128,) * 2), normalised=True),
        1,
        [nn.Linear(128, categories)],
        mean=WORLD_MEAN,
        std=WORLD_STD,
    )


def small_alexnet(categories: int, side: int = 64) -> PlainCNN:
    """An AlexNet with batch normalisation for the embedded world: last map 96 x 4 x 4."""
    return PlainCNN(
        MapShape(3, side, side),
        _alexnet_features((32, 64, 96, 96, 96), first=(5, 2, 2), pool_padding=1, normalised=True),
        1,
        [nn.Linear(96, categories)],
        mean=WORLD_MEAN,
        std=WORLD_STD,
    )


def _convolution(
    channels: int, width: int, geometry: tuple[int, int, int], *, normalised: bool
) -> list[nn.Module]:
    """A convolution (its kernel, stride and padding), a batch normalisation, a ReLU."""
    convolution = nn.Conv2d(channels, width, *geometry, bias=not normalised)
    return [convolution, *([nn.BatchNorm2d(width)] if normalised else []), nn.ReLU()]


def _vgg_features(runs: Sequence[Sequence[int]], *, normalised: bool) -> list[nn.Module]:
    modules: list[nn.Module] = []
    channels = 3
    for run in runs:
        for width in run:
            modules += _convolution(channels, width, (3, 1, 1), normalised=normalised)
            channels = width
        modules.append(nn.MaxPool2d(2, stride=2))
    return modules


def _vgg_classifier(features: int, hidden: int, categories: int) -> list[nn.Module]:
    return [
        *(nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(0.5)),
        *(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(0.5)),
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
        *_convolution(3, one, first, normalised=normalised),
        nn.MaxPool2d(3, stride=2, padding=pool_padding),
        *_convolution(one, two, (5, 1, 2), normalised=normalised),
        nn.MaxPool2d(3, stride=2, padding=pool_padding),
        *_convolution(two, three, (3, 1, 1), normalised=normalised),
        *_convolution(three, four, (3, 1, 1), normalised=normalised),
        *_convolution(four, five, (3, 1, 1), normalised=normalised),
        nn.MaxPool2d(3, stride=2, padding=pool_padding),
    ]


def _alexnet_classifier(features: int, hidden: int, categories: int) -> list[nn.Module]:
    return [
        *(nn.Dropout(0.5), nn.Linear(features, hidden), nn.ReLU()),
        *(nn.Dropout(0.5), nn.Linear(hidden, hidden), nn.ReLU()),
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


__all__ = [
    "PlainCNN",
    "alexnet",
    "small_alexnet",
    "small_vgg",
    "vgg19",
]
