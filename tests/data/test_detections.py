"""Files of published detectors, made up in their official formats."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from phosphene.core.errors import InputError
from phosphene.data.detections import BottomUpRegions, OscarRegions, file_producer
from phosphene.data.region_files import FolderRegions
from phosphene.data.regions import PictureRegions, RegionTable, store_regions

COUNTS = (3, 1, 0, 2, 4)
"""Regions of each of the five pictures."""
WIDTH = 8
NAMES = tuple(f"4{number}" for number in range(5))


def coded(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


def features(number: int) -> np.ndarray:
    rng = np.random.default_rng(number)
    return rng.normal(size=(COUNTS[number], WIDTH)).astype(np.float32)


def fractions(number: int) -> np.ndarray:
    rng = np.random.default_rng(100 + number)
    corners = rng.uniform(0, 0.5, (COUNTS[number], 4)) + np.array([0, 0, 0.5, 0.5])
    return corners.astype(np.float32)


def nouns(number: int) -> tuple[str, ...]:
    return tuple(f"thing{index}" for index in range(COUNTS[number]))


def check(found: Mapping[str, PictureRegions], *, attributes: bool) -> None:
    """``found`` is what the fixtures say."""
    assert tuple(found) == NAMES and len(found) == 5
    for number, name in enumerate(NAMES):
        picture = found[name]
        assert np.array_equal(picture.features.numpy(), features(number))
        assert np.allclose(picture.boxes.numpy(), fractions(number), atol=1e-6)
        assert picture.tags == nouns(number)
        expected = ("red", *[""] * (COUNTS[number] - 1))[: COUNTS[number]] if attributes else ()
        assert picture.attributes == expected
    assert "unknown" not in found and found.get("unknown") is None
    regions = RegionTable(found, geometry=6).regions(NAMES)
    assert regions.mask.sum(dim=1).tolist() == list(COUNTS)


def oscar_rows(number: int, *, high_first: bool = False) -> np.ndarray:
    boxes = fractions(number)
    ends = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate([features(number), boxes, ends[:, ::-1] if high_first else ends], axis=1)


def write_rows(path: Path, rows: list[list[str]], *, lineidx: bool = True) -> Path:
    lines = ["\t".join(row) + "\n" for row in rows]
    path.write_text("".join(lines))
    if lineidx:
        starts = np.cumsum([0, *(len(line.encode()) for line in lines)])[:-1]
        path.with_suffix(".lineidx").write_text("".join(f"{start}\n" for start in starts))
    return path


def oscar(folder: Path, *, lineidx: bool = True, high_first: bool = False) -> Path:
    """Oscar's three columns."""
    rows = [
        [name, str(COUNTS[number]), coded(oscar_rows(number, high_first=high_first))]
        for number, name in enumerate(NAMES)
    ]
    return write_rows(folder / "features.tsv", rows, lineidx=lineidx)


def labels(folder: Path) -> Path:
    """VinVL's labels, with attributes; the order of the pictures is another one."""
    rows = []
    for number, name in reversed(list(enumerate(NAMES))):
        objects = [
            {"class": noun, "conf": 0.9, "rect": [0, 0, 1, 1], "attributes": []}
            for noun in nouns(number)
        ]
        for found in objects[:1]:
            found["attributes"] = ["red", "old"]
        rows.append([name, json.dumps(objects)])
    return write_rows(folder / "labels.tsv", rows)


@pytest.mark.parametrize("lineidx", [True, False])
@pytest.mark.parametrize("high_first", [True, False])
def test_oscar(tmp_path: Path, lineidx: bool, high_first: bool) -> None:
    path = oscar(tmp_path, lineidx=lineidx, high_first=high_first)
    check(OscarRegions(path, labels(tmp_path), width=WIDTH), attributes=True)


