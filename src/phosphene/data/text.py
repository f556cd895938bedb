"""Joint byte-pair encoding, merge for merge that of subword-nmt, and the vocabulary over it.

The translation papers count their vocabulary in *types*: the distinct sub-words of the segmented
training text, plus four specials, padded to a multiple of eight (9,712 for Multi30K
English-German). The table needs more symbols than that, since many merges only lead to longer
ones; those symbols stand behind the vocabulary and are split again should new text end in one.
The published Multi30K data split by the types of one language (``--vocabulary``, 15,041 English
tokens in validation), this module by the joint ones (15,026); training text is the same.

Source: Sennrich, Haddow and Birch, *Neural Machine Translation of Rare Words with Subword Units*
(2016), algorithm 1, in the convention of subword-nmt 0.2: the last character of a word carries
``</w>``.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, Protocol, final, runtime_checkable

import tokenizers
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import WhitespaceSplit

from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically

PAD_ID: Final = 0
BOS_ID: Final = 1
EOS_ID: Final = 2
UNK_ID: Final = 3
SPECIALS: Final = ("<pad>", "<s>", "</s>", "<unk>")
LANGUAGE: Final = "<lang:"
"""How the entry of a language begins: ``<lang:de>``."""
WORD_END: Final = "</w>"
_VOCABULARY_END: Final = "<merges>"  # the id of this entry is the size of the vocabulary
_RESERVED: Final = (*SPECIALS, WORD_END, _VOCABULARY_END, "<pad:", LANGUAGE)


@runtime_checkable
class SubWords(Protocol):
    """What a multilingual translator needs of a vocabulary, its own or a published one."""

    def __len__(self) -> int:
        """Entries of the vocabulary."""

    def encode_all(self, sentences: Sequence[str]) -> list[list[int]]:
        """Ids of sentences, without specials."""

    def decode(self, ids: Iterable[int]) -> str:
        """The sentence, without specials and languages."""

    def language_id(self, code: str) -> int:
        """The entry that stands for a language.

        Raises:
            InputError: there is none.
        """


Merge = tuple[str, str]
Symbols = tuple[str, ...]


@final
class Tokenizer:
    """Sub-words of a sentence as ids, and back.

    Words are what stands between white space; nothing is lower-cased or normalised. A character
    that is no type of the training text becomes ``<unk>``. Ids: 0 padding, 1 beginning and
    2 end of sentence, 3 unknown, then the types by frequency, then unused ``<pad:1>`` entries.
    """

    pad_id: Final = PAD_ID
    bos_id: Final = BOS_ID
    eos_id: Final = EOS_ID
    unk_id: Final = UNK_ID

    def __init__(self, bpe: tokenizers.Tokenizer) -> None:
        """Wrap a table as ``learn`` builds it or ``load`` reads it."""
        model = json.loads(bpe.to_str())["model"]
        ids: dict[str, int] = model["vocab"]
        self._bpe = bpe
        self._size = ids[_VOCABULARY_END]
        self._symbols = sorted(ids, key=ids.__getitem__)
        self._parts = _split_merge_only(ids, model["merges"], self._size)

    def __len__(self) -> int:
        """Entries of the vocabulary: the height of an embedding table."""
        return self._size

    @classmethod
    def learn(
        cls,
        sentences: Iterable[str],
        merges: int = 10_000,
        min_frequency: int = 2,
        multiple: int = 8,
        languages: Sequence[str] = (),
    ) -> Tokenizer:
        """Learn from tokenised text; for a joint vocabulary give both languages.

        Args:
            sentences: the training text, one sentence each, in any order.
            merges: at most so many merges.
            min_frequency: a pair seen less often is never merged.
            multiple: pad the vocabulary with unused entries to a multiple of this.
            languages: codes of languages that get an entry of their own (:meth:`language_id`).

        Raises:
            InputError: there are no words, or one contains a marker reserved for the vocabulary.
        """
        words = Counter(word for sentence in sentences for word in sentence.split())
        _check_words(words)
        learned, segmented = learn_merges(words, merges, min_frequency)
        frequency = Counter[str]()
        for word, symbols in segmented.items():
            for symbol in symbols:
                frequency[symbol] += words[word]
        types = sorted(frequency, key=lambda symbol: (-frequency[symbol], symbol))
        codes = [f"{LANGUAGE}{code}>" for code in languages]
        vocabulary = [*SPECIALS, *codes, *types]
        unused = -len(vocabulary) % multiple
        vocabulary += [f"<pad:{number}>" for number in range(1, unused + 1)]
        characters = {symbol for word in words for symbol in _characters(word)}
        merge_only = (characters | {left + right for left, right in learned}) - frequency.keys()
        entries = [*vocabulary, _VOCABULARY_END, *sorted(merge_only)]
        bpe = tokenizers.Tokenizer(
            BPE(
                vocab={symbol: index for index, symbol in enumerate(entries)},
                merges=learned,
                unk_token=SPECIALS[UNK_ID],
                end_of_word_suffix=WORD_END,
            )
        )
        bpe.pre_tokenizer = WhitespaceSplit()
        return cls(bpe)

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read what ``save`` wrote.

        Raises:
            InputError: the file is missing, damaged, or the table of another kind of tokenizer.
        """
        try:
            bpe = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
        except Exception as error:  # the tokenizers library raises no narrower type
            raise InputError(f"{path}: expected a tokenizer.json, but: {error}") from error
        specials = tuple(bpe.id_to_token(index) for index in range(len(SPECIALS)))
        if specials != SPECIALS or bpe.token_to_id(_VOCABULARY_END) is None:
            raise InputError(f"{path}: expected a sub-word vocabulary starting with {SPECIALS}")
        return cls(bpe)

    def save(self, path: Path) -> None:
        """Write one ``tokenizer.json`` in the tokenizers library's own format."""
        write_atomically(path, self._bpe.to_str(pretty=True).encode())

    def encode(self, sentence: str, *, eos: bool = False) -> list[int]:
        """Ids of ``sentence``, without specials; with ``eos`` the end-of-sentence id is added."""
        return self.encode_all([sentence], eos=eos)[0]

    def encode_all(self, sentences: Sequence[str], *, eos: bool = False) -> list[list[int]]:
        """``encode`` for many sentences at once (faster than one by one)."""
        end = [EOS_ID] if eos else []
        encodings = self._bpe.encode_batch_fast(list(sentences))
        return [self._within_vocabulary(encoding.ids) + end for encoding in encodings]

    def decode(self, ids: Iterable[int]) -> str:
        """The sentence: specials, languages and unused entries removed, sub-words joined.

        ``<unk>`` stays visible, as a word of its own.
        """
        pieces = []
        for index in ids:
            symbol = self._symbols[index]
            if index == UNK_ID:
                pieces.append(f"{symbol} ")
            elif index > UNK_ID and not symbol.startswith(("<pad:", LANGUAGE)):
                pieces.append(
                    f"{symbol.removesuffix(WORD_END)} " if symbol.endswith(WORD_END) else symbol
                )
        return "".join(pieces).strip()

    def language_id(self, code: str) -> int:
        """The entry that stands for a language; no text contains it.

        Raises:
            InputError: the vocabulary was learned without this language.
        """
        entry = f"{LANGUAGE}{code}>"
        if entry not in self._symbols[: self._size]:
            starts = (symbol for symbol in self._symbols if symbol.startswith(LANGUAGE))
            known = ", ".join(symbol.removeprefix(LANGUAGE)[:-1] for symbol in starts)
            raise InputError(f"language '{code}' has no code here, expected one of: {known}")
        return self._symbols.index(entry)

    def pieces(self, sentence: str) -> list[str]:
        """The segmentation as ``subword-nmt apply-bpe`` prints it: ``['win@@', 'ter']``."""
        spans = self._bpe.encode(sentence).offsets
        inside = [stop < len(sentence) and not sentence[stop].isspace() for _, stop in spans]
        return [
            sentence[start:stop] + ("@@" if joined else "")
            for (start, stop), joined in zip(spans, inside, strict=True)
        ]

    def _within_vocabulary(self, ids: list[int]) -> list[int]:
        if not ids or max(ids) < self._size:
            return ids
        return [part for index in ids for part in self._parts.get(index, (index,))]


