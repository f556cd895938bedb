"""Photos from disk to pixels: each decoded once, kept as bytes, made floats by the batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps
from torch import Tensor

from phosphene.core.errors import InputError

Progress = Callable[[int, int], None]
"""Called with (pictures done, pictures in all)."""

_PROGRESS_EVERY: Final = 100


def existing_picture(path: Path, place: str) -> Path:
    """``path``, where it is a file.

    Raises:
        InputError: it is not, or cannot be: a name that is too long, a folder that is closed.
    """
    try:
        exists = path.is_file()
    except OSError as error:
        raise InputError(f"{place}: picture {path} cannot be read ({error.strerror})") from error
    if not exists:
        raise InputError(f"{place}: picture {path} does not exist")
    return path


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


def _opaque(picture: Image.Image) -> Image.Image:
    """``picture`` in RGB, 16-bit grey scaled to 8 bits, laid on white where it is transparent."""
    if picture.mode.startswith("I"):
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layers = picture.convert("RGBA")
    white = Image.new("RGBA", layers.size, "white")
    return Image.alpha_composite(white, layers).convert("RGB")


__all__ = ["Progress", "load_rgb", "to_tensor"]
