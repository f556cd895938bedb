"""The embedded world's visual teachers: small CNNs that learn the labels of drawn scenes.

One looks at whole pictures; the other, a detector that is told its boxes, at regions.
"""

from __future__ import annotations

from pydantic import Field

from phosphene.core.config import Frozen
from phosphene.core.runtime import seed_update
from phosphene.core.types import LabelledPictures
from phosphene.data.corpus import CorpusConfig
from phosphene.data.dataset import LabelledScenes, PictureBatches
from phosphene.data.scenes import labelled_scenes, teacher_scenes
from phosphene.models.regions import labelled_regions
from phosphene.models.teachers import TeacherConfig, build_teacher
from phosphene.nn.visual import VisualTeacher, freeze
from phosphene.objectives.likelihood import multi_label
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget, Fitter, Stage
from phosphene.weighting.direct import Term, example_mean


class TeacherTraining(Frozen):
    """How the embedded world's teacher learns the labels of scenes (not used elsewhere)."""

    scenes: int = Field(default=6000, ge=2)
    pictures_per_update: int = Field(default=64, ge=2)
    budget: Budget = Budget(max_updates=300, average_last=1)
    optim: OptimConfig = OptimConfig(learning_rate=0.003, warmup_updates=30, schedule="cosine")


def train_world_teacher(
    trainer: Fitter,
    network: TeacherConfig,
    plan: TeacherTraining,
    data: CorpusConfig,
    seed: int,
) -> VisualTeacher:
    """A frozen teacher, trained once for all runs that lie side by side."""
    scenes = labelled_scenes(plan.scenes, data.tests, data.world_seed)
    return _train("teacher", scenes, trainer, network, plan, data, seed)


def train_world_detector(
    trainer: Fitter,
    network: TeacherConfig,
    plan: TeacherTraining,
    data: CorpusConfig,
    seed: int,
) -> VisualTeacher:
    """The same for regions: it names what is in a box, its colour and what it does.

    VinVL's detector learns the same from Visual Genome: objects and their attributes. A label it
    was not trained on is in its features too, but in directions of little variance, from which an
    answerer learns it an order of magnitude more slowly.
    """
    scenes = labelled_regions(teacher_scenes(plan.scenes, data.tests, data.world_seed))
    return _train("detector", scenes, trainer, network, plan, data, seed)


def _train(
    name: str,
    scenes: LabelledScenes,
    trainer: Fitter,
    network: TeacherConfig,
    plan: TeacherTraining,
    data: CorpusConfig,
    seed: int,
) -> VisualTeacher:
    seed_update(seed)
    teacher = build_teacher(network, scenes.labels.shape[1])

    def loss(batch: LabelledPictures) -> dict[str, Term]:
        seen = teacher.perceive(teacher.normalise(batch.pixels))  # regions are of another size
        losses = multi_label(seen.logits, batch.labels)
        return {"labels": example_mean(losses)}

    trainer.shared(name, network, plan, data.whole, seed).fit(
        Stage(
            name=name,
            modules={name: teacher},
            batches=PictureBatches(scenes, plan.pictures_per_update, seed),
            loss=loss,
            budget=plan.budget,
            optim=plan.optim,
        )
    )
    return freeze(teacher)


__all__ = ["TeacherTraining", "train_world_detector", "train_world_teacher"]
