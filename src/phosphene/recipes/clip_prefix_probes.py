"""The probes that fit runs of the recipe ``clip_prefix``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.data.dataset import TranslationData, VectorTable
from phosphene.data.described import Described, Picture
from phosphene.data.image import load_rgb
from phosphene.data.translation import Pair
from phosphene.data.world.draw import draw
from phosphene.data.world.scene import Scene
from phosphene.data.world.splits import swapped
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.probes.retrieval import retrieval
from phosphene.evaluate.score import Score
from phosphene.recipes.attention_probe import ask_prefix_attention
from phosphene.recipes.clip_prefix_data import Examples, translations
from phosphene.recipes.clip_prefix_results import Trained, judge_of, measure_alignment, system_of
from phosphene.recipes.clip_prefix_settings import Settings
from phosphene.recipes.clusters_probe import FeatureMap, ask_clusters, thumbnail
from phosphene.recipes.probe import Answer, Asked, Fitting, chosen
from phosphene.recipes.sentence_probes import sentence_probes
from phosphene.recipes.translation_probes import (
    Shown,
    Subject,
    Used,
    ask_incongruent,
)

_GREY: Final = 128
_CANDIDATES: Final = 1000
_MAPPED: Final = 243
_SIDE: Final = 64


def fitting(settings: Settings) -> Fitting:
    """By name: whatever asks a translator; what asks the vectors where there is a prefix."""
    prefixed = settings.arm.translations is not None
    alone = f"{settings.system} has no prefix"
    return {
        **sentence_probes(subject, settings.data.directions[0][0], settings.data.source),
        "retrieval": _retrieval,
        "clusters": _clusters,
        "incongruent": _incongruent if prefixed else alone,
        "alignment": _alignment if prefixed else alone,
        "attention": _attention if prefixed else alone,
    }


def subject(trained: Trained, settings: Settings) -> Subject:
    """The translator in its first direction, each sentence with its own vector."""
    direction = settings.data.directions[0]
    system = system_of(trained, settings, settings.system, trained.model.eval(), direction[1])
    tests = {
        name: Used(system, as_used(trained, found), judge_of(system, found))
        for name, found in _tests(trained, settings).items()
    }

    def read(pairs: Sequence[Pair]) -> TranslationData:
        items = [
            Described(pair.id, {direction[0]: pair.source, direction[1]: pair.target}, pair.image)
            for pair in pairs
        ]
        found = translations(items, [direction], trained.corpus.tokenizer)
        if trained.model.mapping is None or not found.illustrated().pictures:
            return as_used(trained, found)
        return trained.space.showing(found)

    blind = "" if trained.model.mapping is not None else f"{settings.system} has no prefix"
    return Subject(system, tests, direction, read, blind)


def as_used(trained: Trained, examples: Examples) -> TranslationData:
    """Examples with the vectors of their sentences, where the model takes vectors."""
    return examples.data if trained.model.mapping is None else trained.space.saying(examples)


def _tests(trained: Trained, settings: Settings) -> dict[str, Examples]:
    """The test splits in the first direction, and the illustrated part of each."""
    found = {}
    for name, items in trained.corpus.tests.items():
        examples = translations(items, [settings.data.directions[0]], trained.corpus.tokenizer)
        if not len(examples.data):
            continue
        found[name] = examples
        seen = examples.illustrated()
        if 0 < len(seen.pictures) < len(examples.pictures):
            found[f"{name}.photos"] = seen
    return found


def _illustrated(trained: Trained, settings: Settings, asked: Asked) -> dict[str, Examples]:
    """The splits all of whose examples have a picture, at least two different ones.

    Raises:
        InputError: there is none, or none of the name that was asked for.
    """
    found = {
        name: examples
        for name, examples in _tests(trained, settings).items()
        if len(set(examples.pictures)) > 1 and None not in examples.pictures
    }
    if not found:
        raise InputError("no test split has two pictures or more")
    return chosen(found, asked.split)


def _incongruent(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    asks = subject(trained, settings)
    examples = _illustrated(trained, settings, asked)
    shown = (_shown(trained, asked, name, asks.tests[name], examples[name]) for name in examples)
    return ask_incongruent(shown, asked)


def _shown(trained: Trained, asked: Asked, name: str, used: Used, examples: Examples) -> Shown:
    """The picture's vector, another picture's, a grey one's, none; and the sentence's own."""
    space, data = trained.space, examples.data
    side = space.encoder.side
    grey = space.encoder.image_vectors(np.full((1, side, side, 3), _GREY, dtype=np.uint8))
    blank = VectorTable(grey, np.zeros(len(data), dtype=np.int64))
    others = {
        "swapped": [
            used.on(space.showing_others(examples, seed)) for seed in range(1, asked.seeds + 1)
        ],
        "blank": [used.on(replace(data, vectors=blank))],
        "none": [used.on(data)],
        "sentence instead": [used],
    }
    return Shown(name, used.on(space.showing(examples)), others)


def _alignment(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """How alike pictures' and sentences' vectors are, projected and as prefixes, stage by stage."""
    found = measure_alignment(trained, settings.data.directions[0])
    rows: dict[str, tuple[Score, ...]] = {}
    for score in found.scores:
        if isinstance(score, Score):
            name, _, moment = score.name.partition(", ")
            rows[moment] = (*rows.get(moment, ()), Score(name, score.value, score.signature))
    if not rows:
        raise InputError("alignment: expected two validation examples with pictures")
    return Answer((Finding(f"{found.sentences} validation pictures and their sentences", rows),))


def _attention(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """How much target words attend to the prefix, made of their own sentence's vector."""
    tests = chosen(subject(trained, settings).tests, asked.split)
    return ask_prefix_attention(trained.model, tests, trained.corpus.tokenizer, asked)


