"""Is the picture used? The same examples with their own picture, another's, a blank one, none.

A model that uses pictures loses by the wrong ones; on mirrored pairs, where nothing but the picture
decides, it falls to chance. One that does not use them is not moved at all. A corpus score hardly
tells (half of a BLEU interval is 3.4 points on 243 sentences, and few of them need the picture), so
the log-probability of each reference is compared as well, example by example.

Source: Elliott 2018 (incongruent decoding).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from jaxtyping import Float, Int

from phosphene.core.errors import InputError
from phosphene.data.dataset import NO_PICTURE
from phosphene.data.world.splits import swapped
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.score import Score, Unavailable
from phosphene.evaluate.significance import paired_permutation

Data = TypeVar("Data")
RIGHT: Final = "right"
NOTE: Final = (
    "lost: log-probability of the references with the right picture less that under the condition, "
    "nats per example; p: paired permutation over the examples. A model that does not look loses 0."
)


@dataclass(frozen=True)
class Outcome:
    """What a system did with one version of the examples."""

    likelihoods: Float[np.ndarray, " example"]
    """Log-probability of each reference, in nats; not finite where a system cannot say it."""
    scores: tuple[Score | Unavailable, ...] = ()
    """Of all examples: BLEU, accuracy, senses."""


def incongruent(
    title: str,
    run: Callable[[Data], Outcome],
    right: Data,
    others: Mapping[str, Sequence[Data]],
    *,
    seed: int = 1,
) -> Finding:
    """What is lost under each condition.

    Args:
        title: of the finding.
        run: uses the system on examples.
        right: the examples with their own pictures.
        others: condition to versions of the same examples; several where it is drawn by chance.
        seed: of the permutation test.
    """
    first = run(right)
    rows: dict[str, tuple[Score | Unavailable, ...]] = {
        RIGHT: (*first.scores, _likelihood([first]))
    }
    for name, draws in others.items():
        outcomes = [run(data) for data in draws]
        rows[name] = (
            *mean_scores([outcome.scores for outcome in outcomes]),
            _likelihood(outcomes),
            *_lost(first, outcomes, seed),
        )
    return Finding(title, rows, NOTE)


def swapped_pictures(
    picture_of: Int[np.ndarray, " example"], seed: int
) -> Int[np.ndarray, " example"]:
    """The row of another example's picture for each example, drawn within the split.

    Examples of one picture get one and the same other picture; those without one stay without.

    Raises:
        InputError: there are fewer than two pictures.
    """
    rows = np.unique(picture_of[picture_of != NO_PICTURE])
    if len(rows) < 2:
        raise InputError(f"expected at least 2 different pictures to swap, got {len(rows)}")
    instead = dict(
        zip(rows.tolist(), rows[np.array(swapped(len(rows), seed))].tolist(), strict=True)
    )
    return np.array([instead.get(row, NO_PICTURE) for row in picture_of.tolist()], dtype=np.int64)


def mean_scores(draws: Sequence[Sequence[Score | Unavailable]]) -> list[Score | Unavailable]:
    """Each score's mean over several draws; the signature has those of all, and the deviation."""
    if len(draws) == 1:
        return list(draws[0])
    merged: list[Score | Unavailable] = []
    for together in zip(*draws, strict=True):
        values = [score.value for score in together if isinstance(score, Score)]
        if len(values) < len(together):
            merged.append(together[0])
            continue
        spread = float(np.std(values, ddof=1))
        said = "; ".join(dict.fromkeys(map(_signature, together)))
        signature = f"{said}|draws:{len(values)}|sd:{spread:.3f}"
        merged.append(Score(together[0].name, float(np.mean(values)), signature))
    return merged


def _signature(score: Score | Unavailable) -> str:
    return score.signature if isinstance(score, Score) else score.reason


def _likelihood(outcomes: Sequence[Outcome]) -> Score:
    means = [float(known.mean()) for known in _finite(outcomes)]
    draws = f"|draws:{len(means)}|sd:{np.std(means, ddof=1):.3f}" if len(means) > 1 else ""
    count = len(_finite(outcomes)[0])
    signature = f"mean over {count} references of their log-probability, nats{draws}"
    return Score("log-likelihood", float(np.mean(means)), signature)


def _lost(right: Outcome, outcomes: Sequence[Outcome], seed: int) -> tuple[Score, Score]:
    """The mean difference, its interval, and the probability of one as large by chance."""
    known = _finite([right, *outcomes])
    test = paired_permutation(known[0], np.mean(known[1:], axis=0), seed=seed)
    interval = f"95 % {test.delta_interval.low:.3f} to {test.delta_interval.high:.3f}"
    return (
        Score("lost, nats", test.delta, f"{interval}|{test.signature}"),
        Score("p (permutation)", test.p_value, test.signature),
    )


def _finite(outcomes: Sequence[Outcome]) -> list[Float[np.ndarray, " known"]]:
    """The likelihoods of the examples whose reference every outcome can say."""
    stacked = np.stack([outcome.likelihoods for outcome in outcomes])
    return list(stacked[:, np.isfinite(stacked).all(axis=0)])


__all__ = ["RIGHT", "Outcome", "incongruent", "mean_scores", "swapped_pictures"]
