"""Learning loss weights by looking one step ahead (Algorithm 1 of modality-specific distillation).

One update of the learner lowers the meta loss where a plain gradient step would take the student
(:mod:`phosphene.train.meta_gradient`); then the student is updated with the learner's new weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from phosphene.core.errors import InputError
from phosphene.core.runtime import Runtime, RuntimeConfig
from phosphene.core.types import VIEWS
from phosphene.data.loader import Position
from phosphene.train.checkpoint import load_optimizer, optimizer_tensors
from phosphene.train.meta_gradient import ROUTES, Situation, Student
from phosphene.train.optim import adam, trainable
from phosphene.train.stage import LookAhead, Stage
from phosphene.train.update import Outcome, combine, descend
from phosphene.weighting.instance import ViewLosses


@final
class LookAheadUpdater:
    """An update of the learner, then one of the student with the learner's new weights.

    The student's losses are computed once: the look-ahead and the update go back through the same
    graph, with other weights.

    Raises:
        InputError: several processes share the batches, or numbers have 16 bits.
    """

    def __init__(self, stage: Stage, ahead: LookAhead, runtime: Runtime) -> None:
        if problem := unfit(runtime.config):
            raise InputError(f"stage '{stage.name}': {problem}")
        config = ahead.config
        self.ahead = ahead
        self.runtime = runtime
        self.clip_norm = stage.optim.clip_norm
        self.student = Student(stage.modules)
        self.optimizer = adam(trainable(stage.modules.values()), stage.optim, stage.rate_shares)
        self.learner_optimizer = torch.optim.AdamW(
            ahead.learner.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.position = Position()
        self.batches = ahead.meta_batches.iterate(self.position, 0, 1)

    def __call__(self, update: int, batch: Any, learning_rate: float) -> Outcome:
        """Train learner and student on ``batch``."""
        chance = Chance(self.runtime.device)
        with self._differentiable():
            now = self.ahead.losses(batch)
        means: dict[str, float] = {}
        if (update - 1) % self.ahead.config.every_updates == 0:
            rate = self.ahead.config.rate_factor * learning_rate
            means["meta"] = self._teach(batch, now, rate, chance)
        with torch.no_grad():
            weights = self.ahead.weigh(batch)
        outcome = descend(
            self.runtime, now.terms(weights), self.optimizer, learning_rate, self.clip_norm
        )
        means |= {
            f"weight/{view}": float(mean)
            for view, mean in zip(VIEWS, weights.mean(dim=0), strict=True)
        }
        return replace(outcome, means=outcome.means | means)

    def tensors(self) -> dict[str, Tensor]:
        """Both optimisers' states, and which meta-data come next."""
        return {
            **optimizer_tensors(self.optimizer),
            **optimizer_tensors(self.learner_optimizer, "learner_optimizer"),
            "meta_position": torch.tensor([self.position.epoch, self.position.batch]),
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The reverse of :meth:`tensors`."""
        load_optimizer(self.optimizer, tensors)
        load_optimizer(self.learner_optimizer, tensors, "learner_optimizer")
        self.position = Position(*tensors["meta_position"].tolist())
        self.batches = self.ahead.meta_batches.iterate(self.position, 0, 1)

    def whole(self) -> AbstractContextManager[None]:
        """One process has everything."""
        return nullcontext()

    def close(self) -> None:
        """The modules were not changed."""

    def _teach(self, batch: Any, now: ViewLosses, rate: float, chance: Chance) -> float:
        """Update the learner; the meta loss that it lowers."""
        self.position, meta_batch = next(self.batches)
        meta_batch = meta_batch.to(self.runtime.device)

        def again() -> Float[Tensor, "batch view"]:
            with chance.again(), self._differentiable():
                return self.ahead.losses(batch).views

        def meta_loss() -> Float[Tensor, ""]:
            with _without_dropout(self.student):
                term = self.ahead.meta_loss(meta_batch)
                return combine({"meta": term}, {"meta": term.count})

        weights = self.ahead.weigh(batch)
        leaf = weights.detach().requires_grad_()
        route = ROUTES[self.ahead.config.route]
        gradient = route(Situation(self.student, now, leaf, rate, again, meta_loss))
        self.learner_optimizer.zero_grad(set_to_none=True)
        weights.backward(gradient.weights)
        self.learner_optimizer.step()
        return gradient.loss

    def _differentiable(self) -> AbstractContextManager[None]:
        """Fused attention kernels have neither second nor forward derivatives."""
        if self.ahead.config.route in ("create_graph", "forward_mode"):
            return sdpa_kernel(SDPBackend.MATH)
        return nullcontext()


@final
class Chance:
    """The random numbers that are drawn from here on, to be drawn once more."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.state = torch.get_rng_state()
        self.device_state = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    @contextmanager
    def again(self) -> Iterator[None]:
        """Draw them again; afterwards all goes on as if that had not been."""
        devices = [] if self.device_state is None else [self.device]
        with torch.random.fork_rng(devices):
            torch.set_rng_state(self.state)
            if self.device_state is not None:
                torch.cuda.set_rng_state(self.device_state, self.device)
            yield


@contextmanager
def _without_dropout(student: Student) -> Iterator[None]:
    """Meta-data are looked at as validation data are."""
    training = {part: part.training for part in student.modules()}
    student.eval()
    try:
        yield
    finally:
        for part, mode in training.items():
            part.training = mode


def unfit(runtime: RuntimeConfig) -> str | None:
    """Why loss weights cannot be learned there, if they cannot.

    One process would need the others' losses before it could update its learner, and the
    differences of a look-ahead are lost in 16 bits.
    """
    if runtime.devices > 1:
        return (
            "learned loss weights are trained in one process, expected runtime.devices = 1, got "
            f"{runtime.devices}"
        )
    if runtime.precision != "32-true":
        return f"learned loss weights need runtime.precision = '32-true', got '{runtime.precision}'"
    return None


__all__ = ["Chance", "LookAheadUpdater", "unfit"]
