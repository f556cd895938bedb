"""Mapping networks: one vector of an image or a sentence becomes the prefix of a decoder.

ClipCap (Mokady et al., 2021) and CLIPTrans (Yang et al., 2023) put ``k`` rows in front of the words
that a decoder reads. The rows are a function of one vector; everything else of the decoder is as
before.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.config import Frozen
from phosphene.core.types import Vectors
from phosphene.nn.transformer import EncoderLayer, Width

Mapping = Literal["linear", "mlp", "hidden_mlp", "transformer"]
"""``mlp``, the paper's, is one linear layer and a PReLU."""


class MappingConfig(Frozen):
    """The prefix of a decoder."""

    kind: Mapping = "mlp"
    """The paper's: one linear layer and a PReLU."""
    length: int = Field(default=10, ge=1)
    """Rows of the prefix, ``k``; the paper's: 10."""
    feature: int = Field(default=512, ge=1)
    """Width of the vector."""
    tune_projection: bool = False
    """Train the last linear layer of the aligned encoder too: a square matrix, at first the
    identity, for both kinds of vectors, so that they stay in one space. The paper freezes the
    encoder."""


class MappingNetwork(nn.Module):
    """``length`` rows of width ``hidden`` from a vector of width ``feature``.

    Relative to the paper: its decoder scales word vectors by ``sqrt(hidden)`` and leaves the prefix
    as it is, small beside them. Here a vector of any length is brought to ``sqrt(feature)`` (unit
    variance), so that prefix and words meet on one scale. ``input`` maps the vector to all rows
    side by side; ``rows``, where there is one, lets them look at each other.
    """

    def __init__(self, config: MappingConfig, hidden: int) -> None:
        super().__init__()
        feature, wide = config.feature, config.length * hidden
        self.feature, self.length = feature, config.length
        self.projection: nn.Linear | None = None
        self.rows: EncoderLayer | None = None
        match config.kind:
            case "linear":
                self.input = nn.Sequential(nn.Linear(feature, wide))
            case "mlp":
                self.input = nn.Sequential(nn.Linear(feature, wide), nn.PReLU())
            case "hidden_mlp":
                first, second = nn.Linear(feature, hidden), nn.Linear(hidden, wide)
                self.input = nn.Sequential(first, nn.ReLU(), second, nn.PReLU())
            case "transformer":
                self.input = nn.Sequential(nn.Linear(feature, wide))
                self.rows = EncoderLayer(Width(hidden, hidden // 3, 2, 0.0))
        for module in self.input:
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=module.in_features**-0.5)
                nn.init.zeros_(module.bias)
        if config.tune_projection:
            self.projection = nn.Linear(feature, feature, bias=False)
            nn.init.eye_(self.projection.weight)

    def forward(self, vectors: Vectors) -> Float[Tensor, "batch prefix hidden"]:
        """Prefix rows; those of an absent vector mean nothing."""
        if vectors.values.shape[1] != self.feature:
            raise ValueError(f"vectors of width {vectors.values.shape[1]}, expected {self.feature}")
        scaled = F.normalize(self.project(vectors), dim=1) * math.sqrt(self.feature)
        rows: Tensor = self.input(scaled).unflatten(1, (self.length, -1))
        if self.rows is None:
            return rows
        everything = torch.ones(len(rows), 1, 1, self.length, dtype=torch.bool, device=rows.device)
        mapped: Tensor = self.rows(rows, rows, everything)
        return mapped

    def project(self, vectors: Vectors) -> Float[Tensor, "batch feature"]:
        """Vectors behind the projection, where it is tuned."""
        if self.projection is None:
            return vectors.values
        projected: Tensor = self.projection(vectors.values)
        return projected

    def absent(self, mask: Bool[Tensor, " batch"]) -> Vectors:
        """The vectors of a batch that has none; ``mask`` says on which device."""
        values = torch.zeros(len(mask), self.feature, device=mask.device)
        return Vectors(values, torch.zeros_like(mask))


def build_mapping(kind: Mapping, feature: int, hidden: int, length: int) -> MappingNetwork:
    """A mapping network with fresh weights."""
    return MappingNetwork(MappingConfig(kind=kind, length=length, feature=feature), hidden)


__all__ = ["Mapping", "MappingConfig", "MappingNetwork", "build_mapping"]
