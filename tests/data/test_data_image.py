"""Pictures: geometry, colour and orientation by hand; damaged files are named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.errors import InputError
from phosphene.data.image import PictureSet, load_rgb, to_tensor

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


def test_a_set_gives_the_pictures_of_a_batch(tmp_path: Path) -> None:
    red, blue = plain(tmp_path / "red.png", RED), plain(tmp_path / "blue.png", BLUE)
    pictures = PictureSet.decode({"a": red, "b": blue, "c": red}, 4)
    assert len(pictures) == 3
    assert "a" in pictures
    assert "x" not in pictures
    pixels = pictures.pixels(["x", "b", "y", "c", "a"])
    assert pixels.rows.tolist() == [1, 3, 4]
    assert pixels.values[:, :, 0, 0].tolist() == [[0, 0, 1], [1, 0, 0], [1, 0, 0]]
    none = pictures.pixels(["x", "y"])
    assert none.values.shape == (0, 3, 4, 4)
    assert none.rows.tolist() == []


def test_a_set_on_disk_equals_a_set_in_memory(tmp_path: Path) -> None:
    stripes(RED, GREEN, BLUE).save(tmp_path / "stripes.png")
    files = {"a": plain(tmp_path / "red.png", RED), "b": tmp_path / "stripes.png"}
    in_memory = PictureSet.decode(files, 5).pixels(["a", "b"])
    on_disk = PictureSet.decode(files, 5, file=tmp_path / "pictures.npy").pixels(["a", "b"])
    assert torch.equal(in_memory.values, on_disk.values)
    assert np.load(tmp_path / "pictures.npy", mmap_mode="r").shape == (2, 5, 5, 3)


def test_an_empty_set_is_fine(tmp_path: Path) -> None:
    assert PictureSet.decode({}, 4).pixels(["a"]).values.shape == (0, 3, 4, 4)
    assert len(PictureSet.decode({}, 4, file=tmp_path / "none.npy")) == 0


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    red = plain(tmp_path / "red.png", RED)
    files = {str(number): tmp_path / f"{number}.png" for number in range(205)}
    for path in files.values():
        path.write_bytes(red.read_bytes())
    told: list[tuple[int, int]] = []
    PictureSet.decode(files, 2, progress=lambda done, total: told.append((done, total)))
    assert told == [(100, 205), (200, 205), (205, 205)]


def test_the_first_bad_picture_of_a_set_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"bad\.png"):
        PictureSet.decode({"a": tmp_path / "bad.png"}, 2)
