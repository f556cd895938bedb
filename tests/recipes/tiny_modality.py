"""``modality_kd`` on a few scenes of the world, small enough for a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from phosphene.core.config import parse_settings
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.recipes.modality_kd_settings import Settings
from phosphene.train.trainer import Trainer

STAGE: dict[str, Any] = {
    "batch": 8,
    "budget": {"max_updates": 4, "evaluate_every_updates": 2, "select": "best"},
    "optim": {"learning_rate": 0.01, "warmup_updates": 1},
}
NETWORK: dict[str, Any] = {
    "merges": 60,
    "layers": 1,
    "hidden": 8,
    "inner": 12,
    "heads": 2,
    "dropout": 0.1,
    "max_positions": 64,
}
TINY: dict[str, Any] = {
    "data": {"source": "world", "train_examples": 40, "test_examples": 8},
    "lengths": {"question": 32, "tags": 0, "regions": 4},
    "network": NETWORK,
    "teacher_network": {**NETWORK, "layers": 2, "hidden": 12},
    "teacher_training": {"scenes": 32, "pictures_per_update": 16, "budget": {"max_updates": 2}},
    "teach": STAGE,
    "distil": STAGE,
    "meta": {"learning_rate": 0.05, "rate_factor": 50.0},
    "runtime": {"accelerator": "cpu", "threads": 1},
}


def settings(**changes: object) -> Settings:
    """``TINY`` with other values."""
    return parse_settings(Settings, {**TINY, **changes}, "test")


def trainer(folder: Path, log: RunLog | None = None) -> Trainer:
    """A quiet trainer; runs in neighbouring folders share the teacher."""
    folder.mkdir(parents=True, exist_ok=True)
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    return Trainer(folder, runtime, log or RunLog(None, quiet=True), 1)
