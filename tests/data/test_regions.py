"""Regions of pictures: stored, read, put side by side with their geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.errors import InputError
from phosphene.data.corpus import Corpus, CorpusConfig, load_corpus
from phosphene.data.dataset import TranslationData, encode
from phosphene.data.regions import (
    PictureRegions,
    RegionTable,
    check_boxes,
    picture_names,
    store_regions,
)
from phosphene.data.store import Producer, StoreWriter
from phosphene.data.text import Tokenizer
from phosphene.data.translation import Pair

DETECTOR = Producer("detector", "1")


def found(regions: int, seed: int = 0, *tags: str) -> PictureRegions:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(regions, 4, generator=generator)
    boxes = torch.cat([corners[:, :2] / 2, corners[:, 2:] / 2 + 0.5], dim=1)
    features = torch.randn(regions, 3, generator=generator).half().float()
    return PictureRegions(features, boxes, tags, tuple("big" for _ in tags))


PICTURES = {"a": found(2, 1, "dog", "Hündin"), "b": found(0, 2), "c": found(4, 3, "cat")}


def test_geometry_stands_behind_the_feature() -> None:
    picture = PictureRegions(torch.tensor([[7.0, 8.0]]), torch.tensor([[0.25, 0.5, 0.75, 1.0]]))
    four, six = RegionTable({"p": picture}), RegionTable({"p": picture}, geometry=6)
    assert (four.width, six.width) == (6, 8)
    assert four.regions(["p"]).features.tolist() == [[[7.0, 8.0, 0.25, 0.5, 0.75, 1.0]]]
    assert six.regions(["p"]).features.tolist() == [[[7.0, 8.0, 0.25, 0.5, 0.75, 1.0, 0.5, 0.5]]]


def test_every_picture_keeps_its_own_number_of_regions() -> None:
    table = RegionTable(PICTURES)
    regions = table.regions(["c", None, "a", "b"])
    assert regions.features.shape == (4, 4, 7)
    assert regions.mask.sum(dim=1).tolist() == [4, 0, 2, 0]
    assert (regions.features[~regions.mask] == 0).all()
    assert torch.equal(regions.features[2, :2, :3], PICTURES["a"].features)
    assert RegionTable(PICTURES, most=3).regions(["c", "a"]).mask.sum(dim=1).tolist() == [3, 2]
    assert table.regions([None, "b"]).features.shape == (2, 0, 7)
    assert table.counts() == {
        "pictures": "3",
        "regions": "6, 2.0 per picture",
        "pictures without regions": "1",
        "pictures without tags": "1",
    }
    with pytest.raises(InputError, match="no pictures with regions"):
        RegionTable({})


def test_a_store_gives_back_what_was_put_in(tmp_path: Path) -> None:
    stored = store_regions(PICTURES, tmp_path, DETECTOR)
    assert list(stored) == ["a", "b", "c"]
    for name, picture in PICTURES.items():
        again = stored[name]
        assert again.features.dtype == torch.float16
        assert torch.equal(again.features.float(), picture.features)
        assert torch.equal(again.boxes, picture.boxes)
        assert (again.tags, again.attributes) == (picture.tags, picture.attributes)
    side_by_side = RegionTable(stored).regions(["a", "c"])
    assert torch.equal(side_by_side.features, RegionTable(PICTURES).regions(["a", "c"]).features)
    assert "d" not in stored and stored.get("d") is None


def test_what_is_stored_is_not_asked_for_again(tmp_path: Path) -> None:
    class Once(dict[str, PictureRegions]):
        def __getitem__(self, name: str) -> PictureRegions:
            asked.append(name)
            return super().__getitem__(name)

    asked: list[str] = []
    store_regions({"b": PICTURES["b"]}, tmp_path, DETECTOR)
    stored = store_regions(Once(PICTURES), tmp_path, DETECTOR)
    assert set(asked) == {"a", "c"} and sorted(stored) == ["a", "b", "c"]


def test_a_store_of_something_else_is_refused(tmp_path: Path) -> None:
    with StoreWriter(tmp_path, DETECTOR, half=("features",)) as writer:
        writer.add("a", {"vector": torch.ones(4)})
    with pytest.raises(InputError, match="a store of vector, not of regions"):
        store_regions({}, tmp_path, DETECTOR)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4), st.floats(-0.009, 0.009))
def test_boxes_within_the_picture_are_kept_and_rounding_is_cut_off(
    corners: list[float], over: float
) -> None:
    x1, x2 = sorted(corners[:2])
    y1, y2 = sorted(corners[2:])
    box = torch.tensor([[x1, y1, x2, y2]])
    assert torch.equal(check_boxes(box, "here"), box)
    shifted = check_boxes(box + over, "here")
    assert ((shifted >= 0) & (shifted <= 1)).all()
    assert torch.allclose(shifted, box, atol=0.01)


@pytest.mark.parametrize(
    "box", [(0.5, 0.0, 0.4, 1.0), (0.0, 0.0, 1.02, 1.0), (-0.02, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0)]
)
def test_a_box_outside_the_picture_is_named(box: tuple[float, ...]) -> None:
    wrong = (*box, float("nan"))[:4]
    boxes = torch.tensor([(0.0, 0.0, 1.0, 1.0), wrong])
    with pytest.raises(InputError, match=r"file, row 7: box 2 is \(.*expected x1 <= x2 and y1 <="):
        check_boxes(boxes, "file, row 7")


def test_two_files_of_one_name_are_named() -> None:
    with pytest.raises(InputError, match=r"x/p.jpg and y/p.png: two pictures with the name 'p'"):
        picture_names([Path("x/p.jpg"), Path("x/q.jpg"), Path("y/p.png")])
    assert picture_names([Path("x/p.jpg"), Path("x/p.jpg")]) == {"p": Path("x/p.jpg")}


def sentences() -> tuple[TranslationData, Tokenizer]:
    pairs = [
        Pair("1", "a dog", "ein hund", Path("x/a.jpg")),
        Pair("2", "a cat", "eine katze", None),
        Pair("3", "a dog again", "wieder ein hund", Path("x/a.jpg")),
        Pair("4", "nothing", "nichts", Path("x/b.jpg")),
        Pair("5", "a cat", "eine katze", Path("y/c.jpg")),
    ]
    tokenizer = Tokenizer.learn([pair.source for pair in pairs] + ["hündin"], 20)
    return encode(pairs, tokenizer), tokenizer


def test_a_batch_brings_the_regions_and_tags_of_its_pictures() -> None:
    data, tokenizer = sentences()
    batch = data.with_regions(RegionTable(PICTURES), tokenizer.encode_all).batch(np.arange(5))
    assert batch.regions is not None and batch.tags is not None
    assert batch.regions.mask.sum(dim=1).tolist() == [2, 0, 2, 0, 4]
    assert torch.equal(batch.regions.features[4, :, :3], PICTURES["c"].features)
    said = [
        tokenizer.decode(ids[mask].tolist())
        for ids, mask in zip(batch.tags.ids, batch.tags.mask, strict=True)
    ]
    assert said[0] == said[2] != "" and said[0].startswith("dog")
    assert [said[row] for row in (1, 3, 4)] == ["", "", "cat"]
    blind = batch.without("image")
    assert blind.regions is None and blind.tags is None
    plain = data.batch(np.arange(5))
    assert plain.regions is None and plain.tags is None


def test_the_regions_follow_the_examples_that_are_kept() -> None:
    data, tokenizer = sentences()
    seen = data.with_regions(RegionTable(PICTURES), tokenizer.encode_all).only_with_pictures()
    batch = seen.batch(np.array([3, 1]))
    assert batch.ids == ("5", "3") and batch.regions is not None
    assert batch.regions.mask.sum(dim=1).tolist() == [4, 2]


def test_a_picture_without_an_entry_is_named_before_training() -> None:
    data, tokenizer = sentences()
    few = {name: PICTURES[name] for name in ("a", "c")}
    with pytest.raises(InputError, match=r"1 of 3 pictures have no entry .* 'b' is the first"):
        data.with_regions(RegionTable(few), tokenizer.encode_all)
    twice = encode([Pair(f, "s", "t", Path(f)) for f in ("x/a.jpg", "y/a.jpg")], tokenizer)
    with pytest.raises(InputError, match="two pictures have the name 'a'"):
        twice.with_regions(RegionTable(few), tokenizer.encode_all)


def world() -> Corpus:
    return load_corpus(
        CorpusConfig(source="world", merges=50, tests=("ambiguous",), train_scenes=6, test_scenes=4)
    )


def test_the_world_says_what_is_in_every_picture_of_every_split() -> None:
    corpus = world()
    scenes = corpus.scene_of()
    assert next(iter(scenes)) == "train:1" and len(scenes) == 6 + 4 + 4
    assert {name.split(":")[0] for name in scenes} == {"train", "validation", "ambiguous"}
    table = RegionTable({name: found(1, 0, "thing") for name in scenes})
    seen = corpus.with_regions(table)
    for data in (seen.train, seen.validation, seen.tests["ambiguous"]):
        batch = data.batch(np.arange(4))
        assert batch.regions is not None and batch.regions.mask.all() and batch.tags is not None
    assert corpus.photos() == []
