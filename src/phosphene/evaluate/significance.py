"""Is a difference between two systems more than the choice of test sentences?

Corpus BLEU is a function of sums over sentences, so a resample of the test set needs no text, only
new sums of the *sufficient statistics* of each sentence. Per-sentence values, such as the
log-likelihood of the reference, are compared by a permutation test.

Every test here is two-sided, seeded, and covers the sampling of test sentences only: that training
again with another seed gives the same answer needs more seeds, not more resamples.

Sources: Koehn 2004 (paired bootstrap), Riezler & Maxwell 2005 (approximate randomisation), Phipson
& Smyth 2010 (``(1 + extreme) / (1 + trials)``, so that a sampled p-value is never zero).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from sacrebleu.metrics.bleu import BLEU

MAX_NGRAM = 4
STATISTICS = 2 + 2 * MAX_NGRAM
"""Columns: hypothesis length, reference length, matches of n = 1..4, n-grams of n = 1..4."""
EXACT_LIMIT = 18
"""Up to so many differing sentences, all ``2 ** n`` permutations are enumerated."""

_TOLERANCE = 1e-9
_CHUNK_ELEMENTS = 4_000_000
_HALF_WIDTH = 2.5  # percent cut off on each side of a 95 % interval


@dataclass(frozen=True)
class Interval:
    """A 95 % percentile interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """Two systems on the same resampled test sets."""

    system: Interval
    baseline: Interval
    delta: Interval
    """Of system minus baseline."""
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """One score of a system beside that of its baseline."""

    name: str
    system: float
    system_interval: Interval
    baseline: float
    baseline_interval: Interval
    delta: float
    """System minus baseline."""
    delta_interval: Interval
    p_bootstrap: float
    p_randomisation: float
    signature: str


@dataclass(frozen=True)
class Permutation:
    """The mean paired difference of two systems' per-sentence values."""

    delta: float
    """Mean of system minus baseline."""
    delta_interval: Interval
    p_value: float
    exact: bool
    """True where every permutation was enumerated."""
    signature: str


def bleu_statistics(
    hypotheses: Sequence[str], references: Sequence[str], *, tokenizer: str, lowercase: bool
) -> Int[np.ndarray, "sentence statistic"]:
    """The sufficient statistics of each sentence, with one of sacrebleu's tokenisers."""
    counter = BLEU(
        lowercase=lowercase,
        tokenize=tokenizer,
        effective_order=True,  # changes no count; asks sacrebleu not to warn about sentence scores
        force=True,
    )
    rows = []
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        score = counter.sentence_score(hypothesis, [reference])
        rows.append([score.sys_len, score.ref_len, *score.counts, *score.totals])
    return np.asarray(rows, dtype=np.int64)


def corpus_bleu(statistics: Float[np.ndarray, "corpus statistic"]) -> Float[np.ndarray, " corpus"]:
    """BLEU (0 to 100) of many corpora at once, from the summed statistics of each.

    The same as sacrebleu's default: up to 4-grams, exponential smoothing (a missing order counts
    as half a match, the next missing one as a quarter, and so on).
    """
    lengths, reference_lengths = statistics[:, 0], statistics[:, 1]
    matches, totals = statistics[:, 2 : 2 + MAX_NGRAM], statistics[:, 2 + MAX_NGRAM :]
    missing = matches == 0
    smoothed = np.where(missing, 0.5 ** np.cumsum(missing, axis=1), matches)
    # A corpus with no 4-gram at all, or no match, scores zero; the values used there are dropped.
    defined = (totals > 0).all(axis=1) & (matches > 0).any(axis=1)
    log_precision = np.log(smoothed / np.maximum(totals, 1)).mean(axis=1)
    log_brevity = np.minimum(0.0, 1.0 - reference_lengths / np.maximum(lengths, 1))
    return np.where(defined, 100.0 * np.exp(log_precision + log_brevity), 0.0)


