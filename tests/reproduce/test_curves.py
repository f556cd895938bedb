"""Learning curves of a table: a curve for every row, no more in a plot than can be told apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tiny_grid import TABLE, finish, grid

from phosphene.core.runlog import RunLog
from phosphene.report.model import Plot
from phosphene.report.page import render_page
from phosphene.reproduce.grid import Grid, Run
from phosphene.reproduce.measure import Measurements
from phosphene.reproduce.present import grid_report
from phosphene.reproduce.tables import read_table, table_names

TRAINED = "Training loss, last stage, mean over seeds"


def trained(run: Run, losses: Sequence[float], *, stages: int = 2) -> None:
    """A finished run whose last stage had these losses, after one that had none below 10."""
    finish(run, ("a", "b"))
    log = RunLog(run.folder / "log.jsonl")
    for stage in range(stages):
        for number, loss in enumerate(losses, start=1):
            shown = loss if stage == stages - 1 else 10 + loss
            log.event(f"stage {stage}", 50 * number, "train", translation=shown)


def plots(made: Grid) -> dict[str, Plot]:
    found = grid_report(Measurements(made)).plots
    return {plot.title: plot for plot in found if isinstance(plot, Plot) and "loss" in plot.title}


def test_a_curve_for_every_row_is_the_mean_over_its_seeds(tmp_path: Path) -> None:
    made = grid(tmp_path, seeds=2)
    for number, run in enumerate(made.cells["text", "EN-DE"]):
        trained(run, (4.0 + 2 * number, 2.0, 1.0)[: 3 - number])
    trained(made.cells["free", "EN-DE"][1], (7.0,))
    found = plots(made)
    assert list(found) == [f"EN-DE: {TRAINED}"]
    text, free = found[f"EN-DE: {TRAINED}"].curves
    assert (text.name, text.points) == ("text", ((50, 5.0), (100, 2.0)))
    assert (free.name, free.points) == ("free", ((50, 7.0),))


def test_a_row_whose_stages_are_all_shared_says_so(tmp_path: Path) -> None:
    made = grid(tmp_path, seeds=1)
    finish(made.cells["text", "EN-DE"][0], ("a", "b"))
    trained(made.cells["free", "EN-DE"][0], (7.0,))
    (plot,) = plots(made).values()
    assert [curve.name for curve in plot.curves] == [
        "free",
        "text: no curve, every stage is shared",
    ]


def test_a_first_stage_that_ended_before_the_second_began_to_tell_is_left_out(
    tmp_path: Path,
) -> None:
    made = grid(tmp_path, seeds=1)
    run = made.cells["text", "EN-DE"][0]
    finish(run, ("a", "b"))
    log = RunLog(run.folder / "log.jsonl")
    for stage, update in (("first", 50), ("second", 100), ("second", 150)):
        log.event(stage, update, "train", translation=float(update))
    (plot,) = plots(made).values()
    assert plot.curves[0].points == ((100, 100.0), (150, 150.0))


def test_a_row_whose_stages_are_all_shared_has_the_curve_of_the_last_one(tmp_path: Path) -> None:
    made = grid(tmp_path, seeds=1)
    run = made.cells["text", "EN-DE"][0]
    finish(run, ("a", "b"))
    log = RunLog(run.folder / "log.jsonl")
    for number, name in enumerate(("pretrain-1", "translate-2"), start=1):
        (made.root / "shared" / name).mkdir(parents=True)
        shared = RunLog(made.root / "shared" / name / "log.jsonl")
        shared.event("stage", 50, "train", translation=float(number))
        log.event("stage", 50, "shared", folder=name, seconds=1.0, selection="update 50")
    (plot,) = plots(made).values()
    assert plot.curves[0].points == ((50, 2.0),)


def test_many_rows_stand_in_several_plots_with_the_baseline_in_each(tmp_path: Path) -> None:
    """As large as the largest table: 33 cells of five seeds, 200 losses each."""
    rows = "".join(
        f'\n[[rows]]\nlabel = "row {number}"\nchanges = ["max_tokens={100 + number}"]\n'
        for number in range(32)
    )
    made = grid(tmp_path, seeds=5, text=TABLE + rows)
    names = ["text", *(f"row {number}" for number in range(32))]
    for name in names:
        for run in made.cells[name, "EN-DE"]:
            trained(run, [5 / (1 + at) for at in range(200)], stages=1)
    found = plots(made)
    assert list(found) == [f"EN-DE: {TRAINED} ({number} of 7)" for number in range(1, 8)]
    curves = [plot.curves for plot in found.values()]
    assert all(len(each) <= 6 and each[0].name == "text" for each in curves)
    shown = [curve.name for each in curves for curve in each[1:]]
    assert shown == names[1:]
    points = curves[0][0].points
    assert len(points) == 30 and (points[0][0], points[-1][0]) == (50, 10000)
    assert len(render_page([grid_report(Measurements(made))])) < 1_000_000


def test_data_sets_with_the_same_runs_have_one_plot_and_one_set_of_examples(
    tmp_path: Path,
) -> None:
    same = TABLE.replace("changes = [\"data.languages=['en', 'fr']\"]\n", "")
    made = grid(tmp_path, seeds=1, text=same)
    trained(made.cells["text", "EN-DE"][0], (4.0, 2.0))
    assert list(plots(made)) == ["EN-DE: Training loss, last stage"]
    notes = [example.note for example in grid_report(Measurements(made)).examples]
    assert notes == ["EN-DE, ordinary", "EN-DE, ambiguous"]


@pytest.mark.parametrize("name", table_names())
def test_every_table_of_runs_shows_curves_and_examples(name: str) -> None:
    table = read_table(name)
    assert table.curves and table.examples >= 3
