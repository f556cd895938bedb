"""Translations and captions of pictures, in every direction, from every source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from phosphene.core.config import parse_settings
from phosphene.core.errors import InputError
from phosphene.data.described import DescribedConfig, DescribedCorpus
from phosphene.data.described_sources import load_described
from phosphene.data.world.lexicon import RARE
from phosphene.data.world.scene import Scene

ENGLISH = ["a man .", "two dogs run .", "a hat .", "snow .", "a red boat ."]
GERMAN = ["ein mann .", "zwei hunde rennen .", "ein hut .", "schnee .", "ein boot ."]
FRENCH = ["un homme .", "deux chiens courent .", "un chapeau .", "neige .", "un bateau ."]


def write(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five rows of Multi30K, tasks 1 and 2; two training photos."""
    task = tmp_path / "multi30k"
    names = [f"{number}.jpg" for number in range(5)]
    for split in ("train", "val", "test_2016_flickr"):
        write(task / "task1" / "image_splits" / f"{split}.txt", names)
        for code, lines in (("en", ENGLISH), ("de", GERMAN), ("fr", FRENCH)):
            write(task / "task1" / "tok" / f"{split}.lc.norm.tok.{code}", lines)
    write(task / "task2" / "image_splits" / "train_images.txt", names)
    for number in range(1, 6):
        for code, lines in (("en", ENGLISH), ("de", GERMAN)):
            said = [f"{line[:-1]}{number} ." for line in lines]
            write(task / "task2" / "tok" / f"train.lc.norm.tok.{number}.{code}", said)
    photos = tmp_path / "flickr8k"
    write(photos / "manifest.tsv", ["split\tline0\timage", "train\t1\t1.jpg", "train\t4\t4.jpg"])
    (photos / "images").mkdir()
    for name in ("1.jpg", "4.jpg"):
        Image.new("RGB", (3, 3)).save(photos / "images" / name)
    monkeypatch.setenv("PHOSPHENE_DATA", str(tmp_path))
    return tmp_path


def corpus(source: str, **changes: Any) -> DescribedCorpus:
    values = {"source": source, "merges": 20, **changes}
    return load_described(parse_settings(DescribedConfig, values, "test"))


def test_multi30k_in_three_languages(root: Path) -> None:
    directions = [["en", "de"], ["de", "fr"], ["fr", "en"]]
    found = corpus("multi30k", directions=directions, captions_each=2)
    first, second = found.train[:2]
    assert first.sentences == {"en": "a man .", "de": "ein mann .", "fr": "un homme ."}
    assert (first.id, first.picture) == ("train:1", None)
    photo = root / "flickr8k" / "images" / "1.jpg"
    assert second.picture == photo
    assert [(item.sentences, item.picture) for item in found.captions[:2]] == [
        ({"de": "zwei hunde rennen 1 ."}, photo),
        ({"de": "zwei hunde rennen 2 ."}, photo),
    ]
    assert len(found.captions) == 2 * 2
    assert found.counts()["train"] == "5, 2 with a picture"
    assert {found.tokenizer.language_id(code) for code in ("en", "de", "fr")} == {4, 5, 6}


def test_captions_may_be_the_pairs_themselves(root: Path) -> None:
    found = corpus("multi30k", caption_languages=["en"], captions_of="pairs")
    assert [item.sentences for item in found.captions] == [
        {"en": "two dogs run ."},
        {"en": "a red boat ."},
    ]


def test_translations_can_be_few_while_captions_are_many(root: Path) -> None:
    found = corpus("multi30k", train_sentences=2)
    assert [item.id for item in found.train] == ["train:1", "train:2"]
    assert len(found.captions) == 2 * 5
    whole = corpus("multi30k")
    assert found.digest() != whole.digest()
    with pytest.raises(InputError, match="train_sentences: 6, but there are 5"):
        corpus("multi30k", train_sentences=6)


def test_the_low_resource_world_captions_what_it_seldom_translates() -> None:
    found = corpus(
        "world", train_scenes=300, captioned_scenes=100, test_scenes=10, captions_each=2,
        tests=["low-resource"], directions=[["en", "de"], ["de", "en"]],
    )  # fmt: skip

    def rare(items: Any) -> float:
        scenes = [item.picture for item in items]
        assert all(isinstance(scene, Scene) for scene in scenes)
        return sum(scene.focus.kind in RARE for scene in scenes) / len(scenes)

    assert rare(found.train) < 0.05
    assert 0.15 < rare(found.captions) < 0.4
    assert rare(found.tests["low-resource"]) == 1.0
    assert len(found.captions) == 200
    scenes = {name: {item.picture for item in items} for name, items in (
        ("train", found.train), ("captions", found.captions), ("valid", found.validation),
        ("test", found.tests["low-resource"]),
    )}  # fmt: skip
    assert not scenes["train"] & scenes["captions"]
    assert not scenes["valid"] & scenes["test"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"directions": [["en", "en"]]}, "a direction from en to en"),
        ({"directions": [["en", "de"], ["en", "de"]]}, "named twice"),
        ({"text": "raw"}, "captions of task 2 are tokenised"),
        ({"directions": [["en", "cs"]]}, "unknown language 'cs'"),
        ({"caption_languages": ["fr"]}, "unknown language 'fr': Multi30K has captions in en and"),
        ({"source": "jsonl"}, "expected two JSON-lines files"),
        ({"source": "world", "tests": ["odd"]}, "no world split 'odd'"),
        ({"source": "wit", "directions": [["en", "ro"]]}, "no folder en_ro or ro_en"),
    ],
)
def test_what_cannot_be_is_refused(root: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        corpus(**{"source": "multi30k", **changes})
