"""What a probe found, as JSON in ``RUN/probes`` and as parts of a report."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.score import Score, Unavailable
from phosphene.report.model import (
    Cell,
    Curve,
    Figure,
    HeatMap,
    Missing,
    Number,
    Plot,
    Point,
    Scatter,
    Table,
)


def finding_table(finding: Finding, signature: str) -> Table:
    """A row for every condition, a column for every score; ``signature`` is that of the run."""
    names = list(dict.fromkeys(score.name for row in finding.rows.values() for score in row))
    rows = tuple(
        (condition, *(_cell(scores, name, signature) for name in names))
        for condition, scores in finding.rows.items()
    )
    return Table(finding.title, ("", *names), rows, finding.note)


def figure_record(figure: Figure) -> dict[str, Any]:
    """For JSON; the thumbnails of points are left as base64."""
    record = {"kind": type(figure).__name__, **asdict(figure)}
    if isinstance(figure, Scatter):
        for point in record["points"]:
            if point["picture"] is not None:
                point["picture"] = base64.b64encode(point["picture"]).decode("ascii")
    return record


def restore_figure(record: Mapping[str, Any]) -> Figure:
    """What :func:`figure_record` made.

    Raises:
        ValueError: it is no figure.
    """
    values = {key: value for key, value in record.items() if key != "kind"}
    match record["kind"]:
        case "Plot":
            curves = (
                Curve(curve["name"], tuple((x, y) for x, y in curve["points"]))
                for curve in values.pop("curves")
            )
            return Plot(**values, curves=tuple(curves))
        case "HeatMap":
            values["values"] = tuple(tuple(row) for row in values["values"])
            return HeatMap(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
        case "Scatter":
            points = tuple(map(_point, values.pop("points")))
            return Scatter(**values, points=points)
        case kind:
            raise ValueError(f"no figure is a {kind!r}")


def _point(record: Mapping[str, Any]) -> Point:
    picture = record["picture"]
    return Point(**{**record, "picture": None if picture is None else base64.b64decode(picture)})


def _cell(scores: tuple[Score | Unavailable, ...], name: str, signature: str) -> Cell:
    for score in scores:
        if score.name != name:
            continue
        if isinstance(score, Unavailable):
            return Missing(score.reason)
        digits = 4 if score.name.startswith("p (") else 3 if abs(score.value) < 10 else 2
        return Number(score.value, f"{score.signature}; {signature}", digits)
    return Missing("not asked under this condition")


__all__ = ["figure_record", "finding_table", "restore_figure"]
