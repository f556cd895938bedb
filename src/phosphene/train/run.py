"""A run folder: its settings, what it was started from, and where things go.

``config.toml`` (exact), ``manifest.json``, ``log.jsonl``, ``checkpoints/``, ``model/``,
``results.json``, ``report.html``. Starting again in a folder that exists resumes it, and only
with the same settings; one that did not exist then has its default.
"""

from __future__ import annotations

import json
from pathlib import Path

import phosphene
from phosphene.core.config import Frozen, dump_toml, read_settings, settings_hash
from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.core.runlog import commit


def open_run(folder: Path, recipe: str, settings: Frozen) -> None:
    """Create ``folder``, or check that it is a run of the same recipe and settings.

    Raises:
        InputError: the folder belongs to another recipe, or was started with other settings.
    """
    manifest = folder / "manifest.json"
    if manifest.exists():
        check_recipe(folder, recipe)
        before = dump_toml(read_settings(type(settings), folder / "config.toml"))
        if before == dump_toml(settings):
            return
        if any((folder / name).exists() for name in _WORK):
            raise InputError(
                f"{folder / 'config.toml'}: this run was started with other settings "
                f"({_first_difference(before, dump_toml(settings))}); choose another --run folder"
            )
        (folder / "log.jsonl").unlink(missing_ok=True)  # of a start that was refused
    elif folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: a file, expected a run folder")
    elif folder.exists() and any(path.name not in _BEFORE_MANIFEST for path in folder.iterdir()):
        raise InputError(f"{folder}: not empty and not a run folder; choose another --run folder")
    record = {
        "recipe": recipe,
        "phosphene": phosphene.__version__,
        "commit": commit(),
        "config": settings_hash(settings),
    }
    write_atomically(folder / "config.toml", dump_toml(settings).encode())
    write_atomically(manifest, json.dumps(record, indent=1).encode())


_BEFORE_MANIFEST = ("config.toml", ".config.toml.partial", ".manifest.json.partial")
"""All that a start which was killed at once leaves behind."""
_WORK = ("checkpoints", "model", "results.json")
"""What a run that was not refused at once has; without it other settings begin it anew."""


def check_recipe(folder: Path, recipe: str) -> None:
    """Refuse a run folder of another recipe, or one that is no run folder."""
    found = recipe_of(folder)
    if found != recipe:
        raise InputError(f"{folder}: a run of recipe '{found}', expected '{recipe}'")


def recipe_of(folder: Path) -> str:
    """The recipe that made a run folder."""
    manifest = folder / "manifest.json"
    try:
        return str(json.loads(manifest.read_text(encoding="utf-8"))["recipe"])
    except FileNotFoundError as error:
        raise InputError(f"{folder}: not a run folder (no manifest.json)") from error
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise InputError(f"{manifest}: damaged, expected JSON with a 'recipe'") from error


def _first_difference(before: str, now: str) -> str:
    old, new = before.splitlines(), now.splitlines()
    for line in new:
        if line not in old:
            return f"now: {line}"
    return "then: " + next((line for line in old if line not in new), "the order of keys")
