"""The probes that fit runs of the recipe ``inversion_mmt``."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.runtime import seed_update
from phosphene.data.dataset import TranslationData, encode
from phosphene.data.translation import Pair
from phosphene.data.world.splits import swapped
from phosphene.evaluate.features import first_pictures
from phosphene.evaluate.probes.retrieval import retrieval
from phosphene.evaluate.system import System, with_photo_subsets
from phosphene.evaluate.translator import feature_maps
from phosphene.evaluate.world import world_judge
from phosphene.models.teachers import picture_features
from phosphene.models.translator import Translator, build
from phosphene.nn.visual import VisualTeacher, regions_from_map
from phosphene.recipes.attention_probe import ask_fusion_attention, ask_region_attention
from phosphene.recipes.clusters_probe import FeatureMap, ask_clusters, thumbnail
from phosphene.recipes.inversion_mmt_results import Trained
from phosphene.recipes.inversion_mmt_settings import NEEDS_PICTURES, Settings
from phosphene.recipes.probe import Answer, Asked, Fitting, chosen
from phosphene.recipes.sentence_probes import sentence_probes
from phosphene.recipes.translation_probes import (
    Shown,
    Subject,
    Used,
    ask_incongruent,
    illustrated,
    swaps,
)

GREY: Final = 128
_CANDIDATES: Final = 1000
"""At most so many photos are searched."""
_MAPPED: Final = 243
"""At most so many photos are put on a map."""
_ATTENDING: Final = ("image_free", "image_free_without_text", "image_given", "doubly_attentive")
"""Systems whose encoder lets regions ask words, or whose decoder lets words ask regions."""


def fitting(settings: Settings) -> Fitting:
    """By name: whatever asks a translator; retrieval and clusters where a feature is distilled."""
    undistilled = f"{settings.system} distils no feature"
    blind = f"{settings.system} attends to no regions"
    return {
        "incongruent": _incongruent,
        **sentence_probes(subject, settings.data.languages[0], settings.data.source),
        "retrieval": _retrieval if settings.distils else undistilled,
        "clusters": _clusters if settings.distils else undistilled,
        "attention": _attention if settings.system in _ATTENDING else blind,
    }


def subject(trained: Trained, settings: Settings) -> Subject:
    """The translator on its test splits; one that needs pictures on their illustrated part."""
    language, needs = settings.data.languages[1], settings.system in NEEDS_PICTURES
    system = System(
        settings.system,
        trained.model.eval(),
        trained.corpus.tokenizer,
        settings.search,
        language,
        needs_pictures=needs,
        tokenised=settings.data.tokenised,
    )
    tests = {}
    for name, data in with_photo_subsets(trained.corpus.tests).items():
        if needs and len(data.only_with_pictures()) < len(data):
            continue
        scenes = trained.corpus.scenes.get(name)
        judge = None if scenes is None else world_judge(scenes, language)
        tests[name] = Used(system, data, judge)

    def read(pairs: Sequence[Pair]) -> TranslationData:
        look = trained.teacher if needs else None
        side = settings.teacher.side if look is not None else 0
        data = encode(pairs, trained.corpus.tokenizer, side)
        if look is None or data.pictures is None or not len(data.pictures):
            return replace(data, pictures=None)
        return data.with_features(picture_features(look, data.pictures))

    blind = "" if needs else f"{settings.system} looks at no pictures"
    return Subject(system, tests, settings.data.languages, read, blind)


def _incongruent(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    tests = illustrated(subject(trained, settings).tests, asked)
    return ask_incongruent((_shown(trained, asked, *each) for each in tests.items()), asked)


def _shown(trained: Trained, asked: Asked, name: str, used: Used) -> Shown:
    data = used.data
    others = {
        "swapped": [used.on(each) for each in swaps(data, asked.seeds)],
        "none": [used.on(replace(data, features=None, pictures=None))],
    }
    if data.features is not None and trained.teacher is not None:
        others["blank"] = [used.on(data.with_features(_blank(trained.teacher, data)))]
    if trained.model.generator is not None:
        others["feature of another sentence"] = _other_features(used, asked.seeds)
    return Shown(name, used, others)


def _blank(teacher: VisualTeacher, data: TranslationData) -> Tensor:
    """What the teacher says of a grey picture, for every picture of ``data``."""
    assert data.features is not None
    side = teacher.picture.height
    grey = np.full((1, side, side, 3), GREY, dtype=np.uint8)
    return picture_features(teacher, grey).expand_as(data.features)


@torch.no_grad()
def _other_features(used: Used, seeds: int) -> list[Used]:
    """The model is given, as if they were of pictures, the features it makes of other sentences."""
    model = used.system.model
    assert isinstance(model, Translator)
    device = model.embedding.table.device
    rows = np.arange(len(used.data))
    maps = [
        model.generate_map(used.data.batch(part).source.to(device)).cpu()
        for part in np.split(rows, range(64, len(rows), 64))
    ]
    shown = Translator(model.embedding, model.encoder, model.decoder)  # the same weights
    system = replace(used.system, model=shown.eval())
    data = replace(used.data, picture_of=rows, pictures=None, tags=None)
    data = data.with_features(regions_from_map(torch.cat(maps)))
    return [
        Used(system, replace(data, picture_of=np.array(swapped(len(rows), seed))), used.judge)
        for seed in range(1, seeds + 1)
    ]


def _retrieval(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """R@K of the generated feature, beside untrained generators and shuffled captions.

    Raises:
        InputError: there is no split of the name that was asked for, or none has photos.
    """
    assert trained.teacher is not None
    findings, splits = [], chosen(trained.corpus.splits, asked.split)
    for name, data in splits.items():
        part = first_pictures(data, _CANDIDATES)
        if len(part) < 2:
            continue
        generated, real = feature_maps(trained.model, trained.teacher, part)
        untrained = []
        for seed in range(1, asked.seeds + 1):
            seed_update(seed)
            other = copy.deepcopy(trained.model)
            other.generator = build(trained.config).to(trained.model.embedding.table).generator
            untrained.append(feature_maps(other, trained.teacher, part)[0])
        orders = [torch.tensor(swapped(len(part), seed)) for seed in range(1, asked.seeds + 1)]
        kinds = {
            "generated": [generated],
            "untrained generator": untrained,
            "shuffled captions": [generated[order] for order in orders],
            "the photos themselves": [real],
        }
        findings.append(retrieval(f"{name}: {len(part)} photos", real, kinds))
    if not findings:
        raise InputError(f"retrieval: expected two photos or more in {' or '.join(splits)}")
    return Answer(tuple(findings))


def _clusters(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    assert trained.teacher is not None
    maps = []
    for name, data in chosen(trained.corpus.tests, asked.split).items():
        part = first_pictures(data, _MAPPED)
        if len(part) < 2:
            continue
        generated, real = feature_maps(trained.model, trained.teacher, part)
        labels = [pair.source for pair in part.pairs]
        assert part.pictures is not None
        pictures = [thumbnail(part.pictures[row]) for row in part.picture_of]
        maps.append(
            FeatureMap(
                name,
                "generated feature",
                generated.flatten(2).mean(dim=2).double().numpy(),
                real.flatten(2).mean(dim=2).double().numpy(),
                labels,
                pictures,
            )
        )
    return ask_clusters(maps, asked)


def _attention(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    tests = chosen(subject(trained, settings).tests, asked.split)
    apart = settings.system == "doubly_attentive"
    ask = ask_region_attention if apart else ask_fusion_attention
    return ask(trained.model, tests, trained.corpus.tokenizer, asked)


__all__ = ["fitting", "subject"]
