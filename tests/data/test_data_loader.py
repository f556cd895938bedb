"""Batches: complete, bounded, the same from the same seed, resumable anywhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.core.errors import InputError
from phosphene.core.types import Regions
from phosphene.data.loader import TokenBatches, collate, shard

lengths = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), min_size=1, max_size=60)


def of_pairs(pairs: list[tuple[int, int]], max_tokens: int = 40, seed: int = 0) -> TokenBatches:
    return TokenBatches(
        [source for source, _ in pairs], [target for _, target in pairs], max_tokens, seed
    )


def caption_lengths(examples: int) -> tuple[np.ndarray, np.ndarray]:
    """Lengths as Multi30K has them: 14.7 +- 4.2 tokens, the two sides correlated."""
    rng = np.random.default_rng(0)
    source = np.clip(rng.normal(14.7, 4.2, examples), 4, 40).astype(int)
    return source, np.clip(source * rng.normal(1.05, 0.15, examples), 4, 50).astype(int)


@given(lengths, st.integers(30, 90), st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=80, deadline=None)
def test_every_example_once_and_no_batch_above_the_bound(
    pairs: list[tuple[int, int]], max_tokens: int, seed: int, number: int
) -> None:
    batches = of_pairs(pairs, max_tokens, seed).epoch(number)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(pairs)))
    for indices in batches:
        assert 0 < len(indices) * max(max(pairs[index]) for index in indices) <= max_tokens


def test_epochs_and_seeds_differ_and_repeat() -> None:
    source, target = caption_lengths(500)
    batches = TokenBatches(source, target, 512, seed=1)
    first = [indices.tolist() for indices in batches.epoch(0)]
    assert first == [indices.tolist() for indices in batches.epoch(0)]
    assert first != [indices.tolist() for indices in batches.epoch(1)]
    other = TokenBatches(source, target, 512, seed=2).epoch(0)
    assert first != [indices.tolist() for indices in other]
    neighbours = [{frozenset(indices.tolist()) for indices in batches.epoch(n)} for n in (0, 1)]
    assert not neighbours[0] & neighbours[1]  # not only the order of the batches changes


def test_lengths_follow_no_order_through_an_epoch() -> None:
    source, target = caption_lengths(2000)
    means = [target[indices].mean() for indices in TokenBatches(source, target, 512, 0).epoch(0)]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.25


@pytest.mark.parametrize(("max_tokens", "bound"), [(1024, 0.05), (4096, 0.075)])
def test_padding_stays_far_below_a_tenth(max_tokens: int, bound: float) -> None:
    source, target = caption_lengths(29_000)
    batches = TokenBatches(source, target, max_tokens, seed=0).epoch(0)
    cells = sum(len(rows) * (source[rows].max() + target[rows].max()) for rows in batches)
    assert 1 - (source.sum() + target.sum()) / cells < bound
    fullness = [len(rows) * max(source[rows].max(), target[rows].max()) for rows in batches]
    assert np.mean(fullness) > 0.98 * max_tokens


def test_too_long_an_example_is_named() -> None:
    with pytest.raises(InputError, match=r"example b has 41 tokens.*max_tokens = 40.*1 such"):
        TokenBatches([5, 41], [5, 5], 40, seed=0, ids=["a", "b"])


def test_too_long_examples_are_counted_where_they_are_skipped() -> None:
    batches = TokenBatches([5, 41, 6], [5, 5, 99], 40, seed=0, skip_longer=True)
    assert batches.skipped == 2
    assert [indices.tolist() for indices in batches.epoch(0)] == [[0]]


def test_no_examples_is_an_error_and_not_an_endless_loop() -> None:
    with pytest.raises(InputError, match="no examples"):
        TokenBatches([], [], 40, seed=0)
    with pytest.raises(InputError, match="no examples"):
        TokenBatches([50], [1], 40, seed=0, skip_longer=True)


@given(st.integers(0, 20), st.integers(1, 8))
def test_shards_are_the_global_batch(rows: int, world_size: int) -> None:
    indices = np.arange(rows) * 7
    parts = [shard(indices, rank, world_size) for rank in range(world_size)]
    assert sorted(np.concatenate(parts).tolist()) == indices.tolist()
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 1


def test_collation_adds_bos_and_eos() -> None:
    regions = Regions(torch.ones(2, 3, 4), torch.tensor([[True] * 3, [False] * 3]))
    batch = collate(["a", "b"], [[7, 8], [9]], [[5], [6, 4]], regions=regions)
    assert batch.ids == ("a", "b")
    assert batch.source.ids.tolist() == [[7, 8, 2], [9, 2, 0]]
    assert batch.source.mask.tolist() == [[True, True, True], [True, True, False]]
    assert batch.target is not None
    assert batch.target.ids.tolist() == [[1, 5, 2, 0], [1, 6, 4, 2]]
    assert batch.regions is regions
    assert batch.pixels is None


def test_collation_without_a_target() -> None:
    assert collate(["a"], [[7]]).target is None
    assert collate([], []).source.ids.shape == (0, 0)  # a process that got no rows
    with pytest.raises(ValueError, match="every example"):
        collate(["a", "b"], [[7]])
