"""Is the picture used? The same sentences with their own, somebody else's, or no picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from phosphene.data.dataset import TranslationData
from phosphene.evaluate.probes.incongruent import swapped_pictures
from phosphene.evaluate.score import Score
from phosphene.evaluate.significance import paired_permutation
from phosphene.evaluate.system import Judge, System
from phosphene.evaluate.translator import reference_likelihoods, translate_all

Condition = Callable[[TranslationData], TranslationData]


def tags_only(data: TranslationData) -> TranslationData:
    """The names of things, and nothing to look at."""
    return replace(data, regions=None)


def withheld(data: TranslationData) -> TranslationData:
    """Neither regions nor tags."""
    return replace(data, regions=None, tags=None)


def with_swapped_pictures(data: TranslationData) -> TranslationData:
    """Every sentence with another picture (regions and tags); nobody keeps its own.

    Raises:
        InputError: there are fewer than two pictures.
    """
    return replace(data, picture_of=swapped_pictures(data.picture_of, seed=1))


CONDITIONS: Sequence[tuple[str, Condition]] = (
    ("tags only", tags_only),
    ("swapped", with_swapped_pictures),
    ("withheld", withheld),
)


def picture_controls(
    system: System,
    data: TranslationData,
    congruent: Float[np.ndarray, " example"],
    judge: Judge | None = None,
) -> list[Score]:
    """Likelihood of the references and, in the world, senses, under each of ``CONDITIONS``.

    Args:
        system: whose ordinary scores say what it does with the right picture.
        data: every example has a picture, and there are two different ones.
        congruent: log-probability of each reference with the right picture, in nats.
        judge: of the translations.
    """
    scores: list[Score] = []
    for name, change in CONDITIONS:
        shown = change(data)
        if judge is not None:
            said = translate_all(system.model, shown, system.tokenizer, system.search)
            scores += [replace(score, name=f"{score.name}, {name}") for score in judge(said)]
        likelihoods = reference_likelihoods(system.model, shown)
        scores += [
            Score(
                f"log-likelihood, {name}",
                float(likelihoods.mean()),
                f"mean over {len(data)} sentences of the reference's log-probability, nats; "
                f"pictures: {name}",
            ),
            likelihood_gain(congruent, likelihoods, name),
        ]
    return scores


def likelihood_gain(
    congruent: Float[np.ndarray, " example"],
    control: Float[np.ndarray, " example"],
    name: str,
) -> Score:
    """What the right picture adds to the log-probability of the reference, with a p-value.

    BLEU cannot resolve what a few hundred photos do; the likelihood of the reference can.
    """
    test = paired_permutation(congruent, control, seed=1)
    interval = test.delta_interval
    return Score(
        f"log-likelihood gained over {name}",
        test.delta,
        f"nats per sentence, p {test.p_value:.2g}, 95 % {interval.low:.3f} to {interval.high:.3f}; "
        f"{test.signature}",
    )


__all__ = [
    "CONDITIONS",
    "likelihood_gain",
    "picture_controls",
    "tags_only",
    "with_swapped_pictures",
    "withheld",
]
