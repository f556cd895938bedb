"""How the losses of a table's runs fell: a curve for every row, mean over its seeds.

Updates begin again with every stage, so a curve is of its run's last stage. No plot has more
curves than can be told apart: the rows of a large table stand in several plots, the baseline in
each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from phosphene.recipes.present import learning_curves
from phosphene.report.model import Curve, Plot, Real
from phosphene.report.palette import COLOURS
from phosphene.reproduce.measure import Measurements

MOST_CURVES: Final = len(COLOURS)
"""In one plot: as many as there are colours and dashes."""
MOST_POINTS: Final = 30
"""Of one curve."""
Points = Sequence[tuple[Real, Real]]
Runs = Mapping[str, Sequence[Path]]
"""Of every row the folders of its finished runs."""


def grid_curves(found: Measurements) -> list[Plot]:
    """Training and validation loss of every data set; of data sets with the same runs once."""
    baseline = found.grid.table.baseline
    plots = []
    for block, runs in finished_runs(found):
        for plot in row_curves(runs):
            parts = in_parts(plot.curves, baseline)
            for number, curves in enumerate(parts, start=1):
                title = f"{block}: {plot.title}" if block else plot.title
                title += f" ({number} of {len(parts)})" if len(parts) > 1 else ""
                plots.append(Plot(title, plot.x_label, plot.y_label, curves))
    return plots


def finished_runs(found: Measurements) -> Iterator[tuple[str, Runs]]:
    """Data sets by their label, each with its runs; left out where an earlier one has the same."""
    table, seen = found.grid.table, list[Runs]()
    for block in table.blocks:
        runs = {
            row.label: tuple(run.folder for run in cell if run.name in found.results)
            for row in table.run_rows
            for cell in [found.grid.cells.get((row.label, block.label), ())]
        }
        finished = {row: folders for row, folders in runs.items() if folders}
        if finished and finished not in seen:
            seen.append(finished)
            yield block.label, finished


def row_curves(runs: Runs) -> list[Plot]:
    """A plot for every kind of loss, a curve for every row that has logged it.

    A row all of whose stages are shared has logged nothing of its own; its curve is empty.
    """
    plots: dict[str, Plot] = {}
    curves: dict[str, list[Curve]] = {}
    silent: list[Curve] = []
    several = any(len(folders) > 1 for folders in runs.values())
    for row, folders in runs.items():
        seeds: dict[str, list[Points]] = {}
        for folder in folders:
            for plot in learning_curves({row: folder}, last_stage=True):
                plots.setdefault(plot.title, plot)
                seeds.setdefault(plot.title, []).append(plot.curves[0].points)
        for title, each in seeds.items():
            curves.setdefault(title, []).append(Curve(row, thinned(mean_curve(each))))
        if not seeds:
            silent.append(Curve(f"{row}: no curve, every stage is shared", ()))
    return [
        Plot(
            f"{title}, last stage{', mean over seeds' if several else ''}",
            plot.x_label,
            plot.y_label,
            (*curves[title], *silent),
        )
        for title, plot in plots.items()
    ]


def mean_curve(curves: Sequence[Points]) -> Points:
    """The mean at every update that all curves have.

    >>> mean_curve([[(1, 4.0), (2, 3.0)], [(1, 2.0), (2, 1.0), (3, 1.0)]])
    [(1, 3.0), (2, 2.0)]
    """
    values = [dict(points) for points in curves]
    common = [x for x, _ in curves[0] if all(x in each for each in values)]
    return [(x, sum(each[x] for each in values) / len(values)) for x in common]


def thinned(points: Points, most: int = MOST_POINTS) -> tuple[tuple[Real, Real], ...]:
    """At most ``most`` points at even distances, the first and the last among them.

    >>> thinned([(x, 0.0) for x in range(9)], most=3)
    ((0, 0.0), (4, 0.0), (8, 0.0))
    """
    if len(points) <= most:
        return tuple(points)
    return tuple(points[at * (len(points) - 1) // (most - 1)] for at in range(most))


def in_parts(curves: Sequence[Curve], baseline: str) -> list[tuple[Curve, ...]]:
    """As many curves together as one plot shows, the baseline first in every part."""
    if len(curves) <= MOST_CURVES:
        return [tuple(curves)]
    first = tuple(curve for curve in curves if curve.name == baseline)
    others = [curve for curve in curves if curve.name != baseline]
    step = MOST_CURVES - len(first)
    return [(*first, *others[at : at + step]) for at in range(0, len(others), step)]


__all__ = ["grid_curves", "in_parts", "mean_curve", "row_curves", "thinned"]
