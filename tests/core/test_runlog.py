"""The log of a run: whole lines, in the order of an uninterrupted run, and signed numbers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import phosphene
from phosphene.core import runlog
from phosphene.core.errors import StorageError
from phosphene.core.runlog import RunLog, Signature, sign


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    log = RunLog(tmp_path / "log.jsonl", quiet=True)
    for update in (1, 50, 100):
        log.event("teacher", update, "train", loss=1 / update)
    log.event("translate", 1, "train", note="ü")
    return log


def seen(log: RunLog) -> list[tuple[str, int]]:
    return [(event["stage"], event["update"]) for event in log.events()]


def test_events_come_back_in_order_with_their_values(log: RunLog) -> None:
    events = log.events()
    assert seen(log) == [("teacher", 1), ("teacher", 50), ("teacher", 100), ("translate", 1)]
    assert events[1]["loss"] == 1 / 50
    assert events[3]["note"] == "ü"
    assert log.has("teacher", "train")
    assert not log.has("teacher", "finished")


def test_rewind_drops_what_the_stage_said_later_and_nothing_else(log: RunLog) -> None:
    log.rewind("teacher", 50)
    assert seen(log) == [("teacher", 1), ("teacher", 50), ("translate", 1)]
    log.rewind("translate", 0)
    assert seen(log) == [("teacher", 1), ("teacher", 50)]


def test_a_half_written_last_line_is_dropped(log: RunLog) -> None:
    assert log.path is not None
    with log.path.open("a", encoding="utf-8") as file:
        file.write('{"stage": "translate", "upd')
    assert len(log.events()) == 4
    log.rewind("translate", 1)
    log.event("translate", 2, "train")
    assert seen(log)[-2:] == [("translate", 1), ("translate", 2)]


def test_a_line_after_a_half_written_one_is_whole(log: RunLog) -> None:
    assert log.path is not None
    for fragment in ('{"stage": "translate", "upd', '{"half": "ü'):
        with log.path.open("a", encoding="utf-8") as file:
            file.write(fragment)
        log.event("translate", 9, "train")
    assert seen(log)[-2:] == [("translate", 9), ("translate", 9)] and len(log.events()) == 6


def test_a_log_without_a_file_says_nothing() -> None:
    log = RunLog(None, quiet=True)
    log.event("teacher", 1, "train")
    log.rewind("teacher", 0)
    assert log.events() == []
    with log.progress("work", 2) as advance:
        advance(1, "half")


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "missing" / "log.jsonl", quiet=True)
    with pytest.raises(StorageError, match=r"missing/log\.jsonl: cannot be written \(No such"):
        log.event("teacher", 1, "train")


def test_a_signature_says_where_a_number_comes_from() -> None:
    signature = Signature("1.2", "abc", "d4", "c0", 7, "mean of 10")
    assert str(signature) == ("phosphene:1.2|commit:abc|data:d4|config:c0|seed:7|select:mean of 10")
    assert Signature(**signature.record()) == signature  # type: ignore[arg-type]
    assert sign("d4", "c0", 7, "last").version == phosphene.__version__


def test_the_commit_of_somebody_elses_repository_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "venv" / "phosphene"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()

    def git(*words: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e@x"]
        subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *words], check=True, capture_output=True
        )

    git("init")
    git("commit", "--allow-empty", "-m", "theirs")
    monkeypatch.setattr(phosphene, "__file__", str(package / "__init__.py"))
    assert runlog.commit() == "release"
    git("add", "--all")
    git("commit", "-m", "ours")
    committed = runlog.commit()
    assert len(committed) == 10
    (package / "__init__.py").write_text("changed = True\n", encoding="utf-8")
    assert runlog.commit() == committed + "+"
