"""Regions of a blank picture: every region is the mean one, and nothing has a name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import final

import torch

from phosphene.data.regions import PictureRegions, RegionTable


@final
class _Blank(Mapping[str, PictureRegions]):
    """The same pictures with as many regions in the same places, all alike."""

    def __init__(self, pictures: Mapping[str, PictureRegions], feature: torch.Tensor) -> None:
        self._pictures = pictures
        self._feature = feature

    def __getitem__(self, name: str) -> PictureRegions:
        boxes = self._pictures[name].boxes
        return PictureRegions(self._feature.expand(len(boxes), -1), boxes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._pictures)

    def __len__(self) -> int:
        return len(self._pictures)


def blank_regions(table: RegionTable, names: Sequence[str]) -> RegionTable:
    """``table`` with the mean region of the pictures ``names`` in place of every region."""
    found = [table.pictures[name].features[: table.most].float() for name in dict.fromkeys(names)]
    mean = torch.cat(found).mean(dim=0)
    return RegionTable(_Blank(table.pictures, mean), geometry=table.geometry, most=table.most)


__all__ = ["blank_regions"]
