"""Options and arguments that several commands have."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Config = Annotated[str, typer.Option(help="toy, small, paper, or a TOML file.")]
Changes = Annotated[list[str], typer.Option("--set", help="Change a setting: key.part=value.")]
DataRoot = Annotated[
    Path | None, typer.Option(help="Folder of real data (or the variable PHOSPHENE_DATA).")
]
KeepGoing = Annotated[
    bool,
    typer.Option("--keep-going", help="Leave out rows of your own files that are wrong."),
]
Run = Annotated[Path, typer.Argument(help="A run folder.", show_default=False)]


def use_data(root: Path | None) -> None:
    """Where real data lie, for whoever asks for them later."""
    if root is not None:
        os.environ["PHOSPHENE_DATA"] = str(root)


def print_json(value: Any) -> None:
    """Print ``value`` as JSON, keys in order."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True))


__all__ = ["AsJson", "Changes", "Config", "DataRoot", "KeepGoing", "Run", "print_json", "use_data"]
