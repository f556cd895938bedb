"""Weights of every example's losses: its two modalities together, the image alone, the text alone.

A scheme of the modality-specific distillation paper is a function to weights ``[batch, view]`` in
[0, 1], in the order of :data:`phosphene.core.types.VIEWS`; :class:`ViewLosses` applies them. The
learned scheme is :mod:`phosphene.weighting.meta`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.types import VIEWS
from phosphene.weighting.direct import Term, example_mean

Importance = Callable[[Float[Tensor, "batch view"]], Float[Tensor, "batch view"]]


@dataclass(frozen=True)
class ViewLosses:
    """The losses of a batch, those of the views not yet weighted."""

    fixed: Mapping[str, Term]
    """What is weighted by constants: the likelihood, distances between features."""
    views: Float[Tensor, "batch view"]
    weight: float = 1.0
    """Common to all views: 1 - lambda of eq. 1."""

    def terms(self, weights: Float[Tensor, "batch view"]) -> dict[str, Term]:
        """The objective (eqs. 1 and 5): the views are summed, examples averaged."""
        weighted = weights * self.views
        return dict(self.fixed) | {
            f"imitation/{view}": example_mean(weighted[:, column], self.weight)
            for column, view in enumerate(VIEWS)
        }


def population(
    weights: tuple[float, float, float], losses: Float[Tensor, "batch view"]
) -> Float[Tensor, "batch view"]:
    """The same weights for every example (section 3.2); ``(1, 0, 0)`` is plain distillation.

    Raises:
        ValueError: a weight is outside [0, 1].
    """
    if not all(0 <= weight <= 1 for weight in weights):
        raise ValueError(f"weights {weights} are not in [0, 1]")
    return losses.new_tensor(weights).expand(losses.shape)


def importance_as_printed(
    divergence: Float[Tensor, "batch view"],
) -> Float[Tensor, "batch view"]:
    """A view counts by how far the teacher's answer to it is from its answer to both.

    Equation 6 as printed: the weight of the image is ``tanh KL(t(x), t(image))``, that of the text
    ``tanh KL(t(x), t(text))``, that of both is 1.

    Args:
        divergence: ``KL(t(x), t(view))`` of every view, at temperature 1; the first column, which
            is 0, is not used. Of several labels take the sum: with the mean of 23 labels ``tanh``
            stays near 0 and plain distillation is left.

    >>> importance_as_printed(torch.tensor([[0.0, 0.5493061, 9.0]]))
    tensor([[1.0000, 0.5000, 1.0000]])
    """
    return torch.cat([torch.ones_like(divergence[:, :1]), divergence[:, 1:].tanh()], dim=1)


def importance_by_prose(divergence: Float[Tensor, "batch view"]) -> Float[Tensor, "batch view"]:
    """A view counts by how much the teacher's answer changes where its modality is dropped.

    The sentence above eq. 6 read the other way: an image is important where the answer to the text
    alone differs, so its weight is ``tanh KL(t(x), t(text))``, and the reverse.

    Args:
        divergence: as for :func:`importance_as_printed`.

    >>> importance_by_prose(torch.tensor([[0.0, 0.5493061, 9.0]]))
    tensor([[1.0000, 1.0000, 0.5000]])
    """
    return importance_as_printed(divergence[:, [0, 2, 1]])


IMPORTANCE: Mapping[str, Importance] = MappingProxyType(
    {"as_printed": importance_as_printed, "by_prose": importance_by_prose}
)
"""The two readings by the names that configurations use."""


def correctness(
    losses: Float[Tensor, "batch view"], smallest: float = 1e-4
) -> Float[Tensor, "batch view"]:
    """A view counts by how well the teacher's answer to it fits the label (eq. 7).

    The weights of an example are as ``1 / h`` of its views and sum to 1.

    Args:
        losses: ``h``: the teacher's negative log-likelihood of the label for each view, at
            temperature 1; of several labels the sum.
        smallest: smaller losses count as this one.

    >>> correctness(torch.tensor([[1.0, 2.0, 2.0]]))
    tensor([[0.5000, 0.2500, 0.2500]])
    """
    inverse = losses.clamp(min=smallest).reciprocal()
    return inverse / inverse.sum(dim=1, keepdim=True)


__all__ = [
    "IMPORTANCE",
    "ViewLosses",
    "correctness",
    "importance_as_printed",
    "importance_by_prose",
    "population",
]
