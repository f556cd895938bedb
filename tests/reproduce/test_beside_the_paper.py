"""What finished runs left, compared with the baseline, and set beside the paper's figures."""

from __future__ import annotations

import csv
import statistics
from pathlib import Path

import pytest
from tiny_grid import TABLE, finish, grid

from phosphene.core.config import read_settings
from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.core.runlog import RunLog, Signature
from phosphene.evaluate.repeated import Difference
from phosphene.evaluate.results import write_results
from phosphene.evaluate.score import Score
from phosphene.evaluate.system import Line, Results, SplitResult
from phosphene.recipes import config_path, load_recipe
from phosphene.report.model import Missing, Number
from phosphene.reproduce.compare import Compared, compare_rows
from phosphene.reproduce.grid import Grid, Run, lay_out, make_request
from phosphene.reproduce.measure import Measured, Measurements, NotMeasured
from phosphene.reproduce.present import grid_report, result_table, shared_by, significance_table
from phosphene.reproduce.reproduce import table_report, write_tables
from phosphene.train.run import open_run

RIGHT = ("ein kleiner hund rennt .", "der ball ist rot .")
WRONG = ("ein kleiner hund rennt .", "der see ist blau und tief .")


def finished(folder: Path, *, seeds: int = 3, data: str = "d1") -> Grid:
    """The baseline does worse on every seed; nothing of English to French is finished."""
    made = grid(folder, seeds=seeds)
    for row, hypotheses in (("text", WRONG), ("free", RIGHT)):
        for run in made.cells[row, "EN-DE"]:
            finish(run, hypotheses, sense=50.0, data=data if row == "text" else "d1")
    return made


def test_mean_and_deviation_over_seeds_and_splits(tmp_path: Path) -> None:
    cell = Measurements(finished(tmp_path)).cells["free", "EN-DE", "B"]
    assert isinstance(cell, Measured)
    assert cell.by_seed == {1: 21.0, 2: 22.0, 3: 23.0}
    assert cell.mean == 22.0 and cell.deviation == pytest.approx(statistics.stdev([21, 22, 23]))
    assert cell.signature.startswith("tok:none; phosphene:0.1|commit:abc|data:d1|config:c1,c2,c3|")
    assert "seeds:1,2,3" in cell.signature
    one = Measurements(finished(tmp_path / "one", seeds=1)).cells["free", "EN-DE", "B"]
    assert isinstance(one, Measured) and one.deviation is None


def test_what_is_missing_says_why(tmp_path: Path) -> None:
    made = finished(tmp_path)
    failed, other = made.cells["text", "EN-FR"][:2]
    write_atomically(failed.training.failure_file, b"no data")
    finish(other, RIGHT)
    found = Measurements(made)
    cell = found.cells["text", "EN-FR", "sense"]
    assert isinstance(cell, NotMeasured)
    assert "seed 1 failed: no data" in cell.reason
    assert "seed 2 has no sense accuracy on ambiguous: no scenes" in cell.reason
    assert "seed 3 not finished (to do)" in cell.reason
    partly = found.cells["text", "EN-FR", "B"]
    assert isinstance(partly, Measured) and partly.by_seed.keys() == {2}
    assert "seed 1 failed: no data" in partly.remark
    table = result_table(found, ())
    column = table.header.index("EN-FR, ordinary + ambiguous: BLEU tokenised")
    assert str(table.rows[0][column]) == "22.00 (1 of 3 seeds)"


def test_a_score_or_split_that_is_misspelt_is_told_what_there_is(tmp_path: Path) -> None:
    for wrong, said in (
        ("splits = { toy = ['ordinari'] }", "this split was not scored; ordinary, ambiguous was"),
        ("splits = { toy = ['ordinary'] }", "the system is scored by BLEU tokenised"),
    ):
        column = f'[[columns]]\nlabel = "x"\nscore = "BLOU"\n{wrong}\n\n[[rows]]'
        made = grid(tmp_path / wrong[-8:-4], seeds=1, text=TABLE.replace("[[rows]]", column, 1))
        finish(made.cells["text", "EN-DE"][0], WRONG)
        cell = Measurements(made).cells["text", "EN-DE", "x"]
        assert isinstance(cell, NotMeasured) and cell.reason.endswith(said)


