r"""Learning loss weights by looking one step ahead (Algorithm 1 of modality-specific distillation).

A student :math:`w` descends the objective :math:`L(w, \omega) = L_0(w) + \frac{c}{n} \sum_{ik}
\omega_{ik}\, \ell_{ik}(w)`, whose weights :math:`\omega = f(\Theta)` a learner gives. One update of
the learner lowers the meta loss where a plain gradient step would take the student:

.. math:: \hat w = w - \alpha \nabla_w L(w, \omega), \qquad
   \frac{\partial L_\mathrm{meta}(\hat w)}{\partial \omega_{ik}}
   = -\frac{\alpha c}{n} \bigl\langle \nabla L_\mathrm{meta}(\hat w), \nabla \ell_{ik}(w)
   \bigr\rangle.

The left side by automatic differentiation twice is one route to it (``create_graph``). The right
side needs the derivative of every loss along *one* direction, which a forward pass gives: exactly
with dual numbers (``forward_mode``), nearly with two passes on either side of the student
(``finite_differences``). The last runs any network; the first two need operations that have a
second or a forward derivative, and attention is therefore computed without fused kernels there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from phosphene.core.errors import InputError
from phosphene.core.runtime import Runtime
from phosphene.core.types import VIEWS
from phosphene.data.loader import Position
from phosphene.train.checkpoint import load_optimizer, optimizer_tensors
from phosphene.train.optim import adam
from phosphene.train.stage import LookAhead, Stage
from phosphene.train.update import Outcome, combine, descend
from phosphene.weighting.instance import ViewLosses

Result = TypeVar("Result")
Parameters = Mapping[str, Tensor]
"""A student, or a direction in which it may move, by the names of its parameters."""

STEP_LENGTH: Final = 0.01
"""Distance of the student's two displacements in finite differences (Liu et al., 2019)."""


@final
class Student(nn.Module):
    """Modules whose trainable parameters can be replaced for the time of one computation."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(modules)

    def forward(self, compute: Callable[[], Result]) -> Result:
        """What ``compute``, which uses the modules, returns."""
        return compute()

    def trainable(self) -> dict[str, Tensor]:
        """The parameters that learn."""
        return {name: p for name, p in self.named_parameters() if p.requires_grad}

    def at(self, parameters: Parameters, compute: Callable[[], Result]) -> Result:
        """``compute`` with other ``parameters``; running statistics stay as they are."""
        buffers = {name: buffer.clone() for name, buffer in self.named_buffers()}
        result: Result = functional_call(self, {**buffers, **parameters}, (compute,))
        return result


@dataclass(frozen=True)
class Situation:
    """Where the weights' gradient is wanted."""

    student: Student
    now: ViewLosses
    """The losses at the student as it is, with their graph."""
    weights: Float[Tensor, "batch view"]
    """What the learner says; requires gradients and has no graph of its own."""
    rate: float
    """Length of the look-ahead, alpha."""
    again: Callable[[], Float[Tensor, "batch view"]]
    """The losses of the views once more, with the same dropout."""
    meta_loss: Callable[[], Float[Tensor, ""]]

    def gradient(self, create_graph: bool) -> Parameters:
        """Of the objective; its graph is kept for the update that follows."""
        terms = self.now.terms(self.weights)
        objective = combine(terms, {name: term.count for name, term in terms.items()})
        parameters = self.student.trainable()
        gradients = torch.autograd.grad(
            objective,
            list(parameters.values()),
            retain_graph=True,
            create_graph=create_graph,
            allow_unused=True,
        )
        return {
            name: torch.zeros_like(parameter) if gradient is None else gradient
            for (name, parameter), gradient in zip(parameters.items(), gradients, strict=True)
        }


@dataclass(frozen=True)
class MetaGradient:
    """The meta loss after the look-ahead, and how it depends on the weights."""

    loss: float
    weights: Float[Tensor, "batch view"]


Route = Callable[[Situation], MetaGradient]
Slope = Callable[[Situation, Parameters], Float[Tensor, "batch view"]]


def create_graph(here: Situation) -> MetaGradient:
    """Differentiate the look-ahead itself."""
    ahead = _moved(here.student.trainable(), here.gradient(create_graph=True), -here.rate)
    loss = here.student.at(ahead, here.meta_loss)
    (gradient,) = torch.autograd.grad(loss, here.weights, retain_graph=True)
    return MetaGradient(float(loss.detach()), gradient)


