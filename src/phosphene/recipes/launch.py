"""From a command to a finished run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from phosphene.core.config import Frozen, read_settings
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime
from phosphene.evaluate.results import read_results, results_record, write_results
from phosphene.evaluate.system import Results
from phosphene.recipes import config_path, load_recipe
from phosphene.recipes.present import comparison_tables, cost_table, results_table, run_report
from phosphene.report.model import Table
from phosphene.report.page import write_page
from phosphene.report.tables import to_text
from phosphene.train.run import open_run, recipe_of
from phosphene.train.trainer import Trainer


def train_run(
    recipe: str, config: str, changes: Sequence[str], folder: Path, *, quiet: bool = False
) -> Results:
    """Train (or finish) a run, save its model, score it, write its report.

    Raises:
        InputError: recipe, configuration, data or run folder are not what they should be.
    """
    module = load_recipe(recipe)
    settings = read_settings(module.Settings, config_path(recipe, config), changes)
    runtime = Runtime(settings.runtime)

    def work() -> Results:
        if runtime.is_main:
            open_run(folder, recipe, settings)
        runtime.barrier()
        log = RunLog(
            folder / "log.jsonl" if runtime.is_main else None, quiet=quiet or not runtime.is_main
        )
        if (folder / "results.json").exists():
            return read_results(folder)
        trained = module.train(Trainer(folder, runtime, log, settings.seed), settings)
        if runtime.is_main:
            module.export(trained, settings, folder / "model")
        results: Results = module.evaluate(trained, settings, log)
        if runtime.is_main:
            write_results(folder, results)
            _write_report(folder, recipe, settings, results)
        return results

    return runtime.launch(work)


def evaluate_run(
    folder: Path, split: str | None, baseline: Path | None
) -> tuple[dict[str, Any], list[Table]]:
    """The scores of a finished run (one split, or all), beside a baseline run where one is given.

    Returns:
        the same as JSON and as tables.

    Raises:
        InputError: a folder is no finished run, the split is unknown, or the runs do not compare.
    """
    results = _chosen(folder, split)
    systems = {results.system: results}
    tables: list[Table] = []
    if baseline is not None:
        if recipe_of(baseline) != recipe_of(folder):
            raise InputError(
                f"{baseline}: a run of '{recipe_of(baseline)}', "
                f"expected '{recipe_of(folder)}' like {folder}"
            )
        other = _chosen(baseline, split)
        systems[f"{other.system} (baseline)"] = other
        tables = comparison_tables(results, other, results.language)
    record = {name: results_record(one) for name, one in systems.items()}
    return record, [results_table("Scores", systems), *tables]


def render(results: Results) -> str:
    """The scores of one run, for a terminal."""
    return to_text(results_table("Scores", {results.system: results}))


def _chosen(folder: Path, split: str | None) -> Results:
    recipe_of(folder)
    results = read_results(folder)
    return results if split is None else replace(results, splits=(results.split(split),))


def _write_report(folder: Path, recipe: str, settings: Frozen, results: Results) -> None:
    report = run_report(
        folder,
        f"{recipe}: {results.system}",
        results,
        flatten(settings.model_dump(mode="json")),
        cost_table({results.system: folder}),
    )
    write_page(report, folder / "report.html")


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Nested settings as ``section.key``."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
