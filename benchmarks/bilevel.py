"""What learned loss weights cost: the look-ahead by its routes against the plain update.

The student is a 4 x 312 encoder with word pieces and regions, the teacher's answers are given. Each
contestant makes whole updates of modality-specific distillation (three views, Adam, clipping); the
learned ones add a meta batch as large as the batch. Counted in forward passes of one view, with a
backward pass as two: plain 9; learned 9 + 3 (meta loss) + 3 to 9 (slopes: one-sided differences,
central ones, dual numbers) + 6 (second backward pass through the kept graph), 2.3 to 3 times as
much, if all views had the same length; the meta loss is of the longest.

Everything is measured in one process, in turns, and the fastest of several repeats counts. On a CPU
it is processor time that is measured, which other programs disturb least.

    python benchmarks/bilevel.py [--threads 1] [--batch 8] [--repeats 5]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from phosphene.core.runtime import Runtime, RuntimeConfig, seed_update
from phosphene.core.types import Batch, Regions, Tokens
from phosphene.data.loader import Position
from phosphene.data.views import views
from phosphene.models.vlencoder import VLEncoder, VLEncoderConfig
from phosphene.objectives.imitation import distillation
from phosphene.objectives.likelihood import single_label
from phosphene.train.meta_gradient import ROUTES
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget, LookAhead, LookAheadConfig, Stage
from phosphene.train.trainer import open_updater
from phosphene.train.update import Updater
from phosphene.weighting.direct import Term, example_mean
from phosphene.weighting.instance import ViewLosses, population
from phosphene.weighting.meta import MetaLearner

TEMPERATURE, LAMBDA, RATE = 4.0, 0.5, 5e-5
VOCAB, FEATURE, LABELS = 30522, 2048 + 4, 2


@dataclass(frozen=True)
class Taught:
    """A batch with a teacher's logits ``[batch, view, label]``."""

    batch: Batch
    teacher: Tensor

    def to(self, device: torch.device) -> Taught:
        return Taught(self.batch.to(device), self.teacher.to(device))


@dataclass(frozen=True)
class Same:
    """One batch for ever."""

    taught: Taught

    def iterate(self, start: Position, rank: int, processes: int) -> object:
        while True:
            yield Position(), self.taught


class Classifier(nn.Module):
    """An encoder and a linear layer on [CLS]."""

    def __init__(self, dropout: float, layers: int) -> None:
        super().__init__()
        self.encoder = VLEncoder(
            VLEncoderConfig(
                vocab=VOCAB, cls_id=101, sep_id=102, layers=layers, hidden=312, inner=1200,
                heads=12, dropout=dropout, attention_dropout=dropout, feature=FEATURE,
            )
        )  # fmt: skip
        self.head = nn.Linear(312, LABELS)

    def forward(self, batch: Batch) -> Tensor:
        return self.head(self.encoder(batch).cls)


def taught(rows: int, words: int, regions: int, seed: int) -> Taught:
    """Random words, regions, labels and answers."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(200, VOCAB, (rows, words), generator=generator)
    seen = Regions(
        torch.rand(rows, regions, FEATURE, generator=generator),
        torch.ones(rows, regions, dtype=torch.bool),
    )
    batch = Batch(
        tuple(str(row) for row in range(rows)),
        Tokens(ids, torch.ones_like(ids, dtype=torch.bool)),
        regions=seen,
        labels=torch.randint(LABELS, (rows,), generator=generator),
    )
    return Taught(batch, torch.randn(rows, 3, LABELS, generator=generator))


def losses(model: Classifier, given: Taught) -> ViewLosses:
    """The student's losses in three views."""
    logits = [model(view) for view in views(given.batch)]
    imitation = [
        distillation(own, teacher, TEMPERATURE)
        for own, teacher in zip(logits, given.teacher.unbind(1), strict=True)
    ]
    fixed = {"likelihood": example_mean(single_label(logits[0], given.batch.labels), LAMBDA)}
    return ViewLosses(fixed, torch.stack(imitation, 1), 1 - LAMBDA)


