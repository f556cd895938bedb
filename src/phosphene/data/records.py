"""Members of JSON records, checked: what every reader of JSON says about a wrong one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, overload

from phosphene.core.errors import InputError
from phosphene.data.lines import read_lines

Value = TypeVar("Value")
Other = TypeVar("Other")


def parse_json(text: str, place: str) -> object:
    """What ``text`` says; ``place`` names it in errors."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: expected JSON, but: {error}") from error


def json_object(path: Path) -> Mapping[str, Any]:
    """The one object of a JSON file."""
    value = parse_json("\n".join(read_lines(path)), str(path))
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected a JSON object")
    return value


def json_array(path: Path) -> list[Any]:
    """The one array of a JSON file."""
    value = parse_json("\n".join(read_lines(path)), str(path))
    if not isinstance(value, list):
        raise InputError(f"{path}: expected a JSON array")
    return value


@overload
def member(row: object, key: str, kind: type[Value], place: str) -> Value: ...


@overload
def member(
    row: object, key: str, kind: tuple[type[Value], type[Other]], place: str
) -> Value | Other: ...


def member(row: object, key: str, kind: Any, place: str) -> Any:
    """``row[key]``, of type ``kind`` or one of two.

    Raises:
        InputError: ``row`` is no object, has no such key, or holds something else there.
    """
    if not isinstance(row, dict) or key not in row:
        raise InputError(f"{place}: key {key!r} is missing")
    value = row[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        names = " or ".join(each.__name__ for each in kinds)
        raise InputError(f"{place}: {key!r} must be {names}, not {type(value).__name__}")
    return value


def member_text(row: object, key: str, place: str) -> str:
    """``row[key]``, a string that is not blank, without white space around it."""
    value = member(row, key, str, place).strip()
    if not value:
        raise InputError(f"{place}: {key!r} is empty")
    return value


__all__ = ["json_array", "json_object", "member", "member_text", "parse_json"]
