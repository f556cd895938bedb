"""The frozen encoder of pictures and sentences that a recipe conditions on, trained where needed.

``two-towers``: the embedded world's, on scenes that no translator sees; its CNN learns what is in
them first and is then kept, as networks that learned ImageNet's labels are. ``projected``:
projections between published features, on photos with captions in English only. Both minimise
InfoNCE (Radford et al., 2021) in a stage of their own that runs share. ``m-clip``: the paper's,
published.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import seed_update
from phosphene.core.types import Batch, FeaturePairs, LabelledPictures, Vectors
from phosphene.data.corpus import CorpusConfig
from phosphene.data.dataset import LabelledScenes, PictureBatches
from phosphene.data.image import load_rgb, to_tensor
from phosphene.data.loader import Indices
from phosphene.data.pairs import CAPTIONS_EACH, HeldOut, PairBatches, multi30k_captions
from phosphene.data.root import data_root
from phosphene.data.text import Tokenizer
from phosphene.data.translation import multi30k
from phosphene.data.world.captions import caption, captions
from phosphene.data.world.draw import draw_all
from phosphene.data.world.lexicon import Language
from phosphene.data.world.scene import Scene, visual_labels
from phosphene.data.world.splits import Part, Split, World
from phosphene.evaluate.retrieval import recall
from phosphene.models.aligned import AlignedEncoder, in_parts
from phosphene.models.aligned_folder import KnownEncoder
from phosphene.models.pretrained_aligned import (
    MultilingualClipConfig,
    multilingual_clip,
    sentence_encoder,
)
from phosphene.models.projection import (
    ProjectedEncoder,
    ProjectionConfig,
    Projections,
    pooled_features,
)
from phosphene.models.teachers import build_teacher
from phosphene.models.two_towers import TwoTowers, TwoTowersConfig, TwoTowersEncoder, with_eos
from phosphene.nn.visual import freeze
from phosphene.objectives.contrastive import info_nce
from phosphene.objectives.likelihood import multi_label
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget, Fitter, Stage
from phosphene.weighting.direct import Term, example_mean

KS = (1, 5, 10)
_WORDINGS = 4
"""Captions of a scene in each language."""


class LabelsConfig(Frozen):
    """How the CNN of ``two-towers`` learns the labels of scenes."""

    pictures_per_update: int = Field(default=32, ge=2)
    budget: Budget = Budget(max_updates=800, average_last=1)
    optim: OptimConfig = OptimConfig(learning_rate=0.01, warmup_updates=60, schedule="cosine")


class AlignedConfig(Frozen):
    """Which aligned encoder, and how it is trained where it is not published whole."""

    encoder: Literal["two-towers", "projected", "m-clip"]
    published: MultilingualClipConfig = MultilingualClipConfig()
    """``m-clip``: its two halves, by name or folder; the defaults are the paper's."""
    projection: ProjectionConfig = ProjectionConfig()
    """``projected``: teacher and sizes."""
    scenes: int = Field(default=6000, ge=2)
    """``two-towers``: scenes to train on."""
    width: int = Field(default=64, ge=1)
    """``two-towers``: numbers in a vector."""
    labels: LabelsConfig = LabelsConfig()
    pictures_per_update: int = Field(default=128, ge=2)
    budget: Budget = Budget(max_updates=400, evaluate_every_updates=200, average_last=1)
    optim: OptimConfig = OptimConfig(learning_rate=0.002, warmup_updates=40, schedule="cosine")


def aligned_encoder(
    trainer: Fitter, config: AlignedConfig, data: CorpusConfig, seed: int
) -> KnownEncoder:
    """The encoder, frozen; trained by a stage that runs share unless it is published.

    Raises:
        InputError: data or published weights are missing, or do not fit.
    """
    match config.encoder:
        case "two-towers":
            return train_two_towers(trainer, config, data, seed)
        case "projected":
            return train_projections(trainer, config, data, seed)
        case "m-clip":
            return multilingual_clip(config.published)


def train_two_towers(
    trainer: Fitter, config: AlignedConfig, data: CorpusConfig, seed: int
) -> TwoTowersEncoder:
    """The embedded world's: scenes of ``Part.ALIGNED`` with captions in all its languages."""
    languages = get_args(Language)
    seen, unseen = _scenes(data, 0, config.scenes), _scenes(data, config.scenes, 250)
    lines = [
        [line for language in languages for line in captions(scene, language, _WORDINGS)]
        for scene in seen
    ]
    tokenizer = Tokenizer.learn([line for several in lines for line in several])
    ids = [tokenizer.encode_all(several) for several in lines]
    pictures = draw_all(seen)
    towers = TwoTowersConfig(
        vocab=len(tokenizer), languages=languages, side=pictures.shape[1], width=config.width
    )
    seed_update(seed)
    model = TwoTowers(towers)

    shared = trainer.shared("two-towers", config, data, seed)
    learn_labels(shared, model, LabelledScenes(pictures, visual_labels(seen)), config.labels, seed)

    @cache
    def features() -> Tensor:
        """Of all pictures: not computed where the stage is finished."""
        with torch.no_grad():
            model.cnn.eval()
            return in_parts(
                lambda part: model.features(to_tensor(pictures[part]).to(trainer.device)),
                len(pictures),
                model.cnn.fc.in_features,
            )

    def make(rows: Indices, sentence: Indices) -> Batch:
        chosen = [ids[row][number] for row, number in zip(rows, sentence, strict=True)]
        seen_before = Vectors(features()[rows], torch.ones(len(rows), dtype=torch.bool))
        return Batch(tuple(map(str, rows)), with_eos(chosen), vectors=seen_before)

    batches = PairBatches(
        len(seen), len(languages) * _WORDINGS, config.pictures_per_update, seed, make
    )
    held_out = HeldOut(
        draw_all(unseen),
        {language: [caption(scene, language) for scene in unseen] for language in languages},
    )
    _fit(shared, model, batches, config)
    encoder = TwoTowersEncoder(model, towers, tokenizer)
    report_recall(shared.log, encoder, {"unseen scenes": held_out})
    return encoder


