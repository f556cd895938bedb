"""The probe ``degrade`` of translators: source words are hidden at test time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from phosphene.data.hidden import (
    RANDOM_SHARE,
    WordClass,
    hidden_share,
    hide_class,
    hide_some,
    mask_file,
)
from phosphene.data.root import data_root
from phosphene.data.translation import Pair
from phosphene.evaluate.probes.degrade import Degraded, degrade
from phosphene.recipes.probe import Answer, Asked, chosen
from phosphene.recipes.translation_probes import Subject, Used, use

_CALLED: Final[dict[WordClass, str]] = {
    "colours": "colours",
    "people": "people",
    "entities": "depicted entities",
    "nouns": "nouns",
}


def ask_degrade(subject: Subject, asked: Asked, source: str) -> Answer:
    """Every split without colours, depicted entities, nouns, people, and random words.

    A system whose training hid words is asked about whole sentences, too.

    Args:
        subject: a translator from English.
        asked: splits and draws.
        source: of the data, as settings name it.
    """
    root = data_root() if source == "multi30k" else None
    findings = []
    for name, used in chosen(subject.tests, asked.split).items():
        pairs, title = used.data.pairs, f"{name}: which words are hidden"
        whole = [pair.whole_source for pair in pairs]
        hidden = {
            _CALLED[words]: [hide_class(pairs, words, source, root)]
            for words in known_classes(name.removesuffix(".photos"), source, root)
        }
        hidden["random words"] = [
            hide_some(whole, RANDOM_SHARE, seed) for seed in range(1, asked.seeds + 1)
        ]
        versions = {
            kind: [Degraded(_reread(subject, used, each), hidden_share(each)) for each in draws]
            for kind, draws in hidden.items()
        }
        with asked.log.progress(title, 1) as advance:
            run = partial(use, with_meteor=True)
            findings.append(degrade(title, run, _reread(subject, used, whole), versions))
            advance(1)
    return Answer(tuple(findings))


def known_classes(split: str, source: str, root: Path | None) -> list[WordClass]:
    """The classes of which it is known what their words are in a split."""
    known: list[WordClass] = ["colours", "people"]
    if root is not None and mask_file(root, split).is_file():
        known.append("entities")
    if source == "world" or (root is not None and mask_file(root, "train").is_file()):
        known.append("nouns")
    return known


def _reread(subject: Subject, used: Used, sources: Sequence[str]) -> Used:
    """The same examples, pictures and all, with other sources."""
    data = used.data
    if sources == [pair.source for pair in data.pairs]:
        return used
    read = subject.read([_saying(*each) for each in zip(data.pairs, sources, strict=True)])
    return used.on(replace(data, pairs=read.pairs, sources=read.sources, vectors=read.vectors))


def _saying(pair: Pair, source: str) -> Pair:
    return replace(pair, source=source, before_hiding=pair.whole_source, image=None)


__all__ = ["ask_degrade", "known_classes"]
