"""How well a model predicts the target words, or the labels of an example."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional as F


def label_smoothed(
    logits: Float[Tensor, "batch target vocab"],
    gold: Int[Tensor, "batch target"],
    smoothing: float,
) -> Float[Tensor, "batch target"]:
    r"""Label-smoothed negative log-likelihood of each target token, in nats.

    Equation
        $(1-\epsilon)\,(-\log p(y)) + \epsilon\,\frac{1}{V}\sum_v -\log p(v)$ (Szegedy et al.,
        2016, section 7); $\epsilon = 0$ is eq. 10 of the inversion-distillation paper.
    Shapes
        ``logits [batch, target, vocab]``, ``gold [batch, target]`` -> ``[batch, target]``;
        padding is the caller's to mask.
    Relative to the paper
        fairseq spreads ``smoothing`` over the ``V - 1`` wrong words; the difference is below
        ``smoothing / V``.
    Used by
        every translation recipe.
    Check
        Two words with logits 0 and 0 are equally likely, whatever the smoothing: ln 2.

        >>> label_smoothed(torch.zeros(1, 1, 2), torch.zeros(1, 1, dtype=torch.long), 0.1)
        tensor([[0.6931]])
    """
    # Under mixed precision logits come in 16 bits, too few for a sum over the vocabulary.
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    rows: Tensor = _LabelSmoothed.apply(logits.flatten(0, 1), gold.flatten(), smoothing)
    return rows.view_as(gold)


def single_label(
    logits: Float[Tensor, "batch label"], labels: Int[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    r"""Negative log-likelihood of the right class, in nats.

    Equation
        $-\log \mathrm{softmax}(z)_y$; the cross-entropy of eqs. 1, 7 and 9 of the
        modality-specific distillation paper.
    Shapes
        ``[batch, label]``, ``[batch]`` -> ``[batch]``.
    Relative to the paper
        As printed.
    Used by
        ``modality_kd`` on data with one label per example.
    Check
        The right class is three times as likely as the other: -ln 3/4.

        >>> single_label(torch.tensor([[3.0, 1.0]]).log(), torch.tensor([0]))
        tensor([0.2877])
    """
    return F.cross_entropy(logits, labels, reduction="none")


def multi_label(
    logits: Float[Tensor, "batch label"], labels: Float[Tensor, "batch label"]
) -> Float[Tensor, " batch"]:
    r"""Negative log-likelihood of independent labels, in nats.

    Equation
        $-\sum_l y_l \log \sigma(z_l) + (1 - y_l) \log \sigma(-z_l)$.
    Shapes
        two ``[batch, label]`` -> ``[batch]``.
    Relative to the paper
        The modality-specific distillation paper prints the cross-entropy of one class for its
        multi-label data too.
    Used by
        ``inversion_mmt`` stage 1 (the embedded world's teachers), ``modality_kd`` on multi-label
        data.
    Check
        Two undecided labels: 2 ln 2.

        >>> multi_label(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))
        tensor([1.3863])
    """
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(dim=1)


_ROWS = 64
"""Rows handled at a time: 64 rows of a 10,000-word vocabulary stay in the cache of a core."""


class _LabelSmoothed(torch.autograd.Function):
    """The loss above without materialising log-probabilities.

    ``softmax(logits)`` is formed once, in the backward pass, a few rows at a time. On a CPU this
    halves the cost of the vocabulary side of a training step.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, logits: Tensor, gold: Tensor, smoothing: float) -> Tensor:
        normaliser = torch.cat([rows.logsumexp(dim=1) for rows in logits.split(_ROWS)])
        mean = logits.mean(dim=1) if smoothing else torch.zeros_like(normaliser)
        right = logits.gather(1, gold[:, None]).squeeze(1)
        ctx.save_for_backward(logits, gold, normaliser)
        ctx.smoothing = smoothing  # type: ignore[attr-defined]
        return normaliser - (1 - smoothing) * right - smoothing * mean

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, upstream: Tensor) -> tuple[Tensor, None, None]:
        logits, gold, normaliser = ctx.saved_tensors  # type: ignore[attr-defined]
        smoothing: float = ctx.smoothing  # type: ignore[attr-defined]
        gradient = torch.empty_like(logits)
        for start in range(0, len(logits), _ROWS):
            rows = slice(start, start + _ROWS)
            torch.sub(logits[rows], normaliser[rows, None], out=gradient[rows])
            gradient[rows].exp_().sub_(smoothing / logits.shape[1]).mul_(upstream[rows, None])
        gradient.scatter_add_(1, gold[:, None], -(1 - smoothing) * upstream[:, None])
        return gradient, None, None
