"""Model folders by the ``kind`` that their ``config.json`` names."""

from __future__ import annotations

import json
from pathlib import Path

from phosphene.models.folder import load_translator
from phosphene.models.pipeline import Pipeline
from phosphene.models.prefix_folder import KIND as PREFIX
from phosphene.models.prefix_folder import load_prefix_translator


def load_pipeline(folder: Path) -> Pipeline:
    """The translator in ``folder``, of whatever kind.

    Raises:
        InputError: a file is missing or damaged, or the folder holds something else.
    """
    return load_prefix_translator(folder) if _kind(folder) == PREFIX else load_translator(folder)


def _kind(folder: Path) -> str | None:
    """What ``config.json`` says; ``None`` where it cannot be read: the loader says why."""
    try:
        record = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return str(record["kind"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


__all__ = ["load_pipeline"]
