"""Training, validation and test data of a translation recipe, from any source."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.dataset import NO_PICTURE, Encode, TranslationData, encode
from phosphene.data.hidden import Hiding, hide_pairs
from phosphene.data.image import Progress
from phosphene.data.regions import RegionTable
from phosphene.data.root import data_root
from phosphene.data.scenes import scenes_in_turn
from phosphene.data.text import EOS_ID, Tokenizer
from phosphene.data.translation import Pair, jsonl, multi30k
from phosphene.data.world.captions import caption
from phosphene.data.world.draw import draw_all
from phosphene.data.world.lexicon import Language
from phosphene.data.world.scene import PICTURE_SIZE, Scene
from phosphene.data.world.splits import Part, Split, World


class CorpusConfig(Hiding):
    """What to train and test on."""

    source: Literal["world", "multi30k", "jsonl"]
    languages: tuple[Language, Language] = ("en", "de")
    """From, to."""
    merges: int = Field(default=10_000, ge=1)
    """Byte-pair merges, learned on both sides of the training text."""
    text: Literal["tok", "raw"] = "tok"
    """Multi30K: the tokenised, lower-cased text of the papers, or the original. Your own data:
    which of both they are."""
    raw_source: bool = False
    """Multi30K: the source as the original text whatever ``text`` says, for word pieces."""
    tests: tuple[str, ...] = Field(
        default=("test_2016_flickr", "test_2017_flickr", "test_2017_mscoco"), min_length=1
    )
    """Multi30K test sets, or splits of the world."""
    train_file: Path | None = None
    """Your own data (JSON lines with src, tgt and perhaps image)."""
    validation_file: Path | None = None
    test_file: Path | None = None
    train_scenes: int = Field(default=12_000, ge=1)
    """World: scenes to train on, in turns from the splits named in ``tests``."""
    pictured: float = Field(default=1.0, gt=0, le=1)
    """World: share of the training scenes whose picture is there; in Multi30K it may be a part,
    and a translator that never went without one does not know how."""
    test_scenes: int = Field(default=400, ge=2, multiple_of=2)
    """World: scenes of each test split, and of validation; even, since some come in pairs."""
    world_seed: int = Field(default=1, ge=0)
    """World: another seed draws other scenes everywhere."""

    @property
    def tokenised(self) -> bool:
        """Whether the text is tokenised, as that of the world is."""
        return self.source == "world" or self.text == "tok"

    @property
    def source_side(self) -> CorpusConfig:
        """The same for whoever reads nothing but sources and their pictures.

        Of Multi30K they do not depend on the target language. In the world they do, whose
        ambiguous scenes are those of its target language, and in files.
        """
        if self.source != "multi30k":
            return self
        language = self.languages[0]
        return self.model_copy(update={"languages": (language, language), "merges": 1})

    @property
    def whole(self) -> CorpusConfig:
        """The same with no word hidden."""
        return self.model_copy(update={"hidden": None})


@dataclass(frozen=True)
class Codec:
    """How sentences become ids, and ids translations."""

    tokenizer: Tokenizer
    """Of the target, and of the source where nothing else is said."""
    encode_source: Encode | None = None
    source_end: tuple[int, ...] = (EOS_ID,)


LearnCodec = Callable[[Sequence[Pair]], Codec]
"""Makes one from the training pairs."""


@dataclass(frozen=True)
class Corpus:
    """A tokenizer and the encoded splits."""

    tokenizer: Tokenizer
    """Of the target."""
    train: TranslationData
    validation: TranslationData
    tests: Mapping[str, TranslationData]
    scenes: Mapping[str, tuple[Scene, ...]] = field(default_factory=dict)
    """World: what is true in the pictures of each split, in their order."""

    @property
    def splits(self) -> dict[str, TranslationData]:
        """All splits by name."""
        return {"train": self.train, "validation": self.validation, **self.tests}

    def photos(self) -> list[Path]:
        """Every photo of every split, once."""
        pairs = (pair for data in self.splits.values() for pair in data.pairs)
        return list(dict.fromkeys(pair.image for pair in pairs if pair.image is not None))

    def scene_of(self) -> dict[str, Scene]:
        """World: what is true in each picture, by the picture's name."""
        return {
            name: scene
            for split, scenes in self.scenes.items()
            for name, scene in zip(self.splits[split].picture_names, scenes, strict=True)
        }

    def with_features(
        self, features: Callable[[np.ndarray], Float[Tensor, "picture region feature"]]
    ) -> Corpus:
        """The same corpus with a teacher's regions of every picture."""

        def seen(data: TranslationData) -> TranslationData:
            return data if data.pictures is None else data.with_features(features(data.pictures))

        return self._each(seen)

    def with_regions(self, table: RegionTable, encode: Encode | None = None) -> Corpus:
        """The same corpus with a detector's regions and tags of every picture.

        Args:
            table: regions of the pictures of all splits.
            encode: how tags become ids; as the sentences do if not given.

        Raises:
            InputError: the table lacks a picture.
        """
        ids = encode or self.tokenizer.encode_all
        return self._each(lambda data: data.with_regions(table, ids))

    def counts(self) -> dict[str, str]:
        """Examples of each split, and how many of them have a picture."""
        return {
            name: f"{len(data):,}, {np.sum(data.picture_of != NO_PICTURE):,} with a picture"
            for name, data in self.splits.items()
        } | {"vocabulary": f"{len(self.tokenizer):,}"}

    def digest(self) -> str:
        """Twelve hexadecimal digits of training and validation: the text, and who has a picture."""
        parts = self.train.digest() + self.validation.digest()
        return hashlib.sha256(parts.encode()).hexdigest()[:12]

    def _each(self, change: Callable[[TranslationData], TranslationData]) -> Corpus:
        return replace(
            self,
            train=change(self.train),
            validation=change(self.validation),
            tests={name: change(data) for name, data in self.tests.items()},
        )


