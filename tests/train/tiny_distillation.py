"""A student of a teacher's answers in three views, small enough for a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from phosphene.core.runtime import seed_update
from phosphene.data.loader import Position
from phosphene.objectives.imitation import distillation
from phosphene.objectives.likelihood import single_label
from phosphene.train.optim import OptimConfig
from phosphene.train.stage import Budget, LookAhead, LookAheadConfig, Stage
from phosphene.weighting.direct import Term, example_mean
from phosphene.weighting.instance import ViewLosses, population
from phosphene.weighting.meta import MetaLearner

LABELS, WIDTH, LENGTH = 3, 8, 4
LAMBDA, TEMPERATURE = 0.5, 2.0


@dataclass(frozen=True)
class Answers:
    """Views ``[batch, view, length, width]`` of examples, their labels, a teacher's logits."""

    views: Tensor
    labels: Tensor
    teacher: Tensor

    def to(self, device: torch.device) -> Answers:
        return Answers(*(t.to(device) for t in (self.views, self.labels, self.teacher)))


def answers(examples: int, seed: int, dtype: torch.dtype = torch.float32) -> Answers:
    """The label is a function of the input; the teacher nearly knows it, from one half less."""
    generator = torch.Generator().manual_seed(seed)
    both = torch.randn(examples, LENGTH, WIDTH, generator=generator, dtype=dtype)
    image, text = both.clone(), both.clone()
    image[:, :2], text[:, 2:] = 0, 0
    views = torch.stack([both, image, text], 1)
    teacher = 3 * views.mean(2)[..., :LABELS]
    return Answers(views, teacher[:, 0].argmax(1), teacher)


@dataclass(frozen=True)
class AnswerBatches:
    """A seeded order, ``size`` examples at a time."""

    data: Answers
    size: int
    seed: int

    def iterate(
        self, start: Position, rank: int = 0, processes: int = 1
    ) -> Iterator[tuple[Position, Answers]]:
        epoch, first = start.epoch, start.batch
        while True:
            generator = torch.Generator().manual_seed(1000 * self.seed + epoch)
            order = torch.randperm(len(self.data.labels), generator=generator).split(self.size)
            for number in range(first, len(order)):
                last = number + 1 == len(order)
                rows = order[number][rank::processes]
                after = Position(epoch + 1, 0) if last else Position(epoch, number + 1)
                yield after, Answers(self.data.views[rows], self.data.labels[rows],
                                     self.data.teacher[rows])  # fmt: skip
            epoch, first = epoch + 1, 0


class Attentive(nn.Module):
    """One layer of attention; ``fused`` uses PyTorch's kernel, the other writes it out."""

    def __init__(self, *, dropout: float = 0.0, fused: bool = False) -> None:
        super().__init__()
        self.fused = fused
        self.mix = nn.Linear(WIDTH, 3 * WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(WIDTH, LABELS)
        self.unused = nn.Linear(2, 2)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, states: Tensor) -> Tensor:
        if self.training:
            self.seen += 1  # a running statistic
        query, key, value = (part[:, None] for part in self.mix(states).chunk(3, dim=-1))
        if self.fused:
            context = F.scaled_dot_product_attention(query, key, value)
        else:
            context = (query @ key.mT / WIDTH**0.5).softmax(-1) @ value
        mixed = states + self.dropout(F.gelu(context[:, 0]))
        return self.head(self.norm(mixed).mean(1))


def student(**options: bool | float) -> Attentive:
    """A fresh student, always the same."""
    seed_update(3)
    return Attentive(**options)  # type: ignore[arg-type]


def learner() -> MetaLearner:
    """A fresh learner, always the same."""
    seed_update(4)
    return MetaLearner(LABELS, hidden=10)


def likelihood(model: nn.Module, batch: Answers) -> Term:
    """What the meta-data are to lower."""
    return example_mean(single_label(model(batch.views[:, 0]), batch.labels))


def losses(model: nn.Module, batch: Answers) -> ViewLosses:
    """The losses of modality-specific distillation."""
    logits = [model(view) for view in batch.views.unbind(1)]
    imitation = [
        distillation(own, taught, TEMPERATURE)
        for own, taught in zip(logits, batch.teacher.unbind(1), strict=True)
    ]
    fixed = {"likelihood": example_mean(single_label(logits[0], batch.labels), LAMBDA)}
    return ViewLosses(fixed, torch.stack(imitation, 1), 1 - LAMBDA)


def plain_terms(model: nn.Module, batch: Answers) -> dict[str, Term]:
    """The losses of plain distillation, written down without views."""
    logits = model(batch.views[:, 0])
    imitation = distillation(logits, batch.teacher[:, 0], TEMPERATURE)
    return {
        "likelihood": example_mean(single_label(logits, batch.labels), LAMBDA),
        "imitation": example_mean(imitation, 1 - LAMBDA),
    }


def fixed_terms(
    model: nn.Module, batch: Answers, weights: tuple[float, float, float]
) -> dict[str, Term]:
    """The same weights for every example."""
    now = losses(model, batch)
    return now.terms(population(weights, now.views))


def look_ahead(model: nn.Module, teacher: MetaLearner, config: LookAheadConfig) -> LookAhead:
    """The learned weights of ``model``'s losses."""
    return LookAhead(
        teacher,
        lambda batch: teacher(batch.teacher.softmax(-1)),
        lambda batch: losses(model, batch),
        AnswerBatches(answers(20, seed=2), 6, seed=2),
        lambda batch: likelihood(model, batch),
        config,
    )


def plain_stage(model: nn.Module, updates: int) -> Stage:
    """Plain distillation."""
    return Stage(
        name="distil",
        modules={"student": model},
        batches=AnswerBatches(answers(40, seed=1), 8, seed=1),
        loss=lambda batch: plain_terms(model, batch),
        budget=Budget(max_updates=updates, evaluate_every_updates=10, average_last=2),
        optim=OptimConfig(learning_rate=0.01, warmup_updates=5, schedule="cosine"),
    )


def learned_stage(
    model: nn.Module, teacher: MetaLearner, updates: int, config: LookAheadConfig
) -> Stage:
    """Distillation with learned weights."""
    ahead = look_ahead(model, teacher, config)
    return replace(plain_stage(model, updates), loss=ahead.terms, look_ahead=ahead)


def state(model: nn.Module) -> Mapping[str, Tensor]:
    """A copy of the weights."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}
