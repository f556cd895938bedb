"""Tab-separated files with a row per picture, each found by its byte offset.

Detectors write arrays as base64 into rows of about a megabyte; such a file is never read whole.
"""

from __future__ import annotations

import base64
import json
from binascii import Error as Base64Error
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.data.lines import read_lines

_LONGEST_ID = 4096


@dataclass(frozen=True)
class _Row:
    """Where a row is. A JSON map may leave rows out, so it tells neither number nor end."""

    start: int
    number: int | None = None
    end: int | None = None

    def __str__(self) -> str:
        return f"byte {self.start:,}" if self.number is None else f"row {self.number}"


@final
class PictureRows:
    """Rows by the picture's id, which is their first column.

    Args:
        path: the file, UTF-8.
        offsets: where its rows begin: JSON of id to byte, or one byte per line as in ``.lineidx``;
            by default the ``.lineidx`` beside the file. Without one the file is read through once.

    Raises:
        InputError: a file cannot be read, the offsets do not fit, or two rows have the same id.
    """

    def __init__(self, path: Path, offsets: Path | None = None) -> None:
        self.path = path
        beside = path.with_suffix(".lineidx")
        self._offsets = offsets or (beside if beside.exists() else None)
        try:
            with path.open("rb") as file:
                self._size = file.seek(0, 2)
                self._rows = self._index(file)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def row(self, name: str) -> tuple[str, list[str]]:
        """The columns of a row behind the id, and what to call the row in a message.

        Raises:
            KeyError: no row has this id.
            InputError: there is another row at its offset.
        """
        row = self._rows[name]
        with self.path.open("rb") as file:
            file.seek(row.start)
            content = file.readline()
        columns = content.rstrip(b"\r\n").split(b"\t")
        whole = row.end is None or row.start + len(content) == row.end
        if not whole or columns[0] != name.encode():
            raise self._misfit(f"{row} is not that of {name!r}, or its end is not where they say")
        place = f"{self.path}, {row} ({name})"
        try:
            return place, [column.decode() for column in columns[1:]]
        except UnicodeDecodeError as error:
            raise InputError(f"{place}: not valid UTF-8") from error

    def _index(self, file: BinaryIO) -> dict[str, _Row]:
        if self._offsets is not None and self._offsets.suffix == ".json":
            return {name: _Row(start) for name, start in self._json_offsets(self._offsets).items()}
        rows: dict[str, _Row] = {}
        starts = self._line_starts(file)
        for number, (start, end) in enumerate(pairwise([*starts, self._size]), start=1):
            name = self._id_at(file, start, number)
            if name in rows:
                raise InputError(
                    f"{self.path}, row {number}: {name!r} stands in {rows[name]} already"
                )
            rows[name] = _Row(start, number, end)
        return rows

    def _json_offsets(self, path: Path) -> dict[str, int]:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: expected JSON of id to byte offset, but: {error}") from error
        if not isinstance(found, dict) or not all(type(start) is int for start in found.values()):
            raise InputError(f"{path}: expected JSON of id to byte offset")
        for name, start in found.items():
            if not 0 <= start < self._size:
                raise self._misfit(f"{name!r} is at byte {start:,}")
        return found

    def _line_starts(self, file: BinaryIO) -> list[int]:
        if self._offsets is None:
            file.seek(0)
            lengths = [0, *map(len, file)]
            return np.cumsum(lengths)[:-1].tolist()
        lines = read_lines(self._offsets)
        starts = [int(line) if line.strip().isdecimal() else -1 for line in lines]
        for number, (start, before) in enumerate(zip(starts, [-1, *starts], strict=False), start=1):
            fits = before < start < self._size and (start == 0) == (number == 1)
            if fits and start:
                file.seek(start - 1)
                fits = file.read(1) == b"\n"
            if not fits:
                raise self._misfit(f"its line {number} says {lines[number - 1]!r}")
        return starts

    def _id_at(self, file: BinaryIO, start: int, number: int) -> str:
        file.seek(start)
        name, tab, _ = file.read(_LONGEST_ID).partition(b"\t")
        if not tab or not name or b"\n" in name:
            raise InputError(f"{self.path}, row {number}: expected an id and a tab")
        return name.decode(errors="replace")

    def _misfit(self, what: str) -> InputError:
        offsets = self._offsets or self.path
        return InputError(
            f"{offsets}: the offsets do not fit {self.path} ({self._size:,} bytes): {what}"
        )


def decode(
    text: str, shape: tuple[int, int], place: str, what: str
) -> Float[Tensor, "region column"]:
    """A float32 array of ``shape`` from base64.

    Raises:
        InputError: it is not base64, or of another size; the message starts with ``place``.
    """
    return torch.from_numpy(_array(text, shape, "float32", place, what))


def decode_ids(text: str, count: int, place: str, what: str) -> list[int]:
    """``count`` int64 numbers from base64.

    Raises:
        InputError: as ``decode``.
    """
    return _array(text, (count,), "int64", place, what).tolist()


def _array(text: str, shape: tuple[int, ...], dtype: str, place: str, what: str) -> np.ndarray:
    try:
        content = base64.b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise InputError(f"{place}: {what} are not base64 ({error})") from error
    size = np.dtype(dtype).itemsize
    if len(content) != size * int(np.prod(shape)):
        expected = " x ".join(map(str, shape))
        raise InputError(
            f"{place}: {len(content) / size:,.6g} numbers of {what}, expected {expected} {dtype}"
        )
    return np.frombuffer(bytearray(content), dtype=f"<{dtype[0]}{size}").reshape(shape)


__all__ = ["PictureRows", "decode", "decode_ids"]
