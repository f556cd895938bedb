"""A model folder: what inference needs and nothing else.

``model.safetensors``, ``config.json`` and ``tokenizer.json``. No teacher, no student CNN, no
optimiser. Only a translator that looks at pictures brings the network that looks: ``vision.json``
and, where a run has trained that network itself, ``vision.safetensors``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.core.types import Batch, Regions
from phosphene.data.image import load_rgb
from phosphene.data.loader import collate
from phosphene.data.text import Tokenizer
from phosphene.models.teachers import (
    TeacherConfig,
    build_teacher,
    is_trained_here,
    picture_features,
)
from phosphene.models.translator import Translator, TranslatorConfig, build
from phosphene.nn.visual import VisualTeacher, freeze


@dataclass(frozen=True)
class Vision:
    """The network that looks at pictures, and what it is."""

    config: TeacherConfig
    network: VisualTeacher

    @property
    def categories(self) -> int:
        """How many labels it tells apart."""
        side = self.config.side
        with torch.no_grad():
            return self.network(torch.zeros(1, 3, side, side)).logits.shape[1]


@dataclass(frozen=True)
class TranslatorFolder:
    """A translator ready to be used, in evaluation mode: a pipeline."""

    model: Translator
    config: TranslatorConfig
    tokenizer: Tokenizer
    vision: Vision | None = None

    @property
    def needs_pictures(self) -> bool:
        """Whether it was trained to look, and does not imagine."""
        return self.config.fusion != "none" and self.config.generator is None

    @property
    def forced(self) -> tuple[int, ...]:
        """One language, one direction: nothing."""
        return ()

    def batch(self, lines: Sequence[str], pictures: Sequence[Path | None]) -> Batch:
        """Tokenised sentences, and regions of the pictures; nothing is looked at in vain.

        Raises:
            InputError: a picture is missing or damaged.
        """
        return collate(
            [str(row) for row in range(len(lines))],
            self.tokenizer.encode_all(list(lines)),
            regions=None if self.vision is None else _regions(self.vision, pictures),
        )

    def text(self, ids: Sequence[int]) -> str:
        """Words as text."""
        return self.tokenizer.decode(ids)


def save_translator(
    folder: Path,
    model: Translator,
    config: TranslatorConfig,
    tokenizer: Tokenizer,
    vision: Vision | None = None,
) -> None:
    """Write a model folder, each file all or nothing; ``config.json`` is the last."""
    save_folder_weights(model, folder / "model.safetensors")
    tokenizer.save(folder / "tokenizer.json")
    if vision is not None:
        save_vision(folder, vision)
    record = {"kind": "translator", **config.model_dump(mode="json")}
    write_record(folder / "config.json", record)


def model_kind(folder: Path) -> str:
    """What the folder holds: ``translator``, or another recipe's kind of model.

    Raises:
        InputError: this is no model folder.
    """
    kind = read_record(folder / "config.json").get("kind")
    if not isinstance(kind, str):
        raise InputError(f"{folder / 'config.json'}: not a model configuration (no kind)")
    return kind


def load_translator(folder: Path) -> TranslatorFolder:
    """The translator in ``folder``.

    Raises:
        InputError: a file is missing or damaged, or the folder holds something else.
    """
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: no {name}; expected the model folder of a finished run")
    if model_kind(folder) != "translator":
        raise InputError(f"{folder / 'config.json'}: this is not a translator")
    record = {
        key: value for key, value in read_record(folder / "config.json").items() if key != "kind"
    }
    try:
        config = TranslatorConfig.model_validate(record)
        model = build(config)
    except ValueError as error:
        raise InputError(f"{folder / 'config.json'}: not a model configuration") from error
    load_folder_weights(model, folder / "model.safetensors")
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    check_entries(folder / "tokenizer.json", len(tokenizer), config.vocab)
    return TranslatorFolder(model.eval(), config, tokenizer, load_vision(folder))


def save_vision(folder: Path, vision: Vision) -> None:
    """Write the network that looks at pictures; published weights stay where they are."""
    if is_trained_here(vision.config):
        save_folder_weights(vision.network, folder / "vision.safetensors")
    record = {"categories": vision.categories, **vision.config.model_dump(mode="json")}
    write_record(folder / "vision.json", record)


def load_vision(folder: Path) -> Vision | None:
    """The network that looks at pictures, where the folder has one.

    Raises:
        InputError: what is there is damaged.
    """
    if not (folder / "vision.json").is_file():
        return None
    record = read_record(folder / "vision.json")
    categories = record.pop("categories", None)
    try:
        config = TeacherConfig.model_validate(record)
    except ValueError as error:
        raise InputError(f"{folder / 'vision.json'}: not a visual network") from error
    if not isinstance(categories, int):
        raise InputError(f"{folder / 'vision.json'}: expected the number of categories")
    network = build_teacher(config, categories)
    if is_trained_here(config):
        load_folder_weights(network, folder / "vision.safetensors")
    return Vision(config, freeze(network))


def _regions(vision: Vision, pictures: Sequence[Path | None]) -> Regions | None:
    seen = [row for row, picture in enumerate(pictures) if picture is not None]
    if not seen:
        return None
    pixels = np.stack([load_rgb(p, vision.config.side) for p in pictures if p is not None])
    found = picture_features(vision.network, pixels)
    features = found.new_zeros(len(pictures), *found.shape[1:])
    features[seen] = found
    mask = torch.zeros(features.shape[:2], dtype=torch.bool)
    mask[seen] = True
    return Regions(features, mask)


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write a JSON object of a model folder, whole or not at all."""
    write_atomically(path, json.dumps(record, indent=1, ensure_ascii=False).encode())


def read_record(path: Path) -> dict[str, Any]:
    """A JSON object of a model folder.

    Raises:
        InputError: it is missing or damaged.
    """
    if not path.is_file():
        raise InputError(
            f"{path.parent}: no {path.name}; expected the model folder of a finished run"
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a model configuration") from error
    if not isinstance(record, dict):
        raise InputError(f"{path}: not a model configuration")
    return record


def check_entries(path: Path, found: int, expected: int) -> None:
    """Refuse a vocabulary that is not the network's.

    Raises:
        InputError: it has another number of entries than ``config.json`` beside it says.
    """
    if found != expected:
        raise InputError(f"{path}: {found} entries, expected {expected} as config.json says")


def save_folder_weights(model: nn.Module, path: Path) -> None:
    """Write the weights of ``model``, whole or not at all."""
    weights = {name: value.cpu().contiguous() for name, value in model.state_dict().items()}
    write_atomically(path, save(weights))


def load_folder_weights(model: nn.Module, path: Path) -> None:
    """Load the weights of a model folder.

    Raises:
        InputError: they are missing, damaged or of another network.
    """
    try:
        model.load_state_dict(load(path.read_bytes()))
    except (OSError, RuntimeError, SafetensorError) as error:
        raise InputError(
            f"{path}: missing, damaged, or not the weights of the configuration"
        ) from error
