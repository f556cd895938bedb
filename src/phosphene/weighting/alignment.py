"""What a pair of aligned positions counts: three normalisations of the same losses.

``losses`` maps the kind of position (``cls``, ``region``, ``tag``, ``mixed``) to what its pairs
cost; a kind that is left out has no term. The cViL paper and its code differ:

* :func:`per_term`, the default: every kind counts the mean over its pairs, so the kinds weigh the
  same however many positions they have;
* :func:`union`, the released code: one mean over the pairs of all kinds; fifty regions
  outweigh [CLS] by fifty to one;
* :func:`paper`, the paper's eqs. 2 to 5: sums divided by the number of regions, and by the
  *square* of the number of tag and word positions, of which hardly more than one pair each
  matches; longer texts count less.
"""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Float, Int
from torch import Tensor

from phosphene.weighting.direct import Term


def per_term(losses: Mapping[str, Float[Tensor, " pair"]]) -> dict[str, Term]:
    """The mean over the pairs of each kind."""
    return {name: Term(loss.sum(), float(loss.numel())) for name, loss in losses.items()}


def union(losses: Mapping[str, Float[Tensor, " pair"]]) -> dict[str, Term]:
    """The sum over each kind, divided by the number of pairs of all kinds."""
    count = float(sum(loss.numel() for loss in losses.values()))
    return {name: Term(loss.sum(), count) for name, loss in losses.items()}


def paper(
    losses: Mapping[str, Float[Tensor, " pair"]],
    examples: Mapping[str, Int[Tensor, " pair"]],
    divisors: Mapping[str, Float[Tensor, " batch"]],
) -> dict[str, Term]:
    """The sum over each example's pairs divided by its divisor, averaged over examples.

    Args:
        losses: by kind.
        examples: by kind, the example that each pair belongs to.
        divisors: by kind, each example's: 1 for [CLS] (eq. 2), ``p`` regions (eq. 3), ``t ** 2``
            for ``t`` tag positions (eq. 4), ``n ** 2`` for ``n`` word positions (eq. 5).
    """
    return {
        name: Term((loss / divisors[name][examples[name]]).sum(), float(divisors[name].numel()))
        for name, loss in losses.items()
    }


__all__ = ["paper", "per_term", "union"]
