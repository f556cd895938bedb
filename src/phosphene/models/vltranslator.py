"""A translator whose encoder is pre-trained, and may see: encoder, bridge, Transformer decoder.

Source: Kong and Fan, section 3.3. One fully connected layer (the bridge) takes the encoder's rows
to the decoder's width; every decoder layer attends to all of them, words, tags and regions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from phosphene.core.config import Frozen
from phosphene.core.types import Batch
from phosphene.models.pretrained_lxmert import LxmertConfig, build_lxmert
from phosphene.models.sources import (
    BertFusedDecoderLayer,
    BertFusedSource,
    SourceEncoder,
    SourceStates,
    TransformerSource,
    VLSource,
)
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig
from phosphene.nn.contexts import Contexts, decode_observed
from phosphene.nn.transformer import Decoder, DecoderLayer, Embedding, Memory, Width


class DecoderConfig(Frozen):
    """The Transformer decoder. The paper gives its number of layers, 6, and nothing else."""

    layers: int = Field(default=6, ge=1)
    hidden: int = Field(default=512, ge=2)
    """``d``. With 1024 (and ``inner`` 4096) the decoder is about as large as BERT, as the paper
    says of its own; 512 is the usual width of a base Transformer."""
    inner: int = Field(default=2048, ge=1)
    heads: int = Field(default=8, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide_hidden(self) -> DecoderConfig:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
        return self

    @property
    def size(self) -> Width:
        """What its layers share."""
        return Width(self.hidden, self.inner, self.heads, self.dropout)


class VLSourceConfig(Frozen):
    """A vision-language encoder, or BERT."""

    kind: Literal["vl"] = "vl"
    encoder: VLEncoderConfig


class TransformerSourceConfig(Frozen):
    """A fresh Transformer encoder of the decoder's width."""

    kind: Literal["transformer"] = "transformer"
    vocab: int
    layers: int


class BertFusedSourceConfig(Frozen):
    """A fresh Transformer encoder of the decoder's width beside a BERT."""

    kind: Literal["bert_fused"] = "bert_fused"
    layers: int
    bert: VLEncoderConfig


class LxmertSourceConfig(Frozen):
    """LXMERT."""

    kind: Literal["lxmert"] = "lxmert"
    lxmert: LxmertConfig


SourceConfig = Annotated[
    VLSourceConfig | TransformerSourceConfig | BertFusedSourceConfig | LxmertSourceConfig,
    Field(discriminator="kind"),
]


class VLTranslatorConfig(Frozen):
    """Everything needed to build a translator; saved beside its weights."""

    vocab: int = Field(ge=1)
    """Target entries."""
    source: SourceConfig
    decoder: DecoderConfig = DecoderConfig()
    identity_bridge: bool = False
    """No fully connected layer where encoder and decoder are equally wide."""
    sees: bool = False
    """Whether it was trained with pictures."""


@dataclass(frozen=True)
class VLTranslatorTrace:
    """What a translator computed on the way to its prediction."""

    logits: Float[Tensor, "batch target vocab"]
    """Scores of the word that follows each target position."""
    source: SourceStates
    """What the encoder said."""
    contexts: tuple[Contexts, ...] = ()
    """Of the observed decoder layers, the last layer last."""

    @property
    def seen(self) -> Bool[Tensor, " batch"]:
        """Which examples have at least one region."""
        return (self.source.visual & self.source.mask).any(dim=1)


class VLTranslator(nn.Module):
    """Source sentence with tags and regions, as far as they are there, to target sentence."""

    def __init__(
        self, source: SourceEncoder, bridge: nn.Module, embedding: Embedding, decoder: Decoder
    ) -> None:
        super().__init__()
        self.source = source
        self.bridge = bridge
        self.embedding = embedding
        self.decoder = decoder

    def forward(self, batch: Batch) -> VLTranslatorTrace:
        """Predict every target word from those before it (teacher forcing)."""
        return self.trace(batch)

    def trace(self, batch: Batch, observed: int = 0) -> VLTranslatorTrace:
        """The same, with the contexts of each modality in the last ``observed`` decoder layers."""
        if batch.target is None:
            raise ValueError("a translator's forward pass needs target tokens")
        source: SourceStates = self.source(batch)
        memory = self._memory(source)
        rows = self.embedding(batch.target.ids[:, :-1])
        if not observed:
            return VLTranslatorTrace(self.embedding.logits(self.decoder(rows, memory)), source)
        states, contexts = decode_observed(self.decoder, rows, memory, source.visual, observed)
        return VLTranslatorTrace(self.embedding.logits(states), source, contexts)

    def encode(self, batch: Batch) -> Memory:
        """What the decoder attends to."""
        return self._memory(self.source(batch))

    def _memory(self, source: SourceStates) -> Memory:
        states = self.bridge(source.states)
        if source.aside is None:
            return Memory(states, source.mask)
        return Memory(states, source.mask, source.aside.states, source.aside.mask)


def build(config: VLTranslatorConfig) -> VLTranslator:
    """A translator with fresh weights.

    Raises:
        ValueError: no bridge is wanted between two widths.
    """
    decoder = config.decoder
    source, layers = _source(config)
    bridge: nn.Module = nn.Identity()
    if not config.identity_bridge:
        bridge = nn.Linear(source.width, decoder.hidden)
        nn.init.xavier_uniform_(bridge.weight)
        nn.init.zeros_(bridge.bias)
    elif source.width != decoder.hidden:
        raise ValueError(
            f"no bridge between an encoder of width {source.width} and a decoder of width "
            f"{decoder.hidden}"
        )
    return VLTranslator(
        source,
        bridge,
        Embedding(config.vocab, decoder.hidden, decoder.dropout),
        Decoder(layers, decoder.hidden),
    )


def _source(config: VLTranslatorConfig) -> tuple[SourceEncoder, list[DecoderLayer]]:
    """The source encoder, and the decoder layers that read it."""
    size, count = config.decoder.size, config.decoder.layers
    match config.source:
        case VLSourceConfig(encoder=encoder):
            return VLSource(VLEncoder(encoder)), [DecoderLayer(size) for _ in range(count)]
        case TransformerSourceConfig(vocab=vocab, layers=layers):
            source = TransformerSource(vocab, layers, size)
            return source, [DecoderLayer(size) for _ in range(count)]
        case BertFusedSourceConfig(layers=layers, bert=bert):
            fused = BertFusedSource(bert.vocab, layers, size, VLEncoder(bert))
            return fused, [BertFusedDecoderLayer(size, bert.hidden) for _ in range(count)]
        case LxmertSourceConfig(lxmert=lxmert):
            return build_lxmert(lxmert), [DecoderLayer(size) for _ in range(count)]


__all__ = [
    "BertFusedSourceConfig",
    "DecoderConfig",
    "LxmertSourceConfig",
    "SourceConfig",
    "TransformerSourceConfig",
    "VLSourceConfig",
    "VLTranslator",
    "VLTranslatorConfig",
    "VLTranslatorTrace",
    "build",
]
