"""Questions: the answers agree with the scene, by rules written a second time here."""

from __future__ import annotations

from collections import Counter, defaultdict
from string import Formatter

import pytest

from phosphene.data.world import (
    ANSWERS,
    KINDS,
    Phrasing,
    Question,
    QuestionType,
    Scene,
    Split,
    Thing,
    World,
    answer_text,
    paraphrase_count,
    question,
    question_text,
    question_tokens,
    questions,
    region_kinds,
)
from phosphene.data.world.answer_words import AnswerLanguage
from phosphene.data.world.lexicon import ACTIONS, COLOURS, PLACES
from phosphene.data.world.question_words import PARAPHRASES
from phosphene.data.world.scene import Person

_LANGUAGES: tuple[AnswerLanguage, ...] = ("en", "ja", "hi")
_BOX = (10.0, 10.0, 30.0, 30.0)


@pytest.fixture(scope="module")
def scenes() -> tuple[Scene, ...]:
    world = World(1)
    return world.scenes(Split.ORDINARY, range(600)) + world.scenes(Split.AMBIGUOUS, range(100))


def _truth(scene: Scene, asked: Question) -> str:  # noqa: PLR0911
    """The answer found by looking at boxes and labels, not by asking the scene's author."""
    shown = region_kinds(scene)
    things = {thing.kind: thing for thing in scene.things}
    match asked.type:
        case QuestionType.WHERE:
            assert asked.kind in shown
            return scene.place
        case QuestionType.COLOUR:
            return things[asked.kind or ""].colour
        case QuestionType.COUNT:
            return str(shown.count(asked.kind or ""))
        case QuestionType.YES_NO:
            return "yes" if asked.kind in shown else "no"
        case QuestionType.ACTION:
            assert scene.person is not None
            assert scene.person.kind == asked.kind
            return scene.person.action
        case QuestionType.WHO:
            return shown[0]
        case QuestionType.WHAT:
            others = set(shown) - {asked.kind}
            assert len(others) == 1
            return others.pop()


def test_answers_agree_with_the_scene(scenes: tuple[Scene, ...]) -> None:
    for scene in scenes:
        for asked in questions(scene):
            assert asked.answer == _truth(scene, asked)
        assert question(scene) in questions(scene)


def test_every_type_is_asked_and_every_answer_given(scenes: tuple[Scene, ...]) -> None:
    asked = [each for scene in scenes for each in questions(scene)]
    assert {each.type for each in asked} == set(QuestionType)
    answers = Counter(each.answer for each in asked)
    assert {*PLACES, *COLOURS, *ACTIONS, "1", "2", "3", "yes", "no"} <= set(answers)
    assert set(answers) <= set(ANSWERS)


def test_yes_and_no_are_balanced_for_every_noun(scenes: tuple[Scene, ...]) -> None:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for scene in scenes[:600]:
        for asked in questions(scene):
            if asked.type is QuestionType.YES_NO:
                counts[asked.kind or ""][asked.answer] += 1
    yes = sum(count["yes"] for count in counts.values())
    assert abs(yes / 600 - 0.5) < 0.08  # four standard deviations
    for kind, count in counts.items():
        assert 0.2 < count["yes"] / count.total() < 0.8, kind


def test_the_question_alone_answers_few(scenes: tuple[Scene, ...]) -> None:
    """The best guess per question without a picture; it is far from the truth."""
    answers: dict[tuple[object, ...], Counter[str]] = defaultdict(Counter)
    for scene in scenes[:600]:
        asked = question(scene)
        answers[(asked.form, asked.relation)][asked.answer] += 1
    best = sum(max(count.values()) for count in answers.values())
    assert best / 600 < 0.35


