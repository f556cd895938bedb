"""Claims about several seeds and about several comparisons at once.

A bootstrap over test items covers the choice of items, and a bootstrap over seeds the chance of
training; :func:`bootstrap_seeds_and_items` covers both. Where one of many comparisons is bound to
look good, :func:`holm` says which still do.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from phosphene.evaluate.significance import Interval


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


__all__ = ["bootstrap_seeds_and_items", "holm"]
