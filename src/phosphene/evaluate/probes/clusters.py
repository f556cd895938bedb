"""Do generated features fall into the clusters of the photos they stand for?

Points of both kinds are put on one map (the first two principal components of the photos), and
k-means finds clusters of each kind by itself. How far the two clusterings agree is the number, the
normalised mutual information: 1 where they are the same, about 0 where they have nothing to do with
each other. The features dealt out to other sentences are the control.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from jaxtyping import Float, Int

_ROUNDS: Final = 100
Vectors = Float[np.ndarray, "point feature"]
Clusters = Int[np.ndarray, " point"]


def principal_axes(
    points: Vectors,
) -> tuple[Float[np.ndarray, " feature"], Float[np.ndarray, "2 feature"]]:
    """The mean of ``points`` and the two directions along which they differ most."""
    centre = points.mean(axis=0)
    _, _, axes = np.linalg.svd(points - centre, full_matrices=False)
    found = axes[:2]
    # Each direction is known up to its sign: the largest part of it is to be positive.
    largest = np.abs(found).argmax(axis=1)
    return centre, found * np.sign(found[np.arange(len(found)), largest])[:, None]


def k_means(points: Vectors, count: int, seed: int) -> Clusters:
    """Lloyd's algorithm from ``count`` points, each drawn far from those before (k-means++).

    Raises:
        ValueError: there are fewer points than clusters.
    """
    if len(points) < count:
        raise ValueError(f"{len(points)} points cannot form {count} clusters")
    rng = np.random.default_rng(seed)
    centres = points[rng.integers(len(points))][None]
    while len(centres) < count:
        distance = _distances(points, centres).min(axis=1)
        total = distance.sum()
        chances = distance / total if total > 0 else None
        centres = np.concatenate([centres, points[rng.choice(len(points), p=chances)][None]])
    members = _distances(points, centres).argmin(axis=1)
    for _ in range(_ROUNDS):
        for cluster in np.unique(members):
            centres[cluster] = points[members == cluster].mean(axis=0)
        moved = _distances(points, centres).argmin(axis=1)
        if (moved == members).all():
            break
        members = moved
    return members


def mutual_information(
    first: Sequence[object] | Clusters, second: Sequence[object] | Clusters
) -> float:
    """How much one grouping says about the other, over the mean of their entropies (0 to 1).

    >>> mutual_information([0, 0, 1, 1], ["a", "a", "b", "b"])
    1.0
    """
    _, one = np.unique(np.asarray(first), return_inverse=True)
    _, other = np.unique(np.asarray(second), return_inverse=True)
    joint = np.zeros((one.max() + 1, other.max() + 1))
    np.add.at(joint, (one, other), 1 / len(one))
    rows, columns = joint.sum(axis=1), joint.sum(axis=0)
    here = joint > 0
    information = float((joint[here] * np.log(joint[here] / np.outer(rows, columns)[here])).sum())
    entropies = [-float((p * np.log(p)).sum()) for p in (rows, columns)]
    mean = sum(entropies) / 2
    return 0.0 if mean == 0 else min(1.0, max(0.0, information / mean))


def _distances(
    points: Vectors, centres: Float[np.ndarray, "cluster feature"]
) -> Float[np.ndarray, "point cluster"]:
    squares = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)
    return np.maximum(squares, 0.0)


__all__ = ["k_means", "mutual_information", "principal_axes"]
