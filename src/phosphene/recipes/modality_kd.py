"""A large classifier of pictures with texts teaches a small one, modality by modality.

Paper: Jin, Sanjabi, Nie, Tan, Ren and Firooz, *MSD: Saliency-aware Knowledge Distillation for
Multimodal Understanding*, Findings of EMNLP 2021.

1. ``teacher``: a large classifier learns the labels. Its answers ``t`` to every training example
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

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.runtime import seed_update
from phosphene.core.types import VIEWS, Batch, Taught
from phosphene.data.classification_data import ExampleBatches, in_order
from phosphene.data.taught import TaughtBatches
from phosphene.data.teaching import States
from phosphene.data.views import Drop, dropping, views
from phosphene.evaluate.pretraining import held_out_means
from phosphene.models.answerer import Answerer, AnswererTrace
from phosphene.models.view_answers import OnlineAnswers, producer_of, store_answers
from phosphene.nn.hint import HintRegressor
from phosphene.nn.visual import freeze
from phosphene.objectives.imitation import hint
from phosphene.objectives.relation import angle_relation, distance_relation, similarity_relation
from phosphene.recipes.modality_kd_data import load_data, mean_region
from phosphene.recipes.modality_kd_networks import Side, Task, matched_layers, side
from phosphene.recipes.modality_kd_results import Trained, evaluate, export
from phosphene.recipes.modality_kd_settings import Settings
from phosphene.train.stage import Finished, Fitter, LookAhead, Stage
from phosphene.weighting.direct import Term, example_mean
from phosphene.weighting.instance import IMPORTANCE, ViewLosses, correctness, population
from phosphene.weighting.meta import MetaLearner

Weigh = Callable[[Taught], Float[Tensor, "batch view"]]

__all__ = ["Settings", "evaluate", "export", "train"]


def train(trainer: Fitter, settings: Settings) -> Trained:
    """Both stages of ``settings.system``."""
    data = load_data(trainer, settings)
    task = Task(data.labels.many)
    seed_update(settings.seed)
    teacher = side(settings, data, settings.teacher_network)
    finished = teach(trainer, settings, task, teacher)
    region = mean_region(teacher.data.train) if settings.drop == "mean" else None
    drop = dropping(settings.drop, region)
    if settings.system == "teacher":
        return Trained(data, teacher, teacher, drop, finished)
    seed_update(settings.seed)
    student = side(settings, data, settings.network)
    depths = student.model.encoder.config.layers, teacher.model.encoder.config.layers
    matches = matched_layers(*depths) if settings.features else ()
    answers = teacher_answers(trainer, settings, teacher, drop, [each for _, each in matches])
    hints = HintRegressor(student.model.width, teacher.model.width, matches)
    learner = MetaLearner(len(data.labels.names), settings.distillation.meta_hidden)
    losses = objective(settings, task, student.model, hints, drop)
    weigh = weights(settings, task, learner)
    finished = distil(trainer, settings, task, student, answers, hints, losses, weigh, learner)
    return Trained(data, student, teacher, drop, finished, weigh, answers)


def teach(trainer: Fitter, settings: Settings, task: Task, teacher: Side) -> Finished:
    """Stage 1, once for all runs that lie side by side; the teacher ends frozen."""
    finished = trainer.shared("classifier", settings.until_teacher).fit(
        Stage(
            name="teacher",
            modules={"teacher": teacher.model},
            batches=ExampleBatches(teacher.data.train, settings.batch, settings.seed),
            loss=lambda batch: {"likelihood": likelihood(task, teacher.model, batch)},
            evaluate=lambda: held_out(trainer, settings, task, teacher),
            budget=settings.teach.budget,
            optim=settings.teach.optim,
        )
    )
    freeze(teacher.model)
    return finished


def teacher_answers(
    trainer: Fitter, settings: Settings, teacher: Side, drop: Drop, layers: list[int]
) -> States:
    """The teacher's answers to the training examples, computed once where they can be kept."""
    online = OnlineAnswers(teacher.model, teacher.data.train, drop, layers)
    folder = trainer.cache("answers", producer_of(online, settings.drop).digest)
    return online if folder is None else store_answers(online, folder, settings.drop, trainer.log)


