"""Image-free multimodal translation by inversion distillation.

Paper: Peng et al., *Distill The Image to Nowhere: Inversion Knowledge Distillation for Multimodal
Machine Translation*, EMNLP 2022.

1. ``teacher`` (embedded world only): a CNN learns the labels of drawn scenes, then is frozen.
   Elsewhere the teacher is a published ImageNet network.
2. ``translate``: the translator reads ``[t; m W^m]`` (eqs. 1 to 3), where the generator makes
   ``m`` from the mean word embedding (eqs. 5, 6). It learns to translate (eq. 10) and, on the
   sentences that have a photo, an inverted CNN draws that photo from ``m``: the pyramid it draws
   is compared with the teacher's on the real photo (IrM, eq. 7), and so is the teacher's on the
   drawn photo (IaM, eq. 8), whose gradient flows through the frozen teacher. Eq. 9 adds them up.
   Teacher and inverted CNN are not needed afterwards.

The baselines of the paper's tables are other values of ``system``, trained by this same page.

Departures from the paper: the teacher is in evaluation mode; distances are normalised by size, so
the weights of eq. 9 are settings; the unpooling is learned, through a low rank by default;
``photos_per_update`` bounds how many photos are looked at. With ``variant = "released"`` generator
and student stay random and the losses vanish, as in the authors' code.

    phosphene train inversion_mmt --config toy --run runs/image-free            (a minute)
    phosphene train inversion_mmt --config small --run runs/m30k-image-free     (an hour)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from phosphene.core.runtime import seed_update
from phosphene.core.types import Batch
from phosphene.data.corpus import load_corpus
from phosphene.data.dataset import TrainingBatches
from phosphene.evaluate.translator import validation_loss
from phosphene.models.teachers import build_teacher, is_trained_here, picture_features
from phosphene.models.translator import TranslatorTrace, build, gold
from phosphene.nn.fusion import mean_region
from phosphene.nn.generator import masked_mean
from phosphene.nn.pyramid import InvertedPyramid
from phosphene.nn.visual import VisualTeacher, freeze
from phosphene.objectives.inversion import GRANULARITIES, image_space, inter_modal, intra_modal
from phosphene.objectives.likelihood import label_smoothed
from phosphene.objectives.relation import imagination
from phosphene.objectives.released import RELEASED_DISTANCES
from phosphene.objectives.representation import DISTANCES
from phosphene.recipes.inversion_mmt_results import Trained, evaluate, export
from phosphene.recipes.inversion_mmt_settings import Settings, translator_config
from phosphene.recipes.world_teacher import train_world_teacher
from phosphene.train.stage import Fitter, Stage
from phosphene.weighting.direct import Term, example_mean, spread_over, token_mean, withheld

Terms = dict[str, Term]

__all__ = ["Settings", "evaluate", "export", "train"]


def train(trainer: Fitter, settings: Settings) -> Trained:
    """Both stages."""
    looks = settings.distils or settings.takes_features
    teacher = train_teacher(trainer, settings) if looks or settings.imagines else None
    corpus = load_corpus(settings.data, settings.teacher.side if looks else 0, trainer.log)
    if teacher is not None and settings.takes_features:
        corpus = corpus.with_features(lambda pictures: picture_features(teacher, pictures))

    seed_update(settings.seed)
    config = translator_config(settings, len(corpus.tokenizer), teacher)
    model = build(config)
    modules: dict[str, nn.Module] = {"translator": model}
    auxiliary: Callable[[Batch, TranslatorTrace], Terms] = lambda batch, trace: {}  # noqa: E731
    if teacher is not None and settings.distils:
        modules["student"] = student = InvertedPyramid(teacher.picture, teacher.stages)
        auxiliary = inversion(settings, student, teacher)
    elif teacher is not None and settings.system == "imagination":
        modules["imagine"] = imagine = nn.Linear(config.hidden, teacher.stages[-1].shape.channels)
        auxiliary = imagined_vector(settings, imagine)
    if settings.variant == "released" and model.generator is not None:
        # The optimiser of the authors' code never sees either.
        for module in (model.generator, *(modules[name] for name in modules.keys() & {"student"})):
            module.requires_grad_(False)

    def loss(batch: Batch) -> Terms:
        trace = model(batch)
        words, mask = gold(batch.target)
        nll = label_smoothed(trace.logits, words, settings.smoothing)
        return {"translation": token_mean(nll, mask), **auxiliary(batch, trace)}

    photos = settings.distillation.photos_per_update if settings.distils else 0
    finished = trainer.fit(
        Stage(
            name="translate",
            modules=modules,
            frozen={} if teacher is None else {"teacher": teacher},
            batches=TrainingBatches(corpus.train, settings.max_tokens, settings.seed, photos),
            data=corpus.train.digest(),
            loss=loss,
            evaluate=lambda: {
                "loss": validation_loss(model, corpus.validation, settings.smoothing)
            },
            watch=model.generator if settings.variant == "paper" else None,
            budget=settings.budget,
            optim=settings.optim,
        )
    )
    return Trained(model, config, corpus, teacher, finished)


def train_teacher(trainer: Fitter, settings: Settings) -> VisualTeacher:
    """Stage 1: a frozen teacher, trained on the labels of scenes where it is one of the world's."""
    if not is_trained_here(settings.teacher):
        return freeze(build_teacher(settings.teacher)).to(trainer.device)
    return train_world_teacher(
        trainer, settings.teacher, settings.teacher_training, settings.data, settings.seed
    )


def inversion(
    settings: Settings, student: nn.Module, teacher: VisualTeacher
) -> Callable[[Batch, TranslatorTrace], Terms]:
    """The distillation terms of eq. 9."""
    weights, released = settings.distillation, settings.variant == "released"
    distance = (RELEASED_DISTANCES if released else DISTANCES)[weights.distance]
    pairs = GRANULARITIES[weights.granularity]

    def terms(batch: Batch, trace: TranslatorTrace) -> Terms:
        assert batch.pixels is not None and trace.feature_map is not None
        if not len(batch.pixels.rows):
            return withheld("inter_modal", "intra_modal", "image_space", like=trace.embedding)
        with torch.no_grad():
            real = teacher(batch.pixels.values)
        drawn = student(trace.feature_map[batch.pixels.rows])
        seen = teacher.perceive(drawn.image)  # never no_grad: IaM reaches the drawn picture
        losses = {
            "inter_modal": (inter_modal(real, drawn, distance, pairs), weights.inter_modal),
            "intra_modal": (intra_modal(real, seen, distance, pairs), weights.intra_modal),
            "image_space": (image_space(real, drawn, distance), weights.image_space),
        }
        if released:  # one value for the batch, divided by the number of target words
            words = float(gold(batch.target)[1].sum())
            return {name: spread_over(words, *pair) for name, pair in losses.items()}
        return {name: example_mean(*pair) for name, pair in losses.items()}

    return terms


def imagined_vector(
    settings: Settings, imagine: nn.Module
) -> Callable[[Batch, TranslatorTrace], Terms]:
    """The second task of the Imagination baseline (Elliott and Kadar, 2017)."""
    weights = settings.imagination

    def terms(batch: Batch, trace: TranslatorTrace) -> Terms:
        assert batch.regions is not None
        rows = batch.regions.mask.any(dim=1)
        predicted = imagine(masked_mean(trace.memory.states, trace.memory.mask))[rows]
        losses = imagination(predicted, mean_region(batch.regions)[rows], weights.margin)
        # The scripts' weights, on means of our own: per target token and per pictured sentence.
        return {"imagination": example_mean(losses, weights.imagination / weights.translation)}

    return terms
