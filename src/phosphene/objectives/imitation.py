"""How far a student's answers, or its hidden states, are from a teacher's.

At temperature 1 the two divergences are the plain Kullback-Leibler divergence; that is how the
instance-wise weights of :mod:`phosphene.weighting.instance` measure what a modality changes. No
gradient goes to a teacher.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def distillation(
    student: Float[Tensor, "batch label"],
    teacher: Float[Tensor, "batch label"],
    temperature: float,
) -> Float[Tensor, " batch"]:
    r"""KL divergence from a teacher's softened classes to a student's, times temperature squared.

    Equation
        $\tau^2 \sum_c t_c (\log t_c - \log s_c)$ with $t = \mathrm{softmax}(f_T / \tau)$ and
        $s = \mathrm{softmax}(f_S / \tau)$ (Hinton et al., 2015; eqs. 2 and 3 of the
        modality-specific distillation paper).
    Shapes
        Two ``[batch, label]`` of logits -> ``[batch]``, in nats.
    Relative to the paper
        As printed: a sum over the classes, whose mean over examples is eq. 2. The factor
        $\tau^2$ is always there, so that gradients keep their size when $\tau$ changes.
    Used by
        ``modality_kd``, for every view.
    Check
        The teacher's logits 0 and 2 ln 3, softened by 2, say 1/4 and 3/4; the student says 1/2:
        4 (1/4 ln 1/2 + 3/4 ln 3/2).

        >>> teacher = torch.tensor([[0.0, 2 * 1.0986123]])
        >>> distillation(torch.zeros(1, 2), teacher, 2.0)
        tensor([0.5232])
    """
    expected = F.log_softmax(_at_least_32_bits(teacher.detach()) / temperature, dim=1)
    predicted = F.log_softmax(_at_least_32_bits(student) / temperature, dim=1)
    return temperature**2 * (expected.exp() * (expected - predicted)).sum(dim=1)


def multi_label_distillation(
    student: Float[Tensor, "batch label"],
    teacher: Float[Tensor, "batch label"],
    temperature: float,
) -> Float[Tensor, "batch label"]:
    r"""KL divergence between two yes-no answers, label by label, times temperature squared.

    Equation
        $\tau^2 \bigl(t \log \frac{t}{s} + (1 - t) \log \frac{1 - t}{1 - s}\bigr)$ with
        $t = \sigma(f_T / \tau)$ and $s = \sigma(f_S / \tau)$.
    Shapes
        Two ``[batch, label]`` of logits -> ``[batch, label]``, in nats. The loss is their mean
        over labels; the divergence between two answers to the whole example is their sum.
    Relative to the paper
        The paper prints the softmax of eq. 3 for its multi-label data too. A softmax makes
        labels that may hold together compete, and cannot say that none holds.
    Used by
        ``modality_kd`` on multi-label data.
    Check
        The teacher says 3/4, the student 1/2; on the other label they agree:
        3/4 ln 3/2 + 1/4 ln 1/2.

        >>> teacher = torch.tensor([[1.0986123, 0.0]])
        >>> multi_label_distillation(torch.zeros(1, 2), teacher, 1.0)
        tensor([[0.1308, 0.0000]])
    """
    hard, soft = (_at_least_32_bits(logits) / temperature for logits in (teacher.detach(), student))
    yes = hard.sigmoid() * (F.logsigmoid(hard) - F.logsigmoid(soft))
    no = (-hard).sigmoid() * (F.logsigmoid(-hard) - F.logsigmoid(-soft))
    return temperature**2 * (yes + no)


def hint(
    regressed: Float[Tensor, "batch length hidden"],
    teacher: Float[Tensor, "batch length hidden"],
    mask: Bool[Tensor, "batch length"],
) -> Float[Tensor, " batch"]:
    r"""Mean squared difference between a teacher's states and the student's projected to them.

    Equation
        $\frac{1}{|M|\,d} \sum_{m \in M} \lVert r(f_S)_m - f_{T,m} \rVert^2$ over the real
        positions $M$, with a learned regression $r$ (Romero et al., 2015, eq. 3).
    Shapes
        Two ``[batch, length, hidden]`` in the teacher's width, ``mask [batch, length]`` ->
        ``[batch]``; an example without positions is 0.
    Relative to the paper
        Romero et al. match convolutional maps and sum with a factor 1/2; the mean over positions
        and channels makes the weight independent of both. The regression is
        :class:`phosphene.nn.hint.HintRegressor`.
    Used by
        the FitNet rows of ``modality_kd``.
    Check
        Two positions of which the second is padding; differences 1 and 3: (1 + 9) / 2.

        >>> states = torch.tensor([[[1.0, 3.0], [7.0, 7.0]]])
        >>> hint(states, torch.zeros(1, 2, 2), torch.tensor([[True, False]]))
        tensor([5.])
    """
    squares = (regressed - teacher.detach()).square().mean(dim=2) * mask
    return squares.sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def _at_least_32_bits(logits: Tensor) -> Tensor:
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


__all__ = ["distillation", "hint", "multi_label_distillation"]
