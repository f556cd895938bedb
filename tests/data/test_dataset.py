"""Examples with pictures, and the batches of training and evaluation."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from phosphene.core.errors import InputError
from phosphene.core.types import Batch
from phosphene.data.corpus import CorpusConfig, load_corpus
from phosphene.data.dataset import (
    NO_PICTURE,
    LabelledScenes,
    PictureBatches,
    TrainingBatches,
    TranslationData,
    encode,
    evaluation_batches,
)
from phosphene.data.loader import Position
from phosphene.data.text import Tokenizer
from phosphene.data.translation import Pair

EXAMPLES = 23


def corpus(examples: int = EXAMPLES, *, pictures: bool = True) -> TranslationData:
    """Sentences of 1 to 5 words; two of three have a picture, whose every pixel is its number."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 6, (2, examples)).tolist()
    picture_of = np.full(examples, NO_PICTURE)
    seen = np.flatnonzero(np.arange(examples) % 3 != 2)
    picture_of[seen] = rng.permutation(len(seen))
    return TranslationData(
        tuple(Pair(f"e{index}", "s", "t", None) for index in range(examples)),
        [[10 + index] * length for index, length in enumerate(lengths[0])],
        [[40 + index] * length for index, length in enumerate(lengths[1])],
        picture_of,
        np.arange(len(seen), dtype=np.uint8)[:, None, None, None]
        .repeat(4, 1)
        .repeat(4, 2)
        .repeat(3, 3)
        if pictures
        else None,
    )


def fingerprint(batch: Batch) -> tuple[object, ...]:
    assert batch.target is not None and batch.pixels is not None
    return (
        batch.ids,
        batch.source.ids.tolist(),
        batch.target.ids.tolist(),
        batch.pixels.rows.tolist(),
        batch.pixels.values[:, 0, 0, 0].tolist(),
    )


def shown(batch: Batch) -> dict[str, int]:
    """Which picture is shown with which example."""
    assert batch.pixels is not None
    numbers = (batch.pixels.values[:, 0, 0, 0] * 255).round().int().tolist()
    return {
        batch.ids[row]: number
        for row, number in zip(batch.pixels.rows.tolist(), numbers, strict=True)
    }


@pytest.mark.parametrize("photos", [0, 2, 50])
def test_going_on_anywhere_gives_the_rest_of_an_uninterrupted_run(photos: int) -> None:
    whole = list(islice(TrainingBatches(corpus(), 24, 5, photos).iterate(Position()), 30))
    assert whole[-1][0].epoch >= 2
    for done in range(24):
        fresh = TrainingBatches(corpus(), 24, 5, photos)
        rest = list(islice(fresh.iterate(whole[done][0]), 5))
        assert [after for after, _ in rest] == [after for after, _ in whole[done + 1 : done + 6]]
        assert [fingerprint(batch) for _, batch in rest] == [
            fingerprint(batch) for _, batch in whole[done + 1 : done + 6]
        ]


def test_an_epoch_shows_every_example_once_and_its_end_is_the_next_ones_beginning() -> None:
    batches = TrainingBatches(corpus(), 24, 5)
    seen: list[str] = []
    for after, batch in batches.iterate(Position()):
        seen += batch.ids
        if after.batch == 0:
            assert after == Position(1, 0)
            break
    assert sorted(seen) == sorted(f"e{index}" for index in range(EXAMPLES))


@pytest.mark.parametrize("photos", [0, 1, 3, 50])
def test_the_budget_of_photos_bounds_every_batch_and_is_used_up(photos: int) -> None:
    data = corpus()
    for _, batch in islice(TrainingBatches(data, 40, 1, photos).iterate(Position()), 12):
        has = {name for name in batch.ids if data.picture_of[int(name[1:])] != NO_PICTURE}
        pictures = shown(batch)
        assert pictures.keys() <= has
        assert len(pictures) == min(photos, len(has))
        assert all(data.picture_of[int(name[1:])] == number for name, number in pictures.items())


