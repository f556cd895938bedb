"""A paper's table as data: its rows are settings, its columns are scores, its figures are known.

``tables/PAPER/TABLE.toml`` in the package. Nothing in such a file runs: it names a recipe, what to
change for every row, and which score of which test split a column shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from phosphene.core.config import Frozen, parse_settings, read_toml
from phosphene.core.errors import InputError
from phosphene.recipes import RECIPES
from phosphene.recipes.probe_kinds import PROBES

Size = Literal["toy", "small", "paper"]
SIZES: tuple[Size, ...] = get_args(Size)
Printed = float | str
"""A figure of the paper; text where the paper has text, empty where it has nothing."""


class Variation(Frozen):
    """What is different from the configuration."""

    changes: tuple[str, ...] = ()
    """``key.part=value``, as after ``--set``."""
    impossible: str = ""
    """Why it cannot be run; it is then shown with this reason."""


class Settable(Variation):
    """The same, and what else is different at one size."""

    at: Mapping[Size, Variation] = {}

    def changes_at(self, size: Size) -> tuple[str, ...]:
        """Those for every size, then those for ``size``."""
        return self.changes + (self.at[size].changes if size in self.at else ())

    def impossible_at(self, size: Size) -> str:
        """Why it cannot be run at ``size``; empty where it can."""
        return self.impossible or (self.at[size].impossible if size in self.at else "")


class Block(Settable):
    """A data set: what all columns under one heading have in common."""

    label: str = ""
    x: float | None = None
    """Of a sweep, where the block stands on the horizontal axis."""


class Column(Frozen):
    """One score."""

    label: str
    """As the paper heads it."""
    score: str
    """The name of a score in a run's results, or of a probe's finding."""
    scores: Mapping[Size, str] = {}
    """Its name at sizes where it has another one."""
    block: str = ""
    """Its data set; empty: one such column for every block."""
    splits: Mapping[Size, Annotated[tuple[str, ...], Field(min_length=1)]] = {}
    """Test splits that stand for the paper's, of several the mean."""
    absent: Mapping[Size, str] = {}
    """Why it is not measured at a size; the column then stays empty, with this reason."""
    probe: str = ""
    """The probe that finds the score; empty: the run's own results."""
    condition: str = ""
    """Of a probe: under which of its conditions."""
    digits: int = Field(default=2, ge=0)
    gain: bool = False
    """Shown is how much higher the score is than the baseline's of the same seed."""

    def score_at(self, size: Size) -> str:
        """The name of the score at ``size``."""
        return self.scores.get(size, self.score)

    def is_shown(self, size: Size) -> bool:
        """Whether it is measured at ``size``, or left empty for a reason."""
        return size in self.splits or size in self.absent

    @model_validator(mode="after")
    def _measured_or_absent(self) -> Column:
        for size in self.absent:
            if not self.absent[size].strip():
                raise ValueError(f"column '{self.label}': 'absent' at {size} says no reason")
            if size in self.splits:
                raise ValueError(f"column '{self.label}': both measured and absent at {size}")
        return self


class Row(Settable):
    """One system."""

    label: str
    group: str = ""
    """Under which of the paper's subheadings it stands."""
    quoted: bool = False
    """The paper took it from elsewhere: shown, not run."""
    impossible_on: Mapping[str, str] = {}
    """Blocks that it cannot be run on, by label, and why."""
    fact: str = ""
    """In tables that train nothing: which count of the data, or the number of a map."""
    paper: tuple[Printed, ...] = ()
    """The paper's figures, column by column; may end early."""
    deviations: tuple[Printed, ...] = ()
    """The paper's standard deviations, where it has them."""

    @property
    def shown_label(self) -> str:
        """Its label, which says so where it is quoted."""
        return f"{self.label} (quoted)" if self.quoted else self.label


