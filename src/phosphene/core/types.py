"""What flows between the parts: tokens, regions, pixels, batches.

The axis glossary of the whole project, used in every shape annotation:

=========  =====================================================================
axis       meaning
=========  =====================================================================
batch      examples of one batch
source     positions of the source sentence (the papers' ``I``), EOS included
target     positions of the target sentence (``J``), EOS included
length     positions of either sentence
region     visual positions: cells of a feature map, or detected boxes (``P``)
memory     positions the decoder attends to: ``source``, or ``source + region``
vocab      entries of the joint vocabulary
hidden     width of the translator (``d``)
head       attention heads
feature    width of a visual feature (2048 for ResNet-50)
photo      pictures of one batch; at most ``batch``, often fewer
label      things that may be in a picture
channel    channels of a feature map; 3 for pixels
height     rows of a picture or a feature map
width      columns of the same
=========  =====================================================================

A mask is ``True`` where there is something and ``False`` where there is padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Modality = Literal["image"]
Data = TypeVar("Data", bound="_OnDevice")


@dataclass(frozen=True)
class _OnDevice:
    """Data whose tensors move to a device together."""

    def to(self: Data, device: torch.device) -> Data:
        """The same data with every tensor on ``device``."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(
            self,
            **{
                name: value.to(device)
                for name, value in values.items()
                if isinstance(value, Tensor | _OnDevice)
            },
        )


@dataclass(frozen=True)
class Tokens(_OnDevice):
    """Right-padded token ids."""

    ids: Int[Tensor, "batch length"]
    mask: Bool[Tensor, "batch length"]

    @classmethod
    def pad(cls, sequences: Sequence[Sequence[int]], pad_id: int = 0) -> Tokens:
        """Pad ``sequences`` on the right to the longest of them."""
        width = max((len(sequence) for sequence in sequences), default=0)
        ids = torch.full((len(sequences), width), pad_id, dtype=torch.long)
        mask = torch.zeros((len(sequences), width), dtype=torch.bool)
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.as_tensor(sequence, dtype=torch.long)
            mask[row, : len(sequence)] = True
        return cls(ids, mask)


@dataclass(frozen=True)
class Regions(_OnDevice):
    """Visual features by position. An example without a picture has an all-``False`` mask row."""

    features: Float[Tensor, "batch region feature"]
    mask: Bool[Tensor, "batch region"]


@dataclass(frozen=True)
class Pixels(_OnDevice):
    """Pictures in [0, 1], RGB, and the row of the batch each belongs to.

    A batch may carry fewer pictures than sentences: most real sentences have none, and a recipe
    may budget how many it looks at per update.
    """

    values: Float[Tensor, "photo channel height width"]
    rows: Int[Tensor, " photo"]


@dataclass(frozen=True)
class LabelledPictures(_OnDevice):
    """Pictures in [0, 1] and what is in them, for training a visual teacher."""

    pixels: Float[Tensor, "photo 3 height width"]
    labels: Float[Tensor, "photo label"]


@dataclass(frozen=True)
class Batch(_OnDevice):
    """Examples side by side. What a recipe does not use stays ``None``.

    ``target`` starts with BOS and ends with EOS; ``source`` ends with EOS.
    """

    ids: tuple[str, ...]
    source: Tokens
    target: Tokens | None = None
    pixels: Pixels | None = None
    regions: Regions | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def without(self, modality: Modality) -> Batch:
        """The same examples with one modality withheld."""
        _check_modality(modality)
        return replace(self, pixels=None, regions=None)

    def shuffled(self, modality: Modality, seed: int) -> Batch:
        """The same examples with one modality moved to other rows (every row moves if it can)."""
        _check_modality(modality)
        rows = len(self)
        if rows < 2:
            return self
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(rows, generator=generator)
        moved = torch.empty(rows, dtype=torch.long)
        moved[order] = order.roll(1)  # one cycle through all rows: nobody keeps its own picture
        regions, pixels = self.regions, self.pixels
        if regions is not None:
            source = moved.to(regions.mask.device)
            regions = Regions(regions.features[source], regions.mask[source])
        if pixels is not None:
            destination = torch.empty(rows, dtype=torch.long)
            destination[moved] = torch.arange(rows)
            pixels = Pixels(pixels.values, destination.to(pixels.rows.device)[pixels.rows])
        return replace(self, regions=regions, pixels=pixels)


def _check_modality(modality: str) -> None:
    if modality != "image":
        raise ValueError(f"unknown modality {modality!r}: expected 'image'")


__all__ = ["Batch", "LabelledPictures", "Modality", "Pixels", "Regions", "Tokens"]
