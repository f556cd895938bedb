"""Settings of the recipe ``inversion_mmt``, and the networks that each system is made of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from phosphene.core.config import Frozen
from phosphene.core.runtime import RuntimeConfig
from phosphene.data.corpus import CorpusConfig
from phosphene.models.search import SearchConfig
from phosphene.models.teachers import TeacherConfig
from phosphene.models.translator import Fusion, GeneratorConfig, TranslatorConfig
from phosphene.nn.visual import VisualTeacher
from phosphene.recipes.world_teacher import TeacherTraining
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget

System = Literal[
    "image_free",
    "image_free_without_text",
    "image_given",
    "text_only",
    "imagination",
    "doubly_attentive",
    "gated_fusion",
]

_FUSION: dict[System, Fusion] = {
    "image_free": "multimodal",
    "image_free_without_text": "multimodal_without_text",
    "image_given": "multimodal",
    "text_only": "none",
    "imagination": "none",
    "doubly_attentive": "doubly_attentive",
    "gated_fusion": "gated",
}


NEEDS_PICTURES: frozenset[System] = frozenset({"image_given", "doubly_attentive", "gated_fusion"})
"""Systems that look at a picture when they are used."""


class DistillationConfig(Frozen):
    """The inversion distillation losses and their weights in eq. 9."""

    distance: Literal["l2", "l1", "l_infinity", "cosine", "kl"] = "l2"
    """Similarity function (Table 2 A); the paper's best is L2."""
    granularity: Literal["model", "block", "layer"] = "model"
    """Which maps are compared (Table 2 B); the paper's best is the last one."""
    inter_modal: float = Field(1.0, ge=0)
    """Weight of IrM, eq. 7; the paper's is 1 on an unnormalised norm. 0: Table 2 D."""
    intra_modal: float = Field(1.0, ge=0)
    """Weight of IaM, eq. 8."""
    image_space: float = Field(0.0, ge=0)
    """Weight of the image-space loss beyond its part in eqs. 7 and 8; alone, 2: Table 2 D."""
    photos_per_update: int = Field(default=8, ge=1)
    """Photos looked at in each update, drawn among those of the batch."""

    @property
    def is_on(self) -> bool:
        """Whether anything is distilled."""
        return self.inter_modal + self.intra_modal + self.image_space > 0


class ImaginationConfig(Frozen):
    """The Imagination baseline (Elliott and Kadar, 2017), weights as in the paper's scripts."""

    translation: float = Field(default=0.89, gt=0)
    imagination: float = 0.11
    margin: float = 0.1


class NetworkConfig(Frozen):
    """The Transformer: the defaults are Transformer-Tiny."""

    layers: int = Field(default=4, ge=1)
    hidden: int = Field(default=128, ge=2)
    inner: int = Field(default=256, ge=1)
    heads: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    unpool: Literal["learned", "low_rank", "average", "dense"] = "low_rank"
    """How the generator unfolds its vector: the paper names ``average``, its code ``learned``."""
    rank: int = Field(default=128, ge=1)
    """Bottleneck of the low-rank unpool."""

    @model_validator(mode="after")
    def _heads_divide_hidden(self) -> NetworkConfig:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
        return self


class Settings(Frozen):
    """Everything that a run of ``inversion_mmt`` depends on."""

    system: System = "image_free"
    """The paper's model, or one of its baselines under the same protocol."""
    variant: Literal["paper", "released"] = "paper"
    """``released``: generator and student stay random, losses as in the authors' code."""
    seed: int = Field(default=1, ge=0)
    max_tokens: int = Field(default=1024, ge=1)
    """Padded tokens of a batch, on its longer side."""
    smoothing: float = Field(default=0.1, ge=0, lt=1)
    budget: Budget
    optim: OptimConfig = OptimConfig()
    data: CorpusConfig
    teacher: TeacherConfig
    teacher_training: TeacherTraining = TeacherTraining()
    distillation: DistillationConfig = DistillationConfig()
    imagination: ImaginationConfig = ImaginationConfig()
    network: NetworkConfig = NetworkConfig()
    search: SearchConfig = SearchConfig()
    runtime: RuntimeConfig = RuntimeConfig()

    @property
    def imagines(self) -> bool:
        """Whether a generator makes the image features from text."""
        return self.system in ("image_free", "image_free_without_text")

    @property
    def distils(self) -> bool:
        """Whether training compares with a teacher's pyramid."""
        return self.imagines and self.distillation.is_on

    @property
    def takes_features(self) -> bool:
        """Whether training uses a teacher's features of the photos."""
        return self.system in ("image_given", "imagination", "doubly_attentive", "gated_fusion")


def translator_config(
    settings: Settings, vocab: int, teacher: VisualTeacher | None
) -> TranslatorConfig:
    """The translator of ``settings.system``; its regions have the shape of the teacher's."""
    network, fusion = settings.network, _FUSION[settings.system]
    generator, channels = None, 0
    if teacher is not None and fusion != "none":
        feature_map = teacher.stages[-1].shape
        channels = feature_map.channels
        if settings.imagines:
            generator = GeneratorConfig(
                channels=channels,
                height=feature_map.height,
                width=feature_map.width,
                unpool=network.unpool,
                rank=network.rank,
                released=settings.variant == "released",
            )
    return TranslatorConfig(
        vocab=vocab,
        layers=network.layers,
        hidden=network.hidden,
        inner=network.inner,
        heads=network.heads,
        dropout=network.dropout,
        fusion=fusion,
        feature=channels,
        generator=generator,
    )
