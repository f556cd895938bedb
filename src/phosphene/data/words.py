"""Words of a sentence, for what works word by word: aligners, code-mixing, question words.

Nothing here needs a dictionary. Languages with spaces are split at spaces and punctuation, English
also before its clitics (``what 's``, ``do n't``), as the Penn Treebank does. Japanese and Chinese
are split where the script changes: a run of kanji, of hiragana, of katakana, of letters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from functools import lru_cache
from itertools import groupby
from typing import Final

UNSPACED: Final = frozenset({"ja", "zh"})
"""Languages written without spaces, by code."""

_CLITIC: Final = re.compile(r"(?i)(?<=\w)(n't|'(?:s|re|ve|ll|d|m))$")
_JOINING: Final = frozenset("'’-.,:_")
"""Punctuation that is part of a word where letters or digits surround it: ``o'clock``, ``2:30``."""


def split_words(text: str, language: str) -> tuple[str, ...]:
    """The words of ``text`` in a language given by its code; punctuation is a word."""
    chunks = text.split()
    if language in UNSPACED:
        return tuple(word for chunk in chunks for word in _by_script(chunk))
    words = [word for chunk in chunks for word in _by_punctuation(chunk)]
    if language != "en":
        return tuple(words)
    return tuple(part for word in words for part in _without_clitic(word))


def segment(text: str, language: str, known: Collection[str]) -> tuple[str, ...]:
    """The words of running text without spaces: known ones, the longest first.

    What stands between them is split as :func:`split_words` does.
    """
    longest = max(map(len, known), default=0)
    words: list[str] = []
    for chunk in text.split():
        start = unknown = 0
        while start < len(chunk):
            ends = range(min(len(chunk), start + longest), start, -1)
            end = next((stop for stop in ends if chunk[start:stop] in known), start)
            if end == start:
                start += 1
                continue
            words += [*split_words(chunk[unknown:start], language), chunk[start:end]]
            start = unknown = end
        words += split_words(chunk[unknown:], language)
    return tuple(words)


@lru_cache(maxsize=1 << 16)
def join_words(words: tuple[str, ...], language: str) -> str:
    """Running text of ``words``: joined as the language is written, punctuation attached."""
    if language in UNSPACED:
        return "".join(words)
    text = ""
    for word in words:
        attached = all(_is_punctuation(character) for character in word)
        attached = attached or (bool(_CLITIC.search(f"x{word}")) and word.startswith(("'", "n'")))
        text += word if attached or not text else f" {word}"
    return text


def _by_punctuation(chunk: str) -> list[str]:
    words: list[str] = []
    start = 0
    for index, character in enumerate(chunk):
        if not _is_punctuation(character):
            continue
        inside = 0 < index < len(chunk) - 1 and character in _JOINING
        if inside and not (_is_punctuation(chunk[index - 1]) or _is_punctuation(chunk[index + 1])):
            continue
        words += [chunk[start:index], character]
        start = index + 1
    return [word for word in (*words, chunk[start:]) if word]


def _without_clitic(word: str) -> list[str]:
    found = _CLITIC.search(word)
    return [word] if found is None else [word[: found.start()], found.group()]


def _by_script(chunk: str) -> list[str]:
    """Runs of one script; every punctuation mark alone."""
    words: list[str] = []
    for script, run in groupby(chunk, key=_script):
        characters = list(run)
        words += characters if script == "punctuation" else ["".join(characters)]
    return words


def _script(character: str) -> str:
    if _is_punctuation(character) and character != "ー":
        return "punctuation"
    if "\u3041" <= character <= "\u309f":
        return "hiragana"
    if "\u30a0" <= character <= "\u30ff":
        return "katakana"
    if "\u3400" <= character <= "\u9fff" or character == "々":
        return "kanji"
    return "digit" if character.isdigit() else "letter"


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


__all__ = ["UNSPACED", "join_words", "segment", "split_words"]
