"""A run folder: its settings, what it was started from, and where things go.

``config.toml`` (exact), ``manifest.json``, ``log.jsonl``, ``checkpoints/``, ``model/``,
``results.json``, ``report.html``. Starting again in a folder that exists resumes it, and only
with the same settings; one that did not exist then has its default.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import phosphene
from phosphene.core.config import Frozen, Settings, dump_toml, read_settings, settings_hash
from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.core.runlog import commit


def open_run(folder: Path, recipe: str, settings: Frozen) -> None:
    """Create ``folder``, or check that it is a run of the same recipe and settings.

    Raises:
        InputError: the folder belongs to another recipe, or was started with other settings.
    """
    manifest, text = folder / "manifest.json", dump_toml(settings)
    if manifest.exists():
        check_recipe(folder, recipe)
        if _manifest(folder).get("config_file") == _digest(text.encode()):
            _restore(folder / "config.toml", text.encode())
            return
        if any((folder / name).exists() for name in _WORK):
            before = dump_toml(settings_of(folder, type(settings)))
            if before == text:
                return
            raise InputError(
                f"{folder / 'config.toml'}: this run was started with other settings "
                f"({_first_difference(before, text)}); choose another --run folder"
            )
        (folder / "log.jsonl").unlink(missing_ok=True)  # of a start that was refused
    check_folder(folder)
    record = {
        "recipe": recipe,
        "phosphene": phosphene.__version__,
        "commit": commit(),
        "config": settings_hash(settings),
        "config_file": _digest(text.encode()),
    }
    write_atomically(folder / "config.toml", text.encode())
    write_atomically(manifest, json.dumps(record, indent=1).encode())


def check_folder(folder: Path) -> None:
    """Refuse what is neither a run folder nor free to become one; nothing is written.

    Raises:
        InputError: a file, or a folder with something else in it.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: a file, expected a run folder")
    if not folder.exists() or (folder / "manifest.json").exists():
        return
    if any(path.name not in _BEFORE_MANIFEST for path in folder.iterdir()):
        raise InputError(f"{folder}: not empty and not a run folder; choose another --run folder")


def _restore(path: Path, content: bytes) -> None:
    """Write what was damaged; a file that was not is left alone."""
    if not path.is_file() or path.read_bytes() != content:
        write_atomically(path, content)


_BEFORE_MANIFEST = (".lock", "config.toml", ".config.toml.partial", ".manifest.json.partial")
"""All that a start which was killed at once leaves behind."""
_WORK = ("checkpoints", "model", "results.json")
"""What a run that was not refused at once has; without it other settings begin it anew."""


def settings_of(folder: Path, kind: type[Settings]) -> Settings:
    """What a run was started with; a setting that did not exist then has its default.

    Raises:
        InputError: the file has been changed since, or cannot be read.
    """
    path = folder / "config.toml"
    expected = _manifest(folder).get("config_file")
    if path.is_file() and expected not in (None, _digest(path.read_bytes())):
        raise InputError(
            f"{path}: changed since the run was started; put back what it said (the same 'train' "
            "command does, of the version that started it)"
        )
    return read_settings(kind, path)


def check_recipe(folder: Path, recipe: str) -> None:
    """Refuse a run folder of another recipe, or one that is no run folder."""
    found = recipe_of(folder)
    if found != recipe:
        raise InputError(f"{folder}: a run of recipe '{found}', expected '{recipe}'")


def recipe_of(folder: Path) -> str:
    """The recipe that made a run folder."""
    return str(_manifest(folder)["recipe"])


def _manifest(folder: Path) -> dict[str, Any]:
    """What a run was started from."""
    path = folder / "manifest.json"
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: a file, expected a run folder")
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{folder}: not a run folder (no manifest.json)") from error
    except (ValueError, OSError):
        record = None
    if not isinstance(record, dict) or "recipe" not in record:
        raise InputError(f"{path}: damaged, expected JSON with a 'recipe'")
    return record


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _first_difference(before: str, now: str) -> str:
    old, new = before.splitlines(), now.splitlines()
    for line in new:
        if line not in old:
            return f"now: {line}"
    return "then: " + next((line for line in old if line not in new), "the order of keys")
