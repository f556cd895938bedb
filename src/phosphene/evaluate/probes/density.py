"""How a classifier's probabilities are distributed, beside its teacher's (MSD's Figures 1, 3, 6).

Of one kind of answer (Figure 6). Of two classes: the probability of the second one, for the
examples of the first. Of several: that of the true label. Of many labels at once: that of the
labels which an example does not have. Or of every example (Figures 1 and 3).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

Probabilities = Float[np.ndarray, " value"]
GRID: Final = 101
_LEAST_WIDTH: Final = 0.01


def of_interest(
    logits: Float[Tensor, "example label"], labels: Int[Tensor, " example"] | Tensor
) -> tuple[str, Probabilities]:
    """What the probability is of, and its values.

    Args:
        logits: of a classifier.
        labels: one class of each example, or 0 and 1 for every label.
    """
    if labels.dim() == 2:
        values = logits.double().sigmoid()[labels == 0]
        return "labels that are not there", values.numpy()
    shares = logits.double().softmax(dim=1)
    if logits.shape[1] == 2:
        return "the second class, where it is the first", shares[labels == 0, 1].numpy()
    return "the true label", shares[torch.arange(len(labels)), labels].numpy()


def of_every_example(
    logits: Float[Tensor, "example label"], labels: Int[Tensor, " example"] | Tensor
) -> tuple[str, Probabilities]:
    """The same, and no example is left out: the second of two classes, each of many labels."""
    if labels.dim() == 2:
        return "each label", logits.double().sigmoid().flatten().numpy()
    if logits.shape[1] == 2:
        return "the second class", logits.double().softmax(dim=1)[:, 1].numpy()
    return of_interest(logits, labels)


def density(
    values: Probabilities,
) -> tuple[Float[np.ndarray, " place"], Float[np.ndarray, " place"]]:
    """A kernel estimate on ``[0, 1]``: Gaussian, Silverman's width, mirrored at both ends.

    Returns:
        places, and the density there; its integral over them is 1.
    """
    places = np.linspace(0.0, 1.0, GRID)
    width = max(_LEAST_WIDTH, 1.06 * float(values.std()) * len(values) ** -0.2)
    mirrored = np.concatenate([values, -values, 2.0 - values])
    heights = np.exp(-0.5 * ((places[:, None] - mirrored) / width) ** 2).sum(axis=1)
    return places, heights / (len(values) * width * np.sqrt(2 * np.pi))


def distance(one: Probabilities, other: Probabilities) -> float:
    """The earth mover's distance of two distributions over the same examples, 0 to 1.

    >>> distance(np.array([0.0, 1.0]), np.array([1.0, 0.5]))
    0.25
    """
    return float(np.abs(np.sort(one) - np.sort(other)).mean())


__all__ = ["density", "distance", "of_every_example", "of_interest"]
