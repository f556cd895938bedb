"""Columns whose score a probe has found, and probes that were asked in another way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_grid import TABLE, finish, grid

from phosphene.core.errors import InputError
from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.score import Score
from phosphene.recipes.probing import Probed, read_probed, write_probed
from phosphene.reproduce.grid import Grid
from phosphene.reproduce.measure import Measured, Measurements, NotMeasured

COLUMN = """
[[columns]]
label = "lost"
score = "lost, nats"
probe = "incongruent"
condition = "swapped"
splits = { toy = ["ambiguous"] }

[[rows]]
label = "text"
"""
PROBED = TABLE.replace('[[rows]]\nlabel = "text"\n', COLUMN, 1)
TITLES = {
    "ordinary, 40 examples: which picture is shown": 1.0,
    "ambiguous.photos, 6 examples: which picture is shown": 2.0,
    "ambiguous, 400 examples: which picture is shown": 3.0,
}


def probed(seeds: int = 3, split: str | None = None) -> Probed:
    findings = tuple(
        Finding(title, {"swapped": (Score("lost, nats", lost, "nats"),)}, "")
        for title, lost in TITLES.items()
    )
    return Probed("incongruent", "inversion_mmt", "text", "v", findings, (), seeds, split)


@pytest.fixture
def made(tmp_path: Path) -> Grid:
    """A finished run for each cell of the first seed."""
    laid = grid(tmp_path, seeds=1, text=PROBED)
    for run in laid.runs:
        finish(run, ("ein hund .", "ein ball ."))
    return laid


def test_the_title_of_a_finding_begins_with_its_split(made: Grid) -> None:
    run = made.cells["text", "EN-DE"][0]
    write_probed(probed(), run.folder / "probes")
    cells = Measurements(made).cells
    found = cells["text", "EN-DE", "lost"]
    assert isinstance(found, Measured) and found.mean == 3.0
    other = cells["text", "EN-FR", "lost"]
    assert isinstance(other, NotMeasured) and "'incongruent' has not found it" in other.reason


@pytest.mark.parametrize(("seeds", "split"), [(1, None), (3, "ambiguous")])
def test_a_probe_that_was_asked_otherwise_is_asked_again(
    made: Grid, seeds: int, split: str | None
) -> None:
    run = made.cells["text", "EN-DE"][0]
    asking = run.probing("incongruent")
    assert asking in made.probings and not asking.is_finished
    path = write_probed(probed(seeds, split), run.folder / "probes")
    assert read_probed(run.folder)[0] == probed(seeds, split)
    assert not asking.is_finished
    assert isinstance(Measurements(made).cells["text", "EN-DE", "lost"], NotMeasured)
    write_probed(probed(), run.folder / "probes")
    assert asking.is_finished
    path.write_text("{}", encoding="utf-8")
    assert not asking.is_finished, "damaged: it is asked again"
    assert isinstance(Measurements(made).cells["text", "EN-DE", "lost"], NotMeasured)


def test_a_file_that_does_not_say_how_it_was_asked_counts_as_asked_by_default(made: Grid) -> None:
    run = made.cells["text", "EN-DE"][0]
    path = write_probed(probed(1, "ambiguous"), run.folder / "probes")
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record.pop("asked") == {"seeds": 1, "split": "ambiguous"}
    path.write_text(json.dumps(record), encoding="utf-8")
    assert run.probing("incongruent").is_finished
    assert read_probed(run.folder)[0] == probed()


def test_a_probe_that_does_not_fit_a_row_is_told_before_anything_is_trained(
    tmp_path: Path,
) -> None:
    text = TABLE.replace("examples = 1", 'probes = ["retrieval"]')
    with pytest.raises(InputError, match=r"own\.toml, row 'text': probe 'retrieval' does not fit"):
        grid(tmp_path, seeds=1, text=text)
