"""Sub-words against subword-nmt, hand-computed merges and the published counts of Multi30K."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections import Counter
from pathlib import Path

import pytest
import tokenizers
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from subword_nmt import apply_bpe, learn_bpe

from phosphene.core.errors import InputError
from phosphene.data.lines import read_lines
from phosphene.data.text import SPECIALS, UNK_ID, Merge, Tokenizer, learn_merges

SAMPLE = [
    "a man &apos;s dog runs in the snow .",
    "a man runs with his dog in the snow .",
    "ein mann rennt mit seinem hund im schnee .",
    "der hund rennt im schnee .",
    "two dogs are running , the man isn &apos;t .",
]

texts = st.lists(  # few letters, so that pairs repeat and tie
    st.text(alphabet="aabbcé& ;", max_size=24), min_size=1, max_size=12
).filter(lambda lines: any(len(word) > 1 for word in word_counts(lines)))  # or subword-nmt fails


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer.learn(SAMPLE, merges=30)


def word_counts(sentences: list[str]) -> Counter[str]:
    return Counter(word for sentence in sentences for word in sentence.split())


def reference_codes(sentences: list[str], merges: int, min_frequency: int = 2) -> str:
    codes = io.StringIO()
    text = io.StringIO("".join(f"{sentence}\n" for sentence in sentences))
    learn_bpe.learn_bpe(text, codes, merges, min_frequency)
    return codes.getvalue()


def merges_of(codes: str) -> list[Merge]:
    lines = codes.split("\n")[1:-1]  # the first says "#version: 0.2", the last is empty
    return [tuple(line.split(" ")) for line in lines]  # type: ignore[misc]


def reference_pieces(codes: str, sentence: str, types: set[str] | None = None) -> list[str]:
    segmented = apply_bpe.BPE(io.StringIO(codes), vocab=types).segment(sentence)
    return segmented.split(" ") if segmented else []


def test_merges_of_the_textbook_example() -> None:
    """Low, lower, newest, widest: e-s and s-t both stand nine times, the later in order wins."""
    words = {"low": 5, "lower": 2, "newest": 6, "widest": 3}
    learned, segmented = learn_merges(words, limit=4)
    assert learned == [("s", "t</w>"), ("e", "st</w>"), ("l", "o"), ("w", "est</w>")]
    assert segmented["newest"] == ("n", "e", "west</w>")
    assert segmented["low"] == ("lo", "w</w>")


def test_pairs_below_the_minimum_frequency_are_not_merged() -> None:
    assert learn_merges({"ab": 2, "cd": 1}, limit=9)[0] == [("a", "b</w>")]
    assert learn_merges({"ab": 2, "cd": 1}, limit=9, min_frequency=1)[0] == [
        ("a", "b</w>"),
        ("c", "d</w>"),
    ]


@given(texts, st.integers(0, 40), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_learning_equals_subword_nmt(sentences: list[str], limit: int, min_frequency: int) -> None:
    codes = reference_codes(sentences, limit, min_frequency)
    assert learn_merges(word_counts(sentences), limit, min_frequency)[0] == merges_of(codes)


@given(texts, st.text(alphabet="abcdé& ;", max_size=40))
@settings(max_examples=60, deadline=None)
def test_application_equals_subword_nmt(sentences: list[str], new: str) -> None:
    codes = reference_codes(sentences, 30)
    assume(merges_of(codes))  # subword-nmt refuses an empty table
    tokenizer = Tokenizer.learn(sentences, merges=30)
    for sentence in [*sentences, new]:
        assert tokenizer.pieces(sentence) == reference_pieces(codes, sentence)


@given(texts, st.text(alphabet="abcdé& ;", max_size=40))
@settings(max_examples=60, deadline=None)
def test_new_words_are_split_as_subword_nmt_splits_by_a_vocabulary(
    sentences: list[str], new: str
) -> None:
    codes = reference_codes(sentences, 30)
    assume(merges_of(codes))  # subword-nmt refuses an empty table
    types = {piece for sentence in sentences for piece in reference_pieces(codes, sentence)}
    tokenizer = Tokenizer.learn(sentences, merges=30)
    expected = reference_pieces(codes, new, types)
    ids = tokenizer.encode(new)
    assert [index == UNK_ID for index in ids] == [piece not in types for piece in expected]
    known = [tokenizer.decode([index]) for index in ids if index != UNK_ID]
    assert known == [piece.removesuffix("@@") for piece in expected if piece in types]
    assert max(ids, default=0) < len(tokenizer)


@given(texts)
@settings(max_examples=60, deadline=None)
def test_training_text_survives_a_round_trip(sentences: list[str]) -> None:
    tokenizer = Tokenizer.learn(sentences, merges=20)
    for sentence in sentences:
        assert tokenizer.decode(tokenizer.encode(sentence)) == " ".join(sentence.split())


def test_the_vocabulary_is_specials_then_types_by_frequency() -> None:
    tokenizer = Tokenizer.learn(["b a a", "a c b"], merges=0)
    assert len(tokenizer) == 8  # 4 specials, 3 types, 1 unused
    assert tokenizer.encode("a b c") == [4, 5, 6]
    assert (tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id, tokenizer.unk_id) == (0, 1, 2, 3)


def test_eos_is_added_where_it_is_asked_for(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("the dog")
    assert tokenizer.encode("the dog", eos=True) == [*ids, tokenizer.eos_id]
    assert tokenizer.encode("", eos=True) == [tokenizer.eos_id]
    assert tokenizer.encode_all(["the dog", "schnee"]) == [ids, tokenizer.encode("schnee")]


def test_decoding_drops_specials_and_unused_entries() -> None:
    tokenizer = Tokenizer.learn(["ab ab c"], merges=1)
    assert len(tokenizer) == 8
    ab = tokenizer.encode("ab")
    assert tokenizer.decode([1, *ab, 0, 7, 2, 0]) == "ab"  # 7 is <pad:2>


def test_an_unseen_character_is_unknown_and_stays_visible(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("the ☃ dog")
    assert ids.count(UNK_ID) == 1
    assert tokenizer.decode(ids) == "the <unk> dog"
    assert tokenizer.pieces("the ☃ dog") == ["the", "☃", "dog"]


def test_markers_in_text_are_only_text(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode(" ".join([*SPECIALS, "</w>", "<merges>"]))
    assert not {tokenizer.pad_id, tokenizer.bos_id, tokenizer.eos_id} & set(ids)
    assert max(ids) < len(tokenizer)


def test_other_white_space_separates_words_too(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("  the\tdog\u00a0runs ") == tokenizer.encode("the dog runs")


def test_a_very_long_line_is_encoded(tokenizer: Tokenizer) -> None:
    assert len(tokenizer.encode("schnee " * 10_000)) == 10_000 * len(tokenizer.encode("schnee"))
    assert tokenizer.decode(tokenizer.encode("dogs" * 10_000)) == "dogs" * 10_000


def test_saved_and_loaded_it_is_the_same(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer.save(path)
    loaded = Tokenizer.load(path)
    new = "the snowman &apos;s dogmann rennt . ☃"
    assert len(loaded) == len(tokenizer)
    assert loaded.encode(new) == tokenizer.encode(new)
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()
    foreign = tokenizers.Tokenizer.from_file(str(path))
    assert [foreign.encode(line).ids for line in SAMPLE] == tokenizer.encode_all(SAMPLE)


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    with pytest.raises(InputError, match=r"tokenizer\.json: expected a tokenizer\.json"):
        Tokenizer.load(path)
    path.write_text("{}")
    with pytest.raises(InputError, match=r"expected a tokenizer\.json"):
        Tokenizer.load(path)
    tokenizers.Tokenizer(tokenizers.models.WordLevel({"<unk>": 0}, unk_token="<unk>")).save(
        str(path)
    )
    with pytest.raises(InputError, match="sub-word vocabulary"):
        Tokenizer.load(path)


@pytest.mark.parametrize(
    ("sentences", "message"),
    [([], "no words"), (["  "], "no words"), (["good", "a</w>b"], r"'a</w>b' contains '</w>'")],
)
def test_text_that_cannot_be_learned_from(sentences: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Tokenizer.learn(sentences)


def multi30k_text(split: str, language: str) -> list[str]:
    root = os.environ.get("PHOSPHENE_DATA")
    if root is None:
        pytest.skip("PHOSPHENE_DATA is not set")
    return read_lines(Path(root) / f"multi30k/task1/tok/{split}.lc.norm.tok.{language}")


@pytest.mark.realdata
def test_real_text_is_learned_and_segmented_as_by_subword_nmt() -> None:
    sentences = multi30k_text("train", "en")[:500] + multi30k_text("train", "de")[:500]
    new = multi30k_text("val", "en") + multi30k_text("val", "de")
    codes = reference_codes(sentences, 600)
    tokenizer = Tokenizer.learn(sentences, merges=600)
    assert learn_merges(word_counts(sentences), 600)[0] == merges_of(codes)
    reference = apply_bpe.BPE(io.StringIO(codes))
    assert any("&apos;" in sentence for sentence in new)
    for sentence in new:
        assert tokenizer.pieces(sentence) == reference.segment(sentence).split(" ")


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("counts", "merges_digest"),
    [
        (("de", 9_708, 9_712, [426_793, 429_507]), "aa2b712628cb1314"),
        (("fr", 9_533, 9_544, [423_353, 457_762]), "c2fb87ff2e2f548a"),
    ],
)
def test_multi30k_has_the_published_vocabulary(
    counts: tuple[str, int, int, list[int]], merges_digest: str, tmp_path: Path
) -> None:
    """Digest: of the merges of ``subword-nmt learn-bpe -s 10000`` (0.3.8) on the same text."""
    language, types, entries, tokens = counts
    english, other = multi30k_text("train", "en"), multi30k_text("train", language)
    tokenizer = Tokenizer.learn([*english, *other])
    encoded = [tokenizer.encode_all(side, eos=True) for side in (english, other)]
    used = {index for side in encoded for ids in side for index in ids}
    assert len(used - {tokenizer.eos_id}) == types
    assert len(tokenizer) == entries
    assert [sum(map(len, side)) for side in encoded] == tokens
    decoded = [tokenizer.decode(ids) for ids in encoded[0][:1000]]
    assert decoded == [" ".join(sentence.split()) for sentence in english[:1000]]
    tokenizer.save(tmp_path / "tokenizer.json")
    merges = json.loads((tmp_path / "tokenizer.json").read_bytes())["model"]["merges"]
    table = "".join(f"{left} {right}\n" for left, right in merges)
    assert hashlib.sha256(table.encode()).hexdigest()[:16] == merges_digest
