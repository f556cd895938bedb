"""``modality_kd`` on files of one's own: which picture is shown, what is refused, what is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from own_files import rows, write_own, write_regions, write_rows
from tiny_modality import trainer

from phosphene.core.config import read_settings
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.dataset import NO_PICTURE
from phosphene.recipes.modality_kd_data import Data, load_data
from phosphene.recipes.modality_kd_networks import side
from phosphene.recipes.modality_kd_settings import Settings

GOING = "data.files.keep_going=true"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return write_own(tmp_path)


def load(own: Path, *changes: str, log: RunLog | None = None) -> Data:
    return load_data(trainer(own.parent / "run", log), read_settings(Settings, own, changes))


def test_a_picture_without_regions_is_refused_or_left_out(own: Path) -> None:
    found = rows("train", 12)
    found[3]["image"] = "photos/unseen.jpg"
    train = own.parent / "train.jsonl"
    write_rows(train, found)
    with pytest.raises(
        InputError, match=rf"^{train}:4: no regions of [^\n]*unseen\.jpg in [^\n]*regions: expected"
    ):
        load(own)
    data = load(own, GOING)
    kept = [example.id for example in data.splits["train"].examples]
    assert kept == [row["id"] for row in found if row["id"] != "train-3"]
    assert data.counts()["train, left out"] == "1"
    shutil.rmtree(own.parent / "regions")
    write_regions(own.parent / "regions", ["another"])
    write_rows(own.parent / "test.jsonl", [row for row in rows("test", 4) if "image" in row])
    with pytest.raises(InputError, match=r"test\.jsonl: no example that can be used \(3 left out"):
        load(own, GOING)


@pytest.mark.parametrize("split", ["train", "test"])
def test_two_pictures_of_one_name_are_refused(own: Path, split: str) -> None:
    """In one split as in two: the store of regions knows one picture by that name."""
    found = rows(split, 12)
    found[1]["image"] = "others/train-0.jpg"
    write_rows(own.parent / f"{split}.jsonl", found)
    message = rf"{split}\.jsonl:2: [^\n]*others/train-0\.jpg has the name of [^\n]*\.jsonl:1\)"
    with pytest.raises(InputError, match=message):
        load(own, GOING)


def test_one_picture_may_be_named_in_two_ways(own: Path) -> None:
    found = rows("train", 12)
    found[1]["image"] = "photos/../photos/train-0.jpg"
    write_rows(own.parent / "train.jsonl", found)
    assert load(own).splits["train"].pictures[:2] == ("train-0", "train-0")


def test_an_example_without_a_picture_shows_none_whatever_its_id(own: Path) -> None:
    found = rows("train", 12)
    found[2]["id"] = "train-0"
    found[0]["id"] = "train-2"
    write_rows(own.parent / "train.jsonl", found)
    settings = read_settings(Settings, own, ["data.meta_split=validation"])
    data = load(own)
    train = side(settings, data, settings.network).data.train
    assert train.examples[2].id == "train-0" and "train-0" in data.splits["train"].table
    assert train.picture_of[2] == NO_PICTURE
    assert train.picture_names[train.picture_of[0]] == "train-0"
    regions = train.batch(np.arange(3)).regions
    assert regions is not None and regions.mask.sum(1).tolist() == [2, 2, 0]


def test_training_tells_what_it_left_out(own: Path) -> None:
    """Once, however often the run is started."""
    found = rows("train", 12)
    for number in (0, 1, 3, 4):
        found[number]["label"] = "noisy"
    write_rows(own.parent / "train.jsonl", found)
    path = own.parent / "log.jsonl"
    for _ in range(2):
        load(own, GOING, log=RunLog(path, quiet=True))
    (told,) = RunLog(path).events()
    assert (told["kind"], told["split"], told["rows"]) == ("left out", "train", 4)
    assert [line.partition(":")[2][:2] for line in told["first"]] == ["1:", "2:", "4:"]
    assert all("label 'noisy' is outside the set" in line for line in told["first"])


@pytest.mark.parametrize(
    ("count", "said"),
    [(12, r"12: 12 of 12"), (0, r"0 \(as many as there are for validation\): 12 of 12")],
)
def test_too_many_meta_data_name_file_and_setting(own: Path, count: int, said: str) -> None:
    write_rows(own.parent / "validation.jsonl", rows("train", 12))
    settings = read_settings(Settings, own, [f"data.meta_examples={count}"])
    with pytest.raises(
        InputError, match=rf"train\.jsonl: data\.meta_examples = {said} examples cannot be split"
    ):
        side(settings, load(own), settings.network)
