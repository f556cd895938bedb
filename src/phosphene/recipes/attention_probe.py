"""The probe ``attention``: heat maps by layer and head, and how much of it goes where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from phosphene.core.types import Batch
from phosphene.data.loader import Indices
from phosphene.data.text import SubWords, Tokenizer
from phosphene.data.wordpiece import WordPiece
from phosphene.evaluate.probes.attention import (
    decoder_weights,
    encoder_weights,
    fusion_weights,
    grid_names,
    head_scores,
    mass,
    prefix_weights,
    region_weights,
    sharpness,
)
from phosphene.evaluate.probes.finding import Finding
from phosphene.models.prefix_folder import PrefixModel
from phosphene.models.translator import Translator, gold
from phosphene.models.vlencoder import VLEncoder
from phosphene.recipes.probe import Answer, Asked
from phosphene.recipes.translation_probes import Used
from phosphene.report.model import HeatMap

_MEASURED: Final = 64
"""At most so many examples are averaged over."""


@runtime_checkable
class Batched(Protocol):
    """Examples that can be put side by side."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def batch(self, indices: Indices) -> Batch:
        """Some of them side by side."""
        ...


def _first_batch(data: Batched, device: torch.device) -> Batch:
    """The examples that are averaged over: the first ones."""
    return data.batch(np.arange(min(len(data), _MEASURED))).to(device)


def ask_fusion_attention(
    model: Translator, tests: Mapping[str, Used], tokenizer: Tokenizer, asked: Asked
) -> Answer:
    """Regions that ask words (Figure 4 of the IKD paper), and target words that ask both."""
    findings, figures = [], []
    for name, used in tests.items():
        data = used.data
        batch = _first_batch(data, model.embedding.table.device)
        words = batch.source.mask
        regions, read = fusion_weights(model, batch), decoder_weights(model, batch)
        count, rows = regions.shape[3], read.shape[4]
        everywhere = words.new_ones(len(batch), count)
        behind = torch.cat([words.new_zeros(len(batch), rows - count), everywhere], dim=1)
        findings += [
            by_head(
                f"{name}: how sharply regions attend to words",
                sharpness(regions, everywhere, words),
                "0: to all words alike, 1: to a single word",
            ),
            by_head(
                f"{name}: attention of target words to regions",
                100 * mass(read, gold(batch.target)[1], behind),
                "percent of the attention of a target word",
            ),
        ]
        for row in range(min(asked.examples, len(batch))):
            pieces = tokenizer.pieces(data.pairs[row].source)
            figures += heat_maps(
                f"{name}, {data.pairs[row].id}",
                regions[:, row],
                ("region", list(grid_names(count))),
                ("word", [*pieces, "EOS"]),
            )
    return Answer(tuple(findings), tuple(figures))


def ask_region_attention(
    model: Translator, tests: Mapping[str, Used], tokenizer: Tokenizer, asked: Asked
) -> Answer:
    """Target words that ask regions, in a decoder that attends to these apart from words."""
    findings, figures = [], []
    for name, used in tests.items():
        data = used.data
        batch = _first_batch(data, model.embedding.table.device)
        weights = region_weights(model, batch)
        assert batch.regions is not None
        findings.append(
            by_head(
                f"{name}: how sharply target words attend to regions",
                sharpness(weights, gold(batch.target)[1], batch.regions.mask),
                "0: to all regions alike, 1: to a single one",
            )
        )
        for row in range(min(asked.examples, len(batch))):
            pieces = tokenizer.pieces(data.pairs[row].target)
            figures += heat_maps(
                f"{name}, {data.pairs[row].id}",
                weights[:, row],
                ("target word", [*pieces, "EOS"]),
                ("region", list(grid_names(weights.shape[-1]))),
            )
    return Answer(tuple(findings), tuple(figures))


