"""A weight for every target token: how much the modality loss counts there.

Source: Kong and Fan, section 3.3: ``lambda_j = sigmoid(w_y . Emb(y_j) + w_x . h_x + w_v . h_v)``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class TokenGate(nn.Module):
    """A learned weight in (0, 1) for every target token, from three vectors of width ``hidden``.

    The vectors start at zero, so every token starts with 1/2. Layers share them; they are not
    used after training.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.word = nn.Parameter(torch.zeros(hidden))
        self.text = nn.Parameter(torch.zeros(hidden))
        self.visual = nn.Parameter(torch.zeros(hidden))

    def forward(
        self,
        word: Float[Tensor, "batch target hidden"],
        text: Float[Tensor, "batch target hidden"],
        visual: Float[Tensor, "batch target hidden"],
    ) -> Float[Tensor, "batch target"]:
        """``lambda`` of the gold words ``word`` with contexts ``text`` and ``visual``."""
        return (word @ self.word + text @ self.text + visual @ self.visual).sigmoid()


def normalised(
    weights: Float[Tensor, "batch target"], mask: Bool[Tensor, "batch target"]
) -> Float[Tensor, "batch target"]:
    """``weights`` divided by their mean over the tokens of ``mask`` in each sentence.

    Multiplied with a loss that is never negative, learned weights have only one way to go: down,
    to zero. Behind this function their mean is 1 whatever they are, so what the gate can learn is
    which tokens to prefer. (The gradient flows through the mean as well: stopping it would bring
    the way down back.)

    >>> weights = torch.tensor([[0.1, 0.3, 0.9]])
    >>> normalised(weights, torch.tensor([[True, True, False]]))
    tensor([[0.5000, 1.5000, 0.0000]])
    """
    kept = weights * mask
    count = mask.sum(dim=1, keepdim=True).clamp(min=1)
    mean = kept.sum(dim=1, keepdim=True) / count
    return kept / mean.clamp(min=torch.finfo(mean.dtype).tiny)


Gate = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""``(word, text, visual, mask)`` to a weight for every target token; ``mask`` says which count."""


def learned_gate(gate: TokenGate) -> Gate:
    """The paper's: the sigmoid itself."""
    return lambda word, text, visual, mask: gate(word, text, visual)


def normalised_gate(gate: TokenGate, mean: float) -> Gate:
    """The sigmoid, scaled so that its mean over the tokens of a sentence is ``mean``."""
    return lambda word, text, visual, mask: mean * normalised(gate(word, text, visual), mask)


def fixed_gate(value: float) -> Gate:
    """The same weight for every token; the paper's observed mean is 0.4."""
    return lambda word, text, visual, mask: word.new_full(word.shape[:2], value)


__all__ = ["Gate", "TokenGate", "fixed_gate", "learned_gate", "normalised", "normalised_gate"]
