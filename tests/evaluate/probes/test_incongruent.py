"""The world's mirrored pairs: a model that looks falls to chance, one that does not stays put."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.core.errors import InputError
from phosphene.data.dataset import NO_PICTURE
from phosphene.data.world.captions import caption
from phosphene.data.world.lexicon import SENSES, WORDS, noun
from phosphene.data.world.scene import Scene
from phosphene.data.world.splits import Part, Split, World
from phosphene.evaluate.probes.incongruent import (
    Outcome,
    incongruent,
    mean_scores,
    swapped_pictures,
)
from phosphene.evaluate.score import Score, Unavailable
from phosphene.evaluate.world import world_judge

COUNT = 120
SCENES = World(1, ("de",)).scenes(Split.AMBIGUOUS, range(COUNT), Part.TEST)
Shown = tuple[Scene | None, ...]


def sense_seen(scene: Scene, picture: Scene | None) -> int:
    """What somebody who looks takes the noun of ``scene`` for; without a picture the first."""
    if picture is None:
        return 0
    senses = SENSES[noun(picture.focus.kind)]
    return senses.index(picture.focus.kind)


def system(sense_of: Callable[[Scene, Scene | None], int]) -> Callable[[Shown], Outcome]:
    """Says one word, the sense of the noun; sure of it to nine parts in ten."""

    def run(shown: Shown) -> Outcome:
        said, likelihoods = [], []
        for scene, picture in zip(SCENES, shown, strict=True):
            kinds = SENSES[noun(scene.focus.kind)]
            chosen = kinds[sense_of(scene, picture)]
            said.append(WORDS["de"][chosen].singular)
            likelihoods.append(np.log(0.9 if chosen == scene.focus.kind else 0.1))
        return Outcome(np.array(likelihoods), tuple(world_judge(SCENES, "de")(said)))

    return run


def conditions() -> dict[str, list[Shown]]:
    rows = np.arange(COUNT)
    swaps = [
        tuple(SCENES[row] for row in swapped_pictures(rows, seed).tolist()) for seed in (1, 2, 3)
    ]
    return {"swapped": swaps, "none": [(None,) * COUNT]}


def test_the_split_is_made_of_mirrored_pairs() -> None:
    for first, second in zip(SCENES[::2], SCENES[1::2], strict=True):
        assert caption(first, "en") == caption(second, "en")
        assert caption(first, "de") != caption(second, "de")


def test_a_model_that_looks_falls_to_chance_when_pictures_are_swapped() -> None:
    found = incongruent("senses", system(sense_seen), SCENES, conditions())
    assert found.score("right", "sense accuracy").value == 100
    swapped = found.score("swapped", "sense accuracy")
    assert abs(swapped.value - 50) < 7  # 120 tosses, three times: two standard deviations are 5.3
    assert "draws:3" in swapped.signature
    assert found.score("none", "sense accuracy").value == 50
    assert found.score("swapped", "lost, nats").value > 0.8
    assert found.score("swapped", "p (permutation)").value < 0.001
    assert found.score("right", "log-likelihood").value == pytest.approx(np.log(0.9))


def test_a_model_that_does_not_look_is_not_moved_at_all() -> None:
    found = incongruent("senses", system(lambda scene, picture: 0), SCENES, conditions())
    for condition in ("right", "swapped", "none"):
        assert found.score(condition, "sense accuracy").value == 50
    for condition in ("swapped", "none"):
        assert found.score(condition, "lost, nats").value == 0
        assert found.score(condition, "p (permutation)").value == 1


def test_references_that_cannot_be_said_are_left_out() -> None:
    def run(shift: float) -> Outcome:
        return Outcome(np.array([-1.0, -np.inf, -3.0]) + shift)

    found = incongruent("answers", run, 0.0, {"swapped": [-1.0]})
    assert found.score("right", "log-likelihood").value == -2
    assert found.score("swapped", "lost, nats").value == 1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-1, 6), min_size=2, max_size=30), st.integers(1, 99))
def test_everybody_gets_another_picture_and_equal_pictures_stay_equal(
    rows: list[int], seed: int
) -> None:
    if len(set(rows) - {NO_PICTURE}) < 2:
        with pytest.raises(InputError, match="at least 2 different pictures"):
            swapped_pictures(np.array(rows), seed)
        return
    found = swapped_pictures(np.array(rows), seed).tolist()
    pairs = set(zip(rows, found, strict=True))
    assert all((row == other) == (row == NO_PICTURE) for row, other in pairs)
    assert len(pairs) == len(set(rows))


def test_the_mean_of_draws_names_their_number_and_spread() -> None:
    draws = [(Score("a", value, "x"), Unavailable("b", "no data")) for value in (1.0, 3.0)]
    merged = mean_scores(draws)
    assert merged[0] == Score("a", 2.0, "x|draws:2|sd:1.414")
    assert merged[1] == Unavailable("b", "no data")
    counted = mean_scores([[Score("a", 1.0, "1 of 4")], [Score("a", 3.0, "3 of 4")]])
    assert counted == [Score("a", 2.0, "1 of 4; 3 of 4|draws:2|sd:1.414")]