def test_vinvl_with_json_in_its_rows_and_objects_under_a_key(tmp_path: Path) -> None:
    rows = [
        [name, json.dumps({"num_boxes": COUNTS[number], "features": coded(oscar_rows(number))})]
        for number, name in enumerate(NAMES)
    ]
    words = [
        [name, json.dumps({"objects": [{"class": noun} for noun in nouns(number)]})]
        for number, name in enumerate(NAMES)
    ]
    found = OscarRegions(
        write_rows(tmp_path / "feature.tsv", rows),
        write_rows(tmp_path / "label.tsv", words),
        width=WIDTH,
    )
    check(found, attributes=False)


def test_oscar_with_a_json_offset_map(tmp_path: Path) -> None:
    path = oscar(tmp_path)
    lineidx = path.with_suffix(".lineidx")
    offsets = tmp_path / "offset_map.json"
    starts = map(int, lineidx.read_text().split())
    offsets.write_text(json.dumps(dict(zip(NAMES, starts, strict=True))))
    lineidx.unlink()
    found = OscarRegions(path, labels(tmp_path), offsets=offsets, width=WIDTH)
    check(found, attributes=True)
    few = json.loads(offsets.read_text())
    del few["41"], few["42"]
    offsets.write_text(json.dumps(few))
    found = OscarRegions(path, offsets=offsets, width=WIDTH)
    assert tuple(found) == ("40", "43", "44") and len(found["40"].boxes) == COUNTS[0]
    with pytest.raises(InputError, match=r"features.tsv, byte 0 \(40\): 42 numbers of features"):
        OscarRegions(path, offsets=offsets, width=WIDTH + 1)["40"]


def test_a_store_made_of_a_file_knows_the_file(tmp_path: Path) -> None:
    found = OscarRegions(oscar(tmp_path), labels(tmp_path), width=WIDTH)
    producer = file_producer("VinVL", found.files)
    stored = store_regions(found, tmp_path / "store", producer)
    assert stored["43"].tags == nouns(3)
    assert np.allclose(stored["43"].features.float().numpy(), features(3), rtol=1e-3)
    assert file_producer("VinVL", found.files) == producer
    found.files[1].write_text(found.files[1].read_text().replace("old", "new"))
    assert file_producer("VinVL", found.files) != producer


def test_pictures_without_labels_have_no_tags(tmp_path: Path) -> None:
    assert OscarRegions(oscar(tmp_path), width=WIDTH)["40"].tags == ()


def replaced(path: Path, row: int, column: int, value: str) -> None:
    """Another value in one column (from 0) of one row (from 1), and offsets that fit."""
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    rows[row - 1][column] = value
    write_rows(path, rows)


def wide(folder: Path) -> None:
    replaced(folder / "features.tsv", 4, 2, coded(np.zeros((2, WIDTH + 4), np.float32)))


def outside(folder: Path) -> None:
    rows = oscar_rows(3)
    rows[1, WIDTH + 2] = 1.5
    replaced(folder / "features.tsv", 4, 2, coded(rows))


def not_sides(folder: Path) -> None:
    rows = oscar_rows(3)
    rows[:, -2:] = 0
    replaced(folder / "features.tsv", 4, 2, coded(rows))


def infinite(folder: Path) -> None:
    rows = oscar_rows(3)
    rows[1, 0] = np.inf
    replaced(folder / "features.tsv", 4, 2, coded(rows))


def unlabelled(folder: Path) -> None:
    lines = (folder / "labels.tsv").read_text().splitlines()
    write_rows(folder / "labels.tsv", [line.split("\t") for line in lines if line[:2] != "43"])


def shifted(folder: Path) -> None:
    offsets = folder / "features.lineidx"
    starts = offsets.read_text().split()
    starts[3] = str(int(starts[3]) + 1)
    offsets.write_text("\n".join(starts) + "\n")


def skipping(folder: Path) -> None:
    """The fourth row has no offset, so that the third seems to hold it."""
    offsets = folder / "features.lineidx"
    starts = offsets.read_text().split()
    offsets.write_text("\n".join(starts[:3] + starts[4:]) + "\n")


def beyond(folder: Path) -> None:
    offsets = folder / "features.lineidx"
    offsets.write_text(offsets.read_text() + "99999\n")


