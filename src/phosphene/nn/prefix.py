"""Mapping networks: one vector of an image or a sentence becomes the prefix of a decoder.

ClipCap (Mokady et al., 2021) and CLIPTrans (Yang et al., 2023) put ``k`` rows in front of the words
that a decoder reads. The rows are a function of one vector; everything else of the decoder is as
before.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.types import Vectors
from phosphene.nn.transformer import EncoderLayer, Width

Mapping = Literal["linear", "mlp", "hidden_mlp", "transformer"]
"""``mlp``, the paper's, is one linear layer and a PReLU."""


class MappingNetwork(nn.Module):
    """``length`` rows of width ``hidden`` from a vector of width ``feature``.

    Relative to the paper: its decoder scales word vectors by ``sqrt(hidden)`` and leaves the prefix
    as it is, small beside them. Here a vector of any length is brought to ``sqrt(feature)`` (unit
    variance), so that prefix and words meet on one scale. ``input`` maps the vector to all
    rows side by side; ``rows`` lets them look at each other.
    """

    def __init__(self, input: nn.Module, rows: nn.Module | None, feature: int, length: int) -> None:
        super().__init__()
        self.input = input
        self.rows = rows
        self.feature = feature
        self.length = length

    def forward(self, vectors: Vectors) -> Float[Tensor, "batch prefix hidden"]:
        """Prefix rows; those of an absent vector mean nothing."""
        if vectors.values.shape[1] != self.feature:
            raise ValueError(f"vectors of width {vectors.values.shape[1]}, expected {self.feature}")
        scaled = F.normalize(vectors.values, dim=1) * math.sqrt(self.feature)
        rows: Tensor = self.input(scaled).unflatten(1, (self.length, -1))
        if self.rows is None:
            return rows
        everything = torch.ones(len(rows), 1, 1, self.length, dtype=torch.bool, device=rows.device)
        mapped: Tensor = self.rows(rows, rows, everything)
        return mapped


def build_mapping(kind: Mapping, feature: int, hidden: int, length: int) -> MappingNetwork:
    """A mapping network with fresh weights; the sizes of the paper at 512 -> 10 x 1024."""
    wide = length * hidden
    rows: nn.Module | None = None
    match kind:
        case "linear":
            first: nn.Module = nn.Linear(feature, wide)
        case "mlp":
            first = nn.Sequential(nn.Linear(feature, wide), nn.PReLU())
        case "hidden_mlp":
            first = nn.Sequential(
                nn.Linear(feature, hidden), nn.ReLU(), nn.Linear(hidden, wide), nn.PReLU()
            )
        case "transformer":
            first = nn.Linear(feature, wide)
            rows = EncoderLayer(Width(hidden, hidden // 3, 2, 0.0))
    for module in first.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5)
            nn.init.zeros_(module.bias)
    return MappingNetwork(first, rows, feature, length)


__all__ = ["Mapping", "MappingNetwork", "build_mapping"]
