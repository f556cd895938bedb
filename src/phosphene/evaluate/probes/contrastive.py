"""CoMMuTE: does the translation that the picture asks for cost less than the other one?

An item is an ambiguous sentence, a picture, the translation that fits it and the one that would fit
another picture. A text-only model gives both the same cost whatever the picture, so it is right on
one item of each mirrored pair: exactly half of all, and no whole pair. A tie counts as wrong.

Source: Futeral et al. 2023. Data: ``commute/en-XX`` of the data root (CC BY-SA 4.0).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from phosphene.core.errors import InputError
from phosphene.data.lines import parallel
from phosphene.evaluate.ambiguity import group_accuracy, ranking_accuracy
from phosphene.evaluate.score import Score


@dataclass(frozen=True)
class Candidate:
    """A translation of a sentence shown with a picture: what a scorer is asked the cost of."""

    source: str
    translation: str
    picture: str
    """The name of its file."""


Perplexities = Callable[[Sequence[Candidate]], Float[np.ndarray, " candidate"]]
"""The perplexity of every candidate, or another cost per target token."""


@dataclass(frozen=True)
class Item:
    """One line of CoMMuTE."""

    line: int
    """From 1."""
    correct: Candidate
    contrastive: Candidate


def read_commute(root: Path, language: str) -> tuple[Item, ...]:
    """The items of a target language.

    Raises:
        InputError: the language is not there, or the files differ in length.
    """
    folder = root / "commute" / f"en-{language}"
    if not folder.is_dir():
        known = sorted(path.name for path in (root / "commute").glob("en-*"))
        raise InputError(f"{folder}: no such folder; expected one of {', '.join(known) or 'none'}")
    files = ("src.en", f"correct.{language}", f"incorrect.{language}", "img.order")
    columns = parallel(*(folder / name for name in files))
    return tuple(
        Item(
            line,
            Candidate(source, right, picture.strip()),
            Candidate(source, wrong, picture.strip()),
        )
        for line, (source, right, wrong, picture) in enumerate(zip(*columns, strict=True), start=1)
    )


def unseen(items: Sequence[Item]) -> tuple[Item, ...]:
    """The same items for a scorer that sees no picture: the two of a pair ask the same of it."""
    return tuple(
        replace(
            item,
            correct=replace(item.correct, picture=""),
            contrastive=replace(item.contrastive, picture=""),
        )
        for item in items
    )


def unmirrored(items: Sequence[Item]) -> list[Item]:
    """The items without a counterpart whose translations are the same two the other way round."""
    turned = Counter(
        (item.correct.source, item.contrastive.translation, item.correct.translation)
        for item in items
    )
    return [
        item
        for item in items
        if not turned[item.correct.source, item.correct.translation, item.contrastive.translation]
    ]


def contrastive(items: Sequence[Item], cost: Perplexities, *, measure: str) -> tuple[Score, ...]:
    """Ranking and group accuracy; a group is all items of one source sentence.

    Every different candidate is scored once, so that rounding cannot order a pair in both ways.

    Args:
        items: of one language.
        cost: scores candidates.
        measure: what it is, such as ``perplexity``.
    """
    candidates = list(dict.fromkeys(c for item in items for c in (item.correct, item.contrastive)))
    costs = dict(zip(candidates, cost(candidates).tolist(), strict=True))
    right = np.array([costs[item.correct] for item in items])
    wrong = np.array([costs[item.contrastive] for item in items])
    groups = [item.correct.source for item in items]
    ties = float((right == wrong).sum())
    return (
        ranking_accuracy(right, wrong, measure=measure),
        group_accuracy(right, wrong, groups, measure=measure),
        Score("ties", ties, f"of {len(items)} items, counted as wrong"),
    )


__all__ = [
    "Candidate",
    "Item",
    "Perplexities",
    "contrastive",
    "read_commute",
    "unmirrored",
    "unseen",
]
