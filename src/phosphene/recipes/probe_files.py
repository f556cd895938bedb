"""What a probe found, as JSON in ``RUN/probes`` and as parts of a report."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from phosphene.evaluate.probes.finding import Finding
from phosphene.evaluate.score import Score, Unavailable
from phosphene.report.model import (
    Cell,
    Figure,
    HeatMap,
    Missing,
    Number,
    Plot,
    Probability,
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
            return TypeAdapter(Plot).validate_python(values)
        case "HeatMap":
            return TypeAdapter(HeatMap).validate_python(values)
        case "Scatter":
            points = [_picture_decoded(point) for point in values["points"]]
            return TypeAdapter(Scatter).validate_python({**values, "points": points})
        case kind:
            raise ValueError(f"no figure is a {kind!r}")


def _picture_decoded(point: Mapping[str, Any]) -> dict[str, Any]:
    picture = point["picture"]
    return {**point, "picture": None if picture is None else base64.b64decode(picture)}


def _cell(scores: tuple[Score | Unavailable, ...], name: str, signature: str) -> Cell:
    for score in scores:
        if score.name != name:
            continue
        if isinstance(score, Unavailable):
            return Missing(score.reason)
        origin = f"{score.signature}; {signature}"
        if score.name.startswith("p ("):
            return Probability(score.value, origin)
        return Number(score.value, origin, 3 if abs(score.value) < 10 else 2)
    return Missing("not asked under this condition")


__all__ = ["figure_record", "finding_table", "restore_figure"]
