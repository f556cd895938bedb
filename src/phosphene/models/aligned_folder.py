"""The folder of an aligned encoder: ``aligned.json`` and, where it was trained here, its weights.

Published parts are named, not copied: who loads the folder needs them too.
"""

from __future__ import annotations

import json
from pathlib import Path

from phosphene.core.config import Frozen, parse_settings
from phosphene.core.errors import InputError
from phosphene.data.text import Tokenizer
from phosphene.models.folder import load_folder_weights, save_folder_weights, write_record
from phosphene.models.pretrained_aligned import (
    MultilingualClip,
    MultilingualClipConfig,
    multilingual_clip,
    sentence_encoder,
)
from phosphene.models.projection import ProjectedEncoder, ProjectionConfig, Projections
from phosphene.models.teachers import build_teacher
from phosphene.models.two_towers import TwoTowers, TwoTowersConfig, TwoTowersEncoder

KnownEncoder = TwoTowersEncoder | ProjectedEncoder | MultilingualClip
"""The aligned encoders that can be saved."""

_RECORD, _WEIGHTS, _TOKENIZER = "aligned.json", "aligned.safetensors", "aligned.tokenizer.json"


class AlignedRecord(Frozen):
    """What ``aligned.json`` holds: one of three encoders."""

    two_towers: TwoTowersConfig | None = None
    projected: ProjectionConfig | None = None
    m_clip: MultilingualClipConfig | None = None


def save_aligned(folder: Path, encoder: KnownEncoder) -> None:
    """Write an encoder, each file all or nothing. A folder may hold other things beside it."""
    match encoder:
        case TwoTowersEncoder():
            record = AlignedRecord(two_towers=encoder.config)
            encoder.tokenizer.save(folder / _TOKENIZER)
            save_folder_weights(encoder.model, folder / _WEIGHTS)
        case ProjectedEncoder():
            record = AlignedRecord(projected=encoder.config)
            save_folder_weights(encoder.projections, folder / _WEIGHTS)
        case MultilingualClip():
            record = AlignedRecord(m_clip=encoder.config)
    write_record(folder / _RECORD, record.model_dump(mode="json", exclude_none=True))


def load_aligned(folder: Path) -> KnownEncoder:
    """The encoder that was saved in ``folder``.

    Raises:
        InputError: a file is missing or damaged, or a published part of it cannot be had.
    """
    path = folder / _RECORD
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected the description of an aligned encoder") from error
    record = parse_settings(AlignedRecord, values, str(path))
    match record:
        case AlignedRecord(two_towers=TwoTowersConfig() as towers):
            model = TwoTowers(towers)
            load_folder_weights(model, folder / _WEIGHTS)
            return TwoTowersEncoder(model, towers, Tokenizer.load(folder / _TOKENIZER))
        case AlignedRecord(projected=ProjectionConfig() as config):
            projections = Projections(config)
            load_folder_weights(projections, folder / _WEIGHTS)
            teacher = build_teacher(config.teacher)
            sentences = sentence_encoder(config)
            return ProjectedEncoder(projections, config, teacher, sentences)
        case AlignedRecord(m_clip=MultilingualClipConfig() as names):
            return multilingual_clip(names)
    raise InputError(f"{path}: expected one of two_towers, projected, m_clip")


__all__ = ["AlignedRecord", "KnownEncoder", "load_aligned", "save_aligned"]
