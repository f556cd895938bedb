"""Significance: against brute force, against sacrebleu, and properties that any test must have."""

import itertools
import math
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU

from phosphene.evaluate.significance import (
    bleu_statistics,
    bootstrap_mean,
    compare,
    corpus_bleu,
    paired_bootstrap,
    paired_permutation,
    paired_randomisation,
)

WORDS = [f"w{index}" for index in range(30)]


def corpus(sentences: int, error_rates: tuple[float, ...]) -> list[np.ndarray]:
    """Statistics of systems that replace words of the same references at the given rates."""
    rng = random.Random(7)
    references = [" ".join(rng.choices(WORDS, k=rng.randint(4, 14))) for _ in range(sentences)]
    return [
        bleu_statistics(
            [
                " ".join("x" if rng.random() < rate else word for word in reference.split())
                for reference in references
            ],
            references,
            tokenizer="none",
            lowercase=False,
        )
        for rate in error_rates
    ]


def test_statistics_by_hand() -> None:
    statistics = bleu_statistics(["A b x", ""], ["a b c d", "a"], tokenizer="none", lowercase=True)
    #                     lengths, matches, n-grams
    assert statistics.tolist() == [
        [3, 4, 2, 1, 0, 0, 3, 2, 1, 0],
        [0, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*(st.lists(st.sampled_from("abc"), max_size=7).map(" ".join) for _ in range(2))),
        min_size=1,
        max_size=4,
    )
)
def test_bleu_from_statistics_is_sacrebleus(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = map(list, zip(*pairs, strict=True))
    statistics = bleu_statistics(hypotheses, references, tokenizer="none", lowercase=False)
    ours = corpus_bleu(statistics.sum(axis=0, keepdims=True).astype(np.float64))[0]
    theirs = BLEU(tokenize="none", force=True).corpus_score(hypotheses, [references]).score
    assert ours == pytest.approx(theirs, abs=1e-9)


def test_identical_systems_do_not_differ() -> None:
    (system,) = corpus(50, (0.2,))
    result = paired_bootstrap(system, system, seed=1)
    assert result.p_value == 1.0
    assert (result.delta.low, result.delta.high) == (0.0, 0.0)
    assert result.system == result.baseline
    assert paired_randomisation(system, system, seed=1, trials=500) == 1.0


def test_a_clearly_better_system_is_found() -> None:
    better, worse = corpus(200, (0.1, 0.4))
    result = compare("BLEU", better, worse, signature="tok:none", seed=1)
    assert result.p_bootstrap == 1 / 1001
    assert result.p_randomisation == 1 / 10_001
    assert result.delta == pytest.approx(result.system - result.baseline)
    assert result.delta_interval.low > 0
    assert result.system_interval.low < result.system < result.system_interval.high
    assert result.signature == "tok:none|bs:1000|ar:10000|seed:1"


def test_the_sides_are_symmetric() -> None:
    one, two = corpus(80, (0.2, 0.25))
    forwards, backwards = paired_bootstrap(one, two, seed=3), paired_bootstrap(two, one, seed=3)
    assert forwards.p_value == backwards.p_value
    assert forwards.delta.low == pytest.approx(-backwards.delta.high)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32))
def test_a_seed_decides_everything(seed: int) -> None:
    one, two = corpus(20, (0.2, 0.3))
    assert paired_bootstrap(one, two, seed=seed, resamples=50) == paired_bootstrap(
        one, two, seed=seed, resamples=50
    )
    assert paired_randomisation(one, two, seed=seed, trials=50) == paired_randomisation(
        one, two, seed=seed, trials=50
    )


def test_another_seed_draws_another_sample() -> None:
    one, two = corpus(20, (0.2, 0.3))
    assert paired_bootstrap(one, two, seed=1) != paired_bootstrap(one, two, seed=2)


