"""The probe ``degrade`` of translators: source words are hidden at test time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from phosphene.core.errors import InputError
from phosphene.data.corpus import data_root
from phosphene.data.lines import read_lines
from phosphene.data.translation import Pair, multi30k
from phosphene.data.world.lexicon import COLOURS as WORLD_COLOURS
from phosphene.data.world.lexicon import WORDS
from phosphene.evaluate.probes.degrade import (
    COLOURS,
    PEOPLE,
    Degraded,
    degrade,
    hidden_share,
    hide,
    hide_masked,
    hide_some,
    masked_nouns,
)
from phosphene.recipes.probe import Answer, Asked
from phosphene.recipes.translation_probes import Subject, Used, chosen, use

RANDOM_SHARE: Final = 0.15
_MASKS: Final = "multi30k/masks/{}.lc.norm.tok.entity.en"
Hidden = dict[str, Sequence[Sequence[str]]]
"""Kind of word to versions of the sources of a split without it."""


def ask_degrade(subject: Subject, asked: Asked, source: str) -> Answer:
    """Every split without colours, depicted entities, nouns, people, and random words.

    Args:
        subject: a translator from English.
        asked: splits and draws.
        source: of the data, as settings name it.
    """
    findings = []
    for name, used in chosen(subject.tests, asked.split).items():
        pairs, title = used.data.pairs, f"{name}: which words are hidden"
        hidden = _in_world(pairs) if source == "world" else hidden_sources(name, pairs, source)
        sources = [pair.source for pair in pairs]
        hidden["random words"] = [
            hide_some(sources, RANDOM_SHARE, seed) for seed in range(1, asked.seeds + 1)
        ]
        versions = {
            kind: [Degraded(_reread(subject, used, each), hidden_share(each)) for each in draws]
            for kind, draws in hidden.items()
        }
        with asked.log.progress(title, 1) as advance:
            findings.append(degrade(title, use, used, versions))
            advance(1)
    return Answer(tuple(findings))


def hidden_sources(name: str, pairs: Sequence[Pair], source: str) -> Hidden:
    """Sources of a split without colours and people; where masks are, without entities and nouns.

    Raises:
        InputError: a file of masks does not fit the text.
    """
    sources = [pair.source for pair in pairs]
    hidden: Hidden = {
        "colours": [[hide(each, COLOURS) for each in sources]],
        "people": [[hide(each, PEOPLE) for each in sources]],
    }
    if source != "multi30k":
        return hidden
    split = name.removesuffix(".photos")
    if mask_file(split).is_file():
        hidden["depicted entities"] = [hide_entities(split, pairs)]
    if mask_file("train").is_file():
        nouns = depictable_nouns()
        hidden["nouns"] = [[hide(each, nouns) for each in sources]]
    return hidden


def mask_file(split: str) -> Path:
    """Where the entity masks of a split are, if there are any."""
    return data_root() / _MASKS.format(split)


def hide_entities(split: str, pairs: Sequence[Pair]) -> list[str]:
    """Sources without the words that the entity masks of a Multi30K split cover.

    Raises:
        InputError: the masks have another number of lines or words than the text.
    """
    path = mask_file(split)
    masks, original = read_lines(path), multi30k(data_root(), split, ("en", "de"))
    if len(masks) != len(original):
        raise InputError(f"{path}: {len(masks)} lines, expected {len(original)} as in the text")
    found = []
    for pair in pairs:
        line = int(pair.id.rpartition(":")[2])
        try:
            found.append(hide_masked(pair.source, original[line - 1].source, masks[line - 1]))
        except ValueError as error:
            raise InputError(f"{path}:{line}: {error}") from error
    return found


def depictable_nouns() -> frozenset[str]:
    """Words that the masks of the training text mostly cover."""
    train = multi30k(data_root(), "train", ("en", "de"))
    return masked_nouns([pair.source for pair in train], read_lines(mask_file("train")))


def _in_world(pairs: Sequence[Pair]) -> Hidden:
    sources, words = [pair.source for pair in pairs], WORDS["en"]
    people = {form for kind in ("man", "woman", "boy", "girl") for form in _forms(kind)}
    nouns = {form for kind in words for form in _forms(kind)}
    return {
        "colours": [[hide(each, WORLD_COLOURS) for each in sources]],
        "people": [[hide(each, people) for each in sources]],
        "nouns": [[hide(each, nouns) for each in sources]],
    }


def _forms(kind: str) -> tuple[str, str]:
    word = WORDS["en"][kind]
    return word.singular, word.plural


def _reread(subject: Subject, used: Used, sources: Sequence[str]) -> Used:
    """The same examples, pictures and all, with other sources."""
    data = used.data
    read = subject.read(
        [
            replace(pair, source=source, image=None)
            for pair, source in zip(data.pairs, sources, strict=True)
        ]
    )
    return used.on(replace(data, pairs=read.pairs, sources=read.sources, vectors=read.vectors))


__all__ = ["ask_degrade", "depictable_nouns", "hidden_sources", "hide_entities", "mask_file"]
