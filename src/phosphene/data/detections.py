"""Files of published detectors: Oscar and VinVL, bottom-up attention, one file per picture.

Each is a mapping from picture to regions that reads a picture when it is asked for, so a
:class:`~phosphene.data.regions.RegionTable` can use it as it is. Decoding costs about a
millisecond a picture: for training make a store of it once::

    found = OscarRegions(Path("features.tsv"), Path("labels.tsv"))
    stored = store_regions(found, Path("vinvl"), file_producer("VinVL", found.files))

Boxes come out as fractions of the picture. A picture without regions is no error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, final

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.data.lines import read_lines
from phosphene.data.regions import PictureRegions, check_boxes, sides
from phosphene.data.store import Producer
from phosphene.data.tsv import PictureRows, decode, decode_ids

_END_BYTES: Final = 2**20
_SIDES_TOLERANCE: Final = 0.02


@final
class OscarRegions(Mapping[str, PictureRegions]):
    """Oscar and VinVL: a TSV of features and a TSV of labels.

    A row of features is ``id, number of boxes, base64``, or ``id, JSON`` with ``num_boxes`` and
    ``features``; the base64 holds float32 ``[boxes, width + 6]``, the last six being the corners,
    width and height as fractions. A row of labels is ``id, JSON``, a list of objects or
    ``{"objects": [...]}``, each with its ``class`` and perhaps ``attributes``.

    Args:
        features: the TSV; its ``.lineidx`` beside it is used if it is there.
        labels: the TSV of labels, which then must name every picture; no tags if not given.
        offsets: where rows begin, if not ``.lineidx``: JSON of id to byte.
        width: of a feature without its geometry.

    Raises:
        InputError: a file or its offsets cannot be read. A wrong row is found when it is read.
    """

    def __init__(
        self,
        features: Path,
        labels: Path | None = None,
        *,
        offsets: Path | None = None,
        width: int = 2048,
    ) -> None:
        self._features = PictureRows(features, offsets)
        self._labels = None if labels is None else PictureRows(labels)
        self._width = width
        self.files = (features,) if labels is None else (features, labels)

    def __getitem__(self, name: str) -> PictureRegions:
        place, columns = self._features.row(name)
        if len(columns) == 1:
            record = _json(columns[0], place)
            if not isinstance(record, dict) or not {"num_boxes", "features"} <= record.keys():
                raise InputError(f"{place}: expected JSON with num_boxes and features")
            columns = [str(record["num_boxes"]), str(record["features"])]
        if len(columns) != 2 or not columns[0].isdecimal():
            raise InputError(f"{place}: expected id, number of boxes and base64, tab-separated")
        rows = decode(columns[1], (int(columns[0]), self._width + 6), place, "features")
        features, boxes, ends = rows.split([self._width, 4, 2], dim=1)
        checked = check_boxes(boxes, place)
        # Both orders are about: some files have height before width.
        known = (sides(boxes), sides(boxes).flip(1))
        if not any(torch.allclose(ends, each, rtol=0, atol=_SIDES_TOLERANCE) for each in known):
            raise InputError(
                f"{place}: the last two of {self._width + 6} columns are not width and height of "
                "the box before them"
            )
        return PictureRegions(finite(features, place), checked, *self._words(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._features)

    def __len__(self) -> int:
        return len(self._features)

    def _words(self, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        if self._labels is None:
            return (), ()
        if name not in self._labels:
            raise InputError(f"{self._labels.path}: no row for {name!r}: its tags are missing")
        place, columns = self._labels.row(name)
        record = _json(columns[0], place) if len(columns) == 1 else None
        objects = record.get("objects") if isinstance(record, dict) else record
        if not isinstance(objects, list) or not all(
            isinstance(found, dict) and isinstance(found.get("class"), str) for found in objects
        ):
            raise InputError(f"{place}: expected id and a JSON list of objects with a 'class'")
        tags = tuple(found["class"] for found in objects)
        if not any("attributes" in found for found in objects):
            return tags, ()
        return tags, tuple(next(iter(found.get("attributes", ())), "") for found in objects)


_BOTTOM_UP_COLUMNS: Final = (
    "img_h", "img_w", "objects_id", "objects_conf", "attrs_id", "attrs_conf", "num_boxes", "boxes",
    "features",
)  # fmt: skip


@final
class BottomUpRegions(Mapping[str, PictureRegions]):
    """Bottom-up attention as py-bottom-up-attention and LXMERT write it: one TSV of ten columns.

    ``img_id, img_h, img_w, objects_id, objects_conf, attrs_id, attrs_conf, num_boxes, boxes,
    features``, arrays as base64: int64 ids, float32 ``[boxes, 4]`` in pixels and
    ``[boxes, width]``.

    Args:
        table: the TSV; its ``.lineidx`` beside it is used if it is there.
        objects: names of the object classes, one per line (before a comma); no tags if not given.
        attributes: the same for attributes.
        width: of a feature.

    Raises:
        InputError: a file cannot be read. A wrong row is found when it is read.
    """

    def __init__(
        self,
        table: Path,
        objects: Path | None = None,
        attributes: Path | None = None,
        *,
        width: int = 2048,
    ) -> None:
        self._rows = PictureRows(table)
        self._objects, self._attributes = vocabulary(objects), vocabulary(attributes)
        self._width = width
        self.files = tuple(path for path in (table, objects, attributes) if path is not None)

    def __getitem__(self, name: str) -> PictureRegions:
        place, columns = self._rows.row(name)
        numbers = [columns[index] for index in (0, 1, 6)] if len(columns) == 9 else [""]
        if not all(number.isdecimal() for number in numbers):
            raise InputError(f"{place}: expected img_id and {', '.join(_BOTTOM_UP_COLUMNS)}")
        height, width, count = map(int, numbers)
        boxes = decode(columns[7], (count, 4), place, "boxes")
        features = decode(columns[8], (count, self._width), place, "features")
        return PictureRegions(
            finite(features, place),
            fractions(boxes, width, height, place),
            named(decode_ids(columns[2], count, place, "objects_id"), self._objects, place),
            named(decode_ids(columns[4], count, place, "attrs_id"), self._attributes, place),
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def file_producer(name: str, files: Sequence[Path]) -> Producer:
    """Identify files by their sizes and by their first and last mebibyte."""
    hashed = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            size = path.stat().st_size
            hashed.update(f"{size} ".encode() + file.read(_END_BYTES))
            file.seek(max(0, size - _END_BYTES))
            hashed.update(file.read(_END_BYTES))
    return Producer(name, hashed.hexdigest()[:12])


def fractions(
    boxes: Float[Tensor, "region 4"], width: int, height: int, place: str
) -> Float[Tensor, "region 4"]:
    """Boxes in pixels as fractions of a picture of ``width`` by ``height`` pixels.

    Raises:
        InputError: the picture has no size, or a box lies outside it.
    """
    if width < 1 or height < 1:
        raise InputError(f"{place}: a picture of {width} x {height} pixels")
    return check_boxes(boxes / torch.tensor([width, height, width, height]), place)


def vocabulary(path: Path | None) -> tuple[str, ...]:
    """Names of classes, one per line; of synonyms with commas between them the first."""
    return () if path is None else tuple(line.split(",")[0].strip() for line in read_lines(path))


def named(ids: Sequence[int], names: Sequence[str], place: str) -> tuple[str, ...]:
    """The names of classes; none without a vocabulary.

    Raises:
        InputError: an id is beyond the vocabulary.
    """
    if not names:
        return ()
    for number in ids:
        if not 0 <= number < len(names):
            raise InputError(f"{place}: class {number}, but the vocabulary has {len(names):,}")
    return tuple(names[number] for number in ids)


def finite(
    features: Float[Tensor, "region feature"], place: str
) -> Float[Tensor, "region feature"]:
    """``features``, if each is a number.

    Raises:
        InputError: one is not.
    """
    wrong = torch.nonzero(~features.isfinite().all(dim=1)).flatten()
    if len(wrong):
        raise InputError(f"{place}: features of box {int(wrong[0]) + 1} are not finite numbers")
    return features


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError(f"{place}: not JSON ({error})") from error


__all__ = [
    "BottomUpRegions",
    "OscarRegions",
    "file_producer",
    "finite",
    "fractions",
    "named",
    "vocabulary",
]
