"""Who attends to what: attention weights of translators, layer by layer and head by head.

Models run as they always do; their own projections are asked again for the weights that the fused
kernels do not give.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.core.types import Batch
from phosphene.evaluate.score import Score
from phosphene.models.pipeline import TranslationModel
from phosphene.models.translator import Translator
from phosphene.models.vlencoder import VLEncoder, VLTrace
from phosphene.nn.bert import BertLayer
from phosphene.nn.fusion import DoublyAttentiveDecoderLayer, MultimodalEncoder
from phosphene.nn.transformer import DecoderLayer, EncoderLayer, Memory, causal

Weights = Float[Tensor, "layer batch head query memory"]


@torch.no_grad()
def fusion_weights(model: Translator, batch: Batch) -> Weights:
    """Which words each region attends to in a multimodal encoder (Figure 4 of the IKD paper).

    Regions that are generated are asked like those that are given; a text alone has none.

    Raises:
        ValueError: the encoder is of another kind.
    """
    encoder = model.encoder
    if not isinstance(encoder, MultimodalEncoder):
        raise ValueError("expected a multimodal encoder, where regions ask and words answer")
    text = model.embedding(batch.source.ids)
    regions = model.regions_for(batch, text)
    rows = text if encoder.text_rows else text[:, :0]
    first = rows.shape[1]
    if regions is not None:
        rows = torch.cat([rows, encoder.project(regions.features)], dim=1)
    mask = batch.source.mask[:, None, None]
    found = []
    for layer in cast(Iterable[EncoderLayer], encoder.layers):
        normal, answering = layer.attention_norm(rows), layer.attention_norm(text)
        found.append(layer.attention.weights(normal[:, first:], answering, mask))
        rows = layer(rows, text, mask)
    return torch.stack(found)


@torch.no_grad()
def decoder_weights(model: TranslationModel, batch: Batch) -> Weights:
    """Which rows of the memory each target word attends to, its right translation being given."""
    memory = model.encode(batch)
    mask = memory.mask[:, None, None]
    return torch.stack(
        [
            step.layer.cross_attention.weights(step.asking, memory.states, mask)
            for step in _decoding(model, batch, memory)
        ]
    )


@torch.no_grad()
def region_weights(model: TranslationModel, batch: Batch) -> Weights:
    """Which regions each target word attends to in a doubly-attentive decoder.

    A sentence without regions attends to none.

    Raises:
        ValueError: the decoder is of another kind, or the batch has no regions.
    """
    memory = model.encode(batch)
    if memory.regions is None or memory.regions_mask is None:
        raise ValueError("expected a batch with regions, and a model that keeps them apart")
    mask = memory.regions_mask[:, None, None]
    found = []
    for step in _decoding(model, batch, memory):
        if not isinstance(step.layer, DoublyAttentiveDecoderLayer):
            raise ValueError("expected a doubly-attentive decoder")
        found.append(step.layer.region_attention.weights(step.asking, memory.regions, mask))
    return torch.stack(found)


@torch.no_grad()
def prefix_weights(model: TranslationModel, batch: Batch) -> Weights:
    """How much each target word attends to the rows of the soft prefix before it.

    Raises:
        ValueError: the model has no prefix.
    """
    memory = model.encode(batch)
    if memory.soft_prefix is None:
        raise ValueError("expected a model whose decoder reads a soft prefix")
    first, found = memory.first_position, []
    for step in _decoding(model, batch, memory):
        normal = step.layer.self_attention_norm(step.rows)
        weights = step.layer.self_attention.weights(normal, normal, step.sees)
        found.append(weights[:, :, first:, :first])
    return torch.stack(found)


@dataclass(frozen=True)
class _Step:
    """A decoder layer at work, the right translation being given."""

    layer: DecoderLayer
    rows: Float[Tensor, "batch position hidden"]
    """What it reads: the prefix, where there is one, and the target words."""
    sees: Bool[Tensor, "#batch 1 position position"]
    """Which of its rows each of them sees."""
    asking: Float[Tensor, "batch target hidden"]
    """The normalised target words when they ask the memory."""


def _decoding(model: TranslationModel, batch: Batch, memory: Memory) -> Iterator[_Step]:
    """What each decoder layer does with ``memory`` and the words of ``batch``."""
    assert batch.target is not None
    rows = model.embedding(batch.target.ids[:, :-1], memory.first_position)
    prefix, length = memory.soft_prefix, rows.shape[1]
    sees = causal(length, rows.device) if prefix is None else prefix.causal(length)
    if prefix is not None:
        rows = torch.cat([prefix.rows, rows], dim=1)
    for layer in cast(Iterable[DecoderLayer], model.decoder.layers):
        looked = layer.look_back(rows, sees)
        yield _Step(layer, rows, sees, layer.cross_attention_norm(looked)[:, -length:])
        rows = layer.look_up(looked, layer.project(memory))


@torch.no_grad()
def encoder_weights(encoder: VLEncoder, trace: VLTrace) -> Weights:
    """Self-attention of a vision-language encoder over all its rows; ``trace`` is its own."""
    mask = trace.mask[:, None, None]
    found = []
    layers = cast(Iterable[BertLayer], encoder.encoder.layers)
    for states, layer in zip(trace.layers, layers, strict=False):
        attention = layer.attention
        split = attention.query_key_value(states).unflatten(-1, (3, attention.heads, -1))
        query, key, _ = split.permute(2, 0, 3, 1, 4)
        scores = query @ key.mT * query.shape[-1] ** -0.5
        found.append(scores.masked_fill(~mask, -torch.inf).softmax(dim=-1))
    return torch.stack(found)


def mass(
    weights: Weights,
    queries: Bool[Tensor, "batch query"],
    memory: Bool[Tensor, "batch memory"],
) -> Float[Tensor, "layer head"]:
    """The mean share of attention that ``queries`` give to ``memory``."""
    given = (weights * memory[:, None, None]).sum(dim=-1)
    asked = queries[:, None].to(given)
    return (given * asked).sum(dim=(1, 3)) / queries.sum().clamp(min=1)


def sharpness(
    weights: Weights,
    queries: Bool[Tensor, "batch query"],
    memory: Bool[Tensor, "batch memory"],
) -> Float[Tensor, "layer head"]:
    """One less the entropy over what it would be if all of ``memory`` had the same weight.

    0 is attention to everything alike, 1 to a single position.
    """
    share = weights * memory[:, None, None]
    share = share / share.sum(dim=-1, keepdim=True).clamp(min=1e-12)
    entropy = -(share * share.clamp(min=1e-12).log()).sum(dim=-1)
    most = memory.sum(dim=1).clamp(min=2).log()[:, None, None]
    asked = queries[:, None].to(entropy)
    return ((1 - entropy / most) * asked).sum(dim=(1, 3)) / queries.sum().clamp(min=1)


def head_scores(
    name: str, values: Float[Tensor, "layer head"], unit: str
) -> list[tuple[Score, ...]]:
    """Each layer's scores, a score for every head."""
    return [
        tuple(
            Score(f"head {head}", float(value), f"{name}, layer {layer}|{unit}")
            for head, value in enumerate(row.tolist(), start=1)
        )
        for layer, row in enumerate(values, start=1)
    ]


def grid_names(count: int) -> Sequence[str]:
    """Names of regions: ``row,column`` where they are the cells of a square, else their number."""
    side = round(count**0.5)
    if side * side == count:
        return [f"{row + 1},{column + 1}" for row in range(side) for column in range(side)]
    return [str(number) for number in range(1, count + 1)]


__all__ = [
    "decoder_weights",
    "encoder_weights",
    "fusion_weights",
    "grid_names",
    "head_scores",
    "mass",
    "prefix_weights",
    "region_weights",
    "sharpness",
]