def test_only_stages_that_the_runs_used_are_counted(tmp_path: Path) -> None:
    run = tmp_path / "run"
    logs = {
        run: {"kind": "shared", "folder": "teacher-1"},
        tmp_path / "shared" / "teacher-1": {"kind": "finished"},
        tmp_path / "shared" / "of-others": {"kind": "finished"},
    }
    for folder, values in logs.items():
        folder.mkdir(parents=True)
        kind = values.pop("kind")
        RunLog(folder / "log.jsonl").event("stage", 1, kind, **values)
    assert [stage.name for stage in shared_by([run])] == ["teacher-1"]


def of(compared: tuple[Compared, ...], column: str) -> Compared:
    return next(c for c in compared if (c.block.label, c.column.label) == ("EN-DE", column))


def test_significance_over_seeds_and_items(tmp_path: Path) -> None:
    compared = compare_rows(Measurements(finished(tmp_path)))
    bleu, sense = of(compared, "B"), of(compared, "sense")
    assert isinstance(bleu.difference, Difference) and bleu.difference.delta > 20
    assert bleu.difference.method.startswith("t of 3 seeds, and items")
    assert isinstance(sense.difference, Difference)
    assert sense.difference.method.startswith("t of 3 seeds, items not")
    assert (sense.difference.delta, sense.reading) == (0.0, "undecided")
    assert bleu.adjusted == pytest.approx(2 * bleu.difference.p_value)
    assert {c.reading for c in compared if c.block.label == "EN-FR"} == {
        "seed 1, 2, 3 not finished (to do)"
    }


def test_one_seed_claims_nothing(tmp_path: Path) -> None:
    compared = compare_rows(Measurements(finished(tmp_path, seeds=1)))
    assert of(compared, "B").reading == "undecided: 1 seed"
    assert "one seed" in of(compared, "sense").reading


def test_a_baseline_trained_on_other_data_is_not_compared(tmp_path: Path) -> None:
    compared = compare_rows(Measurements(finished(tmp_path, data="d2")))
    assert "trained on other data (d2) than" in of(compared, "B").reading
    assert not any(isinstance(each.difference, Difference) for each in compared)


def test_without_a_seed_in_common_the_table_is_still_written(tmp_path: Path) -> None:
    """The baseline failed with one of two seeds, the other row with the other one."""
    made = grid(tmp_path, seeds=2)
    finish(made.cells["text", "EN-DE"][1], WRONG, sense=50.0)
    finish(made.cells["free", "EN-DE"][0], RIGHT, sense=50.0)
    found = Measurements(made)
    assert of(compare_rows(found), "B").reading == "no seed in common"
    assert of(compare_rows(found), "sense").reading == "no seed in common"
    assert str(result_table(found, compare_rows(found)).rows[1][1]) == "21.00 (1 of 2 seeds)"


def test_other_sentences_are_not_compared(tmp_path: Path) -> None:
    made = finished(tmp_path)
    others = ("eine katze .", "zwei hunde .")
    finish(made.cells["free", "EN-DE"][0], RIGHT, sense=50.0, references=others)
    compared = compare_rows(Measurements(made))
    assert "scored on different sentences" in of(compared, "B").reading


def test_ours_beside_the_papers(tmp_path: Path) -> None:
    found = Measurements(finished(tmp_path))
    table = result_table(found, compare_rows(found))
    assert table.header[:4] == (
        "system",
        "EN-DE, ordinary + ambiguous: BLEU tokenised",
        "paper: EN-DE, B",
        "EN-DE, ambiguous: sense accuracy",
    )
    text, free, quoted = table.rows
    assert str(free[1]).startswith("22.00 ± 1.00")
    assert str(text[2]) == "30.25 ± 0.50" and str(free[2]) == "31.00"
    assert quoted[0] == "elsewhere (quoted)" and str(quoted[2]) == "29.00"
    assert isinstance(quoted[1], Missing) and "quoted" in quoted[1].reason
    assert "paper: EN-FR, B" in table.header and "One seed" not in table.note
    assert all(cell.signature for row in table.rows for cell in row if isinstance(cell, Number))
    assert len(significance_table(found, compare_rows(found)).rows) == 4


