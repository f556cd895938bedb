"""Settings of the recipe ``crosslingual_vqa``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from phosphene.core.config import Frozen
from phosphene.core.runtime import RuntimeConfig
from phosphene.data.align import CodeMixing
from phosphene.data.questions import Lengths
from phosphene.models.answerer import Kind
from phosphene.models.backbone import BackboneConfig
from phosphene.recipes.world_teacher import TeacherTraining
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget

System = Literal["kd", "baseline", "aug", "translate_test", "teacher"]


class FileConfig(Frozen):
    """One file of questions."""

    path: Path
    format: Literal["jsonl", "cvil", "visual_genome"] = "jsonl"
    """One of your own, the cViL authors', or Visual Genome's (in the target language)."""
    labels: Path | None = None
    """``cvil``: the JSON array of the answers that its label numbers mean."""
    alignments: Path | None = None
    """Word alignments in Pharaoh format, English first; learned from the questions if not given."""


class FilesConfig(Frozen):
    """``data.source = "files"``: the three data sets and what measures them."""

    parallel: FileConfig
    """T: English questions with English answers and their translations."""
    parallel_validation: FileConfig
    target: FileConfig
    """R: questions in the target language with its answers."""
    target_validation: FileConfig
    test: FileConfig
    """In the target language; also in English for ``translate_test``."""
    regions: Path
    """Folder of a store of regions, see the page on data."""
    answers: Path | None = None
    """``English answer <tab> answer`` lines, for ``aug`` and ``translate_test``."""


class DataConfig(Frozen):
    """What is asked. T, R and the test set share no picture."""

    source: Literal["world", "easy_vqa", "daquar", "files"]
    language: Literal["ja", "hi"] = "ja"
    """The target language."""
    labels: int = Field(default=0, ge=0)
    """So many questions of R are labelled, the first of a seeded order; 0: all."""
    noise: float = Field(default=0.0, ge=0, le=1)
    """Share of the words of the translations that are wrong: those of T, and those of the test
    questions into English for ``translate_test``. Tried: 0, 0.1, 0.3."""
    answers: int = Field(default=3000, ge=1)
    """At most so many answers, the most frequent: 3,129 in English, 3,000 in Japanese."""
    pictures: bool = True
    """False: a model that reads the question alone."""
    files: FilesConfig | None = None
    parallel_scenes: int = Field(default=2500, ge=1)
    """World: scenes of T."""
    target_scenes: int = Field(default=1000, ge=1)
    """World: scenes of R."""
    test_scenes: int = Field(default=200, ge=1)
    """World: scenes of each validation set and of the test set."""
    world_seed: int = Field(default=1, ge=0)
    region_side: int = Field(default=224, ge=32)
    """Photos: pixels of the squares that EfficientNet-Lite0 looks at."""

    @model_validator(mode="after")
    def _files_are_named(self) -> DataConfig:
        if (self.source == "files") != (self.files is not None):
            raise ValueError("a section data.files belongs to data.source = 'files' alone")
        return self


class AnswererBackbone(BackboneConfig):
    """An answerer's; the defaults are cViL's: OSCAR+ teaches, mBERT learns."""

    trim: bool = True
    dropout: float = Field(default=0.3, ge=0, lt=1)


class StageConfig(Frozen):
    """How long a stage lasts and how it is optimised."""

    budget: Budget
    optim: OptimConfig = OptimConfig(
        learning_rate=5e-5,
        warmup_updates=0,
        schedule="linear",
        betas=(0.9, 0.999),
        weight_decay=0.05,
        clip_norm=1.0,
    )


class DistillationConfig(Frozen):
    """What the student imitates (eqs. 2 to 6)."""

    layers: tuple[int, ...] = Field(default=(3, 6, 9, 12), min_length=1)
    """Of the teacher, from 1; the last one alone is Table III's "w/o intermediate layers"."""
    layer_weights: tuple[float, ...] = ()
    """``lambda_m`` of eq. 6; empty: 1 for each, as in the paper."""
    kinds: tuple[Kind, ...] = Field(default=("cls", "region", "tag", "mixed"), min_length=1)
    """Table III leaves out one at a time. Without ``mixed`` the student reads clean questions."""
    normalise: Literal["per_term", "union", "paper"] = "per_term"
    """Each kind's mean; one mean over all pairs (the released code); eqs. 2 to 5 as printed."""
    mixing: CodeMixing = CodeMixing()
    half: bool = True
    """The teacher's states are stored in float16."""

    @model_validator(mode="after")
    def _weights_fit(self) -> DistillationConfig:
        if self.layer_weights and len(self.layer_weights) != len(self.layers):
            raise ValueError(f"layer_weights: expected {len(self.layers)}, one for each layer")
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        """``lambda_m`` by layer."""
        return self.layer_weights or (1.0,) * len(self.layers)

    @property
    def mix(self) -> CodeMixing:
        """Nothing is mixed in where it is not compared."""
        return self.mixing if "mixed" in self.kinds else CodeMixing(share=0.0)


