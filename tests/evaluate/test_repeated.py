"""Several seeds and several comparisons: by hand, and how often the truth is covered."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.evaluate import repeated
from phosphene.evaluate.repeated import bootstrap_seeds_and_items, holm
from phosphene.evaluate.significance import Interval, bootstrap_mean


def test_the_example_in_the_docstring() -> None:
    assert doctest.testmod(repeated).failed == 0


def test_holm_by_hand() -> None:
    """Sorted: 0.01 * 4, 0.02 * 3, then 0.02 * 2 held at 0.06, then 0.9."""
    found = holm({"d": 0.9, "b": 0.02, "a": 0.01, "c": 0.02})
    assert found == pytest.approx({"d": 0.9, "b": 0.06, "a": 0.04, "c": 0.06})
    assert list(found) == ["d", "b", "a", "c"]
    assert holm({}) == {}
    with pytest.raises(ValueError, match=r"x: 1\.2 is no p-value"):
        holm({"x": 1.2})


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_between_nothing_and_bonferroni(values: list[float]) -> None:
    given_values = {str(number): value for number, value in enumerate(values)}
    found = holm(given_values)
    for name, value in given_values.items():
        assert value <= found[name] <= min(1.0, len(values) * value) + 1e-12
    order = sorted(given_values, key=given_values.__getitem__)
    assert [found[name] for name in order] == sorted(found.values())


def test_one_model_has_the_interval_of_its_items_and_equal_items_that_of_the_models() -> None:
    rng = np.random.default_rng(0)
    items = rng.random(200)
    one, plain = (
        bootstrap_seeds_and_items(items[None], seed=1, resamples=2000),
        bootstrap_mean(items, seed=2, resamples=2000),
    )
    assert one.low == pytest.approx(plain.low, abs=0.005)
    assert one.high == pytest.approx(plain.high, abs=0.005)
    models = np.repeat([[0.0], [1.0]], 50, axis=1)
    assert bootstrap_seeds_and_items(models, seed=1) == Interval(0.0, 1.0)
    with pytest.raises(ValueError, match="no seeds or no items"):
        bootstrap_seeds_and_items(np.zeros((0, 4)), seed=1)


def test_both_kinds_of_chance_are_covered() -> None:
    """Models and items have effects of their own; an interval of items alone is too short."""
    rng = np.random.default_rng(3)
    both = items_alone = 0
    for number in range(80):
        values = rng.normal(0, 1, (10, 1)) + rng.normal(0, 1, (1, 50)) + rng.normal(0, 1, (10, 50))
        wide = bootstrap_seeds_and_items(values, seed=number, resamples=200)
        narrow = bootstrap_mean(values.mean(axis=0), seed=number, resamples=200)
        both += wide.low <= 0 <= wide.high
        items_alone += narrow.low <= 0 <= narrow.high
    assert both >= 68 > items_alone + 15
