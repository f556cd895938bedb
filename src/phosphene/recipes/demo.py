"""Three translators on the embedded world, side by side: ``phosphene demo``."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from rich.progress import Progress, TimeElapsedColumn

from phosphene.core.config import read_settings
from phosphene.core.runlog import RunLog, console
from phosphene.data.corpus import load_corpus
from phosphene.evaluate.results import read_results
from phosphene.recipes import config_path
from phosphene.recipes.inversion_mmt_settings import Settings
from phosphene.recipes.launch import flatten, train_run
from phosphene.recipes.present import (
    cost_table,
    examples,
    headline_table,
    learning_curves,
    results_table,
)
from phosphene.report.model import Report
from phosphene.report.page import write_page
from phosphene.report.tables import to_text

RECIPE = "inversion_mmt"
SYSTEMS = ("text_only", "image_free", "image_given")
HEADLINES = ("sense accuracy", "BLEU tokenised", "feature retrieval R@10")
_EXAMPLES = 4


def run_demo(folder: Path, *, quiet: bool = False) -> str:
    """Train the three systems in ``folder`` (or finish them), write ``report.html`` there.

    Returns:
        the table and where the report is, for a terminal.
    """
    runs = {system: folder / system.replace("_", "-") for system in SYSTEMS}
    _train_side_by_side(runs, quiet)
    systems = {system: read_results(run) for system, run in runs.items()}
    settings = read_settings(Settings, config_path(RECIPE, "toy"))
    corpus = load_corpus(settings.data, settings.teacher.side)
    tested = {
        name: replace(each, splits=tuple(one for one in each.splits if one.split in corpus.tests))
        for name, each in systems.items()
    }
    table = headline_table("The embedded world, English to German", tested, HEADLINES)
    page = folder / "report.html"
    write_page(
        Report(
            title="Phosphene demo: what a picture is worth, and what is left without it",
            signature=str(systems["image_free"].signature),
            summary=_SUMMARY,
            tables=(table, results_table("All scores", systems)),
            plots=tuple(learning_curves(runs)),
            examples=tuple(
                example
                for split, data in corpus.tests.items()
                for example in examples(
                    split, data, systems, range(_EXAMPLES), settings.data.languages
                )
            ),
            configuration=tuple(
                (key, str(value))
                for key, value in flatten(settings.model_dump(mode="json")).items()
            ),
            costs=cost_table(runs),
        ),
        page,
    )
    return f"{to_text(table)}\nReport: {page}"


def _train_side_by_side(runs: Mapping[str, Path], quiet: bool) -> None:
    """Train every system in a process of its own, and show how far each is.

    The networks are small: two processes of one thread do more than one of two. The stage that two
    of them share is trained by whoever comes first; the other waits for it.
    """
    updates = read_settings(Settings, config_path(RECIPE, "toy")).budget.max_updates
    bars = Progress(
        *Progress.get_default_columns(), TimeElapsedColumn(), console=console, disable=quiet
    )
    spawn = get_context("spawn")
    with bars, ProcessPoolExecutor(len(runs), mp_context=spawn) as pool:
        tasks = {system: bars.add_task(system, total=updates) for system in runs}
        waiting = {
            pool.submit(train_run, RECIPE, "toy", [f"system={system}"], run, quiet=True)
            for system, run in runs.items()
        }
        while waiting:
            done, waiting = wait(waiting, timeout=1.0)
            for system, run in runs.items():
                events = RunLog(run / "log.jsonl").events()
                seen = [event["update"] for event in events if event["stage"] == "translate"]
                bars.update(tasks[system], completed=max(seen, default=0))
            for future in done:
                future.result()


_SUMMARY = (
    "Three translators of the same size learned from the same sentences. text_only never sees a "
    "picture; image_given sees one in training and in use; image_free learned from pictures and "
    "sees none in use. In the ambiguous split only the picture decides what a noun means, and its "
    "sentences come in pairs: whoever does not see is right exactly half of the time. In the "
    "inferable split another word of the sentence decides."
)
