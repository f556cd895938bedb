"""Claims about several seeds and about several comparisons at once.

A bootstrap over test items covers the choice of items, and a bootstrap over seeds the chance of
training; :func:`bootstrap_seeds_and_items` covers both, :func:`bootstrap_difference` does so for
scores of whole corpora, such as BLEU. Of a score without items there are the seeds alone
(:func:`paired_t`). Where one of many comparisons is bound to look good, :func:`holm` says which
still do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

from phosphene.evaluate.significance import Interval, bootstrap_p

Corpora = Num[np.ndarray, "seed _ statistic"]
"""Sufficient statistics of every test item, as each seed's model did it."""
Metric = Callable[[Float[np.ndarray, "corpus statistic"]], Float[np.ndarray, " corpus"]]
"""The scores of corpora, from the sums of their items' statistics."""
Resampled = Callable[[Float[np.ndarray, "resample item"], Corpora], Float[np.ndarray, "resample _"]]
"""The scores of every seed's model on test sets that have each item so many times."""
_HALVINGS = 80


@dataclass(frozen=True)
class Difference:
    """System minus baseline, over paired seeds."""

    delta: float
    interval: Interval
    """95 %."""
    p_value: float
    """Two-sided."""
    method: str


def bootstrap_seeds_and_items(
    values: Float[np.ndarray, "seed item"], *, seed: int, resamples: int = 1000
) -> Interval:
    """The 95 % interval of a mean over trained models and test items.

    Each resample draws seeds and items with replacement, independently of each other: all models
    of a resample are tested on the same items, as they were. For a comparison give differences,
    system minus baseline, one row per seed; where the two share no seed, pair them in any order.

    Three seeds resampled are all alike in one of nine resamples, so with few seeds the interval is
    too narrow rather than too wide (by a factor of about ``sqrt((n - 1) / n)`` for ``n`` seeds).
    """
    seeds, items = values.shape
    if not seeds or not items:
        raise ValueError("the mean over no seeds or no items has no interval")
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    for number in range(resamples):
        models = np.bincount(generator.integers(seeds, size=seeds), minlength=seeds)
        tested = np.bincount(generator.integers(items, size=items), minlength=items)
        means[number] = models @ values @ tested / (seeds * items)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(low), float(high))


def bootstrap_difference(
    splits: Sequence[tuple[Corpora, Corpora]],
    scored: Resampled,
    *,
    seed: int,
    resamples: int = 1000,
) -> Difference:
    """Difference of two systems' scores, mean over seeds and over test splits.

    Each resample draws seeds, once for all splits, and the items of each split, with replacement
    and for both systems alike. The p-value is the share of resamples whose difference lies at
    least as far from the observed one as that lies from zero. With few seeds the interval is too
    narrow rather than too wide, as that of :func:`bootstrap_seeds_and_items`; with one it covers
    items alone.

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
    everything = np.full((1, seeds), 1 / seeds)
    drawn = generator.multinomial(seeds, everything[0], size=resamples) / seeds
    observed, resampled = 0.0, np.zeros(resamples)
    for system, baseline in splits:
        items = system.shape[1]
        counts = generator.multinomial(items, np.full(items, 1 / items), size=resamples) * 1.0
        whole = np.ones((1, items))
        for sign, side in ((1, system), (-1, baseline)):
            if side.shape[:2] != (seeds, items):
                raise ValueError(f"expected {seeds} seeds of {items} items, got {side.shape[:2]}")
            observed += sign * float((scored(whole, side) * everything).sum())
            resampled += sign * (scored(counts, side) * drawn).sum(axis=1)
    observed, resampled = observed / len(splits), resampled / len(splits)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Difference(
        observed,
        Interval(float(low), float(high)),
        bootstrap_p(resampled, observed),
        f"bootstrap of {'items' if seeds == 1 else f'{seeds} seeds and items'}|bs:{resamples}"
        f"|seed:{seed}",
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
    same have an interval of no width.

    >>> test = paired_t([1.0, 2.0, 3.0])
    >>> f"{test.delta:.1f}, {test.interval.low:.3f} to {test.interval.high:.3f}, {test.p_value:.4f}"
    '2.0, -0.484 to 4.484, 0.0742'
    """
    seeds = len(differences)
    if seeds < 2:
        raise ValueError("a t-test needs two seeds")
    mean, deviation = float(np.mean(differences)), float(np.std(differences, ddof=1))
    error = deviation / math.sqrt(seeds)
    half_width = _t_quantile(0.05, seeds - 1) * error
    p_value = float(mean == 0) if error == 0 else t_tails(mean / error, seeds - 1)
    interval = Interval(mean - half_width, mean + half_width)
    return Difference(mean, interval, p_value, f"paired t of {seeds} seeds, items not covered")


def t_tails(t: float, freedom: int) -> float:
    """Probability that Student's t with ``freedom`` degrees lies at least as far from 0 as ``t``.

    The finite series for whole degrees of freedom (Abramowitz and Stegun, 26.7.3 and 26.7.4).
    """
    angle = math.atan2(abs(t), math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    if freedom % 2:
        term, total = cosine, 0.0
        for k in range(1, (freedom - 1) // 2 + 1):
            total += term
            term *= cosine**2 * (2 * k) / (2 * k + 1)
        inside = 2 / math.pi * (angle + sine * total)
    else:
        term, total = 1.0, 0.0
        for k in range(freedom // 2):
            total += term
            term *= cosine**2 * (2 * k + 1) / (2 * k + 2)
        inside = sine * total
    return max(0.0, 1.0 - inside)


def _t_quantile(tails: float, freedom: int) -> float:
    """The t whose two tails hold ``tails`` together."""
    low, high = 0.0, 1e4
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tails(middle, freedom) > tails else (low, middle)
    return high


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
    "bootstrap_difference",
    "bootstrap_seeds_and_items",
    "holm",
    "of_sums",
    "paired_t",
    "t_tails",
]