class Settings(Frozen):
    """Everything that a run of ``crosslingual_vqa`` depends on."""

    system: System = "kd"
    """``kd``: distilled on T without labels, then R. ``aug``: trained on T with translated labels,
    then R. ``baseline``: R alone. ``translate_test``: the teacher answers translated questions.
    ``teacher``: English alone."""
    seed: int = Field(default=1, ge=0)
    batch: int = Field(default=128, ge=1)
    """Questions of an update."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the question's word pieces that are hidden ([UNK]) in training; the paper hides
    none. A little helps networks from scratch with wordings that they have not seen; at 0.3 the
    questions that have become unanswerable keep rare types from being learned at all."""
    together: bool = False
    """Stages that learn answers: the questions about one picture come one after the other, which is
    to say nearly always in one batch."""
    answer_loss: Literal["cross_entropy", "binary"] = "cross_entropy"
    """The paper names the first; its code takes the second, on soft scores."""
    lengths: Lengths = Lengths()
    data: DataConfig
    network: AnswererBackbone = AnswererBackbone()
    """Of the student."""
    teacher_network: AnswererBackbone = AnswererBackbone()
    teacher_training: TeacherTraining = TeacherTraining()
    """World: the detector, a CNN that looks at the regions."""
    english: StageConfig
    """The teacher's training on English questions."""
    distil: StageConfig
    translated: StageConfig
    """``aug``: the whole model on T, after the head as long as on R."""
    head: StageConfig
    whole: StageConfig
    distillation: DistillationConfig = DistillationConfig()
    runtime: RuntimeConfig = RuntimeConfig()

    @model_validator(mode="after")
    def _layers_exist(self) -> Settings:
        for layer in self.distillation.layers:
            if not 1 <= layer <= self.teacher_network.layers:
                raise ValueError(
                    f"distillation.layers: {layer} is not in 1..{self.teacher_network.layers}"
                )
        if self.data.source == "daquar" and self.system != "teacher":
            raise ValueError("daquar is English alone: expected system = 'teacher'")
        return self

    @model_validator(mode="after")
    def _files_have_what_it_needs(self) -> Settings:
        files = self.data.files
        if files is None or self.system not in ("aug", "translate_test"):
            return self
        if files.answers is None:
            raise ValueError(f"system '{self.system}': expected data.files.answers")
        if self.system == "translate_test" and files.test.format == "visual_genome":
            raise ValueError(
                "system 'translate_test': expected test questions in English, too; "
                "visual_genome has one language"
            )
        return self

    @property
    def needs_teacher(self) -> bool:
        """Whether an English answerer is trained."""
        return self.system in ("kd", "translate_test", "teacher")

    @property
    def until_teacher(self) -> Settings:
        """What the teacher depends on: runs for which this is the same share it."""
        return self.until_distilled.model_copy(
            update={
                "data": self._data(labels=0, noise=0.0, language="ja"),
                "network": AnswererBackbone(),
                "distil": self.english,
                "distillation": DistillationConfig(),
            }
        )

    @property
    def until_distilled(self) -> Settings:
        """What the distilled student depends on."""
        return self.model_copy(
            update={
                "system": "kd",
                "data": self._data(labels=0),
                "translated": self.english,
                "head": self.english,
                "whole": self.english,
                "runtime": RuntimeConfig(),
            }
        )

    @property
    def until_translated(self) -> Settings:
        """What a student of ``aug`` that has learned from T depends on."""
        return self.until_distilled.model_copy(
            update={
                "system": "aug",
                "teacher_network": AnswererBackbone(),
                "english": self.translated,
                "translated": self.translated,
                "head": self.head,
                "distil": self.translated,
                "distillation": DistillationConfig(),
            }
        )

    def _data(self, **changes: object) -> DataConfig:
        return self.data.model_copy(update=changes)


__all__ = [
    "AnswererBackbone",
    "DataConfig",
    "DistillationConfig",
    "FileConfig",
    "FilesConfig",
    "Settings",
    "StageConfig",
    "System",
]
