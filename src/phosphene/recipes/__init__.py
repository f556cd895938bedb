"""The recipes by name. Nothing is imported until one is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module, resources
from pathlib import Path
from types import ModuleType

from phosphene.core.errors import InputError

RECIPES = {
    "inversion_mmt": "image-free translation: a generator makes the picture's feature from text",
    "vlp_mmt": "translation with pictures on a vision-language pre-trained encoder",
    "clip_prefix": "image-free translation: captions from pictures, then from the text's vector",
    "crosslingual_vqa": "an English answerer of questions about pictures teaches another language",
    "modality_kd": "a large classifier of pictures with texts teaches a small one, view by view",
}
"""What each recipe does, in a line. Its module has the same name."""

CACHING = ("crosslingual_vqa", "modality_kd")
"""Recipes with a store of a teacher's states or answers, which their ``cache`` makes."""

KEEPING_GOING = ("modality_kd",)
"""Recipes that can leave out rows of a user's own files that are wrong."""


def keeping_going(recipe: str | None, changes: Sequence[str]) -> list[str]:
    """``changes`` of a recipe's settings, and that it leaves out rows that are wrong.

    Raises:
        InputError: the recipe cannot do that.
    """
    if recipe not in KEEPING_GOING:
        raise InputError(f"--keep-going: expected one of {', '.join(KEEPING_GOING)} as recipe")
    return [*changes, "data.files.keep_going=true"]


def load_recipe(name: str) -> ModuleType:
    """The module of a recipe: ``Settings``, ``train`` and ``evaluate``.

    Raises:
        InputError: there is no such recipe.
    """
    if name not in RECIPES:
        raise InputError(f"unknown recipe '{name}': expected one of {', '.join(sorted(RECIPES))}")
    return import_module(f"phosphene.recipes.{name}")


def config_path(recipe: str, config: str) -> Path:
    """A configuration by the name of its size (toy, small, paper) or the path of a TOML file.

    Raises:
        InputError: neither exists.
    """
    if config.endswith(".toml"):
        return Path(config)
    folder = Path(str(resources.files("phosphene"))) / "configs" / recipe
    path = folder / f"{config}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in folder.glob("*.toml")))
        raise InputError(f"unknown configuration '{config}': expected {known}, or a .toml file")
    return path
