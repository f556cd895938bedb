"""Questions about scenes in English, Japanese and Hindi, each with three paraphrases or more.

A :class:`Question` is independent of language: a type, the words that fill its blanks, and the id
of its answer. Japanese is written without spaces; its tokens are the space-separated form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from phosphene.data.world.answer_words import ANSWERS, AnswerLanguage
from phosphene.data.world.compose import pick
from phosphene.data.world.english import RELATION_PHRASES, is_plural, noun_phrase
from phosphene.data.world.lexicon import (
    ANIMALS,
    HINDI,
    JAPANESE,
    ORDINARY,
    PEOPLE,
    RELATION_WORDS,
    WORDS,
    Relation,
)
from phosphene.data.world.question_words import PARAPHRASES, Form
from phosphene.data.world.scene import Scene
from phosphene.data.world.splits import seeded


class QuestionType(StrEnum):
    """What a question asks for."""

    WHAT = "what"
    WHO = "who"
    COLOUR = "colour"
    COUNT = "count"
    WHERE = "where"
    YES_NO = "yes-no"
    ACTION = "action"


_TYPES: Final[Mapping[Form, QuestionType]] = {
    "held": QuestionType.WHAT,
    "watched": QuestionType.WHAT,
    "beside": QuestionType.WHAT,
    "related": QuestionType.WHAT,
    "shown": QuestionType.WHAT,
    "who": QuestionType.WHO,
    "colour": QuestionType.COLOUR,
    "count": QuestionType.COUNT,
    "where": QuestionType.WHERE,
    "exists": QuestionType.YES_NO,
    "doing": QuestionType.ACTION,
}


@dataclass(frozen=True)
class Question:
    """One question about one scene, in no language yet.

    Attributes:
        form: which family of paraphrases asks it.
        kind: the kind it is about, if any.
        relation: where from ``kind`` the thing asked for is, if that is the question.
        count: how many of ``kind`` there are, for agreement.
        answer: id of the true answer, a key of :data:`ANSWERS`.
    """

    form: Form
    kind: str | None
    relation: Relation | None
    count: int
    answer: str

    @property
    def type(self) -> QuestionType:
        """What the question asks for."""
        return _TYPES[self.form]


def questions(scene: Scene) -> tuple[Question, ...]:
    """Every question that the world asks about a scene.

    Whether the yes-no question is about something present is a fair coin, tossed from the scene.
    """
    focus, rng = scene.focus, seeded(f"questions/{scene.key}")
    asked: list[Question] = []
    if scene.person is not None:
        who, action = scene.person.kind, scene.person.action
        asked.append(Question("doing", who, None, 1, action))
        asked.append(Question("who", None, None, 1, who))
        asked.append(Question("where", who, None, 1, scene.place))
        form: Form = "held" if action == "hold" else "watched" if action == "watch" else "beside"
        asked.append(Question(form, who, None, 1, focus.kind))
    elif scene.relation is not None:
        second = scene.things[1]
        asked.append(Question("related", second.kind, scene.relation, 1, focus.kind))
        asked.append(Question("colour", second.kind, None, 1, second.colour))
    else:
        asked.append(Question("shown", None, None, 1, focus.kind))
        asked.append(Question("count", focus.kind, None, 1, str(focus.count)))
    asked.append(Question("colour", focus.kind, None, focus.count, focus.colour))
    asked.append(Question("where", focus.kind, None, focus.count, scene.place))
    asked.append(_exists(scene, rng))
    return tuple(asked)


def question(scene: Scene) -> Question:
    """One question about a scene: a type at random, then one of that type."""
    rng = seeded(f"question/{scene.key}")
    asked = questions(scene)
    chosen = pick(rng, sorted({each.type for each in asked}))
    return pick(rng, [each for each in asked if each.type is chosen])


def _exists(scene: Scene, rng: Random) -> Question:
    here = [thing.kind for thing in scene.things]
    if scene.person is not None:
        here.append(scene.person.kind)
    if rng.random() < 0.5:
        return Question("exists", pick(rng, here), None, 1, "yes")
    # An absent thing of the same sort, so that the noun alone says nothing about the answer.
    like = PEOPLE if pick(rng, here) in PEOPLE else ORDINARY
    absent = [kind for kind in like if kind not in here]
    return Question("exists", pick(rng, absent), None, 1, "no")


def paraphrase_count(form: Form) -> int:
    """How many paraphrases the form has, the same in every language."""
    return len(PARAPHRASES[form]["en"])


def question_tokens(asked: Question, language: AnswerLanguage, paraphrase: int) -> tuple[str, ...]:
    """A question as tokens, lower-cased.

    Args:
        asked: the question.
        language: ``en``, ``ja`` or ``hi``.
        paraphrase: which wording, from 0; keep some for testing.

    Raises:
        ValueError: if the form has no such paraphrase.
    """
    wordings = PARAPHRASES[asked.form][language]
    if not 0 <= paraphrase < len(wordings):
        raise ValueError(f"expected a paraphrase in 0..{len(wordings) - 1}, got {paraphrase}")
    fill = {"en": _english, "ja": _japanese, "hi": _hindi}[language]
    return tuple(wordings[paraphrase].format_map(fill(asked)).split())


def question_text(asked: Question, language: AnswerLanguage, paraphrase: int) -> str:
    """A question as running text: :func:`question_tokens` joined as the language is written."""
    separator = "" if language == "ja" else " "
    return separator.join(question_tokens(asked, language, paraphrase))


def answer_text(answer: str, language: AnswerLanguage) -> str:
    """What an answer id is called; the two senses of an English noun are called the same."""
    return ANSWERS[answer][language]


def _english(asked: Question) -> dict[str, str]:
    if asked.kind is None:
        return {}
    plural = is_plural(asked.kind, asked.count)
    word = WORDS["en"][asked.kind]
    return {
        "noun": word.plural if plural else word.singular,
        "plural": word.plural,
        "a_noun": noun_phrase(asked.kind),
        "be": "are" if plural else "is",
        "relation": "" if asked.relation is None else RELATION_PHRASES[asked.relation],
    }


def _japanese(asked: Question) -> dict[str, str]:
    if asked.kind is None:
        return {}
    living = asked.kind in ANIMALS or asked.kind in PEOPLE
    return {
        "noun": JAPANESE[asked.kind],
        "be": "い" if living else "あり",
        "relation": "" if asked.relation is None else RELATION_WORDS["ja"][asked.relation],
    }


def _hindi(asked: Question) -> dict[str, str]:
    if asked.kind is None:
        return {}
    word = HINDI[asked.kind]
    plural = asked.count > 1
    male = word.gender == "m"
    return {
        "noun": word.plural if plural else word.singular,
        "plural": word.plural,
        "oblique": word.oblique,
        "of": ("के" if plural else "का") if male else "की",
        "doing": "रहा" if male else "रही",
        "many": "कितने" if male else "कितनी",
        "be": "हैं" if plural else "है",
        "relation": "" if asked.relation is None else RELATION_WORDS["hi"][asked.relation],
    }


__all__ = [
    "ANSWERS",
    "Question",
    "QuestionType",
    "answer_text",
    "paraphrase_count",
    "question",
    "question_text",
    "question_tokens",
    "questions",
]
