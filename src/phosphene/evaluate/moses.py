"""Moses-tokenised text: recognise it, and turn it back into natural text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sacremoses import (  # type: ignore[import-untyped]
    MosesDetokenizer,
    MosesPunctNormalizer,
    MosesTokenizer,
)

from phosphene.core.errors import InputError

LANGUAGES = ("cs", "de", "en", "fr")
"""Target languages whose detokenisation rules are known here."""

_ENTITIES = {
    "&apos;": "'",
    "&quot;": '"',
    "&lt;": "<",
    "&gt;": ">",
    "&#124;": "|",
    "&#91;": "[",
    "&#93;": "]",
    "&amp;": "&",
}
_ENTITY = re.compile("|".join(_ENTITIES))
_FINAL_ALONE = re.compile(r"\s[.!?]\s*$")
_FINAL_ATTACHED = re.compile(r"[^\s.!?][.!?]\s*$")


def unescape(sentence: str) -> str:
    """Replace the entities that the Moses tokeniser writes, and no others."""
    return _ENTITY.sub(lambda match: _ENTITIES[match[0]], sentence)


def detokenise(sentences: Sequence[str], language: str) -> list[str]:
    """Turn Moses-tokenised sentences back into natural text (case stays as it is).

    Raises:
        InputError: the language has no rules here.
    """
    check_language(language)
    moses = MosesDetokenizer(lang=language)
    return [str(moses.detokenize(sentence.split())) for sentence in sentences]


def tokenise(sentences: Sequence[str], language: str) -> list[str]:
    """Natural text as Multi30K's ``lc.norm.tok``: punctuation normalised, tokenised, lower-cased.

    Raises:
        InputError: the language has no rules here.
    """
    check_language(language)
    normaliser, moses = MosesPunctNormalizer(lang=language), MosesTokenizer(lang=language)
    return [
        str(moses.tokenize(normaliser.normalize(sentence), return_str=True)).lower()
        for sentence in sentences
    ]


def looks_tokenised(sentences: Sequence[str]) -> bool | None:
    """Whether final punctuation stands alone (``a dog .``); ``None`` where no sentence has any."""
    alone = sum(_FINAL_ALONE.search(sentence) is not None for sentence in sentences)
    attached = sum(_FINAL_ATTACHED.search(sentence) is not None for sentence in sentences)
    return None if alone == attached == 0 else alone >= attached


def check_language(language: str) -> None:
    """Refuse a language whose conventions are not known here."""
    if language not in LANGUAGES:
        raise InputError(f"unknown language {language!r}: expected one of {', '.join(LANGUAGES)}")


__all__ = ["LANGUAGES", "check_language", "detokenise", "looks_tokenised", "tokenise", "unescape"]
