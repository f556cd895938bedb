r"""How a student's loss weights change what one step of it does to a meta loss.

A student $w$ descends the objective $L(w, \omega) = L_0(w) + \frac{c}{n} \sum_{ik}
\omega_{ik}\, \ell_{ik}(w)$, whose weights $\omega = f(\Theta)$ a learner gives. After a
plain gradient step the meta loss (eq. 9 of modality-specific distillation) depends on them:

$$\hat w = w - \alpha \nabla_w L(w, \omega), \qquad
\frac{\partial L_\mathrm{meta}(\hat w)}{\partial \omega_{ik}}
= -\frac{\alpha c}{n} \bigl\langle \nabla L_\mathrm{meta}(\hat w), \nabla \ell_{ik}(w)
\bigr\rangle.$$

The left side by automatic differentiation twice is one route to it (``create_graph``). The right
side needs the derivative of every loss along *one* direction, which forward passes give: exactly
with dual numbers (``forward_mode``), nearly with a displaced student (``central_differences``,
``one_sided_differences``). Differences run any network; the first two routes need operations that
have a second or a forward derivative: attention has to be computed without fused kernels there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.func import functional_call

from phosphene.train.update import combine
from phosphene.weighting.instance import ViewLosses

Result = TypeVar("Result")
Parameters = Mapping[str, Tensor]
"""A student, or a direction in which it may move, by the names of its parameters."""

CENTRAL_STEP: Final = 2e-3
ONE_SIDED_STEP: Final = 1e-4
"""How far a student is displaced for differences, as a distance between all its parameters.

Where the error of curvature meets that of rounding in 32 bits: of a 4 x 312 encoder the gradient is
off by some 1e-4 with central and 1e-3 with one-sided differences, of a network of width 8 by up to
3e-4 and 2e-2 of its largest entry; the exact routes by 3e-7. Liu et al. (2019) take 1e-2.
"""


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


def central_differences(here: Situation) -> MetaGradient:
    """Losses on either side of the student, displaced along the meta gradient."""
    return _along_meta_gradient(here, _central_slope)


def one_sided_differences(here: Situation) -> MetaGradient:
    """Losses of a student displaced along the meta gradient, less those it has where it is."""
    return _along_meta_gradient(here, _one_sided_slope)


ROUTES: Final[Mapping[str, Route]] = MappingProxyType(
    {
        "create_graph": create_graph,
        "forward_mode": forward_mode,
        "central_differences": central_differences,
        "one_sided_differences": one_sided_differences,
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
    step = _step(direction, CENTRAL_STEP)
    return (_displaced(here, direction, step) - _displaced(here, direction, -step)) / (2 * step)


def _one_sided_slope(here: Situation, direction: Parameters) -> Float[Tensor, "batch view"]:
    step = _step(direction, ONE_SIDED_STEP)
    return (_displaced(here, direction, step) - here.now.views.detach()) / step


def _step(direction: Parameters, distance: float) -> float:
    """The multiple of ``direction`` that is ``distance`` long; any, where it has no length."""
    length = torch.stack([part.square().sum() for part in direction.values()]).sum().sqrt()
    return distance / max(float(length), torch.finfo(length.dtype).tiny)


def _displaced(here: Situation, direction: Parameters, step: float) -> Float[Tensor, "batch view"]:
    with torch.no_grad():
        return here.student.at(_moved(here.student.trainable(), direction, step), here.again)


def _moved(student: Parameters, direction: Parameters, distance: float) -> dict[str, Tensor]:
    return {name: value + distance * direction[name] for name, value in student.items()}


__all__ = [
    "ROUTES",
    "MetaGradient",
    "Situation",
    "Student",
    "central_differences",
    "create_graph",
    "forward_mode",
    "one_sided_differences",
]
