"""Regions in a folder with a file per picture: ``ID.npz`` or ``ID.safetensors``.

Both hold these arrays, under these names or those of bottom-up-attention.pytorch (in brackets):

=================  ==================================  ======================================
``features``       float ``[boxes, width]``            (``x``)
``boxes``          float ``[boxes, 4]``                (``bbox``) pixels, or fractions without:
``image_w``        one number                          (``img_w``)
``image_h``        one number                          (``img_h``)
``objects_id``     int ``[boxes]``, optional           needs a vocabulary
``attrs_id``       int ``[boxes]``, optional           needs a vocabulary
=================  ==================================  ======================================

In place of ids, words: arrays of strings ``tags`` and ``attributes`` in an ``.npz``, JSON lists of
these names in the metadata of a ``.safetensors``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, final
from zipfile import BadZipFile

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.data.detections import finite, fractions, named, vocabulary
from phosphene.data.regions import PictureRegions, check_boxes, picture_names

_ALIASES: Final = {"x": "features", "bbox": "boxes", "img_w": "image_w", "img_h": "image_h"}
_ARRAYS: Final = ("features", "boxes", "image_w", "image_h", "objects_id", "attrs_id")
_WORDS: Final = ("tags", "attributes")
Words = dict[str, tuple[str, ...]]


@final
class FolderRegions(Mapping[str, PictureRegions]):
    """Regions by picture; a file is read when its picture is asked for.

    Args:
        folder: where the files are.
        objects: names of the classes in ``objects_id``, one per line.
        attributes: the same for ``attrs_id``.
        width: of a feature.
        need_tags: a picture with boxes must have tags.

    Raises:
        InputError: the folder has no such files. A wrong file is found when it is read.
    """

    def __init__(
        self,
        folder: Path,
        objects: Path | None = None,
        attributes: Path | None = None,
        *,
        width: int = 2048,
        need_tags: bool = False,
    ) -> None:
        found = [path for path in sorted(folder.glob("*")) if path.suffix in _READERS]
        if not found:
            raise InputError(f"{folder}: no .npz or .safetensors file is there")
        self._paths = picture_names(found)
        self._objects, self._attributes = vocabulary(objects), vocabulary(attributes)
        self._width = width
        self._need_tags = need_tags
        self.files = (*found, *(path for path in (objects, attributes) if path is not None))

    def __getitem__(self, name: str) -> PictureRegions:
        path = self._paths[name]
        arrays, words = _READERS[path.suffix](path)
        place = str(path)
        features, boxes = (_matrix(arrays, key, place) for key in ("features", "boxes"))
        if features.shape[1] != self._width or boxes.shape != (len(features), 4):
            raise InputError(
                f"{place}: features {list(features.shape)} and boxes {list(boxes.shape)}, expected "
                f"[boxes, {self._width}] and [boxes, 4]"
            )
        if "image_w" in arrays and "image_h" in arrays:
            width, height = (int(arrays[key]) for key in ("image_w", "image_h"))
            boxes = fractions(boxes, width, height, place)
        else:
            boxes = check_boxes(boxes, place)
        tags = words.get("tags") or self._words(arrays, "objects_id", self._objects, place)
        if self._need_tags and len(boxes) and not tags:
            raise InputError(f"{place}: tags are missing (tags, or objects_id with a vocabulary)")
        return PictureRegions(
            finite(features, place),
            boxes,
            tags,
            words.get("attributes") or self._words(arrays, "attrs_id", self._attributes, place),
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    @staticmethod
    def _words(
        arrays: Mapping[str, Tensor], key: str, names: tuple[str, ...], place: str
    ) -> tuple[str, ...]:
        return named(arrays[key].tolist(), names, f"{place}, {key}") if key in arrays else ()


def _matrix(arrays: Mapping[str, Tensor], key: str, place: str) -> Tensor:
    if key not in arrays:
        raise InputError(f"{place}: no array {key!r}, only {', '.join(arrays) or 'none'}")
    if arrays[key].dim() != 2:
        raise InputError(f"{place}: {key} {list(arrays[key].shape)}, expected two dimensions")
    return arrays[key].float()


def _read_npz(path: Path) -> tuple[dict[str, Tensor], Words]:
    try:
        with path.open("rb") as content, np.load(content, allow_pickle=False) as file:
            # Other entries (dictionaries of bottom-up-attention.pytorch) would need pickle.
            known = {_ALIASES.get(key, key): key for key in file.files}
            arrays = {key: torch.from_numpy(file[known[key]]) for key in _ARRAYS if key in known}
            words = {key: tuple(map(str, file[known[key]])) for key in _WORDS if key in known}
    except (OSError, ValueError, TypeError, BadZipFile) as error:
        raise InputError(f"{path}: not an .npz that can be read safely ({error})") from error
    return arrays, words


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Words]:
    try:
        with safe_open(path, "pt") as file:
            known = {_ALIASES.get(key, key): key for key in file.keys()}  # noqa: SIM118
            arrays = {key: file.get_tensor(known[key]) for key in _ARRAYS if key in known}
            metadata = file.metadata() or {}
        words = {key: tuple(map(str, json.loads(metadata.get(key, "[]")))) for key in _WORDS}
    except (OSError, SafetensorError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a .safetensors of regions ({error})") from error
    return arrays, words


_READERS: Final = {".npz": _read_npz, ".safetensors": _read_safetensors}

__all__ = ["FolderRegions"]
