"""What changes while a stage runs, beside weights and optimiser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phosphene.data.loader import Position


@dataclass
class Progress:
    """How far a stage has come; all of it is checkpointed."""

    update: int = 0
    position: Position = field(default_factory=Position)
    best_loss: float = float("inf")
    best_update: int = 0
    """The snapshot with that loss; 0 before there is one."""
    evaluations_since_best: int = 0
    snapshots: list[int] = field(default_factory=list)
    seconds: float = 0.0
    data: str = ""
    """Digest of what is trained on; empty where the stage has none."""

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return vars(self) | {"position": [self.position.epoch, self.position.batch]}

    @classmethod
    def restore(cls, record: Mapping[str, Any]) -> Progress:
        """The reverse of :meth:`record`."""
        return cls(**{**record, "position": Position(*record["position"])})

    def judge(self, values: Mapping[str, float]) -> None:
        """Compare the validation loss, where there is one, with the best so far."""
        if "loss" not in values:
            return
        if values["loss"] < self.best_loss:
            self.best_loss, self.evaluations_since_best = values["loss"], 0
            self.best_update = self.update
        else:
            self.evaluations_since_best += 1

    def idle(self, patience: int) -> bool:
        """Whether the loss has not fallen for ``patience`` evaluations; never with 0."""
        return 0 < patience <= self.evaluations_since_best
