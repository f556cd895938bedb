"""``phosphene reproduce``: plan a table's grid, run it, write what came out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phosphene.core.files import alone_in, write_atomically
from phosphene.core.runlog import RunLog
from phosphene.report.model import Cell, Report, Table
from phosphene.report.page import write_page
from phosphene.report.tables import to_csv, to_markdown, to_text
from phosphene.reproduce.execute import PROGRAM, execute
from phosphene.reproduce.facts import fact_report
from phosphene.reproduce.grid import Grid, Request, lay_out
from phosphene.reproduce.measure import Measurements
from phosphene.reproduce.present import grid_report


def plan_table(request: Request, root: Path) -> Table:
    """What ``reproduce`` would run, and what is there already.

    Raises:
        InputError: there is no such table or configuration.
    """
    grid = lay_out(request, root)
    rows: list[tuple[Cell, ...]] = []
    for (row, block), runs in grid.cells.items():
        if (row, block) in grid.impossible:
            rows.append((row, block, "", "", f"impossible here: {grid.impossible[row, block]}"))
        rows += [(row, block, run.name, " ".join(run.changes), run.state) for run in runs]
    count = len(grid.runs)
    left = sum(not run.is_finished for run in grid.runs)
    return Table(
        f"{request.table}, size {request.size}: {count} runs, {left} to do",
        ("row", "data", "run", "changes", "state"),
        tuple(rows),
    )


def reproduce(
    request: Request,
    root: Path,
    *,
    jobs: int = 1,
    quiet: bool = False,
    program: Sequence[str] = PROGRAM,
) -> str:
    """Run what is not finished of a table and write the table.

    Args:
        request: which table, size and seeds.
        root: the folder of all runs; tables in the same folder share runs.
        jobs: processes at once.
        quiet: no progress.
        program: what takes the words of a command.

    Returns:
        the tables and where they are, for a terminal.

    Raises:
        InputError: there is no such table or configuration, or its folder holds another one.
    """
    grid = lay_out(request, root)
    log = RunLog(None, quiet=quiet)
    with alone_in(grid.folder, wait=RunLog(None).say):
        request.write(grid.folder)
        trainings = [run.training for run in grid.runs]
        execute(trainings, log, label="runs", at_once=jobs, program=program)
        finished = {run.folder for run in grid.runs if run.is_finished}
        probings = [job for job in grid.probings if job.product.parents[1] in finished]
        execute(probings, log, label="probes", at_once=jobs, program=program)
        report = table_report(grid)
        write_tables(report, grid.folder)
    shown = "\n".join(to_text(table) for table in report.tables[:2])
    return f"{shown}\nMarkdown, CSV and report.html: {grid.folder}"


def table_report(grid: Grid) -> Report:
    """What is known of a table now; nothing is run."""
    if grid.table.kind == "runs":
        return grid_report(Measurements(grid))
    return fact_report(grid)


def write_tables(report: Report, folder: Path) -> None:
    """``report.html``, ``table.md``, and a CSV file for every table."""
    write_page(report, folder / "report.html")
    text = "\n".join(to_markdown(table) for table in report.tables)
    write_atomically(folder / "table.md", f"# {report.title}\n\n{text}".encode())
    names = ["table.csv", *(f"table-{number}.csv" for number in range(2, len(report.tables) + 1))]
    for name, table in zip(names, report.tables, strict=False):
        write_atomically(folder / name, to_csv(table).encode())
    for path in folder.glob("table*.csv"):
        if path.name not in names:  # of a longer report
            path.unlink()


__all__ = ["plan_table", "reproduce", "table_report", "write_tables"]
