"""Planted leaks are found, and what only looks like one is not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from phosphene.data.captions import sentence_words
from phosphene.data.edits import allowed_edits
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
from phosphene.recipes.leakage import leakage, published_sets

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


@pytest.mark.parametrize(
    ("train", "test", "near"),
    [
        # Eight words, one of them changed; fourteen words, two; none resembles the other by 0.7.
        (
            "two black dogs are playing in the snow .",
            "two brown dogs are playing in the snow",
            True,
        ),
        (
            "a young man in a blue shirt is riding his bike on the street .",
            "a young man in a green shirt is riding his bike on the road .",
            True,
        ),
        ("a man sits on a bench .", "a man sits on the bench .", True),
        ("a woman walks with her dog .", "the woman walks with her dog outside .", False),
        (
            "two black dogs are playing in the snow .",
            "two brown dogs are sitting in the snow",
            False,
        ),
        ("a dog is running .", "a cat is running .", False),
        ("two men are sitting here .", "two men are standing here .", False),
        ("a boy is jumping in the water .", "a girl is sitting on the grass .", False),
    ],
)
def test_a_sentence_of_six_words_or_more_is_near_where_few_words_differ(
    train: str, test: str, near: bool
) -> None:
    assert resemblance(shingles(train), shingles(test)) < NEAR
    found = leaks(DataSet("train", {"train:1": train}), DataSet("test", {"test:1": test}))
    assert [leak.kind for leak in found] == ["near sentence"] * near


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
    assert not any(allowed_edits(len(sentence_words(text))) for text in texts)  # resemblance alone
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


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_captions_of_task_2_of_an_evaluation_photo_are_found(tmp_path: Path) -> None:
    """Task 2 may have the photo, the sentence itself, and one that differs in a word."""
    task_1, task_2 = tmp_path / "multi30k" / "task1", tmp_path / "multi30k" / "task2"
    splits = ("train", "val", "test_2016_flickr", "test_2017_flickr", "test_2017_mscoco")
    for split in splits:
        write(task_1 / "image_splits" / f"{split}.txt", [f"{split}.jpg"])
        write(task_1 / "tok" / f"{split}.lc.norm.tok.en", [f"what {split} shows ."])
    said = "two black dogs are playing in the snow ."
    write(task_1 / "tok" / "test_2016_flickr.lc.norm.tok.en", [said])
    for split in ("train", "val", "test_2016"):
        write(task_2 / "image_splits" / f"{split}_images.txt", [f"{split}.jpg#0", "other.jpg#0"])
        for number in range(1, 6):
            for code in ("en", "de"):
                lines = [f"nothing {split} {code} {number}", f"something {split} {code} {number}"]
                write(task_2 / "tok" / f"{split}.lc.norm.tok.{number}.{code}", lines)
    write(task_2 / "image_splits" / "test_2016_images.txt", ["test_2016_flickr.jpg#0", "b.jpg#0"])
    path = task_2 / "tok" / "test_2016.lc.norm.tok.4.en"
    write(path, ["dogs play .", said])
    write(task_2 / "tok" / "train.lc.norm.tok.2.en", ["a child", said.replace("black", "brown")])
    found = {(one.train, one.test): one for one in overlaps(*published_sets(tmp_path))}
    same = found["Multi30K task 2 test_2016", "Multi30K test_2016_flickr"]
    assert same.counts() == {"same name": 1, "same sentence": 1}
    assert same.leaks[1].train == f"{path.name}:2: {said}"
    assert same.leaks[1].test == f"test_2016_flickr:1 (en): {said}"
    near = found["Multi30K task 2 train", "Multi30K test_2016_flickr"]
    assert near.counts() == {"near sentence": 1}
    assert near.leaks[0].train.startswith("train.lc.norm.tok.2.en:2: two brown dogs")
    assert set(found) == {
        ("Multi30K task 2 test_2016", "Multi30K test_2016_flickr"),
        ("Multi30K task 2 train", "Multi30K test_2016_flickr"),
        ("Multi30K task 2 val", "Multi30K val"),
    }


def test_hidden_words_make_no_sentences_alike(tmp_path: Path) -> None:
    for name, colour in (("train", "red"), ("validation", "blue"), ("test", "red")):
        write(tmp_path / f"{name}.jsonl", [f'{{"src": "a {colour} hat .", "tgt": "{name} ."}}'])
    config = tmp_path / "own.toml"
    files = "".join(f"{name}_file = '{tmp_path / name}.jsonl'\n" for name in ("train", "test"))
    config.write_text(
        f"[budget]\nmax_updates = 1\n[teacher]\nnetwork = 'small_resnet'\nside = 64\n[data]\n"
        f"source = 'jsonl'\nmerges = 5\nvalidation_file = '{tmp_path}/validation.jsonl'\n{files}",
        encoding="utf-8",
    )
    found = leakage("inversion_mmt", str(config), ["data.hidden.words=colours"])
    assert found is not None
    assert [(each.test, each.counts()) for each in found] == [("test", {"same sentence": 1})]


@pytest.mark.realdata
@pytest.mark.skipif("PHOSPHENE_DATA" not in os.environ, reason="needs PHOSPHENE_DATA")
def test_known_leaks_of_the_public_data_are_found() -> None:
    train, tests = published_sets(Path(os.environ["PHOSPHENE_DATA"]))
    wanted = {"Multi30K task 2 val", "DAQUAR train"}
    pictures = [DataSet(one.name, pictures=one.pictures) for one in (*train, *tests)]
    sides = ([one for one in pictures[: len(train)] if one.name in wanted], pictures[len(train) :])
    found = {(one.train, one.test): one.counts() for one in overlaps(*sides)}
    assert found["DAQUAR train", "DAQUAR eval"]["same name"] == 1124
    assert found["Multi30K task 2 val", "Multi30K val"]["same name"] == 1014