def learn_merges(
    words: Mapping[str, int], limit: int, min_frequency: int = 2
) -> tuple[list[Merge], dict[str, Symbols]]:
    """Learn at most ``limit`` merges, the most frequent pair first.

    Among equally frequent pairs the last in code-point order is merged first, as in subword-nmt.

    Args:
        words: how often each word stands in the training text.
        limit: at most so many merges.
        min_frequency: learning stops when no pair is as frequent as this (at least 1).

    Returns:
        The merges in order, and the symbols that each word ends as.
    """
    segmented = {word: _characters(word) for word in words}
    counts = Counter[Merge]()
    containing: defaultdict[Merge, set[str]] = defaultdict(set)
    for word, symbols in segmented.items():
        for pair in pairwise(symbols):
            counts[pair] += words[word]
            containing[pair].add(word)
    # A pair's count only falls once it is queued: a symbol is made by one merge, all at once. So
    # a stale entry stands too early in the queue, never too late, and is put back when it is met.
    queue = [
        (-count, _latest_first(pair), pair)
        for pair, count in counts.items()
        if count >= min_frequency
    ]
    heapq.heapify(queue)
    learned: list[Merge] = []
    while queue and len(learned) < limit:
        negative, order, pair = heapq.heappop(queue)
        count = counts[pair]
        if count < min_frequency:
            continue
        if count != -negative:
            heapq.heappush(queue, (-count, order, pair))
            continue
        learned.append(pair)
        created: set[Merge] = set()
        for word in containing.pop(pair):
            before = segmented[word]
            after = segmented[word] = _merged(before, pair)
            for old in pairwise(before):
                counts[old] -= words[word]
            for new in pairwise(after):
                counts[new] += words[word]
                if pair[0] + pair[1] in new:
                    containing[new].add(word)
                    created.add(new)
        for new in created:
            if counts[new] >= min_frequency:
                heapq.heappush(queue, (-counts[new], _latest_first(new), new))
    return learned, segmented


