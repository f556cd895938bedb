"""Encoders that map pictures and sentences of many languages into one space.

A recipe that conditions on such a vector learns from pictures and is used with sentences: the
space is what both have in common. The encoder itself is frozen; its vectors are computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor


@runtime_checkable
class AlignedEncoder(Protocol):
    """A frozen pair of encoders, one for pictures and one for sentences.

    A vector depends on its own picture or sentence only, not on what it is computed beside.
    """

    @property
    def identity(self) -> str:
        """``NAME-HASH``: encoder and hash of its weights; stored vectors are keyed by it."""

    @property
    def width(self) -> int:
        """Numbers in a vector."""

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


__all__ = ["AlignedEncoder", "AlignedTrace"]
