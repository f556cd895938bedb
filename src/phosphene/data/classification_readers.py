"""Pictures with a sentence and a label, or several: Hateful Memes, MM-IMDb, SNLI-VE, your own.

Every reader takes ``keep_going``: without it the first row that is wrong ends the reading with one
line that names file and row; with it the row is left out and its line kept in
:attr:`~phosphene.data.classification.Examples.skipped`, so that it can be counted and shown.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from phosphene.core.errors import InputError
from phosphene.data.classification import Example, Examples, LabelSet, collect
from phosphene.data.image import existing_picture
from phosphene.data.lines import check_utf8, unchecked_lines
from phosphene.data.records import json_object, member, parse_json

HATEFUL_MEMES: Final = LabelSet(("benign", "hateful"))
ENTAILMENT: Final = LabelSet(("entailment", "neutral", "contradiction"))
GENRES: Final = LabelSet(
    (
        "Action", "Adventure", "Animation", "Biography", "Comedy", "Crime", "Documentary", "Drama",
        "Family", "Fantasy", "Film-Noir", "History", "Horror", "Music", "Musical", "Mystery",
        "Romance", "Sci-Fi", "Short", "Sport", "Thriller", "War", "Western",
    ),
    many=True,
)  # fmt: skip
"""The 23 genres of MM-IMDb's tables."""
_OTHER_GENRES: Final = frozenset({"Adult", "News", "Reality-TV", "Talk-Show"})
"""In MM-IMDb's files and not in its tables, being too rare."""


def hateful_memes(path: Path, *, keep_going: bool = False) -> Examples:
    """Hateful Memes (Kiela et al., 2020): ``train.jsonl`` and its like, pictures beside it.

    Keys: ``id``, ``img`` (relative to the folder of ``path``), ``label`` (0 or 1), ``text``.

    Raises:
        InputError: a row that is wrong, a picture that is missing.
    """

    def parse(line: str, place: str) -> Example:
        row = _json(line, place)
        label = member(row, "label", int, place)
        if label not in (0, 1):
            raise InputError(f"{place}: label {label} is outside the set, expected 0 or 1")
        return Example(
            str(member(row, "id", (int, str), place)),
            member(row, "text", str, place).strip(),
            (HATEFUL_MEMES.names[label],),
            existing_picture(path.parent / member(row, "img", str, place), place),
            place,
        )

    return collect(_lines(path), parse, HATEFUL_MEMES, path, keep_going)


def mm_imdb(
    root: Path, part: Literal["train", "dev", "test"], *, keep_going: bool = False
) -> Examples:
    """MM-IMDb (Arevalo et al., 2017): posters and plots of films, 23 genres.

    ``root`` holds ``split.json`` and ``dataset`` with ``ID.json`` and ``ID.jpeg`` of each film. Of
    several plots the longest is taken; genres that are not among the 23 are passed over.

    Raises:
        InputError: a file that is wrong or missing, a genre that MM-IMDb does not have.
    """
    split = root / "split.json"
    films = member(json_object(split), part, list, str(split))

    def parse(film: Any, place: str) -> Example:
        if not isinstance(film, str):
            raise InputError(f"{place}: expected the number of a film as a string")
        record = root / "dataset" / f"{film}.json"
        row = json_object(record)
        plots = _strings(row, "plot", str(record))
        genres = _strings(row, "genres", str(record))
        return Example(
            film,
            max(plots, key=len, default="").strip(),
            tuple(genre for genre in genres if genre not in _OTHER_GENRES),
            existing_picture(record.with_suffix(".jpeg"), str(record)),
            str(record),
        )

    rows = ((film, f"{split}, {part} {number}") for number, film in enumerate(films, start=1))
    return collect(rows, parse, GENRES, split, keep_going)


def snli_ve(path: Path, images: Path, *, keep_going: bool = False) -> Examples:
    """SNLI-VE (Xie et al., 2019): a photo as premise, a sentence as hypothesis.

    Keys used: ``pairID``, ``Flickr30K_ID`` (the photo, without ``.jpg``), ``sentence2``,
    ``gold_label``. The premise in words, ``sentence1``, is not: the photo stands for it.

    Args:
        path: ``snli_ve_train.jsonl`` and its like.
        images: the folder of Flickr30k's photos.
        keep_going: leave out rows that are wrong.

    Raises:
        InputError: a row that is wrong, a photo that is missing.
    """

    def parse(line: str, place: str) -> Example:
        row = _json(line, place)
        return Example(
            member(row, "pairID", str, place),
            member(row, "sentence2", str, place).strip(),
            (member(row, "gold_label", str, place),),
            existing_picture(images / f"{member(row, 'Flickr30K_ID', str, place)}.jpg", place),
            place,
        )

    return collect(_lines(path), parse, ENTAILMENT, path, keep_going)


