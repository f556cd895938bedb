"""A table as a grid of runs: a run for every row, block and seed, each once.

All runs of a grid, and of all grids of one folder, lie side by side. A run's folder is named after
its settings, so two tables that need the same run share it, and runs share the stages that their
recipes share (``shared/``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from phosphene.core.config import Frozen, parse_settings, read_settings, settings_hash
from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.evaluate.results import holds_results
from phosphene.recipes import config_path, load_recipe
from phosphene.recipes.probe_kinds import fitted, fitting_of
from phosphene.recipes.probing import holds_whole_probe
from phosphene.reproduce.execute import Job
from phosphene.reproduce.tables import SIZES, Block, PaperTable, Row, Size, read_table

REQUEST = "request.json"


class Request(Frozen):
    """What was asked for."""

    table: str = Field(min_length=1)
    size: Size = "toy"
    seeds: int = Field(default=1, ge=1)
    config: str = ""
    """A TOML file in place of the size's configuration."""
    meteor: bool = False
    baseline: str = ""
    """The row that the others are compared with, in place of the table's own."""

    @property
    def folder_name(self) -> str:
        """Where its results go, under ``tables/``."""
        own = self.table.endswith(".toml")
        name = Path(self.table).stem if own else self.table.replace("/", "-")
        other = "-".join(re.findall(r"\w+", self.baseline.lower()))
        return f"{name}-against-{other}" if other else name

    def write(self, folder: Path) -> None:
        """Keep it, so that a report can be made again.

        Raises:
            InputError: another table of that name is there, or the same of another configuration.
        """
        before = read_request(folder) if (folder / REQUEST).exists() else self
        for name in ("table", "size", "config", "baseline"):
            there, now = getattr(before, name), getattr(self, name)
            if there != now:
                raise InputError(
                    f"{folder / REQUEST}: made for {name} '{there}', not '{now}'; "
                    "choose another --folder"
                )
        write_atomically(folder / REQUEST, self.model_dump_json(indent=1).encode())


def make_request(
    table: str,
    size: str,
    seeds: int,
    config: str = "",
    *,
    meteor: bool = False,
    baseline: str = "",
) -> Request:
    """What a user asks for, checked.

    Raises:
        InputError: there is no such size.
    """
    if table.endswith(".toml"):
        table = str(Path(table).resolve())
    if config.endswith(".toml"):
        config = str(Path(config).resolve())
    for known in SIZES:
        if size == known:
            return Request(
                table=table,
                size=known,
                seeds=seeds,
                config=config,
                meteor=meteor,
                baseline=baseline,
            )
    raise InputError(f"--size {size}: expected one of {', '.join(SIZES)}")


def read_request(folder: Path) -> Request:
    """What a table's folder was made for.

    Raises:
        InputError: it is no such folder, or the file is damaged.
    """
    path = folder / REQUEST
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError("no object")
    except FileNotFoundError as error:
        raise InputError(f"{folder}: no {REQUEST}; expected the folder of a table") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged, expected what a table was made for") from error
    return parse_settings(Request, values, str(path))


@dataclass(frozen=True)
class Run:
    """One training run of a grid."""

    root: Path
    name: str
    recipe: str
    config: str
    changes: tuple[str, ...]
    """All of them, that of the seed too."""
    seed: int

    @property
    def folder(self) -> Path:
        """Its run folder."""
        return self.root / self.name

    @property
    def training(self) -> Job:
        """What trains and scores it, or goes on with it."""
        changes = [word for change in self.changes for word in ("--set", change)]
        words = ["train", self.recipe, "--config", self.config, *changes]
        words += ["--run", str(self.folder), "--quiet"]
        product, logs = self.folder / "results.json", self.root / "logs"
        return Job(self.name, tuple(words), product, logs, holds_results)

    def probing(self, probe: str) -> Job:
        """What asks one probe of it, when it is finished.

        Somebody may have asked it about one split, or with other draws: then it is asked again.
        """
        words = ("probe", str(self.folder), probe, "--quiet")
        product = self.folder / "probes" / f"{probe}.json"
        logs = self.root / "logs"
        return Job(f"{self.name}-{probe}", words, product, logs, holds_whole_probe)

    def has_answered(self, probe: str) -> bool:
        """Whether one probe has been asked of it, about every split."""
        return self.probing(probe).is_finished

    @property
    def is_finished(self) -> bool:
        """Whether it has been trained and scored."""
        return self.training.is_finished

    @property
    def state(self) -> str:
        """For a plan."""
        if self.is_finished:
            return "finished"
        if self.training.failure:
            return f"failed: {self.training.failure}"
        if self.training.product.exists():
            return "damaged, to be scored again"
        return "begun" if self.folder.exists() else "to do"


