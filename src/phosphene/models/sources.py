"""What a translation decoder reads: source encoders, pre-trained or fresh, that may see regions.

Every encoder maps a batch to :class:`SourceStates`, rows of its own ``width``. The rows of words
and tags are the textual part, those of regions the visual one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from phosphene.core.types import Batch
from phosphene.models.vlencoder import Rows, VLEncoder
from phosphene.nn.attention import MultiHeadAttention
from phosphene.nn.transformer import (
    DecoderLayer,
    Embedding,
    Encoder,
    EncoderLayer,
    Memory,
    ProjectedMemory,
    ProjectedRegions,
    Width,
)


@dataclass(frozen=True)
class SourceStates:
    """A source sentence, and what was seen with it, as rows."""

    states: Float[Tensor, "batch memory width"]
    mask: Bool[Tensor, "batch memory"]
    visual: Bool[Tensor, "batch memory"]
    """Which rows are regions."""
    aside: Rows | None = None
    """Rows of a second encoder, of its own width, for a decoder that attends to both."""


class SourceEncoder(nn.Module, ABC):
    """Anything that reads a source sentence."""

    width: int
    """Of a row."""

    @abstractmethod
    def forward(self, batch: Batch) -> SourceStates:
        """Encode ``source`` and what is there of ``tags`` and ``regions``."""


class VLSource(SourceEncoder):
    """A vision-language encoder; without tags and regions it is BERT."""

    def __init__(self, encoder: VLEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.width = encoder.config.hidden

    def forward(self, batch: Batch) -> SourceStates:
        """``[CLS] source [SEP] tags [SEP] regions``."""
        trace = self.encoder(batch)
        visual = torch.zeros_like(trace.mask)
        visual[:, trace.spans.regions] = True
        return SourceStates(trace.states, trace.mask, visual)


class TransformerSource(SourceEncoder):
    """A Transformer encoder over word pieces, fresh and text only."""

    def __init__(self, vocab: int, layers: int, width: Width) -> None:
        super().__init__()
        self.embedding = Embedding(vocab, width.hidden, width.dropout)
        self.encoder = Encoder(layers, width)
        self.width = width.hidden

    def forward(self, batch: Batch) -> SourceStates:
        """Encode ``source``, whose mask hides padding; an empty sentence has no rows."""
        mask = batch.source.mask
        states = self.encoder(self.embedding(batch.source.ids), mask)
        return SourceStates(states, mask, torch.zeros_like(mask))


class BertFusedLayer(EncoderLayer):
    """An encoder layer whose rows also attend to BERT's, the two answers averaged.

    Source: Zhu et al., *Incorporating BERT into Neural Machine Translation* (2020), eq. 2. Their
    drop-net is left out.
    """

    def __init__(self, width: Width, bert: int) -> None:
        super().__init__(width)
        self.bert_projection = nn.Linear(bert, width.hidden)
        self.bert_attention = MultiHeadAttention(width.hidden, width.heads)

    def fuse(
        self,
        rows: Float[Tensor, "batch query hidden"],
        mask: Bool[Tensor, "batch query"],
        bert: Rows,
    ) -> Float[Tensor, "batch query hidden"]:
        """Update ``rows`` from themselves and from ``bert``."""
        normal = self.attention_norm(rows)
        own = self.attention(normal, normal, mask[:, None, None])
        other = self.bert_attention(
            normal, self.bert_projection(bert.states), bert.mask[:, None, None]
        )
        rows = rows + self.dropout((own + other) / 2)
        return rows + self.dropout(self.feed_forward(self.feed_forward_norm(rows)))


class BertFusedSource(SourceEncoder):
    """The encoder of BERT-NMT: a fresh Transformer that looks at a frozen BERT in every layer."""

    def __init__(self, vocab: int, layers: int, width: Width, bert: VLEncoder) -> None:
        super().__init__()
        self.embedding = Embedding(vocab, width.hidden, width.dropout)
        self.layers = nn.ModuleList(
            BertFusedLayer(width, bert.config.hidden) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width.hidden)
        self.bert = bert
        self.width = width.hidden

    def forward(self, batch: Batch) -> SourceStates:
        """Encode ``source``; BERT's rows go to the decoder as well."""
        bert = self.bert(batch.without("image")).language
        rows, mask = self.embedding(batch.source.ids), batch.source.mask
        for layer in cast(Iterable[BertFusedLayer], self.layers):
            rows = layer.fuse(rows, mask, bert)
        return SourceStates(self.norm(rows), mask, torch.zeros_like(mask), bert)


class BertFusedDecoderLayer(DecoderLayer):
    """A decoder layer that also attends to BERT, the two answers averaged (same source, eq. 4)."""

    def __init__(self, width: Width, bert: int) -> None:
        super().__init__(width)
        self.bert_projection = nn.Linear(bert, width.hidden)
        self.bert_attention = MultiHeadAttention(width.hidden, width.heads)

    def project(self, memory: Memory) -> ProjectedMemory:
        """Keys and values of the encoder's rows and of BERT's."""
        assert memory.regions is not None
        assert memory.regions_mask is not None
        own = super().project(memory)
        mask = memory.regions_mask
        states = self.bert_attention.project(self.bert_projection(memory.regions))
        everywhere = mask.new_ones(len(mask), 1, 1)
        return ProjectedMemory(
            own.states, own.mask, ProjectedRegions(states, mask[:, None, None], everywhere)
        )

    def cross(
        self, query: Float[Tensor, "batch target hidden"], memory: ProjectedMemory
    ) -> Float[Tensor, "batch target hidden"]:
        """The mean of what the encoder and what BERT answers."""
        assert memory.regions is not None
        own, bert = super().cross(query, memory), memory.regions
        return (own + self.bert_attention.attend(query, bert.states, bert.mask)) / 2


__all__ = [
    "BertFusedDecoderLayer",
    "BertFusedSource",
    "SourceEncoder",
    "SourceStates",
    "TransformerSource",
    "VLSource",
]
