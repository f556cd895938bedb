"""How far the textual and the visual answer to a target word lie apart."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def modality(
    text: Float[Tensor, "batch target hidden"],
    visual: Float[Tensor, "batch target hidden"],
    seen: Bool[Tensor, " batch"],
) -> Float[Tensor, "batch target"]:
    r"""One minus the cosine between the two cross-attention contexts of a target token.

    Equation
        $1 - \cos(h_{x,j}, h_{v,j})$: the summand of eq. 3 of Kong and Fan, for one decoder layer.
    Shapes
        two ``[batch, target, hidden]`` and ``[batch]`` -> ``[batch, target]``; padding is the
        caller's to mask.
    Relative to the paper
        The paper sums over the target as its likelihood does; divided by the same number of
        tokens, both are means. It does not say what happens without a picture: an attention over
        no region answers nothing, so examples that are not ``seen`` cost 0.
    Used by
        ``vlp_mmt``, weighted token by token (:mod:`phosphene.weighting.gate`).
    Check
        Parallel contexts cost 0 whatever their lengths, orthogonal ones 1; the second example has
        no regions.

        >>> import torch
        >>> text = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[1.0, 0.0], [0.0, 2.0]]])
        >>> visual = torch.tensor([[[3.0, 0.0], [5.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
        >>> modality(text, visual, torch.tensor([True, False]))
        tensor([[0., 1.],
                [0., 0.]])
    """
    return (1 - F.cosine_similarity(text, visual, dim=-1)) * seen[:, None]


__all__ = ["modality"]
