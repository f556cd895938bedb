"""What the recipe ``modality_kd`` is trained and measured on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.answers import AnswerVocabulary
from phosphene.data.classification import Example, LabelSet
from phosphene.data.classification_data import ClassificationData
from phosphene.data.classification_world import CONFOUNDERS, WORLD_LABELS, world_examples
from phosphene.data.corpus import CorpusConfig
from phosphene.data.dataset import NO_PICTURE
from phosphene.data.questions import Reader
from phosphene.data.regions import RegionTable, StoredRegions
from phosphene.data.root import data_root
from phosphene.data.vqa import Question, split_by_image
from phosphene.data.vqa_sets import daquar_by_photo, read_easy_vqa
from phosphene.data.world.scene import PICTURE_SIZE, Scene
from phosphene.data.world.splits import Part, World
from phosphene.models.folder import Vision
from phosphene.models.regions import GridTeacher, extract_regions, world_regions
from phosphene.models.teachers import TeacherConfig, build_teacher
from phosphene.nn.visual import freeze
from phosphene.recipes.modality_kd_files import label_set, photo_names, read_files
from phosphene.recipes.modality_kd_settings import DataConfig, FilesConfig, Settings
from phosphene.recipes.world_teacher import train_world_detector
from phosphene.train.stage import Fitter, cache_folder

_PARTS = {"train": Part.TRAIN, "validation": Part.VALID, "test": Part.TEST}


@dataclass(frozen=True)
class Split:
    """Examples as they were read."""

    examples: tuple[Example, ...]
    pictures: tuple[str | None, ...]
    """What ``table`` knows the picture of each example by."""
    table: RegionTable
    uncovered: int = 0
    """Examples beside these whose label is none of the model's."""
    skipped: tuple[str, ...] = ()
    """One line for each row that was wrong and left out."""
    together: int = 1
    """Consecutive examples that belong together."""

    def encode(self, reader: Reader, labels: LabelSet) -> ClassificationData:
        """The examples as a model with this ``reader`` reads them."""
        named = dict.fromkeys(name for name in self.pictures if name is not None)
        place = {name: row for row, name in enumerate(named)}
        data = ClassificationData(
            self.examples,
            labels,
            [reader.ids(reader.words(example.text)) for example in self.examples],
            np.array([NO_PICTURE if name is None else place[name] for name in self.pictures]),
            tuple(place),
            together=self.together,
        )
        return data.with_regions(self.table, lambda tags: [reader.tag_ids([tag]) for tag in tags])


@dataclass(frozen=True)
class Encoded:
    """All examples as one model reads them."""

    train: ClassificationData
    meta: ClassificationData
    """What learned weights are measured by."""
    validation: ClassificationData
    test: ClassificationData


@dataclass(frozen=True)
class Data:
    """What was read, with what there is to see."""

    labels: LabelSet
    splits: Mapping[str, Split]
    """``train``, ``validation`` and ``test``."""
    vision: Vision | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    """More to tell a person."""

    @property
    def feature(self) -> int:
        """Width of a region."""
        return self.splits["train"].table.width

    def encode(self, reader: Reader, plan: DataConfig, seed: int) -> Encoded:
        """All examples for one reader. Which are kept aside as meta-data depends on ``seed``.

        Raises:
            InputError: keeping meta-data aside would leave nothing.
        """
        train, validation, test = (
            self.splits[name].encode(reader, self.labels)
            for name in ("train", "validation", "test")
        )
        if plan.meta_split == "validation":
            return Encoded(train, validation, validation, test)
        try:
            train, meta = train.split_off(plan.meta_examples or len(validation), seed)
        except InputError as error:
            origin = plan.source if plan.files is None else plan.files.train
            default = "" if plan.meta_examples else " (as many as there are for validation)"
            raise InputError(
                f"{origin}: data.meta_examples = {plan.meta_examples}{default}: {error}"
            ) from error
        return Encoded(train, meta, validation, test)

    def texts(self) -> Iterator[str]:
        """What a tokenizer has to know: training texts and tags."""
        split = self.splits["train"]
        for example, name in zip(split.examples, split.pictures, strict=True):
            yield example.text
            if name is not None:
                yield " ".join(split.table.tags(name))

    def counts(self) -> dict[str, str]:
        """Examples of each split, for a person."""
        rows = {name: f"{len(split.examples):,}" for name, split in self.splits.items()}
        for name, split in self.splits.items():
            for what, count in (("uncovered", split.uncovered), ("left out", len(split.skipped))):
                if count:
                    rows[f"{name}, {what}"] = f"{count:,}"
        return rows | {"labels": f"{len(self.labels.names):,}"} | dict(self.extra)


def load_data(trainer: Fitter, settings: Settings) -> Data:
    """Read or draw everything.

    Raises:
        InputError: data are missing or wrong, or a class has no training example.
    """
    data = _load(trainer, settings)
    return replace(data, extra={"in place of a modality left out": settings.drop})


