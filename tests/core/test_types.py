"""Batches: padded, moved, and stripped of or given wrong pictures."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from phosphene.core.types import Batch, Pixels, Regions, Tokens, Vectors


def illustrated(rows: int, with_picture: list[int]) -> Batch:
    """A batch in which picture, regions and pixels of row ``r`` all hold the number ``r + 1``."""
    present = torch.tensor([row in with_picture for row in range(rows)])
    numbers = (torch.arange(rows) + 1.0) * present
    return Batch(
        tuple(f"row {row}" for row in range(rows)),
        Tokens.pad([[4, 2]] * rows),
        Tokens.pad([[1, 5, 2]] * rows),
        Pixels(
            torch.tensor([row + 1.0 for row in with_picture])[:, None, None, None].expand(
                -1, 3, 2, 2
            ),
            torch.tensor(with_picture, dtype=torch.long),
        ),
        Regions(numbers[:, None, None].expand(-1, 2, 4), present[:, None].expand(-1, 2)),
    )


def test_padding_is_on_the_right() -> None:
    tokens = Tokens.pad([[5, 6, 2], [2], []], pad_id=9)
    assert tokens.ids.tolist() == [[5, 6, 2], [2, 9, 9], [9, 9, 9]]
    assert tokens.mask.tolist() == [[True] * 3, [True, False, False], [False] * 3]


def test_padding_nothing() -> None:
    assert Tokens.pad([]).ids.shape == (0, 0)
    assert Tokens.pad([[], []]).mask.shape == (2, 0)


def test_without_the_image_only_the_image_is_gone() -> None:
    batch = illustrated(3, [0, 2])
    blind = batch.without("image")
    assert blind.pixels is None
    assert blind.regions is None
    assert blind.source is batch.source
    assert blind.target is batch.target
    assert len(blind) == 3


def test_an_unknown_modality_is_refused() -> None:
    batch = illustrated(2, [0])
    with pytest.raises((ValueError, TypeError), match="sound"):
        batch.without("sound")  # type: ignore[arg-type]


@given(st.integers(2, 12), st.integers(0, 2**31), st.data())
def test_shuffled_moves_every_picture_to_another_row(
    rows: int, seed: int, data: st.DataObject
) -> None:
    with_picture = sorted(data.draw(st.sets(st.integers(0, rows - 1), max_size=rows)))
    batch = illustrated(rows, with_picture)
    moved = batch.shuffled("image", seed)
    assert moved.regions is not None and moved.pixels is not None
    regions = moved.regions.features[:, 0, 0].tolist()
    own = [row + 1.0 if row in with_picture else 0.0 for row in range(rows)]
    assert sorted(regions) == sorted(own)
    assert all(number != row + 1 for row, number in enumerate(regions))
    # The mask went along, and the pixels went where the regions of the same picture went.
    assert moved.regions.mask.all(dim=1).tolist() == [number > 0 for number in regions]
    shown = dict(
        zip(moved.pixels.rows.tolist(), moved.pixels.values[:, 0, 0, 0].tolist(), strict=True)
    )
    assert shown == {row: number for row, number in enumerate(regions) if number}
    assert torch.equal(moved.source.ids, batch.source.ids)


def test_shuffling_is_a_function_of_the_seed() -> None:
    batch = illustrated(8, list(range(8)))
    orders = {
        tuple(moved.regions.features[:, 0, 0].tolist())
        for moved in (batch.shuffled("image", seed) for seed in (1, 1, 2, 3))
        if moved.regions is not None
    }
    assert len(orders) == 3


def test_a_single_row_cannot_move() -> None:
    batch = illustrated(1, [0])
    assert batch.shuffled("image", 1) is batch


def test_everything_moves_to_a_device() -> None:
    batch = illustrated(3, [1]).to(torch.device("meta"))
    assert batch.target is not None and batch.pixels is not None and batch.regions is not None
    tensors = [
        *(batch.source.ids, batch.source.mask, batch.target.ids, batch.target.mask),
        *(batch.pixels.values, batch.pixels.rows, batch.regions.features, batch.regions.mask),
    ]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert batch.ids == ("row 0", "row 1", "row 2")


def test_shapes_are_checked() -> None:
    with pytest.raises(TypeError, match=r"shape|type"):
        Tokens(torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 4, dtype=torch.bool))


def test_tags_and_vectors_come_and_go_with_the_picture() -> None:
    tags = Tokens.pad([[7], [8, 8], []])
    vectors = Vectors(torch.arange(3.0)[:, None], torch.tensor([True, True, False]))
    batch = Batch(("a", "b", "c"), Tokens.pad([[4], [5], [6]]), tags=tags, vectors=vectors)
    moved = batch.shuffled("image", 3)
    assert moved.tags is not None and moved.vectors is not None
    order = moved.vectors.values[:, 0].long()
    assert sorted(order.tolist()) == [0, 1, 2]
    assert (order != torch.arange(3)).all()
    assert torch.equal(moved.tags.ids, tags.ids[order])
    assert torch.equal(moved.tags.mask, tags.mask[order])
    assert torch.equal(moved.vectors.mask, vectors.mask[order])
    assert torch.equal(moved.source.ids, batch.source.ids)
    blind = moved.without("image")
    assert blind.tags is None and blind.vectors is None


def test_text_is_withheld_or_swapped_while_the_picture_stays() -> None:
    batch = Batch(
        ("a", "b"),
        Tokens.pad([[4, 5], [6]]),
        regions=Regions(torch.ones(2, 1, 1), torch.ones(2, 1, dtype=torch.bool)),
    )
    assert batch.without("text").source.ids.shape == (2, 0)
    assert batch.without("text").regions is batch.regions
    moved = batch.shuffled("text", 0)
    assert moved.source.ids.tolist() == [[6, 0], [4, 5]]
    assert moved.source.mask.tolist() == [[True, False], [True, True]]
    assert moved.regions is batch.regions
