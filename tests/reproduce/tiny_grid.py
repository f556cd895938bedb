"""A grid whose runs are made by a few lines of Python instead of training."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from phosphene.core.config import read_settings
from phosphene.core.runlog import Signature
from phosphene.evaluate.results import write_results
from phosphene.evaluate.score import Score, Unavailable
from phosphene.evaluate.system import Line, Results, SplitResult
from phosphene.recipes import config_path, load_recipe
from phosphene.reproduce.grid import Grid, Run, lay_out, make_request
from phosphene.train.run import open_run

TABLE = """
source = "Somebody (2020), Table 9"
title = "Three systems"
recipe = "inversion_mmt"
baseline = "text"
note = "Made up."
examples = 1

[[blocks]]
label = "EN-DE"
x = 1

[[blocks]]
label = "EN-FR"
x = 2
changes = ["data.languages=['en', 'fr']"]

[[columns]]
label = "B"
score = "BLEU tokenised"
splits = { toy = ["ordinary", "ambiguous"] }

[[columns]]
label = "sense"
score = "sense accuracy"
splits = { toy = ["ambiguous"] }

[[rows]]
label = "text"
changes = ["system=text_only"]
paper = [30.25, "", 41.5]
deviations = [0.5]

[[rows]]
label = "free"
paper = [31.0]
at.small.impossible = "no photos"

[[rows]]
label = "elsewhere"
quoted = true
paper = [29.0]
"""
NOTHING_SCORED = json.dumps(
    {
        "system": "any",
        "language": "de",
        "signature": Signature("0.1", "abc", "d1", "c1", 1, "last").record(),
        "splits": {},
    }
)
PROGRAM = (
    sys.executable,
    "-c",
    "import pathlib, sys; words = sys.argv[1:]; "
    "folder = pathlib.Path(words[words.index('--run') + 1]); "
    "folder.mkdir(parents=True, exist_ok=True); "
    f"(folder / 'results.json').write_text({NOTHING_SCORED!r})",
)
"""Finishes any run at once."""


def request_file(folder: Path, text: str = TABLE) -> str:
    folder.mkdir(exist_ok=True)
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def grid(folder: Path, *, seeds: int = 3, size: str = "toy", text: str = TABLE) -> Grid:
    return lay_out(make_request(request_file(folder, text), size, seeds), folder / "runs")


def finish(
    run: Run,
    hypotheses: tuple[str, ...],
    *,
    sense: float | None = None,
    data: str = "d1",
    references: tuple[str, ...] = ("ein kleiner hund rennt .", "der ball ist rot ."),
) -> None:
    """Leave the results that a run with these translations would leave."""
    kind = load_recipe(run.recipe).Settings
    settings = read_settings(kind, config_path(run.recipe, run.config), run.changes)
    open_run(run.folder, run.recipe, settings)
    lines = tuple(
        Line(f"source {number}", reference, hypothesis, -1.0 - number)
        for number, (reference, hypothesis) in enumerate(zip(references, hypotheses, strict=True))
    )
    bleu = Score("BLEU tokenised", 10.0 * len(set(hypotheses)) + run.seed, "tok:none")
    judged = (
        Unavailable("sense accuracy", "no scenes")
        if sense is None
        else Score("sense accuracy", sense + run.seed, "scenes")
    )
    splits = (
        SplitResult("ordinary", 2, (bleu,), lines, language="de"),
        SplitResult("ambiguous", 2, (bleu, judged), lines, language="de"),
    )
    signature = Signature("0.1", "abc", data, f"c{run.seed}", run.seed, "last")
    write_results(run.folder, Results(run.name, "de", signature, splits))
