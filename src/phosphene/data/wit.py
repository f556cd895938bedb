"""Wikipedia Image Text as a translation corpus, in the layout of VALHALLA's release.

A folder ``FROM_TO`` holds ``train``, ``valid`` and ``test`` as ``SPLIT.LANGUAGE`` and
``SPLIT_url.txt``, line by line. Whoever downloads the pictures names each by the MD5 sum of its
address and writes ``SPLIT_image.txt``: first the numbers (from 0) of those that could not be had,
then a name for every line.

Source: Li et al., *VALHALLA: Visual Hallucination for Machine Translation* (2022).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from phosphene.core.errors import InputError
from phosphene.data.lines import parallel, read_lines
from phosphene.data.translation import Pair

SPLITS: Final = ("train", "valid", "test")


def wit(root: Path, split: str, languages: tuple[str, str]) -> list[Pair]:
    """One split in one direction, with the pictures that are there.

    Args:
        root: the data root: it holds ``wit/mmt/FROM_TO``. The folder of the other direction
            serves as well.
        split: one of ``SPLITS``.
        languages: source and target.

    Raises:
        InputError: an unknown split, no folder for the languages, files that disagree, or a
            picture that is neither there nor listed as missing.
    """
    if split not in SPLITS:
        raise InputError(f"unknown split {split!r}: expected one of {', '.join(SPLITS)}")
    folder = _folder(root / "wit" / "mmt", languages)
    files = [folder / f"{split}.{language}" for language in languages]
    sources, targets, addresses = parallel(*files, folder / f"{split}_url.txt")
    for file, lines in zip(files, (sources, targets), strict=True):
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                raise InputError(f"{file}:{number}: blank line, expected a sentence")
    pictures = _pictures(folder, split, addresses)
    return [
        Pair(f"{split}:{number}", source, target, picture)
        for number, (source, target, picture) in enumerate(
            zip(sources, targets, pictures, strict=True), start=1
        )
    ]


def picture_name(address: str) -> str:
    """What a downloaded picture is called."""
    return f"{hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()}.jpg"


def _folder(root: Path, languages: tuple[str, str]) -> Path:
    names = ["_".join(languages), "_".join(languages[::-1])]
    for name in names:
        if (root / name).is_dir():
            return root / name
    known = ", ".join(sorted(path.name for path in root.glob("*_*"))) or "none"
    raise InputError(f"{root}: no folder {' or '.join(names)}; there are: {known}")


def _pictures(folder: Path, split: str, addresses: list[str]) -> list[Path | None]:
    """The picture of every line; ``None`` for one that could not be had, or before downloading."""
    listing = folder / f"{split}_image.txt"
    if not listing.exists():
        return [None] * len(addresses)
    first, *names = read_lines(listing)
    if len(names) != len(addresses):
        raise InputError(
            f"{listing}: {len(names):,} names below the first line, "
            f"but {folder / f'{split}_url.txt'} has {len(addresses):,} lines"
        )
    missing = _numbers(first, listing, len(names))
    pictures: list[Path | None] = []
    for index, (name, address) in enumerate(zip(names, addresses, strict=True)):
        place = f"{listing}:{index + 2}"
        if name != picture_name(address):
            raise InputError(f"{place}: {name} is not the picture of {address}")
        picture = folder / "images" / name
        if index not in missing and not picture.is_file():
            raise InputError(f"{place}: picture {picture} does not exist and is not listed missing")
        pictures.append(None if index in missing else picture)
    return pictures


def _numbers(line: str, listing: Path, lines: int) -> frozenset[int]:
    """The comma-separated numbers of a line that may be empty."""
    numbers = [part.strip() for part in line.split(",")] if line.strip() else []
    for number in numbers:
        if not number.isdecimal() or int(number) >= lines:
            raise InputError(
                f"{listing}:1: expected numbers below {lines} between commas, got {number!r}"
            )
    return frozenset(map(int, numbers))


__all__ = ["SPLITS", "picture_name", "wit"]
