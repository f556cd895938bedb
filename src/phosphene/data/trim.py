"""A smaller vocabulary for a student that speaks one language.

Two thirds of a multilingual model are its embedding: cViL's student has 105,879 word pieces and
168.9 million parameters where its teacher has 111 million. A student that answers in one language
needs the pieces of that language, those of the English tags, and those of English words that are
mixed in. Source: Abdaoui, Pradel and Sigel, *Load What You Need* (2020).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from string import printable

from phosphene.data.wordpiece import INSIDE, SPECIAL_PIECES, WordPiece


def used_ids(
    encode: Callable[[str], Sequence[int]], texts: Iterable[str], *, min_count: int = 1
) -> tuple[int, ...]:
    """The vocabulary entries that occur in some texts, in ascending order.

    Args:
        encode: a text to the ids of its pieces.
        texts: everything that the student will read: its questions, the tags, the English words
            that code-mixing puts in.
        min_count: occurrences below which an entry is dropped.
    """
    counts = Counter(index for text in texts for index in encode(text))
    return tuple(sorted(index for index, count in counts.items() if count >= min_count))


def trim(
    tokenizer: WordPiece, texts: Iterable[str], min_count: int = 1
) -> tuple[WordPiece, tuple[int, ...]]:
    """Keep the word pieces of ``texts``, every single character in them or in ASCII, the specials.

    Words whose pieces are all kept are cut as before (word pieces are taken greedily, the longest
    first, and no longer piece can appear); others into shorter pieces, at worst into characters.

    Returns:
        The smaller tokenizer, and for each of its entries the id it had: the rows to take from an
        embedding, ``embedding.weight[list(ids)]``.
    """
    entries = tokenizer.entries()
    used = used_ids(tokenizer.encode, texts, min_count=min_count)
    known = set(printable).union(*(entries[index].removeprefix(INSIDE) for index in used))
    characters = [
        index for index, piece in enumerate(entries) if piece.removeprefix(INSIDE) in known
    ]
    special = [index for index, piece in enumerate(entries) if piece in SPECIAL_PIECES]
    ids = tuple(sorted({*used, *characters, *special}))
    return tokenizer.only(ids), ids


__all__ = ["trim", "used_ids"]
