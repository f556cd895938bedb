"""What is lost when words are hidden: colours, depicted things, nouns, people, a random share.

Where a picture is given, what it recovers of the hidden words is the difference between systems.
How words are hidden is said in :mod:`phosphene.data.hidden`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

import numpy as np

from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.probes.incongruent import Outcome, incongruent
from phosphene.evaluate.score import Score

WHOLE: Final = "whole"
Data = TypeVar("Data")


@dataclass(frozen=True)
class Degraded(Generic[Data]):
    """One version of the examples, and the share of their source words that is hidden."""

    data: Data
    share: float


def degrade(
    title: str,
    run: Callable[[Data], Outcome],
    whole: Data,
    versions: Mapping[str, Sequence[Degraded[Data]]],
) -> Finding:
    """What is lost by hiding each kind of word.

    Args:
        title: of the finding.
        run: uses the system on examples.
        whole: the examples as they are.
        versions: kind of word to the same examples without it; several where it is drawn.
    """
    found = incongruent(
        title, run, whole, {name: [one.data for one in each] for name, each in versions.items()}
    )
    (_, first), *others = found.rows.items()
    nothing = Score("words hidden, %", 0.0, "of the source")
    rows = {WHOLE: (nothing, *first)}
    for name, scores in others:
        share = 100 * float(np.mean([one.share for one in versions[name]]))
        rows[name] = (Score("words hidden, %", share, "of the source"), *scores)
    return Finding(
        title,
        rows,
        "lost: log-probability of the references with the whole source less that without, nats per "
        "example. What a picture recovers is what a system loses less than one that has none.",
    )


__all__ = ["WHOLE", "Degraded", "degrade"]
