"""Photos from disk to pixels: each decoded once, kept as bytes, made floats by the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.types import Pixels

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""

_PROGRESS_EVERY: Final = 100


def load_rgb(path: Path, size: int) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """A picture as a square of ``size`` pixels.

    The shorter side is scaled to ``size`` (bilinear, antialiased) and the centre is cut out; a
    picture that is square already is only scaled. The camera's orientation is applied; what is
    transparent becomes white.

    Raises:
        InputError: the file is missing, truncated, too large to decode safely, or no picture.
    """
    try:
        with Image.open(path) as file:
            picture = _opaque(ImageOps.exif_transpose(file))
    except FileNotFoundError:
        raise InputError(f"{path}: no such picture") from None
    except Exception as error:  # decoders raise many types for a damaged file
        raise InputError(f"{path}: expected a picture, but: {error}") from error
    square = ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)
    return np.array(square)


def to_tensor(
    pictures: UInt8[np.ndarray, "photo height width 3"],
) -> Float[Tensor, "photo 3 height width"]:
    """Bytes to floats in [0, 1], channels first."""
    return torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()).float() / 255


@final
class PictureSet:
    """Pictures decoded once, found by the id of their example.

    Examples that share a file share its bytes. 6,988 photos of 112 pixels take 263 MB.
    """

    def __init__(
        self, values: UInt8[np.ndarray, "photo size size 3"], rows: Mapping[str, int]
    ) -> None:
        """``values`` are the pictures; ``rows`` says which of them each example shows."""
        self._values = values
        self._rows = dict(rows)

    @classmethod
    def decode(
        cls,
        pictures: Mapping[str, Path],
        size: int,
        *,
        file: Path | None = None,
        progress: Progress | None = None,
    ) -> PictureSet:
        """Read every picture.

        Args:
            pictures: a file for each example that has one.
            size: side of the squares, in pixels.
            file: a new ``.npy`` file that holds the bytes instead of main memory.
            progress: told now and then how far the reading is.

        Raises:
            InputError: as ``load_rgb``, for the first bad picture.
        """
        paths = list(dict.fromkeys(pictures.values()))
        shape = (len(paths), size, size, 3)
        values: np.ndarray
        if file is None:
            values = np.empty(shape, dtype=np.uint8)
        else:
            values = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
        for row, path in enumerate(paths):
            values[row] = load_rgb(path, size)
            done = row + 1
            if progress is not None and (done % _PROGRESS_EVERY == 0 or done == len(paths)):
                progress(done, len(paths))
        place = {path: row for row, path in enumerate(paths)}
        return cls(values, {identifier: place[path] for identifier, path in pictures.items()})

    def __len__(self) -> int:
        """Examples with a picture."""
        return len(self._rows)

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._rows

    def pixels(self, ids: Sequence[str]) -> Pixels:
        """The pictures of a batch of examples; those without one are passed over."""
        found = [(row, self._rows[name]) for row, name in enumerate(ids) if name in self._rows]
        rows = torch.tensor([row for row, _ in found], dtype=torch.long)
        return Pixels(to_tensor(self._values[[picture for _, picture in found]]), rows)


def _opaque(picture: Image.Image) -> Image.Image:
    """``picture`` in RGB, 16-bit grey scaled to 8 bits, laid on white where it is transparent."""
    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layers = picture.convert("RGBA")
    white = Image.new("RGBA", layers.size, "white")
    return Image.alpha_composite(white, layers).convert("RGB")


__all__ = ["PictureSet", "Progress", "load_rgb", "to_tensor"]
