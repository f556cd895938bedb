"""Does a generated feature find the photo of its own sentence among all photos?

A generator that draws what its sentence describes finds the photo far above chance. Beside it stand
a generator that was never trained and the trained one's features dealt out to other sentences: both
are at chance, whose limits are those of the binomial distribution.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from jaxtyping import Float
from torch import Tensor

from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.probes.incongruent import mean_scores
from phosphene.evaluate.retrieval import Recall, binomial, retrieve
from phosphene.evaluate.score import Score

KS: Final = (1, 5, 10, 15)
Maps = Float[Tensor, "example channel height width"]


def retrieval(title: str, real: Maps, generated: Mapping[str, Sequence[Maps]]) -> Finding:
    """R@1, 5, 10 and 15 in percent of each kind of feature, and what guessing finds.

    Args:
        title: of the finding.
        real: features of the photos, each once.
        generated: kind to versions of it; row ``i`` belongs to photo ``i``.
    """
    rows = {}
    for name, versions in generated.items():
        found = [retrieve(maps, real, KS) for maps in versions]
        alone = len(versions) == 1
        rows[name] = tuple(mean_scores([[_score(one, alone) for one in each] for each in found]))
    photos = len(real)
    chances = [Recall(k, 0, photos).chance for k in KS]
    rows["chance"] = tuple(
        Score(f"R@{k}", 100 * chance, f"{min(k, photos)} of {photos} photos")
        for k, chance in zip(KS, chances, strict=True)
    )
    rows["chance, upper limit"] = tuple(
        Score(
            f"R@{k}",
            100 * upper_limit(photos, chance) / photos,
            f"guessing finds more with probability below 0.025 (binomial, {photos} photos)",
        )
        for k, chance in zip(KS, chances, strict=True)
    )
    return Finding(title, rows, "percent; above the upper limit is better than guessing")


def upper_limit(trials: int, probability: float, tail: float = 0.025) -> int:
    """The least number of hits that guessing exceeds with a probability of at most ``tail``.

    >>> upper_limit(100, 0.01)
    3
    """
    above = 1.0
    for hits in range(trials + 1):
        above -= binomial(hits, trials, probability)
        if above <= tail:
            return hits
    return trials


def _score(found: Recall, alone: bool) -> Score:
    """Hits and the p-value belong to one version; of several the mean is shown."""
    hits = f"{found.hits} of {found.candidates}, p {found.p_value:.2g}, " if alone else ""
    signature = f"{hits}{found.candidates} photos, cosine of centred means"
    return Score(f"R@{found.k}", 100 * found.rate, signature)


__all__ = ["KS", "retrieval", "upper_limit"]
