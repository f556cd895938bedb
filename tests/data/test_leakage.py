"""Planted leaks are found, and what only looks like one is not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.data.leakage import (
    NEAR,
    DataSet,
    Leak,
    Shown,
    difference_hash,
    overlaps,
    resemblance,
    shingles,
    small,
)

LONG = "a man in an orange hat is looking at something on the street ."
TRAIN = {"train:1": LONG, "train:2": "two dogs are playing in the snow .", "train:3": "hello"}


def leaks(train: DataSet, test: DataSet) -> tuple[Leak, ...]:
    found = overlaps([train], [test])
    return found[0].leaks if found else ()


def test_sentences_are_found_word_for_word_however_they_are_written() -> None:
    found = leaks(
        DataSet("train", TRAIN), DataSet("test", {"test:7": "Two dogs are playing in the snow!"})
    )
    assert [leak.kind for leak in found] == ["same sentence"]
    assert found[0].train.startswith("train:2: ") and found[0].test.startswith("test:7: ")


def test_a_planted_near_duplicate_is_found_and_another_sentence_is_not() -> None:
    tests = {
        "test:1": LONG.replace("orange", "yellow"),
        "test:2": "a man in a hat is at the street looking for something .",
    }
    found = leaks(DataSet("train", TRAIN), DataSet("test", tests))
    assert [(leak.kind, leak.test[:6]) for leak in found] == [("near sentence", "test:1")]


def test_looking_up_the_rarest_shingles_misses_nothing() -> None:
    rng = np.random.default_rng(1)
    words = [f"w{number}" for number in range(8)]
    texts = [" ".join(rng.choice(words, size=4)) for _ in range(60)]
    texts[50:] = [f"{text} {rng.choice(words)}" for text in texts[:10]]
    train = {f"train:{number}": text for number, text in enumerate(texts[:40])}
    test = {f"test:{number}": text for number, text in enumerate(texts[40:])}
    by_hand = {
        place
        for place, text in test.items()
        if max(resemblance(shingles(text), shingles(other)) for other in train.values()) >= NEAR
    }
    found = leaks(DataSet("train", train), DataSet("test", test))
    assert 0 < len(by_hand) < 20
    assert {leak.test.partition(": ")[0] for leak in found} == by_hand


def photo(path: Path, seed: int, side: int = 96) -> Path:
    """A smooth made-up picture."""
    noise = np.random.default_rng(seed).integers(0, 256, size=(6, 6, 3)).astype(np.uint8)
    Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC).save(path)
    return path


def test_pictures_are_found_by_name_by_content_and_by_look(tmp_path: Path) -> None:
    original = photo(tmp_path / "a.png", 1)
    copy = tmp_path / "copy.png"
    copy.write_bytes(original.read_bytes())
    smaller = tmp_path / "smaller.jpg"
    Image.open(original).convert("RGB").resize((64, 64)).save(smaller, quality=70)
    other = photo(tmp_path / "other.png", 2)
    train = DataSet("train", pictures=(Shown("a.png", original), Shown("4385058960_b0f2.jpg")))
    shown = (
        Shown("copy.png", copy),
        Shown("smaller.jpg", smaller),
        Shown("other.png", other),
        Shown("http://static.flickr.com/1/4385058960_b0f2.jpg"),
    )
    found = {leak.test: leak.kind for leak in leaks(train, DataSet("test", pictures=shown))}
    assert found == {
        "copy.png": "same file",
        "smaller.jpg": "same look",
        "http://static.flickr.com/1/4385058960_b0f2.jpg": "same name",
    }


def test_two_files_of_one_name_are_compared_by_what_they_show(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("train", "test")]
    for seed, folder in enumerate(folders):
        folder.mkdir()
        photo(folder / "0.png", seed)
    train, test = (DataSet(f.name, pictures=(Shown("0.png", f / "0.png"),)) for f in folders)
    assert leaks(train, test) == ()
    assert [leak.kind for leak in leaks(train, train)] == ["same name"]


def test_a_difference_hash_says_where_it_becomes_brighter(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(17, dtype=np.uint8)[None, :, None] * 10, (16, 1, 3))
    assert np.unpackbits(difference_hash(ramp)).all()
    assert not np.unpackbits(difference_hash(ramp[:, ::-1].copy())).any()
    assert small(photo(tmp_path / "a.png", 1)).shape == (16, 17, 3)


@pytest.mark.realdata
@pytest.mark.skipif("PHOSPHENE_DATA" not in os.environ, reason="needs PHOSPHENE_DATA")
def test_known_leaks_of_the_public_data_are_found() -> None:
    from phosphene.recipes.leakage import published_sets

    train, tests = published_sets(Path(os.environ["PHOSPHENE_DATA"]))
    wanted = {"Multi30K task 2 val", "DAQUAR train"}
    pictures = [DataSet(one.name, pictures=one.pictures) for one in (*train, *tests)]
    sides = ([one for one in pictures[: len(train)] if one.name in wanted], pictures[len(train) :])
    found = {(one.train, one.test): one.counts() for one in overlaps(*sides)}
    assert found["DAQUAR train", "DAQUAR eval"]["same name"] == 1124
    assert found["Multi30K task 2 val", "Multi30K val"]["same name"] == 1014
