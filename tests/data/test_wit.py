"""WIT as VALHALLA released it: five lines, one picture that could not be downloaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from phosphene.core.errors import InputError
from phosphene.data.wit import picture_name, wit

ENGLISH = ["a castle on a hill", "the town hall", "a map of the coast", "two ships", "an old coin"]
SPANISH = ["un castillo", "el ayuntamiento", "un mapa de la costa", "dos barcos", "una moneda"]
ADDRESSES = [f"https://upload.example.org/{number}.jpg" for number in range(5)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "wit" / "mmt" / "en_es"
    (folder / "images").mkdir(parents=True)
    write(folder / "train.en", ENGLISH)
    write(folder / "train.es", SPANISH)
    write(folder / "train_url.txt", ADDRESSES)
    write(folder / "train_image.txt", ["3", *map(picture_name, ADDRESSES)])
    for number, address in enumerate(ADDRESSES):
        if number != 3:
            Image.new("RGB", (2, 2)).save(folder / "images" / picture_name(address))
    return tmp_path


def write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def listing(root: Path) -> Path:
    return root / "wit" / "mmt" / "en_es" / "train_image.txt"


def test_names_are_md5_sums_of_addresses() -> None:
    assert picture_name("abc") == "900150983cd24fb0d6963f7d28e17f72.jpg"  # RFC 1321, A.5


def test_every_direction_of_a_folder_can_be_read(root: Path) -> None:
    there, back = wit(root, "train", ("en", "es")), wit(root, "train", ("es", "en"))
    assert [pair.source for pair in there] == ENGLISH == [pair.target for pair in back]
    assert [pair.target for pair in there] == SPANISH
    assert [pair.image is None for pair in there] == [False, False, False, True, False]
    assert there[0].id == "train:1"


def test_the_list_of_missing_pictures_may_be_empty(root: Path) -> None:
    write(listing(root), ["", *map(picture_name, ADDRESSES)])
    with pytest.raises(InputError, match=r"train_image.txt:5: picture .* does not exist"):
        wit(root, "train", ("en", "es"))
    missing = root / "wit" / "mmt" / "en_es" / "images" / picture_name(ADDRESSES[3])
    Image.new("RGB", (2, 2)).save(missing)
    assert all(pair.image is not None for pair in wit(root, "train", ("en", "es")))


def test_before_downloading_there_are_no_pictures(root: Path) -> None:
    listing(root).unlink()
    assert all(pair.image is None for pair in wit(root, "train", ("en", "es")))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["3", *map(picture_name, ADDRESSES[:4])], "4 names below the first line"),
        (["9", *map(picture_name, ADDRESSES)], "train_image.txt:1: expected numbers below 5"),
        (["one", *map(picture_name, ADDRESSES)], "train_image.txt:1: expected numbers"),
        (["3", *map(picture_name, ADDRESSES[::-1])], "train_image.txt:2: .* is not the picture"),
    ],
)
def test_a_wrong_listing_is_refused(root: Path, lines: list[str], message: str) -> None:
    write(listing(root), lines)
    with pytest.raises(InputError, match=message):
        wit(root, "train", ("en", "es"))


def test_wrong_folders_and_lines_are_refused(root: Path) -> None:
    with pytest.raises(InputError, match="no folder en_fr or fr_en; there are: en_es"):
        wit(root, "train", ("en", "fr"))
    with pytest.raises(InputError, match="unknown split 'val'"):
        wit(root, "val", ("en", "es"))
    with pytest.raises(InputError, match="no such file"):
        wit(root, "test", ("en", "es"))
    write(root / "wit" / "mmt" / "en_es" / "train.es", [*SPANISH[:2], " ", *SPANISH[3:]])
    with pytest.raises(InputError, match=r"train\.es:3: blank line"):
        wit(root, "train", ("en", "es"))
