"""WordPiece: the sub-words of BERT.

Text is cleaned, lower-cased where the vocabulary says so, split at white space and punctuation,
and each word is cut from left to right into the longest pieces that the vocabulary has; a piece
inside a word starts with ``##``. Source: Devlin et al., *BERT* (2019), section 4.1, with the
tables of its released code.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import tokenizers
from pydantic import ConfigDict
from tokenizers import models, normalizers, pre_tokenizers

from phosphene.core.config import Frozen, parse_settings
from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.data.text import WORD_END, learn_merges

PAD: Final = "[PAD]"
UNK: Final = "[UNK]"
CLS: Final = "[CLS]"
SEP: Final = "[SEP]"
MASK: Final = "[MASK]"
SPECIAL_PIECES: Final = (PAD, UNK, CLS, SEP, MASK)
INSIDE: Final = "##"


@dataclass(frozen=True)
class AlignedPieces:
    """Pieces of a sequence of words, and the word that each belongs to."""

    ids: list[int]
    words: list[int]
    """``words[i]`` is the position, from 0, of the word that piece ``i`` is part of; ascending."""

    def of_word(self, word: int) -> range:
        """Positions of the pieces of ``word``; none if nothing is left of it."""
        return range(bisect_left(self.words, word), bisect_right(self.words, word))


@final
class WordPiece:
    """Text as ids of word pieces, without [CLS] and [SEP]: an encoder adds its own.

    ``[MASK]`` and the like in a text are text, not special entries.
    """

    def __init__(self, table: tokenizers.Tokenizer) -> None:
        """Wrap a table as ``load`` reads it; every special entry must be there."""
        table.no_truncation()
        table.no_padding()
        table.encode_special_tokens = True
        self._table = table
        self.pad_id, self.unk_id, self.cls_id, self.sep_id, self.mask_id = (
            _special(table, name) for name in SPECIAL_PIECES
        )

    def __len__(self) -> int:
        """Entries of the vocabulary."""
        return self._table.get_vocab_size()

    @classmethod
    def learn(
        cls,
        sentences: Iterable[str],
        merges: int = 8000,
        min_frequency: int = 2,
        *,
        lowercase: bool = True,
    ) -> WordPiece:
        """Learn pieces from ``sentences``, in any order and language.

        The pieces are those into which byte-pair encoding cuts the training words, and all their
        characters at any place of a word. The same text gives the same ids.

        Args:
            sentences: the training text.
            merges: at most so many merges of byte-pair encoding, about the size of the result.
            min_frequency: a pair of pieces seen less often is never merged.
            lowercase: lower-case and strip accents, in training and in every use.

        Raises:
            InputError: there are no words.
        """
        normalizer = normalizers.BertNormalizer(lowercase=lowercase)
        splitter = pre_tokenizers.BertPreTokenizer()
        words = Counter(
            word
            for sentence in sentences
            for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(sentence))
        )
        if not words:
            raise InputError("cannot learn word pieces: the training text has no words")
        frequency = Counter[str]()
        for word, symbols in learn_merges(words, merges, min_frequency)[1].items():
            first, *others = "\0".join(symbols).removesuffix(WORD_END).split("\0")
            for piece in (first, *(INSIDE + other for other in others)):
                frequency[piece] += words[word]
            for character in word:
                frequency[character] += 0
                frequency[INSIDE + character] += 0
        pieces = sorted(frequency, key=lambda piece: (-frequency[piece], piece))
        return cls(_table([*SPECIAL_PIECES, *pieces], normalizer))

    @classmethod
    def load(cls, path: Path) -> WordPiece:
        """Read a ``tokenizer.json`` or a ``vocab.txt``, or the folder of a BERT with one of them.

        Beside a ``vocab.txt``, ``tokenizer_config.json`` says whether it is lower-cased; without
        that file it is, as in BERT's released code.

        Raises:
            InputError: no such file, damaged, or the table of another kind of tokenizer.
        """
        if path.is_dir():
            found = [path / name for name in ("tokenizer.json", "vocab.txt")]
            existing = [file for file in found if file.is_file()]
            if not existing:
                raise InputError(f"{path}: no tokenizer.json and no vocab.txt in this folder")
            path = existing[0]
        try:
            if path.suffix == ".json":
                return cls(_read_json(path))
            return cls(_read_vocabulary(path))
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error

    def save(self, path: Path) -> None:
        """Write one ``tokenizer.json`` in the tokenizers library's own format."""
        write_atomically(path, self._table.to_str(pretty=True).encode())

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``."""
        return self._table.encode(text, add_special_tokens=False).ids

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """``encode`` for many texts at once (faster than one by one)."""
        encodings = self._table.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def encode_words(self, words: Sequence[str]) -> AlignedPieces:
        """Ids of a text that is given word by word, and the word of each piece.

        The ids are those of ``encode(" ".join(words))``.
        """
        encoding = self._table.encode(list(words), is_pretokenized=True, add_special_tokens=False)
        return AlignedPieces(encoding.ids, [word for word in encoding.word_ids if word is not None])

    def pieces(self, text: str) -> list[str]:
        """The segmentation: ``['un', '##seen', 'words']``."""
        return self._table.encode(text, add_special_tokens=False).tokens

    def entries(self) -> list[str]:
        """The vocabulary in the order of its ids."""
        vocabulary = self._table.get_vocab()
        return sorted(vocabulary, key=vocabulary.__getitem__)

    def only(self, ids: Sequence[int]) -> WordPiece:
        """The same tokenizer with some of its entries, numbered anew in the order of ``ids``.

        Raises:
            ValueError: a special entry is not among them.
        """
        entries = self.entries()
        vocabulary = {entries[index]: new for new, index in enumerate(ids)}
        table = json.loads(self._table.to_str())
        table["model"]["vocab"] = vocabulary
        table["post_processor"] = None
        table["added_tokens"] = [
            {**token, "id": vocabulary[token["content"]]}
            for token in table["added_tokens"]
            if token["content"] in vocabulary
        ]
        return WordPiece(tokenizers.Tokenizer.from_str(json.dumps(table)))


class _TokenizerJson(Frozen):
    """What ``tokenizer_config.json`` says about a ``vocab.txt``; other keys are not looked at."""

    model_config = ConfigDict(extra="ignore")

    do_lower_case: bool = True
    strip_accents: bool | None = None
    """``None``: as ``do_lower_case``."""
    tokenize_chinese_chars: bool = True


def _special(table: tokenizers.Tokenizer, name: str) -> int:
    index = table.token_to_id(name)
    if index is None:
        raise ValueError(f"expected a BERT vocabulary, but it has no {name}")
    return int(index)


def _read_json(path: Path) -> tokenizers.Tokenizer:
    text = path.read_text(encoding="utf-8")
    try:
        table = tokenizers.Tokenizer.from_str(text)
    except Exception as error:  # the tokenizers library raises no narrower type
        raise ValueError(f"expected a tokenizer.json, but: {error}") from error
    kind = json.loads(text)["model"].get("type")
    if kind != "WordPiece":
        raise ValueError(f"expected a WordPiece table, this is {kind}")
    return table


def _read_vocabulary(path: Path) -> tokenizers.Tokenizer:
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    first: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        piece = line.removesuffix("\r")
        if piece in first:
            raise ValueError(f"line {number}: {piece!r} stands in line {first[piece]} already")
        first[piece] = number
    return _table(list(first), _read_normalizer(path.with_name("tokenizer_config.json")))


def _read_normalizer(path: Path) -> normalizers.BertNormalizer:
    try:
        values = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except json.JSONDecodeError as error:
        raise ValueError(f"{path.name} beside it is not JSON: {error}") from error
    config = parse_settings(_TokenizerJson, values, str(path))
    return normalizers.BertNormalizer(
        lowercase=config.do_lower_case,
        strip_accents=config.strip_accents,
        handle_chinese_chars=config.tokenize_chinese_chars,
    )


def _table(pieces: Sequence[str], normalizer: normalizers.BertNormalizer) -> tokenizers.Tokenizer:
    """The tokenizer whose vocabulary is ``pieces``, in order."""
    ids = {piece: index for index, piece in enumerate(pieces)}
    table = tokenizers.Tokenizer(
        models.WordPiece(
            vocab=ids, unk_token=UNK, max_input_chars_per_word=100, continuing_subword_prefix=INSIDE
        )
    )
    table.normalizer = normalizer
    table.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    table.add_special_tokens([name for name in SPECIAL_PIECES if name in ids])
    return table


__all__ = [
    "CLS",
    "MASK",
    "PAD",
    "SEP",
    "SPECIAL_PIECES",
    "UNK",
    "AlignedPieces",
    "WordPiece",
]