@dataclass(frozen=True)
class Grid:
    """A table, and the runs behind its cells."""

    request: Request
    table: PaperTable
    root: Path
    cells: Mapping[tuple[str, str], tuple[Run, ...]]
    """Of row and block, a run for every seed; none where the cell is impossible."""
    impossible: Mapping[tuple[str, str], str]
    """Why."""

    @property
    def runs(self) -> tuple[Run, ...]:
        """Every run once, in the order of the table; all rows of a seed before the next seed."""
        rows = [cell for cell in self.cells.values() if cell]
        by_seed = [run for seed in zip(*rows, strict=True) for run in seed]
        return tuple({run.name: run for run in by_seed}.values())

    @property
    def probings(self) -> tuple[Job, ...]:
        """What is to be asked of runs: of all for columns, of the first seed for pictures."""
        jobs = [
            run.probing(probe)
            for (_, block), runs in self.cells.items()
            for run in runs
            for probe in self.table.asked_probes(block, pictures=run.seed == runs[0].seed)
        ]
        return tuple(dict.fromkeys(jobs))

    @property
    def failed(self) -> tuple[Job, ...]:
        """What failed the last time and has not been finished since."""
        jobs = (*(run.training for run in self.runs), *self.probings)
        return tuple(job for job in jobs if job.failure and not job.is_finished)

    @property
    def folder(self) -> Path:
        """Where the table goes."""
        return self.root / "tables" / self.request.folder_name


def lay_out(request: Request, root: Path) -> Grid:
    """All runs of a table.

    Raises:
        InputError: there is no such table or configuration, or settings or probes of a row do not
            fit.
    """
    table = read_table(request.table)
    if request.baseline:
        table = table.against(request.baseline)
    cells: dict[tuple[str, str], tuple[Run, ...]] = {}
    impossible: dict[tuple[str, str], str] = {}
    shown = {block.label for block, column in table.places if request.size in column.splits}
    sizes = [size for size in SIZES if any(column.is_shown(size) for column in table.columns)]
    if table.kind == "runs" and request.size not in sizes:
        raise InputError(
            f"{request.table}: no column has splits at size {request.size}, "
            f"expected --size {', '.join(sizes) or 'of a column that has some'}"
        )
    for row in table.run_rows:
        for block in table.blocks:
            place = (row.label, block.label)
            if block.label not in shown:
                continue
            general = (each.impossible_at(request.size) for each in (table, block, row))
            reasons = (*general, row.impossible_on.get(block.label, ""))
            reason = next(filter(None, reasons), "")
            cells[place] = ()
            if reason:
                impossible[place] = reason
            elif table.kind == "runs":
                cells[place] = _runs(request, table, (row, block), root)
    return Grid(request, table, root, cells, impossible)


def changes_of(table: PaperTable, row: Row, block: Block, size: Size) -> tuple[str, ...]:
    """What a cell changes in the configuration; the row has the last word."""
    return tuple(change for each in (table, block, row) for change in each.changes_at(size))


def _runs(
    request: Request, table: PaperTable, place: tuple[Row, Block], root: Path
) -> tuple[Run, ...]:
    """A run for every seed of a cell, each with settings and probes that fit."""
    row, block = place
    config = request.config or request.size
    changes = changes_of(table, row, block, request.size)
    path = config_path(table.recipe, config)
    where = f"{request.table}, row '{row.label}'"
    kind = load_recipe(table.recipe).Settings
    read_settings(kind, path)
    try:
        whatever_seed = read_settings(kind, path, (*changes, "seed=0"))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    fitting = fitting_of(table.recipe, whatever_seed)
    for probe in table.asked_probes(block.label):
        fitted(probe, table.recipe, fitting, where)
    name = f"{table.recipe}-{settings_hash(whatever_seed)}"
    return tuple(
        Run(root, f"{name}-{seed}", table.recipe, config, (*changes, f"seed={seed}"), seed)
        for seed in range(1, request.seeds + 1)
    )


__all__ = ["Grid", "Request", "Run", "changes_of", "lay_out", "make_request", "read_request"]
