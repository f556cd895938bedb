"""What vision-language pre-training has learned, on held-out pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

import torch

from phosphene.core.types import Batch, Masked, MaskedPairs, Parallel, Tokens
from phosphene.evaluate.score import Score
from phosphene.models.pretraining import PretrainingHeads, masked_rows
from phosphene.models.vlencoder import VLEncoder
from phosphene.weighting.direct import Term

Held = TypeVar("Held", MaskedPairs, Parallel, Batch)
"""What a loss is computed of."""


def held_out_means(
    loss: Callable[[Held], Mapping[str, Term]],
    batches: Iterable[Held],
    device: torch.device,
) -> dict[str, float]:
    """The mean of every term over all ``batches``, and as ``loss`` their weighted sum."""
    totals: dict[str, float] = {}
    counts: dict[str, float] = {}
    weights: dict[str, float] = {}
    for batch in batches:
        for name, term in loss(batch.to(device)).items():
            totals[name] = totals.get(name, 0.0) + float(term.total)
            counts[name] = counts.get(name, 0.0) + term.count
            weights[name] = term.weight
    means = {name: total / max(counts[name], 1.0) for name, total in totals.items()}
    return {"loss": sum(weights[name] * mean for name, mean in means.items()), **means}


@torch.no_grad()
def pretraining_scores(
    encoder: VLEncoder, heads: PretrainingHeads, batches: Iterable[MaskedPairs], condition: str
) -> list[Score]:
    """How often pairs are told apart and masked words found, in percent.

    Args:
        encoder: in evaluation mode.
        heads: in evaluation mode.
        batches: held-out pairs.
        condition: what was shown, for the names of the scores.
    """
    device = encoder.embedding.words.weight.device
    paired = found = pairs_seen = words_seen = 0
    for part in batches:
        pairs = part.to(device)
        trace = encoder(pairs.batch)
        paired += int(((heads.pairs(trace.cls) > 0) == pairs.matched).sum())
        states, words = masked_rows(trace, pairs)
        best = heads.words(states, encoder.embedding.words.weight).argmax(dim=1)
        found += int((best == words).sum())
        pairs_seen += len(pairs)
        words_seen += len(words)
    return [
        Score(
            f"pairing accuracy{condition}",
            100 * paired / max(pairs_seen, 1),
            f"{paired} of {pairs_seen} held-out pairs, about half with a random picture",
        ),
        Score(
            f"masked-word accuracy{condition}",
            100 * found / max(words_seen, 1),
            f"{found} of {words_seen} masked word pieces of held-out sentences",
        ),
    ]


def blind(batches: Iterable[MaskedPairs]) -> Iterator[MaskedPairs]:
    """The same with pictures and tags withheld."""
    for pairs in batches:
        nothing = pairs.tags.tokens.ids[:, :0]
        tags = Masked(Tokens(nothing, nothing.bool()), nothing, nothing.bool())
        yield replace(pairs, batch=pairs.batch.without("image"), tags=tags)


__all__ = ["blind", "held_out_means", "pretraining_scores"]
