"""Translators: an embedding, an encoder that may look at regions, a decoder.

What differs between the systems is which encoder and decoder are put together and where the
regions come from; :func:`build` is the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from phosphene.core.config import Frozen
from phosphene.core.types import Batch, Regions, Tokens
from phosphene.nn.fusion import (
    DoublyAttentiveDecoderLayer,
    DoublyAttentiveEncoder,
    GatedFusionEncoder,
    MultimodalEncoder,
    TextEncoder,
)
from phosphene.nn.generator import (
    AverageUnpool,
    DenseUnpool,
    Generator,
    LearnedUnpool,
    LowRankUnpool,
    Unpool,
    masked_mean,
)
from phosphene.nn.transformer import Decoder, DecoderLayer, Embedding, Memory, Width
from phosphene.nn.visual import regions_from_map, scrambled_regions

Fusion = Literal["none", "multimodal", "multimodal_without_text", "gated", "doubly_attentive"]


class GeneratorConfig(Frozen):
    """The generator of multimodal features."""

    channels: int
    """Width of the teacher's last feature map: 2048 (ResNet-50), 1280 (EfficientNet-Lite)."""
    height: int
    width: int
    unpool: Literal["learned", "low_rank", "average", "dense"] = "low_rank"
    """How one vector becomes a map: the paper names an average unpool, its code learns one."""
    rank: int = 128
    """Bottleneck of the low-rank unpool."""
    released: bool = False
    """Batch statistics at all times and scrambled regions, as in the paper's released code."""


class TranslatorConfig(Frozen):
    """Everything needed to build a translator; saved beside its weights."""

    vocab: int
    layers: int = 4
    hidden: int = 128
    inner: int = 256
    heads: int = 4
    dropout: float = Field(default=0.3, ge=0, lt=1)
    fusion: Fusion = "none"
    feature: int = 0
    """Width of one region, where the encoder takes regions."""
    generator: GeneratorConfig | None = None
    """Regions are generated from the text instead of given with it."""


@dataclass(frozen=True)
class TranslatorTrace:
    """What a translator computed on the way to its prediction."""

    logits: Float[Tensor, "batch target vocab"]
    """Scores of the word that follows each target position."""
    embedding: Float[Tensor, "batch source hidden"]
    """The text embedding ``t``."""
    memory: Memory
    """What the decoder attended to."""
    feature_map: Float[Tensor, "batch channel height width"] | None
    """The generated multimodal feature ``m``, where there is a generator."""


class Translator(nn.Module):
    """Source sentence, and regions where its encoder takes them, to target sentence.

    With a ``generator`` the regions are made from the sentence and those of the batch are ignored:
    no picture is needed, in training or after it.
    """

    def __init__(
        self,
        embedding: Embedding,
        encoder: nn.Module,
        decoder: Decoder,
        generator: Generator | None = None,
        regions_of: Callable[[Tensor], Tensor] = regions_from_map,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.encoder = encoder
        self.decoder = decoder
        self.generator = generator
        self.regions_of = regions_of

    def forward(self, batch: Batch) -> TranslatorTrace:
        """Predict every target word from those before it (teacher forcing)."""
        if batch.target is None:
            raise ValueError("a translator's forward pass needs target tokens")
        text, regions, feature_map = self._see(batch)
        memory: Memory = self.encoder(text, batch.source, regions)
        states = self.decoder(self.embedding(batch.target.ids[:, :-1]), memory)
        return TranslatorTrace(self.embedding.logits(states), text, memory, feature_map)

    def encode(self, batch: Batch) -> Memory:
        """What a decoder needs of ``batch``."""
        text, regions, _ = self._see(batch)
        memory: Memory = self.encoder(text, batch.source, regions)
        return memory

    def generate_map(self, source: Tokens) -> Float[Tensor, "batch channel height width"]:
        """The multimodal feature that the generator makes of a sentence."""
        if self.generator is None:
            raise ValueError("this translator has no generator")
        feature_map: Tensor = self.generator(masked_mean(self.embedding(source.ids), source.mask))
        return feature_map

    def regions_for(
        self, batch: Batch, text: Float[Tensor, "batch source hidden"]
    ) -> Regions | None:
        """What the encoder is shown beside the embedded ``text``: generated, or given."""
        if self.generator is None:
            return batch.regions
        return self._generated(self.generator(masked_mean(text, batch.source.mask)))

    def _see(self, batch: Batch) -> tuple[Tensor, Regions | None, Tensor | None]:
        text = self.embedding(batch.source.ids)
        if self.generator is None:
            return text, batch.regions, None
        feature_map = self.generator(masked_mean(text, batch.source.mask))
        return text, self._generated(feature_map), feature_map

    def _generated(self, feature_map: Float[Tensor, "batch channel height width"]) -> Regions:
        features = self.regions_of(feature_map)
        everywhere = torch.ones(features.shape[:2], dtype=torch.bool, device=features.device)
        return Regions(features, everywhere)


def gold(target: Tokens | None) -> tuple[Tensor, Bool[Tensor, "batch target"]]:
    """The words a translator has to predict, and which of them are real."""
    if target is None:
        raise ValueError("the batch has no target tokens")
    return target.ids[:, 1:], target.mask[:, 1:]


def build(config: TranslatorConfig) -> Translator:
    """A translator with fresh weights."""
    width = Width(config.hidden, config.inner, config.heads, config.dropout)
    encoder: nn.Module
    match config.fusion:
        case "none":
            encoder = TextEncoder(config.layers, width)
        case "multimodal":
            encoder = MultimodalEncoder(config.layers, width, config.feature)
        case "multimodal_without_text":
            encoder = MultimodalEncoder(config.layers, width, config.feature, text_rows=False)
        case "gated":
            encoder = GatedFusionEncoder(config.layers, width, config.feature)
        case "doubly_attentive":
            encoder = DoublyAttentiveEncoder(config.layers, width, config.feature)
    layer = DoublyAttentiveDecoderLayer if config.fusion == "doubly_attentive" else DecoderLayer
    return Translator(
        Embedding(config.vocab, config.hidden, config.dropout),
        encoder,
        Decoder([layer(width) for _ in range(config.layers)], config.hidden),
        None if config.generator is None else build_generator(config.hidden, config.generator),
        scrambled_regions
        if config.generator is not None and config.generator.released
        else regions_from_map,
    )


def build_generator(hidden: int, config: GeneratorConfig) -> Generator:
    """A generator with fresh weights for text of width ``hidden``."""
    channels, positions = config.channels, (config.height, config.width)
    unpool: Unpool
    match config.unpool:
        case "learned":
            unpool = LearnedUnpool(channels, positions)
        case "low_rank":
            unpool = LowRankUnpool(channels, positions, config.rank)
        case "average":
            unpool = AverageUnpool(channels, positions)
        case "dense":
            unpool = DenseUnpool(channels, positions)
    generator = Generator(hidden, unpool)
    if config.released:
        for module in generator.modules():
            if isinstance(module, nn.BatchNorm2d):  # without running statistics: the batch's own
                module.track_running_stats = False
                module.running_mean = module.running_var = module.num_batches_tracked = None
    return generator
