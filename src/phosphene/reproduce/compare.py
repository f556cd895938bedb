"""Every row of a table against its re-run baseline, over seeds and, where they are kept, items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from phosphene.core.errors import InputError
from phosphene.evaluate.answer_statistics import (
    areas_under_curve,
    counted,
    label_counts,
    macro_f1,
    micro_f1,
    ranking,
    right_answers,
    uncovered,
)
from phosphene.evaluate.repeated import (
    Corpora,
    Difference,
    Metric,
    Resampled,
    holm,
    of_sums,
    paired_difference,
    paired_t,
)
from phosphene.evaluate.score import Score
from phosphene.evaluate.significance import corpus_bleu
from phosphene.evaluate.system import Results, SplitResult
from phosphene.evaluate.translation import corpus_statistics
from phosphene.recipes.present import check_comparable
from phosphene.reproduce.measure import Measured, Measurements, NotMeasured
from phosphene.reproduce.tables import Block, Column

SEEDS_FOR_A_CLAIM = 3
_F1: Final[Mapping[str, Metric]] = {"macro F1": macro_f1, "micro F1": micro_f1}
_SAME_SCORE: Final = 0.01
"""Percent by which lines, whose probabilities are rounded, may miss the score of their run."""


@dataclass(frozen=True)
class Compared:
    """A row against the baseline in one column."""

    row: str
    block: Block
    column: Column
    difference: Difference | NotMeasured
    adjusted: float = 1.0
    """p after Holm, over all comparisons of the table."""
    seeds: int = 0

    @property
    def is_significant(self) -> bool:
        """By the adjusted p-value."""
        return isinstance(self.difference, Difference) and self.adjusted < 0.05

    @property
    def reading(self) -> str:
        """Which side of zero the interval lies on; nothing is claimed of fewer than three seeds."""
        if isinstance(self.difference, NotMeasured):
            return self.difference.reason
        if self.seeds < SEEDS_FOR_A_CLAIM:
            return f"undecided: {self.seeds} seed{'s' if self.seeds > 1 else ''}"
        interval = self.difference.interval
        return "higher" if interval.low > 0 else "lower" if interval.high < 0 else "undecided"


def compare_rows(found: Measurements, seed: int = 1) -> tuple[Compared, ...]:
    """All comparisons with the baseline, p-values adjusted for their number.

    Columns of gains are left out: they are such differences themselves.
    """
    grid = found.grid
    baseline, size = grid.table.baseline, grid.request.size
    compared = [
        _compare(found, row.label, block, column, seed)
        for row in grid.table.run_rows
        for block, column in grid.table.places
        if baseline and row.label != baseline and size in column.splits and not column.gain
    ]
    p_values = {
        str(number): each.difference.p_value
        for number, each in enumerate(compared)
        if isinstance(each.difference, Difference)
    }
    adjusted = holm(p_values)
    return tuple(
        replace(each, adjusted=adjusted.get(str(number), 1.0))
        for number, each in enumerate(compared)
    )


def _compare(found: Measurements, row: str, block: Block, column: Column, seed: int) -> Compared:
    baseline = found.grid.table.baseline
    sides = [found.cells[label, block.label, column.label] for label in (row, baseline)]
    for label, side in zip((row, baseline), sides, strict=True):
        if isinstance(side, NotMeasured):
            reason = side.reason if label == row else f"baseline: {side.reason}"
            return Compared(row, block, column, NotMeasured(reason))
    values = [side.by_seed for side in sides if isinstance(side, Measured)]
    seeds = sorted(values[0].keys() & values[1].keys())
    if not seeds:
        return Compared(row, block, column, NotMeasured("no seed in common"))
    system, other = (found.finished(label, block.label) for label in (row, baseline))
    try:
        for each in seeds:
            check_comparable(system[each], other[each])
    except InputError as error:
        return Compared(row, block, column, NotMeasured(str(error)), seeds=len(seeds))
    size = found.grid.request.size
    score = "" if column.probe else column.score_at(size)
    pairs = [_items(score, name, seeds, system, other) for name in column.splits[size]]
    difference: Difference | NotMeasured
    if all(pair is not None for pair in pairs):
        known = [pair for pair in pairs if pair is not None]
        difference = paired_difference([pair for pair, _ in known], known[0][1], seed=seed)
    elif len(seeds) < 2:
        difference = NotMeasured("one seed, and the score has no items")
    else:
        difference = paired_t([values[0][each] - values[1][each] for each in seeds])
    return Compared(row, block, column, difference, seeds=len(seeds))


def _items(
    score: str,
    split: str,
    seeds: Sequence[int],
    system: Mapping[int, Results],
    baseline: Mapping[int, Results],
) -> tuple[tuple[Corpora, Corpora], Resampled] | None:
    """What each item counts on both sides, where the runs keep what the score is made of.

    Args:
        score: its name; empty where a probe found it.
        split: of the test data.
        seeds: those that both sides have.
        system: results by seed.
        baseline: the same.
    """
    if not score:
        return None
    sides: list[list[np.ndarray]] = [[], []]
    for each in seeds:
        for side, results in zip(sides, (system[each], baseline[each]), strict=True):
            statistics = _statistics(score, results.split(split))
            if statistics is None:
                return None
            side.append(statistics)
    return (np.stack(sides[0]), np.stack(sides[1])), _resampled(score, sides[0][0])


def _resampled(score: str, statistics: np.ndarray) -> Resampled:
    """How a score is made of the statistics of resampled items."""
    if score == "AUC":
        return areas_under_curve
    if score in _F1:
        return of_sums(_F1[score])
    return of_sums(corpus_bleu if statistics.shape[1] > 2 else _ratio)


def _statistics(score: str, split: SplitResult) -> np.ndarray | None:
    """What the score is made of, a row for every item."""
    if not split.lines:
        return None
    if split.kind == "answers" and score in ("AUC", *_F1, "accuracy"):
        return _of_answers(score, split)
    if score == "log-likelihood":
        values = np.array([line.likelihood for line in split.lines])
        if not np.isfinite(values).all():
            return None
        return np.stack([values, np.ones_like(values)], axis=1)
    if split.kind == "translations":
        return corpus_statistics(
            score,
            [line.hypothesis for line in split.lines],
            [line.reference for line in split.lines],
            split.language,
            tokenised=split.tokenised,
        )
    return None


def _of_answers(name: str, split: SplitResult) -> np.ndarray | None:
    """Nothing where the lines do not give the score that the run has written down."""
    found = next((s for s in split.scores if isinstance(s, Score) and s.name == name), None)
    if found is None:
        return None
    statistics: np.ndarray | None
    if name == "accuracy":
        statistics = right_answers(split.lines, uncovered(split))
    elif name == "AUC":
        statistics = ranking(split.lines)
    else:
        statistics = label_counts(split.lines, counted("labels", found))
    if statistics is None:
        return None
    whole = np.ones((1, len(statistics)))
    again = float(_resampled(name, statistics)(whole, statistics[None])[0, 0])
    return statistics if abs(again - found.value) < _SAME_SCORE else None


def _ratio(sums: np.ndarray) -> np.ndarray:
    """A mean, from the sums of values and of ones."""
    return np.asarray(sums[:, 0] / sums[:, 1])


__all__ = ["Compared", "compare_rows"]
