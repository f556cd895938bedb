"""Do what is not done yet, several processes side by side, and keep going where one fails.

Every job is a ``phosphene`` command of its own, so that one which dies takes nothing with it. A run
resumes by itself, and a stage that two runs share is trained by the one and waited for by the
other; so a grid that was killed is started again and goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from phosphene.core.files import write_atomically
from phosphene.core.runlog import RunLog

PROGRAM: Final = (sys.executable, "-m", "phosphene.cli")
_LOOK_EVERY_SECONDS = 0.2


@dataclass(frozen=True)
class Job:
    """A command, and the file that shows whether it is done."""

    name: str
    words: tuple[str, ...]
    """After the program's name."""
    product: Path
    logs: Path
    """The folder where what it says is kept, and why it failed."""
    finishes: Callable[[Path], bool] = Path.exists
    """Whether the product is what the command leaves."""

    @property
    def is_finished(self) -> bool:
        """Whether its product is there."""
        return self.finishes(self.product)

    @property
    def log(self) -> Path:
        """What it said."""
        return self.logs / f"{self.name}.log"

    @property
    def failure_file(self) -> Path:
        """Not there if it did not fail the last time."""
        return self.logs / f"{self.name}.failed"

    @property
    def failure(self) -> str:
        """Why it failed the last time, in a line; empty if it did not."""
        path = self.failure_file
        return path.read_text(encoding="utf-8") if path.exists() else ""


def execute(
    jobs: Sequence[Job],
    log: RunLog,
    *,
    label: str,
    at_once: int = 1,
    program: Sequence[str] = PROGRAM,
) -> None:
    """Finish all ``jobs``; why one failed is kept beside its log, and the others go on.

    Args:
        jobs: finished ones are left alone; failed ones are tried again.
        log: shows progress.
        label: of the progress.
        at_once: how many processes.
        program: what takes the words of a job.
    """
    waiting = [job for job in jobs if not job.is_finished]
    done = len(jobs) - len(waiting)
    with log.progress(label, len(jobs), done) as advance, _processes() as working:
        while waiting or working:
            while waiting and len(working) < at_once:
                job = waiting.pop(0)
                log.say(f"{done + len(working) + 1} of {len(jobs)} {label}: {job.name}")
                working[job] = _start(job, program)
                advance(done, _names(working))
            time.sleep(_LOOK_EVERY_SECONDS)
            for job, process in list(working.items()):
                if process.poll() is not None:
                    del working[job]
                    done += 1
                    _conclude(job, process.returncode, log)
                    advance(done, _names(working))


@contextmanager
def _processes() -> Iterator[dict[Job, subprocess.Popen[bytes]]]:
    """Processes that end with whoever started them, if that one ends by an exception."""
    working: dict[Job, subprocess.Popen[bytes]] = {}
    try:
        yield working
    finally:
        for process in working.values():
            process.terminate()
        for process in working.values():
            process.wait()


def _start(job: Job, program: Sequence[str]) -> subprocess.Popen[bytes]:
    job.logs.mkdir(parents=True, exist_ok=True)
    job.failure_file.unlink(missing_ok=True)
    with job.log.open("wb") as output:
        return subprocess.Popen(
            [*program, *job.words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={"OMP_NUM_THREADS": "1", **os.environ},
        )


def _conclude(job: Job, code: int, log: RunLog) -> None:
    """Keep why a job failed."""
    if code == 0 and job.is_finished:
        return
    reason = f"killed by signal {-code}" if code < 0 else _last_line(job.log)
    reason = reason or f"ended with code {code} and said nothing"
    write_atomically(job.failure_file, reason.encode())
    log.say(f"{job.name} failed: {reason}")


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return last.removeprefix("phosphene: ")


def _names(working: dict[Job, subprocess.Popen[bytes]]) -> str:
    return ", ".join(job.name for job in working)


__all__ = ["PROGRAM", "Job", "execute"]
