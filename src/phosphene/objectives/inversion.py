"""Inversion knowledge distillation (Peng et al. 2022, eqs. 7 and 8), unreduced.

Three pyramids meet here: the frozen teacher on the real picture, ``T(I_r)``; the student that
draws a picture from text, ``S``; the same teacher on that picture, ``T(I_s)``. Both losses are a
sum of distances between maps plus the image-space distance, so in their sum the latter counts
twice, as in the paper. The gradient of the intra-modal loss runs *through* the teacher into the
drawn picture: the teacher's pass over it must not be under ``no_grad``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from phosphene.objectives.representation import Distance


@runtime_checkable
class Pyramid(Protocol):
    """Maps from the picture upwards: a teacher's trace or an inverted student's."""

    @property
    def image(self) -> Tensor:
        """The picture, ``[photo, 3, height, width]``, on the teacher's normalised scale."""

    @property
    def blocks(self) -> tuple[Tensor, ...]:
        """One map per stage; the last is the multimodal feature's."""

    @property
    def layers(self) -> tuple[Tensor, ...]:
        """One map per layer."""


Pairs = list[tuple[Tensor, Tensor]]
Granularity = Callable[[Pyramid, Pyramid], Pairs]
"""Which maps of two pyramids stand opposite each other."""


def model_pairs(student: Pyramid, teacher: Pyramid) -> Pairs:
    """Only the last convolutional map: the paper's best."""
    return [(student.blocks[-1], teacher.blocks[-1])]


def block_pairs(student: Pyramid, teacher: Pyramid) -> Pairs:
    """The map of every stage."""
    return list(zip(student.blocks, teacher.blocks, strict=True))


def layer_pairs(student: Pyramid, teacher: Pyramid) -> Pairs:
    """The map of every layer."""
    return list(zip(student.layers, teacher.layers, strict=True))


def image_space(
    teacher_real: Pyramid, student: Pyramid, distance: Distance
) -> Float[Tensor, " photo"]:
    r"""How far the drawn picture is from the real one.

    Equation
        $D(I_r, I_s)$, the second term of eqs. 7 and 8.
    Shapes
        Two pyramids of the same pictures -> ``[photo]``.
    Relative to the paper
        Pictures are compared on the teacher's normalised scale. The ablation "image space loss"
        (Table 2 (D)) is twice this term: it stands once in either loss.
    Used by
        ``inversion_mmt``.
    Check
        A picture of ones against zeros, all the same otherwise, is 1 away in L2.

        >>> import torch
        >>> from types import SimpleNamespace
        >>> from phosphene.objectives.representation import l2
        >>> empty = SimpleNamespace(image=torch.zeros(1, 3, 2, 2), blocks=(), layers=())
        >>> full = SimpleNamespace(image=torch.ones(1, 3, 2, 2), blocks=(), layers=())
        >>> image_space(empty, full, l2)
        tensor([1.])
    """
    return distance(student.image, teacher_real.image)


def feature_space(
    teacher_real: Pyramid, other: Pyramid, distance: Distance, granularity: Granularity
) -> Float[Tensor, " photo"]:
    r"""How far the maps of ``other`` are from the teacher's on the real picture.

    Equation
        $\sum_l D(\varphi^T_l(I_r), \varphi_l)$, the first term of eqs. 7 and 8.
    Shapes
        Two pyramids of the same pictures -> ``[photo]``.
    Relative to the paper
        Summed over the pairs, as there: a finer granularity weighs more.
    Used by
        ``inversion_mmt``.
    Check
        Two blocks whose maps differ by 1 and by 2.

        >>> import torch
        >>> from types import SimpleNamespace
        >>> from phosphene.objectives.representation import l2
        >>> image, flat = torch.zeros(1, 3, 2, 2), torch.ones(1, 1, 2, 2)
        >>> real = SimpleNamespace(image=image, blocks=(flat, flat), layers=())
        >>> other = SimpleNamespace(image=image, blocks=(2 * flat, 3 * flat), layers=())
        >>> feature_space(real, other, l2, block_pairs), feature_space(real, other, l2, model_pairs)
        (tensor([3.]), tensor([2.]))
    """
    distances = [distance(ours, theirs) for ours, theirs in granularity(other, teacher_real)]
    total = distances[0]
    for term in distances[1:]:
        total = total + term
    return total


def inter_modal(
    teacher_real: Pyramid, student: Pyramid, distance: Distance, granularity: Granularity
) -> Float[Tensor, " photo"]:
    r"""The inter-modal loss (IrM): text sees what the teacher sees.

    Equation
        $\sum_l D(\varphi^T_l(I_r), \varphi^S_{l+1}(\bar t)) + D(I_r, I_s)$ (eq. 7).
    Shapes
        Two pyramids of the same pictures -> ``[photo]``.
    Relative to the paper
        The student's map of layer ``l + 1`` is the one that *enters* the mirror of stage ``l``.
    Used by
        ``inversion_mmt``.
    Check
        The last maps differ by 2, the pictures by 1.

        >>> import torch
        >>> from types import SimpleNamespace
        >>> from phosphene.objectives.representation import l2
        >>> image, flat = torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 2)
        >>> real = SimpleNamespace(image=image, blocks=(flat,), layers=())
        >>> drawn = SimpleNamespace(image=image + 1, blocks=(flat + 2,), layers=())
        >>> inter_modal(real, drawn, l2, model_pairs)
        tensor([3.])
    """
    return feature_space(teacher_real, student, distance, granularity) + image_space(
        teacher_real, student, distance
    )


def intra_modal(
    teacher_real: Pyramid, teacher_generated: Pyramid, distance: Distance, granularity: Granularity
) -> Float[Tensor, " photo"]:
    r"""The intra-modal loss (IaM): the teacher takes the drawn picture for the real one.

    Equation
        $\sum_l D(\varphi^T_l(I_r), \varphi^T_l(I_s)) + D(I_r, I_s)$ (eq. 8).
    Shapes
        Two pyramids of the same pictures -> ``[photo]``; ``teacher_generated.image`` is the drawn
        picture.
    Relative to the paper
        As there.
    Used by
        ``inversion_mmt``.
    Check
        The last maps differ by 2, the pictures by 1.

        >>> import torch
        >>> from types import SimpleNamespace
        >>> from phosphene.objectives.representation import l2
        >>> image, flat = torch.zeros(1, 3, 2, 2), torch.zeros(1, 1, 2, 2)
        >>> real = SimpleNamespace(image=image, blocks=(flat,), layers=())
        >>> drawn = SimpleNamespace(image=image + 1, blocks=(flat + 2,), layers=())
        >>> intra_modal(real, drawn, l2, model_pairs)
        tensor([3.])
    """
    return feature_space(teacher_real, teacher_generated, distance, granularity) + image_space(
        teacher_real, teacher_generated, distance
    )


GRANULARITIES: Mapping[str, Granularity] = MappingProxyType(
    {"model": model_pairs, "block": block_pairs, "layer": layer_pairs}
)
"""The granularities by the names that configurations use."""

__all__ = [
    "GRANULARITIES",
    "Granularity",
    "Pairs",
    "Pyramid",
    "block_pairs",
    "feature_space",
    "image_space",
    "inter_modal",
    "intra_modal",
    "layer_pairs",
    "model_pairs",
]
