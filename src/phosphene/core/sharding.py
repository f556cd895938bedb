"""Parameters, gradients and optimiser state shared out over processes (FSDP; Zhao et al., 2023).

Importing this takes a second, so it is imported by runs that need it, when they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.distributed import all_reduce
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.func import functional_call


@final
class Sharded(nn.Module):
    """A module of whose trainable parameters a process holds its part alone, between updates.

    The module itself stays as it is, except that its parameters have no memory: inside the forward
    pass others, whole for that moment, stand in their place. Whoever looks at it asks for
    :meth:`whole` weights, in all processes at once.
    """

    def __init__(self, module: nn.Module, device: torch.device, processes: int) -> None:
        super().__init__()
        self.plain = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.parts = nn.ParameterList(
            [nn.Parameter(parameter.detach().clone()) for parameter in self.plain.values()]
        )
        self.shared = [module]  # in a list: its parameters are not this module's
        fully_shard(self, mesh=init_device_mesh(device.type, (processes,)))
        self._free()

    def forward(self, batch: Any) -> dict[str, Tensor]:
        """The named outputs of the module.

        They depend on every parameter, if by nothing: a process whose share of a batch leaves
        modules unused has to exchange a gradient for them like the others.
        """
        whole = dict(zip(self.plain, self.parts, strict=True))
        outputs: dict[str, Tensor] = functional_call(self.shared[0], whole, (batch,))
        nothing = torch.stack([0.0 * parameter.sum() for parameter in self.parts]).sum()
        return {name: output + nothing for name, output in outputs.items()}

    def restore(self) -> None:
        """Give the module its weights back, for good."""
        with torch.no_grad():
            for parameter, part in zip(self.plain.values(), self.parts, strict=True):
                found = gathered(part)
                parameter.untyped_storage().resize_(found.nbytes)
                parameter.copy_(found)

    @contextmanager
    def whole(self) -> Iterator[None]:
        """The module has its weights inside the block; what is done to them is lost."""
        self.restore()
        yield
        self._free()

    def _free(self) -> None:
        for parameter in self.plain.values():
            parameter.untyped_storage().resize_(0)


def forget_unused(parameters: Sequence[Tensor]) -> None:
    """What no process has used has no gradient, rather than one of 0 that Adam would follow."""
    shares = [p.grad.to_local() if isinstance(p.grad, DTensor) else p.grad for p in parameters]
    used = torch.tensor([share is not None and bool(share.any()) for share in shares])
    counts = used.float().to(parameters[0].device)
    all_reduce(counts)
    for parameter, count in zip(parameters, counts.tolist(), strict=True):
        if not count:
            parameter.grad = None


def gathered(tensor: Tensor) -> Tensor:
    """``tensor``, whole."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def shared_out(tensor: Tensor, like: Tensor) -> Tensor:
    """``tensor`` in parts, if ``like`` is."""
    if isinstance(like, DTensor):
        # Every process has read the tensor: none has to be sent it.
        return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)
    return tensor
