"""What an update of plain distillation costs, here and in other toolkits.

Every contestant trains the same student (4 x 312, word pieces and regions) from the same weights on
the same ready-made batches with the same optimiser, clipping and loss: a half cross-entropy, a half
tau^2 KL to a teacher of 12 x 768. *Cached*: the teacher's answers are there; *online*: the teacher
answers in every update. TextBrewer has both, torchdistill (1.1.5) is online alone, and *loop* is
written by hand for cached answers: nothing is faster. What each reports as its loss is first
compared over 20 updates, with small networks (to 1e-5; TextBrewer's lacks the teacher's entropy and
tau^2, which are put right). Then they take turns; it is processor time that counts, and the fastest
of several repeats.

The peers need an environment of their own, in a folder that git ignores::

    python -m venv .venv/peers
    .venv/peers/bin/pip install -e . textbrewer tensorboard torchdistill
    .venv/peers/bin/python benchmarks/distillation.py [--batch 4] [--repeats 5]

Without one of them its rows are left out.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.runtime import Runtime, RuntimeConfig, seed_update
from phosphene.core.types import Batch, Regions, Taught, Tokens
from phosphene.data.loader import Position
from phosphene.models.answerer import Answerer, AnswererConfig
from phosphene.models.vlencoder import VLEncoderConfig
from phosphene.nn.visual import freeze
from phosphene.objectives.imitation import distillation
from phosphene.objectives.likelihood import single_label
from phosphene.train.optim import OptimConfig, adam, trainable
from phosphene.train.stage import Budget, Stage
from phosphene.train.trainer import open_updater
from phosphene.weighting.direct import Term, example_mean

TEMPERATURE, LAMBDA, LABELS = 4.0, 0.5, 2
OPTIM = OptimConfig(learning_rate=5e-5, clip_norm=1.0)
CHECKED = 20
"""Updates over which losses must be equal."""

Losses = list[float]
Contestant = Callable[[int], Losses]
"""Makes so many updates on the first batches and reports the loss of each."""


@dataclass(frozen=True)
class Sizes:
    """How large everything is."""

    teacher: VLEncoderConfig
    student: VLEncoderConfig
    batch: int
    words: int
    regions: int


class Wrapped(nn.Module):
    """A classifier as the other toolkits call it: tensors in, logits out."""

    def __init__(self, answerer: Answerer) -> None:
        super().__init__()
        self.answerer = answerer

    def forward(
        self, ids: Tensor, features: Tensor, labels: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Logits, and the labels as they were given."""
        return self.answerer(as_batch(ids, features)).logits, labels


def as_batch(ids: Tensor, features: Tensor, labels: Tensor | None = None) -> Batch:
    """Examples without padding."""
    real = torch.ones_like(ids, dtype=torch.bool)
    seen = Regions(features, torch.ones(features.shape[:2], dtype=torch.bool))
    names = tuple(map(str, range(len(ids))))
    return Batch(names, Tokens(ids, real), regions=seen, labels=labels)


@dataclass(frozen=True)
class Given:
    """What all contestants are given."""

    sizes: Sizes
    batches: list[dict[str, Tensor]]
    teacher: Answerer

    @classmethod
    def of(cls, sizes: Sizes, count: int) -> Given:
        """Random words, regions and labels, and a teacher of random weights."""
        seed_update(1)
        words, seen = (sizes.batch, sizes.words), (sizes.batch, sizes.regions)
        batches = [
            {
                "ids": torch.randint(200, sizes.student.vocab, words),
                "features": torch.rand(*seen, sizes.student.feature),
                "labels": torch.randint(LABELS, (sizes.batch,)),
            }
            for _ in range(count)
        ]
        teacher = freeze(Answerer(AnswererConfig(encoder=sizes.teacher, answers=LABELS, dropout=0)))
        return cls(sizes, batches, teacher)

    def student(self) -> Answerer:
        """Always the same one, in training mode."""
        seed_update(2)
        config = AnswererConfig(encoder=self.sizes.student, answers=LABELS, dropout=0)
        return Answerer(config).train()

    @torch.no_grad()
    def answers(self) -> list[Tensor]:
        """The teacher's logits."""
        return [self.teacher(as_batch(b["ids"], b["features"])).logits for b in self.batches]


