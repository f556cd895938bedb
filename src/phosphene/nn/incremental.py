"""A decoder that advances one position at a time, for several hypotheses of each sentence.

The keys and values of all hypotheses of a sentence stand side by side in one cache, a *slot* for
each position of each hypothesis. When a search drops hypotheses and branches others, nothing is
copied: a mask says which slots a hypothesis descends from.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

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
        layers = cast(Iterable[DecoderLayer], decoder.layers)
        self._layers = [_IncrementalLayer(layer, memory) for layer in layers]
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
        for layer in self._layers:
            rows = layer.step(rows, visible)
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
        visible: Bool[Tensor, "batch hypothesis slot"],
    ) -> Float[Tensor, "batch hypothesis hidden"]:
        layer, hidden = self._layer, rows.shape[2]
        projected = F.linear(layer.self_attention_norm(rows), self._weight, self._bias)
        queries, key_value = projected.split([hidden, 2 * hidden], dim=-1)
        rows = rows + layer.self_attention.answer(
            queries, self._append(key_value), visible[:, None]
        )
        rows = rows + layer.cross(layer.cross_attention_norm(rows), self._memory)
        return rows + layer.feed_forward(layer.feed_forward_norm(rows))

    def keep(self, order: Int[Tensor, " kept"]) -> None:
        self._cache = _keep(self._cache, order)
        memory = self._memory
        self._memory = ProjectedMemory(
            _keep_projected(memory.states, order),
            memory.mask[order],
            None if memory.regions is None else _keep_projected(memory.regions, order),
            None if memory.regions_mask is None else memory.regions_mask[order],
        )

    def _append(self, key_value: Float[Tensor, "batch hypothesis both"]) -> KeysValues:
        start, self._used = self._used, self._used + key_value.shape[1]
        if self._used > self._cache.shape[1]:
            self._cache = F.pad(self._cache, (0, 0, 0, _GROWTH * key_value.shape[1]))
        self._cache[:, start : self._used] = key_value
        return self._layer.self_attention.split(self._cache[:, : self._used])


def _keep(tensor: Tensor, order: Int[Tensor, " kept"]) -> Tensor:
    """``tensor[order]``, in place: rows that already stand where they should are not copied."""
    moved = (order != torch.arange(len(order), device=order.device)).nonzero().squeeze(1)
    tensor[moved] = tensor[order[moved]]
    return tensor[: len(order)]


def _keep_projected(projected: KeysValues, order: Int[Tensor, " kept"]) -> KeysValues:
    return KeysValues(_keep(projected.keys, order), _keep(projected.values, order))


__all__ = ["IncrementalDecoder"]
