"""A decoder that advances one position at a time, for several hypotheses of each sentence.

The keys and values of all hypotheses of a sentence stand side by side in one cache, a *slot* for
each position of each hypothesis. When a search drops hypotheses and branches others, nothing is
copied: a mask says which slots a hypothesis descends from.
"""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from phosphene.nn.attention import KeysValues
from phosphene.nn.transformer import Decoder, DecoderLayer, Memory, ProjectedMemory

_GROWTH = 32
"""A full cache is made longer by so many positions."""


class IncrementalDecoder:
    """Decoder states of the newest position, from cached keys and values of those before it.

    The same numbers as :class:`~phosphene.nn.transformer.Decoder` computes for all positions at
    once, for inference only: weights are read when the object is made.
    """

    def __init__(self, decoder: Decoder, memory: Memory) -> None:
        self._layers = [_IncrementalLayer(layer, memory) for layer in decoder.layers]
        self._norm = decoder.norm

    def step(
        self,
        rows: Float[Tensor, "batch hypothesis hidden"],
        visible: Bool[Tensor, "batch hypothesis slot"],
    ) -> Float[Tensor, "batch hypothesis hidden"]:
        """Advance by one position.

        Args:
            rows: the embedded newest word of every hypothesis.
            visible: which slots each hypothesis descends from. Every step adds one slot per
                hypothesis behind the others; the newest ones belong to ``rows`` themselves.
        """
        bias = torch.zeros(visible.shape, dtype=rows.dtype, device=rows.device)
        bias.masked_fill_(~visible, -torch.inf)
        for layer in self._layers:
            rows = layer.step(rows, bias[:, None])
        return self._norm(rows)

    def keep(self, order: Int[Tensor, " kept"]) -> None:
        """Go on with some sentences only: number ``i`` is from now on what ``order[i]`` was.

        Only sentences that change places are copied.
        """
        for layer in self._layers:
            layer.keep(order)


class _IncrementalLayer:
    """One layer, its cache, and what it made of the memory."""

    def __init__(self, layer: DecoderLayer, memory: Memory) -> None:
        attention = layer.self_attention
        self._layer = layer
        self._memory = layer.project(memory)
        self._weight = torch.cat([attention.query.weight, attention.key_value.weight])
        self._bias = torch.cat([attention.query.bias, attention.key_value.bias])
        batch, _, hidden = memory.states.shape
        self._cache = memory.states.new_empty(batch, 0, 2 * hidden)
        self._used = 0

    def step(
        self,
        rows: Float[Tensor, "batch hypothesis hidden"],
        bias: Float[Tensor, "batch 1 hypothesis slot"],
    ) -> Float[Tensor, "batch hypothesis hidden"]:
        layer, hidden = self._layer, rows.shape[2]
        projected = F.linear(layer.self_attention_norm(rows), self._weight, self._bias)
        queries, key_value = projected.split([hidden, 2 * hidden], dim=-1)
        rows = rows + layer.self_attention.answer(queries, self._append(key_value), bias)
        rows = rows + layer.cross(layer.cross_attention_norm(rows), self._memory)
        return rows + layer.feed_forward(layer.feed_forward_norm(rows))

    def keep(self, order: Int[Tensor, " kept"]) -> None:
        self._cache = _keep(self._cache, order)
        self._memory = _keep_all(self._memory, order)

    def _append(self, key_value: Float[Tensor, "batch hypothesis both"]) -> KeysValues:
        start, self._used = self._used, self._used + key_value.shape[1]
        if self._used > self._cache.shape[1]:
            self._cache = F.pad(self._cache, (0, 0, 0, _GROWTH * key_value.shape[1]))
        self._cache[:, start : self._used] = key_value
        return self._layer.self_attention.split(self._cache[:, : self._used])


def _keep(tensor: Tensor, order: Int[Tensor, " kept"]) -> Tensor:
    """``tensor[order]``, in place: rows that already stand where they should are not copied."""
    kept = len(order)
    moved = (order != torch.arange(kept, device=order.device)).nonzero().squeeze(1)
    tensor[moved] = tensor[order[moved]]
    return tensor[:kept]


Projected = TypeVar("Projected", ProjectedMemory, KeysValues)


def _keep_all(memory: Projected, order: Int[Tensor, " kept"]) -> Projected:
    """:func:`_keep` for every tensor of ``memory``."""
    values = {field.name: getattr(memory, field.name) for field in fields(memory)}
    kept = {
        name: _keep_all(value, order) if is_dataclass(value) else _keep(value, order)
        for name, value in values.items()
        if value is not None
    }
    return replace(memory, **kept)


__all__ = ["IncrementalDecoder"]
