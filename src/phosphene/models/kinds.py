"""Model folders by the ``kind`` that their ``config.json`` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from phosphene.core.errors import InputError
from phosphene.models.folder import load_translator, model_kind
from phosphene.models.pipeline import Pipeline
from phosphene.models.prefix_folder import KIND as PREFIX_TRANSLATOR
from phosphene.models.prefix_folder import load_prefix_translator
from phosphene.models.vlfolder import KIND as VL_TRANSLATOR
from phosphene.models.vlfolder import load_vl_translator

_LOADERS: Final[Mapping[str, Callable[[Path], Pipeline]]] = MappingProxyType(
    {
        "translator": load_translator,
        PREFIX_TRANSLATOR: load_prefix_translator,
        VL_TRANSLATOR: load_vl_translator,
    }
)


def load_pipeline(folder: Path) -> Pipeline:
    """The translator in ``folder``, of whatever kind.

    Raises:
        InputError: a file is missing or damaged, or the folder holds something else.
    """
    kind = model_kind(folder)
    if kind not in _LOADERS:
        raise InputError(f"{folder}: a model of kind '{kind}' does not translate")
    return _LOADERS[kind](folder)


__all__ = ["load_pipeline"]