def test_bootstrap_is_that_of_explicit_resampling() -> None:
    one, two = corpus(30, (0.2, 0.3))
    drawn = np.random.default_rng(5).integers(30, size=(200, 30))

    def scores(statistics: np.ndarray) -> np.ndarray:
        metric = BLEU()
        return np.array(
            [metric._compute_score_from_stats(statistics[row].sum(0)).score for row in drawn]
        )

    deltas = scores(one) - scores(two)
    result = paired_bootstrap(one, two, seed=5, resamples=200)
    assert (result.system.low, result.system.high) == pytest.approx(
        tuple(np.percentile(scores(one), [2.5, 97.5]))
    )
    assert (result.delta.low, result.delta.high) == pytest.approx(
        tuple(np.percentile(deltas, [2.5, 97.5]))
    )


def test_randomisation_approaches_the_exact_p_value() -> None:
    one, two = corpus(8, (0.1, 0.5))

    def delta(swap: tuple[int, ...]) -> float:
        chosen = np.array(swap, dtype=bool)[:, None]
        sides = np.where(chosen, two, one), np.where(chosen, one, two)
        first, second = (corpus_bleu(side.sum(0, keepdims=True).astype(float))[0] for side in sides)
        return abs(first - second)

    deltas = [delta(swap) for swap in itertools.product((0, 1), repeat=8)]
    exact = np.mean(np.array(deltas) >= deltas[0] - 1e-9)
    sampled = paired_randomisation(one, two, seed=1, trials=20_000)
    assert sampled == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 20_000) + 1e-4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=8))
def test_permutations_of_few_sentences_are_enumerated(pairs: list[tuple[int, int]]) -> None:
    system, baseline = np.array(pairs, dtype=float).T
    differences = system - baseline
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    result = paired_permutation(system, baseline, seed=0, resamples=20)
    assert result.exact
    assert result.p_value == np.mean(np.array(sums) >= abs(differences.sum()))
    assert result.delta == pytest.approx(differences.mean())


def test_permutations_by_hand() -> None:
    # Three sentences, all better by one: of the 8 sign patterns two are as extreme, +++ and ---.
    result = paired_permutation(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0]), seed=0)
    assert (result.p_value, result.delta, result.exact) == (0.25, 1.0, True)
    assert result.signature == "paired-permutation|exact|n:3|bs:1000|seed:0"


def test_sampled_permutations_agree_with_the_normal_approximation() -> None:
    rng = np.random.default_rng(3)
    differences = rng.normal(0.1, 1.0, size=400)
    result = paired_permutation(differences, np.zeros(400), seed=0)
    z = differences.sum() / math.sqrt((differences**2).sum())
    assert not result.exact
    assert result.p_value == pytest.approx(math.erfc(abs(z) / math.sqrt(2)), abs=0.015)
    assert result == paired_permutation(differences, np.zeros(400), seed=0)


def test_equal_values_do_not_differ() -> None:
    values = np.linspace(-3.0, -1.0, 500)
    result = paired_permutation(values, values, seed=0)
    assert (result.p_value, result.delta) == (1.0, 0.0)


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        paired_permutation(np.array([np.nan]), np.array([0.0]), seed=0)
    with pytest.raises(ValueError, match="at least one"):
        paired_permutation(np.zeros(0), np.zeros(0), seed=0)
    with pytest.raises(ValueError, match="no sentences"):
        bootstrap_mean(np.zeros(0), seed=0)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = corpus(20, (0.2, 0.3))
    whole = compare("BLEU", one, two, signature="s", seed=1, resamples=100, trials=100)
    monkeypatch.setattr("phosphene.evaluate.significance._CHUNK_ELEMENTS", 200)
    assert compare("BLEU", one, two, signature="s", seed=1, resamples=100, trials=100) == whole


def test_a_thousand_sentences_take_less_than_two_seconds() -> None:
    """Of processor time; a thousand resamples alone take about 0.03 s."""
    one, two = corpus(1000, (0.2, 0.22))
    start = time.process_time()
    compare("BLEU", one, two, signature="s", seed=1)
    assert time.process_time() - start < 2.0
