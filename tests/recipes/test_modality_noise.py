"""Learned weights mean something: they fall where the teacher's answer to a modality is noise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_modality import NETWORK, settings, trainer
from torch import Tensor

from phosphene.core.runtime import seed_update
from phosphene.data.classification_data import ClassificationData
from phosphene.data.views import mask
from phosphene.recipes.modality_kd import distil, weights
from phosphene.recipes.modality_kd_data import load_data
from phosphene.recipes.modality_kd_losses import Task
from phosphene.recipes.modality_kd_networks import Pupil, side
from phosphene.recipes.modality_kd_results import Trained, mean_weights

PICTURED = 3
"""The first three genres are told by the picture, the others by the sentence or by both."""

MARGIN = 0.03
"""A learner that learned nothing may differ by less; of seeds 3 to 7 the least was .047."""


class Answers:
    """A teacher that knows what each view tells; of half of the images it says anything."""

    def __init__(self, data: ClassificationData, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.noisy = torch.rand(len(data), generator=generator) < 0.5
        truth = 4 * data.targets(np.arange(len(data))) - 2
        image, text = truth.clone(), truth.clone()
        image[:, PICTURED:], text[:, :PICTURED] = -1, -1
        noise = 4 * torch.randint(0, 2, truth.shape, generator=generator).float() - 2
        image[self.noisy] = noise[self.noisy]
        self.logits = torch.stack([truth, image, text], dim=1)
        self.rows = {example.id: row for row, example in enumerate(data.examples)}

    def read(self, ids: Iterable[str], names: Sequence[str] = ()) -> list[dict[str, Tensor]]:
        return [{"logits": self.logits[self.rows[name]]} for name in ids]


def image_weights(folder: Path, seed: int) -> tuple[float, float]:
    """The mean weight of the image where the teacher's answer to it is noise, and elsewhere."""
    plan = settings(
        system="msd_meta",
        seed=seed,
        data={"source": "world", "task": "genres", "train_examples": 240, "test_examples": 60},
        network={**NETWORK, "hidden": 16, "inner": 16, "dropout": 0.0},
        distil={
            "batch": 16,
            "budget": {"max_updates": 120, "average_last": 1},
            "optim": {"learning_rate": 0.005, "warmup_updates": 10, "schedule": "constant"},
        },
        meta={"learning_rate": 0.001, "rate_factor": 100.0},
    )
    runner = trainer(folder)
    data = load_data(runner, plan)
    seed_update(seed)
    student = side(plan, data, plan.network)
    pupil = Pupil.of(plan, student, student)
    answers, task = Answers(student.data.train, seed), Task(many=True)
    finished = distil(runner, plan, task, pupil, answers, mask, {})
    weigh = weights(plan, task, pupil.learner)
    found = mean_weights(
        Trained(data, student, student, mask, finished, {"train": answers}, weigh)
    )[:, 1]
    return float(found[answers.noisy].mean()), float(found[~answers.noisy].mean())


@pytest.mark.parametrize("seed", [3, 4])
def test_the_image_counts_less_where_the_teacher_guesses(tmp_path: Path, seed: int) -> None:
    noisy, clean = image_weights(tmp_path / "run", seed)
    assert noisy < clean - MARGIN


@pytest.mark.slow
def test_in_five_of_five_runs(tmp_path: Path) -> None:
    found = [image_weights(tmp_path / f"run-{seed}", seed) for seed in range(3, 8)]
    assert all(noisy < clean - MARGIN for noisy, clean in found)
