"""Cross-lingual visual question answering by distillation from an English teacher.

Paper: Gupta, Gautam and Mamidi, *cViL: Cross-Lingual Training of Vision-Language Models using
Knowledge Distillation*, ICPR 2022.

Three data sets: the *English* questions; T, their translations; R, questions first asked in the
target language, with answers of its own.

1. ``english``: the teacher ``[CLS] question [SEP] tags [SEP] regions`` (eq. 1) learns to answer
   the English questions. Its states are stored once, as far as they can be matched.
2. ``distil``: the student reads T with 15 % of the words in English, *without labels*, and imitates
   the teacher where both read the same, in each chosen layer m: [CLS] (eq. 2), regions (eq. 3),
   tags (eq. 4), English words (eq. 5); ``L = sum_m lambda_m (L_CLS + L_img + L_tag + L_CM)``
   (eq. 6). The best student is the one with the lowest such loss on held-out questions.
3. ``head``: the student learns the answers of R, its encoder frozen.
4. ``whole``: the same, all parameters.

``baseline`` has stages 3 and 4 alone; ``aug`` has them twice, first on T with translated answers;
``translate_test`` lets the teacher answer test questions translated into English.

(``teacher``, in the embedded world only: the CNN that looks at the regions.)

Departures from the paper: each kind counts the mean over its pairs (``normalise`` has eqs. 2 to 5
as printed, and the released code's union); stage 2 is selected by its own loss, since its head is
untrained; the teacher is in evaluation mode; padding and [SEP] are not matched; from scratch the
pooler is trained with the head. A narrower student has a projection in front of the loss.

    phosphene train crosslingual_vqa --config toy --run runs/kd                  (two minutes)
    phosphene train crosslingual_vqa --config toy --set system=baseline --run runs/baseline
"""

from __future__ import annotations

from phosphene.core.runtime import seed_update
from phosphene.core.types import Batch, Parallel
from phosphene.data.answers import AnswerVocabulary
from phosphene.data.questions import QuestionBatches, QuestionData, Reader, in_order
from phosphene.data.store import Store
from phosphene.data.teaching import TeachingBatches
from phosphene.evaluate.pretraining import held_out_means
from phosphene.models.answerer import Answerer
from phosphene.nn.visual import freeze
from phosphene.objectives.likelihood import multi_label, single_label
from phosphene.recipes.crosslingual_vqa_data import (
    Data,
    answered,
    lessons,
    load_data,
    teacher_states,
    translated_set,
)
from phosphene.recipes.crosslingual_vqa_networks import Imitation, Start, answerer, start
from phosphene.recipes.crosslingual_vqa_results import Trained, evaluate, export
from phosphene.recipes.crosslingual_vqa_settings import Settings, StageConfig
from phosphene.train.stage import Finished, Fitter, Stage
from phosphene.weighting.direct import Term, example_mean

Terms = dict[str, Term]

__all__ = ["Settings", "cache", "evaluate", "export", "train"]


def train(trainer: Fitter, settings: Settings) -> Trained:
    """All stages of ``settings.system``."""
    data = load_data(trainer, settings)
    english = start(settings, data, settings.teacher_network, "en")
    if settings.system in ("teacher", "translate_test"):
        teacher, vocabulary, finished = train_teacher(trainer, settings, data, english)
        return Trained(teacher, data, vocabulary, english.reader, finished, data.asked.parallel)
    target = start(settings, data, settings.network, settings.data.language)
    vocabulary = AnswerVocabulary.learn(data.known, settings.data.answers)
    seed_update(settings.seed)
    student = answerer(settings.network, target.encoder(), vocabulary, data.table)
    taught_by = None
    if settings.system == "kd":
        teacher, _, _ = train_teacher(trainer, settings, data, english)
        taught_by = teacher, english.reader
        distil(trainer, settings, data, student, teacher, (target, english))
    elif settings.system == "aug":
        train_set, held_out, translated = translated_set(settings, data, target.reader)
        student.renew_head(len(translated))
        answer(
            trainer,
            settings,
            student,
            target.reader,
            train_set,
            held_out,
            settings.translated,
            "translated_",
        )
        student.renew_head(len(vocabulary))
    labelled = answered(settings, data, data.known, target.reader, vocabulary)
    held_out = answered(settings, data, data.asked.target_validation, target.reader, vocabulary)
    finished = answer(trainer, settings, student, target.reader, labelled, held_out, settings.whole)
    return Trained(student, data, vocabulary, target.reader, finished, data.known, taught_by)


