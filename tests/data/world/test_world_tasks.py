"""Classification tasks: labels by rules written a second time, and what one modality can know."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable

import pytest

from phosphene.data.world import (
    ENTAILMENTS,
    GENRES,
    BinaryExample,
    EntailmentExample,
    MultiLabelExample,
    Part,
    World,
    draw,
    entailment,
    genres,
    hostility,
    present,
)
from phosphene.data.world.lexicon import COLOURS, PLACES

_WORLD = World(1)


@pytest.fixture(scope="module")
def remarks() -> list[BinaryExample]:
    return [hostility(_WORLD, index) for index in range(480)]


@pytest.fixture(scope="module")
def plots() -> list[MultiLabelExample]:
    return [genres(_WORLD, index) for index in range(600)]


@pytest.fixture(scope="module")
def claims() -> list[EntailmentExample]:
    return [entailment(_WORLD, index) for index in range(1500)]


def _best_accuracy(views: list[Hashable], labels: list[Hashable]) -> float:
    """What a classifier scores that has memorised the best label for everything it can see."""
    seen: dict[Hashable, Counter[Hashable]] = defaultdict(Counter)
    for view, label in zip(views, labels, strict=True):
        seen[view][label] += 1
    return sum(max(count.values()) for count in seen.values()) / len(labels)


@pytest.mark.parametrize(
    "view",
    [lambda example: example.sentence, lambda example: draw(example.scene).tobytes()],
    ids=["sentence", "picture"],
)
def test_one_modality_knows_exactly_half_of_hostility(
    view: Callable[[BinaryExample], Hashable], remarks: list[BinaryExample]
) -> None:
    labels: list[Hashable] = [example.label for example in remarks]
    assert _best_accuracy([view(example) for example in remarks], labels) == 0.5


def test_both_modalities_know_all_of_hostility(remarks: list[BinaryExample]) -> None:
    unkind = {"horrible", "ugly", "disgusting", "stupid", "awful"}
    alive = {"dog", "cat", "bird", "fish"}
    for example in remarks:
        insult = bool(unkind & set(example.sentence.split()))
        living = bool(alive & present(example.scene))
        assert example.label == (insult == living)


def test_each_positive_has_both_confounders(remarks: list[BinaryExample]) -> None:
    for start in range(0, len(remarks), 4):
        group = remarks[start : start + 4]
        assert [example.label for example in group].count(True) == 2
        for example in group:
            others = [other for other in group if other.label != example.label]
            assert {other.sentence == example.sentence for other in others} == {True, False}
            assert {other.scene == example.scene for other in others} == {True, False}


def test_genres_follow_their_rules(plots: list[MultiLabelExample]) -> None:
    for example in plots:
        seen, said = present(example.scene), example.sentence
        person = example.scene.person
        moving = person is not None and person.action in ("run", "jump")
        journey, true = "journey" in said or "voyage" in said, "happened" in said or "told" in said
        expected = {
            "seaside": "beach" in seen,
            "winter": "snow" in seen,
            "family": bool(seen & {"boy", "girl"}),
            "comedy": "funny" in said or "silly" in said,
            "crime": "murder" in said or "theft" in said,
            "romance": "love" in said,
            "adventure": moving and journey,
            "documentary": bool(seen & {"dog", "cat", "bird", "fish"}) and true,
        }
        assert example.labels == {name for name, holds in expected.items() if holds}


def test_every_genre_is_neither_rare_nor_usual(plots: list[MultiLabelExample]) -> None:
    counts = Counter(label for example in plots for label in example.labels)
    assert set(counts) == set(GENRES)
    assert all(0.02 < count / len(plots) < 0.45 for count in counts.values())
    assert any(not example.labels for example in plots)


def test_genres_of_both_need_both(plots: list[MultiLabelExample]) -> None:
    """Journeys come with and without adventure, and so do people in motion."""
    for wanted, word in (("adventure", ("journey", "voyage")), ("documentary", ("happened",))):
        told = [e for e in plots if any(w in e.sentence for w in word)]
        assert 0 < sum(wanted in example.labels for example in told) < len(told)


def test_entailment_shares_a_picture_by_threes(claims: list[EntailmentExample]) -> None:
    for start in range(0, len(claims), 3):
        group = claims[start : start + 3]
        assert tuple(example.label for example in group) == ENTAILMENTS
        assert len({example.scene for example in group}) == 1
        assert len({example.sentence for example in group}) == 3


def test_true_and_false_claims_are_alike_as_sentences(claims: list[EntailmentExample]) -> None:
    """No word is more frequent in false claims than in true ones, by four deviations."""
    true, false = (
        Counter(
            word for each in claims if each.label == label for word in set(each.sentence.split())
        )
        for label in ("entailment", "contradiction")
    )
    for word in true | false:
        total = true[word] + false[word]
        assert abs(true[word] - false[word]) <= 4 * total**0.5, word


def test_the_picture_tells_true_claims_from_false_ones(claims: list[EntailmentExample]) -> None:
    for example in claims:
        seen, said = present(example.scene), set(example.sentence.split())
        facts = said & {*COLOURS, *PLACES}
        assert len(facts) == 1
        assert (facts <= seen) == (example.label != "contradiction")


def test_neutral_says_what_no_picture_shows(claims: list[EntailmentExample]) -> None:
    longer = [re.search(r"(monday|april|lunch|time|holidays|year) \.$", e.sentence) for e in claims]
    assert [bool(found) for found in longer] == [e.label == "neutral" for e in claims]


def test_parts_hold_different_examples() -> None:
    for task in (hostility, genres, entailment):
        train = [task(_WORLD, index).scene.key for index in range(20)]
        test = [task(_WORLD, index, Part.TEST).scene.key for index in range(20)]
        assert not set(train) & set(test)
        assert task(_WORLD, 7) == task(World(1), 7)
