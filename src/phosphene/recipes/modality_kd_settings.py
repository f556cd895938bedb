"""Settings of the recipe ``modality_kd``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from phosphene.core.config import Frozen
from phosphene.core.runtime import RuntimeConfig
from phosphene.data.classification_world import WorldTask
from phosphene.data.questions import Lengths
from phosphene.data.views import DropSetting
from phosphene.models.backbone import BackboneConfig
from phosphene.recipes.world_teacher import TeacherTraining
from phosphene.train.bilevel import unfit
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget, LookAheadConfig

System = Literal[
    "teacher",
    "small",
    "kd",
    "fitnet",
    "rkd",
    "sp",
    "msd_population",
    "msd_importance",
    "msd_correctness",
    "msd_meta",
]
Base = Literal["kd", "fitnet", "rkd", "sp"]
Views = Literal["none", "both", "population", "importance", "correctness", "meta"]


class FilesConfig(Frozen):
    """``data.source = "files"``: where the examples lie, and the regions of their pictures."""

    format: Literal["hateful_memes", "mm_imdb", "snli_ve", "posters", "jsonl"]
    train: Path
    """A file; of ``mm_imdb`` the folder that holds ``split.json``, three times."""
    validation: Path
    test: Path
    images: Path | None = None
    """``snli_ve`` and ``posters``: the folder of the pictures."""
    labels: tuple[str, ...] = ()
    """``posters`` and ``jsonl``: what examples may be called."""
    many: bool = False
    """``posters`` and ``jsonl``: any number of labels may hold."""
    keep_going: bool = False
    """Leave out rows that are wrong (they are counted) instead of ending with the first."""
    regions: Path
    """Folder of a store of regions; pictures are named by their file names without suffix."""

    @model_validator(mode="after")
    def _complete(self) -> FilesConfig:
        if self.format in ("snli_ve", "posters") and self.images is None:
            raise ValueError(f"format '{self.format}' needs 'images', the folder of the pictures")
        if (self.format in ("posters", "jsonl")) != bool(self.labels):
            raise ValueError("'labels' belong to the formats 'posters' and 'jsonl' alone")
        return self

    @property
    def paths(self) -> dict[str, Path]:
        """The splits by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


class DataConfig(Frozen):
    """What is classified."""

    source: Literal["world", "easy_vqa", "daquar", "files"]
    task: WorldTask = "hostility"
    """World: two classes with unimodal confounders, eight labels of which any may hold, or three
    classes."""
    train_examples: int = Field(default=3000, ge=2)
    """World."""
    test_examples: int = Field(default=600, ge=1)
    """World: of validation and of test."""
    world_seed: int = Field(default=1, ge=0)
    answers: int = Field(default=3000, ge=1)
    """Questions: the most frequent answers are the classes."""
    most: Mapping[str, Annotated[int, Field(ge=1)]] = {}
    """Questions: at most so many of a split, drawn by chance whatever the seed."""
    region_side: int = Field(default=112, ge=32)
    """Questions: pixels of the squares whose cells EfficientNet-Lite0 looks at."""
    files: FilesConfig | None = None
    meta_split: Literal["train", "validation"] = "train"
    """Where meta-data come from. The paper's is ``validation``, by which it also selects;
    ``train`` keeps a part of training aside, for every system alike."""
    meta_examples: int = Field(default=0, ge=0)
    """``train``: how many; 0: as many as there are for validation."""

    @model_validator(mode="before")
    @classmethod
    def _files_are_read(cls, values: Any) -> Any:
        # Before the section is looked at: it may have nothing but what --keep-going says.
        if isinstance(values, dict) and values.get("source") != "files" and values.get("files"):
            raise ValueError("a section data.files belongs to data.source = 'files' alone")
        return values

    @model_validator(mode="after")
    def _parts_are_known(self) -> DataConfig:
        if self.source == "files" and self.files is None:
            raise ValueError("data.source = 'files' needs a section data.files")
        if not self.most.keys() <= {"train", "validation", "test"}:
            raise ValueError("most: expected train, validation or test")
        return self


class StageConfig(Frozen):
    """How long a stage lasts and how it is optimised."""

    batch: int = Field(default=64, ge=2)
    """Examples of an update, and of an update of the meta-learner. Paper: 10 for the student on
    Hateful-Memes, 20 on MM-IMDb, 64 on SNLI-VE; the published VisualBERTs learned from 64."""
    budget: Budget
    optim: OptimConfig = OptimConfig(
        learning_rate=5e-5, betas=(0.9, 0.999), schedule="linear", clip_norm=1.0
    )
    """Paper: AdamW, a tenth of the updates to warm up, linear to 0."""