_COLUMNS: Final = ("image", "text", "labels")
Cells = Mapping[str | Any, str | Any]
"""A row by column; ``None`` is the cell that is missing, and the column of surplus ones."""


def posters(
    table: Path, images: Path, labels: LabelSet, *, separator: str = ";", keep_going: bool = False
) -> Examples:
    """A folder of posters and a CSV file with their plots and labels.

    The first row names the columns ``image`` (a file in ``images``, or empty), ``text`` (or empty)
    and ``labels`` (with ``separator`` between several), in any order; others are passed over. Rows
    are counted from 1 after it.

    Raises:
        InputError: a column that is missing, a row that is wrong, a poster that is missing.
    """

    def parse(row: Cells, place: str) -> Example:
        if None in row:
            raise InputError(
                f"{place}: more cells than the first row names; a comma inside a cell needs "
                "quotation marks around the cell"
            )
        if None in row.values():
            raise InputError(f"{place}: fewer cells than the first row names")
        for column, cell in row.items():
            check_utf8(str(cell), f"{place}, column {column!r}")
        name, text, given = (str(row[column]).strip() for column in _COLUMNS)
        return Example(
            place.replace(f"{table}, row ", f"{table.name}:"),
            text,
            tuple(label.strip() for label in given.split(separator) if label.strip()),
            existing_picture(images / name, place) if name else None,
            place,
        )

    lines = unchecked_lines(table)
    check_utf8(lines[0], f"{table}, line 1")
    reader = csv.DictReader([f"{line}\n" for line in lines], strict=True)
    missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{table}: no column {missing[0]!r}, expected {', '.join(_COLUMNS)}")
    return collect(_rows(table, reader), parse, labels, table, keep_going)


def labelled_jsonl(path: Path, labels: LabelSet, *, keep_going: bool = False) -> Examples:
    """Your own data: one JSON object a line.

    Keys: ``label``, a string, or ``labels``, a list of them; ``text``, optional; ``image``,
    optional (or null), a file relative to the folder of ``path``; ``id``, optional
    (``FILE:LINE`` if not given).

    Raises:
        InputError: a row that is wrong, a picture that is missing.
    """
    keys = ("id", "text", "image", "label", "labels")

    def parse(line: str, place: str) -> Example:
        row = _json(line, place)
        if not isinstance(row, dict) or ("label" in row) == ("labels" in row):
            raise InputError(f"{place}: expected a JSON object with either 'label' or 'labels'")
        unknown = sorted(row.keys() - set(keys))
        if unknown:
            raise InputError(f"{place}: unknown key {unknown[0]!r}, expected {', '.join(keys)}")
        optional = {key: member(row, key, str, place) for key in ("id", "text") if key in row}
        image = member(row, "image", str, place) if row.get("image") is not None else None
        return Example(
            optional.get("id", place.replace(str(path), path.name, 1)),
            optional.get("text", "").strip(),
            (member(row, "label", str, place),)
            if "label" in row
            else tuple(_strings(row, "labels", place)),
            None if image is None else existing_picture(path.parent / image, place),
            place,
        )

    return collect(_lines(path), parse, labels, path, keep_going)


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(unchecked_lines(path), start=1):
        yield line, f"{path}:{number}"


def _json(line: str, place: str) -> object:
    check_utf8(line, place)
    return parse_json(line, place)


def _rows(table: Path, reader: csv.DictReader[str]) -> Iterator[tuple[Cells, str]]:
    try:
        for number, row in enumerate(reader, start=1):
            yield row, f"{table}, row {number}"
    except csv.Error as error:
        raise InputError(f"{table}, line {reader.line_num}: not CSV: {error}") from error


def _strings(row: object, key: str, place: str) -> Sequence[str]:
    values = member(row, key, list, place)
    if not all(isinstance(value, str) for value in values):
        raise InputError(f"{place}: {key!r} must be a list of strings")
    return values


__all__ = [
    "ENTAILMENT",
    "GENRES",
    "HATEFUL_MEMES",
    "hateful_memes",
    "labelled_jsonl",
    "mm_imdb",
    "posters",
    "snli_ve",
]
