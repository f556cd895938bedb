"""Regions from a classifier's grid, and from the boxes of the world."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.image import to_tensor
from phosphene.data.imagenet import imagenet_classes
from phosphene.data.regions import RegionTable
from phosphene.data.root import data_root
from phosphene.data.world import Part, Split, World, boxes, region_kinds, tags
from phosphene.data.world.scene import REGION_LABELS
from phosphene.models.regions import (
    TagRule,
    cell_boxes,
    crops,
    extract_regions,
    labelled_regions,
    vote,
    world_regions,
)
from phosphene.models.resnet import ResNet, small_resnet
from phosphene.nn.visual import freeze


def test_the_classes_of_imagenet_stand_where_every_network_has_them() -> None:
    names = imagenet_classes()
    assert len(names) == 1000 and all(name == name.strip() != "" for name in names)
    known = {
        0: "tench", 151: "Chihuahua", 207: "golden retriever", 281: "tabby", 340: "zebra",
        386: "African elephant", 404: "airliner", 417: "balloon", 466: "bullet train",
        530: "digital clock", 609: "jeep", 703: "park bench", 779: "school bus",
        852: "tennis ball", 895: "warplane", 920: "traffic light", 954: "banana", 963: "pizza",
        980: "volcano", 999: "toilet tissue",
    }  # fmt: skip
    assert {place: names[place] for place in known} == known
    assert names.index("crane") == 134 and names[517] == "crane"
    assert len(set(names)) == 999


def test_cells_tile_the_picture_row_by_row() -> None:
    where = cell_boxes(2, 4)
    assert where[:5].tolist() == [
        [0.0, 0.0, 0.25, 0.5],
        [0.25, 0.0, 0.5, 0.5],
        [0.5, 0.0, 0.75, 0.5],
        [0.75, 0.0, 1.0, 0.5],
        [0.0, 0.5, 0.25, 1.0],
    ]
    assert ((where[:, 2:] - where[:, :2]).prod(dim=1)).sum() == 1


def test_the_cells_vote_with_their_probabilities() -> None:
    names = ["dog", "cat", "sky"]
    cells = torch.tensor([[0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.0, 0.9, 0.1]]).clamp(min=1e-9).log()
    # Two votes a cell: dog 0.5 + 0.5, cat 0.4 + 0.4 + 0.9; sky only with less than 0.2.
    assert vote(cells, names, TagRule(per_cell=2, least=0.2, most=9)) == ("cat", "dog")
    assert vote(cells, names, TagRule(per_cell=2, least=0.05, most=9)) == ("cat", "dog", "sky")
    assert vote(cells, names, TagRule(per_cell=1, least=0.2, most=9)) == ("dog", "cat")
    assert vote(cells, names, TagRule(per_cell=2, least=0.2, most=1)) == ("cat",)
    assert vote(cells, names, TagRule(per_cell=2, least=0.95, most=9)) == ()


def test_a_crop_is_the_box_scaled() -> None:
    ramp = torch.arange(8.0).expand(1, 3, 8, 8)
    picture = torch.cat([ramp, -ramp])
    where = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.25, 0.5, 0.75, 1.0]])
    cut = crops(picture, torch.tensor([0, 1]), where, 4)
    assert torch.allclose(cut[0, 0, 0], torch.tensor([0.5, 2.5, 4.5, 6.5]))
    assert torch.allclose(cut[1, 2, 3], -torch.tensor([2.0, 3.0, 4.0, 5.0]))


def photos(folder: Path, count: int) -> list[Path]:
    rng = np.random.default_rng(0)
    paths = [folder / f"p{number}.png" for number in range(count)]
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)
    return paths


def network(seed: int = 0) -> ResNet:
    torch.manual_seed(seed)
    return freeze(small_resnet(3, 32))


def test_photos_are_looked_at_once(tmp_path: Path) -> None:
    paths, teacher, log = photos(tmp_path, 5), network(), RunLog(None, quiet=True)
    names, rule = ("dog", "cat", "sky"), TagRule(least=0.0)
    extract_regions(teacher, paths[:2], tmp_path / "store", log, rule=rule, classes=names)
    paths[0].unlink()  # it will not be opened again
    stored = extract_regions(teacher, paths, tmp_path / "store", log, rule=rule, classes=names)
    assert list(stored) == [f"p{number}" for number in range(5)]
    picture = stored["p3"]
    assert picture.features.shape == (4, 192) and torch.equal(picture.boxes, cell_boxes(2, 2))
    assert 1 <= len(picture.tags) <= 3 and set(picture.tags) <= set(names)
    with Image.open(paths[3]) as file:
        pixels = torch.from_numpy(np.array(file.resize((32, 32), Image.Resampling.BILINEAR)))
    trace = teacher(pixels.permute(2, 0, 1)[None].float() / 255)
    expected = trace.last[0].flatten(1).t()
    assert torch.allclose(picture.features.float(), expected, rtol=1e-3, atol=1e-4)
    assert RegionTable(stored).regions(["p1", None]).features.shape == (2, 4, 196)


def test_another_network_or_rule_is_another_producer(tmp_path: Path) -> None:
    paths, log, names = photos(tmp_path, 1), RunLog(None, quiet=True), ("dog", "cat", "sky")
    extract_regions(network(), paths, tmp_path / "store", log, classes=names)
    for teacher, rule in ((network(1), None), (network(), TagRule(most=2))):
        with pytest.raises(InputError, match=r"made by grid of ResNet at 32 pixels \("):
            extract_regions(teacher, paths, tmp_path / "store", log, rule=rule, classes=names)


def test_regions_of_the_world_are_its_boxes_and_its_tags() -> None:
    world = World(1)
    scenes = {
        f"s{number}": world.scene(split, number, Part.TEST)
        for number, split in enumerate([Split.AMBIGUOUS] * 4 + [Split.ORDINARY] * 40)
    }
    teacher = network()
    found = world_regions(teacher, scenes)
    assert list(found) == list(scenes)
    for name, scene in scenes.items():
        assert np.array_equal(found[name].boxes.numpy(), boxes(scene))
        assert found[name].tags == tags(scene)
        assert found[name].features.shape == (len(boxes(scene)), 192)
    alone = world_regions(teacher, {"s1": scenes["s1"]})["s1"]
    assert torch.allclose(alone.features, found["s1"].features, atol=1e-5)
    table = RegionTable(found)
    assert table.regions(list(scenes)).mask.sum() == sum(len(p.boxes) for p in found.values())


def test_a_detector_learns_from_the_regions_that_it_will_see() -> None:
    world = World(1)
    scenes = [world.scene(Split.ORDINARY, number, Part.TEACHER) for number in range(40)]
    regions = labelled_regions(scenes)
    assert regions.pictures.shape == (len(regions.labels), 32, 32, 3)
    row = 0
    for number, scene in enumerate(scenes):
        named = [
            {label for label, on in zip(REGION_LABELS, one, strict=True) if on}
            for one in regions.labels[row : row + len(boxes(scene)) + 1]
        ]
        first = scene.focus
        expected = [{first.kind, first.colour}]
        if scene.person is not None:
            person = scene.person
            expected.insert(0, {person.kind, person.shirt, person.action})
        assert named[: len(expected)] == expected
        assert named[-1] >= {scene.place, first.kind}
        if number == 0:
            teacher = network()
            looks = teacher.perceive(teacher.normalise(to_tensor(regions.pictures[: len(named)])))
            seen = world_regions(teacher, {"s": scene}, whole=True)["s"].features
            # Rounded to bytes in between.
            assert torch.allclose(looks.last.mean((2, 3)), seen, atol=0.05, rtol=0.05)
        row += len(named)
    assert row == len(regions.labels)


def test_mirrored_scenes_differ_in_their_features_and_not_in_their_words() -> None:
    world = World(1)
    first, second = (world.scene(Split.AMBIGUOUS, number, Part.TEST) for number in (0, 1))
    found = world_regions(network(), {"first": first, "second": second})
    assert found["first"].tags == found["second"].tags
    assert torch.equal(found["first"].boxes, found["second"].boxes)
    apart = (found["first"].features - found["second"].features).norm(dim=1)
    place = len(region_kinds(first)) - len(first.things)  # behind the person, if there is one
    assert region_kinds(first)[place] != region_kinds(second)[place]
    assert apart[place] > 0.01 * found["first"].features.norm(dim=1)[place]


@pytest.mark.realdata
@pytest.mark.pretrained
def test_photos_of_dogs_are_tagged_with_dogs(tmp_path: Path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    from phosphene.models.pretrained import efficientnet_lite

    try:
        root = data_root()
    except InputError:
        pytest.skip("PHOSPHENE_DATA is not set")
    split = root / "multi30k" / "task1"
    names = (split / "image_splits" / "test_2016_flickr.txt").read_text().split()
    lines = (split / "tok" / "test_2016_flickr.lc.norm.tok.en").read_text().splitlines()
    with_dogs = (
        root / "flickr8k" / "images" / name
        for name, line in zip(names, lines, strict=True)
        if " dog " in line
    )
    paths = list(itertools.islice((path for path in with_dogs if path.is_file()), 4))
    teacher = efficientnet_lite(0, 224)
    stored = extract_regions(teacher, paths, tmp_path, RunLog(None, quiet=True))
    breeds = set(imagenet_classes()[151:269])
    assert sum(bool(breeds & set(stored[path.stem].tags)) for path in paths) >= 3
    assert stored[paths[0].stem].features.shape == (49, 1280)
    assert stored.store.bytes_per_entry()["features"] == 49 * 1280 * 2
    assert math.isclose(float(stored[paths[0].stem].boxes[-1, 0]), 6 / 7, rel_tol=1e-6)
