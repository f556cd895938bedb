"""Matching pairs against all mismatches of a batch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


def info_nce(
    image: Float[Tensor, "batch feature"],
    text: Float[Tensor, "batch feature"],
    scale: Float[Tensor, ""],
) -> Float[Tensor, " batch"]:
    r"""Each picture is to find its sentence among those of the batch, and the other way round.

    Equation
        $-\frac12 \log \frac{e^{s\cos(x_i, y_i)}}{\sum_j e^{s\cos(x_i, y_j)}}
        -\frac12 \log \frac{e^{s\cos(x_i, y_i)}}{\sum_j e^{s\cos(x_j, y_i)}}$, in nats (van den
        Oord et al., 2018, eq. 4, in both directions as in CLIP: Radford et al., 2021, figure 3).
    Shapes
        two ``[batch, feature]``, row ``i`` belonging to row ``i``, and the inverse temperature
        ``scale`` (a scalar) -> ``[batch]``.
    Relative to the paper
        CLIP's loss is the mean of the rows. With several processes each row is compared with the
        rows of its own process only.
    Used by
        the training of aligned encoders.
    Check
        Two orthogonal pairs, scale 1: each finds its partner with probability
        e / (e + 1) in both directions, ln(1 + 1/e).

        >>> info_nce(torch.eye(2), torch.eye(2), torch.tensor(1.0))
        tensor([0.3133, 0.3133])
    """
    cosine = F.normalize(image, dim=1) @ F.normalize(text, dim=1).T
    # Under mixed precision the product comes in 16 bits, too few for a softmax over many rows.
    cosine = cosine.to(torch.promote_types(cosine.dtype, torch.float32))
    logits = scale.to(cosine.dtype) * cosine
    by_image, by_text = logits.log_softmax(dim=1), logits.log_softmax(dim=0)
    return -(by_image.diagonal() + by_text.diagonal()) / 2


__all__ = ["info_nce"]
