"""Readers of sentence pairs: what they return, and the one line they say about bad input."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

from phosphene.core.errors import InputError
from phosphene.data.translation import Coverage, Pair, coverage, jsonl, multi30k, parallel_text

ENGLISH = ["a man .", "two dogs run .", "a woman &apos;s hat .", "snow .", "a red boat ."]
GERMAN = ["ein mann .", "zwei hunde rennen .", "der hut einer frau .", "schnee .", "ein boot ."]
NAMES = ["10.jpg", "11.jpg", "12.jpg", "13.jpg", "14.jpg"]


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Five rows in the layout of multi30k/dataset, photos for two of them."""
    task = tmp_path / "multi30k" / "task1"
    write(task / "tok" / "val.lc.norm.tok.en", ENGLISH)
    write(task / "tok" / "val.lc.norm.tok.de", GERMAN)
    write(task / "image_splits" / "val.txt", NAMES)
    (task / "raw").mkdir()
    for language, lines in (("en", ENGLISH), ("de", GERMAN)):
        text = "".join(f"{line.capitalize()}\n" for line in lines)
        (task / "raw" / f"val.{language}.gz").write_bytes(gzip.compress(text.encode()))
    photos = tmp_path / "flickr8k"
    write(
        photos / "manifest.tsv",
        ["split\tline0\timage", "train\t0\t99.jpg", "val\t2\t12.jpg", "val\t4\t14.jpg"],
    )
    for name in ("12.jpg", "14.jpg"):
        write(photos / "images" / name, ["picture"])
    return tmp_path


def test_multi30k_pairs_text_with_the_photos_that_are_there(root: Path) -> None:
    pairs = multi30k(root, "val", ("en", "de"))
    photo = root / "flickr8k" / "images" / "12.jpg"
    assert pairs[0] == Pair("val:1", "a man .", "ein mann .", None)
    assert pairs[2] == Pair("val:3", "a woman &apos;s hat .", "der hut einer frau .", photo)
    assert [pair.image is not None for pair in pairs] == [False, False, True, False, True]
    assert coverage(pairs) == Coverage(examples=5, with_image=2)
    assert str(coverage(pairs)) == "2 of 5 examples have a picture"


def test_multi30k_in_the_other_direction_and_in_raw_text(root: Path) -> None:
    pair = multi30k(root, "val", ("de", "en"), "raw")[1]
    assert (pair.source, pair.target) == ("Zwei hunde rennen .", "Two dogs run .")


def test_multi30k_without_photos_is_text_only(root: Path) -> None:
    (root / "flickr8k" / "manifest.tsv").unlink()
    assert coverage(multi30k(root, "val", ("en", "de"))).with_image == 0


@pytest.mark.parametrize(
    ("split", "languages", "message"),
    [
        ("dev", ("en", "de"), r"unknown split 'dev': expected one of train, val, test_2016_flickr"),
        ("val", ("en", "xx"), r"unknown language 'xx': expected one of en, de, fr"),
        ("val", ("en", "en"), r"both 'en'"),
        ("val", ("en", "fr"), r"val\.lc\.norm\.tok\.fr: no such file"),
    ],
)
def test_multi30k_refuses_what_it_does_not_have(
    root: Path, split: str, languages: tuple[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        multi30k(root, split, languages)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("val\t2\t13.jpg", r"manifest\.tsv:2: 13\.jpg is not the photo of line 2 of val"),
        ("val\t9\t13.jpg", r"manifest\.tsv:2: 13\.jpg is not the photo of line 9"),
        ("val\t3\t13.jpg", r"manifest\.tsv:2: photo .*13\.jpg does not exist"),
        ("val 3 13.jpg", r"manifest\.tsv:2: expected split, line"),
        ("val\t-1\t14.jpg", r"manifest\.tsv:2: expected split, line"),
    ],
)
def test_a_wrong_manifest_is_refused(root: Path, line: str, message: str) -> None:
    write(root / "flickr8k" / "manifest.tsv", ["split\tline0\timage", line])
    with pytest.raises(InputError, match=message):
        multi30k(root, "val", ("en", "de"))


def test_image_names_must_match_the_text_line_by_line(root: Path) -> None:
    write(root / "multi30k/task1/image_splits/val.txt", NAMES[:4])
    with pytest.raises(InputError, match=r"val\.txt: 4 lines, but .*tok\.en has 5"):
        multi30k(root, "val", ("en", "de"))


