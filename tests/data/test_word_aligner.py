"""The word aligner on sentences whose alignment is known."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import InputError
from phosphene.data.easy_vqa_questions import every_question, wording, wording_count
from phosphene.data.word_aligner import TranslationTable, WordAligner, grow_diag, position_prior

LEXICON = {"cat": "猫", "dog": "犬", "mat": "敷物", "red": "赤い", "blue": "青い", "big": "大きい"}


def corpus(rng: np.random.Generator, count: int) -> list[tuple[list[str], list[str]]]:
    """Three words and their translations in the reverse order."""
    words = sorted(LEXICON)
    drawn = [list(rng.choice(words, 3, replace=False)) for _ in range(count)]
    return [([str(w) for w in each], [LEXICON[w] for w in each[::-1]]) for each in drawn]


def test_a_reversed_language_is_aligned() -> None:
    pairs = corpus(np.random.default_rng(0), 60)
    aligner = WordAligner.learn(pairs)
    assert all(aligner.align(*pair) == {(0, 2), (1, 1), (2, 0)} for pair in pairs)
    assert aligner.align(["CAT", "Dog"], ["犬", "猫"]) == {(0, 1), (1, 0)}


def test_one_step_of_expectation_maximisation_by_hand() -> None:
    """Two sentence pairs: ``a b -> x y`` and ``a -> x``; no prior by position, no null word.

    First step, all equal: x stems from a by 1/2 + 1, from b by 1/2; y by 1/2 from each. So
    p(x|a) = 3/4, p(y|a) = 1/4 and p(x|b) = p(y|b) = 1/2.
    """
    pairs = Counter({(("a", "b"), ("x", "y")): 1, (("a",), ("x",)): 1})
    table = TranslationTable.learn(pairs, iterations=1, tension=0.0, null=0.0).probability
    assert table[("a", "x")] == pytest.approx(3 / 4)
    assert table[("a", "y")] == pytest.approx(1 / 4)
    assert table[("b", "x")] == pytest.approx(1 / 2)
    # Second step: x of the first pair stems from a by 3/5, from b by 2/5; y by 1/3 and 2/3.
    table = TranslationTable.learn(pairs, iterations=2, tension=0.0, null=0.0).probability
    assert table[("a", "x")] == pytest.approx((3 / 5 + 1) / (3 / 5 + 1 + 1 / 3))
    assert table[("b", "y")] == pytest.approx((2 / 3) / (2 / 3 + 2 / 5))


def test_probabilities_of_every_word_sum_to_one() -> None:
    pairs = Counter((tuple(a), tuple(b)) for a, b in corpus(np.random.default_rng(1), 20))
    table = TranslationTable.learn(pairs, 3, 1.0, 0.1).probability
    totals = Counter[str | None]()
    for (origin, _), probability in table.items():
        totals[origin] += probability  # type: ignore[assignment]
    assert None in totals
    assert all(total == pytest.approx(1) for total in totals.values())


def test_repeating_a_pair_is_counting_it() -> None:
    pairs = corpus(np.random.default_rng(2), 5)
    counted = Counter((tuple(a), tuple(b)) for a, b in pairs * 3 + pairs[:1])
    table = TranslationTable.learn(counted, 2, 0.25, 0.2).probability
    heavier = TranslationTable.learn(Counter(dict.fromkeys(counted, 1)), 2, 0.25, 0.2).probability
    assert table != heavier
    tripled = Counter(dict.fromkeys(counted, 3))
    same = TranslationTable.learn(tripled, 2, 0.25, 0.2).probability
    assert same == pytest.approx(heavier)


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 8), st.floats(0, 0.9))
def test_the_prior_is_a_distribution_near_the_diagonal(
    source: int, target: int, tension: float, null: float
) -> None:
    prior = position_prior(source, target, tension, null)
    assert prior.shape == (source + 1, target)
    assert np.allclose(prior.sum(axis=0), 1)
    assert np.allclose(prior[0], null)
    if source == target:
        assert (prior[1:].argmax(axis=0) == np.arange(target)).all() or tension < 1e-6


def test_prior_by_hand() -> None:
    prior = position_prior(2, 1, tension=2.0, null=0.0)  # 1/2 and 1 against 1
    assert prior[1:, 0] == pytest.approx([np.exp(-1) / (1 + np.exp(-1)), 1 / (1 + np.exp(-1))])


def test_grow_diag_by_hand() -> None:
    forward = frozenset({(0, 0), (1, 1), (5, 5)})
    backward = frozenset({(0, 0), (1, 2), (2, 1)})
    # Both: 0-0. Its neighbour 1-1 aligns new words; 1-2 and 2-1 each align one; 5-5 touches none.
    assert grow_diag(forward, backward) == {(0, 0), (1, 1), (1, 2), (2, 1)}


LINKS = st.frozensets(st.tuples(st.integers(0, 5), st.integers(0, 5)))


@given(LINKS, LINKS)
def test_grow_diag_lies_between_intersection_and_union(
    forward: frozenset[tuple[int, int]], backward: frozenset[tuple[int, int]]
) -> None:
    grown = grow_diag(forward, backward)
    assert forward & backward <= grown <= forward | backward
    assert grow_diag(backward, forward) == grown


def test_nothing_to_learn_from() -> None:
    with pytest.raises(InputError, match="expected questions in two languages"):
        WordAligner.learn([([], ["a"])])


@pytest.mark.parametrize("language", ["ja", "hi"])
def test_shapes_and_colours_of_easy_vqa(language: str) -> None:
    """What code-mixing is to replace is aligned in every one of 107 questions."""
    pairs, names = [], []
    for asked in every_question():
        for number in range(wording_count(asked, "en", "train")):
            english = wording(asked, "en", "train", number)
            other = wording(asked, "ja" if language == "ja" else "hi", "train", number)
            pairs.append((english, other))
            names.append(asked.word)
    aligner = WordAligner.learn(pairs)
    translated: dict[str, Counter[str]] = {}
    for (english, other), name in zip(pairs, names, strict=True):
        if not name:
            continue
        found = {other[j] for i, j in aligner.align(english, other) if english[i] == name}
        translated.setdefault(name, Counter()).update(found)
    for name, words in translated.items():
        asked_with_it = sum(each == name for each in names)
        best = words.most_common(1)[0]
        share = best[1] / asked_with_it
        assert share > 0.5 if language == "hi" else share > 0.9, (name, words)
