"""Readers of labelled pictures with sentences: five rows of each format, and every bad one."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from phosphene.core.errors import InputError
from phosphene.data.classification import Example, Examples, LabelSet, check_classes
from phosphene.data.classification_readers import (
    ENTAILMENT,
    GENRES,
    HATEFUL_MEMES,
    hateful_memes,
    labelled_jsonl,
    mm_imdb,
    posters,
    snli_ve,
)

MOODS = LabelSet(("calm", "loud"))
GENRES_OF_OURS = LabelSet(("drama", "war", "comedy"), many=True)

MEMES: list[dict[str, Any]] = [
    {"id": 10423, "img": "img/10423.png", "label": 0, "text": "what a nice day"},
    {"id": 20817, "img": "img/20817.png", "label": 1, "text": "look at them"},
    {"id": 31055, "img": "img/31055.png", "label": 0, "text": "monday again"},
    {"id": 47290, "img": "img/47290.png", "label": 1, "text": "so many of them"},
    {"id": 50111, "img": "img/50111.png", "label": 0, "text": "my cat when i cook"},
]
FILMS: dict[str, dict[str, Any]] = {
    "0100001": {"plot": ["Short.", "A longer plot of a heist."], "genres": ["Crime", "Drama"]},
    "0100002": {"plot": ["Two friends walk."], "genres": ["Comedy", "News"]},
    "0100003": {"plot": ["A ship is lost."], "genres": ["Adventure"]},
    "0100004": {"plot": ["He sings."], "genres": ["Music", "Musical", "Romance"]},
    "0100005": {"plot": ["A war ends."], "genres": ["War"]},
}
CLAIMS: list[dict[str, Any]] = [
    {
        "annotator_labels": [label],
        "captionID": f"90{number}.jpg#1",
        "Flickr30K_ID": f"90{number}",
        "gold_label": label,
        "pairID": f"90{number}.jpg#1r1{label[0]}",
        "sentence1": "A man sits.",
        "sentence2": f"Sentence {number}.",
    }
    for number, label in enumerate(
        ["entailment", "neutral", "contradiction", "neutral", "entailment"]
    )
]


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"picture")
    return path


def write_jsonl(path: Path, rows: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def memes(root: Path, rows: list[Any]) -> Path:
    for row in MEMES:
        touch(root / row["img"])
    return write_jsonl(root / "train.jsonl", rows)


def films(root: Path) -> Path:
    for number, record in FILMS.items():
        touch(root / "dataset" / f"{number}.jpeg")
        (root / "dataset" / f"{number}.json").write_text(json.dumps(record))
    numbers = list(FILMS)
    split = {"train": numbers[:3], "dev": numbers[3:4], "test": numbers[4:]}
    (root / "split.json").write_text(json.dumps(split))
    return root


def claims(root: Path, rows: list[Any]) -> tuple[Path, Path]:
    for row in CLAIMS:
        touch(root / "photos" / f"{row['Flickr30K_ID']}.jpg")
    return write_jsonl(root / "snli_ve_train.jsonl", rows), root / "photos"


def table(root: Path, rows: list[list[str]]) -> tuple[Path, Path]:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        touch(root / "posters" / name)
    with (root / "films.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return root / "films.csv", root / "posters"


HEADER = ["title", "labels", "image", "text"]
POSTERS = [
    HEADER,
    ["A", "drama;war", "a.jpg", "A plot, with a comma\nand a line."],
    ["B", "comedy", "b.jpg", "Funny."],
    ["C", "", "c.jpg", "Nothing of all that."],
    ["D", "drama", "", "No poster."],
    ["E", " war ; comedy ", "a.jpg", ""],
]


def test_hateful_memes(tmp_path: Path) -> None:
    read = hateful_memes(memes(tmp_path, MEMES))
    assert len(read) == 5 and read.skipped == ()
    assert read.examples[1] == Example(
        "20817", "look at them", ("hateful",), tmp_path / "img" / "20817.png"
    )
    assert read.examples[1].place == f"{tmp_path / 'train.jsonl'}:2"
    assert [HATEFUL_MEMES.names.index(e.labels[0]) for e in read.examples] == [0, 1, 0, 1, 0]


def test_mm_imdb(tmp_path: Path) -> None:
    root = films(tmp_path)
    train = mm_imdb(root, "train")
    assert [example.id for example in train.examples] == ["0100001", "0100002", "0100003"]
    first, second = train.examples[:2]
    assert (first.text, first.labels) == ("A longer plot of a heist.", ("Crime", "Drama"))
    assert first.image == root / "dataset" / "0100001.jpeg"
    assert second.labels == ("Comedy",)
    assert [len(mm_imdb(root, part)) for part in ("dev", "test")] == [1, 1]  # type: ignore[arg-type]
    assert len(GENRES.names) == 23 and list(GENRES.names) == sorted(GENRES.names)


def test_snli_ve(tmp_path: Path) -> None:
    read = snli_ve(*claims(tmp_path, CLAIMS))
    assert len(read) == 5
    assert read.examples[2] == Example(
        "902.jpg#1r1c", "Sentence 2.", ("contradiction",), tmp_path / "photos" / "902.jpg"
    )
    assert {example.labels[0] for example in read.examples} == set(ENTAILMENT.names)


def test_posters(tmp_path: Path) -> None:
    read = posters(*table(tmp_path, POSTERS), GENRES_OF_OURS)
    assert [example.labels for example in read.examples] == [
        ("drama", "war"), ("comedy",), (), ("drama",), ("war", "comedy"),
    ]  # fmt: skip
    assert read.examples[0].text == "A plot, with a comma\nand a line."
    assert [example.image is None for example in read.examples] == [False] * 3 + [True, False]
    assert read.examples[3].id == "films.csv:4"


def test_own_json_lines(tmp_path: Path) -> None:
    touch(tmp_path / "x.png")
    rows = [
        {"text": "a", "image": "x.png", "label": "calm"},
        {"text": "b", "label": "loud", "id": "mine"},
        {"image": "x.png", "label": "calm"},
        {"text": "d", "image": None, "label": "loud"},
        {"text": "e", "labels": ["loud"]},
    ]
    path = write_jsonl(tmp_path / "own.jsonl", rows)
    read = labelled_jsonl(path, MOODS)
    assert [example.id for example in read.examples] == [
        "own.jsonl:1", "mine", "own.jsonl:3", "own.jsonl:4", "own.jsonl:5",
    ]  # fmt: skip
    assert read.examples[2] == Example("own.jsonl:3", "", ("calm",), tmp_path / "x.png")


Rows = list[Any]
BAD: list[tuple[str, Callable[[Path], Examples], str]] = [
    (
        "label outside the set",
        lambda root: hateful_memes(memes(root, [*MEMES[:2], {**MEMES[2], "label": 2}])),
        r"train\.jsonl:3: label 2 is outside the set, expected 0 or 1",
    ),
    (
        "label that is a truth value",
        lambda root: hateful_memes(memes(root, [{**MEMES[0], "label": True}])),
        r"train\.jsonl:1: 'label' must be int, not bool",
    ),
    (
        "no label",
        lambda root: hateful_memes(memes(root, [{k: MEMES[0][k] for k in ("id", "img", "text")}])),
        r"train\.jsonl:1: key 'label' is missing",
    ),
    (
        "missing picture",
        lambda root: hateful_memes(memes(root, [{**MEMES[0], "img": "img/none.png"}])),
        r"train\.jsonl:1: picture .*none\.png does not exist",
    ),
    (
        "the same id twice",
        lambda root: hateful_memes(memes(root, [*MEMES, MEMES[0]])),
        r"train\.jsonl:6: id '10423' is already used in .*train\.jsonl:1",
    ),
    (
        "not JSON",
        lambda root: hateful_memes(memes(root, [MEMES[0], "{"])),
        r"train\.jsonl:2: expected JSON, but",
    ),
    (
        "class outside the set",
        lambda root: snli_ve(*claims(root, [{**CLAIMS[0], "gold_label": "-"}])),
        r"train\.jsonl:1: label '-' is outside the set, expected one of entailment, neutral, con",
    ),
    (
        "missing photo",
        lambda root: snli_ve(*claims(root, [{**CLAIMS[0], "Flickr30K_ID": "7"}])),
        r"train\.jsonl:1: picture .*7\.jpg does not exist",
    ),
    (
        "several labels for a task with one",
        lambda root: posters(*table(root, POSTERS), LabelSet(GENRES_OF_OURS.names)),
        r"films\.csv, row 1: 2 labels, but the task has exactly one per example",
    ),
    (
        "missing poster",
        lambda root: posters(
            *table(root, [HEADER, ["A", "war", "z.jpg", "x"]]), GENRES_OF_OURS
        ),
        r"films\.csv, row 1: picture .*z\.jpg does not exist",
    ),
    (
        "neither text nor image",
        lambda root: posters(*table(root, [*POSTERS, ["F", "war", "", " "]]), GENRES_OF_OURS),
        r"films\.csv, row 6: an example with neither text nor image",
    ),
    (
        "a label twice",
        lambda root: posters(*table(root, [HEADER, ["A", "war;war", "", "x"]]), GENRES_OF_OURS),
        r"films\.csv, row 1: a label is given twice",
    ),
    (
        "a column that is missing",
        lambda root: posters(*table(root, [["image", "text"], ["", "x"]]), GENRES_OF_OURS),
        r"films\.csv: no column 'labels', expected image, text, labels",
    ),
    (
        "a short row",
        lambda root: posters(*table(root, [HEADER, ["A", "war"]]), GENRES_OF_OURS),
        r"films\.csv, row 1: fewer cells than the first row names",
    ),
    (
        "a comma without quotation marks",
        lambda root: posters(
            _overwritten(table(root, []), "image,labels,text\n,war,A plot, with a comma\n"),
            root / "posters", GENRES_OF_OURS,
        ),
        r"films\.csv, row 1: more cells than the first row names; a comma inside a cell needs",
    ),
    (
        "a row that lacks a cell nobody reads",
        lambda root: posters(
            _overwritten(table(root, []), "image,labels,text,year\n,war,x,1\n,war,y\n"),
            root / "posters", GENRES_OF_OURS,
        ),
        r"films\.csv, row 2: fewer cells than the first row names",
    ),
    (
        "a cell that is not UTF-8",
        lambda root: posters(
            _overwritten(table(root, []), "image,labels,text\n,war,x\n,war,gr\xfcn\n", "latin-1"),
            root / "posters", GENRES_OF_OURS,
        ),
        r"films\.csv, row 2, column 'text': byte 3 is not valid UTF-8",
    ),
    (
        "a first row that is not UTF-8",
        lambda root: posters(
            _overwritten(table(root, []), "image,labels,text,\xfc\n,war,x,y\n", "latin-1"),
            root / "posters", GENRES_OF_OURS,
        ),
        r"films\.csv, line 1: byte 19 is not valid UTF-8",
    ),
    (
        "a line that is not UTF-8",
        lambda root: hateful_memes(_with_latin(memes(root, MEMES[:1]))),
        r"train\.jsonl:2: byte 13 is not valid UTF-8",
    ),
    (
        "a name that no file can have",
        lambda root: hateful_memes(memes(root, [{**MEMES[0], "img": "x" * 300}])),
        r"train\.jsonl:1: picture .*x{300} cannot be read \(File name too long\)",
    ),
    (
        "an open quotation mark",
        lambda root: posters(
            _overwritten(table(root, []), 'image,text,labels\na.jpg,"open,war\n'), root / "posters",
            GENRES_OF_OURS,
        ),
        r"films\.csv, line \d: not CSV",
    ),
    (
        "label and labels",
        lambda root: labelled_jsonl(
            write_jsonl(root / "own.jsonl", [{"text": "a", "label": "x", "labels": []}]), MOODS
        ),
        r"own\.jsonl:1: expected a JSON object with either 'label' or 'labels'",
    ),
    (
        "a key that is not known",
        lambda root: labelled_jsonl(
            write_jsonl(root / "own.jsonl", [{"text": "a", "label": "calm", "extra": 1}]), MOODS
        ),
        r"own\.jsonl:1: unknown key 'extra', expected id, text",
    ),
    (
        "labels that are no strings",
        lambda root: labelled_jsonl(
            write_jsonl(root / "own.jsonl", [{"text": "a", "labels": [1]}]), GENRES_OF_OURS
        ),
        r"own\.jsonl:1: 'labels' must be a list of strings",
    ),
]  # fmt: skip


def _overwritten(paths: tuple[Path, Path], text: str, encoding: str = "utf-8") -> Path:
    paths[0].write_text(text, encoding=encoding)
    return paths[0]


def _with_latin(path: Path) -> Path:
    path.write_bytes(path.read_bytes() + '{"text": "gr\xfcn"}\n'.encode("latin-1"))
    return path


@pytest.mark.parametrize(("read", "message"), [row[1:] for row in BAD], ids=[r[0] for r in BAD])
def test_bad_input_is_one_line_with_file_and_row(
    read: Callable[[Path], Examples], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=rf"^[^\n]*{message}[^\n]*$"):
        read(tmp_path)


def test_a_film_that_is_wrong_is_named(tmp_path: Path) -> None:
    root = films(tmp_path)
    record = root / "dataset" / "0100002.json"
    record.write_text(json.dumps({"plot": ["x"], "genres": ["Opera"]}))
    with pytest.raises(InputError, match=r"0100002\.json: label 'Opera' is outside the set"):
        mm_imdb(root, "train")
    (root / "dataset" / "0100001.jpeg").unlink()
    read = mm_imdb(root, "train", keep_going=True)
    assert [example.id for example in read.examples] == ["0100003"]
    assert [line.rpartition(": ")[2][:8] for line in read.skipped] == ["picture ", "label 'O"]


def test_keep_going_counts_what_it_leaves_out(tmp_path: Path) -> None:
    rows = [MEMES[0], {**MEMES[1], "label": 7}, "not JSON", MEMES[3], MEMES[0]]
    read = hateful_memes(memes(tmp_path, rows), keep_going=True)
    assert [example.id for example in read.examples] == ["10423", "47290"]
    assert [line.partition("train.jsonl:")[2][0] for line in read.skipped] == ["2", "3", "5"]
    with pytest.raises(InputError, match=r"no example that can be used \(1 left out\)"):
        hateful_memes(memes(tmp_path, ["{"]), keep_going=True)


def test_keep_going_leaves_out_what_cannot_be_read(tmp_path: Path) -> None:
    """A line that is not UTF-8, a name too long for a file, and a row with a cell too many."""
    path = _with_latin(memes(tmp_path, [{**MEMES[0], "img": "x" * 300}, MEMES[1]]))
    read = hateful_memes(path, keep_going=True)
    assert [example.id for example in read.examples] == ["20817"]
    assert [line.partition("train.jsonl:")[2][0] for line in read.skipped] == ["1", "3"]
    rows = "image,labels,text\n,war,A plot, with a comma\n,war,gr\xfcn\n,war,fine\n"
    _overwritten(table(tmp_path, []), rows, "latin-1")
    kept = posters(tmp_path / "films.csv", tmp_path, GENRES_OF_OURS, keep_going=True)
    assert [(each.id, each.text) for each in kept.examples] == [("films.csv:3", "fine")]
    assert [line.partition("films.csv, row ")[2][0] for line in kept.skipped] == ["1", "2"]


def test_an_empty_class_is_refused(tmp_path: Path) -> None:
    path = memes(tmp_path, MEMES[::2])
    with pytest.raises(InputError, match=r"train\.jsonl: class 'hateful' has no example \(1 such"):
        check_classes(hateful_memes(path), HATEFUL_MEMES, path)
    check_classes(hateful_memes(memes(tmp_path, MEMES)), HATEFUL_MEMES, path)
