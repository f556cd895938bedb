"""Killed at any moment and started again, a run ends with the same weights and the same log."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import random
import shutil
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
from tiny_training import resumable_run

TIMES = ("time", "seconds", "per_second")


def start(folder: Path) -> ForkServerProcess:
    """A process that trains in ``folder``; torch is imported once for all of them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["phosphene.train.trainer", "phosphene.models.translator"])
    process = context.Process(target=resumable_run, args=(folder,))
    process.start()
    return process


def finish(folder: Path) -> None:
    process = start(folder)
    process.join(60)
    assert process.exitcode == 0


def written(folder: Path) -> int:
    log = folder / "log.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


def kill_after(folder: Path, lines: int, seconds: float) -> bool:
    """Start, and kill ``seconds`` after the log has so many lines; whether it was still running."""
    process = start(folder)
    deadline = time.monotonic() + 60
    while written(folder) < lines and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(seconds)
    alive = process.is_alive()
    process.kill()
    process.join()
    return alive


def events(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return [
        {key: value for key, value in json.loads(line).items() if key not in TIMES}
        for line in lines
    ]


def checksums(folder: Path) -> dict[str, str]:
    return {
        stage: hashlib.sha256(
            (folder / "checkpoints" / stage / "final" / "tensors.safetensors").read_bytes()
        ).hexdigest()
        for stage in ("warm-up", "translate")
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nobody interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    finish(folder)
    return folder


def test_a_run_killed_three_times_ends_like_one_that_was_not(whole: Path, tmp_path: Path) -> None:
    expected = events(whole)
    assert [event["stage"] for event in expected].count("translate") > 12
    draw = random.Random()
    points = [(lines, draw.uniform(0, 0.1)) for lines in sorted(draw.sample(range(1, 15), 3))]
    killed = [kill_after(tmp_path / "killed", *point) for point in points]
    finish(tmp_path / "killed")
    assert all(killed), points
    assert checksums(tmp_path / "killed") == checksums(whole), points
    assert events(tmp_path / "killed") == expected, points
    for stage in ("warm-up", "translate"):
        left = [path.name for path in (tmp_path / "killed" / "checkpoints" / stage).iterdir()]
        assert left == ["final"], points


@pytest.mark.parametrize("lost", ["event", "half an event", "what was in the way"])
def test_a_kill_while_a_stage_ends_leaves_no_trace(whole: Path, tmp_path: Path, lost: str) -> None:
    """The final weights are there, but what comes after them was not done."""
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    log, stage = run / "log.jsonl", run / "checkpoints" / "translate"
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    if lost == "event":
        log.write_text("".join(lines[:-1]), encoding="utf-8")
    elif lost == "half an event":
        log.write_text("".join(lines)[:-20], encoding="utf-8")
    else:
        for name in ("resume-000000200", "snapshot-000000200", ".final.partial"):
            (stage / name).mkdir()
            (stage / name / "state.json").touch()
    finish(run)
    assert events(run) == events(whole)
    assert checksums(run) == checksums(whole)
    assert [path.name for path in stage.iterdir()] == ["final"]
