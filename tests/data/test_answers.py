"""Answer vocabularies: order, coverage, translation, files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import InputError
from phosphene.data.answers import (
    NOT_COVERED,
    AnswerVocabulary,
    read_answer_translations,
    refuse_uncovered,
    translated_answers,
)
from phosphene.data.vqa import Question


def answered(*answers: dict[str, float]) -> list[Question]:
    return [
        Question(f"q{n}", "a", {}, scores, place=f"file.json:{n}")
        for n, scores in enumerate(answers, start=1)
    ]


QUESTIONS = answered(
    {"red": 1.0, "pink": 0.3},
    {"up": 1.0},
    {"red": 1.0},
    {"above": 1.0},
    {"cat": 0.6, "dog": 0.6},
    {},
)


def test_the_most_frequent_best_answers() -> None:
    assert AnswerVocabulary.learn(QUESTIONS).answers == ("red", "above", "cat", "up")
    assert AnswerVocabulary.learn(QUESTIONS, size=2).answers == ("red", "above")
    assert AnswerVocabulary.learn(QUESTIONS, min_count=2).answers == ("red",)
    with pytest.raises(InputError, match="no answers: none is given 3 times"):
        AnswerVocabulary.learn(QUESTIONS, min_count=3)


def test_coverage_is_of_the_questions_with_an_answer() -> None:
    assert AnswerVocabulary.learn(QUESTIONS, size=2).coverage(QUESTIONS) == 3 / 5
    with pytest.raises(InputError, match="expected questions with an answer"):
        AnswerVocabulary(("red",)).coverage(QUESTIONS[5:])


def test_labels_and_scores() -> None:
    vocabulary = AnswerVocabulary(("red", "dog", "pink"))
    assert [vocabulary.label(each) for each in QUESTIONS] == [0, NOT_COVERED, 0, *[NOT_COVERED] * 3]
    assert torch.equal(
        vocabulary.scores(QUESTIONS[:1] + QUESTIONS[4:]),
        torch.tensor([[1.0, 0.0, 0.3], [0.0, 0.6, 0.0], [0.0, 0.0, 0.0]]),
    )
    assert "dog" in vocabulary
    assert "cat" not in vocabulary


def test_a_closed_list_of_answers() -> None:
    with pytest.raises(InputError, match=r"file\.json:2: answer 'up' is outside the vocabulary"):
        refuse_uncovered(QUESTIONS, AnswerVocabulary(("red",)))
    refuse_uncovered(QUESTIONS, AnswerVocabulary.learn(QUESTIONS))


def test_translate_and_merge() -> None:
    hindi = {"red": "लाल", "above": "ऊपर", "cat": "बिल्ली", "up": "ऊपर"}
    merged = AnswerVocabulary.learn(QUESTIONS).translate(hindi)
    assert merged.answers == ("लाल", "ऊपर", "बिल्ली")
    assert translated_answers({"up": 0.6, "above": 0.3, "cat": 0.1}, hindi) == {
        "ऊपर": pytest.approx(0.9),
        "बिल्ली": 0.1,
    }
    with pytest.raises(InputError, match="answer 'up' has no translation"):
        AnswerVocabulary(("red", "up")).translate({"red": "लाल"})


@given(st.integers(0, 10), st.integers(0, 10))
def test_merged_answers_score_as_their_votes_together(first: int, second: int) -> None:
    answers = {"up": min(first / 3, 1.0), "above": min(second / 3, 1.0)}
    merged = translated_answers(answers, {"up": "ऊपर", "above": "ऊपर"})
    assert merged["ऊपर"] == pytest.approx(min((first + second) / 3, 1))


def test_files(tmp_path: Path) -> None:
    vocabulary = AnswerVocabulary(("लाल", "猫", "a, b"))
    vocabulary.save(tmp_path / "answers.json")
    assert AnswerVocabulary.load(tmp_path / "answers.json") == vocabulary
    (tmp_path / "answers.json").write_text('["a", "b", "a"]')
    with pytest.raises(InputError, match=r"answers\.json, answer 3: 'a' is answer 1"):
        AnswerVocabulary.load(tmp_path / "answers.json")
    (tmp_path / "answers.json").write_text('{"a": 1}')
    with pytest.raises(InputError, match=r"answers\.json: expected a JSON array of answers"):
        AnswerVocabulary.load(tmp_path / "answers.json")
    path = tmp_path / "hi.tsv"
    path.write_text("up\tऊपर\nabove\tऊपर\n", encoding="utf-8")
    assert read_answer_translations(path) == {"up": "ऊपर", "above": "ऊपर"}
    path.write_text("up\tऊपर\nup\ta\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"hi\.tsv:2: answer 'up' is translated twice"):
        read_answer_translations(path)
    path.write_text("up\n")
    with pytest.raises(InputError, match=r"hi\.tsv:1: expected an answer, a tab and its transl"):
        read_answer_translations(path)
