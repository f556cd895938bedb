"""From a sentence to a feature map: the multimodal feature generator (Peng et al. 2022, eq. 5, 6).

``masked_mean`` pools the text, ``Generator`` projects the pooled vector and unfolds it to a map.
The paper calls the unfolding "average unpooling"; its released code learns it. Both are here,
with a low-rank one that costs a fraction and can represent the same maps.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F


def masked_mean(
    states: Float[Tensor, "batch length hidden"], mask: Bool[Tensor, "batch length"]
) -> Float[Tensor, "batch hidden"]:
    """Mean over the real positions of each sentence (eq. 5); zero where there are none.

    The released code divides by the padded length, which makes the mean depend on the batch.
    """
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


class Unpool(nn.Module, ABC):
    """Unfolds a vector of ``width`` to a map of ``channels`` by ``positions`` (height, width)."""

    def __init__(self, width: int, channels: int, positions: tuple[int, int]) -> None:
        super().__init__()
        self.width = width
        self.channels = channels
        self.positions = positions

    @abstractmethod
    def forward(
        self, vector: Float[Tensor, "batch _"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Unfold one vector per example."""


class LearnedUnpool(Unpool):
    """One transposed convolution as large as the map: the released code's reading.

    ``channels^2 * height * width`` weights: 205,520,896 for ResNet-50's 2048 x 7 x 7.
    """

    def __init__(self, channels: int, positions: tuple[int, int]) -> None:
        super().__init__(channels, channels, positions)
        self.unfold = nn.Sequential(
            nn.ConvTranspose2d(channels, channels, positions, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def forward(
        self, vector: Float[Tensor, "batch _"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Unfold one vector per example."""
        return self.unfold[1:](_unfold_cell(vector, self.unfold.get_parameter("0.weight")))


class LowRankUnpool(Unpool):
    """The learned unpool through ``rank`` numbers: ``channels * rank * (1 + height * width)``.

    Nothing bends between the generator's projection and the unpool, so their product has at most
    the rank of the text vector and a bias: with ``rank > hidden`` it represents every map that
    :class:`LearnedUnpool` does.
    """

    def __init__(self, channels: int, positions: tuple[int, int], rank: int) -> None:
        super().__init__(channels, channels, positions)
        self.unfold = nn.Sequential(
            nn.Conv2d(channels, rank, 1, bias=False),
            nn.ConvTranspose2d(rank, channels, positions, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )

    def forward(
        self, vector: Float[Tensor, "batch _"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Unfold one vector per example."""
        narrow = F.linear(vector, self.unfold.get_parameter("0.weight").flatten(1))
        return self.unfold[2:](_unfold_cell(narrow, self.unfold.get_parameter("1.weight")))


def _unfold_cell(
    vector: Float[Tensor, "batch rank"], weight: Float[Tensor, "rank channel height width"]
) -> Float[Tensor, "batch channel height width"]:
    """The transposed convolution of one cell with a kernel as large as the map: one product."""
    return (vector @ weight.flatten(1)).unflatten(1, weight.shape[1:])


class AverageUnpool(Unpool):
    """The inverse of average pooling, without parameters: the paper's words.

    Every position holds the same vector, so all regions are one.
    """

    def __init__(self, channels: int, positions: tuple[int, int]) -> None:
        super().__init__(channels, channels, positions)

    def forward(
        self, vector: Float[Tensor, "batch _"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Repeat one vector per example."""
        return vector[:, :, None, None].expand(-1, -1, *self.positions)


class DenseUnpool(Unpool):
    """Two dense layers, as the released code inverts VGG19 and AlexNet (``width`` 4096)."""

    def __init__(
        self, channels: int, positions: tuple[int, int], width: int = 4096, dropout: float = 0.5
    ) -> None:
        super().__init__(width, channels, positions)
        self.unfold = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, channels * positions[0] * positions[1]),
            nn.ReLU(),
            nn.Unflatten(1, (channels, *positions)),
        )

    def forward(
        self, vector: Float[Tensor, "batch _"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Unfold one vector per example."""
        return self.unfold(vector)


class Generator(nn.Module):
    """The multimodal feature ``m`` of a sentence: ``unpool(W^t t)`` (eq. 6).

    Args:
        hidden: Width of the pooled text.
        unpool: How the projected vector becomes a map; it fixes the size of that map.
    """

    def __init__(self, hidden: int, unpool: Unpool) -> None:
        super().__init__()
        self.project = nn.Linear(hidden, unpool.width)
        self.unpool = unpool

    def forward(
        self, text: Float[Tensor, "batch hidden"]
    ) -> Float[Tensor, "batch channel height width"]:
        """Generate the feature map of each pooled sentence."""
        return self.unpool(self.project(text))


__all__ = [
    "AverageUnpool",
    "DenseUnpool",
    "Generator",
    "LearnedUnpool",
    "LowRankUnpool",
    "Unpool",
    "masked_mean",
]
