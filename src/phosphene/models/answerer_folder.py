"""The model folder of an answerer.

``model.safetensors``, ``config.json``, ``wordpiece.json`` for questions and tags, ``answers.json``
with the answers by class. Where regions come from a network that a run has at hand,
``vision.json`` (and ``vision.safetensors``) say of which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from phosphene.core.config import Frozen, parse_settings
from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Tokens
from phosphene.data.answers import AnswerVocabulary
from phosphene.data.image import load_rgb, to_tensor
from phosphene.data.questions import Lengths, Reader
from phosphene.data.regions import Geometry, PictureRegions, RegionTable, check_boxes
from phosphene.data.wordpiece import WordPiece
from phosphene.models.answerer import Answerer, AnswererConfig
from phosphene.models.folder import (
    Vision,
    check_entries,
    load_folder_weights,
    load_vision,
    model_kind,
    read_record,
    save_folder_weights,
    save_vision,
    write_record,
)
from phosphene.models.regions import GridTeacher, box_features, look_at
from phosphene.models.teachers import is_trained_here

KIND: Final = "answerer"


class AnswererFolderConfig(Frozen):
    """``config.json``."""

    kind: str = KIND
    answerer: AnswererConfig
    language: str
    """Of the questions."""
    lengths: Lengths
    geometry: Geometry = 4
    """Numbers of geometry behind each feature."""
    known: tuple[str, ...] = ()
    """Words, for a language written without spaces."""


@dataclass(frozen=True)
class Request:
    """A question about a picture."""

    question: str
    image: Path | None = None
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    """Where to look, as fractions of the picture, for a model whose regions are boxes."""
    tags: tuple[str, ...] = ()
    """English names of what is there; a model that names what it sees needs none."""
    place: str = "question"
    """Where it was read, for messages."""


@dataclass(frozen=True)
class AnswererFolder:
    """An answerer ready to be used, in evaluation mode."""

    model: Answerer
    config: AnswererFolderConfig
    wordpiece: WordPiece
    vocabulary: AnswerVocabulary
    vision: Vision | None = None

    @property
    def reader(self) -> Reader:
        """Text to ids."""
        config = self.config
        return Reader(config.language, self.wordpiece, config.lengths, frozenset(config.known))

    @property
    def sees(self) -> bool:
        """Whether it looks at pictures."""
        return self.config.answerer.encoder.feature > 0

    def batch(self, requests: Sequence[Request]) -> Batch:
        """Questions side by side, with what is seen in their pictures.

        Raises:
            InputError: a picture is missing or damaged, a box lies outside it, or whoever looked
                at the training pictures is not at hand.
        """
        reader = self.reader
        names = [str(row) for row in range(len(requests))]
        source = Tokens.pad([reader.ids(reader.words(each.question)) for each in requests])
        if not self.sees:
            for request in requests:
                if request.image or request.boxes or request.tags:
                    raise InputError(f"{request.place}: this model reads questions alone")
            return Batch(tuple(names), source)
        seen = [self._look(each) for each in requests]
        pictures = {name: each for name, each in zip(names, seen, strict=True) if each is not None}
        if not pictures:
            return Batch(tuple(names), source)
        lengths, geometry = self.config.lengths, self.config.geometry
        table = RegionTable(pictures, geometry=geometry, most=lengths.regions)
        tags = [() if each is None else each.tags for each in seen]
        return Batch(
            tuple(names),
            source,
            regions=table.regions([name if name in pictures else None for name in names]),
            tags=Tokens.pad([reader.tag_ids(each) for each in tags]),
        )

    def _look(self, request: Request) -> PictureRegions | None:
        """What is seen in one picture: the cells of a grid, or boxes, the whole picture if none."""
        if request.image is None:
            if request.boxes or request.tags:
                raise InputError(f"{request.place}: boxes or tags of no picture, expected an image")
            return None
        vision = self.vision
        if vision is None:
            raise InputError(
                f"{request.place}: this model reads the regions of a detector that is not part of "
                "it; expected a question without a picture"
            )
        if isinstance(vision.network, GridTeacher) and not is_trained_here(vision.config):
            if request.boxes:
                raise InputError(f"{request.place}: this model looks at a grid, expected no boxes")
            (found,) = look_at(vision.network, [request.image])
            return PictureRegions(found.features, found.boxes, request.tags or found.tags)
        given = torch.tensor(request.boxes, dtype=torch.float32).reshape(-1, 4)
        where = torch.cat([check_boxes(given, request.place), torch.tensor([[0.0, 0.0, 1.0, 1.0]])])
        pixels = to_tensor(np.stack([load_rgb(request.image, vision.config.side)]))
        features = box_features(vision.network, pixels, [where])
        return PictureRegions(features[0], where, request.tags)


def save_answerer(folder: Path, saved: AnswererFolder) -> None:
    """Write a model folder, each file all or nothing; ``config.json`` is the last."""
    save_folder_weights(saved.model, folder / "model.safetensors")
    saved.wordpiece.save(folder / "wordpiece.json")
    saved.vocabulary.save(folder / "answers.json")
    if saved.vision is not None:
        save_vision(folder, saved.vision)
    write_record(folder / "config.json", saved.config.model_dump(mode="json"))


def load_answerer(folder: Path) -> AnswererFolder:
    """The answerer in ``folder``.

    Raises:
        InputError: a file is missing or damaged, or the folder holds something else.
    """
    path = folder / "config.json"
    if model_kind(folder) != KIND:
        raise InputError(f"{path}: this model does not answer questions, expected an {KIND}")
    config = parse_settings(AnswererFolderConfig, read_record(path), str(path))
    wordpiece = WordPiece.load(folder / "wordpiece.json")
    vocabulary = AnswerVocabulary.load(folder / "answers.json")
    check_entries(folder / "wordpiece.json", len(wordpiece), config.answerer.encoder.vocab)
    check_entries(folder / "answers.json", len(vocabulary), config.answerer.answers)
    model = Answerer(config.answerer)
    load_folder_weights(model, folder / "model.safetensors")
    return AnswererFolder(model.eval(), config, wordpiece, vocabulary, load_vision(folder))


__all__ = [
    "KIND",
    "AnswererFolder",
    "AnswererFolderConfig",
    "Request",
    "load_answerer",
    "save_answerer",
]
