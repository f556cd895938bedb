"""What a recipe would do, found by running it with a trainer that does not train."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch

from phosphene.core.config import Frozen, read_settings
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, seed_update
from phosphene.data.loader import Position
from phosphene.recipes import config_path, load_recipe
from phosphene.report.model import Cell, Table
from phosphene.report.tables import to_text
from phosphene.train.stage import Finished, Stage
from phosphene.train.trainer import open_updater

_TRIED_UPDATES = 3


@dataclass(frozen=True)
class StagePlan:
    """One stage, tried for a few updates."""

    name: str
    modules: dict[str, tuple[int, int]]
    """Trainable and frozen parameters of each module."""
    frozen: dict[str, bool]
    """Whether each teacher is in evaluation mode."""
    terms: dict[str, float]
    """Every term of the objective and its mean on the last tried batch."""
    updates: int
    seconds_per_update: float

    @property
    def hours(self) -> float:
        """Estimate for the whole budget, evaluations not counted."""
        return self.updates * self.seconds_per_update / 3600


@dataclass(frozen=True)
class Plan:
    """All stages, and what there is to train on."""

    recipe: str
    config: str
    data: dict[str, str]
    stages: tuple[StagePlan, ...]

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def __str__(self) -> str:
        rows: list[tuple[Cell, ...]] = []
        for stage in self.stages:
            for name, (trainable, frozen) in stage.modules.items():
                rows.append((stage.name, name, f"{trainable:,}", f"{frozen:,}", "trained"))
            for name, in_eval in stage.frozen.items():
                mode = "frozen, evaluation mode" if in_eval else "NOT in evaluation mode"
                rows.append((stage.name, name, "0", "", mode))
        parameters = Table(
            "Parameters", ("stage", "module", "trainable", "frozen", "state"), tuple(rows)
        )
        costs = Table(
            "Stages",
            ("stage", "terms", "updates", "s / update", "hours"),
            tuple(
                (
                    stage.name,
                    ", ".join(f"{name} {value:.3g}" for name, value in stage.terms.items()),
                    f"{stage.updates:,}",
                    f"{stage.seconds_per_update:.3f}",
                    f"{stage.hours:.2f}",
                )
                for stage in self.stages
            ),
            f"Timed on this machine over {_TRIED_UPDATES} updates; nothing was written.",
        )
        data = Table("Data", ("split", "examples"), tuple(self.data.items()))
        head = f"{self.recipe}, {self.config}"
        return "\n".join([head, "", to_text(data), to_text(parameters), to_text(costs)])


@dataclass
class Planner:
    """Runs a few updates of each stage instead of all."""

    runtime: Runtime
    log: RunLog
    stages: list[StagePlan] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """Where modules live."""
        return self.runtime.device

    def shared(self, name: str, *identity: Frozen | int | str) -> Planner:
        """Stages that runs share are tried like any other."""
        return self

    def cache(self, name: str, key: str) -> None:
        """Nothing is written."""
        return

    def fit(self, stage: Stage) -> Finished:
        """Try ``stage``."""
        for module in stage.saved.values():
            module.to(self.device).train()
        updater = open_updater(stage, self.runtime)
        batches = stage.batches.iterate(Position(), 0, 1)
        seconds: list[float] = []
        terms: dict[str, float] = {}
        for update in range(1, _TRIED_UPDATES + 1):
            seed_update(0, update)
            _, batch = next(batches)
            started = time.perf_counter()
            outcome = updater(update, batch.to(self.device), 1e-6)
            seconds.append(time.perf_counter() - started)
            terms = outcome.means
        self.stages.append(
            StagePlan(
                stage.name,
                {name: _parameters(module) for name, module in stage.saved.items()},
                {
                    name: not any(part.training for part in module.modules())
                    for name, module in stage.frozen.items()
                },
                terms,
                stage.budget.max_updates,
                min(seconds),
            )
        )
        for module in stage.saved.values():
            module.eval()
        return Finished(_TRIED_UPDATES, sum(seconds), "not trained")


def plan(recipe: str, config: str, changes: Sequence[str]) -> Plan:
    """Read the configuration and the data, try every stage, write nothing.

    Raises:
        InputError: as for training.
    """
    module = load_recipe(recipe)
    settings = read_settings(module.Settings, config_path(recipe, config), changes)
    alone = settings.runtime.model_copy(update={"devices": 1, "strategy": "auto"})
    planner = Planner(Runtime(alone), RunLog(None))
    trained = module.train(planner, settings)
    return Plan(recipe, config, trained.corpus.counts(), tuple(planner.stages))


def _parameters(module: torch.nn.Module) -> tuple[int, int]:
    counts = {True: 0, False: 0}
    for parameter in module.parameters():
        counts[parameter.requires_grad] += parameter.numel()
    return counts[True], counts[False]
