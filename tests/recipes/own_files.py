"""Labelled pictures of one's own for ``modality_kd``: JSON lines and a store of regions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tomli_w
import torch
from tiny_modality import TINY

from phosphene.data.regions import PictureRegions, store_regions
from phosphene.data.shards import Producer

SPLITS = {"train": 12, "validation": 4, "test": 4}
FILES = {name: f"{name}.jsonl" for name in SPLITS}
Row = dict[str, Any]


def rows(name: str, count: int) -> list[Row]:
    """Examples with two labels in turn; every third one has no picture."""
    return [
        {
            "id": f"{name}-{number}",
            "text": f"a plot of {number} words",
            "label": ("calm", "loud")[number % 2],
            **({} if number % 3 == 2 else {"image": f"photos/{name}-{number}.jpg"}),
        }
        for number in range(count)
    ]


def write_rows(path: Path, found: list[Row]) -> None:
    """One JSON object a line, and a file for every picture."""
    for row in found:
        if "image" in row:
            picture = path.parent / row["image"]
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.write_bytes(b"picture")
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")


def write_regions(folder: Path, names: list[str], producer: str = "0") -> None:
    """Two regions of width 3 for each picture."""
    torch.manual_seed(0)
    boxes = torch.tensor([[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]])
    found = {name: PictureRegions(torch.rand(2, 3), boxes) for name in names}
    store_regions(found, folder, Producer("detector", producer))


def write_own(root: Path) -> Path:
    """A configuration, and the files that it names."""
    every = {name: rows(name, count) for name, count in SPLITS.items()}
    for name, found in every.items():
        write_rows(root / FILES[name], found)
    pictures = [
        Path(row["image"]).stem for found in every.values() for row in found if "image" in row
    ]
    write_regions(root / "regions", pictures)
    files = {name: str(root / file) for name, file in FILES.items()}
    own = {
        "source": "files",
        "meta_examples": 2,
        "files": {
            "format": "jsonl",
            "labels": ["calm", "loud"],
            "regions": str(root / "regions"),
            **files,
        },
    }
    (root / "own.toml").write_text(tomli_w.dumps({**TINY, "data": own}), encoding="utf-8")
    return root / "own.toml"


__all__ = ["FILES", "Row", "rows", "write_own", "write_regions", "write_rows"]
