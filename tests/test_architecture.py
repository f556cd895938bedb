"""What may import what, and what the command line may not import before it has to."""

from __future__ import annotations

import ast
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from phosphene.recipes import RECIPES

ROOT = Path(__file__).parents[1]


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_arrows_between_the_parts_point_one_way() -> None:
    checked = python(
        "-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    )
    assert checked.returncode == 0, checked.stdout
    assert "0 broken" in checked.stdout


def recipe_of(module: str) -> str | None:
    """The recipe whose page or part a module is; none of what all recipes share."""
    return next(
        (name for name in RECIPES if module.rsplit(".", maxsplit=1)[-1].startswith(name)), None
    )


def test_recipes_do_not_know_each_other() -> None:
    known = 0
    for path in sorted((ROOT / "src" / "phosphene" / "recipes").glob("*.py")):
        own = recipe_of(path.stem)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if own is not None and isinstance(node, ast.ImportFrom) and node.module is not None:
                other = recipe_of(node.module) if ".recipes." in node.module else None
                assert other in (None, own), f"{path.name} imports {node.module}"
                known += other == own
    assert known >= len(RECIPES), "every page imports its own settings"


def imported(*arguments: str) -> set[str]:
    """Top-level packages that a command imports."""
    done = python("-X", "importtime", "-m", "phosphene.cli", *arguments)
    assert done.returncode == 0, done.stderr[-1000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.split("|")[-1].strip().split(".")[0] for line in lines}


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["recipes"]])
def test_what_needs_no_computing_imports_nothing_heavy(arguments: list[str]) -> None:
    packages = imported(*arguments)
    assert {"phosphene", "typer"} <= packages
    heavy = {"torch", "numpy", "lightning_fabric", "tokenizers", "sacrebleu", "PIL", "transformers"}
    assert not packages & heavy


def test_help_answers_at_once() -> None:
    """Half a second of processor time: what else the machine does is not counted."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert python("-m", "phosphene.cli", "--help").returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 0.5