@pytest.mark.parametrize(
    ("damage", "name", "message"),
    [
        (wide, "43", r"features.tsv, row 4 \(43\): 24 numbers of features, expected 2 x 14 float"),
        (outside, "43", r"features.tsv, row 4 \(43\): box 2 is \(.* 1.5, "),
        (not_sides, "43", r"row 4 \(43\): the last two of 14 columns are not width and height"),
        (infinite, "43", r"row 4 \(43\): features of box 2 are not finite numbers"),
        (unlabelled, "43", r"labels.tsv: no row for '43': its tags are missing"),
        (shifted, "43", r"features.lineidx: the offsets do not fit .*features.tsv .*its line 4"),
        (
            skipping,
            "42",
            r"features.lineidx: the offsets do not fit .*row 3 is not that of '42'",
        ),
        (beyond, "40", r"features.lineidx: the offsets do not fit .*its line 6 says '99999'"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, damage: Callable[[Path], None], name: str, message: str
) -> None:
    path, words = oscar(tmp_path), labels(tmp_path)
    damage(tmp_path)
    with pytest.raises(InputError, match=message):
        OscarRegions(path, words, width=WIDTH)[name]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["43", "two", ""], r"row 4 \(43\): expected id, number of boxes and base64"),
        (["43", "2", "?"], r"row 4 \(43\): features are not base64"),
        (["43", "{"], r"row 4 \(43\): not JSON"),
        (["43", '{"num_boxes": 2}'], r"row 4 \(43\): expected JSON with num_boxes and features"),
        (["40", "0", ""], r"row 4: '40' stands in row 1 already"),
        (["43"], r"row 4: expected an id and a tab"),
    ],
)
def test_a_row_that_is_none_is_named(tmp_path: Path, row: list[str], message: str) -> None:
    rows = [[name, "0", ""] for name in NAMES]
    rows[3] = row
    path = write_rows(tmp_path / "features.tsv", rows)
    with pytest.raises(InputError, match=rf"features.tsv, {message}"):
        OscarRegions(path, width=WIDTH)["43"]


def test_labels_that_are_none_are_named(tmp_path: Path) -> None:
    path, words = oscar(tmp_path), labels(tmp_path)
    replaced(words, 5, 1, '[{"name": "dog"}]')
    with pytest.raises(InputError, match=r"labels.tsv, row 5 \(40\): expected id and a JSON list"):
        OscarRegions(path, words, width=WIDTH)["40"]
    missing = tmp_path / "none.tsv"
    with pytest.raises(InputError, match=r"none.tsv: cannot be read \(No such file"):
        OscarRegions(missing)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "expected JSON of id to byte offset"),
        ("{", "expected JSON of id to byte offset"),
        ('{"40": 99999}', "offsets do not fit .*'40' is at byte 99,999"),
        ('{"41": 0}', r"offsets do not fit .*byte 0 is not that of '41'"),
    ],
)
def test_an_offset_map_that_does_not_fit_is_named(
    tmp_path: Path, content: str, message: str
) -> None:
    offsets = tmp_path / "offset_map.json"
    offsets.write_text(content)
    path = oscar(tmp_path)
    with pytest.raises(InputError, match=rf"offset_map.json: .*{message}"):
        OscarRegions(path, offsets=offsets, width=WIDTH)["41"]


SIZE = (500, 375)
"""Width and height of the pictures whose boxes are in pixels."""


def pixels(number: int) -> np.ndarray:
    return fractions(number) * np.array([*SIZE, *SIZE], np.float32)


def bottom_up(folder: Path) -> tuple[Path, Path, Path]:
    rows = []
    for number, name in enumerate(NAMES):
        count = COUNTS[number]
        scores, classes = np.ones(count, np.float32), np.arange(count, dtype=np.int64)
        rows.append(
            [
                name, str(SIZE[1]), str(SIZE[0]), coded(classes), coded(scores),
                coded(np.minimum(classes, 1)), coded(scores), str(count),
                coded(pixels(number)), coded(features(number)),
            ]
        )  # fmt: skip
    objects, attributes = folder / "objects_vocab.txt", folder / "attributes_vocab.txt"
    objects.write_text("".join(f"thing{index},object{index}\n" for index in range(4)))
    attributes.write_text("red\n\n")
    return write_rows(folder / "boxes36.tsv", rows), objects, attributes