def _vectors(
    trained: Trained, examples: Examples, most: int
) -> tuple[Float[Tensor, "example feature"], Float[Tensor, "example feature"], list[int]]:
    """Of sentences and of their pictures, each picture once; and which examples these are."""
    first = list(
        {picture: row for row, picture in reversed([*enumerate(examples.pictures)])}.values()
    )
    rows = sorted(first)[:most]
    said = trained.space.of_texts([examples.data.pairs[row].source for row in rows])
    shown = [picture for row in rows if (picture := examples.pictures[row]) is not None]
    return said, trained.space.of_pictures(shown), rows


def _retrieval(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """Does the vector of a sentence find its picture's?"""
    findings = []
    for name, examples in _illustrated(trained, settings, asked).items():
        said, shown, rows = _vectors(trained, examples, _CANDIDATES)
        maps, real = said[:, :, None, None], shown[:, :, None, None]
        orders = [torch.tensor(swapped(len(rows), seed)) for seed in range(1, asked.seeds + 1)]
        kinds = {
            "sentence's vector": [maps],
            "shuffled captions": [maps[order] for order in orders],
            "the photos themselves": [real],
        }
        findings.append(retrieval(f"{name}: {len(rows)} photos", real, kinds))
    return Answer(tuple(findings))


def _clusters(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    maps = []
    for name, examples in _illustrated(trained, settings, asked).items():
        said, shown, rows = _vectors(trained, examples, _MAPPED)
        pictures = [thumbnail(_pixels(examples.pictures[row])) for row in rows]
        labels = [examples.data.pairs[row].source for row in rows]
        maps.append(
            FeatureMap(
                name, "sentence", said.double().numpy(), shown.double().numpy(), labels, pictures
            )
        )
    return ask_clusters(maps, asked)


def _pixels(picture: Picture | None) -> np.ndarray:
    if picture is None:
        raise ValueError("expected a picture")
    return draw(picture) if isinstance(picture, Scene) else load_rgb(picture, _SIDE)


__all__ = ["fitting", "subject"]
