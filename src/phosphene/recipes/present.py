"""Results as tables and pages."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.dataset import NO_PICTURE, TranslationData
from phosphene.evaluate.answer_statistics import right_answers, uncovered
from phosphene.evaluate.results import read_results
from phosphene.evaluate.score import Score
from phosphene.evaluate.significance import paired_permutation
from phosphene.evaluate.system import Results, SplitResult
from phosphene.evaluate.translation import compare_corpora
from phosphene.recipes.probing import readable_probed
from phosphene.report.model import (
    Cell,
    Curve,
    Example,
    Missing,
    Number,
    Output,
    Plot,
    Probability,
    Report,
    Table,
)
from phosphene.report.tables import comparison_table


def results_table(title: str, systems: Mapping[str, Results]) -> Table:
    """A row for every split and score, a column for every system."""
    keys = list(
        dict.fromkeys(
            (split.split, score.name)
            for results in systems.values()
            for split in results.splits
            for score in split.scores
        )
    )
    rows = tuple(
        (split, name, *(_cell(results, split, name) for results in systems.values()))
        for split, name in keys
    )
    return Table(title, ("split", "score", *systems), rows)


def headline_table(title: str, systems: Mapping[str, Results], names: Sequence[str]) -> Table:
    """The scores called ``names`` alone: a row for every system, a column for every split."""
    table = results_table(title, systems)
    wanted = [row for row in table.rows if row[1] in names]
    header = ("system", *(f"{row[0]}: {row[1]}" for row in wanted))
    rows = tuple(
        (system, *(row[2 + column] for row in wanted)) for column, system in enumerate(systems)
    )
    return Table(title, header, rows)


def comparison_tables(
    system: Results, baseline: Results, names: tuple[str, str], seed: int = 1
) -> list[Table]:
    """Each common split with significance: BLEU by resampling, likelihoods by permutation.

    Answers are right or wrong: a permutation of that, question by question.

    Args:
        system: the results of one run.
        baseline: those of another, on the same sentences.
        names: how to call the two.
        seed: of the resampling.

    Raises:
        InputError: the two were trained on other data, or scored on other sentences.
    """
    name, baseline_name = names
    check_comparable(system, baseline)
    origin = f"{system.signature} against {baseline.signature}"
    tables = []
    for split in system.splits:
        other = next((one for one in baseline.splits if one.split == split.split), None)
        if other is None or not split.lines or not other.lines:
            continue
        if split.kind == "answers":
            title = f"{split.split}: {name} against {baseline_name}"
            tables.append(_correctness_table(title, split, other, origin, seed))
            continue
        comparisons = compare_corpora(
            [line.hypothesis for line in split.lines],
            [line.hypothesis for line in other.lines],
            [line.reference for line in split.lines],
            split.language,
            tokenised=split.tokenised,
            seed=seed,
        )
        title = f"{split.split}: {name} against {baseline_name}"
        tables.append(
            comparison_table(title, comparisons, system=name, baseline=baseline_name, origin=origin)
        )
        tables.append(_likelihood_table(title, split, other, origin, seed))
    return tables


def run_report(
    folder: Path, title: str, results: Results, configuration: Mapping[str, object], costs: Table
) -> Report:
    """The page of one run, with what its probes have found."""
    probed, damaged = readable_probed(folder)
    return Report(
        title=title,
        signature=str(results.signature),
        summary=f"{results.system}, scored on {len(results.splits)} split(s). {damaged}".strip(),
        tables=(
            results_table("Scores", {results.system: results}),
            *(table for each in probed for table in each.tables),
        ),
        plots=(
            *learning_curves({results.system: folder}),
            *(figure for each in probed for figure in each.plots),
        ),
        configuration=tuple((key, str(value)) for key, value in configuration.items()),
        costs=costs,
    )


def learning_curves(runs: Mapping[str, Path], *, last_stage: bool = False) -> list[Plot]:
    """Training and validation loss of several runs over their updates.

    Updates begin again with every stage; with ``last_stage`` a curve is of its run's last one. A
    run that has trained nothing itself has the curve of the shared stage that it ends with.
    """
    plots = []
    for kind, value, title, unit in (
        ("train", "translation", "Training loss", "nats per target token"),
        ("train", "answers", "Training loss of answers", "nats per question"),
        ("evaluate", "loss", "Validation loss", "mean"),
    ):
        curves = []
        for name, folder in runs.items():
            told = [e for e in _told_by(folder) if e["kind"] == kind and value in e]
            if last_stage:
                told = [event for event in told if event["stage"] == told[-1]["stage"]]
            points = ((float(event["update"]), float(event[value])) for event in told)
            curves.append(Curve(name, tuple(points)))
        if any(curve.points for curve in curves):
            plots.append(Plot(title, "update", unit, tuple(curves)))
    return plots


def _told_by(folder: Path) -> list[dict[str, Any]]:
    """The events of a run; of one all of whose stages are shared, those of the last of them."""
    events = RunLog(folder / "log.jsonl").events()
    shared = [
        event["folder"] for event in events if event["kind"] == "shared" and "folder" in event
    ]
    if not shared or any(event["kind"] == "train" for event in events):
        return events
    return RunLog(folder.parent / "shared" / shared[-1] / "log.jsonl").events()


def cost_table(runs: Mapping[str, Path]) -> Table:
    """Updates and time of every stage of several runs, and the memory of each run's process.

    A stage that runs share was trained by one of them; every one that uses it names it.
    """
    rows: list[tuple[Cell, ...]] = []
    for name, folder in runs.items():
        signature = str(read_results(folder).signature)
        events = RunLog(folder / "log.jsonl").events()
        peaks = [event["peak_bytes"] for event in events if event["kind"] == "memory"]
        peak = Number(max(peaks) / 2**30, signature, 2) if peaks else Missing("not recorded")
        for event in events:
            if event["kind"] in ("finished", "shared"):
                shared = " (shared)" if event["kind"] == "shared" else ""
                rows.append(
                    (
                        name,
                        f"{event['stage']}{shared}",
                        Number(event["update"], signature, 0),
                        Number(event["seconds"], signature, 0),
                        peak,
                        event["selection"],
                    )
                )
        if not any(event["kind"] in ("finished", "shared") for event in events):
            unknown = Missing("log.jsonl of the run does not say")
            rows.append((name, "", unknown, unknown, peak, unknown))
    header = ("system", "stage", "updates", "seconds", "peak memory of the run, GiB", "weights")
    return Table("Cost", header, tuple(rows))


def examples(
    split: str,
    data: TranslationData,
    systems: Mapping[str, Results],
    indices: Sequence[int],
    languages: tuple[str, str],
) -> list[Example]:
    """Some sentences of a split with their pictures and what each system made of them."""
    found = []
    for index in indices:
        pair = data.pairs[index]
        found.append(
            Example(
                source=pair.source,
                reference=pair.target,
                outputs=tuple(
                    Output(name, results.split(split).lines[index].hypothesis)
                    for name, results in systems.items()
                    if results.split(split).lines
                ),
                source_language=languages[0],
                target_language=languages[1],
                picture=_png(data, index),
                picture_alt=f"What the sentence describes: {pair.source}",
                note=split,
            )
        )
    return found


def _cell(results: Results, split: str, name: str) -> Cell:
    for result in results.splits:
        for score in result.scores:
            if result.split == split and score.name == name:
                if isinstance(score, Score):
                    return Number(score.value, f"{score.signature}; {results.signature}")
                return Missing(score.reason)
    return Missing("not computed for this system")


def _likelihood_table(
    title: str, split: SplitResult, other: SplitResult, origin: str, seed: int
) -> Table:
    test = paired_permutation(
        np.array([line.likelihood for line in split.lines]),
        np.array([line.likelihood for line in other.lines]),
        seed=seed,
    )
    interval = f"{test.delta_interval.low:.3f} to {test.delta_interval.high:.3f}"
    row: tuple[Cell, ...] = (
        "log-likelihood of the reference, nats per sentence",
        Number(test.delta, f"{test.signature}; {origin}", 3),
        interval,
        Probability(test.p_value, f"{test.signature}; {origin}"),
    )
    return Table(title, ("value", "difference", "95 %", "p (permutation)"), (row,))


def _correctness_table(
    title: str, split: SplitResult, other: SplitResult, origin: str, seed: int
) -> Table:
    """Share of right answers, in percent, and whether the difference may be chance."""
    ours, theirs = (right_answers(one.lines, uncovered(one))[:, 0] for one in (split, other))
    test = paired_permutation(ours, theirs, seed=seed)
    interval = f"{test.delta_interval.low:.2f} to {test.delta_interval.high:.2f}"
    row: tuple[Cell, ...] = (
        "accuracy, percent",
        Number(test.delta, f"{test.signature}; {origin}", 2),
        interval,
        Probability(test.p_value, f"{test.signature}; {origin}"),
    )
    return Table(title, ("value", "difference", "95 %", "p (permutation)"), (row,))


def check_comparable(system: Results, baseline: Results) -> None:
    """Refuse a baseline that learned from other data, or was scored on other sentences.

    Raises:
        InputError: it was.
    """
    ours, theirs = system.signature, baseline.signature
    if ours.data != theirs.data:
        raise InputError(
            f"baseline {baseline.system}: trained on other data ({theirs.data}) than "
            f"{system.system} ({ours.data}), expected the same"
        )
    others = {split.split: split for split in baseline.splits if split.lines}
    for split in system.splits:
        if split.lines and split.split in others:
            _check_same_sentences(split, others[split.split])


def _check_same_sentences(split: SplitResult, other: SplitResult) -> None:
    ours, theirs = (
        [(line.source, line.reference) for line in result.lines] for result in (split, other)
    )
    if ours != theirs:
        raise InputError(
            f"{split.split}: the two runs were scored on different sentences; "
            "expected the same test data and languages"
        )


def _png(data: TranslationData, index: int) -> bytes | None:
    row = data.picture_of[index]
    if data.pictures is None or row == NO_PICTURE:
        return None
    stream = io.BytesIO()
    Image.fromarray(data.pictures[row]).save(stream, format="PNG")
    return stream.getvalue()
