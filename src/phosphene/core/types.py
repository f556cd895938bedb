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
row        positions of a vision-language encoder: CLS, text, SEP, tags, SEP, regions
real       the rows of a whole batch that are no padding, one after another
prefix     rows that a decoder reads before the first target word
vocab      entries of the joint vocabulary
hidden     width of the translator (``d``)
head       attention heads
feature    width of a visual feature (2048 for ResNet-50)
layer      chosen layers of a teacher
pair       positions of a student that are matched with one of a teacher
photo      pictures of one batch; at most ``batch``, often fewer
label      things that may be in a picture, answers, classes
view       what is given of an example: both modalities, the image alone, the text alone
channel    channels of a feature map; 3 for pixels
height     rows of a picture or a feature map
width      columns of the same
=========  =====================================================================

A mask is ``True`` where there is something and ``False`` where there is padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Literal, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

Modality = Literal["image", "text"]
View = Literal["both", "image", "text"]
"""What is given of an example: both modalities, or one alone."""
VIEWS: Final[tuple[View, ...]] = ("both", "image", "text")
"""The order of the axis ``view``."""
Labels = Int[Tensor, " batch"] | Float[Tensor, "batch label"]
"""One class of each example, or a score in [0, 1] for every label."""
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
class FeaturePairs(_OnDevice):
    """Frozen features of pictures, and of one sentence about each, for aligning the two."""

    image: Float[Tensor, "batch feature"]
    text: Float[Tensor, "batch text_feature"]


@dataclass(frozen=True)
class Vectors(_OnDevice):
    """One vector per example, of an encoder that maps pictures and sentences into one space."""

    values: Float[Tensor, "batch feature"]
    mask: Bool[Tensor, " batch"]


@dataclass(frozen=True)
class Batch(_OnDevice):
    """Examples side by side. What a recipe does not use stays ``None``.

    ``target`` starts with BOS and ends with EOS; a translator's ``source`` ends with EOS.
    The picture of an example may be there as ``pixels``, as ``regions`` with the ``tags`` that
    name what is in them, and as one of its ``vectors``; they come and go together.
    """

    ids: tuple[str, ...]
    source: Tokens
    target: Tokens | None = None
    pixels: Pixels | None = None
    regions: Regions | None = None
    tags: Tokens | None = None
    vectors: Vectors | None = None
    labels: Labels | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def without(self, modality: Modality) -> Batch:
        """The same examples with one modality withheld: nothing of it is left, not even its width.

        A text that is withheld keeps no position; what a model adds by itself (CLS) stays.
        """
        if modality == "image":
            return replace(self, pixels=None, regions=None, tags=None, vectors=None)
        return replace(self, source=Tokens.pad([()] * len(self)).to(self.source.ids.device))

    def shuffled(self, modality: Modality, seed: int) -> Batch:
        """The same examples with one modality moved to other rows (every row moves if it can)."""
        rows = len(self)
        if rows < 2:
            return self
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(rows, generator=generator)
        moved = torch.empty(rows, dtype=torch.long)
        moved[order] = order.roll(1)  # one cycle through all rows: nobody keeps its own
        if modality == "text":
            return replace(self, source=_take(self.source, moved))
        pixels = self.pixels
        if pixels is not None:
            destination = torch.empty(rows, dtype=torch.long)
            destination[moved] = torch.arange(rows)
            pixels = Pixels(pixels.values, destination.to(pixels.rows.device)[pixels.rows])
        return replace(
            self,
            pixels=pixels,
            regions=None if self.regions is None else _take(self.regions, moved),
            tags=None if self.tags is None else _take(self.tags, moved),
            vectors=None if self.vectors is None else _take(self.vectors, moved),
        )


@dataclass(frozen=True)
class AlignedPositions(_OnDevice):
    """Which positions of a student stand for which of a teacher, over a batch.

    Both are counted within one kind of position (text, tags or regions), from 0, so that they do
    not depend on how far the rest of a sequence is padded.
    """

    example: Int[Tensor, " pair"]
    """The example of the batch that a pair belongs to."""
    student: Int[Tensor, " pair"]
    teacher: Int[Tensor, " pair"]

    def __len__(self) -> int:
        return len(self.example)


@dataclass(frozen=True)
class Masked(_OnDevice):
    """Tokens some of which a model does not see and has to find."""

    tokens: Tokens
    """What is shown, [MASK] in it."""
    gold: Int[Tensor, "batch length"]
    """What stood there."""
    chosen: Bool[Tensor, "batch length"]
    """Which positions are to be found."""


@dataclass(frozen=True)
class MaskedPairs(_OnDevice):
    """Sentences with pictures, their own or somebody else's, and masked words."""

    batch: Batch
    """What the model sees: the tokens of ``text`` are its source, those of ``tags`` its tags."""
    matched: Bool[Tensor, " batch"]
    """Whether the picture is the sentence's own."""
    text: Masked
    tags: Masked

    def __len__(self) -> int:
        return len(self.batch)


@dataclass(frozen=True)
class Parallel(_OnDevice):
    """What a student reads, and the states of its teacher, which read the same in English.

    Pairs are counted in the student's kind of position, and in the rows of ``states``.
    """

    batch: Batch
    states: Float[Tensor, "batch teacher_row layer hidden"]
    """The teacher's rows that can be matched, of its chosen layers."""
    cls: AlignedPositions
    region: AlignedPositions
    tag: AlignedPositions
    mixed: AlignedPositions

    def __len__(self) -> int:
        return len(self.batch)


@dataclass(frozen=True)
class Taught(_OnDevice):
    """Examples, and what a teacher answers to them in their three views."""

    batch: Batch
    logits: Float[Tensor, "batch view label"]
    states: Float[Tensor, "batch layer hidden"] | None = None
    """Its [CLS] after some of its layers, both modalities given."""
    pooled: Float[Tensor, "batch hidden"] | None = None
    """What it classifies, both modalities given."""

    def __len__(self) -> int:
        return len(self.batch)


Rows = TypeVar("Rows", Tokens, Regions, Vectors)


def _take(data: Rows, rows: Int[Tensor, " batch"]) -> Rows:
    """``rows`` of every tensor of ``data``."""
    return replace(
        data, **{f.name: getattr(data, f.name)[rows.to(data.mask.device)] for f in fields(data)}
    )


__all__ = [
    "VIEWS",
    "AlignedPositions",
    "Batch",
    "FeaturePairs",
    "LabelledPictures",
    "Labels",
    "Masked",
    "MaskedPairs",
    "Modality",
    "Parallel",
    "Pixels",
    "Regions",
    "Taught",
    "Tokens",
    "Vectors",
    "View",
]