def train_teacher(
    trainer: Fitter, settings: Settings, data: Data, english: Start
) -> tuple[Answerer, AnswerVocabulary, Finished]:
    """Stage 1, once for all runs that lie side by side; the teacher ends frozen."""
    asked = data.asked
    vocabulary = AnswerVocabulary.learn(asked.parallel, settings.data.answers)
    seed_update(settings.seed)
    teacher = answerer(settings.teacher_network, english.encoder(), vocabulary, data.table)
    finished = trainer.shared("english", settings.until_teacher).fit(
        answering(
            trainer, settings, "english", teacher, english.reader,
            answered(settings, data, asked.parallel, english.reader, vocabulary),
            answered(settings, data, asked.parallel_validation, english.reader, vocabulary),
            settings.english,
        )
    )  # fmt: skip
    return freeze(teacher), vocabulary, finished


def distil(
    trainer: Fitter,
    settings: Settings,
    data: Data,
    student: Answerer,
    teacher: Answerer,
    starts: tuple[Start, Start],
) -> None:
    """Stage 2, once for all amounts of labels; the student's encoder learns."""
    parts = lessons(settings, data, (starts[0].reader, starts[1].reader))
    states = teacher_states(trainer, settings, teacher, parts)
    imitation = Imitation.of(settings, student.encoder, teacher.encoder.config)

    def loss(parallel: Parallel) -> Terms:
        return imitation.terms(parallel, student.encoder(parallel.batch))

    train_set, held_out = (
        TeachingBatches(part, states, settings.distillation.mix, settings.batch, settings.seed)
        for part in parts
    )
    trainer.shared("distilled", settings.until_distilled).fit(
        Stage(
            name="distil",
            modules=imitation.modules,
            frozen={"teacher": teacher},
            batches=train_set,
            loss=loss,
            evaluate=lambda: held_out_means(loss, held_out.once(), trainer.device),
            budget=settings.distil.budget,
            optim=settings.distil.optim,
        )
    )


def answer(
    trainer: Fitter,
    settings: Settings,
    student: Answerer,
    reader: Reader,
    train_set: QuestionData,
    held_out: QuestionData,
    plan: StageConfig,
    prefix: str = "",
) -> Finished:
    """Stages 3 and 4."""

    def stage(name: str, plan: StageConfig) -> Stage:
        name = f"{prefix}{name}"
        return answering(trainer, settings, name, student, reader, train_set, held_out, plan)

    student.encoder.requires_grad_(False)
    trainer.fit(stage("head", settings.head))
    student.encoder.requires_grad_(True)
    return trainer.fit(stage("whole", plan))


def answering(
    trainer: Fitter,
    settings: Settings,
    name: str,
    model: Answerer,
    reader: Reader,
    train_set: QuestionData,
    held_out: QuestionData,
    plan: StageConfig,
) -> Stage:
    """A stage that learns answers."""

    def loss(batch: Batch) -> Terms:
        assert batch.labels is not None
        logits = model(batch).logits
        if settings.answer_loss == "binary":
            return {"answers": example_mean(multi_label(logits, batch.labels))}
        return {"answers": example_mean(single_label(logits, batch.labels))}

    return Stage(
        name=name,
        modules={"model": model},
        batches=QuestionBatches(
            train_set, settings.batch, settings.seed, settings.word_dropout, reader.wordpiece.unk_id
        ),
        loss=loss,
        evaluate=lambda: held_out_means(
            loss, (batch for _, batch in in_order(held_out, settings.batch)), trainer.device
        ),
        budget=plan.budget,
        optim=plan.optim,
    )


def cache(trainer: Fitter, settings: Settings) -> Store:
    """Train the teacher and store its states, nothing else: ``phosphene cache``.

    Raises:
        InputError: as for training.
        ValueError: ``trainer`` writes nothing.
    """
    data = load_data(trainer, settings)
    english, target = (
        start(settings, data, network, language)
        for network, language in (
            (settings.teacher_network, "en"),
            (settings.network, settings.data.language),
        )
    )
    teacher, _, _ = train_teacher(trainer, settings, data, english)
    parts = lessons(settings, data, (target.reader, english.reader))
    states = teacher_states(trainer, settings, teacher, parts)
    if not isinstance(states, Store):
        raise ValueError("a store needs a trainer that writes")
    return states
