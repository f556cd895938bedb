"""Does a generated feature find the photo of its own sentence among all photos?

A generator that draws what its sentence describes finds the photo far above chance. Beside it stand
a generator that was never trained and the trained one's features dealt out to other sentences: both
are at chance, whose limits are those of the binomial distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.special import bdtr, bdtrc
from torch import Tensor

from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.probes.incongruent import mean_scores
from phosphene.evaluate.retrieval import Recall, retrieve, retrieve_whole
from phosphene.evaluate.score import Score, Unavailable

KS: Final = (1, 5, 10, 15)
Maps = Float[Tensor, "example channel height width"]


def retrieval(title: str, real: Maps, generated: Mapping[str, Sequence[Maps]]) -> Finding:
    """R@1, 5, 10 and 15 in percent of each kind of feature, and what guessing finds.

    Every kind is ranked twice: by centred means over positions, and, in rows that are called
    *uncentred*, by whole features as they are.

    Args:
        title: of the finding.
        real: features of the photos, each once.
        generated: kind to versions of it; row ``i`` belongs to photo ``i``.
    """
    rows = {
        name: _scores(versions, real, retrieve, "centred means")
        for name, versions in generated.items()
    }
    rows |= {
        f"{name}, uncentred": _scores(versions, real, retrieve_whole, "whole features, uncentred")
        for name, versions in generated.items()
    }
    photos = len(real)
    chances = [Recall(k, 0, photos).chance for k in KS]
    rows["chance"] = tuple(
        Score(f"R@{k}", 100 * chance, f"{min(k, photos)} of {photos} photos")
        for k, chance in zip(KS, chances, strict=True)
    )
    for side, limit, finds in (("upper", upper_limit, "more"), ("lower", lower_limit, "less")):
        says = f"guessing finds {finds} with probability below 0.025 (binomial, {photos} photos)"
        rows[f"chance, {side} limit"] = tuple(
            Score(f"R@{k}", 100 * limit(photos, chance) / photos, says)
            for k, chance in zip(KS, chances, strict=True)
        )
    note = (
        "percent; above the upper limit is better than guessing, below the lower one worse. Ranked "
        "by the cosine of centred means over positions; uncentred: of whole features as they are."
    )
    return Finding(title, rows, note)


def upper_limit(trials: int, probability: float, tail: float = 0.025) -> int:
    """The least number of hits that guessing exceeds with a probability of at most ``tail``.

    >>> upper_limit(100, 0.01)
    3
    """
    return int(np.argmax(bdtrc(np.arange(trials + 1), trials, probability) <= tail))


def lower_limit(trials: int, probability: float, tail: float = 0.025) -> int:
    """The most hits that guessing falls short of with a probability of at most ``tail``.

    >>> lower_limit(100, 0.1)
    5
    """
    return int(np.argmax(bdtr(np.arange(trials + 1), trials, probability) > tail))


def _scores(
    versions: Sequence[Maps],
    real: Maps,
    rank: Callable[[Maps, Maps, Sequence[int]], list[Recall]],
    ranked_by: str,
) -> tuple[Score | Unavailable, ...]:
    """Hits and the p-value belong to one version; of several the mean is shown."""
    alone = len(versions) == 1
    return tuple(
        mean_scores(
            [[_score(one, alone, ranked_by) for one in rank(maps, real, KS)] for maps in versions]
        )
    )


def _score(found: Recall, alone: bool, ranked_by: str) -> Score:
    hits = f"{found.hits} of {found.candidates}, p {found.p_value:.2g}, " if alone else ""
    signature = f"{hits}{found.candidates} photos, cosine of {ranked_by}"
    return Score(f"R@{found.k}", 100 * found.rate, signature)


__all__ = ["KS", "lower_limit", "retrieval", "upper_limit"]
