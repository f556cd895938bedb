"""What the recipe ``clip_prefix`` leaves behind, and how it is scored and measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.core.config import settings_hash
from phosphene.core.runlog import RunLog, sign
from phosphene.data.described import DescribedCorpus, Direction
from phosphene.data.world.lexicon import Language
from phosphene.data.world.scene import Scene
from phosphene.evaluate.score import Score
from phosphene.evaluate.significance import paired_permutation
from phosphene.evaluate.system import Judge, Results, SplitResult, System, score_split
from phosphene.evaluate.world import naming_judge, world_judge
from phosphene.models.aligned_folder import KnownEncoder
from phosphene.models.prefix_folder import Network, PrefixModel, save_prefix_translator
from phosphene.recipes.clip_prefix_data import Examples, Space, captions, translations
from phosphene.recipes.clip_prefix_settings import Settings
from phosphene.train.stage import Finished

_PICTURES = 243
"""At most so many pictures are compared with their sentences."""


@dataclass(frozen=True)
class Trained:
    """What the recipe leaves behind. Inference needs model, config, tokenizer and encoder only."""

    model: PrefixModel
    network: Network
    directions: tuple[Direction, ...]
    corpus: DescribedCorpus
    space: Space
    encoder: KnownEncoder
    moments: Mapping[str, PrefixModel]
    """The model before training and after each stage."""
    finished: Finished


def evaluate(trained: Trained, settings: Settings, log: RunLog) -> Results:
    """Every test split in every direction, with the sentence's vector, the picture's, and none."""
    splits = []
    for direction in settings.data.directions:
        system = system_of(trained, settings, settings.system, trained.model, direction[1])
        for name, items in trained.corpus.tests.items():
            examples = translations(items, [direction], trained.corpus.tokenizer)
            if not len(examples.data):
                continue
            first = direction == settings.data.directions[0]
            called = name if first else f"{name}.{'-'.join(direction)}"
            splits += score_views(trained, system, called, examples, log)
    if "caption" in trained.moments:
        splits.append(score_captions(trained, settings, log))
    if trained.model.mapping is not None:
        splits.append(measure_alignment(trained, settings.data.directions[0]))
    signature = sign(
        trained.corpus.digest(),
        settings_hash(settings),
        settings.seed,
        trained.finished.selection,
    )
    return Results(settings.system, settings.data.directions[0][1], signature, tuple(splits))


def score_views(
    trained: Trained, system: System, name: str, examples: Examples, log: RunLog
) -> list[SplitResult]:
    """One split: as the system is used; on its illustrated part; with pictures; without a vector.

    The views of the illustrated part are named ``.photos`` (sentence vectors) and ``.image``.
    """
    if trained.model.mapping is None:
        return [score_split(system, name, examples.data, log, judge_of(system, examples))]
    said = trained.space.saying(examples)
    splits = [
        score_split(system, name, said, log, judge_of(system, examples)),
        score_split(system, f"{name}.none", examples.data, log, judge_of(system, examples)),
    ]
    seen = examples.illustrated()
    if not seen.pictures:
        return splits
    judge, free = judge_of(system, seen), splits[0]
    if len(seen.pictures) < len(said):
        said = trained.space.saying(seen)
        free = score_split(system, f"{name}.photos", said, log, judge)
        splits.append(free)
    given = score_split(system, f"{name}.image", trained.space.showing(seen), log, judge)
    gap = picture_gain(given, free)
    return [*splits, replace(given, scores=(*given.scores, gap))]


def picture_gain(given: SplitResult, free: SplitResult) -> Score:
    """What a picture's vector in the sentence's place does to the likelihood of the reference."""
    test = paired_permutation(
        np.array([line.likelihood for line in given.lines]),
        np.array([line.likelihood for line in free.lines]),
        seed=1,
    )
    return Score(
        "log-likelihood gained by the picture",
        test.delta,
        f"nats per sentence, against the vector of the sentence, p {test.p_value:.2g}",
    )


def score_captions(trained: Trained, settings: Settings, log: RunLog) -> SplitResult:
    """What the model writes about unseen pictures after stage 1, in the first caption language."""
    language = settings.data.caption_languages[0]
    told = captions(
        trained.corpus.validation,
        [language],
        settings.data.directions[0][0],
        trained.corpus.tokenizer,
    )
    seen = told.illustrated()
    if not seen.pictures:
        return SplitResult("captions", 0, ())
    system = system_of(trained, settings, "caption", trained.moments["caption"], language)
    return score_split(system, "captions", trained.space.showing(seen), log, judge_of(system, seen))


@torch.no_grad()
def measure_alignment(trained: Trained, direction: Direction) -> SplitResult:
    """How alike the vectors of unseen pictures and of their sentences are, and their prefixes."""
    items = [item for item in trained.corpus.validation if item.picture is not None][:_PICTURES]
    examples = translations(items, [direction], trained.corpus.tokenizer)
    if len(examples.data) < 2:
        return SplitResult("alignment", len(examples.data), ())
    rows = np.arange(len(examples.data))
    shown, said = (
        view.vectors.batch(rows)
        for view in (trained.space.showing(examples), trained.space.saying(examples))
        if view.vectors is not None
    )
    scores = []
    for moment, model in trained.moments.items():
        device = model.embedding.table.device
        assert model.mapping is not None
        pairs = [vectors.to(device) for vectors in (shown, said)]
        projected = [model.mapping.project(vectors) for vectors in pairs]
        scores.append(_alikeness(f"cosine of vectors, {moment}", *projected))
        prefixes = [model.mapping(vectors).flatten(1) for vectors in pairs]
        scores.append(_alikeness(f"cosine of prefixes, {moment}", *prefixes))
    return SplitResult("alignment", len(rows), tuple(scores))


def export(trained: Trained, settings: Settings, folder: Path) -> None:
    """What inference needs: the translator, and the encoder that makes its vectors."""
    save_prefix_translator(
        folder,
        trained.model,
        trained.network,
        trained.directions,
        trained.corpus.tokenizer,
        trained.encoder,
    )


def system_of(
    trained: Trained, settings: Settings, name: str, model: PrefixModel, language: str
) -> System:
    """A model of the run as a translator into ``language``."""
    tokenizer = trained.corpus.tokenizer
    forced = (tokenizer.language_id(language),)
    return System(
        name,
        model,
        tokenizer,
        settings.search,
        language,
        tokenised=settings.data.tokenised,
        forced=forced,
    )


def judge_of(system: System, examples: Examples) -> Judge | None:
    """What only the embedded world can tell, where all pictures are its scenes."""
    scenes = [picture for picture in examples.pictures if isinstance(picture, Scene)]
    spoken = [code for code in get_args(Language) if code == system.language]
    if len(scenes) < len(examples.pictures) or not spoken:
        return None
    judges = [judge(scenes, spoken[0]) for judge in (world_judge, naming_judge)]
    return lambda hypotheses: [score for judge in judges for score in judge(hypotheses)]


def _alikeness(
    name: str, first: Float[Tensor, "batch feature"], second: Float[Tensor, "batch feature"]
) -> Score:
    """The mean cosine of pairs; the signature says that of mismatches (each with the next)."""
    matched = F.cosine_similarity(first, second).mean()
    mismatched = F.cosine_similarity(first, second.roll(1, dims=0)).mean()
    return Score(name, matched.item(), f"{len(first)} pictures, mismatches {mismatched.item():.3f}")
