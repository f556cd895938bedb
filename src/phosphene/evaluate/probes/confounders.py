"""Does the answer follow the label when another picture flips it?

A random picture behind a text need not change its label. Two examples of one text whose pictures
and labels differ are confounders of each other: exchanging their pictures flips both labels.

Source: Jin et al. 2021 (MSD), Figure 9; Kiela et al. 2020 (benign confounders).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Int

from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.score import Score

Classes = Int[np.ndarray, " example"]
Pairs = Int[np.ndarray, "pair 2"]
NOTE: Final = (
    "Pairs of one text with two pictures, by which the label differs. Follows: both answers are "
    "right. Who does not look at the picture never changes the answer and follows in no pair; who "
    "guesses between two classes follows in a quarter."
)


def confounders(
    texts: Sequence[str], pictures: Classes, labels: Classes, groups: Iterable[Sequence[int]]
) -> Pairs:
    """Examples of one text that differ in picture and label, each with the next such one.

    Args:
        texts: of all examples.
        pictures: a number for every picture.
        labels: the class of each example.
        groups: examples among which to look; no pair reaches over two of them.
    """
    pairs: dict[tuple[int, int], None] = {}
    for group in groups:
        alike: dict[str, list[int]] = {}
        for example in group:
            alike.setdefault(texts[example], []).append(example)
        for members in alike.values():
            if len(set(labels[members].tolist())) > 1:
                pairs |= dict.fromkeys(_partners(members, pictures, labels))
    return np.array(list(pairs), dtype=np.int64).reshape(-1, 2)


def follows_label(
    title: str, predicted: Mapping[str, Classes], labels: Classes, pairs: Pairs
) -> Finding:
    """How often each model's answers to a pair differ, and how often both are right, in percent.

    Args:
        title: of the finding.
        predicted: model to the class that it says of each example.
        labels: the true ones.
        pairs: at least one, of :func:`confounders`.
    """
    signature = f"pairs:{len(pairs)}"
    rows = {}
    for name, classes in predicted.items():
        right, said = (classes == labels)[pairs], classes[pairs]
        rows[name] = (
            Score("follows the label, %", 100 * float(right.all(axis=1).mean()), signature),
            Score("answer changes, %", 100 * float((said[:, 0] != said[:, 1]).mean()), signature),
        )
    return Finding(title, rows, NOTE)


def _partners(
    members: Sequence[int], pictures: Classes, labels: Classes
) -> Iterable[tuple[int, int]]:
    """Of examples with one text, each with the next one, around, whose picture and label differ."""
    for place, one in enumerate(members):
        for other in (*members[place + 1 :], *members[:place]):
            if labels[one] != labels[other] and pictures[one] != pictures[other]:
                yield min(one, other), max(one, other)
                break


__all__ = ["confounders", "follows_label"]
