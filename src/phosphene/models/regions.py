"""Regions without a detector: the cells of a classifier's last map, or boxes that are known.

:func:`extract_regions` looks at photos with an ImageNet network. Each cell of its last map is a
region, and the classifier, read at that cell alone, names what is there (class activation, Zhou et
al. 2016). :func:`world_regions` looks at the boxes of the embedded world's scenes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from phosphene.core.config import Frozen
from phosphene.core.runlog import RunLog
from phosphene.data.dataset import LabelledScenes
from phosphene.data.image import load_rgb, to_tensor
from phosphene.data.imagenet import imagenet_classes
from phosphene.data.regions import HALF, PictureRegions, StoredRegions, picture_names
from phosphene.data.store import Producer, StoreWriter
from phosphene.data.world.draw import draw_all
from phosphene.data.world.scene import Scene, boxes, region_labels, tags
from phosphene.models.pretrained import EfficientNetLite
from phosphene.models.resnet import ResNet
from phosphene.nn.visual import VisualTeacher, regions_from_map

GridTeacher = EfficientNetLite | ResNet
"""Networks whose classifier can be read at one cell."""

_PHOTOS_AT_ONCE: Final = 32
_CROP_SIDE: Final = 32


class TagRule(Frozen):
    """How the classes of cells become the tags of a picture.

    Chosen on the 242 validation photos of Multi30K: with EfficientNet-Lite0 at 224 pixels 18 % of
    the tags stand in the English caption (a breed where it says *dog* included; ten tags: 15 %),
    and 89 % of the photos with a dog are tagged with one (12 % of the others).
    """

    per_cell: int = Field(default=2, ge=1)
    """A cell votes for so many classes, with their probabilities."""
    least: float = Field(default=0.3, ge=0, le=1)
    """A class less probable than this gets no vote from a cell."""
    most: int = Field(default=5, ge=1)
    """At most so many tags, those with the most votes."""


def extract_regions(
    teacher: GridTeacher,
    photos: Iterable[Path],
    folder: Path,
    log: RunLog,
    *,
    rule: TagRule | None = None,
    classes: Sequence[str] | None = None,
) -> StoredRegions:
    """Look at photos once and store their grids: features in float16, boxes of the cells, tags.

    Started again it goes on where it was; photos that are stored are not opened.

    Args:
        teacher: a frozen network; photos are scaled to its side.
        photos: files, named by their file names without suffix.
        folder: where the store is or will be.
        log: shows progress.
        rule: how cells become tags.
        classes: what the network names; the classes of ImageNet if not given.

    Raises:
        InputError: a photo is missing or damaged, two have the same name, or the store there is
            of another network.
    """
    rule = rule or TagRule()
    names = imagenet_classes() if classes is None else classes
    side = teacher.picture.height
    label = f"grid of {type(teacher).__name__} at {side} pixels"
    settings = json.dumps([label, rule.model_dump(), names])
    producer = Producer.of(label, teacher.state_dict(), settings)
    paths = picture_names(photos)
    with StoreWriter(folder, producer, half=HALF, wait=log.say) as writer:
        missing = writer.missing(paths)
        done = len(paths) - len(missing)
        with log.progress("looking at photos", len(paths), done) as advance:
            for first in range(0, len(missing), _PHOTOS_AT_ONCE):
                part = missing[first : first + _PHOTOS_AT_ONCE]
                grids = look_at(teacher, [paths[name] for name in part], rule, names)
                for name, found in zip(part, grids, strict=True):
                    writer.add(name, found.arrays())
                advance(done + first + len(part))
    return StoredRegions(folder, producer)


def look_at(
    teacher: GridTeacher,
    photos: Sequence[Path],
    rule: TagRule | None = None,
    classes: Sequence[str] | None = None,
) -> list[PictureRegions]:
    """The grids of a few photos, not stored.

    Raises:
        InputError: a photo is missing or damaged.
    """
    names = imagenet_classes() if classes is None else classes
    side = teacher.picture.height
    found: list[PictureRegions] = []
    for first in range(0, len(photos), _PHOTOS_AT_ONCE):
        part = photos[first : first + _PHOTOS_AT_ONCE]
        pixels = to_tensor(np.stack([load_rgb(photo, side) for photo in part]))
        found += _grids(teacher, pixels, names, rule or TagRule())
    return found


def vote(
    logits: Float[Tensor, "region label"], names: Sequence[str], rule: TagRule
) -> tuple[str, ...]:
    """The tags of a picture: what its cells name, most votes first."""
    probabilities, classes = logits.softmax(dim=1).topk(min(rule.per_cell, logits.shape[1]))
    votes = Counter[str]()
    for probability, index in zip(
        probabilities.flatten().tolist(), classes.flatten().tolist(), strict=True
    ):
        if probability >= rule.least:
            votes[names[index]] += probability
    return tuple(name for name, _ in votes.most_common(rule.most))


def cell_boxes(height: int, width: int) -> Float[Tensor, "region 4"]:
    """Where the cells of a map are, row by row, as fractions of the picture."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    corners = torch.stack([x, y, x + 1, y + 1], dim=-1).view(-1, 4)
    return corners / torch.tensor([width, height, width, height])