def plain_updater(options: argparse.Namespace, runtime: Runtime) -> tuple[Updater, Stage]:
    """Fixed weights."""
    seed_update(1)
    model = Classifier(options.dropout, options.layers).to(runtime.device)

    def terms(given: Taught) -> dict[str, Term]:
        now = losses(model, given)
        return now.terms(population((1.0, 0.5, 0.5), now.views))

    data = taught(options.batch, options.words, options.regions, 1)
    stage = Stage(
        name="distil",
        modules={"student": model},
        batches=Same(data),
        loss=terms,
        budget=Budget(max_updates=1),
        optim=OptimConfig(learning_rate=RATE),
    )
    return open_updater(stage, runtime), stage


def learned_updater(
    options: argparse.Namespace, runtime: Runtime, route: str, every: int
) -> tuple[Updater, MetaLearner]:
    """Learned weights, on the same student and data."""
    _, stage = plain_updater(options, runtime)
    model = stage.modules["student"]
    seed_update(2)
    learner = MetaLearner(LABELS).to(runtime.device)
    meta = taught(options.batch, options.words, options.regions, 2)
    ahead = LookAhead(
        learner,
        lambda given: learner(given.teacher.softmax(-1)),
        lambda given: losses(model, given),
        Same(meta),
        lambda given: example_mean(single_label(model(given.batch), given.batch.labels)),
        LookAheadConfig(route=route, every_updates=every),
    )
    return open_updater(replace(stage, loss=ahead.terms, look_ahead=ahead), runtime), learner


def fastest(
    contestants: dict[str, Callable[[], object]], repeats: int, cpu: bool
) -> dict[str, list[float]]:
    """Seconds of each, measured in turns after one round to warm up."""
    clock = time.process_time if cpu else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for work in contestants.values():
        work()
    for _ in range(repeats):
        for name, work in contestants.items():
            started = clock()
            work()
            seconds[name].append(clock() - started)
    return seconds


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--words", type=int, default=30)
    parser.add_argument("--regions", type=int, default=50)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--accelerator", default="cpu")
    options = parser.parse_args()
    runtime = Runtime(RuntimeConfig(accelerator=options.accelerator, threads=options.threads))
    data = taught(options.batch, options.words, options.regions, 1).to(runtime.device)

    def updates(updater: Updater, count: int) -> Callable[[], None]:
        def work() -> None:
            for update in range(1, count + 1):
                seed_update(3, update)
                updater(update, data, RATE)
            if runtime.device.type == "cuda":
                torch.cuda.synchronize()

        return work

    deviations = gradient_deviations(options, runtime, data)
    plain, _ = plain_updater(options, runtime)
    contestants: dict[str, Callable[[], object]] = {"plain": updates(plain, 1)}
    for route in ROUTES:
        contestants[route] = updates(learned_updater(options, runtime, route, 1)[0], 1)
    default = LookAheadConfig().route
    last = f"{default}, every {options.every}"
    now_and_then, _ = learned_updater(options, runtime, default, options.every)
    contestants[last] = updates(now_and_then, options.every)
    seconds = fastest(contestants, options.repeats, runtime.device.type == "cpu")
    per_update = {
        name: [value / (options.every if name == last else 1) for value in values]
        for name, values in seconds.items()
    }
    base = min(per_update["plain"])
    for name, values in per_update.items():
        middle = sorted(values)[len(values) // 2]
        print(
            f"{name:32s} {1000 * min(values):8.1f} ms/update (median {1000 * middle:8.1f})"
            f" {min(values) / base:5.2f}x plain  off by {deviations.get(name, 0.0):.1e}"
        )
    print(json.dumps({"machine": runtime.describe(), "seconds": per_update}))


def gradient_deviations(
    options: argparse.Namespace, runtime: Runtime, data: Taught
) -> dict[str, float]:
    """How far the learner's gradient of each route is from that of ``create_graph``."""
    gradients = {}
    for route in ROUTES:
        updater, learner = learned_updater(options, runtime, route, 1)
        seed_update(3, 1)
        updater(1, data, RATE)
        gradients[route] = torch.cat([p.grad.flatten() for p in learner.parameters()])
    exact = gradients["create_graph"]
    return {
        route: float((gradient - exact).norm() / exact.norm())
        for route, gradient in gradients.items()
    }


if __name__ == "__main__":
    main()
