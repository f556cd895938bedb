"""Losses between the examples of a batch."""

from __future__ import annotations

import torch
from jaxtyping import Float
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
