"""Masked words and exchanged pictures: shares, determinism, and exact continuation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pytest
import torch

from phosphene.core.config import parse_settings
from phosphene.core.errors import InputError
from phosphene.core.types import MaskedPairs
from phosphene.data.captions import CaptionPair
from phosphene.data.loader import Position
from phosphene.data.pretraining import (
    MaskingConfig,
    PicturedTexts,
    PretrainingBatches,
    pictured_texts,
)
from phosphene.data.regions import PictureRegions, RegionTable
from phosphene.data.wordpiece import WordPiece

WORDS = ["a", "goat", "eats", "red", "grass", "beside", "two", "small", "boats"]
SENTENCES = [" ".join(WORDS[row % 4 : row % 4 + 3 + row % 3]) for row in range(300)]
PAIRS = [CaptionPair(f"e{row}", text, f"p{row % 100}") for row, text in enumerate(SENTENCES)]
PIECES = WordPiece.learn(SENTENCES, 60)


def texts() -> PicturedTexts:
    """Three hundred sentences about a hundred pictures; the number of a picture is its feature."""
    table = RegionTable(
        {
            f"p{number}": PictureRegions(
                torch.full((1, 2), float(number)), torch.zeros(1, 4), ("goat", "grass")
            )
            for number in range(100)
        }
    )
    return pictured_texts(PAIRS, table, PIECES)


def batches(**changes: float | bool) -> PretrainingBatches:
    return PretrainingBatches(texts(), PIECES, MaskingConfig(**changes), 200, seed=3)  # type: ignore[arg-type]


def examples(source: PretrainingBatches, epochs: int = 4) -> Iterator[MaskedPairs]:
    for epoch in range(epochs):
        yield from source.once(epoch)


def share(values: list[torch.Tensor]) -> float:
    return torch.cat([value.flatten().float() for value in values]).mean().item()


def test_half_of_the_pictures_are_somebody_elses() -> None:
    found = list(examples(batches()))
    assert share([pairs.matched for pairs in found]) == pytest.approx(0.5, abs=0.05)
    for pairs in found:
        assert pairs.batch.regions is not None
        shown = pairs.batch.regions.features[:, 0, 0]
        own = torch.tensor([float(int(name[1:]) % 100) for name in pairs.batch.ids])
        assert torch.equal(shown == own, pairs.matched)


def test_fifteen_percent_of_the_words_become_mask_and_those_of_matched_pairs_are_to_be_found() -> (
    None
):
    found = list(examples(batches()))
    for matched in (True, False):
        rows = [pairs.matched == matched for pairs in found]
        masked = [
            pairs.text.tokens.ids[row][pairs.text.tokens.mask[row]] == PIECES.mask_id
            for pairs, row in zip(found, rows, strict=True)
        ]
        # as often in both: a [MASK] must not tell whether the picture is the right one
        assert share(masked) == pytest.approx(0.15, abs=0.02)
    for pairs in found:
        text = pairs.text
        hidden = text.tokens.ids.eq(PIECES.mask_id)
        assert torch.equal(text.chosen, hidden & pairs.matched[:, None])
        assert torch.equal(text.tokens.ids[~hidden], text.gold[~hidden])
        assert not text.gold.eq(PIECES.mask_id).any()
        assert pairs.batch.source is text.tokens
        assert not pairs.tags.chosen.any()


def test_the_published_mixture_of_mask_random_and_kept_words() -> None:
    found = list(examples(batches(probability=0.5, random_share=0.1, kept_share=0.1), epochs=8))
    shown = torch.cat([pairs.text.tokens.ids[pairs.text.chosen] for pairs in found])
    gold = torch.cat([pairs.text.gold[pairs.text.chosen] for pairs in found])
    masked, kept = shown.eq(PIECES.mask_id), shown.eq(gold)
    assert masked.float().mean().item() == pytest.approx(0.8, abs=0.04)
    assert kept.float().mean().item() == pytest.approx(0.1, abs=0.04)
    assert shown[~masked].min() > PIECES.mask_id  # never another special entry


def test_words_of_tags_and_of_mismatched_pairs_are_found_where_it_is_asked_for() -> None:
    found = list(examples(batches(mask_tags=True, find_mismatched=True)))
    assert any(pairs.tags.chosen.any() for pairs in found)
    assert any(pairs.text.chosen[~pairs.matched].any() for pairs in found)


def test_tags_are_found_by_the_regions_that_come_with_them_whosever_they_are() -> None:
    found = list(examples(batches(mask_tags=True)))
    assert any(pairs.tags.chosen[~pairs.matched].any() for pairs in found)
    assert not any(pairs.text.chosen[~pairs.matched].any() for pairs in found)


def test_tags_are_hidden_as_often_as_asked() -> None:
    found = list(examples(batches(hide_tags=0.3)))
    shown = [pairs.tags.tokens.mask.any(dim=1) for pairs in found]
    assert share(shown) == pytest.approx(0.7, abs=0.05)
    assert not any(pairs.tags.tokens.mask.any() for pairs in batches(hide_tags=1.0).once())


def same(one: MaskedPairs, other: MaskedPairs) -> bool:
    return (
        one.batch.ids == other.batch.ids
        and torch.equal(one.matched, other.matched)
        and torch.equal(one.text.tokens.ids, other.text.tokens.ids)
    )


def test_batches_go_on_where_they_were_left() -> None:
    whole = list(islice(batches().iterate(Position()), 40))
    position, _ = whole[24]
    rest = list(islice(batches().iterate(position), 15))
    assert all(same(one[1], other[1]) for one, other in zip(whole[25:], rest, strict=True))
    assert any(after.epoch == 1 for after, _ in whole)


def test_epochs_differ_and_processes_share_a_batch() -> None:
    source = batches()
    first, second = (list(source.once(epoch)) for epoch in (0, 1))
    assert not all(same(one, other) for one, other in zip(first, second, strict=False))
    whole = next(source.iterate(Position()))[1]
    parts = [next(source.iterate(Position(), rank, 2))[1] for rank in range(2)]
    assert sorted(parts[0].batch.ids + parts[1].batch.ids) == sorted(whole.batch.ids)
    assert parts[0].matched.tolist() == whole.matched.tolist()[::2]


def test_shares_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="more than all masked tokens"):
        parse_settings(MaskingConfig, {"random_share": 0.6, "kept_share": 0.6}, "test")


def test_pictures_without_tags_in_use_have_none() -> None:
    bare = pictured_texts(PAIRS, texts().table, PIECES, use_tags=False)
    assert set(map(len, bare.tags.values())) == {0}
