"""A large classifier of pictures with texts teaches a small one, modality by modality.

Paper: Jin, Sanjabi, Nie, Tan, Ren and Firooz, *MSD: Saliency-aware Knowledge Distillation for
Multimodal Understanding*, Findings of EMNLP 2021.

1. ``teach``: a large classifier learns the labels. Its answers ``t`` to every training example
   whole, to its image alone and to its text alone are computed once and stored.
2. ``distil``: a small classifier ``s`` learns the labels and imitates the teacher in all three
   views: ``L = lambda CE + (1 - lambda) tau^2 sum_view w_view KL(t_view || s_view)``
   (eqs. 1 to 5). The weights of each example are

   - ``msd_population``: constants;
   - ``msd_importance``: tanh of how far a modality alone changes the teacher's answer (eq. 6);
   - ``msd_correctness``: as 1 / CE of the teacher's answer to the view (eq. 7);
   - ``msd_meta``: a perceptron of ``t`` in the three views (eq. 8), which after a look-ahead of the
     student is to lower its loss on meta-data (eqs. 9 and 10, Algorithm 1).

``small`` learns the labels alone, ``kd`` imitates the first view alone; ``fitnet``, ``rkd`` and
``sp`` compare features instead, or, as ``base`` of an ``msd_`` system, beside it (Table 2).

(The embedded world has a stage before: the CNN that looks at the regions.)

Departures from the paper: it does not say what stands for a modality that is left out: nothing
does (``drop`` has other readings). Meta-data are kept aside from training instead of being the
validation set. Of many labels every one is a Bernoulli variable instead of one of a softmax. Of
eq. 6 there are two readings (``distillation.importance``). FitNet compares [CLS] after every
student layer with the teacher's at the same depth; RKD and SP compare what is classified.

    phosphene train modality_kd --config toy --run runs/msd                      (two minutes)
    phosphene train modality_kd --config toy --set system=kd --run runs/kd
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.runtime import seed_update
from phosphene.core.types import VIEWS, Taught
from phosphene.data.classification_data import ClassificationData, ExampleBatches, in_order
from phosphene.data.regions import StoredRegions
from phosphene.data.store import Store
from phosphene.data.taught import TaughtBatches
from phosphene.data.teaching import States
from phosphene.data.views import Drop, dropping, views
from phosphene.evaluate.pretraining import held_out_means
from phosphene.models.view_answers import OnlineAnswers, producer_of, store_answers
from phosphene.nn.visual import freeze
from phosphene.recipes.modality_kd_data import load_data, mean_region
from phosphene.recipes.modality_kd_losses import Task, features, likelihood
from phosphene.recipes.modality_kd_networks import Pupil, Side, side
from phosphene.recipes.modality_kd_results import Trained, counted, evaluate, export
from phosphene.recipes.modality_kd_settings import Settings
from phosphene.train.stage import Finished, Fitter, LookAhead, Stage
from phosphene.weighting.direct import example_mean
from phosphene.weighting.instance import IMPORTANCE, ViewLosses, correctness, population
from phosphene.weighting.meta import MetaLearner

Weigh = Callable[[Taught], Float[Tensor, "batch view"]]

_EXAMPLES_AT_ONCE = 64
"""Of a pass over validation data."""

__all__ = ["Settings", "cache", "evaluate", "export", "train"]


def train(trainer: Fitter, settings: Settings) -> Trained:
    """Both stages of ``settings.system``."""
    data = load_data(trainer, settings)
    task = Task(data.labels.many)
    seed_update(settings.seed)
    teacher = side(settings, data, settings.teacher_network)
    data = counted(data, teacher.data)
    finished = teach(trainer, settings, task, teacher)
    drop = dropped(settings, teacher)
    answers: dict[str, States] = {
        "validation": teacher_answers(trainer, settings, teacher, teacher.data.validation, drop),
        "test": teacher_answers(trainer, settings, teacher, teacher.data.test, drop),
    }
    if settings.system == "teacher":
        return Trained(data, teacher, teacher, drop, finished, answers)
    seed_update(settings.seed)
    pupil = Pupil.of(settings, side(settings, data, settings.network), teacher)
    answers["train"] = training_answers(trainer, settings, teacher, drop, pupil)
    frozen = {} if settings.system == "small" else {"teacher": teacher.model}
    finished = distil(trainer, settings, task, pupil, answers["train"], drop, frozen)
    weigh = weights(settings, task, pupil.learner)
    return Trained(data, pupil.student, teacher, drop, finished, answers, weigh)


def teach(trainer: Fitter, settings: Settings, task: Task, teacher: Side) -> Finished:
    """Stage 1, once for all runs that lie side by side; the teacher ends frozen."""
    known = content(teacher) if settings.data.source == "files" else ()
    finished = trainer.shared("classifier", settings.until_teacher, *known).fit(
        Stage(
            name="teach",
            modules={"teacher": teacher.model},
            batches=ExampleBatches(teacher.data.train, settings.teach.batch, settings.seed),
            data=teacher.data.train.digest(),
            loss=lambda batch: {"likelihood": likelihood(task, teacher.model, batch)},
            evaluate=lambda: held_out(trainer, settings, task, teacher),
            budget=settings.teach.budget,
            optim=settings.teach.optim,
            published=teacher.published,
        )
    )
    freeze(teacher.model)
    return finished


def content(teacher: Side) -> tuple[str, ...]:
    """What a teacher learns and is selected by, and who found the regions.

    A user's own files may be edited in place; then the teacher is another one.
    """
    data = teacher.data
    assert data.train.regions is not None
    found = data.train.regions.pictures
    producer = found.store.producer.digest if isinstance(found, StoredRegions) else ""
    return data.train.digest(), data.validation.digest(), producer


def dropped(settings: Settings, teacher: Side) -> Drop:
    """How a modality is left out."""
    region = mean_region(teacher.data.train) if settings.drop == "mean" else None
    return dropping(settings.drop, region)


def training_answers(
    trainer: Fitter, settings: Settings, teacher: Side, drop: Drop, pupil: Pupil
) -> States:
    """The teacher's answers to the training examples, with the states that are compared."""
    layers = [theirs for _, theirs in pupil.hints.matches] if settings.features else []
    return teacher_answers(trainer, settings, teacher, teacher.data.train, drop, layers)


