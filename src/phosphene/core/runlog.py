"""What a run says: JSON lines in a file, progress for a person, a signature on every number."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

import phosphene
from phosphene.core.errors import StorageError
from phosphene.core.files import write_atomically

console = Console(stderr=True)
"""Progress and remarks go to standard error: standard output is for results."""


@dataclass(frozen=True)
class Signature:
    """Where a number comes from. A number without one is not printed."""

    version: str
    commit: str
    data: str
    """Hash of the training data."""
    config: str
    """Hash of the settings."""
    seed: int
    selection: str
    """Which weights were scored, by what rule."""

    def __str__(self) -> str:
        return (
            f"phosphene:{self.version}|commit:{self.commit}|data:{self.data}|"
            f"config:{self.config}|seed:{self.seed}|select:{self.selection}"
        )

    def record(self) -> dict[str, str | int]:
        """The fields, for JSON."""
        return asdict(self)


def commit() -> str:
    """Short hash of the checked-out commit, ``+`` if files were changed; ``release`` elsewhere.

    A copy installed inside somebody else's repository is a release too.
    """
    folder = Path(phosphene.__file__).parent

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", "__init__.py")
        changed = git("status", "--porcelain", "--untracked-files=no", "--", str(folder))
        return git("rev-parse", "--short=10", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "release"


def sign(data: str, config: str, seed: int, selection: str) -> Signature:
    """A signature of the running version."""
    return Signature(phosphene.__version__, commit(), data, config, seed, selection)


@runtime_checkable
class Advance(Protocol):
    """Tells a progress bar how much is done."""

    def __call__(self, done: int, note: str = "") -> None:
        """Move the bar to ``done``."""


def _drop_half_line(file: BinaryIO) -> None:
    """Cut off what was being written when a process died."""
    end = file.seek(0, os.SEEK_END)
    if not end:
        return
    file.seek(end - 1)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.seek(0, os.SEEK_END)


class RunLog:
    """Append-only ``log.jsonl`` of one run, and a progress bar.

    After a resume, what the lost part of the run had written is dropped (:meth:`rewind`), so that
    the file reads like an uninterrupted run.
    """

    def __init__(self, path: Path | None, *, quiet: bool = False) -> None:
        self.path = path
        self.quiet = quiet

    def event(self, stage: str, at: int, kind: str, **values: Any) -> None:
        """Write one line: what happened at which update of which stage."""
        if self.path is None:
            return
        line = {"time": round(time.time(), 3), "stage": stage, "update": at, "kind": kind}
        try:
            with self.path.open("a+b") as file:
                _drop_half_line(file)
                file.write(json.dumps(line | values, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be written ({error.strerror})") from error

    def events(self) -> list[dict[str, Any]]:
        """All complete lines; a last line cut off by a kill is not one."""
        if self.path is None or not self.path.exists():
            return []
        lines = self.path.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def has(self, stage: str, kind: str) -> bool:
        """Whether ``stage`` has said something of this ``kind``."""
        return any(event["stage"] == stage and event["kind"] == kind for event in self.events())

    def rewind(self, stage: str, update: int) -> None:
        """Drop the events of ``stage`` after ``update``."""
        if self.path is None or not self.path.exists():
            return
        kept = [
            event for event in self.events() if event["stage"] != stage or event["update"] <= update
        ]
        text = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in kept)
        write_atomically(self.path, text.encode())

    @contextmanager
    def progress(self, label: str, total: int, done: int = 0) -> Iterator[Advance]:
        """Show a bar with the remaining time while a piece of long work runs.

        Yields:
            a function that takes how much is done, and a remark.
        """
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=self.quiet or not console.is_terminal,
            refresh_per_second=2,
        )
        with bar:
            task = bar.add_task(label, total=total, completed=done, note="")
            yield lambda done, note="": bar.update(task, completed=done, note=note)

    def say(self, text: str) -> None:
        """A remark for the person watching."""
        if not self.quiet:
            console.print(text, highlight=False, markup=False)
