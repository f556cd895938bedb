"""Weights learned from what they do to a student (Shu et al., 2019; section 3.4 of the paper)."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from phosphene.core.types import VIEWS


@final
class MetaLearner(nn.Module):
    """From a teacher's answers to one example in its three views to a weight for each view.

    Equation 8: a perceptron with one hidden layer and a sigmoid. Its size is that of Shu et al.;
    the paper gives none.

    Args:
        labels: classes or labels of an answer.
        hidden: width of the hidden layer.
    """

    def __init__(self, labels: int, hidden: int = 100) -> None:
        super().__init__()
        self.network = nn.Sequential(
            nn.Linear(len(VIEWS) * labels, hidden),
            nn.ReLU(),
            nn.Linear(hidden, len(VIEWS)),
            nn.Sigmoid(),
        )

    def forward(
        self, probabilities: Float[Tensor, "batch view label"]
    ) -> Float[Tensor, "batch view"]:
        """Weights in [0, 1] from the teacher's probabilities at temperature 1."""
        weights: Tensor = self.network(probabilities.flatten(1))
        return weights


__all__ = ["MetaLearner"]
