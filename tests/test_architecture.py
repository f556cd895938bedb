"""What may import what, and what the command line may not import before it has to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

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
    """Half a second; compared with an empty interpreter, so that a busy machine does not matter."""

    def seconds(*arguments: str) -> float:
        times = []
        for _ in range(2):
            start = time.perf_counter()
            assert python(*arguments).returncode == 0
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds("-m", "phosphene.cli", "--help") < max(0.5, 25 * seconds("-c", ""))
