"""One update: terms to gradients to new weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import torch
from torch import Tensor, nn

from phosphene.core.runtime import Runtime
from phosphene.train.checkpoint import load_optimizer, optimizer_tensors
from phosphene.train.optim import SHARE, adam, trainable
from phosphene.train.stage import Stage
from phosphene.weighting.direct import Term


class Objective(nn.Module):
    """Modules and the loss that uses them as one module, so that processes can share its gradient.

    The wrapper around a distributed module copies dataclasses that it is given and casts what is
    in them. The batch is therefore handed over behind a function, and a term comes back as one
    tensor ``[total, count, weight]``.
    """

    def __init__(
        self, modules: Mapping[str, nn.Module], loss: Callable[[Any], Mapping[str, Term]]
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(modules)
        self.loss = loss

    def forward(self, batch: Callable[[], Any]) -> dict[str, Tensor]:
        """The terms of the objective on ``batch()``."""
        return {name: _pack(term) for name, term in self.loss(batch()).items()}


def _pack(term: Term) -> Tensor:
    # At least 32 bits: a count above 256 does not fit a 16-bit total.
    total = term.total.to(torch.promote_types(term.total.dtype, torch.float32))
    return torch.stack([total, *total.new_tensor([term.count, term.weight]).unbind()])


@dataclass(frozen=True)
class Outcome:
    """What one update did, over all processes."""

    means: dict[str, float]
    """The unweighted mean of every term."""
    gradient_norm: float
    counts: dict[str, float]


@runtime_checkable
class Updater(Protocol):
    """Turns batches into updates of a stage's weights, and can be checkpointed between two."""

    def __call__(self, update: int, batch: Any, learning_rate: float) -> Outcome:
        """Make update number ``update`` (from 1) of the stage."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """What a resumed run needs beside the weights of the stage's modules."""
        ...

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """The reverse of :meth:`tensors`; other tensors are passed over."""
        ...

    def whole(self) -> AbstractContextManager[None]:
        """The stage's modules have their weights inside; every process has to come along."""
        ...

    def close(self) -> None:
        """The stage's modules have their weights from now on."""
        ...


@final
class PlainUpdater:
    """One forward pass, one backward pass, one step of the optimiser."""

    def __init__(self, stage: Stage, runtime: Runtime) -> None:
        self.runtime = runtime
        self.clip_norm = stage.optim.clip_norm
        self.objective = runtime.distribute(Objective(stage.modules, stage.loss))
        # However they are distributed, the parameters keep their order.
        self.optimizer = adam(trainable([self.objective]), stage.optim, stage.rate_shares)

    def __call__(self, update: int, batch: Any, learning_rate: float) -> Outcome:
        """Train on ``batch``."""
        with self.runtime.autocast():
            packed: dict[str, Tensor] = self.objective(lambda: batch)
        terms = {name: Term(term[0], *term[1:].tolist()) for name, term in packed.items()}
        return descend(self.runtime, terms, self.optimizer, learning_rate, self.clip_norm)

    def tensors(self) -> dict[str, Tensor]:
        """The optimiser's state."""
        return optimizer_tensors(self.optimizer)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Load the optimiser's state."""
        load_optimizer(self.optimizer, tensors)

    def whole(self) -> AbstractContextManager[None]:
        """The modules have their weights; where processes share them out, not otherwise."""
        return self.runtime.whole(self.objective)

    def close(self) -> None:
        """The modules have their weights, for good."""
        self.runtime.restore(self.objective)


def descend(
    runtime: Runtime,
    terms: Mapping[str, Term],
    optimizer: torch.optim.Optimizer,
    learning_rate: float,
    clip_norm: float,
) -> Outcome:
    """One step of ``optimizer`` down the gradient of the objective.

    Every term is divided by its count over all processes; gradients are averaged over processes
    by the runtime, hence the factor ``processes``. The update is then that of one process with
    the whole batch.
    """
    totals = runtime.sum(
        torch.tensor(
            [(term.total.detach().item(), term.count) for term in terms.values()],
            dtype=torch.float64,
            device=runtime.device,
        )
    )
    counts = dict(zip(terms, totals[:, 1].tolist(), strict=True))
    optimizer.zero_grad(set_to_none=True)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    runtime.backward(combine(terms, counts) * runtime.processes, parameters)
    norm = nn.utils.clip_grad_norm_(parameters, clip_norm if clip_norm else torch.inf)
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group[SHARE]
    optimizer.step()
    sums = dict(zip(terms, totals[:, 0].tolist(), strict=True))
    means = {name: sums[name] / counts[name] if counts[name] else 0.0 for name in terms}
    return Outcome(means, float(norm), counts)


def combine(terms: Mapping[str, Term], counts: Mapping[str, float]) -> Tensor:
    """The objective: the weighted sum of term means. A term without examples adds nothing."""
    parts = [
        term.weight * term.total / counts[name] if counts[name] else 0.0 * term.total
        for name, term in terms.items()
    ]
    return torch.stack(parts).sum()


def gradient_shares(terms: Mapping[str, Term], watched: nn.Module) -> dict[str, float]:
    """Each weighted term's share of the sum of gradient norms at ``watched``.

    A term with a share under 0.05 hardly takes part in training that module.
    """
    parameters = [p for p in watched.parameters() if p.requires_grad]
    norms: dict[str, float] = {}
    for name, term in terms.items():
        mean = combine({name: term}, {name: term.count})
        if not mean.requires_grad:
            norms[name] = 0.0
            continue
        gradients = torch.autograd.grad(mean, parameters, retain_graph=True, allow_unused=True)
        squares = [gradient.square().sum() for gradient in gradients if gradient is not None]
        norms[name] = float(torch.stack(squares).sum().sqrt()) if squares else 0.0
    total = sum(norms.values())
    return {name: norm / total if total else 0.0 for name, norm in norms.items()}