def ask_prefix_attention(
    model: PrefixModel, tests: Mapping[str, Used], tokenizer: SubWords, asked: Asked
) -> Answer:
    """Target words that ask the prefix before them."""
    findings, figures = [], []
    for name, used in tests.items():
        data = used.data
        batch = _first_batch(data, model.embedding.table.device)
        weights, words = prefix_weights(model, batch), gold(batch.target)[1]
        rows = words.new_ones(len(batch), weights.shape[-1])
        findings.append(
            by_head(
                f"{name}: attention of target words to the prefix",
                100 * mass(weights, words, rows),
                "percent of the attention of a target word to what stands before it and to itself",
            )
        )
        for row in range(min(asked.examples, len(batch))):
            language, *pieces = (tokenizer.decode([index]) for index in data.targets[row])
            numbers = [str(number) for number in range(1, weights.shape[-1] + 1)]
            figures += heat_maps(
                f"{name}, {data.pairs[row].id}",
                weights[:, row],
                ("target word", [language or "language", *pieces, "EOS"]),
                ("row of the prefix", numbers),
            )
    return Answer(tuple(findings), tuple(figures))


@torch.no_grad()
def ask_encoder_attention(
    encoder: VLEncoder, tests: Mapping[str, Batched], wordpiece: WordPiece, asked: Asked
) -> Answer:
    """Words that ask regions in an encoder that both go through together.

    Args:
        encoder: in evaluation mode.
        tests: splits whose examples have words and regions.
        wordpiece: of the words.
        asked: how many examples are drawn.
    """
    findings, figures = [], []
    entries = wordpiece.entries()
    for name, data in tests.items():
        batch = _first_batch(data, next(encoder.parameters()).device)
        trace = encoder(batch)
        weights, spans = encoder_weights(encoder, trace), trace.spans
        words, regions = torch.zeros_like(trace.mask), torch.zeros_like(trace.mask)
        words[:, spans.text] = trace.mask[:, spans.text]
        regions[:, spans.regions] = trace.mask[:, spans.regions]
        findings.append(
            by_head(
                f"{name}: attention of words to regions",
                100 * mass(weights, words, regions),
                "percent of the attention of a word",
            )
        )
        for row in range(min(asked.examples, len(batch))):
            said = batch.source.ids[row][batch.source.mask[row]].tolist()
            numbers = [str(number) for number in range(1, int(regions[row].sum()) + 1)]
            figures += heat_maps(
                f"{name}, {batch.ids[row]}",
                weights[:, row, :, spans.text, spans.regions],
                ("word", [entries[index] for index in said]),
                ("region", numbers),
            )
    return Answer(tuple(findings), tuple(figures))


def by_head(title: str, values: Tensor, unit: str) -> Finding:
    """A row for every layer, a column for every head."""
    scores = head_scores(title, values.double().cpu(), unit)
    return Finding(
        title, {f"layer {number}": row for number, row in enumerate(scores, start=1)}, unit
    )


def heat_maps(
    title: str,
    weights: Tensor,
    rows: tuple[str, Sequence[str]],
    columns: tuple[str, Sequence[str]],
) -> list[HeatMap]:
    """A map for every layer and head of one example.

    Args:
        title: which example.
        weights: ``[layer, head, query, memory]``.
        rows: what asks, and its names.
        columns: what answers, and its names; the rest of ``memory`` is padding.
    """
    found = []
    for layer, heads in enumerate(weights[:, :, : len(rows[1]), : len(columns[1])], start=1):
        for head, grid in enumerate(heads.cpu().tolist(), start=1):
            found.append(
                HeatMap(
                    f"{title}: layer {layer}, head {head}",
                    rows[0],
                    columns[0],
                    tuple(rows[1]),
                    tuple(columns[1]),
                    tuple(map(tuple, grid)),
                )
            )
    return found


__all__ = [
    "ask_encoder_attention",
    "ask_fusion_attention",
    "ask_prefix_attention",
    "ask_region_attention",
    "by_head",
    "heat_maps",
]