def load_corpus(
    config: CorpusConfig,
    picture_side: int = 0,
    log: RunLog | None = None,
    learn: LearnCodec | None = None,
) -> Corpus:
    """Read or draw the data; pictures as squares of ``picture_side`` pixels (0: none).

    Args:
        config: which data.
        picture_side: height and width of the pictures, 0 for none.
        log: shows progress.
        learn: makes the vocabulary; one joint byte-pair encoding if not given.

    Raises:
        InputError: a file is missing or wrong; the message names it and the line.
    """
    learn = learn or (lambda pairs: _joint(pairs, config.merges))
    if config.source == "world":
        return _world(config, picture_side, learn)
    train, validation, tests = _pairs(config)
    codec = learn(train)

    def encoded(pairs: list[Pair]) -> TranslationData:
        photos = sum(pair.image is not None for pair in pairs) if picture_side else 0
        if log is None or not photos:
            return _encoded(pairs, codec, picture_side)
        with log.progress("reading photos", photos) as advance:
            return _encoded(pairs, codec, picture_side, lambda done, total: advance(done))

    return Corpus(
        codec.tokenizer,
        encoded(train),
        encoded(validation),
        {name: encoded(pairs) for name, pairs in tests.items()},
    )


def captioned_scenes(config: CorpusConfig, count: int) -> dict[str, Scene]:
    """World: scenes with captions and no translation, by name; no split has one of them."""
    targets = tuple(language for language in config.languages if language != "en")
    scenes = scenes_in_turn(World(config.world_seed, targets), config.tests, count, Part.CAPTIONED)
    return {f"captioned:{number}": scene for number, scene in enumerate(scenes, start=1)}


def _joint(pairs: Sequence[Pair], merges: int) -> Codec:
    """One byte-pair encoding for both sides."""
    text = [*(pair.source for pair in pairs), *(pair.target for pair in pairs)]
    return Codec(Tokenizer.learn(text, merges))


def _encoded(
    pairs: Sequence[Pair], codec: Codec, picture_side: int = 0, progress: Progress | None = None
) -> TranslationData:
    data = encode(pairs, codec.tokenizer, picture_side, progress)
    if codec.encode_source is None:
        return data
    return data.with_sources(codec.encode_source, codec.source_end)


def _pairs(config: CorpusConfig) -> tuple[list[Pair], list[Pair], dict[str, list[Pair]]]:
    if config.source == "multi30k":
        root = data_root()

        def split(name: str) -> list[Pair]:
            pairs = multi30k(root, name, config.languages, config.text)
            if config.raw_source:
                original = multi30k(root, name, config.languages, "raw")
                pairs = [
                    replace(pair, source=raw.source)
                    for pair, raw in zip(pairs, original, strict=True)
                ]
            return hide_pairs(pairs, config.hidden, config.languages[0], config.source, root)

        return split("train"), split("val"), {name: split(name) for name in config.tests}
    if config.train_file is None or config.validation_file is None:
        raise InputError("data.train_file and data.validation_file: expected two JSON-lines files")

    def read(path: Path) -> list[Pair]:
        return hide_pairs(jsonl(path), config.hidden, config.languages[0], config.source)

    tests = {} if config.test_file is None else {"test": read(config.test_file)}
    return read(config.train_file), read(config.validation_file), tests


def _world(config: CorpusConfig, picture_side: int, learn: LearnCodec) -> Corpus:
    _check_world(config, picture_side)
    targets = tuple(language for language in config.languages if language != "en")
    world = World(config.world_seed, targets)
    train = scenes_in_turn(world, config.tests, config.train_scenes, Part.TRAIN)
    validation = scenes_in_turn(world, config.tests, config.test_scenes, Part.VALID)
    tests = {
        name: scenes_in_turn(world, [name], config.test_scenes, Part.TEST) for name in config.tests
    }
    codec = learn(_captions(train, config, "train"))

    def encoded(scenes: tuple[Scene, ...], name: str, pictured: float = 1.0) -> TranslationData:
        data = _encoded(_captions(scenes, config, name), codec)
        pictures = draw_all(scenes) if picture_side else None
        rows = np.arange(len(scenes))
        return replace(
            data,
            picture_of=np.where(rows < pictured * len(rows), rows, NO_PICTURE),
            pictures=pictures,
            picture_names=tuple(pair.id for pair in data.pairs),
        )

    return Corpus(
        codec.tokenizer,
        encoded(train, "train", config.pictured),
        encoded(validation, "validation"),
        {name: encoded(scenes, name) for name, scenes in tests.items()},
        {"train": train, "validation": validation, **tests},
    )


def _check_world(config: CorpusConfig, picture_side: int) -> None:
    known = [split.value for split in Split]
    for name in config.tests:
        if name not in known:
            raise InputError(f"data.tests: no world split '{name}', expected {', '.join(known)}")
    for language in config.languages:
        if language not in get_args(Language):
            raise InputError(
                f"data.languages: the world does not speak '{language}', "
                f"expected {', '.join(get_args(Language))}"
            )
    if picture_side not in (0, PICTURE_SIZE):
        raise InputError(f"teacher.side: pictures of the world have {PICTURE_SIZE} pixels")


def _captions(scenes: Sequence[Scene], config: CorpusConfig, name: str) -> list[Pair]:
    source, target = config.languages
    pairs = [
        Pair(f"{name}:{number}", caption(scene, source), caption(scene, target))
        for number, scene in enumerate(scenes, start=1)
    ]
    return hide_pairs(pairs, config.hidden, source, config.source)
