"""How fast training is, and what each distillation term costs.

1. The trainer (batching, logging, evaluation hooks and all) against a bare loop over the same
   network and the same batches: the share of the bare speed that is left.
2. Our loss and dropout against PyTorch's own in that bare loop.
3. The time of one update with 0, 4, 8 and 16 photos, and of each term, against text only.

Everything is measured in one process, in turns, and the fastest of several repeats counts, so the
ratios hold on a noisy machine. The data are random sentences with the lengths of Multi30K.

    python benchmarks/train.py [--threads 1] [--updates 30] [--teacher small_resnet]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from phosphene.core.runlog import RunLog
from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.core.types import Batch
from phosphene.data.dataset import TrainingBatches, TranslationData
from phosphene.data.loader import Position
from phosphene.data.translation import Pair
from phosphene.models.teachers import TeacherConfig, build_teacher
from phosphene.models.translator import GeneratorConfig, Translator, TranslatorConfig, build, gold
from phosphene.nn.dropout import Dropout
from phosphene.nn.pyramid import InvertedPyramid
from phosphene.nn.visual import VisualTeacher, freeze
from phosphene.objectives.inversion import inter_modal, intra_modal, model_pairs
from phosphene.objectives.likelihood import label_smoothed
from phosphene.objectives.representation import l2
from phosphene.train.optim import OptimConfig, adam, trainable
from phosphene.train.stage import Budget, Stage
from phosphene.train.trainer import Trainer
from phosphene.weighting.direct import token_mean

VOCAB = 9712
Work = Callable[[int], None]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--updates", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--teacher", default="small_resnet")
    options = parser.parse_args()
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=options.threads))
    data = random_data(4000)
    tokens = count_tokens(data, options.updates)

    network = build(TranslatorConfig(vocab=VOCAB))
    plain = with_torch_dropout(build(TranslatorConfig(vocab=VOCAB)))
    contestants: dict[str, Work] = {
        "bare loop": lambda updates: bare(network, data, updates, smoothed),
        "bare loop, torch loss and dropout": lambda updates: bare(
            plain, data, updates, torch_smoothed
        ),
        "trainer": lambda updates: through_trainer(network, data, updates, runtime),
    }
    seconds = fastest(contestants, options.updates, options.repeats)
    bare_seconds = seconds["bare loop"]
    for name, value in seconds.items():
        print(
            f"{name:36s} {tokens / value:8.0f} target tokens/s  {bare_seconds / value:5.2f}x bare"
        )

    terms = fastest(inversion_updates(options.teacher), options.updates // 3 or 1, options.repeats)
    base = terms["text only"]
    for name, value in terms.items():
        print(
            f"{name:36s} {1000 * value / (options.updates // 3 or 1):8.1f} ms/update"
            f" {value / base:5.2f}x text only"
        )
    print(json.dumps({"machine": runtime.describe(), "training": seconds, "terms": terms}))


def fastest(contestants: dict[str, Work], updates: int, repeats: int) -> dict[str, float]:
    """The least seconds that each needs, measured in turns."""
    best = dict.fromkeys(contestants, float("inf"))
    for work in contestants.values():
        work(2)
    for _ in range(repeats):
        for name, work in contestants.items():
            started = time.perf_counter()
            work(updates)
            best[name] = min(best[name], time.perf_counter() - started)
    return best


def bare(network: Translator, data: TranslationData, updates: int, loss: Callable) -> None:
    """The shortest training loop there is."""
    optimizer = adam(trainable([network]), OptimConfig())
    batches = TrainingBatches(data, 1024, seed=1).iterate(Position())
    network.train()
    for _ in range(updates):
        _, batch = next(batches)
        optimizer.zero_grad(set_to_none=True)
        loss(network, batch).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 25.0)
        optimizer.step()


def through_trainer(
    network: Translator, data: TranslationData, updates: int, runtime: Runtime
) -> None:
    """The same through the project's trainer."""

    def loss(batch: Batch) -> dict:
        words, mask = gold(batch.target)
        return {"translation": token_mean(label_smoothed(network(batch).logits, words, 0.1), mask)}

    with tempfile.TemporaryDirectory() as folder:
        log = RunLog(Path(folder) / "log.jsonl", quiet=True)
        Trainer(Path(folder), runtime, log, seed=1).fit(
            Stage(
                name="translate",
                modules={"translator": network},
                batches=TrainingBatches(data, 1024, seed=1),
                loss=loss,
                budget=Budget(max_updates=updates),
                optim=OptimConfig(),
            )
        )


