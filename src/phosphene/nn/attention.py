"""Multi-head attention (Vaswani et al., 2017), with keys and values that can be kept.

Decoding attends to the same memory at every step, so projecting keys and values
(:meth:`MultiHeadAttention.project`) is separate from attending to them
(:meth:`MultiHeadAttention.attend`). :meth:`MultiHeadAttention.forward` does both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

VECTOR = 16
"""Numbers in the widest vector register of a CPU."""


@dataclass(frozen=True)
class KeysValues:
    """Projected keys and values, split into heads."""

    keys: Float[Tensor, "batch head memory width"]
    values: Float[Tensor, "batch head memory width"]


Mask = Bool[Tensor, "#batch #head #query memory"] | Float[Tensor, "#batch #head #query memory"]
"""True where a query may attend; or what is added to the scores, ``-inf`` where it may not."""


class MultiHeadAttention(nn.Module):
    """``softmax(Q K^T / sqrt(d_head)) V`` for every head.

    Relative to the inversion-distillation paper, eq. 3 prints ``sqrt(d)``; like every
    implementation we divide by the square root of the width of one head.
    """

    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        if hidden % heads:
            raise ValueError(f"hidden width {hidden} is not a multiple of {heads} heads")
        self.heads = heads
        self.query = nn.Linear(hidden, hidden)
        self.key_value = nn.Linear(hidden, 2 * hidden)
        self.output = nn.Linear(hidden, hidden)
        nn.init.xavier_uniform_(self.query.weight, gain=1 / math.sqrt(2))
        for half in self.key_value.weight.chunk(2):
            nn.init.xavier_uniform_(half, gain=1 / math.sqrt(2))
        nn.init.xavier_uniform_(self.output.weight)
        for linear in (self.query, self.key_value, self.output):
            nn.init.zeros_(linear.bias)

    def project(self, memory: Float[Tensor, "batch memory hidden"]) -> KeysValues:
        """Keys and values of ``memory``."""
        keys, values = self.key_value(memory).chunk(2, dim=-1)
        return KeysValues(self._split(keys), self._split(values))

    def attend(
        self,
        query: Float[Tensor, "batch query hidden"],
        memory: KeysValues,
        mask: Mask | None = None,
    ) -> Float[Tensor, "batch query hidden"]:
        """Attend from ``query`` to projected ``memory`` where ``mask`` is true.

        A query that may attend to nothing gets a zero context (the output bias remains).
        """
        return self.answer(self.query(query), memory, mask)

    def answer(
        self,
        queries: Float[Tensor, "batch query hidden"],
        memory: KeysValues,
        mask: Mask | None = None,
    ) -> Float[Tensor, "batch query hidden"]:
        """What projected ``memory`` answers to projected ``queries``."""
        return self.output(self.context(queries, memory, mask))

    def context(
        self,
        queries: Float[Tensor, "batch query hidden"],
        memory: KeysValues,
        mask: Mask | None = None,
    ) -> Float[Tensor, "batch query hidden"]:
        """The heads' weighted values side by side, before the output projection.

        With an additive mask the products are written out. For the few queries of a decoding step
        that takes half of the time of the fused kernel, which is made for long sequences.
        """
        split = self._split(queries)
        if mask is not None and mask.is_floating_point():
            scores = (split @ memory.keys.mT).mul_(split.shape[-1] ** -0.5).add_(mask)
            context = scores.softmax(dim=-1) @ memory.values
        else:
            if mask is not None and not torch.is_grad_enabled():
                memory, mask = _whole_vectors(memory, mask)
            context = F.scaled_dot_product_attention(
                split, memory.keys, memory.values, attn_mask=mask
            )
        return context.transpose(1, 2).flatten(2)

    def forward(
        self,
        query: Float[Tensor, "batch query hidden"],
        memory: Float[Tensor, "batch memory hidden"],
        mask: Bool[Tensor, "#batch #head #query memory"] | None = None,
    ) -> Float[Tensor, "batch query hidden"]:
        """Attend from ``query`` to ``memory`` where ``mask`` is true."""
        return self.attend(query, self.project(memory), mask)

    def weights(
        self,
        query: Float[Tensor, "batch query hidden"],
        memory: Float[Tensor, "batch memory hidden"],
        mask: Bool[Tensor, "#batch #head #query memory"] | None = None,
    ) -> Float[Tensor, "batch head query memory"]:
        """The attention distributions themselves, for probes and pictures."""
        queries, keys = self._split(self.query(query)), self.project(memory).keys
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -torch.inf)
        return scores.softmax(dim=-1).nan_to_num(0.0)

    def _split(
        self, states: Float[Tensor, "batch length hidden"]
    ) -> Float[Tensor, "batch head length width"]:
        return states.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _whole_vectors(
    memory: KeysValues, mask: Bool[Tensor, "#batch #head #query memory"]
) -> tuple[KeysValues, Bool[Tensor, "#batch #head #query wider"]]:
    """``memory`` with masked positions up to a multiple of a vector register's width.

    A CPU takes the softmax over what fills no whole register one by one: 15 positions cost five
    times as much as 16. (With a backward pass, making the padding costs what it saves.)
    """
    missing = -memory.keys.shape[2] % VECTOR
    keys, values = (F.pad(rows, (0, 0, 0, missing)) for rows in (memory.keys, memory.values))
    return KeysValues(keys, values), F.pad(mask, (0, missing))
