"""Settings of the recipe ``clip_prefix``, and what each of its systems is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.core.runtime import RuntimeConfig
from phosphene.data.corpus import CorpusConfig
from phosphene.data.described import DescribedConfig
from phosphene.models.prefix_translator import PrefixTranslatorConfig
from phosphene.models.search import SearchConfig
from phosphene.nn.prefix import MappingConfig
from phosphene.recipes.aligned_encoder import AlignedConfig
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget

System = Literal[
    "clip_prefix",
    "translate_only",
    "text_recon",
    "shuffled_photos",
    "joint",
    "triplet",
    "text_only",
]


@dataclass(frozen=True)
class Arm:
    """What stands before the decoder's words in each stage of a system."""

    captions: Literal["photo", "other_photo", "own_text"] | None
    """Stage 1: the vector that a caption is written from; ``None``: there is no stage 1."""
    translations: Literal["source_text", "photo"] | None
    """Stage 2: the vector beside the source sentence; ``None``: the model has no prefix."""
    joint: bool = False
    """Both kinds of examples in one stage."""


ARMS: dict[System, Arm] = {
    "clip_prefix": Arm("photo", "source_text"),
    "translate_only": Arm(None, "source_text"),
    "text_recon": Arm("own_text", "source_text"),
    "shuffled_photos": Arm("other_photo", "source_text"),
    "joint": Arm("photo", "source_text", joint=True),
    "triplet": Arm(None, "photo"),
    "text_only": Arm(None, None),
}


class StageConfig(Frozen):
    """How long and how a stage is trained."""

    budget: Budget
    optim: OptimConfig = OptimConfig()


class PretrainConfig(Frozen):
    """A small translator first restores sentences of each language: what mBART did at its size."""

    budget: Budget = Budget(max_updates=0, average_last=1)
    """No updates: the translator starts from random weights."""
    optim: OptimConfig = OptimConfig()
    dropped: float = Field(default=0.3, ge=0, lt=1)
    """Share of the tokens that are dropped from what is to be restored."""


class NetworkConfig(Frozen):
    """The translator: the defaults are Transformer-Tiny."""

    layers: int = Field(default=4, ge=1)
    hidden: int = Field(default=128, ge=2)
    inner: int = Field(default=256, ge=1)
    heads: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.3, ge=0, lt=1)
    published: str | None = None
    """mBART-50 in the place of the small Transformer, by name or folder; the sizes are then its
    own, and so is the vocabulary. The paper's: ``facebook/mbart-large-50``."""

    @model_validator(mode="after")
    def _heads_divide_hidden(self) -> NetworkConfig:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
        return self


class Settings(Frozen):
    """Everything that a run of ``clip_prefix`` depends on."""

    system: System = "clip_prefix"
    """The paper's two stages, or one of its ablations and controls."""
    seed: int = Field(default=1, ge=0)
    max_tokens: int = Field(default=1024, ge=1)
    """Padded tokens of a batch, on its longer side."""
    smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Label smoothing; the paper's is 0."""
    kept: Literal["nothing", "encoder", "reading"] = "reading"
    """What stage 1 leaves as it is: the translator's encoder with the embeddings it shares (the
    released code); or ``reading``, these and the decoder's attention to them. A caption has no
    source, and a decoder that learns to do without one forgets it."""
    source_masking: float = Field(default=0.0, ge=0, le=1)
    """Share of the source tokens that are dropped in stage 2. Stage 1 has no source at all."""
    vector_masking: float = Field(default=0.0, ge=0, le=1)
    """Share of the examples that have no vector in stage 2, so that the decoder reads the source
    too. The paper withholds none: its decoder reads from the start."""
    pretrain: PretrainConfig = PretrainConfig()
    """Stage 0, where the translator is not published; every system starts from it."""
    caption: StageConfig
    """Stage 1."""
    translate: StageConfig
    """Stage 2."""
    data: DescribedConfig
    aligned: AlignedConfig
    network: NetworkConfig = NetworkConfig()
    mapping: MappingConfig = MappingConfig()
    """The prefix. Its ``feature`` is replaced by the width of the aligned encoder's vectors."""
    search: SearchConfig = SearchConfig()
    runtime: RuntimeConfig = RuntimeConfig()

    @property
    def arm(self) -> Arm:
        """What the system is trained on."""
        return ARMS[self.system]


def mapping_config(settings: Settings, feature: int) -> MappingConfig | None:
    """The prefix of ``settings.system`` for vectors of width ``feature``."""
    if settings.arm.translations is None:
        return None
    return settings.mapping.model_copy(update={"feature": feature})


def small_network(settings: Settings, vocab: int, feature: int) -> PrefixTranslatorConfig:
    """The small translator of ``settings.system``."""
    network = settings.network
    return PrefixTranslatorConfig(
        vocab=vocab,
        layers=network.layers,
        hidden=network.hidden,
        inner=network.inner,
        heads=network.heads,
        dropout=network.dropout,
        mapping=mapping_config(settings, feature),
    )


def encoder_corpus(data: DescribedConfig) -> CorpusConfig:
    """What a small aligned encoder is trained on: pictures of the same kind, other examples.

    Raises:
        InputError: there is nothing to train one on.
    """
    match data.source:
        case "world":
            return CorpusConfig(source="world", tests=data.train_splits, world_seed=data.world_seed)
        case "multi30k":
            return CorpusConfig(source="multi30k")
        case _:
            raise InputError(
                f"aligned.encoder: nothing to train one on in '{data.source}', expected 'm-clip'"
            )


__all__ = [
    "ARMS",
    "Arm",
    "NetworkConfig",
    "PretrainConfig",
    "Settings",
    "StageConfig",
    "System",
    "encoder_corpus",
    "mapping_config",
    "small_network",
]
