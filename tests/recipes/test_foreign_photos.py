"""Photos that are no part of a run's data: ``contrastive`` reads those of CoMMuTE."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.dataset import TranslationData, encode
from phosphene.data.image import load_rgb, to_tensor
from phosphene.data.text import Tokenizer
from phosphene.data.translation import Pair
from phosphene.evaluate.system import System
from phosphene.models.regions import cell_boxes
from phosphene.models.resnet import small_resnet
from phosphene.nn.visual import freeze
from phosphene.recipes.probe import Asked
from phosphene.recipes.translation_probes import Subject, ask_contrastive
from phosphene.recipes.vlp_mmt_probes import with_photo_regions
from phosphene.recipes.vlp_mmt_settings import RegionsConfig


def pairs(folder: Path) -> list[Pair]:
    """Three sentences: the first and the last about one photo, the second about another."""
    rng = np.random.default_rng(1)
    for name in ("a", "b"):
        pixels = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")
    names = ("a", "b", "a")
    return [Pair(str(row), "x", "y", folder / f"{name}.png") for row, name in enumerate(names)]


def test_regions_are_the_cells_that_the_teacher_sees_in_each_photo(tmp_path: Path) -> None:
    torch.manual_seed(1)
    teacher = freeze(small_resnet(3, 32))
    found = pairs(tmp_path)
    data = encode(found, Tokenizer.learn(["x y"], 10))
    shown = with_photo_regions(
        data,
        teacher,
        RegionsConfig(geometry=4, most=3),
        lambda texts: [[len(text.split())] for text in texts],
    )
    regions = shown.batch(np.arange(3)).regions
    assert regions is not None and regions.mask.sum(dim=1).tolist() == [3, 3, 3]
    for row, pair in enumerate(found):
        assert pair.image is not None
        seen = teacher(to_tensor(load_rgb(pair.image, 32)[None])).last[0].flatten(1).t()[:3]
        assert torch.allclose(regions.features[row, :, :-4], seen, atol=1e-5)
        assert torch.equal(regions.features[row, :, -4:], cell_boxes(2, 2)[:3])
    assert shown.tags is not None and len(shown.tags) == 2
    untagged = with_photo_regions(
        data, teacher, RegionsConfig(use_tags=False), lambda texts: [[1] for _ in texts]
    )
    assert untagged.tags == [[], []]
    with pytest.raises(InputError, match=r"gone\.png"):
        with_photo_regions(
            encode([Pair("1", "x", "y", tmp_path / "gone.png")], Tokenizer.learn(["x y"], 10)),
            teacher, RegionsConfig(), lambda texts: [[] for _ in texts],
        )  # fmt: skip


def test_photos_that_nobody_can_look_at_are_refused(tmp_path: Path) -> None:
    system, why = Mock(spec=System), "text_only looks at no pictures"
    subject = Subject(system, {}, ("en", "de"), lambda _: Mock(spec=TranslationData), why)
    with pytest.raises(InputError) as refused:
        ask_contrastive(subject, Asked(RunLog(None, quiet=True), images=tmp_path))
    assert str(refused.value) == (
        f"contrastive: --images {tmp_path}: text_only looks at no pictures"
    )
