"""A grid's measurements as tables and as a report: ours beside the paper's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from phosphene.core.config import read_settings
from phosphene.core.runlog import RunLog, commit
from phosphene.evaluate.repeated import Difference
from phosphene.recipes import config_path, load_recipe
from phosphene.recipes.launch import flatten
from phosphene.recipes.present import cost_table
from phosphene.report.model import (
    Cell,
    Curve,
    Figure,
    Missing,
    Number,
    Plot,
    Probability,
    Report,
    Table,
)
from phosphene.reproduce.compare import Compared, compare_rows
from phosphene.reproduce.curves import grid_curves
from phosphene.reproduce.examples import grid_examples
from phosphene.reproduce.grid import Grid, changes_of
from phosphene.reproduce.measure import Measured, Measurements, NotMeasured
from phosphene.reproduce.tables import Block, Column, Row

MARK = "†"


def result_table(found: Measurements, compared: Sequence[Compared]) -> Table:
    """A row of the paper's table is a row; beside every column of ours stands the paper's."""
    grid = found.grid
    table, size = grid.table, grid.request.size
    marked = {(c.row, c.block.label, c.column.label) for c in compared if c.is_significant}
    header = ["system"]
    columns: list[list[Cell]] = [[row.shown_label for row in table.rows]]
    if table.grouped_by:
        header.append(table.grouped_by)
        columns.append([row.group for row in table.rows])
    for number, (block, column) in enumerate(table.places):
        if column.is_shown(size):
            header.append(measured_heading(grid, block, column))
            places = [(row.label, block.label, column.label) for row in table.rows]
            columns.append([_ours(found, place, column, place in marked) for place in places])
        printed = _printed(table.source, table.rows, number)
        if any(not isinstance(cell, Missing) for cell in printed):
            header.append(f"paper: {_joined(block.label, column.label)}")
            columns.append(printed)
    rows = tuple(zip(*columns, strict=True))
    return Table(
        f"{table.source}: {table.title}", tuple(header), rows, _note(grid, marked=bool(marked))
    )


def significance_table(found: Measurements, compared: Sequence[Compared]) -> Table:
    """Every difference from the baseline."""
    grid = found.grid
    rows: list[tuple[Cell, ...]] = []
    for each in compared:
        heading = measured_heading(grid, each.block, each.column)
        if isinstance(each.difference, NotMeasured):
            empty = Missing(each.difference.reason)
            rows.append((each.row, heading, empty, "", empty, empty, "not compared"))
            continue
        test, digits = each.difference, each.column.digits
        rows.append(
            (
                each.row,
                heading,
                Number(test.delta, test.method, digits),
                f"{test.interval.low:.{digits}f} to {test.interval.high:.{digits}f}",
                Probability(test.p_value, test.method),
                Probability(each.adjusted, f"Holm over {_tests(compared)} comparisons"),
                each.reading,
            )
        )
    header = ("system", "score", "difference", "95 %", "p", "p (Holm)", "reading")
    return Table(f"Against {grid.table.baseline}, run again here", header, tuple(rows), _READING)


def grid_report(found: Measurements) -> Report:
    """The page of a table."""
    grid = found.grid
    compared = compare_rows(found)
    tables = [result_table(found, compared)]
    if compared:
        tables.append(significance_table(found, compared))
    tables += _probe_tables(found)
    curves = grid_curves(found) if grid.table.curves else []
    return Report(
        title=f"{grid.table.source}: {grid.table.title}",
        signature=f"{grid.request.folder_name}|size:{grid.request.size}|seeds:{grid.request.seeds}|"
        f"commit:{commit()}",
        summary=_summary(found),
        tables=tuple(tables),
        plots=(*_sweep(found), *curves, *_probe_figures(found)),
        examples=tuple(grid_examples(found)),
        configuration=_configuration(grid),
        costs=_costs(found),
    )


def measured_heading(grid: Grid, block: Block, column: Column) -> str:
    """What we measured: data set, test split, score; of an absent column the paper's heading."""
    size = grid.request.size
    if size in column.absent:
        return _joined(block.label, f"{column.label}: not measured")
    where, score = " + ".join(column.splits[size]), column.score_at(size)
    score = f"{score}, {column.condition}" if column.condition else score
    score = f"{score}, minus that of {grid.table.baseline}" if column.gain else score
    return _joined(block.label, f"{where}: {score}")


def _joined(block: str, text: str) -> str:
    return f"{block}, {text}" if block else text


def _ours(found: Measurements, place: tuple[str, str, str], column: Column, marked: bool) -> Cell:
    cell = found.cells.get(place, _QUOTED)
    if isinstance(cell, NotMeasured):
        return Missing(cell.reason)
    note = f"{cell.signature}; {cell.remark}" if cell.remark else cell.signature
    seeds, asked = len(cell.by_seed), found.grid.request.seeds
    marks = (MARK if marked else "", f"({seeds} of {asked} seeds)" if seeds < asked else "")
    mark = " ".join(filter(None, marks))
    return Number(cell.mean, note, column.digits, cell.deviation, mark)


def _printed(source: str, rows: Sequence[Row], number: int) -> list[Cell]:
    """The paper's column, with as many digits as it has."""
    every = [[*row.paper, *[""] * (number + 1 - len(row.paper))][number] for row in rows]
    spreads = [
        [*row.deviations, *[""] * (number + 1 - len(row.deviations))][number] for row in rows
    ]
    figures = [value for value in every if isinstance(value, float)]
    digits = max((len(f"{value!r}".partition(".")[2]) for value in figures), default=0)
    cells: list[Cell] = []
    for value, spread in zip(every, spreads, strict=True):
        if isinstance(value, float):
            deviation = spread if isinstance(spread, float) else None
            cells.append(Number(value, f"as printed: {source}", digits, deviation))
        else:
            cells.append(value or Missing("not in the paper, or not known here"))
    return cells


