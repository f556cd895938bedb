"""Settings: frozen pydantic models read from TOML, where an unknown key is an error.

Python says what happens, TOML says how much: a file holds numbers, names and choices, and
nothing that runs.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from phosphene.core.errors import InputError


class Frozen(BaseModel):
    """Base of every settings class: immutable, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


Settings = TypeVar("Settings", bound=Frozen)


def read_settings(kind: type[Settings], path: Path, changes: Sequence[str] = ()) -> Settings:
    """Settings of ``kind`` from the TOML file ``path``, with ``a.b=value`` changes applied.

    Raises:
        InputError: the file is missing or not TOML, a key is unknown, a value does not fit; the
            message names the file and the key.
    """
    values = read_toml(path)
    for change in changes:
        _apply(values, change)
    return parse_settings(kind, values, str(path))


def read_toml(path: Path) -> dict[str, Any]:
    """What a TOML file says.

    Raises:
        InputError: it is missing or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error


def parse_settings(kind: type[Settings], values: dict[str, Any], origin: str) -> Settings:
    """Check ``values`` against ``kind``; errors name ``origin`` and the key."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise InputError(f"{origin}: unknown key '{key}'") from error
        place = f"{origin}: key '{key}'" if key else origin
        raise InputError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from error


def dump_toml(settings: Frozen) -> str:
    """The exact settings as TOML; what is ``None`` is left out."""
    return tomli_w.dumps(settings.model_dump(mode="json", exclude_none=True))


def settings_hash(settings: Frozen) -> str:
    """Twelve hexadecimal digits that change with any value."""
    text = json.dumps(settings.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _apply(values: dict[str, Any], change: str) -> None:
    """Set one ``a.b=value``; the value is TOML, or a bare string."""
    path, separator, text = change.partition("=")
    if not separator or not path.strip():
        raise InputError(f"--set {change!r}: expected key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = path.strip().split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise InputError(f"--set {change!r}: '{parent}' is a value, not a section")
    values[last] = value
