"""An accelerator computes what a CPU does: losses, translations, whole recipes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import torch
from tiny_training import basic_stage, corpus, translation_terms, translator

from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.data.dataset import evaluation_batches
from phosphene.models.search import SearchConfig, log_likelihoods, translate
from phosphene.models.translator import Translator
from phosphene.recipes.launch import train_run
from phosphene.train.stage import Budget
from phosphene.train.trainer import Trainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here"),
]
Kind = Literal["cpu", "cuda"]
ACCELERATOR: Kind = "cuda"


def losses(
    folder: Path, kind: Kind, precision: Literal["32-true", "bf16-mixed"] = "32-true"
) -> tuple[list[float], Translator]:
    """Validation losses of a short training, and the translator."""
    folder.mkdir(parents=True, exist_ok=True)
    runtime = Runtime(RuntimeConfig(accelerator=kind, precision=precision, threads=1))
    trainer = Trainer(folder, runtime, RunLog(folder / "log.jsonl", quiet=True), seed=5)
    model = translator(dropout=0.0, generator=False)
    data = corpus()

    def validation() -> Mapping[str, float]:
        terms = [
            translation_terms(model, batch.to(trainer.device))["translation"]
            for _, batch in evaluation_batches(data, 200)
        ]
        return {"loss": sum(float(term.total) for term in terms) / sum(t.count for t in terms)}

    budget = Budget(max_updates=60, evaluate_every_updates=10, average_last=1)
    trainer.fit(replace(basic_stage(model, budget), evaluate=validation))
    events = trainer.log.events()
    return [event["loss"] for event in events if event["kind"] == "evaluate"], model


def test_the_loss_curve_of_a_cpu(tmp_path: Path) -> None:
    expected, _ = losses(tmp_path / "cpu", "cpu")
    found, _ = losses(tmp_path / "gpu", ACCELERATOR)
    assert found == pytest.approx(expected, rel=1e-3)
    assert expected[-1] < 0.9 * expected[0]


def test_mixed_precision_learns_as_much(tmp_path: Path) -> None:
    expected, _ = losses(tmp_path / "cpu", "cpu")
    found, _ = losses(tmp_path / "gpu", ACCELERATOR, "bf16-mixed")
    assert found == pytest.approx(expected, rel=0.03)
    assert found != expected


def test_the_translations_of_a_cpu(tmp_path: Path) -> None:
    _, model = losses(tmp_path / "gpu", ACCELERATOR)
    here = copy.deepcopy(model).cpu().eval()
    there = model.eval()
    assert next(there.parameters()).device.type == ACCELERATOR
    search = SearchConfig(beam=5, max_length=12)
    for _, batch in evaluation_batches(corpus(), 200):
        sent = batch.to(next(there.parameters()).device)
        expected = translate(here, batch, search)
        found = translate(there, sent, search)
        assert [one[0].ids for one in found] == [one[0].ids for one in expected]
        assert torch.allclose(
            log_likelihoods(there, sent).cpu(), log_likelihoods(here, batch), atol=1e-3
        )


def test_a_recipe_from_command_to_report(tmp_path: Path) -> None:
    changes = [
        f"runtime.accelerator={ACCELERATOR}",
        "budget.max_updates=4",
        "budget.evaluate_every_updates=2",
        "data.train_scenes=60",
        "data.test_scenes=20",
        "teacher_training.scenes=40",
        "teacher_training.budget.max_updates=3",
    ]
    results = train_run("inversion_mmt", "toy", changes, tmp_path / "run", quiet=True)
    assert all(split.scores for split in results.splits)
    assert (tmp_path / "run" / "report.html").stat().st_size > 0
