"""The commands about grids of runs: tables of papers, searches; and about reports."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from phosphene.cli_options import AsJson, Changes, Config, DataRoot, print_json, use_data


def reproduce(
    table: Annotated[str, typer.Argument(help="PAPER/TABLE, or a TOML file of your own.")],
    size: Annotated[str, typer.Option(help="toy, small or paper.")] = "toy",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of every cell, seeds 1 to N.")] = 1,
    folder: Annotated[
        Path | None, typer.Option(help="Of all runs; tables in one folder share theirs.")
    ] = None,
    config: Annotated[str, typer.Option(help="A TOML file in place of the size's own.")] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Processes at once, one thread each.")] = 1,
    meteor: Annotated[bool, typer.Option(help="Also METEOR 1.5 (Java, extra meteor).")] = False,
    baseline: Annotated[
        str, typer.Option(help="A row to compare the others with, not the table's own.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would run.")] = False,
    data_root: DataRoot = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
) -> None:
    """Run a paper's table or figure as a grid, or go on with it; ours beside the paper's.

    Example: phosphene reproduce ikd/table-2 --size toy --seeds 3 --jobs 2
    """
    from phosphene.report.tables import to_text
    from phosphene.reproduce.grid import lay_out, make_request
    from phosphene.reproduce.reproduce import plan_table
    from phosphene.reproduce.reproduce import reproduce as run_table

    use_data(data_root)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends the processes it started, too
    request = make_request(table, size, seeds, config, meteor=meteor, baseline=baseline)
    root = folder if folder is not None else Path("runs") / f"reproduce-{size}"
    if dry_run:
        typer.echo(to_text(plan_table(request, root)))
    else:
        typer.echo(run_table(request, root, jobs=jobs, quiet=quiet))
        if failed := lay_out(request, root).failed:
            names = ", ".join(job.name for job in failed)
            typer.echo(f"phosphene: {len(failed)} failed: {names}; see {failed[0].logs}", err=True)
            raise typer.Exit(1)


def search(
    recipe: str,
    config: Config = "toy",
    changes: Changes = [],  # noqa: B006
    trials: Annotated[int, typer.Option(min=1, help="Of every row.")] = 8,
    row: Annotated[
        list[str] | None, typer.Option("--row", help="Only this row; may be repeated.")
    ] = None,
    space: Annotated[
        Path | None, typer.Option(help="File of choices; the recipe's own if not given.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where the trials go; one that exists is gone on with.")
    ] = None,
    data_root: DataRoot = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
    as_json: AsJson = False,
) -> None:
    """Choose hyper-parameters on validation data: as many random trials for every row.

    Example: phosphene search modality_kd --trials 4 --row kd --row msd_meta
    """
    from dataclasses import asdict

    from phosphene.recipes.search import read_space, search_table
    from phosphene.recipes.search import search as run_trials
    from phosphene.report.tables import to_text

    use_data(data_root)
    found = run_trials(
        recipe,
        config,
        changes,
        folder or Path("runs") / f"search-{recipe}",
        trials=trials,
        space=read_space(recipe, space, config),
        rows=row or (),
        quiet=quiet,
    )
    if as_json:
        print_json([asdict(trial) for trial in found])
    else:
        typer.echo(to_text(search_table(found)))


def report(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Run folders, or folders of reproduce.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="The page; .md and .csv go beside it.")] = Path(
        "report.html"
    ),
    baseline: Annotated[
        Path | None, typer.Option(help="The run that the others are compared with.")
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Write one self-contained page about runs or tables, and the same as Markdown and CSV.

    Example: phosphene report runs/image-free runs/text-only --out runs/report.html
    """
    from phosphene.reproduce.pages import write_report

    use_data(data_root)
    typer.echo(write_report(folders, out, baseline))


__all__ = ["report", "reproduce", "search"]