class DistillationConfig(Frozen):
    """What the student imitates, and how much."""

    temperature: float = Field(default=4.0, gt=0)
    """tau. Paper: 4 (Hateful-Memes and SNLI-VE), 1 (MM-IMDb)."""
    label_share: float = Field(default=0.5, ge=0, le=1)
    """lambda of eq. 1. Paper: .5 (Hateful-Memes and MM-IMDb), .6 (SNLI-VE)."""
    population: tuple[float, float, float] = (1.0, 0.5, 0.5)
    """Weights of both modalities, the image alone, the text alone, each in [0, 1]. The paper takes
    them from a grid and does not print them; (1, 0, 0) is plain distillation."""
    importance: Literal["as_printed", "by_prose"] = "as_printed"
    """Which of the two readings of eq. 6."""
    fitnet: float = Field(default=1.0, ge=0)
    """Weight of the states. These three are 100, 1 and 3000 for published CNNs."""
    rkd: float = Field(default=1.0, ge=0)
    """Weight of the relations: 25 times that of distances and 50 times that of angles."""
    sp: float = Field(default=100.0, ge=0)
    """Weight of the similarities."""
    meta_hidden: int = Field(default=100, ge=1)
    """Width of the perceptron of eq. 8; Shu et al. (2019): 100."""

    @model_validator(mode="after")
    def _weights_fit(self) -> DistillationConfig:
        if not all(0 <= weight <= 1 for weight in self.population):
            raise ValueError("population: expected three weights in [0, 1]")
        return self


class Settings(Frozen):
    """Everything that a run of ``modality_kd`` depends on."""

    system: System = "msd_meta"
    """A row of Table 1. ``small`` has no teacher in its loss; the ``teacher`` may be run alone."""
    base: Base = "kd"
    """What ``msd_...`` is put on top of: Table 2."""
    seed: int = Field(default=1, ge=0)
    drop: DropSetting = "mask"
    """How a modality is left out, of the teacher's input and of the student's alike."""
    lengths: Lengths = Lengths(question=128, tags=0, regions=100)
    """What is read: word pieces of the text, word pieces of tags (0: none), regions."""
    data: DataConfig
    network: BackboneConfig = BackboneConfig()
    """The student's. Paper: TinyBERT."""
    teacher_network: BackboneConfig = BackboneConfig()
    """Paper: VisualBERT."""
    teacher_training: TeacherTraining = TeacherTraining()
    """World: the CNN that looks at the regions."""
    teach: StageConfig
    """The teacher's training."""
    distil: StageConfig
    """The student's."""
    distillation: DistillationConfig = DistillationConfig()
    meta: LookAheadConfig = LookAheadConfig()
    """``msd_meta``: how its weights are learned."""
    runtime: RuntimeConfig = RuntimeConfig()

    @model_validator(mode="after")
    def _base_is_used(self) -> Settings:
        if self.base != "kd" and not self.system.startswith("msd_"):
            raise ValueError(f"base = '{self.base}' belongs to msd_ systems, not to {self.system}")
        return self

    @model_validator(mode="after")
    def _weights_can_be_learned(self) -> Settings:
        if self.system == "msd_meta" and (problem := unfit(self.runtime)):
            raise ValueError(f"system 'msd_meta': {problem}")
        if self.system == "msd_meta" and self.distil.optim.published_share != 1:
            raise ValueError(
                "system 'msd_meta': a look-ahead has one rate, expected no published_share"
            )
        return self

    @property
    def views(self) -> Views:
        """Which views of the teacher are imitated, and with which weights."""
        match self.system:
            case "kd":
                return "both"
            case "msd_population":
                return "population"
            case "msd_importance":
                return "importance"
            case "msd_correctness":
                return "correctness"
            case "msd_meta":
                return "meta"
            case _:
                return "none"

    @property
    def features(self) -> Literal["fitnet", "rkd", "sp"] | None:
        """What is compared beside answers."""
        match self.system:
            case "fitnet" | "rkd" | "sp":
                return self.system
        return None if self.base == "kd" else self.base

    @property
    def label_share(self) -> float:
        """Weight of the labels' likelihood: 1 where no answers are imitated."""
        return 1.0 if self.views == "none" else self.distillation.label_share

    @property
    def until_teacher(self) -> Settings:
        """What the teacher depends on: runs for which this is the same share it."""
        return self.model_copy(
            update={
                "system": "teacher",
                "base": "kd",
                "drop": "mask",
                "network": BackboneConfig(),
                "distil": self.teach,
                "distillation": DistillationConfig(),
                "meta": LookAheadConfig(),
                "runtime": RuntimeConfig(),
            }
        )


__all__ = [
    "Base",
    "DataConfig",
    "DistillationConfig",
    "FilesConfig",
    "Settings",
    "StageConfig",
    "System",
    "Views",
]
