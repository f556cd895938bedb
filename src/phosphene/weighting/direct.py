"""From unreduced losses to one number: the only place where a loss is averaged.

A :class:`Term` keeps the sum and what it is to be divided by apart, so that the trainer can
divide by the count of the *global* batch when several processes share it: the loss curve does not
depend on how sentences fell on processes.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Term:
    """One summand of an objective: ``weight * total / count``."""

    total: Float[Tensor, ""]
    count: float
    weight: float = 1.0

    @property
    def mean(self) -> float:
        """The unweighted mean on this process; 0 where there is nothing to average."""
        return self.total.item() / self.count if self.count else 0.0


def token_mean(
    losses: Float[Tensor, "batch target"], mask: Bool[Tensor, "batch target"], weight: float = 1.0
) -> Term:
    """The mean over real tokens."""
    return Term((losses * mask).sum(), float(mask.sum()), weight)


def example_mean(losses: Float[Tensor, " batch"], weight: float = 1.0) -> Term:
    """The mean over examples (or photos, or rows of a relation)."""
    return Term(losses.sum(), float(losses.numel()), weight)


def spread_over(count: float, losses: Float[Tensor, " batch"], weight: float = 1.0) -> Term:
    """The mean over examples divided by ``count``, such as the number of target words."""
    return Term(losses.mean(), count, weight)


def withheld(*names: str, like: Tensor) -> dict[str, Term]:
    """Terms of a batch that has nothing to compute them from."""
    return {name: Term(like.new_zeros(()), 0.0) for name in names}
