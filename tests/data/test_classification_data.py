"""Batches of labelled examples: who gets which label and picture, and the same from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.errors import InputError
from phosphene.data.classification import Example, LabelSet
from phosphene.data.classification_data import (
    ClassificationData,
    ExampleBatches,
    encode_examples,
    in_order,
)
from phosphene.data.classification_world import (
    WORLD_LABELS,
    WorldTask,
    draw_examples,
    world_examples,
)
from phosphene.data.loader import Position
from phosphene.data.regions import PictureRegions, RegionTable
from phosphene.data.world import Part, World, draw, entailment

MANY = LabelSet(("a", "b", "c"), many=True)


def letters(sentences: Sequence[str]) -> list[list[int]]:
    return [[ord(letter) for letter in sentence] for sentence in sentences]


def colour(root: Path, name: str, value: int) -> Path:
    Image.new("RGB", (5, 4), (value, 0, 0)).save(root / f"{name}.png")
    return root / f"{name}.png"


@pytest.fixture
def data(tmp_path: Path) -> ClassificationData:
    red, dark = colour(tmp_path, "red", 255), colour(tmp_path, "dark", 51)
    examples = [
        Example("one", "xy", ("a", "c"), red),
        Example("two", "x", ()),
        Example("three", "", ("b",), dark),
        Example("four", "xyz", ("c",), red),
    ]
    return encode_examples(examples, MANY, letters, picture_side=4)


def test_a_batch_has_every_part_of_its_examples(data: ClassificationData) -> None:
    batch = data.batch(np.array([2, 1, 3]))
    assert batch.ids == ("three", "two", "four")
    assert batch.source.mask.sum(1).tolist() == [0, 1, 3]
    assert batch.source.ids[2].tolist() == [ord(letter) for letter in "xyz"]
    assert batch.labels is not None and batch.labels.tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert batch.pixels is not None and batch.pixels.rows.tolist() == [0, 2]
    assert batch.pixels.values[:, 0, 0, 0].tolist() == pytest.approx([0.2, 1.0])
    assert batch.regions is batch.tags is None
    assert data.picture_names == ("red", "dark")


def test_regions_and_tags_come_by_the_pictures_name(data: ClassificationData) -> None:
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    table = RegionTable(
        {
            "red": PictureRegions(torch.ones(1, 2), boxes, ("k",)),
            "dark": PictureRegions(torch.full((2, 2), 2.0), boxes.repeat(2, 1), ("l", "m")),
        }
    )
    batch = data.with_regions(table, letters).batch(np.array([0, 1, 2]))
    assert batch.regions is not None and batch.tags is not None
    assert batch.regions.mask.sum(1).tolist() == [1, 0, 2]
    assert batch.regions.features[2, 1].tolist() == [2, 2, 0, 0, 1, 1]
    assert [int(row.sum()) for row in batch.tags.mask] == [1, 0, 3]
    short = RegionTable({"red": PictureRegions(torch.ones(1, 2), boxes)})
    with pytest.raises(InputError, match="1 of 2 pictures have no regions, 'dark' is the first"):
        data.with_regions(short, letters)


def test_one_label_is_a_number() -> None:
    examples = [Example(str(n), "x", (name,)) for n, name in enumerate("cab")]
    data = encode_examples(examples, LabelSet(("a", "b", "c")), letters)
    labels = data.batch(np.arange(3)).labels
    assert labels is not None and labels.dtype == torch.long and labels.tolist() == [2, 0, 1]


def test_two_pictures_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    pictures = [colour(tmp_path, "p", 1), colour(tmp_path / "other", "p", 2)]
    examples = [Example(str(n), "", ("a",), path) for n, path in enumerate(pictures)]
    with pytest.raises(InputError, match="two pictures with the name 'p'"):
        encode_examples(examples, MANY, letters)


def test_batches_start_anywhere_and_see_everything_once_an_epoch(
    data: ClassificationData,
) -> None:
    batches = ExampleBatches(data, 3, seed=1)
    first = list(islice(batches.iterate(Position()), 6))
    assert [position for position, _ in first[:2]] == [Position(0, 1), Position(1, 0)]
    for epoch in range(3):
        ids = [name for _, batch in first[2 * epoch : 2 * epoch + 2] for name in batch.ids]
        assert sorted(ids) == ["four", "one", "three", "two"]
    for start, (position, _) in enumerate(first[:-1], start=1):
        assert next(batches.iterate(position))[1].ids == first[start][1].ids
    shares = [next(batches.iterate(Position(), rank, 2))[1].ids for rank in (0, 1)]
    assert sorted(shares[0] + shares[1]) == sorted(first[0][1].ids)
    assert [batch.ids for batch in in_order(data, 3)] == [("one", "two", "three"), ("four",)]


def test_the_digest_is_of_the_examples_and_not_of_who_reads_them(data: ClassificationData) -> None:
    digest = data.digest()
    assert replace(data, texts=[[index] for index in range(len(data))]).digest() == digest
    first, *others = data.examples
    for changed in (replace(first, text="another"), replace(first, id="fifth")):
        assert replace(data, examples=(changed, *others)).digest() != digest
    moved = np.roll(data.picture_of, 1)
    assert replace(data, picture_of=moved).digest() != digest


def test_meta_data_are_split_off(data: ClassificationData) -> None:
    rest, meta = data.split_off(1, seed=5)
    ids = [[example.id for example in part.examples] for part in (rest, meta)]
    assert [len(part) for part in ids] == [3, 1]
    assert sorted(ids[0] + ids[1]) == ["four", "one", "three", "two"]
    again = data.split_off(1, seed=5)[1]
    assert again.examples == meta.examples and again.digest() == meta.digest() != rest.digest()
    assert meta.batch(np.array([0])).ids == (ids[1][0],)
    for count in (0, 4):
        with pytest.raises(InputError, match=f"{count} of 4 examples cannot be split off"):
            data.split_off(count, seed=5)


@pytest.mark.parametrize("task", WORLD_LABELS)
def test_tasks_of_the_world(task: WorldTask) -> None:
    labels = WORLD_LABELS[task]
    examples, scenes = world_examples(task, World(1), 12, Part.META)
    data = draw_examples(examples, scenes, labels, letters)
    batch = data.batch(np.arange(12))
    assert batch.pixels is not None and len(batch.pixels.rows) == 12
    assert (data.pictures is not None) and np.array_equal(data.pictures[5], draw(scenes[5]))
    assert isinstance(batch.labels, torch.Tensor)
    assert batch.labels.shape == ((12, 8) if labels.many else (12,))
    assert len({example.id for example in examples}) == 12
    if task == "entailment":
        expected = [entailment(World(1), index, Part.META) for index in range(12)]
        assert [example.labels for example in examples] == [(e.label,) for e in expected]
        assert batch.labels.tolist() == [0, 1, 2] * 4
    if task == "hostility":
        assert batch.labels.tolist().count(1) == 6