class PaperTable(Settable):
    """A table or figure of a paper."""

    title: str
    source: str
    """Paper and number."""
    recipe: str
    kind: Literal["runs", "counts", "maps"] = "runs"
    """``counts``: of the data, nothing is trained. ``maps``: sizes of teacher and student maps."""
    baseline: str = ""
    """The row that the others are compared with."""
    note: str = ""
    grouped_by: str = ""
    """What the groups of the rows say, as a heading; empty: rows have none."""
    blocks: tuple[Block, ...] = (Block(),)
    x_label: str = ""
    """Of a sweep: what ``x`` of the blocks is."""
    columns: tuple[Column, ...] = Field(min_length=1)
    rows: tuple[Row, ...] = Field(min_length=1)
    curves: bool = True
    """Show how the losses of the runs fell, where there are runs."""
    probes: tuple[str, ...] = ()
    """Probes whose pictures and tables are shown, of the first seed of every row."""
    examples: int = Field(default=3, ge=0)
    """Sentences of every split to show with what every row made of them, where there are any."""

    @model_validator(mode="after")
    def _fits_together(self) -> PaperTable:
        rows, blocks = [row.label for row in self.rows], [block.label for block in self.blocks]
        for what, labels in (("rows", rows), ("blocks", blocks)):
            if len(set(labels)) < len(labels):
                raise ValueError(f"two {what} have one label")
        for column in self.columns:
            if column.block and column.block not in blocks:
                raise ValueError(f"column '{column.label}': no block '{column.block}'")
        places = [(block.label, column.label) for block, column in self.places]
        if len(set(places)) < len(places):
            raise ValueError("two columns of one block have one label")
        if self.baseline and self.baseline not in [row.label for row in self.run_rows]:
            raise ValueError(f"baseline: no row '{self.baseline}' that is run")
        for row in self.rows:
            if len(row.paper) > len(places) or len(row.deviations) > len(row.paper):
                raise ValueError(f"row '{row.label}': more figures than columns")
            if row.quoted and not row.paper:
                raise ValueError(f"row '{row.label}': quoted, and no figure is given")
            if bool(row.group) != bool(self.grouped_by):
                raise ValueError(f"row '{row.label}': 'group' belongs to tables with 'grouped_by'")
            for label in row.impossible_on.keys() - set(blocks):
                raise ValueError(f"row '{row.label}': no block '{label}'")
            if (self.kind == "runs") == bool(row.fact) and not row.quoted:
                raise ValueError(f"row '{row.label}': 'fact' belongs to tables that train nothing")
        return self

    @model_validator(mode="after")
    def _recipe_and_probes_exist(self) -> PaperTable:
        if self.recipe not in RECIPES:
            raise ValueError(f"no recipe '{self.recipe}': expected one of {', '.join(RECIPES)}")
        for probe in (*self.probes, *(column.probe for column in self.columns)):
            if probe and probe not in PROBES:
                raise ValueError(f"no probe '{probe}': expected one of {', '.join(PROBES)}")
        return self

    @model_validator(mode="after")
    def _gains_have_a_baseline(self) -> PaperTable:
        for column in self.columns:
            if column.gain and not self.baseline:
                raise ValueError(f"column '{column.label}': 'gain' needs a baseline")
        return self

    def against(self, row: str) -> PaperTable:
        """The same with another baseline.

        Raises:
            InputError: no row of that name is run.
        """
        labels = [each.label for each in self.run_rows]
        if row not in labels:
            raise InputError(f"{self.source}: no row '{row}': expected one of {', '.join(labels)}")
        return self.model_copy(update={"baseline": row})

    @property
    def places(self) -> tuple[tuple[Block, Column], ...]:
        """All columns from left to right, each with its block: first those of one block alone."""
        blocks = {block.label: block for block in self.blocks}
        of_one = [(blocks[column.block], column) for column in self.columns if column.block]
        of_each = [(block, column) for block in self.blocks for column in self.columns]
        return (*of_one, *(place for place in of_each if not place[1].block))

    @property
    def run_rows(self) -> tuple[Row, ...]:
        """Rows that are not only quoted."""
        return tuple(row for row in self.rows if not row.quoted)

    def asked_probes(self, block: str, *, pictures: bool = True) -> tuple[str, ...]:
        """The probes that find the scores of a block's columns, and those that give pictures."""
        of_columns = [column.probe for place, column in self.places if place.label == block]
        return tuple(dict.fromkeys(filter(None, (*of_columns, *(self.probes if pictures else ())))))


def table_names() -> tuple[str, ...]:
    """All tables as ``PAPER/TABLE``, in the order of their numbers."""
    return tuple(sorted((f"{path.parent.name}/{path.stem}" for path in _files()), key=_natural))


def read_table(name: str) -> PaperTable:
    """A table by its name, or one of your own by the path of a TOML file.

    Raises:
        InputError: there is none, or the file is not a table; the message says why.
    """
    if name.endswith(".toml"):
        return _read(Path(name))
    if name not in table_names():
        raise InputError(f"no table '{name}': expected a .toml file, or {', '.join(table_names())}")
    return _read(_folder() / f"{name}.toml")


def _read(path: Path) -> PaperTable:
    return parse_settings(PaperTable, read_toml(path), str(path))


def _folder() -> Path:
    return Path(str(resources.files("phosphene"))) / "tables"


def _files() -> Iterator[Path]:
    return _folder().glob("*/*.toml")


def _natural(name: str) -> tuple[str, str, int]:
    paper, _, table = name.partition("/")
    kind, _, number = table.rpartition("-")
    return paper, kind or table, int(number) if number.isdigit() else 0


__all__ = [
    "SIZES",
    "Block",
    "Column",
    "PaperTable",
    "Printed",
    "Row",
    "Settable",
    "Size",
    "Variation",
    "read_table",
    "table_names",
]