def smoothed(network: Translator, batch: Batch) -> torch.Tensor:
    """Our label-smoothed loss."""
    words, mask = gold(batch.target)
    return (label_smoothed(network(batch).logits, words, 0.1) * mask).sum() / mask.sum()


def torch_smoothed(network: Translator, batch: Batch) -> torch.Tensor:
    """PyTorch's."""
    words, mask = gold(batch.target)
    logits = network(batch).logits
    losses = F.cross_entropy(
        logits.flatten(0, 1), words.flatten(), label_smoothing=0.1, reduction="none"
    )
    return (losses * mask.flatten()).sum() / mask.sum()


def inversion_updates(teacher_name: str) -> dict[str, Work]:
    """One update of text-only and of inversion distillation with several photo budgets."""
    side = 64 if teacher_name.startswith("small") else 112
    teacher = freeze(build_teacher(TeacherConfig(network=teacher_name, side=side), 40))
    shape = teacher.stages[-1].shape
    student = InvertedPyramid(teacher.picture, teacher.stages)
    text = build(TranslatorConfig(vocab=VOCAB))
    generator = GeneratorConfig(channels=shape.channels, height=shape.height, width=shape.width)
    seeing = build(
        TranslatorConfig(
            vocab=VOCAB, fusion="multimodal", feature=shape.channels, generator=generator
        )
    )
    data = random_data(4000, side)

    def work(network: Translator, photos: int, irm: bool, iam: bool) -> Work:
        optimizer = adam(trainable([network, student]), OptimConfig())

        def run(updates: int) -> None:
            batches = TrainingBatches(data, 1024, 1, photos).iterate(Position())
            network.train()
            for _ in range(updates):
                _, batch = next(batches)
                optimizer.zero_grad(set_to_none=True)
                inversion_loss(network, student, teacher, batch, irm, iam).backward()
                optimizer.step()

        return run

    return {
        "text only": work(text, 0, False, False),
        "generator, 0 photos": work(seeing, 0, False, False),
        "IrM, 8 photos": work(seeing, 8, True, False),
        "IaM, 8 photos": work(seeing, 8, False, True),
        **{f"IrM + IaM, {n} photos": work(seeing, n, True, True) for n in (4, 8, 16)},
    }


def inversion_loss(
    network: Translator,
    student: nn.Module,
    teacher: VisualTeacher,
    batch: Batch,
    irm: bool,
    iam: bool,
) -> torch.Tensor:
    """The objective of eq. 9, or a part of it."""
    trace = network(batch)
    words, mask = gold(batch.target)
    loss = (label_smoothed(trace.logits, words, 0.1) * mask).sum() / mask.sum()
    if not (irm or iam):
        return loss
    with torch.no_grad():
        real = teacher(batch.pixels.values)
    drawn = student(trace.feature_map[batch.pixels.rows])
    if irm:
        loss = loss + inter_modal(real, drawn, l2, model_pairs).mean()
    if iam:
        seen = teacher.perceive(drawn.image)
        loss = loss + intra_modal(real, seen, l2, model_pairs).mean()
    return loss


def with_torch_dropout(network: Translator) -> Translator:
    """The same network with PyTorch's dropout in place of ours."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Dropout):
                setattr(module, name, nn.Dropout(child.probability))
    return network


def random_data(sentences: int, side: int = 0) -> TranslationData:
    """Random words in sentences as long as Multi30K's; with ``side``, pictures of noise."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.normal(14, 4.5, (sentences, 2)).round().astype(int), 4, 40)
    draw = [[rng.integers(4, VOCAB, length).tolist() for length in pair] for pair in lengths]
    pictures = rng.integers(0, 256, (64, side, side, 3), dtype=np.uint8) if side else None
    return TranslationData(
        tuple(Pair(str(number), "", "") for number in range(sentences)),
        [pair[0] for pair in draw],
        [pair[1] for pair in draw],
        rng.integers(0, 64, sentences),
        pictures,
    )


def count_tokens(data: TranslationData, updates: int) -> int:
    """Target tokens of the first ``updates`` batches."""
    batches = TrainingBatches(data, 1024, seed=1).iterate(Position())
    return sum(int(gold(next(batches)[1].target)[1].sum()) for _ in range(updates))


if __name__ == "__main__":
    main()
