"""The questions of easy-VQA in English, Japanese and Hindi, in wordings to train and to test on.

easy-VQA asks 107 different questions, and every question of its test set occurs in training: a
model that never looks reaches 67.0 %, and memorising the wording is enough. Each question is
therefore put into a :class:`Form` and its one word, and worded anew. The wordings kept for testing
use words that occur in the wordings for training, in sentences that do not.

Agreement. Japanese colours stand before a noun as adjectives (赤い) or with の (緑色 の), and a
negative question ends in の です か, to which はい means that there is none, as in easy-VQA. Hindi
वृत्त, आयत and त्रिभुज are masculine, आकृति (shape) is feminine: colours in -ा become -ी before it
and -े before रंग in the oblique; लाल, स्लेटी and फ़िरोज़ी do not change; का becomes की.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from phosphene.data.words import join_words

AnswerLanguage = Literal["en", "ja", "hi"]
Form = Literal["exists", "absent", "colour", "coloured", "shape"]
Use = Literal["train", "test"]

TYPES: Final[dict[Form, str]] = {
    "exists": "yes/no",
    "absent": "yes/no",
    "colour": "colour",
    "coloured": "shape",
    "shape": "shape",
}
"""What each form asks for."""


@dataclass(frozen=True)
class Asked:
    """A question in no language: its form and the shape or colour that it names.

    ``exists`` and ``absent`` name a shape, or a colour (*a red shape*); ``colour`` a shape, which
    may be *shape* itself; ``coloured`` a colour; ``shape`` nothing.
    """

    form: Form
    word: str = ""

    @property
    def type(self) -> str:
        """What is asked for: ``yes/no``, ``colour`` or ``shape``."""
        return TYPES[self.form]


SHAPES: Final = ("circle", "rectangle", "triangle")
COLOURS: Final = ("black", "blue", "brown", "gray", "green", "red", "teal", "yellow")

NOUNS: Final[dict[AnswerLanguage, dict[str, str]]] = {
    "en": {"circle": "circle", "rectangle": "rectangle", "triangle": "triangle", "shape": "shape"},
    "ja": {"circle": "円", "rectangle": "長方形", "triangle": "三角形", "shape": "図形"},
    "hi": {"circle": "वृत्त", "rectangle": "आयत", "triangle": "त्रिभुज", "shape": "आकृति"},
}
_JAPANESE_COLOURS: Final = {
    "black": ("黒", "黒い"),
    "blue": ("青", "青い"),
    "brown": ("茶色", "茶色い"),
    "gray": ("灰色", "灰色 の"),
    "green": ("緑色", "緑色 の"),
    "red": ("赤", "赤い"),
    "teal": ("青緑色", "青緑色 の"),
    "yellow": ("黄色", "黄色い"),
}
"""As an answer, and before a noun."""
_HINDI_COLOURS: Final = {
    "black": ("काला", "काली", "काले"),
    "blue": ("नीला", "नीली", "नीले"),
    "brown": ("भूरा", "भूरी", "भूरे"),
    "gray": ("स्लेटी", "स्लेटी", "स्लेटी"),
    "green": ("हरा", "हरी", "हरे"),
    "red": ("लाल", "लाल", "लाल"),
    "teal": ("फ़िरोज़ी", "फ़िरोज़ी", "फ़िरोज़ी"),
    "yellow": ("पीला", "पीली", "पीले"),
}
"""Masculine (as an answer), feminine, masculine oblique."""
ANSWERS: Final[dict[str, dict[AnswerLanguage, str]]] = {
    **{
        shape: {"en": shape, "ja": NOUNS["ja"][shape], "hi": NOUNS["hi"][shape]} for shape in SHAPES
    },
    **{
        colour: {
            "en": colour,
            "ja": _JAPANESE_COLOURS[colour][0],
            "hi": _HINDI_COLOURS[colour][0],
        }
        for colour in COLOURS
    },
    "yes": {"en": "yes", "ja": "はい", "hi": "हाँ"},
    "no": {"en": "no", "ja": "いいえ", "hi": "नहीं"},
}
"""The 13 answers by their English name, in every language."""

WORDINGS: Final[dict[Use, dict[Form, dict[AnswerLanguage, tuple[str, ...]]]]] = {
    "train": {
        "exists": {
            "en": (
                "is there a {thing} ?",
                "is there a {thing} in the image ?",
                "does the image contain a {thing} ?",
                "is a {thing} present ?",
            ),
            "ja": (
                "{thing} は あり ます か",
                "画像 の 中 に {thing} は あり ます か",
                "画像 は {thing} を 含んで い ます か",
                "{thing} は 存在 し ます か",
            ),
            "hi": (
                "क्या कोई {thing} है ?",
                "क्या चित्र में कोई {thing} है ?",
                "क्या चित्र में एक {thing} है ?",
                "क्या {thing} मौजूद है ?",
            ),
        },
        "absent": {
            "en": (
                "is there not a {thing} ?",
                "is there not a {thing} in the image ?",
                "does the image not contain a {thing} ?",
                "is no {thing} present ?",
            ),
            "ja": (
                "{thing} は ない の です か",
                "画像 の 中 に {thing} は ない の です か",
                "画像 は {thing} を 含んで い ない の です か",
                "{thing} は 存在 し ない の です か",
            ),
            "hi": (
                "क्या कोई {thing} नहीं है ?",
                "क्या चित्र में कोई {thing} नहीं है ?",
                "क्या चित्र में एक भी {thing} नहीं है ?",
                "क्या {thing} मौजूद नहीं है ?",
            ),
        },
        "colour": {
            "en": (
                "what color is the {thing} ?",
                "what is the color of the {thing} ?",
                "which color does the {thing} have ?",
            ),
            "ja": (
                "{thing} は 何 色 です か",
                "{thing} の 色 は 何 です か",
                "{thing} は どんな 色 です か",
            ),
            "hi": (
                "{thing} किस रंग {of} है ?",
                "{thing} का रंग क्या है ?",
                "{thing} का रंग कौन सा है ?",
            ),
        },
        "coloured": {
            "en": (
                "what is the {colour} shape ?",
                "what shape is {colour} ?",
                "which shape is the {colour} shape ?",
            ),
            "ja": (
                "{colour} 図形 は 何 です か",
                "{colour} 図形 の 形 は 何 です か",
                "{colour} 図形 は どんな 図形 です か",
            ),
            "hi": (
                "{colour} आकृति क्या है ?",
                "{colour} आकृति कौन सी है ?",
                "{oblique} रंग की आकृति क्या है ?",
            ),
        },
        "shape": {
            "en": (
                "what shape does the image contain ?",
                "what shape is in the image ?",
                "what shape is present ?",
            ),
            "ja": (
                "画像 は どんな 図形 を 含んで い ます か",
                "画像 の 中 の 図形 は 何 です か",
                "どんな 図形 が あり ます か",
            ),
            "hi": (
                "चित्र में कौन सी आकृति है ?",
                "चित्र में आकृति क्या है ?",
                "कौन सी आकृति मौजूद है ?",
            ),
        },
    },
    "test": {
        "exists": {
            "en": ("is a {thing} in the image ?", "does the image have a {thing} ?"),
            "ja": ("画像 に {thing} は 存在 し ます か", "{thing} は 画像 の 中 に あり ます か"),
            "hi": ("क्या चित्र में {thing} मौजूद है ?", "क्या {thing} चित्र में है ?"),
        },
        "absent": {
            "en": ("is no {thing} in the image ?", "does the image have no {thing} ?"),
            "ja": (
                "画像 に {thing} は 存在 し ない の です か",
                "{thing} は 画像 の 中 に ない の です か",
            ),
            "hi": ("क्या चित्र में {thing} मौजूद नहीं है ?", "क्या {thing} चित्र में नहीं है ?"),
        },
        "colour": {
            "en": ("which color is the {thing} ?", "what color does the {thing} have ?"),
            "ja": ("どんな 色 の {thing} です か", "画像 の 中 の {thing} は 何 色 です か"),
            "hi": ("{thing} का कौन सा रंग है ?", "चित्र में {thing} किस रंग {of} है ?"),
        },
        "coloured": {
            "en": ("which shape is {colour} ?", "what is the {colour} shape in the image ?"),
            "ja": (
                "{colour} 図形 は どんな 形 です か",
                "画像 の {colour} 図形 は 何 です か",
            ),
            "hi": ("{oblique} रंग की आकृति कौन सी है ?", "चित्र में {colour} आकृति क्या है ?"),
        },
        "shape": {
            "en": ("which shape does the image contain ?", "what is the shape in the image ?"),
            "ja": ("画像 の 中 に は どんな 図形 が あり ます か", "画像 の 図形 は 何 です か"),
            "hi": ("चित्र में कौन सी आकृति मौजूद है ?", "चित्र में मौजूद आकृति क्या है ?"),
        },
    },
}
"""The first English wordings of ``train`` are those of easy-VQA; wording ``k`` of a form says the
same in every language, most closely where the languages have as many."""


def every_question() -> tuple[Asked, ...]:
    """All that easy-VQA asks, in no language: 35 questions, which it words in 107 ways."""
    shown = (*SHAPES, *COLOURS)
    return (
        *(Asked("exists", word) for word in shown),
        *(Asked("absent", word) for word in shown),
        *(Asked("colour", word) for word in (*SHAPES, "shape")),
        *(Asked("coloured", word) for word in COLOURS),
        Asked("shape"),
    )


@cache
def wording(asked: Asked, language: AnswerLanguage, use: Use, number: int) -> tuple[str, ...]:
    """The words of one wording, counted from 0 and from the beginning again after the last."""
    wordings = WORDINGS[use][asked.form][language]
    return tuple(wordings[number % len(wordings)].format_map(_fill(asked, language)).split())


def wording_count(asked: Asked, language: AnswerLanguage, use: Use) -> int:
    """How many wordings there are."""
    return len(WORDINGS[use][asked.form][language])


def known_questions() -> dict[str, tuple[Asked, int]]:
    """The English training wordings: which question each text asks, and in which wording.

    All of easy-VQA's 107 texts are among them.
    """
    return {
        join_words(wording(asked, "en", "train", number), "en"): (asked, number)
        for asked in every_question()
        for number in range(wording_count(asked, "en", "train"))
    }


def _fill(asked: Asked, language: AnswerLanguage) -> dict[str, str]:
    """The blanks of a wording, in agreeing forms."""
    nouns, word = NOUNS[language], asked.word
    coloured = word in COLOURS
    shape = "shape" if coloured or not word else word
    before, oblique = "", ""
    if coloured:
        before, oblique = {
            "en": (word, ""),
            "ja": (_JAPANESE_COLOURS[word][1], ""),
            "hi": _HINDI_COLOURS[word][1:],
        }[language]
    return {
        "thing": f"{before} {nouns[shape]}",
        "colour": before,
        "oblique": oblique,
        "of": "की" if shape == "shape" else "का",
    }


__all__ = [
    "ANSWERS",
    "COLOURS",
    "SHAPES",
    "TYPES",
    "WORDINGS",
    "AnswerLanguage",
    "Asked",
    "Form",
    "Use",
    "every_question",
    "known_questions",
    "wording",
    "wording_count",
]
