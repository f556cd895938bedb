"""Three translators on the embedded world, side by side: ``phosphene demo``."""

from __future__ import annotations

from pathlib import Path

from phosphene.core.config import read_settings
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
    for system, run in runs.items():
        train_run(RECIPE, "toy", [f"system={system}"], run, quiet=quiet)
    systems = {system: read_results(run) for system, run in runs.items()}
    settings = read_settings(Settings, config_path(RECIPE, "toy"))
    corpus = load_corpus(settings.data, settings.teacher.side)
    table = headline_table("The embedded world, English to German", systems, HEADLINES)
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


_SUMMARY = (
    "Three translators of the same size learned from the same sentences. text_only never sees a "
    "picture; image_given sees one in training and in use; image_free learned from pictures and "
    "sees none in use. In the ambiguous split only the picture decides what a noun means, and its "
    "sentences come in pairs: whoever does not see is right exactly half of the time. In the "
    "inferable split another word of the sentence decides."
)
