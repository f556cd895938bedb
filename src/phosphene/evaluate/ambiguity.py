"""Contrastive test of disambiguation, as CoMMuTE asks it.

An item is an ambiguous sentence with a picture, its correct translation, and the translation that
another picture would make correct. The model is right when it finds the correct one *strictly*
less surprising. Items come in mirrored pairs, so a model that does not see is right on at most
half of them, and on no complete group.

Source: Futeral et al. 2023 (CoMMuTE).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from jaxtyping import Bool, Float

from phosphene.evaluate.score import Score


def prefers_correct(
    correct: Float[np.ndarray, " item"], contrastive: Float[np.ndarray, " item"]
) -> Bool[np.ndarray, " item"]:
    """Where the correct translation has the lower surprisal. A tie is wrong.

    Args:
        correct: Perplexity or negative log-likelihood of the correct translation of each item.
        contrastive: The same of the contrastive one.
    """
    if len(correct) == 0:
        raise ValueError("a ranking needs at least one item")
    if not (np.isfinite(correct).all() and np.isfinite(contrastive).all()):
        raise ValueError("a ranking needs finite values")
    return correct < contrastive


def ranking_accuracy(
    correct: Float[np.ndarray, " item"], contrastive: Float[np.ndarray, " item"], *, measure: str
) -> Score:
    """Percentage of items ranked rightly; ``measure`` (such as ``perplexity``) signs it."""
    right = prefers_correct(correct, contrastive)
    return Score("ranking accuracy", 100.0 * float(right.mean()), _signature(measure, len(right)))


def group_accuracy(
    correct: Float[np.ndarray, " item"],
    contrastive: Float[np.ndarray, " item"],
    groups: Sequence[Hashable],
    *,
    measure: str,
) -> Score:
    """Percentage of groups (usually: one source sentence) whose every item is ranked rightly.

    A model that does not see gets none of the mirrored groups; guessing gets a quarter of the
    pairs.
    """
    right = prefers_correct(correct, contrastive)
    outcomes: dict[Hashable, bool] = {}
    for group, item in zip(groups, right.tolist(), strict=True):
        outcomes[group] = outcomes.get(group, True) and item
    share = sum(outcomes.values()) / len(outcomes)
    signature = f"{_signature(measure, len(right))}|groups:{len(outcomes)}"
    return Score("group accuracy", 100.0 * share, signature)


def _signature(measure: str, items: int) -> str:
    return f"contrastive|measure:{measure}|ties:wrong|n:{items}"


__all__ = ["group_accuracy", "prefers_correct", "ranking_accuracy"]