def test_sentences_in_three_languages() -> None:
    boy = Person("boy", "red", "hold", _BOX, False)
    ball = Thing("ball", "blue", "small", (_BOX,), False)
    scene = Scene("beach", (ball,), boy, None, Phrasing(0), 0)
    asked = {each.form: each for each in questions(scene) if each.form != "where"}
    held, colour, doing = asked["held"], asked["colour"], asked["doing"]
    assert question_text(held, "en", 0) == "what is the boy holding ?"
    assert question_text(held, "ja", 0) == "男の子は何を持っていますか"
    assert question_text(held, "hi", 1) == "लड़के के हाथ में क्या है ?"
    assert [answer_text(held.answer, x) for x in _LANGUAGES] == ["ball", "ボール", "गेंद"]
    assert question_text(colour, "ja", 0) == "ボールは何色ですか"
    assert question_text(colour, "hi", 0) == "गेंद किस रंग की है ?"
    assert [answer_text(colour.answer, x) for x in _LANGUAGES] == ["blue", "青", "नीला"]
    assert question_text(doing, "hi", 0) == "लड़का क्या कर रहा है ?"
    assert question_tokens(doing, "ja", 0) == (
        "男の子", "は", "何", "を", "して", "い", "ます", "か",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "english", "japanese", "hindi"),
    [
        (
            Question("count", "ball", None, 2, "2"),
            "how many balls are there ?",
            "ボールの数はいくつですか",
            "कितनी गेंदें हैं ?",
        ),
        (
            Question("where", "dog", None, 2, "beach"),
            "where are the dogs ?",
            "犬はどこにいますか",
            "कुत्ते कहाँ हैं ?",
        ),
        (
            Question("where", "glasses_spectacles", None, 1, "beach"),
            "where are the glasses ?",
            "眼鏡はどこにありますか",
            "चश्मा कहाँ है ?",
        ),
        (
            Question("colour", "umbrella", None, 3, "red"),
            "what colour are the umbrellas ?",
            "傘は何色ですか",
            "छाते किस रंग के हैं ?",
        ),
        (
            Question("related", "chair", "left", 1, "dog"),
            "what is to the left of the chair ?",
            "椅子の左に何が見えますか",
            "कुर्सी के बाईं ओर क्या है ?",
        ),
        (
            Question("exists", "apple", None, 1, "no"),
            "is there an apple ?",
            "りんごがありますか",
            "क्या चित्र में सेब है ?",
        ),
        (
            Question("doing", "woman", None, 1, "run"),
            "what is the woman doing ?",
            "女性は何をしていますか",
            "औरत क्या कर रही है ?",
        ),
    ],
)
def test_agreement(asked: Question, english: str, japanese: str, hindi: str) -> None:
    assert question_text(asked, "en", 0) == english
    assert question_text(asked, "ja", 0) == japanese
    assert question_text(asked, "hi", 0) == hindi


def test_every_form_has_as_many_paraphrases_in_every_language() -> None:
    for form, wordings in PARAPHRASES.items():
        assert set(wordings) == set(_LANGUAGES)
        for said in wordings.values():
            assert len(said) == len(set(said)) == paraphrase_count(form) >= 3


def test_paraphrases_of_a_question_differ_and_all_blanks_are_filled(
    scenes: tuple[Scene, ...],
) -> None:
    for scene in scenes[::5]:
        for asked in questions(scene):
            for language in _LANGUAGES:
                said = {
                    question_text(asked, language, index)
                    for index in range(paraphrase_count(asked.form))
                }
                assert len(said) == paraphrase_count(asked.form)
                assert not any(next(Formatter().parse(text))[1] for text in said)


def test_answers_have_distinct_words_but_for_ambiguous_nouns() -> None:
    for language in _LANGUAGES:
        texts = Counter(answer[language] for answer in ANSWERS.values())
        shared = {text for text, count in texts.items() if count > 1}
        expected = {"bat", "seal", "glasses", "bow", "nut", "pipe", "palm", "trunk", "crane"}
        assert shared == (expected if language == "en" else set())
    assert len(ANSWERS) == len(KINDS) + 6 + 3 + 8 + 2 + 5


def test_an_unknown_paraphrase_is_refused() -> None:
    asked = Question("who", None, None, 1, "man")
    with pytest.raises(ValueError, match=r"a paraphrase in 0\.\.6, got 7"):
        question_text(asked, "en", 7)


def test_the_wording_kept_for_testing_has_no_word_that_training_lacks() -> None:
    """What is unseen is the wording, not its words; and no other form is worded the same."""
    for language in _LANGUAGES:
        training = {"あり"}  # what {be} becomes
        for wordings in PARAPHRASES.values():
            training |= {word for said in wordings[language][:-1] for word in said.split()}
        for form, wordings in PARAPHRASES.items():
            test = wordings[language][-1]
            assert set(test.split()) <= training, (form, language)
            others = [said for other in PARAPHRASES.values() for said in other[language]]
            assert others.count(test) == 1, (form, language)