def _note(grid: Grid, *, marked: bool) -> str:
    seeds = grid.request.seeds
    parts = [f"Means over {seeds} seeds ± standard deviation." if seeds > 1 else "One seed."]
    if marked:
        parts.append(
            f"{MARK}: differs from {grid.table.baseline}, run again here (p < .05 after Holm)."
        )
    if any(row.paper for row in grid.table.rows):
        parts.append("The paper's figures are those of its own data, models and budgets.")
    return " ".join(filter(None, [*parts, grid.table.note]))


def _summary(found: Measurements) -> str:
    grid = found.grid
    runs = grid.runs
    failed = sum(run.name not in found.results and bool(run.training.failure) for run in runs)
    return (
        f"Size {grid.request.size}, {grid.request.seeds} seed(s): {len(found.results)} of "
        f"{len(runs)} runs finished, {failed} failed, {len(grid.impossible)} impossible here."
    )


def _tests(compared: Sequence[Compared]) -> int:
    return sum(isinstance(each.difference, Difference) for each in compared)


def _sweep(found: Measurements) -> list[Plot]:
    """Every column over the ``x`` of its blocks, a curve for every row.

    Amounts that span a decade or more are on a logarithmic axis.
    """
    table, size = found.grid.table, found.grid.request.size
    steps = [block for block in table.blocks if block.x is not None]
    amounts = [block.x for block in steps if block.x is not None]
    decades = bool(amounts) and 0 < 10 * min(amounts) <= max(amounts)
    plots = []
    for column in table.columns if steps else ():
        if size not in column.splits:
            continue
        curves = []
        for row in table.run_rows:
            cells = [
                (block.x, found.cells[row.label, block.label, column.label])
                for block in steps
                if column.block in ("", block.label)
            ]
            points = [(x, c.mean) for x, c in cells if x is not None and isinstance(c, Measured)]
            curves.append(Curve(row.label, tuple(points)))
        score = column.score_at(size)
        label = f"{' + '.join(column.splits[size])}: {score}"
        plots.append(Plot(label, table.x_label, score, tuple(curves), log_x=decades))
    return plots


def _first_runs(found: Measurements) -> dict[str, Path]:
    """The finished runs of the first seed by what they are; a run of several blocks by its row."""
    labels: dict[Path, str] = {}
    for (row, block), runs in found.grid.cells.items():
        if runs and runs[0].name in found.results:
            folder = runs[0].folder
            labels[folder] = row if folder in labels else _joined(block, row)
    return {label: folder for folder, label in labels.items()}


def _probed(found: Measurements) -> list[tuple[str, Table, tuple[Figure, ...]]]:
    """What the table's probes found of the first seed of every row."""
    asked = set(found.grid.table.probes)
    return [
        (label, table, probed.plots if number == 0 else ())
        for label, folder in _first_runs(found).items()
        for probed in found.probed[folder.name]
        if probed.probe in asked
        for number, table in enumerate(probed.tables)
    ]


def _probe_tables(found: Measurements) -> list[Table]:
    return [
        Table(f"{label}: {table.title}", table.header, table.rows, table.note)
        for label, table, _ in _probed(found)
    ]


def _probe_figures(found: Measurements) -> list[Figure]:
    return [figure for _, _, figures in _probed(found) for figure in figures]


def _configuration(grid: Grid) -> tuple[tuple[str, str], ...]:
    """What every row changes, then the configuration that they change."""
    table, size = grid.table, grid.request.size
    changed = []
    for row in table.run_rows:
        for block in table.blocks:
            if (row.label, block.label) not in grid.cells:
                continue
            changes = changes_of(table, row, block, size)
            changed.append((_joined(block.label, row.label), " ".join(changes) or "as it is"))
    path = config_path(table.recipe, grid.request.config or size)
    settings = read_settings(load_recipe(table.recipe).Settings, path)
    flat = flatten(settings.model_dump(mode="json"))
    return (*changed, *((key, str(value)) for key, value in flat.items()))


def _costs(found: Measurements) -> Table:
    """Of every run, then of the stages that these runs share with each other or with other runs."""
    runs = {run.name: run.folder for run in found.grid.runs if run.name in found.results}
    own = cost_table(runs)
    shared: list[tuple[Cell, ...]] = []
    for folder in shared_by(runs.values()):
        for event in RunLog(folder / "log.jsonl").events():
            if event["kind"] == "finished":
                updates, seconds = event.get("at", event["update"]), event["seconds"]
                numbers = (Number(value, folder.name, 0) for value in (updates, seconds))
                no_peak = Missing("counted with the run that trained it")
                row = (f"shared: {folder.name}", event["stage"], *numbers, no_peak)
                shared.append((*row, event["selection"]))
    return Table(own.title, own.header, (*own.rows, *shared))


def shared_by(runs: Iterable[Path]) -> list[Path]:
    """The folders of the stages that runs were not alone in using, as far as their logs say."""
    return sorted(
        {
            folder.parent / "shared" / event["folder"]
            for folder in runs
            for event in RunLog(folder / "log.jsonl").events()
            if event["kind"] == "shared" and "folder" in event
        }
    )


_QUOTED = NotMeasured("quoted by the paper, not run")
_READING = (
    "Higher, lower: the 95 % interval lies on that side of zero, with at least three seeds. "
    "Otherwise undecided. Where items are kept, the interval covers the choice of seeds and of "
    "test items; where not, that of seeds alone. The signatures of what is compared stand with the "
    "cells of the first table."
)

__all__ = ["grid_report", "measured_heading", "result_table", "shared_by", "significance_table"]
