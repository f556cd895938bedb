"""Does a generated feature find its own picture? Recall at K with the limits of chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Recall:
    """How often the right picture is among the ``k`` nearest of ``candidates``."""

    k: int
    hits: int
    candidates: int

    @property
    def rate(self) -> float:
        """Share of queries whose picture was found."""
        return self.hits / self.candidates

    @property
    def chance(self) -> float:
        """What guessing finds; everything, where there are no more candidates than ``k``."""
        return min(self.k, self.candidates) / self.candidates

    @property
    def p_value(self) -> float:
        """Probability that guessing finds at least so many (binomial, one-sided)."""
        n = self.candidates
        more = (binomial(hits, n, self.chance) for hits in range(self.hits, n + 1))
        return min(1.0, sum(more))


def binomial(hits: int, trials: int, probability: float) -> float:
    """Probability of so many ``hits`` among ``trials`` that hit with a ``probability`` above 0.

    >>> round(binomial(1, 2, 0.5), 3), binomial(2, 2, 1.0), binomial(1, 2, 1.0)
    (0.5, 1.0, 0.0)
    """
    if probability >= 1:
        return float(hits == trials)
    return math.exp(
        math.lgamma(trials + 1)
        - math.lgamma(hits + 1)
        - math.lgamma(trials - hits + 1)
        + hits * math.log(probability)
        + (trials - hits) * math.log1p(-probability)
    )


def retrieve(
    generated: Float[Tensor, "batch channel height width"],
    real: Float[Tensor, "batch channel height width"],
    ks: Sequence[int] = (1, 5, 10, 15),
) -> list[Recall]:
    """Rank all ``real`` maps by cosine with each generated one; row ``i`` belongs to row ``i``.

    Both sides are averaged over positions and centred on their own mean first: features of a
    rectified network share a large common direction, which would otherwise decide the ranking.
    A tie counts against the generated feature.
    """
    return recall(_directions(generated), _directions(real), ks)


def retrieve_whole(
    generated: Float[Tensor, "batch channel height width"],
    real: Float[Tensor, "batch channel height width"],
    ks: Sequence[int] = (1, 5, 10, 15),
) -> list[Recall]:
    """The same by the cosine of whole maps as they are, as the IKD paper ranks (Table 4).

    Positions count one by one and nothing is centred: what all photos have in common takes part.
    """
    query, key = (F.normalize(maps.flatten(1), dim=1) for maps in (generated, real))
    return recall(query, key, ks)


def recall(
    query: Float[Tensor, "batch feature"],
    key: Float[Tensor, "batch feature"],
    ks: Sequence[int] = (1, 5, 10),
) -> list[Recall]:
    """Rank all ``key`` vectors by inner product with each query; row ``i`` belongs to row ``i``.

    A tie counts against the query.
    """
    similarity = query @ key.T
    right = similarity.diagonal()[:, None]
    better = (similarity >= right).sum(dim=1) - 1
    return [Recall(k, int((better < k).sum()), len(key)) for k in ks]


def _directions(
    maps: Float[Tensor, "batch channel height width"],
) -> Float[Tensor, "batch channel"]:
    vectors = maps.flatten(2).mean(dim=2).double()
    return F.normalize(vectors - vectors.mean(dim=0), dim=1)
