"""The two tasks of vision-language pre-training."""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from phosphene.objectives.likelihood import label_smoothed


def masked_words(
    logits: Float[Tensor, "masked vocab"], gold: Int[Tensor, " masked"]
) -> Float[Tensor, " masked"]:
    r"""Negative log-likelihood of each masked word, in nats.

    Equation
        $-\log p(x_i \mid x_{\setminus M}, t, v)$ for $i \in M$, the masked words (Kong and Fan,
        section 3.2, task 1).
    Shapes
        ``logits [masked, vocab]``, ``gold [masked]`` -> ``[masked]``: one row for each masked word
        of the batch, since scores of the whole vocabulary are wanted nowhere else.
    Relative to the paper
        As in the paper: "only the masked token will be predicted".
    Used by
        ``vlp_mmt`` stages 1 and 2.
    Check
        Of two words the right one has odds of 3 to 1: $-\ln 3/4$.

        >>> import torch
        >>> masked_words(torch.tensor([[3.0, 1.0]]).log(), torch.tensor([0]))
        tensor([0.2877])
    """
    return label_smoothed(logits[None], gold[None], 0.0)[0]


def pairing(
    logits: Float[Tensor, " batch"], matched: Bool[Tensor, " batch"]
) -> Float[Tensor, " batch"]:
    r"""Negative log-likelihood, in nats, of whether picture and sentence belong together.

    Equation
        $-\log \sigma(\pm z)$, plus for a true pair and minus for a random picture (Kong and Fan,
        section 3.2, task 2).
    Shapes
        ``logits [batch]``, ``matched [batch]`` -> ``[batch]``.
    Relative to the paper
        One logit instead of two; a binary classifier has one degree of freedom.
    Used by
        ``vlp_mmt`` stages 1 and 2.
    Check
        Odds of 3 to 1 for "belongs": $-\ln 3/4$ if it does, $-\ln 1/4$ if it does not.

        >>> import torch
        >>> pairing(torch.tensor([3.0, 3.0]).log(), torch.tensor([True, False]))
        tensor([0.2877, 1.3863])
    """
    return F.binary_cross_entropy_with_logits(logits, matched.to(logits), reduction="none")


__all__ = ["masked_words", "pairing"]
