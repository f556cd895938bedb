"""The probes that fit runs of the recipe ``vlp_mmt``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from phosphene.core.errors import InputError
from phosphene.data.dataset import Encode, TranslationData, encode
from phosphene.data.regions import RegionTable, picture_names
from phosphene.data.translation import Pair
from phosphene.evaluate.gates import gate_scores, lexicon
from phosphene.evaluate.pictures import tags_only, withheld
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.score import Score
from phosphene.evaluate.system import System, with_photo_subsets
from phosphene.evaluate.world import world_judge
from phosphene.models.regions import GridTeacher, look_at
from phosphene.models.sources import VLSource
from phosphene.recipes.attention_probe import ask_encoder_attention
from phosphene.recipes.blank_regions import blank_regions
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
from phosphene.recipes.vlp_mmt_data import grid_teacher
from phosphene.recipes.vlp_mmt_results import Trained
from phosphene.recipes.vlp_mmt_settings import RegionsConfig, Settings


def fitting(settings: Settings) -> Fitting:
    """By name: whatever asks a translator; attention and lambda where pictures are read."""
    blind = f"{settings.system} attends to no regions"
    if settings.sees:
        blind = f"{settings.system} has no encoder that words and regions go through together"
    ungated = f"{settings.system} has no modality loss"
    if settings.observed_layers:
        ungated = "the weight of its modality loss is fixed (modality.gate)"
    return {
        "incongruent": _incongruent,
        **sentence_probes(subject, settings.data.languages[0], settings.data.source),
        "attention": _attention if settings.pretrains else blind,
        "lambda": _lambda if settings.learns_gate else ungated,
    }


def subject(trained: Trained, settings: Settings) -> Subject:
    """The translator on its test splits, with the pictures that are there."""
    language, corpus = settings.data.languages[1], trained.corpus
    system = System(
        settings.system,
        trained.model.eval(),
        corpus.tokenizer,
        settings.search,
        language,
        tokenised=settings.data.tokenised,
    )
    tests = {}
    for name, data in with_photo_subsets(corpus.tests).items():
        scenes = corpus.scenes.get(name)
        judge = None if scenes is None else world_judge(scenes, language)
        tests[name] = Used(system, data, judge)

    blind = _blind(settings)

    def read(pairs: Sequence[Pair]) -> TranslationData:
        data = encode(pairs, corpus.tokenizer)
        data = data.with_sources(trained.data.wordpiece.encode_all, ())
        if blind or not data.picture_names:
            return data
        teacher = grid_teacher(settings.regions, trained.model.embedding.table.device)
        return with_photo_regions(
            data, teacher, settings.regions, trained.data.wordpiece.encode_all
        )

    return Subject(
        system,
        tests,
        settings.data.languages,
        read,
        blind,
        natural_source=settings.data.raw_source,
    )


def _blind(settings: Settings) -> str:
    """Why pictures that are no part of the data cannot be looked at; empty if they can."""
    if not settings.sees:
        return f"{settings.system} looks at no pictures"
    if settings.regions.source != "grid":
        return (
            f"regions come from '{settings.regions.source}' (regions.source), "
            "and nobody can find some in these pictures"
        )
    return ""


def with_photo_regions(
    data: TranslationData, teacher: GridTeacher, plan: RegionsConfig, encode: Encode
) -> TranslationData:
    """``data`` with the regions and tags that the teacher finds in its photos.

    Args:
        data: the pairs name their photos.
        teacher: who found the regions that the model was trained on.
        plan: how many regions there are, where they are, and whether tags are read.
        encode: tags to ids.

    Raises:
        InputError: a photo is missing or damaged, or two have the same name.
    """
    paths = picture_names([pair.image for pair in data.pairs if pair.image is not None])
    found = dict(zip(paths, look_at(teacher, [*paths.values()]), strict=True))
    table = RegionTable(found, geometry=plan.geometry, most=plan.most)
    return data.with_regions(table, encode if plan.use_tags else _untagged)


def _untagged(texts: Sequence[str]) -> list[list[int]]:
    return [[] for _ in texts]


def _incongruent(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    tests = illustrated(subject(trained, settings).tests, asked)
    return ask_incongruent((_shown(asked, *each) for each in tests.items()), asked)


def _shown(asked: Asked, name: str, used: Used) -> Shown:
    data = used.data
    others = {
        "swapped": [used.on(each) for each in swaps(data, asked.seeds)],
        "none": [used.on(withheld(data))],
    }
    if data.regions is not None:
        names = [data.picture_names[row] for row in data.picture_of]
        blank = replace(data, regions=blank_regions(data.regions, names), tags=None)
        others |= {"blank": [used.on(blank)], "tags only": [used.on(tags_only(data))]}
    return Shown(name, used, others)


def _lambda(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """Mean lambda of tag words, other content words and function words, per illustrated split."""
    weigh = settings.modality.weigh(trained.gate)
    translations = lexicon(trained.corpus.train.pairs)
    findings = []
    splits = {"validation": trained.corpus.validation, **trained.corpus.tests}
    for name, data in chosen(splits, asked.split).items():
        seen = data.only_with_pictures()
        if not len(seen):
            continue
        scores = gate_scores(
            trained.model, weigh, seen, translations, trained.corpus.tokenizer,
            settings.data.languages[1],
        )  # fmt: skip
        rows = {
            score.name.removeprefix("lambda, "): (Score("lambda", score.value, score.signature),)
            for score in scores
        }
        findings.append(Finding(f"{name}: lambda by class of target word", rows))
    if not findings:
        raise InputError("lambda: no example has a picture")
    return Answer(tuple(findings))


def _attention(trained: Trained, settings: Settings, asked: Asked) -> Answer:
    """How much words attend to regions in the encoder, and to which."""
    source = trained.model.source
    assert isinstance(source, VLSource)
    shown = illustrated(subject(trained, settings).tests, asked)
    tests = {name: used.data for name, used in shown.items()}
    return ask_encoder_attention(source.encoder, tests, trained.data.wordpiece, asked)


__all__ = ["fitting", "subject", "with_photo_regions"]
