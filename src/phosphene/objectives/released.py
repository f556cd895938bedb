"""Distances as the inversion-distillation paper's released code computes them.

For showing what the published numbers rest on, not for use: one vanishes, one rewards
dissimilarity. They share the signature of :mod:`phosphene.objectives.representation`; the mean of
the rows is the released value. The released L1 is :func:`~phosphene.objectives.representation.l1`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from phosphene.objectives.representation import Distance, l1


def released_l2(
    student: Float[Tensor, "photo channel height width"],
    teacher: Float[Tensor, "photo channel height width"],
) -> Float[Tensor, " photo"]:
    r"""Norm of the whole batch over its number of elements.

    Equation
        $\lVert s - t \rVert_F / (B C H W)$.
    Shapes
        Two maps ``[photo, channel, height, width]`` -> ``[photo]``, every row the batch's value.
    Relative to the paper
        Smaller than the root mean square by $\sqrt{B C H W}$: some 2,400 times at the paper's size.
    Used by
        ``inversion_mmt`` with ``variant = "released"``.
    Check
        The norm of (3, 4, 0, 0) is 5; there are four elements.

        >>> student = torch.tensor([[3.0, 0.0], [0.0, 4.0]]).view(2, 1, 1, 2)
        >>> released_l2(student, torch.zeros(2, 1, 1, 2))
        tensor([1.2500, 1.2500])
    """
    difference = student - teacher
    return _shared(torch.linalg.vector_norm(difference) / difference.numel(), len(student))


def released_l_infinity(
    student: Float[Tensor, "photo channel height width"],
    teacher: Float[Tensor, "photo channel height width"],
) -> Float[Tensor, " photo"]:
    r"""Largest difference in the whole batch over its number of elements.

    Equation
        $\lVert s - t \rVert_\infty / (B C H W)$.
    Shapes
        Two maps ``[photo, channel, height, width]`` -> ``[photo]``, every row the batch's value.
    Relative to the paper
        A maximum needs no division; with it the term vanishes.
    Used by
        ``inversion_mmt`` with ``variant = "released"``.
    Check
        The largest of 3, 0, 0 and 4, over four elements.

        >>> student = torch.tensor([[3.0, 0.0], [0.0, 4.0]]).view(2, 1, 1, 2)
        >>> released_l_infinity(student, torch.zeros(2, 1, 1, 2))
        tensor([1., 1.])
    """
    difference = student - teacher
    return _shared(difference.abs().amax() / difference.numel(), len(student))


def released_cosine(
    student: Float[Tensor, "photo channel height width"],
    teacher: Float[Tensor, "photo channel height width"],
) -> Float[Tensor, " photo"]:
    r"""Cosine over the examples of the batch, averaged over the cells of the map.

    Equation
        $\frac{1}{CHW}\sum_{chw} \cos(s_{\cdot chw}, t_{\cdot chw})$.
    Shapes
        Two maps ``[photo, channel, height, width]`` -> ``[photo]``, every row the batch's value.
    Relative to the paper
        A similarity that is minimised, over the wrong axis.
    Used by
        ``inversion_mmt`` with ``variant = "released"``.
    Check
        Two examples, two cells: (1, 1) against (2, 2) is parallel, (1, 0) against (0, 1)
        orthogonal.

        >>> student = torch.tensor([[1.0, 1.0], [1.0, 0.0]]).view(2, 1, 1, 2)
        >>> teacher = torch.tensor([[2.0, 0.0], [2.0, 1.0]]).view(2, 1, 1, 2)
        >>> released_cosine(student, teacher)
        tensor([0.5000, 0.5000])
    """
    return _shared(F.cosine_similarity(student, teacher, dim=0).mean(), len(student))


def released_kl(
    student: Float[Tensor, "photo channel height width"],
    teacher: Float[Tensor, "photo channel height width"],
) -> Float[Tensor, " photo"]:
    r"""KL divergence from student to teacher along the width of the map, averaged over elements.

    Equation
        $\frac{1}{CHW}\sum_{chw} \sigma_{chw} (\log \sigma_{chw} - \log \tau_{chw})$ with the
        softmax over $w$.
    Shapes
        Two maps ``[photo, channel, height, width]`` -> ``[photo]``.
    Relative to the paper
        A distribution over columns of pixels means nothing, and the direction is swapped.
    Used by
        ``inversion_mmt`` with ``variant = "released"``.
    Check
        Two columns: the student's are 1/2 and 1/2, the teacher's 3/4 and 1/4. Half the
        divergence ln(4/3) / 2.

        >>> teacher = torch.tensor([3.0, 1.0]).log().view(1, 1, 1, 2)
        >>> released_kl(torch.zeros(1, 1, 1, 2), teacher)
        tensor([0.0719])
    """
    predicted, expected = F.log_softmax(student, dim=-1), F.log_softmax(teacher, dim=-1)
    return (predicted.exp() * (predicted - expected)).flatten(1).mean(1)


def _shared(value: Tensor, rows: int) -> Tensor:
    """A value of the whole batch has no rows of its own: each carries it."""
    return value.expand(rows)


RELEASED_DISTANCES: Mapping[str, Distance] = MappingProxyType(
    {
        "l1": l1,
        "l2": released_l2,
        "l_infinity": released_l_infinity,
        "cosine": released_cosine,
        "kl": released_kl,
    }
)
"""The released distances by the names that configurations use."""

__all__ = [
    "RELEASED_DISTANCES",
    "released_cosine",
    "released_kl",
    "released_l2",
    "released_l_infinity",
]
