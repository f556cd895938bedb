"""Stages of the recipe ``crosslingual_vqa`` that learn answers; its teacher, and what it stores."""

from __future__ import annotations

from phosphene.core.types import Batch
from phosphene.data.questions import QuestionBatches, in_order
from phosphene.data.store import Store
from phosphene.evaluate.pretraining import held_out_means
from phosphene.nn.visual import freeze
from phosphene.objectives.likelihood import multi_label, single_label
from phosphene.recipes.crosslingual_vqa_data import (
    Answered,
    Data,
    answered,
    lessons,
    load_data,
    teacher_states,
)
from phosphene.recipes.crosslingual_vqa_networks import Learner, learner
from phosphene.recipes.crosslingual_vqa_settings import Settings, StageConfig
from phosphene.train.stage import Finished, Fitter, Stage
from phosphene.weighting.direct import Term, example_mean


def answering(
    trainer: Fitter, settings: Settings, who: Learner, sets: Answered, name: str, plan: StageConfig
) -> Stage:
    """A stage that learns answers."""

    def loss(batch: Batch) -> dict[str, Term]:
        assert batch.labels is not None
        cost = multi_label if settings.answer_loss == "binary" else single_label
        return {"answers": example_mean(cost(who.model(batch).logits, batch.labels))}

    return Stage(
        name=name,
        modules={"model": who.model},
        batches=QuestionBatches(
            sets.train, settings.batch, settings.seed, settings.word_dropout,
            who.reader.wordpiece.unk_id, together=settings.together,
        ),
        data=sets.train.digest(),
        loss=loss,
        evaluate=lambda: held_out_means(
            loss, (batch for _, batch in in_order(sets.held_out, settings.batch)), trainer.device
        ),
        budget=plan.budget,
        optim=plan.optim,
    )  # fmt: skip


def train_teacher(trainer: Fitter, settings: Settings, data: Data) -> tuple[Learner, Finished]:
    """Stage 1, once for all runs that lie side by side; the teacher ends frozen."""
    teacher = learner(settings, data, "en")
    english = data.asked.parallel, data.asked.parallel_validation
    sets = answered(settings, data, teacher.reader, teacher.vocabulary, english)
    finished = trainer.shared("english", settings.until_teacher).fit(
        answering(trainer, settings, teacher, sets, "english", settings.english)
    )
    freeze(teacher.model)
    return teacher, finished


def cache(trainer: Fitter, settings: Settings) -> Store:
    """Train the teacher and store its states, nothing else: ``phosphene cache``.

    Raises:
        InputError: as for training.
        ValueError: ``trainer`` writes nothing.
    """
    data = load_data(trainer, settings)
    teacher, _ = train_teacher(trainer, settings, data)
    reader = learner(settings, data, settings.data.language).reader
    parts = lessons(settings, data, (reader, teacher.reader))
    states = teacher_states(trainer, settings, teacher.model, parts)
    if not isinstance(states, Store):
        raise ValueError("a store needs a trainer that writes")
    return states


__all__ = ["answering", "cache", "train_teacher"]
