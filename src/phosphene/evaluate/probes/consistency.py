"""How often student and teacher say the same, as examples are and with one modality swapped.

Beside the ratio stands Cohen's kappa, which is 0 at chance: a student that always says the same has
as its ratio the share of that class among the teacher's predictions, and a kappa of 0.

Source: Jin et al. 2021 (MSD), Figure 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from phosphene.evaluate.classification import Decisions, agreed
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.probes.incongruent import mean_scores
from phosphene.evaluate.score import Score

NOTE: Final = "ratio in percent; kappa is 1 for always and 0 for as often as by chance"


def consistency(title: str, draws: Mapping[str, Sequence[tuple[Decisions, Decisions]]]) -> Finding:
    """The agreement under each condition.

    Args:
        title: of the finding.
        draws: condition to the student's and the teacher's predictions of the same examples, once
            for each draw.
    """
    return Finding(
        title,
        {
            name: tuple(mean_scores([_scores(*pair) for pair in each]))
            for name, each in draws.items()
        },
        NOTE,
    )


def _scores(student: Decisions, teacher: Decisions) -> tuple[Score, Score]:
    found, signature = agreed(student, teacher), f"examples:{len(student)}"
    return (
        Score("agreement, %", 100 * found.ratio, signature),
        Score("kappa", found.kappa, signature),
    )


__all__ = ["consistency"]
