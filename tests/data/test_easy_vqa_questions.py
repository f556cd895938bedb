"""Wordings of easy-VQA: complete, unambiguous, grammatical where grammar can be checked."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import product
from typing import get_args

import pytest

from phosphene.data.easy_vqa_questions import (
    ANSWERS,
    COLOURS,
    SHAPES,
    TYPES,
    WORDINGS,
    AnswerLanguage,
    Asked,
    Form,
    Use,
    every_question,
    known_questions,
    wording,
    wording_count,
)

LANGUAGES = get_args(AnswerLanguage)
FORMS = get_args(Form)


def worded(language: AnswerLanguage, use: Use) -> dict[tuple[str, ...], set[Asked]]:
    """Every wording, and the questions that are worded so."""
    found = defaultdict(set)
    for asked in every_question():
        for number in range(wording_count(asked, language, use)):
            found[wording(asked, language, use, number)].add(asked)
    return found


def test_the_questions_are_those_of_easy_vqa() -> None:
    known = known_questions()
    things = [*SHAPES, *(f"{colour} shape" for colour in COLOURS)]
    yes_no = (
        "is there a {}?",
        "is there a {} in the image?",
        "does the image contain a {}?",
        "is a {} present?",
        "is there not a {}?",
        "is there not a {} in the image?",
        "does the image not contain a {}?",
        "is no {} present?",
    )
    texts = {text.format(thing) for text, thing in product(yes_no, things)}
    texts |= {f"what color is the {shape}?" for shape in (*SHAPES, "shape")}
    texts |= {f"what is the color of the {shape}?" for shape in (*SHAPES, "shape")}
    texts |= {f"what is the {colour} shape?" for colour in COLOURS}
    texts |= {
        "what shape does the image contain?",
        "what shape is in the image?",
        "what shape is present?",
    }
    assert len(texts) == 107
    assert texts <= known.keys()
    assert len(every_question()) == len(set(every_question())) == 35


@pytest.mark.parametrize(("form", "language"), list(product(FORMS, LANGUAGES)))
def test_there_are_three_wordings_to_train_and_two_to_test(
    form: Form, language: AnswerLanguage
) -> None:
    train, test = WORDINGS["train"][form][language], WORDINGS["test"][form][language]
    assert len(set(train)) == len(train) >= 3
    assert len(set(test)) == len(test) >= 2
    assert not set(train) & set(test)
    assert set(WORDINGS["train"]) == set(WORDINGS["test"]) == set(TYPES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_asks_two_things_and_no_test_wording_is_trained_on(
    language: AnswerLanguage,
) -> None:
    train, test = worded(language, "train"), worded(language, "test")
    assert all(len(asked) == 1 for asked in (*train.values(), *test.values()))
    assert not train.keys() & test.keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_test_wordings_are_made_of_training_words(language: AnswerLanguage) -> None:
    """They test another sentence, not another vocabulary."""
    trained = {word for words in worded(language, "train") for word in words}
    assert {word for words in worded(language, "test") for word in words} <= trained


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers(language: AnswerLanguage) -> None:
    assert len(ANSWERS) == 13
    assert len({names[language] for names in ANSWERS.values()}) == 13


@pytest.mark.parametrize(
    ("asked", "number", "use", "japanese", "hindi"),
    [
        (
            Asked("colour", "shape"),
            0,
            "train",
            "図形 は 何 色 です か",
            "आकृति किस रंग की है ?",
        ),
        (Asked("colour", "circle"), 0, "train", "円 は 何 色 です か", "वृत्त किस रंग का है ?"),
        (Asked("coloured", "blue"), 0, "train", "青い 図形 は 何 です か", "नीली आकृति क्या है ?"),
        (
            Asked("coloured", "blue"),
            2,
            "train",
            "青い 図形 は どんな 図形 です か",
            "नीले रंग की आकृति क्या है ?",
        ),
        (
            Asked("coloured", "red"),
            2,
            "train",
            "赤い 図形 は どんな 図形 です か",
            "लाल रंग की आकृति क्या है ?",
        ),
        (
            Asked("exists", "gray"),
            1,
            "train",
            "画像 の 中 に 灰色 の 図形 は あり ます か",
            "क्या चित्र में कोई स्लेटी आकृति है ?",
        ),
        (
            Asked("absent", "triangle"),
            3,
            "train",
            "三角形 は 存在 し ない の です か",
            "क्या त्रिभुज मौजूद नहीं है ?",
        ),
        (
            Asked("colour", "rectangle"),
            1,
            "test",
            "画像 の 中 の 長方形 は 何 色 です か",
            "चित्र में आयत किस रंग का है ?",
        ),
    ],
)
def test_examples(asked: Asked, number: int, use: Use, japanese: str, hindi: str) -> None:
    assert " ".join(wording(asked, "ja", use, number)) == japanese
    assert " ".join(wording(asked, "hi", use, number)) == hindi


def everything(language: AnswerLanguage) -> list[str]:
    return [" ".join(words) for use in get_args(Use) for words in worded(language, use)]


def test_hindi_agreement() -> None:
    masculine, feminine, oblique = (
        "नीला|हरा|पीला|काला|भूरा",
        "नीली|हरी|पीली|काली|भूरी",
        "नीले|हरे|पीले|काले|भूरे",
    )
    for text in everything("hi"):
        assert not re.search(masculine, text), text  # only आकृति, which is feminine, has a colour
        assert not re.search(f"({feminine}) (?!आकृति)", text), text
        assert not re.search(f"({oblique}) (?!रंग)", text), text
        assert not re.search(r"आकृति किस रंग का", text), text
        assert not re.search(r"(वृत्त|आयत|त्रिभुज) किस रंग की", text), text
        assert not re.search(r"कौन सा (?!रंग|है)|कौन सी रंग|रंग कौन सी", text), text
        assert text.endswith(" है ?")


def test_japanese_particles() -> None:
    for text in everything("ja"):
        assert text.endswith((" ます か", " です か")), text
        assert not re.search(r"(は|が|を|に|の) (は|が|を)(?! )|の の|は は", text), text
        assert not re.search(r"(灰色|緑色|青緑色) 図形", text), text
        # An adjective modifies the noun without の, a colour noun with it.
        assert not re.search(r"(赤い|青い|黒い|黄色い|茶色い) の", text), text
        assert ("ない" in text) == any(
            asked.form == "absent"
            for use in get_args(Use)
            for asked in worded("ja", use).get(tuple(text.split()), ())
        )
