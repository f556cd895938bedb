"""Words without a dictionary: spaces, punctuation, clitics, scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phosphene.data.words import join_words, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What's on the table?", "What 's on the table ?"),
        ("isn't it 2:30 o'clock, now", "is n't it 2:30 o'clock , now"),
        ("a left-hand door (open)", "a left-hand door ( open )"),
        ('he said "no".', 'he said " no " .'),
        ("the dogs' bowl", "the dogs ' bowl"),
    ],
)
def test_english(text: str, words: str) -> None:
    assert split_words(text, "en") == tuple(words.split())


def test_japanese_is_split_where_the_script_changes() -> None:
    words = split_words("この犬の色は何色ですか？", "ja")
    assert words == ("この", "犬", "の", "色", "は", "何色", "ですか", "？")
    assert split_words("テーブルに3匹の猫", "ja") == ("テーブル", "に", "3", "匹", "の", "猫")


def test_hindi_vowel_signs_stay_in_their_word() -> None:
    assert split_words("नीली आकृति क्या है?", "hi") == ("नीली", "आकृति", "क्या", "है", "?")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "what's the blue shape, isn't it?"),
        ("ja", "青い図形は何ですか"),
        ("hi", "क्या कोई लाल आकृति है?"),
    ],
)
def test_joining_undoes_splitting(language: str, text: str) -> None:
    assert join_words(split_words(text, language), language) == text


@given(st.text(), st.sampled_from(["en", "hi", "ja"]))
def test_no_character_is_lost(text: str, language: str) -> None:
    words = split_words(text, language)
    assert "".join(words) == "".join(text.split())
    assert all(words)
