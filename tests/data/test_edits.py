"""Sentences that few edits turn into each other: the index finds what comparing all finds."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.data.edits import EditIndex, allowed_edits, edit_distance, parts


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [
        ("", "a b", 2),
        ("a b c", "a b c", 0),
        ("a b c", "a x c", 1),
        ("a b c", "b c", 1),
        ("a b c d", "b c d a", 2),
        ("a b", "c d", 2),
    ],
)
def test_edits_of_words_are_counted(one: str, other: str, edits: int) -> None:
    assert edit_distance(one.split(), other.split()) == edits
    assert edit_distance(other.split(), one.split()) == edits


def test_parts_are_one_more_than_edits_and_leave_no_word_out() -> None:
    for words in range(40):
        found = parts(words)
        assert len(found) == (allowed_edits(words) + 1 if words >= 6 else 0)
        covered = [place for start, end in found for place in range(start, end)]
        assert covered == (list(range(words)) if found else [])
        assert all(end - start >= 3 for start, end in found)


def test_looking_up_parts_misses_nothing() -> None:
    rng = np.random.default_rng(1)
    vocabulary = [f"w{number}" for number in range(30)]
    known = [list(rng.choice(vocabulary, size=rng.integers(4, 24))) for _ in range(150)]

    def edited(sentence: list[str], edits: int) -> list[str]:
        words = list(sentence)
        for _ in range(edits):
            place = int(rng.integers(len(words)))
            kind = int(rng.integers(3))
            words[place : place + (kind != 0)] = [str(rng.choice(vocabulary))] * (kind != 1)
        return words

    asked = [edited(sentence, int(rng.integers(5))) for sentence in known for _ in range(3)]
    index, found = EditIndex(known), 0
    for sentence in asked:
        by_hand = {
            number
            for number, other in enumerate(known)
            if len(other) >= 6 and edit_distance(other, sentence) <= allowed_edits(len(other))
        }
        assert set(index.near(sentence)) == by_hand
        found += len(by_hand)
    assert 100 < found < len(asked)
