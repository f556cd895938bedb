"""What a detector found in pictures: region features, where they are, and what it calls them.

A picture's regions and its tags lie in a store (:mod:`phosphene.data.store`) or, in the embedded
world, in memory; a :class:`RegionTable` puts the regions of many pictures side by side. Files of
published detectors become a store through :mod:`phosphene.data.detections`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.core.types import Regions
from phosphene.data.store import Arrays, Producer, Store, StoreWriter, pad

Geometry = Literal[4, 6]
"""How many numbers tell where a region is: its corners, or its corners, width and height."""

HALF: Final = ("features",)
"""What a store of regions keeps in float16."""

_NO_BOXES: Final = torch.zeros(0, 4)


@dataclass(frozen=True)
class PictureRegions:
    """The regions of one picture, the most confident first, and its tags.

    ``boxes`` are ``x1, y1, x2, y2`` as fractions of width and height, origin at the top left.
    ``tags`` name what is in the picture, one per region or merged over regions; ``attributes`` has
    one for each tag (``""`` for none), or is empty if the detector tells none.
    """

    features: Float[Tensor, "region feature"]
    boxes: Float[Tensor, "region 4"]
    tags: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()

    def arrays(self) -> Arrays:
        """As an entry of a store; the words are JSON in UTF-8."""
        words = json.dumps([self.tags, self.attributes], ensure_ascii=False).encode()
        return {
            "features": self.features,
            "boxes": self.boxes,
            "words": torch.frombuffer(bytearray(words), dtype=torch.uint8),
        }

    @classmethod
    def of(cls, arrays: Arrays) -> PictureRegions:
        """The inverse of ``arrays``; features that were stored in float16 stay so."""
        tags, attributes = json.loads(arrays["words"].numpy().tobytes())
        return cls(arrays["features"], arrays["boxes"], tuple(tags), tuple(attributes))


@final
class StoredRegions(Mapping[str, PictureRegions]):
    """Regions in a store, by picture.

    Raises:
        InputError: the folder holds no intact store of regions, or one of another producer.
    """

    def __init__(self, folder: Path, producer: Producer | None = None) -> None:
        self.store = Store(folder, producer)
        if len(self.store) and self.store.arrays.keys() != {"features", "boxes", "words"}:
            raise InputError(f"{folder}: a store of {', '.join(self.store.arrays)}, not of regions")

    def __getitem__(self, name: str) -> PictureRegions:
        if name not in self.store:
            raise KeyError(name)
        return PictureRegions.of(self.store.read([name])[0])

    def __iter__(self) -> Iterator[str]:
        return iter(self.store)

    def __len__(self) -> int:
        return len(self.store)

    def __contains__(self, name: object) -> bool:
        return name in self.store


def store_regions(
    pictures: Mapping[str, PictureRegions],
    folder: Path,
    producer: Producer,
    log: RunLog | None = None,
) -> StoredRegions:
    """Put regions into a store, features in float16; what is there already is not read again.

    Args:
        pictures: regions by picture; may be read (or computed) one by one.
        folder: where the store is or will be.
        producer: who found them.
        log: shows progress.

    Raises:
        InputError: the store there is of another producer or damaged, or a picture is wrong.
    """
    log = log or RunLog(None, quiet=True)
    with StoreWriter(folder, producer, half=HALF, wait=log.say) as writer:
        missing = writer.missing(pictures)
        done = len(pictures) - len(missing)
        with log.progress("storing regions", len(pictures), done) as advance:
            for number, name in enumerate(missing, start=done + 1):
                writer.add(name, pictures[name].arrays())
                advance(number)
    return StoredRegions(folder, producer)


@final
class RegionTable:
    """The regions of pictures, with their geometry, ready for a model.

    Args:
        pictures: regions and tags by the picture's name (for a photo its file name without
            suffix).
        geometry: numbers of geometry behind each feature: 4 (Kong and Fan) or 6 (Oscar).
        most: at most so many regions of a picture, the first ones.

    Raises:
        InputError: there are no pictures.
    """

    def __init__(
        self,
        pictures: Mapping[str, PictureRegions],
        *,
        geometry: Geometry = 4,
        most: int | None = None,
    ) -> None:
        first = next(iter(pictures.values()), None)
        if first is None:
            raise InputError("there are no pictures with regions")
        self.pictures = pictures
        self.geometry = geometry
        self.most = most
        self.width = first.features.shape[1] + geometry
        """Numbers of a region: its feature and its geometry."""

    def __contains__(self, name: object) -> bool:
        return name in self.pictures

    def regions(self, names: Sequence[str | None]) -> Regions:
        """The regions of pictures side by side, in float32.

        Args:
            names: which pictures; ``None`` stands for no picture.
        """
        pictures = [None if name is None else self.pictures[name] for name in names]
        boxes, mask = pad(
            [_NO_BOXES if each is None else each.boxes[: self.most] for each in pictures]
        )
        ends = [sides(boxes)] if self.geometry == 6 else []
        geometry = torch.cat([boxes, *ends], dim=-1)
        values = torch.zeros(*mask.shape, self.width)
        values[..., -self.geometry :] = geometry
        # Straight to their place and not through ``pad``: features are nearly all there is to copy.
        for row, picture in enumerate(pictures):
            if picture is not None:
                features = picture.features[: self.most]
                values[row, : len(features), : -self.geometry] = features
        return Regions(values, mask)

    def tags(self, name: str) -> tuple[str, ...]:
        """What is in a picture."""
        return self.pictures[name].tags

    def counts(self) -> dict[str, str]:
        """What the table holds, for a person."""
        found = [(len(picture.boxes), len(picture.tags)) for picture in self.pictures.values()]
        regions = sum(regions for regions, _ in found)
        return {
            "pictures": f"{len(found):,}",
            "regions": f"{regions:,}, {regions / len(found):.1f} per picture",
            "pictures without regions": f"{sum(not regions for regions, _ in found):,}",
            "pictures without tags": f"{sum(not tags for _, tags in found):,}",
        }


def sides(boxes: Float[Tensor, "*batch region 4"]) -> Float[Tensor, "*batch region 2"]:
    """Width and height of boxes."""
    return boxes[..., 2:] - boxes[..., :2]


def check_boxes(
    boxes: Float[Tensor, "region 4"], place: str, tolerance: float = 0.01
) -> Float[Tensor, "region 4"]:
    """Boxes as fractions of the picture, what stands over its edge by rounding cut off.

    Raises:
        InputError: a box (from 1) lies outside the picture or has its corners in another order;
            the message starts with ``place``.
    """
    # Written so that a box which is not a number is wrong too.
    inside = ((boxes >= -tolerance) & (boxes <= 1 + tolerance)).all(dim=1)
    for number in torch.nonzero(~(inside & (sides(boxes) >= 0).all(dim=1))).flatten().tolist():
        corners = ", ".join(f"{corner:.4g}" for corner in boxes[number].tolist())
        raise InputError(
            f"{place}: box {number + 1} is ({corners}) in fractions of the picture, expected "
            "x1 <= x2 and y1 <= y2 within it"
        )
    return boxes.clamp(0, 1)


def picture_names(paths: Iterable[Path]) -> dict[str, Path]:
    """Photos by their names, which are their file names without suffix.

    Raises:
        InputError: two files have the same name.
    """
    named: dict[str, Path] = {}
    for path in paths:
        other = named.setdefault(path.stem, path)
        if other != path:
            raise InputError(f"{other} and {path}: two pictures with the name {path.stem!r}")
    return named


__all__ = [
    "HALF",
    "Geometry",
    "PictureRegions",
    "RegionTable",
    "StoredRegions",
    "check_boxes",
    "picture_names",
    "sides",
    "store_regions",
]