def objective(
    settings: Settings, task: Task, student: Answerer, hints: HintRegressor, drop: Drop
) -> Callable[[Taught], ViewLosses]:
    """The losses of eqs. 1 to 5, those of the views not yet weighted."""
    plan = settings.distillation

    def losses(taught: Taught) -> ViewLosses:
        seen = views(taught.batch, drop)
        trace = student(seen.both)
        assert taught.batch.labels is not None
        learned = task.likelihood(trace.logits, taught.batch.labels)
        fixed = {"likelihood": example_mean(learned, settings.label_share)}
        fixed |= features(settings, trace, taught, hints)
        ours = [trace.logits] if settings.views != "none" else []
        if settings.views not in ("none", "both"):
            ours += [student(seen.image).logits, student(seen.text).logits]
        imitated = [
            task.imitation(own, theirs, plan.temperature)
            for own, theirs in zip(ours, taught.logits.unbind(1), strict=False)
        ]
        imitated += [torch.zeros_like(learned)] * (len(VIEWS) - len(ours))
        return ViewLosses(fixed, torch.stack(imitated, dim=1), 1 - settings.label_share)

    return losses


def features(
    settings: Settings, trace: AnswererTrace, taught: Taught, hints: HintRegressor
) -> dict[str, Term]:
    """What FitNet, RKD and SP add, both modalities given."""
    if settings.features is None:
        return {}
    assert taught.states is not None and taught.pooled is not None
    plan, pair = settings.distillation, (trace.pooled, taught.pooled)
    match settings.features:
        case "fitnet":
            own = torch.cat(hints([layer[:, :1] for layer in trace.encoder.layers]), dim=1)
            every = torch.ones_like(own[:, :, 0], dtype=torch.bool)
            return {"states": example_mean(hint(own, taught.states, every), plan.fitnet)}
        case "rkd":
            return {
                "distances": example_mean(distance_relation(*pair), 25 * plan.rkd),
                "angles": example_mean(angle_relation(*pair), 50 * plan.rkd),
            }
        case "sp":
            return {"similarities": example_mean(similarity_relation(*pair), plan.sp)}


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
    student: Side,
    answers: States,
    hints: HintRegressor,
    losses: Callable[[Taught], ViewLosses],
    weigh: Weigh,
    learner: MetaLearner,
) -> Finished:
    """Stage 2; with ``msd_meta`` the weights are learned on the way (Algorithm 1)."""
    look_ahead = LookAhead(
        learner=learner,
        weigh=weigh,
        losses=losses,
        meta_batches=ExampleBatches(student.data.meta, settings.batch, settings.seed),
        meta_loss=lambda batch: likelihood(task, student.model, batch),
        config=settings.meta,
    )
    return trainer.fit(
        Stage(
            name="distil",
            modules={"student": student.model}
            | ({"hints": hints} if settings.features == "fitnet" else {}),
            batches=TaughtBatches(student.data.train, answers, settings.batch, settings.seed),
            loss=look_ahead.terms,
            look_ahead=look_ahead if settings.views == "meta" else None,
            evaluate=lambda: held_out(trainer, settings, task, student),
            budget=settings.distil.budget,
            optim=settings.distil.optim,
        )
    )


def likelihood(task: Task, model: Answerer, batch: Batch) -> Term:
    """The cross-entropy of the labels, both modalities given."""
    assert batch.labels is not None
    return example_mean(task.likelihood(model(batch).logits, batch.labels))


def held_out(trainer: Fitter, settings: Settings, task: Task, side: Side) -> dict[str, float]:
    """The same on validation data."""
    batches = in_order(side.data.validation, settings.batch)
    return held_out_means(
        lambda batch: {"likelihood": likelihood(task, side.model, batch)}, batches, trainer.device
    )
