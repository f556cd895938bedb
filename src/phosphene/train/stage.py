"""A stage: which modules learn, from which batches, by which loss, for how long."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError
from phosphene.core.runlog import RunLog
from phosphene.data.loader import Position
from phosphene.train.optim import OptimConfig, trainable
from phosphene.weighting.direct import Term
from phosphene.weighting.instance import ViewLosses


@runtime_checkable
class Batches(Protocol):
    """A source of batches that can start anywhere and always gives the same sequence.

    What a batch is, is between this source and the stage's loss; it has ``to(device)``.
    """

    def iterate(self, start: Position, rank: int, processes: int) -> Iterator[tuple[Position, Any]]:
        """Batches from ``start`` on without end, each with the position that follows it.

        Of each global batch the part of process ``rank`` is given.
        """
        ...


class Budget(Frozen):
    """How long a stage lasts, and which weights it ends with."""

    max_updates: int = Field(ge=0)
    patience: int = Field(default=0, ge=0)
    """Stop after so many evaluations without a better validation loss; 0 never stops early."""
    evaluate_every_updates: int = Field(default=0, ge=0)
    """Updates between evaluations (and weight snapshots); 0 is one epoch."""
    select: Literal["average", "best"] = "average"
    """The stage ends with the mean of its last snapshots, or with the one of the lowest validation
    loss."""
    average_last: int = Field(default=10, ge=1)
    """``average``: the mean of so many snapshots."""
    checkpoint_seconds: float = Field(default=120.0, ge=0)
    """At most this much work is lost when a run is killed."""


class LookAheadConfig(Frozen):
    """How the weights of a stage's losses are learned."""

    learning_rate: float = Field(default=1e-3, gt=0)
    """Of the learner. Paper: 1e-3 (Hateful-Memes, from a grid), 1e-4 (MM-IMDb, SNLI-VE)."""
    weight_decay: float = Field(default=1e-4, ge=0)
    """Of the learner, decoupled. Shu et al. (2019): 1e-4, added to the gradient; here that gradient
    is of the order of the student's learning rate, and a decay added to it would be all there is.
    """
    every_updates: int = Field(default=1, ge=1)
    """Updates between two of the learner. Paper: 1."""
    rate_factor: float = Field(default=1.0, gt=0)
    """The look-ahead's step is the student's learning rate times this. Paper: 1, of a plain
    gradient step, which is much shorter than one of Adam at the same rate."""
    route: Literal[
        "create_graph", "forward_mode", "central_differences", "one_sided_differences"
    ] = "one_sided_differences"
    """How the gradient is computed. The first two are exact, the last one is the fastest."""


@dataclass(frozen=True)
class LookAhead:
    """Loss weights that are learned by looking one step ahead (Algorithm 1).

    Of two functions one gives a student's losses, with gradients to the stage's ``modules``; the
    other their weights, with gradients to ``learner``. The learner is saved with the modules.
    """

    learner: nn.Module
    weigh: Callable[[Any], Float[Tensor, "batch view"]]
    """The weights that the learner gives to the losses of a batch."""
    losses: Callable[[Any], ViewLosses]
    """The losses of a batch, before they are weighted."""
    meta_batches: Batches
    meta_loss: Callable[[Any], Term]
    """What the learner is to lower: the student's loss on a batch of meta-data."""
    config: LookAheadConfig

    def terms(self, batch: Any) -> dict[str, Term]:
        """The objective as it stands: the ``loss`` of the stage."""
        return self.losses(batch).terms(self.weigh(batch))


@dataclass(frozen=True)
class Stage:
    """One stage of a recipe, complete.

    ``modules`` are trained (those of their parameters that require gradients) and saved; a
    teacher is not among them, it is used by ``loss`` alone and listed in ``frozen``, which the
    trainer checks.
    """

    name: str
    modules: Mapping[str, nn.Module]
    batches: Batches
    loss: Callable[[Any], Mapping[str, Term]]
    budget: Budget
    optim: OptimConfig
    data: str = ""
    """Digest of what the batches are made of: what was trained on other data is not gone on with,
    nor taken for this stage."""
    frozen: Mapping[str, nn.Module] = field(default_factory=dict)
    published: Sequence[nn.Parameter] = ()
    """Those of the parameters that somebody has trained before (``optim.published_share``)."""
    evaluate: Callable[[], Mapping[str, float]] | None = None
    """Validation values by name; the one called ``loss`` decides about early stopping and which
    snapshot is the best."""
    watch: nn.Module | None = None
    """A module for which each term's share of the gradient norm is logged."""
    look_ahead: LookAhead | None = None
    """Learns the weights of the losses; ``loss`` is then its ``terms``."""

    def __post_init__(self) -> None:
        """Refuse what the settings ask of the stage and it cannot do."""
        if self.budget.select == "best" and self.evaluate is None:
            raise InputError(
                f"stage {self.name}: budget.select = 'best', but nothing is evaluated in it"
            )
        if self.optim.published_share != 1 and not self.published:
            raise InputError(f"stage {self.name}: published_share, but no weights are published")

    def check_data(self, trained_on: str, folder: Path) -> None:
        """See that ``folder`` holds a stage of the same data, where both are known.

        Raises:
            InputError: the data have changed since.
        """
        if self.data and trained_on and self.data != trained_on:
            raise InputError(
                f"{folder}: stage '{self.name}' was trained on other data ({trained_on}) than "
                f"there are now ({self.data}); restore them, or choose another --run folder"
            )

    @property
    def rate_shares(self) -> list[float]:
        """Of every trainable parameter of ``modules``: its rate as a share of the stage's."""
        published = {*map(id, self.published)}
        return [
            self.optim.published_share if id(each) in published else 1.0
            for each in trainable(self.modules.values())
        ]

    @property
    def saved(self) -> dict[str, nn.Module]:
        """What a checkpoint holds the weights of."""
        if self.look_ahead is None:
            return dict(self.modules)
        return {**self.modules, "learner": self.look_ahead.learner}


@dataclass(frozen=True)
class Finished:
    """How a stage ended."""

    update: int
    seconds: float
    """Time spent training it, interruptions not counted."""
    selection: str
    """Which weights it ended with."""
    data: str = ""
    """Digest of what it was trained on, where the stage has one."""


@runtime_checkable
class Fitter(Protocol):
    """What a recipe needs of whoever runs its stages: the trainer, or the planner of ``check``."""

    log: RunLog

    @property
    def device(self) -> torch.device:
        """Where modules live."""

    def fit(self, stage: Stage) -> Finished:
        """Run ``stage``; its modules end with its final weights."""

    def shared(self, name: str, *identity: Frozen | int | str) -> Fitter:
        """A fitter for a stage that runs beside this one share, if ``identity`` is the same."""

    def cache(self, name: str, key: str) -> Path | None:
        """Where runs beside this one keep what they share; ``None`` where nothing is written."""


def cache_folder(trainer: Fitter, name: str, key: str) -> Path:
    """Where runs share what takes long; where nothing is to be kept, until the process ends."""
    kept = trainer.cache(name, key)
    if kept is not None:
        return kept
    folder = mkdtemp(prefix=f"phosphene-{name}-")
    atexit.register(rmtree, folder, ignore_errors=True)
    return Path(folder)
