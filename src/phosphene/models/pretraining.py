"""The heads of vision-language pre-training, which nobody needs afterwards."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.types import MaskedPairs
from phosphene.models.vlencoder import VLEncoderConfig, VLTrace
from phosphene.nn.bert import initialise_bert


class PretrainingHeads(nn.Module):
    """Which word was masked, and whether picture and sentence belong together.

    As in BERT: words through a linear layer, GELU and layer norm, compared with the encoder's own
    word table; pairs through a linear layer and tanh on [CLS].
    """

    def __init__(self, config: VLEncoderConfig) -> None:
        super().__init__()
        self.transform = nn.Linear(config.hidden, config.hidden)
        self.norm = nn.LayerNorm(config.hidden, config.norm_epsilon)
        self.bias = nn.Parameter(torch.zeros(config.vocab))
        self.pooler = nn.Linear(config.hidden, config.hidden)
        self.matched = nn.Linear(config.hidden, 1)
        initialise_bert(self)

    def words(
        self, states: Float[Tensor, "masked hidden"], table: Float[Tensor, "vocab hidden"]
    ) -> Float[Tensor, "masked vocab"]:
        """Scores of every word for each masked row; ``table`` is the encoder's word table."""
        return F.linear(self.norm(F.gelu(self.transform(states))), table, self.bias)

    def pairs(self, cls: Float[Tensor, "batch hidden"]) -> Float[Tensor, " batch"]:
        """Log-odds that picture and sentence belong together, from the states of [CLS]."""
        scores: Tensor = self.matched(self.pooler(cls).tanh())
        return scores.squeeze(1)


def masked_rows(
    trace: VLTrace, pairs: MaskedPairs
) -> tuple[Float[Tensor, "masked hidden"], Int[Tensor, " masked"]]:
    """The states of the masked words and tags of a batch, and the words that stood there."""
    parts = ((trace.text, pairs.text), (trace.tags, pairs.tags))
    states = torch.cat([rows.states[masked.chosen] for rows, masked in parts])
    return states, torch.cat([masked.gold[masked.chosen] for _, masked in parts])


__all__ = ["PretrainingHeads", "masked_rows"]
