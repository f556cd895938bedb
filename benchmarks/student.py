"""What a smaller classifier costs and says: a finished run's student beside its teacher.

Latency of one example and throughput of batches, in float32 and with the encoder's linear layers in
dynamic int8, on one thread; the clock is that of the processor, models take turns, and the fastest
of several repeats counts. Beside it the accuracy on the test set (of many labels: the share of
labels that are right), and how often a model in int8 says what it says in float32.

    python benchmarks/student.py RUN TEACHER_RUN [--repeats 5] [--batch 32]

``TEACHER_RUN`` is a run with ``system = "teacher"`` beside it; both are toy or small runs.
"""

from __future__ import annotations

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from phosphene.core.config import read_settings
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime
from phosphene.data.classification_data import ClassificationData, in_order
from phosphene.models.answerer import Answerer
from phosphene.models.answerer_folder import load_answerer
from phosphene.recipes.modality_kd_data import load_data
from phosphene.recipes.modality_kd_settings import Settings
from phosphene.train.trainer import Trainer


def main() -> None:
    """Print one line for every model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path, nargs=2, metavar="RUN")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    options = parser.parse_args()
    run, teacher_run = options.runs
    settings = read_settings(Settings, run / "config.toml")
    trainer = Trainer(run, Runtime(settings.runtime), RunLog(None, quiet=True), settings.seed)
    data = load_data(trainer, settings)
    models: dict[str, tuple[Answerer, ClassificationData]] = {}
    for name, folder in (("teacher", teacher_run), ("student", run)):
        loaded = load_answerer(folder / "model")
        split = data.splits["test"].encode(loaded.reader, data.labels)
        models[name] = loaded.model, split
        quantised = copy.deepcopy(loaded.model)
        quantised.encoder.encoder = torch.ao.quantization.quantize_dynamic(
            quantised.encoder.encoder, {nn.Linear}
        )
        models[f"{name}, int8"] = quantised, split
    answers = {name: logits(*each, options.batch) for name, each in models.items()}
    times = {name: [float("inf"), float("inf")] for name in models}
    for _ in range(options.repeats):
        for name, each in models.items():
            for column, size in enumerate((1, options.batch)):
                times[name][column] = min(times[name][column], seconds(*each, size))
    base = times["teacher"]
    for name, (one, many) in times.items():
        truth = models[name][1].targets(np.arange(len(answers[name])))
        same = float(
            (answers[name].argmax(1) == answers[name.split(",")[0]].argmax(1)).float().mean()
        )
        print(
            f"{name:14} one example {1000 * one:6.2f} ms ({base[0] / one:4.1f} x), batches of "
            f"{options.batch} {1 / many:8.0f} a second ({base[1] / many:4.1f} x), accuracy "
            f"{100 * right(answers[name], truth):.2f}, as in float32 {100 * same:.2f}"
        )


@torch.no_grad()
def logits(model: Answerer, data: ClassificationData, batch: int) -> Tensor:
    """Answers to the test set."""
    return torch.cat([model(each).logits for each in in_order(data, batch)])


@torch.no_grad()
def seconds(model: Answerer, data: ClassificationData, batch: int) -> float:
    """Processor time per example, over some batches."""
    chosen = [each for _, each in zip(range(20), in_order(data, batch), strict=False)]
    started = time.process_time()
    for each in chosen:
        model(each)
    return (time.process_time() - started) / sum(map(len, chosen))


def right(answers: Tensor, truth: Tensor) -> float:
    """Share of right classes, or of right labels."""
    if truth.dim() == 2:
        return float(((answers > 0) == (truth > 0.5)).float().mean())
    return float((answers.argmax(1) == truth).float().mean())


if __name__ == "__main__":
    main()
