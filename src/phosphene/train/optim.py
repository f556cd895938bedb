"""AdamW, and learning rates that are functions of the update number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Final, Literal

import torch
from pydantic import Field
from torch import nn

from phosphene.core.config import Frozen

Beta = Annotated[float, Field(ge=0, lt=1)]
SHARE: Final = "share"
"""In a group of parameters: its rate as a share of the stage's."""


class OptimConfig(Frozen):
    """How a stage is optimised."""

    learning_rate: float = Field(default=0.004, gt=0)
    """Peak rate."""
    warmup_updates: int = Field(default=2000, ge=0)
    schedule: Literal["inverse_sqrt", "constant", "cosine", "linear"] = "inverse_sqrt"
    """What follows the linear warm-up."""
    betas: tuple[Beta, Beta] = (0.9, 0.98)
    epsilon: float = Field(default=1e-8, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled from the gradient (AdamW)."""
    clip_norm: float = Field(default=25.0, ge=0)
    """Gradients longer than this are scaled down to it; 0 switches clipping off."""
    published_share: float = Field(default=1.0, gt=0, le=1, exclude_if=lambda share: share == 1.0)
    """The rate of weights that were published, as a share of the others': fresh parts beside them
    have further to go."""


def trainable(modules: Iterable[nn.Module]) -> list[nn.Parameter]:
    """The trainable parameters of ``modules``, each counted once."""
    parameters = (parameter for module in modules for parameter in module.parameters())
    return list(dict.fromkeys(each for each in parameters if each.requires_grad))


def adam(
    parameters: Sequence[nn.Parameter], config: OptimConfig, shares: Sequence[float] | None = None
) -> torch.optim.AdamW:
    """AdamW with a group of parameters for every share of the rate, which is 1 if not given.

    Without a decay of the weights it is Adam.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter, share in zip(parameters, shares or [1.0] * len(parameters), strict=True):
        groups.setdefault(share, []).append(parameter)
    return torch.optim.AdamW(
        [{"params": each, SHARE: share} for share, each in groups.items()],
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        fused=True,
    )


def learning_rate(config: OptimConfig, update: int, max_updates: int) -> float:
    """The rate of the ``update``-th step (from 1): linear warm-up, then the schedule.

    ``inverse_sqrt`` is ``peak * sqrt(warmup / update)`` (Vaswani et al., 2017, eq. 3); ``cosine``
    and ``linear`` end at 0 with ``max_updates``.
    """
    if update < config.warmup_updates:
        return config.learning_rate * update / config.warmup_updates
    decay = _DECAY[config.schedule]
    return config.learning_rate * decay(config.warmup_updates, update, max_updates)


def _inverse_sqrt(warmup: int, update: int, max_updates: int) -> float:
    return float(max(warmup, 1) / update) ** 0.5


def _constant(warmup: int, update: int, max_updates: int) -> float:
    return 1.0


def _cosine(warmup: int, update: int, max_updates: int) -> float:
    done = (update - warmup) / max(max_updates - warmup, 1)
    return 0.5 * (1 + float(torch.cos(torch.tensor(min(done, 1.0) * torch.pi))))


def _linear(warmup: int, update: int, max_updates: int) -> float:
    return max(max_updates - update, 0) / max(max_updates - warmup, 1)


_DECAY: dict[str, Callable[[int, int, int], float]] = {
    "inverse_sqrt": _inverse_sqrt,
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
}
