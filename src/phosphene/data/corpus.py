"""Training, validation and test data of a translation recipe, from any source."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.dataset import TranslationData, encode
from phosphene.data.text import Tokenizer
from phosphene.data.translation import Pair, jsonl, multi30k


class CorpusConfig(Frozen):
    """What to train and test on."""

    source: Literal["world", "multi30k", "jsonl"]
    languages: tuple[str, str] = ("en", "de")
    """From, to."""
    merges: int = 10_000
    """Byte-pair merges, learned on both sides of the training text."""
    text: Literal["tok", "raw"] = "tok"
    """Multi30K: the tokenised, lower-cased text of the papers, or the original."""
    tests: tuple[str, ...] = ("test_2016_flickr", "test_2017_flickr", "test_2017_mscoco")
    """Multi30K test sets, or splits of the world."""
    train_file: Path | None = None
    """Your own data (JSON lines with src, tgt and perhaps image)."""
    validation_file: Path | None = None
    test_file: Path | None = None
    train_scenes: int = 12_000
    """World: scenes to train on, shared equally among its splits."""
    test_scenes: int = 400
    """World: scenes of each test split, and of validation."""


@dataclass(frozen=True)
class Corpus:
    """A tokenizer and the encoded splits."""

    tokenizer: Tokenizer
    train: TranslationData
    validation: TranslationData
    tests: Mapping[str, TranslationData]

    def with_features(
        self, features: Callable[[np.ndarray], Float[Tensor, "picture region feature"]]
    ) -> Corpus:
        """The same corpus with a teacher's regions of every picture."""

        def seen(data: TranslationData) -> TranslationData:
            return data if data.pictures is None else data.with_features(features(data.pictures))

        return replace(
            self,
            train=seen(self.train),
            validation=seen(self.validation),
            tests={name: seen(data) for name, data in self.tests.items()},
        )

    def digest(self) -> str:
        """Twelve hexadecimal digits of everything that training sees."""
        parts = self.train.digest() + self.validation.digest()
        return hashlib.sha256(parts.encode()).hexdigest()[:12]


def load_corpus(
    config: CorpusConfig, picture_side: int = 0, log: RunLog | None = None
) -> Corpus:
    """Read or draw the data; pictures as squares of ``picture_side`` pixels (0: none).

    Raises:
        InputError: a file is missing or wrong; the message names it and the line.
    """
    if config.source == "world":
        return _world(config, picture_side)
    train, validation, tests = _pairs(config)
    tokenizer = Tokenizer.learn(
        [*(pair.source for pair in train), *(pair.target for pair in train)], config.merges
    )

    def encoded(pairs: list[Pair]) -> TranslationData:
        photos = sum(pair.image is not None for pair in pairs) if picture_side else 0
        if log is None or not photos:
            return encode(pairs, tokenizer, picture_side)
        with log.progress("reading photos", photos) as advance:
            return encode(pairs, tokenizer, picture_side, lambda done, total: advance(done))

    return Corpus(
        tokenizer,
        encoded(train),
        encoded(validation),
        {name: encoded(pairs) for name, pairs in tests.items()},
    )


def data_root() -> Path:
    """The folder of real data: the environment variable ``PHOSPHENE_DATA``.

    Raises:
        InputError: the variable is not set, or names no folder.
    """
    value = os.environ.get("PHOSPHENE_DATA", "")
    if not value or not Path(value).is_dir():
        raise InputError(
            f"PHOSPHENE_DATA={value!r}: expected the data root (set it, or give --data-root)"
        )
    return Path(value)


def _pairs(config: CorpusConfig) -> tuple[list[Pair], list[Pair], dict[str, list[Pair]]]:
    if config.source == "multi30k":
        root = data_root()

        def split(name: str) -> list[Pair]:
            return multi30k(root, name, config.languages, config.text)

        return split("train"), split("val"), {name: split(name) for name in config.tests}
    if config.train_file is None or config.validation_file is None:
        raise InputError("data.train_file and data.validation_file: expected two JSON-lines files")
    tests = {} if config.test_file is None else {"test": jsonl(config.test_file)}
    return jsonl(config.train_file), jsonl(config.validation_file), tests
