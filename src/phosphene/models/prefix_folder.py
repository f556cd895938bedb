"""The model folder of a prefix translator, and translating with it.

``model.safetensors``, ``config.json``, ``tokenizer.json`` and, in ``aligned/``, the encoder whose
vectors the decoder was trained on. ``config.json`` names that encoder with the hash of its weights;
another one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.core.types import Batch, Vectors
from phosphene.data.image import load_rgb
from phosphene.data.loader import collate
from phosphene.data.text import SubWords, Tokenizer
from phosphene.models.aligned_folder import KnownEncoder, load_aligned, save_aligned
from phosphene.models.folder import (
    check_entries,
    load_folder_weights,
    save_folder_weights,
    write_record,
)
from phosphene.models.prefix_translator import PrefixTranslator, PrefixTranslatorConfig, build
from phosphene.models.pretrained_mbart import MBart, MBartSizes, MBartTokenizer
from phosphene.nn.prefix import MappingConfig, MappingNetwork

KIND = "prefix_translator"
_CONFIG, _WEIGHTS, _TOKENIZER, _ALIGNED = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "aligned",
)


class MBartNetwork(Frozen):
    """mBART-50 with a prefix."""

    published: str
    """Where its vocabulary is: a name on the Hugging Face hub, or a folder."""
    sizes: MBartSizes
    mapping: MappingConfig | None


Network = PrefixTranslatorConfig | MBartNetwork
PrefixModel = PrefixTranslator | MBart


class PrefixRecord(Frozen):
    """What ``config.json`` holds beside its ``kind``."""

    network: Network
    directions: tuple[tuple[str, str], ...]
    """What the model was trained on; the first is taken where none is asked for."""
    aligned: str
    """Name and hash of the encoder whose vectors it was trained on."""


@dataclass(frozen=True)
class PrefixPipeline:
    """A prefix translator and its encoder, in evaluation mode, for one direction.

    A sentence with a picture gets the picture's vector, one without its own.
    """

    model: PrefixModel
    record: PrefixRecord
    tokenizer: SubWords
    encoder: KnownEncoder
    direction: tuple[str, str]

    @property
    def needs_pictures(self) -> bool:
        """Never: the source sentence has a vector too."""
        return False

    @property
    def forced(self) -> tuple[int, ...]:
        """Every translation starts with the token of its language."""
        return (self.tokenizer.language_id(self.direction[1]),)

    def into(self, start: str, end: str) -> PrefixPipeline:
        """The same model for another direction.

        Raises:
            InputError: it was not trained on this direction.
        """
        if (start, end) not in self.record.directions:
            known = ", ".join("-".join(direction) for direction in self.record.directions)
            raise InputError(f"no direction {start}-{end}: this model was trained on {known}")
        return PrefixPipeline(self.model, self.record, self.tokenizer, self.encoder, (start, end))

    def batch(self, lines: Sequence[str], pictures: Sequence[Path | None]) -> Batch:
        """Source sentences with their language and a vector each.

        Raises:
            InputError: a picture is missing or damaged.
        """
        if len(pictures) != len(lines):
            raise ValueError(f"{len(lines)} sentences and {len(pictures)} pictures")
        tag = self.tokenizer.language_id(self.direction[0])
        sources = [[tag, *ids] for ids in self.tokenizer.encode_all(lines)]
        vectors = None
        if self.model.mapping is not None:
            vectors = self._vectors(lines, pictures)
        return collate([str(row) for row in range(len(lines))], sources, vectors=vectors)

    def text(self, ids: Sequence[int]) -> str:
        """Target words as text; the language token is not one of them."""
        return self.tokenizer.decode(ids)

    def _vectors(self, lines: Sequence[str], pictures: Sequence[Path | None]) -> Vectors:
        values = torch.zeros(len(lines), self.encoder.width)
        seen = [row for row, picture in enumerate(pictures) if picture is not None]
        read = [row for row, picture in enumerate(pictures) if picture is None]
        if seen:
            side = self.encoder.side
            pixels = [load_rgb(picture, side) for picture in pictures if picture is not None]
            values[seen] = self.encoder.image_vectors(np.stack(pixels))
        if read:
            values[read] = self.encoder.text_vectors([lines[row] for row in read])
        return Vectors(values, torch.ones(len(lines), dtype=torch.bool))


def save_prefix_translator(
    folder: Path,
    model: PrefixModel,
    network: Network,
    directions: Sequence[tuple[str, str]],
    tokenizer: SubWords,
    encoder: KnownEncoder,
) -> None:
    """Write a model folder, each file all or nothing; ``config.json`` is the last.

    A published vocabulary is named only.
    """
    save_folder_weights(model, folder / _WEIGHTS)
    save_aligned(folder / _ALIGNED, encoder)
    if isinstance(tokenizer, Tokenizer):
        tokenizer.save(folder / _TOKENIZER)
    record = PrefixRecord(
        network=network, directions=tuple(directions), aligned=str(encoder.identity)
    )
    write_record(folder / _CONFIG, {"kind": KIND, **record.model_dump(mode="json")})


def load_prefix_translator(folder: Path) -> PrefixPipeline:
    """The translator in ``folder``, for its first direction.

    Raises:
        InputError: a file is missing or damaged, the folder holds something else, or the aligned
            encoder is not the one that the translator was trained with.
    """
    config = folder / _CONFIG
    try:
        values = json.loads(config.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.pop("kind", None) != KIND:
            raise InputError(f"{config}: this is not a prefix translator")
        record = PrefixRecord.model_validate(values)
        model = _build(record.network)
    except (OSError, ValueError, ValidationError) as error:
        raise InputError(f"{config}: not the configuration of a prefix translator") from error
    load_folder_weights(model, folder / _WEIGHTS)
    tokenizer = _vocabulary(folder, record.network)
    encoder = load_aligned(folder / _ALIGNED)
    if str(encoder.identity) != record.aligned:
        raise InputError(
            f"{folder / _ALIGNED}: {encoder.identity}, "
            f"but the translator was trained with {record.aligned}"
        )
    return PrefixPipeline(model.eval(), record, tokenizer, encoder, record.directions[0])


def _build(network: Network) -> PrefixModel:
    if isinstance(network, PrefixTranslatorConfig):
        return build(network)
    model = MBart(network.sizes)
    if network.mapping is not None:
        model.mapping = MappingNetwork(network.mapping, network.sizes.hidden)
    return model


def _vocabulary(folder: Path, network: Network) -> SubWords:
    if isinstance(network, MBartNetwork):
        return MBartTokenizer.load(network.published)
    tokenizer = Tokenizer.load(folder / _TOKENIZER)
    check_entries(folder / _TOKENIZER, len(tokenizer), network.vocab)
    return tokenizer


__all__ = [
    "KIND",
    "MBartNetwork",
    "Network",
    "PrefixModel",
    "PrefixPipeline",
    "PrefixRecord",
    "load_prefix_translator",
    "save_prefix_translator",
]
