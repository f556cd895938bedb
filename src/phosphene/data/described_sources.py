"""Described pictures from every source: the embedded world, Multi30K, WIT, your own files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import get_args

from phosphene.core.errors import InputError
from phosphene.data.described import (
    Described,
    DescribedConfig,
    DescribedCorpus,
    Direction,
)
from phosphene.data.hidden import hide_pairs
from phosphene.data.pairs import multi30k_captions
from phosphene.data.root import data_root
from phosphene.data.text import SubWords, Tokenizer
from phosphene.data.translation import Pair, jsonl, multi30k
from phosphene.data.wit import wit
from phosphene.data.world.captions import caption, captions
from phosphene.data.world.lexicon import Language
from phosphene.data.world.scene import Scene
from phosphene.data.world.splits import Part, Split, World

_WORDINGS = 3
"""Sentences about each scene of the monolingual text."""


def load_described(config: DescribedConfig, vocabulary: SubWords | None = None) -> DescribedCorpus:
    """Read the data, or make up the scenes; nothing is drawn yet.

    A vocabulary is learned where none is given.

    Raises:
        InputError: a file is missing or wrong (the message names it and the line), or the source
            has nothing in one of the languages.
    """
    match config.source:
        case "world":
            train, captioned, validation, tests = _world(config)
        case "multi30k":
            train, captioned, validation, tests = _multi30k(config)
        case "wit":
            train, captioned, validation, tests = _wit(config)
        case "jsonl":
            train, captioned, validation, tests = _jsonl(config)
    if config.train_sentences:
        if config.train_sentences > len(train):
            raise InputError(
                f"data.train_sentences: {config.train_sentences:,}, but there are {len(train):,}"
            )
        train = train[: config.train_sentences]
    train, validation = _hidden(train, config), _hidden(validation, config)
    tests = {name: _hidden(items, config) for name, items in tests.items()}
    if vocabulary is None:
        text = (line for item in (*train, *captioned) for line in item.texts)
        vocabulary = Tokenizer.learn(text, config.merges, languages=config.languages)
    return DescribedCorpus(
        vocabulary,
        tuple(train),
        tuple(captioned),
        tuple(_monolingual(config, [*train, *captioned])),
        tuple(validation),
        {name: tuple(items) for name, items in tests.items()},
    )


Splits = tuple[list[Described], list[Described], list[Described], dict[str, list[Described]]]
"""Translated, captioned, validation and test examples."""


def _multi30k(config: DescribedConfig) -> Splits:
    """Task 1 in every language named; task 2 of its training photos in those of the captions."""
    root = data_root()
    spoken = [code for code in config.languages if any(code in pair for pair in config.directions)]

    def split(name: str) -> list[Described]:
        pairs = {code: multi30k(root, name, (spoken[0], code), config.text) for code in spoken[1:]}
        return [
            Described(
                first.id,
                {spoken[0]: first.source, **{code: pair.target for code, pair in rest.items()}},
                first.image,
            )
            for first, rest in _by_line(pairs)
        ]

    train = split("train")
    if config.captions_of == "pairs":
        captioned = _own_captions(train, config)
    else:
        captioned = [
            Described(f"caption:{photo.id}:{number}", {code: line}, photo.image)
            for code in config.caption_languages
            for photo in multi30k_captions(root, code)
            for number, line in enumerate(photo.captions[: config.captions_each], start=1)
        ]
    return train, captioned, split("val"), {name: split(name) for name in config.tests}


def _by_line(pairs: Mapping[str, list[Pair]]) -> Iterable[tuple[Pair, dict[str, Pair]]]:
    """The pairs of one line in every language, with one of them in front."""
    for line in zip(*pairs.values(), strict=True):
        yield line[0], dict(zip(pairs, line, strict=True))


def _wit(config: DescribedConfig) -> Splits:
    """Every direction's own folder. Captions are the target sides of its illustrated pairs."""
    root = data_root()

    def split(name: str) -> list[Described]:
        directions = {frozenset(direction): direction for direction in config.directions}
        return [
            _described(pair, direction, f"{direction[0]}-{direction[1]}:")
            for direction in directions.values()
            for pair in wit(root, name, direction)
        ]

    train = split("train")
    tests = {name: split(name) for name in config.tests}
    return train, _own_captions(train, config), split("valid"), tests