def teacher_answers(
    trainer: Fitter,
    settings: Settings,
    teacher: Side,
    data: ClassificationData,
    drop: Drop,
    layers: Sequence[int] = (),
) -> States:
    """The teacher's answers in all views, computed once where they can be kept."""
    online = OnlineAnswers(teacher.model, data, drop, layers)
    folder = trainer.cache("answers", producer_of(online, settings.drop).digest)
    return online if folder is None else store_answers(online, folder, settings.drop, trainer.log)


def objective(
    settings: Settings, task: Task, pupil: Pupil, drop: Drop
) -> Callable[[Taught], ViewLosses]:
    """The losses of eqs. 1 to 5, those of the views not yet weighted."""
    student, temperature = pupil.student.model, settings.distillation.temperature

    def losses(taught: Taught) -> ViewLosses:
        seen = views(taught.batch, drop)
        trace = student(seen.both)
        assert taught.batch.labels is not None
        learned = task.likelihood(trace.logits, taught.batch.labels)
        fixed = {"likelihood": example_mean(learned, settings.label_share)}
        fixed |= features(settings, trace, taught, pupil.hints)
        ours = [trace.logits] if settings.views != "none" else []
        if settings.views not in ("none", "both"):
            ours += [student(seen.image).logits, student(seen.text).logits]
        imitated = [
            task.imitation(own, theirs, temperature)
            for own, theirs in zip(ours, taught.logits.unbind(1), strict=False)
        ]
        imitated += [torch.zeros_like(learned)] * (len(VIEWS) - len(ours))
        return ViewLosses(fixed, torch.stack(imitated, dim=1), 1 - settings.label_share)

    return losses


def weights(settings: Settings, task: Task, learner: MetaLearner) -> Weigh:
    """The weights of every example's views (section 3.2 to 3.4 of the paper)."""
    plan = settings.distillation

    def weigh(taught: Taught) -> Float[Tensor, "batch view"]:
        whole, *alone = taught.logits.unbind(1)
        match settings.views:
            case "importance":
                changed = [task.divergence(whole, one) for one in (whole, *alone)]
                return IMPORTANCE[plan.importance](torch.stack(changed, dim=1))
            case "correctness":
                assert taught.batch.labels is not None
                wrong = [task.surprise(one, taught.batch.labels) for one in (whole, *alone)]
                return correctness(torch.stack(wrong, dim=1))
            case "meta":
                answered: Tensor = learner(task.probabilities(taught.logits))
                return answered
            case "population":
                return population(plan.population, taught.logits[:, :, 0])
            case "both" | "none":
                return population((1.0, 0.0, 0.0), taught.logits[:, :, 0])

    return weigh


def distil(
    trainer: Fitter,
    settings: Settings,
    task: Task,
    pupil: Pupil,
    answers: States,
    drop: Drop,
    frozen: Mapping[str, nn.Module],
) -> Finished:
    """Stage 2; with ``msd_meta`` the weights are learned on the way (Algorithm 1).

    Args:
        trainer: runs the stage.
        settings: of the run.
        task: one label or many.
        pupil: what learns.
        answers: the teacher's to the training examples.
        drop: how a modality is left out.
        frozen: what the answers come from, by name.
    """
    student, size = pupil.student, settings.distil.batch
    look_ahead = LookAhead(
        learner=pupil.learner,
        weigh=weights(settings, task, pupil.learner),
        losses=objective(settings, task, pupil, drop),
        meta_batches=ExampleBatches(student.data.meta, size, settings.seed),
        meta_loss=lambda batch: likelihood(task, student.model, batch),
        config=settings.meta,
    )
    hints = {"hints": pupil.hints} if settings.features == "fitnet" else {}
    return trainer.fit(
        Stage(
            name="distil",
            modules={"student": student.model, **hints},
            frozen=frozen,
            batches=TaughtBatches(
                student.data.train, answers, settings.distil.batch, settings.seed
            ),
            data=student.data.train.digest(),
            loss=look_ahead.terms,
            look_ahead=look_ahead if settings.views == "meta" else None,
            evaluate=lambda: held_out(trainer, settings, task, student),
            budget=settings.distil.budget,
            optim=settings.distil.optim,
            published=student.published,
        )
    )


def held_out(trainer: Fitter, settings: Settings, task: Task, side: Side) -> dict[str, float]:
    """The same on validation data."""
    batches = in_order(side.data.validation, _EXAMPLES_AT_ONCE)
    return held_out_means(
        lambda batch: {"likelihood": likelihood(task, side.model, batch)}, batches, trainer.device
    )


def cache(trainer: Fitter, settings: Settings) -> Store:
    """Train the teacher and store its answers, nothing else: ``phosphene cache``."""
    data = load_data(trainer, settings)
    seed_update(settings.seed)
    teacher = side(settings, data, settings.teacher_network)
    teach(trainer, settings, Task(data.labels.many), teacher)
    seed_update(settings.seed)
    pupil = Pupil.of(settings, side(settings, data, settings.network), teacher)
    stored = training_answers(trainer, settings, teacher, dropped(settings, teacher), pupil)
    assert isinstance(stored, Store)
    return stored
