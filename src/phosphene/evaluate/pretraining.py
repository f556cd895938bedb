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
def pairing_score(
    encoder: VLEncoder, heads: PretrainingHeads, batches: Iterable[MaskedPairs], condition: str
) -> Score:
    """How often it is told whether the picture is the sentence's own, in percent.

    Args:
        encoder: in evaluation mode.
        heads: in evaluation mode.
        batches: held-out pairs.
        condition: what was shown, for the name of the score.
    """
    right = seen = 0
    for part in batches:
        pairs = part.to(encoder.embedding.words.weight.device)
        scores = heads.pairs(encoder(pairs.batch).cls)
        right += int(((scores > 0) == pairs.matched).sum())
        seen += len(pairs)
    return Score(
        f"pairing accuracy{condition}",
        100 * right / max(seen, 1),
        f"{right} of {seen} held-out pairs, about half with a random picture, no word masked",
    )


@torch.no_grad()
def masked_word_score(
    encoder: VLEncoder, heads: PretrainingHeads, batches: Iterable[MaskedPairs], condition: str
) -> Score:
    """How often a masked word is found, in percent; arguments as of :func:`pairing_score`."""
    right = seen = 0
    table = encoder.embedding.words.weight
    for part in batches:
        pairs = part.to(table.device)
        states, words = masked_rows(encoder(pairs.batch), pairs)
        right += int((heads.words(states, table).argmax(dim=1) == words).sum())
        seen += len(words)
    return Score(
        f"masked-word accuracy{condition}",
        100 * right / max(seen, 1),
        f"{right} of {seen} masked word pieces of held-out sentences",
    )


def blind(batches: Iterable[MaskedPairs]) -> Iterator[MaskedPairs]:
    """The same with pictures and tags withheld."""
    for pairs in batches:
        nothing = pairs.tags.tokens.ids[:, :0]
        tags = Masked(Tokens(nothing, nothing.bool()), nothing, nothing.bool())
        yield replace(pairs, batch=pairs.batch.without("image"), tags=tags)


__all__ = ["blind", "held_out_means", "masked_word_score", "pairing_score"]
