"""What a report consists of. Recipes build it, tables and the page show it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

Real = int | float
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Number:
    """A number in a cell and what it was computed from; one without a signature cannot exist."""

    value: Real
    signature: str
    digits: int = 2
    deviation: float | None = None
    """Standard deviation, where the number is a mean over seeds."""
    mark: str = ""
    """Of significance, which the table's note explains, or of seeds that are missing."""

    def __post_init__(self) -> None:
        if not self.signature.strip():
            raise ValueError(f"{self.value}: a number without a signature is not printed")
        if not math.isfinite(self.value):
            raise ValueError(f"{self.value} is not a number; expected a Missing cell with a reason")

    def __str__(self) -> str:
        shown = f"{self.value:z.{self.digits}f}"
        if self.deviation is not None:
            shown += f" ± {self.deviation:.{self.digits}f}"
        return f"{shown} {self.mark}" if self.mark else shown


@dataclass(frozen=True)
class Probability(Number):
    """A p-value: one that is not nothing is not shown as nothing."""

    digits: int = 4

    def __str__(self) -> str:
        least = 10.0**-self.digits
        if 0 < self.value < least / 2:
            return f"<{least:.{self.digits}f}"
        return super().__str__()


@dataclass(frozen=True)
class Missing:
    """A cell that stays empty, and why (its data are absent, a program is not installed)."""

    reason: str

    def __post_init__(self) -> None:
        if not self.reason.strip():
            raise ValueError("an empty cell needs a reason")

    def __str__(self) -> str:
        return "–"


Cell = str | Number | Missing


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; the first cell of a row names it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(
                    f"{self.title}: a row of {len(row)} cells under {len(self.header)} headings"
                )

    def footnotes(self) -> tuple[str, ...]:
        """The signatures and reasons of the cells, each once, in the order of reading."""
        notes = (note_of(cell) for row in self.rows for cell in row)
        return tuple(dict.fromkeys(note for note in notes if note is not None))

    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers (and are set flush right)."""
        return tuple(
            any(isinstance(row[column], Number) for row in self.rows)
            for column in range(len(self.header))
        )

    def noted(self) -> tuple[bool, ...]:
        """Which columns hold cells with a footnote: numbers, or empty ones."""
        return tuple(
            any(note_of(row[column]) is not None for row in self.rows)
            for column in range(len(self.header))
        )

    def deviating(self) -> tuple[bool, ...]:
        """Which columns hold means over seeds with their standard deviations."""
        return tuple(
            any(isinstance(cell, Number) and cell.deviation is not None for cell in column)
            for column in zip(*(row for row in self.rows), strict=True)
        ) or (False,) * len(self.header)


def note_of(cell: Cell) -> str | None:
    """What a footnote says about a cell."""
    match cell:
        case Number(signature=signature):
            return signature
        case Missing(reason=reason):
            return reason
        case _:
            return None


@dataclass(frozen=True)
class Curve:
    """One line of a plot. A point whose ``y`` is not finite interrupts it."""

    name: str
    points: tuple[tuple[Real, Real], ...]

    def segments(self) -> Iterator[list[tuple[float, float]]]:
        """The runs of finite points."""
        segment: list[tuple[float, float]] = []
        for x, y in self.points:
            if math.isfinite(x) and math.isfinite(y):
                segment.append((float(x), float(y)))
            elif segment:
                yield segment
                segment = []
        if segment:
            yield segment


@dataclass(frozen=True)
class Plot:
    """Curves over the same axes."""

    title: str
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]
    log_x: bool = False
    """The horizontal axis is logarithmic."""


@dataclass(frozen=True)
class HeatMap:
    """A grid of values from 0 (or less) to the greatest, such as who attends to whom.

    ``values[i][j]`` is that of row ``i`` and column ``j``.
    """

    title: str
    row_label: str
    column_label: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if len(self.values) != len(self.rows):
            raise ValueError(f"{self.title}: {len(self.values)} rows, {len(self.rows)} names")
        if any(len(row) != len(self.columns) for row in self.values):
            raise ValueError(f"{self.title}: expected {len(self.columns)} values in each row")


@dataclass(frozen=True)
class Point:
    """A place on a map, the group that it belongs to, and what it is."""

    x: float
    y: float
    group: str
    label: str = ""
    picture: bytes | None = None
    """A PNG file, drawn there; what it shows is said by ``label``."""

    def __post_init__(self) -> None:
        if self.picture is not None and not self.picture.startswith(_PNG):
            raise ValueError("the picture of a point must be a PNG file")
        if self.picture is not None and not self.label.strip():
            raise ValueError("the picture of a point needs a text that describes it")


@dataclass(frozen=True)
class Scatter:
    """Points on a plane, such as a map of features; the axes have no unit."""

    title: str
    points: tuple[Point, ...]
    note: str = ""


Figure = Plot | HeatMap | Scatter


@dataclass(frozen=True)
class Output:
    """What one system said."""

    system: str
    text: str


@dataclass(frozen=True)
class Example:
    """A sentence, its reference, what the systems made of it, and the picture where there is one.

    ``picture`` is a PNG file; ``picture_alt`` says in words what it shows, for whoever does not see
    it. Languages are BCP 47 tags (``de``), so that a screen reader pronounces them.
    """

    source: str
    reference: str
    outputs: tuple[Output, ...]
    source_language: str = ""
    target_language: str = ""
    picture: bytes | None = None
    picture_alt: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.picture is None:
            return
        if not self.picture.startswith(_PNG):
            raise ValueError("the picture of an example must be a PNG file")
        if not self.picture_alt.strip():
            raise ValueError("the picture of an example needs a text that describes it")


@dataclass(frozen=True)
class Report:
    """One run, from its result to its cost."""

    title: str
    signature: str
    """Of the run: version, commit, data, configuration, seed, selection rule."""
    summary: str = ""
    tables: tuple[Table, ...] = ()
    plots: tuple[Figure, ...] = ()
    examples: tuple[Example, ...] = ()
    configuration: tuple[tuple[str, str], ...] = ()
    """Keys and values as they stand in ``config.toml``."""
    costs: Table | None = None
    """Updates, seconds, memory, parameters."""

    def __post_init__(self) -> None:
        if not self.signature.strip():
            raise ValueError(f"{self.title}: a report without a signature is not written")


__all__ = [
    "Cell",
    "Curve",
    "Example",
    "Figure",
    "HeatMap",
    "Missing",
    "Number",
    "Output",
    "Plot",
    "Point",
    "Real",
    "Report",
    "Scatter",
    "Table",
    "note_of",
]
