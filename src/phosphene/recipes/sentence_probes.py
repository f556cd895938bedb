"""The probes that fit every translator, whatever it looks at: they ask by sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phosphene.recipes.degrade_probe import ask_degrade
from phosphene.recipes.probe import Answer, Asked, Fitting
from phosphene.recipes.translation_probes import Subject, ask_contrastive, ask_lexical

SubjectOf = Callable[[Any, Any], Subject]
"""A recipe's trained system and its settings as a translator on its test splits."""


def sentence_probes(subject: SubjectOf, source: str, data: str) -> Fitting:
    """``contrastive`` and ``lexical``, and ``degrade``, whose word classes are English.

    Args:
        subject: of the recipe.
        source: language that is translated from.
        data: where the sentences come from, as settings name it.
    """

    def asks_degrade(trained: Any, settings: Any, asked: Asked) -> Answer:
        return ask_degrade(subject(trained, settings), asked, data)

    return {
        "contrastive": lambda trained, settings, asked: ask_contrastive(
            subject(trained, settings), asked
        ),
        "lexical": lambda trained, settings, asked: ask_lexical(subject(trained, settings), asked),
        "degrade": asks_degrade
        if source == "en"
        else f"it hides English words, and sources are in '{source}'",
    }


__all__ = ["SubjectOf", "sentence_probes"]
