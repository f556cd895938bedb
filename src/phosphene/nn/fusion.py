"""Where pictures meet words: the multimodal encoder and the fusions it is compared with."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.types import Regions, Tokens
from phosphene.nn.attention import MultiHeadAttention
from phosphene.nn.dropout import Dropout
from phosphene.nn.transformer import (
    DecoderLayer,
    Encoder,
    EncoderLayer,
    Memory,
    ProjectedMemory,
    ProjectedRegions,
    Width,
)


class TextEncoder(nn.Module):
    """A plain Transformer encoder; pictures are not looked at."""

    def __init__(self, layers: int, width: Width) -> None:
        super().__init__()
        self.encoder = Encoder(layers, width)

    def forward(
        self,
        text: Float[Tensor, "batch source hidden"],
        source: Tokens,
        regions: Regions | None,
    ) -> Memory:
        """Encode embedded ``text``."""
        return Memory(self.encoder(text, source.mask), source.mask)


class MultimodalEncoder(nn.Module):
    """Words and image regions ask, words answer (inversion-distillation paper, eqs. 1 to 3).

    The query rows are ``[t; m W^m]``; keys and values of **every** layer are the text embedding
    ``t`` itself, normalised by that layer. The decoder attends to all ``I + P`` rows. Without
    regions the same path runs on the text rows alone, and an example whose region mask is empty
    shows the decoder none of them.

    ``text_rows=False`` is the paper's Table 5: only the image rows ask.
    """

    def __init__(self, layers: int, width: Width, feature: int, *, text_rows: bool = True) -> None:
        super().__init__()
        project = nn.Linear(feature, width.hidden)
        self.project = nn.Sequential(project, Dropout(width.dropout))
        self.layers = nn.ModuleList(EncoderLayer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width.hidden)
        self.text_rows = text_rows
        nn.init.xavier_uniform_(project.weight)
        nn.init.zeros_(project.bias)

    def forward(
        self,
        text: Float[Tensor, "batch source hidden"],
        source: Tokens,
        regions: Regions | None,
    ) -> Memory:
        """Encode embedded ``text`` beside ``regions``."""
        rows, mask = (text, source.mask) if self.text_rows else (text[:, :0], source.mask[:, :0])
        if regions is not None:
            rows = torch.cat([rows, self.project(regions.features)], dim=1)
            mask = torch.cat([mask, regions.mask], dim=1)
        for layer in self.layers:
            rows = layer(rows, text, source.mask[:, None, None])
        return Memory(self.norm(rows), mask)


class GatedFusionEncoder(nn.Module):
    """A text encoder whose states receive a gated global image vector (Wu et al., 2021).

    ``H + sigmoid(W_g [H; V]) * V`` with ``V`` the projected mean of the regions. A sentence
    without a picture keeps its ``H``.
    """

    def __init__(self, layers: int, width: Width, feature: int) -> None:
        super().__init__()
        self.encoder = Encoder(layers, width)
        self.project = nn.Linear(feature, width.hidden)
        self.gate = nn.Linear(2 * width.hidden, width.hidden)

    def forward(
        self,
        text: Float[Tensor, "batch source hidden"],
        source: Tokens,
        regions: Regions | None,
    ) -> Memory:
        """Encode embedded ``text`` and add what the gate lets through of ``regions``."""
        states = self.encoder(text, source.mask)
        if regions is not None:
            present = regions.mask.any(dim=1)[:, None, None]
            image = self.project(mean_region(regions))[:, None].expand_as(states) * present
            states = states + self.gate(torch.cat([states, image], dim=-1)).sigmoid() * image
        return Memory(states, source.mask)


class DoublyAttentiveEncoder(nn.Module):
    """Text and regions encoded apart, for a decoder that attends to both (Calixto et al., 2017)."""

    def __init__(self, layers: int, width: Width, feature: int) -> None:
        super().__init__()
        self.encoder = Encoder(layers, width)
        self.project = nn.Sequential(nn.Linear(feature, width.hidden), Dropout(width.dropout))

    def forward(
        self,
        text: Float[Tensor, "batch source hidden"],
        source: Tokens,
        regions: Regions | None,
    ) -> Memory:
        """Encode embedded ``text``; hand the projected ``regions`` on beside it."""
        states = self.encoder(text, source.mask)
        if regions is None:
            return Memory(states, source.mask)
        return Memory(states, source.mask, self.project(regions.features), regions.mask)


class DoublyAttentiveDecoderLayer(DecoderLayer):
    """A decoder layer that also attends to the regions, through a sigmoid gate.

    ``c_t + g * c_v`` with ``g = sigmoid(W [c_t; c_v])``; without regions ``c_t`` alone.
    """

    def __init__(self, width: Width) -> None:
        super().__init__(width)
        self.region_attention = MultiHeadAttention(width.hidden, width.heads)
        self.region_gate = nn.Linear(2 * width.hidden, width.hidden)

    def project(self, memory: Memory) -> ProjectedMemory:
        """Keys and values of the text and, where there are any, of the regions."""
        text = super().project(memory)
        if memory.regions is None or memory.regions_mask is None:
            return text
        states, mask = self.region_attention.project(memory.regions), memory.regions_mask
        present = mask.any(dim=1)[:, None, None]
        return replace(text, regions=ProjectedRegions(states, mask[:, None, None], present))

    def cross(
        self, query: Float[Tensor, "batch target hidden"], memory: ProjectedMemory
    ) -> Float[Tensor, "batch target hidden"]:
        """The text context plus what the gate lets through of the visual one."""
        text, regions = super().cross(query, memory), memory.regions
        if regions is None:
            return text
        image = self.region_attention.attend(query, regions.states, regions.mask) * regions.present
        gate = self.region_gate(torch.cat([text, image], dim=-1)).sigmoid()
        return text + gate * image


def mean_region(regions: Regions) -> Float[Tensor, "batch feature"]:
    """The mean feature of an example's regions; zero where it has none."""
    weight = regions.mask.to(regions.features)[:, :, None]
    return (regions.features * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
