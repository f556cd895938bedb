"""``phosphene report`` about tables and runs, tables of facts, and the whole way once for real."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import tomli_w
from test_beside_the_paper import finished
from tiny_grid import finish, grid, request_file
from typer.testing import CliRunner

from phosphene.cli import app
from phosphene.core.errors import InputError
from phosphene.evaluate.results import read_results
from phosphene.evaluate.score import Score
from phosphene.report.model import Missing
from phosphene.reproduce.facts import fact_table
from phosphene.reproduce.grid import lay_out, make_request, read_request
from phosphene.reproduce.pages import runs_report, write_report
from phosphene.reproduce.reproduce import reproduce

STAGE = {"batch": 8, "budget": {"max_updates": 2}, "optim": {"warmup_updates": 1}}
NETWORK = {"merges": 60, "layers": 1, "hidden": 8, "inner": 8, "heads": 2, "max_positions": 64}
TINY = {
    "data": {"source": "world", "train_examples": 24, "test_examples": 8},
    "lengths": {"question": 32, "tags": 0, "regions": 4},
    "network": NETWORK,
    "teacher_network": NETWORK,
    "teacher_training": {"scenes": 16, "pictures_per_update": 8, "budget": {"max_updates": 1}},
    "teach": STAGE,
    "distil": STAGE,
    "runtime": {"accelerator": "cpu", "threads": 1},
}


def test_the_tables_of_a_folder_on_one_page(tmp_path: Path) -> None:
    made = finished(tmp_path)
    made.request.write(made.folder)
    said = write_report([made.root], tmp_path / "out" / "all.html")
    assert said.endswith("all.html, all.md, all.csv")
    page = (tmp_path / "out" / "all.html").read_text()
    assert "Somebody (2020), Table 9" in page and "<h2>Curves and pictures</h2>" in page
    assert "| free |" in (tmp_path / "out" / "all.md").read_text()
    assert "# Against text, run again here" in (tmp_path / "out" / "all.csv").read_text()


def test_runs_side_by_side_with_significance_and_examples(tmp_path: Path) -> None:
    made = finished(tmp_path)
    text, free = (made.cells[row, "EN-DE"][0].folder for row in ("text", "free"))
    write_report([free], tmp_path / "runs.html", baseline=text)
    page = (tmp_path / "runs.html").read_text()
    assert f"{free.name} against {text.name} (baseline)" in page
    assert "<mark>see</mark>" in page.replace(
        "<mark>see ist blau und tief</mark>", "<mark>see</mark>"
    )
    assert "paired-permutation" in page
    assert "system" in page and "text_only" in page


def test_the_folder_of_a_table_from_within_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = finished(tmp_path)
    made.request.write(made.folder)
    monkeypatch.chdir(made.folder)
    write_report([Path()], tmp_path / "one.html")
    assert "6 of 12 runs finished" in (tmp_path / "one.html").read_text()


def test_runs_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    """Two studies of the same two runs; a run that is named twice is one."""
    pages = []
    for study in ("first", "second"):
        made = finished(tmp_path / study)
        pages.append(made.cells["free", "EN-DE"][0].folder)
    first, second = pages
    report = runs_report([first, second, first / ".." / first.name], baseline=second)
    assert report.summary == "2 finished run(s)."
    assert len(set(report.tables[0].header[2:])) == 2
    assert any(f"first/runs/{first.name} against" in table.title for table in report.tables)


def test_a_page_is_not_written_over_its_own_tables(tmp_path: Path) -> None:
    made = finished(tmp_path)
    with pytest.raises(InputError, match=r"all\.md: expected a name that ends with \.html"):
        write_report([made.root], tmp_path / "all.md")


def test_files_that_no_report_wrote_are_not_written_over(tmp_path: Path) -> None:
    made = finished(tmp_path)
    notes = tmp_path / "all.md"
    notes.write_text("mine")
    with pytest.raises(InputError, match=r"all\.md: is there, and all\.html is not; choose anoth"):
        write_report([made.runs[0].folder], tmp_path / "all.html")
    assert notes.read_text() == "mine" and not (tmp_path / "all.html").exists()
    notes.unlink()
    for _ in range(2):
        write_report([made.runs[0].folder], tmp_path / "all.html")


def test_a_run_is_not_its_own_baseline(tmp_path: Path) -> None:
    run = finished(tmp_path).runs[0].folder
    with pytest.raises(InputError, match="expected another run to compare with it, found itself"):
        write_report([run], tmp_path / "all.html", baseline=run)


def test_another_table_of_the_same_name_is_not_written_over(tmp_path: Path) -> None:
    made = finished(tmp_path)
    made.request.write(made.folder)
    again = make_request(request_file(tmp_path / "elsewhere"), "toy", 1)
    with pytest.raises(InputError, match=r"request\.json: made for table .*; choose another"):
        reproduce(again, made.root, quiet=True)
    make_request(made.request.table, "toy", 2).write(made.folder)
    assert read_request(made.folder).seeds == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"table": 3}', "key 'table': Input should be a valid string"),
        ('{"table": "msd/table-1", "seeds": "x"}', "key 'seeds': Input should be a valid integer"),
        ('{"table": "msd/table-1", "seeds": 0}', "key 'seeds': Input should be greater than or"),
        ('{"table": "msd/table-1", "size": "huge"}', "key 'size': Input should be 'toy', 'small'"),
        ('{"table": "msd/table-1", "colour": 1}', "unknown key 'colour'"),
        ('{"size": "toy"}', "key 'table': Field required"),
        ("[]", "damaged, expected what a table was made for"),
        ("{", "damaged, expected what a table was made for"),
    ],
)
def test_a_damaged_request_is_one_clear_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "tables" / "own" / "request.json"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as raised:
        write_report([tmp_path], tmp_path / "out.html")
    assert str(raised.value).startswith(f"{path}: {why}") and "\n" not in str(raised.value)


def test_a_request_reads_as_it_was_written(tmp_path: Path) -> None:
    request = make_request("msd/table-1", "small", 3, meteor=True)
    request.write(tmp_path)
    assert read_request(tmp_path) == request


def test_what_is_no_run_and_a_baseline_that_does_not_compare_are_refused(tmp_path: Path) -> None:
    made = finished(tmp_path, data="d2")
    text, free = (made.cells[row, "EN-DE"][0].folder for row in ("text", "free"))
    with pytest.raises(InputError, match=r"trained on other data \(d2\) than .* \(d1\)"):
        write_report([free], tmp_path / "x.html", baseline=text)
    with pytest.raises(InputError, match="expected a finished run"):
        write_report([tmp_path / "nowhere"], tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()


def test_a_table_is_written_while_cells_fail(tmp_path: Path) -> None:
    fails = (sys.executable, "-c", "raise SystemExit('phosphene: no such data')")
    request = make_request(request_file(tmp_path), "toy", 1)
    text = reproduce(request, tmp_path / "runs", quiet=True, program=fails)
    assert "seed 1 failed: no such data" in text
    assert "4 failed" in (tmp_path / "runs" / "tables").glob("*/report.html").__next__().read_text()


def test_a_command_whose_runs_failed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHOSPHENE_DATA", str(tmp_path))
    tiny = {**TINY, "data": {"source": "daquar"}}
    for name, text in (("own.toml", OWN), ("tiny.toml", tomli_w.dumps(tiny))):
        (tmp_path / name).write_text(text, encoding="utf-8")
    arguments = ["reproduce", str(tmp_path / "own.toml"), "--config", str(tmp_path / "tiny.toml")]
    arguments += ["--folder", str(tmp_path / "runs"), "--quiet"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 1
    assert "seed 1 failed: " in done.output and "phosphene: 1 failed: modality_kd-" in done.output


def test_finished_runs_are_not_run_again(tmp_path: Path) -> None:
    """Whoever is started leaves a line; the last of four runs is not finished."""
    started = tmp_path / "started"
    mark = f"import sys; print(*sys.argv[1:], file=open({str(started)!r}, 'a'))"
    made = grid(tmp_path, seeds=1)
    *before, left = made.runs
    for run in before:
        finish(run, ("a", "b"))
    reproduce(made.request, made.root, quiet=True, program=(sys.executable, "-c", mark))
    (line,) = started.read_text().splitlines()
    assert str(left.folder) in line, "the one that was left, and no other"
    assert [path.stem for path in (made.root / "logs").glob("*.failed")] == [left.name]
    finish(left, ("a", "b"))
    reproduce(made.request, made.root, quiet=True, program=(sys.executable, "-c", mark))
    assert len(started.read_text().splitlines()) == 1


def test_the_maps_of_teacher_and_student(tmp_path: Path) -> None:
    """Table 7 of the paper; the student's parameters were counted apart from this code."""
    table = fact_table(lay_out(make_request("ikd/table-7", "toy", 1), tmp_path))
    rows = {row[0]: row[1:] for row in table.rows}
    first = ("64 x 112 x 112", "112x112", "3 x 224 x 224", "224x224")
    assert rows["T-conv1, S-conv1"] == first
    assert rows["T-conv4_x, S-conv4_x"][::2] == ("1024 x 14 x 14", "512 x 28 x 28")
    pooled = ("2048 x 1 x 1", "1x1", "2048 x 7 x 7", "7x7")
    assert rows["average pool, average unpool"] == pooled
    assert rows["parameters of the student"][0] == "34,185,344"