def phosphene(given: Given, runtime: Runtime, cached: list[Tensor] | None) -> Contestant:
    """This package's update."""
    student = given.student()

    def terms(taught: Taught) -> dict[str, Term]:
        logits = student(taught.batch).logits
        assert taught.batch.labels is not None
        return {
            "likelihood": example_mean(single_label(logits, taught.batch.labels), LAMBDA),
            "imitation": example_mean(
                distillation(logits, taught.logits[:, 0], TEMPERATURE), 1 - LAMBDA
            ),
        }

    updater = open_updater(
        Stage("distil", {"student": student}, _NoBatches(), terms, Budget(max_updates=1), OPTIM),
        runtime,
    )

    def run(updates: int) -> Losses:
        losses = []
        for number, tensors in enumerate(given.batches[:updates]):
            batch = as_batch(tensors["ids"], tensors["features"], tensors["labels"])
            if cached is None:
                with torch.no_grad():
                    logits = given.teacher(batch).logits
            else:
                logits = cached[number]
            found = updater(number + 1, Taught(batch, logits[:, None]), OPTIM.learning_rate).means
            losses.append(LAMBDA * found["likelihood"] + (1 - LAMBDA) * found["imitation"])
        return losses

    return run


class _NoBatches:
    """The benchmark hands out batches itself."""

    def iterate(self, start: Position, rank: int, processes: int) -> Iterator[object]:
        return iter(())


def by_hand(given: Given, cached: list[Tensor]) -> Contestant:
    """The shortest loop that does the same."""
    student = given.student()
    optimizer = adam(trainable([student]), OPTIM)

    def run(updates: int) -> Losses:
        losses = []
        for tensors, taught in zip(given.batches[:updates], cached, strict=False):
            logits = student(as_batch(tensors["ids"], tensors["features"])).logits
            loss = LAMBDA * F.cross_entropy(logits, tensors["labels"]) + (1 - LAMBDA) * (
                TEMPERATURE**2
                * F.kl_div(
                    F.log_softmax(logits / TEMPERATURE, 1),
                    F.softmax(taught / TEMPERATURE, 1),
                    reduction="batchmean",
                )
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), OPTIM.clip_norm)
            optimizer.step()
            losses.append(float(loss.detach()))
        return losses

    return run


def textbrewer(given: Given, cached: list[Tensor] | None) -> Contestant:
    """TextBrewer's BasicDistiller; cached answers go in with the batches."""
    from textbrewer import BasicDistiller, DistillationConfig, TrainingConfig

    class Watched(BasicDistiller):
        losses: Losses

        def write_loss(
            self, total_loss: Tensor, writer_step: int, losses_dict: object = None
        ) -> None:
            self.losses.append(total_loss.item())

    def adapt(batch: object, outputs: tuple[Tensor, Tensor | None]) -> dict[str, list[Tensor]]:
        logits, labels = outputs
        found = {"logits": [logits]}
        if labels is not None:
            found["losses"] = [F.cross_entropy(logits, labels)]
        return found

    logging.getLogger("Distillation").setLevel(logging.ERROR)
    student = Wrapped(given.student())
    distiller = Watched(
        TrainingConfig(device="cpu", output_dir=tempfile.mkdtemp(), log_dir=None, ckpt_frequency=0),
        DistillationConfig(
            temperature=TEMPERATURE,
            kd_loss_weight=(1 - LAMBDA) * TEMPERATURE**2,
            hard_label_weight=LAMBDA,
        ),
        Wrapped(given.teacher),
        student,
        adapt,
        adapt,
    )
    optimizer = adam(trainable([student]), OPTIM)
    known = cached or given.answers()
    entropies = [
        float(torch.distributions.Categorical(logits=logits / TEMPERATURE).entropy().mean())
        for logits in known
    ]

    def run(updates: int) -> Losses:
        distiller.losses = []
        batches = []
        for number, tensors in enumerate(given.batches[:updates]):
            seen = {name: tensors[name] for name in ("ids", "features")}
            batch: dict[str, object] = {"teacher": seen, "student": tensors}
            if cached is not None:
                batch["teacher_cache"] = (cached[number], None)
            batches.append(batch)
        with distiller:
            distiller.train(optimizer, batches, num_epochs=1, max_grad_norm=OPTIM.clip_norm)
        scale = (1 - LAMBDA) * TEMPERATURE**2
        return [
            loss - scale * entropy
            for loss, entropy in zip(distiller.losses, entropies, strict=False)
        ]

    return run


