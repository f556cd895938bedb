"""Three views of a batch: what each still shows, and what it must not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from phosphene.core.types import VIEWS, Batch, Pixels, Regions, Tokens, Vectors
from phosphene.data.text import PAD_ID
from phosphene.data.views import Views, dropping, mask, views, zero
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig

MEAN = torch.tensor([1.0, 2.0, 3.0])


def batch(seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    regions = Regions(
        torch.randn(3, 2, 3, generator=generator),
        torch.tensor([[True, True], [True, False], [False, False]]),
    )
    return Batch(
        ("a", "b", "c"),
        Tokens.pad([[5, 6], [7], [8, 9, 10]]),
        pixels=Pixels(torch.rand(2, 3, 4, 4, generator=generator), torch.tensor([0, 1])),
        regions=replace(regions, features=regions.features * regions.mask[:, :, None]),
        tags=Tokens.pad([[11], [12, 13], []]),
        vectors=Vectors(torch.randn(3, 4, generator=generator), torch.ones(3).bool()),
        labels=torch.tensor([0, 1, 0]),
    )


def test_views_come_in_the_order_of_the_axis() -> None:
    assert Views._fields == VIEWS
    given_batch = batch()
    both, image, text = views(given_batch)
    assert both is given_batch
    assert image.source.ids.shape == (3, 0) and image.regions is given_batch.regions
    assert text.source is given_batch.source
    assert text.pixels is text.regions is text.tags is text.vectors is None
    assert image.labels is text.labels is given_batch.labels


@pytest.mark.parametrize("setting", ["mask", "zero", "mean"])
def test_what_is_dropped_cannot_be_told_from_another(setting: str) -> None:
    """Two batches that differ in the dropped modality alone become the same batch."""
    drop = dropping(setting, MEAN)  # type: ignore[arg-type]
    one, other = batch(0), batch(1)
    other_words = replace(one, source=replace(one.source, ids=one.source.ids + 1))
    for first, second in (
        (views(one, drop).text, views(other, drop).text),
        (views(one, drop).image, views(other_words, drop).image),
    ):
        assert first.ids == second.ids
        for name in ("source", "regions", "tags", "vectors", "pixels"):
            left, right = getattr(first, name), getattr(second, name)
            assert (left is None) == (right is None), name
            if left is None:
                continue
            for field in vars(left):
                assert torch.equal(getattr(left, field), getattr(right, field)), (name, field)


def test_zeros_stand_where_something_stood() -> None:
    dropped = zero(batch(), "image")
    assert dropped.regions is not None and dropped.tags is not None
    assert dropped.vectors is not None and dropped.pixels is not None
    assert not dropped.regions.features.any()
    assert dropped.regions.mask.tolist() == [[True, True], [True, False], [False, False]]
    assert (dropped.tags.ids == PAD_ID).all() and dropped.tags.mask.sum() == 3
    assert not dropped.vectors.values.any() and not dropped.pixels.values.any()
    silent = zero(batch(), "text")
    assert (silent.source.ids == PAD_ID).all() and silent.source.mask.sum() == 6


def test_the_mean_stands_in_every_real_region() -> None:
    dropped = dropping("mean", MEAN)(batch(), "image")
    assert dropped.regions is not None
    assert dropped.regions.features[0].tolist() == [[1, 2, 3]] * 2
    assert dropped.regions.features[1].tolist() == [[1, 2, 3], [0, 0, 0]]
    assert not dropped.regions.features[2].any()
    assert dropped.tags is dropped.vectors is dropped.pixels is None
    assert dropping("mean", MEAN)(batch(), "text").source.ids.shape == (3, 0)
    with pytest.raises(ValueError, match="needs the mean region"):
        dropping("mean")


def test_settings_are_functions() -> None:
    assert dropping("mask") is mask and dropping("zero") is zero


@pytest.mark.parametrize("setting", ["mask", "zero", "mean"])
@pytest.mark.parametrize("image", [True, False])
def test_a_view_of_some_examples_is_some_of_the_view(setting: str, image: bool) -> None:
    """Nothing depends on the neighbours."""
    encoder = VLEncoder(
        VLEncoderConfig(vocab=20, cls_id=2, sep_id=3, layers=1, hidden=8, inner=8, heads=2,
                        feature=3, dropout=0, attention_dropout=0)
    ).eval()  # fmt: skip
    drop = dropping(setting, MEAN)  # type: ignore[arg-type]
    whole = replace(batch(), pixels=None, vectors=None)
    assert whole.regions is not None and whole.tags is not None
    alone = Batch(
        ("b",),
        Tokens.pad([[7]]),
        regions=Regions(whole.regions.features[1:2], whole.regions.mask[1:2]),
        tags=Tokens.pad([[12, 13]]),
    )
    seen = [encoder(views(each, drop)[1 if image else 2]).cls for each in (whole, alone)]
    torch.testing.assert_close(seen[0][1:2], seen[1], rtol=1e-4, atol=1e-5)
