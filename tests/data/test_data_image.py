"""Pictures: geometry, colour and orientation by hand; damaged files are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.core.errors import InputError
from phosphene.data.image import load_rgb, to_tensor

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def stripes(*colours: tuple[int, int, int], side: int = 20) -> Image.Image:
    """Squares of one colour each, from left to right."""
    picture = Image.new("RGB", (side * len(colours), side))
    for number, colour in enumerate(colours):
        picture.paste(colour, (side * number, 0, side * (number + 1), side))
    return picture


def plain(path: Path, colour: tuple[int, int, int]) -> Path:
    Image.new("RGB", (9, 9), colour).save(path)
    return path


def test_the_centre_of_a_wide_picture_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    stripes(RED, GREEN, BLUE).save(path)
    pixels = load_rgb(path, 8)
    assert pixels.shape == (8, 8, 3)
    assert pixels.dtype == np.uint8
    assert (pixels[:, 1:-1] == GREEN).all()  # at the cut the filter still sees the neighbours
    assert (pixels[:, [0, -1], 1] > 200).all()


def test_the_centre_of_a_tall_picture_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "tall.png"
    stripes(RED, GREEN, BLUE).rotate(90, expand=True).save(path)
    assert (load_rgb(path, 8)[1:-1] == GREEN).all()


def test_a_square_picture_is_only_scaled(tmp_path: Path) -> None:
    picture = stripes(RED, BLUE).resize((40, 40))
    picture.save(tmp_path / "square.png")
    pixels = load_rgb(tmp_path / "square.png", 4)
    assert (pixels[:, 0] == RED).all()
    assert (pixels[:, -1] == BLUE).all()


def test_the_orientation_of_the_camera_is_applied(tmp_path: Path) -> None:
    picture = stripes(RED, BLUE).resize((16, 16))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: the left side comes up
    picture.save(tmp_path / "turned.png", exif=exif)
    pixels = load_rgb(tmp_path / "turned.png", 16)
    assert (pixels[0] == RED).all()
    assert (pixels[-1] == BLUE).all()


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("RGBA", (5, 5), (255, 0, 0, 0)), (255, 255, 255)),
        (Image.new("RGBA", (5, 5), (255, 0, 0, 255)), RED),
        (Image.new("LA", (5, 5), (40, 255)), (40, 40, 40)),
        (Image.new("L", (5, 5), 77), (77, 77, 77)),
        (Image.new("1", (5, 5), 1), (255, 255, 255)),
        (Image.new("RGB", (5, 5), GREEN).convert("P"), GREEN),
        (Image.fromarray(np.full((5, 5), 0x4D12, dtype=np.uint16)), (0x4D, 0x4D, 0x4D)),
    ],
    ids=["transparent", "opaque", "grey-alpha", "grey", "bilevel", "palette", "16-bit"],
)
def test_every_kind_of_pixel_becomes_rgb(
    tmp_path: Path, picture: Image.Image, expected: tuple[int, int, int]
) -> None:
    picture.save(tmp_path / "kind.png")
    assert (load_rgb(tmp_path / "kind.png", 3) == expected).all()


def test_bad_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jpg: no such picture"):
        load_rgb(tmp_path / "none.jpg", 8)
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(InputError, match=r"text\.jpg: expected a picture"):
        load_rgb(tmp_path / "text.jpg", 8)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"half\.jpg: expected a picture, but: .*truncated"):
        load_rgb(tmp_path / "half.jpg", 8)
    with pytest.raises(InputError, match="expected a picture"):
        load_rgb(tmp_path, 8)


def test_bytes_become_fractions_with_channels_first() -> None:
    pictures = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    pictures[0, 0, 1] = (255, 51, 0)
    tensor = to_tensor(pictures)
    assert tensor.shape == (1, 3, 2, 2)
    assert tensor[0, :, 0, 1].tolist() == pytest.approx([1.0, 0.2, 0.0])
    assert tensor.sum().item() == pytest.approx(1.2)