@torch.no_grad()
def world_regions(
    teacher: VisualTeacher, scenes: Mapping[str, Scene], *, whole: bool = False
) -> dict[str, PictureRegions]:
    """Regions of drawn scenes by name: the teacher's look at each box, and what is in it.

    Every box is cut out, scaled to 32 pixels and shown to the teacher by itself; its feature is
    the mean of the last map. A linear probe tells .99 of the kinds by it, and .94 by boxes pooled
    from the last two maps of the whole picture, whose pass costs as much as four boxes.

    Args:
        teacher: a network trained on the world.
        scenes: what is true in each picture. Tags are those of the scene: they name the noun and
            not its sense.
        whole: the whole picture is the last region: where a scene takes place is seen best there.
    """
    found: dict[str, PictureRegions] = {}
    names = list(scenes)
    for first in range(0, len(names), _PHOTOS_AT_ONCE):
        part = names[first : first + _PHOTOS_AT_ONCE]
        where = [_boxes(scenes[name], whole) for name in part]
        pixels = to_tensor(draw_all([scenes[name] for name in part]))
        each = box_features(teacher, pixels, where)
        for name, feature, box in zip(part, each, where, strict=True):
            found[name] = PictureRegions(feature, box, tags(scenes[name]))
    return found


def labelled_regions(scenes: Sequence[Scene]) -> LabelledScenes:
    """Every box of drawn scenes and every whole picture, as :func:`world_regions` shows them.

    Their labels are :data:`phosphene.data.world.scene.REGION_LABELS`.
    """
    cut = []
    for first in range(0, len(scenes), _PHOTOS_AT_ONCE):
        part = scenes[first : first + _PHOTOS_AT_ONCE]
        pixels = to_tensor(draw_all(part))
        cut.append(_cut(pixels, [_boxes(scene, whole=True) for scene in part]))
    pictures = torch.cat(cut).mul(255).round().byte().permute(0, 2, 3, 1)
    return LabelledScenes(pictures.numpy(), region_labels(scenes))


def _boxes(scene: Scene, whole: bool) -> Float[Tensor, "region 4"]:
    frame = torch.tensor([[0.0, 0.0, 1.0, 1.0]])[: int(whole)]
    return torch.cat([torch.from_numpy(boxes(scene)), frame])


@torch.no_grad()
def box_features(
    teacher: VisualTeacher,
    pixels: Float[Tensor, "photo 3 height width"],
    where: Sequence[Tensor],
) -> list[Tensor]:
    """The teacher's look at some boxes of each picture, on the CPU; see :func:`world_regions`.

    Of each picture ``[region, 4]``, its boxes as fractions of it, to ``[region, feature]``.
    """
    cut = _cut(pixels, where).to(teacher.mean.device)
    features = teacher.perceive(teacher.normalise(cut)).last.mean((2, 3)).cpu()
    return list(features.split([*map(len, where)]))


def _cut(
    pixels: Float[Tensor, "photo 3 height width"], where: Sequence[Tensor]
) -> Float[Tensor, "region 3 side side"]:
    counts = torch.tensor([*map(len, where)])
    owner = torch.arange(len(where)).repeat_interleave(counts)
    return crops(pixels, owner, torch.cat([*where]), _CROP_SIDE)


def crops(
    pixels: Float[Tensor, "photo 3 height width"],
    owner: Int[Tensor, " region"],
    where: Float[Tensor, "region 4"],
    side: int,
) -> Float[Tensor, "region 3 {side} {side}"]:
    """Boxes cut out and scaled to squares, bilinearly.

    Args:
        pixels: pictures.
        owner: which picture each box is of.
        where: the boxes, as fractions of the picture.
        side: of the squares, in pixels.
    """
    steps = (torch.arange(side) + 0.5) / side
    x1, y1, x2, y2 = where.unsqueeze(-1).unbind(1)
    x, y = x1 + (x2 - x1) * steps, y1 + (y2 - y1) * steps
    grid = torch.stack(
        [x[:, None, :].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], dim=-1
    )
    return F.grid_sample(
        pixels[owner], 2 * grid - 1, mode="bilinear", padding_mode="border", align_corners=False
    )


@torch.no_grad()
def _grids(
    teacher: GridTeacher,
    pixels: Float[Tensor, "photo 3 height width"],
    names: Sequence[str],
    rule: TagRule,
) -> list[PictureRegions]:
    seen = teacher(pixels.to(teacher.mean.device)).last
    where = cell_boxes(*seen.shape[2:])
    cells = regions_from_map(seen)
    logits = teacher.classify(cells)
    return [
        PictureRegions(features, where, vote(votes, names, rule))
        for features, votes in zip(cells.cpu(), logits.cpu(), strict=True)
    ]


__all__ = [
    "GridTeacher",
    "TagRule",
    "box_features",
    "cell_boxes",
    "crops",
    "extract_regions",
    "labelled_regions",
    "look_at",
    "vote",
    "world_regions",
]
