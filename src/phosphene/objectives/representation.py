"""How far apart two feature maps are, example by example.

Five distances of one signature: ``distance(student, teacher) -> [photo]``. All are normalised by
the size of a map, so that a weight means the same at 64 pixels and at 224. The released code's
variants of them are in :mod:`phosphene.objectives.released`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

Distance = Callable[[Tensor, Tensor], Tensor]
"""``(student, teacher)``, both ``[photo, channel, height, width]``, to ``[photo]``."""


def l2(
    student: Float[Tensor, "photo channel height width"],
    teacher: Float[Tensor, "photo channel height width"],
) -> Float[Tensor, " photo"]:
    r"""Root mean squared difference.

    Equation
        $\lVert s - t \rVert_2 / \sqrt{N}$ with $N = C H W$; the norm of eqs. 7 and 8 of the
        inversion-distillation paper.
    Shapes
        Two maps ``[photo, channel, height, width]`` -> ``[photo]``.
    Relative to the paper
        The paper does not normalise the norm. Its released code divides the norm of the whole
        batch by the number of elements, which makes the term vanish.
    Used by
        ``inversion_mmt`` (the default).
    Check
        Differences 3, 3, 4 and 4: the mean square is 12.5.

        >>> student = torch.tensor([[3.0, -3.0], [4.0, -4.0]]).view(1, 1, 2, 2)
        >>> l2(student, torch.zeros(1, 1, 2, 2))
        tensor([3.5355])
    """
    difference = (student - teacher).flatten(1)
    return torch.linalg.vector_norm(difference, dim=1) / difference.shape[1] ** 0.5


def l1(
    student: Float[Tensor, "photo channel height width"],
    teacher: Float[Tensor, "photo channel height width"],
) -> Float[Tensor, " photo"]:
    r"""Mean absolute difference.

    Equation
        $\lVert s - t \rVert_1 / N$ (Table 2 (A) of the inversion-distillation paper).
    Shapes
        Two maps ``[photo, channel, height, width]`` -> ``[photo]``.
    Relative to the paper
        As released: the mean over the examples is the released value.
    Used by
        ``inversion_mmt``.
    Check
        Differences 3, 3, 4 and 4.

        >>> student = torch.tensor([[3.0, -3.0], [4.0, -4.0]]).view(1, 1, 2, 2)
        >>> l1(student, torch.zeros(1, 1, 2, 2))
        tensor([3.5000])
    """
    return (student - teacher).abs().flatten(1).mean(1)


def l_infinity(
    student: Float[Tensor, "photo channel height width"],
    teacher: Float[Tensor, "photo channel height width"],
) -> Float[Tensor, " photo"]:
    r"""Largest absolute difference.

    Equation
        $\lVert s - t \rVert_\infty$ (Table 2 (A) of the inversion-distillation paper).
    Shapes
        Two maps ``[photo, channel, height, width]`` -> ``[photo]``.
    Relative to the paper
        The plain maximum. The released code divides it by the number of elements.
    Used by
        ``inversion_mmt``.
    Check
        Differences 3, 3, 4 and 5.

        >>> student = torch.tensor([[3.0, -3.0], [4.0, -5.0]]).view(1, 1, 2, 2)
        >>> l_infinity(student, torch.zeros(1, 1, 2, 2))
        tensor([5.])
    """
    return (student - teacher).abs().flatten(1).amax(1)


def cosine(
    student: Float[Tensor, "photo channel height width"],
    teacher: Float[Tensor, "photo channel height width"],
) -> Float[Tensor, " photo"]:
    r"""One minus the cosine between the two channel vectors of a position, averaged over positions.

    Equation
        $\frac{1}{HW}\sum_p \bigl(1 - \cos(s_p, t_p)\bigr)$ (Table 2 (A)).
    Shapes
        Two maps ``[photo, channel, height, width]`` -> ``[photo]``.
    Relative to the paper
        The paper gives no formula. The released code takes the cosine over the batch and
        minimises it with the wrong sign.
    Used by
        ``inversion_mmt``.
    Check
        Two positions: (1, 0) against (2, 0) is parallel, (0, 1) against (3, 0) is orthogonal.

        >>> student = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(1, 2, 1, 2)
        >>> teacher = torch.tensor([[2.0, 3.0], [0.0, 0.0]]).view(1, 2, 1, 2)
        >>> cosine(student, teacher)
        tensor([0.5000])
    """
    return (1 - F.cosine_similarity(student, teacher, dim=1)).flatten(1).mean(1)


def kl(
    student: Float[Tensor, "photo channel height width"],
    teacher: Float[Tensor, "photo channel height width"],
) -> Float[Tensor, " photo"]:
    r"""KL divergence from teacher to student over the channels of a position, in nats.

    Equation
        $\frac{1}{HW}\sum_p \sum_c \tau_{pc} (\log \tau_{pc} - \log \sigma_{pc})$ with
        $\tau = \mathrm{softmax}_c(t)$ and $\sigma = \mathrm{softmax}_c(s)$ (Table 2 (A)).
    Shapes
        Two maps ``[photo, channel, height, width]`` -> ``[photo]``.
    Relative to the paper
        The paper gives no formula. The released code takes the softmax along the width of the
        picture, averages over elements and swaps teacher and student.
    Used by
        ``inversion_mmt``.
    Check
        One position. The teacher's channels are 1/2 and 1/2, the student's 3/4 and 1/4:
        (ln 2/3 + ln 2) / 2 = ln(4/3) / 2.

        >>> student = torch.tensor([3.0, 1.0]).log().view(1, 2, 1, 1)
        >>> kl(student, torch.zeros(1, 2, 1, 1))
        tensor([0.1438])
    """
    expected, predicted = F.log_softmax(teacher, dim=1), F.log_softmax(student, dim=1)
    return (expected.exp() * (expected - predicted)).sum(1).flatten(1).mean(1)


DISTANCES: Mapping[str, Distance] = MappingProxyType(
    {"l1": l1, "l2": l2, "l_infinity": l_infinity, "cosine": cosine, "kl": kl}
)
"""The distances by the names that configurations use."""

__all__ = ["DISTANCES", "Distance", "cosine", "kl", "l1", "l2", "l_infinity"]
