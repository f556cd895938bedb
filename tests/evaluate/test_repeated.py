"""Several seeds and several comparisons: by hand, and how often the truth is covered."""

from __future__ import annotations

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.evaluate import repeated
from phosphene.evaluate.repeated import (
    Difference,
    holm,
    of_sums,
    paired_difference,
    paired_t,
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


def mean_of(sums: np.ndarray) -> np.ndarray:
    """The metric of statistics (value, 1)."""
    return sums[:, 0] / sums[:, 1]


def corpora(values: np.ndarray) -> np.ndarray:
    return np.stack([values, np.ones_like(values)], axis=-1)


def difference(values: np.ndarray, seed: int = 1, resamples: int = 1000) -> Difference:
    """Of models, one a row, and a baseline that gets nothing."""
    sides = (corpora(values), corpora(np.zeros_like(values)))
    return paired_difference([sides], of_sums(mean_of), seed=seed, resamples=resamples)


def test_one_seed_has_the_interval_of_its_items() -> None:
    items = np.random.default_rng(0).random(200)
    found, plain = difference(items[None]), bootstrap_mean(items, seed=2, resamples=2000)
    assert found.delta == pytest.approx(items.mean())
    assert found.interval.low == pytest.approx(plain.low, abs=0.01)
    assert found.interval.high == pytest.approx(plain.high, abs=0.01)


def test_equal_items_leave_the_t_of_the_seeds() -> None:
    by_seed = [0.8, 2.0, 4.4]
    found, plain = difference(np.repeat([by_seed], 50, axis=0).T), paired_t(by_seed)
    assert found.interval.low == pytest.approx(plain.interval.low, abs=1e-6)
    assert found.p_value == pytest.approx(plain.p_value, abs=1e-6)
    assert plain.interval.low < 0 < min(by_seed)  # all of one sign, and yet nothing is shown
    # 2.4 / (sqrt(3.36) / sqrt(3)) = 2.268; Student's t with two degrees of freedom
    assert plain.p_value == pytest.approx(0.1514, abs=1e-4)


def test_equal_seeds_leave_the_normal_interval_of_the_items() -> None:
    items = np.random.default_rng(0).random(400)
    found = difference(np.repeat(items[None], 3, axis=0), resamples=4000)
    half = 1.96 * items.std() / np.sqrt(400)
    assert found.interval.high - found.delta == pytest.approx(half, rel=0.05)
    assert found.delta - found.interval.low == pytest.approx(half, rel=0.05)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("of_seeds", [0.0, 0.3, 3.0])
def test_both_kinds_of_chance_are_covered(seeds: int, of_seeds: float) -> None:
    """Models and items have effects of their own; nothing is found in 95 of 100 worlds without."""
    rng = np.random.default_rng(3)
    covered = items_alone = 0
    for number in range(200):
        values = rng.normal(0, of_seeds, (seeds, 1)) + rng.normal(0, 1, (1, 50))
        values = values + rng.normal(0, 1, (seeds, 50))
        wide = difference(values, number, resamples=200).interval
        narrow = bootstrap_mean(values.mean(axis=0), seed=number, resamples=200)
        covered += wide.low <= 0 <= wide.high
        items_alone += narrow.low <= 0 <= narrow.high
    assert covered >= 182  # fewer of 200 at 95 % have a probability of .005
    assert of_seeds < 1 or items_alone < 100


def test_one_seed_of_one_corpus_is_the_paired_bootstrap_of_bleu() -> None:
    references = [
        f"a small dog runs over the {word} grass ." for word in ["green", "red", "dry", "wet"]
    ]
    outputs = [[*references[:3], "a dog"], ["a small dog runs .", *references[1:]]]
    system, baseline = (
        bleu_statistics(each * 10, references * 10, tokenizer="none", lowercase=True)
        for each in outputs
    )
    found = paired_difference([(system[None], baseline[None])], of_sums(corpus_bleu), seed=1)
    plain = paired_bootstrap(system, baseline, seed=2)
    assert found.interval.low == pytest.approx(plain.delta.low, abs=1.5)
    assert found.interval.high == pytest.approx(plain.delta.high, abs=1.5)
    assert found.p_value == pytest.approx(plain.p_value, abs=0.05)
    assert found.method == "items|bs:1000|seed:1"


def test_a_system_does_not_differ_from_itself() -> None:
    values = corpora(np.random.default_rng(0).random((3, 20)))
    same = paired_difference([(values, values), (values, values)], of_sums(mean_of), seed=1)
    assert (same.delta, same.interval, same.p_value) == (0.0, Interval(0.0, 0.0), 1.0)
    with pytest.raises(ValueError, match="nothing to compare"):
        paired_difference([(values[:, :0], values[:, :0])], of_sums(mean_of), seed=1)
    with pytest.raises(ValueError, match="expected 3 seeds of 20 items"):
        paired_difference([(values, values[:, :9])], of_sums(mean_of), seed=1)


def test_seeds_alone() -> None:
    flat = paired_t([0.5, 0.5, 0.5])
    assert (flat.delta, flat.interval, flat.p_value) == (0.5, Interval(0.5, 0.5), 0.0)
    assert paired_t([0.0, 0.0]).p_value == 1.0
    with pytest.raises(ValueError, match="two seeds"):
        paired_t([1.0])
