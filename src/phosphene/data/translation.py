"""Sentence pairs, some with a picture: Multi30K, JSON lines, plain parallel text.

Every reader returns a list of ``Pair``. A pair without its picture is the normal case (a quarter
of Multi30K's training pairs have one here), so ``coverage`` counts them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from phosphene.core.errors import InputError
from phosphene.data.image import existing_picture
from phosphene.data.lines import parallel, read_lines

Language = Literal["en", "de", "fr"]
Split = Literal["train", "val", "test_2016_flickr", "test_2017_flickr", "test_2017_mscoco"]
TextForm = Literal["tok", "raw"]

_KEYS: Final = ("src", "tgt", "image", "id")


@dataclass(frozen=True)
class Pair:
    """A sentence, its translation and, where there is one, the picture both describe.

    ``id`` is unique within a data set and names the line (from 1): ``train:3``.
    """

    id: str
    source: str
    target: str
    image: Path | None = None
    before_hiding: str | None = None
    """The source before words of it were hidden, where some may be."""

    @property
    def whole_source(self) -> str:
        """The source with no word hidden."""
        return self.source if self.before_hiding is None else self.before_hiding


@dataclass(frozen=True)
class Coverage:
    """How many examples have their picture."""

    examples: int
    with_image: int

    def __str__(self) -> str:
        return f"{self.with_image:,} of {self.examples:,} examples have a picture"


def coverage(pairs: Sequence[Pair]) -> Coverage:
    """Count ``pairs`` and those with a picture."""
    return Coverage(len(pairs), sum(pair.image is not None for pair in pairs))


def multi30k(
    root: Path, split: str, languages: tuple[str, str], text: TextForm = "tok"
) -> list[Pair]:
    """Multi30K, task 1 (Elliott et al. 2016, 2017), with the photos that are there.

    Args:
        root: the data root: it holds ``multi30k/task1`` as in the public ``multi30k/dataset``
            repository and, if there are photos, ``flickr8k/manifest.tsv`` with
            ``flickr8k/images``.
        split: one of ``Split``.
        languages: source and target, two different ones of ``Language``.
        text: ``"tok"`` for the lower-cased, normalised, tokenised text of the papers; ``"raw"``
            for the original sentences.

    Raises:
        InputError: an unknown split or language, a file that is missing, or files that
            disagree with each other.
    """
    _check_choice("split", split, get_args(Split))
    _check_choice("text form", text, get_args(TextForm))
    for language in languages:
        _check_choice("language", language, get_args(Language))
    if languages[0] == languages[1]:
        raise InputError(f"source and target language are both {languages[0]!r}")
    task = root / "multi30k" / "task1"
    files = [_text_file(task, split, language, text) for language in languages]
    pairs = parallel_text(*files)
    names_file = task / "image_splits" / f"{split}.txt"
    names = [name.partition("#")[0] for name in read_lines(names_file)]
    if len(names) != len(pairs):
        raise InputError(f"{names_file}: {len(names)} lines, but {files[0]} has {len(pairs)}")
    photos = _photos(root / "flickr8k", split, names)
    return [
        Pair(f"{split}:{number}", pair.source, pair.target, photos.get(number))
        for number, pair in enumerate(pairs, start=1)
    ]


def multi30k_photos(root: Path, split: str) -> dict[int, Path]:
    """The photos of a split that are there, by line number (from 1) of its text.

    Raises:
        InputError: an unknown split, a file that is missing, or files that disagree.
    """
    _check_choice("split", split, get_args(Split))
    names = read_lines(root / "multi30k" / "task1" / "image_splits" / f"{split}.txt")
    return _photos(root / "flickr8k", split, [name.partition("#")[0] for name in names])


def parallel_text(source: Path, target: Path) -> list[Pair]:
    """Two plain text files (or ``.gz``), one sentence a line, aligned by line number.

    Raises:
        InputError: a file is missing or not UTF-8, the files differ in length, or a line is
            blank.
    """
    sources, targets = parallel(source, target)
    for file, lines in ((source, sources), (target, targets)):
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                raise InputError(f"{file}:{number}: blank line, expected a sentence")
    return [
        Pair(f"{source.name}:{number}", first, second)
        for number, (first, second) in enumerate(zip(sources, targets, strict=True), start=1)
    ]


def jsonl(path: Path) -> list[Pair]:
    """A user's own data: one JSON object a line.

    Keys: ``src`` and ``tgt``, sentences; ``image``, optional (or null), a file relative to the
    folder of ``path``; ``id``, optional, a unique name (``FILE:LINE`` if not given).

    Raises:
        InputError: bad JSON, a missing, unknown or ill-typed key, an empty sentence, a picture
            that is not there, a name used twice.
    """
    pairs: list[Pair] = []
    first_use: dict[str, int] = {}
    for number, line in enumerate(read_lines(path), start=1):
        pair = _parse(line, f"{path}:{number}", f"{path.name}:{number}", path.parent)
        if pair.id in first_use:
            raise InputError(
                f"{path}:{number}: id {pair.id!r} is already used on line {first_use[pair.id]}"
            )
        first_use[pair.id] = number
        pairs.append(pair)
    return pairs


def _parse(line: str, place: str, name: str, folder: Path) -> Pair:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: expected a JSON object, but: {error}") from error
    if not isinstance(record, dict):
        raise InputError(f"{place}: expected a JSON object with keys src and tgt")
    unknown = sorted(record.keys() - set(_KEYS))
    if unknown:
        raise InputError(f"{place}: unknown key {unknown[0]!r}, expected {', '.join(_KEYS)}")
    source, target = (_sentence(record, key, place) for key in ("src", "tgt"))
    identifier = record.get("id", name)
    if not isinstance(identifier, str) or not identifier:
        raise InputError(f"{place}: 'id' must be a non-empty string")
    return Pair(identifier, source, target, _picture(record.get("image"), place, folder))


def _sentence(record: dict[str, Any], key: str, place: str) -> str:
    if key not in record:
        raise InputError(f"{place}: key {key!r} is missing")
    value = record[key]
    if not isinstance(value, str):
        raise InputError(f"{place}: {key!r} must be a string, not {type(value).__name__}")
    if not value.strip():
        raise InputError(f"{place}: {key!r} is empty, expected a sentence")
    if "\n" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise InputError(f"{place}: {key!r} holds a line break or half a character")
    return value


def _picture(value: object, place: str, folder: Path) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise InputError(f"{place}: 'image' must be a file name or null")
    return existing_picture(folder / value, place)


def _text_file(task: Path, split: str, language: str, text: TextForm) -> Path:
    if text == "raw":
        return task / "raw" / f"{split}.{language}.gz"
    return task / "tok" / f"{split}.lc.norm.tok.{language}"


def _photos(folder: Path, split: str, names: Sequence[str]) -> dict[int, Path]:
    """Photos of a split by line number (from 1), as the manifest lists them.

    Raises:
        InputError: a manifest line is ill-formed, contradicts ``image_splits``, or its photo is
            not there.
    """
    manifest = folder / "manifest.tsv"
    if not manifest.exists():
        return {}
    photos = {}
    for number, line in enumerate(read_lines(manifest)[1:], start=2):
        place = f"{manifest}:{number}"
        fields = line.split("\t")
        if len(fields) != 3 or not fields[1].isdecimal():
            raise InputError(f"{place}: expected split, line (from 0) and photo, tab-separated")
        if fields[0] != split:
            continue
        index, photo = int(fields[1]), folder / "images" / fields[2]
        if index >= len(names) or names[index] != fields[2]:
            raise InputError(f"{place}: {fields[2]} is not the photo of line {index} of {split}")
        if not photo.is_file():
            raise InputError(f"{place}: photo {photo} does not exist")
        photos[index + 1] = photo
    return photos


def _check_choice(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"unknown {what} {value!r}: expected one of {', '.join(allowed)}")


__all__ = [
    "Coverage",
    "Language",
    "Pair",
    "Split",
    "TextForm",
    "coverage",
    "jsonl",
    "multi30k",
    "multi30k_photos",
    "parallel_text",
]
