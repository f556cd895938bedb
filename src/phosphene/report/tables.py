"""Tables as aligned text, Markdown and CSV, and the tables that scores make.

A number is never printed without its signature: text and Markdown set them as footnotes, CSV in a
column beside the number.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from rich.cells import cell_len

from phosphene.report.model import Cell, Missing, Number, Probability, Table, note_of


@runtime_checkable
class Signed(Protocol):
    """A score: whatever has a name, a value and a signature."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> float: ...
    @property
    def signature(self) -> str: ...


@runtime_checkable
class Absent(Protocol):
    """A score that could not be computed, and why."""

    @property
    def name(self) -> str: ...
    @property
    def reason(self) -> str: ...


@runtime_checkable
class Bounds(Protocol):
    """A 95 % interval."""

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


@runtime_checkable
class Compared(Protocol):
    """A score beside that of a baseline."""

    @property
    def name(self) -> str: ...
    @property
    def system(self) -> float: ...
    @property
    def system_interval(self) -> Bounds: ...
    @property
    def baseline(self) -> float: ...
    @property
    def baseline_interval(self) -> Bounds: ...
    @property
    def delta(self) -> float: ...
    @property
    def delta_interval(self) -> Bounds: ...
    @property
    def p_bootstrap(self) -> float: ...
    @property
    def p_randomisation(self) -> float: ...
    @property
    def signature(self) -> str: ...


def score_table(
    title: str,
    systems: Mapping[str, Sequence[Signed]],
    unavailable: Sequence[Absent] = (),
) -> Table:
    """One row per score name, one column per system; what no system has is said at the end."""
    names = list(dict.fromkeys(score.name for scores in systems.values() for score in scores))
    cells: dict[tuple[str, str], Cell] = {
        (score.name, system): Number(score.value, score.signature)
        for system, scores in systems.items()
        for score in scores
    }
    rows: list[tuple[Cell, ...]] = [
        (name, *(cells.get((name, system), Missing("not computed")) for system in systems))
        for name in names
    ]
    rows += [
        (absent.name, *(Missing(f"unavailable: {absent.reason}") for _ in systems))
        for absent in unavailable
    ]
    return Table(title, ("score", *systems), tuple(rows))


def comparison_table(
    title: str, comparisons: Sequence[Compared], *, system: str, baseline: str, origin: str = ""
) -> Table:
    """System and baseline with 95 % intervals, their difference, and both p-values.

    Args:
        title: of the table.
        comparisons: a row for each.
        system: how to call the one.
        baseline: how to call the other.
        origin: signatures of the runs that they come from, where there are runs.
    """
    columns = (system, baseline, "difference")
    spanned = (name for column in columns for name in (column, f"{column} 95 %"))
    header = ("score", *spanned, "p (bs)", "p (ar)")
    rows: list[tuple[Cell, ...]] = []
    for row in comparisons:
        signature = f"{row.signature}; {origin}" if origin else row.signature
        rows.append(
            (
                row.name,
                Number(row.system, signature),
                _span(row.system_interval),
                Number(row.baseline, signature),
                _span(row.baseline_interval),
                Number(row.delta, signature),
                _span(row.delta_interval),
                Probability(row.p_bootstrap, signature),
                Probability(row.p_randomisation, signature),
            )
        )
    note = (
        "bs: paired bootstrap, ar: approximate randomisation, both two-sided. They cover the "
        "choice of test sentences, not that of the training seed."
    )
    return Table(title, header, tuple(rows), note)


def to_text(table: Table) -> str:
    """Columns aligned with spaces, for a terminal; widths hold for every script."""
    notes = table.footnotes()
    grid = [list(table.header), *([_marked(cell, notes) for cell in row] for row in table.rows)]
    widths = [max(cell_len(row[column]) for row in grid) for column in range(len(table.header))]
    lines = [_aligned(row, widths, table.numeric()) for row in grid]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([table.title, "", lines[0], rule, *lines[1:], *_closing(table, notes), ""])


def to_markdown(table: Table) -> str:
    """A GitHub-flavoured table."""
    notes = table.footnotes()
    marks = ["---:" if numeric else "---" for numeric in table.numeric()]
    grid = [list(table.header), marks]
    grid += [[_marked(cell, notes) for cell in row] for row in table.rows]
    lines = ["| " + " | ".join(_pipe_free(text) for text in row) + " |" for row in grid]
    closing = [_pipe_free(line) if line else line for line in _closing(table, notes)]
    return "\n".join([f"**{table.title}**", "", *lines, *_spaced(closing), ""])


def to_csv(table: Table) -> str:
    """Comma-separated values, full precision.

    Beside a column of numbers stand their standard deviations, where it has any, and beside every
    column that has some the signatures of numbers and the reasons of empty cells.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    columns = list(zip(table.noted(), table.deviating(), strict=True))
    header: list[str] = []
    for heading, (is_noted, deviates) in zip(table.header, columns, strict=True):
        header.append(heading)
        header += [f"{heading} sd"] if deviates else []
        header += [f"{heading} signature"] if is_noted else []
    writer.writerow(header)
    for row in table.rows:
        cells: list[str] = []
        for cell, (is_noted, deviates) in zip(row, columns, strict=True):
            cells.append(repr(cell.value) if isinstance(cell, Number) else _plain(cell))
            cells += [_deviation(cell)] if deviates else []
            cells += [note_of(cell) or ""] if is_noted else []
        writer.writerow(cells)
    return stream.getvalue()


def to_record(table: Table) -> dict[str, object]:
    """For JSON: every row by heading, numbers with their signatures, empty cells with reasons."""
    rows = [
        {heading: _recorded(cell) for heading, cell in zip(table.header, row, strict=True)}
        for row in table.rows
    ]
    return {"title": table.title, "rows": rows, "note": table.note}


def _recorded(cell: Cell) -> object:
    match cell:
        case Number(value=value, signature=signature):
            return {"value": value, "signature": signature}
        case Missing(reason=reason):
            return {"reason": reason}
        case _:
            return cell


def _deviation(cell: Cell) -> str:
    if not isinstance(cell, Number) or cell.deviation is None:
        return ""
    return repr(cell.deviation)


def _span(bounds: Bounds) -> str:
    return f"{bounds.low:.2f} to {bounds.high:.2f}"


def _plain(cell: Cell) -> str:
    return "" if isinstance(cell, Missing) else str(cell)


def _marked(cell: Cell, notes: Sequence[str]) -> str:
    note = note_of(cell)
    return str(cell) if note is None else f"{cell} [{notes.index(note) + 1}]"


def _aligned(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    padded = []
    for text, width, is_numeric in zip(row, widths, numeric, strict=True):
        space = " " * (width - cell_len(text))
        padded.append(space + text if is_numeric else text + space)
    return "  ".join(padded).rstrip()


def _closing(table: Table, notes: Sequence[str]) -> list[str]:
    """The table's note and its footnotes, after an empty line."""
    lines = [table.note] if table.note else []
    lines += [f"[{number}] {note}" for number, note in enumerate(notes, start=1)]
    return ["", *lines] if lines else []


def _spaced(lines: Sequence[str]) -> list[str]:
    """Every line its own paragraph, which Markdown would otherwise run together."""
    return [part for line in lines if line for part in ("", line)]


def _pipe_free(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


__all__ = ["comparison_table", "score_table", "to_csv", "to_markdown", "to_text"]
