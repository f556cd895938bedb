"""Captions of training photos, and batches in which no picture meets itself."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest

from phosphene.core.errors import InputError
from phosphene.data.loader import Indices, Position
from phosphene.data.pairs import PairBatches, multi30k_captions

Pairs = tuple[list[int], list[int]]


def write(root: Path, *, train: tuple[str, ...] = ("a.jpg", "b.jpg", "c.jpg")) -> Path:
    """Three training photos, of which two are there; task 2 lists them in another order."""
    splits = root / "multi30k" / "task1" / "image_splits"
    splits.mkdir(parents=True)
    (splits / "train.txt").write_text("".join(f"{name}\n" for name in train))
    (root / "flickr8k" / "images").mkdir(parents=True)
    for name in ("a.jpg", "c.jpg"):
        (root / "flickr8k" / "images" / name).write_bytes(b"a photo")
    (root / "flickr8k" / "manifest.tsv").write_text(
        "split\tline0\timage\ntrain\t0\ta.jpg\ntrain\t2\tc.jpg\n"
    )
    task = root / "multi30k" / "task2"
    (task / "image_splits").mkdir(parents=True)
    (task / "image_splits" / "train_images.txt").write_text("c.jpg\nb.jpg\na.jpg\n")
    (task / "tok").mkdir()
    for number in range(1, 6):
        lines = "".join(f"caption {number} of {name}\n" for name in "cba")
        (task / "tok" / f"train.lc.norm.tok.{number}.en").write_text(lines)
    return root


def test_a_photo_has_its_own_five_captions(tmp_path: Path) -> None:
    first, second = multi30k_captions(write(tmp_path), "en")
    assert first.id == "a.jpg"
    assert first.captions == tuple(f"caption {number} of a" for number in range(1, 6))
    assert second.image.name == "c.jpg"
    assert second.captions[4] == "caption 5 of c"


def test_files_that_disagree_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path)
    tok = root / "multi30k" / "task2" / "tok"
    (tok / "train.lc.norm.tok.4.en").write_text("one\ntwo\n")
    with pytest.raises(InputError, match=r"tok\.4\.en: 2 lines, but .*train_images\.txt has 3"):
        multi30k_captions(root, "en")
    with pytest.raises(InputError, match=r"train\.lc\.norm\.tok\.1\.de: no such file"):
        multi30k_captions(root, "de")
    with pytest.raises(InputError, match="'fr': Multi30K has captions in en and de"):
        multi30k_captions(root, "fr")


def test_a_photo_without_captions_is_named(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "multi30k" / "task2" / "image_splits" / "train_images.txt").write_text("x\nb\na.jpg\n")
    with pytest.raises(InputError, match=r"train_images\.txt: c\.jpg is not there"):
        multi30k_captions(root, "en")


@pytest.mark.realdata
def test_no_evaluation_photo_is_among_the_captioned() -> None:
    if "PHOSPHENE_DATA" not in os.environ:
        pytest.skip("PHOSPHENE_DATA is not set")
    root = Path(os.environ["PHOSPHENE_DATA"])
    found = {photo.id for photo in multi30k_captions(root, "en")}
    assert len(found) == 6988
    splits = root / "multi30k" / "task1" / "image_splits"
    for split in ("val", "test_2016_flickr"):
        lines = (splits / f"{split}.txt").read_text().split("\n")
        assert not found & {line.partition("#")[0] for line in lines}


def batches(pictures: int, size: int, sentences: int = 3) -> PairBatches[Pairs]:
    def make(rows: Indices, sentence: Indices) -> Pairs:
        return rows.tolist(), sentence.tolist()

    return PairBatches(pictures, sentences, size, 4, make)


def test_an_epoch_shows_each_picture_at_most_once() -> None:
    source = batches(23, 5)
    for epoch in range(3):
        found = list(islice(source.iterate(Position(epoch)), 4))
        rows = [row for _, (several, _) in found for row in several]
        assert len(rows) == 20
        assert len(set(rows)) == 20
        assert found[-1][0] == Position(epoch + 1)
    sentences = {
        one for _, (_, several) in islice(source.iterate(Position()), 40) for one in several
    }
    assert sentences == {0, 1, 2}


def test_batches_go_on_where_they_stopped() -> None:
    source = batches(23, 5)
    whole = list(islice(source.iterate(Position()), 12))
    for place in (1, 4, 7):
        position = whole[place - 1][0]
        assert list(islice(source.iterate(position), 12 - place)) == whole[place:]


def test_processes_share_a_batch() -> None:
    source = batches(11, 5)
    ((_, (rows, _)),) = islice(source.iterate(Position()), 1)
    shares = [next(source.iterate(Position(), rank, 2))[1][0] for rank in range(2)]
    assert sorted(shares[0] + shares[1]) == sorted(rows)
    assert [len(share) for share in shares] == [3, 2]


def test_few_pictures_make_one_batch_and_one_makes_none() -> None:
    position, (rows, _) = next(batches(3, 64).iterate(Position()))
    assert (sorted(rows), position) == ([0, 1, 2], Position(1))
    with pytest.raises(InputError, match="1 pictures to align, expected at least 2"):
        batches(1, 64)
