"""A run small enough to be killed, resumed and shared out in a test.

As a script: ``python tiny_training.py FOLDER DEVICES STRATEGY UPDATES`` trains :func:`shared_run`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
import torch
from torch import nn

from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, RuntimeConfig, seed_update
from phosphene.core.types import Batch
from phosphene.data.dataset import (
    NO_PICTURE,
    TrainingBatches,
    TranslationData,
    evaluation_batches,
)
from phosphene.data.translation import Pair
from phosphene.models.translator import GeneratorConfig, Translator, TranslatorConfig, build, gold
from phosphene.nn.generator import masked_mean
from phosphene.objectives.likelihood import label_smoothed
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget, Finished, Stage
from phosphene.train.trainer import Trainer
from phosphene.weighting.direct import Term, example_mean, token_mean, withheld

VOCAB = 32
Strategy = Literal["auto", "ddp", "fsdp"]


def corpus(examples: int = 60) -> TranslationData:
    """Words to the same words backwards; every other sentence has a grey picture."""
    rng = np.random.default_rng(0)
    sources = [rng.integers(4, VOCAB, rng.integers(1, 8)).tolist() for _ in range(examples)]
    return TranslationData(
        tuple(Pair(f"e{number}", "", "") for number in range(examples)),
        sources,
        [source[::-1] for source in sources],
        np.where(np.arange(examples) % 2 == 0, np.arange(examples) // 2, NO_PICTURE),
        rng.integers(0, 256, ((examples + 1) // 2, 1, 1, 1), dtype=np.uint8).repeat(3, 3),
    )


def translator(*, dropout: float, generator: bool) -> Translator:
    """A fresh one-layer translator, always the same."""
    seed_update(3)
    return build(
        TranslatorConfig(
            vocab=VOCAB,
            layers=1,
            hidden=16,
            inner=24,
            heads=2,
            dropout=dropout,
            fusion="multimodal" if generator else "none",
            feature=4,
            generator=GeneratorConfig(channels=4, height=2, width=2, rank=3) if generator else None,
        )
    )


def translation_terms(model: Translator, batch: Batch) -> dict[str, Term]:
    """The loss of a translator."""
    assert batch.target is not None
    words, mask = gold(batch.target)
    return {"translation": token_mean(label_smoothed(model(batch).logits, words, 0.1), mask)}


def validation(model: Translator, data: TranslationData) -> Mapping[str, float]:
    """Loss per token on the training data themselves."""
    terms = [
        translation_terms(model, batch)["translation"] for _, batch in evaluation_batches(data, 200)
    ]
    total = sum(float(term.total) for term in terms)
    return {"loss": total / sum(term.count for term in terms)}


def basic_stage(model: Translator, budget: Budget, name: str = "translate") -> Stage:
    """Training of ``model`` on the corpus."""
    data = corpus()
    return Stage(
        name=name,
        modules={"translator": model},
        batches=TrainingBatches(data, 100, seed=1),
        loss=lambda batch: translation_terms(model, batch),
        budget=budget,
        optim=OptimConfig(warmup_updates=20),
        evaluate=lambda: validation(model, data),
    )


def open_trainer(folder: Path, devices: int = 1, strategy: Strategy = "auto") -> Trainer:
    """A trainer on CPUs, in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    runtime = Runtime(
        RuntimeConfig(accelerator="cpu", devices=devices, strategy=strategy, threads=1)
    )
    return Trainer(folder, runtime, RunLog(folder / "log.jsonl", quiet=True), seed=5)


def resumable_run(folder: Path) -> None:
    """Two stages with dropout, batch statistics and gradient shares, checkpointed all the time."""
    trainer = open_trainer(folder)
    budget = Budget(
        max_updates=40, evaluate_every_updates=20, average_last=2, checkpoint_seconds=0.05
    )
    first = translator(dropout=0.2, generator=False)
    best = budget.model_copy(update={"evaluate_every_updates": 8, "select": "best"})
    trainer.fit(basic_stage(first, best, "warm-up"))
    model = translator(dropout=0.2, generator=True)
    model.embedding.load_state_dict(first.embedding.state_dict())
    longer = budget.model_copy(update={"max_updates": 200, "average_last": 4})
    trainer.fit(replace(basic_stage(model, longer), watch=model.generator))


def shared_run(
    folder: Path, devices: int, strategy: Strategy = "auto", updates: int = 1000
) -> Finished:
    """Two stages that give the same numbers however many processes share their batches.

    Fails after so many ``updates``.
    """
    trainer = open_trainer(folder, devices, strategy)
    remaining = iter(range(updates))
    model, picture = translator(dropout=0.0, generator=False), nn.Linear(16, 3)
    data = corpus(31)

    def loss(batch: Batch) -> dict[str, Term]:
        assert batch.pixels is not None
        next(remaining)
        terms = translation_terms(model, batch)
        if not len(batch.pixels.rows):
            return {**terms, **withheld("picture", like=terms["translation"].total)}
        text = masked_mean(model.embedding(batch.source.ids), batch.source.mask)
        drawn = picture(text[batch.pixels.rows])
        distance = (drawn - batch.pixels.values[:, :, 0, 0]).square().mean(dim=1)
        return {**terms, "picture": example_mean(distance, 0.5)}

    stage = Stage(
        name="translate",
        modules={"translator": model, "picture": picture},
        # A few short sentences at a time, and one photo: some shares have none, or no sentence.
        batches=TrainingBatches(data, 16, seed=1, photos_per_batch=1),
        loss=loss,
        budget=Budget(max_updates=20, evaluate_every_updates=1, average_last=1),
        optim=OptimConfig(warmup_updates=10, clip_norm=0.5),
        evaluate=lambda: validation(model, data),
    )

    def work() -> Finished:
        if not trainer.runtime.is_main:
            trainer.log = RunLog(None, quiet=True)
        trainer.fit(stage)
        return trainer.fit(replace(stage, name="again"))

    return trainer.runtime.launch(work)


if __name__ == "__main__":
    torch.set_num_threads(1)
    shared_run(Path(sys.argv[1]), int(sys.argv[2]), cast(Strategy, sys.argv[3]), int(sys.argv[4]))
