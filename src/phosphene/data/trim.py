"""A smaller vocabulary for a student that speaks one language.

Two thirds of a multilingual model are its embedding: cViL's student has 105,879 word pieces and
168.9 million parameters where its teacher has 111 million. A student that answers in one language
needs the pieces of that language, those of the English tags, and those of English words that are
mixed in. Source: Abdaoui, Pradel and Sigel, *Load What You Need* (2020).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from phosphene.data.wordpiece import WordPiece


def used_ids(
    encode: Callable[[str], Sequence[int]],
    texts: Iterable[str],
    always: Iterable[int] = (),
    min_count: int = 1,
) -> tuple[int, ...]:
    """The vocabulary entries that occur in some texts, in ascending order.

    Args:
        encode: a text to the ids of its pieces.
        texts: everything that the student will read: its questions, the tags, the English words
            that code-mixing puts in.
        always: ids that are kept anyhow, such as those of the special entries.
        min_count: occurrences below which an entry is dropped.
    """
    counts = Counter(index for text in texts for index in encode(text))
    return tuple(
        sorted({*always, *(index for index, count in counts.items() if count >= min_count)})
    )


def trim(
    tokenizer: WordPiece, texts: Iterable[str], min_count: int = 1
) -> tuple[WordPiece, tuple[int, ...]]:
    """Keep the word pieces of ``texts``, the special entries and all single characters.

    Words whose pieces are all kept are cut as before (word pieces are taken greedily, the longest
    first, and no longer piece can appear); others into shorter pieces, at worst into characters.

    Returns:
        The smaller tokenizer, and for each of its entries the id it had: the rows to take from an
        embedding, ``embedding.weight[list(ids)]``.
    """
    special = (
        tokenizer.pad_id,
        tokenizer.unk_id,
        tokenizer.cls_id,
        tokenizer.sep_id,
        tokenizer.mask_id,
    )
    ids = used_ids(tokenizer.encode, texts, (*special, *tokenizer.characters()), min_count)
    return tokenizer.only(ids), ids


__all__ = ["trim", "used_ids"]
