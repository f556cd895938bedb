"""The cells of a table, read off finished runs: a value for every seed, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from phosphene.core.errors import InputError
from phosphene.core.runlog import Signature
from phosphene.evaluate.meteor import NAME as METEOR
from phosphene.evaluate.results import finished_results
from phosphene.evaluate.score import Score, Unavailable
from phosphene.evaluate.system import Results, SplitResult, meteor_of
from phosphene.recipes.probe_kinds import PROBES
from phosphene.recipes.probing import Probed, read_probed
from phosphene.reproduce.grid import Grid, Run
from phosphene.reproduce.tables import Block, Column


@dataclass(frozen=True)
class Measured:
    """A cell's values."""

    by_seed: Mapping[int, float]
    signature: str
    remark: str = ""
    """Which seeds failed."""

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(np.mean(list(self.by_seed.values())))

    @property
    def deviation(self) -> float | None:
        """Standard deviation over seeds (n - 1); none of one seed."""
        values = list(self.by_seed.values())
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


@dataclass(frozen=True)
class NotMeasured:
    """An empty cell and why."""

    reason: str


@dataclass(frozen=True)
class Measurements:
    """All that the runs of a grid have left."""

    grid: Grid

    @cached_property
    def results(self) -> dict[str, Results]:
        """Of every finished run, by its name."""
        found = {run.name: finished_results(run.folder) for run in self.grid.runs}
        return {name: results for name, results in found.items() if results is not None}

    @cached_property
    def probed(self) -> dict[str, tuple[Probed, ...]]:
        """What was found by probing finished runs about every split."""
        return {
            run.name: read_probed(run.folder, filter(run.has_answered, PROBES))
            for run in self.grid.runs
            if run.name in self.results
        }

    def finished(self, row: str, block: str) -> dict[int, Results]:
        """The results of a cell's runs by seed; seeds that failed are missing."""
        runs = self.grid.cells[row, block]
        return {run.seed: self.results[run.name] for run in runs if run.name in self.results}

    @cached_property
    def cells(self) -> dict[tuple[str, str, str], Measured | NotMeasured]:
        """Every cell that is shown at this size, by row, block and column."""
        return {
            (row.label, block.label, column.label): self._shown(row.label, block, column)
            for row in self.grid.table.run_rows
            for block, column in self.grid.table.places
            if column.is_shown(self.grid.request.size)
        }

    def _shown(self, row: str, block: Block, column: Column) -> Measured | NotMeasured:
        cell = self._cell(row, block, column)
        baseline = self.grid.table.baseline
        return gain(cell, self._cell(baseline, block, column)) if column.gain else cell

    def _cell(self, row: str, block: Block, column: Column) -> Measured | NotMeasured:
        place, size = (row, block.label), self.grid.request.size
        if size in column.absent:
            return NotMeasured(column.absent[size])
        if place in self.grid.impossible:
            return NotMeasured(f"impossible here: {self.grid.impossible[place]}")
        scores: dict[int, list[Score]] = {}
        absent: dict[int, str] = {}
        for run in self.grid.cells[place]:
            found = self._of_run(run, column)
            if isinstance(found, str):
                absent[run.seed] = found
            else:
                scores[run.seed] = found
        if not scores:
            return NotMeasured(_reasons(absent))
        said = by_seeds(
            {
                seed: "; ".join(dict.fromkeys(score.signature for score in each))
                for seed, each in scores.items()
            }
        )
        origin = merged([self.results[run.name].signature for run in self._ran(place, scores)])
        return Measured(
            {
                seed: float(np.mean([score.value for score in each]))
                for seed, each in scores.items()
            },
            f"{said}; {origin}",
            _reasons(absent),
        )

    def _ran(self, place: tuple[str, str], scores: Mapping[int, Any]) -> list[Run]:
        return [run for run in self.grid.cells[place] if run.seed in scores]

    def _of_run(self, run: Run, column: Column) -> list[Score] | str:
        """The column's score on each of its splits, or why the run has none."""
        if run.name not in self.results:
            return run.state if run.training.failure else f"not finished ({run.state})"
        found = []
        for name in column.splits[self.grid.request.size]:
            score = self._score(run, name, column)
            if isinstance(score, Unavailable):
                return f"has no {score.name} on {name}: {score.reason}"
            found.append(score)
        return found

    def _score(self, run: Run, name: str, column: Column) -> Score | Unavailable:
        if column.probe:
            return self._probed_score(run, name, column)
        results, asked = self.results[run.name], column.score_at(self.grid.request.size)
        try:
            split = results.split(name)
        except InputError:
            splits = ", ".join(each.split for each in results.splits)
            return Unavailable(asked, f"this split was not scored; {splits or 'none'} was")
        if asked == METEOR:
            return self._meteor(run.name, split)
        for score in split.scores:
            if score.name == asked:
                return score
        missing = [score for score in split.scores if isinstance(score, Unavailable)]
        there = ", ".join(score.name for score in split.scores)
        reason = missing[0].reason if missing else f"the system is scored by {there or 'nothing'}"
        return Unavailable(asked, reason)

    def _meteor(self, run: str, split: SplitResult) -> Score | Unavailable:
        if split.lines and not self.grid.request.meteor:
            return Unavailable(METEOR, "not asked for (--meteor)")
        if (run, split.split) not in self._meteors:
            self._meteors[run, split.split] = meteor_of(split)
        return self._meteors[run, split.split]

    @cached_property
    def _meteors(self) -> dict[tuple[str, str], Score | Unavailable]:
        """By run and split: it takes seconds, and several columns may ask."""
        return {}

    def _probed_score(self, run: Run, split: str, column: Column) -> Score | Unavailable:
        """A probe's score: in the finding whose title begins with the split's name."""
        asked = column.score_at(self.grid.request.size)
        for probed in self.probed[run.name]:
            for finding in probed.findings if probed.probe == column.probe else ():
                if is_about(finding.title, split) and column.condition in finding.rows:
                    for score in finding.rows[column.condition]:
                        if is_called(score.name, asked):
                            return score
        failure = run.probing(column.probe).failure
        reason = f"failed: {failure}" if failure else "has not found it"
        return Unavailable(asked, f"probe '{column.probe}' {reason}")


