"""Claims about several seeds and about several comparisons at once.

A bootstrap over test items covers the choice of items, and Student's t over seeds the chance of
training; :func:`paired_difference` covers both, also for scores of whole corpora such as BLEU. Of
a score without items there are the seeds alone (:func:`paired_t`). Where one of many comparisons
is bound to look good, :func:`holm` says which still do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num
from scipy.optimize import brentq
from scipy.special import ndtri, stdtrit

from phosphene.evaluate.significance import Interval, bootstrap_p

Corpora = Num[np.ndarray, "seed _ statistic"]
"""Sufficient statistics of every test item, as each seed's model did it."""
Metric = Callable[[Float[np.ndarray, "corpus statistic"]], Float[np.ndarray, " corpus"]]
"""The scores of corpora, from the sums of their items' statistics."""
Resampled = Callable[[Float[np.ndarray, "resample item"], Corpora], Float[np.ndarray, "resample _"]]
"""The scores of every seed's model on test sets that have each item so many times."""
_SMALLEST_TAIL = 1e-12
"""Smaller p-values are not told apart."""


@dataclass(frozen=True)
class Difference:
    """System minus baseline, over paired seeds."""

    delta: float
    interval: Interval
    """95 %."""
    p_value: float
    """Two-sided."""
    method: str


def paired_difference(
    splits: Sequence[tuple[Corpora, Corpora]],
    scored: Resampled,
    *,
    seed: int,
    resamples: int = 1000,
) -> Difference:
    """Difference of two systems' scores, mean over seeds and over test splits.

    The items of each split are drawn with replacement, for all seeds and both systems alike. Of one
    seed that is the whole test: percentiles, and the share of resamples whose difference lies at
    least as far from the observed one as that lies from zero. It covers items alone.

    Of more, training is the second kind of chance, which Student's t over seeds covers. Where the
    interval of either alone would reach ``a`` and ``b`` far, that of both reaches
    ``sqrt(a^2 + b^2)`` (Zou and Donner, 2008); the p-value is that at which it ends at zero. Seeds
    are not resampled: of three, all are the lowest in one resample of 27, so that a percentile
    interval would end at the lowest and the highest seed, and say nothing but that all have one
    sign.

    Args:
        splits: system and baseline on each split: the same seeds in the same order, and the same
            items.
        scored: of resampled items; :func:`of_sums` makes it from a metric of summed statistics.
        seed: of the resampling.
        resamples: how many.
    """
    generator = np.random.default_rng(seed)
    (seeds,) = {side.shape[0] for pair in splits for side in pair}
    if not seeds or any(not pair[0].shape[1] for pair in splits):
        raise ValueError("no seeds or no items: nothing to compare")
    by_seed, resampled = np.zeros(seeds), np.zeros(resamples)
    for system, baseline in splits:
        items = system.shape[1]
        counts = generator.multinomial(items, np.full(items, 1 / items), size=resamples) * 1.0
        whole = np.ones((1, items))
        for sign, side in ((1, system), (-1, baseline)):
            if side.shape[:2] != (seeds, items):
                raise ValueError(f"expected {seeds} seeds of {items} items, got {side.shape[:2]}")
            by_seed += sign * scored(whole, side)[0] / len(splits)
            resampled += sign * scored(counts, side).mean(axis=1) / len(splits)
    signature = f"bs:{resamples}|seed:{seed}"
    if seeds == 1:
        (observed,), (low, high) = by_seed, np.percentile(resampled, [2.5, 97.5])
        p_value = bootstrap_p(resampled, float(observed))
        return Difference(
            float(observed), Interval(float(low), float(high)), p_value, f"items|{signature}"
        )
    return _students(
        by_seed, float(resampled.var(ddof=1)), f"t of {seeds} seeds, and items|{signature}"
    )


def of_sums(metric: Metric) -> Resampled:
    """A score of whole corpora, resampled; of a mean over items the statistics are value and 1."""

    def scored(
        counts: Float[np.ndarray, "resample item"], corpora: Corpora
    ) -> Float[np.ndarray, "resample seed"]:
        seeds, items, statistics = corpora.shape
        flat = corpora.transpose(1, 0, 2).reshape(items, seeds * statistics).astype(np.float64)
        sums = counts @ flat
        return metric(sums.reshape(-1, statistics)).reshape(-1, seeds)

    return scored


def paired_t(differences: Sequence[float]) -> Difference:
    """Difference of a score of which only one value a seed is known: Student's paired t-test.

    It covers the chance of training, not the choice of test items. Differences that are all the
    same have an interval of no width, and ``method`` says so: of a score in coarse steps that is
    little evidence.

    >>> test = paired_t([1.0, 2.0, 3.0])
    >>> f"{test.delta:.1f}, {test.interval.low:.3f} to {test.interval.high:.3f}, {test.p_value:.4f}"
    '2.0, -0.484 to 4.484, 0.0742'
    """
    if len(differences) < 2:
        raise ValueError("a t-test needs two seeds")
    values = np.asarray(differences, dtype=np.float64)
    spread = "" if np.ptp(values) else ", no spread between seeds"
    return _students(values, 0.0, f"t of {len(differences)} seeds, items not covered{spread}")


def _students(
    by_seed: Float[np.ndarray, " seed"], items_variance: float, method: str
) -> Difference:
    """The mean over seeds, whose error has a second part, known from many resamples."""
    mean, seeds_variance = float(by_seed.mean()), float(by_seed.var(ddof=1)) / len(by_seed)

    def reach(tail: float) -> float:
        """How far the interval goes that leaves out ``tail`` on each side."""
        of_seeds = seeds_variance * float(stdtrit(len(by_seed) - 1, tail)) ** 2
        return math.sqrt(of_seeds + items_variance * float(ndtri(tail)) ** 2)

    far = reach(0.025)
    if far == 0.0:
        p_value = float(mean == 0.0)
    elif reach(_SMALLEST_TAIL) <= abs(mean):
        p_value = 2 * _SMALLEST_TAIL
    else:
        p_value = 2 * float(brentq(lambda tail: reach(tail) - abs(mean), _SMALLEST_TAIL, 0.5))
    return Difference(mean, Interval(mean - far, mean + far), p_value, method)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """P-values adjusted for their number, step by step (Holm, 1979), in the order given.

    The smallest of ``m`` is multiplied by ``m``, the next by ``m - 1`` and so on; none becomes
    smaller than one before it, or larger than 1. Calling those below 0.05 significant is wrong
    about any of them with probability 0.05 at most, however they depend on each other.

    >>> holm({"a": 0.02, "b": 0.01, "c": 0.4})
    {'a': 0.04, 'b': 0.03, 'c': 0.4}
    """
    for name, value in p_values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name}: {value} is no p-value")
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


__all__ = [
    "Corpora",
    "Difference",
    "Metric",
    "Resampled",
    "holm",
    "of_sums",
    "paired_difference",
    "paired_t",
]
