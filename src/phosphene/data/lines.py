r"""Text files with one sentence per line, the format of every parallel corpus here.

A line ends at ``\n`` and nowhere else: the other separators of Unicode (U+2028, U+0085, form feed)
occur inside real captions, and splitting there would shift every later line against its picture.
"""

from __future__ import annotations

import gzip
import zlib
from codecs import BOM_UTF8
from pathlib import Path

from phosphene.core.errors import InputError


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file, without their line ends.

    A name that ends in ``.gz`` is decompressed. A byte order mark at the start and a carriage
    return before a line end (files from Windows) are dropped; empty lines are kept, since their
    position is what aligns them.

    Raises:
        InputError: the file is missing, empty, not gzip where its name says so, or not UTF-8 (the
            message names the line).
    """
    lines = unchecked_lines(path)
    for number, line in enumerate(lines, start=1):
        check_utf8(line, f"{path}, line {number}")
    return lines


def unchecked_lines(path: Path) -> list[str]:
    """The same for a reader that looks at every line by itself, with :func:`check_utf8`.

    Bytes that are not UTF-8 stay in the text as lone surrogates.

    Raises:
        InputError: the file is missing, empty, or not gzip where its name says so.
    """
    data = _read_bytes(path)
    if not data:
        raise InputError(f"{path}: the file is empty; expected one sentence per line")
    text = data.removeprefix(BOM_UTF8).removesuffix(b"\n").decode(errors="surrogateescape")
    return [line.removesuffix("\r") for line in text.split("\n")]


def check_utf8(text: str, place: str) -> None:
    """Refuse what :func:`unchecked_lines` could not decode.

    Raises:
        InputError: ``text`` was not UTF-8; the message starts with ``place``.
    """
    try:
        text.encode(errors="surrogateescape").decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place}: byte {error.start + 1} is not valid UTF-8; expected text encoded as UTF-8"
        ) from error


def parallel(*paths: Path) -> tuple[list[str], ...]:
    """The lines of several files that say the same thing line by line, one list per file.

    Raises:
        InputError: as ``read_lines``, or two files differ in their number of lines.
    """
    columns = tuple(read_lines(path) for path in paths)
    for path, column in zip(paths[1:], columns[1:], strict=True):
        if len(column) != len(columns[0]):
            raise InputError(
                f"{paths[0]} has {len(columns[0]):,} lines and {path} has {len(column):,}; "
                "expected the same number, line by line"
            )
    return columns


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if path.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: not a complete gzip file ({error})") from error


__all__ = ["check_utf8", "parallel", "read_lines", "unchecked_lines"]
