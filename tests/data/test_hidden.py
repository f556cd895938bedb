"""Hidden words: which of which sentences, in every split, and never of a target."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from phosphene.core.config import parse_settings, settings_hash
from phosphene.core.errors import InputError
from phosphene.data.corpus import Corpus, CorpusConfig, load_corpus
from phosphene.data.dataset import TranslationData
from phosphene.data.described import DescribedConfig
from phosphene.data.described_sources import load_described
from phosphene.data.hidden import (
    HIDDEN,
    hidden_share,
    hide,
    hide_masked,
    hide_some,
    masked_nouns,
)
from phosphene.recipes.clip_prefix_data import translations

SENTENCES = {
    "train": ["a red dog runs .", "the dog sleeps .", "a Tan dog in snow .", "two men see a dog ."],
    "val": ["a dog .", "a grey cat ."],
    "test_2016_flickr": ["three dogs .", "a woman in white ."],
}
MASKS = {
    "train": ["a red [v] runs .", "the [v] sleeps .", "a Tan [v] in snow .", "two [v] see a [v] ."],
    "val": ["a [v] .", "a grey [v] ."],
    "test_2016_flickr": ["three [v] .", "a [v] in white ."],
}
GERMAN = {split: [f"rot {line}" for line in lines] for split, lines in SENTENCES.items()}


def write(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A few rows of Multi30K with entity masks."""
    task = tmp_path / "multi30k"
    for split, lines in SENTENCES.items():
        names = [f"{number}.jpg" for number in range(len(lines))]
        write(task / "task1" / "image_splits" / f"{split}.txt", names)
        write(task / "task1" / "tok" / f"{split}.lc.norm.tok.en", lines)
        write(task / "task1" / "tok" / f"{split}.lc.norm.tok.de", GERMAN[split])
        write(task / "masks" / f"{split}.lc.norm.tok.entity.en", MASKS[split])
    monkeypatch.setenv("PHOSPHENE_DATA", str(tmp_path))
    return tmp_path


def corpus(source: str, hidden: Mapping[str, Any] | None = None, **changes: Any) -> Corpus:
    values = {"source": source, "tests": ["test_2016_flickr"], "merges": 20, **changes}
    if hidden is not None:
        values["hidden"] = hidden
    return load_corpus(parse_settings(CorpusConfig, values, "test"))


def sources(data: TranslationData) -> list[str]:
    return [pair.source for pair in data.pairs]


def test_words_are_hidden_however_they_are_written() -> None:
    assert hide("a Red dog, red-nosed.", {"red"}) == f"a {HIDDEN} dog, {HIDDEN}-nosed."
    assert hide_masked("a dog runs .", "a dog runs .", "a [v] runs .") == f"a {HIDDEN} runs ."
    assert hide_masked("A dog runs.", "a dog runs .", "a [v] runs .") == f"A {HIDDEN} runs."
    with pytest.raises(ValueError, match="expected 4 words, got 3"):
        hide_masked("a dog runs .", "a dog runs .", "a [v] runs")
    assert hidden_share([f"a {HIDDEN}", "b c"]) == 0.25
    assert hidden_share(hide_some(["a b c d"] * 500, 0.15, 1)) == pytest.approx(0.15, abs=0.02)


def test_nouns_are_what_masks_mostly_cover() -> None:
    sentences = ["a dog runs", "the dog runs", "a dog sits", "a cat runs"]
    masks = ["a [v] runs", "the [v] runs", "a dog sits", "a [v] runs"]
    assert masked_nouns(sentences, masks) == {"dog"}  # one cat is no evidence


