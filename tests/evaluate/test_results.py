"""Results on disk: what was written is read, and what is damaged is named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from phosphene.core.errors import InputError
from phosphene.core.runlog import Signature
from phosphene.evaluate.results import holds_results, read_results, write_results
from phosphene.evaluate.score import Score, Unavailable
from phosphene.evaluate.system import Line, Results, SplitResult

RESULTS = Results(
    "image_free",
    "de",
    Signature("0.1", "abc", "d", "c", 1, "update 5"),
    (
        SplitResult(
            "test",
            2,
            (Score("BLEU", 12.5, "signature"),),
            (
                Line("a dog .", "ein hund .", "ein\u2028hund", -1.25),
                Line("a cat .", "eine katze .", "", -0.5),
            ),
            language="de",
            tokenised=False,
        ),
        SplitResult("test.photos", 3, (Unavailable("BLEU", "3 of 3 sentences have no picture"),)),
    ),
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_results(tmp_path, RESULTS)
    assert read_results(tmp_path) == RESULTS
    assert [path.name for path in (tmp_path / "translations").iterdir()] == ["test.tsv"]


def test_a_split_of_an_earlier_version_is_in_the_language_of_the_run(tmp_path: Path) -> None:
    write_results(tmp_path, RESULTS)
    path = tmp_path / "results.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    for split in record["splits"].values():
        del split["language"], split["tokenised"]
    path.write_text(json.dumps(record), encoding="utf-8")
    assert [(split.language, split.tokenised) for split in read_results(tmp_path).splits] == [
        ("de", True),
        ("de", True),
    ]


def test_separators_within_a_sentence_do_not_shift_cells(tmp_path: Path) -> None:
    lines = (Line("a\tdog\nruns", "ein\rhund", "hund", -1.0),)
    split = replace(RESULTS.splits[0], sentences=1, lines=lines)
    write_results(tmp_path, replace(RESULTS, splits=(split,)))
    (line,) = read_results(tmp_path).splits[0].lines
    assert line == Line("a dog runs", "ein hund", "hund", -1.0)


def test_a_split_is_found_by_name() -> None:
    assert RESULTS.split("test").sentences == 2
    with pytest.raises(InputError, match=r"no split 'dev', expected one of test, test\.photos"):
        RESULTS.split("dev")


def test_a_run_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no results\.json; expected a finished run"):
        read_results(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"system": "a", "language": "de"}'])
def test_damaged_results_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(InputError, match=r"results\.json: damaged"):
        read_results(tmp_path)


def test_lines_that_are_missing_are_counted(tmp_path: Path) -> None:
    write_results(tmp_path, RESULTS)
    path = tmp_path / "translations" / "test.tsv"
    path.write_text(path.read_text(encoding="utf-8").split("\n")[0] + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"test\.tsv: 1 lines, expected 2; the same 'train' comm"):
        read_results(tmp_path)
    assert not holds_results(tmp_path / "results.json")
    path.unlink()
    with pytest.raises(InputError, match=r"test\.tsv: 0 lines, expected 2"):
        read_results(tmp_path)


def test_a_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(InputError, match="run: a file, expected the folder of a finished run"):
        read_results(tmp_path / "run")


@pytest.mark.parametrize(
    ("row", "message"),
    [("a\tb\tc", "expected 4 tab-separated fields"), ("a\tb\tc\tx", "expected a number, got 'x'")],
)
def test_a_damaged_line_is_named(tmp_path: Path, row: str, message: str) -> None:
    write_results(tmp_path, RESULTS)
    path = tmp_path / "translations" / "test.tsv"
    path.write_text(path.read_text().split("\n")[0] + f"\n{row}\n")
    with pytest.raises(InputError, match=rf"test\.tsv:2: {message}"):
        read_results(tmp_path)
