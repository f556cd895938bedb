"""Checkpoints: safetensors and JSON, written whole or not at all, refused when damaged.

A checkpoint is a folder with ``tensors.safetensors`` and ``state.json``; the latter carries the
checksums of both. It is written under another name, flushed to disk and then renamed, so a
folder with the final name is complete. No pickle is read or written.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.distributed import is_initialized

from phosphene.core.errors import InputError, StorageError
from phosphene.core.files import flush_folder, write_flushed


class DamagedCheckpoint(InputError):  # noqa: N818
    """A checkpoint does not hold what was written."""


@dataclass(frozen=True)
class Checkpoint:
    """Named tensors and a JSON-able state."""

    tensors: dict[str, Tensor]
    state: dict[str, Any]


def write_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Write ``checkpoint`` as ``folder``, all or nothing.

    Raises:
        StorageError: the disk is full or refuses; an older ``folder`` is untouched.
    """
    blob = save_tensors({name: tensor.contiguous() for name, tensor in checkpoint.tensors.items()})
    record = {
        "state": checkpoint.state,
        "state_sha256": _digest(checkpoint.state),
        "sha256": hashlib.sha256(blob).hexdigest(),
    }
    temporary = folder.with_name(f".{folder.name}.partial")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        write_flushed(temporary / "tensors.safetensors", blob)
        write_flushed(temporary / "state.json", json.dumps(record, indent=1).encode())
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)
        flush_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise StorageError(
            f"{folder}: could not be saved ({error.strerror}); earlier checkpoints are intact"
        ) from error


def read_checkpoint(folder: Path) -> Checkpoint:
    """The checkpoint in ``folder``.

    Raises:
        DamagedCheckpoint: a file is missing, cut off or changed.
    """
    try:
        record = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        blob = (folder / "tensors.safetensors").read_bytes()
        if hashlib.sha256(blob).hexdigest() != record["sha256"]:
            raise DamagedCheckpoint(f"{folder}: damaged checkpoint (checksum differs)")
        state = record["state"]
        if record.get("state_sha256", _digest(state)) != _digest(state):
            raise DamagedCheckpoint(f"{folder}: damaged checkpoint (checksum of the state differs)")
        return Checkpoint(load_tensors(blob), state)
    except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
        raise DamagedCheckpoint(f"{folder}: damaged checkpoint ({error})") from error


def _digest(state: Any) -> str:
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()


def latest_checkpoint(
    parent: Path, prefix: str, on_damage: Callable[[str], None]
) -> Checkpoint | None:
    """The newest sound checkpoint ``prefix*`` in ``parent``; damaged ones are named, passed over.

    Raises:
        DamagedCheckpoint: there are checkpoints and none of them is sound.
    """
    folders = sorted(parent.glob(f"{prefix}*"), reverse=True)
    for folder in folders:
        try:
            return read_checkpoint(folder)
        except DamagedCheckpoint as error:
            on_damage(str(error))
    if folders:
        raise DamagedCheckpoint(f"{parent}: all {len(folders)} checkpoints {prefix}* are damaged")
    return None


def module_tensors(modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
    """Parameters and buffers of named modules as ``module.parameter`` -> tensor on the CPU."""
    return {
        f"{name}.{key}": tensor.detach().cpu()
        for name, module in modules.items()
        for key, tensor in module.state_dict().items()
    }


def load_modules(modules: Mapping[str, nn.Module], tensors: Mapping[str, Tensor]) -> None:
    """The reverse of :func:`module_tensors`; every tensor must be there and fit."""
    for name, module in modules.items():
        start = f"{name}."
        own = {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}
        try:
            module.load_state_dict(own, strict=True)
        except RuntimeError as error:
            shown = " ".join(str(error).split())[:200]
            raise InputError(f"weights do not fit '{name}', other settings? {shown}") from error


def optimizer_tensors(
    optimizer: torch.optim.Optimizer, name: str = "optimizer"
) -> dict[str, Tensor]:
    """The state of ``optimizer`` as ``name/parameter/quantity`` -> tensor on the CPU.

    What processes share out is put together, by all of these processes at once and in one order:
    that of a state which was read from a file is any.
    """
    return {
        f"{name}/{index}/{quantity}": _gathered(value).cpu()
        for index, state in sorted(optimizer.state_dict()["state"].items())
        for quantity, value in sorted(state.items())
    }


def load_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], name: str = "optimizer"
) -> None:
    """The reverse of :func:`optimizer_tensors`.

    Raises:
        InputError: the state is of more parameters than ``optimizer`` has.
    """
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(f"{name}/"):
            _, index, quantity = key.split("/")
            state.setdefault(int(index), {})[quantity] = value
    parameters: list[Tensor] = [p for group in optimizer.param_groups for p in group["params"]]
    if len(state) > len(parameters):
        raise InputError("the checkpoint's optimiser does not fit this stage")
    for place, own in state.items():
        like = parameters[place]
        for quantity, value in own.items():
            if value.shape == like.shape:  # in the memory format of its parameter
                own[quantity] = torch.empty_like(like, requires_grad=False).copy_(
                    _shared_out(value, like)
                )
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _gathered(tensor: Tensor) -> Tensor:
    if not is_initialized():
        return tensor
    from phosphene.core.sharding import gathered  # noqa: PLC0415

    return gathered(tensor)


def _shared_out(tensor: Tensor, like: Tensor) -> Tensor:
    if not is_initialized():
        return tensor
    from phosphene.core.sharding import shared_out  # noqa: PLC0415

    return shared_out(tensor, like)


def average(checkpoints: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of several weights (in float64); integer tensors are taken from the last."""
    last = checkpoints[-1]
    return {
        name: torch.stack([weights[name].double() for weights in checkpoints]).mean(0).to(tensor)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in last.items()
    }
