"""A real table, killed in the middle or asked for twice: what comes out is what would have."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from phosphene.reproduce.execute import PROGRAM

UPDATES, EVERY = 300, 100
OWN = f"""
source = "A test"
title = "A student of modality_kd"
recipe = "modality_kd"
changes = [
    "data.train_examples=40",
    "data.meta_examples=8",
    "data.test_examples=16",
    "teacher_training.scenes=32",
    "teacher_training.pictures_per_update=16",
    "teacher_training.budget.max_updates=2",
    "teach.budget.max_updates=4",
    "teach.budget.evaluate_every_updates=2",
    "distil.budget.max_updates={UPDATES}",
    "distil.budget.evaluate_every_updates={EVERY}",
    "distil.budget.select=average",
    "distil.budget.average_last=1",
    "network.dropout=0.1",
]

[[columns]]
label = "ACC"
score = "accuracy"
splits = {{ toy = ["test"] }}

[[rows]]
label = "KD"
changes = ["system=kd"]
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    """``phosphene reproduce`` of the table, in a process group of its own."""
    own = folder.parent / "own.toml"
    own.write_text(OWN, encoding="utf-8")
    words = [*PROGRAM, "reproduce", str(own), "--folder", str(folder), "--quiet"]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, start_new_session=True)


def run_folder(folder: Path) -> Path:
    """Of the table's one run."""
    (run,) = folder.glob("modality_kd-*")
    return run


def events(run: Path, kind: str) -> list[dict[str, Any]]:
    """What the student's stage logged."""
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [each for each in found if (each["stage"], each["kind"]) == ("distil", kind)]


def losses(run: Path) -> list[tuple[int, float]]:
    """The student's, by update."""
    return [(each["update"], each["likelihood"]) for each in events(run, "train")]


@pytest.mark.slow
def test_a_table_killed_in_the_middle_of_a_run_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    first = start(killed)
    while not list(killed.glob("modality_kd-*/checkpoints/distil/resume-*/state.json")):
        assert first.poll() is None, "it ended before it was killed"
        time.sleep(0.01)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    run = run_folder(killed)
    assert not (run / "results.json").exists()
    assert not (run / "checkpoints" / "distil" / "final").exists()
    assert losses(run), "it was killed in the middle"
    shared = {path: path.stat().st_mtime_ns for path in killed.glob("shared/*/checkpoints/*/final")}
    assert shared

    assert start(killed).wait() == 0
    assert start(whole).wait() == 0
    assert run.name == run_folder(whole).name
    for name in (
        "results.json",
        "answers/test.tsv",
        "checkpoints/distil/final/tensors.safetensors",
    ):
        assert (run / name).read_bytes() == (run_folder(whole) / name).read_bytes()
    tables = [root / "tables" / "own" / "table.md" for root in (killed, whole)]
    assert tables[0].read_text() == tables[1].read_text()
    assert losses(run)[-1] == losses(run_folder(whole))[-1]
    assert [update for update, _ in losses(run)].count(1) == 1, "it went on, not from the start"
    assert shared == {path: path.stat().st_mtime_ns for path in shared}


def train(run: Path, *changes: str) -> subprocess.Popen[str]:
    """``phosphene train`` of what the table has for its row."""
    words = [*PROGRAM, "train", "modality_kd", "--run", str(run), "--quiet"]
    for change in (*tomllib.loads(OWN)["changes"], "system=kd", *changes):
        words += ["--set", change]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_run_that_is_asked_for_twice_is_trained_once(tmp_path: Path) -> None:
    """Whoever wants other settings in its folder waits too, and is refused then."""
    run = tmp_path / "run"
    first = train(run)
    while not (run / "manifest.json").exists():
        assert first.poll() is None, "it ended before it was asked for again"
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # it holds the run until the others have come
    same, other = train(run), train(run, "seed=2")
    told = [each.stderr.readline() for each in (same, other) if each.stderr is not None]
    first.send_signal(signal.SIGCONT)
    assert all(f"{run}: waiting" in " ".join(line.split()) for line in told), told
    said = [each.communicate()[1] for each in (first, same, other)]
    assert [each.returncode for each in (first, same, other)] == [0, 0, 2], said
    assert "this run was started with other settings (now: seed = 2)" in said[2]
    assert [update for update, _ in losses(run)].count(1) == 1
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    kinds = [json.loads(line)["kind"] for line in lines]
    assert kinds.count("memory") == 1, "scored by one of them"


@pytest.mark.slow
def test_a_table_that_is_asked_for_twice_is_made_by_one_after_the_other(tmp_path: Path) -> None:
    both = [start(tmp_path / "grid") for _ in range(2)]
    assert [each.wait() for each in both] == [0, 0]
    assert [update for update, _ in losses(run_folder(tmp_path / "grid"))].count(1) == 1
