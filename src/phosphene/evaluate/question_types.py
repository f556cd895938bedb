"""What a question asks for, told by its question word, where the data set does not say.

The longest word comes first: *how many* before *how*, どれくらい before どれ, いくつ before いつ.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from phosphene.data.vqa import Question
from phosphene.data.words import UNSPACED, split_words

OTHER: Final = "other"

QUESTION_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "en": {
            "what color": "color",
            "what colour": "color",
            "what kind": "what kind",
            "what type": "what kind",
            "how many": "how many",
            "how much": "how much",
            "what": "what",
            "who": "who",
            "whose": "who",
            "where": "where",
            "when": "when",
            "why": "why",
            "which": "which",
            "how": "how",
        },
        "ja": {
            "どれくらい": "dorekurai",
            "どのくらい": "dorekurai",
            "どんな": "donna",
            "いくつ": "ikutsu",
            "何": "nani",
            "なに": "nani",
            "誰": "dare",
            "だれ": "dare",
            "どこ": "doko",
            "何処": "doko",
            "どう": "dou",
            "いつ": "itsu",
            "何時": "itsu",
            "なぜ": "naze",
            "何故": "naze",
        },
        "hi": {
            "किस रंग": "rang",
            "कौन सा": "kaun sa",
            "कौन सी": "kaun sa",
            "कौन से": "kaun sa",
            "कितने": "kitne",
            "कितनी": "kitne",
            "कितना": "kitne",
            "कौन": "kaun",
            "किसका": "kaun",
            "कहाँ": "kahan",
            "कब": "kab",
            "क्यों": "kyon",
            "कैसे": "kaise",
            "कैसा": "kaise",
            "क्या": "kya",
        },
    }
)
"""Question words and the types they tell, by language. The Japanese types are the nine of Table I
(b) of the cViL paper, which lists no spellings."""


def question_type(text: str, language: str) -> str:
    """The type of the longest question word in ``text``; ``other`` if there is none.

    In languages with spaces a question word is whole words; in Japanese it may be part of a run.
    """
    words = QUESTION_WORDS.get(language, {})
    asked = text if language in UNSPACED else f" {' '.join(split_words(text.lower(), language))} "
    for word in sorted(words, key=lambda each: (-len(each), each)):
        if (word if language in UNSPACED else f" {word} ") in asked:
            return words[word]
    return OTHER


def type_of(question: Question, language: str) -> str:
    """The type that the data set gives, or that of the question word."""
    return question.type or question_type(question.text[language], language)


__all__ = ["OTHER", "QUESTION_WORDS", "question_type", "type_of"]