def test_parallel_text(tmp_path: Path) -> None:
    pairs = parallel_text(write(tmp_path / "a.en", ENGLISH), write(tmp_path / "a.de", GERMAN))
    assert pairs[3] == Pair("a.en:4", "snow .", "schnee .")


def test_parallel_text_of_unequal_length_names_both_files(tmp_path: Path) -> None:
    files = write(tmp_path / "a.en", ENGLISH), write(tmp_path / "a.de", GERMAN[:3])
    with pytest.raises(InputError, match=r"a\.en has 5 lines and .*a\.de has 3"):
        parallel_text(*files)


def test_parallel_text_names_the_blank_line(tmp_path: Path) -> None:
    files = write(tmp_path / "a.en", ENGLISH), write(tmp_path / "a.de", [*GERMAN[:4], " "])
    with pytest.raises(InputError, match=r"a\.de:5: blank line"):
        parallel_text(*files)


def test_parallel_text_names_the_line_that_is_not_utf8(tmp_path: Path) -> None:
    write(tmp_path / "a.en", ["snow", "tree"])
    (tmp_path / "a.de").write_bytes("schnee\nbäume\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.de.*2.*UTF-8"):
        parallel_text(tmp_path / "a.en", tmp_path / "a.de")


def test_jsonl(tmp_path: Path) -> None:
    write(tmp_path / "photos" / "1.jpg", ["picture"])
    records = [
        {"src": "a dog", "tgt": "ein hund", "image": "photos/1.jpg"},
        {"src": "snow", "tgt": "schnee", "image": None, "id": "winter"},
    ]
    path = write(tmp_path / "own.jsonl", [json.dumps(record) for record in records])
    assert jsonl(path) == [
        Pair("own.jsonl:1", "a dog", "ein hund", tmp_path / "photos" / "1.jpg"),
        Pair("winter", "snow", "schnee", None),
    ]


GOOD = '{"src": "a", "tgt": "b", "id": "one"}'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"src": "a", "tgt": ', "expected a JSON object, but: Expecting value"),
        ("", "expected a JSON object, but"),
        ("[1, 2]", "expected a JSON object with keys src and tgt"),
        ('{"src": "a"}', "key 'tgt' is missing"),
        ('{"src": 5, "tgt": "b"}', "'src' must be a string, not int"),
        ('{"src": null, "tgt": "b"}', "'src' must be a string, not NoneType"),
        ('{"src": "a", "tgt": "  "}', "'tgt' is empty"),
        ('{"src": "a\\nb", "tgt": "b"}', "'src' holds a line break"),
        ('{"src": "\\ud800", "tgt": "b"}', "'src' holds a line break or half a character"),
        ('{"src": "a", "tgt": "b", "imgae": "1.jpg"}', "unknown key 'imgae'"),
        ('{"src": "a", "tgt": "b", "image": 5}', "'image' must be a file name or null"),
        ('{"src": "a", "tgt": "b", "image": "no.jpg"}', r"picture .*no\.jpg does not exist"),
        ('{"src": "a", "tgt": "b", "id": 5}', "'id' must be a non-empty string"),
        (GOOD, "id 'one' is already used on line 1"),
        ("[" * 100_000, "expected a JSON object, but"),
    ],
)
def test_a_bad_jsonl_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "own.jsonl", [GOOD, line])
    with pytest.raises(InputError, match=rf"own\.jsonl:2: {message}") as caught:
        jsonl(path)
    assert "\n" not in str(caught.value)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("split", "examples", "with_image"),
    [
        ("train", 29_000, 6_988),
        ("val", 1_014, 242),
        ("test_2016_flickr", 1_000, 243),
        ("test_2017_flickr", 1_000, 0),
        ("test_2017_mscoco", 461, 0),
    ],
)
def test_multi30k_has_its_known_counts(split: str, examples: int, with_image: int) -> None:
    data = os.environ.get("PHOSPHENE_DATA")
    if data is None:
        pytest.skip("PHOSPHENE_DATA is not set")
    pairs = multi30k(Path(data), split, ("en", "fr"))
    assert coverage(pairs) == Coverage(examples, with_image)
    assert len({pair.id for pair in pairs}) == examples
    raw = multi30k(Path(data), split, ("en", "fr"), "raw")
    assert [pair.image for pair in raw] == [pair.image for pair in pairs]
