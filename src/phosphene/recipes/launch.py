"""From a command to a finished run folder."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from phosphene.core.config import Frozen, read_settings
from phosphene.core.errors import InputError
from phosphene.core.files import alone_in
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, one_process, peak_memory_bytes
from phosphene.data.store import Store
from phosphene.evaluate.results import (
    finished_results,
    read_results,
    results_record,
    write_results,
)
from phosphene.evaluate.system import Results, SplitResult, meteor_of
from phosphene.recipes import CACHING, config_path, load_recipe
from phosphene.recipes.present import comparison_tables, cost_table, results_table, run_report
from phosphene.report.model import Table
from phosphene.report.page import write_page
from phosphene.report.tables import to_record, to_text
from phosphene.train.run import check_folder, open_run, recipe_of, settings_of
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
        log = RunLog(
            folder / "log.jsonl" if runtime.is_main else None, quiet=quiet or not runtime.is_main
        )
        with _held(folder, runtime) if runtime.is_main else nullcontext():
            if runtime.is_main:
                open_run(folder, recipe, settings)
            runtime.barrier()
            return _finish(recipe, settings, folder, runtime, log)

    return runtime.launch(work)


def _held(folder: Path, runtime: Runtime) -> AbstractContextManager[None]:
    """A run for one command at a time; who reads a finished one need not be able to write.

    Several processes do not wait: those that are not the main one would give up.
    """
    check_folder(folder)
    if finished_results(folder) is not None:
        return nullcontext()
    return alone_in(folder, wait=RunLog(None).say if runtime.processes == 1 else None)


def _finish(recipe: str, settings: Any, folder: Path, runtime: Runtime, log: RunLog) -> Results:
    """What is left of a run to do, by one process or several that share the work."""
    finished = finished_results(folder)
    if finished is not None:
        if runtime.is_main and not (folder / "report.html").exists():
            refresh_report(folder)
        return finished
    module = load_recipe(recipe)
    trained = module.train(Trainer(folder, runtime, log, settings.seed), settings)
    if runtime.is_main:
        module.export(trained, settings, folder / "model")
    results: Results = module.evaluate(trained, settings, log)
    if runtime.is_main:
        log.event("run", 0, "memory", peak_bytes=peak_memory_bytes())
        write_results(folder, results)
        _write_report(folder, recipe, settings, results)
    return results


def cache_run(
    recipe: str, config: str, changes: Sequence[str], folder: Path, *, quiet: bool = False
) -> dict[str, Any]:
    """Store what the teacher of a recipe says, in ``shared`` beside ``folder``.

    Returns:
        where the store is, how many questions it has, bytes of each, seconds that it took.

    Raises:
        InputError: the recipe has no such store, or as for training.
    """
    if recipe not in CACHING:
        raise InputError(f"{recipe}: nothing to store; expected one of {', '.join(CACHING)}")
    module = load_recipe(recipe)
    settings = read_settings(module.Settings, config_path(recipe, config), changes)
    runtime = one_process(settings.runtime, "a store")
    trainer = Trainer(folder, runtime, RunLog(None, quiet=quiet), settings.seed)
    started = time.monotonic()
    store: Store = module.cache(trainer, settings)
    return {
        "folder": str(store.folder),
        "questions": len(store),
        "bytes_per_question": sum(store.bytes_per_entry().values()),
        "seconds": time.monotonic() - started,
    }


def evaluate_run(
    folder: Path, split: str | None, baseline: Path | None, *, with_meteor: bool = False
) -> tuple[dict[str, Any], list[Table]]:
    """The scores of a finished run (one split, or all), beside a baseline run where one is given.

    Args:
        folder: the run.
        split: one of its test splits, or None for all.
        baseline: another run.
        with_meteor: also run METEOR 1.5 on the translations that the runs hold.

    Returns:
        the same as JSON (by system; ``comparisons`` where there is a baseline) and as tables.

    Raises:
        InputError: a folder is no finished run, the split is unknown, or the runs do not compare.
    """
    results = _chosen(folder, split, with_meteor)
    systems = {results.system: results}
    tables: list[Table] = []
    if baseline is not None:
        if recipe_of(baseline) != recipe_of(folder):
            raise InputError(
                f"{baseline}: a run of '{recipe_of(baseline)}', "
                f"expected '{recipe_of(folder)}' like {folder}"
            )
        other = _chosen(baseline, split, with_meteor)
        names = (results.system, f"{other.system} (baseline)")
        systems[names[1]] = other
        tables = comparison_tables(results, other, names)
    record: dict[str, Any] = {name: results_record(one) for name, one in systems.items()}
    if baseline is not None:
        record["comparisons"] = list(map(to_record, tables))
    return record, [results_table("Scores", systems), *tables]


def render(results: Results) -> str:
    """The scores of one run, for a terminal."""
    return to_text(results_table("Scores", {results.system: results}))


def _chosen(folder: Path, split: str | None, with_meteor: bool) -> Results:
    recipe_of(folder)
    results = read_results(folder)
    splits = results.splits if split is None else (results.split(split),)
    if with_meteor:
        splits = tuple(map(_add_meteor, splits))
    return replace(results, splits=splits)


def _add_meteor(split: SplitResult) -> SplitResult:
    if not split.lines or split.kind == "answers":
        return split
    return replace(split, scores=(*split.scores, meteor_of(split)))


def refresh_report(folder: Path) -> None:
    """Write the page of a finished run again, with what its probes have found since.

    Raises:
        InputError: the folder is no finished run.
    """
    recipe = recipe_of(folder)
    settings = settings_of(folder, load_recipe(recipe).Settings)
    _write_report(folder, recipe, settings, read_results(folder))


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
