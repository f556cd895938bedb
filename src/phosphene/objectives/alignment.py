"""How far the states of a student are from a teacher's at positions that stand for each other.

The four distillations of cViL are one function over different pairs: [CLS] (eq. 2), regions
(eq. 3), object tags (eq. 4) and code-mixed words (eq. 5). What each pair counts is decided in
:mod:`phosphene.weighting.alignment`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.types import AlignedPositions


def aligned_squares(
    student: Float[Tensor, "batch row hidden"],
    teacher: Float[Tensor, "batch teacher_row hidden"],
    pairs: AlignedPositions,
) -> Float[Tensor, " pair"]:
    r"""Mean squared difference of every pair of aligned states.

    Equation
        $\mathrm{MSE}(s_i, t_j) = \frac{1}{d} \lVert s_i - t_j \rVert^2$ for each pair $(i, j)$:
        the summands of eqs. 2 to 5 of the cViL paper.
    Shapes
        Two kinds of states of equal width, as many rows as each has, and pairs of their rows ->
        ``[pair]``. A narrower student comes through :class:`phosphene.nn.hint.HintRegressor`.
    Relative to the paper
        As printed. Nothing is divided by the number of pairs here.
    Used by
        ``crosslingual_vqa`` stage 1.
    Check
        The student's first row is the teacher's second, but for 1 and 3: (1 + 9) / 2.

        >>> first = torch.tensor([0])
        >>> pairs = AlignedPositions(first, first, torch.tensor([1]))
        >>> aligned_squares(torch.ones(1, 1, 2), torch.tensor([[[9.0, 9], [2, 4]]]), pairs)
        tensor([5.])
    """
    ours = student[pairs.example, pairs.student]
    return (ours - teacher[pairs.example, pairs.teacher]).square().mean(dim=1)


def layer_sum(
    student: Sequence[Float[Tensor, "batch row hidden"]],
    teacher: Sequence[Float[Tensor, "batch teacher_row hidden"]],
    pairs: AlignedPositions,
    weights: Sequence[float],
) -> Float[Tensor, " pair"]:
    r"""What every pair costs over the matched layers.

    Equation
        $\sum_m \lambda_m \mathrm{MSE}(s_i^m, t_j^m)$: the sum over layers of eq. 6 of the cViL
        paper, for each pair $(i, j)$.
    Shapes
        As many student states as teacher states and weights, matched in order; pairs -> ``[pair]``.
    Relative to the paper
        As printed: the paper takes layers 3, 6, 9 and 12 with weights of 1.
    Used by
        ``crosslingual_vqa`` stage 1.
    Check
        Two layers with differences 1 and 3, weights 1 and 0.5: 1 + 0.5 * 9.

        >>> zero = torch.tensor([0])
        >>> layers = [torch.ones(1, 1, 1), torch.full((1, 1, 1), 3.0)]
        >>> origin = torch.zeros(1, 1, 1)
        >>> layer_sum(layers, [origin, origin], AlignedPositions(zero, zero, zero), [1.0, 0.5])
        tensor([5.5000])
    """
    losses = [
        weight * aligned_squares(ours, theirs, pairs)
        for ours, theirs, weight in zip(student, teacher, weights, strict=True)
    ]
    return torch.stack(losses).sum(dim=0)


__all__ = ["aligned_squares", "layer_sum"]
