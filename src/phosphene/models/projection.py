"""A multilingual CLIP for a laptop: frozen features of both kinds, and what maps one to the other.

Sentences go through a published multilingual sentence encoder, pictures through a published
ImageNet network; only the projections between them are trained, on pictures with captions in one
language. Other languages come with the sentence encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.config import Frozen
from phosphene.core.types import FeaturePairs
from phosphene.data.image import to_tensor
from phosphene.data.store import Producer
from phosphene.models.aligned import AlignedTrace, Temperature, in_parts
from phosphene.models.teachers import TeacherConfig
from phosphene.nn.visual import VisualTeacher, freeze


class ProjectionConfig(Frozen):
    """Everything needed to build the encoder; saved beside the weights of the projections."""

    teacher: TeacherConfig = TeacherConfig(network="efficientnet_lite0", side=112)
    """Where the features of pictures come from."""
    sentences: Literal["universal", "minilm"] = "universal"
    """Where the vectors of sentences come from: 16 languages, or English alone."""
    image_feature: int = Field(default=1280, ge=1)
    """Width of a pooled feature map: 1280 for EfficientNet-Lite."""
    text_feature: int = Field(default=512, ge=1)
    """Width of a sentence vector: 512 (``universal``), 384 (``minilm``)."""
    hidden: int = Field(default=1024, ge=1)
    """Width between the two layers of the picture's projection."""
    width: int = Field(default=512, ge=1)
    """Numbers in a vector."""
    image_dropout: float = Field(default=0.5, ge=0, lt=1)
    text_dropout: float = Field(default=0.3, ge=0, lt=1)


class Projections(nn.Module):
    """Two layers for a picture's feature, one matrix for a sentence's, to vectors of length 1.

    The matrix starts as the identity, as far as the widths allow: what the sentence encoder knows
    of other languages is kept.
    """

    def __init__(self, config: ProjectionConfig) -> None:
        super().__init__()
        self.image = nn.Sequential(
            nn.LayerNorm(config.image_feature),
            nn.Dropout(config.image_dropout),
            nn.Linear(config.image_feature, config.hidden),
            nn.GELU(),
            nn.Dropout(config.image_dropout),
            nn.Linear(config.hidden, config.width),
        )
        matrix = nn.Linear(config.text_feature, config.width, bias=False)
        nn.init.eye_(matrix.weight)
        self.text = nn.Sequential(nn.Dropout(config.text_dropout), matrix)
        self.temperature = Temperature()

    def forward(self, pairs: FeaturePairs) -> AlignedTrace:
        """Vectors of pictures and of their sentences."""
        return AlignedTrace(self.see(pairs.image), self.read(pairs.text), self.temperature())

    def see(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch width"]:
        """Vectors of length 1 of pooled feature maps."""
        return F.normalize(self.image(features), dim=1)

    def read(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch width"]:
        """Vectors of length 1 of sentence vectors."""
        return F.normalize(self.text(features), dim=1)


@runtime_checkable
class SentenceEncoder(Protocol):
    """A frozen encoder of sentences alone."""

    @property
    def identity(self) -> Producer:
        """Name and hash of the weights."""

    @property
    def width(self) -> int:
        """Numbers in a sentence vector."""

    @property
    def languages(self) -> frozenset[str] | None:
        """Codes of the languages it was made for; ``None`` where nobody says."""

    def __call__(self, lines: Sequence[str]) -> Float[Tensor, "line feature"]:
        """One vector for each sentence, on the CPU."""


@final
class ProjectedEncoder:
    """Trained projections as an :class:`~phosphene.models.aligned.AlignedEncoder`, frozen."""

    normalised = True

    def __init__(
        self,
        projections: Projections,
        config: ProjectionConfig,
        teacher: VisualTeacher,
        sentences: SentenceEncoder,
    ) -> None:
        self.projections = freeze(projections)
        self.config = config
        self.teacher = freeze(teacher)
        self.sentences = sentences
        self.identity = Producer.of(
            f"projected-{sentences.identity.name}",
            projections.state_dict(),
            str(Producer.of("teacher", teacher.state_dict())),
            str(sentences.identity),
        )
        self.width = config.width
        self.side = teacher.picture.height
        self.languages = sentences.languages

    @torch.no_grad()
    def image_vectors(
        self, pictures: UInt8[np.ndarray, "picture height width 3"]
    ) -> Float[Tensor, "picture feature"]:
        """One vector of length 1 for each picture."""
        return self._project(self.projections.see, pooled_features(self.teacher, pictures))

    @torch.no_grad()
    def text_vectors(self, lines: Sequence[str]) -> Float[Tensor, "line feature"]:
        """One vector of length 1 for each sentence."""
        return self._project(self.projections.read, self.sentences(lines))

    def _project(self, head: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
        device = self.projections.temperature.log_scale.device
        return in_parts(lambda part: head(features[part].to(device)), len(features), self.width)


@torch.no_grad()
def pooled_features(
    teacher: VisualTeacher, pictures: UInt8[np.ndarray, "picture height width 3"]
) -> Float[Tensor, "picture feature"]:
    """The mean of the teacher's last map over its cells, on the CPU."""
    device = teacher.mean.device
    return in_parts(
        lambda part: teacher(to_tensor(pictures[part]).to(device)).last.mean((2, 3)),
        len(pictures),
        teacher.stages[-1].shape.channels,
    )


__all__ = [
    "ProjectedEncoder",
    "ProjectionConfig",
    "Projections",
    "SentenceEncoder",
    "pooled_features",
]
