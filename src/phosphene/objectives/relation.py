"""Losses between the examples of a batch. No gradient goes to a teacher."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def imagination(
    predicted: Float[Tensor, "batch feature"],
    real: Float[Tensor, "batch feature"],
    margin: float,
) -> Float[Tensor, " batch"]:
    r"""A sentence's predicted image vector is nearer to its own picture than to others'.

    Equation
        $\sum_{j \ne i} [\alpha - \cos(\hat v_i, v_i) + \cos(\hat v_i, v_j)]_+ +
        [\alpha - \cos(\hat v_i, v_i) + \cos(\hat v_j, v_i)]_+$ (Elliott and Kadar, 2017, eq. 8,
        in both directions).
    Shapes
        two ``[batch, feature]``, row ``i`` belonging to row ``i`` -> ``[batch]``.
    Relative to the paper
        The inversion-distillation paper's code has the sign reversed and counts the diagonal.
    Used by
        the Imagination baseline of ``inversion_mmt``.
    Check
        Two orthogonal pictures and both predictions equal to the first one, margin 0.1: row 0
        pays 0 + (0.1 - 1 + 1), row 1 pays (0.1 - 0 + 1) + (0.1 - 0 + 0).

        >>> pictures = torch.eye(2)
        >>> imagination(pictures[[0, 0]], pictures, 0.1)
        tensor([0.1000, 1.2000])
    """
    similarity = F.normalize(predicted, dim=1) @ F.normalize(real, dim=1).T
    right = similarity.diagonal()
    others = 1 - torch.eye(len(similarity), dtype=similarity.dtype, device=similarity.device)
    by_sentence = (margin - right[:, None] + similarity).clamp(min=0) * others
    by_picture = (margin - right[None, :] + similarity).clamp(min=0) * others
    return by_sentence.sum(dim=1) + by_picture.sum(dim=0)


def distance_relation(
    student: Float[Tensor, "batch hidden"], teacher: Float[Tensor, "batch feature"]
) -> Float[Tensor, " batch"]:
    r"""The distances between a batch's examples are the teacher's, up to one scale.

    Equation
        $\frac{1}{B} \sum_j h\bigl(\psi_D(s_i, s_j) - \psi_D(t_i, t_j)\bigr)$ with
        $\psi_D(x_i, x_j) = \lVert x_i - x_j \rVert / \mu$, where $\mu$ is the mean of the distances
        that are not zero, and $h$ is Huber's loss with threshold 1 (Park et al., 2019, eqs. 4-7).
    Shapes
        ``[batch, hidden]``, ``[batch, feature]`` (widths may differ) -> ``[batch]``: row
        contributions, whose mean is the published value.
    Relative to the paper
        As released: the mean runs over all ordered pairs, an example with itself included.
    Used by
        the RKD rows of ``modality_kd``.
    Check
        Student at 0, 1 and 3 (mean distance 2), teacher at 0, 1 and 2 (mean 4/3). The pairs
        differ by 1/4, 0 and 1/4: h = 1/32, 0 and 1/32.

        >>> line = torch.tensor([[0.0], [1.0], [3.0]])
        >>> distance_relation(line, torch.tensor([[0.0], [1.0], [2.0]])).mul(96)
        tensor([1., 2., 1.])
    """
    difference = _relative_distances(student) - _relative_distances(teacher.detach())
    return F.smooth_l1_loss(difference, torch.zeros_like(difference), reduction="none").mean(dim=1)


def angle_relation(
    student: Float[Tensor, "batch hidden"], teacher: Float[Tensor, "batch feature"]
) -> Float[Tensor, " batch"]:
    r"""The angles between a batch's examples are the teacher's.

    Equation
        $\frac{1}{B^2} \sum_{i,k} h\bigl(\psi_A(s_i, s_j, s_k) - \psi_A(t_i, t_j, t_k)\bigr)$ with
        $\psi_A(x_i, x_j, x_k) = \cos \angle x_i x_j x_k$ (Park et al., 2019, eqs. 8-10).
    Shapes
        ``[batch, hidden]``, ``[batch, feature]`` -> ``[batch]``: the contribution of the triplets
        whose corner is row $j$; their mean is the published value.
    Relative to the paper
        As released: the mean runs over all ordered triplets; a side of length 0 has cosine 0.
    Used by
        the RKD rows of ``modality_kd``.
    Check
        Three student examples in a right angle, at 0, 1 and i; the teacher's in a line with the
        first in the middle, at 0, 1 and -1. At the corner 0 the cosine is 0 and -1, twice
        (h = 1/2); at the two others it is sqrt(1/2) and 1, twice.

        >>> student = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> teacher = torch.tensor([[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
        >>> angle_relation(student, teacher).mul(9)
        tensor([1.0000, 0.0858, 0.0858])
    """
    difference = _cosines_at(student) - _cosines_at(teacher.detach())
    losses = F.smooth_l1_loss(difference, torch.zeros_like(difference), reduction="none")
    return losses.mean(dim=(1, 2))


def similarity_relation(
    student: Float[Tensor, "batch hidden"], teacher: Float[Tensor, "batch feature"]
) -> Float[Tensor, " batch"]:
    r"""An example is similar to those to which the teacher's is (similarity-preserving, SP).

    Equation
        $\frac{1}{B} \sum_j (G^S_{ij} - G^T_{ij})^2$ with $G = F F^\top$, every row scaled to
        length 1 (Tung and Mori, 2019, eqs. 1-4).
    Shapes
        ``[batch, hidden]``, ``[batch, feature]`` -> ``[batch]``: row contributions, whose mean is
        the published $\lVert G^S - G^T \rVert_F^2 / B^2$.
    Relative to the paper
        As printed.
    Used by
        the SP rows of ``modality_kd``.
    Check
        Two orthogonal student examples, two equal teacher ones: rows (1, 0) and (1, 1) / sqrt(2);
        ((1 - sqrt(1/2))^2 + 1/2) / 2 each.

        >>> similarity_relation(torch.eye(2), torch.ones(2, 1))
        tensor([0.2929, 0.2929])
    """
    difference = _similarities(student) - _similarities(teacher.detach())
    return difference.square().mean(dim=1)


def _relative_distances(points: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch batch"]:
    """Euclidean distances divided by the mean of those that are not zero."""
    lengths, apart = _lengths(points[:, None] - points[None, :])
    distances = lengths * apart
    mean = distances.sum() / apart.sum().clamp(min=1)
    return distances / torch.where(mean > 0, mean, torch.ones_like(mean))


def _cosines_at(points: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch batch batch"]:
    """The cosine at corner ``j`` between the sides to ``i`` and ``k``, as ``[j, i, k]``."""
    sides = points[None, :] - points[:, None]
    lengths, apart = _lengths(sides)
    directions = sides * (apart / lengths)[:, :, None]
    return directions @ directions.mT


def _lengths(
    sides: Float[Tensor, "batch batch hidden"],
) -> tuple[Float[Tensor, "batch batch"], Bool[Tensor, "batch batch"]]:
    """Lengths, 1 in place of 0 (where a root has no gradient), and where they are not 0."""
    squares = sides.square().sum(dim=2)
    apart = squares > 0
    return torch.where(apart, squares, torch.ones_like(squares)).sqrt(), apart


def _similarities(points: Float[Tensor, "batch hidden"]) -> Float[Tensor, "batch batch"]:
    return F.normalize(points @ points.T, dim=1)


__all__ = ["angle_relation", "distance_relation", "imagination", "similarity_relation"]
