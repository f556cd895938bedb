"""Encoders that map pictures and sentences of many languages into one space.

A recipe that conditions on such a vector learns from pictures and is used with sentences: the
space is what both have in common. The encoder itself is frozen; its vectors are computed once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from phosphene.data.store import Producer

_PART: Final = 64
"""Pictures or sentences that are encoded side by side."""


@runtime_checkable
class AlignedEncoder(Protocol):
    """A frozen pair of encoders, one for pictures and one for sentences.

    A vector depends on its own picture or sentence only, not on what it is computed beside.
    """

    @property
    def identity(self) -> Producer:
        """Name and hash of the weights: stored vectors are keyed by it."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""

    @property
    def side(self) -> int:
        """Pictures are squares of so many pixels (:func:`~phosphene.data.image.load_rgb`)."""

    @property
    def languages(self) -> frozenset[str] | None:
        """Codes (``en``, ``de``) of the languages it was made for; ``None`` where nobody says."""

    @property
    def normalised(self) -> bool:
        """Whether vectors have length 1. Those of the published CLIP do not."""

    def image_vectors(
        self, pictures: UInt8[np.ndarray, "picture height width 3"]
    ) -> Float[Tensor, "picture feature"]:
        """One vector for each picture, on the CPU."""

    def text_vectors(self, lines: Sequence[str]) -> Float[Tensor, "line feature"]:
        """One vector for each sentence, on the CPU."""


@dataclass(frozen=True)
class AlignedTrace:
    """What a pair of encoders makes of a batch in training; row ``i`` belongs to row ``i``."""

    image: Float[Tensor, "batch feature"]
    text: Float[Tensor, "batch feature"]
    scale: Float[Tensor, ""]
    """Inverse temperature, learned: cosines are multiplied by it."""


class Temperature(nn.Module):
    """A learned factor on cosines; like CLIP's it starts at 1 / 0.07 and stays below 100."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self) -> Float[Tensor, ""]:
        """The factor."""
        return self.log_scale.exp().clamp(max=100.0)


def in_parts(
    encode: Callable[[slice], Tensor], count: int, width: int
) -> Float[Tensor, "item feature"]:
    """``encode`` parts of ``count`` items one after the other; their vectors on the CPU."""
    parts = [encode(slice(start, start + _PART)) for start in range(0, count, _PART)]
    return torch.cat([part.float().cpu() for part in parts]) if parts else torch.zeros(0, width)


__all__ = ["AlignedEncoder", "AlignedTrace", "Temperature", "in_parts"]