def test_bottom_up_attention(tmp_path: Path) -> None:
    check(BottomUpRegions(*bottom_up(tmp_path), width=WIDTH), attributes=True)
    assert BottomUpRegions(tmp_path / "boxes36.tsv", width=WIDTH)["40"].tags == ()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (9, coded(np.zeros((2, 9), np.float32)), "18 numbers of features, expected 2 x 8 float32"),
        (2, "100", r"box 1 is \("),
        (2, "0", "a picture of 0 x 375 pixels"),
        (3, coded(np.array([0, 9])), "class 9, but the vocabulary has 4"),
        (7, "x", "expected img_id and img_h, img_w"),
        (5, coded(np.array([0])), "1 numbers of attrs_id, expected 2 int64"),
    ],
)
def test_a_wrong_row_of_bottom_up_attention_is_named(
    tmp_path: Path, column: int, value: str, message: str
) -> None:
    files = bottom_up(tmp_path)
    replaced(files[0], 4, column, value)
    with pytest.raises(InputError, match=rf"boxes36.tsv, row 4 \(43\): {message}"):
        BottomUpRegions(*files, width=WIDTH)["43"]


def folder_of_arrays(folder: Path) -> Path:
    """Five pictures in every form that is read."""
    arrays = [{"features": features(n), "boxes": fractions(n)} for n in range(5)]
    sizes = {"image_w": np.array(SIZE[0]), "image_h": np.array(SIZE[1])}
    attributes = [np.array(["red", "", "", ""][: COUNTS[n]], dtype=str) for n in range(5)]
    for number in (0, 2):
        np.savez(
            folder / f"4{number}.npz",
            **arrays[number],
            tags=np.array(nouns(number), dtype=str),
            attributes=attributes[number],
        )
    np.savez_compressed(
        folder / "41.npz",
        x=features(1),
        bbox=pixels(1),
        **sizes,
        objects_id=np.arange(1),
        attrs_id=np.zeros(1, np.int64),
        info=np.array({"not": "read"}, dtype=object),
    )
    for number in (3, 4):
        tensors = {key: torch.from_numpy(value) for key, value in arrays[number].items()}
        words = {"tags": nouns(number), "attributes": attributes[number].tolist()}
        save_file(
            tensors,
            folder / f"4{number}.safetensors",
            {key: json.dumps(value) for key, value in words.items()},
        )
    (folder / "readme.md").write_text("not a picture")
    return folder


def test_a_folder_of_arrays(tmp_path: Path) -> None:
    _, objects, attributes = bottom_up(tmp_path)
    folder = tmp_path / "arrays"
    folder.mkdir()
    found = FolderRegions(
        folder_of_arrays(folder), objects, attributes, width=WIDTH, need_tags=True
    )
    check(found, attributes=True)


def test_what_is_wrong_in_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \.npz or \.safetensors file is there"):
        FolderRegions(tmp_path)
    folder_of_arrays(tmp_path)
    found = FolderRegions(tmp_path, width=WIDTH, need_tags=True)
    with pytest.raises(InputError, match=r"41.npz: tags are missing \(tags, or objects_id with"):
        found["41"]
    with pytest.raises(InputError, match=r"40.npz: features \[3, 8\] and boxes \[3, 4\], expected"):
        FolderRegions(tmp_path)["40"]
    np.savez(tmp_path / "40.npz", features=features(0))
    with pytest.raises(InputError, match=r"40.npz: no array 'boxes', only features"):
        found["40"]
    np.savez(tmp_path / "40.npz", features=features(0), boxes=pixels(0))
    with pytest.raises(InputError, match=r"40.npz: box 1 is .* in fractions of the picture"):
        found["40"]
    for name in ("42.npz", "43.safetensors"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:40])
        with pytest.raises(InputError, match=rf"{name}: not an? {path.suffix}"):
            found[path.stem]
