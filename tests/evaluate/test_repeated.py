"""Several seeds and several comparisons: by hand, and how often the truth is covered."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.evaluate import repeated
from phosphene.evaluate.repeated import (
    bootstrap_difference,
    bootstrap_seeds_and_items,
    holm,
    of_sums,
    paired_t,
    t_tails,
)
from phosphene.evaluate.significance import (
    Interval,
    bleu_statistics,
    bootstrap_mean,
    corpus_bleu,
    paired_bootstrap,
)


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


def mean_of(sums: np.ndarray) -> np.ndarray:
    """The metric of statistics (value, 1)."""
    return sums[:, 0] / sums[:, 1]


def corpora(values: np.ndarray) -> np.ndarray:
    return np.stack([values, np.ones_like(values)], axis=-1)


def test_the_difference_of_means_is_that_of_the_bootstrap_over_seeds_and_items() -> None:
    rng = np.random.default_rng(5)
    system, baseline = rng.random((4, 150)) + 0.1, rng.random((4, 150))
    found = bootstrap_difference(
        [(corpora(system), corpora(baseline))], of_sums(mean_of), seed=1, resamples=4000
    )
    expected = bootstrap_seeds_and_items(system - baseline, seed=2, resamples=4000)
    assert found.delta == pytest.approx((system - baseline).mean())
    assert found.interval.low == pytest.approx(expected.low, abs=0.005)
    assert found.interval.high == pytest.approx(expected.high, abs=0.005)
    assert found.p_value < 0.05


def test_one_seed_of_one_corpus_is_the_paired_bootstrap_of_bleu() -> None:
    references = [
        f"a small dog runs over the {word} grass ." for word in ["green", "red", "dry", "wet"]
    ]
    outputs = [[*references[:3], "a dog"], ["a small dog runs .", *references[1:]]]
    system, baseline = (
        bleu_statistics(each * 10, references * 10, tokenizer="none", lowercase=True)
        for each in outputs
    )
    found = bootstrap_difference([(system[None], baseline[None])], of_sums(corpus_bleu), seed=1)
    plain = paired_bootstrap(system, baseline, seed=2)
    assert found.interval.low == pytest.approx(plain.delta.low, abs=1.5)
    assert found.interval.high == pytest.approx(plain.delta.high, abs=1.5)
    assert found.p_value == pytest.approx(plain.p_value, abs=0.05)
    assert "items|" in found.method and "seeds" not in found.method


def test_a_system_does_not_differ_from_itself() -> None:
    values = corpora(np.random.default_rng(0).random((3, 20)))
    same = bootstrap_difference([(values, values), (values, values)], of_sums(mean_of), seed=1)
    assert (same.delta, same.interval, same.p_value) == (0.0, Interval(0.0, 0.0), 1.0)
    with pytest.raises(ValueError, match="nothing to compare"):
        bootstrap_difference([(values[:, :0], values[:, :0])], of_sums(mean_of), seed=1)
    with pytest.raises(ValueError, match="expected 3 seeds of 20 items"):
        bootstrap_difference([(values, values[:, :9])], of_sums(mean_of), seed=1)


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (30, 2.042)]
)
def test_students_t_is_that_of_the_printed_tables(freedom: int, t: float) -> None:
    assert t_tails(t, freedom) == pytest.approx(0.05, abs=1e-4)


def test_seeds_alone() -> None:
    flat = paired_t([0.5, 0.5, 0.5])
    assert (flat.delta, flat.interval, flat.p_value) == (0.5, Interval(0.5, 0.5), 0.0)
    assert paired_t([0.0, 0.0]).p_value == 1.0
    with pytest.raises(ValueError, match="two seeds"):
        paired_t([1.0])