def paired_bootstrap(
    system: Int[np.ndarray, "sentence statistic"],
    baseline: Int[np.ndarray, "sentence statistic"],
    *,
    seed: int,
    resamples: int = 1000,
) -> Bootstrap:
    """Score both systems on the same ``resamples`` test sets drawn with replacement.

    The p-value is the share of resamples whose difference lies at least as far from the observed
    difference as that lies from zero. (sacrebleu centres the *absolute* differences and counts
    strictly larger ones, which calls a system significantly different from itself.)
    """
    _check_paired(system, baseline)
    generator = np.random.default_rng(seed)
    sentences = len(system)
    both = np.concatenate([system, baseline], axis=1).astype(np.float64)
    sums = np.concatenate(
        [
            _multiplicities(generator.integers(sentences, size=(rows, sentences))) @ both
            for rows in _chunks(resamples, sentences)
        ]
    )
    system_scores = corpus_bleu(sums[:, :STATISTICS])
    baseline_scores = corpus_bleu(sums[:, STATISTICS:])
    deltas = system_scores - baseline_scores
    observed = _score(system) - _score(baseline)
    return Bootstrap(
        _interval(system_scores),
        _interval(baseline_scores),
        _interval(deltas),
        bootstrap_p(deltas, observed),
    )


def paired_randomisation(
    system: Int[np.ndarray, "sentence statistic"],
    baseline: Int[np.ndarray, "sentence statistic"],
    *,
    seed: int,
    trials: int = 10_000,
) -> float:
    """The p-value of approximate randomisation.

    In each trial every sentence's two outputs change sides with probability one half; the p-value
    is the share of trials whose absolute difference is at least the observed one.
    """
    _check_paired(system, baseline)
    generator = np.random.default_rng(seed)
    difference = (system - baseline).astype(np.float64)
    total = (system + baseline).sum(axis=0)
    extreme = []
    for rows in _chunks(trials, len(system)):
        swap = generator.integers(2, size=(rows, len(system)), dtype=np.uint8)
        first = baseline.sum(axis=0) + swap.astype(np.float64) @ difference
        extreme.append(np.abs(corpus_bleu(first) - corpus_bleu(total - first)))
    return _sampled_p(np.concatenate(extreme), abs(_score(system) - _score(baseline)))


def compare(
    name: str,
    system: Int[np.ndarray, "sentence statistic"],
    baseline: Int[np.ndarray, "sentence statistic"],
    *,
    signature: str,
    seed: int,
    resamples: int = 1000,
    trials: int = 10_000,
) -> Comparison:
    """Both tests of one BLEU convention, with the signature of the tests added to the score's."""
    bootstrap = paired_bootstrap(system, baseline, seed=seed, resamples=resamples)
    return Comparison(
        name=name,
        system=_score(system),
        system_interval=bootstrap.system,
        baseline=_score(baseline),
        baseline_interval=bootstrap.baseline,
        delta=_score(system) - _score(baseline),
        delta_interval=bootstrap.delta,
        p_bootstrap=bootstrap.p_value,
        p_randomisation=paired_randomisation(system, baseline, seed=seed, trials=trials),
        signature=f"{signature}|bs:{resamples}|ar:{trials}|seed:{seed}",
    )


