"""The embedded world's aligned encoder: a CNN that knows its labels, and a small Transformer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.config import Frozen
from phosphene.core.types import Batch, Tokens
from phosphene.data.image import to_tensor
from phosphene.data.store import Producer
from phosphene.data.text import EOS_ID, Tokenizer
from phosphene.models.aligned import AlignedTrace, Temperature, in_parts
from phosphene.models.resnet import ResNet
from phosphene.models.teachers import TeacherConfig, build_teacher
from phosphene.nn.generator import masked_mean
from phosphene.nn.transformer import Embedding, Encoder, Width
from phosphene.nn.visual import freeze


class TwoTowersConfig(Frozen):
    """Everything needed to build the encoder; saved beside its weights."""

    vocab: int = Field(ge=1)
    languages: tuple[str, ...]
    side: int = Field(default=64, ge=1)
    """Pictures are squares of so many pixels."""
    width: int = Field(default=64, ge=1)
    """Numbers in a vector."""
    hidden: int = Field(default=64, ge=4, multiple_of=4)
    """Width of the sentence encoder, which has one layer and four heads."""


class TwoTowers(nn.Module):
    """A residual CNN for pictures, one Transformer layer and a mean for sentences.

    The vector of a picture takes the strongest cell of each channel: things are small.
    """

    def __init__(self, config: TwoTowersConfig) -> None:
        super().__init__()
        cnn = build_teacher(TeacherConfig(network="small_resnet", side=config.side), config.width)
        assert isinstance(cnn, ResNet)
        self.cnn = cnn
        self.embedding = Embedding(config.vocab, config.hidden, dropout=0.0)
        self.encoder = Encoder(1, Width(config.hidden, 2 * config.hidden, 4, 0.0))
        self.project = nn.Linear(config.hidden, config.width)
        self.temperature = Temperature()

    def forward(self, batch: Batch) -> AlignedTrace:
        """Vectors of pictures and sentences of ``batch``, every row of which has both.

        The pictures are there as pixels, or as vectors made by :meth:`features`.
        """
        if batch.vectors is not None:
            image = self.project_features(batch.vectors.values)
        elif batch.pixels is not None:
            image = self.see(batch.pixels.values)
        else:
            raise ValueError("aligning needs pictures")
        return AlignedTrace(image, self.read(batch.source), self.temperature())

    def features(
        self, pixels: Float[Tensor, "photo 3 height width"]
    ) -> Float[Tensor, "photo channel"]:
        """The strongest cell of each channel of the CNN's last map."""
        pooled: Tensor = self.cnn.avgpool(self.cnn(pixels).last)
        return pooled.flatten(1)

    def project_features(
        self, features: Float[Tensor, "photo channel"]
    ) -> Float[Tensor, "photo feature"]:
        """Vectors of length 1 of pictures that were looked at."""
        return F.normalize(self.cnn.fc(features), dim=1)

    def see(self, pixels: Float[Tensor, "photo 3 height width"]) -> Float[Tensor, "photo feature"]:
        """Vectors of length 1 of pictures in [0, 1]."""
        return self.project_features(self.features(pixels))

    def read(self, source: Tokens) -> Float[Tensor, "batch feature"]:
        """Vectors of length 1 of sentences."""
        states = self.encoder(self.embedding(source.ids), source.mask)
        return F.normalize(self.project(masked_mean(states, source.mask)), dim=1)


@final
class TwoTowersEncoder:
    """Trained towers as an :class:`~phosphene.models.aligned.AlignedEncoder`, frozen."""

    normalised = True

    def __init__(self, model: TwoTowers, config: TwoTowersConfig, tokenizer: Tokenizer) -> None:
        self.model = freeze(model)
        self.config = config
        self.tokenizer = tokenizer
        self.identity = Producer.of("two-towers", model.state_dict())
        self.width = config.width
        self.side = config.side
        self.languages: frozenset[str] | None = frozenset(config.languages)

    @torch.no_grad()
    def image_vectors(
        self, pictures: UInt8[np.ndarray, "picture height width 3"]
    ) -> Float[Tensor, "picture feature"]:
        """One vector of length 1 for each picture."""
        device = self.model.project.weight.device
        return in_parts(
            lambda part: self.model.see(to_tensor(pictures[part]).to(device)),
            len(pictures),
            self.width,
        )

    @torch.no_grad()
    def text_vectors(self, lines: Sequence[str]) -> Float[Tensor, "line feature"]:
        """One vector of length 1 for each tokenised, lower-cased sentence."""
        ids = self.tokenizer.encode_all(lines)
        device = self.model.project.weight.device
        return in_parts(
            lambda part: self.model.read(with_eos(ids[part]).to(device)),
            len(lines),
            self.width,
        )


def with_eos(sentences: Sequence[Sequence[int]]) -> Tokens:
    """Sentences side by side, each with EOS, so that even an empty one has a position."""
    return Tokens.pad([[*ids, EOS_ID] for ids in sentences])


__all__ = ["TwoTowers", "TwoTowersConfig", "TwoTowersEncoder", "with_eos"]