def _jsonl(config: DescribedConfig) -> Splits:
    if config.train_file is None or config.validation_file is None:
        raise InputError("data.train_file and data.validation_file: expected two JSON-lines files")

    def read(path: Path) -> list[Described]:
        return [_described(pair, config.directions[0]) for pair in jsonl(path)]

    train = read(config.train_file)
    tests = {} if config.test_file is None else {"test": read(config.test_file)}
    return train, _own_captions(train, config), read(config.validation_file), tests


def _hidden(items: Sequence[Described], config: DescribedConfig) -> list[Described]:
    """The examples of one split with words of their sources hidden, where the settings say so."""
    found = list(items)
    if config.hidden is None:
        return found
    root = data_root() if config.source == "multi30k" else None
    for code in config.source_languages:
        told = [item for item in found if code in item.sentences]
        pairs = [Pair(item.id, item.sentences[code], "") for item in told]
        pairs = hide_pairs(pairs, config.hidden, code, config.source, root)
        lines = {pair.id: pair.source for pair in pairs}
        found = [
            replace(item, hidden={**item.hidden, code: lines[item.id]})
            if code in item.sentences
            else item
            for item in found
        ]
    return found


def _described(pair: Pair, direction: Direction, before: str = "") -> Described:
    sentences = {direction[0]: pair.source, direction[1]: pair.target}
    return Described(before + pair.id, sentences, pair.image)


def _own_captions(items: Sequence[Described], config: DescribedConfig) -> list[Described]:
    """Translated examples with a picture, as captions in each language alone."""
    return [
        Described(f"caption:{item.id}:{code}", {code: item.sentences[code]}, item.picture)
        for item in items
        for code in config.caption_languages
        if item.picture is not None and code in item.sentences
    ]


def _monolingual(config: DescribedConfig, items: Sequence[Described]) -> list[Described]:
    """Sentences without their translations."""
    if config.source != "world":
        return [
            Described(f"{item.id}:{code}", {code: line})
            for item in items
            for code, line in item.sentences.items()
        ]
    languages = [_world_language(code) for code in config.languages]
    scenes = _scenes(config, config.train_splits, config.monolingual_scenes, Part.META)
    return [
        Described(f"text:{number}:{turn}", {code: line})
        for number, scene in enumerate(scenes)
        for code in [languages[number % len(languages)]]
        for turn, line in enumerate(captions(scene, code, _WORDINGS))
    ]


def _world(config: DescribedConfig) -> Splits:
    languages = [_world_language(code) for code in config.languages]
    said = [_world_language(code) for code in config.caption_languages]

    def translated(found: Sequence[Scene], name: str) -> list[Described]:
        return [
            Described(f"{name}:{number}", {code: caption(scene, code) for code in languages}, scene)
            for number, scene in enumerate(found, start=1)
        ]

    captioned = [
        Described(f"caption:{number}:{code}:{turn}", {code: line}, scene)
        for number, scene in enumerate(
            _scenes(config, config.train_splits, config.captioned_scenes, Part.CAPTIONED), start=1
        )
        for code in said
        for turn, line in enumerate(captions(scene, code, config.captions_each), start=1)
    ]
    return (
        translated(_scenes(config, config.train_splits, config.train_scenes, Part.TRAIN), "train"),
        captioned,
        translated(_scenes(config, config.tests, config.test_scenes, Part.VALID), "validation"),
        {
            name: translated(_scenes(config, [name], config.test_scenes, Part.TEST), name)
            for name in config.tests
        },
    )


def _scenes(config: DescribedConfig, splits: Sequence[str], count: int, part: Part) -> list[Scene]:
    """``count`` scenes, from the splits in turn."""
    targets = tuple(_world_language(code) for code in config.languages if code != "en")
    world = World(config.world_seed, targets)
    return [
        world.scene(_world_split(splits[index % len(splits)]), index // len(splits), part)
        for index in range(count)
    ]


def _world_language(code: str) -> Language:
    for known in get_args(Language):
        if code == known:
            return known
    raise InputError(
        f"data: the world does not speak '{code}', expected {', '.join(get_args(Language))}"
    )


def _world_split(name: str) -> Split:
    known = [split.value for split in Split]
    if name not in known:
        raise InputError(f"data: no world split '{name}', expected {', '.join(known)}")
    return Split(name)


__all__ = ["load_described"]
