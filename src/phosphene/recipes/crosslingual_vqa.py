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

``baseline`` has stages 3 and 4 alone; ``aug`` has them twice, first (once for all amounts of
labels) on T with translated answers; ``translate_test`` lets the teacher answer test questions
translated into English.

(``detector``, in the embedded world only: the CNN that looks at the regions.)

Departures from the paper: each kind counts the mean over its pairs (``normalise`` has eqs. 2 to 5
as printed, and the released code's union); stage 2 is selected by its own loss, since its head is
untrained; the teacher is in evaluation mode; padding and [SEP] are not matched; from scratch the
pooler is trained with the head. A narrower student has a projection in front of the loss.

    phosphene train crosslingual_vqa --config toy --run runs/kd                  (two minutes)
    phosphene train crosslingual_vqa --config toy --set system=baseline --run runs/baseline
"""

from __future__ import annotations

from phosphene.core.runtime import seed_update
from phosphene.core.types import Parallel
from phosphene.data.teaching import TeachingBatches
from phosphene.evaluate.pretraining import held_out_means
from phosphene.recipes.crosslingual_vqa_answering import answering, cache, train_teacher
from phosphene.recipes.crosslingual_vqa_data import (
    Answered,
    Data,
    answered,
    lessons,
    load_data,
    teacher_states,
    translated,
)
from phosphene.recipes.crosslingual_vqa_networks import Imitation, Learner, learner
from phosphene.recipes.crosslingual_vqa_results import Trained, evaluate, export
from phosphene.recipes.crosslingual_vqa_settings import Settings
from phosphene.train.stage import Finished, Fitter, Stage
from phosphene.weighting.direct import Term

__all__ = ["Settings", "cache", "evaluate", "export", "train"]


def train(trainer: Fitter, settings: Settings) -> Trained:
    """All stages of ``settings.system``."""
    data = load_data(trainer, settings)
    if settings.system in ("teacher", "translate_test"):
        teacher, finished = train_teacher(trainer, settings, data)
        return Trained(teacher, data, data.asked.parallel, finished)
    student = learner(settings, data, settings.data.language)
    taught_by: Learner | None = None
    if settings.system == "kd":
        taught_by, _ = train_teacher(trainer, settings, data)
        distil(trainer, settings, data, student, taught_by)
    elif settings.system == "aug":
        sets, answers = translated(settings, data, student.reader)
        seed_update(settings.seed)
        student.model.renew_head(len(answers))
        shared = trainer.shared("translated", settings.until_translated)
        answer(shared, settings, student, sets, "translated_")
        student.model.renew_head(len(student.vocabulary))
    r = data.known, data.asked.target_validation
    sets = answered(settings, data, student.reader, student.vocabulary, r)
    finished = answer(trainer, settings, student, sets)
    return Trained(student, data, data.known, finished, taught_by)


def distil(
    trainer: Fitter, settings: Settings, data: Data, student: Learner, teacher: Learner
) -> None:
    """Stage 2, once for all amounts of labels; the student's encoder learns."""
    encoder = student.model.encoder
    parts = lessons(settings, data, (student.reader, teacher.reader))
    states = teacher_states(trainer, settings, teacher.model, parts)
    imitation = Imitation.of(settings, encoder, teacher.model.encoder.config)

    def loss(parallel: Parallel) -> dict[str, Term]:
        return imitation.terms(parallel, encoder(parallel.batch))

    train_set, held_out = (
        TeachingBatches(part, states, settings.distillation.mix, settings.batch, settings.seed)
        for part in parts
    )
    trainer.shared("distilled", settings.until_distilled).fit(
        Stage(
            name="distil",
            modules=imitation.modules,
            frozen={"teacher": teacher.model},
            batches=train_set,
            data=parts[0].digest(),
            loss=loss,
            evaluate=lambda: held_out_means(loss, held_out.once(), trainer.device),
            budget=settings.distil.budget,
            optim=settings.distil.optim,
        )
    )


def answer(
    trainer: Fitter, settings: Settings, student: Learner, sets: Answered, prefix: str = ""
) -> Finished:
    """Stages 3 and 4; before them, under names with a ``prefix``, the same on T."""
    whole = settings.translated if prefix else settings.whole
    encoder = student.model.encoder.requires_grad_(False)
    trainer.fit(answering(trainer, settings, student, sets, f"{prefix}head", settings.head))
    encoder.requires_grad_(True)
    return trainer.fit(answering(trainer, settings, student, sets, f"{prefix}whole", whole))