def _load(trainer: Fitter, settings: Settings) -> Data:
    plan = settings.data
    match plan.source:
        case "world":
            return _world(trainer, settings)
        case "easy_vqa" | "daquar":
            return _questions(trainer, settings, read_questions(plan.source))
        case "files":
            assert plan.files is not None
            return _files(plan.files, settings.lengths.regions, trainer.log)


def read_questions(
    source: Literal["easy_vqa", "daquar"],
) -> Mapping[str, Sequence[Question]]:
    """``train``, ``validation`` and ``test``, which share no picture.

    Raises:
        InputError: the data are missing or wrong.
    """
    if source == "daquar":
        parts = daquar_by_photo(data_root())
    else:
        parts = split_by_image(read_easy_vqa("train"), {"train": 0.9, "validation": 0.1})
        parts["test"] = read_easy_vqa("test")
    return {"train": parts["train"], "validation": parts["validation"], "test": parts["test"]}


def mean_region(data: ClassificationData) -> Float[Tensor, " feature"]:
    """The mean of all regions of the pictures of ``data``, geometry included."""
    assert data.regions is not None
    total, count = torch.zeros(data.regions.width, dtype=torch.float64), 0
    for name in data.picture_names:
        found = data.regions.regions([name])
        total += found.features[found.mask].double().sum(dim=0)
        count += int(found.mask.sum())
    return (total / max(count, 1)).float()


def _world(trainer: Fitter, settings: Settings) -> Data:
    plan = settings.data
    network = TeacherConfig(network="small_resnet", side=PICTURE_SIZE)
    scenes_of = CorpusConfig(source="world", tests=("ordinary",), world_seed=plan.world_seed)
    # Regions are data, like those of a published detector: one network looks, whatever the seed.
    looks = train_world_detector(
        trainer, network, settings.teacher_training, scenes_of, plan.world_seed
    )
    world = World(plan.world_seed)
    splits = {}
    for name, part in _PARTS.items():
        count = plan.train_examples if name == "train" else plan.test_examples
        examples, scenes = world_examples(plan.task, world, count, part)
        named: dict[str, Scene] = {e.id: s for e, s in zip(examples, scenes, strict=True)}
        table = RegionTable(world_regions(looks, named, whole=True), most=settings.lengths.regions)
        # A scene has no file: its example's id is its name.
        splits[name] = Split(examples, tuple(named), table, together=CONFOUNDERS[plan.task])
    return Data(WORLD_LABELS[plan.task], splits, Vision(network, looks))


def _questions(
    trainer: Fitter, settings: Settings, parts: Mapping[str, Sequence[Question]]
) -> Data:
    """Questions as examples whose labels are their most frequent answers."""
    vocabulary = AnswerVocabulary.learn(parts["train"], settings.data.answers)
    labels = LabelSet(vocabulary.answers)
    known = frozenset(labels.names)
    network = TeacherConfig(network="efficientnet_lite0", side=settings.data.region_side)
    looks = freeze(build_teacher(network)).to(trainer.device)
    assert isinstance(looks, GridTeacher)
    splits = {}
    for name, every in parts.items():
        questions = drawn(every, settings.data.most.get(name))
        covered = [each for each in questions if each.best_answer in known]
        photos = sorted({each.image for each in covered if each.image is not None})
        if not covered or not photos:
            raise InputError(f"{name}: no question has a picture and an answer of training")
        folder = photos[0].parent.parent.name
        key = f"{settings.data.source}-{folder}-{settings.data.region_side}"
        found = extract_regions(looks, photos, cache_folder(trainer, "regions", key), trainer.log)
        examples = tuple(
            Example(each.id, each.text["en"], (each.best_answer or "",), each.image, each.place)
            for each in covered
        )
        table = RegionTable(found, most=settings.lengths.regions)
        uncovered = len(questions) - len(covered)
        splits[name] = Split(examples, photo_names(examples), table, uncovered)
    return Data(labels, splits, Vision(network, looks))


def drawn(questions: Sequence[Question], most: int | None) -> Sequence[Question]:
    """At most so many, in their order; which ones depends on their ids alone."""
    if most is None or len(questions) <= most:
        return questions
    chance = {each.id: Random(f"most/{each.id}").random() for each in questions}
    last = sorted(chance.values())[most - 1]
    return [each for each in questions if chance[each.id] <= last]


def _files(files: FilesConfig, most: int, log: RunLog) -> Data:
    labels = label_set(files)
    table = RegionTable(StoredRegions(files.regions), most=most)
    splits = {
        name: Split(found.examples, photo_names(found.examples), table, skipped=found.skipped)
        for name, found in read_files(files, labels, table, log).items()
    }
    return Data(labels, splits)


__all__ = [
    "Data",
    "Encoded",
    "Split",
    "drawn",
    "load_data",
    "mean_region",
    "read_questions",
]
