"""What a smaller classifier costs and says, beside its teacher.

Latency of one example (median and 95th percentile) and throughput of batches, in float32 and with
the encoder's linear layers in dynamic int8, on one thread; the clock is that of the processor,
models take turns, and for throughput the fastest of several repeats counts. Of finished runs also
the accuracy on the test set (of many labels: the share of labels that are right), how far it is
from the teacher's, and how often a model in int8 says what it says in float32.

    python benchmarks/student.py RUN TEACHER_RUN [--repeats 5] [--batch 32]
    python benchmarks/student.py

``TEACHER_RUN`` is a run with ``system = "teacher"`` beside it; both are toy or small runs. Without
runs the networks have the paper's sizes (12 x 768 and 4 x 312) and random weights, and read 30 word
pieces and 50 regions: speed alone.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from phosphene.core.config import read_settings
from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime
from phosphene.core.types import Batch, Regions, Tokens
from phosphene.data.classification_data import in_order
from phosphene.models.answerer import Answerer, AnswererConfig
from phosphene.models.answerer_folder import load_answerer
from phosphene.models.vlencoder import VLEncoderConfig
from phosphene.recipes.modality_kd_data import load_data
from phosphene.recipes.modality_kd_settings import Settings
from phosphene.train.trainer import Trainer


@dataclass(frozen=True)
class Contestant:
    """A classifier and what it answers to, batches of a given size at a time."""

    model: Answerer
    batches: Callable[[int], Iterator[Batch]]
    truth: Tensor | None = None
    """Labels of all examples, where there are any."""

    def quantised(self) -> Contestant:
        """The same with the encoder's linear layers in dynamic int8."""
        model = copy.deepcopy(self.model)
        model.encoder.encoder = torch.ao.quantization.quantize_dynamic(
            model.encoder.encoder, {nn.Linear}
        )
        return replace(self, model=model)


def main() -> None:
    """Print one line for every model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path, nargs="*", metavar="RUN")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--examples", type=int, default=64, help="timed one by one")
    options = parser.parse_args()
    if len(options.runs) not in (0, 2):
        parser.error("expected a run and its teacher's, or none")
    torch.set_num_threads(1)
    pair = finished(*options.runs) if options.runs else of_the_papers_sizes()
    models = {}
    for name, each in zip(("teacher", "student"), pair, strict=True):
        models |= {name: each, f"{name}, int8": each.quantised()}
    answers = {
        name: torch.cat([each.model(batch).logits for batch in each.batches(options.batch)])
        for name, each in models.items()
        if each.truth is not None
    }
    single: dict[str, list[float]] = {name: [] for name in models}
    many: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(options.repeats):
        for name, each in models.items():
            single[name] += seconds(each, 1, options.examples)
            many[name].append(sum(seconds(each, options.batch, 2)) / (2 * options.batch))
    for name, each in models.items():
        middle, slow = np.percentile(single[name], [50, 95])
        print(
            f"{name:14} one example {1000 * middle:7.2f} ms, 95 % below {1000 * slow:7.2f} "
            f"({np.median(single['teacher']) / middle:4.1f} x), batches of {options.batch} "
            f"{1 / min(many[name]):7.1f} a second ({min(many['teacher']) / min(many[name]):4.1f} x)"
        )
        if each.truth is not None:
            score = right(answers[name], each.truth)
            behind = score - right(answers["teacher"], each.truth)
            same = said_alike(answers[name], answers[name.split(",")[0]])
            print(
                f"{'':14} accuracy {100 * score:.2f} ({100 * behind:+.2f} to the teacher), "
                f"as in float32 {100 * same:.2f} %"
            )


def finished(run: Path, teacher_run: Path) -> tuple[Contestant, Contestant]:
    """Teacher and student of finished runs, on their test set."""
    settings = read_settings(Settings, run / "config.toml")
    trainer = Trainer(run, Runtime(settings.runtime), RunLog(None, quiet=True), settings.seed)
    data = load_data(trainer, settings)

    def of(folder: Path) -> Contestant:
        loaded = load_answerer(folder / "model")
        split = data.splits["test"].encode(loaded.reader, data.labels)
        truth = split.targets(np.arange(len(split)))
        return Contestant(loaded.model, lambda size: in_order(split, size), truth)

    return of(teacher_run), of(run)


def of_the_papers_sizes() -> tuple[Contestant, Contestant]:
    """Random weights, words and regions."""
    generator = torch.Generator().manual_seed(1)

    def batches(size: int) -> Iterator[Batch]:
        while True:
            ids = torch.randint(200, 30522, (size, 30), generator=generator)
            seen = torch.rand(size, 50, 2048 + 4, generator=generator)
            yield Batch(
                tuple(map(str, range(size))),
                Tokens(ids, torch.ones_like(ids, dtype=torch.bool)),
                regions=Regions(seen, torch.ones(size, 50, dtype=torch.bool)),
            )

    def of(layers: int, hidden: int, inner: int) -> Contestant:
        encoder = VLEncoderConfig(
            vocab=30522, cls_id=101, sep_id=102, layers=layers, hidden=hidden, inner=inner,
            heads=12, feature=2048 + 4,
        )  # fmt: skip
        return Contestant(Answerer(AnswererConfig(encoder=encoder, answers=2)).eval(), batches)

    return of(12, 768, 3072), of(4, 312, 1200)


def seconds(contestant: Contestant, size: int, count: int) -> list[float]:
    """Processor time of each of ``count`` batches of ``size`` examples."""
    found = []
    for batch in islice(contestant.batches(size), count):
        started = time.process_time()
        contestant.model(batch)
        found.append(time.process_time() - started)
    return found


def right(answers: Tensor, truth: Tensor) -> float:
    """Share of right classes, or of right labels."""
    if truth.dim() == 2:
        return float(((answers > 0) == (truth > 0.5)).float().mean())
    return float((answers.argmax(1) == truth).float().mean())


def said_alike(one: Tensor, other: Tensor) -> float:
    """Share of examples with the same most probable label."""
    return float((one.argmax(1) == other.argmax(1)).float().mean())


if __name__ == "__main__":
    with torch.inference_mode():
        main()