def test_a_table_that_measures_nothing(tmp_path: Path) -> None:
    table = fact_table(lay_out(make_request("vlp/table-1", "toy", 1), tmp_path))
    why = Missing("a list of systems; nothing is measured")
    assert table.header[:3] == ("", "img, here", "paper: img")
    assert table.rows[0] == ("Multi30K: most works (quoted)", why, "X", why, "X", why, "X")
    assert isinstance(table.rows[3][6], Missing)


COUNTS = """
source = "A test"
title = "Sizes"
recipe = "modality_kd"
kind = "counts"
[[columns]]
label = "genres"
score = "count"
splits = { toy = ["test"] }
[[rows]]
label = "classes"
fact = "labels"
changes = ["data.task=genres"]
paper = ["23"]
[[rows]]
label = "training"
fact = "train"
[[rows]]
label = "meta-data"
fact = "meta"
[[rows]]
label = "posters"
fact = "posters"
[[rows]]
label = "elsewhere"
quoted = true
paper = ["9"]
"""


def test_counts_of_the_data(tmp_path: Path) -> None:
    for name, text in (("counts.toml", COUNTS), ("tiny.toml", tomli_w.dumps(TINY))):
        (tmp_path / name).write_text(text, encoding="utf-8")
    names = [str(tmp_path / name) for name in ("counts.toml", "tiny.toml")]
    table = fact_table(lay_out(make_request(names[0], "toy", 1, names[1]), tmp_path))
    assert table.header == ("", "genres, here", "paper: genres")
    assert table.rows[0] == ("classes", "8", "23")
    assert table.rows[4][:2] == ("elsewhere (quoted)", Missing("quoted by the paper"))
    assert [row[1] for row in table.rows[1:3]] == ["16", "8"]  # of 24
    assert table.rows[3][1] == Missing("not counted here")


OWN = """
source = "A test"
title = "A small classifier"
recipe = "modality_kd"
[[columns]]
label = "ACC"
score = "accuracy"
splits = { toy = ["test"] }
[[rows]]
label = "small"
changes = ["system=small"]
"""


def test_the_whole_way_once(tmp_path: Path) -> None:
    """A real run, in a process of its own."""
    for name, text in (("own.toml", OWN), ("tiny.toml", tomli_w.dumps(TINY))):
        (tmp_path / name).write_text(text, encoding="utf-8")
    names = [str(tmp_path / name) for name in ("own.toml", "tiny.toml")]
    said = reproduce(make_request(names[0], "toy", 1, names[1]), tmp_path / "runs", quiet=True)
    (run,) = [path.parent for path in (tmp_path / "runs").glob("*/results.json")]
    accuracy = read_results(run).split("test").scores[0]
    assert isinstance(accuracy, Score) and f"{accuracy.value:.2f}" in said
    (report,) = (tmp_path / "runs" / "tables").glob("*/report.html")
    assert "A small classifier" in report.read_text()
