"""What each modality answers to a decoder: two softmaxes over one memory, for the modality loss.

Source: Kong and Fan, eq. 2 and the one after it (``h_x`` and ``h_v``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from jaxtyping import Bool, Float
from torch import Tensor

from phosphene.nn.transformer import Decoder, DecoderLayer, Memory, causal


@dataclass(frozen=True)
class Contexts:
    """The cross-attention contexts of one decoder layer, one modality at a time.

    Heads stand side by side, before the output projection. Where an example has nothing of a
    modality its context is zero.
    """

    text: Float[Tensor, "batch target hidden"]
    """``h_x``: of the source words and the tags."""
    visual: Float[Tensor, "batch target hidden"]
    """``h_v``: of the regions."""


def decode_observed(
    decoder: Decoder,
    rows: Float[Tensor, "batch target hidden"],
    memory: Memory,
    visual: Bool[Tensor, "batch memory"],
    observed: int,
) -> tuple[Float[Tensor, "batch target hidden"], tuple[Contexts, ...]]:
    """Run ``decoder`` as it runs by itself, and look at its last ``observed`` layers.

    Query, keys and values of a layer are its own; only the softmax is taken over the text alone
    and over the ``visual`` positions alone.

    Returns:
        the decoder's states, and the contexts of the observed layers from the lowest on.
    """
    mask = causal(rows)
    layers = list(cast(Iterable[DecoderLayer], decoder.layers))
    text_mask = (memory.mask & ~visual)[:, None, None]
    visual_mask = (memory.mask & visual)[:, None, None]
    contexts: list[Contexts] = []
    for number, layer in enumerate(layers):
        rows = layer.look_back(rows, mask)
        projected = layer.project(memory)
        if number >= len(layers) - observed:
            attention = layer.cross_attention
            queries = attention.query(layer.cross_attention_norm(rows))
            contexts.append(
                Contexts(
                    attention.context(queries, projected.states, text_mask),
                    attention.context(queries, projected.states, visual_mask),
                )
            )
        rows = layer.look_up(rows, projected)
    return decoder.norm(rows), tuple(contexts)


__all__ = ["Contexts", "decode_observed"]
