"""Transformer encoder and decoder, pre-layer-norm, as in Transformer-Tiny."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.nn.attention import KeysValues, Mask, MultiHeadAttention
from phosphene.nn.dropout import Dropout


@dataclass(frozen=True)
class Memory:
    """What a decoder attends to.

    ``states`` are the rows of the encoder; ``regions``, where a model keeps them apart, are the
    visual rows of a doubly-attentive decoder, or those of a second encoder in its own width.
    """

    states: Float[Tensor, "batch memory hidden"]
    mask: Bool[Tensor, "batch memory"]
    regions: Float[Tensor, "batch region feature"] | None = None
    regions_mask: Bool[Tensor, "batch region"] | None = None


@dataclass(frozen=True)
class ProjectedRegions:
    """Keys and values of the regions that are kept apart; some examples have none (``present``)."""

    states: KeysValues
    mask: Mask
    present: Bool[Tensor, "batch 1 1"]


@dataclass(frozen=True)
class ProjectedMemory:
    """Keys and values that one decoder layer makes of a :class:`Memory`."""

    states: KeysValues
    mask: Mask
    regions: ProjectedRegions | None = None


def sinusoids(length: int, hidden: int) -> Float[Tensor, "length hidden"]:
    """Position encodings of Vaswani et al. (2017), section 3.5: sines, then cosines."""
    half = hidden // 2
    rate = torch.exp(-math.log(10_000) * torch.arange(half) / max(half - 1, 1))
    angle = torch.arange(length)[:, None] * rate
    return torch.cat([angle.sin(), angle.cos(), torch.zeros(length, hidden % 2)], dim=1)


class Embedding(nn.Module):
    """Word vectors scaled by ``sqrt(hidden)``, plus positions, then dropout.

    The table also serves as output projection (:meth:`logits`): source, target and output
    embeddings are one matrix.
    """

    positions: Tensor

    def __init__(self, vocab: int, hidden: int, dropout: float, pad_id: int = 0) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(vocab, hidden) * hidden**-0.5)
        with torch.no_grad():
            self.table[pad_id].zero_()
        self.pad_id = pad_id
        self.scale = math.sqrt(hidden)
        self.dropout = Dropout(dropout)
        self.register_buffer("positions", sinusoids(512, hidden), persistent=False)

    def forward(
        self, ids: Int[Tensor, "batch length"], first_position: int = 0
    ) -> Float[Tensor, "batch length hidden"]:
        """Embed ``ids``, the first of which stands at ``first_position`` of its sentence."""
        end = first_position + ids.shape[1]
        if end > len(self.positions):
            self.positions = sinusoids(2 * end, self.table.shape[1]).to(self.positions)
        words = F.embedding(ids, self.table, padding_idx=self.pad_id) * self.scale
        return self.dropout(words + self.positions[first_position:end])

    def logits(self, states: Float[Tensor, "*batch hidden"]) -> Float[Tensor, "*batch vocab"]:
        """Scores of every vocabulary entry: the tied output projection."""
        return F.linear(states, self.table)


class FeedForward(nn.Sequential):
    """Two linear layers with a ReLU between them."""

    def __init__(self, hidden: int, inner: int) -> None:
        wide, narrow = nn.Linear(hidden, inner), nn.Linear(inner, hidden)
        super().__init__(wide, nn.ReLU(), narrow)
        for linear in (wide, narrow):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)


@dataclass(frozen=True)
class Width:
    """The sizes that every layer of a Transformer shares."""

    hidden: int
    inner: int
    heads: int
    dropout: float


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each on a normalised input and added to the residual stream."""

    def __init__(self, width: Width) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width.hidden)
        self.attention = MultiHeadAttention(width.hidden, width.heads)
        self.feed_forward_norm = nn.LayerNorm(width.hidden)
        self.feed_forward = FeedForward(width.hidden, width.inner)
        self.dropout = Dropout(width.dropout)

    def forward(
        self,
        rows: Float[Tensor, "batch query hidden"],
        memory: Float[Tensor, "batch memory hidden"],
        mask: Bool[Tensor, "batch #head #query memory"],
    ) -> Float[Tensor, "batch query hidden"]:
        """Update ``rows``; keys and values are ``memory`` (``rows`` itself for self-attention)."""
        normal = self.attention_norm(rows)
        attended = normal if memory is rows else self.attention_norm(memory)
        rows = rows + self.dropout(self.attention(normal, attended, mask))
        return rows + self.dropout(self.feed_forward(self.feed_forward_norm(rows)))


