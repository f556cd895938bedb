"""Word alignments in Pharaoh format: ``0-0 1-2 2-1``, one sentence pair a line.

``i-j`` links word ``i`` of the English question to word ``j`` of its translation, both from 0, as
aligners write it that read ``english ||| translation``. An empty line is a pair without links.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.data.lines import read_lines

Alignment = frozenset[tuple[int, int]]
"""Links ``(word of the English question, word of its translation)``, from 0."""

_LINK: Final = re.compile(r"(\d+)-(\d+)")


def read_pharaoh(path: Path, lengths: Sequence[tuple[int, int]]) -> list[Alignment]:
    """The alignments of sentence pairs with so many words, ``lengths[k] = (english, translated)``.

    Raises:
        InputError: a missing file, another number of lines than pairs, a word that is not
            ``i-j``, or a link beyond the end of a sentence.
    """
    lines = read_lines(path)
    if len(lines) != len(lengths):
        raise InputError(
            f"{path}: {len(lines):,} lines of alignments for {len(lengths):,} sentence pairs; "
            "expected the same number"
        )
    return [
        parse_links(line, english, translated, f"{path}:{number}")
        for number, (line, (english, translated)) in enumerate(
            zip(lines, lengths, strict=True), start=1
        )
    ]


def parse_links(line: str, english: int, translated: int, place: str) -> Alignment:
    """The links of one line; ``place`` names it in errors.

    Raises:
        InputError: a word that is not ``i-j``, or beyond the end of a sentence.
    """
    links = set()
    for word in line.split():
        found = _LINK.fullmatch(word)
        if found is None:
            raise InputError(f"{place}: {word!r} is no link; expected Pharaoh format, such as 0-2")
        link = int(found[1]), int(found[2])
        check_link(link, english, translated, place)
        links.add(link)
    return frozenset(links)


def check_link(link: tuple[int, int], english: int, translated: int, place: str) -> None:
    """Refuse a link beyond the end of either sentence."""
    if not (0 <= link[0] < english and 0 <= link[1] < translated):
        raise InputError(
            f"{place}: link {link[0]}-{link[1]} is out of range: the English question has "
            f"{english} words and its translation {translated}, counted from 0"
        )


def write_pharaoh(path: Path, alignments: Iterable[Alignment]) -> None:
    """Write one line per alignment, links in order."""
    lines = (" ".join(f"{i}-{j}" for i, j in sorted(links)) for links in alignments)
    write_atomically(path, "".join(f"{line}\n" for line in lines).encode())


__all__ = ["Alignment", "check_link", "parse_links", "read_pharaoh", "write_pharaoh"]