WITHOUT = {
    "colours": (
        [f"a {HIDDEN} dog runs .", "the dog sleeps .", f"a {HIDDEN} dog in snow .",
         "two men see a dog ."],
        ["a dog .", f"a {HIDDEN} cat ."],
        ["three dogs .", f"a woman in {HIDDEN} ."],
    ),
    "people": (
        [*SENTENCES["train"][:3], f"two {HIDDEN} see a dog ."],
        SENTENCES["val"],
        ["three dogs .", f"a {HIDDEN} in white ."],
    ),
    "entities": tuple(
        [line.replace("[v]", HIDDEN) for line in MASKS[split]] for split in SENTENCES
    ),
    "nouns": (  # only the dog is masked often enough to be evidence
        [line.replace("dog", HIDDEN) for line in SENTENCES["train"]],
        [f"a {HIDDEN} .", "a grey cat ."],
        SENTENCES["test_2016_flickr"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", WITHOUT)
def test_the_same_words_are_hidden_in_every_split_and_in_no_target(root: Path, words: str) -> None:
    whole, found = corpus("multi30k"), corpus("multi30k", {"words": words})
    assert tuple(sources(data) for data in found.splits.values()) == WITHOUT[words]
    for split, data in found.splits.items():
        assert data.references == whole.splits[split].references
        assert [pair.whole_source for pair in data.pairs] == sources(whole.splits[split])
    assert found.digest() != whole.digest()
    # What is read is what is said: a hidden word is one token, and it is known.
    (mark,) = found.tokenizer.encode(HIDDEN)
    counts = [sum(token == mark for token in line) for line in found.train.sources]
    assert counts == [line.count(HIDDEN) for line in WITHOUT[words][0]]


def test_random_words_are_those_of_the_probes_first_draw(root: Path) -> None:
    found = corpus("multi30k", {"words": "random", "share": 0.4}, languages=["de", "en"])
    for split, name in (("train", "train"), ("validation", "val")):
        assert sources(found.splits[split]) == hide_some(GERMAN[name], 0.4, seed=1)
        assert found.splits[split].references == SENTENCES[name]
    share = hidden_share(sources(found.train))
    assert 0 < share < 1
    again = corpus("multi30k", {"words": "random", "share": 0.4}, languages=["de", "en"])
    assert again.digest() == found.digest()


def test_words_of_the_world_and_of_ones_own_files(tmp_path: Path) -> None:
    world: dict[str, Any] = {"tests": ["ordinary"], "train_scenes": 40, "test_scenes": 8}
    whole, found = corpus("world", **world), corpus("world", {"words": "colours"}, **world)
    colours = {"red", "blue", "green", "yellow", "black", "white"}
    for split, data in whole.splits.items():
        expected = [
            " ".join(HIDDEN if word in colours else word for word in line.split())
            for line in sources(data)
        ]
        assert sources(found.splits[split]) == expected != sources(data)
        assert found.splits[split].references == data.references
    assert not any("man" in line.split() for line in sources(
        corpus("world", {"words": "people"}, **world).train
    ))  # fmt: skip
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps({"src": "a red dog", "tgt": "ein red hund"}), encoding="utf-8")
    files = {"train_file": path, "validation_file": path, "test_file": path}
    own = corpus("jsonl", {"words": "colours"}, **files)
    assert sources(own.tests["test"]) == [f"a {HIDDEN} dog"]
    assert own.tests["test"].references == ["ein red hund"]


def test_a_translator_with_prefixes_hides_words_of_sources_alone(root: Path) -> None:
    def told(**changes: Any) -> DescribedConfig:
        values = {"source": "multi30k", "captions_of": "pairs", "merges": 20, **changes}
        return parse_settings(DescribedConfig, values, "test")

    whole, found = load_described(told()), load_described(told(hidden={"words": "entities"}))
    read = translations(found.train, [("en", "de")], found.tokenizer).data
    assert sources(read) == WITHOUT["entities"][0]
    assert read.references == GERMAN["train"]
    assert [item.sentences for item in found.train] == [item.sentences for item in whole.train]
    assert found.digest() != whole.digest()
    (mark,) = found.tokenizer.encode(HIDDEN)
    assert [line.count(mark) for line in read.sources] == [1, 1, 1, 2]
    both = told(hidden={"words": "random", "share": 0.5}, directions=[["en", "de"], ["de", "en"]])
    pairs = translations(load_described(both).train, both.directions, found.tokenizer).data.pairs
    assert [pair.source for pair in pairs[4:]] == hide_some(GERMAN["train"], 0.5, seed=1)
    assert [pair.target for pair in pairs[4:]] == SENTENCES["train"]


@pytest.mark.parametrize(
    ("source", "hidden", "changes", "message"),
    [
        ("world", {"words": "shapes"}, {}, "key 'hidden.words': Input should be 'colours', 'ent"),
        ("world", {"words": "random", "share": 1.5}, {}, "key 'hidden.share': Input should be l"),
        ("world", {"share": 0.5}, {}, "key 'hidden.words': Field required"),
        ("world", {"words": "people", "share": 0.5}, {}, "share belongs to words = 'random', not"),
        ("world", {"words": "entities"}, {}, "which words are entities is not known of these data"),
        (
            "multi30k", {"words": "colours"}, {"languages": ["de", "en"]},
            "sources are 'de', and which words are colours is known in English alone",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_hidden_is_said_in_a_line(
    root: Path, source: str, hidden: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    world = {"tests": ["ordinary"], "train_scenes": 4, "test_scenes": 2}
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        corpus(source, hidden, **(world if source == "world" else {}), **changes)
    assert message in str(caught.value)


def test_masks_that_are_missing_or_do_not_fit_are_named(root: Path) -> None:
    folder = root / "multi30k" / "masks"
    (folder / "val.lc.norm.tok.entity.en").write_text("a [v] .\na [v]\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"val\.lc\.norm\.tok\.entity\.en:2: expected 4 words"):
        corpus("multi30k", {"words": "entities"})
    (folder / "val.lc.norm.tok.entity.en").write_text("a [v] .\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"entity\.en: 1 lines, expected 2 as in the text"):
        corpus("multi30k", {"words": "entities"})
    (folder / "train.lc.norm.tok.entity.en").unlink()
    for words in ("entities", "nouns"):
        with pytest.raises(InputError, match=rf"train\.lc.*does not exist: .* show {words}"):
            corpus("multi30k", {"words": words})


def test_settings_that_hide_nothing_have_the_hash_that_they_always_had() -> None:
    """The hashes are of the settings before words could be hidden: runs keep their names."""
    plain = CorpusConfig(source="world", tests=("ordinary",))
    assert settings_hash(plain) == "98f5856998ca"
    assert settings_hash(DescribedConfig(source="world")) == "a75d4caf253a"
    values = {"source": "world", "tests": ["ordinary"], "hidden": {"words": "colours"}}
    hidden = parse_settings(CorpusConfig, values, "test")
    assert settings_hash(hidden) != settings_hash(plain) == settings_hash(hidden.whole)
    assert "hidden" not in plain.model_dump() and hidden.model_dump()["hidden"]["share"] == 0.15