class Encoder(nn.Module):
    """A stack of self-attention layers with a final layer norm."""

    def __init__(self, layers: int, width: Width) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width.hidden)

    def forward(
        self,
        rows: Float[Tensor, "batch source hidden"],
        mask: Bool[Tensor, "batch source"],
    ) -> Float[Tensor, "batch source hidden"]:
        """Contextualise ``rows``; padding (``mask`` false) is attended to by nobody."""
        for layer in self.layers:
            rows = layer(rows, rows, mask[:, None, None])
        return self.norm(rows)


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the memory, feed-forward."""

    def __init__(self, width: Width) -> None:
        super().__init__()
        self.self_attention_norm = nn.LayerNorm(width.hidden)
        self.self_attention = MultiHeadAttention(width.hidden, width.heads)
        self.cross_attention_norm = nn.LayerNorm(width.hidden)
        self.cross_attention = MultiHeadAttention(width.hidden, width.heads)
        self.feed_forward_norm = nn.LayerNorm(width.hidden)
        self.feed_forward = FeedForward(width.hidden, width.inner)
        self.dropout = Dropout(width.dropout)

    def forward(
        self,
        rows: Float[Tensor, "batch target hidden"],
        causal: Bool[Tensor, "1 1 target target"],
        memory: Memory,
    ) -> Float[Tensor, "batch target hidden"]:
        """Update the target ``rows`` from those before them and from ``memory``."""
        return self.look_up(self.look_back(rows, causal), self.project(memory))

    def look_back(
        self,
        rows: Float[Tensor, "batch target hidden"],
        causal: Bool[Tensor, "1 1 target target"],
    ) -> Float[Tensor, "batch target hidden"]:
        """Update ``rows`` from those before them."""
        normal = self.self_attention_norm(rows)
        return rows + self.dropout(self.self_attention(normal, normal, causal))

    def look_up(
        self, rows: Float[Tensor, "batch target hidden"], memory: ProjectedMemory
    ) -> Float[Tensor, "batch target hidden"]:
        """Update ``rows`` from ``memory``, then feed forward."""
        rows = rows + self.dropout(self.cross(self.cross_attention_norm(rows), memory))
        return rows + self.dropout(self.feed_forward(self.feed_forward_norm(rows)))

    def project(self, memory: Memory) -> ProjectedMemory:
        """Keys and values of ``memory``: decoding makes them once and asks them at every step."""
        return ProjectedMemory(
            self.cross_attention.project(memory.states), memory.mask[:, None, None]
        )

    def cross(
        self, query: Float[Tensor, "batch target hidden"], memory: ProjectedMemory
    ) -> Float[Tensor, "batch target hidden"]:
        """What the memory answers to normalised target rows."""
        return self.cross_attention.attend(query, memory.states, memory.mask)


class Decoder(nn.Module):
    """A stack of decoder layers with a final layer norm."""

    def __init__(self, layers: list[DecoderLayer], hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(hidden)

    def forward(
        self, rows: Float[Tensor, "batch target hidden"], memory: Memory
    ) -> Float[Tensor, "batch target hidden"]:
        """All target positions at once; each sees only itself and those before it."""
        mask = causal(rows)
        for layer in self.layers:
            rows = layer(rows, mask, memory)
        return self.norm(rows)


def causal(rows: Float[Tensor, "batch target hidden"]) -> Bool[Tensor, "1 1 target target"]:
    """Each position sees itself and those before it."""
    length = rows.shape[1]
    return torch.ones(length, length, dtype=torch.bool, device=rows.device).tril()[None, None]
