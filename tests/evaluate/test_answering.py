"""Scores of answers by hand, types of questions, what needs no picture, nearest centroids."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

from phosphene.core.errors import InputError
from phosphene.data.answers import AnswerVocabulary
from phosphene.data.vqa import Question
from phosphene.evaluate.answering import (
    AnswerWords,
    accuracy_scores,
    answer_bleu,
    centroid_accuracy,
    chance,
    mecab_words,
    plain_words,
    question_prior,
)
from phosphene.evaluate.question_types import question_type, type_of
from phosphene.evaluate.score import Score, Unavailable


def asked(number: int, text: str, answers: dict[str, float], kind: str = "") -> Question:
    return Question(f"q{number}", "a", {"en": text}, answers, kind, place=f"f.json:{number}")


QUESTIONS = [
    asked(1, "how many cats?", {"2": 1.0, "3": 0.3}),
    asked(2, "how many dogs?", {"3": 1.0}),
    asked(3, "what is it?", {"a cat": 1.0}),
    asked(4, "what color is it?", {"red": 1.0}, kind="other"),
]
PREDICTED = ["3", "3", "dog", "red"]
VOCABULARY = AnswerVocabulary(("2", "3", "red"))


def test_accuracies_by_hand() -> None:
    scores = {
        score.name: score for score in accuracy_scores(PREDICTED, QUESTIONS, VOCABULARY, "en")
    }
    values = {name: round(score.value, 2) for name, score in scores.items()}
    assert values == {
        "accuracy": 50.0,
        "VQA accuracy": 57.5,
        "coverage": 75.0,
        "accuracy, covered only": 66.67,
        "accuracy, how many": 50.0,
        "accuracy, other": 100.0,
        "accuracy, what": 0.0,
    }
    assert "uncovered:wrong" in scores["accuracy"].signature
    assert scores["accuracy, covered only"].signature.startswith("exact|covered only:3|")


def test_covered_accuracy_times_coverage_is_accuracy() -> None:
    """As 48.02 % x 74.39 % = 35.72 % in the paper, where no uncovered answer can be right."""
    values = {
        score.name: score.value for score in accuracy_scores(PREDICTED, QUESTIONS, VOCABULARY, "en")
    }
    product = values["accuracy, covered only"] * values["coverage"] / 100
    assert product == pytest.approx(values["accuracy"])


def test_what_cannot_be_scored() -> None:
    with pytest.raises(InputError, match="3 answers for 4 questions"):
        accuracy_scores(PREDICTED[:3], QUESTIONS, VOCABULARY, "en")
    with pytest.raises(InputError, match="expected at least one question"):
        accuracy_scores([], [], VOCABULARY, "en")
    with pytest.raises(InputError, match=r"f\.json:5: question 'q5' has no answer to compare"):
        accuracy_scores(["a"], [asked(5, "why?", {})], VOCABULARY, "en")


def test_bleu_of_answers() -> None:
    """Corpus BLEU without smoothing: the example of the field, six words against seven."""
    said = "the cat sat on the mat"
    question = asked(1, "?", {"the cat sat on the red mat": 1.0})
    words = plain_words("en")
    perfect = answer_bleu(["the cat sat on the red mat"], [question], words)
    assert isinstance(perfect, Score)
    assert perfect.value == pytest.approx(100)
    # Matches: 6 of 6 words, 4 of 5 pairs, 3 of 4 triples, 2 of 3 fours; one word too short.
    expected = 100 * (1 * 4 / 5 * 3 / 4 * 2 / 3) ** 0.25 * torch.tensor(1 - 7 / 6).exp().item()
    score = answer_bleu([said], [question], words)
    assert isinstance(score, Score)
    assert score.value == pytest.approx(expected)
    assert score.signature.endswith("|words:split_words-en")
    nothing_shared = answer_bleu(["cat"], [question], words)
    assert isinstance(nothing_shared, Score)
    assert nothing_shared.value == 0.0
    japanese = asked(1, "?", {"赤い長方形": 1.0})
    letter_by_letter = answer_bleu(["赤い長方形"], [japanese], AnswerWords("letters", list))
    assert isinstance(letter_by_letter, Score)
    assert letter_by_letter.value > 99


def test_answers_of_a_word_or_two_have_no_bleu() -> None:
    """Without four words there is no four-gram: 0 for any system, which says nothing."""
    score = answer_bleu(["red"], [asked(1, "?", {"red": 1.0})], plain_words("en"))
    assert score == Unavailable("BLEU", "no true answer has 4 words")


def test_japanese_words_say_what_to_install() -> None:
    if find_spec("fugashi") is None:
        with pytest.raises(InputError, match="pip install fugashi unidic-lite"):
            mecab_words()
    else:
        assert list(mecab_words().cut("赤い図形です")) == ["赤い", "図形", "です"]


@pytest.mark.parametrize(
    ("text", "language", "kind"),
    [
        ("How many cats?", "en", "how many"),
        ("how is it", "en", "how"),
        ("What color is the whole car?", "en", "color"),
        ("Is the shower on?", "en", "other"),
        ("猫は何匹いますか", "ja", "nani"),
        ("どれくらい高いですか", "ja", "dorekurai"),
        ("りんごはいくつありますか", "ja", "ikutsu"),
        ("いつ撮りましたか", "ja", "itsu"),
        ("どんな天気ですか", "ja", "donna"),
        ("どうしていますか", "ja", "dou"),
        ("なぜですか", "ja", "naze"),
        ("誰がいますか", "ja", "dare"),
        ("どこですか", "ja", "doko"),
        ("猫がいますか", "ja", "other"),
        ("आकृति किस रंग की है?", "hi", "rang"),
        ("यह क्या है?", "hi", "kya"),
        ("कितने सेब हैं?", "hi", "kitne"),
        ("कौन सा रंग है?", "hi", "kaun sa"),
        ("wie viele?", "de", "other"),
    ],
)
def test_question_types(text: str, language: str, kind: str) -> None:
    assert question_type(text, language) == kind


def test_the_type_of_the_data_set_comes_first() -> None:
    assert [type_of(question, "en") for question in QUESTIONS] == [
        "how many",
        "how many",
        "what",
        "other",
    ]


def test_what_needs_no_picture() -> None:
    train = [
        asked(1, "what?", {"a": 1.0}),
        asked(2, "what?", {"b": 1.0}),
        asked(3, "what?", {"b": 1.0}),
        asked(4, "who?", {"c": 1.0}),
        asked(5, "how?", {"c": 1.0}),
        asked(6, "why?", {"c": 1.0}),
        asked(7, "why?", {}),
    ]
    test = [asked(8, "what?", {"b": 1.0}), asked(9, "when?", {"d": 1.0})]
    assert question_prior(train, test, "en") == ["b", "c"]
    assert chance(VOCABULARY).value == pytest.approx(100 / 3)
    with pytest.raises(InputError, match="expected training questions with an answer"):
        question_prior(train[6:], test, "en")


def test_nearest_centroids_by_hand() -> None:
    teacher = torch.tensor([[0.0, 0.0], [0.0, 2.0], [10.0, 0.0], [10.0, 2.0]])
    labels = torch.tensor([3, 3, 8, 8])  # centroids (0, 1) and (10, 1)
    student = torch.tensor([[1.0, 1.0], [6.0, 1.0], [4.0, 1.0], [0.0, 1.0]])
    score = centroid_accuracy(teacher, labels, student, torch.tensor([3, 8, 8, 5]))
    assert score.value == 50.0
    assert "classes:2|chance:50.0|states:4" in score.signature
    with pytest.raises(ValueError, match="expected states"):
        centroid_accuracy(teacher, labels, student[:0], labels[:0])