def gain(cell: Measured | NotMeasured, baseline: Measured | NotMeasured) -> Measured | NotMeasured:
    """A cell minus the baseline's, seed by seed."""
    if isinstance(cell, NotMeasured):
        return cell
    if isinstance(baseline, NotMeasured):
        return NotMeasured(f"baseline: {baseline.reason}")
    both = {
        seed: value - baseline.by_seed[seed]
        for seed, value in cell.by_seed.items()
        if seed in baseline.by_seed
    }
    if not both:
        return NotMeasured("no seed in common with the baseline")
    remark = f"baseline: {baseline.remark}" if baseline.remark else ""
    remarks = "; ".join(filter(None, (cell.remark, remark)))
    return Measured(both, f"{cell.signature} minus {baseline.signature}", remarks)


def is_called(name: str, asked: str) -> bool:
    """Whether a score is the one asked for; METEOR's name ends with the modules of a language.

    >>> is_called("METEOR 1.5 exact+stem", "METEOR 1.5"), is_called("BLEU raw", "BLEU")
    (True, False)
    """
    return name == asked or (asked == METEOR and name.startswith(f"{METEOR} "))


def is_about(title: str, split: str) -> bool:
    """Whether a finding's title begins with the name of a split, and not with a longer one.

    >>> is_about("ambiguous, 400 examples: which picture is shown", "ambiguous")
    True
    >>> is_about("ambiguous.photos: 20 photos", "ambiguous")
    False
    """
    return title == split or title.startswith((f"{split}:", f"{split},"))


def merged(signatures: Sequence[Signature]) -> str:
    """One signature of several runs: fields in which they differ list each value once."""
    values = {
        field.name: ",".join(
            dict.fromkeys(str(signature.record()[field.name]) for signature in signatures)
        )
        for field in fields(Signature)
    }
    return (
        f"phosphene:{values['version']}|commit:{values['commit']}|data:{values['data']}|"
        f"config:{values['config']}|seeds:{values['seed']}|select:{values['selection']}"
    )


def by_seeds(signatures: Mapping[int, str]) -> str:
    """Signatures of scores, each with its seeds; of one that all have, itself alone.

    >>> by_seeds({1: "tokens:9", 2: "tokens:9"}), by_seeds({1: "hits:4", 2: "hits:5", 3: "hits:4"})
    ('tokens:9', 'seed 1, 3 hits:4; seed 2 hits:5')
    """
    same = set(signatures.values())
    return same.pop() if len(same) == 1 else _reasons(signatures)


def _reasons(by_seed: Mapping[int, str]) -> str:
    """What is said of seeds, such as why they have no value; once where it is the same."""
    reasons: dict[str, list[str]] = {}
    for seed, reason in by_seed.items():
        reasons.setdefault(reason, []).append(str(seed))
    return "; ".join(f"seed {', '.join(seeds)} {why}" for why, seeds in reasons.items())


__all__ = [
    "Measured",
    "Measurements",
    "NotMeasured",
    "by_seeds",
    "gain",
    "is_about",
    "is_called",
    "merged",
]