def forward_mode(here: Situation) -> MetaGradient:
    """Losses of dual numbers: their value at the student, their slope along the meta gradient."""
    return _along_meta_gradient(here, _dual_slope)


def finite_differences(here: Situation) -> MetaGradient:
    """Losses on either side of the student, displaced along the meta gradient."""
    return _along_meta_gradient(here, _central_slope)


ROUTES: Final[Mapping[str, Route]] = MappingProxyType(
    {
        "create_graph": create_graph,
        "forward_mode": forward_mode,
        "finite_differences": finite_differences,
    }
)
"""The routes by the names that configurations use."""


def _along_meta_gradient(here: Situation, slope: Slope) -> MetaGradient:
    gradient = here.gradient(create_graph=False)
    with torch.no_grad():
        ahead = _moved(here.student.trainable(), gradient, -here.rate)
    leaves = {name: value.requires_grad_() for name, value in ahead.items()}
    loss = here.student.at(leaves, here.meta_loss)
    gradients = torch.autograd.grad(
        loss, list(leaves.values()), allow_unused=True, materialize_grads=True
    )
    slopes = slope(here, dict(zip(leaves, gradients, strict=True)))
    factor = -here.rate * here.now.weight / len(slopes)
    return MetaGradient(float(loss.detach()), factor * slopes)


def _dual_slope(here: Situation, direction: Parameters) -> Float[Tensor, "batch view"]:
    with torch.no_grad(), forward_ad.dual_level():
        dual = {
            name: forward_ad.make_dual(parameter.detach(), direction[name])
            for name, parameter in here.student.trainable().items()
        }
        losses = here.student.at(dual, here.again)
        slopes = forward_ad.unpack_dual(losses).tangent
    return torch.zeros_like(losses) if slopes is None else slopes


def _central_slope(here: Situation, direction: Parameters) -> Float[Tensor, "batch view"]:
    length = torch.stack([part.square().sum() for part in direction.values()]).sum().sqrt()
    if not length > 0:
        return torch.zeros_like(here.now.views)
    step = STEP_LENGTH / float(length)
    parameters = here.student.trainable()
    with torch.no_grad():
        above = here.student.at(_moved(parameters, direction, step), here.again)
        below = here.student.at(_moved(parameters, direction, -step), here.again)
    return (above - below) / (2 * step)


def _moved(student: Parameters, direction: Parameters, distance: float) -> dict[str, Tensor]:
    return {name: value + distance * direction[name] for name, value in student.items()}


@final
class LookAheadUpdater:
    """An update of the learner, then one of the student with the learner's new weights.

    The student's losses are computed once: the look-ahead and the update go back through the same
    graph, with other weights.

    Raises:
        InputError: several processes share the batches, or numbers have 16 bits.
    """

    def __init__(self, stage: Stage, ahead: LookAhead, runtime: Runtime) -> None:
        check_processes(stage.name, runtime.processes)
        _check_precision(stage.name, runtime.config.precision)
        config = ahead.config
        self.ahead = ahead
        self.runtime = runtime
        self.clip_norm = stage.optim.clip_norm
        self.student = Student(stage.modules)
        self.optimizer = adam(stage.modules.values(), stage.optim)
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
        if self.ahead.config.route == "finite_differences":
            return nullcontext()
        return sdpa_kernel(SDPBackend.MATH)


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
    yield
    for part, mode in training.items():
        part.training = mode


def check_processes(stage: str, processes: int) -> None:
    """A process would need the others' losses before it could update its learner.

    Raises:
        InputError: there are others.
    """
    if processes > 1:
        raise InputError(
            f"stage '{stage}': learned loss weights are trained in one process, expected "
            f"runtime.devices = 1, got {processes}"
        )


def _check_precision(stage: str, precision: str) -> None:
    if precision != "32-true":
        raise InputError(
            f"stage '{stage}': learned loss weights need runtime.precision = '32-true', got "
            f"'{precision}'"
        )


__all__ = [
    "ROUTES",
    "Chance",
    "LookAheadUpdater",
    "MetaGradient",
    "Situation",
    "Student",
    "check_processes",
    "create_graph",
    "finite_differences",
    "forward_mode",
]
