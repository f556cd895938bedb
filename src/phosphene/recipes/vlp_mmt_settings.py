"""Settings of the recipe ``vlp_mmt``, and what each system is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from phosphene.core.config import Frozen
from phosphene.core.runtime import RuntimeConfig
from phosphene.data.corpus import CorpusConfig
from phosphene.data.pretraining import MaskingConfig
from phosphene.models.backbone import SCRATCH
from phosphene.models.search import SearchConfig
from phosphene.models.vltranslator import DecoderConfig
from phosphene.recipes.world_teacher import TeacherTraining
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget
from phosphene.weighting.gate import Gate, TokenGate, fixed_gate, learned_gate, normalised_gate

System = Literal[
    "text_only",
    "bert_frozen",
    "bert_two_stage",
    "bert_nmt",
    "lxmert_frozen",
    "vlp_end_to_end",
    "vlp_frozen",
    "vlp_two_stage",
]

SEEING: frozenset[System] = frozenset(
    {"lxmert_frozen", "vlp_end_to_end", "vlp_frozen", "vlp_two_stage"}
)
"""Systems that look at pictures."""
PRETRAINED_HERE: frozenset[System] = frozenset({"vlp_end_to_end", "vlp_frozen", "vlp_two_stage"})
"""Systems whose encoder goes through vision-language pre-training."""


class StageConfig(Frozen):
    """How long a stage lasts and how it is optimised."""

    budget: Budget
    optim: OptimConfig


class CorpusFile(Frozen):
    """A caption corpus of pre-training, in the format of its publisher."""

    format: Literal["coco", "sbu", "visual7w", "vqa", "conceptual_captions", "gqa"]
    path: Path


class PretrainingConfig(Frozen):
    """Vision-language pre-training: on captions, then on the translation pairs (Algorithm 1)."""

    masking: MaskingConfig = MaskingConfig()
    max_tokens: int = Field(default=2048, ge=1)
    """Padded word pieces of a batch, tags and specials counted."""
    scenes: int = Field(default=4000, ge=2)
    """World: captioned scenes; nobody translates them."""
    captions_per_scene: int = Field(default=2, ge=1, le=6)
    multi30k_captions: bool = True
    """Multi30K: the five English captions of every training photo (task 2)."""
    corpora: tuple[CorpusFile, ...] = ()
    """The paper: COCO captions, Im2text, Visual7W, VQA 2.0, Conceptual Captions, GQA; 6 million
    pairs."""
    allow_leaks: bool = False
    """Keep pictures and sentences of evaluation sets."""
    exclude: Path | None = None
    """Names of further pictures to leave out, one a line (Visual Genome names COCO's anew)."""
    captions: StageConfig
    """On the captions."""
    pairs: StageConfig
    """On the English side of the translation pairs."""


class RegionsConfig(Frozen):
    """Where regions and tags come from, and how a region says where it is."""

    source: Literal["world", "grid", "store"] = "grid"
    """``grid``: cells of EfficientNet-Lite0 with ImageNet classes as tags; ``store``: a detector's
    output (the paper: Faster R-CNN on Visual Genome)."""
    path: Path | None = None
    """The store; of ``grid`` where to keep what was seen, beside the run if not given."""
    side: int = Field(default=112, ge=32)
    """``grid``: pixels of a picture."""
    geometry: Literal[4, 6] = 4
    """Corners (the paper: "position"), or corners, width and height (Oscar)."""
    most: int = Field(default=100, ge=1)
    """Regions of a picture; the paper has 10 to 100."""
    use_tags: bool = True
    """Off: regions alone."""


class EncoderSettings(Frozen):
    """The encoder before pre-training. Sizes count for ``scratch``; weights bring their own."""

    weights: str = SCRATCH
    """``scratch``, ``minilm``, or the folder or name of a BERT (of an LXMERT where it is asked
    for); the paper: BERT-base."""
    merges: int = Field(default=8000, ge=1)
    """Size of the word pieces learned for ``scratch``."""
    layers: int = Field(default=12, ge=1)
    hidden: int = Field(default=768, ge=2)
    inner: int = Field(default=3072, ge=1)
    heads: int = Field(default=12, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
    attention_dropout: float = Field(default=0.1, ge=0, lt=1)
    initial_std: float = Field(default=0.02, gt=0)
    """Spread of fresh weights; BERT's 0.02 is for a width of 768, a narrow network wants more."""

    @model_validator(mode="after")
    def _heads_divide_hidden(self) -> EncoderSettings:
        if self.hidden % self.heads:
            raise ValueError(f"hidden {self.hidden} is not a multiple of heads {self.heads}")
        return self


class ModalityConfig(Frozen):
    """The modality loss (eqs. 3, 4) and its weight lambda."""

    gate: Literal["none", "fixed", "learned", "normalised"] = "normalised"
    """``learned`` is the paper's sigmoid, which the loss itself drives to 0; ``normalised`` is the
    same with a given mean; ``fixed`` is one number; ``none`` switches the loss off."""
    layers: Literal["last", "all"] = "last"
    """Of the decoder; the paper's best is the last one."""
    mean: float = Field(default=0.4, ge=0)
    """``fixed`` and the mean of ``normalised``; the mean that the paper observed."""
    floor: float = Field(default=0.5, ge=0, le=1)
    """``normalised``: the share of the mean that every token keeps; at 0 the cheapest token takes
    all of it."""
    weight: float = Field(default=1.0, ge=0)
    """Of the whole loss; the paper's is 1."""

    def weigh(self, gate: TokenGate) -> Gate:
        """Lambda of every token."""
        match self.gate:
            case "learned":
                return learned_gate(gate)
            case "normalised":
                return normalised_gate(gate, self.mean, self.floor)
            case "fixed" | "none":
                return fixed_gate(self.mean)


class Settings(Frozen):
    """Everything that a run of ``vlp_mmt`` depends on."""

    system: System = "vlp_two_stage"
    """A row of Tables 2 to 6, with ``modality`` saying which."""
    seed: int = Field(default=1, ge=0)
    max_tokens: int = Field(default=1024, ge=1)
    """Padded tokens of a batch, on its longer side; tags and regions come on top."""
    smoothing: float = Field(default=0.1, ge=0, lt=1)
    data: CorpusConfig
    regions: RegionsConfig = RegionsConfig()
    teacher_training: TeacherTraining = TeacherTraining()
    encoder: EncoderSettings = EncoderSettings()
    decoder: DecoderConfig = DecoderConfig()
    identity_bridge: bool = False
    """No layer between encoder and decoder where they are equally wide."""
    pretraining: PretrainingConfig
    modality: ModalityConfig = ModalityConfig()
    stage_one: StageConfig
    """With the encoder frozen."""
    stage_two: StageConfig
    """All parameters."""
    end_to_end: OptimConfig = OptimConfig(learning_rate=1e-4)
    """``vlp_end_to_end``, for as many updates as both stages together."""
    search: SearchConfig = SearchConfig()
    runtime: RuntimeConfig = RuntimeConfig()

    @property
    def sees(self) -> bool:
        """Whether the system looks at pictures."""
        return self.system in SEEING

    @property
    def pretrains(self) -> bool:
        """Whether its encoder goes through vision-language pre-training."""
        return self.system in PRETRAINED_HERE

    @property
    def observed_layers(self) -> int:
        """How many decoder layers the modality loss looks at, from the last one down."""
        if not self.pretrains or self.modality.gate == "none":
            return 0
        return 1 if self.modality.layers == "last" else self.decoder.layers

    @property
    def learns_gate(self) -> bool:
        """Whether lambda has parameters."""
        return self.observed_layers > 0 and self.modality.gate in ("learned", "normalised")

    @property
    def is_freed(self) -> bool:
        """Whether a second stage trains the encoder."""
        return self.system in ("bert_two_stage", "vlp_two_stage")

    @property
    def first_stage(self) -> StageConfig:
        """The first stage of translation, or the only one.

        A system that never has a pre-trained encoder frozen gets the updates of both stages.
        """
        one = self.stage_one
        if self.system not in ("text_only", "bert_nmt", "vlp_end_to_end"):
            return one
        updates = one.budget.max_updates + self.stage_two.budget.max_updates
        return StageConfig(
            budget=one.budget.model_copy(update={"max_updates": updates}),
            optim=self.end_to_end if self.system == "vlp_end_to_end" else one.optim,
        )

    @property
    def until_freed(self) -> Settings:
        """What the frozen stage depends on: runs for which this is the same share it."""
        frozen: dict[System, System] = {
            "bert_two_stage": "bert_frozen",
            "vlp_two_stage": "vlp_frozen",
        }
        return self.model_copy(
            update={
                "system": frozen.get(self.system, self.system),
                "stage_two": self.stage_one,
                "end_to_end": OptimConfig(),
                "search": SearchConfig(),
                "runtime": RuntimeConfig(),
            }
        )

    @property
    def until_translation(self) -> Settings:
        """What pre-training depends on, likewise."""
        same = StageConfig(budget=Budget(max_updates=0), optim=OptimConfig())
        return self.until_freed.model_copy(
            update={
                "system": "vlp_frozen",
                "data": self.data.source_side,
                "max_tokens": 1,
                "smoothing": 0.0,
                "decoder": DecoderConfig(),
                "identity_bridge": False,
                "modality": ModalityConfig(),
                "stage_one": same,
                "stage_two": same,
            }
        )


__all__ = [
    "PRETRAINED_HERE",
    "SEEING",
    "CorpusFile",
    "EncoderSettings",
    "ModalityConfig",
    "PretrainingConfig",
    "RegionsConfig",
    "Settings",
    "StageConfig",
    "System",
]
