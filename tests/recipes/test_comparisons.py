"""Two runs side by side, from what they keep of every example."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.core.runlog import Signature
from phosphene.evaluate.score import Score
from phosphene.evaluate.system import Line, Results, SplitResult
from phosphene.recipes.present import comparison_tables
from phosphene.report.model import Number


def classified(right: int, of: int, uncovered: int) -> Results:
    """Answers of which the first so many are right."""
    lines = tuple(Line("", "yes", "yes" if n < right else "no", -1.0) for n in range(of))
    accuracy = 100 * right / (of + uncovered)
    scores = (Score("accuracy", accuracy, f"examples:{of}|uncovered, wrong:{uncovered}"),)
    split = SplitResult("test", of, scores, lines, "answers")
    return Results("system", "en", Signature("0.1", "abc", "d", "c", 1, "last"), (split,))


@pytest.mark.parametrize(("uncovered", "difference"), [(0, 50.0), (4, 25.0)])
def test_examples_that_no_model_can_get_right_count_in_a_difference(
    uncovered: int, difference: float
) -> None:
    pair = classified(4, 4, uncovered), classified(2, 4, uncovered)
    (table,) = comparison_tables(*pair, names=("ours", "theirs"), seed=1)
    (row,) = table.rows
    assert isinstance(row[1], Number) and np.isclose(row[1].value, difference)