def torchdistill(given: Given) -> Contestant:
    """The DistillationBox of torchdistill, the teacher in every update."""
    from torchdistill.core.distillation import DistillationBox

    class Logits(nn.Module):
        def __init__(self, answerer: Answerer) -> None:
            super().__init__()
            self.answerer = answerer

        def forward(self, batch: tuple[Tensor, Tensor]) -> Tensor:
            return self.answerer(as_batch(*batch)).logits

    logging.getLogger("torchdistill").setLevel(logging.ERROR)
    student = Logits(given.student())
    ends = {
        "student_module_path": ".", "student_module_io": "output",
        "teacher_module_path": ".", "teacher_module_io": "output",
    }  # fmt: skip
    loss = {"key": "KDLoss", "kwargs": {**ends, "temperature": TEMPERATURE, "alpha": LAMBDA}}
    side = {"forward_proc": "forward_batch_only", "sequential": []}
    box = DistillationBox(
        Logits(given.teacher),
        student,
        {},
        {
            "num_epochs": 1,
            "teacher": {**side, "requires_grad": False},
            "student": side,
            "optimizer": {
                "key": "Adam",
                "kwargs": {
                    "lr": OPTIM.learning_rate,
                    "betas": OPTIM.betas,
                    "eps": OPTIM.epsilon,
                    "fused": True,
                },
                "max_grad_norm": OPTIM.clip_norm,
            },
            "criterion": {
                "key": "WeightedSumLoss",
                "kwargs": {"sub_terms": {"kd": {"criterion": loss, "weight": 1.0}}},
            },
        },
        torch.device("cpu"),
        None,
        False,
        1.0,
    )
    box.teacher_model.eval()
    box.student_model.train()

    def run(updates: int) -> Losses:
        losses = []
        for tensors in given.batches[:updates]:
            found = box.forward_process(
                (tensors["ids"], tensors["features"]), tensors["labels"], None
            )
            box.post_forward_process(found)
            losses.append(float(found.detach()))
        return losses

    return run


def contestants(given: Given, runtime: Runtime) -> dict[str, Contestant]:
    """All that are installed, the slowest last."""
    cached = given.answers()
    found = {
        "loop, cached": by_hand(given, cached),
        "phosphene, cached": phosphene(given, runtime, cached),
    }
    for name, make in {
        "TextBrewer, cached": lambda: textbrewer(given, cached),
        "phosphene, online": lambda: phosphene(given, runtime, None),
        "TextBrewer, online": lambda: textbrewer(given, None),
        "torchdistill, online": lambda: torchdistill(given),
    }.items():
        try:
            found[name] = make()
        except ImportError as error:
            print(f"{name}: not measured ({error})")
    return found


def check(every: Mapping[str, Contestant], updates: int) -> None:
    """All report the same losses."""
    expected = every["loop, cached"](updates)
    for name, contestant in every.items():
        if name != "loop, cached":
            found = contestant(updates)
            off = max(abs(one - other) for one, other in zip(found, expected, strict=True))
            assert off < 1e-5, f"{name}: losses differ by {off:.1e}"
            print(f"{name}: equal losses for {updates} updates, off by {off:.0e} at most")


def sizes(teacher: tuple[int, int], student: tuple[int, int], batch: int, vocab: int) -> Sizes:
    """Teacher and student by layers and width; 30 words and 50 regions."""

    def encoder(layers: int, hidden: int) -> VLEncoderConfig:
        inner = {312: 1200}.get(hidden, 4 * hidden)
        return VLEncoderConfig(
            vocab=vocab, cls_id=101, sep_id=102, layers=layers, hidden=hidden, inner=inner,
            heads=12, dropout=0, attention_dropout=0, feature=2048 + 4,
        )  # fmt: skip

    return Sizes(encoder(*teacher), encoder(*student), batch, 30, 50)


def main() -> None:
    """Check, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--updates", type=int, default=2, help="of one repeat")
    options = parser.parse_args()
    os.environ["TQDM_DISABLE"] = "1"
    if not torch.cuda.is_available():  # torchvision has only operators' fakes beside PyTorch's CPU
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")
    runtime = Runtime(RuntimeConfig(accelerator="cpu", threads=1))
    small = Given.of(sizes((2, 48), (1, 24), 4, 400), CHECKED)
    check(contestants(small, runtime), CHECKED)
    given = Given.of(sizes((12, 768), (4, 312), options.batch, 30522), options.updates)
    every = contestants(given, runtime)
    seconds: dict[str, list[float]] = {name: [] for name in every}
    for repeat in range(options.repeats + 1):
        for name, contestant in every.items():
            started = time.process_time()
            contestant(options.updates)
            if repeat:  # the first round warms up
                seconds[name].append((time.process_time() - started) / options.updates)
    ours = min(seconds["phosphene, cached"])
    for name, values in seconds.items():
        middle = sorted(values)[len(values) // 2]
        print(
            f"{name:22} {1000 * min(values):8.1f} ms an update (median {1000 * middle:8.1f}), "
            f"phosphene with cached answers is {min(values) / ours:5.2f} times as fast"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"load average {os.getloadavg()[0]:.1f}, peak memory {peak:.1f} GiB, batch {options.batch}"
    )


if __name__ == "__main__":
    main()
