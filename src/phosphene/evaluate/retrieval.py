"""Does a generated feature find its own picture? Recall at K with the limits of chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from scipy.special import bdtrc
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
        return float(bdtrc(self.hits - 1, self.candidates, self.chance))


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
