"""A folder is held by one process at a time, and by that one as often as it likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from phosphene.core.errors import InputError, StorageError
from phosphene.core.files import alone_in

HOLD = """
import sys
from pathlib import Path
from phosphene.core.files import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_who_holds_a_folder_may_ask_for_it_again(tmp_path: Path) -> None:
    with alone_in(tmp_path / "a"):
        with alone_in(tmp_path / "a"), alone_in(tmp_path / "b"):
            pass
        assert someone_else(tmp_path / "a") == "refused", "it is held until the outer one ends"
    assert someone_else(tmp_path / "a") == "held"


def someone_else(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HOLD, str(folder)],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or ("refused" if "another process" in done.stderr else done.stderr)


def test_another_process_is_waited_for_or_told(tmp_path: Path) -> None:
    words = [sys.executable, "-W", "ignore", "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        refused = pytest.raises(InputError, match="another process is working in this folder")
        with refused, alone_in(tmp_path):
            pass
        told = list[str]()

        def wait(line: str) -> None:
            told.append(line)
            assert other.stdin is not None
            other.stdin.close()

        with alone_in(tmp_path, wait):
            assert told == [f"{tmp_path}: waiting for the process that is working there"]


def test_a_file_cannot_be_held(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="cannot be written"), alone_in(tmp_path / "file"):
        pass