def paired_permutation(
    system: Float[np.ndarray, " sentence"],
    baseline: Float[np.ndarray, " sentence"],
    *,
    seed: int,
    trials: int = 10_000,
    resamples: int = 1000,
) -> Permutation:
    """Test whether the mean per-sentence difference could be chance.

    Under the null hypothesis the sign of each difference is a coin toss. Sentences on which the two
    systems are equal change nothing and are left out of the permutations; with at most
    ``EXACT_LIMIT`` others the p-value is exact, otherwise ``trials`` permutations are drawn.
    """
    _check_paired(system, baseline)
    if not (np.isfinite(system).all() and np.isfinite(baseline).all()):
        raise ValueError("a permutation test needs finite values")
    generator = np.random.default_rng(seed)
    differences = (system - baseline).astype(np.float64)
    nonzero = differences[differences != 0.0]
    exact = len(nonzero) <= EXACT_LIMIT
    observed = abs(float(nonzero.sum()))
    if exact:
        sums = np.abs(_all_signed_sums(nonzero))
        p_value = float((sums >= observed - _slack(observed)).mean())
    else:
        sums = np.concatenate(
            [
                generator.integers(2, size=(rows, len(nonzero)), dtype=np.uint8) @ (2.0 * nonzero)
                - nonzero.sum()
                for rows in _chunks(trials, len(nonzero))
            ]
        )
        p_value = _sampled_p(np.abs(sums), observed)
    method = "exact" if exact else f"pm:{trials}"
    return Permutation(
        float(differences.mean()),
        bootstrap_mean(differences, seed=seed, resamples=resamples),
        p_value,
        exact,
        f"paired-permutation|{method}|n:{len(differences)}|bs:{resamples}|seed:{seed}",
    )


def bootstrap_mean(
    values: Float[np.ndarray, " sentence"], *, seed: int, resamples: int = 1000
) -> Interval:
    """The interval of a mean over sentences (an accuracy, a log-likelihood, a difference)."""
    if len(values) == 0:
        raise ValueError("the mean of no sentences has no interval")
    generator = np.random.default_rng(seed)
    means = [
        values[generator.integers(len(values), size=(rows, len(values)))].mean(axis=1)
        for rows in _chunks(resamples, len(values))
    ]
    return _interval(np.concatenate(means))


def bootstrap_p(resampled: Float[np.ndarray, " resample"], observed: float) -> float:
    """Share of resampled differences at least as far from ``observed`` as that is from zero."""
    return _sampled_p(np.abs(resampled - observed), abs(observed))


def _score(statistics: Int[np.ndarray, "sentence statistic"]) -> float:
    return float(corpus_bleu(statistics.sum(axis=0, keepdims=True).astype(np.float64))[0])


def _interval(scores: Float[np.ndarray, " resample"]) -> Interval:
    low, high = np.percentile(scores, [_HALF_WIDTH, 100.0 - _HALF_WIDTH])
    return Interval(float(low), float(high))


def _sampled_p(distances: Float[np.ndarray, " trial"], observed: float) -> float:
    extreme = int((distances >= observed - _slack(observed)).sum())
    return (1 + extreme) / (1 + len(distances))


def _slack(observed: float) -> float:
    """Rounding must not turn a tie with the observed difference into a smaller one."""
    return _TOLERANCE * max(1.0, observed)


def _all_signed_sums(values: Float[np.ndarray, " value"]) -> Float[np.ndarray, " permutation"]:
    """The sums of ``values`` under all ``2 ** len(values)`` choices of signs."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _multiplicities(
    drawn: Int[np.ndarray, "resample sentence"],
) -> Float[np.ndarray, "resample sentence"]:
    """How often each sentence occurs in each resample."""
    resamples, sentences = drawn.shape
    cells = (drawn + sentences * np.arange(resamples)[:, None]).ravel()
    counts = np.bincount(cells, minlength=resamples * sentences)
    return counts.reshape(resamples, sentences).astype(np.float64)


def _chunks(rows: int, columns: int) -> Iterator[int]:
    """Split ``rows`` so that a chunk of rows x columns stays within tens of megabytes."""
    step = max(1, _CHUNK_ELEMENTS // max(columns, 1))
    for start in range(0, rows, step):
        yield min(step, rows - start)


def _check_paired(system: np.ndarray, baseline: np.ndarray) -> None:
    if system.shape != baseline.shape or len(system) == 0:
        raise ValueError(
            f"a paired test needs the same sentences, at least one: got {len(system)} and "
            f"{len(baseline)}"
        )


__all__ = [
    "Bootstrap",
    "Comparison",
    "Interval",
    "Permutation",
    "bleu_statistics",
    "bootstrap_mean",
    "bootstrap_p",
    "compare",
    "corpus_bleu",
    "paired_bootstrap",
    "paired_permutation",
    "paired_randomisation",
]
