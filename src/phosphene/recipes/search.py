"""Hyper-parameters by random search on validation data, with the same number of trials for all.

A file of choices says which rows of a table are compared and what may vary in each::

    [every]                                   # choices of every row
    "distil.optim.learning_rate" = [0.001, 0.003]

    [at.paper]                                # instead of these, with --config paper
    "distil.optim.learning_rate" = [0.00003, 0.00005]

    [rows.kd]
    set = ["system=kd"]
    choices = { "distillation.temperature" = [1.0, 2.0, 4.0] }

Trials of a row are different combinations of its choices in a seeded order, so more trials go on
where fewer ended. A trial is a run folder without scores: the test set is never looked at. Its
value is the lowest validation loss of its last stage.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
from pydantic import Field

from phosphene.core.config import Frozen, read_settings, settings_hash
from phosphene.core.errors import InputError
from phosphene.core.files import write_atomically
from phosphene.core.runlog import RunLog, console, sign
from phosphene.core.runtime import one_process
from phosphene.recipes import config_path, load_recipe
from phosphene.report.model import Cell, Missing, Number, Table
from phosphene.train.run import open_run
from phosphene.train.trainer import Trainer

_ENDED: Final = "trial.json"
_DIVERGED: Final = sys.float_info.max
Choices = Mapping[str, tuple[Any, ...]]
"""The values that a setting may have, by its name."""


class Row(Frozen):
    """One system of the comparison."""

    set: tuple[str, ...] = ()
    """What makes it this system, as ``key=value``."""
    choices: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """What varies in this row alone."""


class Space(Frozen):
    """A file of choices."""

    every: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """What varies in every row."""
    at: dict[str, dict[str, tuple[Any, ...]]] = Field(default_factory=dict)
    """With the configuration of this name: choices of every row in place of those in ``every``."""
    rows: dict[str, Row] = Field(min_length=1)


@dataclass(frozen=True)
class Trial:
    """A finished trial."""

    row: str
    number: int
    changes: tuple[str, ...]
    """What was varied, as ``key=value``."""
    loss: float
    """The lowest on validation data."""
    update: int
    """Of the last stage, where it was found."""
    signature: str


def read_space(recipe: str, path: Path | None = None, config: str = "") -> Space:
    """The file of choices at ``path``, or the one that comes with ``recipe``, for ``config``.

    Raises:
        InputError: there is none, or it is not what it should be.
    """
    if path is None:
        folder = Path(str(resources.files("phosphene"))) / "configs" / "search"
        path = folder / f"{recipe}.toml"
        if not path.is_file():
            raise InputError(f"{recipe}: comes with no file of choices; name one with --space")
    space = read_settings(Space, path)
    space = space.model_copy(update={"every": space.every | space.at.get(config, {})})
    for name, row in space.rows.items():
        for key, values in (space.every | row.choices).items():
            if not values:
                raise InputError(f"{path}: rows.{name}: '{key}' has no values to choose from")
    return space


def combinations(choices: Choices, trials: int, seed: int) -> list[tuple[str, ...]]:
    """``trials`` different combinations as ``key=value``, in an order that ``seed`` gives.

    Raises:
        InputError: there are not so many.

    >>> combinations({"a": (1, 2), "b.c": ("x",)}, 2, seed=0)
    [('a=1', 'b.c="x"'), ('a=2', 'b.c="x"')]
    """
    sizes = [len(values) for values in choices.values()]
    if math.prod(sizes) < trials:
        raise InputError(f"{math.prod(sizes)} combinations, expected at least {trials} (--trials)")
    order = np.random.default_rng(seed).permutation(math.prod(sizes))[:trials]
    return [
        tuple(
            f"{key}={json.dumps(values[place])}"
            for (key, values), place in zip(
                choices.items(), np.unravel_index(index, sizes), strict=True
            )
        )
        for index in order
    ]


def search(
    recipe: str,
    config: str,
    changes: Sequence[str],
    folder: Path,
    *,
    trials: int,
    space: Space,
    rows: Sequence[str] = (),
    quiet: bool = False,
) -> list[Trial]:
    """Run ``trials`` of every row, or those that are not there yet, and write ``search.json``.

    Args:
        recipe: its name.
        config: as for training.
        changes: of every trial.
        folder: trials are ``ROW-NUMBER`` in it; what they share is trained once.
        trials: of each row.
        space: what varies.
        rows: some of the rows; all if not given.
        quiet: no progress.

    Raises:
        InputError: a row is unknown or has too few combinations, or a setting does not fit;
            nothing was trained then.
    """
    module, path = load_recipe(recipe), config_path(recipe, config)
    planned = [
        (name, number, varied, read_settings(module.Settings, path, [*changes, *fixed, *varied]))
        for name, fixed, drawn in _drawn(space, rows, trials)
        for number, varied in enumerate(drawn, start=1)
    ]
    runtimes = [one_process(settings.runtime, "a search") for *_, settings in planned]
    found: list[Trial] = []
    for (name, number, varied, settings), runtime in zip(planned, runtimes, strict=True):
        if not quiet:
            console.print(f"{name} {number} of {trials}: {' '.join(varied)}", markup=False)
        run = folder / f"{name}-{number}"
        open_run(run, recipe, settings)
        if not (run / _ENDED).exists():
            log = RunLog(run / "log.jsonl", quiet=quiet)
            module.train(Trainer(run, runtime, log, settings.seed), settings)
            loss, update = lowest_loss(log.events())
            outcome = {"loss": loss, "update": update, "signature": _sign(settings)}
            write_atomically(run / _ENDED, json.dumps(outcome).encode())
        ended = json.loads((run / _ENDED).read_text(encoding="utf-8"))
        found.append(Trial(name, number, varied, **{"signature": _sign(settings), **ended}))
        write_atomically(folder / "search.json", _record(found).encode())
    return found


def lowest_loss(events: Sequence[Mapping[str, Any]]) -> tuple[float, int]:
    """The lowest validation loss of a run's last stage, and the update where it was found.

    A loss that is no number is as bad as the largest there is.

    Raises:
        InputError: nothing was evaluated, so that trials cannot be told apart.
    """
    evaluated = [event for event in events if event["kind"] == "evaluate" and "loss" in event]
    if not evaluated:
        raise InputError("a trial ended without an evaluation: its budget is too short")
    last = [each for each in evaluated if each["stage"] == evaluated[-1]["stage"]]
    return min(
        (each["loss"] if math.isfinite(each["loss"]) else _DIVERGED, each["update"])
        for each in last
    )


def best(found: Sequence[Trial]) -> dict[str, Trial]:
    """The trial of each row with the lowest loss."""
    chosen: dict[str, Trial] = {}
    for trial in sorted(found, key=lambda each: each.loss):
        chosen.setdefault(trial.row, trial)
    return {trial.row: chosen[trial.row] for trial in found}


def search_table(found: Sequence[Trial]) -> Table:
    """The best trial of every row, and how much the trials differ."""
    rows = []
    for name, trial in best(found).items():
        row = sorted((each for each in found if each.row == name), key=lambda each: each.loss)
        rows.append(
            (
                name,
                *(_cell(each) for each in (row[0], row[(len(row) - 1) // 2], row[-1])),
                str(len(row)),
                " ".join(f"--set {shlex.quote(change)}" for change in trial.changes),
            )
        )
    header = (
        "row",
        "best validation loss",
        "lower median",
        "worst",
        "trials",
        "best settings",
    )
    return Table("Search", header, tuple(rows))


def _drawn(
    space: Space, rows: Sequence[str], trials: int
) -> Iterator[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Of every row its name, what makes it, and its combinations."""
    for name in rows or space.rows:
        if name not in space.rows:
            raise InputError(f"unknown row '{name}': expected one of {', '.join(space.rows)}")
        row = space.rows[name]
        try:
            yield name, row.set, combinations(space.every | row.choices, trials, seed=0)
        except InputError as error:
            raise InputError(f"row '{name}': {error}") from error


def _cell(trial: Trial) -> Cell:
    if trial.loss == _DIVERGED:
        return Missing("diverged")
    return Number(trial.loss, trial.signature, 4)


def _sign(settings: Any) -> str:
    config = settings_hash(settings)
    return str(sign("validation", config, settings.seed, "lowest validation loss"))


def _record(found: Sequence[Trial]) -> str:
    chosen = {name: trial.number for name, trial in best(found).items()}
    record = {"best": chosen, "trials": [asdict(trial) for trial in found]}
    return json.dumps(record, indent=1)


__all__ = [
    "Row",
    "Space",
    "Trial",
    "best",
    "combinations",
    "lowest_loss",
    "read_space",
    "search",
    "search_table",
]