def _characters(word: str) -> Symbols:
    return (*word[:-1], word[-1] + WORD_END)


def _merged(symbols: Symbols, pair: Merge) -> Symbols:
    """``symbols`` with every occurrence of ``pair`` joined, from left to right."""
    merged: list[str] = []
    position = 0
    while position < len(symbols):
        if symbols[position : position + 2] == pair:
            merged.append(pair[0] + pair[1])
            position += 2
        else:
            merged.append(symbols[position])
            position += 1
    return tuple(merged)


def _latest_first(pair: Merge) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A key that sorts pairs in descending code-point order (longer before its own prefix)."""
    first, second = ((*(-ord(character) for character in symbol), 1) for symbol in pair)
    return first, second


def _split_merge_only(
    ids: Mapping[str, int], merges: Sequence[Sequence[str]], size: int
) -> dict[int, list[int]]:
    """What each symbol behind the vocabulary (id above ``size``) is split into.

    The last merge is undone until every part is in the vocabulary, as ``subword-nmt apply-bpe
    --vocabulary`` does it; a single character that is not becomes ``<unk>``.
    """
    parts = {index: [UNK_ID] for index in ids.values() if index > size}
    for left, right in merges:  # in order: both sides are settled before what is made of them
        whole = ids[left + right]
        if whole > size:
            parts[whole] = [
                part for side in (ids[left], ids[right]) for part in parts.get(side, [side])
            ]
    return parts


def _check_words(words: Mapping[str, int]) -> None:
    if not words:
        raise InputError("cannot learn a vocabulary: the training text has no words")
    for word in words:
        for marker in _RESERVED:
            if marker in word:
                raise InputError(
                    f"training text: word {word!r} contains {marker!r}, which is reserved for the "
                    "vocabulary: remove or escape it"
                )


__all__ = [
    "BOS_ID",
    "EOS_ID",
    "LANGUAGE",
    "PAD_ID",
    "SPECIALS",
    "UNK_ID",
    "WORD_END",
    "Merge",
    "SubWords",
    "Tokenizer",
    "learn_merges",
]