ABSENT = """
[[columns]]
block = "EN-DE"
label = "gone"
score = "BLEU tokenised"
absent = { toy = "the pictures are elsewhere" }

[[columns]]
block = "EN-DE"
label = "likely"
score = "sense accuracy"
scores = { toy = "BLEU tokenised" }
splits = { toy = ["ambiguous"] }

[[rows]]
"""


def test_a_column_that_is_not_measured_stays_and_says_why(tmp_path: Path) -> None:
    made = grid(tmp_path, seeds=1, text=TABLE.replace("[[rows]]", ABSENT, 1))
    finish(made.cells["text", "EN-DE"][0], WRONG)
    found = Measurements(made)
    table = result_table(found, compare_rows(found))
    assert table.header[1:3] == ("EN-DE, gone: not measured", "paper: EN-DE, gone")
    text, free, quoted = table.rows
    assert text[1] == free[1] == Missing("the pictures are elsewhere")
    assert isinstance(quoted[1], Missing) and "quoted" in quoted[1].reason
    assert str(text[2]) == "30.25 ± 0.50", "the paper's figures stay in their places"
    assert table.header[3] == "EN-DE, ambiguous: BLEU tokenised", "as it is called at this size"
    assert str(text[3]) == "21.00"
    assert "gone" not in {each.column.label for each in compare_rows(found)}


GAIN = """
[[columns]]
label = "more"
score = "BLEU tokenised"
splits = { toy = ["ordinary", "ambiguous"] }
gain = true

[[rows]]
"""


def test_a_gain_is_the_difference_from_the_baseline_seed_by_seed(tmp_path: Path) -> None:
    made = grid(tmp_path, seeds=3, text=TABLE.replace("[[rows]]", GAIN, 1))
    for run in made.cells["text", "EN-DE"][1:]:
        finish(run, ("a", "a"))  # 10 and the seed
    for run in made.cells["free", "EN-DE"][:2]:
        finish(run, RIGHT)  # 20 and the seed
    found = Measurements(made)
    cell = found.cells["free", "EN-DE", "more"]
    assert isinstance(cell, Measured) and cell.by_seed == {2: 10.0}
    assert " minus tok:none" in cell.signature and cell.signature.count("seeds:") == 2
    assert "seed 3 not finished" in cell.remark and "baseline: seed 1" in cell.remark
    itself = found.cells["text", "EN-DE", "more"]
    assert isinstance(itself, Measured) and itself.by_seed == {2: 0.0, 3: 0.0}
    nothing = found.cells["free", "EN-FR", "more"]
    assert isinstance(nothing, NotMeasured) and "not finished" in nothing.reason
    table = result_table(found, compare_rows(found))
    assert table.header[4] == "EN-DE, ordinary + ambiguous: BLEU tokenised, minus that of text"
    assert "more" not in {each.column.label for each in compare_rows(found)}, "counted once"


def test_groups_of_rows_stand_beside_them(tmp_path: Path) -> None:
    text = TABLE.replace("examples = 1", 'examples = 1\ngrouped_by = "at test time"')
    for number, row in enumerate(("text", "free", "elsewhere")):
        text = text.replace(f'label = "{row}"\n', f'label = "{row}"\ngroup = "g{number}"\n')
    table = result_table(Measurements(grid(tmp_path, text=text)), ())
    assert table.header[:2] == ("system", "at test time")
    assert [row[1] for row in table.rows] == ["g0", "g1", "g2"]
    assert str(table.rows[0][3]) == "30.25 ± 0.50"


