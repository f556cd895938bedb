"""Where computation happens: device, precision, processes, seeds. Lightning Fabric stays here."""

from __future__ import annotations

import ctypes
import platform
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeVar

import torch
from lightning_fabric import Fabric
from pydantic import Field
from torch import Tensor, nn

from phosphene.core.config import Frozen
from phosphene.core.errors import InputError

Result = TypeVar("Result")


class RuntimeConfig(Frozen):
    """Where and how precisely to compute."""

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = Field(default=1, ge=1)
    """Processes, one per device. The global batch is shared out among them."""
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    """With several devices: a whole copy of the model on each (``auto``, ``ddp``), or parameters,
    gradients and optimiser state shared out between updates (``fsdp``)."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    threads: int = Field(default=0, ge=0)
    """CPU threads per process; 0 leaves the choice to torch. Exact resume needs the same number."""


class Runtime:
    """One process of a run."""

    def __init__(self, config: RuntimeConfig) -> None:
        if config.accelerator == "cuda" and not torch.cuda.is_available():
            raise InputError("runtime.accelerator: 'cuda' was asked for, no CUDA device is here")
        if config.threads:
            torch.set_num_threads(config.threads)
        _keep_freed_memory()
        accelerator = config.accelerator
        if accelerator == "auto":
            accelerator = "cuda" if torch.cuda.is_available() else "cpu"
        self.config = config
        self.fabric = Fabric(
            accelerator=accelerator,
            devices=config.devices,
            # A process whose share of a batch has no photo leaves modules unused.
            strategy="ddp_find_unused_parameters_true" if config.devices > 1 else "auto",
            precision=config.precision,
        )

    def launch(self, function: Callable[[], Result]) -> Result:
        """Run ``function`` in every process (in this one alone when there is one device)."""
        if self.config.devices > 1:
            self.fabric.launch()
        return function()

    @property
    def rank(self) -> int:
        """Index of this process."""
        return self.fabric.global_rank

    @property
    def processes(self) -> int:
        """How many processes share the global batch."""
        return self.fabric.world_size

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and prints."""
        return self.fabric.is_global_zero

    @property
    def device(self) -> torch.device:
        """Where tensors of this process live."""
        return self.fabric.device

    @property
    def shards(self) -> bool:
        """Whether a process holds only a part of the weights between updates."""
        return self.config.strategy == "fsdp" and self.config.devices > 1

    def distribute(self, module: nn.Module) -> nn.Module:
        """``module`` on this device, with gradients averaged over the processes."""
        if not self.shards:
            return self.fabric.setup_module(module)
        from phosphene.core.sharding import Sharded  # noqa: PLC0415

        return Sharded(module, self.device, self.processes)

    def whole(self, distributed: nn.Module) -> AbstractContextManager[None]:
        """What was distributed has its weights inside; every process has to come along."""
        if not self.shards:
            return nullcontext()
        from phosphene.core.sharding import Sharded  # noqa: PLC0415

        assert isinstance(distributed, Sharded)
        return distributed.whole()

    def restore(self, distributed: nn.Module) -> None:
        """What was distributed has its weights from now on."""
        if self.shards:
            from phosphene.core.sharding import Sharded  # noqa: PLC0415

            assert isinstance(distributed, Sharded)
            distributed.restore()

    def autocast(self) -> AbstractContextManager[None]:
        """Compute as precisely as the configuration says."""
        return self.fabric.autocast()

    def backward(self, loss: Tensor, parameters: Sequence[Tensor]) -> None:
        """Back-propagate ``loss``; unused ``parameters`` get nothing."""
        self.fabric.backward(loss)
        if self.shards:
            from phosphene.core.sharding import forget_unused  # noqa: PLC0415

            forget_unused(parameters)

    def sum(self, value: Tensor) -> Tensor:
        """``value`` added up over the processes."""
        if self.processes == 1:
            return value
        return self.fabric.all_reduce(value, reduce_op="sum")  # type: ignore[return-value]

    def of_main(self, values: Mapping[str, float]) -> dict[str, float]:
        """The main process's ``values`` in every process: what decides for all is one number."""
        own = torch.tensor([*values.values()], dtype=torch.float64, device=self.device)
        shared = self.sum(own if self.is_main else torch.zeros_like(own))
        return dict(zip(values, shared.tolist(), strict=True))

    def agree(self, decision: bool) -> bool:
        """The main process's ``decision``, where one process alone can do nothing."""
        if not self.shards:
            return decision
        return bool(self.of_main({"decision": float(decision)})["decision"])

    def barrier(self) -> None:
        """Wait for the other processes."""
        self.fabric.barrier()

    def describe(self) -> str:
        """Machine and software in one line, for a signature."""
        kind = (
            torch.cuda.get_device_name()
            if self.device.type == "cuda"
            else f"{platform.machine()} CPU, {torch.get_num_threads()} threads"
        )
        return (
            f"{kind}, {self.processes} process(es), {self.config.precision}, "
            f"torch {torch.__version__}, python {platform.python_version()}"
        )


def peak_memory_bytes() -> int:
    """The most memory that this process has held at once: the machine's, not a GPU's."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def seed_update(seed: int, *path: int) -> None:
    """Seed torch from ``seed`` and a path such as (update, rank).

    Each update seeds itself, so that a resumed run needs no saved generator state.
    """
    mixed = seed & 0xFFFFFFFF
    for part in path:
        mixed = (mixed * 6364136223846793005 + part + 1442695040888963407) & (2**63 - 1)
        mixed ^= mixed >> 29
    torch.manual_seed(mixed)


def _keep_freed_memory() -> None:
    """Tell glibc to keep large freed blocks instead of returning them to the system.

    A training step frees and asks again for the same logits-sized tensors; handing their pages
    back every time costs a third of the vocabulary side of a step.
    """
    if sys.platform != "linux":
        return
    mmap_threshold, trim_threshold = -3, -1  # parameter numbers of mallopt(3)
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return
    mallopt(mmap_threshold, 1 << 30)
    mallopt(trim_threshold, 1 << 30)


def one_process(config: RuntimeConfig, what: str) -> Runtime:
    """The runtime of work that several processes cannot share.

    Raises:
        InputError: the settings ask for several.
    """
    if config.devices > 1:
        raise InputError(
            f"runtime.devices = {config.devices}: one process makes {what}, expected 1"
        )
    return Runtime(config)
