"""``phosphene report``: one page about run folders and folders of tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.evaluate.results import read_results
from phosphene.evaluate.system import Results
from phosphene.recipes import load_recipe
from phosphene.recipes.launch import flatten
from phosphene.recipes.present import (
    comparison_tables,
    cost_table,
    learning_curves,
    results_table,
)
from phosphene.recipes.probing import readable_probed
from phosphene.report.model import Figure, Report, Table
from phosphene.report.page import write_page
from phosphene.report.tables import to_csv, to_markdown
from phosphene.reproduce.examples import examples_of
from phosphene.reproduce.grid import REQUEST, lay_out, read_request
from phosphene.reproduce.reproduce import table_report
from phosphene.train.run import recipe_of, settings_of

_EXAMPLES = 3


def write_report(folders: Sequence[Path], out: Path, baseline: Path | None = None) -> str:
    """Write the page, and the same tables as Markdown and CSV beside it.

    Args:
        folders: finished runs, folders of tables, or folders of ``reproduce`` with all their
            tables.
        out: the page.
        baseline: a run that the other runs are compared with; it is one of the runs then.

    Returns:
        what was written, in a line.

    Raises:
        InputError: a folder is neither, the page is no .html, there are files of
            the names of those that go beside it and no page, or the baseline does not compare.
    """
    if out.suffix != ".html":
        raise InputError(f"{out}: expected a name that ends with .html; .md and .csv go beside it")
    beside = [out.with_suffix(suffix) for suffix in (".md", ".csv")]
    if not out.exists():
        for path in filter(Path.exists, beside):
            raise InputError(f"{path}: is there, and {out.name} is not; choose another --out")
    tables = [each.resolve() for folder in folders for each in _table_folders(folder)]
    runs = [folder for folder in folders if not _table_folders(folder)]
    reports = [table_report(lay_out(read_request(each), each.parents[1])) for each in tables]
    if baseline is not None and not runs:
        raise InputError(f"{baseline}: expected runs to compare with it, found tables alone")
    if baseline is not None and {each.resolve() for each in runs} == {baseline.resolve()}:
        raise InputError(f"{baseline}: expected another run to compare with it, found itself alone")
    if runs:
        reports.append(runs_report(runs, baseline))
    write_page(reports, out)
    every = [table for report in reports for table in report.tables]
    texts = ("\n".join(map(to_markdown, every)), _one_csv(every))
    for path, text in zip(beside, texts, strict=True):
        write_atomically(path, text.encode())
    return ", ".join([str(out), *(path.name for path in beside)])


def runs_report(folders: Sequence[Path], baseline: Path | None = None) -> Report:
    """Runs side by side.

    Raises:
        InputError: one is no finished run, or the baseline does not compare.
    """
    baseline = baseline and baseline.resolve()
    given = [folder.resolve() for folder in folders]
    every = list(dict.fromkeys([*given, *([baseline] if baseline else [])]))
    runs = dict(zip(_names(every), every, strict=True))
    results = {name: read_results(folder) for name, folder in runs.items()}
    tables = [results_table("Scores", results)]
    for name, folder in runs.items():
        if baseline is not None and folder != baseline:
            if recipe_of(folder) != recipe_of(baseline):
                raise InputError(f"{baseline}: a run of another recipe than {folder}")
            other = next(each for each, known in runs.items() if known == baseline)
            tables += comparison_tables(
                results[name], results[other], (name, f"{other} (baseline)")
            )
    asked = {name: readable_probed(folder) for name, folder in runs.items()}
    probed = [(name, each) for name, (found, _) in asked.items() for each in found]
    tables += [
        Table(f"{name}, {each.probe}: {table.title}", table.header, table.rows, table.note)
        for name, each in probed
        for table in each.tables
    ]
    figures: list[Figure] = [*learning_curves(runs)]
    figures += [figure for _, each in probed for figure in each.plots]
    return Report(
        title=" and ".join(runs) if len(runs) < 4 else f"{len(runs)} runs",
        signature="; ".join(f"{name} {each.signature}" for name, each in results.items()),
        summary=" ".join(
            [
                f"{len(runs)} finished run(s).",
                *(damaged for _, damaged in asked.values() if damaged),
            ]
        ),
        tables=tuple(tables),
        plots=tuple(figures),
        examples=tuple(examples_of(_sides(runs, results), _EXAMPLES)),
        configuration=_configuration(runs),
        costs=cost_table(runs),
    )


def _sides(runs: dict[str, Path], results: dict[str, Results]) -> dict[str, tuple[Path, Results]]:
    return {name: (folder, results[name]) for name, folder in runs.items()}


def _configuration(runs: dict[str, Path]) -> tuple[tuple[str, str], ...]:
    """All settings of the first run, and those of the others where they differ."""
    rows: list[tuple[str, str]] = []
    first: dict[str, object] = {}
    for name, folder in runs.items():
        kind = load_recipe(recipe_of(folder)).Settings
        settings = settings_of(folder, kind)
        flat = flatten(settings.model_dump(mode="json"))
        rows += [
            (f"{name}: {key}", str(value))
            for key, value in flat.items()
            if not first or key not in first or first[key] != value
        ]
        first = first or flat
    return tuple(rows)


def _table_folders(folder: Path) -> list[Path]:
    """The folders of tables that ``folder`` is or holds."""
    if (folder / REQUEST).exists():
        return [folder]
    return sorted(path.parent for path in folder.glob(f"tables/*/{REQUEST}"))


def _names(folders: Sequence[Path]) -> list[str]:
    """As many last parts of each path as it takes to tell them apart."""
    for length in range(1, max(len(folder.parts) for folder in folders) + 1):
        names = ["/".join(folder.parts[-length:]) for folder in folders]
        if len(set(names)) == len(names):
            break
    return names


def _one_csv(tables: Sequence[Table]) -> str:
    """Every table under its title, an empty line between them."""
    return "\n".join(f"# {table.title}\n{to_csv(table)}" for table in tables)


__all__ = ["runs_report", "write_report"]
