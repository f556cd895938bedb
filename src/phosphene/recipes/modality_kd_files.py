"""A user's own files as the examples of ``modality_kd``, and what is wrong in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.classification import Example, Examples, LabelSet, check_classes
from phosphene.data.classification_readers import (
    ENTAILMENT,
    GENRES,
    HATEFUL_MEMES,
    hateful_memes,
    labelled_jsonl,
    mm_imdb,
    posters,
    snli_ve,
)
from phosphene.data.regions import RegionTable
from phosphene.recipes.modality_kd_settings import FilesConfig

_NAMED: Final = 3
"""Of the rows that were left out, so many are shown."""


def read_files(
    files: FilesConfig, labels: LabelSet, table: RegionTable, log: RunLog
) -> dict[str, Examples]:
    """``train``, ``validation`` and ``test``, as far as they can be used; ``log`` tells the rest.

    Raises:
        InputError: a file is missing or wrong, or a class has no training example.
    """
    read = {
        name: with_regions(read_examples(files, labels, name, path), table, files, path)
        for name, path in files.paths.items()
    }
    check_names([example for found in read.values() for example in found.examples])
    check_classes(read["train"], labels, files.train)
    _tell(read, log)
    return read


def photo_names(examples: Sequence[Example]) -> tuple[str | None, ...]:
    """What a store of regions knows photos by: their file names without suffix."""
    return tuple(None if each.image is None else each.image.stem for each in examples)


def with_regions(found: Examples, table: RegionTable, files: FilesConfig, path: Path) -> Examples:
    """The examples of ``path`` that have regions or no picture.

    Raises:
        InputError: a picture has none and ``files`` does not say to keep going, or nothing is left.
    """
    kept, skipped = [], list(found.skipped)
    for example, name in zip(found.examples, photo_names(found.examples), strict=True):
        if name is None or name in table:
            kept.append(example)
            continue
        line = f"{example.place}: no regions of {example.image} in {files.regions}"
        if not files.keep_going:
            raise InputError(f"{line}: expected an entry {name!r}")
        skipped.append(line)
    if not kept:
        raise InputError(f"{path}: no example that can be used ({len(skipped)} left out)")
    return Examples(tuple(kept), tuple(skipped))


def check_names(examples: Sequence[Example]) -> None:
    """Two photos of one name would be shown with the regions of one of them.

    Raises:
        InputError: there are two such photos.
    """
    first: dict[str, Example] = {}
    for example in examples:
        if example.image is None:
            continue
        other = first.setdefault(example.image.stem, example)
        assert other.image is not None
        if other.image != example.image and other.image.resolve() != example.image.resolve():
            raise InputError(
                f"{example.place}: {example.image} has the name of {other.image} ({other.place}); "
                "regions are found by file names without suffix"
            )


def _tell(read: Mapping[str, Examples], log: RunLog) -> None:
    """What was left out, once in a log that may be of a resumed run."""
    log.rewind("data", -1)
    for name, found in read.items():
        if found.skipped:
            first = found.skipped[:_NAMED]
            log.event("data", 0, "left out", split=name, rows=len(found.skipped), first=first)
            log.say(f"{name}: {len(found.skipped):,} rows left out, first of all:")
            for line in first:
                log.say(f"  {line}")


def label_set(files: FilesConfig) -> LabelSet:
    """The labels of a format, or those that a user names."""
    return {
        "hateful_memes": HATEFUL_MEMES,
        "mm_imdb": GENRES,
        "snli_ve": ENTAILMENT,
    }.get(files.format, LabelSet(files.labels, files.many))


def read_examples(files: FilesConfig, labels: LabelSet, name: str, path: Path) -> Examples:
    """The examples of one split, as its format has them.

    Raises:
        InputError: the file is missing or wrong.
    """
    keep = files.keep_going
    match files.format:
        case "hateful_memes":
            return hateful_memes(path, keep_going=keep)
        case "mm_imdb":
            part = "dev" if name == "validation" else "train" if name == "train" else "test"
            return mm_imdb(path, part, keep_going=keep)  # type: ignore[arg-type]
        case "snli_ve":
            assert files.images is not None
            return snli_ve(path, files.images, keep_going=keep)
        case "posters":
            assert files.images is not None
            return posters(path, files.images, labels, keep_going=keep)
        case "jsonl":
            return labelled_jsonl(path, labels, keep_going=keep)


__all__ = ["label_set", "photo_names", "read_examples", "read_files"]
