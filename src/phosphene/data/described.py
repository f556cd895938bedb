"""Pictures described in several languages: some descriptions are translated, more are captions.

An example is a :class:`Described`: sentences that say the same in different languages, and the
picture they are about, where there is one. A translation corpus has two or more sentences in each
of its examples, a caption one. Every direction between the languages of an example can be trained
on and tested.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from phosphene.data.hidden import Hiding
from phosphene.data.pairs import CAPTIONS_EACH
from phosphene.data.text import SubWords
from phosphene.data.world.scene import Scene

Picture = Path | Scene
"""A file, or a scene of the embedded world that can be drawn."""
Direction = tuple[str, str]
"""From, to: two language codes."""


class DescribedConfig(Hiding):
    """What to train and test on."""

    source: Literal["world", "multi30k", "wit", "jsonl"]
    directions: tuple[Direction, ...] = Field(default=(("en", "de"),), min_length=1)
    """Every direction that one model learns; the first is the one it is judged by."""
    caption_languages: tuple[str, ...] = ("de",)
    """Languages of the captions of stage 1. The released code: English where the pair has it."""
    merges: int = Field(default=10_000, ge=1)
    """Byte-pair merges, learned on all training text, captions included, in every system."""
    train_sentences: int = Field(default=0, ge=0)
    """Translated examples to train on, the first so many; 0 is all. Captions are not counted."""
    captions_each: int = Field(default=CAPTIONS_EACH, ge=1, le=CAPTIONS_EACH)
    """Captions of every photo in each language."""
    captions_of: Literal["task2", "pairs"] = "task2"
    """Multi30K: independent captions of the photos, or what the released code takes: the
    translated sentences themselves."""
    text: Literal["tok", "raw"] = "tok"
    """Multi30K: tokenised and lower-cased, or the original, which task 2 does not have here."""
    tests: tuple[str, ...] = Field(default=("test_2016_flickr",), min_length=1)
    """Multi30K test sets, ``test`` of WIT, or splits of the world."""
    train_file: Path | None = None
    """Your own data (JSON lines with src, tgt and perhaps image), in the first direction."""
    validation_file: Path | None = None
    test_file: Path | None = None
    train_splits: tuple[str, ...] = ("low-resource",)
    """World: splits of the scenes that are translated, in turns."""
    train_scenes: int = Field(default=4000, ge=1)
    """World: translated scenes."""
    monolingual_scenes: int = Field(default=4000, ge=1)
    """World: scenes of the same kind as the translated ones, each told in one language alone."""
    captioned_scenes: int = Field(default=6000, ge=1)
    """World: other scenes, with captions alone."""
    test_scenes: int = Field(default=400, ge=2, multiple_of=2)
    """World: scenes of each test split, and of validation."""
    world_seed: int = Field(default=1, ge=0)
    """World: another seed draws other scenes everywhere."""

    @model_validator(mode="after")
    def _directions_go_somewhere(self) -> DescribedConfig:
        for start, end in self.directions:
            if start == end:
                raise ValueError(f"a direction from {start} to {end}")
        if self.text == "raw" and self.captions_of == "task2":
            raise ValueError(
                "captions of task 2 are tokenised: take text = 'tok', or captions_of = 'pairs'"
            )
        if len(set(self.directions)) < len(self.directions):
            raise ValueError("a direction is named twice")
        return self

    @property
    def tokenised(self) -> bool:
        """Whether the text is tokenised; your own is taken for it."""
        return self.source != "wit" and self.text == "tok"

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language that is read or written, each once."""
        named = [code for direction in self.directions for code in direction]
        return tuple(dict.fromkeys([*named, *self.caption_languages]))

    @property
    def source_languages(self) -> tuple[str, ...]:
        """Every language that is translated from, each once."""
        return tuple(dict.fromkeys(start for start, _ in self.directions))


@dataclass(frozen=True)
class Described:
    """Sentences that say the same, by language, and the picture they are about."""

    id: str
    sentences: Mapping[str, str]
    picture: Picture | None = None
    hidden: Mapping[str, str] = field(default_factory=dict)
    """By language the sentence as a source is read, where words of it may be hidden."""

    @property
    def texts(self) -> tuple[str, ...]:
        """The sentence of every language, as it is read where it is a source."""
        return tuple({**self.sentences, **self.hidden}.values())


@dataclass(frozen=True)
class DescribedCorpus:
    """A tokenizer, and what it will encode."""

    tokenizer: SubWords
    train: tuple[Described, ...]
    captions: tuple[Described, ...]
    """Pictures and what is said of them, in one or more languages, but not translated."""
    monolingual: tuple[Described, ...]
    """Text of each language by itself: of other scenes (world), or all of the training text."""
    validation: tuple[Described, ...]
    tests: Mapping[str, tuple[Described, ...]]

    def counts(self) -> dict[str, str]:
        """Examples of each split, and how many of them have a picture."""
        splits = {
            "train": self.train,
            "captions": self.captions,
            "validation": self.validation,
            **self.tests,
        }
        return {
            name: f"{len(items):,}, {sum(item.picture is not None for item in items):,} with a "
            "picture"
            for name, items in splits.items()
        } | {"vocabulary": f"{len(self.tokenizer):,}"}

    def digest(self) -> str:
        """Twelve hexadecimal digits of the training and validation text, and who has a picture."""
        hashed = hashlib.sha256()
        for item in (*self.train, *self.captions, *self.validation):
            text = "\t".join(f"{code}:{line}" for code, line in sorted(item.sentences.items()))
            hashed.update(f"{item.id}\t{text}\t{item.picture is not None}\n".encode())
            for code, line in sorted(item.hidden.items()):
                hashed.update(f"hidden {code}:{line}\n".encode())
        return hashed.hexdigest()[:12]


__all__ = ["Described", "DescribedConfig", "DescribedCorpus", "Direction", "Picture"]