def test_other_photos_are_drawn_in_another_epoch() -> None:
    batches = TrainingBatches(corpus(), 1000, 1, 3)
    drawn = {tuple(sorted(shown(batch))) for _, batch in islice(batches.iterate(Position()), 6)}
    assert len(drawn) > 1


@given(st.integers(2, 4), st.integers(0, 5), st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_the_processes_share_out_each_global_batch_and_its_photos(
    processes: int, photos: int, seed: int
) -> None:
    batches = TrainingBatches(corpus(), 30, seed, photos)
    whole = list(islice(batches.iterate(Position(0, 1)), 6))
    shares = [
        list(islice(batches.iterate(Position(0, 1), rank, processes), 6))
        for rank in range(processes)
    ]
    for number, (after, batch) in enumerate(whole):
        parts = [share[number] for share in shares]
        assert {position for position, _ in parts} == {after}
        assert sorted(name for _, part in parts for name in part.ids) == sorted(batch.ids)
        together: dict[str, int] = {}
        for _, part in parts:
            together |= shown(part)
        assert together == shown(batch)


def test_a_process_without_rows_gets_an_empty_batch() -> None:
    batches = TrainingBatches(corpus(2), 6, 0, 4)
    _, batch = next(batches.iterate(Position(), 1, 2))
    assert len(batch) == 0 and batch.source.ids.shape == (0, 0)


def test_an_example_longer_than_a_batch_is_named() -> None:
    with pytest.raises(InputError, match=r"example e\d+ has 6 tokens, more than a batch may hold"):
        TrainingBatches(corpus(), 5, 0)


def test_evaluation_sees_every_example_once_within_the_bound() -> None:
    data = corpus()
    seen: list[int] = []
    for indices, batch in evaluation_batches(data, 18, photos=True):
        assert batch.target is not None
        seen += indices.tolist()
        assert batch.ids == tuple(f"e{index}" for index in indices)
        assert batch.source.ids.numel() <= 18
        assert len(batch) * (batch.target.ids.shape[1] - 1) <= 18
        assert shown(batch) == {
            f"e{index}": data.picture_of[index]
            for index in indices
            if data.picture_of[index] != NO_PICTURE
        }
    assert sorted(seen) == list(range(EXAMPLES))
    assert len(list(evaluation_batches(data, 1))) == EXAMPLES  # longer than the bound: alone


def test_photos_only_where_they_are_asked_for() -> None:
    for _, batch in evaluation_batches(corpus(), 30):
        assert batch.pixels is not None and not len(batch.pixels.rows)
    for _, batch in evaluation_batches(corpus(pictures=False), 30, photos=True):
        assert batch.pixels is None


def test_regions_are_those_of_the_examples_picture_and_masked_where_it_has_none() -> None:
    data = corpus()
    assert data.pictures is not None
    features = torch.arange(len(data.pictures)).float()[:, None, None].expand(-1, 3, 5) + 1
    for indices, batch in evaluation_batches(data.with_features(features), 30):
        assert batch.regions is not None
        for row, index in enumerate(indices):
            own, mask = batch.regions.features[row], batch.regions.mask[row]
            picture = data.picture_of[index]
            assert mask.tolist() == [picture != NO_PICTURE] * 3
            assert own.unique().tolist() == [0 if picture == NO_PICTURE else picture + 1]


def test_a_split_without_any_picture_has_masked_regions() -> None:
    data = replace(corpus(), picture_of=np.full(EXAMPLES, NO_PICTURE), pictures=None)
    for _, batch in evaluation_batches(data.with_features(torch.zeros(0, 3, 5)), 30):
        assert batch.regions is not None
        assert not batch.regions.mask.any() and not batch.regions.features.any()


def test_only_examples_with_pictures() -> None:
    data = corpus()
    seen = data.only_with_pictures()
    assert len(seen) == int((data.picture_of != NO_PICTURE).sum()) < len(data)
    assert len(seen.rows_with_picture(np.arange(len(seen)))) == len(seen)
    assert [pair.id for pair in seen.pairs] == [
        pair.id
        for pair, picture in zip(data.pairs, data.picture_of, strict=True)
        if picture != NO_PICTURE
    ]


def test_the_digest_changes_with_words_and_pictures_and_not_with_who_reads_them() -> None:
    data = corpus()
    read = corpus()
    read.sources[0].append(11)
    first, *others = data.pairs
    other = replace(data, pairs=(replace(first, target=f"{first.target} x"), *others))
    moved = corpus()
    moved.picture_of[[0, 1]] = moved.picture_of[[1, 0]]
    assert data.digest() == corpus().digest() == read.digest()
    assert len({data.digest(), other.digest(), moved.digest()}) == 3


def test_of_the_worlds_training_scenes_a_part_may_have_a_picture() -> None:
    config = CorpusConfig(
        source="world", tests=("ordinary", "ambiguous"), merges=40, train_scenes=8, test_scenes=4,
        pictured=0.75,
    )  # fmt: skip
    found = load_corpus(config)
    assert [int((data.picture_of != NO_PICTURE).sum()) for data in found.splits.values()] == [
        6, 4, 4, 4,
    ]  # fmt: skip
    assert len(found.scene_of()) == 8 + 3 * 4
    everywhere = load_corpus(config.model_copy(update={"pictured": 1.0}))
    assert everywhere.digest() != found.digest()


def test_labelled_pictures_resume_and_are_shared_out() -> None:
    scenes = LabelledScenes(
        np.arange(11, dtype=np.uint8)[:, None, None, None].repeat(2, 1).repeat(2, 2).repeat(3, 3),
        np.eye(11, dtype=np.float32),
    )
    batches = PictureBatches(scenes, 4, 3)
    whole = list(islice(batches.iterate(Position()), 8))
    assert [len(pictures.labels) for _, pictures in whole[:4]] == [4, 4, 3, 4]
    assert [after for after, _ in whole[:3]] == [Position(0, 1), Position(0, 2), Position(1, 0)]
    epoch = torch.cat([pictures.labels for _, pictures in whole[:3]])
    assert torch.equal(epoch.sum(dim=0), torch.ones(11))
    for _, pictures in whole:
        numbers = (pictures.pixels[:, 0, 0, 0] * 255).round().long()
        assert torch.equal(numbers, pictures.labels.argmax(dim=1))
    for done in range(6):
        after, pictures = next(PictureBatches(scenes, 4, 3).iterate(whole[done][0]))
        assert after == whole[done + 1][0]
        assert torch.equal(pictures.labels, whole[done + 1][1].labels)
    shares = [next(batches.iterate(Position(), rank, 3))[1].labels for rank in range(3)]
    assert torch.equal(torch.cat(shares).sum(dim=0), whole[0][1].labels.sum(dim=0))


def test_encoding_reads_each_picture_once(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(2)]
    for number, path in enumerate(paths):
        Image.new("RGB", (8, 8), (number * 50, 0, 0)).save(path)
    pairs = [
        Pair("a", "a dog", "ein hund", paths[1]),
        Pair("b", "a cat", "eine katze", None),
        Pair("c", "a dog", "ein hund", paths[0]),
        Pair("d", "the dog", "der hund", paths[1]),
    ]
    tokenizer = Tokenizer.learn([pair.source for pair in pairs])
    told: list[tuple[int, int]] = []
    data = encode(pairs, tokenizer, 4, lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    assert data.picture_of.tolist() == [0, NO_PICTURE, 1, 0]
    assert data.pictures is not None
    assert data.pictures[:, 0, 0, 0].tolist() == [50, 0]
    assert data.references == ["ein hund", "eine katze", "ein hund", "der hund"]
    blind = encode(pairs, tokenizer)
    assert blind.pictures is None
    assert blind.picture_of.tolist() == [0, NO_PICTURE, 1, 0]
