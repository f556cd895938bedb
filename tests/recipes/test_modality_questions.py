"""Part of many questions: which ones, and in what order."""

from __future__ import annotations

from phosphene.data.vqa import Question
from phosphene.recipes.modality_kd_data import drawn

QUESTIONS = [Question(f"q{n}", "photo", {"en": "what is it ?"}, {}) for n in range(50)]


def test_so_many_are_drawn_in_their_order() -> None:
    found = drawn(QUESTIONS, 20)
    assert len(found) == 20
    assert list(found) == [each for each in QUESTIONS if each in found]
    assert list(found) != QUESTIONS[:20]


def test_fewer_are_some_of_those() -> None:
    """A question is drawn for what it is and not for where it stands."""
    more = drawn(QUESTIONS, 20)
    assert all(each in more for each in drawn(QUESTIONS, 10))
    assert {each.id for each in drawn(QUESTIONS[::-1], 20)} == {each.id for each in more}


def test_all_where_there_are_no_more() -> None:
    assert drawn(QUESTIONS, None) == QUESTIONS == drawn(QUESTIONS, 50)
