"""A trainer that notes what each stage moved."""

from __future__ import annotations

from pathlib import Path

import torch

from phosphene.train.stage import Finished, Stage
from phosphene.train.trainer import Trainer


class Watcher:
    """Runs stages like the trainer; ``moved`` and ``still`` name what changed in each and what not.

    Names are ``module.parameter``; teachers and other frozen modules are looked at too, and have to
    be in evaluation mode.
    """

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.log = trainer.log
        self.device = trainer.device
        self.moved: dict[str, set[str]] = {}
        self.still: dict[str, set[str]] = {}

    def shared(self, name: str, *identity: object) -> Watcher:
        return self

    def cache(self, name: str, key: str) -> Path:
        return self.trainer.cache(name, key)

    def fit(self, stage: Stage) -> Finished:
        everything = {**stage.modules, **stage.frozen}
        before = {name: _copy(module) for name, module in everything.items()}
        finished = self.trainer.fit(stage)
        moved, still = self.moved.setdefault(stage.name, set()), set()
        for owner, module in everything.items():
            for name, value in module.state_dict().items():
                same = torch.equal(before[owner][name], value)
                (still if same else moved).add(f"{owner}.{name}")
        self.still[stage.name] = still
        for owner, module in stage.frozen.items():
            assert not any(part.training for part in module.modules()), owner
        return finished


def _copy(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}
