"""A translator whose decoder first reads a few rows made of one vector of an image or a sentence.

The encoder never sees the vector. Language tokens say what is read and what is to be written: a
source is ``<from> words EOS``, a target ``BOS <to> words EOS``, and a search forces ``<to>``. Where
the source is withheld (captions), ``<from> EOS`` is left of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from phosphene.core.config import Frozen
from phosphene.core.types import Batch
from phosphene.nn.prefix import MappingConfig, MappingNetwork
from phosphene.nn.transformer import (
    Decoder,
    DecoderLayer,
    Embedding,
    Encoder,
    Memory,
    SoftPrefix,
    Width,
)


class PrefixTranslatorConfig(Frozen):
    """Everything needed to build a prefix translator; saved beside its weights."""

    vocab: int
    layers: int = Field(default=4, ge=1)
    hidden: int = Field(default=128, ge=2)
    inner: int = Field(default=256, ge=1)
    heads: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    mapping: MappingConfig | None = MappingConfig()
    """The prefix; ``None`` is a translator without one."""


@dataclass(frozen=True)
class PrefixTrace:
    """What a prefix translator computed on the way to its prediction."""

    logits: Float[Tensor, "batch target vocab"]
    """Scores of the word that follows each target position."""
    memory: Memory
    """What the decoder was given: the encoded source, and the prefix."""


class PrefixTranslator(nn.Module):
    """Source sentence and one vector to target sentence."""

    def __init__(
        self,
        embedding: Embedding,
        encoder: Encoder,
        mapping: MappingNetwork | None,
        decoder: Decoder,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.encoder = encoder
        self.mapping = mapping
        self.decoder = decoder

    def forward(self, batch: Batch) -> PrefixTrace:
        """Predict every target word from those before it (teacher forcing)."""
        if batch.target is None:
            raise ValueError("a translator's forward pass needs target tokens")
        memory = self.encode(batch)
        rows = self.embedding(batch.target.ids[:, :-1], memory.first_position)
        return PrefixTrace(self.embedding.logits(self.decoder(rows, memory)), memory)

    def encode(self, batch: Batch) -> Memory:
        """The encoded source and the prefix."""
        source = batch.source
        states: Tensor = self.encoder(self.embedding(source.ids), source.mask)
        if self.mapping is None:
            return Memory(states, source.mask)
        vectors = batch.vectors or self.mapping.absent(source.mask[:, 0])
        rows = self.embedding.place(self.mapping(vectors))
        return Memory(states, source.mask, soft_prefix=SoftPrefix(rows, vectors.mask))


def build(config: PrefixTranslatorConfig) -> PrefixTranslator:
    """A prefix translator with fresh weights."""
    width = Width(config.hidden, config.inner, config.heads, config.dropout)
    embedding = Embedding(config.vocab, config.hidden, config.dropout)
    encoder = Encoder(config.layers, width)
    decoder = Decoder([DecoderLayer(width) for _ in range(config.layers)], config.hidden)
    # Drawn last: the same seed gives the same translator with any prefix, and without.
    mapping = None if config.mapping is None else MappingNetwork(config.mapping, config.hidden)
    return PrefixTranslator(embedding, encoder, mapping, decoder)


__all__ = ["PrefixTrace", "PrefixTranslator", "PrefixTranslatorConfig", "build"]