def learn_labels(
    trainer: Fitter, model: TwoTowers, scenes: LabelledScenes, config: LabelsConfig, seed: int
) -> None:
    """Train the CNN, its last layer apart, to tell what is in a picture; then keep it as it is."""
    head = nn.Linear(model.cnn.fc.in_features, scenes.labels.shape[1])

    def loss(batch: LabelledPictures) -> dict[str, Term]:
        logits = head(model.features(batch.pixels))
        return {"labels": example_mean(multi_label(logits, batch.labels))}

    trainer.fit(
        Stage(
            name="labels",
            modules={"cnn": model.cnn, "head": head},
            batches=PictureBatches(scenes, config.pictures_per_update, seed),
            loss=loss,
            budget=config.budget,
            optim=config.optim,
        )
    )
    model.cnn.requires_grad_(False)
    model.cnn.fc.requires_grad_(True)


def train_projections(
    trainer: Fitter, config: AlignedConfig, data: CorpusConfig, seed: int
) -> ProjectedEncoder:
    """On the training photos of Multi30K and their English captions; German stays unseen.

    Raises:
        InputError: the data are not Multi30K, or the photos are not there.
    """
    if data.source != "multi30k":
        raise InputError(f"data.source: projections learn from 'multi30k', not '{data.source}'")
    root, projection = data_root(), config.projection
    side = projection.teacher.side
    photos = multi30k_captions(root, "en")
    teacher = freeze(build_teacher(projection.teacher)).to(trainer.device)
    reader = sentence_encoder(projection)

    @cache
    def features() -> FeaturePairs:
        """Of all photos and captions: not computed where the stage is finished."""
        image, text = [], []
        with trainer.log.progress("features of photos", len(photos)) as advance:
            for start in range(0, len(photos), 256):
                part = photos[start : start + 256]
                pictures = np.stack([load_rgb(photo.image, side) for photo in part])
                image.append(pooled_features(teacher, pictures))
                text.append(reader([line for photo in part for line in photo.captions]))
                advance(start + len(part))
        return FeaturePairs(torch.cat(image), torch.cat(text))

    def make(rows: Indices, sentence: Indices) -> FeaturePairs:
        pairs = features()
        return FeaturePairs(pairs.image[rows], pairs.text[rows * CAPTIONS_EACH + sentence])

    seed_update(seed)
    model = Projections(projection)
    batches = PairBatches(len(photos), CAPTIONS_EACH, config.pictures_per_update, seed, make)
    shared = trainer.shared("projected", config, seed)
    _fit(shared, model, batches, config)
    encoder = ProjectedEncoder(model, projection, teacher, reader)
    held_out = {name: _photos(root, name, side) for name in ("val", "test_2016_flickr")}
    report_recall(shared.log, encoder, held_out)
    return encoder


def report_recall(log: RunLog, encoder: AlignedEncoder, held_out: Mapping[str, HeldOut]) -> None:
    """Print, and log once, how often a sentence finds its picture among all of a set."""
    told = {(e["split"], e["language"]) for e in log.events() if e["kind"] == "recall"}
    for name, examples in held_out.items():
        if told >= {(name, language) for language in examples.lines}:
            continue
        pictures = encoder.image_vectors(examples.pictures)
        for language, lines in examples.lines.items():
            if (name, language) in told:
                continue
            found = recall(encoder.text_vectors(lines), pictures, KS)
            values = {f"R@{one.k}": round(one.rate, 3) for one in found}
            log.event("align", 0, "recall", split=name, language=language, **values)
            shown = " ".join(f"{key} {value:.3f}" for key, value in values.items())
            log.say(f"{name}, {len(pictures)} pictures, {language}: {shown}")


def _fit(
    trainer: Fitter,
    model: TwoTowers | Projections,
    batches: PairBatches[Any],
    config: AlignedConfig,
) -> None:
    def loss(batch: Any) -> dict[str, Term]:
        trace = model(batch)
        return {"contrast": example_mean(info_nce(trace.image, trace.text, trace.scale))}

    trainer.fit(
        Stage(
            name="align",
            modules={"aligned": model},
            batches=batches,
            loss=loss,
            budget=config.budget,
            optim=config.optim,
        )
    )


def _scenes(data: CorpusConfig, first: int, count: int) -> list[Scene]:
    """Scenes of the splits in turn; no translator sees one of them."""
    world = World(data.world_seed, tuple(one for one in data.languages if one != "en"))
    return [
        world.scene(
            Split(data.tests[index % len(data.tests)]), index // len(data.tests), Part.ALIGNED
        )
        for index in range(first, first + count)
    ]


def _photos(root: Path, split: str, side: int) -> HeldOut:
    """The photos of a split and their sentences of task 1 in every language of Multi30K."""
    seen = {
        language: [pair for pair in multi30k(root, split, pair_of) if pair.image is not None]
        for language, pair_of in _EVERY_LANGUAGE.items()
    }
    pictures = np.stack([load_rgb(pair.image, side) for pair in seen["en"] if pair.image])
    return HeldOut(
        pictures,
        {language: [pair.source for pair in pairs] for language, pairs in seen.items()},
    )


_EVERY_LANGUAGE = {"en": ("en", "de"), "de": ("de", "en"), "fr": ("fr", "en")}

__all__ = ["AlignedConfig", "aligned_encoder", "report_recall"]