def test_everything_is_written(tmp_path: Path) -> None:
    made = finished(tmp_path)
    write_tables(table_report(made), made.folder)
    assert {path.name for path in made.folder.iterdir()} == {
        "report.html",
        "table.md",
        "table.csv",
        "table-2.csv",
    }
    with (made.folder / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    column = "EN-DE, ordinary + ambiguous: BLEU tokenised"
    assert rows[1][column] == "22.0" and float(rows[1][f"{column} sd"]) == 1.0
    assert "Against text, run again here" in (made.folder / "table.md").read_text()


def test_the_report_has_examples_curves_changes_and_costs(tmp_path: Path) -> None:
    report = grid_report(Measurements(finished(tmp_path)))
    (first, _) = report.examples
    assert first.note == "EN-DE, ordinary"
    assert first.source == "source 1", "the first on which the systems differ"
    assert {output.system for output in first.outputs} == {"text", "free"}
    sweep = next(plot for plot in report.plots if plot.title.endswith("BLEU tokenised"))
    assert sweep.curves[0].points == ((1.0, 22.0),)
    assert ("EN-FR, text", "data.languages=['en', 'fr'] system=text_only") in report.configuration
    assert ("budget.max_updates", "1000") in report.configuration
    assert report.costs is not None
    assert "6 of 12 runs finished, 0 failed" in report.summary


def test_a_cell_that_is_impossible_is_shown_so(tmp_path: Path) -> None:
    text = TABLE.replace('at.small.impossible = "no photos"', 'impossible = "no photos"')
    made = grid(tmp_path, text=text)
    assert made.impossible["free", "EN-DE"] == "no photos" and not made.cells["free", "EN-DE"]
    cell = Measurements(made).cells["free", "EN-DE", "B"]
    assert cell == NotMeasured("impossible here: no photos")
    assert "2 impossible here" in grid_report(Measurements(made)).summary


ANSWERS = """
source = "Somebody (2020), Table 10"
title = "Two classifiers"
recipe = "modality_kd"
baseline = "kd"
note = "Made up."

[[blocks]]
label = "two classes"

[[columns]]
label = "AUC"
score = "AUC"
splits = { toy = ["test"] }

[[columns]]
label = "ACC"
score = "accuracy"
splits = { toy = ["test"] }

[[rows]]
label = "kd"
changes = ["system=kd"]

[[rows]]
label = "msd"
"""


def answered(run: Run, likelihoods: tuple[float, ...], area: float) -> None:
    """Leave the results of a classifier of four examples and of one whose label it has not."""
    recipe = load_recipe(run.recipe).Settings
    open_run(
        run.folder, run.recipe, read_settings(recipe, config_path(run.recipe, "toy"), run.changes)
    )
    truth = ("benign", "benign", "hostile", "hostile")
    lines = tuple(
        Line(f"remark {number}", label, "benign", value)
        for number, (label, value) in enumerate(zip(truth, likelihoods, strict=True))
    )
    scores = (
        Score("AUC", area, "examples:4"),
        Score("accuracy", 40.0, "examples:4|uncovered, wrong:1"),
    )
    split = SplitResult("test", 4, scores, lines, "answers")
    signature = Signature("0.1", "abc", "d1", f"c{run.seed}", run.seed, "last")
    write_results(run.folder, Results(run.name, "en", signature, (split,)))


@pytest.mark.parametrize(("written", "method"), [(75.0, "t of 3 seeds, and items"),
                                                 (74.0, "t of 3 seeds, items not")])  # fmt: skip
def test_the_area_is_compared_over_seeds_and_items(
    tmp_path: Path, written: float, method: str
) -> None:
    """Unless the lines do not give the score that the run has written down."""
    made = grid(tmp_path, text=ANSWERS)
    for run in made.cells["kd", "two classes"]:  # one of four pairs in the wrong order
        answered(run, (-0.1, -0.3, -1.5, -1.0), written)
    for run in made.cells["msd", "two classes"]:
        answered(run, (-0.1, -0.2, -0.9, -0.8), 100.0)
    compared = {each.column.label: each.difference for each in compare_rows(Measurements(made))}
    area, right = compared["AUC"], compared["ACC"]
    assert isinstance(area, Difference) and isinstance(right, Difference)
    assert area.delta == pytest.approx(100 - written) and area.method.startswith(method)
    assert right.delta == 0 and right.method.startswith("t of 3 seeds, and items")


def test_another_row_may_be_the_baseline_of_the_same_runs(tmp_path: Path) -> None:
    made = finished(tmp_path)
    request = make_request(made.request.table, "toy", 3, baseline="free")
    turned = lay_out(request, made.root)
    assert turned.runs == made.runs and turned.folder.name == f"{made.folder.name}-against-free"
    ours, theirs = (
        next(each for each in compare_rows(Measurements(one)) if each.column.label == "B")
        for one in (made, turned)
    )
    assert isinstance(ours.difference, Difference) and isinstance(theirs.difference, Difference)
    assert theirs.row == "text" and theirs.difference.delta == pytest.approx(-ours.difference.delta)
    with pytest.raises(InputError, match="no row 'elsewhere': expected one of text, free"):
        lay_out(make_request(made.request.table, "toy", 3, baseline="elsewhere"), made.root)
