"""A decoder that advances one position at a time, for several hypotheses of each sentence.

The keys and values of all hypotheses of a sentence stand side by side in one cache, a *slot* for
each position of each hypothesis. When a search drops hypotheses and branches others, nothing is
copied: a mask says which slots a hypothesis descends from. A soft prefix fills the first slots,
once for all hypotheses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from phosphene.nn.attention import VECTOR, KeysValues
from phosphene.nn.transformer import (
    Decoder,
    DecoderLayer,
    Memory,
    ProjectedMemory,
    ProjectedRegions,
    SoftPrefix,
)

_CAPACITY = 16
"""Slots of a new cache, at least ``VECTOR``; a full one is made twice as long."""


class IncrementalDecoder:
    """Decoder states of the newest position, from cached keys and values of those before it.

    The same numbers as :class:`~phosphene.nn.transformer.Decoder` computes for all positions at
    once, for inference only: weights are read when the object is made.
    """

    def __init__(self, decoder: Decoder, memory: Memory) -> None:
        layers = cast(Iterable[DecoderLayer], decoder.layers)
        self._layers = [_IncrementalLayer(layer, memory) for layer in layers]
        self._norm = decoder.norm
        self._prefix: Tensor | None = None
        if memory.soft_prefix is not None:
            self._prefix = self._read(memory.soft_prefix)

    def step(
        self,
        rows: Float[Tensor, "batch hypothesis hidden"],
        visible: Bool[Tensor, "batch hypothesis slot"],
    ) -> Float[Tensor, "batch hypothesis hidden"]:
        """Advance by one position.

        Args:
            rows: the embedded newest word of every hypothesis.
            visible: which slots each hypothesis descends from. Every step adds one slot per
                hypothesis behind the others; the newest ones belong to ``rows`` themselves. The
                slots of a soft prefix are not counted: every hypothesis sees them.
        """
        if self._prefix is not None:
            prefix = self._prefix.expand(-1, rows.shape[1], -1)
            visible = torch.cat([prefix, visible], dim=2)
        mask = _widen(_additive(visible, rows.dtype))[:, None]
        for layer in self._layers:
            rows = layer.step(rows, mask)
        return self._norm(rows)

    def keep(self, order: Int[Tensor, " kept"]) -> None:
        """Go on with some sentences only: number ``i`` is from now on what ``order[i]`` was.

        Only sentences that change places are copied.
        """
        for layer in self._layers:
            layer.keep(order)
        if self._prefix is not None:
            self._prefix = self._prefix[order]

    def _read(self, prefix: SoftPrefix) -> Bool[Tensor, "batch 1 prefix"]:
        """Fill the first slots, all positions at once; the mask of these slots."""
        rows, length = prefix.rows, prefix.rows.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=rows.device).tril()
        mask = _widen(_additive(causal.expand(len(rows), -1, -1), rows.dtype))[:, None]
        *others, last = self._layers
        for layer in others:
            rows = layer.step(rows, mask)
        last.remember(rows)  # nobody asks what it would make of them
        return prefix.mask[:, None, None].expand(-1, 1, length)


class _IncrementalLayer:
    """One layer, its cache, and what it made of the memory."""

    def __init__(self, layer: DecoderLayer, memory: Memory) -> None:
        attention = layer.self_attention
        self._layer = layer
        self._memory = _for_steps(layer.project(memory))
        self._weight = torch.cat([attention.query.weight, attention.key_value.weight])
        self._bias = torch.cat([attention.query.bias, attention.key_value.bias])
        batch, _, hidden = memory.states.shape
        heads = attention.heads
        self._cache = memory.states.new_zeros(batch, heads, 2, _CAPACITY, hidden // heads)
        self._used = 0

    def step(
        self,
        rows: Float[Tensor, "batch hypothesis hidden"],
        mask: Float[Tensor, "batch 1 hypothesis slot"],
    ) -> Float[Tensor, "batch hypothesis hidden"]:
        layer, hidden = self._layer, rows.shape[2]
        projected = F.linear(layer.self_attention_norm(rows), self._weight, self._bias)
        queries, key_value = projected.split([hidden, 2 * hidden], dim=-1)
        self._append(key_value)
        cached = self._cache[:, :, :, : mask.shape[3]]
        earlier = KeysValues(cached[:, :, 0], cached[:, :, 1])
        rows = rows + layer.self_attention.answer(queries, earlier, mask)
        rows = rows + layer.cross(layer.cross_attention_norm(rows), self._memory)
        return rows + layer.feed_forward(layer.feed_forward_norm(rows))

    def remember(self, rows: Float[Tensor, "batch row hidden"]) -> None:
        """Add slots for ``rows`` without computing their states."""
        attention = self._layer.self_attention
        self._append(attention.key_value(self._layer.self_attention_norm(rows)))

    def keep(self, order: Int[Tensor, " kept"]) -> None:
        _move(self._cache[:, :, :, : self._used], order)
        self._cache = self._cache[: len(order)]
        self._memory = _keep_memory(self._memory, order)

    def _append(self, key_value: Float[Tensor, "batch hypothesis both"]) -> None:
        batch, heads, _, capacity, width = self._cache.shape
        end = self._used + key_value.shape[1]
        if end > capacity:
            longer = self._cache.new_zeros(batch, heads, 2, max(2 * capacity, end), width)
            longer[:, :, :, : self._used] = self._cache[:, :, :, : self._used]
            self._cache = longer
        split = key_value.unflatten(-1, (2, heads, width)).permute(0, 3, 2, 1, 4)
        self._cache[:, :, :, self._used : end] = split
        self._used = end


def _for_steps(memory: ProjectedMemory) -> ProjectedMemory:
    """Lay ``memory`` out so that many steps can attend to it quickly."""
    regions = memory.regions
    if regions is not None:
        regions = ProjectedRegions(*_laid_out(regions.states, regions.mask), regions.present)
    return ProjectedMemory(*_laid_out(memory.states, memory.mask), regions)


def _keep_memory(memory: ProjectedMemory, order: Int[Tensor, " kept"]) -> ProjectedMemory:
    regions = memory.regions
    if regions is not None:
        regions = ProjectedRegions(
            _keep(regions.states, order), regions.mask[order], regions.present[order]
        )
    return ProjectedMemory(_keep(memory.states, order), memory.mask[order], regions)


def _laid_out(memory: KeysValues, mask: Tensor) -> tuple[KeysValues, Tensor]:
    """Contiguous heads, keys transposed, an additive mask, at least a vector's width of positions.

    Where nothing may be attended to, everything is, and all values are zero: the zero context that
    the fused kernel gives.
    """
    missing = (0, 0, 0, max(VECTOR - mask.shape[-1], 0))
    nothing = ~mask.any(dim=-1, keepdim=True)
    values = memory.values.masked_fill(nothing, 0)
    keys = F.pad(memory.keys, missing).mT.contiguous().mT
    padded = KeysValues(keys, F.pad(values, missing).contiguous())
    return padded, _widen(_additive(mask, values.dtype)).masked_fill(nothing, 0)


def _additive(mask: Bool[Tensor, "*rows"], dtype: torch.dtype) -> Float[Tensor, "*rows"]:
    """Zero where ``mask`` is true, minus infinity where it is not."""
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, -torch.inf)


def _widen(mask: Float[Tensor, "*rows memory"]) -> Float[Tensor, "*rows wider"]:
    """``mask`` with columns that are not attended to, up to the width of a vector."""
    return F.pad(mask, (0, max(VECTOR - mask.shape[-1], 0)), value=-torch.inf)


def _keep(memory: KeysValues, order: Int[Tensor, " kept"]) -> KeysValues:
    _move(memory.keys, order)
    _move(memory.values, order)
    return KeysValues(memory.keys[: len(order)], memory.values[: len(order)])


def _move(tensor: Tensor, order: Int[Tensor, " kept"]) -> None:
    """Make the first rows ``tensor[order]``, in place; what stands right already is not copied."""
    moved = (order != torch.arange(len(order), device=order.device)).nonzero().squeeze(1)
    tensor[moved] = tensor[order[moved]]


__all__ = ["IncrementalDecoder"]
